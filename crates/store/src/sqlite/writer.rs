//! The writer thread: takes what is queued, commits it as one, and only then answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::SqliteConnection;

use super::checkpoint::Checkpoints;
use super::open;
use crate::api::SpaceKey;
use crate::audit::AuditEntry;
use crate::error::{StoreError, classify};
use crate::job::{Job, Ran};
use crate::options::Options;
use crate::pause;
use crate::queue::{Queue, Taken};
use crate::sql::{Dialect, Sql as _};
use crate::statement::Statement;
use crate::transaction::{Context, Group, Transaction};

/// A write that clashes is run at most so often. Nobody else writes, so it is its own doing.
const TRIES: usize = 3;

/// Starts the thread.
pub(super) fn start(
    path: &str,
    options: &Options,
    connection: SqliteConnection,
    context: Arc<Context>,
    queue: Arc<Queue>,
    checkpoints: Arc<Checkpoints>,
) -> Result<(), StoreError> {
    let writer = Writer {
        path: path.to_owned(),
        options: options.clone(),
        connection: Some(connection),
        context,
        queue,
        checkpoints,
        group: Group::default(),
    };
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || writer.run())
        .map(|_| ())
        .map_err(|error| StoreError::Unavailable(format!("starting the writer thread: {error}")))
}

struct Writer {
    path: String,
    options: Options,
    /// None after a failure that the connection may not have survived.
    connection: Option<SqliteConnection>,
    context: Arc<Context>,
    queue: Arc<Queue>,
    checkpoints: Arc<Checkpoints>,
    group: Group,
}

impl Writer {
    fn run(mut self) {
        while let Some(taken) = self.queue.take(self.options.group.max(1)) {
            let Taken { mut jobs, mut audit } = taken;
            match self.commit(&mut jobs, &mut audit) {
                Ok(()) => self.queue.give_back(audit),
                Err(error) => {
                    self.context.meters.failed_commits.add();
                    tracing::error!(%error, writes = jobs.len(), "a group of writes failed");
                    self.queue.return_audit(audit);
                    if jobs.is_empty() && self.queue.is_closing() {
                        break;
                    }
                    if jobs.is_empty() {
                        // Nothing but the trail was to be written: the database is away. Not in a circle.
                        std::thread::sleep(self.options.audit_delay);
                    }
                }
            }
            for job in jobs {
                job.answer();
            }
        }
        self.checkpoints.stop();
        drop(self.connection.take());
        self.queue.set_closed();
    }

    /// Runs the jobs and commits. After an error nothing of the group is in the database.
    fn commit(
        &mut self,
        jobs: &mut Vec<Box<dyn Job>>,
        audit: &mut Vec<AuditEntry>,
    ) -> Result<(), StoreError> {
        let outcome = self.try_commit(jobs, audit);
        if let Err(error) = &outcome {
            for job in jobs.iter_mut() {
                job.fail_unless_refused(error);
            }
            if let Some(mut connection) = self.connection.take() {
                // It may have rolled back by itself; then there is nothing to roll back.
                let _ = connection.execute(&Statement::new("ROLLBACK"));
            }
        }
        outcome
    }

    fn try_commit(
        &mut self,
        jobs: &mut Vec<Box<dyn Job>>,
        audit: &mut Vec<AuditEntry>,
    ) -> Result<(), StoreError> {
        if self.connection.is_none() {
            self.connection = Some(open::writer(&self.path, &self.options)?);
        }
        let Some(connection) = self.connection.as_mut() else {
            return Err(StoreError::Internal("the writer has no connection".to_owned()));
        };
        self.group.next_audit.clear();
        self.group.audit.clear();
        self.group.erasures.clear();
        self.group.unrecorded = None;
        self.group.scrub = false;
        control(connection, "beginning a group", "BEGIN IMMEDIATE")?;
        pause::at(pause::BEGUN);
        // A savepoint makes SQLite copy every page that it changes. Refusals come before the first change, so
        // nearly every group gets by without.
        let mut bold = run_boldly(connection, jobs, &self.context, &mut self.group);
        // A flush costs the same for few as for many, so what has come meanwhile joins.
        let mut linger = Linger::new(self.queue.was_overload());
        while bold == Bold::Whole {
            if jobs.len() < self.options.group {
                linger.wait();
            }
            let late = jobs.len();
            self.queue.take_late(jobs, self.options.group);
            match jobs.get_mut(late..) {
                Some(jobs) if !jobs.is_empty() => {
                    bold = run_boldly(connection, jobs, &self.context, &mut self.group);
                }
                _ => break,
            }
        }
        if bold == Bold::Spoilt {
            run_anew(connection, jobs, &self.context, &mut self.group)?;
        }
        if let Err(error) = self.context.record(&mut self.group) {
            // Whoever erased nobody has nothing to do with that.
            tracing::error!(%error, "erasures are refused");
            self.group.unrecorded = Some(error);
            run_anew(connection, jobs, &self.context, &mut self.group)?;
        }
        let of_group = std::mem::take(&mut self.group.audit);
        for rows in [of_group.as_slice(), audit.as_slice()] {
            let mut tx = Transaction::alone(connection, SpaceKey(0), &self.context, &mut self.group);
            tx.write_audit(rows)?;
        }
        pause::at(pause::COMMITTING);
        let started = Instant::now();
        control(connection, "committing a group", "COMMIT")?;
        self.context.meters.commit.record_duration(started.elapsed());
        if !jobs.is_empty() {
            self.context.meters.group.record(jobs.len() as u64);
        }
        audit.clear();
        pause::at(pause::COMMITTED);
        let log_is_long = self.checkpoints.committed(jobs.len());
        if self.group.scrub {
            self.checkpoints.scrub(connection, self.options.busy_timeout);
        } else if log_is_long {
            self.checkpoints.finish(connection, self.options.busy_timeout);
        }
        Ok(())
    }
}

