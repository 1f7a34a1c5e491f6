//! Transaction: many interactions, all or none — <https://hl7.org/fhir/R4/http.html#transaction>
//!
//! An entry is checked, resolved and done by the same halves that its interaction is made of when it comes alone.
//! What is between them is here: all criteria are resolved before anything is written, no two entries mean the same
//! resource, and what they say of each other is rewritten ([`resolve`], [`links`]).

mod draft;
mod links;
mod resolve;

use std::collections::HashMap;
use std::sync::Arc;

use fhir::query::{Criteria, matcher};
use fhir::{Interaction, Issue, IssueCode, Target, Timestamp};
use store::{KeyState, Policy, StoreError, Stored, Writer};

use self::draft::{Entry, Work};
use self::resolve::{Fate, Overlaps, Resolution};
use crate::conditional::check_precondition;
use crate::error::Error;
use crate::merge;
use crate::prepare::{BodyId, Prepared, validate};
use crate::reply::Reply;
use crate::session::Session;
use crate::{create, delete, history, patch, read, update};

pub use self::draft::Draft;

/// One entry of a transaction.
pub struct Step {
    /// Its position in the Bundle, for refusals.
    pub position: usize,
    /// By which other entries refer to its resource.
    pub full_url: Option<String>,
    /// What it asks.
    pub interaction: Interaction,
    /// The conditional references of its resource.
    pub references: Vec<Lookup>,
}

/// A conditional reference, understood.
pub struct Lookup {
    /// As it stands in the resource.
    pub text: String,
    /// Where, in the resource.
    pub place: String,
    /// What it looks for.
    pub criteria: Criteria,
}

/// Why a transaction was refused: every fault found at the stage that found one, each with the position of its entry.
#[derive(Debug)]
pub struct Failures(pub Vec<Failed>);

/// Why one entry was refused, or the whole.
#[derive(Debug)]
pub struct Failed {
    /// The entry; `None`: the whole.
    pub position: Option<usize>,
    /// Why.
    pub error: Error,
}

impl From<StoreError> for Failures {
    fn from(error: StoreError) -> Failures {
        Failures(vec![Failed {
            position: None,
            error: Error::from(error),
        }])
    }
}

impl Failures {
    fn of(position: usize, error: Error) -> Failures {
        let position = Some(position);
        Failures(vec![Failed { position, error }])
    }

    /// An error unless it is empty.
    fn unless_none(failures: Vec<Failed>) -> Result<(), Failures> {
        if failures.is_empty() {
            Ok(())
        } else {
            Err(Failures(failures))
        }
    }
}

impl Session {
    /// Checks all entries of a transaction: access, and what is wrong with the resources.
    ///
    /// # Errors
    /// The refusals of all entries that have one.
    pub fn draft(&self, steps: Vec<Step>) -> Result<Draft, Failures> {
        let (mut entries, mut failures) = (Vec::new(), Vec::new());
        for step in steps {
            let position = step.position;
            match draft::entry(self, step) {
                Ok(entry) => entries.push(entry),
                Err(error) => failures.push(Failed {
                    position: Some(position),
                    error,
                }),
            }
        }
        Failures::unless_none(failures)?;
        Ok(Draft::new(entries))
    }

    /// Does all entries of a transaction in one atomic step, and answers in their order; or none.
    ///
    /// # Errors
    /// Why nothing was written.
    pub async fn transact(&self, draft: Draft) -> Result<Vec<Reply>, Failures> {
        let draft = Arc::new(draft);
        match run(self, &draft).await {
            Ok(replies) => {
                let mut answered = Vec::with_capacity(replies.len());
                for (entry, reply) in draft.entries.iter().zip(replies) {
                    self.audit_entry(entry, Ok(&reply))?;
                    answered.push(reply);
                }
                Ok(answered)
            }
            Err(failures) => {
                for failed in &failures.0 {
                    let mut entries = draft.entries.iter();
                    if let Some(entry) = entries.find(|entry| Some(entry.position) == failed.position) {
                        self.audit_entry(entry, Err(&failed.error))?;
                    }
                }
                Err(failures)
            }
        }
    }

