//! Several words for one space, and the FHIR door beside the Medicapp doors.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::race::tally;
use testkit::tests;

use super::attach;
use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    c34_a_key_that_fhir_and_the_cloud_door_want_at_once_has_one_owner,
    c16_two_trust_spaces_of_one_space_keep_their_external_ids_apart,
    a_patient_that_fhir_deletes_and_revives_keeps_its_id_and_records,
    a_revival_whose_external_id_was_taken_is_refused,
];

fn made(client: &testkit::http::Client, body: &Value, id: &str) -> String {
    text(&shown(post(client, body), 201), id)
}

fn key(nir: &str) -> Value {
    json!({ "nir": nir, "rang": "01" })
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
    attach::attach(context, &id, &format!("rec_{}", unique()), "completed", None);
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
