//! The cloud door: what finds whom, what a find leaves alone, races.

use testkit::harness::Test;
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    c02_a_find_writes_nothing,
    c11_children_of_one_insured_are_told_apart_by_their_rank,
    c14_to_c19_whoever_is_meant_is_found_and_contradictions_are_told,
    c16_another_trust_space_of_the_key_is_another_patient,
    c25_a_change_leaves_every_other_element_as_it_is,
    c26_a_locked_field_stops_the_whole_change,
    c28_an_external_id_has_one_owner,
    c29_the_old_key_finds_nobody_after_a_change,
    c31_a_foreign_trust_space_looks_like_a_missing_one,
    c32_there_is_no_delete_and_no_list,
    c33_a_qualified_identity_of_a_hospital_is_found_by_its_nir,
    merged_patients_are_missing_and_their_keys_are_the_survivors,
];

/// A NIR that nobody else in this process has: 13 characters.
fn fresh_nir() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("18811037{:05}", 20_000 + COUNT.fetch_add(1, Ordering::Relaxed))
}

fn key(nir: &str, rang: &str) -> Value {
    json!({ "nir": nir, "rang": rang })
}

#[track_caller]
fn made(answer: &Response) -> String {
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["patientUuid"].as_str().expect("an id").to_owned()
}

/// Found: whom, and whether there is a warning.
#[track_caller]
fn found(answer: &Response) -> (String, bool) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["created"], false);
    let id = body["patientUuid"].as_str().expect("an id").to_owned();
    (id, !body["warning"].is_null())
}

fn c02_a_find_writes_nothing(context: &Context) {
    let doors = Doors::of(shared(context));
    let nir = fresh_nir();
    let id =
        made(&doors.cloud_post(json!({ "identificationKey": key(&nir, "01"), "phone": "+33612345678" })));
    let fhir_id = doors.fhir_id(&id);
    let before = doors.patient(&fhir_id).expect(200).text();
    let other = json!({ "identificationKey": key(&nir, "1"), "phone": "+33600000000", "email": "a@b.fr", "gender": "M" });
    assert_eq!(found(&doors.cloud_post(other)), (id, false));
    assert_eq!(doors.patient(&fhir_id).expect(200).text(), before);
}

fn c11_children_of_one_insured_are_told_apart_by_their_rank(context: &Context) {
    let doors = Doors::of(shared(context));
    let nir = fresh_nir();
    let second = made(&doors.cloud_post(json!({ "identificationKey": key(&nir, "02"), "firstName": "Ana" })));
    let third = made(&doors.cloud_post(json!({ "identificationKey": key(&nir, "03"), "firstName": "Bo" })));
    assert_ne!(second, third);
    let patient = doors.patient(&doors.fhir_id(&second)).expect(200).json();
    let nss = super::super::cross::identifier_of(&patient, "urn:oid:1.2.250.1.213.1.4.13").expect("a NIR");
    let by = super::super::cross::by("urn:oid:1.2.250.1.213.1.4.13", &nss);
    let bundle = doors.fhir.get(format!("/Patient?{by}")).send().expect(200).json();
    assert_eq!(bundle["total"], 2);
    let body = json!({ "resourceType": "Patient", "name": [{ "family": "Who" }] });
    let refused = doors.fhir.put(format!("/Patient?{by}")).json(&body).send();
    refused.expect(412);
}

