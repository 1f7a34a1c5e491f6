//! Texts as they lie in an index.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Longest text in an index entry with three texts that a sender may choose, bytes: a PostgreSQL index entry
/// holds 2 704 bytes. Entries with two such texts hold what [`fhir::query::param::bounded`] lets through.
pub(crate) const MAX_INDEX_TEXT_BYTES: usize = 640;
const HASH_BYTES: usize = 64;

/// The text itself, or when it is too long its beginning and its hash: equality still means equality.
pub(crate) fn fit(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_INDEX_TEXT_BYTES {
        return Cow::Borrowed(text);
    }
    let mut end = MAX_INDEX_TEXT_BYTES - HASH_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut fitted = text.get(..end).unwrap_or_default().to_owned();
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(fitted, "{byte:02x}");
    }
    Cow::Owned(fitted)
}

/// The least text above every text that starts with this one, in byte order; `None` when there is none.
pub(crate) fn above_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            other => char::from_u32(other as u32 + 1),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests;
