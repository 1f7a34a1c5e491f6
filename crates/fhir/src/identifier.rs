//! Business identifiers — <https://hl7.org/fhir/R4/datatypes.html#Identifier>

use serde_json::Value;
use std::fmt;

use crate::resource::Resource;

/// A `system|value` pair. Both non-empty.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    /// The namespace, a URI, as sent.
    pub system: String,
    /// The value, as sent; compared byte for byte.
    pub value: String,
}

// The value may be a NIR: it never reaches a log by `{:?}`.
impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({}|…)", self.system)
    }
}

/// The complete identifiers (system and value) of a resource with their place in `identifier[]` and
/// the codes of their `type`.
pub fn of(resource: &Resource) -> impl Iterator<Item = Held<'_>> {
    resource
        .list("identifier")
        .iter()
        .enumerate()
        .filter_map(|(position, node)| {
            let system = node.get("system")?.as_str()?;
            let value = node.get("value")?.as_str()?;
            let identifier = Identifier {
                system: system.to_owned(),
                value: value.to_owned(),
            };
            Some(Held {
                position,
                identifier,
                node,
            })
        })
}

/// One identifier as a resource holds it.
pub struct Held<'r> {
    /// The index in `identifier[]`.
    pub position: usize,
    /// System and value.
    pub identifier: Identifier,
    /// The whole element.
    pub node: &'r Value,
}

impl Held<'_> {
    /// Whether `type.coding` has this code under one of these systems.
    pub fn has_type(&self, systems: &[&str], code: &str) -> bool {
        let codings = self
            .node
            .get("type")
            .and_then(|t| t.get("coding"))
            .and_then(Value::as_array);
        codings.is_some_and(|codings| {
            codings.iter().any(|coding| {
                coding.get("code").and_then(Value::as_str) == Some(code)
                    && coding
                        .get("system")
                        .and_then(Value::as_str)
                        .is_some_and(|system| systems.contains(&system))
            })
        })
    }
}
