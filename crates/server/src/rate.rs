//! How often a client may ask at a door (`access.md` 2): a token bucket for each client and door, in the
//! memory of this process.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::Door;

#[cfg(test)]
mod tests;

/// What a client may ask at a partner door unless its own allowance says otherwise: 100 requests in a second,
/// 200 at once.
pub const PARTNER_RATE: Rate = Rate {
    per_second: 100,
    burst: 200,
};
/// The most that either number of an allowance can be.
pub const MAX_REQUESTS: u32 = 1_000_000;
/// Buckets remembered at most. Full ones are forgotten first: a new one is full as well.
const BUCKETS_REMEMBERED: usize = 10_000;
const SECOND_NANOS: u64 = 1_000_000_000;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// The time in which the bucket gains a request.
    fn interval(self) -> Duration {
        Duration::from_nanos(SECOND_NANOS / u64::from(self.per_second.max(1)))
    }

    /// The time in which an empty bucket becomes full.
    fn capacity(self) -> Duration {
        self.interval().saturating_mul(self.burst)
    }
}

/// What the operator allows a client, at every door of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// As many requests as it likes.
    Unlimited,
    /// So many.
    Limited(Rate),
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Allowance, String> {
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = is_number.then(|| digits.parse::<u32>().ok()).flatten()?;
            (1..=MAX_REQUESTS).contains(&number).then_some(number)
        };
        let limited = || {
            let (per_second, burst) = text.split_once('/')?;
            Some(Allowance::Limited(Rate {
                per_second: number(per_second)?,
                burst: number(burst)?,
            }))
        };
        match text {
            "none" => Ok(Allowance::Unlimited),
            _ => limited().ok_or_else(|| {
                format!(
                    "write requests per second and at once, such as 50/100, each from 1 to {MAX_REQUESTS}, or none"
                )
            }),
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowance::Unlimited => f.write_str("none"),
            Allowance::Limited(rate) => write!(f, "{}/{}", rate.per_second, rate.burst),
        }
    }
}

/// What holds at a door for a client with this allowance, if it has one; `None`: no limit.
pub fn rate_at(door: Door, own: Option<Allowance>) -> Option<Rate> {
    match (own, door) {
        (Some(Allowance::Limited(rate)), _) => Some(rate),
        (Some(Allowance::Unlimited), _) | (None, Door::Fhir) => None,
        (None, Door::MedicappCloud | Door::MedicappConnect | Door::PatientGraph | Door::Ehealth) => {
            Some(PARTNER_RATE)
        }
    }
}

/// The buckets of all clients.
#[derive(Default)]
pub struct Limiter {
    /// When each will be full: all that there is to know of a bucket.
    full_at: Mutex<HashMap<(Door, String), Instant>>,
}

impl Limiter {
    /// Takes one request out of a client's bucket.
    ///
    /// # Errors
    /// How long it takes, never nothing, until the bucket holds one. A refused request takes none.
    pub fn take(&self, door: Door, client: &str, rate: Rate, now: Instant) -> Result<(), Duration> {
        let key = (door, client.to_owned());
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_REMEMBERED && !buckets.contains_key(&key) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= BUCKETS_REMEMBERED {
                buckets.clear();
            }
        }
        let empty = now + rate.capacity();
        let full_at = buckets.entry(key).or_insert(now);
        // No further than an empty bucket's: the operator may have changed the rate meanwhile.
        let taken = (*full_at).clamp(now, empty) + rate.interval();
        let wait = taken.saturating_duration_since(empty);
        if !wait.is_zero() {
            return Err(wait);
        }
        *full_at = taken;
        Ok(())
    }
}
