//! The handle's shape, until the databases stand behind it.
use crate::{LockSet, Reader, SpaceKey, StoreError, Writer, audit::AuditEntry};
use fhir::Timestamp;
/// The store.
#[derive(Clone)]
pub struct Store;
/// One space of it.
#[derive(Clone)]
pub struct SpaceStore;
impl Store {
    /// The handle of one space.
    pub fn for_space(&self, _space: SpaceKey) -> SpaceStore {
        SpaceStore
    }
    /// The time, by the store's clock.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(0)
    }
    /// Whether the database answers and its schema is ours.
    pub async fn ready(&self) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("stub".into()))
    }
    /// An audit row of something that changes nothing.
    pub fn audit_later(&self, _entry: AuditEntry) {}
}
impl SpaceStore {
    /// Reads.
    pub async fn read<T, E, F>(&self, _f: F) -> Result<T, E>
    where
        F: FnOnce(&mut dyn Reader) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Err(StoreError::Unavailable("stub".into()).into())
    }
    /// Writes.
    pub async fn write<T, E, F>(&self, _locks: LockSet, _f: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Writer) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Err(StoreError::Unavailable("stub".into()).into())
    }
}
