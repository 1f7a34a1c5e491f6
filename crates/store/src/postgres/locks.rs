//! Advisory locks: what a write must exclude others from.
//!
//! The unique index alone would only tell after the fact; the locks make the second of two writers wait and
//! then see what the first has done.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::api::{LockSet, SpaceKey};
use crate::codes;
use crate::statement::Statement;

/// The statement that takes all locks of a set; `None` when there are none.
pub(super) fn statement(space: SpaceKey, locks: &LockSet) -> Option<Statement<'static>> {
    let mut keys: BTreeMap<i64, bool> = BTreeMap::new();
    for value in &locks.values {
        keys.insert(key(space, "value", value), true);
    }
    for target in &locks.targets {
        keys.insert(key(space, "target", &target.to_string()), true);
    }
    let shared = locks
        .shared
        .iter()
        .chain(&locks.also_shared)
        .map(|kind| (kind, false));
    let whole = locks
        .whole
        .iter()
        .chain(&locks.also_whole)
        .map(|kind| (kind, true));
    for (kind, exclusive) in shared.chain(whole) {
        *keys
            .entry(key(space, "type", &codes::kind(*kind).to_string()))
            .or_default() |= exclusive;
    }
    if keys.is_empty() {
        return None;
    }
    // Sorted: two writers with the same two identifiers would otherwise deadlock. PostgreSQL calls the
    // functions row by row in the order in which unnest gives the rows.
    let (keys, exclusive): (Vec<i64>, Vec<bool>) = keys.into_iter().unzip();
    Some(
        Statement::new(
            "SELECT CAST(count(CASE WHEN exclusive THEN pg_advisory_xact_lock(key) IS NULL \
             ELSE pg_advisory_xact_lock_shared(key) IS NULL END) AS BIGINT) FROM unnest(",
        )
        .bind(keys)
        .sql(", ")
        .bind(exclusive)
        .sql(") AS wanted (key, exclusive)"),
    )
}

/// Waits until no other writer of the space holds a time that is not committed.
pub(crate) fn order(space: SpaceKey) -> Statement<'static> {
    Statement::new("SELECT CAST(count(pg_advisory_xact_lock(key) IS NULL) AS BIGINT) FROM (VALUES (CAST(")
        .bind(key(space, "order", ""))
        .sql(" AS BIGINT))) AS wanted (key)")
}

/// Takes the lock of a value in the middle of a transaction, as [`LockSet::values`] does at its beginning.
pub(crate) fn of_value(space: SpaceKey, value: &str) -> Statement<'static> {
    Statement::new("SELECT CAST(count(pg_advisory_xact_lock(key) IS NULL) AS BIGINT) FROM (VALUES (CAST(")
        .bind(key(space, "value", value))
        .sql(" AS BIGINT))) AS wanted (key)")
}

fn key(space: SpaceKey, what: &str, name: &str) -> i64 {
    let mut hasher = Sha256::new();
    hasher.update(space.0.to_le_bytes());
    hasher.update(what.as_bytes());
    hasher.update([0]);
    hasher.update(name.as_bytes());
    let hash: [u8; 32] = hasher.finalize().into();
    hash.first_chunk::<8>()
        .map_or(0, |bytes| i64::from_le_bytes(*bytes))
}
