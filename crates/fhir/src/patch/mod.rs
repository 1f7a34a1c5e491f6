//! Patches — <https://hl7.org/fhir/R4/http.html#patch>: what is to change in a resource, as a JSON Patch (RFC 6902), a
//! JSON merge patch (RFC 7396) or a FHIRPath Patch (<https://hl7.org/fhir/R4/fhirpatch.html>).
//!
//! A patch is read once and may be applied any number of times. What it makes of a resource goes through the same guard
//! as a body that was sent, so that nothing comes out of a patch that could not have come in by an update.
//!
//! **Status.** What is wrong with the document whatever it is applied to is malformed (`structure`, `invalid`,
//! `too-long`: 400). What only the resource makes wrong, a failed `test`, a path to nothing or to several elements, is
//! a `business-rule` (422). What is wrong with the result is what it would be in an update.
//!
//! **Siblings.** FHIR keeps id and extensions of the items of `given` in a second list, `_given`. When an operation moves
//! items of the first, those of the second move along. A JSON Patch or merge patch that names `_given` itself is taken
//! at its word.

mod fhirpath;
mod json;
mod merge;
mod tidy;
mod work;

use serde_json::{Map, Value};

use crate::canonical::write_value;
use crate::codec::{self, Format};
use crate::limits::{MAX_BODY_BYTES, MIB};
use crate::outcome::{Issue, IssueCode};
use crate::resource::Resource;
use crate::validate::validate;

/// A patch that has been read.
pub struct Patch(Change);

enum Change {
    Json(json::JsonPatch),
    Merge(merge::MergePatch),
    FhirPath(fhirpath::FhirPathPatch),
}

impl Patch {
    /// Reads a JSON Patch.
    ///
    /// # Errors
    /// All that is wrong with the document: 400.
    pub fn json(bytes: &[u8]) -> Result<Patch, Vec<Issue>> {
        json::JsonPatch::read(bytes).map(|patch| Patch(Change::Json(patch)))
    }

    /// Reads a JSON merge patch.
    ///
    /// # Errors
    /// All that is wrong with the document: 400.
    pub fn merge(bytes: &[u8]) -> Result<Patch, Vec<Issue>> {
        merge::MergePatch::read(bytes).map(|patch| Patch(Change::Merge(patch)))
    }

    /// Reads a FHIRPath Patch, a Parameters resource in either format.
    ///
    /// # Errors
    /// All that is wrong with the document: 400.
    pub fn fhirpath(bytes: &[u8], format: Format) -> Result<Patch, Vec<Issue>> {
        fhirpath::FhirPathPatch::read(bytes, format).map(|patch| Patch(Change::FhirPath(patch)))
    }

    /// Reads a FHIRPath Patch that has been decoded already, as an entry of a Bundle brings it.
    ///
    /// # Errors
    /// All that is wrong with the document: 400.
    pub fn parameters(tree: &Map<String, Value>) -> Result<Patch, Vec<Issue>> {
        fhirpath::FhirPathPatch::of(tree).map(|patch| Patch(Change::FhirPath(patch)))
    }

    /// The resource that the patch makes of this one. Its form is that of a resource which was sent; its content is not
    /// validated when the form is right.
    ///
    /// # Errors
    /// The operation that fails; or all that is wrong with the result, when its form is.
    pub fn apply(&self, current: &Resource) -> Result<Resource, Vec<Issue>> {
        let mut root = Value::Object(current.tree().clone());
        let emptied = match &self.0 {
            Change::Json(patch) => patch.apply(current.kind(), &mut root),
            Change::Merge(patch) => Ok(patch.apply(&mut root)),
            Change::FhirPath(patch) => patch.apply(current.kind(), &mut root),
        };
        let emptied = emptied.map_err(|issue| vec![issue])?;
        let Value::Object(mut tree) = root else {
            return Err(vec![no_resource(current)]);
        };
        check_identity(current, &tree)?;
        if emptied == Emptied::ByRemoval {
            tidy::prune(&mut tree);
        }
        reread(current, tree)
    }
}

/// Where empty lists and objects in a result come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Emptied {
    /// From removals alone: FHIR knows no empty element, so they go.
    ByRemoval,
    /// Perhaps from the document, whose author hears of them.
    ByAuthor,
}

fn no_resource(current: &Resource) -> Issue {
    let text = format!(
        "The patch leaves no {} behind. To remove the whole resource send DELETE.",
        current.kind()
    );
    Issue::error(IssueCode::BusinessRule, text).at(current.kind().as_str())
}

/// Type and id are what they were.
fn check_identity(current: &Resource, tree: &Map<String, Value>) -> Result<(), Vec<Issue>> {
    let changed = |property: &str| tree.get(property) != current.get(property);
    let issues: Vec<Issue> = ["resourceType", "id"]
        .into_iter()
        .filter(|property| changed(property))
        .map(|property| {
            let text = format!("A patch cannot change or remove {property}. Leave it as it is.");
            Issue::error(IssueCode::BusinessRule, text).at(format!("{}.{property}", current.kind()))
        })
        .collect();
    if issues.is_empty() { Ok(()) } else { Err(issues) }
}

/// Passes the result through the guard, as if it had been sent.
fn reread(current: &Resource, tree: Map<String, Value>) -> Result<Resource, Vec<Issue>> {
    let mut text = String::with_capacity(4096);
    write_value(&mut text, &Value::Object(tree));
    if text.len() > MAX_BODY_BYTES {
        let text = format!(
            "The patch makes the resource larger than {} MiB. Add less.",
            MAX_BODY_BYTES / MIB
        );
        return Err(vec![Issue::error(IssueCode::TooLong, text)]);
    }
    let kind = current.kind();
    codec::decode(text.as_bytes(), Format::Json, kind)
        .map_err(|malformed| malformed.all_issues(|rest| validate(&Resource::from_guarded(kind, rest))))
}

/// What only the resource makes wrong.
fn inapplicable(text: impl Into<String>) -> Issue {
    Issue::error(IssueCode::BusinessRule, text)
}

/// What is wrong with the document itself.
fn malformed(text: impl Into<String>) -> Issue {
    Issue::error(IssueCode::Structure, text)
}
