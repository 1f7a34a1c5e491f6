//! The engine and the caller's handle on it.

use std::sync::{Arc, OnceLock, RwLock};

use fhir::interaction::{Keep, Ownership};
use fhir::profile::Profiles;
use fhir::{Id, Interaction, Resource, ResourceType, Timestamp, VersionId};
use store::audit::{AuditEntry, Audited};
use store::{LockSet, SpaceStore, Store, StoreError, Stored, Writer};

use crate::context::{Caller, ClientPolicy, Door, IdSource};
use crate::error::Error;
use crate::keys::KeySystems;
use crate::prepare::{self, BodyId, Valid};
use crate::reply::{Reply, Written};
use crate::scope::{Lacking, Permission};
use crate::{
    audit, create, delete, edit, erase, find_or_create, history, list, matching, patch, pix, read, update,
    validate,
};

/// The engine: one per process.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    ids: Arc<dyn IdSource>,
    keys: RwLock<Arc<KeySystems>>,
    owned: Option<Ownership>,
    profiles: OnceLock<Arc<Profiles>>,
}

impl Engine {
    /// An engine on this store, without doors that own anything in a resource.
    pub fn new(store: Store, ids: Arc<dyn IdSource>, keys: KeySystems) -> Engine {
        Engine::made(store, ids, keys, None)
    }

    /// An engine that keeps what the doors own in a Patient when a FHIR client replaces or patches it.
    pub fn keeping(store: Store, ids: Arc<dyn IdSource>, keys: KeySystems, owned: Ownership) -> Engine {
        Engine::made(store, ids, keys, Some(owned))
    }

    fn made(store: Store, ids: Arc<dyn IdSource>, keys: KeySystems, owned: Option<Ownership>) -> Engine {
        Engine {
            inner: Arc::new(Inner {
                store,
                ids,
                keys: RwLock::new(Arc::new(keys)),
                owned,
                profiles: OnceLock::new(),
            }),
        }
    }

    /// Puts other key systems in force, from the next interaction on.
    pub fn set_key_systems(&self, keys: KeySystems) {
        let mut slot = self
            .inner
            .keys
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *slot = Arc::new(keys);
    }

    /// The same, with profiles that every write which claims them has to meet. They are given once, before the first
    /// interaction.
    #[must_use]
    pub fn with_profiles(self, profiles: Profiles) -> Engine {
        self.inner.profiles.get_or_init(|| Arc::new(profiles));
        self
    }

    /// The store below.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The handle through which this caller runs interactions.
    pub fn for_caller(&self, caller: Arc<Caller>) -> Session {
        let space = self.inner.store.for_space(caller.space);
        Session {
            engine: self.clone(),
            caller,
            space,
        }
    }
}

/// A caller's handle on the engine.
pub struct Session {
    engine: Engine,
    pub(crate) caller: Arc<Caller>,
    pub(crate) space: SpaceStore,
}

/// The interaction by which an import writes.
pub(crate) const FIND_OR_CREATE: &str = "find-or-create";

/// The type that the audit trail says an interaction is about.
fn audited(interaction: &Interaction) -> Option<Audited> {
    match interaction {
        Interaction::ReadAudit(_) | Interaction::SearchAudit(_) => Some(Audited::AuditEvent),
        other => other.kind().map(Audited::from),
    }
}

/// The id that it says it is about.
fn named(interaction: &Interaction) -> Option<Id> {
    match interaction {
        Interaction::ReadAudit(position) => Id::parse(&position.to_string()),
        other => other.id().cloned(),
    }
}

/// What a write carries into its transaction.
pub(crate) struct WriteContext {
    pub(crate) caller: Arc<Caller>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) keys: Arc<KeySystems>,
    pub(crate) keep: Option<Keep>,
    pub(crate) patched: Option<Keep>,
    pub(crate) profiles: Arc<Profiles>,
    interaction: &'static str,
}

impl WriteContext {
    /// Whether it is one of many that are brought together, and may come before one that it names: an import.
    pub(crate) fn may_come_out_of_order(&self) -> bool {
        self.interaction == FIND_OR_CREATE
    }

