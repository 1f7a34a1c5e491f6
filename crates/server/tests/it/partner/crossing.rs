//! What a Medicapp door and the FHIR door do to one patient, each in sight of the other (`adapters.md` 5.3, 5.7, 9.5).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::race::tally;
use testkit::tests;

use super::connect::records;
use super::medicapp::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    x02_a_fhir_put_without_the_doors_identifiers_cuts_nobody_off,
    x03_a_fhir_put_cannot_take_or_invent_what_the_doors_own,
    x09_reading_writes_nothing,
    x12_a_conditional_update_by_an_external_id_means_the_doors_patient,
    c34_a_key_that_fhir_and_the_cloud_door_want_at_once_has_one_owner,
    c16_two_trust_spaces_of_one_space_keep_their_external_ids_apart,
    a_patient_that_fhir_deletes_and_revives_keeps_its_id_and_records,
    a_revival_whose_external_id_was_taken_is_refused,
    a_patient_of_one_door_is_shown_at_the_other,
];

fn made(client: &testkit::http::Client, body: &Value, id: &str) -> String {
    text(&shown(post(client, body), 201), id)
}

fn key(nir: &str) -> Value {
    json!({ "nir": nir, "rang": "01" })
}

fn x02_a_fhir_put_without_the_doors_identifiers_cuts_nobody_off(context: &Context) {
    let (cloud, connect, fhir) = (cloud(context), connect(context), shared_fhir(context));
    let (nir, external) = (fresh_nir(), unique());
    let body = cloud_person(json!({ "externalId": external, "identificationKey": key(&nir) }));
    let id = made(&cloud, &body, "patientUuid");
    shown(put(&connect, &id, &json!({ "externalId": external })), 200);
    let resource = text(&fhir_of(&fhir, &id), "id");
    let bare = json!({ "resourceType": "Patient", "id": resource, "name": [{ "family": "Neu" }] });
    fhir.put(format!("/Patient/{resource}"))
        .json(&bare)
        .send()
        .expect(200);
    let found = shown(post(&cloud, &body), 200);
    assert_eq!(found["patientUuid"], id.as_str());
    assert_eq!(
        (&found["identificationKey"], &found["externalId"]),
        (&key(&nir), &json!(external))
    );
    let read = shown(get(&connect, &id), 200);
    assert_eq!(
        (&read["lastName"], &read["externalId"]),
        (&json!("Neu"), &json!(external))
    );
}

fn x03_a_fhir_put_cannot_take_or_invent_what_the_doors_own(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let (theirs, own) = (unique(), unique());
    made(&client, &connect_person(json!({ "externalId": theirs })), "id");
    let id = made(&client, &connect_person(json!({ "externalId": own })), "id");
    let before = fhir_of(&fhir, &id);
    let path = format!("/Patient/{}", text(&before, "id"));
    let with_value = |system: &str, value: &str| {
        let mut changed = before.clone();
        let identifiers = changed["identifier"].as_array_mut().expect("identifiers");
        let held = identifiers.iter_mut().find(|held| held["system"] == system);
        held.expect("it carries one")["value"] = json!(value);
        fhir.put(&path).json(&changed).send()
    };
    let external = format!("{NAMING}/medicapp/space/demo/external-id");
    refused(with_value(&external, &theirs), 409, "duplicate");
    let patient_id = format!("{NAMING}/medicapp/patient-id");
    refused(with_value(&patient_id, "pat_invented00000"), 422, "business-rule");
    assert_eq!(fhir_of(&fhir, &id), before);
    shown(get(&client, &id), 200);
}

