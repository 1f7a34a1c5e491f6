//! The entries of a transaction, checked: what access and validation say needs no lock.

use std::collections::HashMap;

use fhir::interaction::{Edit, Precondition};
use fhir::query::history::History;
use fhir::query::{Criteria, Query, matcher};
use fhir::{Id, Interaction, Issue, IssueCode, ResourceType, Target, Timestamp, VersionId};
use store::audit::Audited;
use store::{Class, LockSet};

use super::{Lookup, Step};
use crate::conditional;
use crate::error::Error;
use crate::prepare::{Prepared, Valid};
use crate::scope::Permission;
use crate::session::{Session, WriteContext};
use crate::{create, delete, history, patch, read, update};

/// More values and resources than this are not locked one by one: PostgreSQL's table of locks is finite. Their types
/// are locked instead.
const MOST_LOCKS: usize = 256;

/// A transaction whose entries may be done and are valid.
pub struct Draft {
    pub(super) entries: Vec<Entry>,
    /// The earlier conditional create by the same criteria.
    twins: Vec<Option<usize>>,
    /// Entries whose criteria another entry's resource meets, and that entry.
    pub(super) meetings: Vec<(usize, usize)>,
}

/// One entry.
pub(super) struct Entry {
    pub(super) position: usize,
    pub(super) full_url: Option<String>,
    pub(super) references: Vec<Lookup>,
    /// The id of what it creates.
    pub(super) fresh: Id,
    pub(super) context: WriteContext,
    pub(super) label: Label,
    pub(super) work: Work,
}

/// What the audit trail says of an entry that changes nothing.
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) kind: Option<Audited>,
    pub(super) id: Option<Id>,
}

/// What an entry does.
pub(super) enum Work {
    Delete {
        target: Target,
        precondition: Precondition,
    },
    Create {
        valid: Valid,
    },
    ConditionalCreate {
        criteria: Criteria,
        valid: Valid,
    },
    Update {
        target: Target,
        valid: Valid,
        precondition: Precondition,
    },
    ConditionalUpdate {
        criteria: Criteria,
        valid: Valid,
        precondition: Precondition,
    },
    Patch {
        target: Target,
        change: Edit,
        precondition: Precondition,
    },
    ConditionalPatch {
        criteria: Criteria,
        change: Edit,
        precondition: Precondition,
    },
    ConditionalDelete {
        criteria: Criteria,
        precondition: Precondition,
    },
    Read(Target),
    VersionRead(Target, VersionId),
    Search(Query),
    History(History, Vec<ResourceType>),
}

/// Checks one entry, as its interaction alone is checked. A refusal is audited.
pub(super) fn entry(session: &Session, step: Step) -> Result<Entry, Error> {
    let interaction = step.interaction;
    let label = Label {
        name: interaction.name(),
        kind: interaction.kind().map(Audited::from),
        id: interaction.id().cloned(),
    };
    let work = work(session, interaction).and_then(|work| {
        let mut kinds = step.references.iter().map(|lookup| lookup.criteria.kind);
        kinds.try_for_each(|kind| session.allow(kind, Permission::Search))?;
        Ok(work)
    });
    let work = match work {
        Ok(work) => work,
        Err(error) => {
            session.audit_unless_written(label.name, label.kind, label.id, Err(&error))?;
            return Err(error);
        }
    };
    Ok(Entry {
        position: step.position,
        full_url: step.full_url,
        references: step.references,
        fresh: session.fresh_id(),
        context: session.write_context(label.name),
        label,
        work,
    })
}

fn work(session: &Session, interaction: Interaction) -> Result<Work, Error> {
    Ok(match interaction {
        Interaction::Delete { target, precondition } => {
            delete::check(session, &target)?;
            Work::Delete { target, precondition }
        }
        Interaction::Create(resource) => Work::Create {
            valid: create::check(session, resource)?,
        },
        Interaction::ConditionalCreate { criteria, resource } => Work::ConditionalCreate {
            criteria,
            valid: create::check(session, resource)?,
        },
        Interaction::Update {
            target,
            resource,
            precondition,
        } => Work::Update {
            valid: update::check(session, &target, resource)?,
            target,
            precondition,
        },
        Interaction::ConditionalUpdate {
            criteria,
            resource,
            precondition,
        } => Work::ConditionalUpdate {
            criteria,
            valid: update::check_conditional(session, resource)?,
            precondition,
        },
        Interaction::Patch {
            target,
            change,
            precondition,
        } => {
            patch::allow(session, target.kind)?;
            Work::Patch {
                target,
                change,
                precondition,
            }
        }
        Interaction::ConditionalPatch {
            criteria,
            change,
            precondition,
        } => {
            patch::allow(session, criteria.kind)?;
            Work::ConditionalPatch {
                criteria,
                change,
                precondition,
            }
        }
        Interaction::ConditionalDelete {
            criteria,
            precondition,
        } => {
            delete::check_kind(session, criteria.kind)?;
            Work::ConditionalDelete {
                criteria,
                precondition,
            }
        }
        other => return reading(session, other),
    })
}

