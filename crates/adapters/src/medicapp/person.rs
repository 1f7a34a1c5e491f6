//! The administrative fields that both doors have: read from a create, written to a Patient, shown of one.

use fhir::{Resource, ResourceType};
use serde_json::{Value, json};

use super::fields::{self, Faults, is_full_date};
use super::telecom::Point;
use super::{Context, Rules, Space, identity, names};
use crate::gender::Words;
use crate::tree::{Object, push, text};

/// The checked fields of a create.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) birth_date: String,
    /// The FHIR code.
    pub(super) gender: Option<&'static str>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) external_id: Option<String>,
}

/// A field of a body; absent is `null`.
pub(super) fn field<'o>(body: &'o Object, name: &str) -> &'o Value {
    body.get(name).unwrap_or(&Value::Null)
}

impl Person {
    /// Reads all fields; `None` when one of the faults is about them.
    pub(super) fn read(
        body: &Object,
        words: Words,
        rules: &Rules<'_>,
        faults: &mut Faults,
    ) -> Option<Person> {
        let gender = field(body, "gender");
        let first_name = faults.take("firstName", fields::name(field(body, "firstName")));
        let last_name = faults.take("lastName", fields::name(field(body, "lastName")));
        let birth_date = faults.take("birthDate", fields::birth_date(field(body, "birthDate"), rules));
        let gender = match words {
            Words::MedicappCloud => faults.take("gender", fields::cloud_gender(gender).map(Some)),
            _ => faults.take("gender", fields::connect_gender(gender)),
        };
        let email = faults.take("email", fields::email(field(body, "email")));
        let phone = faults.take("phone", fields::phone(field(body, "phone")));
        let external_id = faults.take("externalId", fields::external_id(field(body, "externalId")));
        Some(Person {
            first_name: first_name?.to_owned(),
            last_name: last_name?.to_owned(),
            birth_date: birth_date?.to_owned(),
            gender: gender?,
            email: email?.map(str::to_owned),
            phone: phone?.map(str::to_owned),
            external_id: external_id?.map(str::to_owned),
        })
    }

    /// A new Patient of the space with this Medicapp id, if it has one yet, identifiers first. `identify` adds
    /// what else identifies the patient.
    pub(super) fn to_fhir(
        &self,
        patient_id: Option<&str>,
        context: &Context<'_>,
        identify: impl FnOnce(&mut Object),
    ) -> Resource {
        let naming = context.rules.naming;
        let mut patient = Object::new();
        if let Some(id) = patient_id {
            push(
                &mut patient,
                "identifier",
                identity::patient_id_entry(&context.rules, id),
            );
        }
        identity::set_external_id(&mut patient, context, self.external_id.as_deref());
        identify(&mut patient);
        patient.insert("active".to_owned(), json!(true));
        let name = json!({ "use": "official", "family": self.last_name, "given": [self.first_name] });
        push(&mut patient, "name", name);
        for (point, value) in [(Point::Email, &self.email), (Point::Phone, &self.phone)] {
            if let Some(value) = value {
                push(&mut patient, "telecom", point.entry(value));
            }
        }
        if let Some(code) = self.gender {
            patient.insert("gender".to_owned(), json!(code));
        }
        patient.insert("birthDate".to_owned(), json!(self.birth_date));
        let (system, value) = match context.space {
            Space::Trust(name) => (naming.trust_space(), name),
            Space::Connect(name) => (naming.medicapp_space(), name),
        };
        let organization = json!({ "identifier": { "system": system, "value": value } });
        patient.insert("managingOrganization".to_owned(), organization);
        Resource::from_guarded(ResourceType::Patient, patient)
    }
}

/// The date of birth that the doors show: a full one.
pub(super) fn birth_date(patient: &Object) -> Option<&str> {
    text(patient, "birthDate").filter(|date| is_full_date(date))
}

/// The gender in the door's word.
pub(super) fn gender(patient: &Object, words: Words) -> Option<&'static str> {
    words.from_fhir(text(patient, "gender")?)
}

/// What the cloud door compares names by; `None` when a part is missing.
pub(super) fn match_key(patient: &Object, rules: &Rules<'_>) -> Option<String> {
    Some(names::match_key(
        names::last_name(patient, rules.today)?,
        names::first_name(patient, rules.today)?,
        birth_date(patient)?,
    ))
}

/// Changes or removes a primitive, with what was said of its old value.
pub(super) fn set_primitive(element: &mut Object, property: &str, new: Option<&str>) {
    crate::tree::set_text(element, property, new);
    element.shift_remove(&format!("_{property}"));
}
