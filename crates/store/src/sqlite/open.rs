//! Connections to the file.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};

use crate::error::{StoreError, classify};
use crate::options::{Durability, Options};
use crate::sql::Dialect;

/// A write-ahead log that was longer is cut to this when it starts anew, bytes.
pub(super) const WAL_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// Should the checkpoint thread ever fail, the writer checkpoints by itself at so many pages.
const WAL_PAGES_WITHOUT_HELP: u32 = 16_000;
/// Page cache of a reader, kibibytes. Most pages come from the cache of the system.
const READER_CACHE_KIBIBYTES: u32 = 2_048;

/// Makes the file when it is missing, readable by nobody else: it will hold persons.
pub(super) fn create(path: &str) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Refused(format!(
            "The database file {path} cannot be made ({error}). Make its folder, and let the server's user write there."
        ))),
    }
}

/// The connection that writes. `secure_delete`: what is overwritten or erased is overwritten in the pages too.
pub(super) fn writer(path: &str, options: &Options) -> Result<SqliteConnection, StoreError> {
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Unsafe => "OFF",
    };
    // 256 pages of 4 KiB make a mebibyte.
    let limit = options
        .limit_mebibytes
        .map(|mebibytes| format!("PRAGMA max_page_count = {};", mebibytes * 256))
        .unwrap_or_default();
    connect(
        path,
        options.busy_timeout,
        &format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA temp_store = MEMORY; \
             PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = {WAL_PAGES_WITHOUT_HELP}; PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}; \
             PRAGMA cache_size = -{}; {limit}",
            options.cache_mebibytes * 1024
        ),
    )
}

/// A connection that reads. It does not map the file: SQLite lets go of a mapping with every commit of another
/// connection, the audit trail commits all the time, and each page would be faulted in anew.
pub(super) fn reader(path: &str, options: &Options) -> Result<SqliteConnection, StoreError> {
    connect(
        path,
        options.busy_timeout,
        &format!(
            "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{READER_CACHE_KIBIBYTES};"
        ),
    )
}

/// The connection of the checkpoint thread.
pub(super) fn checkpointer(path: &str, options: &Options) -> Result<SqliteConnection, StoreError> {
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Unsafe => "OFF",
    };
    connect(
        path,
        options.busy_timeout,
        &format!(
            "PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -256;"
        ),
    )
}

/// Between two attempts to open a file that another process is opening, too.
const OPENING_PAUSE: Duration = Duration::from_millis(5);

/// While another process switches the file to WAL, or closes it as the last, SQLite says "locked" at once, whatever the
/// busy timeout is: waiting would be a deadlock inside the library. A new attempt is none.
fn connect(path: &str, busy_timeout: Duration, pragmas: &str) -> Result<SqliteConnection, StoreError> {
    let give_up = Instant::now() + busy_timeout;
    loop {
        match attempt(path, busy_timeout, pragmas) {
            Err(StoreError::Contention(_)) if Instant::now() < give_up => thread::sleep(OPENING_PAUSE),
            outcome => return outcome,
        }
    }
}

fn attempt(path: &str, busy_timeout: Duration, pragmas: &str) -> Result<SqliteConnection, StoreError> {
    let mut connection = SqliteConnection::establish(path)
        .map_err(|error| StoreError::Unavailable(format!("opening the database file: {error}")))?;
    // First: switching to WAL may have to wait for another process.
    let busy = format!("PRAGMA busy_timeout = {};", busy_timeout.as_millis());
    connection
        .batch_execute(&busy)
        .and_then(|()| connection.batch_execute(pragmas))
        .map_err(|error| classify(Dialect::Sqlite, "opening the database file", &error).error)?;
    Ok(connection)
}
