//! Key identifier systems: which identifiers are owned by at most one resource of a space (`fhir-rest.md` 3,
//! `adapters.md` 5.1, `patient-identity.md` 1).

use fhir::identifier::{self, Held};
use fhir::validate::regulator::TYPE_SYSTEMS;
use fhir::{Resource, ResourceType};
use serde_json::Value;
use store::access::KeySystem;
use store::{KeyRow, KeyState, Policy};

/// The key systems in force.
#[derive(Clone, Debug, Default)]
pub struct KeySystems {
    systems: Vec<KeySystem>,
}

impl KeySystems {
    /// The built-in systems under this naming base (`{B}` of `adapters.md`, without a trailing slash) and
    /// the configured ones.
    pub fn new(naming_base: &str, configured: &[KeySystem]) -> KeySystems {
        let mut systems = built_in(naming_base);
        systems.extend(configured.iter().cloned());
        KeySystems { systems }
    }

    /// All of them, for listing.
    pub fn all(&self) -> &[KeySystem] {
        &self.systems
    }

    /// The key rows of an ordinary resource, sorted, without duplicates.
    pub fn rows(&self, resource: &Resource) -> Vec<KeyRow> {
        let inactive = resource.get("active") == Some(&Value::Bool(false));
        let mut rows: Vec<KeyRow> = identifier::of(resource)
            .filter_map(|held| {
                let system = self.governing(resource.kind(), &held)?;
                let state = if system.active_only && inactive {
                    KeyState::Held
                } else {
                    KeyState::Owning
                };
                Some(KeyRow {
                    policy: Policy::KeySystem,
                    identifier: held.identifier,
                    state,
                })
            })
            .collect();
        rows.sort();
        rows.dedup_by(|second, first| first.identifier == second.identifier);
        rows
    }

    fn governing(&self, kind: ResourceType, held: &Held<'_>) -> Option<&KeySystem> {
        self.systems.iter().find(|key| {
            key.kind == kind
                && key.covers(&held.identifier.system)
                && key
                    .type_code
                    .as_deref()
                    .is_none_or(|code| held.has_type(&TYPE_SYSTEMS, code))
        })
    }
}

fn built_in(base: &str) -> Vec<KeySystem> {
    let own = [
        "medicapp/patient-id",
        "medicapp/trust-space/*/external-id",
        "medicapp/space/*/external-id",
        "medicapp/nir-rang",
        "patient-graph/patient-id",
        "patient-graph/brand/*/external-id/*",
        "ehealth/preperson-id",
    ];
    let national = [
        ("urn:oid:1.2.250.1.213.1.4.8", "INS-NIR"),
        ("urn:oid:1.2.250.1.213.1.4.9", "INS-NIA"),
    ];
    let own = own.into_iter().map(|path| (format!("{base}/{path}"), None));
    let national = national
        .into_iter()
        .map(|(system, code)| (system.to_owned(), Some(code.to_owned())));
    own.chain(national)
        .map(|(system, type_code)| KeySystem {
            system,
            kind: ResourceType::Patient,
            active_only: false,
            type_code,
        })
        .collect()
}
