//! What is done to a resource before any lock is taken: validation, rendering, index rows, keys.

use fhir::canonical::Canonical;
use fhir::index;
use fhir::validate::{self, regulator};
use fhir::{Identifier, Issue, IssueCode, Resource, ResourceType, identifier};
use serde_json::Value;
use store::{Class, KeyRow, KeyState, NewResource, Policy, Stored};

use crate::context::{Caller, ClientPolicy};
use crate::error::Error;
use crate::keys::KeySystems;

/// A valid resource, ready to be written.
pub(crate) struct Prepared {
    /// The resource.
    pub resource: Resource,
    /// What is stored of it, under the class that body and caller say.
    pub new: NewResource,
    /// Its complete identifiers, in order.
    pub identifiers: Vec<Identifier>,
    /// Warnings found on the way.
    pub warnings: Vec<Issue>,
}

/// Validates and renders a resource.
///
/// # Errors
/// [`Error::Invalid`] and [`Error::Rule`] with every fault found.
pub(crate) fn prepare(resource: Resource, caller: &Caller, keys: &KeySystems) -> Result<Prepared, Error> {
    let class = class_by_body_and_caller(&resource, caller);
    prepare_as(resource, class, keys)
}

/// Validates and renders a resource whose body id means nothing: it is gone before anybody looks at it.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_without_id(
    mut resource: Resource,
    caller: &Caller,
    keys: &KeySystems,
) -> Result<Prepared, Error> {
    resource.tree_mut().shift_remove("id");
    prepare(resource, caller, keys)
}

/// The same under a class that is known already.
pub(crate) fn prepare_as(resource: Resource, class: Class, keys: &KeySystems) -> Result<Prepared, Error> {
    let warnings = check(&resource, class)?;
    let identifiers: Vec<Identifier> = identifier::of(&resource).map(|held| held.identifier).collect();
    let rows = match class {
        Class::Ordinary => keys.rows(&resource),
        Class::Account => account_rows(&identifiers, is_active(&resource)),
    };
    let new = NewResource {
        class,
        canonical: Canonical::of(&resource),
        index: index::extract(&resource),
        keys: rows,
    };
    Ok(Prepared {
        resource,
        new,
        identifiers,
        warnings,
    })
}

/// Whether `active` is true. (An account without it does not get this far.)
pub(crate) fn is_active(resource: &Resource) -> bool {
    resource.get("active") == Some(&Value::Bool(true))
}

/// Reads a stored resource back into a tree.
///
/// # Errors
/// [`Error::Store`] when the text is not one that this server wrote.
pub(crate) fn parse_stored(stored: &Stored) -> Result<Resource, Error> {
    let parsed: Result<Value, _> = serde_json::from_str(&stored.body);
    match parsed {
        Ok(Value::Object(tree)) => Ok(Resource::from_guarded(stored.target.kind, tree)),
        _ => Err(Error::Store(store::StoreError::Internal(format!(
            "{} is not JSON in the store",
            stored.target
        )))),
    }
}

/// Refuses a body that a server has cut down: writing it would lose what was left out.
pub(crate) fn refuse_subsetted(resource: &Resource) -> Result<(), Error> {
    let tags = resource
        .meta()
        .and_then(|meta| meta.get("tag"))
        .and_then(Value::as_array);
    let place = tags.and_then(|tags| {
        tags.iter()
            .position(|tag| tag.get("code").and_then(Value::as_str) == Some("SUBSETTED"))
    });
    match place {
        None => Ok(()),
        Some(position) => Err(Error::Rule(vec![
            Issue::error(
                IssueCode::BusinessRule,
                "This body is tagged SUBSETTED: it is an excerpt, and storing it would lose the rest. Read the whole \
                 resource (without _summary or _elements), change that, and send it.",
            )
            .at(format!("{}.meta.tag[{position}]", resource.kind())),
        ])),
    }
}

/// The class that body and caller say.
pub(crate) fn class_by_body_and_caller(resource: &Resource, caller: &Caller) -> Class {
    let governed = resource.kind() == ResourceType::Practitioner
        && (caller.policy == ClientPolicy::SasRegulator || regulator::applies(resource));
    if governed { Class::Account } else { Class::Ordinary }
}

/// Base R4 first, the policy's shape beside it: all faults at once, 400 when the base is malformed.
fn check(resource: &Resource, class: Class) -> Result<Vec<Issue>, Error> {
    let mut issues = validate::validate(resource);
    let malformed =
        Error::Invalid(issues.clone()).refusal().status == 400 && issues.iter().any(Issue::is_error);
    if class == Class::Account {
        issues.extend(regulator::shape(resource));
    }
    if !issues.iter().any(Issue::is_error) {
        return Ok(issues);
    }
    Err(if malformed {
        Error::Invalid(issues)
    } else {
        Error::Rule(issues)
    })
}

fn account_rows(identifiers: &[Identifier], active: bool) -> Vec<KeyRow> {
    let state = if active { KeyState::Owning } else { KeyState::Held };
    let mut rows: Vec<KeyRow> = identifiers
        .iter()
        .map(|identifier| KeyRow {
            policy: Policy::Account,
            identifier: identifier.clone(),
            state,
        })
        .collect();
    rows.sort();
    rows.dedup();
    rows
}
