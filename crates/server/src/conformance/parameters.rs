//! A SearchParameter for each row of the table that searches run by —
//! <https://hl7.org/fhir/R4/searchparameter.html>
//!
//! Made from the table, so that none is missing and none says what is not so. The URLs are FHIR's own, as the
//! CapabilityStatement names them; the texts are ours.

use fhir::query::SearchParam;
use fhir::query::param::{DEFINITIONS, Definition, ParamType};
use fhir::query::shape::followed;
use serde_json::{Map, Value, json};

/// All of them, in the order of the table; those of the audit trail last.
pub fn all() -> impl Iterator<Item = Value> {
    let of_audit = [
        ("date", "date", "AuditEvent.recorded", "When it was recorded."),
        (
            "entity",
            "reference",
            "AuditEvent.entity.what",
            "The resource that it was about: type and id, or id alone.",
        ),
        (
            "agent",
            "reference",
            "AuditEvent.agent.who",
            "The client that asked: its id, or its identifier.",
        ),
    ];
    DEFINITIONS
        .iter()
        .map(resource)
        .chain(of_audit.map(of_audit_event))
}

fn of_audit_event((name, kind, expression, description): (&str, &str, &str, &str)) -> Value {
    let mut tree = json!({
        "resourceType": "SearchParameter",
        "id": format!("AuditEvent-{name}"),
        "url": format!("http://hl7.org/fhir/SearchParameter/AuditEvent-{name}"),
        "name": name,
        "status": "active",
        "description": format!("{description} As this server searches by it."),
        "code": name,
        "base": ["AuditEvent"],
        "type": kind,
        "expression": expression,
        "multipleOr": true,
        "multipleAnd": true,
    });
    if let Some(map) = tree.as_object_mut() {
        let (comparators, modifiers): (&[&str], &[&str]) = match name {
            "date" => (&COMPARATORS, &[]),
            "entity" => (&[], &["type"]),
            _ => (&[], &["identifier"]),
        };
        put(map, "comparator", comparators);
        put(map, "modifier", modifiers);
    }
    tree
}

/// The prefixes of a date.
const COMPARATORS: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

fn resource(definition: &Definition) -> Value {
    let (expression, description) = told(definition.param);
    let id = definition.definition.rsplit('/').next().unwrap_or_default();
    let mut tree = json!({
        "resourceType": "SearchParameter",
        "id": id,
        "url": definition.definition,
        "name": definition.name,
        "status": "active",
        "description": format!("{description} As this server searches by it."),
        "code": definition.name,
        "base": definition.on.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        "type": definition.kind.as_str(),
        "expression": expression,
        "multipleOr": true,
        "multipleAnd": true,
    });
    if let Some(map) = tree.as_object_mut() {
        put(map, "target", definition.param.targets());
        if definition.kind == ParamType::Date {
            put(map, "comparator", &COMPARATORS);
        }
        put(map, "modifier", &modifiers(definition));
        put(map, "chain", &chains(definition));
    }
    tree
}

/// FHIR has no empty list.
fn put<T: AsRef<str>>(map: &mut Map<String, Value>, name: &str, list: &[T]) {
    if !list.is_empty() {
        let list: Vec<&str> = list.iter().map(AsRef::as_ref).collect();
        map.insert(name.to_owned(), json!(list));
    }
}

/// The modifiers that a search takes; what a conditional interaction takes is less.
pub fn modifiers(definition: &Definition) -> Vec<&'static str> {
    let mut modifiers = Vec::new();
    if !definition.index.is_empty() {
        modifiers.push("missing");
    }
    match (definition.kind, definition.param) {
        (ParamType::Token, SearchParam::Id) | (ParamType::Date | ParamType::Uri, _) => {}
        (ParamType::Token, SearchParam::Identifier) => modifiers.extend(["not", "ofType"]),
        (ParamType::Token, _) => modifiers.push("not"),
        (ParamType::String, _) => modifiers.extend(["exact", "contains"]),
        (ParamType::Reference, _) => modifiers.extend(["type", "identifier"]),
    }
    if !definition.param.text_index().is_empty() {
        modifiers.push("text");
    }
    modifiers
}

