//! Lists of records: the Bundle of FHIR, and the pages that the doors answer.

use super::Dialect;
use super::problem::{self, Problem};
use crate::json;
use crate::patient_graph::property;

/// The property that holds the records when a list of them comes as one object: `Bundle.entry`, the page of
/// connect and that of patient-graph. No single record of the dialect has it.
pub const fn list_key(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::Fhir => Some("entry"),
        Dialect::MedicappConnect => Some("data"),
        Dialect::PatientGraph => Some("patients"),
        Dialect::MedicappCloud | Dialect::Ehealth => None,
    }
}

/// What an item of such a list is.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<'b> {
    /// A record.
    Record(&'b [u8]),
    /// An entry of a Bundle that holds no Patient.
    Other,
}

/// The record in an item of a list.
///
/// # Errors
/// What is wrong with the entry of a Bundle around its resource.
pub fn entry(dialect: Dialect, item: &[u8]) -> Result<Entry<'_>, Problem> {
    if dialect != Dialect::Fhir {
        return Ok(Entry::Record(item));
    }
    // Read strictly: a second `resource` in one entry would otherwise go unseen.
    json::object(item).map_err(|fault| problem::of_json(&fault))?;
    let text = std::str::from_utf8(item).unwrap_or_default();
    let Some(resource) = property(text, "resource") else {
        return Ok(Entry::Other);
    };
    match property(resource, "resourceType") {
        Some(kind) if kind != "\"Patient\"" => Ok(Entry::Other),
        _ => Ok(Entry::Record(resource.as_bytes())),
    }
}
