//! T32: a long day at 80 % of the peak. Memory, descriptors, latency and the write-ahead log stay as they are.
//!
//! The peak is the highest rate at which requests that come by the clock, and not one upon the other, are answered in
//! time. Clients that each wait for their answer get more out of a server: it always finds several requests at once, and
//! commits more writes with a flush. Of what they get, 80 % can keep it busy to the last tenth of a core, where answers
//! say more about the neighbours of a machine than about the server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::database_away::joined;
use super::load::{self, Pace, Peak, Sample};
use super::mixture::Mixture;
use super::trend::Trend;
use super::yardstick::Yardstick;
use crate::cores;
use crate::process;
use crate::server::Server;

/// Clients.
const CLIENTS: usize = 32;
/// The part of the peak that is asked for.
const PART: f64 = 0.8;
/// The part of the time that counts as warm-up.
const WARM_UP: f64 = 0.3;
/// Pieces into which the time after the warm-up is cut, to see what grows from one to the next.
const PIECES: u32 = 20;
/// How often the process is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What is promised.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long each rate is tried while the peak is looked for.
    pub peak: Duration,
    /// How long it lasts.
    pub stretch: Duration,
    /// The most that memory may grow in an hour, of what it is after the warm-up.
    pub growth_per_hour: f64,
    /// The most by which p99 may rise from the end of the warm-up to the end, as a part of it.
    pub drift: f64,
    /// The longest write-ahead log, in bytes.
    pub log_limit: u64,
    /// Descriptors more than after the warm-up.
    pub more_descriptors: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Requests a second that clients get who each wait for their answer.
    pub flat_out: f64,
    /// Requests a second that are answered in time, as many as there can be.
    pub peak: f64,
    /// Requests that were served.
    pub served: usize,
    /// Anonymous memory after the warm-up and at the end, in bytes.
    pub memory: (u64, u64),
    /// How the most memory of a piece grows after the warm-up, as a part of it per hour.
    pub growth_per_hour: Trend,
    /// Descriptors after the warm-up, and at most from then on.
    pub descriptors: (usize, usize),
    /// p99 in the first and in the last quarter after the warm-up.
    pub p99: (Duration, Duration),
    /// How the logarithm of a piece's p99 grows from the end of the warm-up to the end, beside how fast the machine was
    /// in each.
    pub drift: Trend,
    /// The longest write-ahead log, in bytes.
    pub log: u64,
    /// The tenths of the whole, one after the other: what grows shows here.
    pub tenths: Vec<Tenth>,
}

/// A tenth of the run.
#[derive(Clone, Copy, Debug)]
pub struct Tenth {
    /// Half of the answers took no longer.
    pub p50: Duration,
    /// 99 of 100 answers took no longer.
    pub p99: Duration,
    /// Cores that the server kept busy (not those of PostgreSQL).
    pub cores: f64,
    /// What the server's cores needed for work that is always the same.
    pub work: Duration,
    /// The most anonymous memory, in bytes.
    pub memory: u64,
}

/// One run. Memory and p99 go up and down; they count as growing when they grow by more than is promised whatever the
/// line through them may owe to that ([`Trend::at_least`]). What p99 owes to a machine that is slower or faster for a while
/// ([`Yardstick`]) is not counted as growth ([`Trend::beside`]).
///
/// # Panics
/// When a promise is broken.
#[track_caller]
pub fn run(server: &Server, plan: Plan) -> Outcome {
    let mixture = Mixture::new(server);
    let pace = |pace, stretch| -> Vec<Sample> {
        let ask = |pair: &mut _, number| mixture.ask(pair, number).ok().map(|answer| answer.status);
        load::run(CLIENTS, pace, stretch, |_| Mixture::pair(server), ask)
    };
    let Peak { flat_out, peak } = load::peak(plan.peak, pace);
    let over = &AtomicBool::new(false);
    let (samples, looks) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(server, over));
        let samples = pace(Pace::Rate(peak * PART), plan.stretch);
        over.store(true, Ordering::SeqCst);
        (samples, joined(watching))
    });
    assert!(
        samples.iter().all(load::is_served),
        "answered {:?}; 0 stands for no answer",
        load::statuses(&samples)
    );
    let outcome = judge(plan, (flat_out, peak), &samples, &looks);
    let problems = [
        (
            outcome.growth_per_hour.at_least() > plan.growth_per_hour,
            "memory grows",
        ),
        (
            outcome.descriptors.1 > outcome.descriptors.0 + plan.more_descriptors,
            "descriptors grow",
        ),
        (
            outcome.drift.at_least().exp() > 1.0 + plan.drift,
            "answers become slower",
        ),
        (outcome.log > plan.log_limit, "the write-ahead log is too long"),
    ];
    let found: Vec<&str> = problems
        .iter()
        .filter_map(|(is, what)| is.then_some(*what))
        .collect();
    assert!(found.is_empty(), "{found:?}: {outcome:?}");
    outcome
}

