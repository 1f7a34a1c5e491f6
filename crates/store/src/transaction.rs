//! One transaction of one space: the reads and writes of [`Reader`] and [`Writer`] as SQL.

use std::collections::HashMap;
use std::sync::OnceLock;

use diesel::result::Error as DieselError;
use fhir::canonical::Digest;
use fhir::query::{Criteria, Query};
use fhir::{Id, Identifier, ResourceType, Target, Timestamp, VersionId};

use crate::api::{ClassFilter, Holder, NewResource, Page, Policy, Reader, SpaceKey, Stored, Writer};
use crate::audit::AuditEntry;
use crate::clock::Clock;
use crate::entries::{self, Entries, Owner};
use crate::error::{StoreError, classify};
use crate::settings;
use crate::sql::{Dialect, ResourceRow, Sql};
use crate::statement::Statement;
use crate::{codes, search};

/// What every transaction of a store shares.
pub(crate) struct Context {
    pub(crate) clock: std::sync::Arc<dyn Clock>,
    /// The key of the cursors, once it has been read.
    pub(crate) cursor_key: OnceLock<[u8; 32]>,
}

/// What the transactions of one commit share (SQLite), so that times and audit numbers go on rising.
#[derive(Default)]
pub(crate) struct Group {
    /// The latest time given so far, microseconds. Survives the group.
    pub(crate) latest: i64,
    /// The next audit number by space, once read in this group.
    pub(crate) next_audit: HashMap<i64, i64>,
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
    /// The first statement that failed. What follows on it cannot be committed.
    failed: Option<StoreError>,
    /// Whether running again may succeed.
    again: bool,
}

/// The columns of a [`ResourceRow`].
pub(crate) const COLUMNS: &str = "row, kind, id, version, updated, deleted, class, digest, body";

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
            group,
            savepoint: Savepoint::None,
            failed: None,
            again: false,
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
        if open {
            self.savepoint = Savepoint::Pending;
            // The numbers given since the savepoint are free again.
            self.group.next_audit.clear();
            self.run("undoing a write", &Statement::new("ROLLBACK TO one"))?;
            self.run("undoing a write", &Statement::new("RELEASE one"))?;
        }
        Ok(())
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
    fn time_after(&mut self, previous: Option<Timestamp>) -> Timestamp {
        let now = self.context.clock.now().micros();
        let least = previous.map_or(i64::MIN, |time| time.micros().saturating_add(1));
        let time = now.max(least).max(self.group.latest);
        // Only a commit order makes times comparable across resources: PostgreSQL has none to offer.
        if self.sql.dialect() == Dialect::Sqlite {
            self.group.latest = time;
        }
        Timestamp::from_micros(time)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.context.clock.now()
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

    /// The plan of a match.
    pub(crate) fn explain(&mut self, criteria: &Criteria) -> Result<Vec<String>, StoreError> {
        let dialect = self.sql.dialect();
        let matching = search::matches(dialect, SpaceKey(self.space), criteria, ClassFilter::Any, 2);
        match dialect {
            Dialect::Sqlite => {
                let statement = Statement::new("EXPLAIN QUERY PLAN ").then(matching);
                let steps = self.sql.plan_steps(&statement);
                let steps = steps.map_err(|error| self.fail("explaining", &error))?;
                Ok(steps.into_iter().map(|(_, _, _, step)| step).collect())
            }
            Dialect::Postgres => {
                let statement = Statement::new("EXPLAIN ").then(matching).uncached();
                let lines = self.sql.texts(&statement);
                lines.map_err(|error| self.fail("explaining", &error))
            }
        }
    }

    fn find(&mut self, target: &Target, lock: Lock) -> Result<Option<Stored>, StoreError> {
        let text = match (lock, self.sql.dialect()) {
            (Lock::Update, Dialect::Postgres) => " FOR UPDATE",
            (Lock::Update, Dialect::Sqlite) | (Lock::None, _) => "",
        };
        let statement = Statement::new("SELECT ")
            .sql(COLUMNS)
            .sql(" FROM resource WHERE space = ")
            .bind(self.space)
            .sql(" AND kind = ")
            .bind(codes::kind(target.kind))
            .sql(" AND id = ")
            .bind(target.id.as_str())
            .sql(text);
        Ok(self.resources("reading a resource", &statement)?.pop())
    }

    /// Copies the current version into the history. No row: it is not current any more.
    fn supersede(&mut self, current: &Stored) -> Result<(), StoreError> {
        let statement = Statement::new(
            "INSERT INTO resource_version \
             (space, row, version, kind, id, updated, deleted, class, digest, body) \
             SELECT space, row, version, kind, id, updated, deleted, class, digest, body \
             FROM resource WHERE space = ",
        )
        .bind(self.space)
        .sql(" AND row = ")
        .bind(current.row)
        .sql(" AND version = ")
        .bind(number(current.version));
        match self.run("keeping the old version", &statement)? {
            1 => Ok(()),
            _ => Err(self.clash("keeping the old version")),
        }
    }

    fn overwrite(&mut self, current: &Stored, next: &Stored) -> Result<(), StoreError> {
        let statement = Statement::new("UPDATE resource SET version = ")
            .bind(number(next.version))
            .sql(", updated = ")
            .bind(next.updated.micros())
            .sql(", deleted = ")
            .bind(next.deleted)
            .sql(", digest = ")
            .bind(&next.digest)
            .sql(", body = ")
            .bind(next.body.as_str())
            .sql(" WHERE space = ")
            .bind(self.space)
            .sql(" AND row = ")
            .bind(current.row)
            .sql(" AND version = ")
            .bind(number(current.version));
        match self.run("writing a version", &statement)? {
            1 => Ok(()),
            _ => Err(self.clash("writing a version")),
        }
    }

    fn owner(&self, kind: ResourceType, row: i64) -> Owner {
        Owner {
            space: self.space,
            kind,
            row,
        }
    }
}

