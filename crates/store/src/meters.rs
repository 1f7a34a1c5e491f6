//! What a store counts of itself, for who watches it.

use std::time::Instant;

use measure::{Counter, Histogram, Inside, Level};

/// Classes of the time that a flush to disk may take, microseconds.
const DISK_MICROS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];
/// Classes of the number of writes in one commit.
const GROUP_SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// What has been counted since the store was opened.
#[derive(Debug)]
pub struct Meters {
    /// The time of each COMMIT of writes.
    pub commit: Histogram,
    /// The writes in each commit. SQLite alone; PostgreSQL commits each by itself.
    pub group: Histogram,
    /// Commits that failed, and with them all writes of their group.
    pub failed_commits: Counter,
    /// Writes that were run again because another transaction was in the way, or (SQLite) because a write of their
    /// group failed after a change.
    pub reruns: Counter,
    /// The time of each checkpoint of SQLite's log.
    pub checkpoint: Histogram,
    /// Waiting for a connection.
    pub waits: Waits,
}

impl Default for Meters {
    fn default() -> Meters {
        Meters {
            commit: Histogram::of_durations(DISK_MICROS),
            group: Histogram::new(GROUP_SIZES),
            failed_commits: Counter::new(),
            reruns: Counter::new(),
            checkpoint: Histogram::of_durations(DISK_MICROS),
            waits: Waits::default(),
        }
    }
}

/// Those who found no free connection.
#[derive(Debug)]
pub struct Waits {
    /// How many wait.
    pub waiting: Level,
    /// How long those waited who wait no more, with a connection or without.
    pub took: Histogram,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits {
            waiting: Level::default(),
            took: Histogram::of_durations(DISK_MICROS),
        }
    }
}

impl Waits {
    /// Somebody begins to wait, and ends when this is dropped.
    pub(crate) fn begin(&self) -> Waiting<'_> {
        Waiting {
            waits: self,
            since: Instant::now(),
            _inside: self.waiting.enter(),
        }
    }
}

pub(crate) struct Waiting<'w> {
    waits: &'w Waits,
    since: Instant,
    _inside: Inside<'w>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waits.took.record_duration(self.since.elapsed());
    }
}

/// How things stand just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// Connections in use.
    pub connections_in_use: u64,
    /// Connections that there may be.
    pub connections_limit: u64,
    /// Writes in the queue of SQLite's writer.
    pub queued_writes: u64,
    /// Audit rows that are not written yet.
    pub audit_rows: u64,
    /// How many of those there may be before requests are refused.
    pub audit_limit: u64,
    /// The size of SQLite's file, bytes.
    pub file_bytes: Option<u64>,
    /// The size of SQLite's write-ahead log, bytes.
    pub log_bytes: Option<u64>,
}
