//! Ids for the Medicapp doors, given to many Patients at once: a space that is bound to such a door may hold a million.

use std::borrow::Cow;

use fhir::ResourceType;
use fhir::index::IndexRows;

use super::Transaction;
use crate::api::AllocatedId;
use crate::codes;
use crate::entries::{self, Entries, key_text};
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;

impl Transaction<'_> {
    /// Gives each its id, unless it has one by now or is deleted. How many got theirs.
    pub(super) fn give_ids(&mut self, given: &[AllocatedId]) -> Result<u64, StoreError> {
        self.begin_change()?;
        match self.sql.dialect() {
            Dialect::Sqlite => self.give_ids_singly(given),
            Dialect::Postgres => self.give_ids_together(given),
        }
    }

    fn give_ids_singly(&mut self, given: &[AllocatedId]) -> Result<u64, StoreError> {
        let mut done = 0;
        for one in given {
            let statement = Statement::new("UPDATE resource SET medicapp_id = ")
                .bind(one.id.as_str())
                .sql(" WHERE space = ")
                .bind(self.space)
                .sql(" AND row = ")
                .bind(one.row)
                .sql(" AND kind = ")
                .bind(codes::kind(ResourceType::Patient))
                .sql(" AND NOT deleted AND medicapp_id IS NULL");
            if self.run("giving an id", &statement)? == 1 {
                let index = IndexRows {
                    tokens: vec![one.token.clone()],
                    ..IndexRows::default()
                };
                let owner = self.owner(ResourceType::Patient, one.row);
                let rows = Entries::of_parts(&index, std::slice::from_ref(&one.key));
                entries::insert(self.sql, owner, &rows)
                    .map_err(|error| self.fail("writing the index", &error))?;
                done += 1;
            }
        }
        Ok(done)
    }

    /// One round trip for all of them.
    fn give_ids_together(&mut self, given: &[AllocatedId]) -> Result<u64, StoreError> {
        let Some(AllocatedId { token, key, .. }) = given.first() else {
            return Ok(0);
        };
        let rows: Vec<i64> = given.iter().map(|one| one.row).collect();
        let texts = |text: fn(&AllocatedId) -> Cow<'_, str>| -> Vec<Cow<'_, str>> {
            given.iter().map(text).collect()
        };
        let kind = codes::kind(ResourceType::Patient);
        let statement = Statement::new("WITH given (row, id, code, value) AS (SELECT * FROM unnest(")
            .bind(rows)
            .sql(", ")
            .bind(texts(|one| Cow::Borrowed(&one.id)))
            .sql(", ")
            .bind(texts(|one| Cow::Borrowed(&one.token.code)))
            .sql(", ")
            .bind(texts(|one| key_text(&one.key.identifier.value)))
            .sql(")), owner AS (UPDATE resource AS r SET medicapp_id = given.id FROM given WHERE r.space = ")
            .bind(self.space)
            .sql(" AND r.row = given.row AND r.kind = ")
            .bind(kind)
            .sql(" AND NOT r.deleted AND r.medicapp_id IS NULL RETURNING r.row, given.code, given.value)")
            .sql(", t AS (INSERT INTO index_token (space, row, kind, param, system, code) SELECT ")
            .bind(self.space)
            .sql(", owner.row, ")
            .bind(kind)
            .sql(", ")
            .bind(token.param.number())
            .sql(", ")
            .bind(token.system.as_str())
            .sql(", owner.code FROM owner ON CONFLICT DO NOTHING)")
            .sql(
                ", k AS (INSERT INTO identifier_key (space, row, kind, policy, system, value, state) SELECT ",
            )
            .bind(self.space)
            .sql(", owner.row, ")
            .bind(kind)
            .sql(", ")
            .bind(codes::policy(key.policy))
            .sql(", ")
            .bind(key_text(&key.identifier.system))
            .sql(", owner.value, ")
            .bind(codes::state(key.state))
            .sql(" FROM owner) SELECT count(*) FROM owner");
        let done = self.sql.longs(&statement);
        let done = done.map_err(|error| self.fail("giving ids", &error))?;
        let count = done.first().copied().unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
