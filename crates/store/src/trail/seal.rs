//! Blocks and their seals as rows of `audit_seal`.

use fhir::Timestamp;

use super::block::{Block, MARK_BYTES, read_hashes, read_numbers, write_hashes, write_numbers};
use super::head::Head;
use super::key::Signer;
use super::row::Hash;
use crate::error::StoreError;
use crate::statement::Statement;
use crate::transaction::Transaction;

/// A row as diesel gives it: block, sealed before, size, low, high, earliest, latest, settled, time; previous, hash,
/// digest, key id, signature, cut; clients, entities, numbers, marks.
pub(crate) type RawSeal = (RawPlace, RawHashes, RawLists);
type RawPlace = (i64, i64, i64, i64, i64, i64, i64, i64, i64);
type RawHashes = (Vec<u8>, Vec<u8>, Vec<u8>, String, Vec<u8>, Vec<u8>);
type RawLists = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

const SELECT: &str = "SELECT block, sealed_before, size, low, high, earliest, latest, settled, time, previous, hash, digest, \
     key_id, signature, cut, clients, entities, numbers, marks FROM audit_seal WHERE space = ";

/// A block with its seal.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub(super) block: Block,
    /// How many rows it has, also when they were removed.
    pub(super) size: i64,
    /// Up to which number every row of the space is sealed, and none can come any more.
    pub(super) settled: i64,
    pub(super) head: Head,
    /// The signature of a cut: the rows of this block and all before it were removed.
    pub(super) cut: Vec<u8>,
}

impl Sealed {
    /// Seals a block.
    pub(super) fn new(block: Block, settled: i64, time: Timestamp, signer: Option<&Signer>) -> Sealed {
        let mut head = Head {
            space: block.space,
            block: block.number,
            count: block.end(),
            hash: block.hash,
            digest: block.digest(),
            time,
            key_id: String::new(),
            signature: Vec::new(),
        };
        if let Some(signer) = signer {
            signer.id().clone_into(&mut head.key_id);
            head.signature = signer.sign(&head.message());
        }
        Sealed {
            size: block.size(),
            block,
            settled,
            head,
            cut: Vec::new(),
        }
    }

    /// The position of its last row.
    pub(super) fn end(&self) -> i64 {
        self.block.before.saturating_add(self.size)
    }

    /// `None` of a row that nobody wrote so.
    fn of(space: i64, raw: RawSeal) -> Option<Sealed> {
        let (place, hashes, lists) = raw;
        let (number, before, size, low, high, earliest, latest, settled, time) = place;
        let (previous, hash, digest, key_id, signature, cut) = hashes;
        let (clients, entities, numbers, marks) = lists;
        let array = |bytes: Vec<u8>| Hash::try_from(bytes).ok();
        let block = Block {
            space,
            number,
            before,
            numbers: read_numbers(&numbers)?,
            marks,
            entities: read_hashes(&entities)?,
            clients: read_hashes(&clients)?,
            low,
            high,
            earliest,
            latest,
            previous: array(previous)?,
            hash: array(hash)?,
        };
        let is_whole = block.size() == size && block.marks.len() == block.numbers.len() * MARK_BYTES;
        if !is_whole && cut.is_empty() {
            return None;
        }
        let head = Head {
            space,
            block: number,
            count: before.checked_add(size)?,
            hash: block.hash,
            digest: array(digest)?,
            time: Timestamp::from_micros(time),
            key_id,
            signature,
        };
        Some(Sealed {
            block,
            size,
            settled,
            head,
            cut,
        })
    }
}

/// The seals of a space behind a block, in their order; a row that makes no sense is `None`.
pub(super) fn behind(
    tx: &mut Transaction<'_>,
    space: i64,
    block: i64,
    limit: i64,
) -> Result<Vec<Option<Sealed>>, StoreError> {
    let statement = Statement::new(SELECT)
        .bind(space)
        .sql(" AND block > ")
        .bind(block)
        .sql(" ORDER BY block LIMIT ")
        .bind(limit);
    load(tx, space, &statement)
}

/// The last seal of a space.
pub(super) fn last(tx: &mut Transaction<'_>, space: i64) -> Result<Option<Sealed>, StoreError> {
    let statement = Statement::new(SELECT)
        .bind(space)
        .sql(" ORDER BY block DESC LIMIT 1");
    load(tx, space, &statement)?
        .into_iter()
        .next()
        .map(sound)
        .transpose()
}

