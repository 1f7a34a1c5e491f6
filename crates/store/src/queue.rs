//! What waits for the SQLite writer, or for PostgreSQL's audit thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::AuditEntry;
use crate::error::StoreError;
use crate::job::Job;

/// So many audit rows are not left waiting.
const AUDIT_ROWS_TO_WAKE: usize = 2_048;

/// Jobs and audit rows in order of arrival.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    audit_limit: usize,
    audit_delay: Duration,
    overload: AtomicBool,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    audit: Vec<AuditEntry>,
    /// An empty list with room, for the rows that come next: no list has to grow while the lock is held.
    spare: Vec<AuditEntry>,
    /// When the oldest waiting audit row came.
    audit_since: Option<Instant>,
    closing: bool,
    closed: bool,
}

/// What the writer takes.
pub(crate) struct Taken {
    pub(crate) jobs: Vec<Box<dyn Job>>,
    pub(crate) audit: Vec<AuditEntry>,
}

impl Queue {
    pub(crate) fn new(audit_limit: usize, audit_delay: Duration) -> Queue {
        Queue {
            state: Mutex::default(),
            wake: Condvar::new(),
            audit_limit,
            audit_delay,
            overload: AtomicBool::new(false),
        }
    }

    /// More is asked for than can be done.
    pub(crate) fn tell_overload(&self) {
        self.overload.store(true, Ordering::Relaxed);
    }

    /// Whether that was told since this was asked last.
    pub(crate) fn was_overload(&self) -> bool {
        self.overload.swap(false, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave a list half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and audit rows that wait, and how many rows may.
    pub(crate) fn lengths(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.jobs.len(), state.audit.len(), self.audit_limit)
    }

    /// Adds a write; it comes back when the store is closing.
    pub(crate) fn push(&self, job: Box<dyn Job>) -> Result<(), Box<dyn Job>> {
        let mut state = self.lock();
        if state.closing {
            return Err(job);
        }
        state.jobs.push_back(job);
        if state.jobs.len() == 1 {
            self.wake.notify_all();
        }
        Ok(())
    }

    /// Adds an audit row.
    pub(crate) fn push_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.closing {
            return Err(StoreError::Unavailable("the store is closing".to_owned()));
        }
        if state.audit.len() >= self.audit_limit {
            return Err(StoreError::Unavailable(
                "the audit trail cannot be written fast enough".to_owned(),
            ));
        }
        state.audit.push(entry);
        if state.audit_since.is_none() {
            state.audit_since = Some(Instant::now());
            self.wake.notify_all();
        }
        if state.audit.len() == AUDIT_ROWS_TO_WAKE {
            self.wake.notify_all();
        }
        Ok(())
    }

    /// Puts audit rows back that could not be written.
    pub(crate) fn return_audit(&self, mut entries: Vec<AuditEntry>) {
        let mut state = self.lock();
        entries.append(&mut state.audit);
        state.audit = entries;
        state.audit_since = Some(Instant::now());
    }

    /// Takes a list of audit rows that were written back, for its room.
    pub(crate) fn give_back(&self, mut written: Vec<AuditEntry>) {
        written.clear();
        if written.capacity() <= 2 * AUDIT_ROWS_TO_WAKE {
            self.lock().spare = written;
        }
    }

    /// Waits for something to do. `None`: the store is closed and nothing is left.
    pub(crate) fn take(&self, limit: usize) -> Option<Taken> {
        let mut state = self.lock();
        loop {
            let overdue = state
                .audit_since
                .is_some_and(|since| since.elapsed() >= self.audit_delay);
            let audit_due = overdue || state.audit.len() >= AUDIT_ROWS_TO_WAKE;
            let due = !state.jobs.is_empty() || (!state.audit.is_empty() && (audit_due || state.closing));
            if due {
                let count = state.jobs.len().min(limit);
                state.audit_since = None;
                let spare = std::mem::take(&mut state.spare);
                return Some(Taken {
                    jobs: state.jobs.drain(..count).collect(),
                    audit: std::mem::replace(&mut state.audit, spare),
                });
            }
            if state.closing {
                return None;
            }
            state = match state.audit_since {
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(since) => {
                    let rest = self.audit_delay.saturating_sub(since.elapsed());
                    self.wake
                        .wait_timeout(state, rest)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    /// Adds what has come since to a group, up to `limit`.
    pub(crate) fn take_late(&self, jobs: &mut Vec<Box<dyn Job>>, limit: usize) {
        let mut state = self.lock();
        let count = state.jobs.len().min(limit.saturating_sub(jobs.len()));
        jobs.extend(state.jobs.drain(..count));
    }

    /// Nothing is accepted from here on; what is there is still done.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_all();
    }

    /// Whether the queue has been closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// The thread that takes has ended.
    pub(crate) fn set_closed(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Waits for [`Queue::set_closed`].
    pub(crate) fn wait_closed(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        while !state.closed {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return false;
            }
            state = self
                .wake
                .wait_timeout(state, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}
