//! Bytes ↔ resource: the only user of fhirbolt, and the only maker of a [`Resource`] from bytes.

use serde_json::{Map, Value};

use crate::guard::json;
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
    let tree = decode_tree(bytes, format, expected.as_str())?;
    Ok(Resource::from_guarded(expected, tree))
}

/// Reads a resource of any type, by its name.
///
/// # Errors
/// As [`decode`].
pub fn decode_tree(bytes: &[u8], format: Format, expected: &str) -> Result<Map<String, Value>, Vec<Issue>> {
    match format {
        Format::Json => json::read(bytes, expected),
        Format::Xml => Err(Vec::new()),
    }
}
