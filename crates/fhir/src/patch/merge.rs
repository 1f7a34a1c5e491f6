//! JSON merge patch — RFC 7396

use serde_json::{Map, Value};

use super::{Emptied, malformed, tidy};
use crate::guard::json::document;
use crate::outcome::Issue;

/// A merge patch: an object as much like the resource as the change needs, `null` for what is to go.
pub(super) struct MergePatch {
    patch: Map<String, Value>,
    emptied: Emptied,
}

impl MergePatch {
    pub(super) fn read(bytes: &[u8]) -> Result<MergePatch, Vec<Issue>> {
        match document::read(bytes, "JSON merge patch")? {
            Value::Object(patch) => {
                let has_empty_item = patch.values().any(has_empty_item);
                let emptied = if has_empty_item {
                    Emptied::ByAuthor
                } else {
                    Emptied::ByRemoval
                };
                Ok(MergePatch { patch, emptied })
            }
            _ => Err(vec![malformed(
                "A JSON merge patch is an object with the properties that change, and null for those that go. A list of \
                 operations is a JSON Patch: send it as application/json-patch+json.",
            )]),
        }
    }

    pub(super) fn apply(&self, root: &mut Value) -> Emptied {
        merge_into(root, &self.patch);
        self.emptied
    }
}

/// Whether a list is empty or has a hole. A `null` outside of lists is a removal.
fn has_empty_item(value: &Value) -> bool {
    match value {
        Value::Array(items) => {
            items.is_empty() || items.iter().any(|item| item.is_null() || has_empty_item(item))
        }
        Value::Object(map) => map.values().any(has_empty_item),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

// Nested no deeper than the document's guard lets pass.
fn merge_into(target: &mut Value, patch: &Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(object) = target else {
        return;
    };
    for (name, change) in patch {
        match change {
            Value::Null => {
                object.shift_remove(name);
            }
            Value::Object(inner) => {
                merge_into(object.entry(name.clone()).or_insert(Value::Null), inner);
            }
            other => {
                let old = object.insert(name.clone(), other.clone());
                if !patch.contains_key(&tidy::sibling(name)) {
                    tidy::realign(object, name, old.as_ref());
                }
            }
        }
    }
}
