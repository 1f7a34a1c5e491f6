//! One transaction of one space: the reads and writes of [`Reader`] and [`Writer`] as SQL.

mod erase;
mod history;
mod list;
mod mentions;
mod patient_id;
mod read;
mod write;

use std::collections::HashMap;
use std::sync::OnceLock;

use diesel::result::Error as DieselError;
use fhir::canonical::Digest;
use fhir::query::Query;
use fhir::{Id, Target, Timestamp, VersionId};

use crate::api::{ClassFilter, SpaceKey, Stored};
use crate::audit::AuditEntry;
use crate::clock::Clock;
use crate::error::{StoreError, classify};
use crate::ledger::{Erasure, Ledger};
use crate::meters::Meters;
use crate::options::Durability;
use crate::settings;
use crate::sql::{Dialect, ResourceRow, Sql};
use crate::statement::Statement;
use crate::{codes, search};

/// What every transaction of a store shares.
pub(crate) struct Context {
    pub(crate) clock: std::sync::Arc<dyn Clock>,
    /// The key of the cursors, once it has been read.
    pub(crate) cursor_key: OnceLock<[u8; 32]>,
    pub(crate) meters: Meters,
    /// Where erasures are recorded, once it is known.
    pub(crate) ledger: OnceLock<Ledger>,
    /// Whether an erasure may do without.
    pub(crate) durability: Durability,
}

impl Context {
    /// Where erasures are recorded.
    pub(crate) fn ledger(&self) -> Result<&Ledger, StoreError> {
        self.ledger.get().ok_or_else(|| {
            StoreError::Unavailable(
                "erasures are refused, because no erasure ledger is named: start with --erasure-ledger FILE"
                    .to_owned(),
            )
        })
    }

    /// Refuses an erasure that no ledger would keep.
    pub(crate) fn needs_ledger(&self, group: &Group) -> Result<(), StoreError> {
        match (&group.unrecorded, self.durability) {
            (Some(error), _) => Err(error.clone()),
            (None, Durability::Full) => self.ledger().map(|_| ()),
            (None, Durability::Unsafe) => Ok(()),
        }
    }

    /// Writes the erasures of what is about to be committed to the ledger.
    pub(crate) fn record(&self, group: &mut Group) -> Result<(), StoreError> {
        let erasures = std::mem::take(&mut group.erasures);
        match self.ledger.get() {
            Some(ledger) if !erasures.is_empty() => ledger.append(&erasures),
            _ => Ok(()),
        }
    }
}

/// What the transactions of one commit share (SQLite), so that times and audit numbers go on rising.
#[derive(Default)]
pub(crate) struct Group {
    /// The latest time given so far, microseconds. Survives the group.
    pub(crate) latest: i64,
    /// The next audit number by space, once read in this group.
    pub(crate) next_audit: HashMap<i64, i64>,
    /// Audit rows of the writes so far, written together before the commit.
    pub(crate) audit: Vec<AuditEntry>,
    /// Who was erased by the writes so far: the ledger gets them together before the commit.
    pub(crate) erasures: Vec<Erasure>,
    /// Why the ledger could not take them: the group runs again without.
    pub(crate) unrecorded: Option<StoreError>,
    /// Whether somebody was erased, so that the log must not keep what the file no longer has.
    pub(crate) scrub: bool,
}

/// How the work of one transaction is taken back without its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Savepoint {
    /// The database's transaction is this one's alone.
    None,
    /// Shared without a savepoint: a failure after the first change spoils the group, which is then run
    /// again with savepoints.
    Bold,
    /// The same, and something has been written.
    BoldChanged,
    /// Shared, and nothing has been written yet.
    Pending,
    /// Shared, and everything since the savepoint is this one's.
    Open,
}

