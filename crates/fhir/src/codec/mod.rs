//! Bytes ↔ resource: the only user of fhirbolt, and the only maker of a [`Resource`] from bytes.

use crate::outcome::Issue;
use crate::resource::{Resource, ResourceType};

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// <https://hl7.org/fhir/R4/json.html>
    Json,
    /// <https://hl7.org/fhir/R4/xml.html>
    Xml,
}

/// Reads a resource of the expected type.
///
/// # Errors
/// All faults of syntax that were found, each with its place. They mean status 400.
pub fn decode(bytes: &[u8], format: Format, expected: ResourceType) -> Result<Resource, Vec<Issue>> {
    let _ = (bytes, format, expected);
    Err(Vec::new())
}
