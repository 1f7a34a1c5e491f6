//! Index and key rows of one resource: written with it, changed by difference, removed with it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use diesel::result::QueryResult;
use fhir::index::IndexRows;
use fhir::query::param::bounded;
use fhir::{Identifier, ResourceType};

use crate::api::{KeyRow, KeyState, NewResource, Policy};
use crate::codes;
use crate::sql::{Dialect, EntryRow, Sql};
use crate::statement::Statement;
use crate::text::fit;

/// Rows of one INSERT on SQLite. Few, so that there are few texts of statements.
const ROWS_PER_INSERT: usize = 16;

/// Whose rows.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) space: i64,
    pub(crate) kind: ResourceType,
    pub(crate) row: i64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Token<'a> {
    param: i16,
    system: Cow<'a, str>,
    code: Cow<'a, str>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Text<'a> {
    param: i16,
    folded: Cow<'a, str>,
    exact: Cow<'a, str>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Date {
    param: i16,
    low: i64,
    high: i64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reference<'a> {
    param: i16,
    ref_kind: Cow<'a, str>,
    target: Cow<'a, str>,
    system: Cow<'a, str>,
    value: Cow<'a, str>,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key<'a> {
    policy: i16,
    system: Cow<'a, str>,
    value: Cow<'a, str>,
}

/// All rows of one resource, in the form in which they are stored.
#[derive(Clone, Default)]
pub(crate) struct Entries<'a> {
    pub(crate) tokens: Vec<Token<'a>>,
    pub(crate) texts: Vec<Text<'a>>,
    pub(crate) dates: Vec<Date>,
    pub(crate) references: Vec<Reference<'a>>,
    pub(crate) keys: Vec<(Key<'a>, i16)>,
}

impl<'a> Entries<'a> {
    /// The rows of a version to be written.
    pub(crate) fn of(new: &'a NewResource) -> Entries<'a> {
        let index: &IndexRows = &new.index;
        Entries {
            // Extraction has bounded these texts.
            tokens: index
                .tokens
                .iter()
                .map(|row| Token {
                    param: row.param.number(),
                    system: Cow::Borrowed(&row.system),
                    code: Cow::Borrowed(&row.code),
                })
                .collect(),
            texts: index
                .strings
                .iter()
                .map(|row| Text {
                    param: row.param.number(),
                    folded: Cow::Borrowed(&row.folded),
                    exact: Cow::Borrowed(&row.exact),
                })
                .collect(),
            dates: index
                .dates
                .iter()
                .map(|row| Date {
                    param: row.param.number(),
                    low: row.low,
                    high: row.high,
                })
                .collect(),
            references: index
                .references
                .iter()
                .map(|row| Reference {
                    param: row.param.number(),
                    ref_kind: fit(&row.kind),
                    target: fit(&row.target),
                    system: fit(&row.system),
                    value: fit(&row.value),
                })
                .collect(),
            keys: keys_of(&new.keys),
        }
    }

    fn of_rows(rows: Vec<EntryRow>) -> Entries<'static> {
        let mut entries = Entries::default();
        for (table, number, low, high, first, second, third, fourth) in rows {
            let (first, second) = (Cow::Owned(first), Cow::Owned(second));
            match table {
                1 => entries.tokens.push(Token {
                    param: number,
                    system: first,
                    code: second,
                }),
                2 => entries.texts.push(Text {
                    param: number,
                    folded: first,
                    exact: second,
                }),
                3 => entries.dates.push(Date {
                    param: number,
                    low,
                    high,
                }),
                4 => entries.references.push(Reference {
                    param: number,
                    ref_kind: first,
                    target: second,
                    system: Cow::Owned(third),
                    value: Cow::Owned(fourth),
                }),
                _ => {
                    let key = Key {
                        policy: number,
                        system: first,
                        value: second,
                    };
                    entries.keys.push((key, i16::try_from(low).unwrap_or_default()));
                }
            }
        }
        entries
    }
}

/// A text of a key, as it lies in the key table.
pub(crate) fn key_text(text: &str) -> Cow<'_, str> {
    match bounded(text) {
        same if same == text => Cow::Borrowed(text),
        short => Cow::Owned(short),
    }
}

fn keys_of(rows: &[KeyRow]) -> Vec<(Key<'_>, i16)> {
    // Should one identifier come twice, the stronger state counts.
    let mut keys: BTreeMap<Key<'_>, i16> = BTreeMap::new();
    for row in rows {
        let Identifier { system, value } = &row.identifier;
        let key = Key {
            policy: codes::policy(row.policy),
            system: key_text(system),
            value: key_text(value),
        };
        let state = codes::state(row.state);
        let held = keys.entry(key).or_insert(state);
        *held = state.max(*held);
    }
    keys.into_iter().collect()
}

