//! Statistics for the planner of a new database.
//!
//! PostgreSQL knows nothing of a table that was never analysed, and takes every index whose first columns are given
//! for equally good: a read by id then walks all resources of its type, and each write takes longer than the one
//! before. Its own autovacuum looks once a minute. So whoever writes sees to it that the first rows are analysed; what
//! comes later is left to autovacuum.

use std::sync::atomic::{AtomicU64, Ordering};

use diesel::PgConnection;

use crate::error::{StoreError, classify};
use crate::sql::{Dialect, Sql as _};
use crate::statement::Statement;

/// From how many writes on there is enough to learn from.
const FIRST: u64 = 64;

/// Tables of ours with more than a few pages that nobody has ever analysed, or only when they were empty: until
/// version 14 PostgreSQL does not tell these apart.
const UNKNOWN: &str = "SELECT quote_ident(t.relname) FROM pg_class AS t \
     WHERE t.relkind = 'r' AND t.relnamespace = to_regnamespace(current_schema()) \
     AND pg_has_role(t.relowner, 'USAGE') AND t.reltuples < 1 AND pg_relation_size(t.oid) > 2 * 8192 \
     ORDER BY t.relname";

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

/// Analyses what was never analysed.
pub(super) fn refresh(connection: &mut PgConnection) -> Result<(), StoreError> {
    let failed = |error| classify(Dialect::Postgres, "analysing new tables", &error).error;
    let tables = connection.texts(&Statement::new(UNKNOWN)).map_err(failed)?;
    for table in tables {
        connection.batch(&format!("ANALYZE {table}")).map_err(failed)?;
        tracing::debug!(table, "analysed for the first time");
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
