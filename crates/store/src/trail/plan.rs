//! What is to be sealed: read in one snapshot, written by [`apply`] in a transaction of its own, unless somebody else
//! has sealed in between.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::block::Block;
use super::head::Head;
use super::horizon::Horizon;
use super::key::Signer;
use super::row::{self, AuditRow, Hash};
use super::seal::{self, Sealed};
use crate::api::SpaceKey;
use crate::error::StoreError;
use crate::postgres;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::transaction::Transaction;

/// Rows of a space that are sealed in one go; the rest follows at once.
const ROWS_AT_ONCE: i64 = 16_384;
/// What the sealers of several processes exclude each other by, in each space.
pub(super) const LOCK: &str = "audit-seal";

/// What a sealer remembers of the chains between two rounds.
#[derive(Default)]
pub(super) struct Chains {
    known: HashMap<i64, Chain>,
    horizon: Horizon,
    /// The spaces that cannot be sealed: that is told once.
    damaged: HashSet<i64>,
}

/// The end of a chain.
#[derive(Clone)]
struct Chain {
    last: Block,
    /// Up to this number every row of the space is sealed, and none can come any more.
    settled: i64,
    /// The numbers above that which are sealed.
    window: BTreeSet<i64>,
}

impl Chain {
    fn high(&self) -> i64 {
        self.window.last().copied().unwrap_or(self.settled)
    }
}

/// What is to be written of one space.
pub(super) struct Sealing {
    /// Number, size and hash of the last block, when this was planned.
    base: (i64, i64, Hash),
    pub(super) sealed: Vec<Sealed>,
    /// Whether there is more.
    pub(super) more: bool,
    after: Chain,
}

impl Sealing {
    pub(super) fn space(&self) -> Option<i64> {
        self.sealed.first().map(|sealed| sealed.block.space)
    }

    /// What is kept outside the database: the last head covers those before it.
    pub(super) fn heads(&self) -> Vec<Head> {
        self.sealed
            .last()
            .map(|sealed| sealed.head.clone())
            .into_iter()
            .collect()
    }
}

