//! Statistics for the planner of a new database.
//!
//! PostgreSQL knows nothing of a table that was never analysed, and takes every index whose first columns are given
//! for equally good: a read by id then walks all resources of its type, and each write takes longer than the one
//! before. And what it plans for a prepared statement while a table has three pages, which is to read them all, it keeps
//! when there are three thousand, until the table is analysed again. Its own autovacuum looks once a minute. So whoever
//! writes sees to it that tables are analysed when they have begun, and whenever they have doubled.

use std::sync::atomic::{AtomicU64, Ordering};

use diesel::PgConnection;

use crate::error::{StoreError, classify};
use crate::sql::{Dialect, Sql as _};
use crate::statement::Statement;

/// From how many writes on there is enough to learn from.
const FIRST: u64 = 64;

/// Tables of ours with more than a few pages that nobody has ever analysed, or only when they were empty (until
/// version 14 PostgreSQL does not tell these apart), or when they had at most half of their pages.
const OUTGROWN: &str = "SELECT quote_ident(t.relname) FROM pg_class AS t \
     WHERE t.relkind = 'r' AND t.relnamespace = to_regnamespace(current_schema()) \
     AND pg_has_role(t.relowner, 'USAGE') AND pg_relation_size(t.oid) > 2 * 8192 \
     AND (t.reltuples < 1 OR pg_relation_size(t.oid) >= 2 * 8192 * CAST(t.relpages AS BIGINT)) ORDER BY t.relname";

/// Counts writes, and tells when it is worth looking.
#[derive(Debug, Default)]
pub(super) struct Growth {
    writes: AtomicU64,
}

impl Growth {
    /// One more write. Whether to look now: each time that the writes have doubled, so a few dozen times in all.
    pub(super) fn is_due(&self) -> bool {
        let writes = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        writes >= FIRST && writes.is_power_of_two()
    }
}

/// Analyses what was never analysed, and what has doubled since.
pub(super) fn refresh(connection: &mut PgConnection) -> Result<(), StoreError> {
    let failed = |error| classify(Dialect::Postgres, "analysing tables", &error).error;
    let tables = connection.texts(&Statement::new(OUTGROWN)).map_err(failed)?;
    for table in tables {
        connection.batch(&format!("ANALYZE {table}")).map_err(failed)?;
        tracing::debug!(table, "analysed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Growth;

    #[test]
    fn a_look_is_due_whenever_the_writes_have_doubled() {
        let growth = Growth::default();
        let due: Vec<u64> = (1..=1_000).filter(|_| growth.is_due()).collect();
        assert_eq!(due, [64, 128, 256, 512]);
    }
}
