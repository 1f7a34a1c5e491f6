//! Which elements of a record a projection reads: those whose absence changes it. The mapping is asked, not
//! written down a second time.

use fhir::Resource;
use serde_json::Value;

use super::ledger::Ledger;
use crate::naming::Naming;
use crate::tree::Object;

/// What goes with the element that it stands in: it says which of several is meant, or is the value itself.
const WITH_ITS_ELEMENT: [&str; 8] = [
    "id",
    "use",
    "type",
    "system",
    "value",
    "rank",
    "period",
    "relationship",
];

/// A place in a Patient: a property, or one item of it.
pub(super) type Place = (&'static str, Option<usize>);

/// What is only looked at as a whole.
const WHOLE: [&str; 4] = ["extension", "identifier", "metadata", "external_ids"];

/// Something that is a JSON object.
pub(super) trait Tree {
    fn object(&self) -> &Object;
    fn object_mut(&mut self) -> &mut Object;
}

impl Tree for Resource {
    fn object(&self) -> &Object {
        self.tree()
    }

    fn object_mut(&mut self) -> &mut Object {
        self.tree_mut()
    }
}

impl Tree for Object {
    fn object(&self) -> &Object {
        self
    }

    fn object_mut(&mut self) -> &mut Object {
        self
    }
}

/// One step into a tree.
#[derive(Clone)]
enum Step {
    Key(String),
    Item(usize),
}

/// A record whose elements are taken away one after the other.
pub(super) struct Probe<'a, T> {
    record: T,
    shown: &'a str,
    naming: &'a Naming,
    /// The projection; `None` when it refuses what is left.
    show: &'a dyn Fn(&T) -> Option<String>,
    steps: Vec<Step>,
}

