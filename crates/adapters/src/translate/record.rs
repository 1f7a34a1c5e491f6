//! A partner's record before its door reads it.

use serde_json::Value;

use super::ledger::Ledger;
use super::problem::{self, Problem};
use crate::json;
use crate::tree::{Object, text};

/// Characters of an id that a partner's server gave.
const MAX_ID: usize = 255;

/// Fields that a door knows: `address` is taken whole, `address.city` as a part.
pub(super) type Known = &'static [&'static str];

/// A required field that an answer may leave open, since a Patient need not say it.
pub(super) struct Gap {
    /// The field.
    pub field: &'static str,
    /// A value that the door takes in its place.
    pub stand_in: &'static str,
    /// Removes from the Patient what the stand-in became.
    pub clear: fn(&mut Object),
}

/// Reads a record.
pub(super) fn read(bytes: &[u8]) -> Result<Object, Vec<Problem>> {
    json::object(bytes).map_err(|fault| vec![problem::of_json(&fault)])
}

/// The text that the door reads.
pub(super) fn bytes(record: &Object) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}

/// Whether the record is one that the door answered: it has a key that no request has.
pub(super) fn is_answer(record: &Object, answered: &[&str]) -> bool {
    answered.iter().any(|key| record.contains_key(*key))
}

/// The id that the partner's server gave; an empty one is none.
pub(super) fn id(record: &Object, field: &str, problems: &mut Vec<Problem>) -> Option<String> {
    match record.get(field) {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if id.is_empty() => None,
        Some(Value::String(id)) if !id.trim().is_empty() && id.chars().nth(MAX_ID).is_none() => {
            Some(id.clone())
        }
        Some(_) => {
            let rule = format!("must be a string of 1 to {MAX_ID} characters that is not blank");
            problems.push(Problem::at(field, rule));
            None
        }
    }
}

/// Puts a stand-in where an answer says nothing; what to clear afterwards.
pub(super) fn fill<'g>(record: &mut Object, gaps: &'g [Gap]) -> Vec<&'g Gap> {
    let open: Vec<&Gap> = gaps
        .iter()
        .filter(|gap| match record.get(gap.field) {
            None | Some(Value::Null) => true,
            Some(value) => value.as_str() == Some(""),
        })
        .collect();
    for gap in &open {
        record.insert(gap.field.to_owned(), gap.stand_in.into());
    }
    open
}

/// Removes a part of the one name of a new Patient, and the name when nothing is left of it.
pub(super) fn clear_name_part(patient: &mut Object, part: &str) {
    let Some(Value::Array(names)) = patient.get_mut("name") else {
        return;
    };
    for name in names.iter_mut().filter_map(Value::as_object_mut) {
        name.shift_remove(part);
    }
    names.retain(|name| name.get("family").is_some() || name.get("given").is_some());
    if names.is_empty() {
        patient.shift_remove("name");
    }
}

/// Removes what says nothing: `null`s.
pub(super) fn without_nulls(record: &mut Object) {
    record.retain(|_, value| {
        if let Value::Object(inner) = value {
            without_nulls(inner);
        }
        !value.is_null()
    });
}

/// The word for the space: the record's own, else the option's, which is then put into the record.
pub(super) fn word(
    record: &mut Object,
    field: &str,
    option: Option<&str>,
    flag: &str,
    problems: &mut Vec<Problem>,
) -> String {
    if let Some(own) = text(record, field) {
        return own.to_owned();
    }
    let is_open = matches!(record.get(field), None | Some(Value::Null));
    match option {
        Some(word) if is_open => {
            record.insert(field.to_owned(), word.into());
            word.to_owned()
        }
        None if is_open => {
            let remedy = format!("is missing: write it into the record, or give {flag} for all records");
            problems.push(Problem::at(field, remedy));
            // The door then looks at the other fields.
            record.insert(field.to_owned(), "unknown".into());
            "unknown".to_owned()
        }
        // Something that is no text: the door says what is wrong with it.
        _ => String::new(),
    }
}

/// Which fields of the record stand in the result.
pub(super) fn account(record: &Object, known: Known) -> Ledger {
    let mut ledger = Ledger::default();
    for (key, value) in record {
        if says_nothing(value) {
            continue;
        }
        let path = format!("$.{key}");
        let begins = format!("{key}.");
        match value {
            _ if known.contains(&key.as_str()) => ledger.used(&path),
            Value::Object(parts) if known.iter().any(|known| known.starts_with(&begins)) => {
                for (part, value) in parts {
                    let path = format!("{path}.{part}");
                    match known
                        .iter()
                        .any(|known| known.strip_prefix(&begins) == Some(part))
                    {
                        _ if value.is_null() => {}
                        true => ledger.used(&path),
                        false => ledger.dropped(&path),
                    }
                }
            }
            _ => ledger.dropped(&path),
        }
    }
    ledger
}

/// Removes the fields that say nothing.
pub(super) fn without_nulls_on_top(record: &mut Object) {
    record.retain(|_, value| !says_nothing(value));
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
