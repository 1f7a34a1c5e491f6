//! Base R4 validation of Patient and Practitioner and of everything reachable from them —
//! <https://hl7.org/fhir/R4/validation.html>
//!
//! Structure, cardinality, primitive formats, required bindings and the types' own invariants, all driven by
//! one [`table`]. Profiles are another matter, but for the regulator accounts' ([`regulator`]).
//!
//! The code of an issue decides the status of the refusal: `structure`, `required` and `value` are malformed
//! FHIR (400); `code-invalid` and `invariant` are FHIR that breaks a rule (422). Of a contained resource whose
//! type is not in the table only what all resources share is checked.

pub mod bindings;
mod contained;
pub(crate) mod decimal;
pub mod invariants;
mod nearest;
pub mod nir;
pub(crate) mod path;
pub mod primitives;
mod references;
pub mod regulator;
pub(crate) mod report;
pub mod table;
pub mod type_names;
mod walk;
mod xhtml;

#[cfg(test)]
mod tests;

use crate::limits::MAX_ISSUES;
use crate::outcome::Issue;
use crate::resource::Resource;

/// All faults of a resource against base R4 as errors, in document order, then warnings about French
/// national numbers ([`nir::warnings`]). At most [`MAX_ISSUES`], the last of which then says that checking
/// stopped there. Takes time linear in the resource.
pub fn validate(resource: &Resource) -> Vec<Issue> {
    let mut issues = walk::errors(resource);
    let room = MAX_ISSUES.saturating_sub(issues.len());
    issues.extend(nir::warnings(resource).into_iter().take(room));
    issues
}
