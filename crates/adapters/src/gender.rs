//! The tables of genders (`adapters.md` 5.6): the ConceptMaps in `profiles/concept-maps` are the tables.

use std::sync::LazyLock;

use crate::concept_map::ConceptMap;

#[cfg(test)]
mod tests;

/// The FHIR code system — <https://hl7.org/fhir/R4/valueset-administrative-gender.html>
const FHIR: &str = "http://hl7.org/fhir/administrative-gender";

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// `M`, `F`, `U`
    MedicappCloud,
    /// `M`, `F`, `O`
    MedicappConnect,
    /// Any text, compared in lower case without blanks at its ends.
    PatientGraph,
    /// `MALE`, `FEMALE`
    Ehealth,
}

impl Words {
    const ALL: [Words; 4] = [
        Words::MedicappCloud,
        Words::MedicappConnect,
        Words::PatientGraph,
        Words::Ehealth,
    ];

    /// The ConceptMap, as it is published.
    pub const fn concept_map(self) -> &'static str {
        match self {
            Words::MedicappCloud => include_str!("../../../profiles/concept-maps/medicapp-cloud-gender.json"),
            Words::MedicappConnect => {
                include_str!("../../../profiles/concept-maps/medicapp-connect-gender.json")
            }
            Words::PatientGraph => include_str!("../../../profiles/concept-maps/patient-graph-gender.json"),
            Words::Ehealth => include_str!("../../../profiles/concept-maps/ehealth-gender.json"),
        }
    }

    /// The FHIR code of a partner's word; `None` when the partner has no such word.
    pub fn to_fhir(self, word: &str) -> Option<&'static str> {
        match self {
            Words::PatientGraph => self
                .table()
                .into_system(FHIR, word.trim().to_lowercase().as_str()),
            _ => self.table().into_system(FHIR, word),
        }
    }

    /// The partner's word for a FHIR code; `None` when the partner has none.
    pub fn from_fhir(self, code: &str) -> Option<&'static str> {
        self.table().out_of_system(FHIR, code)
    }

    fn table(self) -> &'static ConceptMap {
        static TABLES: LazyLock<[ConceptMap; 4]> =
            LazyLock::new(|| Words::ALL.map(|words| ConceptMap::read(words.concept_map())));
        let [cloud, connect, graph, ehealth] = &*TABLES;
        match self {
            Words::MedicappCloud => cloud,
            Words::MedicappConnect => connect,
            Words::PatientGraph => graph,
            Words::Ehealth => ehealth,
        }
    }
}
