//! Spaces do not see each other through any door (`adapters.md` 6, `access.md` 1).

use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::wait::wait_for;

use super::ehealth::Entity;
use super::*;

pub const TESTS: &[Test] = tests![
    x10_another_spaces_patient_is_missing_at_every_door,
    x11_one_nir_in_two_spaces_is_two_patients_that_never_meet,
];

/// Another space behind all doors, under the words `ts_other0000001`, `other-brand` and `other-realm`.
fn other_space(context: &Context, server: &Server) -> Doors {
    let run = |arguments: &str| {
        succeeds(context, server, &arguments.split_whitespace().collect::<Vec<_>>());
    };
    run("space add other --sandbox");
    run("binding add --door medicapp-cloud --word ts_other0000001 --space other");
    run("binding add --door patient-graph --word other-brand --space other");
    run("binding add --door ehealth --word other-realm --space other");
    run("client add o-cloud --space other --door medicapp-cloud --scope partner:administrative");
    run("client add o-connect --space other --door medicapp-connect --scope partner:administrative");
    run("client add o-graph --space other --door patient-graph --scope patient-graph:all");
    run("client add o-fhir --space other --door fhir --scope system/Patient.cruds");
    let [cloud, connect, graph, fhir] =
        ["o-cloud", "o-connect", "o-graph", "o-fhir"].map(|client| issue_key(context, server, client));
    let client = |prefix: &str, key: &str| server.anonymous().with_prefix(prefix).with_bearer(key);
    let entity = Entity {
        client: "o-ehealth",
        ..Entity::default()
    };
    let doors = Doors {
        fhir: fhir_with_key(server, &fhir),
        cloud: client("/cloud/partner/v5", &cloud),
        connect: client("/v5", &connect),
        graph: client("/v1", &graph),
        ehealth: entity.enter_space(context, server, "other"),
    };
    wait_for(Duration::from_secs(10), "the clients to be known", || {
        let all = [
            (&doors.cloud, "/patients/x"),
            (&doors.connect, "/patients/x"),
            (&doors.graph, "/patients/x"),
        ];
        std::thread::sleep(Duration::from_millis(60));
        all.iter()
            .all(|(client, target)| client.get(target).send().status == 404)
            .then_some(())
    });
    doors
}

/// An answer without what differs each time, and without this id.
fn masked(answer: &Response, id: &str) -> String {
    let request_id = answer.header("X-Request-Id").expect("a request id");
    answer.text().replace(request_id, "(request)").replace(id, "(id)")
}

