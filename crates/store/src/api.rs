//! The store's vocabulary: what is stored, and the two traits that reach it.

use fhir::canonical::{Canonical, Digest};
use fhir::index::{IndexRows, TokenRow};
use fhir::interaction::Listing;
use fhir::query::history::History;
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

/// An id for the Medicapp doors, to be given to a Patient who was stored without.
#[derive(Clone)]
pub struct AllocatedId {
    /// Whose: [`Stored::row`].
    pub row: i64,
    /// The id.
    pub id: String,
    /// By which the Patient is found.
    pub token: TokenRow,
    /// By which nobody else gets it.
    pub key: KeyRow,
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
    /// When the first version was written.
    pub created: Timestamp,
    /// Who wrote the first version: the author of [`Writer::insert`].
    pub created_by: String,
    /// Who wrote this version.
    pub updated_by: String,
    /// The id that the Medicapp doors show, when one was allocated or the resource carries one.
    pub medicapp_id: Option<String>,
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
    /// The id that the Medicapp doors show.
    pub medicapp_id: Option<String>,
    /// Whether a link says that another resource took this one's place.
    pub replaced: bool,
}

/// One page of a search.
#[derive(Default)]
pub struct Page {
    /// The matches.
    pub matches: Vec<Stored>,
    /// What was asked for beside them, none of them a match of this page.
    pub included: Included,
    /// All matches, when asked for.
    pub total: Option<u64>,
    /// The sealed cursor of the next page.
    pub next: Option<String>,
    /// The sealed cursor of the page before.
    pub previous: Option<String>,
}

/// What a page shows beside its matches: each resource once, in order of creation.
#[derive(Default)]
pub struct Included {
    /// The resources.
    pub resources: Vec<Stored>,
    /// There are more than [`fhir::limits::MAX_INCLUDED`].
    pub cut: bool,
}

/// Whose versions a history shows.
#[derive(Clone, Copy)]
pub enum Whose<'a> {
    /// Those of this resource.
    One(&'a Stored),
    /// Those of all resources of these types.
    All(&'a [ResourceType]),
}

/// A version in a history.
#[derive(Clone)]
pub struct Past {
    /// The version.
    pub stored: Stored,
    /// Whether the version before it was a deletion.
    pub revived: bool,
}

/// One page of a history, newest version first, from one snapshot.
pub struct HistoryPage {
    /// The versions.
    pub versions: Vec<Past>,
    /// All versions that the filters leave, when asked for.
    pub total: Option<u64>,
    /// The sealed cursor of the page of older versions.
    pub next: Option<String>,
    /// The sealed cursor of the page of newer versions.
    pub previous: Option<String>,
}

/// One page of a list, from one snapshot.
pub struct ListPage {
    /// The resources in order of creation.
    pub resources: Vec<Stored>,
    /// All that the filters leave.
    pub total: u64,
    /// The records of those on the page, oldest first.
    pub records: Vec<Record>,
}

/// A partner's record (dossier) of a patient: known to exist, not held here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose: [`Stored::row`].
    pub row: i64,
    /// Its id.
    pub id: String,
    /// Its status, in the partner's word.
    pub status: String,
    /// When it was attached.
    pub created: Timestamp,
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
    /// The same as `whole` of further types, when several are written.
    pub also_whole: Vec<ResourceType>,
    /// The same as `shared` of further types.
    pub also_shared: Vec<ResourceType>,
    /// Whether the times of this space are taken in the order of the commits, so that who lists by time never
    /// misses a change. SQLite's one writer does so always; on PostgreSQL the writers of a space then wait for
    /// each other from their first change on.
    pub in_order: bool,
}

impl LockSet {
    /// What both exclude others from.
    #[must_use]
    pub fn join(mut self, other: LockSet) -> LockSet {
        self.values.extend(other.values);
        self.targets.extend(other.targets);
        self.also_whole.extend(other.whole);
        self.also_whole.extend(other.also_whole);
        self.also_shared.extend(other.shared);
        self.also_shared.extend(other.also_shared);
        for list in [&mut self.also_whole, &mut self.also_shared] {
            list.sort_unstable();
            list.dedup();
        }
        LockSet {
            in_order: self.in_order || other.in_order,
            ..self
        }
    }
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

    /// A page of a history. What `history` says of its scope is left aside: `whose` has it.
    fn history(
        &mut self,
        history: &History,
        whose: Whose<'_>,
        class: ClassFilter,
    ) -> Result<HistoryPage, StoreError>;

    /// The live resources that have a key row of this policy and identifier: owning first, then held, then
    /// retired; within a state the most recently changed first.
    fn holders(
        &mut self,
        kind: ResourceType,
        policy: Policy,
        identifier: &Identifier,
    ) -> Result<Vec<Holder>, StoreError>;

    /// A page of a list.
    fn list(&mut self, listing: &Listing) -> Result<ListPage, StoreError>;