    fn audit_entry(&self, entry: &Entry, result: Result<&Reply, &Error>) -> Result<(), Failures> {
        let label = &entry.label;
        self.audit_unless_written(label.name, label.kind, label.id.clone(), result)
            .map_err(|error| Failures::of(entry.position, error))
    }
}

async fn run(session: &Session, draft: &Arc<Draft>) -> Result<Vec<Reply>, Failures> {
    let keys = session.keys();
    let looked = Arc::clone(draft);
    // Resolved and rendered before the lock; again inside only where another writer was faster.
    let early = session
        .space
        .read(move |reader| resolve::resolve(reader, &looked))
        .await?;
    let prepared = prepare(draft, &early, &keys)?;
    if draft.only_reads() {
        let draft = Arc::clone(draft);
        return session.space.read(move |reader| reads(reader, &draft)).await;
    }
    let draft = Arc::clone(draft);
    session
        .write(draft.locks(&prepared), move |tx| {
            let now = resolve::resolve_and_lock(tx, &draft)?;
            let remade = if now.asks_the_same(&early) {
                None
            } else {
                Some(prepare(&draft, &now, &keys)?)
            };
            apply(tx, &draft, &now, remade.as_ref().unwrap_or(&prepared))
        })
        .await
}

/// What each entry writes, links rewritten; `None` for one that writes no content.
type AllPrepared = Vec<Option<Prepared>>;

fn prepare(
    draft: &Draft,
    resolution: &Resolution,
    keys: &crate::keys::KeySystems,
) -> Result<AllPrepared, Failures> {
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for (entry, fate) in draft.entries.iter().zip(&resolution.fates) {
        let prepared = match (fate, entry.work.valid().filter(|_| fate.writes())) {
            (Fate::Patched(stored), _) => patched(entry, stored, &resolution.links).map(Some),
            (_, None) => Ok(None),
            (_, Some(valid)) => links::rewritten(valid, entry.full_url.as_deref(), &resolution.links)
                .map(|valid| Some(valid.prepare(keys))),
        };
        match prepared {
            Ok(prepared) => all.push(prepared),
            Err(error) => failures.push(Failed {
                position: Some(entry.position),
                error,
            }),
        }
    }
    Failures::unless_none(failures)?;
    refuse_met_by_patches(draft, resolution, &all)?;
    refuse_shared_keys(draft, &all)?;
    Ok(all)
}

/// What a patch makes of the version that is there, its links replaced. That version cannot be another entry's: no two
/// mean the same resource.
fn patched(entry: &Entry, stored: &Stored, links: &HashMap<String, String>) -> Result<Prepared, Error> {
    let (Work::Patch {
        change, precondition, ..
    }
    | Work::ConditionalPatch {
        change, precondition, ..
    }) = &entry.work
    else {
        return Err(internal("a patch that is none"));
    };
    let context = &entry.context;
    check_precondition(precondition, Some(stored))?;
    let (before, mut after) = patch::made(context, stored, change)?;
    links::replace(&mut after, entry.full_url.as_deref(), links);
    links::refuse_conditional(&before, &after)?;
    Ok(validate(after, &context.caller, BodyId::Counts, &context.profiles)?.prepare(&context.keys))
}

/// An entry that creates because its criteria find nothing, and a patch whose result they would find, would make one
/// thing twice.
fn refuse_met_by_patches(draft: &Draft, resolution: &Resolution, all: &AllPrepared) -> Result<(), Failures> {
    let mut overlaps = Overlaps::of(draft);
    let fates = || draft.entries.iter().zip(&resolution.fates).enumerate();
    let patched = fates().filter(|(_, (_, fate))| matches!(fate, Fate::Patched(_)));
    for (number, _) in patched {
        let Some(Some(made)) = all.get(number) else {
            continue;
        };
        for (other, (entry, _)) in fates().filter(|(_, (_, fate))| fate.creates()) {
            let Some(criteria) = entry.work.criteria() else {
                continue;
            };
            let meets = entry.class() == Some(made.new.class)
                && matcher::matches(criteria, &made.resource, &entry.fresh, Timestamp::from_micros(0));
            if meets {
                overlaps.refuse(other, number, "");
            }
        }
    }
    overlaps.told()
}

