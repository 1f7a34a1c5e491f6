//! `metadata`: JSON that is a brand's own business and is given back in the digits and order it came in.

use serde::de::IgnoredAny;
use serde::{Serialize, Serializer};
use serde_json::Number;

use crate::json;

/// The most bytes of `metadata`, blanks between its tokens not counted.
pub const MAX_METADATA_BYTES: usize = 64 * 1024;

/// The text of a JSON object that has passed [`json::object`].
///
/// It is kept as text, for a tree of serde_json would respell `1e400` as `1e+400`. It is serialised verbatim,
/// into text alone ([`super::render`]): a tree of serde_json refuses it.
#[derive(Clone, PartialEq, Eq)]
pub struct Metadata(String);

// What a brand keeps there may be personal: it never reaches a log by `{:?}`.
impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metadata({} bytes)", self.0.len())
    }
}

impl Default for Metadata {
    fn default() -> Metadata {
        Metadata("{}".to_owned())
    }
}

impl Metadata {
    /// The text, when it is an object without doubled keys.
    pub(super) fn parse(text: &str) -> Option<Metadata> {
        json::object(text.as_bytes()).ok()?;
        Some(Metadata(text.trim().to_owned()))
    }

    /// The property `metadata` of a body that [`json::object`] has read, without the blanks between its tokens.
    pub(crate) fn of_body(body: &str) -> Option<Metadata> {
        property(body, "metadata").map(|text| Metadata(compact(text)))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `{}`.
    pub fn is_empty(&self) -> bool {
        self.0 == "{}"
    }
}

impl Serialize for Metadata {
    /// A number's text is what serde_json writes as it lies; its feature for raw text would give a key of that
    /// feature's a meaning in every body that any crate of the server reads.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Number::from_string_unchecked(self.0.clone()).serialize(serializer)
    }
}

/// The text of a property of an object that is known to be well-formed.
pub(crate) fn property<'b>(body: &'b str, name: &str) -> Option<&'b str> {
    let mut rest = body.trim_start().strip_prefix('{')?;
    loop {
        let (key, after) = value(rest)?;
        let (text, after) = value(after.trim_start().strip_prefix(':')?)?;
        // Decoded, for a key may be written with escapes.
        if serde_json::from_str::<String>(key).ok()? == name {
            return Some(text);
        }
        rest = after.trim_start().strip_prefix(',')?;
    }
}

/// The JSON value that a text begins with, and what follows it.
fn value(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    text.split_at_checked(values.byte_offset())
}

/// Well-formed JSON without the blanks between its tokens.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = is_escaped || character != '"';
            is_escaped = character == '\\' && !is_escaped;
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
    out
}
