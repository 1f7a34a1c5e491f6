//! Copies the write-ahead log into the file, beside the writer: a checkpoint costs flushes and random
//! writes, and the writer's clients should not wait for them.
//!
//! A passive checkpoint never reaches the end of a log that is being written, so the log would grow without
//! end under steady load. When it has grown long the writer itself copies the small rest between two
//! groups; the next group then starts the log anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use diesel::SqliteConnection;

use super::open;
use crate::error::StoreError;
use crate::options::Options;
use crate::sql::Sql as _;
use crate::statement::Statement;

/// Pages that one passive checkpoint should find.
const PAGES_PER_PASS: i64 = 4_096;
/// Pages in the log from which the writer starts it anew: 32 MiB of pages, half the promise.
const PAGES_TO_RESTART: i64 = 8_192;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(1_000);

/// What the writer and the checkpoint thread tell each other.
pub(super) struct Checkpoints {
    state: Mutex<State>,
    wake: Condvar,
    restart: AtomicBool,
}

#[derive(Default)]
struct State {
    dirty: bool,
    stopping: bool,
}

/// Starts the thread.
pub(super) fn start(path: &str, options: &Options) -> Result<Arc<Checkpoints>, StoreError> {
    let connection = open::checkpointer(path, options)?;
    let checkpoints = Arc::new(Checkpoints {
        state: Mutex::default(),
        wake: Condvar::new(),
        restart: AtomicBool::new(false),
    });
    let shared = Arc::clone(&checkpoints);
    std::thread::Builder::new()
        .name("store-checkpoint".to_owned())
        .spawn(move || shared.run(connection))
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

    /// Copies the rest of the log, from the writer: nothing is appended meanwhile.
    pub(super) fn finish(&self, connection: &mut SqliteConnection) {
        self.restart.store(false, Ordering::Relaxed);
        // Busy: the other thread is at it, or a reader still reads the log. It will be asked for again.
        if let Err(error) = connection.checkpoints(&Statement::new("PRAGMA wal_checkpoint(PASSIVE)")) {
            tracing::warn!(%error, "a checkpoint failed");
        }
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.wake.notify_all();
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
            match connection.checkpoints(&Statement::new("PRAGMA wal_checkpoint(PASSIVE)")) {
                Ok(rows) => {
                    let pages = rows.first().map_or(0, |(_, pages, _)| *pages);
                    self.restart.store(pages > PAGES_TO_RESTART, Ordering::Relaxed);
                    // A shorter log than last time was started anew.
                    let grown = if pages >= before { pages - before } else { pages };
                    before = pages;
                    pause = next_pause(pause, grown);
                }
                Err(error) => tracing::warn!(%error, "a checkpoint failed"),
            }
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// So long that the next pass finds about [`PAGES_PER_PASS`].
fn next_pause(pause: Duration, grown: i64) -> Duration {
    let factor = PAGES_PER_PASS as f64 / grown.max(1) as f64;
    pause
        .mul_f64(factor.clamp(0.1, 4.0))
        .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}
