//! The history Bundle — <https://hl7.org/fhir/R4/http.html#history>

use fhir::canonical::write_value;
use serde_json::{Value, json};
use store::{HistoryPage, Past, Stored};

use super::{ENTRY_OVERHEAD, Links, link_elements};
use crate::base::Base;
use crate::damage;

/// The Bundle as compact JSON: the stored bodies go in as they lie, unparsed. A version that is not `showable` has an
/// OperationOutcome in its response instead.
pub fn text(base: &Base, page: &HistoryPage, links: &Links, showable: impl Fn(&Stored) -> bool) -> String {
    let bodies: usize = page
        .versions
        .iter()
        .map(|past| past.stored.body.len() + 2 * ENTRY_OVERHEAD)
        .sum();
    let mut text = String::with_capacity(bodies + 1024);
    text.push_str("{\"resourceType\":\"Bundle\",\"type\":\"history\"");
    if let Some(total) = page.total {
        text.push_str(",\"total\":");
        text.push_str(&total.to_string());
    }
    text.push_str(",\"link\":");
    let urls = links.urls(base, page.next.as_deref(), page.previous.as_deref());
    write_value(&mut text, &link_elements(&urls));
    for (position, past) in page.versions.iter().enumerate() {
        text.push_str(if position == 0 { ",\"entry\":[" } else { "," });
        push_entry(&mut text, base, past, &showable);
    }
    if !page.versions.is_empty() {
        text.push(']');
    }
    text.push('}');
    text
}

fn push_entry(text: &mut String, base: &Base, past: &Past, showable: impl Fn(&Stored) -> bool) {
    let stored = &past.stored;
    text.push_str("{\"fullUrl\":");
    write_value(text, &Value::String(base.resource(&stored.target)));
    let change = Change::of(past);
    let mut response = json!({
        "status": change.status(),
        "etag": format!("W/\"{}\"", stored.version),
        "lastModified": stored.updated.to_instant(),
    });
    if change != Change::Deleted {
        if showable(stored) {
            text.push_str(",\"resource\":");
            text.push_str(&stored.body);
        } else if let Some(response) = response.as_object_mut() {
            let outcome = damage::outcome(stored, &format!("version {} cannot be shown", stored.version));
            response.insert("outcome".to_owned(), outcome);
        }
    }
    let url = match change {
        Change::Created => stored.target.kind.to_string(),
        Change::Updated | Change::Revived | Change::Deleted => stored.target.to_string(),
    };
    text.push_str(",\"request\":");
    write_value(text, &json!({ "method": change.method(), "url": url }));
    text.push_str(",\"response\":");
    write_value(text, &response);
    text.push('}');
}

/// What made a version. How the request was written is not kept: a first version may have been a PUT as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Created,
    Updated,
    Revived,
    Deleted,
}

impl Change {
    fn of(past: &Past) -> Change {
        match past.stored.version.number() {
            _ if past.stored.deleted => Change::Deleted,
            1 => Change::Created,
            _ if past.revived => Change::Revived,
            _ => Change::Updated,
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Change::Created => "POST",
            Change::Updated | Change::Revived => "PUT",
            Change::Deleted => "DELETE",
        }
    }

    const fn status(self) -> &'static str {
        match self {
            Change::Created | Change::Revived => "201",
            Change::Updated => "200",
            Change::Deleted => "204",
        }
    }
}

#[cfg(test)]
mod tests;
