//! Links between entries, rewritten — <https://hl7.org/fhir/R4/http.html#trules>, <https://hl7.org/fhir/R4/bundle.html#references>

use std::collections::HashMap;

use fhir::ResourceType;
use fhir::bundle::references::rewrite;

use crate::error::Error;
use crate::prepare::{Valid, validate_as};

/// The resource with its links to other entries replaced, and checked again when there was one: now they say what
/// they point at.
pub(super) fn rewritten(
    valid: &Valid,
    full_url: Option<&str>,
    links: &HashMap<String, String>,
) -> Result<Valid, Error> {
    if links.is_empty() {
        return Ok(valid.clone());
    }
    let root = full_url.and_then(root);
    let link = |text: &str| {
        links.get(text).cloned().or_else(|| {
            // A relative reference is resolved against the entry's own fullUrl.
            let absolute = format!("{}/{text}", root?);
            links.get(&absolute).cloned()
        })
    };
    let mut resource = valid.resource.clone();
    if rewrite(resource.tree_mut(), &link) {
        validate_as(resource, valid.class, &valid.profiles)
    } else {
        Ok(valid.clone())
    }
}

/// The base of a RESTful URL: what stands before type and id.
fn root(full_url: &str) -> Option<&str> {
    let (rest, _) = full_url.rsplit_once('/')?;
    let (base, kind) = rest.rsplit_once('/')?;
    (base.contains("://") && ResourceType::parse(kind).is_some()).then_some(base)
}
