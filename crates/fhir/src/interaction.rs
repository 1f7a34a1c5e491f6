//! Everything that can be asked. FHIR routes and adapters build one, the engine runs one, and there is no
//! other way in.

use std::sync::Arc;

use crate::id::{Id, Target, VersionId};
use crate::identifier::Identifier;
use crate::outcome::Issue;
use crate::query::audit::AuditQuery;
use crate::query::history::{History, Scope};
use crate::query::{Criteria, Level, Query};
use crate::resource::{Resource, ResourceType};
use crate::time::Timestamp;

/// An interaction — <https://hl7.org/fhir/R4/http.html>, and the few that the doors need and FHIR lacks.
pub enum Interaction {
    /// <https://hl7.org/fhir/R4/http.html#read>
    Read(Target),
    /// <https://hl7.org/fhir/R4/http.html#vread>
    VersionRead(Target, VersionId),
    /// <https://hl7.org/fhir/R4/search.html>
    Search(Query),
    /// <https://hl7.org/fhir/R4/http.html#history>
    History(History),
    /// <https://hl7.org/fhir/R4/http.html#read> of the AuditEvent at this position of the space's trail.
    ReadAudit(i64),
    /// <https://hl7.org/fhir/R4/search.html> of the trail.
    SearchAudit(AuditQuery),
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
    /// <https://hl7.org/fhir/R4/http.html#patch>
    Patch {
        /// Which resource.
        target: Target,
        /// What the patch makes of it.
        change: Edit,
        /// The versions it may change.
        precondition: Precondition,
    },
    /// The same of the one resource that criteria match.
    ConditionalPatch {
        /// The criteria of the URL.
        criteria: Criteria,
        /// What the patch makes of the match.
        change: Edit,
        /// The versions it may change.
        precondition: Precondition,
    },
    /// <https://hl7.org/fhir/R4/http.html#delete>
    Delete {
        /// Which resource.
        target: Target,
        /// The versions it may remove.
        precondition: Precondition,
    },
    /// <https://hl7.org/fhir/R4/http.html#delete>, of the one resource that the criteria find.
    ConditionalDelete {
        /// The criteria of the URL.
        criteria: Criteria,
        /// The versions it may remove.
        precondition: Precondition,
    },
    /// Finds one among the matches of several searches, or creates, in one atomic step.
    FindOrCreate(FindOrCreate),
    /// Reads, changes, checks and writes in one transaction.
    Edit {
        /// Which resource.
        target: Target,
        /// The change.
        edit: Edit,
        /// The versions it may change.
        precondition: Precondition,
    },
    /// Removes a person for good: every version's content, keys, index rows and records. What stays is that there
    /// was something, when it was changed and by whom (`access.md` 4).
    Erase(Target),
    /// The same, done again in a database that was restored from an older backup. Where nothing of that id is, a
    /// tombstone keeps it from being used.
    EraseAgain(Target),
    /// The resources of a type in order of creation, page by page, as partners list them.
    List(Listing),
    /// What is attached to a resource beside it: a partner's records.
    Records(Target),
    /// <https://hl7.org/fhir/R4/resource-operation-validate.html>: what would be said of a write; nothing is written.
    Validate(Validation),
    /// <https://hl7.org/fhir/R4/patient-operation-match.html>
    Match(Sought),
    /// The other identifiers of a patient — PIXm ITI-83, <https://profiles.ihe.net/ITI/PIXm/ITI-83.html>
    CrossReference {
        /// By which the patient is known.
        source: Identifier,
        /// The systems whose identifiers are wanted; none: all.
        targets: Vec<String>,
    },
}

/// Who is looked for.
pub struct Sought {
    /// What is known of the patient.
    pub patient: Resource,
    /// Nobody is wanted whom it is not certain to be.
    pub only_certain: bool,
    /// How many are wanted at most.
    pub count: Option<usize>,
}