fn c14_to_c19_whoever_is_meant_is_found_and_contradictions_are_told(context: &Context) {
    let doors = Doors::of(shared(context));
    let (nir_a, nir_b) = (fresh_nir(), fresh_nir());
    let (id_a, id_b) = (unique(), unique());
    let a = made(&doors.cloud_post(json!({ "identificationKey": key(&nir_a, "01"), "externalId": id_a })));
    let b = made(&doors.cloud_post(json!({ "externalId": id_b })));
    let post = |more: Value| doors.cloud_post(more);
    // C14: the NIR wins over the external id.
    let both = json!({ "identificationKey": key(&nir_a, "01"), "externalId": id_b });
    assert_eq!(found(&post(both)), (a.clone(), true));
    let another = json!({ "identificationKey": key(&nir_a, "01"), "externalId": unique() });
    let answer = post(another);
    assert_eq!(
        answer.json()["externalId"],
        json!(id_a),
        "the stored one is answered"
    );
    assert_eq!(found(&answer), (a.clone(), true));
    // C15: an unknown NIR goes on to the external id.
    let differs = json!({ "identificationKey": key(&nir_b, "01"), "externalId": id_a });
    assert_eq!(found(&post(differs)), (a.clone(), true));
    let attached = json!({ "identificationKey": key(&nir_b, "01"), "externalId": id_b });
    let answer = post(attached);
    assert_eq!(
        answer.json()["identificationKey"],
        Value::Null,
        "a find attaches nothing"
    );
    assert_eq!(found(&answer), (b, true));
    // C16, C17: the external id alone, then the name alone.
    assert_eq!(found(&post(json!({ "externalId": id_a }))), (a, false));
    let name = unique();
    let keyless = made(&post(
        json!({ "lastName": format!("Élise{name}"), "firstName": "SOPHIE" }),
    ));
    let folded = json!({ "lastName": format!(" E\u{301}lise{name} "), "firstName": "Sophie" });
    assert_eq!(found(&post(folded)), (keyless.clone(), true));
    let first = json!({ "lastName": format!("Élise{name}"), "firstName": "Sophie", "externalId": unique() });
    let (matched, warned) = found(&post(first));
    assert!(
        matched == keyless && warned,
        "who has no external id contradicts none"
    );
    // C18: another external id is another person of that name.
    let name = unique();
    made(&post(json!({ "lastName": name, "externalId": unique() })));
    let homonym = post(json!({ "lastName": name, "externalId": unique() }));
    assert!(!homonym.json()["warning"].is_null());
    made(&homonym);
    // C19: with two of them nobody can tell.
    let third = post(json!({ "lastName": name }));
    assert!(!third.json()["warning"].is_null());
    made(&third);
}

fn c16_another_trust_space_of_the_key_is_another_patient(context: &Context) {
    let server = context.server();
    let second = "ts_second";
    succeeds(context, &server, &["space", "add", "second", "--sandbox"]);
    let binding = [
        "binding",
        "add",
        "--door",
        "medicapp-cloud",
        "--word",
        second,
        "--space",
        "second",
    ];
    succeeds(context, &server, &binding);
    let client = [
        "client",
        "add",
        "both",
        "--space",
        "demo",
        "--space",
        "second",
        "--door",
        "medicapp-cloud",
        "--scope",
        "partner:administrative",
    ];
    succeeds(context, &server, &client);
    let bearer = issue_key(context, &server, "both");
    let cloud = server
        .anonymous()
        .with_prefix("/cloud/partner/v5")
        .with_bearer(&bearer);
    let post = |space: &str| {
        let body = json!({
            "trustSpaceUuid": space, "firstName": "A", "lastName": "B", "birthDate": "1990-01-01", "gender": "U",
            "externalId": "EMP-1",
        });
        send(&cloud, "POST", "/patients", &body)
    };
    let first = wait_for(std::time::Duration::from_secs(10), "the key to be known", || {
        let answer = post(TRUST_SPACE);
        std::thread::sleep(std::time::Duration::from_millis(60));
        (answer.status != 401).then_some(answer)
    });
    let (first, other) = (made(&first), made(&post(second)));
    assert_ne!(first, other);
    for (id, space) in [(first, TRUST_SPACE), (other, second)] {
        let shown = cloud.get(format!("/patients/{id}")).send().expect(200).json();
        assert_eq!(
            shown["trustSpaceUuid"], space,
            "found through all spaces of the key"
        );
        let change = json!({ "email": "a@b.fr" });
        send(&cloud, "PUT", &format!("/patients/{id}"), &change).expect(200);
    }
}

fn c25_a_change_leaves_every_other_element_as_it_is(context: &Context) {
    let doors = Doors::of(shared(context));
    let id = made(
        &doors.cloud_post(json!({ "phone": "+33612345678", "identificationKey": key(&fresh_nir(), "01") })),
    );
    let fhir_id = doors.fhir_id(&id);
    let mut before = doors.patient(&fhir_id).expect(200).json();
    let change = json!({ "phone": "+33698765432", "email": "new@email.fr", "unknown": [1] });
    let answer = send(&doors.cloud, "PUT", &format!("/patients/{id}"), &change).expect(200);
    let keys: Vec<String> = answer
        .json()
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        keys,
        [
            "patientUuid",
            "created",
            "externalId",
            "identificationKey",
            "warning"
        ]
    );
    assert_eq!(answer.json()["created"], false);
    let mut after = doors.patient(&fhir_id).expect(200).json();
    let values: Vec<Value> = after["telecom"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|point| point["value"].clone())
        .collect();
    assert!(values.contains(&json!("+33698765432")) && values.contains(&json!("new@email.fr")));
    for patient in [&mut before, &mut after] {
        let patient = patient.as_object_mut().expect("an object");
        patient.shift_remove("telecom");
        patient.shift_remove("meta");
    }
    assert_eq!(after.to_string(), before.to_string());
    // C30: nothing, and the same again, make no version.
    for same in [json!({}), json!({ "email": "new@email.fr" })] {
        let answer = send(&doors.cloud, "PUT", &format!("/patients/{id}"), &same).expect(200);
        assert_eq!(answer.header("ETag"), Some("W/\"2\""));
    }
}

