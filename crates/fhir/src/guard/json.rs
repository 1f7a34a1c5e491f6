//! JSON to a tree in one strict pass — <https://hl7.org/fhir/R4/json.html>
//!
//! Everything that is wrong with the content is collected, and the tree is read on, so that it can be
//! validated besides; a fault of syntax, and nesting past the limit, end the pass. Numbers keep their
//! written form.

pub(crate) mod document;
mod siblings;
mod tokens;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use self::tokens::{Digits, DigitsSeed, Key};
use super::place::{Place, is_property_name, shown_name};
use super::{Fault, Findings, Malformed, check_number, check_string, deepest, narrative, text};
use crate::codec::exponents;
use crate::limits::MAX_DEPTH;
use crate::outcome::{Issue, IssueCode};

/// The key under which serde_json hands over a number's digits (its `arbitrary_precision`).
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// Reads a resource of the expected type. `resourceType` may stand anywhere in its object and becomes its
/// first property.
///
/// # Errors
/// Every fault found, each with its place, and what could be read. They mean status 400.
pub fn read(bytes: &[u8], expected: &str) -> Result<Map<String, Value>, Malformed> {
    let text = text(bytes, expected)?;
    let mut guard = Guard {
        place: Place::root(expected),
        findings: Findings::default(),
        depth: 0,
        stopped: Stopped::No,
        spelling: Spelling::AsWritten,
        expected,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // Our own limit is tighter in elements; serde_json's counts lists too and would refuse level 64.
    deserializer.disable_recursion_limit();
    let node = Node {
        guard: &mut guard,
        slot: Slot::Root,
    };
    let outcome = node.deserialize(&mut deserializer).and_then(|value| {
        guard.place = Place::root(expected);
        deserializer.end()?;
        Ok(value)
    });
    match outcome {
        Ok(Value::Object(mut map)) if guard.findings.is_empty() => {
            if guard.spelling == Spelling::ToRestore {
                exponents::restore(&mut map, exponents::of_json(text));
            }
            Ok(map)
        }
        // Of a resource of another type everything would be wrong.
        Ok(Value::Object(map)) if map.get("resourceType").is_none_or(|name| name == expected) => {
            Err(guard.findings.into_malformed(Some(map)))
        }
        Ok(_) => Err(guard.findings.into_malformed(None)),
        Err(error) => {
            if matches!(guard.stopped, Stopped::No) {
                guard.add_syntax(&error);
            }
            Err(guard.findings.into_malformed(None))
        }
    }
}

/// Whether the pass was ended by the guard itself, its reason being among the findings.
enum Stopped {
    No,
    Yes,
}

/// Whether serde_json has spelled a number its own way.
#[derive(PartialEq)]
enum Spelling {
    AsWritten,
    ToRestore,
}

/// What kind of thing stands where the parser is.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    /// The whole body.
    Root,
    /// A property or an item.
    Element,
    /// A resource inside the resource, or a list of them.
    Resource,
    /// An item of a list: no list may stand here, a hole may.
    Item,
    /// A resource in a list.
    ResourceItem,
}

struct Guard<'de> {
    place: Place<'de>,
    findings: Findings,
    depth: usize,
    stopped: Stopped,
    spelling: Spelling,
    expected: &'de str,
}

impl Guard<'_> {
    fn add(&mut self, code: IssueCode, text: impl Into<String>) {
        if !self.findings.is_full() {
            let issue = Issue::error(code, text).at(self.place.expression());
            self.findings.add(issue);
        }
    }

    /// Says that nothing stands here.
    fn add_hollow(&mut self, text: impl Into<String>) {
        if !self.findings.is_full() {
            let issue = Issue::error(IssueCode::Structure, text).at(self.place.expression());
            self.findings.add_hollow(issue);
        }
    }

    fn add_fault(&mut self, fault: Fault) {
        self.add(fault.code, fault.text);
    }

    /// Ends the pass for a fault after which going on is of no use.
    fn stop<E: serde::de::Error>(&mut self, code: IssueCode, text: impl Into<String>) -> E {
        self.add(code, text);
        self.stopped = Stopped::Yes;
        E::custom("stopped by the guard")
    }

    fn add_syntax(&mut self, error: &serde_json::Error) {
        let (line, column) = (error.line(), error.column());
        let what = if error.is_eof() {
            "The JSON ends too early: something is cut off or left open"
        } else {
            "The body is not valid JSON: the syntax is wrong, or something follows the resource,"
        };
        let issue = Issue::error(
            IssueCode::Invalid,
            format!("{what} at line {line}, column {column}. Correct it there."),
        )
        .with_diagnostics(format!("line {line}, column {column}"))
        .at(self.place.expression());
        self.findings.add(issue);
    }

    /// What stands at a property of the object at the present place.
    fn slot_of(&self, name: &str) -> Slot {
        match (name, self.expected) {
            ("contained", _) | ("resource", "Bundle" | "Parameters") | ("outcome", "Bundle") => {
                Slot::Resource
            }
            _ => Slot::Element,
        }
    }
}