/// What is to be validated, and as what.
pub struct Validation {
    /// The type.
    pub kind: ResourceType,
    /// The resource that it is about, when it is about one that is there.
    pub id: Option<Id>,
    /// Its content.
    pub content: Content,
    /// For which interaction.
    pub mode: ValidationMode,
    /// The profiles that it has to follow, beside those that it claims: canonical URLs.
    pub profiles: Vec<String>,
}

/// The content of a [`Validation`].
pub enum Content {
    /// What was sent.
    Sent(Resource),
    /// What was sent and is malformed: all that is wrong with it.
    Malformed(Vec<Issue>),
    /// Nothing was sent: what is there.
    Stored,
}

/// <https://hl7.org/fhir/R4/valueset-resource-validation-mode.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidationMode {
    /// The content alone.
    Content,
    /// As a create.
    Create,
    /// As an update.
    Update,
    /// As a delete: nothing is said of the content.
    Delete,
}

/// The change of an [`Interaction::Edit`]: pure, and may run more than once (a version clash runs it again).
pub type Edit = Box<dyn Fn(&Resource) -> Result<Resource, Refusal> + Send + Sync>;

/// What the doors own in a stored resource, put back into one that a FHIR client sends to take its place
/// (`adapters.md` 5.3 R2): of the stored one, the id that the Medicapp doors show if one was allocated, and the sent
/// one, the resource to be stored; `None` when that is the sent one as it is. Pure, and may run more than once.
pub type Keep =
    Arc<dyn Fn(&Resource, Option<&str>, &Resource) -> Result<Option<Resource>, Refusal> + Send + Sync>;

/// What the doors own in a resource, against FHIR clients (`adapters.md` 5.3 R2).
#[derive(Clone)]
pub struct Ownership {
    /// When a client sends a resource in the place of the stored one.
    pub replaced: Keep,
    /// When a client patches the stored one: of that, the id that the Medicapp doors show, and what the patch made; what
    /// is to be stored, `None` for that as it is.
    pub patched: Keep,
}

/// A search for somebody who may be there already, and who to create otherwise.
pub struct FindOrCreate {
    /// What may find the resource. All live matches of all of them are candidates, each once: those of the first
    /// search first, of one search the oldest first.
    pub searches: Vec<Criteria>,
    /// Which of the candidates it is.
    pub judge: Judge,
    /// Texts under which no two of these may run at the same time, beside the identifiers of resource and
    /// searches: what else could make two of them equal.
    pub alone: Vec<String>,
    /// The resource to create when it is none of them.
    pub resource: Resource,
    /// Its id, for a door that shows it elsewhere in the resource too; `None`: a fresh one. It must be one
    /// that nobody has used.
    pub id: Option<Id>,
}

/// Judges the candidates of a [`FindOrCreate`]: pure, and may run more than once.
pub type Judge = Box<dyn Fn(&[Resource]) -> Judgement + Send + Sync>;

/// What a [`Judge`] says. A remark is for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is this candidate, which is left alone.
    Found {
        /// Its position among the candidates.
        position: usize,
        /// What to tell.
        remark: Option<&'static str>,
    },
    /// It is none of them.
    Create {
        /// What to tell.
        remark: Option<&'static str>,
    },
    /// The request is refused.
    Refuse(Refusal),
}

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The type.
    pub kind: ResourceType,
    /// Only what was created later than this.
    pub created_after: Option<Timestamp>,
    /// Only what was modified later than this; an attached record modifies its resource.
    pub modified_after: Option<Timestamp>,
    /// Whether those that a merge replaced are listed.
    pub replaced: Replaced,
    /// How many stand before the page.
    pub offset: u64,
    /// How many stand on it, at most.
    pub count: u32,
}

