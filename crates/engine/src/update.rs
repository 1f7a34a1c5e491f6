//! Update and conditional update — <https://hl7.org/fhir/R4/http.html#update>,
//! <https://hl7.org/fhir/R4/http.html#cond-update>

use std::sync::Arc;

use fhir::canonical;
use fhir::interaction::{Keep, Precondition};
use fhir::query::Criteria;
use fhir::validate::regulator;
use fhir::{Id, Identifier, Issue, IssueCode, Resource, ResourceType, Target, identifier};
use store::{Class, NewResource, Reader, StoreError, Stored, Writer};

use crate::account;
use crate::conditional::{self, Match, check_precondition, find, refuse_taken};
use crate::create::{created, insert, values};
use crate::error::Error;
use crate::keys::KeySystems;
use crate::merge;
use crate::patient_id;
use crate::prepare::{BodyId, Prepared, Valid, parse_stored, prepare_as, refuse_subsetted};
use crate::reply::{Body, WriteReply, Written};
use crate::scope::Permission;
use crate::session::{Session, WriteContext};

/// Update by id: creates when the id is unknown, revives when it was deleted.
pub(crate) async fn update(
    session: &Session,
    target: Target,
    resource: Resource,
    precondition: Precondition,
) -> Result<WriteReply, Error> {
    let valid = check(session, &target, resource)?;
    let prepared = Arc::new(valid.prepare(&session.keys()));
    let mut locks = conditional::locks(target.kind, values(&prepared), &[]);
    locks.targets.push(target.clone());
    let context = session.write_context("update");
    session
        .write(locks, move |tx| {
            apply(tx, &context, &target, &precondition, &prepared)
        })
        .await
}

/// What an update by id is checked for before anything is locked.
pub(crate) fn check(session: &Session, target: &Target, resource: Resource) -> Result<Valid, Error> {
    session.allow(target.kind, Permission::Update)?;
    session.refuse_to_policy("update by id", "PUT [base]/Practitioner?identifier=system|value")?;
    check_body_id(target, &resource)?;
    refuse_subsetted(&resource)?;
    session.validate(resource, BodyId::Counts)
}

/// Updates by id in a transaction. Audits.
pub(crate) fn apply(
    tx: &mut dyn Writer,
    context: &WriteContext,
    target: &Target,
    precondition: &Precondition,
    prepared: &Prepared,
) -> Result<WriteReply, Error> {
    let current = tx.get_for_update(target)?;
    check_precondition(precondition, current.as_ref())?;
    match current {
        None => Ok(created(
            insert(tx, context, &prepared.new, Some(&target.id))?,
            prepared,
        )),
        Some(current) => replace(tx, context, &current, prepared),
    }
}

/// Conditional update: finds, then creates or replaces, in one atomic step.
pub(crate) async fn conditional_update(
    session: &Session,
    criteria: Criteria,
    resource: Resource,
    precondition: Precondition,
) -> Result<WriteReply, Error> {
    let valid = Arc::new(check_conditional(session, resource)?);
    // An identical repeat is settled by a read: no lock, no version, no flush.
    let (early, looked_for, demanded) = (Arc::clone(&valid), criteria.clone(), precondition.clone());
    let context = session.write_context("conditional-update");
    let (keep, keys) = (context.keep.clone(), Arc::clone(&context.keys));
    let settled = session
        .space
        .read(move |reader| unchanged(reader, &looked_for, &demanded, &early, (keep.as_ref(), &keys)))
        .await?;
    if let Some(reply) = settled {
        return Ok(reply);
    }
    let valid = Arc::unwrap_or_clone(valid);
    let plan = Plan {
        criteria,
        precondition,
        prepared: valid.prepare(&session.keys()),
    };
    let kind = plan.prepared.resource.kind();
    let mut locks = conditional::locks(kind, values(&plan.prepared), &[&plan.criteria]);
    if let Some(id) = body_id(&plan.prepared.resource) {
        locks.targets.push(Target { kind, id });
    }
    session
        .write(locks, move |tx| {
            let resolved = resolve_and_lock(tx, &plan)?;
            settle(tx, &context, resolved, &plan.precondition, &plan.prepared)
        })
        .await
}

