//! The operations — <https://hl7.org/fhir/R4/operations.html>. One file each.

pub mod validate;
