//! PUT: contact data and keys change, the civil identity does not, and nothing else is touched.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::FIVE;
use crate::partner::medicapp::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    c25_a_put_changes_what_it_names_and_leaves_the_rest_to_the_byte,
    c26_a_locked_field_refuses_the_whole_put,
    c27_an_equal_locked_field_is_tolerated,
    c28_an_external_id_has_one_patient_and_is_free_once_cleared,
    c29_another_key_finds_and_the_older_one_does_not,
    c30_a_put_without_effect_makes_no_version,
    x08_a_stale_if_match_is_refused,
];

/// A patient; its id.
fn made(client: &testkit::http::Client, more: Value) -> String {
    text(&shown(post(client, &cloud_person(more)), 201), "patientUuid")
}

fn key(nir: &str) -> Value {
    json!({ "nir": nir, "rang": "01" })
}

/// A FHIR resource as text, without what is named.
fn text_without(mut resource: Value, names: &[&str]) -> String {
    let tree = resource.as_object_mut().expect("an object");
    for name in names {
        tree.shift_remove(*name);
    }
    resource.to_string()
}

fn c25_a_put_changes_what_it_names_and_leaves_the_rest_to_the_byte(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let id = made(
        &client,
        json!({ "externalId": unique(), "phone": "+33612345678", "identificationKey": key(&fresh_nir()) }),
    );
    // As an EHR leaves it.
    let before = edit(&fhir, &id, |patient| {
        patient["name"][0]["given"] = json!(["Sophie", "Anne"]);
        patient["name"][0]["_given"] = json!([null, { "id": "second" }]);
        patient["identifier"]
            .as_array_mut()
            .expect("identifiers")
            .insert(0, json!({ "system": LOCAL, "value": unique() }));
        patient["maritalStatus"] = json!({ "text": "veuve" });
        patient["telecom"]
            .as_array_mut()
            .expect("telecoms")
            .push(json!({ "system": "url", "value": "https://sophie.example" }));
        patient["address"] = json!([{ "line": ["1 rue X", "Bât B"], "city": "Lyon" }]);
        patient["contact"] = json!([{ "name": { "family": "Bernard" } }]);
    });
    let body = json!({ "phone": "+33698765432", "email": "new@email.fr" });
    let answer = put(&client, &id, &body);
    assert_eq!(answer.header("ETag"), Some("W/\"3\""));
    let answer = shown(answer, 200);
    assert_eq!(keys(&answer), FIVE);
    assert_eq!(
        (&answer["created"], &answer["warning"]),
        (&json!(false), &json!(null))
    );
    let after = fhir_of(&fhir, &id);
    assert_eq!(
        text_without(after.clone(), &["meta", "telecom"]),
        text_without(before, &["meta", "telecom"])
    );
    let telecoms: Vec<(&Value, &Value)> = after["telecom"]
        .as_array()
        .expect("telecoms")
        .iter()
        .map(|point| (&point["system"], &point["value"]))
        .collect();
    assert!(telecoms.contains(&(&json!("phone"), &json!("+33698765432"))));
    assert!(telecoms.contains(&(&json!("email"), &json!("new@email.fr"))));
    assert!(telecoms.contains(&(&json!("url"), &json!("https://sophie.example"))));
    assert_eq!(telecoms.len(), 3);
}

fn c26_a_locked_field_refuses_the_whole_put(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let id = made(&client, json!({}));
    let before = fhir_of(&fhir, &id);
    let body = json!({
        "phone": "+33698765432", "lastName": "Autre", "birthDate": "1999-01-01", "trustSpaceUuid": "ts_other"
    });
    let message = faulty(&put(&client, &id, &body), 400, "FIELD_LOCKED");
    for field in ["lastName", "birthDate", "trustSpaceUuid"] {
        assert!(message.contains(field), "{message}");
    }
    assert_eq!(fhir_of(&fhir, &id), before);
    // What is faulty by itself is told as that.
    let body = json!({ "lastName": "Autre", "phone": "06" });
    faulty(&put(&client, &id, &body), 400, "VALIDATION_ERROR");
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

fn c28_an_external_id_has_one_patient_and_is_free_once_cleared(context: &Context) {
    let client = cloud(context);
    let (first_id, second_id) = (unique(), unique());
    let first = made(&client, json!({ "externalId": first_id }));
    let second = made(&client, json!({ "externalId": second_id }));
    let body = json!({ "externalId": first_id, "phone": "+33698765432" });
    let message = faulty(&put(&client, &second, &body), 409, "EXTERNAL_ID_CONFLICT");
    assert!(
        !message.contains(&first) && !message.contains("Bernard"),
        "{message}"
    );
    let read = get(&client, &second);
    assert_eq!(read.header("ETag"), Some("W/\"1\""));
    assert_eq!(shown(read, 200)["phone"], json!(null));
    let own = put(&client, &second, &json!({ "externalId": second_id }));
    assert_eq!(own.header("ETag"), Some("W/\"1\""));
    shown(own, 200);
    let cleared = shown(put(&client, &first, &json!({ "externalId": null })), 200);
    assert_eq!(cleared["externalId"], json!(null));
    let taken = shown(put(&client, &second, &json!({ "externalId": first_id })), 200);
    assert_eq!(taken["externalId"], first_id.as_str());
    // And the one it had is free now.
    shown(put(&client, &first, &json!({ "externalId": second_id })), 200);
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

fn x08_a_stale_if_match_is_refused(context: &Context) {
    let client = cloud(context);
    let id = made(&client, json!({}));
    let guarded = |tag: &str, phone: &str| {
        let request = with_json(
            client.put(format!("/patients/{id}")),
            json!({ "phone": phone }).to_string(),
        );
        request.header("If-Match", tag).send()
    };
    shown(guarded("W/\"1\"", "+33612345678"), 200);
    faulty(&guarded("W/\"1\"", "+33612345679"), 412, "PRECONDITION_FAILED");
    assert_eq!(shown(get(&client, &id), 200)["phone"], "+33612345678");
    shown(guarded("W/\"2\"", "+33612345679"), 200);
    // What is no version is nobody's.
    faulty(&guarded("nonsense", "+33612345678"), 412, "PRECONDITION_FAILED");
}
