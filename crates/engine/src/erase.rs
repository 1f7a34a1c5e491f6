//! Erasure: a person goes from every version, key, index and record; links to it go too (`access.md` 4,
//! `adapters.md` 8.1).

use std::sync::Arc;

use fhir::{ResourceType, Target};
use store::{LockSet, Occasion, Stored, Trace, Writer};

use crate::error::Error;
use crate::mentions::{self, Seen, Sought};
use crate::prepare::{parse_stored, prepare_as};
use crate::scope::Permission;
use crate::session::{Session, WriteContext};
use crate::update::put;

/// The interaction by which the ledger erases.
const AGAIN: &str = "erase-again";

/// What an erasure of an id comes to of which there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    /// Nothing.
    IsNothing,
    /// A tombstone: it was erased before this database was restored, and its id stays used.
    IsBuried,
}

/// Erases, also what was deleted before; `None` when there is nothing of this id, or it was erased already.
pub(crate) async fn erase(session: &Session, target: Target) -> Result<Option<Stored>, Error> {
    run(session, target, Unknown::IsNothing).await
}

/// The same of who was erased already, before this database was restored.
pub(crate) async fn erase_again(session: &Session, target: Target) -> Result<Option<Stored>, Error> {
    run(session, target, Unknown::IsBuried).await
}

async fn run(session: &Session, target: Target, unknown: Unknown) -> Result<Option<Stored>, Error> {
    session.refuse_to_policy("erase", "an update with \"active\": false")?;
    session.allow(target.kind, Permission::Delete)?;
    let seen = mentions::look(session, &target).await?;
    let context = session.write_context(match unknown {
        Unknown::IsNothing => "erase",
        Unknown::IsBuried => AGAIN,
    });
    session
        .write(locks(&target), move |tx| match tx.get_for_update(&target)? {
            Some(current) => apply(tx, &context, &current, seen.as_ref()),
            None if unknown == Unknown::IsBuried => {
                let buried = tx.bury(&target, &trace(&context))?;
                if let Some(buried) = &buried {
                    tx.audit(&context.audit(buried))?;
                }
                Ok(buried)
            }
            None => Ok(None),
        })
        .await
}

/// Erases in a transaction, and takes out of every version of others what it says of the person. Audits. `None`: it was
/// erased already. Where nobody has `seen` who speaks of it, the whole space is looked through here.
pub(crate) fn apply(
    tx: &mut dyn Writer,
    context: &WriteContext,
    current: &Stored,
    seen: Option<&Seen>,
) -> Result<Option<Stored>, Error> {
    let target = &current.target;
    if tx.is_erased(target)? && tx.is_empty(current)? {
        return Ok(None);
    }
    let sought = Sought::of(tx, current)?;
    let others = sought.everybody(tx, seen)?;
    let erased = tx.erase(current, &trace(context))?;
    tx.audit(&context.audit(&erased))?;
    for other in &others {
        unlink(tx, context, other, &sought)?;
    }
    Ok(Some(erased))
}

/// The present version is followed by one without what it says; those before are rewritten in their place.
fn unlink(tx: &mut dyn Writer, context: &WriteContext, other: &Target, sought: &Sought) -> Result<(), Error> {
    let Some(current) = tx.get_for_update(other)? else {
        return Ok(());
    };
    let spoken = Some(&current)
        .filter(|current| !current.deleted)
        .map(parse_stored);
    let without = spoken
        .and_then(Result::ok)
        .and_then(|resource| sought.taken_from(resource));
    if let Some(without) = without {
        // Who is erased goes, whatever the profiles of those who stay say by now.
        let prepared = prepare_as(without, current.class, &context.keys, &Arc::default())?;
        put(tx, context, &current, &prepared)?;
        sought.clear_past(tx, &current)?;
    } else if sought.clear_past(tx, &current)? {
        tx.audit(&context.audit(&current))?;
    }
    Ok(())
}

/// What an erasure excludes others from: whoever speaks of it, of whatever type, is written too.
pub(crate) fn locks(target: &Target) -> LockSet {
    LockSet {
        targets: vec![target.clone()],
        shared: Some(target.kind),
        also_shared: ResourceType::ALL.to_vec(),
        ..LockSet::default()
    }
}

fn trace(context: &WriteContext) -> Trace<'_> {
    Trace {
        author: &context.caller.author,
        client: &context.caller.client,
        request_id: &context.caller.request_id,
        occasion: match context.interaction() {
            AGAIN => Occasion::Ledger,
            _ => Occasion::Asked,
        },
    }
}
