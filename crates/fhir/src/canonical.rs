//! The text of a resource as it is stored and served, and its digest.
//!
//! Everything but id, version and time is known before any lock is taken, so it is rendered then; inside
//! the transaction the body is three strings put together.

use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::codec::exponents;
use crate::id::{Id, VersionId};
use crate::resource::{Resource, ResourceType};
use crate::time::Timestamp;

/// What a resource says, apart from its id, version and time, as 128 bits. Order of properties does not
/// count, order in lists does; numbers compare by their text (FHIR: precision is significant).
pub type Digest = [u8; 16];

/// A resource ready to be stored: all of it but id, `meta.versionId` and `meta.lastUpdated`.
#[derive(Clone)]
pub struct Canonical {
    kind: ResourceType,
    /// From behind `lastUpdated` to the end, closing brace included.
    tail: String,
    digest: Digest,
}

/// The digest of a resource, without rendering it.
pub fn digest(resource: &Resource) -> Digest {
    let mut bytes = Vec::with_capacity(2048);
    frame_object(&mut bytes, resource.tree(), Level::Root);
    let hash = blake3::hash(&bytes);
    let mut digest = Digest::default();
    digest
        .iter_mut()
        .zip(hash.as_bytes())
        .for_each(|(to, from)| *to = *from);
    digest
}

impl Canonical {
    /// Renders a resource. Its `id`, `meta.versionId` and `meta.lastUpdated` are left out: they are the
    /// server's.
    pub fn of(resource: &Resource) -> Canonical {
        Canonical::with_digest(resource, digest(resource))
    }

    /// The same when [`digest`] has been taken already.
    pub fn with_digest(resource: &Resource, digest: Digest) -> Canonical {
        let mut tail = String::with_capacity(2048);
        if let Some(meta) = resource.meta() {
            for (name, value) in meta.iter().filter(|(name, _)| !is_server_meta(name)) {
                write_property(&mut tail, name, value);
            }
        }
        tail.push('}');
        for (name, value) in resource.tree().iter().filter(|(name, _)| !is_head(name)) {
            write_property(&mut tail, name, value);
        }
        tail.push('}');
        Canonical {
            kind: resource.kind(),
            tail,
            digest,
        }
    }

    /// The type of the resource.
    pub fn kind(&self) -> ResourceType {
        self.kind
    }

    /// The digest of the content.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The stored and served text: minified JSON, `resourceType`, `id`, `meta` first.
    pub fn body(&self, id: &Id, version: VersionId, updated: Timestamp) -> String {
        let mut body = String::with_capacity(self.tail.len() + 160);
        body.push_str("{\"resourceType\":\"");
        body.push_str(self.kind.as_str());
        body.push_str("\",\"id\":\"");
        body.push_str(id.as_str());
        body.push_str("\",\"meta\":{\"versionId\":\"");
        body.push_str(&version.to_string());
        body.push_str("\",\"lastUpdated\":\"");
        body.push_str(&updated.to_instant());
        body.push('"');
        body.push_str(&self.tail);
        body
    }
}

/// Reads a stored body back into its tree, numbers as they were written. Its depth was bounded when it came
/// in, so no other bound is set here.
///
/// # Errors
/// When the text is no JSON object: not one that this server stored.
pub fn read(body: &str) -> Result<Map<String, Value>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    deserializer.disable_recursion_limit();
    let mut tree = Map::deserialize(&mut deserializer)?;
    deserializer.end()?;
    exponents::restore(&mut tree, exponents::of_json(body));
    Ok(tree)
}

fn is_head(name: &str) -> bool {
    matches!(name, "resourceType" | "id" | "meta")
}

fn is_server_meta(name: &str) -> bool {
    matches!(name, "versionId" | "lastUpdated")
}

fn write_property(out: &mut String, name: &str, value: &Value) {
    out.push(',');
    write_string(out, name);
    out.push(':');
    write_value(out, value);
}

/// Minified JSON of a tree, numbers as they were written.
pub fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(number.as_str()),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (position, (name, value)) in map.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(out, name);
                out.push(':');
                write_value(out, value);
            }
            out.push('}');
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // Runs without anything to escape are copied whole.
    while let Some((run, character, after)) = next_escape(rest) {
        out.push_str(run);
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control => out.push_str(&format!("\\u{:04x}", control as u32)),
        }
        rest = after;
    }
    out.push_str(rest);
    out.push('"');
}

/// The text before the first character that JSON escapes, that character, and the text behind it.
fn next_escape(text: &str) -> Option<(&str, char, &str)> {
    let place = text
        .bytes()
        .position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')?;
    let (run, rest) = text.split_at_checked(place)?;
    let character = rest.chars().next()?;
    let (_, after) = rest.split_at_checked(character.len_utf8())?;
    Some((run, character, after))
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Meta,
    Inner,
}

/// Writes properties in name order. Every item is framed by a tag and, where it varies, its length, so
/// that no two trees give the same bytes.
fn frame_object(bytes: &mut Vec<u8>, map: &Map<String, Value>, level: Level) {
    let mut entries: Vec<(&String, &Value)> = map
        .iter()
        .filter(|(name, _)| match level {
            Level::Root => *name != "id",
            Level::Meta => !is_server_meta(name),
            Level::Inner => true,
        })
        .collect();
    // An empty `meta` and none at all say the same.
    entries.retain(|(name, value)| {
        level != Level::Root
            || *name != "meta"
            || value
                .as_object()
                .is_some_and(|meta| meta.keys().any(|name| !is_server_meta(name)))
    });
    entries.sort_by_key(|(name, _)| name.as_str());
    bytes.extend_from_slice(b"{");
    bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for (name, value) in entries {
        frame_text(bytes, name);
        match value {
            Value::Object(meta) if level == Level::Root && name == "meta" => {
                frame_object(bytes, meta, Level::Meta);
            }
            other => frame_value(bytes, other),
        }
    }
}

fn frame_value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => bytes.extend_from_slice(b"n"),
        Value::Bool(true) => bytes.extend_from_slice(b"t"),
        Value::Bool(false) => bytes.extend_from_slice(b"f"),
        Value::Number(number) => {
            bytes.extend_from_slice(b"#");
            frame_text(bytes, number.as_str());
        }
        Value::String(text) => {
            bytes.extend_from_slice(b"\"");
            frame_text(bytes, text);
        }
        Value::Array(items) => {
            bytes.extend_from_slice(b"[");
            bytes.extend_from_slice(&(items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| frame_value(bytes, item));
        }
        Value::Object(map) => frame_object(bytes, map, Level::Inner),
    }
}

fn frame_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}
