//! References: where they may point, and whether local ones arrive — <https://hl7.org/fhir/R4/references.html>

use serde_json::{Map, Value};
use std::collections::HashSet;

use super::type_names;
use crate::resource::Resource;

/// What is contained, and what points there.
pub(super) struct Locals<'r> {
    any: bool,
    ids: HashSet<&'r str>,
    /// Fragments (without `#`) seen so far. Empty text is the container itself.
    seen: HashSet<&'r str>,
}

impl<'r> Locals<'r> {
    /// Of this resource.
    pub(super) fn of(resource: &'r Resource) -> Locals<'r> {
        Locals {
            any: !resource.list("contained").is_empty(),
            ids: resource.list("contained").iter().filter_map(id_of).collect(),
            seen: HashSet::new(),
        }
    }

    /// Whether anything is contained at all: if not, nobody asks what points there.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// Takes note of a URI or reference if it is a local one. False when it points nowhere.
    pub(super) fn resolves(&mut self, reference: &'r str) -> bool {
        let Some(fragment) = reference.strip_prefix('#') else {
            return true;
        };
        self.seen.insert(fragment);
        // `#` alone is the resource that contains the others.
        fragment.is_empty() || self.ids.contains(fragment)
    }

    /// Whether something points to this contained resource (`dom-3`).
    pub(super) fn points_to(&self, id: &str) -> bool {
        self.seen.contains(id)
    }

    /// Forgets and tells whether the container was pointed to.
    pub(super) fn take_container(&mut self) -> bool {
        self.seen.remove("")
    }
}

/// The id of a contained resource.
pub(super) fn id_of(resource: &Value) -> Option<&str> {
    resource.get("id").and_then(Value::as_str)
}

/// The resource type that a literal reference (`Type/id`, a URL that ends so, with or without version) names.
pub(super) fn target_type(reference: &Map<String, Value>) -> Option<&str> {
    let literal = reference.get("reference").and_then(Value::as_str)?;
    let plain = literal.split(['?', '#']).next()?;
    let mut steps = plain.rsplit('/');
    let (last, before) = (steps.next()?, steps.next()?);
    let kind = if before == "_history" {
        steps.next()?;
        steps.next()?
    } else {
        before
    };
    (!last.is_empty() && type_names::is_resource(kind)).then_some(kind)
}
