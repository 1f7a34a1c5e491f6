//! T30: three times as much as there can be. What is refused is refused fast, most of the peak is served, and all is
//! as before soon after.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::load::{self, Pace, Sample};
use super::mixture::push;
use crate::http::{Client, Timeouts};
use crate::server::Server;

/// Clients that find out what the peak is.
const PEAK_CLIENTS: usize = 64;
/// Clients of the overload: more than a server lets in at once.
const CLIENTS: usize = 1_500;
/// Accounts that are written.
const ACCOUNTS: u64 = 5_000;
/// A request that takes longer than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a normal load is, beside the peak.
const NORMAL: f64 = 0.5;

/// What is promised.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long the peak is looked for, and how long the normal load is watched.
    pub peak: Duration,
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
    /// Writes a second, as many as there can be.
    pub peak: f64,
    /// Writes a second that were asked for and that were sent.
    pub offered: (f64, f64),
    /// Writes a second that were served meanwhile.
    pub served: f64,
    /// How many were refused.
    pub refused: usize,
    /// The p99 of refusals, from when they were sent.
    pub refusals: Duration,
    /// The p99 of a normal load before, and after.
    pub normal: (Duration, Duration),
}

/// One run.
///
/// # Panics
/// When a promise is broken.
#[track_caller]
pub fn run(server: &Server, plan: Plan) -> Outcome {
    let turn = &AtomicU64::new(0);
    let pace = |clients, pace, stretch| -> Vec<Sample> {
        let timeouts = Timeouts {
            connect: PATIENCE,
            read: PATIENCE,
            write: PATIENCE,
        };
        load::run(
            clients,
            pace,
            stretch,
            |_| server.client("sas").with_timeouts(timeouts),
            |client: &mut Client, _| {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let answer = push(client, turn % ACCOUNTS, Some(turn)).ok()?;
                Some(answer.status)
            },
        )
    };
    // Not counted: connections are made, accounts created.
    pace(PEAK_CLIENTS, Pace::FlatOut, plan.peak / 4);
    let flat_out = pace(PEAK_CLIENTS, Pace::FlatOut, plan.peak);
    let peak = load::served_per_second(&flat_out, plan.peak);
    let normal = Pace::Rate(peak * NORMAL);
    let before = p99(&pace(PEAK_CLIENTS, normal, plan.peak));
    let offered = 3.0 * peak;
    let too_much = pace(CLIENTS, Pace::Rate(offered), plan.stretch);
    let lasted = too_much
        .iter()
        .map(|sample| sample.due + sample.took)
        .max()
        .unwrap_or(plan.stretch);
    let after = pace(PEAK_CLIENTS, normal, plan.normal_after + plan.peak);
    let settled: Vec<Sample> = after
        .into_iter()
        .filter(|sample| sample.due >= plan.normal_after)
        .collect();
    let (refused, others): (Vec<Sample>, Vec<Sample>) =
        too_much.iter().partition(|sample| sample.status == Some(429));
    assert!(
        others.iter().all(load::is_served),
        "answered {:?}; 0 stands for no answer",
        load::statuses(&too_much)
    );
    let outcome = Outcome {
        peak,
        offered: (offered, too_much.len() as f64 / lasted.as_secs_f64()),
        served: load::served_per_second(&too_much, lasted),
        refused: refused.len(),
        refusals: load::percentile(refused.iter().map(|sample| sample.service), 99.0),
        normal: (before, p99(&settled)),
    };
    assert!(
        !refused.is_empty(),
        "nobody was refused, so it was not too much: {outcome:?}"
    );
    assert!(
        outcome.refusals <= plan.refusal_limit,
        "refusals take too long: {outcome:?}"
    );
    assert!(
        outcome.served >= plan.served * peak,
        "too few are served: {outcome:?}"
    );
    assert!(
        settled.iter().all(load::is_served) && outcome.normal.1 <= outcome.normal.0.mul_f64(2.0),
        "not as before {:?} after it was over: {outcome:?}, {:?}",
        plan.normal_after,
        load::statuses(&settled)
    );
    outcome
}

fn p99(samples: &[Sample]) -> Duration {
    load::percentile(samples.iter().map(|sample| sample.took), 99.0)
}
