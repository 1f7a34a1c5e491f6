//! What is done to a resource before any lock is taken: validation, rendering, index rows, keys.

use fhir::canonical::{self, Canonical, Digest};
use fhir::index;
use fhir::profile::Profiles;
use fhir::validate::{regulator, validate as validate_base};
use fhir::{Identifier, Issue, IssueCode, Resource, ResourceType, identifier};
use serde_json::Value;
use std::sync::Arc;
use store::{Class, KeyRow, KeyState, NewResource, Policy, Stored};

use crate::context::{Caller, ClientPolicy};
use crate::error::Error;
use crate::keys::{KeySystems, is_replaced};

/// A valid resource. What only a write needs is not made yet.
#[derive(Clone)]
pub(crate) struct Valid {
    /// The resource.
    pub resource: Resource,
    /// The class that body and caller say.
    pub class: Class,
    /// Its complete identifiers, in order.
    pub identifiers: Vec<Identifier>,
    /// Its digest.
    pub digest: Digest,
    /// Warnings found on the way.
    pub warnings: Vec<Issue>,
    /// The profiles that it was checked against.
    pub profiles: Arc<Profiles>,
}

/// A valid resource, ready to be written.
pub(crate) struct Prepared {
    /// The resource.
    pub resource: Resource,
    /// What is stored of it.
    pub new: NewResource,
    /// Its complete identifiers, in order.
    pub identifiers: Vec<Identifier>,
    /// Warnings found on the way.
    pub warnings: Vec<Issue>,
}

/// Whether the body's id means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyId {
    /// It is part of the request, and validated.
    Counts,
    /// It is gone before anybody looks at it. Always so for accounts.
    MeansNothing,
}

/// Validates a resource under the class that body and caller say.
///
/// # Errors
/// [`Error::Invalid`] and [`Error::Rule`] with every fault found.
pub(crate) fn validate(
    mut resource: Resource,
    caller: &Caller,
    id: BodyId,
    profiles: &Arc<Profiles>,
) -> Result<Valid, Error> {
    let class = class_by_body_and_caller(&resource, caller);
    if id == BodyId::MeansNothing || class == Class::Account {
        resource.tree_mut().shift_remove("id");
    }
    validate_as(resource, class, profiles)
}

/// The same under a class that is known already.
pub(crate) fn validate_as(
    resource: Resource,
    class: Class,
    profiles: &Arc<Profiles>,
) -> Result<Valid, Error> {
    let warnings = check(&resource, class, profiles)?;
    Ok(Valid {
        class,
        identifiers: identifier::of(&resource).map(|held| held.identifier).collect(),
        digest: canonical::digest(&resource),
        warnings,
        resource,
        profiles: Arc::clone(profiles),
    })
}

impl Valid {
    /// Renders it, and makes its index and key rows.
    pub(crate) fn prepare(self, keys: &KeySystems) -> Prepared {
        let rows = key_rows(&self.resource, self.class, keys);
        let carried = identifier::of(&self.resource)
            .find(|held| self.class == Class::Ordinary && held.identifier.system == keys.patient_id_system());
        let medicapp_id = carried.map(|held| held.identifier.value);
        let new = NewResource {
            class: self.class,
            canonical: Canonical::with_digest(&self.resource, self.digest),
            index: index::extract(&self.resource),
            keys: rows,
            medicapp_id: medicapp_id.filter(|_| self.resource.kind() == ResourceType::Patient),
            replaced: is_replaced(&self.resource),
        };
        Prepared {
            resource: self.resource,
            new,
            identifiers: self.identifiers,
            warnings: self.warnings,
        }
    }
}

/// What is stored of a resource that is there already, whatever its validity.
pub(crate) fn derive(resource: Resource, class: Class, keys: &KeySystems) -> NewResource {
    let valid = Valid {
        class,
        identifiers: Vec::new(),
        digest: canonical::digest(&resource),
        warnings: Vec::new(),
        resource,
        profiles: Arc::default(),
    };
    valid.prepare(keys).new
}

/// Validates under a known class and prepares at once.
pub(crate) fn prepare_as(
    resource: Resource,
    class: Class,
    keys: &KeySystems,
    profiles: &Arc<Profiles>,
) -> Result<Prepared, Error> {
    Ok(validate_as(resource, class, profiles)?.prepare(keys))
}

/// The key rows of a resource of this class.
pub(crate) fn key_rows(resource: &Resource, class: Class, keys: &KeySystems) -> Vec<KeyRow> {
    match class {
        Class::Ordinary => keys.rows(resource),
        Class::Account => {
            let identifiers: Vec<Identifier> = identifier::of(resource).map(|held| held.identifier).collect();
            account_rows(&identifiers, is_active(resource))
        }
    }
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
    match canonical::read(&stored.body) {
        Ok(tree) => Ok(Resource::from_guarded(stored.target.kind, tree)),
        Err(_) => Err(Error::Store(store::StoreError::Internal(format!(
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

/// The class that a resource would be created in.
pub(crate) fn class_by_body_and_caller(resource: &Resource, caller: &Caller) -> Class {
    let governed = resource.kind() == ResourceType::Practitioner
        && (caller.policy == ClientPolicy::SasRegulator || regulator::applies(resource));
    if governed { Class::Account } else { Class::Ordinary }
}

/// The profiles that a class knows by heart: of an account, [`regulator::shape`] tells what its profile does, and more.
pub(crate) fn known_by_heart(class: Class) -> &'static [&'static str] {
    match class {
        Class::Ordinary => &[],
        Class::Account => &[regulator::PROFILE],
    }
}

/// Base R4 first, the policy's shape and the claimed profiles beside it: all faults at once, 400 when the base is
/// malformed.
fn check(resource: &Resource, class: Class, profiles: &Profiles) -> Result<Vec<Issue>, Error> {
    let mut issues = validate_base(resource);
    let malformed =
        Error::Invalid(issues.clone()).refusal().status == 400 && issues.iter().any(Issue::is_error);
    if class == Class::Account {
        issues.extend(regulator::shape(resource));
    }
    issues.extend(profiles.claimed(resource, known_by_heart(class)));
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
