//! [`Writer`] as SQL.

use fhir::canonical::{Canonical, Digest};
use fhir::{Id, ResourceType, Target, VersionId};

use super::read::Lock;
use super::{Savepoint, Transaction, number};
use crate::api::{AllocatedId, NewResource, Record, Stored, Trace, Writer};
use crate::audit::AuditEntry;
use crate::codes;
use crate::entries::{self, Entries, Owner};
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;

impl Writer for Transaction<'_> {
    fn get_for_update(&mut self, target: &Target) -> Result<Option<Stored>, StoreError> {
        self.find(target, Lock::Update)
    }

    fn insert(&mut self, id: &Id, new: &NewResource, author: &str) -> Result<Option<Stored>, StoreError> {
        self.begin_change()?;
        let kind = new.canonical.kind();
        let updated = self.time_after(None)?;
        let mut stored = Stored {
            row: 0,
            target: Target { kind, id: id.clone() },
            version: VersionId::FIRST,
            updated,
            deleted: false,
            class: new.class,
            digest: *new.canonical.digest(),
            body: new.canonical.body(id, VersionId::FIRST, updated),
            created: updated,
            created_by: author.to_owned(),
            updated_by: author.to_owned(),
            medicapp_id: new.medicapp_id.clone(),
        };
        let Some(row) = self.insert_row(&stored, new)? else {
            return Ok(None);
        };
        stored.row = row;
        Ok(Some(stored))
    }

    fn replace(&mut self, current: &Stored, new: &NewResource, author: &str) -> Result<Stored, StoreError> {
        self.begin_change()?;
        self.supersede(current)?;
        let updated = self.time_after(Some(current.updated))?;
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
            created: current.created,
            created_by: current.created_by.clone(),
            updated_by: author.to_owned(),
            medicapp_id: new.medicapp_id.clone(),
        };
        self.overwrite(current, &next, new.replaced)?;
        let owner = self.owner(current.target.kind, current.row);
        entries::change(self.sql, owner, &Entries::of(new))
            .map_err(|error| self.fail("changing the index", &error))?;
        Ok(next)
    }

    fn remove(&mut self, current: &Stored, author: &str) -> Result<Stored, StoreError> {
        self.begin_change()?;
        self.supersede(current)?;
        let next = self.deletion(current, author)?;
        self.overwrite(current, &next, false)?;
        let owner = self.owner(current.target.kind, current.row);
        entries::clear(self.sql, owner).map_err(|error| self.fail("clearing the index", &error))?;
        Ok(next)
    }

    fn erase(&mut self, current: &Stored, trace: &Trace<'_>) -> Result<Stored, StoreError> {
        self.erase_all(current, trace)
    }

    fn bury(&mut self, target: &Target, trace: &Trace<'_>) -> Result<Option<Stored>, StoreError> {
        self.bury_unknown(target, trace)
    }

    fn rewrite_past(&mut self, version: &Stored, content: &Canonical) -> Result<(), StoreError> {
        self.overwrite_past(version, content)
    }

    fn give_medicapp_ids(&mut self, given: &[AllocatedId]) -> Result<u64, StoreError> {
        self.give_ids(given)
    }

    fn put_record(&mut self, record: &Record) -> Result<(), StoreError> {
        self.begin_change()?;
        let statement =
            Statement::new("INSERT INTO medicapp_record (space, row, id, created, status) VALUES (")
                .bind(self.space)
                .sql(", ")
                .bind(record.row)
                .sql(", ")
                .bind(record.id.as_str())
                .sql(", ")
                .bind(record.created.micros())
                .sql(", ")
                .bind(record.status.as_str())
                .sql(") ON CONFLICT (space, id) DO UPDATE SET status = excluded.status");
        self.run("attaching a record", &statement).map(|_| ())
    }

    fn audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        if self.savepoint == Savepoint::None {
            return self.write_audit(std::slice::from_ref(entry));
        }
        self.group.audit.push(entry.clone());
        Ok(())
    }
}

impl Transaction<'_> {
    /// The row of a new resource with its index and keys; `None`: the id is in use.
    fn insert_row(&mut self, stored: &Stored, new: &NewResource) -> Result<Option<i64>, StoreError> {
        let entries = &Entries::of(new);
        let kind = stored.target.kind;
        let insertion = self.insertion(stored, new.replaced);
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

    fn insertion<'a>(&self, stored: &'a Stored, replaced: bool) -> Statement<'a> {
        Statement::new(
            "INSERT INTO resource (space, kind, id, version, updated, deleted, class, digest, body, \
             created, created_by, updated_by, medicapp_id, replaced) VALUES (",
        )
        .bind(self.space)
        .sql(", ")
        .bind(codes::kind(stored.target.kind))
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
        .sql(", ")
        .bind(stored.created.micros())
        .sql(", ")
        .bind(stored.created_by.as_str())
        .sql(", ")
        .bind(stored.updated_by.as_str())
        .sql(", ")
        .bind(stored.medicapp_id.as_deref())
        .sql(", ")
        .bind(replaced)
        .sql(") ON CONFLICT (space, kind, id) DO NOTHING RETURNING row")
    }

    /// The row of a deletion that nothing came before; `None`: the id is in use.
    pub(super) fn insert_tombstone(&mut self, stored: &Stored) -> Result<Option<i64>, StoreError> {
        let statement = self.insertion(stored, false);
        let rows = self.sql.longs(&statement);
        let mut rows = rows.map_err(|error| self.fail("writing a tombstone", &error))?;
        Ok(rows.pop())
    }

    /// Copies the current version into the history. No row: it is not current any more.
    pub(super) fn supersede(&mut self, current: &Stored) -> Result<(), StoreError> {
        let statement = Statement::new(
            "INSERT INTO resource_version \
             (space, row, version, kind, id, updated, deleted, class, digest, body, updated_by) \
             SELECT space, row, version, kind, id, updated, deleted, class, digest, body, updated_by \
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

    pub(super) fn overwrite(
        &mut self,
        current: &Stored,
        next: &Stored,
        replaced: bool,
    ) -> Result<(), StoreError> {
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
            .sql(", updated_by = ")
            .bind(next.updated_by.as_str())
            .sql(", medicapp_id = ")
            .bind(next.medicapp_id.as_deref())
            .sql(", replaced = ")
            .bind(replaced)
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

    /// The version after `current` that is a deletion.
    pub(super) fn deletion(&mut self, current: &Stored, author: &str) -> Result<Stored, StoreError> {
        Ok(Stored {
            version: current.version.next(),
            updated: self.time_after(Some(current.updated))?,
            deleted: true,
            digest: Digest::default(),
            body: String::new(),
            updated_by: author.to_owned(),
            ..current.clone()
        })
    }

    pub(crate) fn owner(&self, kind: ResourceType, row: i64) -> Owner {
        Owner {
            space: self.space,
            kind,
            row,
        }
    }
}
