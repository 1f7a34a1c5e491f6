//! Connections that wait to be used, at most so many.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StoreError;

/// So many connections may hang before no new one is tried: each holds a thread.
const MOST_FORSAKEN: usize = 64;

/// A pool. A connection that failed is not put back, so the pool heals by itself.
pub(crate) struct Pool<C> {
    state: Mutex<State<C>>,
    free: Condvar,
    limit: usize,
}

struct State<C> {
    idle: Vec<C>,
    /// Idle and lent, without the forsaken.
    open: usize,
    /// Counts [`Pool::forsake`].
    era: u64,
    /// Lent in an earlier era and not yet back.
    forsaken: usize,
}

impl<C> Pool<C> {
    pub(crate) fn new(limit: usize) -> Pool<C> {
        Pool {
            state: Mutex::new(State {
                idle: Vec::with_capacity(limit),
                open: 0,
                era: 0,
                forsaken: 0,
            }),
            free: Condvar::new(),
            limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection: an idle one, a new one, or the next that comes back within `patience`.
    pub(crate) fn take(
        &self,
        patience: Duration,
        connect: impl FnOnce() -> Result<C, StoreError>,
    ) -> Result<Lease<'_, C>, StoreError> {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            // The last one used is the warmest.
            if let Some(connection) = state.idle.pop() {
                return Ok(Lease {
                    pool: self,
                    era: state.era,
                    connection: Some(connection),
                });
            }
            if state.forsaken >= MOST_FORSAKEN {
                return Err(StoreError::Unavailable("too many connections hang".to_owned()));
            }
            if state.open < self.limit {
                state.open += 1;
                let era = state.era;
                drop(state);
                // Counts the place back down when connecting fails or panics.
                let mut lease = Lease {
                    pool: self,
                    era,
                    connection: None,
                };
                lease.connection = Some(connect()?);
                return Ok(lease);
            }
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Err(StoreError::Unavailable("no connection is free".to_owned()));
            }
            state = self
                .free
                .wait_timeout(state, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Gives up on every connection: none of them gets an answer. New ones may be made, and those that are
    /// lent are dropped when they come back.
    pub(crate) fn forsake(&self) {
        let mut state = self.lock();
        let lent = state.open - state.idle.len();
        if lent == 0 {
            return;
        }
        state.forsaken += lent;
        state.open = 0;
        state.era += 1;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
        self.free.notify_all();
    }

    /// Drops the idle connections.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.open -= state.idle.len();
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
        self.free.notify_all();
    }
}

/// A connection in use. Comes back to the pool unless it is discarded or a panic passes by.
pub(crate) struct Lease<'p, C> {
    pool: &'p Pool<C>,
    era: u64,
    connection: Option<C>,
}

impl<C> Lease<'_, C> {
    pub(crate) fn connection(&mut self) -> Result<&mut C, StoreError> {
        self.connection
            .as_mut()
            .ok_or_else(|| StoreError::Internal("a lease without a connection".to_owned()))
    }

    /// The connection is not to be used again.
    pub(crate) fn discard(&mut self) {
        self.connection = None;
    }
}

impl<C> Drop for Lease<'_, C> {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(|_| !std::thread::panicking());
        let mut state = self.pool.lock();
        match connection {
            _ if self.era != state.era => state.forsaken = state.forsaken.saturating_sub(1),
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.free.notify_one();
    }
}