/// Writes the rows of a new resource, or those that a change brings.
pub(crate) fn insert(sql: &mut dyn Sql, owner: Owner, entries: &Entries<'_>) -> QueryResult<()> {
    match sql.dialect() {
        Dialect::Sqlite => insert_by_values(sql, owner, entries),
        Dialect::Postgres => {
            let statement = Statement::new("WITH owner (row) AS (SELECT ")
                .bind(owner.row)
                .sql(")")
                .then(array_inserts(owner.space, owner.kind, entries))
                .sql(" SELECT row FROM owner");
            sql.longs(&statement).map(|_| ())
        }
    }
}

/// PostgreSQL: `, t AS (INSERT …), …`, all tables in one statement of one text, for the row that the CTE
/// `owner` names.
pub(crate) fn array_inserts<'a>(space: i64, kind: ResourceType, entries: &Entries<'a>) -> Statement<'a> {
    let kind = codes::kind(kind);
    let Entries {
        tokens,
        texts,
        dates,
        references,
        keys,
    } = entries;
    Statement::new(", t AS (INSERT INTO index_token (space, row, kind, param, system, code) SELECT ")
        .bind(space)
        .sql(", owner.row, ")
        .bind(kind)
        .sql(", x.* FROM owner, unnest(")
        .bind(tokens.iter().map(|row| row.param).collect::<Vec<_>>())
        .sql(", ")
        .bind(tokens.iter().map(|row| row.system.clone()).collect::<Vec<_>>())
        .sql(", ")
        .bind(tokens.iter().map(|row| row.code.clone()).collect::<Vec<_>>())
        .sql(") AS x ON CONFLICT DO NOTHING), s AS (INSERT INTO index_string (space, row, kind, param, folded, exact) SELECT ")
        .bind(space)
        .sql(", owner.row, ")
        .bind(kind)
        .sql(", x.* FROM owner, unnest(")
        .bind(texts.iter().map(|row| row.param).collect::<Vec<_>>())
        .sql(", ")
        .bind(texts.iter().map(|row| row.folded.clone()).collect::<Vec<_>>())
        .sql(", ")
        .bind(texts.iter().map(|row| row.exact.clone()).collect::<Vec<_>>())
        .sql(") AS x ON CONFLICT DO NOTHING), d AS (INSERT INTO index_date (space, row, kind, param, low, high) SELECT ")
        .bind(space)
        .sql(", owner.row, ")
        .bind(kind)
        .sql(", x.* FROM owner, unnest(")
        .bind(dates.iter().map(|row| row.param).collect::<Vec<_>>())
        .sql(", ")
        .bind(dates.iter().map(|row| row.low).collect::<Vec<_>>())
        .sql(", ")
        .bind(dates.iter().map(|row| row.high).collect::<Vec<_>>())
        .sql(") AS x ON CONFLICT DO NOTHING), f AS (INSERT INTO index_reference (space, row, kind, param, ref_kind, target, system, value) SELECT ")
        .bind(space)
        .sql(", owner.row, ")
        .bind(kind)
        .sql(", x.* FROM owner, unnest(")
        .bind(references.iter().map(|row| row.param).collect::<Vec<_>>())
        .sql(", ")
        .bind(references.iter().map(|row| row.ref_kind.clone()).collect::<Vec<_>>())
        .sql(", ")
        .bind(references.iter().map(|row| row.target.clone()).collect::<Vec<_>>())
        .sql(", ")
        .bind(references.iter().map(|row| row.system.clone()).collect::<Vec<_>>())
        .sql(", ")
        .bind(references.iter().map(|row| row.value.clone()).collect::<Vec<_>>())
        .sql(") AS x ON CONFLICT DO NOTHING), k AS (INSERT INTO identifier_key (space, row, kind, policy, system, value, state) SELECT ")
        .bind(space)
        .sql(", owner.row, ")
        .bind(kind)
        .sql(", x.* FROM owner, unnest(")
        .bind(keys.iter().map(|(key, _)| key.policy).collect::<Vec<_>>())
        .sql(", ")
        .bind(keys.iter().map(|(key, _)| key.system.clone()).collect::<Vec<_>>())
        .sql(", ")
        .bind(keys.iter().map(|(key, _)| key.value.clone()).collect::<Vec<_>>())
        .sql(", ")
        .bind(keys.iter().map(|(_, state)| *state).collect::<Vec<_>>())
        .sql(") AS x)")
}

