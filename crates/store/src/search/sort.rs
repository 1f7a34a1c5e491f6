//! `_sort`: the value of a key is looked up in the index rows of a candidate, the least or the greatest of them; or the
//! index of the first key is walked in its order.

use fhir::query::param::ParamType;
use fhir::query::{Direction, SearchParam, SortKey};

use super::driver::params;
use crate::statement::Statement;

/// A column of the sorted rows, and how it stands in an order.
struct Column {
    name: &'static str,
    selected: &'static str,
    /// In an order of `p` and of `page`: a key that may be missing, then one that may not.
    ordered: [[&'static str; 6]; 2],
}

macro_rules! orders {
    ($name:expr) => {
        [
            concat!($name, " NULLS LAST, "),
            concat!($name, " DESC NULLS LAST, "),
            concat!($name, " NULLS FIRST, "),
            concat!($name, " DESC NULLS FIRST, "),
            concat!($name, ", "),
            concat!($name, " DESC, "),
        ]
    };
}

macro_rules! columns {
    ($($name:literal),*) => {
        [$(Column {
            name: concat!("p.", $name),
            selected: concat!(" AS ", $name),
            ordered: [orders!(concat!("p.", $name)), orders!(concat!("page.", $name))],
        }),*]
    };
}

/// Enough for [`fhir::limits::MAX_SORT_KEYS`].
const COLUMNS: [Column; 4] = columns!["k0", "k1", "k2", "k3"];

/// Where an order is written.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Rows,
    Page,
}

/// The keys by which the rows of a statement are sorted.
#[derive(Clone, Copy)]
pub(super) struct Keys<'q> {
    pub(super) sort: &'q [SortKey],
    /// The column that holds the first key; no row lacks it then.
    pub(super) first: Option<&'static str>,
    /// Whether the rows are read against their order.
    pub(super) backward: bool,
}

impl<'q> Keys<'q> {
    /// Each key with its column, and whether it may be missing.
    fn each(self) -> impl Iterator<Item = (SortKey, &'static Column, bool)> + use<'q> {
        let keys = self.sort.iter().copied().zip(&COLUMNS).enumerate();
        keys.map(move |(position, (key, column))| {
            let is_there = self.first.is_some() && position == 0;
            let missing = !is_there && !key.param.index().is_empty();
            (key, column, missing)
        })
    }

    /// `, … AS k0, … AS k1`: the keys of a row.
    pub(super) fn selected(self, space: i64, row: &'static str) -> Statement<'static> {
        let mut selected = Statement::new("");
        for (position, (key, column, _)) in self.each().enumerate() {
            selected = match self.first.filter(|_| position == 0) {
                Some(first) => selected.sql(", ").sql(first),
                None => selected.sql(", ").then(value(space, key, Statement::new(row))),
            };
            selected.push(column.selected);
        }
        selected
    }

    /// `k0 …, k1 …, `: an order of the rows or of the page.
    pub(super) fn ordered(self, of: Of) -> Statement<'static> {
        let mut order = Statement::new("");
        for (key, column, missing) in self.each() {
            let [of_rows, of_page] = &column.ordered;
            let [last, last_down, first, first_down, there, there_down] = match of {
                Of::Rows => of_rows,
                Of::Page => of_page,
            };
            order.push(match (missing, self.backward, self.way(key)) {
                (true, false, Direction::Ascending) => last,
                (true, false, Direction::Descending) => last_down,
                (true, true, Direction::Ascending) => first,
                (true, true, Direction::Descending) => first_down,
                (false, _, Direction::Ascending) => there,
                (false, _, Direction::Descending) => there_down,
            });
        }
        order
    }

    /// The way in which a key is read.
    fn way(self, key: SortKey) -> Direction {
        if self.backward {
            key.direction.reversed()
        } else {
            key.direction
        }
    }

    /// What lies behind a row with these keys, in the order in which the rows are read. What has no value comes last
    /// in either direction, and so first when they are read backward.
    pub(super) fn behind(self, values: &[Option<String>], row: i64) -> Statement<'static> {
        let mut condition = Statement::new("");
        let mut open = 0;
        for ((key, column, missing), value) in self.each().zip(values) {
            let name = column.name;
            let (beyond, from) = match self.way(key) {
                Direction::Ascending => (" > ", " >= "),
                Direction::Descending => (" < ", " <= "),
            };
            match value {
                Some(value) => {
                    if !missing {
                        // Said twice, so that an index may begin there.
                        condition = condition.sql(name).sql(from).then(bound(key, value)).sql(" AND ");
                    }
                    condition = condition.sql("(").sql(name).sql(beyond).then(bound(key, value));
                    if missing && !self.backward {
                        condition = condition.sql(" OR ").sql(name).sql(" IS NULL");
                    }
                    condition = condition
                        .sql(" OR (")
                        .sql(name)
                        .sql(" = ")
                        .then(bound(key, value));
                }
                None if self.backward => {
                    condition = condition
                        .sql("(")
                        .sql(name)
                        .sql(" IS NOT NULL OR (")
                        .sql(name)
                        .sql(" IS NULL");
                }
                None => condition = condition.sql("((").sql(name).sql(" IS NULL"),
            }
            condition.push(" AND ");
            open += 1;
        }
        condition.push(if self.backward { "p.row < " } else { "p.row > " });
        condition.push_bind(row);
        for _ in 0..open {
            condition.push("))");
        }
        condition
    }
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
