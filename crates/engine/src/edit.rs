//! Edit: read, change, check and write in one transaction; the change is pure and may run again.

use std::sync::Arc;

use fhir::Target;
use fhir::interaction::{Edit, Precondition};
use fhir::profile::Profiles;
use store::Stored;

use crate::conditional::check_precondition;
use crate::error::Error;
use crate::keys::KeySystems;
use crate::prepare::{Prepared, parse_stored, prepare_as};
use crate::reply::WriteReply;
use crate::scope::Permission;
use crate::session::Session;
use crate::update::put;

/// Edits one resource. Two edits at once both survive: the later one sees the earlier one's result.
pub(crate) async fn edit(
    session: &Session,
    target: Target,
    edit: Edit,
    precondition: Precondition,
) -> Result<WriteReply, Error> {
    session.allow(target.kind, Permission::Update)?;
    let keys = session.keys();
    // Parsed, changed and validated before the lock; again inside only when another writer was faster.
    let early = crate::read::read(session, target.clone()).await?;
    let prepared = Arc::new(changed(&early, &edit, &keys, &session.profiles())?);
    let mut locks = crate::conditional::locks(target.kind, crate::create::values(&prepared), &[]);
    locks.targets.push(target.clone());
    let context = session.write_context("edit");
    session
        .write(locks, move |tx| {
            let current = tx.get_for_update(&target)?;
            let current = match current {
                None => return Err(Error::NotFound(target.clone())),
                Some(current) if current.deleted => {
                    return Err(Error::Gone {
                        target: target.clone(),
                        version: current.version,
                    });
                }
                Some(current) => current,
            };
            check_precondition(&precondition, Some(&current))?;
            if current.version == early.version {
                return put(tx, &context, &current, &prepared);
            }
            let prepared = changed(&current, &edit, &context.keys, &context.profiles)?;
            put(tx, &context, &current, &prepared)
        })
        .await
}

fn changed(
    current: &Stored,
    edit: &Edit,
    keys: &KeySystems,
    profiles: &Arc<Profiles>,
) -> Result<Prepared, Error> {
    let resource = edit(&parse_stored(current)?).map_err(|refusal| Error::Rule(refusal.issues))?;
    prepare_as(resource, current.class, keys, profiles)
}
