//! By what a Patient is known when it comes again.

use fhir::{Identifier, Resource};

use super::Dialect;
use crate::medicapp;
use crate::naming::{Naming, from_segment};
use crate::sticky::given_systems;

/// The first ranks of a key: those that go over to whom replaces a Patient.
const SHARED_RANKS: usize = 2;

/// The identifier that at most one live Patient of a space has, and that a second import finds the first by:
/// NIR with rank, else a partner's external id, else the id that a Medicapp door or patient-graph gave, else
/// the preperson's id. A preperson's external id is none: it is not unique (`adapters.md` 5.1). Of a Patient that
/// another one replaced only the ids that a server gave: the rest may be the other's by now.
pub fn idempotency_key(patient: &Resource, naming: &Naming) -> Option<Identifier> {
    let held: Vec<Identifier> = fhir::identifier::of(patient)
        .map(|held| held.identifier)
        .collect();
    let ranks: [&dyn Fn(&str) -> bool; 5] = [
        &|system| system == naming.nir_rang(),
        &|system| is_external_id(system, naming),
        &|system| system == naming.medicapp_patient_id(),
        &|system| system == naming.patient_graph_id(),
        &|system| system == naming.preperson_id(),
    ];
    let shared = if medicapp::is_visible(patient) {
        0
    } else {
        SHARED_RANKS
    };
    ranks
        .iter()
        .skip(shared)
        .find_map(|is_meant| held.iter().find(|identifier| is_meant(&identifier.system)))
        .cloned()
}

/// Whether the values of a system are ids that a server gives: who has one keeps it, even when replaced.
pub fn is_given(system: &str, naming: &Naming) -> bool {
    given_systems(naming).iter().any(|given| given == system)
}

/// Whether a Patient that carries the key of an imported one is that one. Who was replaced lends its key to nobody else:
/// it must have an id of the imported one.
pub fn is_known_by_key(stored: &Resource, imported: &Resource, naming: &Naming) -> bool {
    if medicapp::is_visible(stored) || (stored.body_id().is_some() && stored.body_id() == imported.body_id())
    {
        return true;
    }
    let is_shared = |identifier: &Identifier| {
        is_given(&identifier.system, naming)
            && fhir::identifier::of(imported).any(|held| held.identifier == *identifier)
    };
    fhir::identifier::of(stored).any(|held| is_shared(&held.identifier))
}

/// Whether a system holds external ids that are unique within it.
fn is_external_id(system: &str, naming: &Naming) -> bool {
    let Some(path) = system
        .strip_prefix(naming.base())
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return false;
    };
    let segments: Vec<&str> = path.split('/').collect();
    matches!(
        segments.as_slice(),
        ["medicapp", "trust-space" | "space", _, "external-id"]
            | ["patient-graph", "brand", _, "external-id", _]
    )
}

/// The field of a record that an identifier of its Patient comes from.
pub fn field_of(dialect: Dialect, system: &str, patient: &Resource, naming: &Naming) -> String {
    let key = || {
        let (_, key) = system.rsplit_once('/')?;
        from_segment(key)
    };
    let field = match dialect {
        Dialect::Fhir => None,
        Dialect::MedicappCloud if system == naming.medicapp_patient_id() => Some("patientUuid".to_owned()),
        Dialect::MedicappCloud if system == naming.nir_rang() => Some("identificationKey".to_owned()),
        Dialect::MedicappConnect if system == naming.medicapp_patient_id() => Some("id".to_owned()),
        Dialect::MedicappCloud | Dialect::MedicappConnect => Some("externalId".to_owned()),
        Dialect::PatientGraph if system == naming.patient_graph_id() => Some("id".to_owned()),
        Dialect::PatientGraph => key().map(|key| format!("external_ids.{key}")),
        Dialect::Ehealth if system == naming.preperson_id() => Some("id".to_owned()),
        Dialect::Ehealth => Some("external_id".to_owned()),
    };
    field.map_or_else(
        || {
            let mut held = fhir::identifier::of(patient);
            let position = held.find_map(|held| (held.identifier.system == system).then_some(held.position));
            let place = "Patient.identifier";
            position.map_or_else(|| place.to_owned(), |position| format!("{place}[{position}]"))
        },
        |field| format!("$.{field}"),
    )
}
