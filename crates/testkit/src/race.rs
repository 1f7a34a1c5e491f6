//! Races: many threads let go at one moment.

use std::sync::Barrier;
use std::thread;

/// Runs `act(0) … act(count - 1)`, each on its own thread, all let go at once; the results in that order.
///
/// # Panics
/// With the first panic of a thread, after all have ended.
pub fn race<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    race_prepared(count, |_| (), |number, ()| act(number))
}

/// Like [`race`], after each thread has prepared something (a connection, a body) that does not belong to
/// the race.
pub fn race_prepared<P, T: Send>(
    count: usize,
    prepare: impl Fn(usize) -> P + Sync,
    act: impl Fn(usize, P) -> T + Sync,
) -> Vec<T> {
    let barrier = Barrier::new(count);
    thread::scope(|scope| {
        let runners: Vec<_> = (0..count)
            .map(|number| {
                let (barrier, prepare, act) = (&barrier, &prepare, &act);
                scope.spawn(move || {
                    // A panic here must not leave the others waiting at the barrier for ever.
                    let prepared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| prepare(number)));
                    barrier.wait();
                    match prepared {
                        Ok(prepared) => act(number, prepared),
                        Err(panic) => std::panic::resume_unwind(panic),
                    }
                })
            })
            .collect();
        let results: Vec<_> = runners.into_iter().map(thread::ScopedJoinHandle::join).collect();
        results
            .into_iter()
            .map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// How often each value occurs, in the order of the values: `[(200, 63), (201, 1)]`.
pub fn tally<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{race, race_prepared, tally};

    #[test]
    fn every_runner_is_prepared_before_the_first_starts_and_results_keep_their_order() {
        let prepared = AtomicUsize::new(0);
        let results = race_prepared(
            16,
            |number| {
                prepared.fetch_add(1, Ordering::SeqCst);
                number * 10
            },
            |number, tenfold| (number, tenfold, prepared.load(Ordering::SeqCst)),
        );
        assert_eq!(
            results,
            (0..16)
                .map(|number| (number, number * 10, 16))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_panic_in_the_preparation_ends_the_race_instead_of_hanging_it() {
        let raced = std::panic::catch_unwind(|| race_prepared(4, |n| assert_ne!(n, 2), |n, ()| n));
        assert!(raced.is_err());
        assert_eq!(tally(race(3, |number| number % 2)), [(0, 2), (1, 1)]);
    }
}
