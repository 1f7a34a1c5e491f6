//! What is read of the trail: by position, and by search, newest first. Only what is sealed has a position and is found:
//! a second after it was written at the latest.
//!
//! There is no index over the rows: one by ids would be written at random places with every read that is audited. The
//! blocks are passed over instead: each tells its stretch of time, and short hashes of its clients and ids.

use std::collections::HashMap;

use fhir::query::audit::{AuditQuery, Entity};
use fhir::time::TimeRange;
use sha2::{Digest as _, Sha256};

use super::row::{self, AuditRow, short_hash};
use super::seal::{self, Sealed};
use crate::api::SpaceKey;
use crate::cursor;
use crate::error::StoreError;
use crate::store::SpaceStore;
use crate::transaction::Transaction;

/// Blocks that are read in one go at most; the first page of most searches needs one.
const BLOCKS_AT_ONCE: i64 = 64;
/// Blocks of the wanted time that one page looks at, a million rows; a page that is not full by then still has a next one.
const BLOCKS_PER_PAGE: i64 = 1_024;

/// A row at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its position in the chain of its space, from 1: it never changes.
    pub position: i64,
    /// The row.
    pub row: AuditRow,
}

/// A page of the trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Newest first.
    pub rows: Vec<Recorded>,
    /// How many there are, when that is known without looking at all.
    pub total: Option<u64>,
    /// The sealed cursor of the next page.
    pub next: Option<String>,
}

/// A stretch of the trail, and how far it has been read.
#[derive(Clone, Copy, Debug)]
pub struct TrailSlice {
    /// Its start, inclusive, microseconds since the epoch.
    pub since: i64,
    /// Its end, exclusive.
    pub until: i64,
    /// The block that was read last; 0 at the beginning.
    pub block: i64,
}

impl SpaceStore {
    /// The row at a position; `None` where there is none, or none any more.
    ///
    /// # Errors
    /// What the store says.
    pub async fn audit_row(&self, position: i64) -> Result<Option<Recorded>, StoreError> {
        let space = self.space();
        self.store()
            .read_all(move |tx| {
                let Some(sealed) = seal::holding(tx, space.0, position)? else {
                    return Ok(None);
                };
                let place = usize::try_from(position - sealed.block.before - 1).ok();
                let Some(number) = place.and_then(|place| sealed.block.numbers.get(place)).copied() else {
                    return Ok(None);
                };
                let found = row::between(tx, space.0, (number - 1, number), 1)?;
                Ok(found.into_iter().next().map(|row| Recorded { position, row }))
            })
            .await
    }

    /// The rows of the next block of a slice, oldest first, and moves the slice behind it; `None`: there is none.
    ///
    /// # Errors
    /// What the store says.
    pub async fn audit_slice(&self, slice: &mut TrailSlice) -> Result<Option<Vec<Recorded>>, StoreError> {
        let (space, from) = (self.space(), *slice);
        let found = self
            .store()
            .read_all(move |tx| {
                let statement = seal::select()
                    .bind(space.0)
                    .sql(" AND block > ")
                    .bind(from.block)
                    .sql(" AND latest >= ")
                    .bind(from.since)
                    .sql(" AND earliest < ")
                    .bind(from.until)
                    .sql(" ORDER BY block LIMIT 1");
                let found = seal::load(tx, space.0, &statement)?.into_iter().next();
                let Some(sealed) = found.map(seal::sound).transpose()? else {
                    return Ok(None);
                };
                let mut rows = rows_of(tx, &sealed)?;
                rows.retain(|recorded| {
                    let time = recorded.row.time.micros();
                    time >= from.since && time < from.until
                });
                Ok(Some((sealed.block.number, rows)))
            })
            .await?;
        Ok(found.map(|(block, rows)| {
            slice.block = block;
            rows
        }))
    }

    /// A page of a search.
    ///
    /// # Errors
    /// What the store says; [`StoreError::BadCursor`] of a cursor of another search.
    pub async fn audit_page(&self, query: AuditQuery) -> Result<AuditPage, StoreError> {
        let space = self.space();
        self.store().read_all(move |tx| page(tx, space, &query)).await
    }
}

fn page(tx: &mut Transaction<'_>, space: SpaceKey, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    let key = tx.cursor_key()?;
    let context = fingerprint(space, query);
    let below = match &query.cursor {
        None => i64::MAX,
        Some(cursor) => {
            let [below] = cursor::open_numbers::<1>(&key, &context, cursor)?;
            below
        }
    };
    let Some(last) = seal::last(tx, space.0)? else {
        return Ok(AuditPage {
            total: Some(0),
            ..AuditPage::default()
        });
    };
    let mut page = AuditPage::default();
    if query.is_bare() {
        let first = seal::behind(tx, space.0, 0, 1)?.into_iter().next().flatten();
        let gone = first
            .filter(|first| !first.cut.is_empty())
            .map_or(0, |first| first.end());
        page.total = u64::try_from(last.end() - gone).ok();
    }
    if query.count == 0 {
        return Ok(page);
    }
    let below = below.min(last.end().saturating_add(1));
    let (rows, more) = matches(tx, space, query, below)?;
    page.rows = rows;
    page.next = more.map(|position| cursor::seal_numbers(&key, &context, [position]));
    if page.total.is_none() && page.next.is_none() && query.cursor.is_none() {
        page.total = u64::try_from(page.rows.len()).ok();
    }
    Ok(page)
}

