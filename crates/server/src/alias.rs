//! The OID spelling of our identifier systems (`adapters.md` 5.1): taken in criteria and in what is written, and
//! replaced by the canonical URL. Only that is stored.
//!
//! An alias is a digest of the system's path, so it cannot be read back: the aliases of all systems that the operator's
//! bindings and clients name are made once, and looked up. External id systems of a brand have a key in their path
//! that only data names; they have an alias where the configuration gives one.

use std::collections::{BTreeMap, HashMap};

use adapters::naming::{Naming, segment};
use engine::Door;
use fhir::query::{Clause, Criteria, SearchParam, Test, TokenTest};
use fhir::{Resource, ResourceType};
use serde_json::Value;
use store::access::AccessSnapshot;
use uuid::Uuid;

use crate::auth::attributes::{self, LEGAL_ENTITY_ID, attribute};

#[cfg(test)]
mod tests;

/// What every alias begins with; systems without it need no look.
const OID: &str = "urn:oid:";

/// Paths below the base whose systems every deployment has.
const FIXED: [&str; 7] = [
    "medicapp/patient-id",
    "medicapp/nir-rang",
    "medicapp/trust-space",
    "medicapp/space",
    "patient-graph/patient-id",
    "patient-graph/brand",
    "ehealth/preperson-id",
];

/// Canonical systems by alias.
#[derive(Clone, Debug, Default)]
pub struct Aliases {
    canonical: HashMap<String, String>,
}

/// `urn:oid:2.25.` and the decimal of the UUID of version 5 of the path.
pub fn alias_of(namespace: &Uuid, path: &str) -> String {
    format!("{OID}2.25.{}", Uuid::new_v5(namespace, path.as_bytes()).as_u128())
}

impl Aliases {
    /// Those of the systems that bindings and clients name, and those that the configuration gives: OIDs by path.
    pub fn new(
        naming_base: &str,
        snapshot: &AccessSnapshot,
        configured: &BTreeMap<String, String>,
    ) -> Aliases {
        let namespace = attributes::author_namespace(naming_base);
        let base = Naming::new(naming_base).base().to_owned();
        let mut canonical = HashMap::new();
        for path in paths(snapshot) {
            canonical.insert(alias_of(&namespace, &path), format!("{base}/{path}"));
        }
        for (path, oid) in configured {
            let oid = oid.strip_prefix(OID).unwrap_or(oid);
            canonical.insert(format!("{OID}{oid}"), format!("{base}/{path}"));
        }
        Aliases { canonical }
    }

    /// The canonical system behind an alias; `None` for any other system.
    pub fn canonical(&self, system: &str) -> Option<&str> {
        system.strip_prefix(OID)?;
        self.canonical.get(system).map(String::as_str)
    }

    /// Writes the canonical systems into criteria.
    pub fn rewrite(&self, criteria: &mut Criteria) {
        for Clause { param, test } in &mut criteria.clauses {
            if let Test::Chain(inner) | Test::Has(inner) = test {
                self.rewrite(inner);
                continue;
            }
            let (SearchParam::Identifier, Test::Token(tests) | Test::NotToken(tests)) = (*param, test) else {
                continue;
            };
            for test in tests {
                if let TokenTest::SystemCode { system, .. } | TokenTest::System(system) = test
                    && let Some(canonical) = self.canonical(system)
                {
                    canonical.clone_into(system);
                }
            }
        }
    }

    /// Writes the canonical systems into the identifiers of a Patient, those of its references included.
    pub fn rewrite_resource(&self, resource: &mut Resource) {
        if resource.kind() != ResourceType::Patient {
            return;
        }
        let tree = resource.tree_mut();
        for property in [
            "identifier",
            "managingOrganization",
            "link",
            "generalPractitioner",
        ] {
            if let Some(value) = tree.get_mut(property) {
                self.rewrite_identifiers(value, property == "identifier");
            }
        }
    }

    fn rewrite_identifiers(&self, value: &mut Value, is_identifier: bool) {
        match value {
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| self.rewrite_identifiers(item, is_identifier)),
            Value::Object(object) if is_identifier => {
                if let Some(Value::String(system)) = object.get_mut("system")
                    && let Some(canonical) = self.canonical(system)
                {
                    canonical.clone_into(system);
                }
            }
            Value::Object(object) => {
                for (name, value) in object.iter_mut() {
                    match name.as_str() {
                        "identifier" => self.rewrite_identifiers(value, true),
                        "other" => self.rewrite_identifiers(value, false),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// The paths below the base of all systems that can be named.
fn paths(snapshot: &AccessSnapshot) -> Vec<String> {
    let mut paths: Vec<String> = FIXED.iter().map(|path| (*path).to_owned()).collect();
    for binding in &snapshot.bindings {
        if binding.door == Door::MedicappCloud.as_str() {
            paths.push(format!(
                "medicapp/trust-space/{}/external-id",
                segment(&binding.word)
            ));
        }
    }
    for space in &snapshot.spaces {
        paths.push(format!("medicapp/space/{}/external-id", segment(&space.id)));
    }
    for client in &snapshot.clients {
        if let Some(entity) = attribute(client, LEGAL_ENTITY_ID) {
            let entity = segment(&entity.to_lowercase());
            paths.push(format!("ehealth/legal-entity/{entity}/preperson-external-id"));
        }
    }
    paths
}
