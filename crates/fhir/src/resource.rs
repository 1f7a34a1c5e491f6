//! A resource as this server holds it: a guarded, ordered JSON tree.
//!
//! Decimals are text (serde_json's `arbitrary_precision`), property order is the sender's. Only
//! [`crate::codec`] makes a `Resource` from bytes, so one in hand has passed the guard: no duplicate
//! keys, no empty values, no `null` but as a hole in a list of primitives, bounded depth.

use serde_json::{Map, Value};
use std::fmt;

use crate::id::Id;

/// The resource types that are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
    /// <https://hl7.org/fhir/R4/patient.html>
    Patient,
    /// <https://hl7.org/fhir/R4/practitioner.html>
    Practitioner,
}

impl ResourceType {
    /// All stored types, in alphabetical order.
    pub const ALL: [ResourceType; 2] = [ResourceType::Patient, ResourceType::Practitioner];

    /// The name as it stands in URLs and in `resourceType`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ResourceType::Patient => "Patient",
            ResourceType::Practitioner => "Practitioner",
        }
    }

    /// The type of this exact name (FHIR type names are case-sensitive).
    pub fn parse(name: &str) -> Option<ResourceType> {
        ResourceType::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A Patient or Practitioner that has passed the guard. Says nothing about validity: see
/// [`crate::validate`].
#[derive(Clone, PartialEq)]
pub struct Resource {
    kind: ResourceType,
    tree: Map<String, Value>,
}

// A resource is a person: its content never reaches a log by `{:?}`.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({}, {} properties)", self.kind, self.tree.len())
    }
}

impl Resource {
    /// Wraps a tree that the guard has passed, or that this server built itself. `resourceType`
    /// becomes the first property, whether it stood elsewhere or was missing.
    pub fn from_guarded(kind: ResourceType, mut tree: Map<String, Value>) -> Resource {
        tree.shift_remove("resourceType");
        tree.shift_insert(
            0,
            "resourceType".to_owned(),
            Value::String(kind.as_str().to_owned()),
        );
        Resource { kind, tree }
    }

    /// The type of the resource.
    pub fn kind(&self) -> ResourceType {
        self.kind
    }

    /// The whole tree, `resourceType` first.
    pub fn tree(&self) -> &Map<String, Value> {
        &self.tree
    }

    /// The tree, to change it in place. `resourceType` must stay.
    pub fn tree_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.tree
    }

    /// Gives the tree away.
    pub fn into_tree(self) -> Map<String, Value> {
        self.tree
    }

    /// A property of the root.
    pub fn get(&self, property: &str) -> Option<&Value> {
        self.tree.get(property)
    }

    /// The items of a repeating element of the root; empty when it is absent or no list.
    pub fn list(&self, property: &str) -> &[Value] {
        self.tree
            .get(property)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// The `id` that the body carries, as written (unchecked).
    pub fn body_id(&self) -> Option<&str> {
        self.tree.get("id").and_then(Value::as_str)
    }

    /// Sets the `id`.
    pub fn set_id(&mut self, id: &Id) {
        self.tree
            .insert("id".to_owned(), Value::String(id.as_str().to_owned()));
    }

    /// `meta`, when it is an object.
    pub fn meta(&self) -> Option<&Map<String, Value>> {
        self.tree.get("meta").and_then(Value::as_object)
    }
}