/// What one look at the process saw.
struct Look {
    at: Duration,
    memory: u64,
    descriptors: usize,
    log: u64,
    processor: Duration,
    work: Duration,
}

fn watch(server: &Server, over: &AtomicBool) -> Vec<Look> {
    cores::beside(server.pid());
    let yardstick = Yardstick::new();
    let begin = Instant::now();
    let log = server.data_folder().join("passerelle.db-wal");
    let mut looks = Vec::new();
    while !over.load(Ordering::SeqCst) {
        looks.push(Look {
            at: begin.elapsed(),
            memory: process::anonymous_memory(server.pid()).expect("an own child's memory can be read"),
            descriptors: process::descriptors(server.pid())
                .expect("an own child's descriptors can be counted"),
            // None on PostgreSQL.
            log: std::fs::metadata(&log).map_or(0, |file| file.len()),
            processor: process::processor_time(server.pid()).expect("an own child's time can be read"),
            work: yardstick.measure(),
        });
        std::thread::sleep(LOOK);
    }
    looks
}

fn judge(plan: Plan, (flat_out, peak): (f64, f64), samples: &[Sample], looks: &[Look]) -> Outcome {
    let warm = plan.stretch.mul_f64(WARM_UP);
    let rest = plan.stretch.saturating_sub(warm);
    let after: Vec<&Look> = looks.iter().filter(|look| look.at >= warm).collect();
    let (Some(first), Some(last)) = (after.first(), after.last()) else {
        panic!("too short: nobody looked after the warm-up")
    };
    let p99 = |from: Duration, to: Duration| {
        let within = samples.iter().filter(|sample| (from..to).contains(&sample.due));
        load::percentile(within.map(|sample| sample.took), 99.0)
    };
    let mut most = Vec::new();
    let mut slowest = Vec::new();
    for piece in 0..PIECES {
        let (from, to) = (warm + rest / PIECES * piece, warm + rest / PIECES * (piece + 1));
        let within = after.iter().filter(|look| (from..to).contains(&look.at));
        let memory = within.map(|look| look.memory as f64);
        let middle = (from + to).as_secs_f64() / 2.0;
        most.extend(memory.reduce(f64::max).map(|memory| (middle / 3600.0, memory)));
        let (p99, work) = (p99(from, to).as_secs_f64(), work(looks, from, to).as_secs_f64());
        // Nobody may have looked within a piece of a very short run.
        if p99 > 0.0 && work > 0.0 {
            slowest.push((middle / rest.as_secs_f64(), work.ln(), p99.ln()));
        }
    }
    Outcome {
        flat_out,
        peak,
        served: samples.len(),
        memory: (first.memory, last.memory),
        growth_per_hour: Trend::of(&most).times(1.0 / first.memory as f64),
        descriptors: (
            first.descriptors,
            after
                .iter()
                .map(|look| look.descriptors)
                .max()
                .unwrap_or_default(),
        ),
        p99: (
            p99(warm, warm + rest / 4),
            p99(plan.stretch.saturating_sub(rest / 4), plan.stretch),
        ),
        drift: Trend::beside(&slowest),
        log: looks.iter().map(|look| look.log).max().unwrap_or_default(),
        tenths: tenths(plan.stretch, samples, looks),
    }
}

/// What the machine needed for the work that is always the same: the median.
fn work(looks: &[Look], from: Duration, to: Duration) -> Duration {
    let within = looks.iter().filter(|look| (from..to).contains(&look.at));
    load::percentile(within.map(|look| look.work), 50.0)
}

fn tenths(stretch: Duration, samples: &[Sample], looks: &[Look]) -> Vec<Tenth> {
    let one = |number: u32| {
        let (from, to) = (stretch / 10 * number, stretch / 10 * (number + 1));
        let within: Vec<Duration> = samples
            .iter()
            .filter(|sample| (from..to).contains(&sample.due))
            .map(|sample| sample.took)
            .collect();
        let looked = || looks.iter().filter(|look| (from..to).contains(&look.at));
        let mut seen = looked();
        let busy = match (seen.next(), seen.next_back()) {
            (Some(first), Some(last)) => {
                let busy = last.processor.saturating_sub(first.processor);
                busy.as_secs_f64() / (last.at - first.at).as_secs_f64()
            }
            _ => 0.0,
        };
        Tenth {
            p50: load::percentile(within.iter().copied(), 50.0),
            p99: load::percentile(within, 99.0),
            cores: busy,
            work: work(looks, from, to),
            memory: looked().map(|look| look.memory).max().unwrap_or_default(),
        }
    };
    (0..10).map(one).collect()
}
