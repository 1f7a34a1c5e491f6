//! Counters and histograms whose use costs an atomic addition or two, and the page on which Prometheus reads them.
//!
//! Home-made because of the hot path: of the usual crates one takes a lock for every value of a histogram, the other
//! keeps every value until somebody asks. Here all series are known before the first request: nothing is allocated,
//! looked up or locked when something is counted. No unit, label or name is known here.

mod page;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use page::{Family, Kind, Page};

/// How many of the units of `Histogram::of_durations` make a second.
const MICROS_PER_SECOND: u64 = 1_000_000;

/// What has happened so often since the start.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Nothing has happened yet.
    pub const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// Once more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are just now.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// One more, until the guard is dropped.
    pub fn enter(&self) -> Inside<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Inside(self)
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of those that a [`Level`] counts.
#[derive(Debug)]
pub struct Inside<'l>(&'l Level);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How values are spread over fixed classes.
#[derive(Debug)]
pub struct Histogram {
    /// The upper bounds of the classes, ascending; what is above falls in a class of its own.
    bounds: &'static [u64],
    /// What the values are told in: so many make one of the unit that is shown.
    per_unit: u64,
    classes: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// Of plain numbers.
    pub fn new(bounds: &'static [u64]) -> Histogram {
        Histogram {
            bounds,
            per_unit: 1,
            classes: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Of durations; the bounds are microseconds, seconds are shown.
    pub fn of_durations(bounds: &'static [u64]) -> Histogram {
        Histogram {
            per_unit: MICROS_PER_SECOND,
            ..Histogram::new(bounds)
        }
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        let class = self.bounds.partition_point(|bound| *bound < value);
        if let Some(class) = self.classes.get(class) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts a duration.
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many values so far.
    pub fn count(&self) -> u64 {
        self.classes
            .iter()
            .map(|class| class.load(Ordering::Relaxed))
            .sum()
    }

    /// The sum of the values, in the unit that is shown.
    pub(crate) fn sum(&self) -> f64 {
        self.sum.load(Ordering::Relaxed) as f64 / self.per_unit as f64
    }

    /// The bounds as they are shown, each with how many values lie at or below it; the last is infinity.
    pub(crate) fn cumulated(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self
            .bounds
            .iter()
            .map(|bound| *bound as f64 / self.per_unit as f64);
        let counts = self.classes.iter().scan(0, |so_far, class| {
            *so_far += class.load(Ordering::Relaxed);
            Some(*so_far)
        });
        bounds.chain([f64::INFINITY]).zip(counts)
    }
}