fn c26_a_locked_field_stops_the_whole_change(context: &Context) {
    let doors = Doors::of(shared(context));
    let id = made(&doors.cloud_post(json!({ "lastName": "Bernard", "firstName": unique() })));
    let target = format!("/patients/{id}");
    let locked = json!({ "lastName": "Durand", "phone": "+33698765432" });
    assert_eq!(
        refusal(&send(&doors.cloud, "PUT", &target, &locked), 400),
        "FIELD_LOCKED"
    );
    assert_eq!(
        doors.cloud.get(&target).send().expect(200).json()["phone"],
        Value::Null
    );
    let equal = json!({ "lastName": "Bernard", "gender": "F", "phone": "+33698765432" });
    send(&doors.cloud, "PUT", &target, &equal).expect(200);
    assert_eq!(
        refusal(&send(&doors.cloud, "PUT", &target, &json!([])), 400),
        "INVALID_JSON"
    );
}

fn c28_an_external_id_has_one_owner(context: &Context) {
    let doors = Doors::of(shared(context));
    let (mine, theirs, nir) = (unique(), unique(), fresh_nir());
    let id = made(&doors.cloud_post(json!({ "externalId": mine })));
    made(&doors.cloud_post(json!({ "externalId": theirs, "identificationKey": key(&nir, "01") })));
    let put = |change: Value| send(&doors.cloud, "PUT", &format!("/patients/{id}"), &change);
    assert_eq!(
        refusal(&put(json!({ "externalId": theirs })), 409),
        "EXTERNAL_ID_CONFLICT"
    );
    let taken = json!({ "identificationKey": key(&nir, "1") });
    assert_eq!(refusal(&put(taken), 409), "IDENTIFICATION_KEY_CONFLICT");
    assert_eq!(
        put(json!({ "externalId": mine })).expect(200).header("ETag"),
        Some("W/\"1\"")
    );
    put(json!({ "externalId": null })).expect(200);
    made(&doors.cloud_post(json!({ "externalId": mine })));
}

fn c29_the_old_key_finds_nobody_after_a_change(context: &Context) {
    let doors = Doors::of(shared(context));
    let (old, new) = (fresh_nir(), fresh_nir());
    let id = made(&doors.cloud_post(json!({ "identificationKey": key(&old, "01") })));
    let put = |change: Value| send(&doors.cloud, "PUT", &format!("/patients/{id}"), &change).expect(200);
    put(json!({ "identificationKey": key(&new, "02") }));
    let by = |nir: &str, rang: &str| {
        let query = format!("/patients?trustSpaceUuid={TRUST_SPACE}&nir={nir}&rang={rang}");
        doors.cloud.get(query).send()
    };
    assert_eq!(refusal(&by(&old, "01"), 404), "PATIENT_NOT_FOUND");
    assert_eq!(by(&new, "02").expect(200).json()["patientUuid"], json!(id));
    made(&doors.cloud_post(json!({ "identificationKey": key(&old, "01") })));
    put(json!({ "identificationKey": null }));
    let patient = doors.patient(&doors.fhir_id(&id)).expect(200).text();
    assert!(!patient.contains(&new), "{patient}");
    for incomplete in [
        "",
        &format!("&nir={new}"),
        &format!("&nir={new}&rang=01&externalId=x"),
    ] {
        let answer = doors
            .cloud
            .get(format!("/patients?trustSpaceUuid={TRUST_SPACE}{incomplete}"))
            .send();
        assert_eq!(refusal(&answer, 400), "VALIDATION_ERROR");
    }
}

