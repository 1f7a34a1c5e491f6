//! T27, from outside: one failure at the FHIR door and at every partner's door that can meet it.
//!
//! What no plain request brings about is raised inside a running server: `server::transaction`'s `four_ways`.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![t27_a_failure_has_one_status_at_every_door_and_each_doors_own_code];

/// What each door calls a failure: status and code; `None` where no request of it can meet it.
struct Failure {
    name: &'static str,
    fhir: (u16, &'static str),
    cloud: Option<(u16, &'static str)>,
    connect: Option<(u16, &'static str)>,
    graph: Option<(u16, &'static str)>,
    ehealth: Option<(u16, &'static str)>,
}

/// Beside each other: what a door's contract tells otherwise than FHIR is a 404 of what is gone there, and nothing else.
#[rustfmt::skip]
const FAILURES: &[Failure] = &[
    Failure {
        name: "nobody", fhir: (404, "not-found"),
        cloud: Some((404, "PATIENT_NOT_FOUND")), connect: Some((404, "PATIENT_NOT_FOUND")),
        graph: Some((404, "not_found")), ehealth: Some((404, "not_found")),
    },
    Failure {
        name: "deleted", fhir: (410, "deleted"),
        cloud: Some((404, "PATIENT_NOT_FOUND")), connect: Some((404, "PATIENT_NOT_FOUND")),
        graph: Some((404, "not_found")), ehealth: Some((404, "not_found")),
    },
    Failure {
        name: "stale", fhir: (412, "conflict"),
        cloud: Some((412, "PRECONDITION_FAILED")), connect: Some((412, "PRECONDITION_FAILED")),
        graph: None, ehealth: Some((412, "precondition_failed")),
    },
    Failure {
        name: "owned", fhir: (409, "duplicate"),
        cloud: None, connect: Some((409, "EXTERNAL_ID_CONFLICT")),
        graph: Some((409, "duplicate_patient")), ehealth: None,
    },
    Failure {
        name: "no JSON", fhir: (400, "invalid"),
        cloud: Some((400, "INVALID_JSON")), connect: Some((400, "INVALID_JSON")),
        graph: Some((400, "validation_error")), ehealth: Some((400, "request_malformed")),
    },
    Failure {
        name: "no type", fhir: (415, "not-supported"),
        cloud: Some((415, "UNSUPPORTED_MEDIA_TYPE")), connect: Some((415, "UNSUPPORTED_MEDIA_TYPE")),
        graph: Some((415, "unsupported_media_type")), ehealth: Some((415, "content_type_invalid")),
    },
    Failure {
        name: "too long", fhir: (413, "too-long"),
        cloud: Some((413, "PAYLOAD_TOO_LARGE")), connect: Some((413, "PAYLOAD_TOO_LARGE")),
        graph: Some((413, "payload_too_large")), ehealth: Some((413, "request_too_large")),
    },
];

/// Somebody whom all doors show, and whom they show no more.
struct Known {
    live: String,
    live_medicapp: String,
    registry: String,
    deleted: String,
    deleted_medicapp: String,
    external_id: String,
}

#[track_caller]
fn known(doors: &Doors) -> Known {
    let external_id = unique();
    let made = |external_id: &str| {
        let answer = doors.connect_post(json!({ "externalId": external_id }));
        answer.expect(201).json()["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let graph = json!({ "external_ids": { "shop": external_id } });
    doors.graph_post(graph).expect(201);
    let (live_medicapp, deleted_medicapp) = (made(&external_id), made(&unique()));
    let (live, deleted) = (doors.fhir_id(&live_medicapp), doors.fhir_id(&deleted_medicapp));
    let registry = ehealth::preperson(&doors.ehealth, json!({}));
    doors.unidentify(&deleted);
    doors
        .fhir
        .delete(format!("/Patient/{deleted}"))
        .send()
        .expect(204);
    Known {
        live,
        live_medicapp,
        registry: ehealth::id(&registry).to_owned(),
        deleted,
        deleted_medicapp,
        external_id,
    }
}

/// A failure at a door: what is asked, about whom.
fn fails(name: &str, door: &str, client: &Client, known: &Known) -> Response {
    let (collection, id, deleted) = match door {
        "fhir" => ("/Patient", &known.live, &known.deleted),
        "graph" => ("/patients", &known.live, &known.deleted),
        "ehealth" => ("/prepersons", &known.registry, &known.deleted),
        _ => ("/patients", &known.live_medicapp, &known.deleted_medicapp),
    };
    let post = |kind: &str, body: Vec<u8>| {
        client
            .post(collection)
            .header("Content-Type", kind)
            .body(body)
            .send()
    };
    match name {
        "nobody" => client.get(format!("{collection}/{}", ehealth::NOBODY)).send(),
        "deleted" => client.get(format!("{collection}/{deleted}")).send(),
        "stale" => {
            let method = if door == "ehealth" { "PATCH" } else { "PUT" };
            let body = match door {
                "fhir" => with(patient("x"), "id", json!(id)),
                "ehealth" => json!({ "gender": "FEMALE" }),
                _ => json!({ "email": "b@example.org" }),
            };
            let kind = if door == "fhir" {
                "application/fhir+json"
            } else {
                "application/json"
            };
            let request = client.request(method, format!("{collection}/{id}"));
            let request = request
                .header("If-Match", "W/\"77\"")
                .header("Content-Type", kind);
            request.body(body.to_string()).send()
        }
        "owned" => {
            let body: Value = match door {
                "fhir" => {
                    let owned = client.get(format!("/Patient/{id}")).send().expect(200).json();
                    json!({ "resourceType": "Patient", "identifier": owned["identifier"] })
                }
                "graph" => json!({
                    "brand_id": BRAND, "first_name": "A", "last_name": "B", "external_ids": { "shop": known.external_id }
                }),
                _ => json!({
                    "firstName": "A", "lastName": "B", "birthDate": "1980-01-01", "externalId": known.external_id
                }),
            };
            let kind = if door == "fhir" {
                "application/fhir+json"
            } else {
                "application/json"
            };
            post(kind, body.to_string().into_bytes())
        }
        "no JSON" => post("application/json", b"{\"a\"".to_vec()),
        "no type" => post("text/plain", b"{}".to_vec()),
        _ => post("application/json", vec![b' '; (2 << 20) + 1]),
    }
}

fn t27_a_failure_has_one_status_at_every_door_and_each_doors_own_code(context: &Context) {
    let doors = Doors::of(shared(context));
    let known = known(&doors);
    for failure in FAILURES {
        let told = [
            ("fhir", &doors.fhir, Some(failure.fhir), "/issue/0/code"),
            ("cloud", &doors.cloud, failure.cloud, "/error/code"),
            ("connect", &doors.connect, failure.connect, "/error/code"),
            ("graph", &doors.graph, failure.graph, "/error"),
            ("ehealth", &doors.ehealth, failure.ehealth, "/error/type"),
        ];
        for (door, client, expected, code) in told {
            let Some(expected) = expected else { continue };
            let answer = fails(failure.name, door, client, &known);
            let body = answer.json();
            let found = body.pointer(code).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(
                (answer.status, found),
                expected,
                "{} at {door}: {answer:?}",
                failure.name
            );
        }
    }
}