impl<'a, T: Tree> Probe<'a, T> {
    pub(super) fn new(
        record: T,
        shown: &'a str,
        naming: &'a Naming,
        show: &'a dyn Fn(&T) -> Option<String>,
    ) -> Probe<'a, T> {
        Probe {
            record,
            shown,
            naming,
            show,
            steps: Vec::new(),
        }
    }

    /// Counts an element as used and looks at it no more; kept in place when it is read after all.
    pub(super) fn imply(&mut self, (property, item): &Place, ledger: &mut Ledger) {
        self.steps = vec![Step::Key((*property).to_owned())];
        let Some(value) = self.at().cloned() else { return };
        let element = match (item, &value) {
            (Some(at), Value::Array(list)) => list.get(*at).cloned(),
            _ => Some(value),
        };
        let Some(element) = element else { return };
        self.steps.extend(item.map(Step::Item));
        let taken = self.take();
        if self.is_unchanged() {
            let path = format!("Patient.{property}{}", self.label(property, &element));
            ledger.used(&path);
        } else {
            self.put(taken);
        }
    }

    /// Looks at all properties; their paths begin with `root`.
    pub(super) fn run(mut self, root: &str, ledger: &mut Ledger) {
        let keys: Vec<String> = self.record.object().keys().cloned().collect();
        for key in keys.iter().filter(|key| *key != "resourceType") {
            self.steps = vec![Step::Key(key.clone())];
            self.element(&format!("{root}.{key}"), key, ledger);
        }
    }

    /// Takes the element away; what makes a difference is looked at in its parts.
    fn element(&mut self, path: &str, key: &str, ledger: &mut Ledger) -> bool {
        if !self.matters() {
            self.dropped(path, key, ledger);
            return false;
        }
        match self.at().cloned() {
            Some(Value::Array(list)) => self.items(path, key, &list, ledger),
            Some(Value::Object(object)) => self.parts(path, key, &object, ledger),
            _ => ledger.used(path),
        }
        true
    }

    fn items(&mut self, path: &str, key: &str, list: &[Value], ledger: &mut Ledger) {
        let mut lost = Vec::new();
        for (at, item) in list.iter().enumerate() {
            self.steps.push(Step::Item(at));
            let path = format!("{path}{}", self.label(key, item));
            if self.matters() {
                match item {
                    Value::Object(object) => self.parts(&path, key, object, ledger),
                    _ => ledger.used(&path),
                }
            } else {
                lost.push(path);
            }
            self.steps.pop();
        }
        let mut lost = lost.into_iter();
        // All alike, so that each can be missed, but not all of them.
        if lost.len() == list.len()
            && let Some(first) = lost.next()
        {
            ledger.used(&first);
        }
        lost.for_each(|path| ledger.dropped(&path));
    }

    fn parts(&mut self, path: &str, key: &str, object: &Object, ledger: &mut Ledger) {
        let is_leaf = WHOLE.contains(&key);
        let mut has_used_part = false;
        for (part, value) in object.iter().filter(|_| !is_leaf) {
            if WITH_ITS_ELEMENT.contains(&part.as_str()) || self.is_own(part, value) {
                continue;
            }
            self.steps.push(Step::Key(part.clone()));
            has_used_part |= self.element(&format!("{path}.{part}"), part, ledger);
            self.steps.pop();
        }
        if !has_used_part {
            ledger.used(path);
        }
    }

    /// Every item of a list that is not read counts.
    fn dropped(&self, path: &str, key: &str, ledger: &mut Ledger) {
        match self.at() {
            Some(Value::Array(list)) => {
                for item in list {
                    ledger.dropped(&format!("{path}{}", self.label(key, item)));
                }
            }
            _ => ledger.dropped(path),
        }
    }

    /// Extensions and tags of ours inside an element repeat in another way what is said there or elsewhere.
    fn is_own(&self, part: &str, value: &Value) -> bool {
        let name = match part {
            "extension" => "url",
            "tag" => "system",
            _ => return false,
        };
        let mut items = value.as_array().into_iter().flatten();
        items.all(|item| {
            let name = item.get(name).and_then(Value::as_str);
            name.is_some_and(|name| name.starts_with(self.naming.base()))
        })
    }

    /// What tells the items of a list apart: the system of an identifier, the URL of an extension.
    fn label(&self, key: &str, item: &Value) -> String {
        let property = match key {
            "identifier" => "system",
            "extension" => "url",
            _ => return String::new(),
        };
        let Some(name) = item.get(property).and_then(Value::as_str) else {
            return String::new();
        };
        let base = self.naming.base();
        let ours = name.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
        let extension = name.strip_prefix(&self.naming.extension(""));
        format!("({})", extension.or(ours).unwrap_or(name))
    }

    /// Whether the projection is another without the element. Without some it is refused, and with others it is
    /// what is taken for granted: these are changed instead.
    fn matters(&mut self) -> bool {
        let taken = self.take();
        let without = (self.show)(&self.record);
        let other = taken.as_ref().and_then(|(_, value)| match &without {
            None => altered(value),
            Some(_) => opposite(value),
        });
        let mut matters = without.as_deref() != Some(self.shown);
        if let (Some((place, _)), Some(other)) = (&taken, other)
            && (without.is_none() || !matters)
        {
            self.put(Some((*place, other)));
            matters = !self.is_unchanged();
            self.take();
        }
        self.put(taken);
        matters
    }

    fn is_unchanged(&self) -> bool {
        (self.show)(&self.record).as_deref() == Some(self.shown)
    }

    fn at(&self) -> Option<&Value> {
        let mut steps = self.steps.iter();
        let Some(Step::Key(first)) = steps.next() else {
            return None;
        };
        steps.try_fold(self.record.object().get(first)?, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Item(at) => value.get(at),
        })
    }

    /// Takes the element out, with its position.
    fn take(&mut self) -> Option<(usize, Value)> {
        let (last, steps) = self.steps.split_last()?;
        match (parent(self.record.object_mut(), steps)?, last) {
            (Parent::Object(object), Step::Key(key)) => {
                let position = object.keys().position(|known| known == key)?;
                Some((position, object.shift_remove(key)?))
            }
            (Parent::List(list), Step::Item(at)) if *at < list.len() => Some((*at, list.remove(*at))),
            _ => None,
        }
    }

    fn put(&mut self, taken: Option<(usize, Value)>) {
        let Some((last, steps)) = self.steps.split_last() else {
            return;
        };
        let Some((position, value)) = taken else { return };
        match (parent(self.record.object_mut(), steps), last) {
            (Some(Parent::Object(object)), Step::Key(key)) => {
                object.shift_insert(position, key.clone(), value);
            }
            (Some(Parent::List(list)), Step::Item(_)) => list.insert(position, value),
            _ => {}
        }
    }
}

/// Another value of the same kind, where there is one of no meaning.
fn altered(value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    Some(Value::String(format!("{text}x")))
}

/// The other of two values.
fn opposite(value: &Value) -> Option<Value> {
    let other = match value {
        Value::Bool(value) => return Some(Value::Bool(!value)),
        Value::String(text) => match text.as_str() {
            "ACTIVE" => "INACTIVE",
            "active" => "inactive",
            _ => return None,
        },
        _ => return None,
    };
    Some(other.into())
}

enum Parent<'t> {
    Object(&'t mut Object),
    List(&'t mut Vec<Value>),
}

fn parent<'t>(tree: &'t mut Object, steps: &[Step]) -> Option<Parent<'t>> {
    let mut here = Parent::Object(tree);
    for step in steps {
        let value = match (here, step) {
            (Parent::Object(object), Step::Key(key)) => object.get_mut(key)?,
            (Parent::List(list), Step::Item(at)) => list.get_mut(*at)?,
            _ => return None,
        };
        here = match value {
            Value::Object(object) => Parent::Object(object),
            Value::Array(list) => Parent::List(list),
            _ => return None,
        };
    }
    Some(here)
}