/// A transaction.
pub(crate) struct Transaction<'c> {
    pub(crate) sql: &'c mut dyn Sql,
    space: i64,
    context: &'c Context,
    group: &'c mut Group,
    savepoint: Savepoint,
    /// How many audit rows of the group are its predecessors'.
    audit_mark: usize,
    /// The same of the erasures.
    erasure_mark: usize,
    /// The first statement that failed. What follows on it cannot be committed.
    failed: Option<StoreError>,
    /// Whether running again may succeed.
    again: bool,
    /// PostgreSQL: whether times are to be taken in the order of the commits.
    order: Order,
}

/// How a transaction comes by its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// From the clock alone.
    Free,
    /// In the order of the commits: not asked yet.
    Wanted,
    /// The same; the latest time of the space that is committed, microseconds.
    Behind(i64),
}

/// The columns of a [`ResourceRow`], of a current version in `resource AS r`.
pub(crate) const CURRENT: &str = "r.row, r.kind, r.id, r.version, r.updated, r.deleted, r.class, r.digest, r.body, \
     r.created, r.created_by, r.updated_by, r.medicapp_id";
/// The same of a superseded version in `resource_version AS v`.
const SUPERSEDED: &str = "v.row, v.kind, v.id, v.version, v.updated, v.deleted, v.class, v.digest, v.body, \
     r.created, r.created_by, v.updated_by, r.medicapp_id";

