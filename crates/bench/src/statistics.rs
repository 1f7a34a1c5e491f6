//! Latencies and what is said about them.

use std::collections::BTreeMap;
use std::time::Duration;

/// Latencies and statuses of one run.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Of each measured request, in microseconds.
    latencies: Vec<u32>,
    /// How often each status was answered.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub failures: u64,
    /// Answers that did not hold what they should.
    pub wrong: u64,
}

impl Statistics {
    /// Counts one answered request.
    pub fn answered(&mut self, status: u16, latency: Duration) {
        self.latencies
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        *self.statuses.entry(status).or_insert(0) += 1;
    }

    /// Adds those of another thread.
    pub fn merge(&mut self, other: Statistics) {
        self.latencies.extend(other.latencies);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_insert(0) += count;
        }
        self.failures += other.failures;
        self.wrong += other.wrong;
    }

    /// Answered requests.
    pub fn count(&self) -> usize {
        self.latencies.len()
    }

    /// Answers other than 2xx.
    pub fn refused(&self) -> u64 {
        self.statuses
            .iter()
            .filter(|(status, _)| !(200..300).contains(*status))
            .map(|(_, count)| count)
            .sum()
    }

    /// Puts the latencies in order, for [`percentile`].
    pub fn sorted(&self) -> Vec<u32> {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        sorted
    }
}

/// The smallest value that at least `percent` % of the values do not exceed (nearest rank); 0 for none.
pub fn percentile(sorted: &[u32], percent: f64) -> u32 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.clamp(1, sorted.len().max(1)) - 1)
        .copied()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Statistics, percentile};

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50.0), 50);
        assert_eq!(percentile(&hundred, 99.0), 99);
        assert_eq!(percentile(&hundred, 100.0), 100);
        assert_eq!(percentile(&hundred, 0.0), 1);
        assert_eq!(percentile(&[7], 99.0), 7);
        assert_eq!(percentile(&[1, 9], 50.0), 1);
        assert_eq!(percentile(&[1, 9], 51.0), 9);
        assert_eq!(percentile(&[], 50.0), 0);
    }

    #[test]
    fn merging_adds_everything_up() {
        let mut one = Statistics::default();
        one.answered(200, Duration::from_micros(5));
        let mut other = Statistics {
            failures: 2,
            wrong: 1,
            ..Statistics::default()
        };
        other.answered(412, Duration::from_micros(1));
        other.answered(200, Duration::from_secs(10_000));
        one.merge(other);
        assert_eq!(
            (one.count(), one.refused(), one.failures, one.wrong),
            (3, 1, 2, 1)
        );
        assert_eq!(one.statuses[&200], 2);
        assert_eq!(one.sorted(), [1, 5, u32::MAX]);
    }
}