/// The newest matches below a position, and the position below which there may be more.
fn matches(
    tx: &mut Transaction<'_>,
    space: SpaceKey,
    query: &AuditQuery,
    below: i64,
) -> Result<(Vec<Recorded>, Option<i64>), StoreError> {
    let wanted = usize::try_from(query.count).unwrap_or(usize::MAX);
    let filter = Filter::of(query);
    let mut rows: Vec<Recorded> = Vec::new();
    let mut block = seal::block_of(below - 1);
    let (mut looked, mut step) = (0, 1);
    while block > 0 {
        if looked >= BLOCKS_PER_PAGE {
            // Behind the last row of the block that comes next.
            let end = block.saturating_mul(i64::try_from(super::block::MAX_ROWS).unwrap_or(i64::MAX));
            return Ok((rows, Some(end.saturating_add(1))));
        }
        let statement = seal::select()
            .bind(space.0)
            .sql(" AND block <= ")
            .bind(block)
            .sql(" AND latest >= ")
            .bind(filter.earliest)
            .sql(" AND earliest < ")
            .bind(filter.latest)
            .sql(" ORDER BY block DESC LIMIT ")
            .bind(step);
        let found = seal::load(tx, space.0, &statement)?;
        if found.is_empty() {
            break;
        }
        for sealed in found {
            let sealed = seal::sound(sealed)?;
            block = sealed.block.number - 1;
            if !filter.may_hold(&sealed) {
                continue;
            }
            for recorded in rows_of(tx, &sealed)?.into_iter().rev() {
                if recorded.position >= below || !filter.accepts(&recorded) {
                    continue;
                }
                if rows.len() == wanted {
                    let last = rows.last().map(|last| last.position);
                    return Ok((rows, last));
                }
                rows.push(recorded);
            }
        }
        looked += step;
        step = (step * 2).min(BLOCKS_AT_ONCE);
    }
    Ok((rows, None))
}

/// The rows of a block with their positions, in order.
fn rows_of(tx: &mut Transaction<'_>, sealed: &Sealed) -> Result<Vec<Recorded>, StoreError> {
    let block = &sealed.block;
    if block.numbers.is_empty() {
        return Ok(Vec::new());
    }
    let read = row::between(tx, block.space, (block.low - 1, block.high), i64::MAX)?;
    let mut by_number: HashMap<i64, AuditRow> = read.into_iter().map(|row| (row.number, row)).collect();
    let positions = block.before + 1..;
    let placed = positions.zip(&block.numbers).filter_map(|(position, number)| {
        let row = by_number.remove(number)?;
        Some(Recorded { position, row })
    });
    Ok(placed.collect())
}

/// The search, with what blocks are passed over by.
struct Filter<'q> {
    query: &'q AuditQuery,
    entities: Vec<Vec<u32>>,
    agents: Vec<Vec<u32>>,
    positions: Vec<Vec<i64>>,
    earliest: i64,
    latest: i64,
}

impl Filter<'_> {
    fn of(query: &AuditQuery) -> Filter<'_> {
        let entities = query.entities.iter();
        let entities = entities.map(|all| all.iter().map(|one| short_hash(&one.id)).collect());
        let agents = query.agents.iter();
        let agents = agents.map(|all| all.iter().map(|one| short_hash(one)).collect());
        let (earliest, latest) = query.bounds();
        Filter {
            query,
            entities: entities.collect(),
            agents: agents.collect(),
            positions: query.positions.clone(),
            earliest,
            latest,
        }
    }

    /// Whether rows of this block may be meant.
    fn may_hold(&self, sealed: &Sealed) -> bool {
        let block = &sealed.block;
        let some =
            |wanted: &Vec<u32>, held: &[u32]| wanted.iter().any(|hash| held.binary_search(hash).is_ok());
        self.entities.iter().all(|wanted| some(wanted, &block.entities))
            && self.agents.iter().all(|wanted| some(wanted, &block.clients))
            && self.positions.iter().all(|wanted| {
                wanted
                    .iter()
                    .any(|one| *one > block.before && *one <= sealed.end())
            })
    }

    fn accepts(&self, recorded: &Recorded) -> bool {
        let row = &recorded.row;
        let when = TimeRange::of_instant(row.time);
        let names = |entity: &Entity| {
            row.id.as_deref() == Some(entity.id.as_str())
                && entity
                    .kind
                    .as_deref()
                    .is_none_or(|kind| row.kind.is_some_and(|own| own.as_str() == kind))
        };
        let placed = |wanted: &Vec<i64>| wanted.contains(&recorded.position);
        self.positions.iter().all(placed)
            && self
                .query
                .dates
                .iter()
                .all(|any| any.iter().any(|test| test.accepts(when)))
            && self.query.entities.iter().all(|any| any.iter().any(names))
            && self.query.agents.iter().all(|any| any.contains(&row.client))
    }
}

/// What a cursor is good for: this search in this space.
fn fingerprint(space: SpaceKey, query: &AuditQuery) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"audit search");
    hasher.update(space.0.to_le_bytes());
    for (name, value) in &query.applied {
        if !matches!(name.as_str(), "_count" | "_format" | "_pretty") {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name);
            hasher.update((value.len() as u64).to_le_bytes());
            hasher.update(value);
        }
    }
    hasher.finalize().into()
}
