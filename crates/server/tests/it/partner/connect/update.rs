//! PUT: a merge that changes what it names.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::race::tally;
use testkit::tests;

use super::{list, made};
use crate::partner::medicapp::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    n08_a_put_of_one_field_changes_nothing_else,
    n09_a_cleared_email_stays_cleared_beside_a_second_one,
    n10_another_first_name_replaces_the_given_names_and_an_equal_one_keeps_them,
    n11_an_address_is_merged_part_by_part,
    n12_two_lines_of_a_street_survive_being_sent_back,
    n13_what_the_server_owns_is_ignored,
    n14_an_external_id_of_another_patient_is_refused,
    n15_a_put_without_effect_is_no_modification,
    x08_puts_of_different_fields_at_once_all_survive,
    x08_if_match_lets_one_of_many_through,
];

/// A FHIR resource but for `meta` and what is named.
fn rest(resource: &Value, names: &[&str]) -> String {
    let mut rest = content(resource.clone());
    for name in names {
        rest.as_object_mut().expect("an object").shift_remove(*name);
    }
    rest.to_string()
}

fn n08_a_put_of_one_field_changes_nothing_else(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let person = json!({
        "gender": "F", "phone": "+33612345678", "externalId": unique(),
        "address": { "street": "1 rue X", "city": "Paris" }
    });
    let id = made(&client, person);
    let before = edit(&fhir, &id, |patient| {
        patient["maritalStatus"] = json!({ "text": "seule" });
        patient["identifier"]
            .as_array_mut()
            .expect("identifiers")
            .push(json!({ "system": LOCAL, "value": unique() }));
    });
    let shown_before = shown(get(&client, &id), 200);
    let answer = put(&client, &id, &json!({ "email": "nouveau@email.fr" }));
    assert_eq!(answer.header("ETag"), Some("W/\"3\""));
    let answer = shown(answer, 200);
    let expected = and(shown_before, json!({ "email": "nouveau@email.fr" }));
    same_but(
        &and(answer.clone(), json!({ "records": [] })),
        &{
            let mut expected = expected;
            let records = expected
                .as_object_mut()
                .expect("an object")
                .shift_remove("records");
            expected["records"] = records.expect("records");
            expected
        },
        &["modifiedAt"],
    );
    let after = fhir_of(&fhir, &id);
    assert_eq!(rest(&after, &["telecom"]), rest(&before, &["telecom"]));
    let time = |resource: &Value| text(&resource["meta"], "lastUpdated");
    assert!(time(&after) > time(&before));
    let filter = format!("modified_after={}", time(&before));
    assert_eq!(
        list::find(&client, &filter, &id).expect("it was modified")["email"],
        "nouveau@email.fr"
    );
}

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

fn n10_another_first_name_replaces_the_given_names_and_an_equal_one_keeps_them(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let id = made(&client, json!({}));
    edit(&fhir, &id, |patient| {
        patient["name"][0]["given"] = json!(["Jean", "Paul"])
    });
    let given = || fhir_of(&fhir, &id)["name"][0]["given"].clone();
    let equal = put(&client, &id, &json!({ "firstName": "Jean" }));
    assert_eq!(equal.header("ETag"), Some("W/\"2\""));
    assert_eq!(given(), json!(["Jean", "Paul"]));
    shown(put(&client, &id, &json!({ "firstName": "Pierre" })), 200);
    assert_eq!(given(), json!(["Pierre"]));
    for required in ["firstName", "lastName", "birthDate"] {
        let mut body = json!({});
        body[required] = json!(null);
        let message = faulty(&put(&client, &id, &body), 400, "VALIDATION_ERROR");
        assert!(message.contains(required), "{message}");
    }
}

fn n11_an_address_is_merged_part_by_part(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let id = made(
        &client,
        json!({ "address": { "street": "12 rue de la Paix", "city": "Paris" } }),
    );
    let address = |body: Value| shown(put(&client, &id, &json!({ "address": body })), 200)["address"].clone();
    assert_eq!(
        address(json!({ "city": "Lyon", "region": "ignored" })),
        json!({ "street": "12 rue de la Paix", "city": "Lyon", "postalCode": null, "country": null })
    );
    assert_eq!(address(json!({ "street": null }))["street"], json!(null));
    let answer = shown(put(&client, &id, &json!({ "address": null })), 200);
    assert!(answer.get("address").is_none(), "{answer}");
    assert!(fhir_of(&fhir, &id).get("address").is_none());
    assert!(shown(get(&client, &id), 200).get("address").is_none());
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

fn n13_what_the_server_owns_is_ignored(context: &Context) {
    let client = connect(context);
    let id = made(&client, json!({}));
    let body = json!({
        "id": "pat_other", "createdAt": "1999-01-01T00:00:00Z", "modifiedAt": 5, "recordsCount": 7,
        "records": [{ "id": "rec_1" }], "unknown": true
    });
    let before = shown(get(&client, &id), 200);
    let answer = put(&client, &id, &body);
    assert_eq!(answer.header("ETag"), Some("W/\"1\""));
    shown(answer, 200);
    assert_eq!(shown(get(&client, &id), 200), before);
    let created = shown(post(&client, &connect_person(body)), 201);
    assert_ne!(created["id"], "pat_other");
    assert_eq!(created["recordsCount"], 0);
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

fn n15_a_put_without_effect_is_no_modification(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let person = json!({ "email": "a@example.org", "address": { "city": "Paris" } });
    let id = made(&client, person.clone());
    let before = fhir_of(&fhir, &id);
    let read = shown(get(&client, &id), 200);
    for same in [
        json!({}),
        person,
        read.clone(),
        json!({ "phone": null, "gender": null, "externalId": null }),
        json!({ "address": {} }),
        json!({ "firstName": "Jean" }),
    ] {
        let answer = put(&client, &id, &same);
        assert_eq!(answer.header("ETag"), Some("W/\"1\""), "{same}");
        assert_eq!(shown(answer, 200)["modifiedAt"], read["modifiedAt"], "{same}");
    }
    assert_eq!(fhir_of(&fhir, &id), before);
    let filter = format!("modified_after={}", text(&before["meta"], "lastUpdated"));
    assert!(list::find(&client, &filter, &id).is_none());
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
