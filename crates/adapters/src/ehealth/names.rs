//! First name and patronymic in `HumanName.given` (`adapters.md` 5.4): a given name that is flagged as the
//! patronymic is it, else the second one; the first that is not flagged is the first name.

use serde_json::{Value, json};

use crate::naming::Naming;
use crate::tree::{Object, extension, retain, set_text, text};

const KIND: &str = "name-part-kind";
pub(super) const PATRONYMIC: &str = "patronymic";

/// The parts of a name that the registry knows.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Parts {
    pub first: Option<String>,
    pub last: Option<String>,
    pub second: Option<String>,
}

/// Reads the parts of a name.
pub(super) fn read(name: &Object, naming: &Naming) -> Parts {
    let given = Given::of(name);
    let flagged = given.flagged(naming);
    let first = given.first(naming);
    let second = flagged.or_else(|| given.second(first));
    Parts {
        first: first.and_then(|position| given.text(position)).map(str::to_owned),
        last: text(name, "family").map(str::to_owned),
        second: second
            .and_then(|position| given.text(position))
            .map(str::to_owned),
    }
}

/// Sets the parts that are there and differ from what the name shows. What else stands in the name stays,
/// but for `text`, which spelt the old name.
pub(super) fn write(name: &mut Object, parts: &Parts, naming: &Naming) {
    let shown = read(name, naming);
    let changed = |new: &Option<String>, old: &Option<String>| new.clone().filter(|_| new != old);
    let last = changed(&parts.last, &shown.last);
    let first = changed(&parts.first, &shown.first);
    let second = changed(&parts.second, &shown.second);
    if last.is_none() && first.is_none() && second.is_none() {
        return;
    }
    for property in ["text", "_text"] {
        name.shift_remove(property);
    }
    if let Some(last) = last {
        set_text(name, "family", Some(&last));
        name.shift_remove("_family");
    }
    if first.is_none() && second.is_none() {
        return;
    }
    let mut given = Given::of(name);
    if let Some(first) = first {
        given.set_first(first, naming);
    }
    if let Some(second) = second {
        given.set_second(second, naming);
    }
    given.put(name);
}

/// `given` and `_given`, item by item.
struct Given(Vec<Part>);

#[derive(Default)]
struct Part {
    value: Value,
    /// `id` and extensions.
    about: Value,
}

impl Given {
    fn of(name: &Object) -> Given {
        let list = |property: &str| name.get(property).and_then(Value::as_array);
        let (values, abouts) = (list("given"), list("_given"));
        let length = values.map_or(0, Vec::len).max(abouts.map_or(0, Vec::len));
        let item = |list: Option<&Vec<Value>>, position: usize| {
            list.and_then(|list| list.get(position))
                .cloned()
                .unwrap_or_default()
        };
        let part = |position| Part {
            value: item(values, position),
            about: item(abouts, position),
        };
        Given((0..length).map(part).collect())
    }

    fn put(self, name: &mut Object) {
        let has_about = self.0.iter().any(|part| !part.about.is_null());
        let (values, abouts) = self.0.into_iter().map(|part| (part.value, part.about)).unzip();
        name.insert("given".to_owned(), Value::Array(values));
        if has_about {
            name.insert("_given".to_owned(), Value::Array(abouts));
        } else {
            name.shift_remove("_given");
        }
    }

    fn text(&self, position: usize) -> Option<&str> {
        self.0
            .get(position)?
            .value
            .as_str()
            .filter(|text| !text.is_empty())
    }

    fn is_flagged(&self, position: usize, naming: &Naming) -> bool {
        let about = self.0.get(position).and_then(|part| part.about.as_object());
        about
            .and_then(|about| extension(about, &naming.extension(KIND)))
            .is_some_and(|kind| text(kind, "valueCode") == Some(PATRONYMIC))
    }

    fn flagged(&self, naming: &Naming) -> Option<usize> {
        (0..self.0.len()).find(|&position| self.is_flagged(position, naming) && self.text(position).is_some())
    }

    fn first(&self, naming: &Naming) -> Option<usize> {
        (0..self.0.len())
            .find(|&position| !self.is_flagged(position, naming) && self.text(position).is_some())
    }

    /// The patronymic when none is flagged.
    fn second(&self, first: Option<usize>) -> Option<usize> {
        (first == Some(0) && self.text(1).is_some()).then_some(1)
    }

    fn set_first(&mut self, text: String, naming: &Naming) {
        if let Some(first) = self.first(naming) {
            self.replace(first, text);
            return;
        }
        // Holes that only say why a name is missing give way to the name.
        self.0.retain(|part| !part.value.is_null());
        self.0.insert(0, Part::of(text));
        // In the second place it needs no flag, unless another flagged one would then be taken for it.
        if self.0.len() == 2 {
            self.unflag(1, naming);
        }
    }

    fn set_second(&mut self, text: String, naming: &Naming) {
        let first = self.first(naming);
        if let Some(position) = self.flagged(naming) {
            self.replace_keeping_flag(position, text, naming);
        } else if let Some(position) = self.second(first) {
            self.replace(position, text);
        } else if first == Some(0) && self.0.get(1).is_none_or(|part| part.value.is_null()) {
            if self.0.len() > 1 {
                self.replace(1, text);
            } else {
                self.0.push(Part::of(text));
            }
        } else {
            if first.is_none() {
                self.0.retain(|part| !part.value.is_null());
            }
            self.0.push(Part {
                value: Value::String(text),
                about: json!({ "extension": [{ "url": naming.extension(KIND), "valueCode": PATRONYMIC }] }),
            });
        }
    }

    /// What was said about the old part goes with it.
    fn replace(&mut self, position: usize, text: String) {
        if let Some(part) = self.0.get_mut(position) {
            *part = Part::of(text);
        }
    }

    fn replace_keeping_flag(&mut self, position: usize, text: String, naming: &Naming) {
        let url = naming.extension(KIND);
        if let Some(part) = self.0.get_mut(position) {
            part.value = Value::String(text);
            part.about = json!({ "extension": [{ "url": url, "valueCode": PATRONYMIC }] });
        }
    }

    fn unflag(&mut self, position: usize, naming: &Naming) {
        let url = naming.extension(KIND);
        let Some(part) = self.0.get_mut(position) else {
            return;
        };
        let Some(about) = part.about.as_object_mut() else {
            return;
        };
        retain(about, "extension", |item| {
            item.get("url").and_then(Value::as_str) != Some(url.as_str())
        });
        if about.is_empty() {
            part.about = Value::Null;
        }
    }
}

impl Part {
    fn of(text: String) -> Part {
        Part {
            value: Value::String(text),
            about: Value::Null,
        }
    }
}
