//! PUT at the cloud door: keys change, the civil identity does not.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    c27_an_equal_locked_field_is_tolerated,
    c29_another_key_finds_and_the_older_one_does_not,
    c30_a_put_without_effect_makes_no_version,
];

/// A patient; its id.
fn made(client: &testkit::http::Client, more: Value) -> String {
    text(&shown(post(client, &cloud_person(more)), 201), "patientUuid")
}

fn key(nir: &str) -> Value {
    json!({ "nir": nir, "rang": "01" })
}

fn c27_an_equal_locked_field_is_tolerated(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let id = made(&client, json!({}));
    // Read, and sent back with a change.
    let read = shown(get(&client, &id), 200);
    let body = and(read, json!({ "phone": "+33698765432" }));
    shown(put(&client, &id, &body), 200);
    edit(&fhir, &id, |patient| patient["gender"] = json!("other"));
    let body = json!({ "gender": "U", "email": "a@example.org" });
    shown(put(&client, &id, &body), 200);
    let after = fhir_of(&fhir, &id);
    assert_eq!(
        (&after["gender"], &after["meta"]["versionId"]),
        (&json!("other"), &json!("4"))
    );
    faulty(&put(&client, &id, &json!({ "gender": "F" })), 400, "FIELD_LOCKED");
}

fn c29_another_key_finds_and_the_older_one_does_not(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let (old, new, other) = (fresh_nir(), fresh_nir(), fresh_nir());
    let id = made(&client, json!({ "identificationKey": key(&old) }));
    let ins = json!({ "system": "urn:oid:1.2.250.1.213.1.4.8", "value": with_key(&other) });
    edit(&fhir, &id, |patient| {
        let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
        identifiers.push(ins.clone());
    });
    let find = |nir: &str| {
        let query = format!("/patients?trustSpaceUuid={TRUST_SPACE}&nir={nir}&rang=01");
        client.get(query).send()
    };
    let changed = shown(put(&client, &id, &json!({ "identificationKey": key(&new) })), 200);
    assert_eq!(changed["identificationKey"], key(&new));
    faulty(&find(&old), 404, "PATIENT_NOT_FOUND");
    assert_eq!(shown(find(&new), 200)["patientUuid"], id.as_str());
    let taker = made(&client, json!({ "identificationKey": key(&old) }));
    let conflict = put(
        &client,
        &taker,
        &json!({ "identificationKey": key(&with_key(&new)) }),
    );
    faulty(&conflict, 409, "IDENTIFICATION_KEY_CONFLICT");
    let without_rang = json!({ "identificationKey": { "nir": new } });
    let shown_key = shown(put(&client, &id, &without_rang), 200);
    assert_eq!(
        shown_key["identificationKey"],
        json!({ "nir": new, "rang": null })
    );
    faulty(&find(&new), 404, "PATIENT_NOT_FOUND");
    let cleared = shown(put(&client, &id, &json!({ "identificationKey": null })), 200);
    assert_eq!(cleared["identificationKey"], json!(null));
    let identifiers = fhir_of(&fhir, &id)["identifier"].clone();
    let identifiers = identifiers.as_array().expect("identifiers");
    assert!(identifiers.contains(&ins), "{identifiers:?}");
    for system in [
        format!("{NAMING}/medicapp/nir-rang"),
        "urn:oid:1.2.250.1.213.1.4.13".to_owned(),
    ] {
        let carries = |held: &&Value| held["system"] == system.as_str();
        assert!(identifiers.iter().find(carries).is_none(), "{identifiers:?}");
    }
}

fn c30_a_put_without_effect_makes_no_version(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let nir = fresh_nir();
    let body = json!({ "phone": "+33612345678", "identificationKey": key(&nir) });
    let id = made(&client, body.clone());
    let before = fhir_of(&fhir, &id);
    let read = shown(get(&client, &id), 200);
    for same in [
        json!({}),
        body,
        read,
        json!({ "unknown": [1, { "a": null }] }),
        json!({ "email": null, "externalId": null }),
        json!({ "identificationKey": { "nir": nir, "rang": "1" } }),
    ] {
        let answer = put(&client, &id, &same);
        assert_eq!(answer.header("ETag"), Some("W/\"1\""), "{same}");
        shown(answer, 200);
    }
    assert_eq!(fhir_of(&fhir, &id), before);
    for (body, code) in [
        ("[]", "INVALID_JSON"),
        ("null", "INVALID_JSON"),
        ("", "INVALID_JSON"),
        ("{", "INVALID_JSON"),
        ("{\"phone\":null,\"phone\":null}", "INVALID_JSON"),
        ("{\"phone\":33612345678}", "VALIDATION_ERROR"),
        ("{\"identificationKey\":[]}", "VALIDATION_ERROR"),
    ] {
        let path = format!("/patients/{id}");
        faulty(&with_json(client.put(path), body).send(), 400, code);
    }
}
