//! Short words for what the tests say often.

use serde_json::{Value, json};
use testkit::http::{Client, Response, percent_encode};

/// The national id of a regulator.
pub const IDNPS: &str = "urn:oid:1.2.250.1.71.4.2.1";
/// The SAS technical id.
pub const INTRN: &str = "urn:oid:1.2.250.1.213.3.6";
/// The profile of regulators' accounts.
pub const PROFILE: &str =
    "https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/FrPractitionerRegul";
/// FR Core's identifier types, older spelling.
pub const FR_TYPES: &str = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203";

/// An identifier as SAS sends it.
pub fn identifier(system: &str, value: &str) -> Value {
    let code = if system == IDNPS { "IDNPS" } else { "INTRN" };
    json!({
        "type": { "coding": [{ "system": FR_TYPES, "code": code }] },
        "system": system,
        "value": value
    })
}

/// A person for the tests: family, given, e-mail.
#[derive(Clone, Copy)]
pub struct Person(pub &'static str, pub &'static str, pub &'static str);

/// The first person of most tests.
pub const MORVAN: Person = Person("Morvan", "Enora", "enora.morvan@sante.example");
/// Somebody else.
pub const PELTIER: Person = Person("Peltier", "Lucas", "lucas.peltier@sante.example");

/// A regulator's account.
pub fn account(person: Person, identifiers: &[(&str, &str)], active: bool) -> Value {
    let identifiers: Vec<Value> = identifiers
        .iter()
        .map(|(system, value)| identifier(system, value))
        .collect();
    json!({
        "resourceType": "Practitioner",
        "id": "one-id-in-every-body",
        "meta": { "source": INTRN, "profile": [PROFILE] },
        "identifier": identifiers,
        "active": active,
        "name": [{ "family": person.0, "given": [person.1] }],
        "telecom": [{ "system": "email", "value": person.2 }]
    })
}

/// An ordinary resource with one identifier and whatever else.
pub fn resource(kind: &str, system: &str, value: &str) -> Value {
    json!({
        "resourceType": kind,
        "identifier": [{ "system": system, "value": value }],
        "name": [{ "family": "Ordinaire", "given": ["Camille"] }]
    })
}

/// Conditional PUT by identifier, percent-encoded.
pub fn put_by(client: &Client, kind: &str, (system, value): (&str, &str), body: &Value) -> Response {
    let criteria = percent_encode(&format!("{system}|{value}"));
    client
        .put(format!("/{kind}?identifier={criteria}"))
        .json(body)
        .send()
}

/// Conditional PUT of an account by one of its identifiers.
pub fn put_account(client: &Client, by: (&str, &str), body: &Value) -> Response {
    put_by(client, "Practitioner", by, body)
}

/// The ids that a search by identifier finds.
pub fn found(client: &Client, kind: &str, (system, value): (&str, &str)) -> Vec<String> {
    let criteria = percent_encode(&format!("{system}|{value}"));
    let bundle = client
        .get(format!("/{kind}?identifier={criteria}"))
        .send()
        .expect(200)
        .json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The path below `/fhir` that a Location names.
pub fn path_of(location: &str) -> String {
    let (_, path) = location
        .split_once("/fhir")
        .unwrap_or_else(|| panic!("{location} is not below /fhir"));
    path.to_owned()
}

/// The id that a Location names.
pub fn id_of(location: &str) -> String {
    path_of(location).split('/').nth(2).unwrap().to_owned()
}

/// Asserts an OperationOutcome with this status and, among its issues, this code.
#[track_caller]
pub fn refused(response: Response, status: u16, code: &str) -> Response {
    let response = response.expect(status);
    let issues = response.issues();
    assert!(!issues.is_empty(), "no OperationOutcome: {response:?}");
    for issue in &issues {
        assert!(
            !issue.severity.is_empty() && !issue.code.is_empty(),
            "an issue lacks severity or code: {response:?}"
        );
        assert!(
            !issue.text.trim().is_empty() && !issue.diagnostics.is_empty(),
            "an issue says nothing: {response:?}"
        );
    }
    assert!(
        issues.iter().any(|issue| issue.code == code),
        "no issue '{code}': {response:?}"
    );
    response
}

/// Asserts that one issue points at this place.
#[track_caller]
pub fn points_at(response: &Response, expression: &str) {
    let issues = response.issues();
    let places: Vec<&String> = issues.iter().flat_map(|issue| &issue.expression).collect();
    assert!(
        places.iter().any(|place| *place == expression),
        "nothing points at {expression}: {places:?}"
    );
}