#[derive(Clone, Copy)]
enum Lock {
    None,
    Update,
}

impl Reader for Transaction<'_> {
    fn get(&mut self, target: &Target) -> Result<Option<Stored>, StoreError> {
        self.find(target, Lock::None)
    }

    fn version(&mut self, target: &Target, version: VersionId) -> Result<Option<Stored>, StoreError> {
        let Some(current) = self.find(target, Lock::None)? else {
            return Ok(None);
        };
        if current.version == version {
            return Ok(Some(current));
        }
        let statement = Statement::new("SELECT ")
            .sql(COLUMNS)
            .sql(" FROM resource_version WHERE space = ")
            .bind(self.space)
            .sql(" AND row = ")
            .bind(current.row)
            .sql(" AND version = ")
            .bind(number(version));
        Ok(self.resources("reading a version", &statement)?.pop())
    }

    fn matches(
        &mut self,
        criteria: &Criteria,
        class: ClassFilter,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let statement = search::matches(self.sql.dialect(), SpaceKey(self.space), criteria, class, limit);
        self.resources("matching", &statement)
    }

    fn search(&mut self, query: &Query, class: ClassFilter) -> Result<Page, StoreError> {
        search::page(self, query, class)
    }

    fn holders(
        &mut self,
        kind: ResourceType,
        policy: Policy,
        identifier: &Identifier,
    ) -> Result<Vec<Holder>, StoreError> {
        // Owners and others stand in an index each. CROSS JOIN: SQLite keeps this order.
        let carrying = |statement: Statement<'static>| {
            statement
                .bind(self.space)
                .sql(" AND kind = ")
                .bind(codes::kind(kind))
                .sql(" AND policy = ")
                .bind(codes::policy(policy))
                .sql(" AND system = ")
                .bind(entries::key_text(&identifier.system).into_owned())
                .sql(" AND value = ")
                .bind(entries::key_text(&identifier.value).into_owned())
        };
        let owner = carrying(Statement::new(
            "SELECT k.state, r.row, r.kind, r.id, r.version, r.updated, r.deleted, r.class, r.digest, r.body \
             FROM (SELECT space, row, state FROM identifier_key WHERE state = 2 AND space = ",
        ));
        let statement = carrying(
            owner
                .sql(" UNION ALL SELECT space, row, state FROM identifier_key WHERE state <> 2 AND space = "),
        )
        .sql(
            ") AS k CROSS JOIN resource AS r WHERE r.space = k.space AND r.row = k.row AND NOT r.deleted \
             ORDER BY k.state DESC, r.updated DESC, r.row DESC",
        );
        let rows = self
            .sql
            .holders(&statement)
            .map_err(|error| self.fail("reading the holders of an identifier", &error))?;
        rows.into_iter()
            .map(
                |(state, row, kind, id, version, updated, deleted, class, digest, body)| {
                    Ok(Holder {
                        state: codes::state_of(state).ok_or_else(|| senseless("a key state"))?,
                        stored: stored((row, kind, id, version, updated, deleted, class, digest, body))?,
                    })
                },
            )
            .collect()
    }
}

