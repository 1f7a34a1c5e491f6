//! `_include` and `_revinclude`: what matches of a page refer to, and what refers to them; with `:iterate`, what that leads
//! to in its turn.

use std::collections::{BTreeMap, BTreeSet};

use fhir::Target;
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
    let mut beside = Beside {
        shown: matches.iter().map(|stored| stored.row).collect(),
        found: BTreeMap::new(),
        class,
    };
    let starts: Vec<Start> = matches.iter().map(Start::of).collect();
    let mut fresh = beside.follow(tx, &query.includes, &starts)?;
    // Nothing is a start twice, so this ends.
    while !fresh.is_empty() && !query.iterated.is_empty() && !beside.is_full() {
        fresh = beside.follow(tx, &query.iterated, &fresh)?;
    }
    let cut = beside.is_full();
    Ok(Included {
        resources: beside.found.into_values().take(MAX_INCLUDED).collect(),
        cut,
    })
}

/// From where an include goes on.
struct Start {
    row: i64,
    target: Target,
}

impl Start {
    fn of(stored: &Stored) -> Start {
        Start {
            row: stored.row,
            target: stored.target.clone(),
        }
    }
}

/// What stands beside the matches so far.
struct Beside {
    shown: BTreeSet<i64>,
    found: BTreeMap<i64, Stored>,
    class: ClassFilter,
}

impl Beside {
    /// Adds what these includes lead to, until there is too much. What is new comes back.
    fn follow(
        &mut self,
        tx: &mut Transaction<'_>,
        includes: &[Include],
        starts: &[Start],
    ) -> Result<Vec<Start>, StoreError> {
        let mut fresh = Vec::new();
        for include in includes {
            let fitting = starts.iter().filter(|start| start.target.kind == include.of());
            let fitting: Vec<&Start> = fitting.collect();
            for chunk in fitting.chunks(MATCHES_PER_LOOK) {
                // What is shown already comes back too, and what was found before.
                let limit = MAX_INCLUDED + 1 + self.shown.len();
                let statement = look(tx.space(), *include, chunk, self.class, limit);
                let rows = tx.sql.resources(&statement);
                let rows = rows.map_err(|error| tx.fail("including", &error))?;
                for row in rows {
                    let stored = transaction::stored(row)?;
                    if self.shown.contains(&stored.row) || self.found.contains_key(&stored.row) {
                        continue;
                    }
                    fresh.push(Start::of(&stored));
                    self.found.insert(stored.row, stored);
                }
                if self.is_full() {
                    return Ok(fresh);
                }
            }
        }
        Ok(fresh)
    }

    fn is_full(&self) -> bool {
        self.found.len() > MAX_INCLUDED
    }
}

/// What one include adds to some matches.
fn look(
    space: i64,
    include: Include,
    matches: &[&Start],
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

fn list(matches: &[&Start], bind: impl Fn(&Start) -> Statement<'static>) -> Statement<'static> {
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
