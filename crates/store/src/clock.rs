//! Where the time comes from: passed in, so that a test can turn it.

use std::time::{SystemTime, UNIX_EPOCH};

use fhir::Timestamp;

/// A clock.
pub trait Clock: Send + Sync {
    /// The time now. May jump: the store keeps its own times from falling.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_micros()).ok())
            .unwrap_or_default();
        Timestamp::from_micros(micros)
    }
}
