//! Bundles to be processed: batch and transaction — <https://hl7.org/fhir/R4/http.html#transaction>
//!
//! [`read`] takes a Bundle apart into entries, each with its request or with all that is wrong with it; what a
//! request asks is said by whoever knows the server's paths. [`references`] rewrites what entries say of each other.

mod read;
pub mod references;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::guard::Malformed;
use crate::outcome::Issue;

pub use read::read;

/// How a Bundle is to be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each entry by itself.
    Batch,
    /// All entries or none.
    Transaction,
}

/// A Bundle to be processed.
pub struct Bundle {
    /// How.
    pub mode: Mode,
    /// Its entries, in order.
    pub entries: Vec<Entry>,
}

/// One entry.
pub struct Entry {
    /// `fullUrl`: by which other entries refer to its resource.
    pub full_url: Option<String>,
    /// What it asks, or all that is wrong with it.
    pub request: Result<Request, Vec<Issue>>,
}

/// `Bundle.entry.request`, and the resource with it.
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// With what: a path below the base with or without a query, or an absolute URL, as written.
    pub url: String,
    /// The resource.
    pub resource: Option<Body>,
    /// `ifNoneExist`
    pub if_none_exist: Option<String>,
    /// `ifMatch`
    pub if_match: Option<String>,
    /// `ifNoneMatch`
    pub if_none_match: Option<String>,
    /// `ifModifiedSince`
    pub if_modified_since: Option<String>,
}

/// The resource of an entry.
pub struct Body {
    /// Its `resourceType`.
    pub kind: String,
    /// The resource, or what is wrong with its form.
    pub content: Result<Map<String, Value>, Malformed>,
}

/// `Bundle.entry.request.method` — <https://hl7.org/fhir/R4/valueset-http-verb.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the HTTP methods
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 6] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Patch,
    ];

    /// The method as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Patch => "PATCH",
        }
    }

    /// When an entry's turn comes: DELETE, POST, PUT and PATCH, GET.
    pub const fn turn(self) -> u8 {
        match self {
            Method::Delete => 0,
            Method::Post => 1,
            Method::Put | Method::Patch => 2,
            Method::Get | Method::Head => 3,
        }
    }
}

/// An issue of an entry, its place told in the Bundle: `Patient.name[0]` is `Bundle.entry[3].resource.name[0]`, and
/// what is nowhere in the resource is the entry itself.
#[must_use]
pub fn at_entry(issue: Issue, position: usize) -> Issue {
    let entry = format!("Bundle.entry[{position}]");
    let place = match issue.expression.as_deref() {
        None => entry,
        Some(place) if place.starts_with("Bundle.") => return issue,
        Some(place) => {
            let below = place.find(['.', '[']).and_then(|end| place.get(end..));
            format!("{entry}.resource{}", below.unwrap_or_default())
        }
    };
    issue.at(place)
}
