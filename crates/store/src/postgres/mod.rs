//! PostgreSQL: a pool of connections, ordered advisory locks, and transactions that are run again when
//! another one was in the way.

mod locks;
mod open;
mod patience;
mod scrub;
mod statistics;
mod trail;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel::PgConnection;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::api::{LockSet, SpaceKey};
use crate::audit::AuditEntry;
use crate::error::{StoreError, classify};
use crate::job::{Job, Ran, Write};
use crate::meters::{Levels, Meters};
use crate::migrate::Migrate as _;
use crate::options::Options;
use crate::pause;
use crate::pool::{Lease, Pool};
use crate::queue::Queue;
use crate::sql::{Dialect, Sql};
use crate::statement::Statement;
use crate::transaction::{Context, Group, Transaction};

pub(crate) use locks::{of_value, order};
pub(crate) use patience::Line;
use patience::{Answers, Asked, Asker, LOOK, Wait};
pub use scrub::{ScrubStep, Scrubbed};
use statistics::Growth;

/// How often a write is run at most, and for how long.
const TRIES: u32 = 20;
const TRY_LIMIT: Duration = Duration::from_secs(5);
/// The longest pause before another try, milliseconds.
const LONGEST_JITTER_MILLIS: u64 = 40;
/// How long a request waits for a database that is alive but busy.
const BUSY_LIMIT: Duration = Duration::from_secs(10);

/// A store on a server.
pub(crate) struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    options: Options,
    context: Arc<Context>,
    lines: Lines,
    /// The one connection that no request has.
    aside: Lines,
    /// The one that writes the audit trail.
    trail: Lines,
    /// How many rows that one is about to write.
    trail_rows: AtomicUsize,
    /// Who may have a connection, in order of arrival: the pool itself gives a connection to whoever asks
    /// at the right moment, and under load somebody would ask in vain for seconds.
    places: Semaphore,
    growth: Growth,
    queue: Queue,
}

/// Connections, and how often they got an answer.
struct Lines {
    pool: Pool<Line>,
    answers: Arc<Answers>,
}

impl Lines {
    fn new(limit: usize, answers: &Arc<Answers>) -> Lines {
        Lines {
            pool: Pool::new(limit),
            answers: Arc::clone(answers),
        }
    }
}

impl PostgresStore {
    pub(crate) fn open(
        url: &str,
        options: Options,
        context: Arc<Context>,
    ) -> Result<PostgresStore, StoreError> {
        let url = open::with_defaults(url);
        let mut connection = open::connect(&url, &options)?;
        open::check_durability(&mut connection, &options)?;
        connection.pending()?;
        // One is for the audit thread.
        let connections = options.connections.max(2) - 1;
        let answers = Arc::default();
        let shared = Arc::new(Shared {
            url,
            lines: Lines::new(connections, &answers),
            aside: Lines::new(1, &answers),
            trail: Lines::new(1, &Arc::default()),
            trail_rows: AtomicUsize::new(0),
            places: Semaphore::new(connections),
            growth: Growth::default(),
            queue: Queue::new(options.audit_queue, options.audit_delay),
            options,
            context,
        });
        let trail = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("store-audit".to_owned())
            .spawn(move || trail.write_trail())
            .map_err(|error| StoreError::Unavailable(format!("starting the audit thread: {error}")))?;
        Ok(PostgresStore { shared })
    }

    /// Runs on a connection of its own: migrations.
    pub(crate) fn with_connection<T>(
        &self,
        run: impl FnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = open::connect(&self.shared.url, &self.shared.options)?;
        // A migration may take its time.
        connection
            .batch("SET statement_timeout = 0; SET lock_timeout = 0")
            .map_err(|error| classify(Dialect::Postgres, "setting a connection up", &error).error)?;
        run(&mut connection)
    }

    /// See [`crate::Store::scrub`].
    pub(crate) fn scrub(
        &self,
        patience: Duration,
        tell: &mut dyn FnMut(ScrubStep),
    ) -> Result<Scrubbed, StoreError> {
        let now = self.shared.context.clock.now();
        self.with_connection(|connection| scrub::run(connection, now, patience, tell))
    }

    pub(crate) async fn read<F, T, E>(&self, space: SpaceKey, read: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut wait = Wait::begin(&self.shared.lines.answers);
        let _place = self.place(&mut wait).await?;
        let shared = Arc::clone(&self.shared);
        let (_asker, asked) = Asker::new();
        let work = tokio::task::spawn_blocking(move || shared.read(&shared.lines, space, &asked, read));
        self.answer(&mut wait, work).await?
    }

