//! Whom a POST finds: the table of `adapters.md` 3.1 against stored patients.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::tests;

use super::FIVE;
use crate::partner::medicapp::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    c02_an_equal_post_finds_the_patient_and_writes_nothing,
    c12_a_nir_without_rang_finds_nobody_by_itself,
    c14_a_nir_counts_more_than_an_external_id,
    c15_an_external_id_finds_whoever_has_it_and_attaches_nothing,
    c16_an_external_id_is_known_in_its_trust_space_alone,
    c17_a_name_and_a_date_of_birth_find_with_a_warning,
    c18_a_homonym_with_another_key_is_another_patient,
    c19_of_two_homonyms_neither_is_found,
    c20_a_partial_date_of_birth_is_no_match,
    c21_a_find_leaves_contact_data_as_they_are,
    c33_an_ins_of_a_fhir_client_counts_as_rang_01,
    a_merged_patient_is_not_found_and_its_keys_are_free,
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
    assert_eq!(keys(&body), FIVE);
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

fn c02_an_equal_post_finds_the_patient_and_writes_nothing(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let body = cloud_person(json!({
        "externalId": unique(), "phone": "+33612345678", "identificationKey": key(&fresh_nir())
    }));
    let id = creates(&client, &body, false);
    let before = fhir_of(&fhir, &id);
    for _ in 0..3 {
        let found = finds(&client, &body, &id, false);
        assert_eq!(found["externalId"], body["externalId"]);
        assert_eq!(found["identificationKey"], body["identificationKey"]);
    }
    assert_eq!(fhir_of(&fhir, &id), before);
    assert_eq!(before["meta"]["versionId"], "1");
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

fn c14_a_nir_counts_more_than_an_external_id(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let (nir, own, theirs) = (fresh_nir(), unique(), unique());
    let of_nir = cloud_person(json!({ "externalId": own, "identificationKey": key(&nir) }));
    let (first, second) = (
        creates(&client, &of_nir, false),
        creates(&client, &cloud_person(json!({ "externalId": theirs })), false),
    );
    let before = fhir_of(&fhir, &second);
    let both = cloud_person(json!({ "externalId": theirs, "identificationKey": key(&nir) }));
    assert_eq!(finds(&client, &both, &first, true)["externalId"], json!(own));
    assert_eq!(fhir_of(&fhir, &second), before);
    // An external id that nobody has is not given to it either.
    let fresh = cloud_person(json!({ "externalId": unique(), "identificationKey": key(&nir) }));
    assert_eq!(finds(&client, &fresh, &first, true)["externalId"], json!(own));
    finds(
        &client,
        &cloud_person(json!({ "identificationKey": key(&nir) })),
        &first,
        false,
    );
}

fn c15_an_external_id_finds_whoever_has_it_and_attaches_nothing(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let (nir, keyed, bare) = (fresh_nir(), unique(), unique());
    let with_nir = cloud_person(json!({ "externalId": keyed, "identificationKey": key(&nir) }));
    let first = creates(&client, &with_nir, false);
    let other = cloud_person(json!({ "externalId": keyed, "identificationKey": key(&fresh_nir()) }));
    assert_eq!(
        finds(&client, &other, &first, true)["identificationKey"],
        key(&nir)
    );
    let second = creates(&client, &cloud_person(json!({ "externalId": bare })), false);
    let before = fhir_of(&fhir, &second);
    let late = fresh_nir();
    let attach = cloud_person(json!({ "externalId": bare, "identificationKey": key(&late) }));
    assert_eq!(
        finds(&client, &attach, &second, true)["identificationKey"],
        json!(null)
    );
    assert_eq!(fhir_of(&fhir, &second), before);
    // As the warning says: a PUT attaches it.
    shown(
        put(&client, &second, &json!({ "identificationKey": key(&late) })),
        200,
    );
    finds(&client, &attach, &second, false);
}

fn c16_an_external_id_is_known_in_its_trust_space_alone(context: &Context) {
    let client = &neighbours(context).cloud_both;
    let person = cloud_person(json!({ "externalId": unique(), "identificationKey": key(&fresh_nir()) }));
    let id = creates(client, &person, false);
    finds(client, &person, &id, false);
    let there = and(person, json!({ "trustSpaceUuid": SEED_TRUST_SPACE }));
    let other = creates(client, &there, false);
    assert_ne!(other, id);
    finds(client, &there, &other, false);
    assert_eq!(
        shown(get(client, &other), 200)["trustSpaceUuid"],
        SEED_TRUST_SPACE
    );
    assert_eq!(shown(get(client, &id), 200)["trustSpaceUuid"], TRUST_SPACE);
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

fn c18_a_homonym_with_another_key_is_another_patient(context: &Context) {
    let client = cloud(context);
    let person = cloud_person(json!({}));
    let keyed = |more: Value| and(person.clone(), more);
    let held = creates(&client, &keyed(json!({ "externalId": unique() })), false);
    // Without keys nothing contradicts.
    finds(&client, &person, &held, true);
    let other = creates(&client, &keyed(json!({ "externalId": unique() })), true);
    assert_ne!(other, held);
    let person = cloud_person(json!({}));
    let keyed = |more: Value| and(person.clone(), more);
    let held = creates(
        &client,
        &keyed(json!({ "identificationKey": key(&fresh_nir()) })),
        false,
    );
    let other = creates(
        &client,
        &keyed(json!({ "identificationKey": key(&fresh_nir()) })),
        true,
    );
    assert_ne!(other, held);
}

fn c19_of_two_homonyms_neither_is_found(context: &Context) {
    let client = cloud(context);
    let person = cloud_person(json!({}));
    let keyed = |id: String| and(person.clone(), json!({ "externalId": id }));
    creates(&client, &keyed(unique()), false);
    creates(&client, &keyed(unique()), true);
    creates(&client, &person, true);
    creates(&client, &person, true);
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

fn c21_a_find_leaves_contact_data_as_they_are(context: &Context) {
    let client = cloud(context);
    let person = cloud_person(json!({ "externalId": unique(), "phone": "+33612345678" }));
    let id = creates(&client, &person, false);
    let other = and(
        person,
        json!({ "phone": "+33700000000", "email": "new@example.org", "gender": "M", "firstName": "Zoé" }),
    );
    finds(&client, &other, &id, false);
    let read = get(&client, &id);
    assert_eq!(read.header("ETag"), Some("W/\"1\""));
    let read = shown(read, 200);
    assert_eq!(read["phone"], "+33612345678");
    assert_eq!((&read["email"], &read["gender"]), (&json!(null), &json!("F")));
}

fn c33_an_ins_of_a_fhir_client_counts_as_rang_01(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let nir = fresh_nir();
    let ins = json!({
        "use": "official", "system": "urn:oid:1.2.250.1.213.1.4.8", "value": with_key(&nir),
        "type": { "coding": [{
            "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR"
        }] }
    });
    let patient = json!({ "resourceType": "Patient", "identifier": [ins], "name": [{ "family": "Ins" }] });
    let made = fhir.post("/Patient").json(&patient).send().expect(201).json();
    let of_rang = |rang: &str| cloud_person(json!({ "identificationKey": { "nir": nir, "rang": rang } }));
    let found = ask(&client, &of_rang("01"));
    assert_eq!((found.status, found.warns), (200, false), "{}", found.body);
    assert_eq!(text(&fhir_of(&fhir, &found.id), "id"), text(&made, "id"));
    assert_eq!(
        found.body["identificationKey"],
        json!({ "nir": with_key(&nir), "rang": "01" })
    );
    let child = creates(&client, &of_rang("02"), false);
    assert_ne!(child, found.id);
}

/// Says of one patient that another replaces it, as FHIR clients do.
fn merge(fhir: &Client, source: &str, target: &str) {
    let target = text(&fhir_of(fhir, target), "id");
    edit(fhir, source, |patient| {
        patient["active"] = json!(false);
        patient["link"] =
            json!([{ "other": { "reference": format!("Patient/{target}") }, "type": "replaced-by" }]);
    });
}

fn a_merged_patient_is_not_found_and_its_keys_are_free(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let (nir, external) = (fresh_nir(), unique());
    let person = cloud_person(json!({ "externalId": external, "identificationKey": key(&nir) }));
    let source = creates(&client, &person, false);
    let target = creates(&client, &cloud_person(json!({})), false);
    merge(&fhir, &source, &target);
    faulty(&get(&client, &source), 404, "PATIENT_NOT_FOUND");
    faulty(
        &put(&client, &source, &json!({ "phone": null })),
        404,
        "PATIENT_NOT_FOUND",
    );
    let by_id = format!("/patients?trustSpaceUuid={TRUST_SPACE}&externalId={external}");
    faulty(&client.get(&by_id).send(), 404, "PATIENT_NOT_FOUND");
    // The target may take the keys, and is what they find then.
    let keys = json!({ "externalId": external, "identificationKey": key(&nir) });
    shown(put(&client, &target, &keys), 200);
    finds(&client, &person, &target, false);
    assert_eq!(
        shown(client.get(&by_id).send(), 200)["patientUuid"],
        target.as_str()
    );
    // Without a target that carries them they find nobody.
    let person = cloud_person(json!({ "externalId": unique(), "identificationKey": key(&fresh_nir()) }));
    let source = creates(&client, &person, false);
    merge(&fhir, &source, &target);
    let fresh = creates(&client, &person, false);
    finds(&client, &person, &fresh, false);
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