fn reading(session: &Session, interaction: Interaction) -> Result<Work, Error> {
    Ok(match interaction {
        Interaction::Read(target) => {
            session.allow(target.kind, Permission::Read)?;
            Work::Read(target)
        }
        Interaction::VersionRead(target, version) => {
            session.allow(target.kind, Permission::Read)?;
            Work::VersionRead(target, version)
        }
        Interaction::Search(query) => {
            read::check_search(session, &query)?;
            Work::Search(query)
        }
        Interaction::History(history) => {
            let kinds = history::check(session, &history)?;
            Work::History(history, kinds)
        }
        // The doors' own, and whatever FHIR interaction has no halves yet: its place is above.
        other => {
            let text = format!("A transaction cannot hold a {}. Send it alone.", other.name());
            return Err(Error::Request(Issue::error(IssueCode::NotSupported, text)));
        }
    })
}

impl Work {
    /// The resource it brings.
    pub(super) fn valid(&self) -> Option<&Valid> {
        match self {
            Work::Create { valid }
            | Work::ConditionalCreate { valid, .. }
            | Work::Update { valid, .. }
            | Work::ConditionalUpdate { valid, .. } => Some(valid),
            _ => None,
        }
    }

    /// The criteria by which it finds what it is about, and creates that if there is nothing.
    pub(super) fn criteria(&self) -> Option<&Criteria> {
        match self {
            Work::ConditionalCreate { criteria, .. } | Work::ConditionalUpdate { criteria, .. } => {
                Some(criteria)
            }
            _ => None,
        }
    }

    /// The criteria by which it finds what is there.
    fn finds(&self) -> Option<&Criteria> {
        match self {
            Work::ConditionalPatch { criteria, .. } | Work::ConditionalDelete { criteria, .. } => {
                Some(criteria)
            }
            _ => None,
        }
    }

    /// The resource that it changes by id.
    pub(super) fn named(&self) -> Option<&Target> {
        match self {
            Work::Delete { target, .. } | Work::Update { target, .. } | Work::Patch { target, .. } => {
                Some(target)
            }
            _ => None,
        }
    }

    fn turn(&self) -> u8 {
        match self {
            Work::Delete { .. } | Work::ConditionalDelete { .. } => 0,
            Work::Create { .. } | Work::ConditionalCreate { .. } => 1,
            Work::Update { .. }
            | Work::ConditionalUpdate { .. }
            | Work::Patch { .. }
            | Work::ConditionalPatch { .. } => 2,
            Work::Read(_) | Work::VersionRead(..) | Work::Search(_) | Work::History(..) => 3,
        }
    }
}

impl Draft {
    pub(super) fn new(entries: Vec<Entry>) -> Draft {
        let (twins, meetings) = kinships(&entries);
        Draft {
            entries,
            twins,
            meetings,
        }
    }

    /// The earlier conditional create whose criteria this entry repeats.
    pub(super) fn twin_of(&self, number: usize) -> Option<usize> {
        self.twins.get(number).copied().flatten()
    }

    /// Whether nothing is to be written.
    pub(super) fn only_reads(&self) -> bool {
        self.entries.iter().all(|entry| entry.work.turn() == 3)
    }

    /// The entries in the order in which they are done: DELETE, POST, PUT and PATCH, GET.
    pub(super) fn turns(&self) -> Vec<usize> {
        let mut turns: Vec<usize> = (0..self.entries.len()).collect();
        turns.sort_by_key(|turn| self.entries.get(*turn).map(|entry| entry.work.turn()));
        turns
    }

    /// All that the entries exclude others from: what they bring, and what a patch made of what was there when it was
    /// looked at first.
    pub(super) fn locks(&self, prepared: &[Option<Prepared>]) -> LockSet {
        let each = self.entries.iter().zip(prepared);
        let joined = each
            .map(|(entry, prepared)| entry.locks(prepared.as_ref()))
            .reduce(LockSet::join);
        let mut locks = joined.unwrap_or_default();
        locks.values.sort_unstable();
        locks.values.dedup();
        if locks.values.len() + locks.targets.len() > MOST_LOCKS {
            // Every writer of a type shares its lock: whoever has it alone needs no other.
            locks.also_whole.extend(locks.shared.take());
            locks.also_whole.append(&mut locks.also_shared);
            locks.values.clear();
            locks.targets.clear();
        }
        locks
    }
}

