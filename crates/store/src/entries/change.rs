//! The rows of a resource, turned into those of its next version.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use diesel::result::QueryResult;

use super::insert::insert;
use super::rows::{Key, Row};
use super::{Entries, Owner};
use crate::api::{KeyState, Policy};
use crate::codes;
use crate::inspect::Difference;
use crate::sql::Sql;
use crate::statement::Statement;

/// Writes the difference between the stored rows and those of the new version.
pub(crate) fn change(sql: &mut dyn Sql, owner: Owner, new: &Entries<'_>) -> QueryResult<()> {
    let old = stored(sql, owner)?;
    remove(sql, owner, &gone(&old.tokens, &new.tokens))?;
    remove(sql, owner, &gone(&old.texts, &new.texts))?;
    remove(sql, owner, &gone(&old.dates, &new.dates))?;
    remove(sql, owner, &gone(&old.references, &new.references))?;
    let added = Entries {
        tokens: gone(&new.tokens, &old.tokens),
        texts: gone(&new.texts, &old.texts),
        dates: gone(&new.dates, &old.dates),
        references: gone(&new.references, &old.references),
        keys: change_keys(sql, owner, &old, new)?,
    };
    if added.is_empty() {
        return Ok(());
    }
    insert(sql, owner, &added)
}

fn remove<R: Row>(sql: &mut dyn Sql, owner: Owner, rows: &[R]) -> QueryResult<()> {
    for row in rows {
        let mut statement = delete(R::SHAPE.delete, owner);
        for (column, (condition, _)) in R::SHAPE.columns.iter().enumerate() {
            statement.push(condition);
            statement.push_bind(row.value(column));
        }
        sql.execute(&statement)?;
    }
    Ok(())
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

/// How what lies in the tables differs from what should. Past keys of accounts are kept, and no difference.
pub(crate) fn differences(
    sql: &mut dyn Sql,
    owner: Owner,
    wanted: &Entries<'_>,
) -> QueryResult<Vec<Difference>> {
    const RETIRED: i16 = codes::state(KeyState::Retired);
    let mut held = stored(sql, owner)?;
    let is_past = |(key, state): &(Key<'_>, i16)| {
        *state == RETIRED && key.policy == codes::policy(Policy::Account) && !wanted.is_empty()
    };
    held.keys.retain(|key| !is_past(key));
    let of = |table, missing: usize, surplus: usize| Difference {
        table,
        missing,
        surplus,
    };
    let mut differences = vec![
        of(
            "index_token",
            gone(&wanted.tokens, &held.tokens).len(),
            gone(&held.tokens, &wanted.tokens).len(),
        ),
        of(
            "index_string",
            gone(&wanted.texts, &held.texts).len(),
            gone(&held.texts, &wanted.texts).len(),
        ),
        of(
            "index_date",
            gone(&wanted.dates, &held.dates).len(),
            gone(&held.dates, &wanted.dates).len(),
        ),
        of(
            "index_reference",
            gone(&wanted.references, &held.references).len(),
            gone(&held.references, &wanted.references).len(),
        ),
        of(
            "identifier_key",
            gone(&wanted.keys, &held.keys).len(),
            gone(&held.keys, &wanted.keys).len(),
        ),
    ];
    differences.retain(|difference| difference.missing + difference.surplus > 0);
    Ok(differences)
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
fn gone<T: Clone + Eq + Hash>(rows: &[T], others: &[T]) -> Vec<T> {
    // Most changes leave most rows alone, in the same order.
    if rows == others {
        return Vec::new();
    }
    let others: HashSet<&T> = others.iter().collect();
    rows.iter().filter(|row| !others.contains(row)).cloned().collect()
}
