//! The engine and the caller's handle on it.

use std::sync::{Arc, RwLock};

use fhir::Interaction;
use fhir::Timestamp;
use store::{SpaceStore, Store};

use crate::context::{Caller, IdSource};
use crate::error::Error;
use crate::keys::KeySystems;
use crate::reply::Reply;

/// The engine: one per process.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    ids: Arc<dyn IdSource>,
    keys: RwLock<Arc<KeySystems>>,
}

impl Engine {
    /// An engine on this store.
    pub fn new(store: Store, ids: Arc<dyn IdSource>, keys: KeySystems) -> Engine {
        Engine {
            inner: Arc::new(Inner {
                store,
                ids,
                keys: RwLock::new(Arc::new(keys)),
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

impl Session {
    /// Runs one interaction: checks access, does it in one atomic step, audits it. A write's reply means
    /// that it is on disk.
    ///
    /// # Errors
    /// The refusal; nothing was written then.
    pub async fn run(&self, interaction: Interaction) -> Result<Reply, Error> {
        let _ = interaction;
        Err(Error::Forbidden(String::new()))
    }

    /// The time, by the server's clock.
    pub fn now(&self) -> Timestamp {
        self.engine.inner.store.now()
    }
}
