//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};

/// What a server may do without the promise that an answered write survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// An answered write is on disk. PostgreSQL servers with `fsync`, `full_page_writes` or
    /// `synchronous_commit` off are refused.
    Full,
    /// Tests and throw-away data: SQLite does not flush, PostgreSQL's settings are not looked at, and an erasure needs
    /// no ledger.
    Unsafe,
}

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// The clock of all times.
    pub clock: Arc<dyn Clock>,
    /// Connections that may be open for reading (SQLite), for everything (PostgreSQL).
    pub connections: usize,
    /// Page cache of the SQLite writer, mebibytes. Readers have 2 each.
    pub cache_mebibytes: usize,
    /// How large a SQLite file may grow, mebibytes; `None`: as large as the disk. A write beyond is
    /// [`crate::StoreError::Full`].
    pub limit_mebibytes: Option<usize>,
    /// How long a SQLite connection waits for a lock of another process.
    pub busy_timeout: Duration,
    /// PostgreSQL's `statement_timeout` and `lock_timeout`.
    pub statement_timeout: Duration,
    /// How long a database that does not answer is waited for: a free connection, a place in the writer's
    /// queue, an answer while no other request gets one either.
    pub patience: Duration,
    /// Writes that may wait for the SQLite writer.
    pub queue: usize,
    /// Writes of one SQLite commit at most.
    pub group: usize,
    /// Audit rows that may wait for the next commit.
    pub audit_queue: usize,
    /// How long an audit row without a change may wait.
    pub audit_delay: Duration,
    /// Whether an answered write is on disk.
    pub durability: Durability,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            clock: Arc::new(SystemClock),
            connections: 16,
            cache_mebibytes: 32,
            limit_mebibytes: None,
            busy_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(10),
            patience: Duration::from_millis(1_700),
            queue: 1_024,
            group: 256,
            audit_queue: 16_384,
            audit_delay: Duration::from_millis(500),
            durability: Durability::Full,
        }
    }
}