/// Two entries cannot both own an identifier.
fn refuse_shared_keys(draft: &Draft, all: &AllPrepared) -> Result<(), Failures> {
    let mut owners = HashMap::new();
    for (entry, prepared) in draft.entries.iter().zip(all) {
        let Some(prepared) = prepared else { continue };
        let kind = prepared.resource.kind();
        let owned = prepared
            .new
            .keys
            .iter()
            .filter(|key| key.state == KeyState::Owning);
        for key in owned {
            let earlier = *owners
                .entry((kind, key.policy, &key.identifier))
                .or_insert(entry.position);
            if earlier == entry.position {
                continue;
            }
            let told = |position: usize, other: usize| Failed {
                position: Some(position),
                error: shared_key(kind, key.policy, &key.identifier, other),
            };
            return Err(Failures(vec![
                told(earlier, entry.position),
                told(entry.position, earlier),
            ]));
        }
    }
    Ok(())
}

fn shared_key(
    kind: fhir::ResourceType,
    policy: Policy,
    identifier: &fhir::Identifier,
    other: usize,
) -> Error {
    let text = format!(
        "The identifier {}|{} belongs to one resource only, and entry {other} brings it too. Nothing was written. Leave it \
         out of one of them.",
        identifier.system, identifier.value
    );
    Error::Duplicate {
        system: identifier.system.clone(),
        issue: Box::new(Issue::error(IssueCode::Duplicate, text).at(format!("{kind}.identifier"))),
        owner: None,
        rule: policy,
    }
}

/// Does all entries, each in its turn.
fn apply(
    tx: &mut dyn Writer,
    draft: &Draft,
    resolution: &Resolution,
    prepared: &AllPrepared,
) -> Result<Vec<Reply>, Failures> {
    let mut replies: Vec<Option<Reply>> = draft.entries.iter().map(|_| None).collect();
    for turn in draft.turns() {
        let parts = (draft.entries.get(turn), resolution.fates.get(turn));
        let (Some(entry), Some(fate)) = parts else {
            continue;
        };
        let written = prepared.get(turn).and_then(Option::as_ref);
        let reply = match fate {
            Fate::Twin(first) => twin(entry, replies.get(*first).and_then(Option::as_ref)),
            _ => one(tx, entry, fate, written),
        };
        let reply =
            reply.map_err(|error| Failures::of(entry.position, without_own(error, draft, resolution)))?;
        if let Some(slot) = replies.get_mut(turn) {
            *slot = Some(reply);
        }
    }
    let mut replies: Vec<Reply> = replies.into_iter().flatten().collect();
    if prepared.iter().flatten().any(|prepared| prepared.new.replaced) {
        settle_merges(tx, draft, prepared, &mut replies)?;
    }
    Ok(replies)
}

/// A survivor may have been written after who it replaces, without its link back: it gets it now. All are answered as they
/// are at the end.
fn settle_merges(
    tx: &mut dyn Writer,
    draft: &Draft,
    prepared: &AllPrepared,
    replies: &mut [Reply],
) -> Result<(), Failures> {
    for ((entry, written), reply) in draft.entries.iter().zip(prepared).zip(&*replies) {
        if let (Some(prepared), Reply::Written(reply)) = (written, reply)
            && prepared.new.replaced
        {
            let settled = merge::settle(tx, &entry.context, &reply.stored, &prepared.resource);
            settled.map_err(|error| Failures::of(entry.position, error))?;
        }
    }
    for (entry, reply) in draft.entries.iter().zip(replies) {
        if let Reply::Written(reply) = reply {
            let now = tx.get(&reply.stored.target).map_err(Error::from);
            if let Some(now) = now.map_err(|error| Failures::of(entry.position, error))? {
                reply.stored = now;
            }
        }
    }
    Ok(())
}