fn x09_reading_writes_nothing(context: &Context) {
    let (cloud, connect, fhir) = (cloud(context), connect(context), shared_fhir(context));
    // Born in FHIR: the doors' id is nowhere in the resource.
    let own = unique();
    fhir.post("/Patient").json(&patient(&own)).send().expect(201);
    let by_number = found(&fhir, "Patient", (LOCAL, &own));
    let path = format!("/Patient/{}", by_number[0]);
    let before = fhir.get(&path).send().expect(200).json();
    assert!(!before.to_string().contains("pat_"), "{before}");
    let id = execute(
        shared(context),
        &format!("SELECT medicapp_id FROM resource WHERE id = '{}'", by_number[0]),
    );
    let versions = format!(
        "SELECT count(*) FROM resource_version WHERE id = '{}'",
        by_number[0]
    );
    for _ in 0..3 {
        shown(get(&cloud, &id), 200);
        shown(get(&connect, &id), 200);
        // An escape is another spelling of the same id.
        shown(get(&connect, &id.replace('_', "%5F")), 200);
        shown(put(&connect, &id, &json!({})), 200);
        shown(put(&cloud, &id, &json!({ "phone": null })), 200);
    }
    assert_eq!(fhir.get(&path).send().expect(200).json(), before);
    assert_eq!(execute(shared(context), &versions), "0");
}

fn x12_a_conditional_update_by_an_external_id_means_the_doors_patient(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let external = unique();
    let id = made(&client, &connect_person(json!({ "externalId": external })), "id");
    let by = (&*format!("{NAMING}/medicapp/space/demo/external-id"), &*external);
    let mut body = fhir_of(&fhir, &id);
    body["gender"] = json!("female");
    body["telecom"] = json!([{ "system": "phone", "value": "01 23" }]);
    put_by(&fhir, "Patient", by, &body).expect(200);
    let read = shown(get(&client, &id), 200);
    assert_eq!((&read["gender"], &read["phone"]), (&json!("F"), &json!("01 23")));
    // What the door shows may be sent back, whatever its form.
    let again = put(&client, &id, &read);
    assert_eq!(again.header("ETag"), Some("W/\"2\""));
    shown(again, 200);
}

fn c34_a_key_that_fhir_and_the_cloud_door_want_at_once_has_one_owner(context: &Context) {
    let (cloud, fhir) = (cloud(context), shared_fhir(context));
    for _ in 0..8 {
        let nir = fresh_nir();
        let body = cloud_person(json!({ "identificationKey": key(&nir) }));
        let system = format!("{NAMING}/medicapp/nir-rang");
        let value = format!("{nir}-01");
        let resource = resource("Patient", &system, &value);
        let openers: Vec<testkit::http::Client> = (0..16).map(|_| fhir.clone()).collect();
        let answers = race_of(&cloud, 16, |client, number| {
            if number % 2 == 0 {
                let answer = post(client, &body);
                assert!(matches!(answer.status, 200 | 201), "{answer:?}");
                answer.status
            } else {
                let answer = openers[number].post("/Patient").json(&resource).send();
                assert!(matches!(answer.status, 201 | 409), "{answer:?}");
                answer.status
            }
        });
        let created = answers.iter().filter(|status| **status == 201).count();
        assert_eq!(created, 1, "{:?}", tally(answers));
        assert_eq!(found(&fhir, "Patient", (&system, &value)).len(), 1);
    }
}

fn c16_two_trust_spaces_of_one_space_keep_their_external_ids_apart(context: &Context) {
    let server = context.server();
    succeeds(
        context,
        &server,
        &[
            "binding",
            "add",
            "--door",
            "medicapp-cloud",
            "--word",
            "ts_another00001",
            "--space",
            "demo",
        ],
    );
    let client = server.client("medicapp-cloud");
    let external = unique();
    let of = |space: &str| cloud_person(json!({ "trustSpaceUuid": space, "externalId": external }));
    let ids = [TRUST_SPACE, "ts_another00001"].map(|space| (space, made(&client, &of(space), "patientUuid")));
    assert_ne!(ids[0].1, ids[1].1);
    for (space, id) in &ids {
        let read = shown(get(&client, id), 200);
        assert_eq!(read["trustSpaceUuid"], *space);
        assert_eq!(read["externalId"], external.as_str());
        let query = format!("/patients?trustSpaceUuid={space}&externalId={external}");
        assert_eq!(shown(client.get(query).send(), 200)["patientUuid"], id.as_str());
        let same = put(
            &client,
            id,
            &json!({ "externalId": external, "trustSpaceUuid": space }),
        );
        assert_eq!(same.header("ETag"), Some("W/\"1\""));
        shown(same, 200);
    }
    // The connect door's id of the space is a third one.
    made(
        &server.client("medicapp-connect"),
        &connect_person(json!({ "externalId": external })),
        "id",
    );
}

