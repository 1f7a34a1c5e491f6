//! Lists of primitives and their `_` siblings — <https://hl7.org/fhir/R4/json.html#primitive>

use serde_json::{Map, Value};

use crate::guard::Findings;
use crate::guard::place::{Place, shown_name};
use crate::outcome::{Issue, IssueCode};

/// Whether a value must be looked at together with its sibling.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Seen {
    Whole,
    ToAlign,
}

impl Seen {
    pub(super) fn of(name: &str, value: &Value) -> Seen {
        match value {
            Value::Array(items) if name.starts_with('_') || items.iter().any(Value::is_null) => Seen::ToAlign,
            _ => Seen::Whole,
        }
    }
}

/// Checks that every hole has its other half, and fills the shorter of two siblings with holes: the
/// specification wants them equally long, and XML cannot tell the difference.
pub(super) fn align(object: &mut Map<String, Value>, place: &Place<'_>, findings: &mut Findings) {
    let names: Vec<String> = object
        .iter()
        .filter(|(_, value)| value.is_array())
        .filter_map(|(name, _)| match name.strip_prefix('_') {
            // Looked at together with its value.
            Some(name) if list(object, name).is_some() => None,
            Some(name) => Some(name.to_owned()),
            None => Some(name.clone()),
        })
        .collect();
    for name in names {
        let sibling = format!("_{name}");
        let longest = length(object, &name).max(length(object, &sibling));
        if list(object, &name).is_some() && list(object, &sibling).is_some() {
            fill(object, &name, longest);
            fill(object, &sibling, longest);
        }
        if all_holes(object, &name) || all_holes(object, &sibling) {
            continue; // Already said of the whole list.
        }
        let holds_objects = holds_objects(object, &name);
        for position in 0..longest {
            let value = item(object, &name, position);
            let extra = item(object, &sibling, position);
            let text = match (value, extra) {
                (Some(Value::Null), _) if holds_objects => {
                    "null is not allowed in a list of elements: leave the item out instead."
                }
                (Some(Value::Null) | None, Some(Value::Null) | None) => {
                    "null is a hole with nothing on its other side: leave the item out instead."
                }
                _ => continue,
            };
            let expression = format!("{}.{}[{position}]", place.expression(), shown_name(&name));
            if !findings.is_hollow(&expression) {
                findings.add_hollow(Issue::error(IssueCode::Structure, text).at(expression));
            }
        }
    }
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Vec<Value>> {
    object.get(name).and_then(Value::as_array)
}

fn length(object: &Map<String, Value>, name: &str) -> usize {
    list(object, name).map_or(0, Vec::len)
}

fn item<'a>(object: &'a Map<String, Value>, name: &str, position: usize) -> Option<&'a Value> {
    list(object, name).and_then(|items| items.get(position))
}

fn fill(object: &mut Map<String, Value>, name: &str, length: usize) {
    if let Some(Value::Array(items)) = object.get_mut(name) {
        items.resize(length, Value::Null);
    }
}

fn all_holes(object: &Map<String, Value>, name: &str) -> bool {
    list(object, name).is_some_and(|items| items.iter().all(Value::is_null))
}

fn holds_objects(object: &Map<String, Value>, name: &str) -> bool {
    list(object, name).is_some_and(|items| items.iter().any(Value::is_object))
}
