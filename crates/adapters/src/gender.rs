//! The tables of genders (`adapters.md` 5.6): the ConceptMaps in `profiles/concept-maps` are the tables.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::tree::{Object, objects, text};

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
        let table = self.table();
        let found = match self {
            Words::PatientGraph => table.to_fhir.get(word.trim().to_lowercase().as_str()),
            _ => table.to_fhir.get(word),
        };
        found.or(table.otherwise.as_ref()).map(String::as_str)
    }

    /// The partner's word for a FHIR code; `None` when the partner has none.
    pub fn from_fhir(self, code: &str) -> Option<&'static str> {
        self.table().from_fhir.get(code).map(String::as_str)
    }

    fn table(self) -> &'static Table {
        static TABLES: LazyLock<[Table; 4]> =
            LazyLock::new(|| Words::ALL.map(|words| Table::read(words.concept_map())));
        let [cloud, connect, graph, ehealth] = &*TABLES;
        match self {
            Words::MedicappCloud => cloud,
            Words::MedicappConnect => connect,
            Words::PatientGraph => graph,
            Words::Ehealth => ehealth,
        }
    }
}

#[derive(Default)]
struct Table {
    to_fhir: HashMap<String, String>,
    from_fhir: HashMap<String, String>,
    /// What a word that is not listed means.
    otherwise: Option<String>,
}

impl Table {
    /// Reads <https://hl7.org/fhir/R4/conceptmap.html>: one group into FHIR's codes, one out of them. What is
    /// broken in a file is left out; that nothing is, the tests see.
    fn read(concept_map: &str) -> Table {
        let mut table = Table::default();
        let parsed: Value = serde_json::from_str(concept_map).unwrap_or_default();
        let Some(map) = parsed.as_object() else {
            return table;
        };
        for group in objects(map, "group") {
            let rows = objects(group, "element").filter_map(row);
            if text(group, "target") == Some(FHIR) {
                table.to_fhir.extend(rows);
                table.otherwise = group
                    .get("unmapped")
                    .and_then(|unmapped| unmapped.get("code"))
                    .and_then(Value::as_str)
                    .map(str::to_owned);
            } else {
                table.from_fhir.extend(rows);
            }
        }
        table
    }
}

fn row(element: &Object) -> Option<(String, String)> {
    let target = objects(element, "target").next()?;
    Some((
        text(element, "code")?.to_owned(),
        text(target, "code")?.to_owned(),
    ))
}
