//! API keys by their prefix, in a table that does the same whether somebody has the prefix or nobody: the time taken
//! tells nothing of it (T24).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use store::access::ClientKey;
use subtle::ConstantTimeEq as _;

use super::directory::KnownClient;

/// What a key is compared with, and whose it is.
#[derive(Clone)]
struct Entry {
    /// Of the whole key.
    hash: [u8; 32],
    /// From when on it is good for nothing, or its client is not let in.
    end: i64,
    /// `None`: nobody's.
    client: Option<Arc<KnownClient>>,
}

/// Of no key.
const NOBODYS: Entry = Entry {
    hash: [0; 32],
    end: i64::MIN,
    client: None,
};

/// Rows of one length, each filled up with nobody's entries. A prefix tells which row, and of a row all are compared.
pub(super) struct KeyTable {
    hasher: RandomState,
    rows: usize,
    /// Entries of a row.
    width: usize,
    entries: Vec<Entry>,
}

impl KeyTable {
    /// Of these keys and their clients.
    pub(super) fn new(keys: &[(&ClientKey, &Arc<KnownClient>)]) -> KeyTable {
        let hasher = RandomState::new();
        let rows = (2 * keys.len()).next_power_of_two();
        let mut filled: Vec<Vec<Entry>> = vec![Vec::new(); rows];
        for (key, client) in keys {
            let ends = [key.expires, client.end()].into_iter().flatten();
            let entry = Entry {
                hash: key.hash,
                end: ends.min().unwrap_or(i64::MAX),
                client: Some(Arc::clone(client)),
            };
            if let Some(row) = filled.get_mut(row_of(&hasher, &key.prefix, rows)) {
                row.push(entry);
            }
        }
        let width = filled.iter().map(Vec::len).max().unwrap_or_default();
        let full = |mut row: Vec<Entry>| {
            row.resize(width, NOBODYS);
            row
        };
        KeyTable {
            hasher,
            rows,
            width,
            entries: filled.into_iter().flat_map(full).collect(),
        }
    }

    /// Whose key has this prefix and, whole, this hash.
    pub(super) fn client_of(&self, prefix: &str, hash: &[u8; 32], now: i64) -> Option<&KnownClient> {
        let first = row_of(&self.hasher, prefix, self.rows) * self.width;
        let row = self.entries.get(first..first + self.width)?;
        let mut found = None;
        for entry in row {
            if bool::from(entry.hash.ct_eq(hash)) & (now < entry.end) {
                found = entry.client.as_deref();
            }
        }
        found
    }
}

/// `rows` is a power of two.
fn row_of(hasher: &RandomState, prefix: &str, rows: usize) -> usize {
    hasher.hash_one(prefix) as usize & (rows - 1)
}
