//! Alternatives and escapes of a search value — <https://hl7.org/fhir/R4/search.html#escaping>

use std::borrow::Cow;

use super::encoding::clip;
use crate::limits::MAX_ALTERNATIVES;
use crate::outcome::{Issue, IssueCode};

/// Why a parameter was refused; whoever knows its name makes the issue of it.
pub(super) struct Fault {
    code: IssueCode,
    text: String,
}

impl Fault {
    /// There is no value.
    pub(super) fn empty(text: impl Into<String>) -> Fault {
        Fault {
            code: IssueCode::Invalid,
            text: text.into(),
        }
    }

    /// The value cannot be understood.
    pub(super) fn value(text: impl Into<String>) -> Fault {
        Fault {
            code: IssueCode::Value,
            text: text.into(),
        }
    }

    /// It is FHIR, but not done here.
    pub(super) fn unsupported(text: impl Into<String>) -> Fault {
        Fault {
            code: IssueCode::NotSupported,
            text: text.into(),
        }
    }

    /// It is more than is taken.
    pub(super) fn too_long(text: impl Into<String>) -> Fault {
        Fault {
            code: IssueCode::TooLong,
            text: text.into(),
        }
    }

    /// The issue of this parameter. The value goes to `diagnostics` alone: it may be a name or a NIR.
    pub(super) fn about(self, full_name: &str, value: &str) -> Issue {
        let text = format!("Parameter `{}`: {}", clip(full_name), self.text);
        Issue::error(self.code, text).with_diagnostics(format!("{}={}", clip(full_name), clip(value)))
    }
}

/// The comma-separated alternatives, still escaped. At least one, none empty.
pub(super) fn alternatives(value: &str) -> Result<Vec<&str>, Fault> {
    let pieces = split(value, ',');
    if pieces.len() > MAX_ALTERNATIVES {
        let text = format!(
            "it has {} alternatives; at most {MAX_ALTERNATIVES} are taken. Ask in several searches.",
            pieces.len()
        );
        return Err(Fault::too_long(text));
    }
    if value.is_empty() {
        return Err(Fault::empty(
            "the value is empty; give one or leave the parameter out.",
        ));
    }
    if pieces.iter().any(|piece| piece.is_empty()) {
        let text = "an alternative is empty; remove the comma, or write `\\,` when it belongs to the value.";
        return Err(Fault::empty(text));
    }
    Ok(pieces)
}

/// Every alternative, parsed.
pub(super) fn each<T>(value: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    alternatives(value)?.into_iter().map(parse).collect()
}

/// The pieces between unescaped separators, still escaped.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((position, character)) = characters.next() {
        if character == '\\' {
            characters.next_if(|&(_, next)| is_escapable(next));
        } else if character == separator {
            pieces.extend(text.get(start..position));
            start = position + separator.len_utf8();
        }
    }
    pieces.extend(text.get(start..));
    pieces
}

/// The text with `\,`, `\|`, `\$` and `\\` resolved. A `\` before anything else stands for itself.
pub(super) fn unescape(piece: &str) -> Cow<'_, str> {
    if !piece.contains('\\') {
        return Cow::Borrowed(piece);
    }
    let mut text = String::with_capacity(piece.len());
    let mut characters = piece.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = (character == '\\').then(|| characters.next_if(|&next| is_escapable(next)));
        text.push(escaped.flatten().unwrap_or(character));
    }
    Cow::Owned(text)
}

/// The text with the escapes that [`unescape`] resolves.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_escapable(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn is_escapable(character: char) -> bool {
    matches!(character, ',' | '|' | '$' | '\\')
}

/// `true` or `false`.
pub(super) fn boolean(value: &str) -> Result<bool, Fault> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::value("the value is neither `true` nor `false`.")),
    }
}
