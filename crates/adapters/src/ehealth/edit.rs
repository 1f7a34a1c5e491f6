//! A change of a preperson, edited into the stored Patient (`adapters.md` 5.3 R1, R7, R8).

use fhir::Resource;
use serde_json::Value;

use super::wire::{Fields, Preperson};
use super::{Context, DeathDeactivates, NAME_ORDER, NOTE, Update, contact, from_fhir, names, to_fhir};
use crate::gender::Words;
use crate::pick;
use crate::tree::{Object, objects_mut, push, set_extension};

/// The Patient after the change; equal to the stored one when nothing that is shown changes. `shown` is the
/// projection of `stored`: a field that equals it leaves its element alone.
pub(super) fn apply(
    update: &Update,
    stored: &Resource,
    shown: &Preperson,
    context: &Context<'_>,
) -> Resource {
    let mut resource = stored.clone();
    let patient = resource.tree_mut();
    let Fields {
        external_id,
        first_name,
        last_name,
        second_name,
        gender,
        birth_date,
        death_date,
        emergency_contact,
        note,
    } = update.fields();
    if let Some(external_id) = changed(external_id, &shown.external_id) {
        set_external_id(patient, external_id, context);
    }
    let parts = names::Parts {
        first: changed(first_name, &shown.first_name).cloned(),
        last: changed(last_name, &shown.last_name).cloned(),
        second: changed(second_name, &shown.second_name).cloned(),
    };
    if parts != names::Parts::default() {
        set_name(patient, &parts, context);
    }
    let code = changed(gender, &shown.gender).and_then(|word| Words::Ehealth.to_fhir(word));
    if let Some(code) = code {
        set_primitive(patient, "gender", code);
    }
    if let Some(birth_date) = changed(birth_date, &shown.birth_date) {
        set_primitive(patient, "birthDate", birth_date);
    }
    if let Some(death_date) = changed(death_date, &shown.death_date) {
        for property in ["deceasedBoolean", "_deceasedBoolean"] {
            patient.shift_remove(property);
        }
        set_primitive(patient, "deceasedDateTime", death_date);
    }
    if death_date.is_some() && context.switches.death_deactivates == DeathDeactivates::Yes {
        patient.insert("active".to_owned(), Value::Bool(false));
    }
    if let Some(wanted) = changed(emergency_contact, &shown.emergency_contact) {
        contact::write(patient, wanted, context.naming, context.today);
    }
    if let Some(note) = changed(note, &shown.note) {
        let url = context.naming.extension(NOTE);
        let mut extension = Object::new();
        extension.insert("url".to_owned(), url.as_str().into());
        extension.insert("valueString".to_owned(), note.as_str().into());
        set_extension(patient, &url, Some(extension));
    }
    resource
}

fn changed<'f, T: PartialEq>(new: &'f Option<T>, old: &Option<T>) -> Option<&'f T> {
    new.as_ref().filter(|_| new != old)
}

/// Sets a primitive. What its extensions say is about the old value, so they go with it.
fn set_primitive(patient: &mut Object, property: &str, value: &str) {
    patient.insert(property.to_owned(), value.into());
    patient.shift_remove(&format!("_{property}"));
}

/// Rewrites the value in the creator's system; a person born through FHIR gets one in the caller's.
fn set_external_id(patient: &mut Object, value: &str, context: &Context<'_>) {
    let stored = objects_mut(patient, "identifier")
        .map(|(_, identifier)| identifier)
        .find(|identifier| from_fhir::is_external_id(identifier, context.naming));
    match stored {
        Some(identifier) => set_primitive(identifier, "value", value),
        None => push(
            patient,
            "identifier",
            to_fhir::external_identifier(value, context),
        ),
    }
}

fn set_name(patient: &mut Object, parts: &names::Parts, context: &Context<'_>) {
    let shown = pick::name(patient, NAME_ORDER, context.today);
    let stored = objects_mut(patient, "name").find(|(position, _)| Some(*position) == shown);
    match stored {
        Some((_, name)) => names::write(name, parts, context.naming),
        None => push(patient, "name", to_fhir::new_name(parts, context)),
    }
}