impl Entry {
    /// The type that it may change.
    fn writes(&self) -> Option<ResourceType> {
        let found = || {
            self.work
                .criteria()
                .or(self.work.finds())
                .map(|criteria| criteria.kind)
        };
        let named = || self.work.named().map(|target| target.kind);
        let brought = self.work.valid().map(|valid| valid.resource.kind());
        brought.or_else(named).or_else(found)
    }

    pub(super) fn class(&self) -> Option<Class> {
        self.work.valid().map(|valid| valid.class)
    }

    fn is_conditional_create(&self) -> bool {
        matches!(self.work, Work::ConditionalCreate { .. })
    }

    fn locks(&self, prepared: Option<&Prepared>) -> LockSet {
        let brought = self.work.valid().map(|valid| &valid.identifiers);
        let brought = brought.or(prepared.map(|prepared| &prepared.identifiers));
        let values = brought
            .into_iter()
            .flatten()
            .map(|one| one.value.clone())
            .collect();
        let criteria: Vec<&Criteria> = self.work.criteria().or(self.work.finds()).into_iter().collect();
        let mut locks = match self.writes() {
            Some(kind) => conditional::locks(kind, values, &criteria),
            None => LockSet::default(),
        };
        locks.targets.extend(self.work.named().cloned());
        if let Work::ConditionalUpdate { valid, .. } = &self.work {
            let id = valid.resource.body_id().and_then(Id::parse);
            let kind = valid.resource.kind();
            locks.targets.extend(id.map(|id| Target { kind, id }));
        }
        // A reference that names no identifier is resolved without a lock: it changes nothing that it finds.
        let sought = self
            .references
            .iter()
            .filter_map(|lookup| lookup.criteria.lock_values());
        locks.values.extend(sought.flatten());
        let kinds = self.references.iter().map(|lookup| lookup.criteria.kind);
        locks.also_shared.extend(kinds);
        locks
    }
}

/// Conditional creates that repeat the criteria of an earlier one, and those entries whose criteria another entry's
/// resource meets or criteria repeat: when such criteria find nothing, the two would make one thing twice.
fn kinships(entries: &[Entry]) -> (Vec<Option<usize>>, Vec<(usize, usize)>) {
    let mut twins = vec![None; entries.len()];
    let mut meetings = Vec::new();
    let mut earlier: Vec<(usize, &Entry, &Criteria)> = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let Some(criteria) = entry.work.criteria() else {
            continue;
        };
        let same = earlier
            .iter()
            .find(|(_, other, known)| *known == criteria && other.class() == entry.class());
        match same {
            Some((first, other, _)) if entry.is_conditional_create() && other.is_conditional_create() => {
                if let Some(twin) = twins.get_mut(number) {
                    *twin = Some(*first);
                }
            }
            Some((first, _, _)) => meetings.push((number, *first)),
            None => earlier.push((number, entry, criteria)),
        }
    }
    let bearers = bearers(entries);
    for (number, entry) in entries.iter().enumerate() {
        let is_twin = |number: usize| twins.get(number).copied().flatten().is_some();
        let Some(criteria) = entry.work.criteria().filter(|_| !is_twin(number)) else {
            continue;
        };
        let candidates: Vec<usize> = match criteria.lock_values() {
            Some(values) => {
                let named = values.iter().filter_map(|value| bearers.get(value.as_str()));
                named.flatten().copied().collect()
            }
            None => (0..entries.len()).collect(),
        };
        for other in candidates {
            let body = entries.get(other).filter(|_| other != number && !is_twin(other));
            let body = body.filter(|other| other.class() == entry.class());
            let meets = body.and_then(|other| other.work.valid()).is_some_and(|valid| {
                matcher::matches(criteria, &valid.resource, &entry.fresh, Timestamp::from_micros(0))
            });
            if meets {
                meetings.push((number, other));
            }
        }
    }
    (twins, meetings)
}

/// Which entries bring a resource with an identifier of each value.
fn bearers(entries: &[Entry]) -> HashMap<&str, Vec<usize>> {
    let mut bearers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, entry) in entries.iter().enumerate() {
        let identifiers = entry.work.valid().map_or(&[][..], |valid| &valid.identifiers);
        for identifier in identifiers {
            let of_value = bearers.entry(identifier.value.as_str()).or_default();
            if of_value.last() != Some(&number) {
                of_value.push(number);
            }
        }
    }
    bearers
}