fn a_patient_that_fhir_deletes_and_revives_keeps_its_id_and_records(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let external = unique();
    let id = made(&client, &connect_person(json!({ "externalId": external })), "id");
    records::attach(context, &id, &format!("rec_{}", unique()), "completed", None);
    let resource = fhir_of(&fhir, &id);
    let path = format!("/Patient/{}", text(&resource, "id"));
    fhir.delete(&path).send().expect(204);
    faulty(&get(&client, &id), 404, "PATIENT_NOT_FOUND");
    faulty(&put(&client, &id, &json!({})), 404, "PATIENT_NOT_FOUND");
    refused(fhir.get(&path).send(), 410, "deleted");
    fhir.get(format!("{path}/_history/1")).send().expect(200);
    let revived = fhir.put(&path).json(&resource).send();
    assert!(matches!(revived.status, 200 | 201), "{revived:?}");
    let read = shown(get(&client, &id), 200);
    assert_eq!(
        (&read["externalId"], &read["recordsCount"]),
        (&json!(external), &json!(1))
    );
}

fn a_revival_whose_external_id_was_taken_is_refused(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let body = connect_person(json!({ "externalId": unique() }));
    let id = made(&client, &body, "id");
    let resource = fhir_of(&fhir, &id);
    let path = format!("/Patient/{}", text(&resource, "id"));
    fhir.delete(&path).send().expect(204);
    let taker = made(&client, &body, "id");
    refused(fhir.put(&path).json(&resource).send(), 409, "duplicate");
    shown(get(&client, &taker), 200);
    faulty(&get(&client, &id), 404, "PATIENT_NOT_FOUND");
}

fn a_patient_of_one_door_is_shown_at_the_other(context: &Context) {
    let (cloud, connect) = (cloud(context), connect(context));
    let (external, nir) = (unique(), fresh_nir());
    let body = cloud_person(json!({
        "externalId": external, "email": "s@example.org", "identificationKey": key(&nir), "gender": "U"
    }));
    let id = made(&cloud, &body, "patientUuid");
    let read = get(&connect, &id);
    assert!(!read.text().contains(&nir), "{read:?}");
    let read = shown(read, 200);
    for field in ["firstName", "lastName", "birthDate", "email"] {
        assert_eq!(read[field], body[field], "{field}");
    }
    // Another door's id, and a gender that has no word here.
    assert_eq!(
        (&read["externalId"], &read["gender"]),
        (&json!(null), &json!(null))
    );
    assert!(read.get("address").is_none());
    shown(
        put(
            &connect,
            &id,
            &json!({ "address": { "city": "Lyon" }, "lastName": "Neuf" }),
        ),
        200,
    );
    let there = shown(get(&cloud, &id), 200);
    assert_eq!(there["lastName"], "Neuf");
    assert_eq!(
        (&there["externalId"], &there["identificationKey"]),
        (&json!(external), &key(&nir))
    );
    let family = unique();
    let of_connect = json!({ "lastName": family, "externalId": external });
    let id = made(&connect, &connect_person(of_connect), "id");
    let there = shown(get(&cloud, &id), 200);
    assert_eq!(
        (&there["externalId"], &there["identificationKey"]),
        (&json!(null), &json!(null))
    );
    // A later create at the cloud door finds the same person by name and date of birth.
    let same = cloud_person(json!({ "firstName": "Jean", "lastName": family, "birthDate": "1985-03-15" }));
    let found = shown(post(&cloud, &same), 200);
    assert_eq!(found["patientUuid"], id.as_str());
    assert!(found["warning"].is_string());
}
