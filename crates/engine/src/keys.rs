//! Key identifier systems: which identifiers are owned by at most one resource of a space (`fhir-rest.md` 3,
//! `adapters.md` 5.1, `patient-identity.md` 1).

use std::collections::BTreeSet;

use fhir::identifier::{self, Held};
use fhir::validate::regulator::TYPE_SYSTEMS;
use fhir::{Resource, ResourceType};
use serde_json::Value;
use store::access::KeySystem;
use store::{KeyRow, KeyState, Policy, SpaceKey};

/// The key systems in force.
#[derive(Clone, Debug, Default)]
pub struct KeySystems {
    systems: Vec<KeySystem>,
    base: String,
    /// The spaces that a Medicapp door is bound to.
    medicapp: BTreeSet<SpaceKey>,
    /// The spaces in which a DELETE at the FHIR door erases.
    erasing: BTreeSet<SpaceKey>,
}

impl KeySystems {
    /// The built-in systems under this naming base (`{B}` of `adapters.md`, without a trailing slash) and
    /// the configured ones.
    pub fn new(naming_base: &str, configured: &[KeySystem]) -> KeySystems {
        let mut systems = built_in(naming_base);
        systems.extend(configured.iter().cloned());
        KeySystems {
            systems,
            base: naming_base.to_owned(),
            medicapp: BTreeSet::new(),
            erasing: BTreeSet::new(),
        }
    }

    /// The same, with an id for the Medicapp doors in each Patient of these spaces.
    pub fn with_medicapp_spaces(self, spaces: impl IntoIterator<Item = SpaceKey>) -> KeySystems {
        KeySystems {
            medicapp: spaces.into_iter().collect(),
            ..self
        }
    }

    /// The same, with a DELETE at the FHIR door that erases in these spaces.
    pub fn with_erasing_spaces(self, spaces: impl IntoIterator<Item = SpaceKey>) -> KeySystems {
        KeySystems {
            erasing: spaces.into_iter().collect(),
            ..self
        }
    }

    /// Whether a DELETE at the FHIR door erases in this space.
    pub(crate) fn delete_erases(&self, space: SpaceKey) -> bool {
        self.erasing.contains(&space)
    }

    /// Whether each Patient of this space has an id for the Medicapp doors.
    pub(crate) fn allocates_patient_ids(&self, space: SpaceKey) -> bool {
        self.medicapp.contains(&space)
    }

    /// The system of the ids that the Medicapp doors show.
    pub(crate) fn patient_id_system(&self) -> String {
        format!("{}/{PATIENT_ID}", self.base)
    }

    /// The base of our own names.
    pub(crate) fn naming_base(&self) -> &str {
        &self.base
    }

    /// All of them, for listing.
    pub fn all(&self) -> &[KeySystem] {
        &self.systems
    }

    /// The key rows of an ordinary resource, sorted, without duplicates. Who was replaced owns nothing but the ids that
    /// the server gave: the survivor may take the rest (`adapters.md` 8.2).
    pub fn rows(&self, resource: &Resource) -> Vec<KeyRow> {
        let inactive = resource.get("active") == Some(&Value::Bool(false));
        let replaced = is_replaced(resource);
        let mut rows: Vec<KeyRow> = identifier::of(resource)
            .filter_map(|held| {
                let system = self.governing(resource.kind(), &held)?;
                let released = replaced && !self.is_given(&held.identifier.system);
                let state = if released || (system.active_only && inactive) {
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

    /// Whether the server gives the values of this system.
    fn is_given(&self, system: &str) -> bool {
        let path = system
            .strip_prefix(&self.base)
            .and_then(|rest| rest.strip_prefix('/'));
        path.is_some_and(|path| GIVEN.contains(&path))
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

const PATIENT_ID: &str = "medicapp/patient-id";
/// Paths below the base of the ids that the server gives.
const GIVEN: [&str; 3] = [PATIENT_ID, "patient-graph/patient-id", "ehealth/preperson-id"];

/// Whether a link says that another resource took this one's place.
pub(crate) fn is_replaced(resource: &Resource) -> bool {
    let links = resource.get("link").and_then(Value::as_array);
    links.is_some_and(|links| {
        links
            .iter()
            .any(|link| link.get("type").and_then(Value::as_str) == Some("replaced-by"))
    })
}

fn built_in(base: &str) -> Vec<KeySystem> {
    let own = [
        PATIENT_ID,
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
