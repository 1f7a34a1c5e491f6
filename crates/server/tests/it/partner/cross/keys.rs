//! Keys, times and spellings between the doors.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    g11_two_external_ids_of_two_patients_are_one_refusal,
    x12_a_hospital_writes_by_the_external_id_of_connect_and_connect_sees_it,
    x17_a_clock_that_is_turned_back_turns_no_time_back,
    x19_a_spelling_that_no_longer_holds_goes_with_the_next_write,
];

fn g11_two_external_ids_of_two_patients_are_one_refusal(context: &Context) {
    let server = shared(context);
    let doors = Doors::of(server);
    let (first, second) = (unique(), unique());
    let made = [("a", &first), ("b", &second)]
        .map(|(key, value)| doors.graph_post(json!({ "first_name": "Bea", "external_ids": { key: value } })));
    let answer = doors
        .graph_post(json!({ "external_ids": { "a": first, "b": second } }))
        .expect(409);
    assert_eq!(answer.json()["error"], "duplicate_patient");
    for patient in made {
        let id = patient.expect(201).json()["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        assert!(
            !answer.text().contains(&id) && !answer.text().contains("Bea"),
            "{answer:?}"
        );
        // Nobody has been changed.
        assert_eq!(
            doors
                .graph
                .get(format!("/patients/{id}"))
                .send()
                .expect(200)
                .version(),
            1
        );
    }
}

fn x12_a_hospital_writes_by_the_external_id_of_connect_and_connect_sees_it(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let system = format!("{BASE}/medicapp/space/demo/external-id");
    let target = format!("/Patient?{}", by(&system, "IPP-7"));
    let body = |family: &str| {
        json!({
            "resourceType": "Patient", "identifier": [{ "system": system, "value": "IPP-7" }],
            "name": [{ "family": family, "given": ["Jean"] }], "birthDate": "1980-05-15"
        })
    };
    doors.fhir.put(&target).json(&body("Dupont")).send().expect(201);
    let list = doors.connect.get("/patients").send().expect(200).json();
    assert_eq!(list["pagination"]["total"], 1);
    let shown = &list["data"][0];
    assert_eq!(
        (&shown["externalId"], &shown["lastName"]),
        (&json!("IPP-7"), &json!("Dupont"))
    );
    let own = format!("/patients/{}", shown["id"].as_str().expect("an id"));
    doors.fhir.put(&target).json(&body("Durand")).send().expect(200);
    let shown = doors.connect.get(&own).send().expect(200).json();
    assert_eq!(
        (&shown["externalId"], &shown["lastName"]),
        (&json!("IPP-7"), &json!("Durand"))
    );
    // To connect the key is taken, and what connect makes is found by FHIR.
    let taken = doors
        .connect_post(json!({ "externalId": "IPP-7" }))
        .expect(409)
        .json();
    assert_eq!(taken["error"]["code"], "EXTERNAL_ID_CONFLICT");
    let made = doors
        .connect_post(json!({ "externalId": "IPP-8", "lastName": "Moreau" }))
        .expect(201)
        .json();
    let found = doors.fhir.put(format!("/Patient?{}", by(&system, "IPP-8")));
    let mut other = body("Petit");
    other["identifier"][0]["value"] = json!("IPP-8");
    found.json(&other).send().expect(200);
    let shown = doors
        .connect
        .get(format!("/patients/{}", made["id"].as_str().expect("an id")))
        .send();
    assert_eq!(shown.expect(200).json()["lastName"], "Petit");
    // The cloud's external ids are others: the same word there is nobody's.
    assert_eq!(
        doors
            .cloud_post(json!({ "externalId": "IPP-7" }))
            .expect(201)
            .json()["created"],
        true
    );
}

fn x17_a_clock_that_is_turned_back_turns_no_time_back(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let made = ehealth::preperson(&doors.ehealth, json!({ "first_name": "Олег" }));
    let id = ehealth::id(&made);
    // The patient was last changed by a clock that went an hour fast.
    let when = format!("SELECT updated FROM resource WHERE id = '{id}'");
    execute(
        &server,
        &format!("UPDATE resource SET updated = updated + 3600000000 WHERE id = '{id}'"),
    );
    let mut before: i64 = execute(&server, &when).parse().expect("a time");
    let graph = || {
        doors
            .graph
            .get(format!("/patients/{id}"))
            .send()
            .expect(200)
            .json()["updated_at"]
            .clone()
    };
    let shown = graph();
    let target = format!("/patients/{}", doors.medicapp_id(id));
    for round in 0..3 {
        let email = json!({ "email": format!("a{round}@example.org") });
        send(&doors.connect, "PUT", &target, &email).expect(200);
        let changed = json!({ "last_name": format!("Коваль{round}") });
        ehealth::data(&ehealth::patch(&doors.ehealth, id, &changed), 200);
        doors.edit(id, |patient| patient["multipleBirthInteger"] = json!(round));
        let now: i64 = execute(&server, &when).parse().expect("a time");
        assert!(now > before, "{now} is not after {before}");
        before = now;
    }
    assert!(graph().as_str() >= shown.as_str(), "{shown}");
    // A poller of connect that was there before the clock was turned still hears of it.
    let since = shown.as_str().expect("a time");
    let list = doors
        .connect
        .get(format!("/patients?modified_after={since}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(list["pagination"]["total"], 1, "{list}");
}

fn x19_a_spelling_that_no_longer_holds_goes_with_the_next_write(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let made = doors
        .connect_post(json!({ "email": "first@example.org" }))
        .expect(201)
        .json();
    let medicapp_id = made["id"].as_str().expect("an id");
    let (fhir_id, target) = (doors.fhir_id(medicapp_id), format!("/patients/{medicapp_id}"));
    let second = |value: &str| {
        doors.edit(&fhir_id, |patient| {
            let email = json!({ "system": "email", "value": value, "use": "work" });
            let telecom = patient["telecom"].as_array().cloned().unwrap_or_default();
            let others = telecom.into_iter().filter(|held| held["use"] != "work");
            patient["telecom"] = Value::Array(others.chain([email]).collect());
        });
    };
    let email = || doors.connect.get(&target).send().expect(200).json()["email"].clone();
    second("work@example.org");
    send(&doors.connect, "PUT", &target, &json!({ "email": null })).expect(200);
    assert_eq!(email(), Value::Null);
    // What stood there stays hidden; another is shown; and the old one is hidden again while no door has written.
    second("other@example.org");
    assert_eq!(email(), "other@example.org");
    second("work@example.org");
    assert_eq!(email(), Value::Null);
    second("other@example.org");
    // A write while it does not hold drops it: now the old value is shown like any other.
    send(
        &doors.connect,
        "PUT",
        &target,
        &json!({ "phone": "+33612345678" }),
    )
    .expect(200);
    second("work@example.org");
    assert_eq!(email(), "work@example.org");
}
