//! JSON Patch — RFC 6902

mod pointer;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use self::pointer::{NoIndex, Pointer, Shown, get, get_mut, index};
use super::work::{Work, size};
use super::{Emptied, inapplicable, malformed, tidy};
use crate::guard::json::document;
use crate::limits::{MAX_PATCH_NESTING, MAX_PATCH_OPERATIONS};
use crate::outcome::{Issue, IssueCode};
use crate::resource::ResourceType;

/// A list of operations.
pub(super) struct JsonPatch {
    operations: Vec<Operation>,
    /// The `_` siblings that the operations name themselves.
    named_siblings: BTreeSet<String>,
    emptied: Emptied,
}

struct Operation {
    path: Pointer,
    action: Action,
}

enum Action {
    Add(Value),
    Remove,
    Replace(Value),
    Move { from: Pointer },
    Copy { from: Pointer },
    Test(Value),
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Action::Add(_) => "add",
            Action::Remove => "remove",
            Action::Replace(_) => "replace",
            Action::Move { .. } => "move",
            Action::Copy { .. } => "copy",
            Action::Test(_) => "test",
        }
    }

    fn value(&self) -> Option<&Value> {
        match self {
            Action::Add(value) | Action::Replace(value) => Some(value),
            Action::Remove | Action::Move { .. } | Action::Copy { .. } | Action::Test(_) => None,
        }
    }
}

impl JsonPatch {
    pub(super) fn read(bytes: &[u8]) -> Result<JsonPatch, Vec<Issue>> {
        let Value::Array(documents) = document::read(bytes, "JSON Patch")? else {
            return Err(vec![malformed(
                "A JSON Patch is a list of operations. An object with the new values is a JSON merge patch: send it as \
                 application/merge-patch+json.",
            )]);
        };
        if documents.len() > MAX_PATCH_OPERATIONS {
            let text = format!(
                "The patch has {} operations; at most {MAX_PATCH_OPERATIONS} are taken. Split it.",
                documents.len()
            );
            return Err(vec![Issue::error(IssueCode::TooLong, text)]);
        }
        let mut operations = Vec::with_capacity(documents.len());
        let mut issues = Vec::new();
        for (position, document) in documents.into_iter().enumerate() {
            match Operation::read(document) {
                Ok(operation) => operations.push(operation),
                Err(fault) => issues.push(
                    malformed(format!("Operation {position} of the patch {fault}."))
                        .with_diagnostics(format!("/{position}")),
                ),
            }
        }
        if !issues.is_empty() {
            return Err(issues);
        }
        let empty = operations
            .iter()
            .filter_map(|operation| operation.action.value())
            .any(has_empty);
        Ok(JsonPatch {
            named_siblings: named_siblings(&operations),
            emptied: if empty {
                Emptied::ByAuthor
            } else {
                Emptied::ByRemoval
            },
            operations,
        })
    }

    pub(super) fn apply(&self, kind: ResourceType, root: &mut Value) -> Result<Emptied, Issue> {
        let mut run = Run {
            root,
            work: Work::new(),
            named_siblings: &self.named_siblings,
        };
        for (position, operation) in self.operations.iter().enumerate() {
            run.operation(operation).map_err(|issue| {
                let what = format!("{} {}", operation.action.name(), Shown(operation.path.tokens()));
                Issue {
                    text: format!("Operation {position} of the patch ({what}): {}", issue.text),
                    ..issue
                }
                .with_diagnostics(format!("/{position}: {what}"))
                .at(operation.path.expression(kind))
            })?;
        }
        Ok(self.emptied)
    }
}

fn has_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty),
        Value::Object(map) => map.is_empty() || map.values().any(has_empty),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn named_siblings(operations: &[Operation]) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for operation in operations {
        let from = match &operation.action {
            Action::Move { from } | Action::Copy { from } => from.tokens(),
            Action::Add(_) | Action::Remove | Action::Replace(_) | Action::Test(_) => &[],
        };
        let tokens = operation.path.tokens().iter().chain(from);
        named.extend(tokens.filter(|token| token.starts_with('_')).cloned());
    }
    named
}