fn x10_another_spaces_patient_is_missing_at_every_door(context: &Context) {
    let server = context.server();
    let (demo, other) = (Doors::of(&server), other_space(context, &server));
    let made = demo.cloud_post(json!({
        "externalId": "E-1", "identificationKey": { "nir": "1881103750016", "rang": "01" }, "email": "a@example.org"
    }));
    let medicapp_id = made.expect(201).json()["patientUuid"]
        .as_str()
        .expect("an id")
        .to_owned();
    let fhir_id = demo.fhir_id(&medicapp_id);
    let registry = ehealth::preperson(&demo.ehealth, json!({ "first_name": "Олег" }));
    let before = [
        demo.patient(&fhir_id).text(),
        demo.patient(ehealth::id(&registry)).text(),
    ];
    let nobody = [
        ("pat_aaaaaaaaaaaaaaaa", medicapp_id.as_str()),
        (ehealth::NOBODY, fhir_id.as_str()),
        (ehealth::NOBODY, ehealth::id(&registry)),
    ];
    let calls = |medicapp_id: &str, fhir_id: &str, registry_id: &str| {
        vec![
            send(
                &other.cloud,
                "GET",
                &format!("/patients/{medicapp_id}"),
                &json!({}),
            ),
            send(
                &other.cloud,
                "PUT",
                &format!("/patients/{medicapp_id}"),
                &json!({ "email": "b@example.org" }),
            ),
            send(
                &other.connect,
                "GET",
                &format!("/patients/{medicapp_id}"),
                &json!({}),
            ),
            send(
                &other.connect,
                "PUT",
                &format!("/patients/{medicapp_id}"),
                &json!({ "email": "b@example.org" }),
            ),
            send(
                &other.connect,
                "DELETE",
                &format!("/patients/{medicapp_id}"),
                &json!({}),
            ),
            send(&other.graph, "GET", &format!("/patients/{fhir_id}"), &json!({})),
            send(
                &other.graph,
                "GET",
                &format!("/patients/{fhir_id}/safe"),
                &json!({}),
            ),
            send(
                &other.ehealth,
                "GET",
                &format!("/prepersons/{registry_id}"),
                &json!({}),
            ),
            send(
                &other.ehealth,
                "PATCH",
                &format!("/prepersons/{registry_id}"),
                &json!({ "gender": "FEMALE" }),
            ),
            other.fhir.get(format!("/Patient/{fhir_id}")).send(),
            other.fhir.get(format!("/Patient/{fhir_id}/_history/1")).send(),
        ]
    };
    let foreign = calls(nobody[0].1, nobody[1].1, nobody[2].1);
    let missing = calls(nobody[0].0, nobody[1].0, nobody[2].0);
    for (place, (foreign, missing)) in foreign.iter().zip(&missing).enumerate() {
        assert_eq!(foreign.status, 404, "{place}: {foreign:?}");
        let id = [0, 0, 0, 0, 0, 1, 1, 2, 2, 1, 1][place];
        assert_eq!(
            masked(foreign, nobody[id].1),
            masked(missing, nobody[id].0),
            "call {place}"
        );
    }
    // Its keys are nobody's, and no list or count knows of it.
    let by_key = "/patients?trustSpaceUuid=ts_other0000001&nir=1881103750016&rang=01";
    other.cloud.get(by_key).send().expect(404);
    other
        .cloud
        .get("/patients?trustSpaceUuid=ts_other0000001&externalId=E-1")
        .send()
        .expect(404);
    let list = other.connect.get("/patients").send().expect(200).json();
    assert_eq!(list["pagination"]["total"], 0);
    let list = other
        .graph
        .get("/patients?brand_id=other-brand")
        .send()
        .expect(200)
        .json();
    assert_eq!(list, json!({ "patients": [], "total": 0 }));
    for word in [
        format!("_id={fhir_id}"),
        by(&format!("{BASE}/medicapp/patient-id"), &medicapp_id),
    ] {
        let bundle = other
            .fhir
            .get(format!("/Patient?{word}&_total=accurate"))
            .send()
            .expect(200)
            .json();
        assert_eq!(bundle["total"], 0, "{word}");
    }
    // The words of the other space are no words here.
    let named = |word: &str| {
        send(
            &other.cloud,
            "POST",
            "/patients",
            &json!({
                "trustSpaceUuid": word, "firstName": "A", "lastName": "B", "birthDate": "1980-01-01", "gender": "F"
            }),
        )
    };
    let (foreign, unknown) = (named(TRUST_SPACE), named("ts_nowhere000001"));
    assert_eq!(foreign.status, 404);
    assert_eq!(
        masked(&foreign, TRUST_SPACE),
        masked(&unknown, "ts_nowhere000001")
    );
    let list = |word: &str| other.graph.get(format!("/patients?brand_id={word}")).send();
    assert_eq!(
        masked(&list(BRAND).expect(403), BRAND),
        masked(&list("nobody").expect(403), "nobody")
    );
    let after = [
        demo.patient(&fhir_id).text(),
        demo.patient(ehealth::id(&registry)).text(),
    ];
    assert_eq!(after, before);
}

fn x11_one_nir_in_two_spaces_is_two_patients_that_never_meet(context: &Context) {
    let server = context.server();
    let (demo, other) = (Doors::of(&server), other_space(context, &server));
    let same = |word: &str| {
        json!({
            "trustSpaceUuid": word, "firstName": "Sophie", "lastName": "Bernard", "birthDate": "1988-11-03",
            "gender": "F", "externalId": "E-1", "email": "s@example.org",
            "identificationKey": { "nir": "1881103750016", "rang": "01" }
        })
    };
    let create = |doors: &Doors, word: &str| send(&doors.cloud, "POST", "/patients", &same(word));
    let first = create(&demo, TRUST_SPACE).expect(201).json();
    let second = create(&other, "ts_other0000001").expect(201).json();
    assert_ne!(first["patientUuid"], second["patientUuid"]);
    for (one, made) in [(&first, true), (&second, true)] {
        assert_eq!((&one["created"], &one["warning"]), (&json!(made), &Value::Null));
    }
    assert_eq!(
        create(&demo, TRUST_SPACE).expect(200).json()["patientUuid"],
        first["patientUuid"]
    );
    assert_eq!(
        create(&other, "ts_other0000001").expect(200).json()["patientUuid"],
        second["patientUuid"]
    );
    // The same at the doors whose duplicates are refused.
    for (doors, brand) in [(&demo, BRAND), (&other, "other-brand")] {
        let body = json!({
            "brand_id": brand, "first_name": "A", "last_name": "B", "email": "g@example.org",
            "external_ids": { "shop": "1" }
        });
        send(&doors.graph, "POST", "/patients", &body).expect(201);
        send(&doors.graph, "POST", "/patients", &body).expect(409);
        let body =
            json!({ "firstName": "A", "lastName": "B", "birthDate": "1980-01-01", "externalId": "I-1" });
        send(&doors.connect, "POST", "/patients", &body).expect(201);
        send(&doors.connect, "POST", "/patients", &body).expect(409);
    }
    // Erasing the one leaves the other.
    let target = |made: &Value| format!("/patients/{}", made["patientUuid"].as_str().expect("an id"));
    demo.connect.delete(target(&first)).send().expect(200);
    other.cloud.get(target(&second)).send().expect(200);
    assert_eq!(create(&demo, TRUST_SPACE).expect(201).json()["created"], true);
}
