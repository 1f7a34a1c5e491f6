//! Sealed cursors: where a page ended, readable and makeable by this server alone, good for one search.
//!
//! The row is encrypted too: its number would tell how much other spaces store. The construction is the
//! synthetic one: the code of context and row is the nonce of the mask over the row.

use fhir::query::Query;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::StoreError;

const CODE_BYTES: usize = 16;
const ROW_BYTES: usize = 8;
const BLOCK_BYTES: usize = 64;

/// HMAC-SHA256 (RFC 2104) of parts one after the other.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; BLOCK_BYTES];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let mut inner = Sha256::new();
    inner.update(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    let mut outer = Sha256::new();
    outer.update(pad(0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// Seals the last row of a page of the search with this fingerprint.
pub(crate) fn seal(key: &[u8; 32], search: &[u8; 32], row: i64) -> String {
    let row = row.to_le_bytes();
    let code = code(key, search, row);
    let masked = mask(key, code, row);
    code.iter()
        .chain(&masked)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The row of a cursor that was sealed for this search.
pub(crate) fn open(key: &[u8; 32], search: &[u8; 32], cursor: &str) -> Result<i64, StoreError> {
    let bytes = unhex(cursor).ok_or(StoreError::BadCursor)?;
    let (given, masked) = bytes.split_at_checked(CODE_BYTES).ok_or(StoreError::BadCursor)?;
    let given: [u8; CODE_BYTES] = given.try_into().map_err(|_| StoreError::BadCursor)?;
    let masked: [u8; ROW_BYTES] = masked.try_into().map_err(|_| StoreError::BadCursor)?;
    let row = mask(key, given, masked);
    if bool::from(code(key, search, row).ct_eq(&given)) {
        Ok(i64::from_le_bytes(row))
    } else {
        Err(StoreError::BadCursor)
    }
}

/// The row at which a search goes on, when it has a cursor.
pub(crate) fn start(key: &[u8; 32], search: &[u8; 32], query: &Query) -> Result<Option<i64>, StoreError> {
    query
        .cursor
        .as_deref()
        .map(|cursor| open(key, search, cursor))
        .transpose()
}

fn code(key: &[u8; 32], search: &[u8; 32], row: [u8; ROW_BYTES]) -> [u8; CODE_BYTES] {
    let full = hmac(key, &[b"cursor code", search, &row]);
    let mut code = [0; CODE_BYTES];
    code.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    code
}

fn mask(key: &[u8; 32], code: [u8; CODE_BYTES], row: [u8; ROW_BYTES]) -> [u8; ROW_BYTES] {
    let stream = hmac(key, &[b"cursor mask", &code]);
    let mut masked = row;
    masked
        .iter_mut()
        .zip(stream)
        .for_each(|(byte, mask)| *byte ^= mask);
    masked
}

/// Lower-case hexadecimal only, so that a cursor has one spelling.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * (CODE_BYTES + ROW_BYTES) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