impl Chains {
    /// What there is to be sealed.
    pub(super) fn plan(
        &mut self,
        tx: &mut Transaction<'_>,
        signer: Option<&Signer>,
    ) -> Result<Vec<Sealing>, StoreError> {
        self.horizon.look(tx)?;
        let mut sealings = Vec::new();
        for (space, highest, block, size) in trails(tx)? {
            let mut chain = match self.known.remove(&space) {
                Some(known) if (known.last.number, known.last.size()) == (block, size) => known,
                _ => match read_chain(tx, space) {
                    Ok(chain) => chain,
                    // Its own seals make no sense: the other spaces have nothing to do with that.
                    Err(error) if tx.failure().is_none() => {
                        if self.damaged.insert(space) {
                            tracing::error!(%error, space, "the audit trail of this space is not sealed any more");
                        }
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            if self.damaged.remove(&space) {
                tracing::info!(space, "the audit trail of this space is sealed again");
            }
            if highest <= chain.high() && chain.window.is_empty() {
                self.known.insert(space, chain);
                continue;
            }
            let base = (block, size, chain.last.hash);
            let rows = new_rows(tx, space, &chain)?;
            let more = i64::try_from(rows.len()).is_ok_and(|rows| rows >= ROWS_AT_ONCE);
            let changed = extend(&mut chain, &rows);
            if !more {
                self.settle(&mut chain);
            }
            if changed.is_empty() {
                self.known.insert(space, chain);
                continue;
            }
            let now = tx.now();
            let settled = chain.settled;
            let sealed = changed
                .into_iter()
                .map(|block| Sealed::new(block, settled, now, signer))
                .collect();
            sealings.push(Sealing {
                base,
                sealed,
                more,
                after: chain,
            });
        }
        Ok(sealings)
    }

    /// What was planned is written.
    pub(super) fn done(&mut self, sealing: &Sealing) {
        let chain = sealing.after.clone();
        self.known.insert(chain.last.space, chain);
    }

    fn settle(&self, chain: &mut Chain) {
        let settled = self.horizon.settled().min(chain.high()).max(chain.settled);
        chain.settled = settled;
        chain.window = chain.window.split_off(&settled.saturating_add(1));
    }
}

/// Writes what was planned. `false`: somebody else has sealed meanwhile, and nothing was written.
pub(super) fn apply(tx: &mut Transaction<'_>, sealing: &Sealing) -> Result<bool, StoreError> {
    let Some(first) = sealing.sealed.first() else {
        return Ok(true);
    };
    let space = first.block.space;
    if tx.sql.dialect() == Dialect::Postgres {
        // Until the commit: another sealer would see the same last seal, and write over this one.
        let lock = postgres::of_value(SpaceKey(space), LOCK);
        let locked = tx.sql.longs(&lock);
        locked.map_err(|error| tx.fail("waiting for another sealer", &error))?;
    }
    let (block, size, hash) = &sealing.base;
    let statement = Statement::new("SELECT block, size, CAST(CASE WHEN hash = ")
        .bind(hash.as_slice())
        .sql(" THEN 1 ELSE 0 END AS BIGINT), size FROM audit_seal WHERE space = ")
        .bind(space)
        .sql(" ORDER BY block DESC LIMIT 1");
    let found = tx
        .sql
        .trails(&statement)
        .map_err(|error| tx.fail("reading the last seal", &error))?;
    let there = found
        .first()
        .map_or((0, 0, 1), |(block, size, same, _)| (*block, *size, *same));
    if there != (*block, *size, 1) {
        return Ok(false);
    }
    tx.begin_change()?;
    for sealed in &sealing.sealed {
        seal::put(tx, sealed)?;
    }
    Ok(true)
}

/// Each space that has rows, with their highest number, and number and size of its last block.
fn trails(tx: &mut Transaction<'_>) -> Result<Vec<(i64, i64, i64, i64)>, StoreError> {
    // Leaps from space to space in the primary key.
    let statement = Statement::new(
        "WITH RECURSIVE known (space) AS (SELECT min(space) FROM audit UNION ALL \
         SELECT (SELECT min(a.space) FROM audit AS a WHERE a.space > known.space) FROM known \
         WHERE known.space IS NOT NULL) \
         SELECT space, (SELECT max(seq) FROM audit AS a WHERE a.space = known.space), \
         coalesce((SELECT max(block) FROM audit_seal AS s WHERE s.space = known.space), 0), \
         coalesce((SELECT size FROM audit_seal AS s WHERE s.space = known.space ORDER BY block DESC LIMIT 1), 0) \
         FROM known WHERE space IS NOT NULL",
    );
    tx.sql
        .trails(&statement)
        .map_err(|error| tx.fail("looking for what is not sealed", &error))
}

/// The end of a chain as it lies in the database.
fn read_chain(tx: &mut Transaction<'_>, space: i64) -> Result<Chain, StoreError> {
    let Some(last) = seal::last(tx, space)? else {
        return Ok(Chain {
            last: Block::behind(space, 0, 0, row::START),
            settled: 0,
            window: BTreeSet::new(),
        });
    };
    let settled = last.settled;
    let open = seal::above(tx, space, settled)?;
    let numbers = open.iter().flat_map(|sealed| &sealed.block.numbers);
    let window = numbers.copied().filter(|number| *number > settled).collect();
    if last.block.size() != last.size {
        // Retention leaves the last block alone.
        return Err(StoreError::Internal(
            "the last block of the audit trail was cut".to_owned(),
        ));
    }
    Ok(Chain {
        last: last.block,
        settled,
        window,
    })
}

/// The rows that are not sealed: first those that appeared below one that is.
fn new_rows(tx: &mut Transaction<'_>, space: i64, chain: &Chain) -> Result<Vec<AuditRow>, StoreError> {
    let mut rows = Vec::new();
    if !chain.window.is_empty() {
        let statement = Statement::new("SELECT seq FROM audit WHERE space = ")
            .bind(space)
            .sql(" AND seq > ")
            .bind(chain.settled)
            .sql(" AND seq <= ")
            .bind(chain.high())
            .sql(" ORDER BY seq");
        let found = tx
            .sql
            .longs(&statement)
            .map_err(|error| tx.fail("looking for late rows", &error))?;
        for late in found.into_iter().filter(|number| !chain.window.contains(number)) {
            rows.extend(row::between(tx, space, (late - 1, late), 1)?);
        }
    }
    rows.extend(row::between(tx, space, (chain.high(), i64::MAX), ROWS_AT_ONCE)?);
    Ok(rows)
}

/// Adds rows to the chain; the blocks that are new or longer.
fn extend(chain: &mut Chain, rows: &[AuditRow]) -> Vec<Block> {
    let mut changed = Vec::new();
    let mut grew = false;
    for row in rows {
        if chain.last.number == 0 || chain.last.is_full() {
            let next = chain.last.next();
            let full = std::mem::replace(&mut chain.last, next);
            if grew {
                changed.push(full);
            }
        }
        chain.last.push(row);
        chain.window.insert(row.number);
        grew = true;
    }
    if grew {
        changed.push(chain.last.clone());
    }
    changed
}
