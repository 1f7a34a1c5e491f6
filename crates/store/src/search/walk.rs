//! A sorted search of many rows: the index of the first key is walked in its order, and every clause probes on the way.
//! Then come the rows without that key.
//!
//! A page costs what it shows and what it passes over, however many rows the type has. Where a clause drives that
//! leaves few rows, they are looked up and sorted instead.

use fhir::query::param::ParamType;
use fhir::query::{Criteria, Direction, IndexParam, SearchParam, SortKey};

use super::driver::{Candidates, Scope, is_cached, is_narrow, params};
use super::test::{on_resource, table};
use crate::api::ClassFilter;
use crate::codes;
use crate::sql::Dialect;
use crate::statement::Statement;

/// What a walk takes from the index of a key.
struct Walk {
    /// SQLite names the index: its planner has no statistics here.
    sqlite: &'static str,
    postgres: &'static str,
    /// The column in whose order it goes.
    column: &'static str,
    /// Of several values of a resource one counts: this one, and of rows with the same value this one. Not `=`:
    /// PostgreSQL takes that for a condition that next to nothing meets, and plans for one row.
    least: [&'static str; 2],
    greatest: [&'static str; 2],
}

const STRINGS: Walk = Walk {
    sqlite: " FROM index_string AS c INDEXED BY index_string_by_text",
    postgres: " FROM index_string AS c",
    column: "c.folded",
    least: [
        " AND c.folded <= (SELECT min(k.folded) FROM index_string AS k WHERE k.space = ",
        " AND c.exact <= (SELECT min(k.exact) FROM index_string AS k WHERE k.folded = c.folded AND k.space = ",
    ],
    greatest: [
        " AND c.folded >= (SELECT max(k.folded) FROM index_string AS k WHERE k.space = ",
        " AND c.exact <= (SELECT min(k.exact) FROM index_string AS k WHERE k.folded = c.folded AND k.space = ",
    ],
};
const DATES: Walk = Walk {
    sqlite: " FROM index_date AS c INDEXED BY index_date_by_range",
    postgres: " FROM index_date AS c",
    column: "c.low",
    least: [
        " AND c.low <= (SELECT min(k.low) FROM index_date AS k WHERE k.space = ",
        " AND c.high <= (SELECT min(k.high) FROM index_date AS k WHERE k.low = c.low AND k.space = ",
    ],
    greatest: [
        " AND c.low >= (SELECT max(k.low) FROM index_date AS k WHERE k.space = ",
        " AND c.high <= (SELECT min(k.high) FROM index_date AS k WHERE k.low = c.low AND k.space = ",
    ],
};
const TOKENS: Walk = Walk {
    sqlite: " FROM index_token AS c INDEXED BY index_token_by_code",
    postgres: " FROM index_token AS c",
    column: "c.code",
    least: [
        " AND c.code <= (SELECT min(k.code) FROM index_token AS k WHERE k.space = ",
        " AND c.system <= (SELECT min(k.system) FROM index_token AS k WHERE k.code = c.code AND k.space = ",
    ],
    greatest: [
        " AND c.code >= (SELECT max(k.code) FROM index_token AS k WHERE k.space = ",
        " AND c.system <= (SELECT min(k.system) FROM index_token AS k WHERE k.code = c.code AND k.space = ",
    ],
};

/// How the matches of a sorted search are found.
pub(super) enum Way {
    /// They are looked up and sorted.
    Sorted,
    /// The resources are walked, whose column is the first key.
    OnResource(&'static str),
    /// An index is walked that has the first key.
    OnIndex,
}

/// The way of a search of one type.
pub(super) fn way(criteria: &Criteria, key: SortKey) -> Way {
    if is_narrow(criteria) {
        return Way::Sorted;
    }
    match (key.param, key.param.index()) {
        (SearchParam::LastUpdated, _) => Way::OnResource("r.updated"),
        (SearchParam::Id, _) => Way::OnResource("r.id"),
        // Rows of several elements lie in several places of the index.
        (_, [_]) => Way::OnIndex,
        _ => Way::Sorted,
    }
}

impl<'q> Candidates<'q> {
    /// The live resources of the type in the order of one of their columns.
    pub(super) fn on_resource(scope: Scope, criteria: &'q Criteria, column: &'static str) -> Candidates<'q> {
        let index = match (scope.dialect, column) {
            (Dialect::Sqlite, "r.updated") => {
                " FROM resource AS r INDEXED BY resource_by_time WHERE r.space = "
            }
            _ => " FROM resource AS r WHERE r.space = ",
        };
        let body = Statement::new(index)
            .bind(scope.space)
            .sql(" AND r.kind = ")
            .bind(scope.kind())
            .sql(" AND NOT r.deleted");
        probed(scope, criteria, body, "r.row", Some(column))
    }

    /// The resources that have the key, in its order.
    pub(super) fn walking(scope: Scope, criteria: &'q Criteria, key: SortKey) -> Candidates<'q> {
        let walk = match key.param.definition().kind {
            ParamType::String => &STRINGS,
            ParamType::Date => &DATES,
            ParamType::Token | ParamType::Uri | ParamType::Reference => &TOKENS,
        };
        let mut body = Statement::new(match scope.dialect {
            Dialect::Sqlite => walk.sqlite,
            Dialect::Postgres => walk.postgres,
        });
        let with_resource = matches!(scope.class, ClassFilter::Only(_))
            || criteria
                .clauses
                .iter()
                .any(|clause| clause.param.index().is_empty());
        body = if with_resource {
            body.sql(" CROSS JOIN resource AS r WHERE r.space = ")
                .bind(scope.space)
                .sql(" AND r.row = c.row AND c.space = ")
        } else {
            body.sql(" WHERE c.space = ")
        };
        body = body
            .bind(scope.space)
            .sql(" AND c.kind = ")
            .bind(scope.kind())
            .sql(" AND c.")
            .then(params(key.param.index()));
        // A person is born and dies once.
        let single = matches!(key.param.index(), [IndexParam::Birthdate | IndexParam::DeathDate]);
        if !single {
            let one = match key.direction {
                Direction::Ascending => walk.least,
                Direction::Descending => walk.greatest,
            };
            for text in one {
                body = body
                    .sql(text)
                    .bind(scope.space)
                    .sql(" AND k.row = c.row AND k.")
                    .then(params(key.param.index()))
                    .sql(")");
            }
        }
        probed(scope, criteria, body, "c.row", Some(walk.column))
    }

    /// The resources without the key, in order of creation.
    pub(super) fn without(scope: Scope, criteria: &'q Criteria, key: SortKey) -> Candidates<'q> {
        let body = Statement::new(" FROM resource AS r WHERE r.space = ")
            .bind(scope.space)
            .sql(" AND r.kind = ")
            .bind(scope.kind())
            .sql(" AND NOT r.deleted AND NOT EXISTS (SELECT 1 FROM ")
            .sql(table(key.param).name())
            .sql(" AS x WHERE x.space = ")
            .bind(scope.space)
            .sql(" AND x.row = r.row AND x.")
            .then(params(key.param.index()))
            .sql(")");
        probed(scope, criteria, body, "r.row", None)
    }
}

fn probed<'q>(
    scope: Scope,
    criteria: &'q Criteria,
    mut body: Statement<'q>,
    row: &'static str,
    first: Option<&'static str>,
) -> Candidates<'q> {
    if let ClassFilter::Only(class) = scope.class {
        body = body.sql(" AND r.class = ").bind(codes::class(class));
    }
    for clause in &criteria.clauses {
        body = body.sql(" AND ").then(if clause.param.index().is_empty() {
            on_resource(clause)
        } else {
            scope.probe(clause, row)
        });
    }
    Candidates {
        body,
        row,
        first,
        cached: is_cached(&criteria.clauses),
    }
}
