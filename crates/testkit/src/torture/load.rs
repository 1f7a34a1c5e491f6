//! Load at a given rate, or as much as there can be; and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::database_away::joined;

/// One request of a load.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it was due, from the start of the load.
    pub due: Duration,
    /// From when it was due until its answer: a client that comes late because the one before was slow counts as slow.
    pub took: Duration,
    /// From when it was sent until its answer.
    pub service: Duration,
    /// The status; `None`: no answer.
    pub status: Option<u16>,
}

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each client asks as soon as it is answered.
    FlatOut,
    /// So many requests a second, whatever becomes of those before.
    Rate(f64),
}

impl Pace {
    /// When request `number` is due, from the start of the load.
    pub(super) fn due(self, number: u64, begin: Instant) -> Duration {
        match self {
            Pace::FlatOut => begin.elapsed(),
            Pace::Rate(rate) => Duration::from_secs_f64(number as f64 / rate),
        }
    }
}

impl Sample {
    /// Of a request that is answered, or given up, now.
    pub(super) fn ended(begin: Instant, due: Duration, sent: Duration, status: Option<u16>) -> Sample {
        let done = begin.elapsed();
        Sample {
            due,
            took: done.saturating_sub(due),
            service: done.saturating_sub(sent),
            status,
        }
    }
}

/// `clients` clients ask for `stretch`. `prepare` makes what one client needs, `ask` sends request number n and
/// returns its status.
pub fn run<C: Send>(
    clients: usize,
    pace: Pace,
    stretch: Duration,
    prepare: impl Fn(usize) -> C,
    ask: impl Fn(&mut C, u64) -> Option<u16> + Sync,
) -> Vec<Sample> {
    let prepared: Vec<C> = (0..clients).map(prepare).collect();
    let (next, ask) = (&AtomicU64::new(0), &ask);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let asking: Vec<_> = prepared
            .into_iter()
            .map(|mut client| {
                let one = std::thread::Builder::new().stack_size(256 * 1024);
                one.spawn_scoped(scope, move || {
                    let mut samples = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let due = pace.due(number, begin);
                        if due >= stretch {
                            return samples;
                        }
                        if let Some(early) = due.checked_sub(begin.elapsed()) {
                            std::thread::sleep(early);
                        }
                        let sent = begin.elapsed();
                        let status = ask(&mut client, number);
                        samples.push(Sample::ended(begin, due, sent, status));
                    }
                })
                .expect("a thread of a client")
            })
            .collect();
        asking.into_iter().flat_map(joined).collect()
    })
}

/// The 99th percentile that a rate must keep to be the peak or less.
const IN_TIME: Duration = Duration::from_millis(50);
/// Rates that are tried, as parts of what clients that wait for their answers get.
const STEPS: [f64; 14] = [
    1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.4, 0.3, 0.2,
];

/// As much as a server can do.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// Requests a second that clients get who wait for their answers.
    pub flat_out: f64,
    /// The highest rate at which requests that come by the clock, and not one upon the other, are answered in time.
    pub peak: f64,
}

/// Looks for the peak; each rate is tried for `look`.
///
/// # Panics
/// When not even a fifth of what can be done is done in time.
#[track_caller]
pub fn peak(look: Duration, ask: impl Fn(Pace, Duration) -> Vec<Sample>) -> Peak {
    // Not counted: connections are made.
    ask(Pace::FlatOut, look / 4);
    let flat_out = served_per_second(&ask(Pace::FlatOut, look), look);
    let in_time = |rate: &f64| {
        let samples = ask(Pace::Rate(*rate), look);
        let took = samples.iter().map(|sample| sample.took);
        samples.iter().all(is_served) && percentile(took, 99.0) <= IN_TIME
    };
    match STEPS.map(|part| part * flat_out).into_iter().find(in_time) {
        Some(peak) => Peak { flat_out, peak },
        None => panic!("of {flat_out:.0} requests a second not even a fifth was answered within {IN_TIME:?}"),
    }
}

/// Requests per second that were answered 2xx, over `stretch`.
pub fn served_per_second(samples: &[Sample], stretch: Duration) -> f64 {
    samples.iter().filter(|sample| is_served(sample)).count() as f64 / stretch.as_secs_f64()
}

/// Whether it was answered 2xx.
pub fn is_served(sample: &Sample) -> bool {
    sample.status.is_some_and(|status| (200..300).contains(&status))
}

/// The time that `percent` of 100 stay below; zero of none.
pub fn percentile(times: impl IntoIterator<Item = Duration>, percent: f64) -> Duration {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let place = (times.len() as f64 * percent / 100.0).ceil() as usize;
    times
        .get(place.saturating_sub(1).min(last))
        .copied()
        .unwrap_or_default()
}

/// How often each status came, for messages; 0 stands for no answer.
pub fn statuses(samples: &[Sample]) -> Vec<(u16, usize)> {
    crate::race::tally(samples.iter().map(|sample| sample.status.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{Duration, Pace, percentile, run, served_per_second};

    #[test]
    fn a_rate_is_kept_and_lateness_counts() {
        let stretch = Duration::from_millis(500);
        let samples = run(4, Pace::Rate(100.0), stretch, |_| (), |(), _| Some(200));
        assert_eq!(samples.len(), 50);
        assert!((served_per_second(&samples, stretch) - 100.0).abs() < 1e-9);
        // One client that takes 20 ms a request cannot keep 100 a second: the last is late by half of the time.
        let slow = |(): &mut (), _| {
            std::thread::sleep(Duration::from_millis(20));
            None
        };
        let samples = run(1, Pace::Rate(100.0), stretch, |_| (), slow);
        assert!(percentile(samples.iter().map(|sample| sample.took), 100.0) >= Duration::from_millis(400));
        assert!(percentile(samples.iter().map(|sample| sample.service), 1.0) >= Duration::from_millis(20));
    }

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times = [3_u64, 1, 2, 4].map(Duration::from_secs);
        assert_eq!(percentile(times, 50.0), Duration::from_secs(2));
        assert_eq!(percentile(times, 99.0), Duration::from_secs(4));
        assert_eq!(percentile([], 99.0), Duration::ZERO);
    }
}
