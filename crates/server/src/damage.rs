//! Stored bodies that are no longer what was written. One of them must not take a whole page with it, nor
//! break the JSON around it.
//!
//! Every read passes here, so nothing is parsed: a body is written with its type and id in front, and what
//! lost its beginning, its end or its id is seen by that. A byte that was changed in the middle is not.

use fhir::codec::{self, Layout};
use fhir::{Issue, IssueCode};
use serde_json::{Map, Value, json};
use store::Stored;

use crate::respond;

#[cfg(test)]
mod tests;

/// Whether a stored body begins and ends as it was written (`fhir::canonical::Canonical::body`).
pub fn is_whole(stored: &Stored) -> bool {
    let after_id = stored
        .body
        .strip_prefix("{\"resourceType\":\"")
        .and_then(|rest| rest.strip_prefix(stored.target.kind.as_str()))
        .and_then(|rest| rest.strip_prefix("\",\"id\":\""))
        .and_then(|rest| rest.strip_prefix(stored.target.id.as_str()));
    after_id.is_some_and(|rest| rest.starts_with("\",") && rest.ends_with('}'))
}

/// A stored body as a tree, when it is whole.
pub fn tree(stored: &Stored) -> Option<Map<String, Value>> {
    if is_whole(stored) {
        respond::parse(&stored.body).ok()
    } else {
        None
    }
}

/// Whether a tree can be written as XML: one that cannot would take the whole Bundle with it.
pub fn has_xml(resource: &Map<String, Value>) -> bool {
    codec::encode_xml_with(resource, Layout::Compact).is_ok()
}

/// What stands in a searchset instead of a damaged match. Logged: the operator must know.
pub fn entry(stored: &Stored) -> Value {
    json!({
        "resource": outcome(stored, "matches, but cannot be shown"),
        "search": { "mode": "outcome" },
    })
}

/// What there is to say of a damaged body. Logged: the operator must know.
pub fn outcome(stored: &Stored, what: &str) -> Value {
    tracing::error!(resource = %stored.target, version = %stored.version, "a stored body is damaged");
    // An outcome in a Bundle may warn, not fail: the request itself did not.
    let issue = Issue::warning(
        IssueCode::Exception,
        format!(
            "{} {what}: what is stored of it is damaged. Everything else is here. Tell the operator; earlier versions \
             of it may still be readable.",
            stored.target
        ),
    )
    .with_diagnostics(stored.target.to_string());
    fhir::outcome::operation_outcome(&[issue])
}
