//! The audit thread: the rows of what changes nothing are written every half second, each once.
//!
//! Nobody waits for it, so nobody would notice that its connection gets no answer any more: bytes that were lost while
//! the database was away never come. So it looks for itself, gives such a connection up as soon as the database answers
//! others, and finds out what became of the rows before it writes them again.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::patience::{Asked, Asker, LOOK, Silence};
use super::{Shared, control};
use crate::api::SpaceKey;
use crate::audit::{self, AuditEntry};
use crate::error::{StoreError, classify};
use crate::pause;
use crate::sql::{Dialect, Sql};
use crate::statement::Statement;
use crate::transaction::{Group, Transaction};

/// Rows that are written together.
struct Batch {
    rows: Vec<AuditEntry>,
    tried: Mutex<Option<Tried>>,
}

/// A transaction that may have written the rows: its COMMIT was not heard of.
#[derive(Clone, Copy)]
struct Tried {
    /// Its number.
    transaction: i64,
    /// No row of it has a lower number.
    from: i64,
}

impl Batch {
    fn new(rows: Vec<AuditEntry>) -> Arc<Batch> {
        let tried = Mutex::new(None);
        Arc::new(Batch { rows, tried })
    }

    fn tried(&self) -> MutexGuard<'_, Option<Tried>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// What the audit thread does until the store is closed.
    pub(super) fn write_trail(self: &Arc<Self>) {
        'work: while let Some(taken) = self.queue.take(1) {
            let batch = Batch::new(taken.audit);
            self.trail_rows.store(batch.rows.len(), Ordering::Relaxed);
            while let Err(error) = self.attempt_batch(&batch) {
                tracing::error!(%error, rows = batch.rows.len(), "the audit trail could not be written");
                if self.queue.is_closing() {
                    break 'work;
                }
                std::thread::sleep(self.options.audit_delay);
            }
            self.trail_rows.store(0, Ordering::Relaxed);
        }
        for lines in [&self.lines, &self.aside, &self.trail] {
            lines.pool.clear();
        }
        self.queue.set_closed();
    }

    /// Writes a batch on a thread that can be left behind with a connection that gets no answer.
    fn attempt_batch(self: &Arc<Self>, batch: &Arc<Batch>) -> Result<(), StoreError> {
        let (asker, asked) = Asker::new();
        let (tell, told) = sync_channel(1);
        let earlier = batch.tried().map(|tried| tried.transaction);
        self.start_attempt(batch, asked, tell)?;
        let mut silence = Silence::begin(&self.trail.answers, &self.lines.answers);
        loop {
            match told.recv_timeout(LOOK) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(StoreError::Internal(
                        "writing the audit trail panicked".to_owned(),
                    ));
                }
                Err(RecvTimeoutError::Timeout) if silence.lasts(self.options.patience) => {
                    // One that has not begun to write must not begin any more. What has begun may go on: the next
                    // attempt looks what became of it.
                    let tried = batch.tried();
                    if tried.map(|tried| tried.transaction) == earlier {
                        drop(asker);
                    }
                    drop(tried);
                    self.trail.pool.forsake();
                    return Err(StoreError::Unavailable(
                        "the database answers others, but not the audit trail".to_owned(),
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn start_attempt(
        self: &Arc<Self>,
        batch: &Arc<Batch>,
        asked: Asked,
        tell: SyncSender<Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        let (shared, batch) = (Arc::clone(self), Arc::clone(batch));
        std::thread::Builder::new()
            .name("store-trail".to_owned())
            .spawn(move || {
                // Nobody is told when it was given up.
                let _ = tell.send(shared.write_batch(&batch, &asked));
            })
            .map(|_| ())
            .map_err(|error| {
                StoreError::Unavailable(format!("starting a thread for the audit trail: {error}"))
            })
    }

    fn write_batch(&self, batch: &Batch, asked: &Asked) -> Result<(), StoreError> {
        let mut lease = self.begin(&self.trail, asked, "BEGIN ISOLATION LEVEL READ COMMITTED")?;
        let outcome = lease
            .connection()
            .and_then(|connection| self.write_once(connection, batch, asked));
        if outcome.is_err() {
            lease.discard();
        }
        outcome
    }

    fn write_once(&self, connection: &mut dyn Sql, batch: &Batch, asked: &Asked) -> Result<(), StoreError> {
        let earlier = *batch.tried();
        if let Some(tried) = earlier
            && is_written(connection, tried, batch)?
        {
            return control(connection, "ending a look at the audit trail", "COMMIT");
        }
        let own = identify(connection)?;
        {
            let mut tried = batch.tried();
            if asked.in_vain() {
                return Err(super::given_up());
            }
            *tried = Some(own);
        }
        let mut group = Group::default();
        Transaction::alone(connection, SpaceKey(0), &self.context, &mut group).write_audit(&batch.rows)?;
        pause::at(pause::TRAIL_COMMITTING);
        control(connection, "committing the audit trail", "COMMIT")
    }
}

/// The transaction of this connection.
fn identify(connection: &mut dyn Sql) -> Result<Tried, StoreError> {
    let statement = Statement::new(
        "SELECT txid_current(), (SELECT last_value + CAST(is_called AS INTEGER) FROM audit_seq_seq), \
         CAST(0 AS BIGINT), CAST(0 AS BIGINT)",
    );
    let found = connection
        .trails(&statement)
        .map_err(|error| classify(Dialect::Postgres, "beginning to write the audit trail", &error).error)?;
    match found.first() {
        Some(&(transaction, from, _, _)) => Ok(Tried { transaction, from }),
        None => Err(StoreError::Internal(
            "PostgreSQL does not say what runs".to_owned(),
        )),
    }
}

/// Whether an earlier transaction has written the rows. One that waits for bytes that are lost is ended.
///
/// # Errors
/// [`StoreError::Unavailable`]: it is still under way.
fn is_written(connection: &mut dyn Sql, tried: Tried, batch: &Batch) -> Result<bool, StoreError> {
    let failed = |error| classify(Dialect::Postgres, "looking for rows of the audit trail", &error).error;
    // Numbers of transactions are told here without what they have above 32 bits.
    let statement = Statement::new(
        "SELECT count(CASE WHEN state LIKE 'idle in transaction%' THEN pg_terminate_backend(pid) END) \
         FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND backend_xid = CAST(CAST(",
    )
    .bind(tried.transaction)
    .sql(" % 4294967296 AS TEXT) AS XID) HAVING count(*) > 0");
    let found = connection.longs(&statement).map_err(failed)?;
    if let Some(ended) = found.first() {
        return Err(StoreError::Unavailable(match ended {
            0 => "an earlier attempt is still under way".to_owned(),
            _ => "an earlier attempt had to be ended first".to_owned(),
        }));
    }
    match batch.rows.first() {
        Some(row) => audit::is_written(connection, row, tried.from).map_err(failed),
        None => Ok(true),
    }
}
