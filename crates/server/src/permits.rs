//! How many requests are worked on at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// So many are worked on for each worker while there is too much to do: some 30 ms of writing on SQLite. Whoever comes
/// beside them hears soon that it must come again, instead of standing in line for that.
const EACH_WHEN_PRESSED: usize = 192;
/// The same while the worker is late: what stands in line is to become less first.
const EACH_WHEN_LATE: usize = 48;
/// A worker is late when what is ready waits longer for its turn.
const LATE: Duration = Duration::from_millis(15);
/// There is too much to do for so long after a request was turned away.
const PRESSED: Duration = Duration::from_secs(1);

/// Hands out permits: up to a limit, so that a crowd that comes at once is served, and after that limit was reached up
/// to a lower one, until nobody has been turned away for a while. What a worker is asked costs more the longer the line
/// before it is (everything has left the caches until its turn), so that a line, once there, would stay: a late worker
/// takes on less still.
#[derive(Debug)]
pub struct Permits {
    limit: usize,
    pressed_limit: usize,
    late_limit: usize,
    began: Instant,
    /// Until when there is too much to do, in milliseconds from `began`; 0: there has never been.
    pressed_until: AtomicU64,
    running: AtomicUsize,
}

impl Permits {
    /// Nothing is worked on.
    pub fn new(limit: usize, workers: usize, began: Instant) -> Permits {
        let of_workers = |each: usize| limit.min(workers.saturating_mul(each));
        Permits {
            limit,
            pressed_limit: of_workers(EACH_WHEN_PRESSED),
            late_limit: of_workers(EACH_WHEN_LATE),
            began,
            pressed_until: AtomicU64::new(0),
            running: AtomicUsize::new(0),
        }
    }

    /// A permit to work on a request, when as many as may are not worked on yet. `lateness` tells how long what is ready
    /// waits for its turn.
    pub fn take(&self, now: Instant, lateness: impl FnOnce() -> Duration) -> Option<Permit<'_>> {
        let permit = Permit {
            running: &self.running,
        };
        let before = self.running.fetch_add(1, Ordering::AcqRel);
        if before < self.late_limit {
            return Some(permit);
        }
        let may_work = if self.is_pressed(now) {
            before < self.pressed_limit && lateness() <= LATE
        } else {
            before < self.limit
        };
        if may_work {
            return Some(permit);
        }
        // A permit that is not handed out is dropped here, and gives back what was just taken.
        self.pressed_until
            .fetch_max(self.millis_to(now + PRESSED), Ordering::Relaxed);
        None
    }

    /// How many are let in in any case.
    pub fn limit_at(&self, now: Instant) -> usize {
        if self.is_pressed(now) {
            self.late_limit
        } else {
            self.limit
        }
    }

    fn is_pressed(&self, now: Instant) -> bool {
        self.millis_to(now) < self.pressed_until.load(Ordering::Relaxed)
    }

    fn millis_to(&self, now: Instant) -> u64 {
        let since_began = now.saturating_duration_since(self.began);
        u64::try_from(since_began.as_millis()).unwrap_or(u64::MAX)
    }

    /// How many requests are worked on.
    pub fn in_flight(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }
}

/// Lets one request be worked on while it lives.
#[derive(Debug)]
pub struct Permit<'p> {
    running: &'p AtomicUsize,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, EACH_WHEN_LATE, EACH_WHEN_PRESSED, Instant, LATE, Permit, Permits};

    fn taken(permits: &Permits, now: Instant, lateness: Duration, count: usize) -> Vec<Permit<'_>> {
        (0..count)
            .filter_map(|_| permits.take(now, || lateness))
            .collect()
    }

    #[test]
    fn a_crowd_is_let_in_up_to_the_limit() {
        let began = Instant::now();
        let permits = Permits::new(500, 2, began);
        let crowd = taken(&permits, began, 2 * LATE, 600);
        assert_eq!((crowd.len(), permits.in_flight()), (500, 500));
        drop(crowd);
        assert_eq!(permits.in_flight(), 0);
    }

    #[test]
    fn after_the_limit_was_reached_fewer_are_let_in_until_nobody_was_turned_away_for_a_second() {
        let began = Instant::now();
        let permits = Permits::new(500, 1, began);
        let let_in = |millis: u64, lateness: Duration, count: usize| {
            taken(&permits, began + Duration::from_millis(millis), lateness, count).len()
        };
        assert_eq!(permits.limit_at(began), 500);
        assert_eq!(let_in(10_000, LATE, 501), 500);
        assert_eq!(
            permits.limit_at(began + Duration::from_millis(10_999)),
            EACH_WHEN_LATE
        );
        // Turned away again at 10.9 s.
        assert_eq!(let_in(10_900, LATE, 500), EACH_WHEN_PRESSED);
        assert_eq!(let_in(11_899, LATE, EACH_WHEN_PRESSED), EACH_WHEN_PRESSED);
        assert_eq!(let_in(11_900, LATE, 501), 500);
        // And at 12.8 s, from a late worker.
        assert_eq!(let_in(12_800, 2 * LATE, 500), EACH_WHEN_LATE);
        assert_eq!(let_in(13_800, 2 * LATE, 500), 500);
    }

    #[test]
    fn a_limit_below_that_of_the_workers_holds_all_the_time_and_zero_lets_nobody_in() {
        let began = Instant::now();
        for limit in [0, 3] {
            let permits = Permits::new(limit, 2, began);
            assert_eq!(taken(&permits, began, LATE, 10).len(), limit);
            assert_eq!(taken(&permits, began, LATE, 10).len(), limit);
        }
    }
}
