//! What an interaction answers when it is not refused.

use fhir::identity::Judgement;
use fhir::{Issue, Target};
use serde_json::Value;
use store::trail::{AuditPage, Recorded};
use store::{HistoryPage, ListPage, Page, Record, Stored};

/// The answer to an interaction.
pub enum Reply {
    /// Read and version read: the version asked for.
    Resource(Stored),
    /// Every write but delete, and conditional create.
    Written(WriteReply),
    /// Delete and erase: the deletion, or nothing when there was nothing to delete.
    Deleted(Option<Stored>),
    /// Search.
    Page(Page),
    /// Read of the audit trail.
    AuditEvent(Box<Recorded>),
    /// Search of the audit trail.
    AuditPage(AuditPage),
    /// History.
    History(HistoryPage),
    /// List.
    List(ListPage),
    /// Records, oldest first.
    Records(Vec<Record>),
    /// Who a patient may be, the likeliest first.
    Matches(Matches),
    /// The other identifiers of a patient.
    CrossReferenced(CrossReferenced),
    /// What there is to say of something, errors first or in the order of the document.
    Issues(Vec<Issue>),
}

/// Who a patient may be.
pub struct Matches {
    /// How many there are.
    pub total: usize,
    /// Those that were wanted, the likeliest first.
    pub scored: Vec<Scored>,
}

/// One of them.
pub struct Scored {
    /// The patient.
    pub stored: Stored,
    /// How likely it is.
    pub judgement: Judgement,
}

/// A patient as other domains know it.
pub struct CrossReferenced {
    /// The patient: the survivor, when it was merged.
    pub target: Target,
    /// Its identifiers, whole, but for that it was asked by.
    pub identifiers: Vec<Value>,
    /// Whether identifiers of some systems only were asked for.
    pub is_limited: bool,
}

/// The answer to a write.
pub struct WriteReply {
    /// What happened.
    pub written: Written,
    /// The resource as it is now.
    pub stored: Stored,
    /// Warnings and information about the sent resource.
    pub issues: Vec<Issue>,
    /// What the judge of a find-or-create has to tell whoever asked.
    pub remark: Option<&'static str>,
    /// Whether the answer may hold the resource.
    pub body: Body,
}

/// Whether the answer to a write may hold the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// As the caller prefers.
    Shown,
    /// The caller wrote nothing of it and may not read it: version and place alone.
    Withheld,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A resource that did not exist, or was deleted: 201.
    Created,
    /// A new version: 200.
    Updated,
    /// The result equals what was stored: 200, no new version.
    Unchanged,
    /// A conditional create, or a find-or-create, found it and left it alone: 200.
    Found,
}