/// Resources with a `replaced-by` link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// They count.
    Shown,
    /// They do not.
    Hidden,
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
            Interaction::Search(query) => match query.level {
                Level::Type => "search-type",
                Level::System => "search-system",
            },
            Interaction::ReadAudit(_) => "read",
            Interaction::SearchAudit(_) => "search-type",
            Interaction::History(history) => match history.scope {
                Scope::Resource(_) => "history-instance",
                Scope::Type(_) => "history-type",
                Scope::System => "history-system",
            },
            Interaction::Create(_) => "create",
            Interaction::ConditionalCreate { .. } => "conditional-create",
            Interaction::Update { .. } => "update",
            Interaction::ConditionalUpdate { .. } => "conditional-update",
            Interaction::Patch { .. } => "patch",
            Interaction::ConditionalPatch { .. } => "conditional-patch",
            Interaction::Delete { .. } => "delete",
            Interaction::ConditionalDelete { .. } => "conditional-delete",
            Interaction::FindOrCreate(_) => "find-or-create",
            Interaction::Edit { .. } => "edit",
            Interaction::Erase(_) => "erase",
            Interaction::EraseAgain(_) => "erase-again",
            Interaction::List(_) => "list",
            Interaction::Records(_) => "records",
            Interaction::Validate(_) => "validate",
            Interaction::CrossReference { .. } => "ihe-pix",
            Interaction::Match(_) => "match",
        }
    }

    /// The id it names, when it names one.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Interaction::Read(target)
            | Interaction::VersionRead(target, _)
            | Interaction::Update { target, .. }
            | Interaction::Patch { target, .. }
            | Interaction::Delete { target, .. }
            | Interaction::Edit { target, .. }
            | Interaction::Erase(target)
            | Interaction::EraseAgain(target)
            | Interaction::Records(target) => Some(&target.id),
            Interaction::History(history) => match &history.scope {
                Scope::Resource(target) => Some(&target.id),
                Scope::Type(_) | Scope::System => None,
            },
            Interaction::Validate(validation) => validation.id.as_ref(),
            Interaction::Search(_)
            | Interaction::ReadAudit(_)
            | Interaction::SearchAudit(_)
            | Interaction::CrossReference { .. }
            | Interaction::Match(_)
            | Interaction::Create(_)
            | Interaction::ConditionalCreate { .. }
            | Interaction::ConditionalUpdate { .. }
            | Interaction::ConditionalDelete { .. }
            | Interaction::ConditionalPatch { .. }
            | Interaction::FindOrCreate(_)
            | Interaction::List(_) => None,
        }
    }

    /// The stored type it is about, when it is about one.
    pub fn kind(&self) -> Option<ResourceType> {
        let kind = match self {
            Interaction::Read(target)
            | Interaction::VersionRead(target, _)
            | Interaction::Update { target, .. }
            | Interaction::Patch { target, .. }
            | Interaction::Delete { target, .. }
            | Interaction::Edit { target, .. }
            | Interaction::Erase(target)
            | Interaction::EraseAgain(target)
            | Interaction::Records(target) => target.kind,
            Interaction::History(history) => match &history.scope {
                Scope::Resource(target) => target.kind,
                Scope::Type(kind) => *kind,
                Scope::System => return None,
            },
            // An AuditEvent is no stored resource.
            Interaction::ReadAudit(_) | Interaction::SearchAudit(_) => return None,
            Interaction::ConditionalPatch { criteria, .. } => criteria.kind,
            Interaction::Validate(validation) => validation.kind,
            Interaction::CrossReference { .. } | Interaction::Match(_) => ResourceType::Patient,
            Interaction::Search(query) => query.criteria.kind,
            Interaction::ConditionalDelete { criteria, .. } => criteria.kind,
            Interaction::List(listing) => listing.kind,
            Interaction::FindOrCreate(wanted) => wanted.resource.kind(),
            Interaction::Create(resource)
            | Interaction::ConditionalCreate { resource, .. }
            | Interaction::ConditionalUpdate { resource, .. } => resource.kind(),
        };
        Some(kind)
    }
}
