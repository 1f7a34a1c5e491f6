//! Rows that were sealed together: the lists of an `audit_seal` row, and what they say of the rows.

use sha2::{Digest as _, Sha256};

use super::row::{AuditRow, Hash, short_hash};

/// Rows of a block at most. Few enough that one which is still growing is written again cheaply.
pub(crate) const MAX_ROWS: usize = 1_024;
/// How much of a row's hash stands in the block: enough to tell which row does not fit; that some does not, the last
/// hash tells.
pub(super) const MARK_BYTES: usize = 8;

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(super) space: i64,
    /// From 1, without gaps.
    pub(super) number: i64,
    /// How many rows of the space come before it.
    pub(super) before: i64,
    /// The numbers of its rows in the order of the chain.
    pub(super) numbers: Vec<i64>,
    /// [`MARK_BYTES`] of each row's hash.
    pub(super) marks: Vec<u8>,
    /// Hashes of the ids, sorted.
    pub(super) entities: Vec<u32>,
    /// Hashes of the clients, sorted.
    pub(super) clients: Vec<u32>,
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) earliest: i64,
    pub(super) latest: i64,
    /// The hash before the first row.
    pub(super) previous: Hash,
    /// The hash of the last row.
    pub(super) hash: Hash,
}

impl Block {
    /// The block of a space behind this hash and so many rows; still empty.
    pub(super) fn behind(space: i64, number: i64, before: i64, previous: Hash) -> Block {
        Block {
            space,
            number,
            before,
            numbers: Vec::new(),
            marks: Vec::new(),
            entities: Vec::new(),
            clients: Vec::new(),
            low: i64::MAX,
            high: i64::MIN,
            earliest: i64::MAX,
            latest: i64::MIN,
            previous,
            hash: previous,
        }
    }

    /// The block behind this one.
    pub(super) fn next(&self) -> Block {
        Block::behind(self.space, self.number + 1, self.end(), self.hash)
    }

    /// The position of its last row.
    pub(super) fn end(&self) -> i64 {
        self.before + self.size()
    }

    pub(super) fn size(&self) -> i64 {
        i64::try_from(self.numbers.len()).unwrap_or(i64::MAX)
    }

    pub(super) fn is_full(&self) -> bool {
        self.numbers.len() >= MAX_ROWS
    }

    /// Adds a row at the end of the chain.
    pub(super) fn push(&mut self, row: &AuditRow) {
        self.hash = row.link(self.space, &self.hash);
        self.numbers.push(row.number);
        self.marks.extend(mark(&self.hash));
        self.low = self.low.min(row.number);
        self.high = self.high.max(row.number);
        self.earliest = self.earliest.min(row.time.micros());
        self.latest = self.latest.max(row.time.micros());
        insert(&mut self.clients, short_hash(&row.client));
        if let Some(id) = &row.id {
            insert(&mut self.entities, short_hash(id));
        }
    }

    /// A hash of the lists, which the signature covers.
    pub(super) fn digest(&self) -> Hash {
        let mut hasher = Sha256::new();
        for number in [self.low, self.high, self.earliest, self.latest] {
            hasher.update(number.to_le_bytes());
        }
        let lists = [
            write_numbers(&self.numbers),
            self.marks.clone(),
            write_hashes(&self.entities),
            write_hashes(&self.clients),
        ];
        for list in lists {
            hasher.update((list.len() as u64).to_le_bytes());
            hasher.update(list);
        }
        hasher.finalize().into()
    }
}

/// What of a row's hash stands in the block.
pub(super) fn mark(hash: &Hash) -> impl Iterator<Item = u8> + '_ {
    hash.iter().copied().take(MARK_BYTES)
}

fn insert(sorted: &mut Vec<u32>, hash: u32) {
    if let Err(place) = sorted.binary_search(&hash) {
        sorted.insert(place, hash);
    }
}

/// Differences to the number before, zigzag, seven bits a byte: two bytes a row at most as a rule.
pub(super) fn write_numbers(numbers: &[i64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() + 8);
    let mut before = 0_i64;
    for number in numbers {
        let step = number.wrapping_sub(before);
        before = *number;
        let mut rest = ((step << 1) ^ (step >> 63)) as u64;
        while rest >= 0x80 {
            bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push((rest & 0x7f) as u8);
    }
    bytes
}

/// `None` of what [`write_numbers`] does not write.
pub(super) fn read_numbers(bytes: &[u8]) -> Option<Vec<i64>> {
    let (mut numbers, mut before) = (Vec::new(), 0_i64);
    let (mut rest, mut shift) = (0_u64, 0_u32);
    for byte in bytes {
        if shift > 63 {
            return None;
        }
        rest |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            let step = (rest >> 1) as i64 ^ -((rest & 1) as i64);
            before = before.wrapping_add(step);
            numbers.push(before);
            (rest, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(numbers)
}

pub(super) fn write_hashes(hashes: &[u32]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect()
}

/// `None` of what [`write_hashes`] does not write.
pub(super) fn read_hashes(bytes: &[u8]) -> Option<Vec<u32>> {
    let (hashes, rest) = bytes.as_chunks::<4>();
    rest.is_empty()
        .then(|| hashes.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
}
