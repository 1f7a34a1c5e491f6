//! Copies the write-ahead log into the file, beside the writer: a checkpoint costs flushes and random
//! writes, and the writer's clients should not wait for them.
//!
//! A passive checkpoint never reaches the end of a log that is being written, so the log would grow without
//! end under steady load. When it has grown long the writer itself copies the small rest between two
//! groups; the next group then starts the log anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection as _;
use diesel::result::QueryResult;

use super::open;
use crate::error::StoreError;
use crate::options::Options;
use crate::sql::Sql as _;
use crate::statement::Statement;
use crate::transaction::Context;

/// Pages that one passive checkpoint should find.
const PAGES_PER_PASS: i64 = 4_096;
/// Pages in the log from which the writer starts it anew: 24 MiB of pages. Until the last pass has ended it
/// grows as long again, and 64 MiB are promised.
const PAGES_TO_RESTART: i64 = 6_144;
/// The writer, whose clients wait, is left with less than about so many pages to copy.
const PAGES_FOR_THE_WRITER: i64 = 512;
/// How long the writer waits for readers of the log.
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// Passes at most to get there.
const CLOSING_PASSES: usize = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(1_000);

/// How long a checkpoint that is under way may delay the end.
const LONGEST_END: Duration = Duration::from_secs(1);

/// What the writer and the checkpoint thread tell each other.
pub(super) struct Checkpoints {
    state: Mutex<State>,
    wake: Condvar,
    restart: AtomicBool,
    /// The log still holds who was erased: a reader kept it from being emptied.
    owed: AtomicBool,
    context: Arc<Context>,
}

struct State {
    dirty: bool,
    stopping: bool,
    ended: bool,
}

/// Starts the thread.
pub(super) fn start(
    path: &str,
    options: &Options,
    context: Arc<Context>,
) -> Result<Arc<Checkpoints>, StoreError> {
    // A server that was killed may have left a log in which somebody stands who was erased.
    let left = std::fs::metadata(format!("{path}-wal")).is_ok_and(|log| log.len() > 0);
    let connection = open::checkpointer(path, options)?;
    let state = State {
        dirty: left,
        stopping: false,
        ended: false,
    };
    let checkpoints = Arc::new(Checkpoints {
        state: Mutex::new(state),
        wake: Condvar::new(),
        restart: AtomicBool::new(false),
        owed: AtomicBool::new(left),
        context,
    });
    let shared = Arc::clone(&checkpoints);
    std::thread::Builder::new()
        .name("store-checkpoint".to_owned())
        .spawn(move || {
            shared.run(connection);
            shared.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            shared.wake.notify_all();
        })
        .map_err(|error| StoreError::Unavailable(format!("starting the checkpoint thread: {error}")))?;
    Ok(checkpoints)
}

impl Checkpoints {
    /// A group was committed. True: the log is long, [`Checkpoints::finish`] it.
    pub(super) fn committed(&self, writes: usize) -> bool {
        if writes > 0 {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.dirty {
                state.dirty = true;
                self.wake.notify_all();
            }
        }
        self.restart.load(Ordering::Relaxed)
    }

    /// Copies the rest of the log, from the writer: nothing is appended meanwhile. RESTART, because a reader
    /// that still reads the log keeps the next group from starting it anew, and under load there is always
    /// one. Readers take microseconds; a slow one is not waited for, the log is then asked for again.
    pub(super) fn finish(&self, connection: &mut SqliteConnection, busy_timeout: Duration) {
        self.restart.store(false, Ordering::Relaxed);
        let done = wait_at_most(connection, LONGEST_WAIT)
            .and_then(|()| self.checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)"))
            .and_then(|_| wait_at_most(connection, busy_timeout));
        if let Err(error) = done {
            tracing::warn!(%error, "a checkpoint failed");
        }
    }

