//! The id that the Medicapp doors show, allocated with every Patient of a space that one of them is bound to
//! (`adapters.md` 5.4). It stands in the key and index rows beside the resource, so that it is found, and reads never
//! write.

use fhir::index::TokenRow;
use fhir::query::IndexParam;
use fhir::{Identifier, ResourceType};
use store::{Class, KeyRow, KeyState, NewResource, Policy, SpaceKey};

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

fn with(keys: &KeySystems, new: &NewResource, id: String) -> NewResource {
    let system = keys.patient_id_system();
    let mut new = new.clone();
    new.index.tokens.push(TokenRow {
        param: IndexParam::Identifier,
        system: system.clone(),
        code: fhir::query::param::fold_token(IndexParam::Identifier, &id),
    });
    new.index.tokens.sort();
    new.index.tokens.dedup();
    new.keys.push(KeyRow {
        policy: Policy::KeySystem,
        identifier: Identifier {
            system,
            value: id.clone(),
        },
        state: KeyState::Owning,
    });
    new.keys.sort();
    new.keys.dedup();
    new.medicapp_id = Some(id);
    new
}
