//! Everything that can be asked. FHIR routes and adapters build one, the engine runs one, and there is no
//! other way in.

use crate::id::{Id, Target, VersionId};
use crate::outcome::Issue;
use crate::query::{Criteria, Query};
use crate::resource::{Resource, ResourceType};

/// An interaction — <https://hl7.org/fhir/R4/http.html>, and the few that the doors need and FHIR lacks.
pub enum Interaction {
    /// <https://hl7.org/fhir/R4/http.html#read>
    Read(Target),
    /// <https://hl7.org/fhir/R4/http.html#vread>
    VersionRead(Target, VersionId),
    /// <https://hl7.org/fhir/R4/search.html>
    Search(Query),
    /// <https://hl7.org/fhir/R4/http.html#create>; the body's id means nothing.
    Create(Resource),
    /// <https://hl7.org/fhir/R4/http.html#ccreate>
    ConditionalCreate {
        /// The `If-None-Exist` criteria.
        criteria: Criteria,
        /// The resource to create when nothing matches.
        resource: Resource,
    },
    /// <https://hl7.org/fhir/R4/http.html#update>
    Update {
        /// Which resource.
        target: Target,
        /// Its new content.
        resource: Resource,
        /// The versions it may replace.
        precondition: Precondition,
    },
    /// <https://hl7.org/fhir/R4/http.html#cond-update>
    ConditionalUpdate {
        /// The criteria of the URL.
        criteria: Criteria,
        /// The new content.
        resource: Resource,
        /// The versions it may replace.
        precondition: Precondition,
    },
    /// <https://hl7.org/fhir/R4/http.html#delete>
    Delete {
        /// Which resource.
        target: Target,
        /// The versions it may remove.
        precondition: Precondition,
    },
    /// Finds by the first rung that matches and accepts, or creates.
    FindOrCreate {
        /// The rungs, tried in order.
        ladder: Vec<Rung>,
        /// The resource to create when no rung holds.
        resource: Resource,
        /// Its id, for a door that shows it elsewhere in the resource too; `None`: a fresh one. It must be one
        /// that nobody has used.
        id: Option<Id>,
    },
    /// Reads, changes, checks and writes in one transaction.
    Edit {
        /// Which resource.
        target: Target,
        /// The change.
        edit: Edit,
    },
}

/// The change of an [`Interaction::Edit`]: pure, and may run more than once (a version clash runs it again).
pub type Edit = Box<dyn Fn(&Resource) -> Result<Resource, Refusal> + Send + Sync>;

/// The verdict of a [`Rung`] on a match: pure, and may run more than once.
pub type Accept = Box<dyn Fn(&Resource) -> Verdict + Send + Sync>;

/// One rung of a [`Interaction::FindOrCreate`] ladder.
pub struct Rung {
    /// What to look for. Several matches are candidates, the oldest 32 of them.
    pub criteria: Criteria,
    /// What several accepted candidates mean.
    pub many: Many,
    /// Whether a candidate is the one.
    pub accept: Accept,
}

/// What several accepted candidates of a rung mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// Nothing: go on to the next rung.
    Pass,
    /// The oldest is the one.
    Oldest,
    /// The request is refused with `multiple-matches`.
    Refuse,
}

/// What a rung says of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This is the one.
    Accept,
    /// This is not the one; go on.
    Pass,
    /// This is not the one, but so like it that the reply should tell of it.
    Near,
    /// The request is refused.
    Refuse(Refusal),
}

/// What a rung came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Candidates that were accepted.
    pub accepted: usize,
    /// Candidates that were [`Verdict::Near`].
    pub near: usize,
}

/// Why a pure function of a door refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// All that is wrong.
    pub issues: Vec<Issue>,
}

/// `If-Match` and `If-None-Match` of a write — <https://hl7.org/fhir/R4/http.html#concurrency>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// None was given.
    #[default]
    None,
    /// `If-Match`: the current version is one of these. An unreadable tag is left out, so that a header of
    /// nothing but such tags matches no version.
    Versions(Vec<VersionId>),
    /// `If-Match: *`: there is a current version.
    Exists,
    /// `If-None-Match: *`: there is none.
    Absent,
}

impl Interaction {
    /// The FHIR or door name, for audit and log.
    pub fn name(&self) -> &'static str {
        match self {
            Interaction::Read(_) => "read",
            Interaction::VersionRead(..) => "vread",
            Interaction::Search(_) => "search-type",
            Interaction::Create(_) => "create",
            Interaction::ConditionalCreate { .. } => "conditional-create",
            Interaction::Update { .. } => "update",
            Interaction::ConditionalUpdate { .. } => "conditional-update",
            Interaction::Delete { .. } => "delete",
            Interaction::FindOrCreate { .. } => "find-or-create",
            Interaction::Edit { .. } => "edit",
        }
    }

    /// The id it names, when it names one.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Interaction::Read(target)
            | Interaction::VersionRead(target, _)
            | Interaction::Update { target, .. }
            | Interaction::Delete { target, .. }
            | Interaction::Edit { target, .. } => Some(&target.id),
            Interaction::Search(_)
            | Interaction::Create(_)
            | Interaction::ConditionalCreate { .. }
            | Interaction::ConditionalUpdate { .. }
            | Interaction::FindOrCreate { .. } => None,
        }
    }

    /// The type it is about.
    pub fn kind(&self) -> ResourceType {
        match self {
            Interaction::Read(target)
            | Interaction::VersionRead(target, _)
            | Interaction::Update { target, .. }
            | Interaction::Delete { target, .. }
            | Interaction::Edit { target, .. } => target.kind,
            Interaction::Search(query) => query.criteria.kind,
            Interaction::Create(resource)
            | Interaction::ConditionalCreate { resource, .. }
            | Interaction::ConditionalUpdate { resource, .. }
            | Interaction::FindOrCreate { resource, .. } => resource.kind(),
        }
    }
}