/// What a conditional update is checked for before anything is locked.
pub(crate) fn check_conditional(session: &Session, resource: Resource) -> Result<Valid, Error> {
    session.allow(resource.kind(), Permission::Update)?;
    refuse_subsetted(&resource)?;
    session.validate(resource, BodyId::Counts)
}

/// Does in a transaction what a conditional update has come to. Audits.
pub(crate) fn settle(
    tx: &mut dyn Writer,
    context: &WriteContext,
    resolved: Resolved,
    precondition: &Precondition,
    prepared: &Prepared,
) -> Result<WriteReply, Error> {
    match resolved {
        Resolved::Create { id, alias } => {
            check_precondition(precondition, None)?;
            let with_alias = alias.map(|criterion| account::with_alias(criterion, &prepared.new));
            let new = with_alias.as_ref().unwrap_or(&prepared.new);
            create_or_revive(tx, context, new, id, prepared)
        }
        Resolved::Replace(current) => {
            check_precondition(precondition, Some(&current))?;
            replace(tx, context, &current, prepared)
        }
        Resolved::Withdraw(current) => {
            check_precondition(precondition, Some(&current))?;
            let withdrawn = account::withdrawal(&current, prepared, &context.keys)?;
            replace(tx, context, &current, &withdrawn)
        }
    }
}

/// How often a moving match is looked for. Once it is locked it cannot move, so two are enough.
pub(crate) const LOOKS: usize = 4;

/// A conditional update, ready to be run.
struct Plan {
    criteria: Criteria,
    precondition: Precondition,
    prepared: Prepared,
}

/// What a conditional update comes to.
#[derive(Clone)]
pub(crate) enum Resolved {
    /// Create, under this id or a fresh one; `alias`: with the criterion's identifier as a past one.
    Create {
        id: Option<Id>,
        alias: Option<Identifier>,
    },
    /// Replace this one.
    Replace(Stored),
    /// Disable this account, which keeps its identifiers.
    Withdraw(Stored),
}

/// What a conditional update is about, before and after it is prepared.
pub(crate) struct Subject<'s> {
    resource: &'s Resource,
    class: Class,
    identifiers: &'s [Identifier],
}

impl<'s> Subject<'s> {
    /// Of a resource that is valid.
    pub(crate) fn of(valid: &'s Valid) -> Subject<'s> {
        Subject {
            resource: &valid.resource,
            class: valid.class,
            identifiers: &valid.identifiers,
        }
    }
}

impl Plan {
    fn subject(&self) -> Subject<'_> {
        Subject {
            resource: &self.prepared.resource,
            class: self.prepared.new.class,
            identifiers: &self.prepared.identifiers,
        }
    }
}

/// Says what a conditional update comes to, by what is there now.
pub(crate) fn resolve(
    reader: &mut dyn Reader,
    criteria: &Criteria,
    subject: &Subject<'_>,
) -> Result<Resolved, Error> {
    match subject.class {
        Class::Account => resolve_account(reader, criteria, subject),
        Class::Ordinary => resolve_ordinary(reader, criteria, subject),
    }
}

fn resolve_ordinary(
    reader: &mut dyn Reader,
    criteria: &Criteria,
    subject: &Subject<'_>,
) -> Result<Resolved, Error> {
    let resource = subject.resource;
    match find(reader, criteria, Class::Ordinary)? {
        Match::Many => Err(Error::ManyMatches { interaction: "conditional update" }),
        Match::None => Ok(Resolved::Create { id: body_id(resource), alias: None }),
        Match::One(stored) => match resource.body_id() {
            Some(id) if id != stored.target.id.as_str() => Err(Error::Request(
                Issue::error(
                    IssueCode::Invalid,
                    format!(
                        "The criteria match {}, but the body's id is another. Nothing was written. Leave the id out, or \
                         send the id of the match.",
                        stored.target
                    ),
                )
                .at(format!("{}.id", resource.kind())),
            )),
            _ => Ok(Resolved::Replace(stored)),
        },
    }
}