impl<'c> Transaction<'c> {
    /// A transaction that is the database's.
    pub(crate) fn alone(
        sql: &'c mut dyn Sql,
        space: SpaceKey,
        context: &'c Context,
        group: &'c mut Group,
    ) -> Transaction<'c> {
        Transaction {
            sql,
            space: space.0,
            context,
            audit_mark: group.audit.len(),
            erasure_mark: group.erasures.len(),
            group,
            savepoint: Savepoint::None,
            failed: None,
            again: false,
            order: Order::Free,
        }
    }

    /// The same, with its times in the order of the commits.
    pub(crate) fn in_order(self) -> Transaction<'c> {
        Transaction {
            order: Order::Wanted,
            ..self
        }
    }

    /// One of several transactions that are committed together.
    pub(crate) fn shared(
        sql: &'c mut dyn Sql,
        space: SpaceKey,
        context: &'c Context,
        group: &'c mut Group,
    ) -> Transaction<'c> {
        Transaction {
            savepoint: Savepoint::Pending,
            ..Transaction::alone(sql, space, context, group)
        }
    }

    /// One of several transactions that are committed together if none of them fails after a change.
    pub(crate) fn bold(
        sql: &'c mut dyn Sql,
        space: SpaceKey,
        context: &'c Context,
        group: &'c mut Group,
    ) -> Transaction<'c> {
        Transaction {
            savepoint: Savepoint::Bold,
            ..Transaction::alone(sql, space, context, group)
        }
    }

    /// Whether a [`Transaction::bold`] one has written something.
    pub(crate) fn has_changed(&self) -> bool {
        self.savepoint == Savepoint::BoldChanged
    }

    /// The failure that forbids a commit.
    pub(crate) fn failure(&self) -> Option<&StoreError> {
        self.failed.as_ref()
    }

    /// Whether running the whole again may succeed.
    pub(crate) fn worth_again(&self) -> bool {
        self.again
    }

    /// Ends a shared transaction with its work kept.
    pub(crate) fn keep(&mut self) -> Result<(), StoreError> {
        if self.savepoint == Savepoint::Open {
            self.savepoint = Savepoint::Pending;
            self.run("keeping a write", &Statement::new("RELEASE one"))?;
        }
        Ok(())
    }

    /// Takes the work of a shared transaction back. An error means that the whole group is lost.
    pub(crate) fn undo(&mut self) -> Result<(), StoreError> {
        let open = self.savepoint == Savepoint::Open;
        self.failed = None;
        self.again = false;
        self.forget();
        if open {
            self.savepoint = Savepoint::Pending;
            self.run("undoing a write", &Statement::new("ROLLBACK TO one"))?;
            self.run("undoing a write", &Statement::new("RELEASE one"))?;
        }
        Ok(())
    }

    /// Takes back the audit rows and erasures of a write that is not kept.
    pub(crate) fn forget(&mut self) {
        self.group.audit.truncate(self.audit_mark);
        self.group.erasures.truncate(self.erasure_mark);
    }

    /// Turns a failed statement into what it means, and remembers that this transaction cannot commit.
    pub(crate) fn fail(&mut self, doing: &str, error: &DieselError) -> StoreError {
        let failure = classify(self.sql.dialect(), doing, error);
        self.again |= failure.again;
        self.failed.get_or_insert_with(|| failure.error.clone());
        failure.error
    }

    /// The same for a clash that no statement reported.
    fn clash(&mut self, doing: &str) -> StoreError {
        let error = StoreError::Contention(format!("{doing}: the version read is no longer the current one"));
        self.again = true;
        self.failed.get_or_insert_with(|| error.clone());
        error
    }

    pub(crate) fn run(&mut self, doing: &str, statement: &Statement<'_>) -> Result<usize, StoreError> {
        self.sql
            .execute(statement)
            .map_err(|error| self.fail(doing, &error))
    }

    fn resources(&mut self, doing: &str, statement: &Statement<'_>) -> Result<Vec<Stored>, StoreError> {
        let rows = self
            .sql
            .resources(statement)
            .map_err(|error| self.fail(doing, &error))?;
        rows.into_iter().map(stored).collect()
    }

    /// Opens the savepoint before the first change of a shared transaction.
    pub(crate) fn begin_change(&mut self) -> Result<(), StoreError> {
        crate::pause::at(crate::pause::CHANGING);
        if self.savepoint == Savepoint::Bold {
            self.savepoint = Savepoint::BoldChanged;
        }
        if self.savepoint == Savepoint::Pending {
            self.run("beginning a write", &Statement::new("SAVEPOINT one"))?;
            self.savepoint = Savepoint::Open;
        }
        Ok(())
    }

    /// The time of a change: the clock's, but never at or before the version it follows, nor before a
    /// change of this process that is already ordered.
    fn time_after(&mut self, previous: Option<Timestamp>) -> Result<Timestamp, StoreError> {
        let committed = self.latest_committed()?;
        let now = self.context.clock.now().micros();
        let least = previous.map_or(i64::MIN, |time| time.micros().saturating_add(1));
        let time = now.max(least).max(committed).max(self.group.latest);
        // Only a commit order makes times comparable across resources: PostgreSQL has one where it is asked for.
        if self.sql.dialect() == Dialect::Sqlite || self.order != Order::Free {
            self.group.latest = time;
        }
        Ok(Timestamp::from_micros(time))
    }

    /// Where times are taken in the order of the commits, waits until no other writer of the space holds a time that
    /// is not committed. The lock is the last that a transaction takes: who holds it waits for nobody.
    fn latest_committed(&mut self) -> Result<i64, StoreError> {
        match self.order {
            Order::Free => return Ok(i64::MIN),
            Order::Behind(latest) => return Ok(latest),
            Order::Wanted => {}
        }
        let lock = crate::postgres::order(SpaceKey(self.space));
        self.sql
            .longs(&lock)
            .map_err(|error| self.fail("waiting for the order of commits", &error))?;
        let latest = Statement::new("SELECT coalesce(max(newest.updated), 0) FROM (SELECT (SELECT max(updated) FROM resource WHERE space = ")
            .bind(self.space)
            .sql(" AND kind = known.kind) AS updated FROM (VALUES (CAST(1 AS SMALLINT)), (CAST(2 AS SMALLINT))) AS known (kind)) AS newest");
        let found = self
            .sql
            .longs(&latest)
            .map_err(|error| self.fail("reading the latest change", &error))?;
        let latest = found.first().copied().unwrap_or_default();
        self.order = Order::Behind(latest);
        Ok(latest)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    pub(crate) fn group(&mut self) -> &mut Group {
        self.group
    }

    pub(crate) fn space(&self) -> i64 {
        self.space
    }

    /// The key of the cursors.
    pub(crate) fn cursor_key(&mut self) -> Result<[u8; 32], StoreError> {
        if let Some(key) = self.context.cursor_key.get() {
            return Ok(*key);
        }
        let key = settings::cursor_key(self)?;
        Ok(*self.context.cursor_key.get_or_init(|| key))
    }

    /// The same, if it has been read before.
    pub(crate) fn known_cursor_key(&self) -> Option<[u8; 32]> {
        self.context.cursor_key.get().copied()
    }

    /// The statements of a search's first page, each with its plan.
    pub(crate) fn explain(&mut self, query: &Query) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let dialect = self.sql.dialect();
        let statements = search::first_page(dialect, SpaceKey(self.space), query, ClassFilter::Any);
        let explained = statements.into_iter().map(|statement| {
            let text = statement.text(dialect);
            Ok((text, self.plan_of(statement)?))
        });
        explained.collect()
    }

    /// The plan of a statement.
    fn plan_of(&mut self, statement: Statement<'_>) -> Result<Vec<String>, StoreError> {
        match self.sql.dialect() {
            Dialect::Sqlite => {
                let statement = Statement::new("EXPLAIN QUERY PLAN ").then(statement);
                let steps = self.sql.plan_steps(&statement);
                let steps = steps.map_err(|error| self.fail("explaining", &error))?;
                Ok(steps.into_iter().map(|(_, _, _, step)| step).collect())
            }
            Dialect::Postgres => {
                let statement = Statement::new("EXPLAIN ").then(statement).uncached();
                let lines = self.sql.texts(&statement);
                lines.map_err(|error| self.fail("explaining", &error))
            }
        }
    }

    /// Writes audit rows, whatever their space.
    pub(crate) fn write_audit(&mut self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        crate::audit::write(self, entries)
    }

    /// The number of the next audit row of a space; SQLite only.
    pub(crate) fn next_audit(&mut self, space: i64) -> Result<i64, StoreError> {
        let next = match self.group.next_audit.get(&space) {
            Some(next) => *next,
            None => {
                let statement =
                    Statement::new("SELECT coalesce(max(seq), 0) + 1 FROM audit WHERE space = ").bind(space);
                let found = self
                    .sql
                    .longs(&statement)
                    .map_err(|error| self.fail("numbering the audit trail", &error))?;
                found.first().copied().unwrap_or(1)
            }
        };
        self.group.next_audit.insert(space, next + 1);
        Ok(next)
    }
}

