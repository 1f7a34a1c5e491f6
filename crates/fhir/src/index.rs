//! The rows by which a resource is found. Extracted before any lock is taken.

use crate::query::IndexParam;
use crate::resource::Resource;

/// All index rows of one resource, without duplicates, sorted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IndexRows {
    /// Tokens and URIs.
    pub tokens: Vec<TokenRow>,
    /// Strings.
    pub strings: Vec<StringRow>,
    /// Dates.
    pub dates: Vec<DateRow>,
    /// References.
    pub references: Vec<ReferenceRow>,
}

/// A token (or URI: then without system).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenRow {
    /// What it is about.
    pub param: IndexParam,
    /// The system; empty when the element has none.
    pub system: String,
    /// The code or value, folded as [`crate::query::param`] says.
    pub code: String,
}

/// A string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StringRow {
    /// What it is about.
    pub param: IndexParam,
    /// Without case and accents.
    pub folded: String,
    /// As it stands in the resource.
    pub exact: String,
}

/// A date as the half-open range `[low, high)` in microseconds since the epoch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateRow {
    /// What it is about.
    pub param: IndexParam,
    /// Start, inclusive.
    pub low: i64,
    /// End, exclusive.
    pub high: i64,
}

/// A reference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferenceRow {
    /// What it is about.
    pub param: IndexParam,
    /// The type's name; empty for an absolute URL or a fragment.
    pub kind: String,
    /// The id, or the whole URL.
    pub target: String,
    /// `reference.identifier.system`; empty when absent.
    pub system: String,
    /// `reference.identifier.value`; empty when absent.
    pub value: String,
}

/// The index rows of a resource. Total: what is malformed is passed over (validation reports it).
pub fn extract(resource: &Resource) -> IndexRows {
    let _ = resource;
    IndexRows::default()
}
