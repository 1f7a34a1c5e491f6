//! A new preperson as a Patient (`adapters.md` 5.4).

use fhir::{Id, Resource, ResourceType};
use serde_json::{Value, json};

use super::{Context, Create, IDENTIFICATION_STATUS, NOTE, UNIDENTIFIED, contact, names};
use crate::gender::Words;
use crate::tree::{Object, push};

/// The Patient of a new preperson. `id` is a fresh random UUID: knowing it is what gives access.
pub fn to_fhir(create: &Create, id: &Id, context: &Context<'_>) -> Resource {
    to_fhir_with(create, Some(id), context)
}

/// As [`to_fhir`], for a preperson that may have no id yet.
pub fn to_fhir_with(create: &Create, id: Option<&Id>, context: &Context<'_>) -> Resource {
    let (fields, naming) = (create.fields(), context.naming);
    let mut patient = Object::new();
    if let Some(id) = id {
        patient.insert("id".to_owned(), id.as_str().into());
    }
    let tag = json!({ "system": naming.code_system("patient-tags"), "code": UNIDENTIFIED });
    patient.insert("meta".to_owned(), json!({ "tag": [tag] }));
    push(
        &mut patient,
        "extension",
        json!({ "url": naming.extension(IDENTIFICATION_STATUS), "valueCode": UNIDENTIFIED }),
    );
    if let Some(note) = &fields.note {
        push(
            &mut patient,
            "extension",
            json!({ "url": naming.extension(NOTE), "valueString": note }),
        );
    }
    if let Some(id) = id {
        let value = id.as_str().to_lowercase();
        push(
            &mut patient,
            "identifier",
            json!({ "use": "usual", "system": naming.preperson_id(), "value": value }),
        );
    }
    if let Some(external_id) = &fields.external_id {
        push(
            &mut patient,
            "identifier",
            external_identifier(external_id, context),
        );
    }
    patient.insert("active".to_owned(), Value::Bool(true));
    let parts = names::Parts {
        first: fields.first_name.clone(),
        last: fields.last_name.clone(),
        second: fields.second_name.clone(),
    };
    if parts != names::Parts::default() {
        push(&mut patient, "name", new_name(&parts, context));
    }
    if let Some(code) = fields
        .gender
        .as_deref()
        .and_then(|word| Words::Ehealth.to_fhir(word))
    {
        patient.insert("gender".to_owned(), code.into());
    }
    if let Some(birth_date) = &fields.birth_date {
        patient.insert("birthDate".to_owned(), birth_date.as_str().into());
    }
    if let Some(wanted) = &fields.emergency_contact {
        contact::write(&mut patient, wanted, naming, context.today);
    }
    Resource::from_guarded(ResourceType::Patient, patient)
}

/// The external id in the system of the caller's legal entity.
pub(super) fn external_identifier(value: &str, context: &Context<'_>) -> Value {
    let system = context
        .naming
        .preperson_external_id(&context.caller.legal_entity.to_lowercase());
    json!({ "use": "secondary", "system": system, "value": value })
}

/// A name whose bearer nobody has identified yet.
pub(super) fn new_name(parts: &names::Parts, context: &Context<'_>) -> Value {
    let mut name = Object::new();
    name.insert("use".to_owned(), "temp".into());
    names::write(&mut name, parts, context.naming);
    Value::Object(name)
}