    /// The name of the interaction, as the audit trail has it.
    pub(crate) fn interaction(&self) -> &'static str {
        self.interaction
    }

    /// The audit row of the version that was just written.
    pub(crate) fn audit(&self, stored: &Stored) -> AuditEntry {
        AuditEntry {
            time: stored.updated,
            request_id: self.caller.request_id.clone(),
            client: self.caller.client.clone(),
            space: Some(self.caller.space),
            door: self.caller.door.as_str(),
            interaction: self.interaction,
            kind: Some(stored.target.kind.into()),
            id: Some(stored.target.id.clone()),
            version: Some(stored.version),
            outcome: "ok",
        }
    }
}

impl Session {
    /// Runs one interaction: checks access, does it in one atomic step, audits it. A write's reply means
    /// that it is on disk.
    ///
    /// # Errors
    /// The refusal; nothing was written then.
    pub async fn run(&self, interaction: Interaction) -> Result<Reply, Error> {
        let (name, kind, id) = (interaction.name(), audited(&interaction), named(&interaction));
        let result = self.dispatch(interaction).await;
        self.audit_unless_written(name, kind, id, result.as_ref())?;
        result
    }

    /// A fresh id.
    pub fn fresh_id(&self) -> Id {
        self.engine.inner.ids.next()
    }

    /// A fresh id for the Medicapp doors to show.
    pub fn fresh_patient_id(&self) -> String {
        self.engine.inner.ids.next_patient_id()
    }

    /// The time, by the server's clock.
    pub fn now(&self) -> Timestamp {
        self.engine.inner.store.now()
    }

    async fn dispatch(&self, interaction: Interaction) -> Result<Reply, Error> {
        match interaction {
            Interaction::Read(target) => read::read(self, target).await.map(Reply::Resource),
            Interaction::VersionRead(target, version) => read::version_read(self, target, version)
                .await
                .map(Reply::Resource),
            Interaction::Search(query) => read::search(self, query).await.map(Reply::Page),
            Interaction::ReadAudit(position) => audit::read(self, position)
                .await
                .map(|recorded| Reply::AuditEvent(Box::new(recorded))),
            Interaction::SearchAudit(query) => audit::search(self, query).await.map(Reply::AuditPage),
            Interaction::History(history) => history::history(self, history).await.map(Reply::History),
            Interaction::Create(resource) => create::create(self, resource).await.map(Reply::Written),
            Interaction::ConditionalCreate { criteria, resource } => {
                create::conditional_create(self, criteria, resource)
                    .await
                    .map(Reply::Written)
            }
            Interaction::Update {
                target,
                resource,
                precondition,
            } => update::update(self, target, resource, precondition)
                .await
                .map(Reply::Written),
            Interaction::ConditionalUpdate {
                criteria,
                resource,
                precondition,
            } => update::conditional_update(self, criteria, resource, precondition)
                .await
                .map(Reply::Written),
            Interaction::Patch {
                target,
                change,
                precondition,
            } => patch::patch(self, target, change, precondition)
                .await
                .map(Reply::Written),
            Interaction::ConditionalPatch {
                criteria,
                change,
                precondition,
            } => patch::conditional_patch(self, criteria, change, precondition)
                .await
                .map(Reply::Written),
            Interaction::Delete { target, precondition } => delete::delete(self, target, precondition)
                .await
                .map(Reply::Deleted),
            Interaction::ConditionalDelete {
                criteria,
                precondition,
            } => delete::conditional_delete(self, criteria, precondition)
                .await
                .map(Reply::Deleted),
            Interaction::FindOrCreate(wanted) => find_or_create::find_or_create(self, wanted)
                .await
                .map(Reply::Written),
            Interaction::Edit {
                target,
                edit,
                precondition,
            } => edit::edit(self, target, edit, precondition)
                .await
                .map(Reply::Written),
            Interaction::Erase(target) => erase::erase(self, target).await.map(Reply::Deleted),
            Interaction::EraseAgain(target) => erase::erase_again(self, target).await.map(Reply::Deleted),
            Interaction::List(listing) => list::list(self, listing).await.map(Reply::List),
            Interaction::Records(target) => list::records(self, target).await.map(Reply::Records),
            Interaction::Match(sought) => matching::run(self, sought).await.map(Reply::Matches),
            Interaction::CrossReference { source, targets } => {
                pix::run(self, source, targets).await.map(Reply::CrossReferenced)
            }
            Interaction::Validate(wanted) => validate::run(self, wanted).await.map(Reply::Issues),
        }
    }

