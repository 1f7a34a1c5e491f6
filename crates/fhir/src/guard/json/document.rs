//! A JSON document that is no resource (a patch), read as strictly: nothing twice, no character that FHIR forbids,
//! bounded in depth, numbers as they were written. What its values are is for its reader to say.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::NUMBER_KEY;
use super::tokens::{Digits, DigitsSeed, Key};
use crate::codec::exponents;
use crate::guard::{Findings, check_number, forbidden_character, text};
use crate::limits::MAX_PATCH_NESTING;
use crate::outcome::{Issue, IssueCode};

/// Reads a document. `what` it is, for the text that an empty one gets.
///
/// # Errors
/// Every fault found. They mean status 400.
pub(crate) fn read(bytes: &[u8], what: &str) -> Result<Value, Vec<Issue>> {
    let text = text(bytes, what).map_err(|issue| vec![issue])?;
    let mut state = State::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // Our own limit stands in its place.
    deserializer.disable_recursion_limit();
    let outcome = Node(&mut state).deserialize(&mut deserializer);
    let outcome = outcome.and_then(|value| deserializer.end().map(|()| value));
    match outcome {
        Ok(value) if state.findings.is_empty() => {
            // The numbers of a tree are set right below a root that is an object.
            let mut root = Map::new();
            root.insert("document".to_owned(), value);
            exponents::restore(&mut root, exponents::of_json(text));
            Ok(root.shift_remove("document").unwrap_or_default())
        }
        Ok(_) => Err(state.findings.into_malformed(None).into_issues()),
        Err(error) => {
            if !state.too_deep {
                state.add_syntax(&error);
            }
            Err(state.findings.into_malformed(None).into_issues())
        }
    }
}

#[derive(Default)]
struct State {
    depth: usize,
    too_deep: bool,
    findings: Findings,
}

impl State {
    fn add(&mut self, code: IssueCode, text: impl Into<String>) {
        self.findings.add(Issue::error(code, text));
    }

    fn check_text(&mut self, text: &str) {
        if let Some(character) = forbidden_character(text) {
            let number = u32::from(character);
            self.add(
                IssueCode::Value,
                format!("A text of the patch holds the character U+{number:04X}, which FHIR does not allow: remove it."),
            );
        }
    }

    fn add_syntax(&mut self, error: &serde_json::Error) {
        let place = format!("line {}, column {}", error.line(), error.column());
        let text = format!(
            "The patch is not valid JSON: the syntax is wrong, or it ends early, or something follows it, at {place}. \
             Correct it there."
        );
        self.findings
            .add(Issue::error(IssueCode::Invalid, text).with_diagnostics(place));
    }

    /// Goes into a list or an object.
    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth <= MAX_PATCH_NESTING {
            return Ok(());
        }
        self.too_deep = true;
        self.add(
            IssueCode::Structure,
            format!("The patch is nested deeper than {MAX_PATCH_NESTING} lists and objects: flatten it."),
        );
        Err(E::custom("stopped by the guard"))
    }
}

struct Node<'s>(&'s mut State);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        self.0.check_text(&value);
        Ok(Value::String(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.0.enter()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Node(&mut *self.0))? {
            list.push(item);
        }
        self.0.depth -= 1;
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut next = properties.next_key_seed(Key)?;
        if next.as_deref() == Some(NUMBER_KEY) {
            if let Digits::Number(text) = properties.next_value_seed(DigitsSeed)? {
                if let Err(fault) = check_number(&text) {
                    self.0.add(fault.code, fault.text);
                    return Ok(Value::Null);
                }
                return match text.parse() {
                    Ok(number) => Ok(Value::Number(number)),
                    Err(_) => Err(serde::de::Error::custom("no number")),
                };
            }
            self.0.add(
                IssueCode::Structure,
                "No FHIR property has such a name: remove it.",
            );
            next = properties.next_key_seed(Key)?;
        }
        self.0.enter()?;
        while let Some(name) = next {
            self.0.check_text(&name);
            let value = properties.next_value_seed(Node(&mut *self.0))?;
            if object.insert(name.clone().into_owned(), value).is_some() {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                let text =
                    format!("The property '{shown}' stands twice in the same object of the patch: keep one.");
                self.0.add(IssueCode::Structure, text);
            }
            next = properties.next_key_seed(Key)?;
        }
        self.0.depth -= 1;
        Ok(Value::Object(object))
    }
}
