//! Links between entries, rewritten — <https://hl7.org/fhir/R4/http.html#trules>, <https://hl7.org/fhir/R4/bundle.html#references>

use std::collections::HashMap;

use fhir::bundle::references::{rewrite, searches};
use fhir::{Issue, IssueCode, Resource, ResourceType};

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
    let mut resource = valid.resource.clone();
    if replace(&mut resource, full_url, links) {
        validate_as(resource, valid.class, &valid.profiles)
    } else {
        Ok(valid.clone())
    }
}

/// Replaces a resource's links to other entries. Whether it had any.
pub(super) fn replace(
    resource: &mut Resource,
    full_url: Option<&str>,
    links: &HashMap<String, String>,
) -> bool {
    let root = full_url.and_then(root);
    let link = |text: &str| {
        links.get(text).cloned().or_else(|| {
            // A relative reference is resolved against the entry's own fullUrl.
            let absolute = format!("{}/{text}", root?);
            links.get(&absolute).cloned()
        })
    };
    rewrite(resource.tree_mut(), &link)
}

/// Refuses a conditional reference that a patch brought and no entry answers: what it looks for is known only when
/// everything is resolved already.
pub(super) fn refuse_conditional(before: &Resource, after: &Resource) -> Result<(), Error> {
    let old = searches(before);
    let new = searches(after).into_iter().filter(|(text, _)| {
        let was_there = old.iter().any(|(known, _)| known == text);
        !was_there
    });
    let issues: Vec<Issue> = new
        .map(|(text, place)| {
            let advice = "A patch in a transaction cannot bring a conditional reference. Name the resource by its id, or \
                          PUT the whole resource with this reference in it.";
            Issue::error(IssueCode::NotSupported, advice)
                .with_diagnostics(text)
                .at(place)
        })
        .collect();
    match issues.is_empty() {
        true => Ok(()),
        false => Err(Error::Invalid(issues)),
    }
}

/// The base of a RESTful URL: what stands before type and id.
fn root(full_url: &str) -> Option<&str> {
    let (rest, _) = full_url.rsplit_once('/')?;
    let (base, kind) = rest.rsplit_once('/')?;
    (base.contains("://") && ResourceType::parse(kind).is_some()).then_some(base)
}
