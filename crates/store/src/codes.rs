//! The numbers that stand for our enums in the database. Never reuse or change one.

use fhir::ResourceType;

use crate::api::{Class, KeyState, Policy};

pub(crate) const fn kind(kind: ResourceType) -> i16 {
    match kind {
        ResourceType::Patient => 1,
        ResourceType::Practitioner => 2,
    }
}

pub(crate) fn kind_of(number: i16) -> Option<ResourceType> {
    ResourceType::ALL
        .into_iter()
        .find(|candidate| kind(*candidate) == number)
}

pub(crate) const fn class(class: Class) -> i16 {
    match class {
        Class::Ordinary => 0,
        Class::Account => 1,
    }
}

pub(crate) fn class_of(number: i16) -> Option<Class> {
    [Class::Ordinary, Class::Account]
        .into_iter()
        .find(|candidate| class(*candidate) == number)
}

pub(crate) const fn policy(policy: Policy) -> i16 {
    match policy {
        Policy::KeySystem => 1,
        Policy::Account => 2,
    }
}

pub(crate) const fn state(state: KeyState) -> i16 {
    match state {
        KeyState::Retired => 0,
        KeyState::Held => 1,
        // The unique index of the migrations names this number.
        KeyState::Owning => 2,
    }
}

pub(crate) fn state_of(number: i16) -> Option<KeyState> {
    [KeyState::Retired, KeyState::Held, KeyState::Owning]
        .into_iter()
        .find(|candidate| state(*candidate) == number)
}
