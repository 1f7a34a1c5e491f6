//! `_include` and `_revinclude`: what matches of a page refer to, and what refers to them.

use std::collections::{BTreeMap, BTreeSet};

use fhir::limits::MAX_INCLUDED;
use fhir::query::{Include, Query};

use super::LIMIT;
use super::chain::to;
use crate::api::{ClassFilter, Included, Stored};
use crate::codes;
use crate::error::StoreError;
use crate::statement::Statement;
use crate::transaction::{self, Transaction};

/// Matches of one statement. Always so many, the last repeated: one text serves.
const MATCHES_PER_LOOK: usize = 20;

/// Everything that the query asks for beside these matches.
pub(super) fn included(
    tx: &mut Transaction<'_>,
    query: &Query,
    matches: &[Stored],
    class: ClassFilter,
) -> Result<Included, StoreError> {
    let shown: BTreeSet<i64> = matches.iter().map(|stored| stored.row).collect();
    let mut found: BTreeMap<i64, Stored> = BTreeMap::new();
    for include in &query.includes {
        let starts: Vec<&Stored> = matches
            .iter()
            .filter(|stored| stored.target.kind == include.of())
            .collect();
        for chunk in starts.chunks(MATCHES_PER_LOOK) {
            // What is shown already comes back too, and what was found before.
            let limit = MAX_INCLUDED + 1 + shown.len();
            let statement = look(tx.space(), *include, chunk, class, limit);
            let rows = tx.sql.resources(&statement);
            let rows = rows.map_err(|error| tx.fail("including", &error))?;
            for row in rows {
                let stored = transaction::stored(row)?;
                if !shown.contains(&stored.row) {
                    found.insert(stored.row, stored);
                }
            }
            if found.len() > MAX_INCLUDED {
                let resources = found.into_values().take(MAX_INCLUDED).collect();
                return Ok(Included { resources, cut: true });
            }
        }
    }
    Ok(Included {
        resources: found.into_values().collect(),
        cut: false,
    })
}

/// What one include adds to some matches.
fn look(
    space: i64,
    include: Include,
    matches: &[&Stored],
    class: ClassFilter,
    limit: usize,
) -> Statement<'static> {
    let mut statement = Statement::new("SELECT ").sql(transaction::CURRENT);
    statement = match include {
        Include::Referred(param) => statement
            .sql(" FROM (SELECT DISTINCT f.target AS id FROM index_reference AS f WHERE f.space = ")
            .bind(space)
            .sql(" AND ")
            .then(to(param, "f"))
            .sql(" AND f.row IN (")
            .then(list(matches, |stored| Statement::new("").bind(stored.row)))
            .sql(")) AS named CROSS JOIN resource AS r WHERE r.space = ")
            .bind(space)
            .sql(" AND r.kind = ")
            .bind(codes::kind(include.kind()))
            .sql(" AND r.id = named.id AND NOT r.deleted"),
        Include::Referring(param) => statement
            .sql(" FROM (SELECT DISTINCT f.row FROM index_reference AS f WHERE f.space = ")
            .bind(space)
            .sql(" AND f.kind = ")
            .bind(codes::kind(include.kind()))
            .sql(" AND ")
            .then(to(param, "f"))
            .sql(" AND f.target IN (")
            .then(list(matches, |stored| {
                Statement::new("").bind(stored.target.id.as_str().to_owned())
            }))
            .sql(")) AS named CROSS JOIN resource AS r WHERE r.space = ")
            .bind(space)
            .sql(" AND r.row = named.row AND NOT r.deleted"),
    };
    if let ClassFilter::Only(class) = class {
        statement = statement.sql(" AND r.class = ").bind(codes::class(class));
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.sql(" ORDER BY r.row").sql(LIMIT).bind(limit)
}

fn list(matches: &[&Stored], bind: impl Fn(&Stored) -> Statement<'static>) -> Statement<'static> {
    let mut list = Statement::new("");
    let Some(last) = matches.last() else {
        return Statement::new("NULL");
    };
    for position in 0..MATCHES_PER_LOOK {
        if position > 0 {
            list.push(", ");
        }
        list = list.then(bind(matches.get(position).unwrap_or(last)));
    }
    list
}
