//! R4 base validation of Patient and Practitioner.
use crate::outcome::Issue;
use crate::resource::Resource;

/// All faults of a resource against base R4.
pub fn validate(resource: &Resource) -> Vec<Issue> {
    let _ = resource;
    Vec::new()
}