fn resolve_account(
    reader: &mut dyn Reader,
    criteria: &Criteria,
    subject: &Subject<'_>,
) -> Result<Resolved, Error> {
    let Some(criterion) = criteria.single_identifier() else {
        return Ok(match account::find_by_criteria(reader, criteria)? {
            None => Resolved::Create {
                id: None,
                alias: None,
            },
            Some(stored) => Resolved::Replace(stored),
        });
    };
    Ok(
        match account::resolve(reader, &criterion, subject.resource, subject.identifiers)? {
            account::Found::Account(stored) => Resolved::Replace(stored),
            account::Found::Withdraw(stored) => Resolved::Withdraw(stored),
            account::Found::Nobody => Resolved::Create {
                id: None,
                alias: (!subject.identifiers.contains(&criterion)).then_some(criterion),
            },
        },
    )
}

/// The reply, when the update would change nothing.
fn unchanged(
    reader: &mut dyn Reader,
    criteria: &Criteria,
    precondition: &Precondition,
    valid: &Valid,
    (keep, keys): (Option<&Keep>, &KeySystems),
) -> Result<Option<WriteReply>, Error> {
    let subject = Subject::of(valid);
    let Resolved::Replace(stored) = resolve(reader, criteria, &subject)? else {
        return Ok(None);
    };
    let digest = match kept(keep, keys, &stored, &valid.resource)? {
        None => valid.digest,
        Some(merged) => canonical::digest(&merged),
    };
    if stored.digest != digest || stored.class != valid.class {
        return Ok(None);
    }
    check_precondition(precondition, Some(&stored))?;
    Ok(Some(WriteReply {
        body: Body::Shown,
        written: Written::Unchanged,
        stored,
        issues: valid.warnings.clone(),
        remark: None,
    }))
}

/// Resolves, locks what was found, and looks again when a writer by id moved it in between (the locks by
/// identifier do not exclude one that names the resource by id).
fn resolve_and_lock(tx: &mut dyn Writer, plan: &Plan) -> Result<Resolved, Error> {
    for _ in 0..LOOKS {
        let resolved = resolve(tx, &plan.criteria, &plan.subject())?;
        let seen = match &resolved {
            Resolved::Create { .. } => return Ok(resolved),
            Resolved::Replace(seen) | Resolved::Withdraw(seen) => seen,
        };
        let current = tx.get_for_update(&seen.target)?;
        if current.is_some_and(|current| current.version == seen.version) {
            return Ok(resolved);
        }
    }
    Err(Error::Store(StoreError::Contention(
        "the match kept moving".to_owned(),
    )))
}

/// Nothing matched: create, or bring back what was deleted under the body's id.
fn create_or_revive(
    tx: &mut dyn Writer,
    context: &WriteContext,
    new: &NewResource,
    id: Option<Id>,
    prepared: &Prepared,
) -> Result<WriteReply, Error> {
    let Some(id) = id else {
        return Ok(created(insert(tx, context, new, None)?, prepared));
    };
    let target = Target {
        kind: prepared.resource.kind(),
        id,
    };
    match tx.get_for_update(&target)? {
        None => Ok(created(insert(tx, context, new, Some(&target.id))?, prepared)),
        Some(current) if current.deleted => replace(tx, context, &current, prepared),
        Some(_) => Err(Error::IdInUse(target)),
    }
}

/// What a client sent takes the place of the current version; what the doors own of that stays (R2). What was erased
/// is not revived.
fn replace(
    tx: &mut dyn Writer,
    context: &WriteContext,
    current: &Stored,
    prepared: &Prepared,
) -> Result<WriteReply, Error> {
    if current.deleted && tx.is_erased(&current.target)? {
        return Err(Error::Erased(current.target.clone()));
    }
    match kept(context.keep.as_ref(), &context.keys, current, &prepared.resource)? {
        None => put(tx, context, current, prepared),
        Some(resource) => {
            let merged = prepare_as(resource, prepared.new.class, &context.keys, &context.profiles)?;
            put(tx, context, current, &merged)
        }
    }
}