    /// Empties the log, before an erasure is answered: its older pages still hold who was erased. Readers take
    /// microseconds; should one be slower than the time limit (a backup is), the thread empties the log once it ends.
    pub(super) fn scrub(&self, connection: &mut SqliteConnection, busy_timeout: Duration) {
        match empty(connection) {
            Ok(true) => self.owed.store(false, Ordering::Relaxed),
            Ok(false) => self.owe(),
            Err(error) => {
                tracing::warn!(%error, limit = ?busy_timeout, "the log could not be emptied after an erasure");
                self.owe();
            }
        }
    }

    fn owe(&self) {
        self.owed.store(true, Ordering::Relaxed);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).dirty = true;
        self.wake.notify_all();
    }

    /// Empties a log that [`Checkpoints::scrub`] had to leave. Waits for no reader: the writer would wait too. True:
    /// nothing is owed.
    fn pay(&self, connection: &mut SqliteConnection) -> bool {
        if !self.owed.load(Ordering::Relaxed) {
            return true;
        }
        let emptied = wait_at_most(connection, LONGEST_WAIT).and_then(|()| empty(connection));
        let paid = matches!(emptied, Ok(true));
        if paid {
            self.owed.store(false, Ordering::Relaxed);
        }
        paid
    }

    /// Ends the thread, and waits a while for its connection to be closed: the last that closes takes the log away.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stopping = true;
        self.wake.notify_all();
        drop(
            self.wake
                .wait_timeout_while(state, LONGEST_END, |state| !state.ended),
        );
    }

    fn run(&self, mut connection: SqliteConnection) {
        let mut pause = LONGEST_PAUSE;
        let mut before = 0;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.stopping {
                return;
            }
            if !state.dirty {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state = self
                .wake
                .wait_timeout_while(state, pause, |state| !state.stopping)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            state.dirty = false;
            drop(state);
            match self.pass(&mut connection) {
                Ok(pages) => {
                    // A shorter log than last time was started anew.
                    let grown = if pages >= before { pages - before } else { pages };
                    pause = next_pause(pause, grown);
                    before = pages;
                    if pages > PAGES_TO_RESTART {
                        before = self.close_in(&mut connection, pages);
                        self.restart.store(true, Ordering::Relaxed);
                    }
                }
                Err(error) => tracing::warn!(%error, "a checkpoint failed"),
            }
            let paid = self.pay(&mut connection);
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.dirty |= !paid;
        }
    }

    /// Copies what of the log can be copied; how many pages it has.
    fn pass(&self, connection: &mut SqliteConnection) -> QueryResult<i64> {
        self.checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")
    }

    fn checkpoint(&self, connection: &mut SqliteConnection, how: &'static str) -> QueryResult<i64> {
        let started = Instant::now();
        let rows = connection.checkpoints(&Statement::new(how))?;
        self.context.meters.checkpoint.record_duration(started.elapsed());
        Ok(rows.first().map_or(0, |(_, pages, _)| *pages))
    }

    /// Each pass takes less time than the one before, so that the log grows by less meanwhile.
    fn close_in(&self, connection: &mut SqliteConnection, mut pages: i64) -> i64 {
        for _ in 0..CLOSING_PASSES {
            let before = pages;
            pages = match self.pass(connection) {
                Ok(pages) => pages,
                Err(_) => break,
            };
            if pages - before < PAGES_FOR_THE_WRITER {
                break;
            }
        }
        pages
    }
}

fn wait_at_most(connection: &mut SqliteConnection, limit: Duration) -> QueryResult<()> {
    connection.batch_execute(&format!("PRAGMA busy_timeout = {}", limit.as_millis()))
}

/// So long that the next pass finds about [`PAGES_PER_PASS`].
fn next_pause(pause: Duration, grown: i64) -> Duration {
    let factor = PAGES_PER_PASS as f64 / grown.max(1) as f64;
    pause
        .mul_f64(factor.clamp(0.1, 4.0))
        .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// Copies all of the log and cuts it to nothing; false when a reader or writer is in the way.
fn empty(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let rows = connection.checkpoints(&Statement::new("PRAGMA wal_checkpoint(TRUNCATE)"))?;
    Ok(rows.first().is_some_and(|(busy, _, _)| *busy == 0))
}