    /// The records of a resource, oldest first.
    fn records(&mut self, stored: &Stored) -> Result<Vec<Record>, StoreError>;

    /// The live Patients behind `after` (a [`Stored::row`]) that have no id for the Medicapp doors, in order of rows.
    fn without_medicapp_id(&mut self, after: i64, limit: usize) -> Result<Vec<Stored>, StoreError>;

    /// Whether the resource of this id was erased. What was deleted otherwise was not.
    fn is_erased(&mut self, target: &Target) -> Result<bool, StoreError>;

    /// Whether nothing is left of a resource: every version is a deletion without content, and it has no records.
    fn is_empty(&mut self, stored: &Stored) -> Result<bool, StoreError>;

    /// The highest row of the space; 0: there is none.
    fn last_row(&mut self) -> Result<i64, StoreError>;

    /// The versions, superseded ones too, whose body holds one of these texts. Reads every body of the part: for what is
    /// rare.
    fn mentioning(&mut self, texts: &[String], among: Among) -> Result<Vec<Stored>, StoreError>;

    /// The superseded versions of a resource behind one, oldest first.
    fn past(
        &mut self,
        stored: &Stored,
        after: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError>;
}

/// A part of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// The rows behind the first, up to the second.
    Rows(i64, i64),
    /// What was written then or later.
    Since(Timestamp),
}

/// Who erased somebody.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// The author of the deletion.
    pub author: &'a str,
    /// The client.
    pub client: &'a str,
    /// The request.
    pub request_id: &'a str,
    /// Why.
    pub occasion: Occasion,
}

/// Why somebody is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A client asked for it: the ledger gets a line.
    Asked,
    /// The ledger says so, which has its line.
    Ledger,
}

/// Reads and writes inside one transaction of one space.
pub trait Writer: Reader {
    /// The current version, locked until the transaction ends (PostgreSQL: `FOR UPDATE`).
    fn get_for_update(&mut self, target: &Target) -> Result<Option<Stored>, StoreError>;

    /// Creates version 1, in the name of `author`. `Ok(None)`: the id is in use (also by a deletion).
    fn insert(&mut self, id: &Id, new: &NewResource, author: &str) -> Result<Option<Stored>, StoreError>;

    /// Writes the version after `current` (also revives a deletion). `current` must have been read in this
    /// transaction; when it is no longer current the transaction is run again.
    fn replace(&mut self, current: &Stored, new: &NewResource, author: &str) -> Result<Stored, StoreError>;

    /// Writes a deletion after `current`: frees its keys, removes its index rows, keeps its history.
    fn remove(&mut self, current: &Stored, author: &str) -> Result<Stored, StoreError>;

    /// Writes a deletion after `current` and removes what all versions hold, its keys, index rows and records. What
    /// stays are the versions' numbers, times and authors, and `trace`, with a keyed digest of the last content. A
    /// deletion can be erased too.
    fn erase(&mut self, current: &Stored, trace: &Trace<'_>) -> Result<Stored, StoreError>;

    /// Leaves the tombstone of somebody who was erased elsewhere and of whom nothing is here: a deletion as version 1.
    /// `Ok(None)`: the id is in use.
    fn bury(&mut self, target: &Target, trace: &Trace<'_>) -> Result<Option<Stored>, StoreError>;

    /// Writes other content into a superseded version, in its place: what it said of somebody who is erased goes.
    fn rewrite_past(&mut self, version: &Stored, content: &Canonical) -> Result<(), StoreError>;

    /// Gives Patients their ids for the Medicapp doors, with the key and index rows that find them by these; passes over
    /// who has one by now, or is deleted. Makes no versions. How many got theirs. All have one system and parameter.
    fn give_medicapp_ids(&mut self, given: &[AllocatedId]) -> Result<u64, StoreError>;

    /// Attaches a record, or changes its status. Makes no version.
    fn put_record(&mut self, record: &Record) -> Result<(), StoreError>;

    /// Adds the audit row of this change.
    fn audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::LockSet;
    use fhir::ResourceType::{Patient, Practitioner};

    #[test]
    fn joined_locks_exclude_whatever_either_excludes() {
        let one = LockSet {
            values: vec!["a".to_owned()],
            shared: Some(Patient),
            ..LockSet::default()
        };
        let other = LockSet {
            values: vec!["b".to_owned()],
            whole: Some(Practitioner),
            shared: Some(Patient),
            in_order: true,
            ..LockSet::default()
        };
        let joined = one.join(other.clone()).join(other);
        assert_eq!(joined.values, ["a", "b", "b"]);
        assert_eq!(joined.shared, Some(Patient));
        assert_eq!(joined.also_shared, [Patient]);
        assert_eq!(joined.also_whole, [Practitioner]);
        assert!(joined.in_order);
    }
}
