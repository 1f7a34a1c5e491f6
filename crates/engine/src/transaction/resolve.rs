//! What each entry is about, by what is there before the transaction: so the order of the entries decides nothing.

use std::collections::{HashMap, HashSet};

use fhir::query::Criteria;
use fhir::{Issue, IssueCode, Target, VersionId};
use store::{Reader, StoreError, Stored, Writer};

use super::draft::{Draft, Entry, Work};
use super::{Failed, Failures, Lookup};
use crate::conditional::visible_classes;
use crate::error::{Error, Unresolved};
use crate::update::{self, LOOKS, Resolved, Subject};
use crate::{create, delete, patch};

/// What an entry comes to.
pub(super) enum Fate {
    /// It reads.
    Read,
    /// It changes the resource that it names.
    Named,
    /// A create, or a conditional update: what is to be done. What is created has an id.
    Conditional(Resolved),
    /// A conditional create that found this one.
    Found(Stored),
    /// It patches this one.
    Patched(Stored),
    /// A conditional delete, and what it found.
    Removed(Option<Stored>),
    /// A conditional create by the same criteria as this earlier one.
    Twin(usize),
}

/// What all entries come to.
pub(super) struct Resolution {
    pub(super) fates: Vec<Fate>,
    /// What stands for a `fullUrl` or a conditional reference.
    pub(super) links: HashMap<String, String>,
}

impl Fate {
    /// Whether the entry's content is to be stored.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Fate::Named | Fate::Conditional(_) | Fate::Patched(_))
    }

    /// Whether the entry makes a resource that was not there.
    pub(super) fn creates(&self) -> bool {
        matches!(self, Fate::Conditional(Resolved::Create { .. }))
    }

    /// The resource it is about.
    pub(super) fn target(&self, entry: &Entry) -> Option<Target> {
        match self {
            Fate::Read | Fate::Twin(_) => None,
            Fate::Named => entry.work.named().cloned(),
            Fate::Conditional(Resolved::Create { id, .. }) => Some(Target {
                kind: entry.work.valid()?.resource.kind(),
                id: id.clone()?,
            }),
            Fate::Removed(found) => found.as_ref().map(|stored| stored.target.clone()),
            Fate::Conditional(Resolved::Replace(stored) | Resolved::Withdraw(stored))
            | Fate::Patched(stored)
            | Fate::Found(stored) => Some(stored.target.clone()),
        }
    }

    fn seen(&self) -> Option<&Stored> {
        match self {
            Fate::Conditional(Resolved::Replace(stored) | Resolved::Withdraw(stored))
            | Fate::Patched(stored)
            | Fate::Found(stored) => Some(stored),
            Fate::Removed(found) => found.as_ref(),
            _ => None,
        }
    }

    /// The version that its content is made of.
    fn base(&self) -> Option<(&Target, VersionId)> {
        match self {
            Fate::Patched(stored) => Some((&stored.target, stored.version)),
            _ => None,
        }
    }
}

impl Resolution {
    /// Whether the same content is to be stored as by another resolution.
    pub(super) fn asks_the_same(&self, other: &Resolution) -> bool {
        let writes =
            |resolution: &Resolution| -> Vec<bool> { resolution.fates.iter().map(Fate::writes).collect() };
        let (mine, others) = (self.fates.iter(), other.fates.iter());
        self.links == other.links
            && writes(self) == writes(other)
            && mine.map(Fate::base).eq(others.map(Fate::base))
    }

    /// The resource that an entry is about, also when it repeats another.
    fn target(&self, draft: &Draft, number: usize) -> Option<Target> {
        let number = match self.fates.get(number)? {
            Fate::Twin(first) => *first,
            _ => number,
        };
        self.fates.get(number)?.target(draft.entries.get(number)?)
    }
}

