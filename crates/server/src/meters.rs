//! What the server counts of the requests it answers. All series are made before the first request.

use std::time::{Duration, SystemTime};

use actix_web::http::StatusCode;
use engine::{Door, Refusal};
use fhir::IssueCode;
use measure::{Counter, Histogram};

use crate::routes::{self, Handler, Row};

#[cfg(test)]
mod tests;

/// Classes of the time that an answer may take, microseconds.
const ANSWER_MICROS: &[u64] = &[
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];
/// The classes of statuses.
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// The class that is told of every route from the start: a counter that appears at its first event hides it from `increase()`.
const FAILED: &str = "5xx";
/// The refusals that are told of every door from the start, as what alerts look at.
const WATCHED: [&str; 5] = ["login", "throttled", "transient", "no-store", "exception"];
const CODES: usize = IssueCode::ALL.len();
const DOORS: usize = Door::ALL.len();

/// What has been counted since the start.
pub struct Meters {
    /// In the order of `routes`; apart from it, so that a look-up stays in few cache lines.
    rows: Vec<&'static Row>,
    routes: Vec<[Histogram; STATUSES.len()]>,
    /// By door and code, each in the order of its declaration.
    refusals: [[Counter; CODES]; DOORS],
    /// When counting began.
    pub started: SystemTime,
}

/// The answers of one route that have statuses of one class.
pub struct Answers<'m> {
    /// The door of the route; `none` for what belongs to none.
    pub door: &'static str,
    /// The pattern.
    pub route: &'static str,
    /// The method that the route is for; `any` where there is no route.
    pub method: &'m str,
    /// `2xx`
    pub status: &'static str,
    /// How long they took.
    pub times: &'m Histogram,
}

impl Meters {
    /// Nothing has been answered yet.
    pub fn new() -> Meters {
        let rows: Vec<&'static Row> = routes::ROUTES
            .iter()
            .chain(routes::UNROUTED.iter().copied())
            .collect();
        let histogram = |_| Histogram::of_durations(ANSWER_MICROS);
        Meters {
            routes: rows.iter().map(|_| STATUSES.map(histogram)).collect(),
            rows,
            refusals: Default::default(),
            started: SystemTime::now(),
        }
    }

    /// An answer was made. `refusal` is why it is none of those that were hoped for, with the door that told it.
    pub fn answered(
        &self,
        row: &'static Row,
        status: StatusCode,
        took: Duration,
        refusal: Option<(Door, &Refusal)>,
    ) {
        // Rows beyond the table are those of tests.
        let place = self.rows.iter().position(|known| std::ptr::eq(*known, row));
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let times = place
            .and_then(|place| self.routes.get(place))
            .and_then(|classes| classes.get(class));
        if let Some(times) = times {
            times.record_duration(took);
        }
        let counter = refusal
            .and_then(|(door, refusal)| self.refusals.get(door as usize)?.get(refusal.code() as usize));
        if let Some(counter) = counter {
            counter.add();
        }
    }

    /// All routes, with the classes of statuses that they have answered with, and that of failures.
    pub fn answers(&self) -> impl Iterator<Item = Answers<'_>> {
        self.rows.iter().zip(&self.routes).flat_map(|(row, classes)| {
            let seen = STATUSES
                .iter()
                .zip(classes)
                .filter(|(status, times)| **status == FAILED || times.count() > 0);
            seen.map(move |(status, times)| Answers {
                door: door_of(row),
                route: row.pattern,
                method: if is_unrouted(row) {
                    "any"
                } else {
                    row.method.as_str()
                },
                status,
                times,
            })
        })
    }

    /// All refusals so far: door, code, how many. Those that are watched are told before there is one.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        Door::ALL.iter().zip(&self.refusals).flat_map(|(door, counters)| {
            IssueCode::ALL
                .iter()
                .zip(counters)
                .map(|(code, counter)| (door.as_str(), code.as_str(), counter.get()))
                .filter(|(_, code, count)| WATCHED.contains(code) || *count > 0)
        })
    }
}

fn is_unrouted(row: &'static Row) -> bool {
    routes::UNROUTED.iter().any(|other| std::ptr::eq(*other, row))
}

/// The door of a route; `none` for what belongs to none.
pub fn door_of(row: &'static Row) -> &'static str {
    match row.handler {
        Handler::Known(_) => row.door.as_str(),
        Handler::Open(_) if row.pattern.starts_with("/fhir") => row.door.as_str(),
        Handler::Open(_) => "none",
    }
}