impl Operation {
    /// Reads one operation; members that it has no use for mean nothing (RFC 6902, 4).
    fn read(document: Value) -> Result<Operation, String> {
        let Value::Object(mut members) = document else {
            return Err("is no object with \"op\" and \"path\"".to_owned());
        };
        let path = pointer_of(&members, "path")?;
        let name = match members.get("op") {
            Some(Value::String(name)) => name.clone(),
            _ => return Err("has no \"op\": say add, remove, replace, move, copy or test".to_owned()),
        };
        let mut value = || {
            members
                .shift_remove("value")
                .ok_or_else(|| format!("has no \"value\", which {name} needs"))
        };
        let action = match name.as_str() {
            "add" => Action::Add(value()?),
            "remove" => Action::Remove,
            "replace" => Action::Replace(value()?),
            "test" => Action::Test(value()?),
            "move" => Action::Move {
                from: pointer_of(&members, "from")?,
            },
            "copy" => Action::Copy {
                from: pointer_of(&members, "from")?,
            },
            _ => {
                return Err(
                    "has an \"op\" that is none: say add, remove, replace, move, copy or test".to_owned(),
                );
            }
        };
        if let Action::Move { from } = &action
            && from.is_above(&path)
        {
            return Err("moves something into itself: choose another \"path\"".to_owned());
        }
        Ok(Operation { path, action })
    }
}

fn pointer_of(members: &Map<String, Value>, name: &str) -> Result<Pointer, String> {
    match members.get(name) {
        Some(Value::String(text)) => {
            Pointer::parse(text).map_err(|fault| format!("has a \"{name}\" that {fault}"))
        }
        Some(_) => Err(format!(
            "has a \"{name}\" that is no text: send a JSON Pointer, such as /name/0/family"
        )),
        None => Err(format!(
            "has no \"{name}\": send a JSON Pointer, such as /name/0/family"
        )),
    }
}

/// A patch at work.
struct Run<'r> {
    root: &'r mut Value,
    work: Work,
    named_siblings: &'r BTreeSet<String>,
}

/// What was taken out, and its sibling's item when that moved along.
struct Taken {
    value: Value,
    extra: Option<Value>,
}

