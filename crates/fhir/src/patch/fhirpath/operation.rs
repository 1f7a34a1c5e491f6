//! The five operations.

use std::fmt;

use serde_json::{Map, Value};

use super::Parts;
use super::evaluate::{Standing, element_named, evaluate, no_element, present};
use super::expression::{Path, Step};
use super::given::{Given, Part};
use super::place::{self, Key, Place};
use crate::outcome::Issue;
use crate::patch::work::Work;
use crate::patch::{inapplicable, malformed};
use crate::resource::ResourceType;
use crate::validate::table::{Element, Max};

/// One operation.
pub(super) struct Operation {
    /// The path as it was written, for whoever has to find the operation.
    written: String,
    path: Path,
    action: Action,
}

enum Action {
    Add { name: String, value: Map<String, Value> },
    Insert { value: Map<String, Value>, index: usize },
    Delete,
    Replace { value: Map<String, Value> },
    Move { source: usize, destination: usize },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.action {
            Action::Add { .. } => "add",
            Action::Insert { .. } => "insert",
            Action::Delete => "delete",
            Action::Replace { .. } => "replace",
            Action::Move { .. } => "move",
        };
        write!(f, "{name} {}", self.written)
    }
}

impl Operation {
    /// Reads the parts of an operation.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with "the operation".
    pub(super) fn read(parts: &Parts) -> Result<Operation, String> {
        const TYPES: &str = "say add, insert, delete, replace or move";
        let kind = parts.text("type").map_err(|fault| format!("{fault}: {TYPES}"))?;
        let value = || {
            let part = parts.found.get("value").and_then(Value::as_object);
            part.cloned()
                .ok_or_else(|| format!("has no part value, which {kind} needs"))
        };
        let action = match kind {
            "add" => Action::Add {
                name: parts.text("name")?.to_owned(),
                value: value()?,
            },
            "insert" => Action::Insert {
                value: value()?,
                index: parts.position("index")?,
            },
            "delete" => Action::Delete,
            "replace" => Action::Replace { value: value()? },
            "move" => Action::Move {
                source: parts.position("source")?,
                destination: parts.position("destination")?,
            },
            _ => return Err(format!("has a type that is none: {TYPES}")),
        };
        let written = parts.text("path")?;
        let path = Path::parse(written).map_err(|fault| format!("has a path that {fault}"))?;
        Ok(Operation {
            written: written.to_owned(),
            path,
            action,
        })
    }

    /// The path as it was sent.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub(super) fn apply(&self, kind: ResourceType, root: &mut Value, work: &mut Work) -> Result<(), Issue> {
        let mut run = Run {
            path: &self.path,
            kind,
            root,
            work,
        };
        match &self.action {
            Action::Add { name, value } => run.add(name, value),
            Action::Insert { value, index } => run.insert(value, *index),
            Action::Delete => run.delete(),
            Action::Replace { value } => run.replace(value),
            Action::Move { source, destination } => run.shift(*source, *destination),
        }
    }
}

/// An operation at work.
struct Run<'r> {
    path: &'r Path,
    kind: ResourceType,
    root: &'r mut Value,
    work: &'r mut Work,
}

/// A list of elements.
struct List {
    holder: Place,
    element: &'static Element,
}