/// The seals of a space that hold numbers above this one.
pub(super) fn above(tx: &mut Transaction<'_>, space: i64, number: i64) -> Result<Vec<Sealed>, StoreError> {
    let statement = Statement::new(SELECT)
        .bind(space)
        .sql(" AND high > ")
        .bind(number)
        .sql(" ORDER BY block");
    load(tx, space, &statement)?.into_iter().map(sound).collect()
}

/// The seal that holds this position of a space.
pub(super) fn holding(
    tx: &mut Transaction<'_>,
    space: i64,
    position: i64,
) -> Result<Option<Sealed>, StoreError> {
    // Every block but the last has as many rows as any: which one it is can be told.
    let statement = Statement::new(SELECT)
        .bind(space)
        .sql(" AND block = ")
        .bind(block_of(position));
    load(tx, space, &statement)?
        .into_iter()
        .next()
        .map(sound)
        .transpose()
}

/// The block in which a position lies: all but the last are full.
pub(super) fn block_of(position: i64) -> i64 {
    let rows = i64::try_from(super::block::MAX_ROWS).unwrap_or(i64::MAX);
    (position - 1).div_euclid(rows) + 1
}

pub(super) fn load(
    tx: &mut Transaction<'_>,
    space: i64,
    statement: &Statement<'_>,
) -> Result<Vec<Option<Sealed>>, StoreError> {
    let rows = tx
        .sql
        .seals(statement)
        .map_err(|error| tx.fail("reading the seals of the audit trail", &error))?;
    Ok(rows.into_iter().map(|raw| Sealed::of(space, raw)).collect())
}

/// The text of a statement that reads seals, up to the number of the space.
pub(super) fn select() -> Statement<'static> {
    Statement::new(SELECT)
}

/// What there is of seals in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seals {
    /// None.
    None,
    /// None of them is signed.
    Unsigned,
    /// There was a key.
    Signed,
}

/// What there is of seals.
pub(crate) fn seals(tx: &mut Transaction<'_>) -> Result<Seals, StoreError> {
    let statement = Statement::new(
        "SELECT DISTINCT CAST(CASE WHEN key_id = '' THEN 0 ELSE 1 END AS BIGINT) FROM audit_seal",
    );
    let found = tx.sql.longs(&statement);
    let found = found.map_err(|error| tx.fail("looking for seals", &error))?;
    Ok(match found.iter().max() {
        None => Seals::None,
        Some(0) => Seals::Unsigned,
        Some(_) => Seals::Signed,
    })
}

pub(super) fn sound(sealed: Option<Sealed>) -> Result<Sealed, StoreError> {
    sealed.ok_or_else(|| {
        StoreError::Internal(
            "a seal of the audit trail makes no sense: run passerelle audit verify".to_owned(),
        )
    })
}

/// Writes a seal, over an earlier one of the same block.
pub(super) fn put(tx: &mut Transaction<'_>, sealed: &Sealed) -> Result<(), StoreError> {
    let block = &sealed.block;
    let mut statement = Statement::new(
        "INSERT INTO audit_seal (space, block, sealed_before, size, low, high, earliest, latest, settled, time, previous, \
         hash, digest, key_id, signature, clients, entities, numbers, marks) VALUES (",
    )
    .bind(block.space);
    let numbers = [
        block.number,
        block.before,
        sealed.size,
        block.low,
        block.high,
        block.earliest,
        block.latest,
        sealed.settled,
        sealed.head.time.micros(),
    ];
    for number in numbers {
        statement.push_next(number);
    }
    statement.push_next(block.previous.as_slice());
    statement.push_next(block.hash.as_slice());
    statement.push_next(sealed.head.digest.as_slice());
    statement.push_next(sealed.head.key_id.as_str());
    statement.push_next(sealed.head.signature.as_slice());
    statement.push_next(write_hashes(&block.clients));
    statement.push_next(write_hashes(&block.entities));
    statement.push_next(write_numbers(&block.numbers));
    statement.push_next(block.marks.as_slice());
    let statement = statement.sql(
        ") ON CONFLICT (space, block) DO UPDATE SET size = excluded.size, low = excluded.low, high = excluded.high, \
         earliest = excluded.earliest, latest = excluded.latest, settled = excluded.settled, time = excluded.time, \
         hash = excluded.hash, digest = excluded.digest, key_id = excluded.key_id, signature = excluded.signature, \
         clients = excluded.clients, entities = excluded.entities, numbers = excluded.numbers, marks = excluded.marks",
    );
    tx.run("sealing the audit trail", &statement).map(|_| ())
}
