//! Up to which number no row can appear any more.
//!
//! PostgreSQL hands a number out when a row is inserted, and shows the row when its transaction is committed. What
//! was handed out before a moment has appeared, or never will, once all transactions that ran at that moment have ended.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::transaction::Transaction;

/// How long a moment is waited for at least: a number is handed out an instant before its transaction counts as running.
const PATIENCE: Duration = Duration::from_secs(2);
/// Moments remembered at most; a transaction that lasts for hours must not fill the memory.
const MOMENTS: usize = 64;

/// What is known of earlier moments.
#[derive(Default)]
pub(super) struct Horizon {
    moments: VecDeque<Moment>,
    settled: i64,
    /// The last number that had been handed out in the round before.
    handed_out: i64,
}

struct Moment {
    /// The last number that had been handed out.
    number: i64,
    /// Transactions from this one on had not begun.
    next: i64,
    at: Instant,
}

impl Horizon {
    /// Looks again. On SQLite whatever is visible is settled.
    pub(super) fn look(&mut self, tx: &mut Transaction<'_>) -> Result<(), StoreError> {
        if tx.sql.dialect() == Dialect::Sqlite {
            self.settled = i64::MAX;
            return Ok(());
        }
        let statement = Statement::new(
            "SELECT (SELECT last_value FROM audit_seq_seq), txid_snapshot_xmin(txid_current_snapshot()), \
             txid_snapshot_xmax(txid_current_snapshot()), CAST(0 AS BIGINT)",
        );
        let found = tx
            .sql
            .trails(&statement)
            .map_err(|error| tx.fail("reading what transactions run", &error))?;
        let Some((handed_out, oldest, next, _)) = found.into_iter().next() else {
            return Err(StoreError::Internal(
                "PostgreSQL does not say what runs".to_owned(),
            ));
        };
        while let Some(moment) = self.moments.front() {
            if moment.next > oldest || moment.at.elapsed() < PATIENCE {
                break;
            }
            self.settled = self.settled.max(moment.number);
            self.moments.pop_front();
        }
        // The snapshot is older than what this statement says of the sequence: who began in between may hold a number
        // that counts as handed out. So the number is that of the round before.
        let number = std::mem::replace(&mut self.handed_out, handed_out);
        if self.moments.len() < MOMENTS && self.settled < number {
            self.moments.push_back(Moment {
                number,
                next,
                at: Instant::now(),
            });
        }
        Ok(())
    }

    /// Up to this number no row can appear any more.
    pub(super) fn settled(&self) -> i64 {
        self.settled
    }
}