impl Run<'_> {
    fn add(&mut self, name: &str, value: &Map<String, Value>) -> Result<(), Issue> {
        let parent = only(self.evaluate(&self.path.steps)?)?;
        let (table, place) = parent.inside()?;
        let element = element_named(table, name).ok_or_else(|| no_element(table, name))?;
        let given = self.given(value, element)?;
        let holder = self.holder(&place)?;
        match element.max {
            Max::Many => {
                let end = place::length(holder, &given.property);
                place::insert(holder, &given.property, end, given.parts);
            }
            Max::One if present(holder, element).is_some() => {
                return Err(inapplicable(format!(
                    "there is a {name} already, and there may be only one. Replace it. Nothing was changed."
                )));
            }
            Max::One => place::put(holder, &given.property, given.parts),
        }
        Ok(())
    }

    fn insert(&mut self, value: &Map<String, Value>, index: usize) -> Result<(), Issue> {
        let list = self.list()?;
        let given = self.given(value, list.element)?;
        let holder = self.holder(&list.holder)?;
        let length = place::length(holder, list.element.name);
        if index > length {
            return Err(no_position(index, length));
        }
        place::insert(holder, list.element.name, index, given.parts);
        self.work.spend_moving(length)
    }

    fn delete(&mut self) -> Result<(), Issue> {
        let found = self.evaluate(&self.path.steps)?;
        if found.is_empty() {
            return Ok(());
        }
        let standing = only(found)?;
        let (place, property, position) = split(&standing)?;
        let holder = self.holder(place)?;
        let length = place::length(holder, property);
        match position {
            Some(position) => drop(place::take(holder, property, position)),
            None => place::remove(holder, property),
        }
        self.work.spend_moving(length)
    }

    fn replace(&mut self, value: &Map<String, Value>) -> Result<(), Issue> {
        let standing = only(self.evaluate(&self.path.steps)?)?;
        let (place, property, position) = split(&standing)?;
        let element = standing.element.ok_or_else(whole_resource)?;
        let given = self.given(value, element)?;
        let holder = self.holder(place)?;
        let length = place::length(holder, property);
        match position {
            Some(position) => place::replace_item(holder, property, position, given.parts),
            None => place::replace(holder, property, &given.property, given.parts),
        }
        self.work.spend_moving(length)
    }

    fn shift(&mut self, source: usize, destination: usize) -> Result<(), Issue> {
        let list = self.list()?;
        let holder = self.holder(&list.holder)?;
        let length = place::length(holder, list.element.name);
        for position in [source, destination] {
            if position >= length {
                return Err(no_position(position, length));
            }
        }
        let taken = place::take(holder, list.element.name, source);
        place::insert(holder, list.element.name, destination, taken);
        self.work.spend_moving(2 * length)
    }

    fn evaluate(&mut self, steps: &[Step]) -> Result<Vec<Standing>, Issue> {
        evaluate(self.root, self.kind, self.path.root.as_deref(), steps, self.work)
    }

    /// The list that the path names: the last step is its name. It may be empty.
    fn list(&mut self) -> Result<List, Issue> {
        let Some((Step::Name(name), above)) = self.path.steps.split_last() else {
            return Err(malformed(
                "the path must name a list, such as Patient.name, and not single elements of it.",
            ));
        };
        let parent = only(self.evaluate(above)?)?;
        let (table, holder) = parent.inside()?;
        let element = element_named(table, name).ok_or_else(|| no_element(table, name))?;
        if element.max == Max::One {
            return Err(malformed(format!(
                "{name} is no list: there is at most one. Use add or replace."
            )));
        }
        Ok(List { holder, element })
    }

    fn given(&mut self, value: &Map<String, Value>, element: &'static Element) -> Result<Given, Issue> {
        let given = Part::new(value).given(element).map_err(malformed)?;
        for part in [&given.parts.value, &given.parts.extra].into_iter().flatten() {
            self.work.spend_on(part)?;
        }
        Ok(given)
    }

    /// The object that holds the element.
    fn holder(&mut self, place: &[Key]) -> Result<&mut Map<String, Value>, Issue> {
        let root = self.root.as_object_mut();
        root.and_then(|root| place::object(root, place)).ok_or_else(|| {
            inapplicable("the path leads into something that is no element. Nothing was changed.")
        })
    }
}

fn only(mut found: Vec<Standing>) -> Result<Standing, Issue> {
    let count = found.len();
    match found.pop() {
        Some(standing) if count == 1 => Ok(standing),
        None => Err(inapplicable(
            "the path leads to nothing in this resource. Nothing was changed.",
        )),
        Some(_) => Err(inapplicable(format!(
            "the path leads to {count} elements, and a patch changes one at a time: add a [position] or where(…). \
             Nothing was changed."
        ))),
    }
}

/// The place of the object that holds an element, its property there, and its position in a list.
fn split(standing: &Standing) -> Result<(&[Key], &str, Option<usize>), Issue> {
    match standing.place.as_slice() {
        [holder @ .., Key::Name(property)] => Ok((holder, property, None)),
        [holder @ .., Key::Name(property), Key::Index(position)] => Ok((holder, property, Some(*position))),
        _ => Err(whole_resource()),
    }
}

fn whole_resource() -> Issue {
    inapplicable(
        "the path is the whole resource, which a patch neither replaces nor deletes. Nothing was changed.",
    )
}

fn no_position(position: usize, length: usize) -> Issue {
    inapplicable(format!(
        "there is no position {position}: the list has {length} items, and they are counted from 0. Nothing was changed."
    ))
}
