//! T32: a long day at 80 % of the peak. Memory, descriptors, latency and the write-ahead log stay as they are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::database_away::joined;
use super::load::{self, Pace, Sample};
use super::mixture::Mixture;
use crate::process;
use crate::server::Server;

/// Clients.
const CLIENTS: usize = 32;
/// The part of the peak that is asked for.
const PART: f64 = 0.8;
/// The part of the time that counts as warm-up.
const WARM_UP: f64 = 0.3;
/// How often the process is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What is promised.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long the peak is looked for.
    pub peak: Duration,
    /// How long it lasts.
    pub stretch: Duration,
    /// The most that memory may grow in an hour, of what it is after the warm-up.
    pub growth_per_hour: f64,
    /// The most by which p99 may rise from the first to the last quarter after the warm-up.
    pub drift: f64,
    /// The longest write-ahead log, in bytes.
    pub log_limit: u64,
    /// Descriptors more than after the warm-up.
    pub more_descriptors: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Requests a second, as many as there can be.
    pub peak: f64,
    /// Requests that were served.
    pub served: usize,
    /// Anonymous memory after the warm-up and at the end, in bytes.
    pub memory: (u64, u64),
    /// The slope of memory after the warm-up, as a part of it per hour.
    pub growth_per_hour: f64,
    /// Descriptors after the warm-up, and at most from then on.
    pub descriptors: (usize, usize),
    /// p99 in the first and in the last quarter after the warm-up.
    pub p99: (Duration, Duration),
    /// The longest write-ahead log, in bytes.
    pub log: u64,
}

/// One run.
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
    pace(Pace::FlatOut, plan.peak / 4);
    let peak = load::served_per_second(&pace(Pace::FlatOut, plan.peak), plan.peak);
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
    let outcome = judge(plan, peak, &samples, &looks);
    let problems = [
        (outcome.growth_per_hour > plan.growth_per_hour, "memory grows"),
        (
            outcome.descriptors.1 > outcome.descriptors.0 + plan.more_descriptors,
            "descriptors grow",
        ),
        (
            outcome.p99.1 > outcome.p99.0.mul_f64(1.0 + plan.drift),
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
}

fn watch(server: &Server, over: &AtomicBool) -> Vec<Look> {
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
        });
        std::thread::sleep(LOOK);
    }
    looks
}

fn judge(plan: Plan, peak: f64, samples: &[Sample], looks: &[Look]) -> Outcome {
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
    let points: Vec<(f64, f64)> = after
        .iter()
        .map(|look| (look.at.as_secs_f64() / 3600.0, look.memory as f64))
        .collect();
    Outcome {
        peak,
        served: samples.len(),
        memory: (first.memory, last.memory),
        growth_per_hour: slope(&points) / first.memory as f64,
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
        log: looks.iter().map(|look| look.log).max().unwrap_or_default(),
    }
}

/// The slope of the line that lies closest to the points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if variance == 0.0 {
        0.0
    } else {
        covariance / variance
    }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn the_slope_of_a_line_is_found_through_noise() {
        let line: Vec<(f64, f64)> = (0..100)
            .map(f64::from)
            .map(|x| (x, 5.0 + 3.0 * x + if x as i32 % 2 == 0 { 0.5 } else { -0.5 }))
            .collect();
        assert!((slope(&line) - 3.0).abs() < 0.01, "{}", slope(&line));
        assert_eq!(slope(&[(1.0, 2.0)]), 0.0);
    }
}
