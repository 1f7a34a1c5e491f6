//! How much of the file readers map into memory, and the connections that do.
//!
//! SQLite maps the file anew on each connection whenever it finds it longer, and every page is faulted in again. The
//! audit trail makes it longer all the time. So the limit of the mapping follows the file in steps: what was added since
//! the last step is read into the page cache instead.

use std::sync::atomic::{AtomicU64, Ordering};

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection as _;

use super::open;
use crate::error::{StoreError, classify};
use crate::options::Options;
use crate::sql::Dialect;

/// A step is this part of what is mapped…
const STEP_DIVISOR: u64 = 8;
/// …and at least so many bytes.
const SHORTEST_STEP: u64 = 4 * 1024 * 1024;

/// The limit that holds for all readers of a file.
pub(super) struct Map {
    path: String,
    /// The operator's limit, bytes.
    most: u64,
    /// Bytes of the file that are mapped at most.
    limit: AtomicU64,
}

impl Map {
    /// Of a file as it is now.
    pub(super) fn new(path: &str, options: &Options) -> Map {
        let mebibytes = u64::try_from(options.map_mebibytes).unwrap_or(u64::MAX);
        let map = Map {
            path: path.to_owned(),
            most: mebibytes.saturating_mul(1024 * 1024),
            limit: AtomicU64::new(0),
        };
        map.look();
        map
    }

    /// Looks how long the file is: after a checkpoint, the only thing that makes it longer.
    pub(super) fn look(&self) {
        // Without an answer what is mapped stays mapped.
        let Ok(file) = std::fs::metadata(&self.path) else {
            return;
        };
        let limit = self.limit.load(Ordering::Relaxed);
        if let Some(next) = step(limit, file.len(), self.most) {
            self.limit.store(next, Ordering::Relaxed);
        }
    }
}

/// The next limit, when the file has grown by a step.
fn step(limit: u64, length: u64, most: u64) -> Option<u64> {
    let next = length.min(most);
    let least = limit.saturating_add((limit / STEP_DIVISOR).max(SHORTEST_STEP));
    (next >= least.min(most) && next > limit).then_some(next)
}

/// A connection that reads.
pub(super) struct Reader {
    connection: SqliteConnection,
    /// The limit that it has.
    limit: u64,
}

impl Reader {
    /// Opens one.
    pub(super) fn open(path: &str, options: &Options) -> Result<Reader, StoreError> {
        Ok(Reader {
            connection: open::reader(path, options)?,
            limit: 0,
        })
    }

    /// The connection, between two reads: with the limit in force.
    pub(super) fn connection(&mut self, map: &Map) -> Result<&mut SqliteConnection, StoreError> {
        let limit = map.limit.load(Ordering::Relaxed);
        if self.limit != limit {
            self.connection
                .batch_execute(&format!("PRAGMA mmap_size = {limit}"))
                .map_err(|error| classify(Dialect::Sqlite, "mapping the database file", &error).error)?;
            self.limit = limit;
        }
        Ok(&mut self.connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn the_limit_follows_the_file_in_steps() {
        assert_eq!(step(0, 0, 1024 * MIB), None);
        assert_eq!(step(0, 4 * MIB - 1, 1024 * MIB), None);
        assert_eq!(step(0, 4 * MIB, 1024 * MIB), Some(4 * MIB));
        assert_eq!(step(4 * MIB, 7 * MIB, 1024 * MIB), None);
        assert_eq!(step(80 * MIB, 89 * MIB, 1024 * MIB), None);
        assert_eq!(step(80 * MIB, 90 * MIB, 1024 * MIB), Some(90 * MIB));
    }

    #[test]
    fn the_limit_is_never_above_that_of_the_operator() {
        assert_eq!(step(1000 * MIB, 5000 * MIB, 1024 * MIB), Some(1024 * MIB));
        assert_eq!(step(1024 * MIB, 5000 * MIB, 1024 * MIB), None);
        assert_eq!(step(0, 5000 * MIB, 0), None);
        assert_eq!(step(0, 5000 * MIB, MIB), Some(MIB));
    }

    #[test]
    fn a_shorter_file_stays_mapped_as_far_as_it_was() {
        assert_eq!(step(80 * MIB, 10 * MIB, 1024 * MIB), None);
    }
}
