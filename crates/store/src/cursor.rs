//! Sealed cursors: where a page ended, readable and makeable by this server alone, good for one search.
//!
//! Each kind of place has its form, and opens in that form alone. What is sealed is encrypted too: the number of a row
//! would tell how much other spaces store. The construction is the synthetic one: the code of form, context and place
//! is the nonce of the mask over the place.

use std::fmt::Write as _;

use fhir::query::Query;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::StoreError;

const CODE_BYTES: usize = 16;
const NUMBER_BYTES: usize = 8;
/// Longer ones were not sealed here.
const MAX_CURSOR_CHARS: usize = fhir::limits::MAX_QUERY_BYTES;
const BLOCK_BYTES: usize = 64;
const HASH_BYTES: usize = 32;

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

/// A place between two matches of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The page lies before this place, not behind it.
    pub(crate) backward: bool,
    /// The row of the match beside it.
    pub(crate) row: i64,
    /// That match's keys in the order of the search, as texts.
    pub(crate) keys: Vec<Option<String>>,
}

impl Place {
    /// What a cursor holds: a byte, the row, and of each key a byte, its length and its text.
    fn write(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.backward)];
        bytes.extend(self.row.to_le_bytes());
        for key in &self.keys {
            bytes.push(u8::from(key.is_some()));
            if let Some(text) = key {
                // A text of an index entry is far shorter than 4 GiB.
                bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend(text.as_bytes());
            }
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Place> {
        let (backward, rest) = bytes.split_first()?;
        let (row, mut rest) = rest.split_first_chunk::<NUMBER_BYTES>()?;
        let mut keys = Vec::new();
        while let Some((present, behind)) = rest.split_first() {
            rest = behind;
            if *present == 0 {
                keys.push(None);
                continue;
            }
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (text, behind) = behind.split_at_checked(length)?;
            keys.push(Some(std::str::from_utf8(text).ok()?.to_owned()));
            rest = behind;
        }
        Some(Place {
            backward: *backward == 1,
            row: i64::from_le_bytes(*row),
            keys,
        })
    }
}

/// What a cursor holds.
#[derive(Clone, Copy)]
enum Form {
    /// A [`Place`].
    Place,
    /// A row of numbers.
    Numbers,
}

impl Form {
    /// What the code is made with: none is the beginning of another.
    const fn label(self) -> &'static [u8] {
        match self {
            Form::Place => b"cursor code",
            Form::Numbers => b"numbers code",
        }
    }
}

/// Seals a place in the search with this fingerprint.
pub(crate) fn seal(key: &[u8; 32], search: &[u8; 32], place: &Place) -> String {
    seal_bytes(key, Form::Place, search, &place.write())
}

/// The place of a cursor that was sealed for this search.
pub(crate) fn open(key: &[u8; 32], search: &[u8; 32], cursor: &str) -> Result<Place, StoreError> {
    let bytes = open_bytes(key, Form::Place, search, cursor)?;
    Place::read(&bytes).ok_or(StoreError::BadCursor)
}

/// Seals numbers: where a page ended that is found by these and no keys.
pub(crate) fn seal_numbers<const N: usize>(key: &[u8; 32], search: &[u8; 32], numbers: [i64; N]) -> String {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(i64::to_le_bytes).collect();
    seal_bytes(key, Form::Numbers, search, &bytes)
}

/// The numbers of such a cursor.
pub(crate) fn open_numbers<const N: usize>(
    key: &[u8; 32],
    search: &[u8; 32],
    cursor: &str,
) -> Result<[i64; N], StoreError> {
    let bytes = open_bytes(key, Form::Numbers, search, cursor)?;
    if bytes.len() != N * NUMBER_BYTES {
        return Err(StoreError::BadCursor);
    }
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(NUMBER_BYTES)) {
        *number = i64::from_le_bytes(bytes.try_into().map_err(|_| StoreError::BadCursor)?);
    }
    Ok(numbers)
}

/// The place at which a search goes on, when it has a cursor.
pub(crate) fn start(key: &[u8; 32], search: &[u8; 32], query: &Query) -> Result<Option<Place>, StoreError> {
    query
        .cursor
        .as_deref()
        .map(|cursor| open(key, search, cursor))
        .transpose()
}

fn seal_bytes(key: &[u8; 32], form: Form, search: &[u8; 32], bytes: &[u8]) -> String {
    let code = code(key, form, search, bytes);
    let masked = mask(key, code, bytes);
    let mut cursor = String::with_capacity(2 * (CODE_BYTES + masked.len()));
    for byte in code.iter().chain(&masked) {
        // Writing to a String cannot fail.
        let _ = write!(cursor, "{byte:02x}");
    }
    cursor
}

fn open_bytes(key: &[u8; 32], form: Form, search: &[u8; 32], cursor: &str) -> Result<Vec<u8>, StoreError> {
    let bytes = unhex(cursor).ok_or(StoreError::BadCursor)?;
    let (given, masked) = bytes.split_at_checked(CODE_BYTES).ok_or(StoreError::BadCursor)?;
    let given: [u8; CODE_BYTES] = given.try_into().map_err(|_| StoreError::BadCursor)?;
    let bytes = mask(key, given, masked);
    if bool::from(code(key, form, search, &bytes).ct_eq(&given)) {
        Ok(bytes)
    } else {
        Err(StoreError::BadCursor)
    }
}

fn code(key: &[u8; 32], form: Form, search: &[u8; 32], bytes: &[u8]) -> [u8; CODE_BYTES] {
    let full = hmac(key, &[form.label(), search, bytes]);
    let mut code = [0; CODE_BYTES];
    code.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    code
}

fn mask(key: &[u8; 32], code: [u8; CODE_BYTES], bytes: &[u8]) -> Vec<u8> {
    let mut masked = bytes.to_vec();
    for (number, block) in (0u32..).zip(masked.chunks_mut(HASH_BYTES)) {
        let stream = hmac(key, &[b"cursor mask", &code, &number.to_le_bytes()]);
        block
            .iter_mut()
            .zip(stream)
            .for_each(|(byte, mask)| *byte ^= mask);
    }
    masked
}

/// Lower-case hexadecimal only, so that a cursor has one spelling.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) || text.len() > MAX_CURSOR_CHARS {
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
