//! What FHIR's JSON wants of lists and their `_` siblings — <https://hl7.org/fhir/R4/json.html#primitive>

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

/// The name of a primitive's sibling.
pub(super) fn sibling(property: &str) -> String {
    format!("_{property}")
}

/// Takes away what removals have left empty: objects, lists, and holes with nothing on their other side.
pub(super) fn prune(object: &mut Map<String, Value>) {
    for (name, value) in object.iter_mut() {
        match value {
            Value::Object(inner) => prune(inner),
            Value::Array(items) => {
                for item in items.iter_mut() {
                    let Value::Object(inner) = item else { continue };
                    prune(inner);
                    if inner.is_empty() {
                        *item = Value::Null;
                    }
                }
                // A hole stands for something only beside a primitive.
                let of_objects = !name.starts_with('_') && items.iter().any(Value::is_object);
                if of_objects {
                    items.retain(|item| !item.is_null());
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    close_holes(object);
    object.retain(|_, value| !is_empty(value));
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(Value::is_null),
        Value::Object(map) => map.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Takes the positions out of two siblings at which neither has anything.
fn close_holes(object: &mut Map<String, Value>) {
    let names: Vec<String> = object
        .iter()
        .filter(|(_, value)| {
            value
                .as_array()
                .is_some_and(|items| items.iter().any(Value::is_null))
        })
        .map(|(name, _)| name.trim_start_matches('_').to_owned())
        .collect();
    for name in names {
        let is_hole = |list: Option<&Value>, position: usize| {
            let items = list.and_then(Value::as_array);
            items
                .and_then(|items| items.get(position))
                .is_none_or(Value::is_null)
        };
        let (value, extra) = (object.get(&name), object.get(&sibling(&name)));
        let length = [value, extra]
            .iter()
            .filter_map(|list| list.and_then(Value::as_array))
            .map(Vec::len)
            .max();
        let filled: Vec<bool> = (0..length.unwrap_or(0))
            .map(|position| !is_hole(value, position) || !is_hole(extra, position))
            .collect();
        if filled.iter().all(|filled| *filled) {
            continue;
        }
        for property in [name.clone(), sibling(&name)] {
            if let Some(Value::Array(items)) = object.get_mut(&property) {
                let mut filled = filled.iter();
                items.retain(|_| filled.next().copied().unwrap_or(true));
            }
        }
    }
}

/// Ids and extensions of the items of a list of primitives whose place another list takes: those of an item go with the
/// equal one, and are gone where there is none.
pub(super) fn carried(old: &[Value], siblings: &[Value], new: &[Value]) -> Vec<Value> {
    let mut places: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (position, item) in old.iter().enumerate() {
        if let Some(text) = item.as_str() {
            places.entry(text).or_default().push_back(position);
        }
    }
    new.iter()
        .map(|item| {
            let place = item
                .as_str()
                .and_then(|text| places.get_mut(text))
                .and_then(VecDeque::pop_front);
            place
                .and_then(|place| siblings.get(place))
                .cloned()
                .unwrap_or_default()
        })
        .collect()
}

/// Puts the siblings of a list that another one takes the place of in order.
pub(super) fn realign(object: &mut Map<String, Value>, property: &str, old: Option<&Value>) {
    let name = sibling(property);
    let (Some(Value::Array(old)), Some(Value::Array(new)), Some(Value::Array(siblings))) =
        (old, object.get(property), object.get(&name))
    else {
        return;
    };
    let carried = carried(old, siblings, new);
    if carried.iter().all(Value::is_null) {
        object.shift_remove(&name);
    } else {
        object.insert(name, Value::Array(carried));
    }
}
