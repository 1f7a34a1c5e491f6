//! First and last name: `name[official].given[0]` and `.family` (`adapters.md` 5.4).

use fhir::query::param::fold_string;
use serde_json::{Value, json};

use crate::pick;
use crate::tree::{Object, push, text};

/// The uses in the order in which the doors prefer them; `""` is a name without one.
const ORDER: [&str; 4] = ["official", "usual", "", "temp"];

/// Separates the parts of a match key; no name holds it (control characters are refused).
const SEPARATOR: char = '\u{1f}';

fn shown<'t>(patient: &'t Object, today: &str) -> Option<&'t Object> {
    let position = pick::name(patient, &ORDER, today)?;
    patient.get("name")?.get(position)?.as_object()
}

/// The last name that the doors show. A name of mere `text` has none: it is never split.
pub(super) fn last_name<'t>(patient: &'t Object, today: &str) -> Option<&'t str> {
    text(shown(patient, today)?, "family")
}

/// The first name that the doors show: the first given name alone.
pub(super) fn first_name<'t>(patient: &'t Object, today: &str) -> Option<&'t str> {
    let first = shown(patient, today)?.get("given")?.get(0)?.as_str();
    first.filter(|name| !name.is_empty())
}

/// Changes the last name.
pub(super) fn set_last_name(patient: &mut Object, today: &str, new: &str) {
    set(patient, today, "family", json!(new));
}

/// Changes the first name, and with it the whole list: "Pierre" must not become "Pierre Paul".
pub(super) fn set_first_name(patient: &mut Object, today: &str, new: &str) {
    set(patient, today, "given", json!([new]));
}

fn set(patient: &mut Object, today: &str, property: &str, value: Value) {
    let position = pick::name(patient, &ORDER, today);
    let list = patient.get_mut("name").and_then(Value::as_array_mut);
    let chosen = position.and_then(|position| list?.get_mut(position)?.as_object_mut());
    let Some(name) = chosen else {
        push(patient, "name", json!({ "use": "official", property: value }));
        return;
    };
    // What was said of the old value, and a text that spells it, would now be wrong.
    if name.insert(property.to_owned(), value).is_some() {
        name.shift_remove("text");
        name.shift_remove("_text");
    }
    name.shift_remove(&format!("_{property}"));
}

/// Under which name and date of birth two patients are the same to the cloud door: both names without case,
/// accents and surplus blanks, and the date.
pub(super) fn match_key(last: &str, first: &str, birth_date: &str) -> String {
    format!(
        "{}{SEPARATOR}{}{SEPARATOR}{birth_date}",
        fold_string(last),
        fold_string(first)
    )
}
