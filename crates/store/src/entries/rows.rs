//! The rows of the index and key tables, and how each lies in its table.

use std::borrow::Cow;

use crate::statement::Bind;

/// What a column holds.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Short,
    Long,
    Text,
}

/// The SQL of one table. Every table starts with `space, row, kind`; `columns` are the others.
pub(super) struct Shape {
    /// SQLite. OR IGNORE, not ON CONFLICT: it cannot abort, so SQLite keeps no journal of the statement.
    pub(super) insert: &'static str,
    /// PostgreSQL: one of several inserts of one statement.
    pub(super) insert_arrays: &'static str,
    /// PostgreSQL: how that one ends.
    pub(super) end_arrays: &'static str,
    pub(super) delete: &'static str,
    /// The condition on each column, and its type.
    pub(super) columns: &'static [(&'static str, Type)],
}

/// One row, without its owner.
pub(super) trait Row {
    const SHAPE: Shape;

    /// The value of a column, by its position in [`Shape::columns`].
    fn value(&self, column: usize) -> Bind<'_>;
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Token<'a> {
    pub(super) param: i16,
    pub(super) system: Cow<'a, str>,
    pub(super) code: Cow<'a, str>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Text<'a> {
    pub(super) param: i16,
    pub(super) folded: Cow<'a, str>,
    pub(super) exact: Cow<'a, str>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Date {
    pub(super) param: i16,
    pub(super) low: i64,
    pub(super) high: i64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Reference<'a> {
    pub(super) param: i16,
    pub(super) ref_kind: Cow<'a, str>,
    pub(super) target: Cow<'a, str>,
    pub(super) system: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    pub(super) policy: i16,
    pub(super) system: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
}

/// A key and its state.
pub(super) type StatedKey<'a> = (Key<'a>, i16);

impl Row for Token<'_> {
    const SHAPE: Shape = Shape {
        insert: "INSERT OR IGNORE INTO index_token (space, row, kind, param, system, code) VALUES ",
        insert_arrays: ", t AS (INSERT INTO index_token (space, row, kind, param, system, code) SELECT ",
        end_arrays: ") AS x ON CONFLICT DO NOTHING)",
        delete: "DELETE FROM index_token WHERE space = ",
        columns: &[
            (" AND param = ", Type::Short),
            (" AND system = ", Type::Text),
            (" AND code = ", Type::Text),
        ],
    };

    fn value(&self, column: usize) -> Bind<'_> {
        match column {
            0 => self.param.into(),
            1 => (*self.system).into(),
            _ => (*self.code).into(),
        }
    }
}

impl Row for Text<'_> {
    const SHAPE: Shape = Shape {
        insert: "INSERT OR IGNORE INTO index_string (space, row, kind, param, folded, exact) VALUES ",
        insert_arrays: ", s AS (INSERT INTO index_string (space, row, kind, param, folded, exact) SELECT ",
        end_arrays: ") AS x ON CONFLICT DO NOTHING)",
        delete: "DELETE FROM index_string WHERE space = ",
        columns: &[
            (" AND param = ", Type::Short),
            (" AND folded = ", Type::Text),
            (" AND exact = ", Type::Text),
        ],
    };

    fn value(&self, column: usize) -> Bind<'_> {
        match column {
            0 => self.param.into(),
            1 => (*self.folded).into(),
            _ => (*self.exact).into(),
        }
    }
}

impl Row for Date {
    const SHAPE: Shape = Shape {
        insert: "INSERT OR IGNORE INTO index_date (space, row, kind, param, low, high) VALUES ",
        insert_arrays: ", d AS (INSERT INTO index_date (space, row, kind, param, low, high) SELECT ",
        end_arrays: ") AS x ON CONFLICT DO NOTHING)",
        delete: "DELETE FROM index_date WHERE space = ",
        columns: &[
            (" AND param = ", Type::Short),
            (" AND low = ", Type::Long),
            (" AND high = ", Type::Long),
        ],
    };

    fn value(&self, column: usize) -> Bind<'_> {
        match column {
            0 => self.param.into(),
            1 => self.low.into(),
            _ => self.high.into(),
        }
    }
}

impl Row for Reference<'_> {
    const SHAPE: Shape = Shape {
        insert: "INSERT OR IGNORE INTO index_reference (space, row, kind, param, ref_kind, target, system, value) \
                 VALUES ",
        insert_arrays: ", f AS (INSERT INTO index_reference \
                        (space, row, kind, param, ref_kind, target, system, value) SELECT ",
        end_arrays: ") AS x ON CONFLICT DO NOTHING)",
        delete: "DELETE FROM index_reference WHERE space = ",
        columns: &[
            (" AND param = ", Type::Short),
            (" AND ref_kind = ", Type::Text),
            (" AND target = ", Type::Text),
            (" AND system = ", Type::Text),
            (" AND value = ", Type::Text),
        ],
    };

    fn value(&self, column: usize) -> Bind<'_> {
        match column {
            0 => self.param.into(),
            1 => (*self.ref_kind).into(),
            2 => (*self.target).into(),
            3 => (*self.system).into(),
            _ => (*self.value).into(),
        }
    }
}

/// A key that somebody else owns is an error, never passed over.
impl Row for StatedKey<'_> {
    const SHAPE: Shape = Shape {
        insert: "INSERT INTO identifier_key (space, row, kind, policy, system, value, state) VALUES ",
        insert_arrays: ", k AS (INSERT INTO identifier_key (space, row, kind, policy, system, value, state) SELECT ",
        end_arrays: ") AS x)",
        delete: "DELETE FROM identifier_key WHERE space = ",
        columns: &[
            (" AND policy = ", Type::Short),
            (" AND system = ", Type::Text),
            (" AND value = ", Type::Text),
            (" AND state = ", Type::Short),
        ],
    };

    fn value(&self, column: usize) -> Bind<'_> {
        let (key, state) = self;
        match column {
            0 => key.policy.into(),
            1 => (*key.system).into(),
            2 => (*key.value).into(),
            _ => (*state).into(),
        }
    }
}
