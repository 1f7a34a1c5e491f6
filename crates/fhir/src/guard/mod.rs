//! The strict pass in front of every parser: what passes here is UTF-8, bounded in depth and size of its
//! parts, and says everything exactly once.
//!
//! **Depth** is counted the same in both formats, so that a resource accepted in one is accepted in the
//! other: the root is level 0, every complex element below it is one level deeper than its parent. A
//! primitive counts only when it carries an `id` or extensions (the object behind `_birthDate` in JSON). A
//! contained resource and the element that holds it are one level. [`crate::limits::MAX_DEPTH`] levels are
//! accepted. The tags of a narrative are counted on their own, its `div` being level 1, to the same limit.

pub mod json;
mod malformed;
pub mod narrative;
pub mod place;
pub mod xml;

use std::str;

use serde_json::{Map, Value};

pub use malformed::{Malformed, MalformedEntries};

use crate::limits::{MAX_DEPTH, MAX_ISSUES};
use crate::outcome::{Issue, IssueCode};

/// What is wrong with a piece of text, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of issue.
    pub code: IssueCode,
    /// What is wrong and what to do, for a person.
    pub text: String,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(code: IssueCode, text: impl Into<String>) -> Fault {
        Fault {
            code,
            text: text.into(),
        }
    }

    /// The issue it is at this place.
    pub fn at(self, expression: impl Into<String>) -> Issue {
        Issue::error(self.code, self.text).at(expression)
    }
}

/// The issues of one pass, never more than [`MAX_ISSUES`].
#[derive(Debug, Default)]
pub(crate) struct Findings {
    issues: Vec<Issue>,
    /// The places of those that say that nothing stands there.
    hollow: Vec<String>,
}

impl Findings {
    pub(crate) fn add(&mut self, issue: Issue) {
        if !self.is_full() {
            self.issues.push(issue);
        }
    }

    /// Takes an issue that says that nothing stands at its place.
    pub(crate) fn add_hollow(&mut self, issue: Issue) {
        if !self.is_full() {
            self.hollow.extend(issue.expression.clone());
        }
        self.add(issue);
    }

    /// Whether it has been said of the place that nothing stands there.
    pub(crate) fn is_hollow(&self, expression: &str) -> bool {
        self.hollow.iter().any(|hollow| hollow == expression)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.issues.is_empty()
    }

    /// Whether no further issue would be kept, so that looking for more is of no use.
    pub(crate) fn is_full(&self) -> bool {
        self.issues.len() >= MAX_ISSUES
    }

    /// What they say of a body of which this could be read.
    pub(crate) fn into_malformed(self, rest: Option<Map<String, Value>>) -> Malformed {
        let rest = rest.filter(|_| !self.is_full());
        Malformed::new(self.issues, self.hollow, rest)
    }
}

/// How deep a body of this type may be nested. The resources of a Bundle lie two levels below it, and are as deep as
/// they may be alone.
pub(crate) fn deepest(expected: &str) -> usize {
    match expected {
        "Bundle" => MAX_DEPTH + 2,
        _ => MAX_DEPTH,
    }
}

/// The text of a body: not empty, UTF-8, a leading byte order mark taken off.
///
/// # Errors
/// One issue that names the byte offset of the first bad byte, or says that there is nothing.
pub fn text<'a>(bytes: &'a [u8], expected: &str) -> Result<&'a str, Issue> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let hint = match bytes {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => " It begins like UTF-16, which FHIR does not allow.",
            _ => "",
        };
        Issue::error(
            IssueCode::Invalid,
            format!("The body is not UTF-8: the byte at offset {offset} is wrong.{hint} Send it as UTF-8."),
        )
        .with_diagnostics(format!("byte offset {offset}"))
    })?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(Issue::error(
            IssueCode::Structure,
            format!("The body is empty: a {expected} resource is expected."),
        ));
    }
    Ok(text)
}

/// Whether XML 1.0 can carry the character; what it cannot is refused in JSON too, for a resource must be
/// readable in both formats — <https://www.w3.org/TR/xml/#charsets>
pub(crate) fn is_allowed_character(character: char) -> bool {
    !matches!(character,
        '\u{0}'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// The first character that no resource may hold.
pub(crate) fn forbidden_character(text: &str) -> Option<char> {
    // One look at the bytes spares decoding: nearly every string is innocent.
    let suspicious = text
        .bytes()
        .any(|byte| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0xEF);
    if suspicious {
        text.chars().find(|character| !is_allowed_character(*character))
    } else {
        None
    }
}

/// Checks the content of a string: FHIR wants at least one character that is no white space, and none that
/// XML cannot carry — <https://hl7.org/fhir/R4/datatypes.html#string>
pub(crate) fn check_string(text: &str) -> Result<(), Fault> {
    if let Some(character) = forbidden_character(text) {
        return Err(Fault::new(
            IssueCode::Value,
            format!(
                "The text holds the character U+{:04X}, which FHIR does not allow: remove it.",
                u32::from(character)
            ),
        ));
    }
    if text.is_empty() {
        return Err(Fault::new(
            IssueCode::Structure,
            "The text is empty: leave the element out instead.",
        ));
    }
    if text.chars().all(char::is_whitespace) {
        return Err(Fault::new(
            IssueCode::Structure,
            "The text is nothing but white space, which counts as empty: leave the element out instead.",
        ));
    }
    Ok(())
}

/// Longest written form of a number, in characters. FHIR asks for 18 digits; more than this is no measure.
pub const MAX_NUMBER_CHARACTERS: usize = 64;
/// Most digits of a number's exponent: `1e999` is read, `1e1000` is refused.
pub const MAX_EXPONENT_DIGITS: usize = 3;

/// Checks the written form of a JSON number, which FHIR's decimals and integers share, against the limits
/// of length — <https://hl7.org/fhir/R4/datatypes.html#decimal>
pub(crate) fn check_number(text: &str) -> Result<(), Fault> {
    if text.len() > MAX_NUMBER_CHARACTERS {
        return Err(Fault::new(
            IssueCode::Value,
            format!("The number is longer than {MAX_NUMBER_CHARACTERS} characters: shorten it."),
        ));
    }
    let digits = text
        .split_once(['e', 'E'])
        .map_or(0, |(_, exponent)| exponent.trim_start_matches(['+', '-']).len());
    if digits > MAX_EXPONENT_DIGITS {
        return Err(Fault::new(
            IssueCode::Value,
            format!(
                "The number's exponent has more than {MAX_EXPONENT_DIGITS} digits: no measure is that large or small."
            ),
        ));
    }
    Ok(())
}
