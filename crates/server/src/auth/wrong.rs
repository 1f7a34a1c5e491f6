//! Wrong credentials, counted by the address that they come from: who guesses is slowed down.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Wrong credentials that one address may send within [`WRONG_WINDOW`] before it is answered 429.
pub const WRONG_LIMIT: u32 = 100;
/// The window of [`WRONG_LIMIT`], in seconds.
pub const WRONG_WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at most; past that the oldest windows are dropped.
const ADDRESSES_REMEMBERED: usize = 10_000;
/// Of an IPv6 address, the bits that its holder does not choose: whoever has one has the 2⁶⁴ beside it.
const NETWORK_BITS: u32 = 64;

/// How many came from where.
#[derive(Default)]
pub struct WrongCredentials {
    counts: Mutex<HashMap<IpAddr, Count>>,
}

/// Those of one address.
struct Count {
    since: Instant,
    count: u32,
}

impl WrongCredentials {
    /// Whether the next one would be one too many.
    pub fn is_over(&self, peer: IpAddr, now: Instant) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = counts.get(&counted(peer));
        entry.is_some_and(|entry| {
            entry.count >= WRONG_LIMIT && now.saturating_duration_since(entry.since) < WRONG_WINDOW
        })
    }

    /// Counts one. How long to wait when it is one too many.
    pub fn count(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= ADDRESSES_REMEMBERED {
            counts.retain(|_, entry| now.duration_since(entry.since) < WRONG_WINDOW);
        }
        if counts.len() >= ADDRESSES_REMEMBERED {
            counts.clear();
        }
        let fresh = || Count { since: now, count: 0 };
        let entry = counts.entry(counted(peer)).or_insert_with(fresh);
        if now.duration_since(entry.since) >= WRONG_WINDOW {
            *entry = fresh();
        }
        entry.count = entry.count.saturating_add(1);
        if entry.count <= WRONG_LIMIT {
            return None;
        }
        let wait = WRONG_WINDOW.saturating_sub(now.duration_since(entry.since));
        Some(Duration::from_secs(wait.as_secs().max(1)))
    }
}

/// What is counted together: an IPv4 address, an IPv6 network of 64 bits.
fn counted(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(NETWORK_BITS).unwrap_or_default();
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !host))
        }
    }
}
