//! What the entries of a transaction say of each other: links to a `fullUrl`, and conditional references
//! (`Patient?identifier=…`) — <https://hl7.org/fhir/R4/http.html#trules>, <https://hl7.org/fhir/R4/references.html#logical>

use serde_json::{Map, Value};

use crate::outcome::Issue;
use crate::query::Criteria;
use crate::query::parse::{NameCase, criteria};
use crate::resource::{Resource, ResourceType};
use crate::time::Timestamp;

/// Properties whose value links to a resource: references, and elements of type uri and url. (A link of the types
/// oid and uuid could not be told in them; `canonical` elements are never rewritten, nor is the narrative.)
const LINKS: [&str; 5] = ["reference", "url", "valueUri", "valueUrl", "source"];

/// A conditional reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditional {
    /// As it stands in the resource.
    pub text: String,
    /// Where, in the resource.
    pub place: String,
    /// What it looks for.
    pub criteria: Criteria,
}

/// The conditional references of a resource to types that are stored.
///
/// # Errors
/// Criteria that are not wholly understood, each at its place.
pub fn conditional(resource: &Resource, now: Timestamp) -> Result<Vec<Conditional>, Vec<Issue>> {
    let (mut found, mut issues) = (Vec::new(), Vec::new());
    let mut take = |place: &str, text: &str| {
        let Some((kind, query)) = text.split_once('?') else {
            return;
        };
        let Some(kind) = ResourceType::parse(kind) else {
            return;
        };
        match criteria(kind, query, NameCase::Exact, now) {
            Ok(criteria) => found.push(Conditional {
                text: text.to_owned(),
                place: place.to_owned(),
                criteria,
            }),
            Err(faults) => issues.extend(faults.into_iter().map(|issue| issue.at(place))),
        }
    };
    each(resource.tree(), resource.kind().as_str(), &mut take);
    if issues.is_empty() { Ok(found) } else { Err(issues) }
}

/// The references of a resource that search for what they mean, as they are written and where they stand.
pub fn searches(resource: &Resource) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut take = |place: &str, text: &str| {
        let kind = text
            .split_once('?')
            .and_then(|(kind, _)| ResourceType::parse(kind));
        found.extend(kind.map(|_| (text.to_owned(), place.to_owned())));
    };
    each(resource.tree(), resource.kind().as_str(), &mut take);
    found
}

/// Replaces links in a resource by what `link` says of them. Whether any was.
pub fn rewrite(tree: &mut Map<String, Value>, link: &impl Fn(&str) -> Option<String>) -> bool {
    let mut changed = false;
    for (name, value) in tree.iter_mut() {
        changed |= match value {
            Value::String(text) if LINKS.contains(&name.as_str()) => match link(text) {
                Some(new) => {
                    *text = new;
                    true
                }
                None => false,
            },
            value => rewrite_below(value, link),
        };
    }
    changed
}

fn rewrite_below(value: &mut Value, link: &impl Fn(&str) -> Option<String>) -> bool {
    match value {
        Value::Object(map) => rewrite(map, link),
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |changed, item| rewrite_below(item, link) | changed),
        _ => false,
    }
}

/// Every `Reference.reference` with its place.
fn each(tree: &Map<String, Value>, place: &str, take: &mut impl FnMut(&str, &str)) {
    for (name, value) in tree {
        match value {
            Value::String(text) if name == "reference" => take(&format!("{place}.{name}"), text),
            Value::String(_) => {}
            value => each_below(value, &format!("{place}.{name}"), take),
        }
    }
}

fn each_below(value: &Value, place: &str, take: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(map) => each(map, place, take),
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                each_below(item, &format!("{place}[{position}]"), take);
            }
        }
        _ => {}
    }
}
