//! Whom a POST to the cloud door finds by name and date of birth, and whom not (`adapters.md` 3.1).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::tests;

use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    c12_a_nir_without_rang_finds_nobody_by_itself,
    c17_a_name_and_a_date_of_birth_find_with_a_warning,
    c20_a_partial_date_of_birth_is_no_match,
    a_deleted_patient_is_not_found,
];

/// An answer in one line: status, whose patient, whether it warns.
struct Answer {
    status: u16,
    id: String,
    body: Value,
    warns: bool,
}

#[track_caller]
fn ask(client: &Client, body: &Value) -> Answer {
    let response = post(client, body);
    let status = response.status;
    let body = shown(response, status);
    assert_eq!(body["created"], status == 201);
    Answer {
        status,
        id: text(&body, "patientUuid"),
        warns: body["warning"].is_string(),
        body,
    }
}

/// A find of this patient.
#[track_caller]
fn finds(client: &Client, body: &Value, id: &str, warns: bool) -> Value {
    let answer = ask(client, body);
    assert_eq!(
        (answer.status, answer.id.as_str(), answer.warns),
        (200, id, warns),
        "{}",
        answer.body
    );
    answer.body
}

/// A create; the new id.
#[track_caller]
fn creates(client: &Client, body: &Value, warns: bool) -> String {
    let answer = ask(client, body);
    assert_eq!((answer.status, answer.warns), (201, warns), "{}", answer.body);
    answer.id
}

fn key(nir: &str) -> Value {
    json!({ "nir": nir, "rang": "01" })
}

fn c12_a_nir_without_rang_finds_nobody_by_itself(context: &Context) {
    let client = cloud(context);
    let nir = json!({ "identificationKey": { "nir": fresh_nir() } });
    let body = cloud_person(nir.clone());
    let id = creates(&client, &body, false);
    let found = finds(&client, &body, &id, true);
    assert_eq!(found["identificationKey"]["rang"], json!(null));
    let other = creates(&client, &cloud_person(nir), false);
    assert_ne!(other, id);
}

fn c17_a_name_and_a_date_of_birth_find_with_a_warning(context: &Context) {
    let client = cloud(context);
    let family = unique();
    let person = |first: &str, last: &str| {
        cloud_person(json!({ "firstName": first, "lastName": format!("{last}{family}") }))
    };
    let id = creates(&client, &person("Zoé", "Élodie  d'Or "), false);
    for (first, last) in [
        ("Zoé", "Élodie  d'Or "),
        ("Zoe\u{301}", "E\u{301}lodie d'Or "),
        ("ZOE ", "elodie D'OR "),
        ("  zoé", "ELODIE d'or "),
    ] {
        finds(&client, &person(first, last), &id, true);
    }
    creates(&client, &person("Zoé Marie", "Élodie d'Or "), false);
    let elsewhen = and(
        person("Zoé", "Élodie  d'Or "),
        json!({ "birthDate": "1988-11-04" }),
    );
    creates(&client, &elsewhen, false);
}

fn c20_a_partial_date_of_birth_is_no_match(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let person = cloud_person(json!({}));
    for date in ["1988-11", "1988"] {
        let born = json!({
            "resourceType": "Patient", "birthDate": date,
            "name": [{ "family": person["lastName"], "given": [person["firstName"]] }]
        });
        fhir.post("/Patient").json(&born).send().expect(201);
    }
    let id = creates(&client, &person, false);
    finds(&client, &person, &id, true);
    // A full date that a FHIR client wrote is one.
    let person = cloud_person(json!({}));
    let born = json!({
        "resourceType": "Patient", "birthDate": person["birthDate"],
        "name": [{ "family": person["lastName"], "given": [person["firstName"], "Marie"] }]
    });
    fhir.post("/Patient").json(&born).send().expect(201);
    assert_eq!(ask(&client, &person).status, 200);
}

fn a_deleted_patient_is_not_found(context: &Context) {
    let (client, fhir, connect) = (cloud(context), shared_fhir(context), connect(context));
    for through_fhir in [true, false] {
        let person = cloud_person(json!({ "externalId": unique(), "identificationKey": key(&fresh_nir()) }));
        let id = creates(&client, &person, false);
        let resource = text(&fhir_of(&fhir, &id), "id");
        let gone = if through_fhir {
            fhir.delete(format!("/Patient/{resource}")).send()
        } else {
            connect.delete(format!("/patients/{id}")).send()
        };
        assert!(gone.status < 300, "{gone:?}");
        faulty(&get(&client, &id), 404, "PATIENT_NOT_FOUND");
        let again = creates(&client, &person, false);
        assert_ne!(again, id);
    }
}