fn c31_a_foreign_trust_space_looks_like_a_missing_one(context: &Context) {
    let server = context.server();
    succeeds(context, &server, &["space", "add", "theirs", "--sandbox"]);
    let binding = [
        "binding",
        "add",
        "--door",
        "medicapp-cloud",
        "--word",
        "ts_theirs",
        "--space",
        "theirs",
    ];
    succeeds(context, &server, &binding);
    let doors = Doors::of(&server);
    let masked = |word: &str| {
        let answer = doors.cloud_post(json!({ "trustSpaceUuid": word }));
        assert_eq!(refusal(&answer, 404), "TRUST_SPACE_NOT_FOUND");
        let id = answer.header("X-Request-Id").expect("an id").to_owned();
        answer.text().replace(word, "…").replace(&id, "…")
    };
    assert_eq!(masked("ts_theirs"), masked("ts_nobodys"));
    assert_eq!(
        refusal(&doors.cloud.get("/patients/pat_nobody").send(), 404),
        "PATIENT_NOT_FOUND"
    );
}

fn c32_there_is_no_delete_and_no_list(context: &Context) {
    let doors = Doors::of(shared(context));
    let id = made(&doors.cloud_post(json!({})));
    let refused = doors.cloud.delete(format!("/patients/{id}")).send();
    assert_eq!(refusal(&refused, 405), "METHOD_NOT_ALLOWED");
    assert_eq!(refused.header("Allow"), Some("GET, HEAD, PUT"));
    let refused = doors.cloud.patch("/patients").send();
    assert_eq!(refusal(&refused, 405), "METHOD_NOT_ALLOWED");
    assert_eq!(refused.header("Allow"), Some("POST, GET, HEAD"));
    let answer = doors.cloud.head(format!("/patients/{id}")).send().expect(200);
    assert!(answer.text().is_empty());
}

fn c33_a_qualified_identity_of_a_hospital_is_found_by_its_nir(context: &Context) {
    let doors = Doors::of(shared(context));
    let nir = fresh_nir();
    let number: u64 = nir.parse().expect("digits");
    let with_key = format!("{nir}{:02}", 97 - number % 97);
    let fhir_id = doors.fhir_post(&json!({
        "resourceType": "Patient",
        "identifier": [{
            "type": { "coding": [{ "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR" }] },
            "system": "urn:oid:1.2.250.1.213.1.4.8",
            "value": with_key,
        }],
        "name": [{ "family": unique() }],
    }));
    let (id, warned) = found(&doors.cloud_post(json!({ "identificationKey": key(&nir, "01") })));
    assert!(!warned);
    assert_eq!(doors.fhir_id(&id), fhir_id);
    let shown = doors
        .cloud
        .get(format!("/patients/{id}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(
        shown["identificationKey"],
        json!({ "nir": with_key, "rang": "01" })
    );
    made(&doors.cloud_post(json!({ "identificationKey": key(&nir, "02") })));
}

fn merged_patients_are_missing_and_their_keys_are_the_survivors(context: &Context) {
    let doors = Doors::of(shared(context));
    let (nir, external) = (fresh_nir(), unique());
    let source =
        made(&doors.cloud_post(json!({ "externalId": external, "identificationKey": key(&nir, "01") })));
    let target = made(&doors.cloud_post(json!({})));
    let (source_id, target_id) = (doors.fhir_id(&source), doors.fhir_id(&target));
    doors.edit(&source_id, |patient| {
        patient["active"] = json!(false);
        patient["link"] =
            json!([{ "other": { "reference": format!("Patient/{target_id}") }, "type": "replaced-by" }]);
    });
    let path = format!("/patients/{source}");
    assert_eq!(refusal(&doors.cloud.get(&path).send(), 404), "PATIENT_NOT_FOUND");
    assert_eq!(
        refusal(
            &send(&doors.cloud, "PUT", &path, &json!({ "email": "a@b.fr" })),
            404
        ),
        "PATIENT_NOT_FOUND"
    );
    let by_key = format!("/patients?trustSpaceUuid={TRUST_SPACE}&externalId={external}");
    assert_eq!(
        refusal(&doors.cloud.get(&by_key).send(), 404),
        "PATIENT_NOT_FOUND"
    );
    // The survivor takes the key; a POST with it finds the survivor.
    send(
        &doors.cloud,
        "PUT",
        &format!("/patients/{target}"),
        &json!({ "externalId": external }),
    )
    .expect(200);
    assert_eq!(
        found(&doors.cloud_post(json!({ "externalId": external }))),
        (target, false)
    );
    // Nobody took the NIR: whoever comes with it is somebody new.
    let newcomer = made(&doors.cloud_post(json!({ "identificationKey": key(&nir, "01") })));
    assert_ne!(newcomer, source);
}
