//! Looking into and changing a FHIR JSON tree.

use serde_json::{Map, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// The text of a property; `None` when it is missing, no text or empty.
pub fn text<'t>(object: &'t Object, property: &str) -> Option<&'t str> {
    object
        .get(property)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// The objects of a repeating property; anything else in it is passed over.
pub fn objects<'t>(object: &'t Object, property: &str) -> impl Iterator<Item = &'t Object> + use<'t> {
    object
        .get(property)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// The objects of a repeating property with their positions, to be changed in place.
pub fn objects_mut<'t>(
    object: &'t mut Object,
    property: &str,
) -> impl Iterator<Item = (usize, &'t mut Object)> + use<'t> {
    object
        .get_mut(property)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(position, item)| item.as_object_mut().map(|item| (position, item)))
}

/// Appends an item to a repeating property, which is made when it is missing.
pub fn push(object: &mut Object, property: &str, item: Value) {
    match object.get_mut(property).and_then(Value::as_array_mut) {
        Some(list) => list.push(item),
        None => {
            object.insert(property.to_owned(), Value::Array(vec![item]));
        }
    }
}

/// Keeps the items of a repeating property that pass, and drops the property when none does: FHIR knows no
/// empty list.
pub fn retain(object: &mut Object, property: &str, keep: impl FnMut(&Value) -> bool) {
    let Some(list) = object.get_mut(property).and_then(Value::as_array_mut) else {
        return;
    };
    list.retain(keep);
    if list.is_empty() {
        object.shift_remove(property);
    }
}

/// Sets a text, or removes the property for `None`.
pub fn set_text(object: &mut Object, property: &str, value: Option<&str>) {
    match value {
        Some(value) => {
            object.insert(property.to_owned(), Value::String(value.to_owned()));
        }
        None => {
            object.shift_remove(property);
        }
    }
}

/// The value of the first identifier of this system.
pub fn identifier<'t>(resource: &'t Object, system: &str) -> Option<&'t str> {
    objects(resource, "identifier")
        .find(|identifier| text(identifier, "system") == Some(system))
        .and_then(|identifier| text(identifier, "value"))
}

/// The first extension of this URL.
pub fn extension<'t>(element: &'t Object, url: &str) -> Option<&'t Object> {
    objects(element, "extension").find(|extension| text(extension, "url") == Some(url))
}

/// Puts an extension in the place of those of the same URL; `None` removes them.
pub fn set_extension(element: &mut Object, url: &str, extension: Option<Object>) {
    let mut next = extension.map(Value::Object);
    if let Some(list) = element.get_mut("extension").and_then(Value::as_array_mut) {
        list.retain_mut(|item| {
            let same = item
                .as_object()
                .is_some_and(|object| text(object, "url") == Some(url));
            match (same, next.take()) {
                (true, Some(value)) => {
                    *item = value;
                    true
                }
                (true, None) => false,
                (false, value) => {
                    next = value;
                    true
                }
            }
        });
        if list.is_empty() {
            element.shift_remove("extension");
        }
    }
    if let Some(value) = next {
        push(element, "extension", value);
    }
}
