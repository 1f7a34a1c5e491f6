//! Delete — <https://hl7.org/fhir/R4/http.html#delete>

use fhir::Target;
use fhir::interaction::Precondition;
use store::{LockSet, Stored, Writer};

use crate::conditional::check_precondition;
use crate::error::Error;
use crate::scope::Permission;
use crate::session::{Session, WriteContext};

/// Deletes; nothing to delete is no error.
pub(crate) async fn delete(
    session: &Session,
    target: Target,
    precondition: Precondition,
) -> Result<Option<Stored>, Error> {
    check(session, &target)?;
    let locks = LockSet {
        targets: vec![target.clone()],
        shared: Some(target.kind),
        ..LockSet::default()
    };
    let context = session.write_context("delete");
    session
        .write(locks, move |tx| apply(tx, &context, &target, &precondition))
        .await
}

/// What a delete is checked for before anything is locked.
pub(crate) fn check(session: &Session, target: &Target) -> Result<(), Error> {
    session.refuse_to_policy("delete", "an update with \"active\": false")?;
    session.allow(target.kind, Permission::Delete)
}

/// Deletes in a transaction. Audits.
pub(crate) fn apply(
    tx: &mut dyn Writer,
    context: &WriteContext,
    target: &Target,
    precondition: &Precondition,
) -> Result<Option<Stored>, Error> {
    let current = tx.get_for_update(target)?;
    check_precondition(precondition, current.as_ref())?;
    match current {
        Some(current) if !current.deleted => {
            let deletion = tx.remove(&current, &context.caller.author)?;
            tx.audit(&context.audit(&deletion))?;
            Ok(Some(deletion))
        }
        _ => Ok(None),
    }
}
