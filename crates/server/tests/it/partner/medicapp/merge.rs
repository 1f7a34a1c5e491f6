//! PUT at the connect door beside what it does not show, and beside other PUTs.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::race::tally;
use testkit::tests;

use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    n09_a_cleared_email_stays_cleared_beside_a_second_one,
    n12_two_lines_of_a_street_survive_being_sent_back,
    n14_an_external_id_of_another_patient_is_refused,
    x08_puts_of_different_fields_at_once_all_survive,
    x08_if_match_lets_one_of_many_through,
];

fn n09_a_cleared_email_stays_cleared_beside_a_second_one(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let id = made(&client, json!({ "email": "first@example.org" }));
    let second = json!({ "system": "email", "value": "second@example.org" });
    edit(&fhir, &id, |patient| {
        patient["telecom"]
            .as_array_mut()
            .expect("telecoms")
            .push(second.clone());
    });
    let cleared = shown(put(&client, &id, &json!({ "email": null })), 200);
    assert_eq!(cleared["email"], json!(null));
    assert_eq!(shown(get(&client, &id), 200)["email"], json!(null));
    assert_eq!(fhir_of(&fhir, &id)["telecom"], json!([second]));
    // An EHR that edits it says that it counts.
    edit(&fhir, &id, |patient| {
        patient["telecom"][0]["value"] = json!("third@example.org")
    });
    assert_eq!(shown(get(&client, &id), 200)["email"], "third@example.org");
}

fn n12_two_lines_of_a_street_survive_being_sent_back(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let id = made(&client, json!({}));
    let lines = json!([{ "line": ["12 rue X", "Bât B"], "city": "Paris", "district": "10e" }]);
    let before = edit(&fhir, &id, |patient| patient["address"] = lines);
    let read = shown(get(&client, &id), 200);
    assert_eq!(read["address"]["street"], "12 rue X\nBât B");
    let again = put(&client, &id, &read);
    assert_eq!(again.header("ETag"), Some("W/\"2\""));
    assert_eq!(fhir_of(&fhir, &id), before);
    shown(
        put(
            &client,
            &id,
            &json!({ "address": { "street": "1 rue Y\n\nBât C" } }),
        ),
        200,
    );
    let read = shown(get(&client, &id), 200);
    assert_eq!(read["address"]["street"], "1 rue Y\n\nBât C");
    assert_eq!(fhir_of(&fhir, &id)["address"][0]["district"], "10e");
}

fn n14_an_external_id_of_another_patient_is_refused(context: &Context) {
    let client = connect(context);
    let (theirs, own) = (unique(), unique());
    made(&client, json!({ "externalId": theirs }));
    let id = made(&client, json!({ "externalId": own }));
    let body = json!({ "externalId": theirs, "email": "a@example.org" });
    faulty(&put(&client, &id, &body), 409, "EXTERNAL_ID_CONFLICT");
    let read = shown(get(&client, &id), 200);
    assert_eq!((&read["externalId"], &read["email"]), (&json!(own), &json!(null)));
    let same = put(&client, &id, &json!({ "externalId": own }));
    assert_eq!(same.header("ETag"), Some("W/\"1\""));
    shown(put(&client, &id, &json!({ "externalId": null })), 200);
    made(&client, json!({ "externalId": own }));
}

fn x08_puts_of_different_fields_at_once_all_survive(context: &Context) {
    let client = connect(context);
    for round in 0..12 {
        let id = made(&client, json!({}));
        let changes = [
            json!({ "phone": format!("+336000000{round:02}") }),
            json!({ "email": format!("r{round}@example.org") }),
            json!({ "externalId": unique() }),
            json!({ "address": { "street": null, "city": "Lyon", "postalCode": null, "country": null } }),
            json!({ "lastName": "Martin" }),
        ];
        let answers = race_of(&client, changes.len(), |client, number| {
            put(client, &id, &changes[number]).status
        });
        assert_eq!(tally(answers), [(200, changes.len())]);
        let read = get(&client, &id);
        assert_eq!(read.version(), 1 + changes.len() as u64);
        let read = shown(read, 200);
        for change in &changes {
            for (field, value) in change.as_object().expect("an object") {
                assert_eq!(&read[field], value, "round {round}");
            }
        }
    }
}

fn x08_if_match_lets_one_of_many_through(context: &Context) {
    let client = connect(context);
    for _ in 0..5 {
        let id = made(&client, json!({}));
        let answers = race_of(&client, 8, |client, number| {
            let body = json!({ "email": format!("w{number}@example.org") });
            let request = with_json(client.put(format!("/patients/{id}")), body.to_string());
            let answer = request.header("If-Match", "W/\"1\"").send();
            if answer.status != 200 {
                faulty(&answer, 412, "PRECONDITION_FAILED");
            }
            answer.status
        });
        assert_eq!(tally(answers), [(200, 1), (412, 7)]);
        assert_eq!(get(&client, &id).version(), 2);
    }
}
