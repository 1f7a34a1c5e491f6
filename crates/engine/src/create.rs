//! Create and conditional create — <https://hl7.org/fhir/R4/http.html#create>,
//! <https://hl7.org/fhir/R4/http.html#ccreate>

use std::sync::Arc;

use fhir::query::Criteria;
use fhir::{Id, Resource};
use store::{Class, NewResource, Reader, Stored, Writer};

use crate::conditional::{self, Match, find, refuse_taken};
use crate::context::Caller;
use crate::error::Error;
use crate::merge;
use crate::patient_id;
use crate::prepare::{BodyId, Prepared, Valid, parse_stored};
use crate::reply::{Body, WriteReply, Written};
use crate::scope::Permission;
use crate::session::{Session, WriteContext};

/// What a create is checked for before anything is locked.
pub(crate) fn check(session: &Session, resource: Resource) -> Result<Valid, Error> {
    session.allow(resource.kind(), Permission::Create)?;
    session.validate(resource, BodyId::MeansNothing)
}

/// Creates; the body's id means nothing.
pub(crate) async fn create(session: &Session, resource: Resource) -> Result<WriteReply, Error> {
    let valid = check(session, resource)?;
    let prepared = Arc::new(valid.prepare(&session.keys()));
    let locks = conditional::locks(prepared.resource.kind(), values(&prepared), &[]);
    let context = session.write_context("create");
    session
        .write(locks, move |tx| {
            let stored = insert(tx, &context, &prepared.new, None)?;
            Ok(created(stored, &prepared))
        })
        .await
}

/// Creates unless the criteria match: one match is answered untouched.
pub(crate) async fn conditional_create(
    session: &Session,
    criteria: Criteria,
    resource: Resource,
) -> Result<WriteReply, Error> {
    let valid = check(session, resource)?;
    // Most repeats are settled by a read: no lock, no flush, and it is as if the read had come last.
    let (look, class) = (criteria.clone(), valid.class);
    let caller = Arc::clone(&session.caller);
    if let Some(reply) = session
        .space
        .read(move |reader| found(reader, &caller, &look, class))
        .await?
    {
        return Ok(reply);
    }
    let prepared = Arc::new(valid.prepare(&session.keys()));
    let locks = conditional::locks(prepared.resource.kind(), values(&prepared), &[&criteria]);
    let context = session.write_context("conditional-create");
    session
        .write(locks, move |tx| {
            if let Some(reply) = found(tx, &context.caller, &criteria, prepared.new.class)? {
                return Ok(reply);
            }
            let stored = insert(tx, &context, &prepared.new, None)?;
            Ok(created(stored, &prepared))
        })
        .await
}

fn found(
    reader: &mut dyn Reader,
    caller: &Caller,
    criteria: &Criteria,
    class: Class,
) -> Result<Option<WriteReply>, Error> {
    Ok(the_match(reader, criteria, class)?.map(|stored| untouched(caller, stored)))
}

/// The resource that the criteria of a conditional create match.
pub(crate) fn the_match(
    reader: &mut dyn Reader,
    criteria: &Criteria,
    class: Class,
) -> Result<Option<Stored>, Error> {
    match find(reader, criteria, class)? {
        Match::None => Ok(None),
        Match::One(stored) => Ok(Some(stored)),
        Match::Many => Err(Error::ManyMatches {
            interaction: "conditional create",
        }),
    }
}

/// The reply to a conditional create that found it. Who may create and not read is shown nothing of what others wrote.
pub(crate) fn untouched(caller: &Caller, stored: Stored) -> WriteReply {
    WriteReply {
        body: match caller.scopes.allow(stored.target.kind, Permission::Read) {
            true => Body::Shown,
            false => Body::Withheld,
        },
        written: Written::Found,
        stored,
        issues: Vec::new(),
        remark: None,
    }
}

/// Inserts under this id, or a fresh one, after checking that nobody owns its keys. Audits.
pub(crate) fn insert(
    tx: &mut dyn Writer,
    context: &WriteContext,
    new: &NewResource,
    id: Option<&Id>,
) -> Result<Stored, Error> {
    let allocated = patient_id::allocate(&context.keys, context.caller.space, new, || {
        context.ids.next_patient_id()
    });
    let new = allocated.as_ref().unwrap_or(new);
    refuse_taken(tx, &context.caller, new.canonical.kind(), &new.keys, None)?;
    let stored = match id {
        Some(id) => tx.insert(id, new, &context.caller.author)?.ok_or_else(|| {
            Error::IdInUse(fhir::Target {
                kind: new.canonical.kind(),
                id: id.clone(),
            })
        })?,
        None => insert_fresh(tx, context, new)?,
    };
    tx.audit(&context.audit(&stored))?;
    if new.replaced {
        merge::settle(tx, context, &stored, &parse_stored(&stored)?)?;
    }
    Ok(stored)
}

fn insert_fresh(tx: &mut dyn Writer, context: &WriteContext, new: &NewResource) -> Result<Stored, Error> {
    // A fresh id collides with nothing but a client's own choice of the same text.
    for _ in 0..8 {
        if let Some(stored) = tx.insert(&context.ids.next(), new, &context.caller.author)? {
            return Ok(stored);
        }
    }
    Err(Error::Store(store::StoreError::Internal(
        "eight fresh ids were all in use".to_owned(),
    )))
}

/// The reply to a creation.
pub(crate) fn created(stored: Stored, prepared: &Prepared) -> WriteReply {
    WriteReply {
        written: Written::Created,
        stored,
        issues: prepared.warnings.clone(),
        remark: None,
        body: Body::Shown,
    }
}

/// The values of all identifiers of the body: what other writers must not touch meanwhile.
pub(crate) fn values(prepared: &Prepared) -> Vec<String> {
    prepared
        .identifiers
        .iter()
        .map(|identifier| identifier.value.clone())
        .collect()
}
