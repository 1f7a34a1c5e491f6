//! What an interaction answers when it is not refused.

use fhir::Issue;
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
    /// History.
    History(HistoryPage),
    /// List.
    List(ListPage),
    /// Validate: all that is to be said of the resource; never empty.
    Validated(Vec<Issue>),
    /// Records, oldest first.
    Records(Vec<Record>),
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
