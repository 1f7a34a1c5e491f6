//! Which versions of a space hold a text, read row by row: what an erasure looks for in what others say.

use fhir::canonical::Canonical;
use fhir::{ResourceType, VersionId};

use super::{CURRENT, SUPERSEDED, Transaction, number};
use crate::api::{Among, Stored};
use crate::codes;
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;

impl Transaction<'_> {
    pub(super) fn highest_row(&mut self) -> Result<i64, StoreError> {
        let statement =
            Statement::new("SELECT coalesce(max(row), 0) FROM resource WHERE space = ").bind(self.space);
        let rows = self.sql.longs(&statement);
        let rows = rows.map_err(|error| self.fail("looking for the last row", &error))?;
        Ok(rows.first().copied().unwrap_or_default())
    }

    pub(super) fn holding(&mut self, texts: &[String], among: Among) -> Result<Vec<Stored>, StoreError> {
        let dialect = self.sql.dialect();
        let current = Statement::new("SELECT ")
            .sql(CURRENT)
            .sql(" FROM resource AS r WHERE r.space = ")
            .bind(self.space);
        let current = holds(within(current, "r", among), dialect, "r", texts);
        let mut found = self.resources("looking for a text", &current)?;
        let superseded = Statement::new("SELECT ")
            .sql(SUPERSEDED)
            .sql(" FROM resource_version AS v CROSS JOIN resource AS r WHERE r.space = v.space AND r.row = v.row AND v.space = ")
            .bind(self.space);
        let superseded = holds(within(superseded, "v", among), dialect, "v", texts);
        found.extend(self.resources("looking for a text in what is superseded", &superseded)?);
        Ok(found)
    }

    pub(super) fn superseded_of(
        &mut self,
        stored: &Stored,
        after: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let statement = Statement::new("SELECT ")
            .sql(SUPERSEDED)
            .sql(" FROM resource_version AS v CROSS JOIN resource AS r WHERE r.space = v.space AND r.row = v.row AND v.space = ")
            .bind(self.space)
            .sql(" AND v.row = ")
            .bind(stored.row)
            .sql(" AND v.version > ")
            .bind(after.map_or(0, number))
            .sql(" ORDER BY v.version LIMIT 0 + ")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.resources("reading superseded versions", &statement)
    }

    pub(super) fn overwrite_past(&mut self, version: &Stored, content: &Canonical) -> Result<(), StoreError> {
        self.begin_change()?;
        if self.sql.dialect() == Dialect::Sqlite {
            // As of who is erased: in its place first, for what becomes shorter may move.
            let blank = Statement::new(
                "UPDATE resource_version SET body = CAST(zeroblob(length(CAST(body AS BLOB))) AS TEXT) WHERE space = ",
            )
            .bind(self.space)
            .sql(" AND row = ")
            .bind(version.row)
            .sql(" AND version = ")
            .bind(number(version.version));
            self.run("overwriting a body", &blank)?;
        }
        let body = content.body(&version.target.id, version.version, version.updated);
        let statement = Statement::new("UPDATE resource_version SET body = ")
            .bind(body)
            .sql(", digest = ")
            .bind(content.digest())
            .sql(" WHERE space = ")
            .bind(self.space)
            .sql(" AND row = ")
            .bind(version.row)
            .sql(" AND version = ")
            .bind(number(version.version));
        self.run("rewriting a superseded version", &statement).map(|_| ())
    }
}

/// Leaves the rows of a part of the space.
fn within<'t>(statement: Statement<'t>, table: &'static str, among: Among) -> Statement<'t> {
    let column =
        |statement: Statement<'t>, name: &'static str| statement.sql(" AND ").sql(table).sql(".").sql(name);
    match among {
        Among::Rows(behind, to) => {
            let statement = column(statement, "row > ").bind(behind);
            column(statement, "row <= ").bind(to)
        }
        Among::Since(time) => {
            // All types are named: the index begins with them.
            let mut statement = column(statement, "kind IN (");
            for (position, kind) in ResourceType::ALL.into_iter().enumerate() {
                statement = statement
                    .sql(if position > 0 { ", " } else { "" })
                    .bind(codes::kind(kind));
            }
            column(statement.sql(")"), "updated >= ").bind(time.micros())
        }
    }
}

/// Leaves those whose body has one of the texts.
fn holds<'t>(
    mut statement: Statement<'t>,
    dialect: Dialect,
    table: &'static str,
    texts: &'t [String],
) -> Statement<'t> {
    let function = match dialect {
        Dialect::Sqlite => "instr(",
        Dialect::Postgres => "strpos(",
    };
    statement = statement.sql(" AND NOT ").sql(table).sql(".deleted AND (FALSE");
    for text in texts {
        statement = statement
            .sql(" OR ")
            .sql(function)
            .sql(table)
            .sql(".body, ")
            .bind(text.as_str())
            .sql(") > 0");
    }
    statement.sql(")")
}
