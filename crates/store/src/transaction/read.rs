//! [`Reader`] as SQL.

use fhir::interaction::Listing;
use fhir::query::history::History;
use fhir::query::{Criteria, Query};
use fhir::{Identifier, ResourceType, Target, VersionId};

use super::{CURRENT, SUPERSEDED, Transaction, number, senseless, stored};
use crate::api::{
    Among, ClassFilter, HistoryPage, Holder, ListPage, Page, Policy, Reader, Record, SpaceKey, Stored, Whose,
};
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
            .sql(CURRENT)
            .sql(" FROM resource AS r WHERE r.space = ")
            .bind(self.space)
            .sql(" AND r.kind = ")
            .bind(codes::kind(target.kind))
            .sql(" AND r.id = ")
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
            .sql(SUPERSEDED)
            .sql(" FROM resource_version AS v CROSS JOIN resource AS r WHERE r.space = v.space AND r.row = v.row AND v.space = ")
            .bind(self.space)
            .sql(" AND v.row = ")
            .bind(current.row)
            .sql(" AND v.version = ")
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

    fn history(
        &mut self,
        history: &History,
        whose: Whose<'_>,
        class: ClassFilter,
    ) -> Result<HistoryPage, StoreError> {
        self.page_of_history(history, whose, class)
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
        let owner = carrying(
            Statement::new("SELECT k.state, ")
                .sql(CURRENT)
                .sql(" FROM (SELECT space, row, state FROM identifier_key WHERE state = 2 AND space = "),
        );
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
            .map(|(state, version, kept)| {
                Ok(Holder {
                    state: codes::state_of(state).ok_or_else(|| senseless("a key state"))?,
                    stored: stored((version, kept))?,
                })
            })
            .collect()
    }

    fn list(&mut self, listing: &Listing) -> Result<ListPage, StoreError> {
        self.page_of_list(listing)
    }

    fn records(&mut self, stored: &Stored) -> Result<Vec<Record>, StoreError> {
        self.records_of(&[stored.row])
    }

    fn without_medicapp_id(&mut self, after: i64, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = Statement::new("SELECT ")
            .sql(CURRENT)
            .sql(" FROM resource AS r WHERE r.space = ")
            .bind(self.space)
            .sql(" AND r.kind = ")
            .bind(codes::kind(ResourceType::Patient))
            .sql(" AND NOT r.deleted AND r.medicapp_id IS NULL AND r.row > ")
            .bind(after)
            .sql(" ORDER BY r.row LIMIT 0 + ")
            .bind(limit);
        self.resources("looking for patients without an id", &statement)
    }

    fn is_empty(&mut self, stored: &Stored) -> Result<bool, StoreError> {
        if !stored.deleted || !stored.body.is_empty() {
            return Ok(false);
        }
        let statement = Statement::new(
            "SELECT CAST(1 AS BIGINT) FROM resource_version AS v WHERE (v.body <> '' OR NOT v.deleted) AND v.space = ",
        )
        .bind(self.space)
        .sql(" AND v.row = ")
        .bind(stored.row)
        .sql(" UNION ALL SELECT CAST(1 AS BIGINT) FROM medicapp_record AS m WHERE m.space = ")
        .bind(self.space)
        .sql(" AND m.row = ")
        .bind(stored.row);
        let left = self.sql.longs(&statement);
        let left = left.map_err(|error| self.fail("looking for what is left of somebody", &error))?;
        Ok(left.is_empty())
    }

    fn last_row(&mut self) -> Result<i64, StoreError> {
        self.highest_row()
    }

    fn mentioning(&mut self, texts: &[String], among: Among) -> Result<Vec<Stored>, StoreError> {
        self.holding(texts, among)
    }

    fn past(
        &mut self,
        stored: &Stored,
        after: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        self.superseded_of(stored, after, limit)
    }

    fn is_erased(&mut self, target: &Target) -> Result<bool, StoreError> {
        let statement = Statement::new("SELECT time FROM erasure WHERE space = ")
            .bind(self.space)
            .sql(" AND kind = ")
            .bind(codes::kind(target.kind))
            .sql(" AND id = ")
            .bind(target.id.as_str());
        let times = self.sql.longs(&statement);
        let times = times.map_err(|error| self.fail("looking for an erasure", &error))?;
        Ok(!times.is_empty())
    }
}