/// One value to be read at the guard's place.
struct Node<'g, 'de> {
    guard: &'g mut Guard<'de>,
    slot: Slot,
}

impl<'de> DeserializeSeed<'de> for Node<'_, 'de> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, 'de> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(Value::Number(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(Value::Number(value.into()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        if let Err(fault) = check_string(&value) {
            self.guard.add_fault(fault);
        } else if self.guard.place.ends_with("text", "div") {
            match narrative::normal(&value) {
                Ok(Cow::Borrowed(_)) => {}
                Ok(Cow::Owned(normal)) => return self.scalar(Value::String(normal)),
                Err(fault) => self.guard.add_fault(fault),
            }
        }
        self.scalar(Value::String(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        match self.slot {
            // A hole; whether it may be one is known at the end of the object.
            Slot::Item => {}
            Slot::Root => return self.scalar(Value::Null),
            _ => self
                .guard
                .add_hollow("null is not allowed here: leave the property out instead."),
        }
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let slot = match self.slot {
            Slot::Element => Slot::Item,
            Slot::Resource => Slot::ResourceItem,
            Slot::Root | Slot::Item | Slot::ResourceItem => {
                self.guard
                    .add_hollow("A list stands where FHIR has none: put its items where they belong.");
                // Looking into it would mean following lists in lists to any depth: it is skipped, which
                // serde_json does without a stack.
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Value::Array(Vec::new()));
            }
        };
        let mut list = Vec::new();
        loop {
            self.guard.place.push_index(list.len());
            let node = Node {
                guard: &mut *self.guard,
                slot,
            };
            let item = items.next_element_seed(node)?;
            self.guard.place.pop();
            match item {
                Some(item) => list.push(item),
                None => break,
            }
        }
        if list.is_empty() {
            self.guard.add(
                IssueCode::Structure,
                "The list is empty: leave the property out instead.",
            );
        } else if slot == Slot::Item && list.iter().all(Value::is_null) {
            self.guard.add(
                IssueCode::Structure,
                "The list holds nothing but null: leave the property out instead.",
            );
            // Its holes have been spoken of.
            list.clear();
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<Value, A::Error> {
        let Some(first) = properties.next_key_seed(Key)? else {
            return self.empty_object();
        };
        if first == NUMBER_KEY
            && let Digits::Number(text) = properties.next_value_seed(DigitsSeed)?
        {
            return self.number(text);
        }
        if self.slot != Slot::Root && self.guard.depth >= deepest(self.guard.expected) {
            return Err(self.guard.stop(
                IssueCode::Structure,
                format!("The nesting is deeper than {MAX_DEPTH} levels of elements: flatten it."),
            ));
        }
        let inner = usize::from(self.slot != Slot::Root);
        self.guard.depth += inner;
        let mut object = Map::new();
        let mut lists = siblings::Seen::Whole;
        let mut next = (first != NUMBER_KEY).then_some(first);
        if next.is_none() {
            self.guard.add(IssueCode::Structure, NO_NAME);
            next = properties.next_key_seed(Key)?;
        }
        while let Some(name) = next {
            if property(self.guard, &mut object, name, &mut properties)? == siblings::Seen::ToAlign {
                lists = siblings::Seen::ToAlign;
            }
            next = properties.next_key_seed(Key)?;
        }
        self.guard.depth -= inner;
        if lists == siblings::Seen::ToAlign {
            siblings::align(&mut object, &self.guard.place, &mut self.guard.findings);
        }
        if self.slot != Slot::Element && self.slot != Slot::Item {
            self.check_type(&mut object);
        }
        Ok(Value::Object(object))
    }
}

const NO_NAME: &str = "No FHIR property has such a name: remove it.";

/// Reads one property into the object, and says what it made of it.
fn property<'de, A: MapAccess<'de>>(
    guard: &mut Guard<'de>,
    object: &mut Map<String, Value>,
    name: Cow<'de, str>,
    properties: &mut A,
) -> Result<siblings::Seen, A::Error> {
    guard.place.push_name(name.clone());
    let is_name = is_property_name(name.strip_prefix('_').unwrap_or(&name));
    if !is_name {
        guard.add(IssueCode::Structure, NO_NAME);
    }
    let slot = guard.slot_of(&name);
    let node = Node {
        guard: &mut *guard,
        slot,
    };
    let value = properties.next_value_seed(node)?;
    if !is_name {
        guard.place.pop();
        return Ok(siblings::Seen::Whole);
    }
    let seen = siblings::Seen::of(&name, &value);
    match object.entry(name.into_owned()) {
        serde_json::map::Entry::Vacant(entry) => {
            entry.insert(value);
        }
        serde_json::map::Entry::Occupied(entry) => {
            let text = format!(
                "The property '{}' stands twice in the same object: keep one.",
                shown_name(entry.key())
            );
            guard.add(IssueCode::Structure, text);
        }
    }
    guard.place.pop();
    Ok(seen)
}

impl Node<'_, '_> {
    fn scalar<E>(self, value: Value) -> Result<Value, E> {
        match self.slot {
            Slot::Root => {
                let text = format!(
                    "The body is no JSON object: a {} resource is expected.",
                    self.guard.expected
                );
                self.guard.add(IssueCode::Structure, text);
            }
            Slot::Resource | Slot::ResourceItem => self.guard.add(
                IssueCode::Structure,
                "A resource is expected here, as an object with its resourceType.",
            ),
            Slot::Element | Slot::Item => {}
        }
        Ok(value)
    }

    fn number<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        if let Err(fault) = check_number(&text) {
            self.guard.add_fault(fault);
            return Ok(Value::Bool(false));
        }
        if text.contains('e') {
            self.guard.spelling = Spelling::ToRestore;
        }
        match text.parse() {
            Ok(number) => self.scalar(Value::Number(number)),
            Err(_) => Err(E::custom("no number")),
        }
    }

    fn empty_object<E>(self) -> Result<Value, E> {
        let text = match self.slot {
            Slot::Root => format!(
                "The resource is empty: a {} with its resourceType is expected.",
                self.guard.expected
            ),
            _ => "The object is empty: leave it out instead.".to_owned(),
        };
        self.guard.add_hollow(text);
        Ok(Value::Object(Map::new()))
    }

    /// Sees to it that a resource says what it is, as its first property.
    fn check_type(self, object: &mut Map<String, Value>) {
        let text = match (object.get("resourceType"), self.slot) {
            (Some(Value::String(name)), Slot::Root) if name == self.guard.expected => None,
            (Some(Value::String(name)), Slot::Root) => Some(format!(
                "The body is a {}, but a {} is expected here. Correct the URL or the body.",
                shown_name(name),
                self.guard.expected
            )),
            (Some(Value::String(name)), _) if is_type_name(name) => None,
            (Some(Value::String(name)), _) => Some(format!(
                "No resource type is named {}: correct it, such as Organization.",
                shown_name(name)
            )),
            (Some(_), _) => Some("resourceType must be a text, such as Patient.".to_owned()),
            (None, Slot::Root) => Some(format!(
                "resourceType is missing: a {} is expected here. Add it.",
                self.guard.expected
            )),
            (None, _) => Some("resourceType is missing: say what the resource is.".to_owned()),
        };
        if let Some(text) = text {
            let issue = Issue::error(IssueCode::Structure, text).at(self.guard.place.child("resourceType"));
            self.guard.findings.add(issue);
        } else if object.keys().next().is_some_and(|name| name != "resourceType")
            && let Some(name) = object.shift_remove("resourceType")
        {
            object.shift_insert(0, "resourceType".to_owned(), name);
        }
    }
}

fn is_type_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}
