//! The store's vocabulary: what is stored, and the two traits that reach it.

use fhir::canonical::{Canonical, Digest};
use fhir::index::IndexRows;
use fhir::query::{Criteria, Query};
use fhir::{Id, Identifier, ResourceType, Target, Timestamp, VersionId};

use crate::audit::AuditEntry;
use crate::error::StoreError;

/// The number of a space: first column of every table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceKey(pub i64);

/// Which rules a resource obeys; fixed when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// FHIR's own.
    Ordinary,
    /// A regulator's account (`FrPractitionerRegul`).
    Account,
}

/// Which classes a read or a match may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassFilter {
    /// Every class.
    Any,
    /// Only this one.
    Only(Class),
}

/// Whose uniqueness rule a key row follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// A configured key identifier system.
    KeySystem,
    /// The identity of regulator accounts.
    Account,
}

/// What a key row means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyState {
    /// A past identifier of the resource (an alias).
    Retired,
    /// Carried by the current version, but not owning: a disabled account, an inactive resource under
    /// `unique = "active"`.
    Held,
    /// Carried and owned: at most one resource of the space, type and policy.
    Owning,
}

/// A key row to be written with a version. Retired rows are made by the store: a key that the previous
/// version had and the new one has not becomes retired when its policy is [`Policy::Account`], and goes
/// away otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyRow {
    /// The rule it follows.
    pub policy: Policy,
    /// System and value.
    pub identifier: Identifier,
    /// [`KeyState::Owning`] or [`KeyState::Held`].
    pub state: KeyState,
}

/// A resource as it lies in the store.
#[derive(Clone)]
pub struct Stored {
    /// The storage address within the space. Never leaves the server.
    pub row: i64,
    /// Type and id.
    pub target: Target,
    /// The version.
    pub version: VersionId,
    /// When this version was written.
    pub updated: Timestamp,
    /// Whether this version is a deletion. Then `body` is empty.
    pub deleted: bool,
    /// Its class.
    pub class: Class,
    /// The digest of its content.
    pub digest: Digest,
    /// The text as served.
    pub body: String,
}

/// A resource that has a key row for an identifier, deleted ones never.
#[derive(Clone)]
pub struct Holder {
    /// What the row means.
    pub state: KeyState,
    /// The resource, current version.
    pub stored: Stored,
}

/// A version to be written.
#[derive(Clone)]
pub struct NewResource {
    /// The class (on a replacement: that of the stored one).
    pub class: Class,
    /// The content.
    pub canonical: Canonical,
    /// By which it is found.
    pub index: IndexRows,
    /// Its keys, sorted, without duplicates.
    pub keys: Vec<KeyRow>,
}

/// One page of a search.
pub struct Page {
    /// The matches.
    pub matches: Vec<Stored>,
    /// All matches, when asked for.
    pub total: Option<u64>,
    /// The sealed cursor of the next page.
    pub next: Option<String>,
}

/// What a write must exclude others from. Taken in one sorted sweep before the first statement on
/// PostgreSQL; on SQLite the one writer excludes everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSet {
    /// Identifier *values* (of criteria and body, whatever the system: a criterion may name none).
    pub values: Vec<String>,
    /// Resources named by id.
    pub targets: Vec<Target>,
    /// A type that the criteria may find by something else than an identifier value: excludes every
    /// writer of the type.
    pub whole: Option<ResourceType>,
    /// The type written; its writers share a lock that `whole` excludes.
    pub shared: Option<ResourceType>,
}

/// Reads of one space.
pub trait Reader {
    /// The current version, a deletion included.
    fn get(&mut self, target: &Target) -> Result<Option<Stored>, StoreError>;

    /// One version, a deletion included.
    fn version(&mut self, target: &Target, version: VersionId) -> Result<Option<Stored>, StoreError>;

    /// At most `limit` live matches, oldest first.
    fn matches(
        &mut self,
        criteria: &Criteria,
        class: ClassFilter,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError>;

    /// A page of a search.
    fn search(&mut self, query: &Query, class: ClassFilter) -> Result<Page, StoreError>;

    /// The live resources that have a key row of this policy and identifier: owning first, then held, then
    /// retired; within a state the most recently changed first.
    fn holders(
        &mut self,
        kind: ResourceType,
        policy: Policy,
        identifier: &Identifier,
    ) -> Result<Vec<Holder>, StoreError>;
}

/// Reads and writes inside one transaction of one space.
pub trait Writer: Reader {
    /// The current version, locked until the transaction ends (PostgreSQL: `FOR UPDATE`).
    fn get_for_update(&mut self, target: &Target) -> Result<Option<Stored>, StoreError>;

    /// Creates version 1. `Ok(None)`: the id is in use (also by a deletion).
    fn insert(&mut self, id: &Id, new: &NewResource) -> Result<Option<Stored>, StoreError>;

    /// Writes the version after `current` (also revives a deletion). `current` must have been read in this
    /// transaction; when it is no longer current the transaction is run again.
    fn replace(&mut self, current: &Stored, new: &NewResource) -> Result<Stored, StoreError>;

    /// Writes a deletion after `current`: frees its keys, removes its index rows, keeps its history.
    fn remove(&mut self, current: &Stored) -> Result<Stored, StoreError>;

    /// Adds the audit row of this change.
    fn audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError>;
}
