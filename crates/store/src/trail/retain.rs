//! Retention: what is older than it allows is removed, in whole blocks from the first one on. The last block that was
//! removed keeps its signed head, so that what follows still verifies, and the cut itself is signed and audited: nobody
//! without the key can make a cut that looks like one of ours.

use super::key::Signer;
use super::seal::{self, Sealed};
use crate::audit::AuditEntry;
use crate::error::StoreError;
use crate::statement::Statement;
use crate::transaction::Transaction;
use crate::{SpaceKey, audit};

/// Blocks that are removed in one transaction; the rest has its turn in the next round.
const BLOCKS_AT_ONCE: i64 = 64;

/// The spaces that have seals.
pub(super) fn spaces(tx: &mut Transaction<'_>) -> Result<Vec<i64>, StoreError> {
    let statement = Statement::new("SELECT DISTINCT space FROM audit_seal ORDER BY space");
    tx.sql
        .longs(&statement)
        .map_err(|error| tx.fail("reading the spaces of the audit trail", &error))
}

/// Removes the blocks of a space all of whose rows are older than `before`, microseconds since the epoch; how many rows
/// those were.
pub(super) fn cut(
    tx: &mut Transaction<'_>,
    space: i64,
    before: i64,
    signer: Option<&Signer>,
) -> Result<i64, StoreError> {
    let Some(last) = seal::last(tx, space)? else {
        return Ok(0);
    };
    let kept = seal::behind(tx, space, 0, 1)?;
    let first = match kept.into_iter().next().map(seal::sound).transpose()? {
        Some(first) if first.cut.is_empty() => first.block.number,
        Some(cut) => cut.block.number + 1,
        None => return Ok(0),
    };
    let old: Vec<Sealed> = seal::behind(tx, space, first - 1, BLOCKS_AT_ONCE)?
        .into_iter()
        .map(seal::sound)
        .collect::<Result<_, _>>()?;
    let is_old = |sealed: &&Sealed| {
        // The last block is still growing.
        sealed.block.latest < before && sealed.block.number < last.block.number
    };
    let old: Vec<&Sealed> = old.iter().take_while(is_old).collect();
    let Some(end) = old.last() else { return Ok(0) };
    tx.begin_change()?;
    let mut removed = 0;
    for sealed in &old {
        removed += sealed.size;
        remove_rows(tx, sealed)?;
    }
    let statement = Statement::new("DELETE FROM audit_seal WHERE space = ")
        .bind(space)
        .sql(" AND block < ")
        .bind(end.block.number);
    tx.run("removing old seals", &statement)?;
    let signature = signer.map_or_else(
        // Unsigned as the heads are; any byte says that it was cut.
        || vec![0],
        |signer| signer.sign(&end.head.cut_message()),
    );
    let statement = Statement::new("UPDATE audit_seal SET cut = ")
        .bind(signature)
        .sql(", clients = ")
        .bind(Vec::<u8>::new())
        .sql(", entities = ")
        .bind(Vec::<u8>::new())
        .sql(", numbers = ")
        .bind(Vec::<u8>::new())
        .sql(", marks = ")
        .bind(Vec::<u8>::new())
        .sql(" WHERE space = ")
        .bind(space)
        .sql(" AND block = ")
        .bind(end.block.number);
    tx.run("leaving the last head", &statement)?;
    audit::write(
        tx,
        &[AuditEntry {
            time: tx.now(),
            request_id: uuid::Uuid::new_v4().to_string(),
            client: "retention".to_owned(),
            space: (space != 0).then_some(SpaceKey(space)),
            door: "cli",
            interaction: "audit-cut",
            kind: Some(audit::Audited::AuditEvent),
            id: fhir::Id::parse(&end.head.count.to_string()),
            version: None,
            outcome: "ok",
        }],
    )?;
    Ok(removed)
}

/// On PostgreSQL a row of another block may lie between: each is named.
fn remove_rows(tx: &mut Transaction<'_>, sealed: &Sealed) -> Result<(), StoreError> {
    let mut numbers = sealed.block.numbers.clone();
    numbers.sort_unstable();
    for run in numbers.chunk_by(|one, next| one + 1 == *next) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let statement = Statement::new("DELETE FROM audit WHERE space = ")
            .bind(sealed.block.space)
            .sql(" AND seq >= ")
            .bind(*first)
            .sql(" AND seq <= ")
            .bind(*last);
        tx.run("removing old rows of the audit trail", &statement)?;
    }
    Ok(())
}
