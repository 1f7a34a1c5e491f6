//! Logical ids and version ids — <https://hl7.org/fhir/R4/datatypes.html#id>

use std::fmt;

use crate::resource::ResourceType;

/// A logical id: 1 to 64 characters of `[A-Za-z0-9\-.]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// The id, when it has the form that FHIR demands.
    pub fn parse(text: &str) -> Option<Id> {
        let fits = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        fits.then(|| Id(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a version of one resource, consecutive from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(u64);

impl VersionId {
    /// The first version of a resource.
    pub const FIRST: VersionId = VersionId(1);

    /// The version of this number; 0 is none.
    pub fn new(number: u64) -> Option<VersionId> {
        (number > 0).then_some(VersionId(number))
    }

    /// The version written as a decimal without sign or leading zero.
    pub fn parse(text: &str) -> Option<VersionId> {
        let plain = !text.starts_with('0') && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
        plain
            .then(|| text.parse().ok().and_then(VersionId::new))
            .flatten()
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The version after this one.
    pub fn next(self) -> VersionId {
        VersionId(self.0 + 1)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One resource by type and id. Only a parser of URLs or a store makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The resource type.
    pub kind: ResourceType,
    /// The logical id.
    pub id: Id,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}
