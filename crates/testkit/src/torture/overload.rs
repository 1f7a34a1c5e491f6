//! T30: three times as much as there can be. What is refused is refused fast, most of the peak is served, and all is
//! as before soon after. The peak is the highest rate by the clock that is answered in time, as in T32; it is looked for before
//! and after, since a machine that is shared is faster at one time than at another; what is served is held against the higher one.
//! Client and server threads of one machine share its cores unless the caller parts them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::load::{self, Pace, Peak, Sample};
use super::masses;
use super::mixture::pushing;
use crate::server::Server;

/// Clients that find out what the peak is.
const PEAK_CLIENTS: usize = 64;
/// Clients of the overload: more than a server lets in at once.
const CLIENTS: usize = 1_500;
/// Accounts that are written.
const ACCOUNTS: u64 = 5_000;
/// The times the peak that is asked for, and the part of that which has to be sent for it to count.
const TOO_MUCH: f64 = 3.0;
const SENT: f64 = 0.95;
/// What a normal load is, beside the peak.
const NORMAL: f64 = 0.5;
/// So much slower than before a normal load may be afterwards: noise, and a larger database.
const SLOWER: f64 = 2.0;

/// What is promised.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long each rate is tried while the peak is looked for.
    pub peak: Duration,
    /// How long the normal load is watched.
    pub normal: Duration,
    /// How long there is too much.
    pub stretch: Duration,
    /// The p99 of refusals.
    pub refusal_limit: Duration,
    /// The part of the peak that is still served.
    pub served: f64,
    /// How long after the overload everything is normal again.
    pub normal_after: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// As many writes a second as there can be: before, and after.
    pub peaks: (Peak, Peak),
    /// Writes a second that were asked for and that were sent.
    pub offered: (f64, f64),
    /// Writes a second that were served meanwhile.
    pub served: f64,
    /// How many were refused.
    pub refused: usize,
    /// The p99 of refusals, from when they were sent.
    pub refusals: Duration,
    /// A normal load after a peak as long as the overload, and after the overload.
    pub normal: (Normal, Normal),
}

/// How long answers took second by second.
#[derive(Clone, Copy, Debug)]
pub struct Normal {
    /// The median of the seconds' p99: one moment in which the disk or the machine stood still is not what lasts.
    pub p99: Duration,
    /// The p99 of the slowest second.
    pub slowest: Duration,
}

impl Outcome {
    /// The peak that what was served is held against: the higher one.
    pub fn peak(&self) -> f64 {
        self.peaks.0.peak.max(self.peaks.1.peak)
    }
}

/// One run.
///
/// # Panics
/// When a promise is broken.
#[track_caller]
pub fn run(server: &Server, plan: Plan) -> Outcome {
    let writers = Writers {
        server,
        turn: Arc::default(),
    };
    let look_for_peak = || {
        load::peak(plan.peak, |pace, stretch| {
            writers.write(PEAK_CLIENTS, pace, stretch)
        })
    };
    let peak = look_for_peak();
    let normal_after = |clients, rate| {
        let load = writers.write(clients, Pace::Rate(rate), plan.stretch);
        let normal = Pace::Rate(peak.peak * NORMAL);
        let mut after = writers.write(PEAK_CLIENTS, normal, plan.normal_after + plan.normal);
        after.retain(|sample| sample.due >= plan.normal_after);
        (load, after)
    };
    // What is normal shows after a peak as long: many writes leave something to do for the disk, whoever asked for them.
    let (_, before) = normal_after(PEAK_CLIENTS, peak.peak);
    let (too_much, settled) = normal_after(CLIENTS, TOO_MUCH * peak.peak);
    let normal = (normal_of(&before), normal_of(&settled));
    let outcome = judge(plan, (peak, look_for_peak()), &too_much, normal);
    assert!(
        settled.iter().all(load::is_served),
        "not as before {:?} after it was over: {:?}, {outcome:?}",
        plan.normal_after,
        load::statuses(&settled)
    );
    outcome
}

#[track_caller]
fn judge(plan: Plan, peaks: (Peak, Peak), too_much: &[Sample], normal: (Normal, Normal)) -> Outcome {
    let ends = too_much.iter().map(|sample| sample.due + sample.took);
    let lasted = ends.max().unwrap_or(plan.stretch);
    let (refused, others): (Vec<Sample>, Vec<Sample>) =
        too_much.iter().partition(|sample| sample.status == Some(429));
    assert!(
        others.iter().all(load::is_served),
        "answered {:?}; 0 stands for no answer",
        load::statuses(too_much)
    );
    let outcome = Outcome {
        peaks,
        offered: (
            TOO_MUCH * peaks.0.peak,
            too_much.len() as f64 / lasted.as_secs_f64(),
        ),
        served: load::served_per_second(too_much, lasted),
        refused: refused.len(),
        refusals: load::percentile(refused.iter().map(|sample| sample.service), 99.0),
        normal,
    };
    let problems = [
        (refused.is_empty(), "nobody was refused, so it was not too much"),
        (
            outcome.offered.1 < SENT * outcome.offered.0,
            "less was sent than should be",
        ),
        (outcome.refusals > plan.refusal_limit, "refusals take too long"),
        (
            outcome.served < plan.served * outcome.peak(),
            "too few are served",
        ),
        (
            normal.1.p99 > normal.0.p99.mul_f64(SLOWER),
            "afterwards it is slower than after a peak",
        ),
    ];
    let found: Vec<&str> = problems
        .iter()
        .filter_map(|(is, what)| is.then_some(*what))
        .collect();
    assert!(found.is_empty(), "{found:?}: {outcome:?}");
    outcome
}

/// Clients that push changes to a few thousand accounts.
struct Writers<'s> {
    server: &'s Server,
    turn: Arc<AtomicU64>,
}

impl Writers<'_> {
    fn write(&self, clients: usize, pace: Pace, stretch: Duration) -> Vec<Sample> {
        let client = self.server.client("sas");
        let turn = Arc::clone(&self.turn);
        masses::run(clients, client.address(), pace, stretch, move |_| {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            pushing(&client, turn % ACCOUNTS, Some(turn)).to_bytes()
        })
    }
}

fn normal_of(samples: &[Sample]) -> Normal {
    let mut seconds: BTreeMap<u64, Vec<Duration>> = BTreeMap::new();
    for sample in samples {
        seconds.entry(sample.due.as_secs()).or_default().push(sample.took);
    }
    let p99: Vec<Duration> = seconds
        .into_values()
        .map(|times| load::percentile(times, 99.0))
        .collect();
    Normal {
        p99: load::percentile(p99.iter().copied(), 50.0),
        slowest: load::percentile(p99, 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Sample, normal_of};

    #[test]
    fn what_lasts_counts_and_one_slow_second_is_told() {
        let sample = |second: u64, millis: u64| Sample {
            due: Duration::from_secs(second),
            took: Duration::from_millis(millis),
            service: Duration::ZERO,
            status: Some(200),
        };
        let once = [sample(5, 7), sample(6, 900), sample(7, 8)];
        let normal = normal_of(&once);
        assert_eq!(
            (normal.p99, normal.slowest),
            (Duration::from_millis(8), Duration::from_millis(900))
        );
        let lasting = [sample(5, 70), sample(6, 90), sample(7, 8)];
        assert_eq!(normal_of(&lasting).p99, Duration::from_millis(70));
    }
}
