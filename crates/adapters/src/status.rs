//! The tables of statuses (`adapters.md` 5.4): what a door calls a Patient that is active, is not, or was replaced.

use std::sync::LazyLock;

use serde_json::Value;

use crate::concept_map::ConceptMap;
use crate::tree::{Object, objects, text};

#[cfg(test)]
mod tests;

/// The codes `true` and `false` — <https://hl7.org/fhir/R4/codesystem-special-values.html>
const SPECIAL_VALUES: &str = "http://terminology.hl7.org/CodeSystem/special-values";
/// <https://hl7.org/fhir/R4/codesystem-link-type.html>
const LINK_TYPE: &str = "http://hl7.org/fhir/link-type";
/// The link of a Patient whose place another took.
const REPLACED_BY: &str = "replaced-by";

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// `ACTIVE`, `INACTIVE`
    Ehealth,
    /// `active`, `inactive`, `merged`; any other word is one of not being active.
    PatientGraph,
}

impl Words {
    const ALL: [Words; 2] = [Words::Ehealth, Words::PatientGraph];

    /// The ConceptMap, as it is published.
    pub const fn concept_map(self) -> &'static str {
        match self {
            Words::Ehealth => include_str!("../../../profiles/concept-maps/ehealth-status.json"),
            Words::PatientGraph => include_str!("../../../profiles/concept-maps/patient-graph-status.json"),
        }
    }

    /// What the door calls this Patient. That another took its place counts before `active`.
    pub fn of_patient(self, patient: &Object) -> Option<&'static str> {
        if is_replaced(patient) {
            return self.table().out_of_system(LINK_TYPE, REPLACED_BY);
        }
        // A Patient that does not say is active.
        let active = patient.get("active").and_then(Value::as_bool).unwrap_or(true);
        self.of_active(active)
    }

    /// The word for `Patient.active`.
    pub fn of_active(self, active: bool) -> Option<&'static str> {
        self.table().out_of_system(SPECIAL_VALUES, special_value(active))
    }

    /// Whether a word of the door is one of being active.
    pub fn is_active(self, word: &str) -> bool {
        self.table().into_system(SPECIAL_VALUES, word) == Some(special_value(true))
    }

    fn table(self) -> &'static ConceptMap {
        static TABLES: LazyLock<[ConceptMap; 2]> =
            LazyLock::new(|| Words::ALL.map(|words| ConceptMap::read(words.concept_map())));
        let [ehealth, graph] = &*TABLES;
        match self {
            Words::Ehealth => ehealth,
            Words::PatientGraph => graph,
        }
    }
}

/// Whether another Patient took this one's place — <https://hl7.org/fhir/R4/patient.html#links>
pub fn is_replaced(patient: &Object) -> bool {
    objects(patient, "link").any(|link| text(link, "type") == Some(REPLACED_BY))
}

const fn special_value(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