/// The parameters that a chain through this one may end in.
fn chains(definition: &Definition) -> Vec<&'static str> {
    let reference = followed().find(|row| row.param == definition.param);
    let Some(kind) = reference.and_then(|row| row.param.refers_to()) else {
        return Vec::new();
    };
    let ends = DEFINITIONS.iter().filter(|row| row.on.contains(&kind));
    ends.map(|row| row.name).collect()
}

/// What a parameter looks at, as a FHIRPath expression and in words.
#[rustfmt::skip]
const fn told(param: SearchParam) -> (&'static str, &'static str) {
    match param {
        SearchParam::Id => ("Resource.id", "The id that the server gave the resource."),
        SearchParam::LastUpdated => ("Resource.meta.lastUpdated", "When the current version was written."),
        SearchParam::Profile => ("Resource.meta.profile", "A profile that the resource claims, with or without a version."),
        SearchParam::Source => ("Resource.meta.source", "Where the resource comes from."),
        SearchParam::Tag => ("Resource.meta.tag", "A tag of the resource."),
        SearchParam::Security => ("Resource.meta.security", "A security label of the resource."),
        SearchParam::Active => ("Patient.active | Practitioner.active", "Whether the record is in use."),
        SearchParam::Address => ("Patient.address | Practitioner.address", "Any part of an address: lines, city, district, state, postal code, country, text."),
        SearchParam::AddressCity => ("Patient.address.city | Practitioner.address.city", "The city of an address."),
        SearchParam::AddressCountry => ("Patient.address.country | Practitioner.address.country", "The country of an address."),
        SearchParam::AddressPostalCode => ("Patient.address.postalCode | Practitioner.address.postalCode", "The postal code of an address."),
        SearchParam::AddressState => ("Patient.address.state | Practitioner.address.state", "The state of an address."),
        SearchParam::AddressUse => ("Patient.address.use | Practitioner.address.use", "What an address is used for."),
        SearchParam::Birthdate => ("Patient.birthDate", "The day, month or year of birth."),
        SearchParam::DeathDate => ("(Patient.deceased as dateTime)", "When the person died."),
        SearchParam::Deceased => ("Patient.deceased.exists() and Patient.deceased != false", "Whether the person is dead; a date of death says so too."),
        SearchParam::Email => ("Patient.telecom.where(system='email') | Practitioner.telecom.where(system='email')", "An e-mail address."),
        SearchParam::Family => ("Patient.name.family | Practitioner.name.family", "A family name."),
        SearchParam::Gender => ("Patient.gender | Practitioner.gender", "The administrative gender."),
        SearchParam::GeneralPractitioner => ("Patient.generalPractitioner", "Who looks after the patient."),
        SearchParam::Given => ("Patient.name.given | Practitioner.name.given", "A given name."),
        SearchParam::Identifier => ("Patient.identifier | Practitioner.identifier", "An identifier, by its value, its system or both."),
        SearchParam::Language => ("Patient.communication.language", "A language that the patient speaks."),
        SearchParam::Link => ("Patient.link.other", "Another record of the same person."),
        SearchParam::Name => ("Patient.name | Practitioner.name", "Any part of a name: family, given, prefix, suffix, text."),
        SearchParam::Organization => ("Patient.managingOrganization", "The organisation that keeps the record."),
        SearchParam::Phone => ("Patient.telecom.where(system='phone') | Practitioner.telecom.where(system='phone')", "A telephone number."),
        SearchParam::Telecom => ("Patient.telecom | Practitioner.telecom", "A telephone number, e-mail address or other contact."),
        SearchParam::MothersMaidenName => ("Patient.extension('http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName').value", "The mother's maiden name, from the extension of FHIR."),
        SearchParam::Communication => ("Practitioner.communication", "A language in which the practitioner speaks with patients."),
    }
}
