//! What a partner sent and FHIR cannot hold verbatim, kept beside the resource (`adapters.md` 5.3 R3).
//!
//! An overlay remembers the raw JSON of a field and what the projection of the FHIR element was right after
//! the write. As long as the projection is still that, the raw form is shown; once somebody changed the
//! element through another door, it is not, and the next write drops the overlay.

use serde_json::{Value, json};

use crate::naming::Naming;
use crate::tree::{Object, objects, push, retain, text};

const NAME: &str = "partner-representation";

/// The raw form of a field, if there is one and it still holds. `now` is what the projection gives.
pub fn raw(resource: &Object, naming: &Naming, adapter: &str, field: &str, now: &Value) -> Option<Value> {
    let url = naming.extension(NAME);
    let overlay = objects(resource, "extension")
        .filter(|extension| text(extension, "url") == Some(&url))
        .find(|extension| is_of(extension, adapter, field))?;
    let seen: Value = serde_json::from_str(part(overlay, "seen")?).ok()?;
    if seen != *now {
        return None;
    }
    serde_json::from_str(part(overlay, "raw")?).ok()
}

/// Keeps the raw form of a field in place of what was kept of it; nothing when it is what the projection
/// gives anyway.
pub fn keep(resource: &mut Object, naming: &Naming, adapter: &str, field: &str, raw: &Value, seen: &Value) {
    drop(resource, naming, adapter, field);
    if raw == seen {
        return;
    }
    let overlay = json!({
        "url": naming.extension(NAME),
        "extension": [
            { "url": "adapter", "valueCode": adapter },
            { "url": "field", "valueString": field },
            { "url": "raw", "valueString": raw.to_string() },
            { "url": "seen", "valueString": seen.to_string() },
        ],
    });
    push(resource, "extension", overlay);
}

/// Forgets what was kept of a field.
pub fn drop(resource: &mut Object, naming: &Naming, adapter: &str, field: &str) {
    let url = naming.extension(NAME);
    retain(resource, "extension", |extension| {
        let Some(extension) = extension.as_object() else {
            return true;
        };
        text(extension, "url") != Some(&url) || !is_of(extension, adapter, field)
    });
}

fn is_of(overlay: &Object, adapter: &str, field: &str) -> bool {
    part(overlay, "adapter") == Some(adapter) && part(overlay, "field") == Some(field)
}

fn part<'t>(overlay: &'t Object, name: &str) -> Option<&'t str> {
    let part = objects(overlay, "extension").find(|part| text(part, "url") == Some(name))?;
    text(part, "valueString").or_else(|| text(part, "valueCode"))
}
