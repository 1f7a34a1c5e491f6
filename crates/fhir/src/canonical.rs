//! The text of a resource as it is stored and served, and its digest.
//!
//! Everything but id, version and time is known before any lock is taken, so it is rendered then; inside
//! the transaction the body is three strings put together.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

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

impl Canonical {
    /// Renders a resource. Its `id`, `meta.versionId` and `meta.lastUpdated` are left out: they are the
    /// server's.
    pub fn of(resource: &Resource) -> Canonical {
        let mut tail = String::with_capacity(1024);
        let mut hasher = Sha256::new();
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
        hash_object(&mut hasher, resource.tree(), Level::Root);
        let hash = hasher.finalize();
        let mut digest = Digest::default();
        digest
            .iter_mut()
            .zip(hash.iter())
            .for_each(|(to, from)| *to = *from);
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
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Meta,
    Inner,
}

/// Hashes properties in name order. Every item is framed by a tag and, where it varies, its length, so
/// that no two trees give the same bytes.
fn hash_object(hasher: &mut Sha256, map: &Map<String, Value>, level: Level) {
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
    hasher.update(b"{");
    hasher.update((entries.len() as u64).to_le_bytes());
    for (name, value) in entries {
        hash_text(hasher, name);
        match value {
            Value::Object(meta) if level == Level::Root && name == "meta" => {
                hash_object(hasher, meta, Level::Meta);
            }
            other => hash_value(hasher, other),
        }
    }
}

fn hash_value(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"n"),
        Value::Bool(true) => hasher.update(b"t"),
        Value::Bool(false) => hasher.update(b"f"),
        Value::Number(number) => {
            hasher.update(b"#");
            hash_text(hasher, number.as_str());
        }
        Value::String(text) => {
            hasher.update(b"\"");
            hash_text(hasher, text);
        }
        Value::Array(items) => {
            hasher.update(b"[");
            hasher.update((items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| hash_value(hasher, item));
        }
        Value::Object(map) => hash_object(hasher, map, Level::Inner),
    }
}

fn hash_text(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
