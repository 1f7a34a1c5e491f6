//! The id that the Medicapp doors show, allocated with every Patient of a space that one of them is bound to
//! (`adapters.md` 5.4). It stands in the key and index rows beside the resource, so that it is found, and reads never
//! write.

use std::sync::Arc;

use fhir::index::TokenRow;
use fhir::query::IndexParam;
use fhir::{Identifier, ResourceType};
use store::{
    AllocatedId, Class, KeyRow, KeyState, LockSet, NewResource, Policy, SpaceKey, Store, StoreError, Stored,
};

use crate::context::IdSource;
use crate::keys::KeySystems;

/// The new resource with an allocated id; `None` when it needs none, or carries one.
pub(crate) fn allocate(
    keys: &KeySystems,
    space: SpaceKey,
    new: &NewResource,
    fresh: impl FnOnce() -> String,
) -> Option<NewResource> {
    let wanted = new.canonical.kind() == ResourceType::Patient
        && new.class == Class::Ordinary
        && new.medicapp_id.is_none()
        && keys.allocates_patient_ids(space);
    wanted.then(|| with(keys, new, fresh()))
}

/// The next version of a resource that has an allocated id; `None` when there is none, or the version carries it.
pub(crate) fn keep(keys: &KeySystems, held: Option<&str>, new: &NewResource) -> Option<NewResource> {
    match (held, &new.medicapp_id) {
        (Some(held), None) => Some(with(keys, new, held.to_owned())),
        _ => None,
    }
}

/// The rows by which a resource is found by its id.
fn rows(keys: &KeySystems, id: &str) -> (TokenRow, KeyRow) {
    let system = keys.patient_id_system();
    let token = TokenRow {
        param: IndexParam::AllocatedIdentifier,
        system: system.clone(),
        code: fhir::query::param::fold_token(IndexParam::Identifier, id),
    };
    let value = id.to_owned();
    let key = KeyRow {
        policy: Policy::KeySystem,
        identifier: Identifier { system, value },
        state: KeyState::Owning,
    };
    (token, key)
}

/// Patients of one transaction.
const BATCH: usize = 200;

/// Gives every Patient of a space an id for the Medicapp doors that has none: those that were there before the space was
/// bound to one. Makes no versions; may be repeated. How many got one; `progress` hears of each batch.
///
/// # Errors
/// What the store says; what was done until then stays.
pub async fn fill_in(
    store: &Store,
    ids: Arc<dyn IdSource>,
    keys: Arc<KeySystems>,
    space: SpaceKey,
    mut progress: impl FnMut(u64),
) -> Result<u64, StoreError> {
    let handle = store.for_space(space);
    let (mut after, mut given) = (i64::MIN, 0);
    loop {
        let batch: Result<Vec<Stored>, StoreError> = handle
            .read(move |reader| reader.without_medicapp_id(after, BATCH))
            .await;
        let batch = batch?;
        let Some(last) = batch.last() else {
            return Ok(given);
        };
        after = last.row;
        let (ids, keys) = (Arc::clone(&ids), Arc::clone(&keys));
        let locks = LockSet {
            targets: batch.iter().map(|stored| stored.target.clone()).collect(),
            shared: Some(ResourceType::Patient),
            ..LockSet::default()
        };
        let done: Result<u64, StoreError> = handle
            .write(locks, move |tx| {
                let given: Vec<AllocatedId> = batch
                    .iter()
                    .map(|stored| {
                        let id = ids.next_patient_id();
                        let (token, key) = rows(&keys, &id);
                        let row = stored.row;
                        AllocatedId { row, id, token, key }
                    })
                    .collect();
                tx.give_medicapp_ids(&given)
            })
            .await;
        given += done?;
        progress(given);
    }
}

fn with(keys: &KeySystems, new: &NewResource, id: String) -> NewResource {
    let (token, key) = rows(keys, &id);
    let mut new = new.clone();
    new.index.tokens.push(token);
    new.index.tokens.sort();
    new.index.tokens.dedup();
    new.keys.push(key);
    new.keys.sort();
    new.keys.dedup();
    new.medicapp_id = Some(id);
    new
}