fn insert_by_values(sql: &mut dyn Sql, owner: Owner, entries: &Entries<'_>) -> QueryResult<()> {
    let kind = codes::kind(owner.kind);
    // OR IGNORE, not ON CONFLICT: it cannot abort, so SQLite keeps no journal of the statement.
    values(
        sql,
        "INSERT OR IGNORE INTO index_token (space, row, kind, param, system, code) VALUES ",
        &entries.tokens,
        |statement, row| {
            row_head(statement, owner, kind, row.param);
            statement.push(", ");
            statement.push_bind(&*row.system);
            statement.push(", ");
            statement.push_bind(&*row.code);
        },
    )?;
    values(
        sql,
        "INSERT OR IGNORE INTO index_string (space, row, kind, param, folded, exact) VALUES ",
        &entries.texts,
        |statement, row| {
            row_head(statement, owner, kind, row.param);
            statement.push(", ");
            statement.push_bind(&*row.folded);
            statement.push(", ");
            statement.push_bind(&*row.exact);
        },
    )?;
    values(
        sql,
        "INSERT OR IGNORE INTO index_date (space, row, kind, param, low, high) VALUES ",
        &entries.dates,
        |statement, row| {
            row_head(statement, owner, kind, row.param);
            statement.push(", ");
            statement.push_bind(row.low);
            statement.push(", ");
            statement.push_bind(row.high);
        },
    )?;
    values(
        sql,
        "INSERT OR IGNORE INTO index_reference (space, row, kind, param, ref_kind, target, system, value) VALUES ",
        &entries.references,
        |statement, row| {
            row_head(statement, owner, kind, row.param);
            for text in [&row.ref_kind, &row.target, &row.system, &row.value] {
                statement.push(", ");
                statement.push_bind(&**text);
            }
        },
    )?;
    values(
        sql,
        "INSERT INTO identifier_key (space, row, kind, policy, system, value, state) VALUES ",
        &entries.keys,
        |statement, (key, state)| {
            row_head(statement, owner, kind, key.policy);
            statement.push(", ");
            statement.push_bind(&*key.system);
            statement.push(", ");
            statement.push_bind(&*key.value);
            statement.push(", ");
            statement.push_bind(*state);
        },
    )
}

fn row_head(statement: &mut Statement<'_>, owner: Owner, kind: i16, number: i16) {
    statement.push_bind(owner.space);
    statement.push(", ");
    statement.push_bind(owner.row);
    statement.push(", ");
    statement.push_bind(kind);
    statement.push(", ");
    statement.push_bind(number);
}

fn values<'r, R>(
    sql: &mut dyn Sql,
    head: &'static str,
    rows: &'r [R],
    write: impl Fn(&mut Statement<'r>, &'r R),
) -> QueryResult<()> {
    for rows in rows.chunks(ROWS_PER_INSERT) {
        let mut statement = Statement::new(head);
        for (position, row) in rows.iter().enumerate() {
            statement.push(if position == 0 { "(" } else { "), (" });
            write(&mut statement, row);
        }
        statement.push(")");
        sql.execute(&statement)?;
    }
    Ok(())
}

/// Turns the stored rows of a resource into those of its new version.
pub(crate) fn change(sql: &mut dyn Sql, owner: Owner, new: &Entries<'_>) -> QueryResult<()> {
    let old = stored(sql, owner)?;
    let mut added = Entries {
        tokens: gone(&new.tokens, &old.tokens),
        texts: gone(&new.texts, &old.texts),
        dates: gone(&new.dates, &old.dates),
        references: gone(&new.references, &old.references),
        keys: Vec::new(),
    };
    for row in gone(&old.tokens, &new.tokens) {
        let statement = delete("DELETE FROM index_token WHERE space = ", owner)
            .sql(" AND param = ")
            .bind(row.param)
            .sql(" AND system = ")
            .bind(row.system)
            .sql(" AND code = ")
            .bind(row.code);
        sql.execute(&statement)?;
    }
    for row in gone(&old.texts, &new.texts) {
        let statement = delete("DELETE FROM index_string WHERE space = ", owner)
            .sql(" AND param = ")
            .bind(row.param)
            .sql(" AND folded = ")
            .bind(row.folded)
            .sql(" AND exact = ")
            .bind(row.exact);
        sql.execute(&statement)?;
    }
    for row in gone(&old.dates, &new.dates) {
        let statement = delete("DELETE FROM index_date WHERE space = ", owner)
            .sql(" AND param = ")
            .bind(row.param)
            .sql(" AND low = ")
            .bind(row.low)
            .sql(" AND high = ")
            .bind(row.high);
        sql.execute(&statement)?;
    }
    for row in gone(&old.references, &new.references) {
        let statement = delete("DELETE FROM index_reference WHERE space = ", owner)
            .sql(" AND param = ")
            .bind(row.param)
            .sql(" AND ref_kind = ")
            .bind(row.ref_kind)
            .sql(" AND target = ")
            .bind(row.target)
            .sql(" AND system = ")
            .bind(row.system)
            .sql(" AND value = ")
            .bind(row.value);
        sql.execute(&statement)?;
    }
    added.keys = change_keys(sql, owner, &old, new)?;
    let nothing = added.tokens.is_empty()
        && added.texts.is_empty()
        && added.dates.is_empty()
        && added.references.is_empty()
        && added.keys.is_empty();
    if nothing {
        return Ok(());
    }
    insert(sql, owner, &added)
}

