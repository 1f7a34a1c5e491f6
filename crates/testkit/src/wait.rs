//! Waiting for a condition instead of sleeping.

use std::time::{Duration, Instant};

/// How long one poll pauses before it looks again.
const POLL_PAUSE: Duration = Duration::from_millis(4);

/// Polls `condition` until it yields a value, for at most `limit`.
///
/// # Panics
/// When the limit passes first; the message says `what` was waited for.
pub fn wait_for<T>(limit: Duration, what: &str, condition: impl FnMut() -> Option<T>) -> T {
    match poll(limit, condition) {
        Some(found) => found,
        None => panic!("waited {limit:?} for {what}, in vain"),
    }
}

/// Polls `condition` until it yields a value; `None` when `limit` passes first.
pub fn poll<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        if start.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(POLL_PAUSE);
    }
}
