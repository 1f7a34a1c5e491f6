//! The emergency contact in `Patient.contact` (`adapters.md` 5.4): the first person with role C, else ECON.

use serde_json::{Value, json};

use super::names;
use super::wire::{EmergencyContact, Phone, PhoneType};
use crate::naming::{CONTACT_ROLE, Naming};
use crate::pick::{contact as find, has_relationship, is_current};
use crate::tree::{Object, extension, objects, push, text};

/// Emergency contact in [`CONTACT_ROLE`].
const EMERGENCY: &str = "C";
/// <https://terminology.hl7.org/5.3.0/CodeSystem-v3-RoleClass.html>
const ROLE_CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
const EMERGENCY_CLASS: &str = "ECON";
const PHONE_TYPE: &str = "phone-type";

/// What is shown of a Patient's emergency contact.
pub(super) fn read(patient: &Object, naming: &Naming, today: &str) -> Option<EmergencyContact> {
    let contact = at(patient, position(patient, today)?)?;
    Some(shown(contact, naming, today))
}

/// Replaces the emergency contact, or adds it. Of the element that is shown the roles stay; while the names
/// stay the same it is the same person, and what is known of that person beside the shown telephones stays too.
pub(super) fn write(patient: &mut Object, wanted: &EmergencyContact, naming: &Naming, today: &str) {
    let found = position(patient, today);
    let stored = found.and_then(|position| at(patient, position)).cloned();
    let Some((position, mut contact)) = found.zip(stored) else {
        let role = json!({ "coding": [{ "system": CONTACT_ROLE, "code": EMERGENCY }] });
        let mut contact = Object::new();
        contact.insert("relationship".to_owned(), json!([role]));
        set_person(&mut contact, wanted, naming);
        push(patient, "contact", Value::Object(contact));
        return;
    };
    let now = shown(&contact, naming, today);
    if now == *wanted {
        return;
    }
    let same_person = (&now.first_name, &now.last_name, &now.second_name)
        == (&wanted.first_name, &wanted.last_name, &wanted.second_name);
    if same_person {
        set_phones(&mut contact, wanted, naming, today);
    } else {
        contact.retain(|property, _| matches!(property.as_str(), "id" | "relationship"));
        set_person(&mut contact, wanted, naming);
    }
    if let Some(item) = patient
        .get_mut("contact")
        .and_then(Value::as_array_mut)
        .and_then(|list| list.get_mut(position))
    {
        *item = Value::Object(contact);
    }
}

fn position(patient: &Object, today: &str) -> Option<usize> {
    let is_person = |contact: &Object| {
        is_current(contact, today) && (contact.contains_key("name") || !contact.contains_key("organization"))
    };
    find(patient, |contact| {
        is_person(contact) && has_relationship(contact, CONTACT_ROLE, EMERGENCY)
    })
    .or_else(|| {
        find(patient, |contact| {
            is_person(contact) && has_relationship(contact, ROLE_CLASS, EMERGENCY_CLASS)
        })
    })
}

fn at(patient: &Object, position: usize) -> Option<&Object> {
    patient.get("contact")?.as_array()?.get(position)?.as_object()
}

fn shown(contact: &Object, naming: &Naming, today: &str) -> EmergencyContact {
    let name = contact.get("name").and_then(Value::as_object);
    let parts = name.map(|name| names::read(name, naming)).unwrap_or_default();
    EmergencyContact {
        first_name: parts.first,
        last_name: parts.last,
        second_name: parts.second,
        phones: objects(contact, "telecom")
            .filter_map(|point| phone(point, naming, today))
            .collect(),
    }
}

/// The telephone that a contact point shows as; `None` when it is none of the registry's two types.
fn phone(point: &Object, naming: &Naming, today: &str) -> Option<Phone> {
    if text(point, "system") != Some("phone") || !is_current(point, today) {
        return None;
    }
    let kind = match text(point, "use") {
        Some("mobile") => PhoneType::Mobile,
        Some("home") => PhoneType::LandLine,
        Some(_) => return None,
        None => {
            let stated = extension(point, &naming.extension(PHONE_TYPE))?;
            PhoneType::parse(text(stated, "valueCode")?)?
        }
    };
    Some(Phone {
        kind,
        number: text(point, "value")?.to_owned(),
    })
}

fn set_person(contact: &mut Object, wanted: &EmergencyContact, naming: &Naming) {
    let parts = names::Parts {
        first: wanted.first_name.clone(),
        last: wanted.last_name.clone(),
        second: wanted.second_name.clone(),
    };
    let mut name = Object::new();
    names::write(&mut name, &parts, naming);
    if !name.is_empty() {
        contact.insert("name".to_owned(), Value::Object(name));
    }
    for phone in &wanted.phones {
        push(contact, "telecom", point(phone, naming));
    }
}

/// Puts the wanted telephones where the shown ones stood; those that are not shown stay.
fn set_phones(contact: &mut Object, wanted: &EmergencyContact, naming: &Naming, today: &str) {
    let stored = match contact.shift_remove("telecom") {
        Some(Value::Array(stored)) => stored,
        _ => Vec::new(),
    };
    let shown_as = |item: &Value| item.as_object().and_then(|item| phone(item, naming, today));
    let place = stored
        .iter()
        .position(|item| shown_as(item).is_some())
        .unwrap_or(stored.len());
    let (mut shown, mut others) = (Vec::new(), Vec::new());
    let mut before = 0;
    for (position, item) in stored.into_iter().enumerate() {
        match shown_as(&item) {
            Some(phone) => shown.push((phone, item)),
            None => {
                before += usize::from(position < place);
                others.push(item);
            }
        }
    }
    let after = others.split_off(before);
    let mut telecom = others;
    for phone in &wanted.phones {
        let same = shown.iter().position(|(known, _)| known == phone);
        telecom.push(match same {
            Some(position) => shown.remove(position).1,
            None => point(phone, naming),
        });
    }
    telecom.extend(after);
    if !telecom.is_empty() {
        contact.insert("telecom".to_owned(), Value::Array(telecom));
    }
}

fn point(phone: &Phone, naming: &Naming) -> Value {
    json!({
        "extension": [{ "url": naming.extension(PHONE_TYPE), "valueCode": phone.kind.word() }],
        "system": "phone",
        "value": phone.number,
        "use": phone.kind.contact_point_use(),
    })
}
