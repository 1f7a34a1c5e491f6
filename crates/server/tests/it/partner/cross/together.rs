//! Doors that meet at one patient (`adapters.md` 7).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::race::{race, race_prepared};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    x08_changes_through_different_doors_at_once_all_survive,
    x08_a_version_that_is_not_current_is_refused_at_every_door,
    x15_who_is_erased_during_a_change_stays_erased,
];

const ROUNDS: usize = 6;

fn born(doors: &Doors) -> (String, String) {
    let made = doors
        .cloud_post(json!({ "externalId": unique() }))
        .expect(201)
        .json();
    let medicapp_id = made["patientUuid"].as_str().expect("an id").to_owned();
    let fhir_id = doors.fhir_id(&medicapp_id);
    doors.unidentify(&fhir_id);
    (fhir_id, medicapp_id)
}

fn x08_changes_through_different_doors_at_once_all_survive(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    for round in 0..ROUNDS {
        let (fhir_id, medicapp_id) = born(&doors);
        let before = doors.patient(&fhir_id).version();
        let patients = format!("/patients/{medicapp_id}");
        let phone = json!({ "phone": "+33612345678" });
        let email = json!({ "email": format!("r{round}@example.org"), "address": { "city": "Nice" } });
        let answers = race_prepared(
            3,
            |_| doors.clone(),
            |number, doors| match number {
                0 => send(&doors.cloud, "PUT", &patients, &phone),
                1 => send(&doors.connect, "PUT", &patients, &email),
                _ => ehealth::patch(&doors.ehealth, &fhir_id, &json!({ "death_date": "2019-01-01" })),
            },
        );
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let shown = doors.connect.get(&patients).send().expect(200).json();
        assert_eq!(shown["phone"], phone["phone"]);
        assert_eq!(
            (&shown["email"], &shown["address"]["city"]),
            (&email["email"], &json!("Nice"))
        );
        let registry = ehealth::data(&ehealth::get(&doors.ehealth, &fhir_id), 200);
        assert_eq!(registry["death_date"], "2019-01-01");
        assert_eq!(doors.patient(&fhir_id).version(), before + 3);
    }
}

fn x08_a_version_that_is_not_current_is_refused_at_every_door(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let (fhir_id, medicapp_id) = born(&doors);
    let current = doors.patient(&fhir_id).version();
    let patients = format!("/patients/{medicapp_id}");
    let prepersons = format!("/prepersons/{fhir_id}");
    let cases = [
        (&doors.cloud, "PUT", &patients, json!({ "phone": "+33612345678" })),
        (
            &doors.connect,
            "PUT",
            &patients,
            json!({ "phone": "+33612345678" }),
        ),
        (&doors.ehealth, "PATCH", &prepersons, json!({ "gender": "MALE" })),
    ];
    for (client, method, target, body) in cases {
        let guarded = |version: u64| {
            let request = client
                .request(method, target)
                .header("Content-Type", "application/json");
            let request = request.header("If-Match", format!("W/\"{version}\""));
            request.body(body.to_string()).send()
        };
        let stale = guarded(current - 1).expect(412);
        assert!(stale.json()["error"].is_object(), "{stale:?}");
        assert_eq!(doors.patient(&fhir_id).version(), current);
    }
    // Each answer says the version it is about.
    let read = doors.connect.get(&patients).send().expect(200);
    assert_eq!(read.version(), current);
    let request = doors
        .connect
        .put(&patients)
        .header("Content-Type", "application/json");
    let request = request.header("If-Match", format!("W/\"{current}\""));
    let changed = request.body("{\"phone\":\"+33612345678\"}").send().expect(200);
    assert_eq!(changed.version(), current + 1);
}

fn x15_who_is_erased_during_a_change_stays_erased(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    for _ in 0..ROUNDS {
        let (fhir_id, medicapp_id) = born(&doors);
        let patients = format!("/patients/{medicapp_id}");
        let stored = doors.patient(&fhir_id).expect(200).json();
        let everyone = doors.clone();
        let answers = race(5, |number| {
            let doors = everyone.clone();
            match number {
                0 => doors.connect.delete(&patients).send(),
                1 => send(
                    &doors.connect,
                    "PUT",
                    &patients,
                    &json!({ "email": "late@example.org" }),
                ),
                2 => send(
                    &doors.cloud,
                    "PUT",
                    &patients,
                    &json!({ "phone": "+33612345678" }),
                ),
                3 => ehealth::patch(&doors.ehealth, &fhir_id, &json!({ "gender": "MALE" })),
                _ => {
                    let mut body: Value = stored.clone();
                    body["birthDate"] = json!("1990-01-01");
                    doors.fhir.put(format!("/Patient/{fhir_id}")).json(&body).send()
                }
            }
        });
        assert_eq!(answers[0].status, 200, "{answers:?}");
        for answer in &answers[1..4] {
            assert!(matches!(answer.status, 200 | 404), "{answer:?}");
        }
        // Who comes by FHIR after it hears that there will be nobody again.
        assert!(
            matches!(answers[4].status, 200 | 404 | 409 | 410),
            "{:?}",
            answers[4]
        );
        for (client, door, target) in doors.calls(&fhir_id, &medicapp_id) {
            assert_eq!(client.get(&target).send().status, 404, "{door}");
        }
        doors.patient(&fhir_id).expect(410);
        let late = doors.fhir.put(format!("/Patient/{fhir_id}")).json(&stored).send();
        assert!((400..500).contains(&late.status), "{late:?}");
        doors.patient(&fhir_id).expect(410);
        send(
            &doors.connect,
            "PUT",
            &patients,
            &json!({ "email": "late@example.org" }),
        )
        .expect(404);
    }
    let list = doors.connect.get("/patients").send().expect(200).json();
    assert_eq!(list["pagination"]["total"], 0);
}
