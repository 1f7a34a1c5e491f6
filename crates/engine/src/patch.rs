//! Patch — <https://hl7.org/fhir/R4/http.html#patch>: what a patch makes of the current version is stored as an update
//! would be.

use std::sync::Arc;

use fhir::interaction::{Edit, Precondition};
use fhir::query::Criteria;
use fhir::{Resource, ResourceType, Target};
use store::{Reader, StoreError, Stored, Writer};

use crate::conditional::{self, check_precondition, visible_classes};
use crate::context::Caller;
use crate::create::values;
use crate::error::Error;
use crate::prepare::{BodyId, Prepared, parse_stored, refuse_subsetted, validate};
use crate::reply::{Body, WriteReply, Written};
use crate::scope::Permission;
use crate::session::{Session, WriteContext};
use crate::update::put;

/// How often a moving match is looked for. Once it is locked it cannot move, so two are enough.
const LOOKS: usize = 4;

/// Patches one resource. Two patches at once both survive: the later one is applied to the earlier one's result.
pub(crate) async fn patch(
    session: &Session,
    target: Target,
    change: Edit,
    precondition: Precondition,
) -> Result<WriteReply, Error> {
    allow(session, target.kind)?;
    let early = session.space.get(target.clone()).await?;
    let early = live(&target, early)?;
    let patch = match Patch::ready(session, early, change, precondition, "patch")? {
        Ready::Unchanged(reply) => return Ok(*reply),
        Ready::ToWrite(patch) => patch,
    };
    let mut locks = conditional::locks(target.kind, values(&patch.prepared), &[]);
    locks.targets.push(target.clone());
    session
        .write(locks, move |tx| {
            let current = live(&target, tx.get_for_update(&target)?)?;
            patch.write(tx, &current)
        })
        .await
}

/// Finds the one match and patches it, in one atomic step.
pub(crate) async fn conditional_patch(
    session: &Session,
    criteria: Criteria,
    change: Edit,
    precondition: Precondition,
) -> Result<WriteReply, Error> {
    allow(session, criteria.kind)?;
    let (looked_for, caller) = (criteria.clone(), Arc::clone(&session.caller));
    let early = session
        .space
        .read(move |reader| resolve(reader, &looked_for, &caller))
        .await?;
    let target = early.target.clone();
    let patch = match Patch::ready(session, early, change, precondition, "conditional-patch")? {
        Ready::Unchanged(reply) => return Ok(*reply),
        Ready::ToWrite(patch) => patch,
    };
    let mut locks = conditional::locks(criteria.kind, values(&patch.prepared), &[&criteria]);
    locks.targets.push(target);
    session
        .write(locks, move |tx| {
            let current = resolve_and_lock(tx, &criteria, &patch.context.caller)?;
            patch.write(tx, &current)
        })
        .await
}

/// Who patches must be allowed to read too: a `test`, a path that leads to nothing and the answer tell what is stored.
pub(crate) fn allow(session: &Session, kind: ResourceType) -> Result<(), Error> {
    session.allow(kind, Permission::Update)?;
    session.allow(kind, Permission::Read)?;
    session.refuse_to_policy("patch", "PUT [base]/Practitioner?identifier=system|value")
}

pub(crate) fn live(target: &Target, stored: Option<Stored>) -> Result<Stored, Error> {
    match stored {
        None => Err(Error::NotFound(target.clone())),
        Some(stored) if stored.deleted => Err(Error::Gone {
            target: stored.target,
            version: stored.version,
        }),
        Some(stored) => Ok(stored),
    }
}

/// The only live match of all that the caller sees: a patch has no body that could say whether an account is meant.
pub(crate) fn resolve(
    reader: &mut dyn Reader,
    criteria: &Criteria,
    caller: &Caller,
) -> Result<Stored, Error> {
    const INTERACTION: &str = "conditional patch";
    let mut found = reader.matches(criteria, visible_classes(caller), 2)?.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(Error::NoMatch {
            interaction: INTERACTION,
        }),
        (Some(stored), None) => Ok(stored),
        (Some(_), Some(_)) => Err(Error::ManyMatches {
            interaction: INTERACTION,
        }),
    }
}

/// Resolves, locks the match, and looks again when a writer by id moved it in between.
fn resolve_and_lock(tx: &mut dyn Writer, criteria: &Criteria, caller: &Caller) -> Result<Stored, Error> {
    for _ in 0..LOOKS {
        let seen = resolve(tx, criteria, caller)?;
        let current = tx.get_for_update(&seen.target)?;
        if current.is_some_and(|current| current.version == seen.version) {
            return Ok(seen);
        }
    }
    Err(Error::Store(StoreError::Contention(
        "the match kept moving".to_owned(),
    )))
}

/// A patch whose result has been made before any lock was taken.
struct Patch {
    change: Edit,
    precondition: Precondition,
    context: WriteContext,
    /// What it was applied to.
    early: Stored,
    /// What that became.
    prepared: Prepared,
}

/// What is left to be done.
enum Ready {
    /// Nothing: the result is what is stored.
    Unchanged(Box<WriteReply>),
    /// The write.
    ToWrite(Box<Patch>),
}

impl Patch {
    /// Applies the patch to what a plain read found.
    fn ready(
        session: &Session,
        early: Stored,
        change: Edit,
        precondition: Precondition,
        interaction: &'static str,
    ) -> Result<Ready, Error> {
        // First: who holds an old version hears of that, and not of what the patch makes of a new one.
        check_precondition(&precondition, Some(&early))?;
        let context = session.write_context(interaction);
        let prepared = patched(&context, &early, &change)?;
        if early.class == prepared.new.class && early.digest == *prepared.new.canonical.digest() {
            return Ok(Ready::Unchanged(Box::new(WriteReply {
                body: Body::Shown,
                written: Written::Unchanged,
                stored: early,
                issues: prepared.warnings,
                remark: None,
            })));
        }
        Ok(Ready::ToWrite(Box::new(Patch {
            change,
            precondition,
            context,
            early,
            prepared,
        })))
    }

    /// Stores the result; made again when another writer was faster.
    fn write(&self, tx: &mut dyn Writer, current: &Stored) -> Result<WriteReply, Error> {
        check_precondition(&self.precondition, Some(current))?;
        if current.target == self.early.target && current.version == self.early.version {
            return put(tx, &self.context, current, &self.prepared);
        }
        let prepared = patched(&self.context, current, &self.change)?;
        put(tx, &self.context, current, &prepared)
    }
}

/// What the patch makes of the current version, validated as this caller's update would be.
fn patched(context: &WriteContext, current: &Stored, change: &Edit) -> Result<Prepared, Error> {
    let after = made(context, current, change)?.1;
    Ok(validate(after, &context.caller, BodyId::Counts, &context.profiles)?.prepare(&context.keys))
}

/// The current version, and what the patch makes of it, not validated yet.
pub(crate) fn made(
    context: &WriteContext,
    current: &Stored,
    change: &Edit,
) -> Result<(Resource, Resource), Error> {
    let before = parse_stored(current)?;
    let mut after = change(&before).map_err(|refusal| Error::Invalid(refusal.issues))?;
    refuse_subsetted(&after)?;
    let owned = context
        .patched
        .as_ref()
        .filter(|_| current.target.kind == ResourceType::Patient);
    if let Some(owned) = owned {
        let kept = owned(&before, current.medicapp_id.as_deref(), &after)
            .map_err(|refusal| Error::Rule(refusal.issues))?;
        after = kept.unwrap_or(after);
    }
    Ok((before, after))
}