impl Run<'_> {
    fn operation(&mut self, operation: &Operation) -> Result<(), Issue> {
        let path = &operation.path;
        self.work.spend(1 + path.tokens().len())?;
        match &operation.action {
            Action::Add(value) => {
                self.work.spend_on(value)?;
                self.add(path, value.clone(), None)
            }
            Action::Remove => self.remove(path).map(drop),
            Action::Replace(value) => {
                self.work.spend_on(value)?;
                self.replace(path, value.clone())
            }
            Action::Move { from } if from == path => self.existing(from).map(drop),
            Action::Move { from } => {
                let taken = self.remove(from)?;
                self.work.spend_on(&taken.value)?;
                self.add(path, taken.value, taken.extra)
            }
            Action::Copy { from } => {
                let size = size(self.existing(from)?);
                self.work.spend(size)?;
                let value = self.existing(from)?.clone();
                self.add(path, value, None)
            }
            Action::Test(wanted) => {
                self.work.spend_on(wanted)?;
                if self.existing(path)? == wanted {
                    return Ok(());
                }
                Err(inapplicable(
                    "the test failed: another value stands there. Nothing was changed. Read the resource again and \
                     make the patch from that.",
                ))
            }
        }
    }

    fn existing(&self, path: &Pointer) -> Result<&Value, Issue> {
        get(self.root, path.tokens()).map_err(|walked| missing(self.root, path, walked))
    }

    /// The object or list above a place, and the last step.
    fn above<'p>(&mut self, path: &'p Pointer) -> Result<(&mut Value, &'p str), Issue> {
        let Some((above, last)) = path.split_last() else {
            return Err(inapplicable(
                "the whole resource cannot be taken away. Send DELETE.",
            ));
        };
        if let Err(walked) = get(self.root, above) {
            return Err(missing(self.root, path, walked));
        }
        get_mut(self.root, above)
            .map(|parent| (parent, last))
            .ok_or_else(|| inapplicable("nothing stands above it. Correct the path."))
    }

    fn add(&mut self, path: &Pointer, value: Value, extra: Option<Value>) -> Result<(), Issue> {
        if path.tokens().len() + depth(&value) > MAX_PATCH_NESTING {
            return Err(malformed("it would nest the resource too deep. Flatten it."));
        }
        if path.tokens().is_empty() {
            *self.root = value;
            return Ok(());
        }
        let (parent, last) = self.above(path)?;
        let (position, length) = match parent {
            Value::Object(object) => {
                let old = object.insert(last.to_owned(), value);
                return self.realign(path, old.as_ref());
            }
            Value::Array(items) if last == "-" => (items.len(), items.len()),
            Value::Array(items) => (
                index(last, items.len() + 1).map_err(|fault| no_index(fault, last, items.len()))?,
                items.len(),
            ),
            _ => {
                return Err(inapplicable(
                    "neither an object nor a list stands above it. Correct the path.",
                ));
            }
        };
        self.work.spend_moving(length - position)?;
        let (parent, _) = self.above(path)?;
        if let Value::Array(items) = parent {
            items.insert(position, value);
        }
        if let Some(siblings) = self.siblings(path, extra.as_ref()) {
            siblings.resize(length, Value::Null);
            siblings.insert(position, extra.unwrap_or_default());
        }
        Ok(())
    }

    fn replace(&mut self, path: &Pointer, value: Value) -> Result<(), Issue> {
        self.existing(path)?;
        if path.tokens().len() + depth(&value) > MAX_PATCH_NESTING {
            return Err(malformed("it would nest the resource too deep. Flatten it."));
        }
        let old = get_mut(self.root, path.tokens()).map(|place| std::mem::replace(place, value));
        self.realign(path, old.as_ref())
    }

    fn remove(&mut self, path: &Pointer) -> Result<Taken, Issue> {
        self.existing(path)?;
        let (parent, last) = self.above(path)?;
        let (position, length) = match parent {
            Value::Object(object) => {
                let length = object.len();
                let value = object.shift_remove(last).unwrap_or_default();
                self.work.spend_moving(length)?;
                return Ok(Taken { value, extra: None });
            }
            Value::Array(items) => (
                index(last, items.len()).map_err(|fault| no_index(fault, last, items.len()))?,
                items.len(),
            ),
            _ => {
                return Err(inapplicable(
                    "neither an object nor a list stands above it. Correct the path.",
                ));
            }
        };
        self.work.spend_moving(length - position)?;
        let (parent, _) = self.above(path)?;
        let value = match parent {
            Value::Array(items) => items.remove(position),
            _ => Value::Null,
        };
        let extra = self.siblings(path, None).and_then(|siblings| {
            let item = (position < siblings.len()).then(|| siblings.remove(position));
            item.filter(|item| !item.is_null())
        });
        Ok(Taken { value, extra })
    }

    /// The siblings of the list that holds this place, which move along with it; made when there is one to be put in.
    fn siblings(&mut self, path: &Pointer, extra: Option<&Value>) -> Option<&mut Vec<Value>> {
        let (list, _) = path.split_last()?;
        let (property, owner) = list.split_last()?;
        let name = tidy::sibling(property);
        if property.starts_with('_') || self.named_siblings.contains(&name) {
            return None;
        }
        let owner = get_mut(self.root, owner)?.as_object_mut()?;
        if extra.is_some() {
            owner
                .entry(name.clone())
                .or_insert_with(|| Value::Array(Vec::new()));
        }
        owner.get_mut(&name)?.as_array_mut()
    }

    /// A list took the place of another: the siblings of items that stayed stay.
    fn realign(&mut self, path: &Pointer, old: Option<&Value>) -> Result<(), Issue> {
        let Some((owner, property)) = path.split_last() else {
            return Ok(());
        };
        if self.named_siblings.contains(&tidy::sibling(property)) {
            return Ok(());
        }
        self.work
            .spend(old.and_then(Value::as_array).map_or(0, Vec::len))?;
        if let Some(object) = get_mut(self.root, owner).and_then(Value::as_object_mut) {
            tidy::realign(object, property, old);
        }
        Ok(())
    }
}

// Nested no deeper than `MAX_PATCH_NESTING`: what would be deeper is never put in.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Says where a path ends that leads to nothing.
fn missing(root: &Value, path: &Pointer, walked: usize) -> Issue {
    let tokens = path.tokens();
    let (reached, _) = tokens.split_at_checked(walked).unwrap_or((tokens, &[]));
    let Some(token) = tokens.get(walked) else {
        return inapplicable("nothing stands there.");
    };
    if let Ok(Value::Array(items)) = get(root, reached)
        && let Err(fault) = index(token, items.len())
    {
        return no_index(fault, token, items.len());
    }
    let shown: String = token.chars().filter(|c| !c.is_control()).take(64).collect();
    inapplicable(format!(
        "there is no '{shown}' at {} of the resource. Nothing was changed.",
        Shown(reached)
    ))
}

fn no_index(fault: NoIndex, token: &str, length: usize) -> Issue {
    let shown: String = token.chars().filter(|c| !c.is_control()).take(64).collect();
    inapplicable(match fault {
        NoIndex::NotANumber => format!(
            "'{shown}' is no position in a list: send a number from 0, or '-' to add at the end. Nothing was changed."
        ),
        NoIndex::TooLarge => format!(
            "there is no position {shown}: the list has {length} items, and they are counted from 0. Nothing was \
             changed."
        ),
    })
}
