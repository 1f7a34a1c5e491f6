//! Bytes ↔ resource: the only user of fhirbolt, and the only maker of a [`Resource`] from bytes.
//!
//! JSON never goes through fhirbolt (it accepts duplicate keys and trailing bytes, and takes six times as
//! long). XML does: its element model stands in the middle, and its tables know order, types and
//! cardinality. Its parser and writer are not used, see `xml/read.rs` and `xml/write.rs`.

pub(crate) mod exponents;
mod r4;
mod xml;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};

use crate::guard::{Malformed, json};
use crate::outcome::{Issue, IssueCode};
use crate::resource::{Resource, ResourceType};

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// <https://hl7.org/fhir/R4/json.html>
    Json,
    /// <https://hl7.org/fhir/R4/xml.html>
    Xml,
}

/// How XML is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// No white space between elements.
    #[default]
    Compact,
    /// One element a line, two spaces a level (`_pretty=true`). The narrative stays as it is.
    Indented,
}

/// Why a tree has no XML form. Names the place (FHIRPath), never what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// R4 has no such resource type.
    UnknownType(String),
    /// R4 has no such element there.
    UnknownElement(String),
    /// Something else stands there than R4 wants: an object for a text, a list for a single element.
    Mistyped(String),
    /// The narrative is not well-formed XHTML.
    Narrative(String),
    /// The tree is nested deeper than any resource that was accepted.
    TooDeep(String),
    /// fhirbolt panicked.
    Panicked,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::UnknownType(place) => write!(f, "no R4 resource type at {place}"),
            EncodeError::UnknownElement(place) => write!(f, "no R4 element {place}"),
            EncodeError::Mistyped(place) => write!(f, "a value of the wrong kind at {place}"),
            EncodeError::Narrative(place) => write!(f, "ill-formed XHTML at {place}"),
            EncodeError::TooDeep(place) => write!(f, "nested too deep at {place}"),
            EncodeError::Panicked => f.write_str("the XML library failed"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Reads a resource of the expected type.
///
/// # Errors
/// All faults of form that were found, each with its place, and what can be validated besides
/// ([`Malformed::all_issues`]). They mean status 400.
pub fn decode(bytes: &[u8], format: Format, expected: ResourceType) -> Result<Resource, Malformed> {
    let tree = read(bytes, format, expected.as_str())?;
    Ok(Resource::from_guarded(expected, tree))
}

/// Reads a resource of any type, by its name: a `Bundle` to be processed, `Parameters` of an operation.
/// Resources inside it have their `resourceType` first.
///
/// # Errors
/// As [`decode`], without the rest.
pub fn decode_tree(bytes: &[u8], format: Format, expected: &str) -> Result<Map<String, Value>, Vec<Issue>> {
    read(bytes, format, expected).map_err(Malformed::into_issues)
}

/// Whether a body is a `Parameters` resource, of which nothing else is looked at: what is given to an operation is that,
/// or the one resource alone.
pub fn is_parameters(bytes: &[u8], format: Format) -> bool {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "resourceType")]
        name: String,
    }
    const NAME: &str = "Parameters";
    match format {
        Format::Json => serde_json::from_slice(bytes).is_ok_and(|named: Named| named.name == NAME),
        Format::Xml => std::str::from_utf8(bytes).is_ok_and(|text| {
            // The first tag that is neither declaration nor comment.
            let tags = text.split('<').skip(1);
            let mut names = tags.filter(|tag| !tag.starts_with(['?', '!']));
            names.next().is_some_and(|tag| {
                let end = tag.find(|letter: char| letter.is_whitespace() || matches!(letter, '>' | '/'));
                let name = end.and_then(|end| tag.get(..end)).unwrap_or(tag);
                name.rsplit(':').next() == Some(NAME)
            })
        }),
    }
}

/// Reads a resource of any type, as [`decode_tree`], and says whether it was readable at all.
///
/// # Errors
/// As [`decode`], without the rest.
pub fn decode_given(bytes: &[u8], format: Format, expected: &str) -> Result<Map<String, Value>, Malformed> {
    read(bytes, format, expected)
}

/// Reads a Bundle to be processed. What is wrong with the form of a resource inside it stays with its entry
/// ([`Malformed::by_entry`]).
///
/// # Errors
/// As [`decode`].
pub fn decode_bundle(bytes: &[u8], format: Format) -> Result<Map<String, Value>, Malformed> {
    read(bytes, format, "Bundle")
}

fn read(bytes: &[u8], format: Format, expected: &str) -> Result<Map<String, Value>, Malformed> {
    match format {
        Format::Json => json::read(bytes, expected),
        // A belt: no input is known that makes fhirbolt's tables panic.
        Format::Xml => {
            catch_unwind(AssertUnwindSafe(|| xml::read::read(bytes, expected))).unwrap_or_else(|_| {
                Err(Malformed::from(Issue::error(
                    IssueCode::Structure,
                    format!("The body cannot be read as a {expected} of FHIR R4."),
                )))
            })
        }
    }
}

/// Writes any R4 resource as XML, its elements in the order of R4.
///
/// # Errors
/// Where the tree is not what R4 has there; nothing that passed validation.
pub fn encode_xml(tree: &Map<String, Value>) -> Result<String, EncodeError> {
    encode_xml_with(tree, Layout::Compact)
}

/// As [`encode_xml`], in a layout.
///
/// # Errors
/// As [`encode_xml`].
pub fn encode_xml_with(tree: &Map<String, Value>, layout: Layout) -> Result<String, EncodeError> {
    catch_unwind(AssertUnwindSafe(|| xml::write::write(tree, layout))).unwrap_or(Err(EncodeError::Panicked))
}
