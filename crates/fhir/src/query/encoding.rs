//! Percent-encoding and the pairs of a query string —
//! <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>
//!
//! `|`, `:`, `/`, `,` and `=` (in a value) may stand raw or percent-encoded. What a raw `+` means:
//!
//! * In the query of a URL and in a form it is a space, everywhere; `%2B` is a plus. Where a space can only
//!   be a lost plus the parser of the parameter turns it back: before a telephone number and before the
//!   offset of a time.
//! * In `If-None-Exist` senders write both forms and plain text. A value that holds a percent escape and
//!   nothing that a form encoder would have escaped (`|`, `:`, `/`, `,`, a space …) came from a form
//!   encoder: `+` is a space. Any other is plain text, where `+` is a plus. A value without either sign is
//!   read by its parameter: in a string (a name) `+` is a space, in anything else a plus.

use std::fmt::Write;

use super::param::{DEFINITIONS, ParamType};
use crate::limits::{MAX_QUERY_BYTES, MAX_QUERY_PARAMETERS};
use crate::outcome::{Issue, IssueCode};

/// One `name:modifier=value` of a query string, percent-decoded; the escapes of FHIR (`\,`) still stand.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// What stands before the first `:`.
    pub name: String,
    /// What stands after the first `:`.
    pub modifier: Option<String>,
    /// What stands after the first `=`; empty when there is none.
    pub value: String,
}

impl Pair {
    /// Name and modifier as they stood: `identifier:of-type`.
    pub fn full_name(&self) -> String {
        match &self.modifier {
            Some(modifier) => format!("{}:{modifier}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Where a query string stood: it decides what a raw `+` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The query of a URL, or a form.
    Url,
    /// `If-None-Exist`.
    Header,
}

/// The pairs of a query string (without `?`) in their order. Empty pieces (`a=1&&b=2`) are passed over.
///
/// # Errors
/// Every parameter with a broken escape, invalid UTF-8 or a NUL ([`IssueCode::Value`]); too long or too many
/// ([`IssueCode::TooLong`]).
pub fn pairs(query: &str) -> Result<Vec<Pair>, Vec<Issue>> {
    split(query, Origin::Url)
}

pub(super) fn split(query: &str, origin: Origin) -> Result<Vec<Pair>, Vec<Issue>> {
    if query.len() > MAX_QUERY_BYTES {
        let text = format!("The query string is longer than {MAX_QUERY_BYTES} bytes; shorten it.");
        return Err(vec![Issue::error(IssueCode::TooLong, text)]);
    }
    let pieces = || query.split('&').filter(|piece| !piece.is_empty());
    let count = pieces().count();
    if count > MAX_QUERY_PARAMETERS {
        let text = format!(
            "The query string has {count} parameters; at most {MAX_QUERY_PARAMETERS} are taken. Send fewer."
        );
        return Err(vec![Issue::error(IssueCode::TooLong, text)]);
    }
    let mut pairs = Vec::with_capacity(count);
    let mut issues = Vec::new();
    for piece in pieces() {
        match pair(piece, origin) {
            Ok(pair) => pairs.push(pair),
            Err(issue) => issues.push(issue),
        }
    }
    if issues.is_empty() { Ok(pairs) } else { Err(issues) }
}

fn pair(piece: &str, origin: Origin) -> Result<Pair, Issue> {
    let (raw_name, raw_value) = piece.split_once('=').unwrap_or((piece, ""));
    let faulty = |fault: &str| {
        let text = format!(
            "Parameter `{}`: {fault}. Percent-encode it as UTF-8; a literal `%` is `%25`.",
            clip(raw_name)
        );
        Issue::error(IssueCode::Value, text).with_diagnostics(clip(piece))
    };
    let full = decode(raw_name, Plus::Space).map_err(faulty)?;
    let (name, modifier) = match full.split_once(':') {
        Some((name, modifier)) => (name.to_owned(), Some(modifier.to_owned())),
        None => (full, None),
    };
    let plus = match origin {
        Origin::Url => Plus::Space,
        Origin::Header => plus_in_header(&name, raw_value),
    };
    let value = decode(raw_value, plus).map_err(faulty)?;
    Ok(Pair {
        name,
        modifier,
        value,
    })
}

/// What a raw `+` stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Space,
    Itself,
}

fn plus_in_header(name: &str, raw_value: &str) -> Plus {
    if !raw_value.contains('+') {
        return Plus::Itself;
    }
    // What `application/x-www-form-urlencoded` leaves unescaped.
    let of_a_form =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '-' | '.' | '_' | '~' | '+' | '%');
    if !raw_value.chars().all(of_a_form) {
        return Plus::Itself;
    }
    let is_string = || {
        let row = DEFINITIONS.iter().find(|row| row.name.eq_ignore_ascii_case(name));
        row.is_some_and(|row| row.kind == ParamType::String)
    };
    if raw_value.contains('%') || is_string() {
        Plus::Space
    } else {
        Plus::Itself
    }
}

fn decode(text: &str, plus: Plus) -> Result<String, &'static str> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = bytes.next().and_then(hexadecimal);
                let low = bytes.next().and_then(hexadecimal);
                match (high, low) {
                    (Some(high), Some(low)) => decoded.push(high << 4 | low),
                    _ => return Err("a `%` is not followed by two hexadecimal digits"),
                }
            }
            b'+' if plus == Plus::Space => decoded.push(b' '),
            other => decoded.push(other),
        }
    }
    if decoded.contains(&0) {
        return Err("it contains a NUL character");
    }
    String::from_utf8(decoded).map_err(|_| "it is not valid UTF-8")
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A text without its percent-escapes, `+` standing for itself; `None` when an escape is broken or it is no UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    decode(text, Plus::Itself).ok()
}

/// A value percent-encoded for a link. `:`, `/` and `,` stay readable; `|`, `+`, `\` and the rest do not stay.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',' => {
                encoded.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// What an issue shows of a name or value: its first characters, on one line.
pub(super) fn clip(text: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
