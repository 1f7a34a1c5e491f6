//! The chain over the audit trail: who can write to the database and has not the key cannot change, drop, swap, insert
//! or cut rows of it unseen (`access.md` 3).
//!
//! The rows themselves are written by [`crate::audit`] and never touched again. A [`Sealer`] reads what is new, several
//! times a second, and gives each row its *position* in the chain of its space, from 1. The hash of a row covers the row
//! and the hash before it. What was sealed lies in `audit_seal`, up to [`block::MAX_ROWS`] rows in one row of that table:
//! their numbers in the order of the chain, the beginning of each row's hash, the last hash, and a signature. So the
//! write path pays nothing, and [`verify`] can still name the first row that does not fit.
//!
//! Appending is not prevented: who can write to the database can add rows at the end, and they are sealed as any other.
//!
//! SQLite's one writer numbers the rows of a space without gaps in the order of the commits. On PostgreSQL numbers are
//! handed out before the commit, so that a row may appear below one that is sealed already: the sealer goes on looking
//! there until no transaction is left that could still bring one ([`horizon`]).

mod block;
mod head;
mod horizon;
mod key;
mod plan;
mod retain;
mod row;
mod seal;
mod sealer;
mod search;
#[cfg(test)]
mod tests;
mod verify;

pub use head::{Head, read_heads};
pub use key::{Keys, Signer};
pub use row::AuditRow;
pub(crate) use row::RawRow;
pub use seal::Seals;
pub(crate) use seal::{RawSeal, seals};
pub use sealer::{FINISH_TIMEOUT, Sealer, SealerOptions};
pub use search::{AuditPage, Recorded, TrailSlice};
pub use verify::{Finding, Report, SpaceReport};