    /// The same on the connection that no request has. One that does not answer is given up, whatever others are told.
    pub(crate) async fn read_aside<F, T, E>(&self, space: SpaceKey, read: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut wait = Wait::begin(&self.shared.lines.answers);
        let shared = Arc::clone(&self.shared);
        let (_asker, asked) = Asker::new();
        let mut work = tokio::task::spawn_blocking(move || shared.read(&shared.aside, space, &asked, read));
        while wait.waited < self.shared.options.patience {
            match tokio::time::timeout(LOOK, &mut work).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(_)) => return Err(StoreError::Internal("a transaction panicked".to_owned()).into()),
                Err(_) => wait.look(),
            }
        }
        self.shared.aside.pool.forsake();
        Err(StoreError::Unavailable("the database does not answer".to_owned()).into())
    }

    /// The same for a read of one statement, which is a snapshot by itself and costs one round trip.
    pub(crate) async fn read_once<F, T, E>(&self, space: SpaceKey, read: F) -> Result<T, E>
    where
        F: Fn(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut wait = Wait::begin(&self.shared.lines.answers);
        let _place = self.place(&mut wait).await?;
        let shared = Arc::clone(&self.shared);
        let (_asker, asked) = Asker::new();
        let work = tokio::task::spawn_blocking(move || shared.read_once(space, &asked, read));
        self.answer(&mut wait, work).await?
    }

    pub(crate) async fn write<F, T, E>(&self, space: SpaceKey, locks: LockSet, write: F) -> Result<T, E>
    where
        F: FnMut(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut wait = Wait::begin(&self.shared.lines.answers);
        let _place = self.place(&mut wait).await?;
        let shared = Arc::clone(&self.shared);
        let (_asker, asked) = Asker::new();
        let work = tokio::task::spawn_blocking(move || {
            let (mut job, mut answer) = Write::new(space, write);
            shared.write(&locks, &asked, &mut job);
            if shared.growth.is_due() {
                Arc::clone(&shared).refresh_statistics();
            }
            Box::new(job).answer();
            answer
                .try_recv()
                .unwrap_or_else(|_| Err(StoreError::Internal("a write without an answer".to_owned()).into()))
        });
        self.answer(&mut wait, work).await?
    }

    /// A write before there is a runtime, or when the pool is closed; within the limits of any other.
    pub(crate) fn write_blocking(
        &self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut connection = open::connect(&self.shared.url, &self.shared.options)?;
        control(&mut connection, "writing", "BEGIN")?;
        let mut group = Group::default();
        // An error drops the connection, and with it the transaction.
        let context = &self.shared.context;
        write(&mut Transaction::alone(
            &mut connection,
            SpaceKey(0),
            context,
            &mut group,
        ))?;
        control(&mut connection, "writing", "COMMIT")
    }

    pub(crate) fn audit_later(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.shared.queue.push_audit(entry)
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.shared.context.meters
    }

    pub(crate) fn levels(&self) -> Levels {
        let (queued_writes, audit_rows, audit_limit) = self.shared.queue.lengths();
        Levels {
            database: "postgres",
            connections_in_use: (self.shared.lines.pool.lent() + self.shared.trail.pool.lent()).into(),
            connections_limit: self.shared.options.connections.max(2) as u64,
            queued_writes: queued_writes as u64,
            audit_rows: (audit_rows + self.shared.trail_rows.load(Ordering::Relaxed)) as u64,
            audit_limit: audit_limit as u64,
            file_bytes: None,
            log_bytes: None,
        }
    }

    pub(crate) fn begin_close(&self) {
        self.shared.queue.close();
    }

    /// Blocks until everything accepted is on disk.
    pub(crate) fn wait_closed(&self, limit: Duration) -> bool {
        self.shared.queue.wait_closed(limit)
    }

    /// Waits for a turn, as long as the database answers others.
    async fn place(&self, wait: &mut Wait<'_>) -> Result<SemaphorePermit<'_>, StoreError> {
        if let Ok(place) = self.shared.places.try_acquire() {
            return Ok(place);
        }
        let _waiting = self.shared.context.meters.waits.begin();
        let mut turn = pin!(self.shared.places.acquire());
        loop {
            match tokio::time::timeout(LOOK, &mut turn).await {
                Ok(Ok(place)) => return Ok(place),
                Ok(Err(_)) => return Err(StoreError::Unavailable("the store is closed".to_owned())),
                Err(_) => self.patience(wait)?,
            }
        }
    }

    /// Waits for blocking work, but not for a database that answers nobody: its connections are given up,
    /// so that new ones can be made once it is back.
    async fn answer<T>(
        &self,
        wait: &mut Wait<'_>,
        mut work: tokio::task::JoinHandle<T>,
    ) -> Result<T, StoreError> {
        loop {
            match tokio::time::timeout(LOOK, &mut work).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(_)) => {
                    return Err(StoreError::Internal("a transaction panicked".to_owned()));
                }
                Err(_) => self.patience(wait)?,
            }
        }
    }

    /// An error when a request has waited long enough.
    fn patience(&self, wait: &mut Wait<'_>) -> Result<(), StoreError> {
        wait.look();
        if wait.silent >= self.shared.options.patience.saturating_sub(LOOK) {
            self.shared.lines.pool.forsake();
            return Err(StoreError::Unavailable("the database does not answer".to_owned()));
        }
        if wait.waited >= BUSY_LIMIT.max(self.shared.options.patience) {
            return Err(StoreError::Unavailable("the database is too slow".to_owned()));
        }
        Ok(())
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl Shared {
    /// A connection, and whether it was made for this.
    fn take(&self, lines: &Lines) -> Result<(Lease<Line>, bool), StoreError> {
        let mut fresh = false;
        let lease = lines
            .pool
            .take(self.options.patience, &self.context.meters.waits, || {
                fresh = true;
                let connection = open::connect(&self.url, &self.options)?;
                Ok(Line::new(connection, &lines.answers))
            })?;
        Ok((lease, fresh))
    }

    /// A connection on which the transaction has begun. Connections that died in the pool are passed over:
    /// nothing has been done on them yet. Nor is anything begun for somebody who has been told that there is no
    /// answer: what was sent since could be newer.
    fn begin(&self, lines: &Lines, asked: &Asked, text: &'static str) -> Result<Lease<Line>, StoreError> {
        loop {
            let (mut lease, fresh) = self.take(lines)?;
            match control(lease.connection()?, "beginning a transaction", text) {
                Ok(()) if asked.in_vain() => {
                    if control(lease.connection()?, "ending what nobody waits for", "ROLLBACK").is_err() {
                        lease.discard();
                    }
                    return Err(given_up());
                }
                Ok(()) => return Ok(lease),
                Err(error) => {
                    lease.discard();
                    if fresh {
                        return Err(error);
                    }
                    self.pass_over(lines, lease);
                    if asked.in_vain() {
                        return Err(given_up());
                    }
                }
            }
        }
    }

    /// After a connection that died: those that wait beside it have died with it. Where it was given up, they are new.
    fn pass_over(&self, lines: &Lines, lease: Lease<Line>) {
        let others_too = !lease.is_forsaken();
        drop(lease);
        if others_too {
            lines.pool.clear();
        }
    }

    fn read<T, E: From<StoreError>>(
        &self,
        lines: &Lines,
        space: SpaceKey,
        asked: &Asked,
        read: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut lease = self.begin(lines, asked, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let mut group = Group::default();
        let connection = lease.connection()?;
        let mut tx = Transaction::alone(connection, space, &self.context, &mut group);
        let outcome = read(&mut tx);
        let failed = tx.failure().is_some();
        if control(
            connection,
            "ending a read",
            if failed { "ROLLBACK" } else { "COMMIT" },
        )
        .is_err()
        {
            lease.discard();
        }
        outcome
    }

    /// A read of one statement. On a connection that died in the pool it is run again.
    fn read_once<T, E: From<StoreError>>(
        &self,
        space: SpaceKey,
        asked: &Asked,
        read: impl Fn(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        loop {
            let (mut lease, fresh) = self.take(&self.lines)?;
            let mut group = Group::default();
            let mut tx = Transaction::alone(lease.connection()?, space, &self.context, &mut group);
            let outcome = read(&mut tx);
            let died = matches!(tx.failure(), Some(StoreError::Unavailable(_)));
            if tx.failure().is_some() {
                lease.discard();
            }
            if fresh || !died || asked.in_vain() {
                return outcome;
            }
            self.pass_over(&self.lines, lease);
        }
    }

    /// Runs a write until it is committed, refused, or not worth another try. The answer is in the job.
    fn write(&self, locks: &LockSet, asked: &Asked, job: &mut dyn Job) {
        let started = Instant::now();
        for tried in 1..=TRIES {
            match self.attempt(locks, asked, job) {
                Ok(Ran::Again) if tried < TRIES && started.elapsed() < TRY_LIMIT => {
                    self.context.meters.reruns.add();
                    std::thread::sleep(jitter(tried));
                }
                Ok(_) => return,
                Err(error) => {
                    job.fail(error);
                    return;
                }
            }
        }
    }

    fn attempt(&self, locks: &LockSet, asked: &Asked, job: &mut dyn Job) -> Result<Ran, StoreError> {
        let mut lease = self.begin(&self.lines, asked, "BEGIN ISOLATION LEVEL READ COMMITTED")?;
        pause::at(pause::BEGUN);
        let connection = lease.connection()?;
        if let Some(statement) = locks::statement(job.space(), locks)
            && let Err(error) = connection.longs(&statement)
        {
            let failure = classify(Dialect::Postgres, "taking locks", &error);
            if control(connection, "undoing a write", "ROLLBACK").is_err() {
                lease.discard();
            }
            job.fail(failure.error);
            return Ok(if failure.again { Ran::Again } else { Ran::Undo });
        }
        pause::at(pause::LOCKED);
        let mut group = Group::default();
        let mut tx = Transaction::alone(connection, job.space(), &self.context, &mut group);
        if locks.in_order {
            tx = tx.in_order();
        }
        let mut ran = job.run(&mut tx);
        pause::at(pause::RAN);
        // Whoever left may have sent something newer, which waits for the locks of this one or has come before them.
        if ran == Ran::Keep && asked.in_vain() {
            job.fail(given_up());
            ran = Ran::Undo;
        }
        if ran != Ran::Keep {
            if control(connection, "undoing a write", "ROLLBACK").is_err() {
                lease.discard();
            }
            return Ok(ran);
        }
        if let Err(error) = self.context.record(&mut group) {
            if control(connection, "undoing a write", "ROLLBACK").is_err() {
                lease.discard();
            }
            job.fail(error);
            return Ok(Ran::Undo);
        }
        pause::at(pause::COMMITTING);
        let committing = Instant::now();
        if let Err(error) = connection.execute(&Statement::new("COMMIT")) {
            self.context.meters.failed_commits.add();
            // It may have happened or not: that is no success, and another run could do it twice.
            let failure = classify(Dialect::Postgres, "committing, with an unknown outcome", &error);
            lease.discard();
            job.fail(failure.error);
            return Ok(Ran::Undo);
        }
        self.context.meters.commit.record_duration(committing.elapsed());
        pause::at(pause::COMMITTED);
        Ok(Ran::Keep)
    }

    /// On a thread and a connection of its own: no request waits for it, and nothing depends on it.
    fn refresh_statistics(self: Arc<Self>) {
        let refresh = move || {
            let connected = open::connect(&self.url, &self.options);
            if let Err(error) = connected.and_then(|mut connection| statistics::refresh(&mut connection)) {
                tracing::warn!(%error, "the planner's statistics could not be refreshed");
            }
        };
        let started = std::thread::Builder::new()
            .name("store-statistics".to_owned())
            .spawn(refresh);
        if let Err(error) = started {
            tracing::warn!(%error, "the planner's statistics could not be refreshed");
        }
    }
}

/// For somebody who has left.
fn given_up() -> StoreError {
    StoreError::Unavailable("nobody waits for this any more".to_owned())
}

fn control(connection: &mut dyn Sql, doing: &str, text: &'static str) -> Result<(), StoreError> {
    connection
        .execute(&Statement::new(text))
        .map(|_| ())
        .map_err(|error| classify(Dialect::Postgres, doing, &error).error)
}

/// A random pause, longer with every try.
fn jitter(tried: u32) -> Duration {
    let most = (1u64 << tried.min(6)).min(LONGEST_JITTER_MILLIS) * 1_000;
    let random = u64::try_from(uuid::Uuid::new_v4().as_u128() & u128::from(u32::MAX)).unwrap_or_default();
    Duration::from_micros(random % most)
}