impl Writer for Transaction<'_> {
    fn get_for_update(&mut self, target: &Target) -> Result<Option<Stored>, StoreError> {
        self.find(target, Lock::Update)
    }

    fn insert(&mut self, id: &Id, new: &NewResource) -> Result<Option<Stored>, StoreError> {
        self.begin_change()?;
        let kind = new.canonical.kind();
        let updated = self.time_after(None);
        let mut stored = Stored {
            row: 0,
            target: Target { kind, id: id.clone() },
            version: VersionId::FIRST,
            updated,
            deleted: false,
            class: new.class,
            digest: *new.canonical.digest(),
            body: new.canonical.body(id, VersionId::FIRST, updated),
        };
        let entries = Entries::of(new);
        let Some(row) = self.insert_row(&stored, &entries)? else {
            return Ok(None);
        };
        stored.row = row;
        Ok(Some(stored))
    }

    fn replace(&mut self, current: &Stored, new: &NewResource) -> Result<Stored, StoreError> {
        self.begin_change()?;
        self.supersede(current)?;
        let updated = self.time_after(Some(current.updated));
        let version = current.version.next();
        let next = Stored {
            row: current.row,
            target: current.target.clone(),
            version,
            updated,
            deleted: false,
            class: current.class,
            digest: *new.canonical.digest(),
            body: new.canonical.body(&current.target.id, version, updated),
        };
        self.overwrite(current, &next)?;
        let owner = self.owner(current.target.kind, current.row);
        entries::change(self.sql, owner, &Entries::of(new))
            .map_err(|error| self.fail("changing the index", &error))?;
        Ok(next)
    }

    fn remove(&mut self, current: &Stored) -> Result<Stored, StoreError> {
        self.begin_change()?;
        self.supersede(current)?;
        let next = Stored {
            row: current.row,
            target: current.target.clone(),
            version: current.version.next(),
            updated: self.time_after(Some(current.updated)),
            deleted: true,
            class: current.class,
            digest: Digest::default(),
            body: String::new(),
        };
        self.overwrite(current, &next)?;
        let owner = self.owner(current.target.kind, current.row);
        entries::clear(self.sql, owner).map_err(|error| self.fail("clearing the index", &error))?;
        Ok(next)
    }

    fn audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.begin_change()?;
        self.write_audit(std::slice::from_ref(entry))
    }
}

impl Transaction<'_> {
    /// The row of a new resource with its index and keys; `None`: the id is in use.
    fn insert_row(&mut self, stored: &Stored, entries: &Entries<'_>) -> Result<Option<i64>, StoreError> {
        let kind = stored.target.kind;
        let insertion = Statement::new(
            "INSERT INTO resource (space, kind, id, version, updated, deleted, class, digest, body) VALUES (",
        )
        .bind(self.space)
        .sql(", ")
        .bind(codes::kind(kind))
        .sql(", ")
        .bind(stored.target.id.as_str())
        .sql(", ")
        .bind(number(stored.version))
        .sql(", ")
        .bind(stored.updated.micros())
        .sql(", ")
        .bind(stored.deleted)
        .sql(", ")
        .bind(codes::class(stored.class))
        .sql(", ")
        .bind(&stored.digest)
        .sql(", ")
        .bind(stored.body.as_str())
        .sql(") ON CONFLICT (space, kind, id) DO NOTHING RETURNING row");
        let statement = match self.sql.dialect() {
            Dialect::Sqlite => insertion,
            // One round trip for everything.
            Dialect::Postgres => Statement::new("WITH owner AS (")
                .then(insertion)
                .sql(")")
                .then(entries::array_inserts(self.space, kind, entries))
                .sql(" SELECT row FROM owner"),
        };
        let row = self
            .sql
            .longs(&statement)
            .map_err(|error| self.fail("writing a resource", &error))?
            .pop();
        if let (Some(row), Dialect::Sqlite) = (row, self.sql.dialect()) {
            let owner = self.owner(kind, row);
            entries::insert(self.sql, owner, entries)
                .map_err(|error| self.fail("writing the index", &error))?;
        }
        Ok(row)
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
    let (row, kind, id, version, updated, deleted, class, digest, body) = row;
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
    })
}

fn senseless(what: &str) -> StoreError {
    StoreError::Internal(format!("{what} in the database makes no sense"))
}