/// How long a group waits for more when there is too much to do: as long as something comes, up to a limit. Commits cost
/// then what is short, and those who wait for this one wait for others before them anyway.
struct Linger {
    rest: Duration,
}

impl Linger {
    const LIMIT: Duration = Duration::from_millis(10);
    /// When nothing comes for so long, nothing is about to. Long, since whoever looks takes a core from those who
    /// bring the writes, and its caches with it.
    const SLICE: Duration = Duration::from_millis(5);

    fn new(is_overload: bool) -> Linger {
        let rest = if is_overload {
            Linger::LIMIT
        } else {
            Duration::ZERO
        };
        Linger { rest }
    }

    fn wait(&mut self) {
        if !self.rest.is_zero() {
            std::thread::sleep(Linger::SLICE);
            self.rest = self.rest.saturating_sub(Linger::SLICE);
        }
    }
}

/// How a group fared without savepoints.
#[derive(PartialEq, Eq)]
enum Bold {
    /// Nothing has to be taken back.
    Whole,
    /// A write failed after a change: the group is to be taken back and run with savepoints.
    Spoilt,
}

fn run_boldly(
    connection: &mut SqliteConnection,
    jobs: &mut [Box<dyn Job>],
    context: &Context,
    group: &mut Group,
) -> Bold {
    for job in jobs.iter_mut() {
        let mut tx = Transaction::bold(connection, job.space(), context, group);
        let ran = job.run(&mut tx);
        let harmless = ran == Ran::Undo && !tx.has_changed() && tx.failure().is_none();
        if ran != Ran::Keep && !harmless {
            return Bold::Spoilt;
        }
        if ran != Ran::Keep {
            tx.forget();
        }
        pause::at(pause::RAN);
    }
    Bold::Whole
}

/// Takes the group back, and runs each write of it in a savepoint.
fn run_anew(
    connection: &mut SqliteConnection,
    jobs: &mut [Box<dyn Job>],
    context: &Context,
    group: &mut Group,
) -> Result<(), StoreError> {
    context.meters.reruns.add();
    // A full disk makes SQLite take all of it back by itself: then there is nothing to roll back. A transaction that is
    // left all the same is told by the BEGIN.
    let _ = connection.execute(&Statement::new("ROLLBACK"));
    group.audit.clear();
    group.next_audit.clear();
    group.erasures.clear();
    group.scrub = false;
    control(connection, "beginning a group anew", "BEGIN IMMEDIATE")?;
    jobs.iter_mut()
        .try_for_each(|job| run_one(connection, job, context, group))
}

/// Runs one write in its savepoint. An error loses the whole group.
fn run_one(
    connection: &mut SqliteConnection,
    job: &mut Box<dyn Job>,
    context: &Context,
    group: &mut Group,
) -> Result<(), StoreError> {
    let mut tx = Transaction::shared(connection, job.space(), context, group);
    for _ in 0..TRIES {
        let ran = job.run(&mut tx);
        if ran == Ran::Keep {
            return tx.keep();
        }
        // A full disk makes SQLite take back the whole transaction: then there is nothing to undo, and the
        // reason is what everybody should hear.
        let reason = tx.failure().cloned();
        tx.undo().map_err(|error| reason.unwrap_or(error))?;
        if ran == Ran::Undo {
            return Ok(());
        }
    }
    Ok(())
}

fn control(connection: &mut SqliteConnection, doing: &str, text: &'static str) -> Result<(), StoreError> {
    connection
        .execute(&Statement::new(text))
        .map(|_| ())
        .map_err(|error| classify(Dialect::Sqlite, doing, &error).error)
}
