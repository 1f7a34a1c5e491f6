//! A patient to be created, as a FHIR Patient (`adapters.md` 5.4).

use fhir::{Id, Resource, ResourceType};
use serde_json::{Map, Value, json};

use super::read::is_blank;
use super::{ADAPTER, Context, Create, from_fhir, names};
use crate::gender::Words;
use crate::overlay;
use crate::tree::{Object, push};

/// The Patient of a request: a valid R4 resource without empty elements. `id` is the new one, a UUID: the
/// Patient's and the door's.
pub fn to_fhir(create: &Create, id: &Id, context: &Context<'_>) -> Resource {
    to_fhir_with(create, Some(id), context)
}

/// As [`to_fhir`], for a patient that may have no id yet.
pub fn to_fhir_with(create: &Create, id: Option<&Id>, context: &Context<'_>) -> Resource {
    // The brand that was checked is the one that counts.
    let context = &Context {
        brand: create.brand(),
        ..*context
    };
    let mut tree = Object::new();
    if let Some(id) = id {
        tree.insert("id".to_owned(), json!(id.as_str()));
    }
    metadata(&mut tree, create, context);
    identifiers(&mut tree, create, id, context);
    tree.insert("active".to_owned(), json!(true));
    let name = json!({ "use": "usual", "family": create.last_name, "given": [create.first_name] });
    push(&mut tree, "name", name);
    telecom(&mut tree, create);
    gender(&mut tree, create, context);
    if let Some(date) = &create.date_of_birth {
        tree.insert("birthDate".to_owned(), json!(date));
    }
    tree.insert(
        "managingOrganization".to_owned(),
        json!({ "identifier": { "system": context.naming.brand(), "value": context.brand } }),
    );
    overlays(&mut tree, create, context);
    Resource::from_guarded(ResourceType::Patient, tree)
}

fn metadata(tree: &mut Object, create: &Create, context: &Context<'_>) {
    if create.metadata.is_empty() {
        return;
    }
    let url = context.naming.extension(names::METADATA);
    push(
        tree,
        "extension",
        json!({ "url": url, "valueString": create.metadata.as_str() }),
    );
}

fn identifiers(tree: &mut Object, create: &Create, id: Option<&Id>, context: &Context<'_>) {
    if let Some(id) = id {
        push(tree, "identifier", id_entry(id.as_str(), context));
    }
    for (key, value) in create.external_ids.iter().filter(|(_, value)| !is_blank(value)) {
        let system = context.naming.brand_external_id(context.brand, key);
        let identifier = json!({ "use": "secondary", "system": system, "value": value });
        push(tree, "identifier", identifier);
    }
}

/// The identifier of an id of this door.
pub(crate) fn id_entry(id: &str, context: &Context<'_>) -> Value {
    json!({ "use": "usual", "system": context.naming.patient_graph_id(), "value": id })
}

fn telecom(tree: &mut Object, create: &Create) {
    if let Some(phone) = create.phone.as_deref().filter(|phone| !is_blank(phone)) {
        let mut point = json!({ "system": "phone", "value": phone });
        if is_french_mobile(phone)
            && let Some(point) = point.as_object_mut()
        {
            point.insert("use".to_owned(), json!("mobile"));
        }
        push(tree, "telecom", point);
    }
    if let Some(email) = &create.email {
        push(tree, "telecom", json!({ "system": "email", "value": email }));
    }
}

/// E.164 of `+336` or `+337`: the one range that is known to be of mobiles alone.
fn is_french_mobile(phone: &str) -> bool {
    let Some(digits) = phone.strip_prefix('+') else {
        return false;
    };
    (digits.starts_with("336") || digits.starts_with("337"))
        && digits.len() <= 15
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The code, and beside it the words unless they are the code.
fn gender(tree: &mut Object, create: &Create, context: &Context<'_>) {
    let Some(received) = create.gender.as_deref() else {
        return;
    };
    let Some(code) = Words::PatientGraph.to_fhir(received) else {
        return;
    };
    tree.insert("gender".to_owned(), json!(code));
    if received != code && !is_blank(received) {
        let url = context.naming.extension(names::GENDER_AS_RECEIVED);
        let sibling = json!({ "extension": [{ "url": url, "valueString": received }] });
        tree.insert("_gender".to_owned(), sibling);
    }
}

/// What has no element because FHIR knows no empty string.
fn overlays(tree: &mut Object, create: &Create, context: &Context<'_>) {
    let gender = (create.gender.as_deref(), "gender");
    let phone = (create.phone.as_deref(), "phone");
    for (received, field) in [gender, phone] {
        let Some(received) = received.filter(|text| is_blank(text)) else {
            continue;
        };
        let seen = from_fhir::plain(tree, field, context);
        overlay::keep(tree, context.naming, ADAPTER, field, &json!(received), &seen);
    }
    if create.external_ids.iter().any(|(_, value)| is_blank(value)) {
        let pairs = create.external_ids.iter();
        let raw: Map<String, Value> = pairs.map(|(key, value)| (key.clone(), json!(value))).collect();
        let seen = from_fhir::plain(tree, "external_ids", context);
        let raw = Value::Object(raw);
        overlay::keep(tree, context.naming, ADAPTER, "external_ids", &raw, &seen);
    }
}