fn one(tx: &mut dyn Writer, entry: &Entry, fate: &Fate, prepared: Option<&Prepared>) -> Result<Reply, Error> {
    let context = &entry.context;
    match (&entry.work, fate, prepared) {
        (Work::Delete { target, precondition }, _, _) => {
            delete::apply(tx, context, target, precondition, None).map(Reply::Deleted)
        }
        (
            Work::Create { .. } | Work::ConditionalCreate { .. },
            Fate::Conditional(update::Resolved::Create { id, .. }),
            Some(prepared),
        ) => {
            let stored = create::insert(tx, context, &prepared.new, id.as_ref())?;
            Ok(Reply::Written(create::created(stored, prepared)))
        }
        (Work::ConditionalCreate { .. }, Fate::Found(stored), _) => {
            Ok(Reply::Written(create::untouched(&context.caller, stored.clone())))
        }
        (
            Work::Update {
                target, precondition, ..
            },
            _,
            Some(prepared),
        ) => update::apply(tx, context, target, precondition, prepared).map(Reply::Written),
        (Work::ConditionalUpdate { precondition, .. }, Fate::Conditional(resolved), Some(prepared)) => {
            update::settle(tx, context, resolved.clone(), precondition, prepared).map(Reply::Written)
        }
        (
            Work::Patch { precondition, .. } | Work::ConditionalPatch { precondition, .. },
            Fate::Patched(current),
            Some(prepared),
        ) => {
            check_precondition(precondition, Some(current))?;
            update::put(tx, context, current, prepared).map(Reply::Written)
        }
        (Work::ConditionalDelete { precondition, .. }, Fate::Removed(found), _) => {
            delete::settle(tx, context, found.as_ref(), precondition).map(Reply::Deleted)
        }
        (_, Fate::Read, _) => read_one(tx, entry),
        _ => Err(internal("an entry has no outcome")),
    }
}

/// The reply to a conditional create that repeats another entry's: it comes second.
fn twin(entry: &Entry, first: Option<&Reply>) -> Result<Reply, Error> {
    match first {
        Some(Reply::Written(reply)) => Ok(Reply::Written(create::untouched(
            &entry.context.caller,
            reply.stored.clone(),
        ))),
        _ => Err(internal("an entry is done before the one it repeats")),
    }
}

fn reads(reader: &mut dyn store::Reader, draft: &Draft) -> Result<Vec<Reply>, Failures> {
    let each = draft.entries.iter();
    each.map(|entry| read_one(reader, entry).map_err(|error| Failures::of(entry.position, error)))
        .collect()
}

fn read_one(reader: &mut dyn store::Reader, entry: &Entry) -> Result<Reply, Error> {
    let caller = &entry.context.caller;
    match &entry.work {
        Work::Read(target) => {
            let stored = reader.get(target)?;
            read::live(caller, target.clone(), stored).map(Reply::Resource)
        }
        Work::VersionRead(target, version) => {
            let stored = reader.version(target, *version)?;
            read::live_version(caller, target.clone(), *version, stored).map(Reply::Resource)
        }
        Work::Search(query) => read::page(reader, caller, &entry.context.keys, query).map(Reply::Page),
        Work::History(asked, kinds) => history::page(reader, caller, asked, kinds).map(Reply::History),
        _ => Err(internal("a write among reads")),
    }
}

/// A refusal never leads to a resource that goes away with it.
fn without_own(error: Error, draft: &Draft, resolution: &Resolution) -> Error {
    let is_new = |target: &Target| {
        let mut each = draft.entries.iter().zip(&resolution.fates);
        each.any(|(entry, fate)| fate.creates() && fate.target(entry).as_ref() == Some(target))
    };
    match error {
        Error::Duplicate {
            system,
            issue,
            owner,
            rule,
        } => Error::Duplicate {
            system,
            issue,
            owner: owner.filter(|(target, _)| !is_new(target)),
            rule,
        },
        other => other,
    }
}

fn internal(text: &str) -> Error {
    Error::Store(StoreError::Internal(text.to_owned()))
}
