//! Facts of the whole database, by name.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::transaction::Transaction;

/// The secret under which cursors are sealed.
pub(crate) const CURSOR_SECRET: &str = "cursor-secret";
/// The secret under which the content of an erased person is digested.
const ERASURE_SECRET: &str = "erasure-secret";
/// Counts the changes of access.
pub(crate) const GENERATION: &str = "generation";

/// The value of a setting.
pub(crate) fn get(tx: &mut Transaction<'_>, name: &str) -> Result<Option<String>, StoreError> {
    read(tx, name, "")
}

fn read(tx: &mut Transaction<'_>, name: &str, lock: &'static str) -> Result<Option<String>, StoreError> {
    let statement = Statement::new("SELECT value FROM setting WHERE space = 0 AND name = ")
        .bind(name)
        .sql(lock);
    let values = tx
        .sql
        .texts(&statement)
        .map_err(|error| tx.fail("reading a setting", &error))?;
    Ok(values.into_iter().next())
}

/// Writes a setting unless it is there; the value that is there afterwards.
pub(crate) fn put_once(tx: &mut Transaction<'_>, name: &str, value: &str) -> Result<String, StoreError> {
    if let Some(value) = get(tx, name)? {
        return Ok(value);
    }
    tx.begin_change()?;
    let statement = Statement::new("INSERT INTO setting (space, name, value) VALUES (0, ")
        .bind(name)
        .sql(", ")
        .bind(value)
        .sql(") ON CONFLICT (space, name) DO NOTHING");
    tx.run("writing a setting", &statement)?;
    get(tx, name)?.ok_or_else(|| StoreError::Internal("a setting does not stay".to_owned()))
}

/// Writes a setting, whatever is there.
pub(crate) fn put(tx: &mut Transaction<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    tx.begin_change()?;
    let statement = Statement::new("INSERT INTO setting (space, name, value) VALUES (0, ")
        .bind(name)
        .sql(", ")
        .bind(value)
        .sql(") ON CONFLICT (space, name) DO UPDATE SET value = excluded.value");
    tx.run("writing a setting", &statement).map(|_| ())
}

/// The generation of access.
pub(crate) fn generation(tx: &mut Transaction<'_>) -> Result<i64, StoreError> {
    parse_generation(get(tx, GENERATION)?)
}

/// Counts a change of access. On PostgreSQL the row's lock orders the changes.
pub(crate) fn bump_generation(tx: &mut Transaction<'_>) -> Result<i64, StoreError> {
    let lock = match tx.sql.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR UPDATE",
    };
    let next = parse_generation(read(tx, GENERATION, lock)?)? + 1;
    tx.begin_change()?;
    let statement = Statement::new("UPDATE setting SET value = ")
        .bind(next.to_string())
        .sql(" WHERE space = 0 AND name = ")
        .bind(GENERATION);
    tx.run("counting a change of access", &statement)?;
    Ok(next)
}

fn parse_generation(value: Option<String>) -> Result<i64, StoreError> {
    value
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| StoreError::Internal("the generation in the database makes no sense".to_owned()))
}

/// The key of the cursors, made when there is none.
pub(crate) fn make_cursor_key(tx: &mut Transaction<'_>) -> Result<(), StoreError> {
    put_once(tx, CURSOR_SECRET, &secret()).map(|_| ())
}

/// The key of digests of what was erased, made when there is none.
pub(crate) fn erasure_key(tx: &mut Transaction<'_>) -> Result<String, StoreError> {
    put_once(tx, ERASURE_SECRET, &secret())
}

/// Two random UUIDs hold 244 random bits.
fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// The key of the cursors.
pub(crate) fn cursor_key(tx: &mut Transaction<'_>) -> Result<[u8; 32], StoreError> {
    let secret = get(tx, CURSOR_SECRET)?
        .ok_or_else(|| StoreError::Internal("the database has no cursor secret: migrate it".to_owned()))?;
    Ok(Sha256::digest(secret.as_bytes()).into())
}