    /// Refuses what the caller's scopes or policy do not allow.
    pub(crate) fn allow(&self, kind: ResourceType, permission: Permission) -> Result<(), Error> {
        if self.caller.policy == ClientPolicy::SasRegulator && kind != ResourceType::Practitioner {
            return Err(Error::Forbidden(format!(
                "This client manages regulators' accounts: it may use Practitioner, not {kind}."
            )));
        }
        if self.caller.scopes.allow(kind, permission) {
            return Ok(());
        }
        Err(Error::Scope(Lacking::Of(kind, permission)))
    }

    /// Refuses an interaction that the regulator policy has no use for, naming the one it has.
    pub(crate) fn refuse_to_policy(&self, what: &str, instead: &str) -> Result<(), Error> {
        match self.caller.policy {
            ClientPolicy::None => Ok(()),
            ClientPolicy::SasRegulator => Err(Error::Forbidden(format!(
                "A client with the regulator policy may not {what}. Use {instead}."
            ))),
        }
    }

    /// Validates a resource as this caller's.
    pub(crate) fn validate(&self, resource: Resource, id: BodyId) -> Result<Valid, Error> {
        prepare::validate(resource, &self.caller, id, &self.profiles())
    }

    /// The profiles that are enforced.
    pub(crate) fn profiles(&self) -> Arc<Profiles> {
        Arc::clone(self.engine.inner.profiles.get_or_init(Arc::default))
    }

    pub(crate) fn keys(&self) -> Arc<KeySystems> {
        let slot = self
            .engine
            .inner
            .keys
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(&slot)
    }

    pub(crate) fn write_context(&self, interaction: &'static str) -> WriteContext {
        let is_fhir = self.caller.door == Door::Fhir;
        let owned = self.engine.inner.owned.as_ref().filter(|_| is_fhir);
        WriteContext {
            caller: Arc::clone(&self.caller),
            ids: Arc::clone(&self.engine.inner.ids),
            keys: self.keys(),
            profiles: self.profiles(),
            keep: owned.map(|owned| Arc::clone(&owned.replaced)),
            patched: owned.map(|owned| Arc::clone(&owned.patched)),
            interaction,
        }
    }

    /// Runs a write under these locks; in a space whose changes partners list by time, in the order of the commits.
    pub(crate) async fn write<F, T, E>(&self, mut locks: LockSet, write: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Writer) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        locks.in_order = self.keys().allocates_patient_ids(self.caller.space);
        self.space.write(locks, write).await
    }

    /// Reads, refusals and writes that changed nothing are audited in the next batch; a change carries its
    /// row in its own transaction.
    pub(crate) fn audit_unless_written(
        &self,
        interaction: &'static str,
        kind: Option<Audited>,
        named: Option<Id>,
        result: Result<&Reply, &Error>,
    ) -> Result<(), Error> {
        match result {
            Ok(_) => self.caller.witness.done(),
            Err(_) => self.caller.witness.refused(),
        }
        let (id, version, outcome): (Option<Id>, Option<VersionId>, &'static str) = match result {
            Ok(Reply::Written(reply)) if matches!(reply.written, Written::Created | Written::Updated) => {
                return Ok(());
            }
            Ok(Reply::Deleted(Some(_))) => return Ok(()),
            Ok(Reply::Written(reply)) => (
                Some(reply.stored.target.id.clone()),
                Some(reply.stored.version),
                "unchanged",
            ),
            Ok(Reply::Deleted(None)) => (named, None, "unchanged"),
            Ok(Reply::Resource(stored)) => (Some(stored.target.id.clone()), Some(stored.version), "ok"),
            Ok(Reply::Page(_) | Reply::List(_) | Reply::Matches(_) | Reply::AuditPage(_)) => {
                (None, None, "ok")
            }
            Ok(Reply::CrossReferenced(found)) => (Some(found.target.id.clone()), None, "ok"),
            Ok(Reply::History(_) | Reply::Records(_) | Reply::Issues(_) | Reply::AuditEvent(_)) => {
                (named, None, "ok")
            }
            Err(error) => (named, None, error.code().as_str()),
        };
        let recorded = self.engine.inner.store.audit_later(AuditEntry {
            time: self.now(),
            request_id: self.caller.request_id.clone(),
            client: self.caller.client.clone(),
            space: Some(self.caller.space),
            door: self.caller.door.as_str(),
            interaction,
            kind,
            id,
            version,
            outcome,
        });
        // What cannot be recorded is not answered (503); a refusal is one already.
        match (recorded, result) {
            (Err(error), Ok(_)) => Err(Error::Store(error)),
            (_, _) => Ok(()),
        }
    }
}
