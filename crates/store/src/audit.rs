//! The audit trail. No names, identifiers, bodies: who did what to which resource, and how it ended.

use fhir::{Id, ResourceType, Timestamp, VersionId};

use crate::api::SpaceKey;

/// One audit row.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// When, by the server's clock. Rows of a change get the time of the change.
    pub time: Timestamp,
    /// The request's id.
    pub request_id: String,
    /// The client's id; empty when nobody was recognised.
    pub client: String,
    /// The space; `None` when the request was refused before one was known.
    pub space: Option<SpaceKey>,
    /// The door's name.
    pub door: &'static str,
    /// The interaction's name.
    pub interaction: &'static str,
    /// The type, when there is one.
    pub kind: Option<ResourceType>,
    /// The id, when one is known.
    pub id: Option<Id>,
    /// The version read or written.
    pub version: Option<VersionId>,
    /// `ok`, `unchanged`, or the issue code of the refusal.
    pub outcome: &'static str,
}
