//! The thread that seals.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::head::{self, Head};
use super::key::Signer;
use super::plan::{Chains, LOCK, Sealing, apply};
use super::retain;
use crate::api::{LockSet, SpaceKey};
use crate::error::StoreError;
use crate::store::Store;

/// Between two rounds. The promise is one second from the row to its seal.
const INTERVAL: Duration = Duration::from_millis(600);
/// Between two looks for what is older than the retention allows.
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);
/// How long [`Sealer::stop`] waits for a round that is under way.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);
/// How long [`Sealer::finish`] waits for the last round after that.
const LAST_ROUND_TIMEOUT: Duration = Duration::from_secs(1);
/// How long [`Sealer::finish`] takes at most.
pub const FINISH_TIMEOUT: Duration = STOP_TIMEOUT.saturating_add(LAST_ROUND_TIMEOUT);

/// How a trail is sealed.
#[derive(Default)]
pub struct SealerOptions {
    /// Signs heads; without it they are not signed.
    pub signer: Option<Signer>,
    /// The file outside the database to which heads are appended.
    pub heads: Option<PathBuf>,
    /// How long rows are kept at least; `None`: for ever.
    pub retention: Option<Duration>,
}

/// Seals in the background until it is stopped or dropped.
pub struct Sealer {
    work: Arc<Work>,
    /// Hears nothing until the thread is over, and then that nobody is there any more.
    thread: Option<Receiver<()>>,
}

struct Work {
    store: Store,
    options: SealerOptions,
    chains: Mutex<Chains>,
    stopped: Mutex<bool>,
    wake: Condvar,
}

impl Sealer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(store: Store, options: SealerOptions) -> Result<Sealer, StoreError> {
        let work = Arc::new(Work {
            store,
            options,
            chains: Mutex::default(),
            stopped: Mutex::new(false),
            wake: Condvar::new(),
        });
        let own = Arc::clone(&work);
        let failed = |error: std::io::Error| StoreError::Unavailable(format!("starting the sealer: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(failed)?;
        let (alive, thread) = channel();
        std::thread::Builder::new()
            .name("store-sealer".to_owned())
            .spawn(move || {
                own.run(&runtime);
                // Not dropped: that would wait for reads that hang in a database which answers nobody.
                runtime.shutdown_background();
                drop(alive);
            })
            .map_err(failed)?;
        Ok(Sealer {
            work,
            thread: Some(thread),
        })
    }

    /// Ends the thread. A round that is under way is waited for, half a second at most: a database that answers nobody
    /// must not hold up the end. Whether the thread is over.
    pub fn stop(&mut self) -> bool {
        *self.work.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.work.wake.notify_all();
        self.thread
            .take()
            .is_none_or(|thread| thread.recv_timeout(STOP_TIMEOUT) == Err(RecvTimeoutError::Disconnected))
    }

    /// Seals what is left, once the store is closed and nothing more can come. Blocks, for [`FINISH_TIMEOUT`] at most.
    ///
    /// # Errors
    /// What the store says; what is left is sealed at the next start.
    pub fn finish(mut self) -> Result<(), StoreError> {
        if !self.stop() {
            return Err(StoreError::Unavailable(
                "the last round is not over yet".to_owned(),
            ));
        }
        let (tell, told) = channel();
        let work = Arc::clone(&self.work);
        std::thread::Builder::new()
            .name("store-sealer".to_owned())
            .spawn(move || {
                // Who waited may be gone.
                let _ = tell.send(work.last_round());
            })
            .map_err(|error| StoreError::Unavailable(format!("starting the last round: {error}")))?;
        told.recv_timeout(LAST_ROUND_TIMEOUT)
            .unwrap_or_else(|_| Err(StoreError::Unavailable("no answer within a second".to_owned())))
    }

    /// Seals what there is now, once. For tests and commands without a server.
    ///
    /// # Errors
    /// What the store says.
    pub fn seal_now(store: &Store, options: SealerOptions) -> Result<(), StoreError> {
        let work = Work {
            store: store.clone(),
            options,
            chains: Mutex::default(),
            stopped: Mutex::new(true),
            wake: Condvar::new(),
        };
        work.last_round()
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Work {
    fn run(&self, runtime: &tokio::runtime::Runtime) {
        let mut retained: Option<Instant> = None;
        let mut failing = false;
        while !self.wait() {
            match runtime.block_on(self.round()) {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("the audit trail is sealed again");
                }
                Ok(()) => {}
                // Once, and not with every round for as long as the database is away.
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the audit trail could not be sealed; trying again");
                }
                Err(_) => {}
            }
            let due = retained.is_none_or(|last| last.elapsed() >= RETENTION_INTERVAL);
            if let (Some(kept), true) = (self.options.retention, due) {
                retained = Some(Instant::now());
                match runtime.block_on(self.retain(kept)) {
                    // It removes so many blocks in one go: there may be more.
                    Ok(true) => retained = None,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(%error, "old rows of the audit trail could not be removed");
                    }
                }
            }
        }
    }

