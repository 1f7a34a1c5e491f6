//! Delete and conditional delete — <https://hl7.org/fhir/R4/http.html#delete>

use fhir::Target;
use fhir::interaction::Precondition;
use fhir::query::Criteria;
use store::{LockSet, StoreError, Stored, Writer};

use crate::conditional::{self, check_precondition, visible_classes};
use crate::error::Error;
use crate::scope::Permission;
use crate::session::{Session, WriteContext};
use crate::update::LOOKS;

/// Deletes; nothing to delete is no error.
pub(crate) async fn delete(
    session: &Session,
    target: Target,
    precondition: Precondition,
) -> Result<Option<Stored>, Error> {
    session.refuse_to_policy("delete", "an update with \"active\": false")?;
    session.allow(target.kind, Permission::Delete)?;
    let locks = LockSet {
        targets: vec![target.clone()],
        shared: Some(target.kind),
        ..LockSet::default()
    };
    let context = session.write_context("delete");
    session
        .write(locks, move |tx| {
            let current = tx.get_for_update(&target)?;
            check_precondition(&precondition, current.as_ref())?;
            match current {
                Some(current) if !current.deleted => remove(tx, &context, &current).map(Some),
                _ => Ok(None),
            }
        })
        .await
}

/// Deletes the one resource that the criteria find; to find nothing is no error. What can be found is what a search
/// of this caller finds, regulators' accounts included.
pub(crate) async fn conditional_delete(
    session: &Session,
    criteria: Criteria,
    precondition: Precondition,
) -> Result<Option<Stored>, Error> {
    session.refuse_to_policy("delete", "an update with \"active\": false")?;
    session.allow(criteria.kind, Permission::Delete)?;
    let locks = conditional::locks(criteria.kind, Vec::new(), &[&criteria]);
    let context = session.write_context("conditional-delete");
    session
        .write(locks, move |tx| {
            let found = find_and_lock(tx, &context, &criteria)?;
            check_precondition(&precondition, found.as_ref())?;
            match found {
                Some(current) => remove(tx, &context, &current).map(Some),
                None => Ok(None),
            }
        })
        .await
}

/// Finds, locks what was found, and looks again when a writer by id moved it in between.
fn find_and_lock(
    tx: &mut dyn Writer,
    context: &WriteContext,
    criteria: &Criteria,
) -> Result<Option<Stored>, Error> {
    for _ in 0..LOOKS {
        let mut found = tx
            .matches(criteria, visible_classes(&context.caller), 2)?
            .into_iter();
        let seen = match (found.next(), found.next()) {
            (None, _) => return Ok(None),
            (Some(seen), None) => seen,
            (Some(_), Some(_)) => {
                return Err(Error::ManyMatches {
                    interaction: "conditional delete",
                });
            }
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

fn remove(tx: &mut dyn Writer, context: &WriteContext, current: &Stored) -> Result<Stored, Error> {
    let deletion = tx.remove(current, &context.caller.author)?;
    tx.audit(&context.audit(&deletion))?;
    Ok(deletion)
}
