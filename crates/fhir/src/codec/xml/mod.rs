//! XML ↔ resource — <https://hl7.org/fhir/R4/xml.html>

pub(super) mod read;
pub(super) mod write;
