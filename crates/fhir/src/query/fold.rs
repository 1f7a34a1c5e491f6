//! What is the same to a search: case, accents, punctuation of telephone numbers.
//!
//! The index and the parser fold with the same functions, so a rule need only be consistent, not perfect:
//! `й` loses its breve like `é` its accent, on both sides.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::param::IndexParam;
use crate::limits::MAX_INDEXED_CHARS;

/// Characters of a text too long for an index that its digest does not replace.
const KEPT_CHARS: usize = MAX_INDEXED_CHARS - DIGEST_CHARS;
/// `#` and the 64 hexadecimal digits of a SHA-256.
const DIGEST_CHARS: usize = 65;

/// A string without case and accents: lower-cased, decomposed (NFD), without combining marks, ligatures
/// (œ, æ, ß, ĳ) and barred letters (ø, ł, đ) spelt out, typographic apostrophes and hyphens as in ASCII,
/// white space collapsed and trimmed. Not cut.
pub fn fold_string(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut gap = false;
    let mut push = |character: char| {
        if character.is_whitespace() {
            gap = true;
        } else {
            if gap && !folded.is_empty() {
                folded.push(' ');
            }
            gap = false;
            push_folded(&mut folded, character);
        }
    };
    if text.is_ascii() {
        text.chars().for_each(|c| push(c.to_ascii_lowercase()));
    } else {
        // Character by character: `str::to_lowercase` makes the sigma of "ΣΑΣ" depend on what follows,
        // and a prefix would no longer be one.
        text.chars()
            .flat_map(char::to_lowercase)
            .nfd()
            .filter(|&c| !is_combining_mark(c))
            .for_each(&mut push);
    }
    folded
}

fn push_folded(folded: &mut String, character: char) {
    match character {
        'œ' => folded.push_str("oe"),
        'æ' => folded.push_str("ae"),
        'ß' => folded.push_str("ss"),
        'ĳ' => folded.push_str("ij"),
        'ø' => folded.push('o'),
        'ł' => folded.push('l'),
        'đ' => folded.push('d'),
        'ς' => folded.push('σ'),
        '\u{2018}' | '\u{2019}' | '\u{02BC}' => folded.push('\''),
        '\u{2010}' | '\u{2011}' => folded.push('-'),
        other => folded.push(other),
    }
}

/// The code of a token row. Contact points are folded by what they look like, so that `telecom` needs one
/// form for all of them: with an `@` they are lower-cased; of nothing but digits and the punctuation of
/// telephone numbers they lose spaces, dots, dashes, slashes and parentheses. Every other text stands byte
/// for byte, but for the bound of [`bounded`]. Idempotent.
pub fn fold_token(param: IndexParam, text: &str) -> String {
    match param {
        IndexParam::Phone | IndexParam::Email | IndexParam::OtherTelecom => bounded(&fold_contact(text)),
        _ => bounded(text),
    }
}

fn fold_contact(text: &str) -> String {
    if text.contains('@') {
        return text.to_lowercase();
    }
    let separates = |c: char| c.is_whitespace() || matches!(c, '.' | '-' | '/' | '(' | ')');
    let telephone = text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '+' | '*' | '#') || separates(c));
    if telephone && text.contains(|c: char| c.is_ascii_digit()) {
        text.chars().filter(|&c| !separates(c)).collect()
    } else {
        text.to_owned()
    }
}

/// The text itself up to [`MAX_INDEXED_CHARS`] characters; of a longer one the beginning and the SHA-256 of
/// the whole, so that equality still means equality and the row still fits an index page. Idempotent.
pub fn bounded(text: &str) -> String {
    if text.len() <= MAX_INDEXED_CHARS || text.chars().nth(MAX_INDEXED_CHARS).is_none() {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(KEPT_CHARS).collect();
    short.push('#');
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(short, "{byte:02x}");
    }
    short
}

/// The code of an [`IndexParam::IdentifierOfType`] row: type code and value joined by `|`, with `\` before
/// a `|` or `\` of the code, so that no two pairs make the same text.
pub fn of_type_code(code: &str, value: &str) -> String {
    let escaped = code.replace('\\', "\\\\").replace('|', "\\|");
    bounded(&format!("{escaped}|{value}"))
}

#[cfg(test)]
mod tests;
