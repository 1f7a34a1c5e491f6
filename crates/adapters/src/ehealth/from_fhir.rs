//! What the registry shows of a Patient: the projection P (`adapters.md` 5.3, 5.4).

use fhir::{Resource, Timestamp};

use super::wire::{Preperson, Status};
use super::{Context, IDENTIFICATION_STATUS, NAME_ORDER, NOTE, UNIDENTIFIED, contact, date, names};
use crate::gender;
use crate::naming::Naming;
use crate::pick;
use crate::status::Words;
use crate::tree::{Object, extension, identifier, objects, text};

/// What the store knows of a preperson beside the resource.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// When it was created.
    pub created: Timestamp,
    /// UUID of the user who created it; a system user's for another door.
    pub created_by: &'a str,
    /// When the current version was written.
    pub updated: Timestamp,
    /// UUID of the user who wrote it.
    pub updated_by: &'a str,
}

/// The preperson as it is answered; `None` when the resource is none (rule R6), or has no id that is a UUID.
pub fn show(resource: &Resource, kept: &Kept<'_>, context: &Context<'_>) -> Option<Preperson> {
    let person = project(resource, context)?;
    Some(Preperson {
        inserted_at: seconds(kept.created),
        inserted_by: kept.created_by.to_owned(),
        updated_at: seconds(kept.updated),
        updated_by: kept.updated_by.to_owned(),
        ..person
    })
}

/// The lower-case UUID under which a Patient answers here; `None` when it is no preperson.
pub fn preperson_id(resource: &Resource, naming: &Naming) -> Option<String> {
    let patient = resource.tree();
    if let Some(id) = identifier(patient, &naming.preperson_id()) {
        return super::parse_id(id).ok();
    }
    let is_unidentified = identification_status(patient, naming) == Some(UNIDENTIFIED);
    is_unidentified
        .then(|| super::parse_id(resource.body_id()?).ok())
        .flatten()
}

/// The projection without what the store knows.
pub(super) fn project(resource: &Resource, context: &Context<'_>) -> Option<Preperson> {
    let id = preperson_id(resource, context.naming)?;
    let patient = resource.tree();
    let naming = context.naming;
    let name = pick::name(patient, NAME_ORDER, context.today)
        .and_then(|position| patient.get("name")?.as_array()?.get(position)?.as_object());
    let parts = name.map(|name| names::read(name, naming)).unwrap_or_default();
    let day = |property: &str| text(patient, property).and_then(date::day_of);
    Some(Preperson {
        id,
        external_id: external_id(patient, naming).map(str::to_owned),
        first_name: parts.first,
        last_name: parts.last,
        second_name: parts.second,
        gender: text(patient, "gender")
            .and_then(|code| gender::Words::Ehealth.from_fhir(code))
            .map(str::to_owned),
        birth_date: day("birthDate").map(str::to_owned),
        emergency_contact: contact::read(patient, naming, context.today),
        note: extension(patient, &naming.extension(NOTE))
            .and_then(|note| text(note, "valueString"))
            .map(str::to_owned),
        status: status(patient),
        death_date: day("deceasedDateTime").map(str::to_owned),
        inserted_at: String::new(),
        inserted_by: String::new(),
        updated_at: String::new(),
        updated_by: String::new(),
    })
}

/// `unidentified` or `identified`, if it is stated.
pub(super) fn identification_status<'p>(patient: &'p Object, naming: &Naming) -> Option<&'p str> {
    let stated = extension(patient, &naming.extension(IDENTIFICATION_STATUS))?;
    text(stated, "valueCode")
}

/// The creator's external id: there is one system of a legal entity, whoever changes the value.
fn external_id<'p>(patient: &'p Object, naming: &Naming) -> Option<&'p str> {
    objects(patient, "identifier")
        .find(|identifier| is_external_id(identifier, naming))
        .and_then(|identifier| text(identifier, "value"))
}

pub(super) fn is_external_id(identifier: &Object, naming: &Naming) -> bool {
    text(identifier, "system").is_some_and(|system| naming.is_preperson_external_id(system))
        && text(identifier, "value").is_some()
}

fn status(patient: &Object) -> Status {
    let word = Words::Ehealth.of_patient(patient);
    // The table has no other word; a broken one would change nobody.
    word.and_then(Status::parse).unwrap_or(Status::Inactive)
}

/// `2017-04-20T19:14:13Z`
fn seconds(at: Timestamp) -> String {
    let instant = at.to_instant();
    match instant.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => instant,
    }
}