/// The sent resource with what the doors own of the stored one; `None` when that is nothing more.
fn kept(
    keep: Option<&Keep>,
    keys: &KeySystems,
    current: &Stored,
    sent: &Resource,
) -> Result<Option<Resource>, Error> {
    let is_ours = sent.kind() == ResourceType::Patient && !current.deleted;
    let Some(keep) = keep.filter(|_| is_ours) else {
        return Ok(None);
    };
    // All that the doors own is named below the base; most patients know no door, and need no look.
    let base = keys.naming_base();
    let allocated = current.medicapp_id.as_deref();
    let names_us = || identifier::of(sent).any(|held| held.identifier.system.starts_with(base));
    if !current.body.contains(base) && !names_us() {
        return Ok(None);
    }
    keep(&parse_stored(current)?, allocated, sent).map_err(|refusal| Error::Rule(refusal.issues))
}

/// Replaces the current version, or leaves it when nothing would change. Audits a change.
pub(crate) fn put(
    tx: &mut dyn Writer,
    context: &WriteContext,
    current: &Stored,
    prepared: &Prepared,
) -> Result<WriteReply, Error> {
    let reclassed = keep_class(context, current, prepared)?;
    let new = reclassed.as_ref().map_or(&prepared.new, |prepared| &prepared.new);
    if !current.deleted && current.digest == *new.canonical.digest() {
        return Ok(reply(Written::Unchanged, current.clone(), prepared));
    }
    let held = patient_id::keep(&context.keys, current.medicapp_id.as_deref(), new);
    let new = held.as_ref().unwrap_or(new);
    let own = Some(&current.target);
    refuse_taken(tx, &context.caller, current.target.kind, &new.keys, own)?;
    let stored = tx.replace(current, new, &context.caller.author)?;
    tx.audit(&context.audit(&stored))?;
    if new.replaced {
        merge::settle(tx, context, &stored, &prepared.resource)?;
    }
    let written = if current.deleted {
        Written::Created
    } else {
        Written::Updated
    };
    Ok(reply(written, stored, prepared))
}

/// The class is fixed at creation. A body without the account's marks is an account's all the same when the
/// stored one never had them (its client's policy made it an account).
fn keep_class(
    context: &WriteContext,
    current: &Stored,
    prepared: &Prepared,
) -> Result<Option<Prepared>, Error> {
    if current.class == prepared.new.class {
        return Ok(None);
    }
    let marked = current.deleted || regulator::applies(&parse_stored(current)?);
    if current.class == Class::Account && !marked {
        return prepare_as(
            prepared.resource.clone(),
            Class::Account,
            &context.keys,
            &context.profiles,
        )
        .map(Some);
    }
    let text = match current.class {
        Class::Account => {
            "This is a regulator's account and stays one. Keep meta.profile FrPractitionerRegul and meta.source as \
             they are stored."
        }
        Class::Ordinary => {
            "This Practitioner is not a regulator's account and cannot become one. Leave meta.profile \
             FrPractitionerRegul and the SAS meta.source out, or create the account beside it."
        }
    };
    let issue = Issue::error(IssueCode::BusinessRule, text).at(format!("{}.meta", current.target.kind));
    Err(Error::Rule(vec![
        issue.with_diagnostics(current.target.to_string()),
    ]))
}

fn reply(written: Written, stored: Stored, prepared: &Prepared) -> WriteReply {
    WriteReply {
        body: Body::Shown,
        written,
        stored,
        issues: prepared.warnings.clone(),
        remark: None,
    }
}

fn body_id(resource: &Resource) -> Option<Id> {
    resource.body_id().and_then(Id::parse)
}

/// Refuses a body that names another resource, or none.
pub(crate) fn check_body_id(target: &Target, resource: &Resource) -> Result<(), Error> {
    let found = resource.body_id();
    if found == Some(target.id.as_str()) {
        return Ok(());
    }
    let text = match found {
        None => format!(
            "The body has no id. An update to {target} needs \"id\": \"{}\" in the body.",
            target.id
        ),
        Some(_) => format!(
            "The body's id is not the one in the URL. Send \"id\": \"{}\", or PUT to the body's id.",
            target.id
        ),
    };
    let issue = Issue::error(IssueCode::Invalid, text).at(format!("{}.id", target.kind));
    Err(Error::Request(match found {
        Some(found) => issue.with_diagnostics(found),
        None => issue,
    }))
}
