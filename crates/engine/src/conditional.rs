//! Matching, preconditions and key ownership: the steps that conditional interactions share.

use fhir::interaction::Precondition;
use fhir::query::Criteria;
use fhir::{Issue, IssueCode, ResourceType, Target, VersionId};
use store::{Class, ClassFilter, KeyRow, KeyState, LockSet, Reader, Stored};

use crate::context::{Caller, ClientPolicy};
use crate::error::Error;
use crate::scope::Permission;

/// What criteria found.
pub(crate) enum Match {
    /// Nothing.
    None,
    /// One resource.
    One(Stored),
    /// Several.
    Many,
}

/// Looks for live resources of this class: at most two are read.
pub(crate) fn find(reader: &mut dyn Reader, criteria: &Criteria, class: Class) -> Result<Match, Error> {
    let mut found = reader.matches(criteria, ClassFilter::Only(class), 2)?.into_iter();
    Ok(match (found.next(), found.next()) {
        (None, _) => Match::None,
        (Some(stored), None) => Match::One(stored),
        (Some(_), Some(_)) => Match::Many,
    })
}

/// Checks `If-Match` / `If-None-Match` against what is there now (`None` or a deletion: nothing).
pub(crate) fn check_precondition(precondition: &Precondition, current: Option<&Stored>) -> Result<(), Error> {
    let current = current.filter(|stored| !stored.deleted);
    let text = match (precondition, current) {
        (Precondition::None, _) | (Precondition::Exists, Some(_)) | (Precondition::Absent, None) => return Ok(()),
        (Precondition::Versions(versions), Some(stored)) if versions.contains(&stored.version) => return Ok(()),
        (Precondition::Versions(versions), Some(stored)) if versions.is_empty() => format!(
            "If-Match names no version that could be matched. {} is at version {}: if that is the one you changed, send \
             If-Match: W/\"{}\". Nothing was written.",
            stored.target, stored.version, stored.version
        ),
        (Precondition::Versions(versions), Some(stored)) => format!(
            "If-Match demands {}, but {} is at version {}. Read it again, apply your change to that, and send it with \
             If-Match: W/\"{}\".",
            listed(versions),
            stored.target,
            stored.version,
            stored.version
        ),
        (Precondition::Versions(_) | Precondition::Exists, None) => {
            "If-Match demands an existing version, but nothing matches. Nothing was written. Leave If-Match out if \
             nothing has to be there."
                .to_owned()
        }
        (Precondition::Absent, Some(stored)) => format!(
            "If-None-Match: * demands that nothing exists, but {} does, at version {}. Nothing was written.",
            stored.target, stored.version
        ),
    };
    Err(Error::Precondition { text })
}

fn listed(versions: &[VersionId]) -> String {
    let each: Vec<String> = versions
        .iter()
        .map(|version| format!("version {version}"))
        .collect();
    each.join(" or ")
}

/// Refuses when an identifier that the write would own is owned by another resource. Names all of them.
pub(crate) fn refuse_taken(
    reader: &mut dyn Reader,
    caller: &Caller,
    kind: ResourceType,
    keys: &[KeyRow],
    own: Option<&Target>,
) -> Result<(), Error> {
    for key in keys.iter().filter(|key| key.state == KeyState::Owning) {
        let holders = reader.holders(kind, key.policy, &key.identifier)?;
        let owner = holders
            .into_iter()
            .filter(|holder| holder.state == KeyState::Owning)
            .map(|holder| holder.stored)
            .find(|stored| Some(&stored.target) != own);
        if let Some(owner) = owner {
            return Err(taken(caller, kind, key, &owner));
        }
    }
    Ok(())
}

fn taken(caller: &Caller, kind: ResourceType, key: &KeyRow, owner: &Stored) -> Error {
    let visible =
        caller.scopes.allow(kind, Permission::Read) || caller.scopes.allow(kind, Permission::Search);
    let whose = match key.policy {
        store::Policy::Account => "an active account",
        store::Policy::KeySystem => "another resource",
    };
    let advice = if visible {
        " Update that one (see Location), or leave this identifier out."
    } else {
        ""
    };
    let text = format!(
        "The identifier {}|{} belongs to {whose} already. Nothing was written.{advice}",
        key.identifier.system, key.identifier.value
    );
    Error::Duplicate {
        system: key.identifier.system.clone(),
        issue: Box::new(Issue::error(IssueCode::Duplicate, text).at(format!("{kind}.identifier"))),
        owner: visible.then(|| (owner.target.clone(), owner.version)),
        rule: key.policy,
    }
}

/// The classes that the caller sees.
pub(crate) fn visible_classes(caller: &Caller) -> ClassFilter {
    match caller.policy {
        ClientPolicy::None => ClassFilter::Any,
        ClientPolicy::SasRegulator => ClassFilter::Only(Class::Account),
    }
}

/// Whether the caller sees this one.
pub(crate) fn sees(caller: &Caller, stored: &Stored) -> bool {
    match visible_classes(caller) {
        ClassFilter::Any => true,
        ClassFilter::Only(class) => stored.class == class,
    }
}

/// The locks of a write: the values of all identifiers in criteria and body, or the whole type when the
/// criteria can match by something else.
pub(crate) fn locks(kind: ResourceType, values: Vec<String>, criteria: &[&Criteria]) -> LockSet {
    let mut locks = LockSet {
        values,
        shared: Some(kind),
        ..LockSet::default()
    };
    for criteria in criteria {
        match criteria.lock_values() {
            Some(values) => locks.values.extend(values),
            None => locks.whole = Some(kind),
        }
    }
    if locks.whole.is_some() {
        locks.shared = None;
    }
    locks.values.sort();
    locks.values.dedup();
    locks
}
