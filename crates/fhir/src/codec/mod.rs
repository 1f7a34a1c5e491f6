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

use quick_xml::Reader;
use quick_xml::events::Event;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
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

/// Reads a Bundle to be processed. What is wrong with the form of a resource inside it stays with its entry
/// ([`Malformed::by_entry`]).
///
/// # Errors
/// As [`decode`].
pub fn decode_bundle(bytes: &[u8], format: Format) -> Result<Map<String, Value>, Malformed> {
    read(bytes, format, "Bundle")
}

/// Reads Parameters of an operation. What is wrong with the form of a resource inside them can be told as that
/// resource's ([`Malformed::of_parameter`]).
///
/// # Errors
/// As [`decode`].
pub fn decode_parameters(bytes: &[u8], format: Format) -> Result<Map<String, Value>, Malformed> {
    read(bytes, format, "Parameters")
}

/// The resource type that a body names, empty when it names none; `None` when it is no JSON object or no XML at all.
/// Nothing else is checked.
pub fn type_of(bytes: &[u8], format: Format) -> Option<String> {
    match format {
        Format::Json => {
            let named: Named = serde_json::from_slice(bytes).ok()?;
            Some(named.0)
        }
        Format::Xml => root_of(std::str::from_utf8(bytes).ok()?),
    }
}

/// The `resourceType` of an object; whatever else stands there is passed over.
struct Named(String);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_map(Named(String::new()))
    }
}

impl<'de> Visitor<'de> for Named {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Named, A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "resourceType" {
                let kind: Value = map.next_value()?;
                kind.as_str().unwrap_or_default().clone_into(&mut self.0);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(self)
    }
}

/// The name of the root of well-formed XML.
fn root_of(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let (mut root, mut depth) = (None, 0_usize);
    loop {
        let (tag, opens) = match reader.read_event().ok()? {
            Event::Eof => return root.filter(|_| depth == 0),
            Event::Start(tag) => (tag, 1),
            Event::Empty(tag) => (tag, 0),
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                continue;
            }
            _ => continue,
        };
        depth += opens;
        root.get_or_insert_with(|| tag.local_name().as_ref().to_owned());
    }
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
