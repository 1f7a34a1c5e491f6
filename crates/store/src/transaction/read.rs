//! [`Reader`] as SQL.

use fhir::query::{Criteria, Query};
use fhir::{Identifier, ResourceType, Target, VersionId};

use super::{COLUMNS, Transaction, number, senseless, stored};
use crate::api::{ClassFilter, Holder, Page, Policy, Reader, SpaceKey, Stored};
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::{codes, entries, search};

#[derive(Clone, Copy)]
pub(super) enum Lock {
    None,
    Update,
}

impl Transaction<'_> {
    pub(super) fn find(&mut self, target: &Target, lock: Lock) -> Result<Option<Stored>, StoreError> {
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
