//! The tables of the doors: a ConceptMap in `profiles/concept-maps` is read here and is the table that runs.

use std::collections::HashMap;

use serde_json::Value;

use crate::tree::{Object, objects, text};

#[cfg(test)]
mod tests;

/// One ConceptMap — <https://hl7.org/fhir/R4/conceptmap.html>: a group for each pair of code systems.
#[derive(Debug, Default)]
pub struct ConceptMap {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    source: String,
    target: String,
    rows: HashMap<String, String>,
    /// What a code that is not listed means.
    otherwise: Option<String>,
}

impl ConceptMap {
    /// Reads a published map. What is broken in one is left out; that nothing is, the tests see.
    pub fn read(published: &str) -> ConceptMap {
        let parsed: Value = serde_json::from_str(published).unwrap_or_default();
        let groups = parsed
            .as_object()
            .into_iter()
            .flat_map(|map| objects(map, "group"));
        ConceptMap {
            groups: groups.filter_map(group).collect(),
        }
    }

    /// What a partner's word is in this system; `None` when the map has no such word.
    pub fn into_system(&self, target: &str, word: &str) -> Option<&str> {
        let group = self.groups.iter().find(|group| group.target == target)?;
        group.of(word).or(group.otherwise.as_deref())
    }

    /// The partner's word for a code of this system; `None` when the partner has none.
    pub fn out_of_system(&self, source: &str, code: &str) -> Option<&str> {
        let group = self.groups.iter().find(|group| group.source == source)?;
        group.of(code).or(group.otherwise.as_deref())
    }
}

impl Group {
    fn of(&self, code: &str) -> Option<&str> {
        self.rows.get(code).map(String::as_str)
    }
}

fn group(group: &Object) -> Option<Group> {
    let otherwise = group.get("unmapped").and_then(|unmapped| unmapped.get("code"));
    Some(Group {
        source: text(group, "source")?.to_owned(),
        target: text(group, "target")?.to_owned(),
        rows: objects(group, "element").filter_map(row).collect(),
        otherwise: otherwise.and_then(Value::as_str).map(str::to_owned),
    })
}

fn row(element: &Object) -> Option<(String, String)> {
    let target = objects(element, "target").next()?;
    Some((
        text(element, "code")?.to_owned(),
        text(target, "code")?.to_owned(),
    ))
}