    /// Waits for the next round; `true`: there is none.
    fn wait(&self) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .wake
            .wait_timeout_while(stopped, INTERVAL, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn chains(&self) -> std::sync::MutexGuard<'_, Chains> {
        // What a panic leaves behind is compared with the database before it is used.
        self.chains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn round(self: &Work) -> Result<(), StoreError> {
        loop {
            let mut more = false;
            let chains = std::mem::take(&mut *self.chains());
            let signer = self.options.signer.clone();
            let (chains, planned) = self
                .store
                .read_all(move |tx| {
                    let mut chains = chains;
                    let planned = chains.plan(tx, signer.as_ref());
                    planned.map(|planned| (chains, planned))
                })
                .await?;
            *self.chains() = chains;
            for sealing in planned {
                let sealing = Arc::new(sealing);
                let own = Arc::clone(&sealing);
                let Some(space) = sealing.space() else { continue };
                let written = self
                    .store
                    .write_in(SpaceKey(space), LockSet::default(), move |tx| apply(tx, &own))
                    .await?;
                if written {
                    self.append(&sealing.heads());
                    more |= sealing.more;
                    self.chains().done(&sealing);
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn last_round(&self) -> Result<(), StoreError> {
        let mut more = true;
        while more {
            more = false;
            let mut heads = Vec::new();
            self.store.transact_blocking(|tx| {
                let mut planned = self.chains().plan(tx, self.options.signer.as_ref())?;
                // In one order: two that stop at once would otherwise wait for each other.
                planned.sort_by_key(Sealing::space);
                for sealing in planned {
                    if apply(tx, &sealing)? {
                        heads.extend(sealing.heads());
                        more |= sealing.more;
                        self.chains().done(&sealing);
                    } else {
                        // Another sealer was faster: what it left is looked at again.
                        more = true;
                    }
                }
                Ok(())
            })?;
            self.append(&heads);
        }
        Ok(())
    }

    /// Removes what is older, in each space up to a limit; whether there was anything.
    async fn retain(&self, kept: Duration) -> Result<bool, StoreError> {
        let mut any = false;
        let micros = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
        let before = self.store.now().micros().saturating_sub(micros);
        for space in self.store.read_all(retain::spaces).await? {
            let signer = self.options.signer.clone();
            let locks = LockSet {
                values: vec![LOCK.to_owned()],
                ..LockSet::default()
            };
            let removed = self
                .store
                .write_in(SpaceKey(space), locks, move |tx| {
                    retain::cut(tx, space, before, signer.as_ref())
                })
                .await;
            match removed {
                Ok(0) => {}
                Ok(removed) => {
                    any = true;
                    tracing::info!(space, rows = removed, "old rows of the audit trail were removed");
                }
                // One whose seals are damaged holds up no other.
                Err(error @ StoreError::Internal(_)) => {
                    tracing::error!(%error, space, "old rows of the audit trail of this space could not be removed");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(any)
    }

    /// Nothing waits for the file: the seal is in the database, and the next head covers this one.
    fn append(&self, heads: &[Head]) {
        let Some(path) = self.options.heads.as_ref().filter(|_| !heads.is_empty()) else {
            return;
        };
        if let Err(error) = head::append(path, heads) {
            tracing::error!(%error, path = %path.display(), "a head of the audit trail could not be kept outside the database");
        }
    }
}
