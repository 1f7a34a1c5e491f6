//! A stored Patient on its way to another server.

use fhir::Resource;
use serde_json::json;

use crate::naming::Naming;
use crate::tree::{identifier, push};

/// The Patient with the id that the Medicapp doors show, where that stands beside the resource: partners then find the
/// patient under it wherever the export is imported. `None` when the Patient carries such an id already.
pub fn with_medicapp_id(patient: &Resource, id: &str, naming: &Naming) -> Option<Resource> {
    let system = naming.medicapp_patient_id();
    if identifier(patient.tree(), &system).is_some() {
        return None;
    }
    let mut patient = patient.clone();
    let shown = json!({ "use": "usual", "system": system, "value": id });
    push(patient.tree_mut(), "identifier", shown);
    Some(patient)
}