/// Resolves, locks what was found and named, and looks again when a writer moved it in between.
pub(super) fn resolve_and_lock(tx: &mut dyn Writer, draft: &Draft) -> Result<Resolution, Failures> {
    for _ in 0..LOOKS {
        let resolution = resolve(tx, draft)?;
        let mut targets: Vec<(Target, Option<&Stored>)> = Vec::new();
        for (entry, fate) in draft.entries.iter().zip(&resolution.fates) {
            targets.extend(fate.target(entry).map(|target| (target, fate.seen())));
        }
        // Sorted: two transactions would otherwise wait for each other's rows.
        targets.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut moved = false;
        for (target, seen) in targets {
            let current = tx.get_for_update(&target)?;
            moved |= seen.is_some_and(|seen| current.is_none_or(|current| current.version != seen.version));
        }
        if !moved {
            return Ok(resolution);
        }
    }
    Err(Failures::from(StoreError::Contention(
        "the matches kept moving".to_owned(),
    )))
}

/// Says what each entry comes to.
///
/// # Errors
/// Criteria and conditional references that match several, references that match nothing, and entries that mean the
/// same resource.
pub(super) fn resolve(reader: &mut dyn Reader, draft: &Draft) -> Result<Resolution, Failures> {
    let (mut fates, mut failures) = (Vec::with_capacity(draft.entries.len()), Vec::new());
    for (number, entry) in draft.entries.iter().enumerate() {
        let fate = match draft.twin_of(number) {
            Some(first) => Ok(Fate::Twin(first)),
            None => fate(reader, entry),
        };
        fates.push(fate.unwrap_or_else(|error| {
            failures.push(Failed {
                position: Some(entry.position),
                error,
            });
            Fate::Read
        }));
    }
    Failures::unless_none(failures)?;
    let mut resolution = Resolution {
        fates,
        links: HashMap::new(),
    };
    refuse_overlaps(draft, &resolution)?;
    resolution.links = links(reader, draft, &resolution)?;
    Ok(resolution)
}

fn fate(reader: &mut dyn Reader, entry: &Entry) -> Result<Fate, Error> {
    Ok(match &entry.work {
        Work::Read(_) | Work::VersionRead(..) | Work::Search(_) | Work::History(..) => Fate::Read,
        Work::Patch { target, .. } => Fate::Patched(patch::live(target, reader.get(target)?)?),
        Work::ConditionalPatch { criteria, .. } => {
            Fate::Patched(patch::resolve(reader, criteria, &entry.context.caller)?)
        }
        Work::ConditionalDelete { criteria, .. } => {
            Fate::Removed(delete::find(reader, &entry.context.caller, criteria)?)
        }
        Work::Delete { .. } | Work::Update { .. } => Fate::Named,
        Work::Create { .. } => Fate::Conditional(created(entry, None)),
        Work::ConditionalCreate { criteria, valid } => {
            match create::the_match(reader, criteria, valid.class)? {
                None => Fate::Conditional(created(entry, None)),
                Some(stored) => Fate::Found(stored),
            }
        }
        Work::ConditionalUpdate { criteria, valid, .. } => {
            Fate::Conditional(match update::resolve(reader, criteria, &Subject::of(valid))? {
                Resolved::Create { id: None, alias } => created(entry, alias),
                resolved => resolved,
            })
        }
    })
}

/// What is created needs its id now, for others refer to it.
fn created(entry: &Entry, alias: Option<fhir::Identifier>) -> Resolved {
    Resolved::Create {
        id: Some(entry.fresh.clone()),
        alias,
    }
}

/// Refuses two entries that mean one resource, at both.
fn refuse_overlaps(draft: &Draft, resolution: &Resolution) -> Result<(), Failures> {
    let mut overlaps = Overlaps::of(draft);
    let mut first: HashMap<Target, usize> = HashMap::new();
    for (number, (entry, fate)) in draft.entries.iter().zip(&resolution.fates).enumerate() {
        if let Some(target) = fate.target(entry) {
            let what = format!(" ({target})");
            let earlier = *first.entry(target).or_insert(number);
            if earlier != number {
                overlaps.refuse(earlier, number, &what);
            }
        }
    }
    for (number, other) in &draft.meetings {
        let creates = resolution.fates.get(*number).is_some_and(Fate::creates);
        if creates && resolution.fates.get(*other).is_some_and(Fate::writes) {
            overlaps.refuse(*number, *other, "");
        }
    }
    overlaps.told()
}

