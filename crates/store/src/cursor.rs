//! Sealed cursors: where a page ended, readable and makeable by this server alone, good for one search.
//!
//! The row is encrypted too: its number would tell how much other spaces store. The construction is the
//! synthetic one: the code of context and numbers is the nonce of the mask over the numbers.

use fhir::query::Query;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::StoreError;

const CODE_BYTES: usize = 16;
const NUMBER_BYTES: usize = 8;
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
    seal_numbers(key, search, [row])
}

/// The row of a cursor that was sealed for this search.
pub(crate) fn open(key: &[u8; 32], search: &[u8; 32], cursor: &str) -> Result<i64, StoreError> {
    open_numbers(key, search, cursor).map(|[row]| row)
}

/// Seals up to four numbers: where a page ended that is found by more than a row.
pub(crate) fn seal_numbers<const N: usize>(key: &[u8; 32], search: &[u8; 32], numbers: [i64; N]) -> String {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(i64::to_le_bytes).collect();
    let code = code(key, search, &bytes);
    let masked = mask(key, code, bytes);
    code.iter()
        .chain(&masked)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The numbers of such a cursor.
pub(crate) fn open_numbers<const N: usize>(
    key: &[u8; 32],
    search: &[u8; 32],
    cursor: &str,
) -> Result<[i64; N], StoreError> {
    let bytes = unhex(cursor, CODE_BYTES + N * NUMBER_BYTES).ok_or(StoreError::BadCursor)?;
    let (given, masked) = bytes.split_at_checked(CODE_BYTES).ok_or(StoreError::BadCursor)?;
    let given: [u8; CODE_BYTES] = given.try_into().map_err(|_| StoreError::BadCursor)?;
    let plain = mask(key, given, masked.to_vec());
    if !bool::from(code(key, search, &plain).ct_eq(&given)) {
        return Err(StoreError::BadCursor);
    }
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(plain.chunks_exact(NUMBER_BYTES)) {
        *number = i64::from_le_bytes(bytes.try_into().map_err(|_| StoreError::BadCursor)?);
    }
    Ok(numbers)
}

/// The row at which a search goes on, when it has a cursor.
pub(crate) fn start(key: &[u8; 32], search: &[u8; 32], query: &Query) -> Result<Option<i64>, StoreError> {
    query
        .cursor
        .as_deref()
        .map(|cursor| open(key, search, cursor))
        .transpose()
}

fn code(key: &[u8; 32], search: &[u8; 32], numbers: &[u8]) -> [u8; CODE_BYTES] {
    let full = hmac(key, &[b"cursor code", search, numbers]);
    let mut code = [0; CODE_BYTES];
    code.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    code
}

fn mask(key: &[u8; 32], code: [u8; CODE_BYTES], mut numbers: Vec<u8>) -> Vec<u8> {
    let stream = hmac(key, &[b"cursor mask", &code]);
    numbers
        .iter_mut()
        .zip(stream)
        .for_each(|(byte, mask)| *byte ^= mask);
    numbers
}

/// Lower-case hexadecimal only, so that a cursor has one spelling.
fn unhex(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * bytes {
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
