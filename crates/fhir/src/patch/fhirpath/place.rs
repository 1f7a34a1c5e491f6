//! Where an element stands in the JSON tree, and how it is put in and taken out together with its `_` sibling.

use serde_json::{Map, Value};

use crate::patch::tidy::sibling;

/// One step from the root.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    /// A property, as JSON names it.
    Name(String),
    /// An item of a list.
    Index(usize),
}

/// A place in the tree. That of a primitive is the place of its value, whether it has one or only extensions.
pub(super) type Place = Vec<Key>;

/// The place of what holds the id and extensions of the primitive at this one.
pub(super) fn of_sibling(place: &[Key]) -> Place {
    let mut place = place.to_vec();
    for key in place.iter_mut().rev() {
        if let Key::Name(name) = key {
            *name = sibling(name);
            break;
        }
    }
    place
}

/// What an element is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parts {
    /// Its value, when it has one.
    pub(super) value: Option<Value>,
    /// The id and extensions of a primitive.
    pub(super) extra: Option<Value>,
}

/// The object at a place. One that holds extensions of a primitive is made when it is missing.
pub(super) fn object<'t>(
    root: &'t mut Map<String, Value>,
    place: &[Key],
) -> Option<&'t mut Map<String, Value>> {
    let mut object = root;
    let mut keys = place.iter().peekable();
    while let Some(key) = keys.next() {
        let Key::Name(name) = key else { return None };
        let is_made = name.starts_with('_');
        let index = match keys.peek() {
            Some(Key::Index(position)) => {
                let position = *position;
                keys.next();
                Some(position)
            }
            _ => None,
        };
        let value = if is_made {
            let empty = || match index {
                Some(_) => Value::Array(Vec::new()),
                None => Value::Object(Map::new()),
            };
            object.entry(name.clone()).or_insert_with(empty)
        } else {
            object.get_mut(name)?
        };
        let value = match index {
            None => value,
            Some(position) => {
                let items = value.as_array_mut()?;
                if is_made && items.len() <= position {
                    items.resize(position + 1, Value::Null);
                }
                let item = items.get_mut(position)?;
                if is_made && item.is_null() {
                    *item = Value::Object(Map::new());
                }
                item
            }
        };
        object = value.as_object_mut()?;
    }
    Some(object)
}

/// How many items a list has, those that are nothing but extensions included.
pub(super) fn length(object: &Map<String, Value>, property: &str) -> usize {
    let of = |name: &str| object.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    of(property).max(of(&sibling(property)))
}

/// Puts an element into a list.
pub(super) fn insert(object: &mut Map<String, Value>, property: &str, position: usize, parts: Parts) {
    let length = length(object, property);
    for (name, item) in [
        (property.to_owned(), parts.value),
        (sibling(property), parts.extra),
    ] {
        match object.get_mut(&name) {
            Some(Value::Array(items)) => {
                items.resize(length, Value::Null);
                items.insert(position.min(length), item.unwrap_or_default());
            }
            _ => {
                let Some(item) = item else { continue };
                let mut items = vec![Value::Null; length];
                items.insert(position.min(length), item);
                object.insert(name, Value::Array(items));
            }
        }
    }
}

/// Takes an element out of a list.
pub(super) fn take(object: &mut Map<String, Value>, property: &str, position: usize) -> Parts {
    let mut take = |name: &str| {
        let items = object.get_mut(name)?.as_array_mut()?;
        let item = (position < items.len()).then(|| items.remove(position))?;
        (!item.is_null()).then_some(item)
    };
    Parts {
        value: take(property),
        extra: take(&sibling(property)),
    }
}

/// Puts a single element in that is not there.
pub(super) fn put(object: &mut Map<String, Value>, property: &str, parts: Parts) {
    for (name, value) in [
        (property.to_owned(), parts.value),
        (sibling(property), parts.extra),
    ] {
        if let Some(value) = value {
            object.insert(name, value);
        }
    }
}

/// Takes a single element away.
pub(super) fn remove(object: &mut Map<String, Value>, property: &str) {
    object.shift_remove(property);
    object.shift_remove(&sibling(property));
}

/// Puts a single element into the place of another, which may have had another type and so another name.
pub(super) fn replace(object: &mut Map<String, Value>, old: &str, new: &str, parts: Parts) {
    let old_sibling = sibling(old);
    let position = object
        .keys()
        .position(|name| *name == old || *name == old_sibling)
        .unwrap_or(object.len());
    remove(object, old);
    let mut position = position.min(object.len());
    for (name, value) in [(new.to_owned(), parts.value), (sibling(new), parts.extra)] {
        if let Some(value) = value {
            object.shift_insert(position, name, value);
            position += 1;
        }
    }
}

/// Puts an item into the place of another.
pub(super) fn replace_item(object: &mut Map<String, Value>, property: &str, position: usize, parts: Parts) {
    take(object, property, position);
    insert(object, property, position, parts);
}
