//! SQLite: one writer thread that commits in groups, readers inline on their own connections.

mod checkpoint;
mod open;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use diesel::SqliteConnection;
use tokio::sync::Semaphore;

use crate::api::SpaceKey;
use crate::audit::AuditEntry;
use crate::error::{StoreError, classify};
use crate::job::{Job, Write};
use crate::meters::{Levels, Meters};
use crate::migrate::Migrate;
use crate::options::Options;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::sql::{Dialect, Sql};
use crate::statement::Statement;
use crate::transaction::{Context, Group, Transaction};

/// A store in one file.
pub(crate) struct SqliteStore {
    path: String,
    options: Options,
    context: Arc<Context>,
    readers: Pool<SqliteConnection>,
    /// The one connection that no request has.
    aside: Pool<SqliteConnection>,
    queue: Arc<Queue>,
    /// Places in the queue.
    places: Semaphore,
}

/// What the statements of a read have in common.
#[derive(Clone, Copy)]
enum Snapshot {
    /// They see the same state.
    Shared,
    /// There is only one.
    OneStatement,
}

impl SqliteStore {
    pub(crate) fn open(
        path: &str,
        options: Options,
        context: Arc<Context>,
    ) -> Result<SqliteStore, StoreError> {
        open::create(path)?;
        let mut connection = open::writer(path, &options)?;
        connection.pending()?;
        let queue = Arc::new(Queue::new(options.audit_queue, options.audit_delay));
        let checkpoints = checkpoint::start(path, &options, Arc::clone(&context))?;
        writer::start(
            path,
            &options,
            connection,
            Arc::clone(&context),
            Arc::clone(&queue),
            checkpoints,
        )?;
        Ok(SqliteStore {
            path: path.to_owned(),
            readers: Pool::new(options.connections.max(1)),
            aside: Pool::new(1),
            places: Semaphore::new(options.queue.max(1)),
            options,
            context,
            queue,
        })
    }

    /// Runs on a connection of its own, beside the writer thread: migrations.
    pub(crate) fn with_connection<T>(
        &self,
        run: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        run(&mut open::writer(&self.path, &self.options)?)
    }

    /// Runs on this thread: a read takes microseconds, and the file is in memory.
    pub(crate) fn read<T, E>(
        &self,
        space: SpaceKey,
        read: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        self.on_reader(&self.readers, Snapshot::Shared, space, read)
    }

    /// The same on the connection that no request has.
    pub(crate) fn read_aside<T, E>(
        &self,
        space: SpaceKey,
        read: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        self.on_reader(&self.aside, Snapshot::Shared, space, read)
    }

    /// The same for a read of one statement, which is a snapshot by itself.
    pub(crate) fn read_once<T, E>(
        &self,
        space: SpaceKey,
        read: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        self.on_reader(&self.readers, Snapshot::OneStatement, space, read)
    }

    fn on_reader<T, E>(
        &self,
        pool: &Pool<SqliteConnection>,
        snapshot: Snapshot,
        space: SpaceKey,
        read: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let waits = &self.context.meters.waits;
        let connect = || open::reader(&self.path, &self.options);
        let mut lease = pool.take(self.options.patience, waits, connect)?;
        let connection = lease.connection()?;
        let control = |connection: &mut SqliteConnection, text: &'static str| match snapshot {
            Snapshot::OneStatement => Ok(()),
            Snapshot::Shared => connection
                .execute(&Statement::new(text))
                .map(|_| ())
                .map_err(|error| classify(Dialect::Sqlite, "reading", &error).error),
        };
        control(connection, "BEGIN")?;
        let mut group = Group::default();
        let mut tx = Transaction::alone(connection, space, &self.context, &mut group);
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&mut tx)));
        let failed = tx.failure().is_some();
        let ended = control(connection, "COMMIT");
        if failed || ended.is_err() {
            lease.discard();
        }
        match outcome {
            Ok(outcome) => outcome,
            Err(panic) => resume_unwind(panic),
        }
    }

    pub(crate) async fn write<F, T, E>(&self, space: SpaceKey, write: F) -> Result<T, E>
    where
        F: FnMut(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        // Held until the answer: so many writes wait at most.
        let _place = tokio::time::timeout(self.options.patience, self.places.acquire())
            .await
            .map_err(|_| unavailable("the writer has too much to do"))?
            .map_err(|_| unavailable("the store is closed"))?;
        let (job, answer) = Write::new(space, write);
        let job: Box<dyn Job> = Box::new(job);
        if self.queue.push(job).is_err() {
            return Err(unavailable("the store is closing").into());
        }
        answer
            .await
            .unwrap_or_else(|_| Err(unavailable("the writer has stopped").into()))
    }

    /// Writes from a connection of its own, before the server runs.
    pub(crate) fn write_blocking(
        &self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.with_connection(|connection| {
            let control = |connection: &mut SqliteConnection, text: &'static str| {
                connection
                    .execute(&Statement::new(text))
                    .map_err(|error| classify(Dialect::Sqlite, "writing", &error).error)
            };
            control(connection, "BEGIN IMMEDIATE")?;
            let mut group = Group::default();
            // An error drops the connection, and with it the transaction.
            write(&mut Transaction::alone(
                connection,
                SpaceKey(0),
                &self.context,
                &mut group,
            ))?;
            control(connection, "COMMIT").map(|_| ())
        })
    }

    pub(crate) fn tell_overload(&self) {
        self.queue.tell_overload();
    }

    pub(crate) fn audit_later(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.queue.push_audit(entry)
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.context.meters
    }

    pub(crate) fn levels(&self) -> Levels {
        let (queued_writes, audit_rows, audit_limit) = self.queue.lengths();
        let size = |path: &str| std::fs::metadata(path).ok().map(|file| file.len());
        Levels {
            database: "sqlite",
            connections_in_use: self.readers.lent().into(),
            connections_limit: self.options.connections.max(1) as u64,
            queued_writes: queued_writes as u64,
            audit_rows: audit_rows as u64,
            audit_limit: audit_limit as u64,
            file_bytes: size(&self.path),
            log_bytes: size(&format!("{}-wal", self.path)),
        }
    }

    pub(crate) fn begin_close(&self) {
        self.queue.close();
    }

    /// Blocks until everything accepted is on disk. The readers' connections are closed as well, so that whoever closes
    /// the last one leaves no log behind, though the store itself lives on.
    pub(crate) fn wait_closed(&self, limit: Duration) -> bool {
        let closed = self.queue.wait_closed(limit);
        self.readers.clear();
        self.aside.clear();
        closed
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}