pub(crate) fn number(version: VersionId) -> i64 {
    // Versions come from rows or by counting up from one.
    i64::try_from(version.number()).unwrap_or(i64::MAX)
}

/// A row as the vocabulary has it.
pub(crate) fn stored(row: ResourceRow) -> Result<Stored, StoreError> {
    let ((row, kind, id, version, updated, deleted, class, digest, body), kept) = row;
    let (created, created_by, updated_by, medicapp_id) = kept;
    Ok(Stored {
        row,
        target: Target {
            kind: codes::kind_of(kind).ok_or_else(|| senseless("a type"))?,
            id: Id::parse(&id).ok_or_else(|| senseless("an id"))?,
        },
        version: u64::try_from(version)
            .ok()
            .and_then(VersionId::new)
            .ok_or_else(|| senseless("a version"))?,
        updated: Timestamp::from_micros(updated),
        deleted,
        class: codes::class_of(class).ok_or_else(|| senseless("a class"))?,
        digest: Digest::try_from(digest.as_slice()).map_err(|_| senseless("a digest"))?,
        body,
        created: Timestamp::from_micros(created),
        created_by,
        updated_by,
        medicapp_id,
    })
}

fn senseless(what: &str) -> StoreError {
    StoreError::Internal(format!("{what} in the database makes no sense"))
}