/// Retires, removes and restates the stored keys; the keys to be inserted come back.
fn change_keys<'a>(
    sql: &mut dyn Sql,
    owner: Owner,
    old: &Entries<'_>,
    new: &Entries<'a>,
) -> QueryResult<Vec<(Key<'a>, i16)>> {
    const RETIRED: i16 = codes::state(KeyState::Retired);
    let stored: BTreeMap<&Key<'_>, i16> = old.keys.iter().map(|(key, state)| (key, *state)).collect();
    let wanted: BTreeMap<&Key<'_>, i16> = new.keys.iter().map(|(key, state)| (key, *state)).collect();
    for (key, state) in &stored {
        if wanted.contains_key(key) {
            continue;
        }
        if key.policy == codes::policy(Policy::Account) {
            if *state != RETIRED {
                set_state(sql, owner, key, RETIRED)?;
            }
        } else {
            let statement = delete("DELETE FROM identifier_key WHERE space = ", owner)
                .sql(" AND kind = ")
                .bind(codes::kind(owner.kind))
                .sql(" AND policy = ")
                .bind(key.policy)
                .sql(" AND system = ")
                .bind(&*key.system)
                .sql(" AND value = ")
                .bind(&*key.value);
            sql.execute(&statement)?;
        }
    }
    let mut fresh = Vec::new();
    for (key, state) in &new.keys {
        match stored.get(key) {
            None => fresh.push((key.clone(), *state)),
            Some(held) if held != state => set_state(sql, owner, key, *state)?,
            Some(_) => {}
        }
    }
    Ok(fresh)
}

fn set_state(sql: &mut dyn Sql, owner: Owner, key: &Key<'_>, state: i16) -> QueryResult<()> {
    let statement = Statement::new("UPDATE identifier_key SET state = ")
        .bind(state)
        .sql(" WHERE space = ")
        .bind(owner.space)
        .sql(" AND kind = ")
        .bind(codes::kind(owner.kind))
        .sql(" AND policy = ")
        .bind(key.policy)
        .sql(" AND system = ")
        .bind(&*key.system)
        .sql(" AND value = ")
        .bind(&*key.value)
        .sql(" AND row = ")
        .bind(owner.row);
    sql.execute(&statement).map(|_| ())
}

/// Removes every index and key row of a resource, retired keys too.
pub(crate) fn clear(sql: &mut dyn Sql, owner: Owner) -> QueryResult<()> {
    for table in [
        "DELETE FROM index_token WHERE space = ",
        "DELETE FROM index_string WHERE space = ",
        "DELETE FROM index_date WHERE space = ",
        "DELETE FROM index_reference WHERE space = ",
        "DELETE FROM identifier_key WHERE space = ",
    ] {
        sql.execute(&delete(table, owner))?;
    }
    Ok(())
}

fn delete(table: &'static str, owner: Owner) -> Statement<'static> {
    Statement::new(table)
        .bind(owner.space)
        .sql(" AND row = ")
        .bind(owner.row)
}

/// What lies in the tables for a resource, in one round trip.
fn stored(sql: &mut dyn Sql, owner: Owner) -> QueryResult<Entries<'static>> {
    let at = |statement: Statement<'static>| statement.bind(owner.space).sql(" AND row = ").bind(owner.row);
    let mut statement = at(Statement::new(
        "SELECT CAST(1 AS SMALLINT), param, CAST(0 AS BIGINT), CAST(0 AS BIGINT), system, code, '', '' \
         FROM index_token WHERE space = ",
    ));
    for part in [
        " UNION ALL SELECT CAST(2 AS SMALLINT), param, 0, 0, folded, exact, '', '' FROM index_string WHERE space = ",
        " UNION ALL SELECT CAST(3 AS SMALLINT), param, low, high, '', '', '', '' FROM index_date WHERE space = ",
        " UNION ALL SELECT CAST(4 AS SMALLINT), param, 0, 0, ref_kind, target, system, value FROM index_reference WHERE space = ",
        " UNION ALL SELECT CAST(5 AS SMALLINT), policy, state, 0, system, value, '', '' FROM identifier_key WHERE space = ",
    ] {
        statement = at(statement.sql(part));
    }
    sql.entries(&statement).map(Entries::of_rows)
}

/// The rows of the first list that the second lacks.
fn gone<T: Clone + Eq + std::hash::Hash>(rows: &[T], others: &[T]) -> Vec<T> {
    // Most changes leave most rows alone, in the same order.
    if rows == others {
        return Vec::new();
    }
    let others: HashSet<&T> = others.iter().collect();
    rows.iter().filter(|row| !others.contains(row)).cloned().collect()
}
