//! `_sort`: the value of a key is looked up in the index rows of a candidate, the least or the greatest of them.

use fhir::query::param::ParamType;
use fhir::query::{Direction, SearchParam, SortKey};

use super::driver::params;
use crate::cursor::Place;
use crate::statement::Statement;

/// A column of the sorted rows, and how it stands in an order.
struct Column {
    name: &'static str,
    selected: &'static str,
    ascending: &'static str,
    descending: &'static str,
    of_page_ascending: &'static str,
    of_page_descending: &'static str,
}

macro_rules! columns {
    ($($name:literal),*) => {
        [$(Column {
            name: concat!("p.", $name),
            selected: concat!(" AS ", $name),
            ascending: concat!("p.", $name, " NULLS LAST, "),
            descending: concat!("p.", $name, " DESC NULLS FIRST, "),
            of_page_ascending: concat!("page.", $name, " NULLS LAST, "),
            of_page_descending: concat!("page.", $name, " DESC NULLS FIRST, "),
        }),*]
    };
}

/// Enough for [`fhir::limits::MAX_SORT_KEYS`].
const COLUMNS: [Column; 4] = columns!["k0", "k1", "k2", "k3"];

/// Each key with its column.
fn with_columns(sort: &[SortKey]) -> impl Iterator<Item = (SortKey, &'static Column)> {
    sort.iter().copied().zip(&COLUMNS)
}

/// The order of a page, when it is read the way it is shown or against it.
pub(super) fn way(key: SortKey, place: Option<&Place>) -> Direction {
    match place {
        Some(place) if place.backward => key.direction.reversed(),
        _ => key.direction,
    }
}

/// `, … AS k0, … AS k1`: the keys of a row.
pub(super) fn selected(space: i64, sort: &[SortKey], row: &'static str) -> Statement<'static> {
    let mut keys = Statement::new("");
    for (key, column) in with_columns(sort) {
        keys = keys
            .sql(", ")
            .then(value(space, key, Statement::new(row)))
            .sql(column.selected);
    }
    keys
}

/// `k0 …, k1 …, `: the keys in an order, of `p` or of `page`.
pub(super) fn ordered(sort: &[SortKey], place: Option<&Place>, of_page: bool) -> Statement<'static> {
    let mut order = Statement::new("");
    for (key, column) in with_columns(sort) {
        order.push(match (way(key, place), of_page) {
            (Direction::Ascending, false) => column.ascending,
            (Direction::Descending, false) => column.descending,
            (Direction::Ascending, true) => column.of_page_ascending,
            (Direction::Descending, true) => column.of_page_descending,
        });
    }
    order
}

/// What lies behind a place, in the order in which the page is read.
pub(super) fn behind(sort: &[SortKey], place: &Place) -> Statement<'static> {
    let mut condition = Statement::new("");
    let mut open = 0;
    for ((key, column), value) in with_columns(sort).zip(&place.keys) {
        let name = column.name;
        let direction = way(key, Some(place));
        match (direction, value) {
            // Missing values stand above everything.
            (Direction::Ascending, Some(value)) => {
                condition = condition.sql("(").sql(name).sql(" > ").then(bound(key, value));
                condition = condition.sql(" OR ").sql(name).sql(" IS NULL OR (").sql(name);
                condition = condition.sql(" = ").then(bound(key, value)).sql(" AND ");
            }
            (Direction::Descending, Some(value)) => {
                condition = condition.sql("(").sql(name).sql(" < ").then(bound(key, value));
                condition = condition
                    .sql(" OR (")
                    .sql(name)
                    .sql(" = ")
                    .then(bound(key, value))
                    .sql(" AND ");
            }
            (Direction::Ascending, None) => condition = condition.sql("((").sql(name).sql(" IS NULL AND "),
            (Direction::Descending, None) => {
                condition = condition
                    .sql("(")
                    .sql(name)
                    .sql(" IS NOT NULL OR (")
                    .sql(name)
                    .sql(" IS NULL AND ");
            }
        }
        open += 1;
    }
    condition.push(if place.backward { "p.row < " } else { "p.row > " });
    condition.push_bind(place.row);
    for _ in 0..open {
        condition.push("))");
    }
    condition
}

/// The keys of one row, as texts: `=` and the value, or `-` for none; in their order.
pub(super) fn keys_of(space: i64, sort: &[SortKey], row: i64) -> Statement<'static> {
    let mut keys = Statement::new("SELECT keys.value FROM (");
    for (position, key) in (0i64..).zip(sort.iter().copied()) {
        keys.push(if position == 0 {
            "SELECT 0 + "
        } else {
            " UNION ALL SELECT 0 + "
        });
        keys.push_bind(position);
        let row = Statement::new("0 + ").bind(row);
        keys = keys
            .sql(" AS position, coalesce('=' || CAST(")
            .then(value(space, key, row))
            .sql(" AS TEXT), '-') AS value");
    }
    keys.sql(") AS keys ORDER BY keys.position")
}

/// A text of [`keys_of`] as a cursor holds it.
pub(super) fn key(text: &str) -> Option<String> {
    text.strip_prefix('=').map(str::to_owned)
}

fn bound(key: SortKey, value: &str) -> Statement<'static> {
    let bound = Statement::new("");
    match (key.param.definition().kind, value.parse::<i64>()) {
        (ParamType::Date, Ok(time)) => bound.bind(time),
        _ => bound.bind(value.to_owned()),
    }
}

/// The value of a key, as a subquery.
fn value(space: i64, key: SortKey, row: Statement<'static>) -> Statement<'static> {
    let ascending = key.direction == Direction::Ascending;
    let of_resource = match key.param {
        SearchParam::Id => Some("(SELECT k.id FROM resource AS k WHERE k.space = "),
        SearchParam::LastUpdated => Some("(SELECT k.updated FROM resource AS k WHERE k.space = "),
        _ => None,
    };
    if let Some(text) = of_resource {
        return Statement::new(text)
            .bind(space)
            .sql(" AND k.row = ")
            .then(row)
            .sql(")");
    }
    let text = match (key.param.definition().kind, ascending) {
        (ParamType::String, true) => "(SELECT min(k.folded) FROM index_string AS k WHERE k.space = ",
        (ParamType::String, false) => "(SELECT max(k.folded) FROM index_string AS k WHERE k.space = ",
        (ParamType::Date, true) => "(SELECT min(k.low) FROM index_date AS k WHERE k.space = ",
        (ParamType::Date, false) => "(SELECT max(k.low) FROM index_date AS k WHERE k.space = ",
        (ParamType::Token | ParamType::Uri, true) => {
            "(SELECT min(k.code) FROM index_token AS k WHERE k.space = "
        }
        (ParamType::Token | ParamType::Uri, false) => {
            "(SELECT max(k.code) FROM index_token AS k WHERE k.space = "
        }
        // The parser makes no such key.
        (ParamType::Reference, _) => "(SELECT NULL FROM index_reference AS k WHERE 1 = 0 AND k.space = ",
    };
    Statement::new(text)
        .bind(space)
        .sql(" AND k.row = ")
        .then(row)
        .sql(" AND k.")
        .then(params(key.param.index()))
        .sql(")")
}