/// Entries that mean one resource, each refused once.
pub(super) struct Overlaps<'d> {
    draft: &'d Draft,
    failures: Vec<Failed>,
}

impl Overlaps<'_> {
    pub(super) fn of(draft: &Draft) -> Overlaps<'_> {
        let failures = Vec::new();
        Overlaps { draft, failures }
    }

    /// Refuses both; `what` is the resource, if it is known.
    pub(super) fn refuse(&mut self, number: usize, other: usize, what: &str) {
        let entries = &self.draft.entries;
        let (Some(one), Some(two)) = (entries.get(number), entries.get(other)) else {
            return;
        };
        for (at, beside) in [(one.position, two.position), (two.position, one.position)] {
            let text = format!(
                "This entry and entry {beside} mean the same resource{what}, and the order of entries must not decide what \
                 becomes of it. Nothing was written. Keep one of them, or send them in two Bundles."
            );
            let told = self.failures.iter().any(|failed| failed.position == Some(at));
            if !told {
                self.failures.push(Failed {
                    position: Some(at),
                    error: Error::Request(Issue::error(IssueCode::Invalid, text)),
                });
            }
        }
    }

    /// An error, if there were any.
    pub(super) fn told(mut self) -> Result<(), Failures> {
        self.failures.sort_by_key(|failed| failed.position);
        Failures::unless_none(self.failures)
    }
}

/// What stands for each `fullUrl` and conditional reference.
fn links(
    reader: &mut dyn Reader,
    draft: &Draft,
    resolution: &Resolution,
) -> Result<HashMap<String, String>, Failures> {
    let mut links = HashMap::new();
    let mut deleted = HashSet::new();
    for (number, entry) in draft.entries.iter().enumerate() {
        let target = resolution.target(draft, number);
        match (&entry.work, target, &entry.full_url) {
            (Work::Delete { target, .. }, _, _) => {
                deleted.insert(target.clone());
            }
            (Work::ConditionalDelete { .. }, found, _) => deleted.extend(found),
            (_, Some(target), Some(url)) => {
                links.insert(url.clone(), target.to_string());
            }
            _ => {}
        }
    }
    let mut failures = Vec::new();
    for entry in &draft.entries {
        for lookup in &entry.references {
            if links.contains_key(&lookup.text) {
                continue;
            }
            let own = draft
                .entries
                .iter()
                .position(|other| other.work.criteria() == Some(&lookup.criteria));
            let found = match own.and_then(|number| resolution.target(draft, number)) {
                Some(target) => Ok(target),
                None => look_up(reader, entry, lookup, &deleted),
            };
            match found {
                Ok(target) => {
                    links.insert(lookup.text.clone(), target.to_string());
                }
                Err(error) => failures.push(Failed {
                    position: Some(entry.position),
                    error,
                }),
            }
        }
    }
    Failures::unless_none(failures)?;
    Ok(links)
}

/// The one resource that a conditional reference means and that is not about to be deleted.
fn look_up(
    reader: &mut dyn Reader,
    entry: &Entry,
    lookup: &Lookup,
    deleted: &HashSet<Target>,
) -> Result<Target, Error> {
    let criteria: &Criteria = &lookup.criteria;
    let found = reader.matches(criteria, visible_classes(&entry.context.caller), 2)?;
    let unresolved = |matches| Error::Reference {
        place: lookup.place.clone(),
        text: lookup.text.clone(),
        matches,
    };
    match found.as_slice() {
        [one] if !deleted.contains(&one.target) => Ok(one.target.clone()),
        [] | [_] => Err(unresolved(Unresolved::Nothing)),
        _ => Err(unresolved(Unresolved::Several)),
    }
}
