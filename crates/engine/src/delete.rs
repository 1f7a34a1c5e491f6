//! Delete and conditional delete — <https://hl7.org/fhir/R4/http.html#delete>

use fhir::interaction::Precondition;
use fhir::query::Criteria;
use fhir::{ResourceType, Target};
use store::{LockSet, Reader, StoreError, Stored, Writer};

use crate::conditional::{self, check_precondition, visible_classes};
use crate::context::Caller;
use crate::erase;
use crate::error::Error;
use crate::mentions::{self, Seen};
use crate::scope::Permission;
use crate::session::{Session, WriteContext};
use crate::update::LOOKS;

/// Deletes; nothing to delete is no error.
pub(crate) async fn delete(
    session: &Session,
    target: Target,
    precondition: Precondition,
) -> Result<Option<Stored>, Error> {
    check(session, &target)?;
    let context = session.write_context("delete");
    let (locks, seen) = if erases(&context) {
        (erase::locks(&target), mentions::look(session, &target).await?)
    } else {
        let locks = LockSet {
            targets: vec![target.clone()],
            shared: Some(target.kind),
            ..LockSet::default()
        };
        (locks, None)
    };
    session
        .write(locks, move |tx| {
            apply(tx, &context, &target, &precondition, seen.as_ref())
        })
        .await
}

/// What a delete is checked for before anything is locked.
pub(crate) fn check(session: &Session, target: &Target) -> Result<(), Error> {
    check_kind(session, target.kind)
}

/// The same of a delete by criteria.
pub(crate) fn check_kind(session: &Session, kind: ResourceType) -> Result<(), Error> {
    session.refuse_to_policy("delete", "an update with \"active\": false")?;
    session.allow(kind, Permission::Delete)
}

/// Deletes in a transaction. Audits. Whoever was `seen` to speak of it need not be looked for by an erasure.
pub(crate) fn apply(
    tx: &mut dyn Writer,
    context: &WriteContext,
    target: &Target,
    precondition: &Precondition,
    seen: Option<&Seen>,
) -> Result<Option<Stored>, Error> {
    let current = tx.get_for_update(target)?;
    check_precondition(precondition, current.as_ref())?;
    match current {
        // What was deleted before its space erased is erased now.
        Some(current) if !current.deleted || erases(context) => remove(tx, context, &current, seen),
        _ => Ok(None),
    }
}

/// Deletes the one resource that the criteria find; to find nothing is no error. What can be found is what a search
/// of this caller finds, regulators' accounts included.
pub(crate) async fn conditional_delete(
    session: &Session,
    criteria: Criteria,
    precondition: Precondition,
) -> Result<Option<Stored>, Error> {
    check_kind(session, criteria.kind)?;
    let locks = conditional::locks(criteria.kind, Vec::new(), &[&criteria]);
    let context = session.write_context("conditional-delete");
    session
        .write(locks, move |tx| {
            let found = find_and_lock(tx, &context, &criteria)?;
            settle(tx, &context, found.as_ref(), &precondition)
        })
        .await
}

/// Does in a transaction what a conditional delete has come to. Audits.
pub(crate) fn settle(
    tx: &mut dyn Writer,
    context: &WriteContext,
    found: Option<&Stored>,
    precondition: &Precondition,
) -> Result<Option<Stored>, Error> {
    check_precondition(precondition, found)?;
    match found {
        Some(current) => remove(tx, context, current, None),
        None => Ok(None),
    }
}

/// The one match of the criteria of a conditional delete.
pub(crate) fn find(
    reader: &mut dyn Reader,
    caller: &Caller,
    criteria: &Criteria,
) -> Result<Option<Stored>, Error> {
    let mut found = reader.matches(criteria, visible_classes(caller), 2)?.into_iter();
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(Error::ManyMatches {
            interaction: "conditional delete",
        }),
        (found, None) => Ok(found),
    }
}

/// Finds, locks what was found, and looks again when a writer by id moved it in between.
fn find_and_lock(
    tx: &mut dyn Writer,
    context: &WriteContext,
    criteria: &Criteria,
) -> Result<Option<Stored>, Error> {
    for _ in 0..LOOKS {
        let Some(seen) = find(tx, &context.caller, criteria)? else {
            return Ok(None);
        };
        let current = tx.get_for_update(&seen.target)?;
        if let Some(current) = current.filter(|current| current.version == seen.version) {
            return Ok(Some(current));
        }
    }
    Err(Error::Store(StoreError::Contention(
        "the match kept moving".to_owned(),
    )))
}

fn erases(context: &WriteContext) -> bool {
    context.keys.delete_erases(context.caller.space)
}

/// Removes as the space wants it: the history stays, or everything goes.
fn remove(
    tx: &mut dyn Writer,
    context: &WriteContext,
    current: &Stored,
    seen: Option<&Seen>,
) -> Result<Option<Stored>, Error> {
    if erases(context) {
        return erase::apply(tx, context, current, seen);
    }
    let deletion = tx.remove(current, &context.caller.author)?;
    tx.audit(&context.audit(&deletion))?;
    Ok(Some(deletion))
}
