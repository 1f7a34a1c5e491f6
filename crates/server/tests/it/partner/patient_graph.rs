//! patient-graph v1 (`adapters.md` 4): what only a running server shows. The translations have fixtures of
//! their own in `fixtures/patient-graph`.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::race::tally;
use testkit::server::Server;
use testkit::tests;

use crate::support::*;

pub const TESTS: &[Test] = tests![
    g01_a_patient_is_created_and_read_through_every_view,
    g09_an_equal_external_id_or_email_is_a_duplicate_that_tells_nothing,
    g16_equal_external_ids_at_once_create_one,
    g14_an_unknown_id_and_another_resource_are_not_found_alike,
    g15_a_list_pages_by_offset_and_counts_all,
    g18_every_refusal_has_two_keys,
    a_request_without_a_body_is_told_that_it_lacks_one,
    an_edit_through_fhir_is_seen_through_the_door,
];

/// The keys of a patient, in their order.
const KEYS: [&str; 18] = [
    "id",
    "brand_id",
    "first_name",
    "last_name",
    "date_of_birth",
    "gender",
    "email",
    "phone",
    "external_ids",
    "status",
    "metadata",
    "age_verified_at",
    "ruo_pathway_acknowledged_at",
    "researcher_acknowledgement_id",
    "prescription_status",
    "prescription_consult_completed_at",
    "created_at",
    "updated_at",
];

fn door(server: &Server) -> Client {
    server.client("patient-graph")
}

pub fn post(client: &Client, body: &Value) -> Response {
    let request = client
        .post("/patients")
        .header("Content-Type", "application/json");
    request.body(body.to_string()).send()
}

pub fn person(first: &str, more: Value) -> Value {
    let mut body = json!({ "brand_id": "demo-brand", "first_name": first, "last_name": "Graph" });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// The `error` of a refusal that has exactly the two keys.
#[track_caller]
pub fn two_keys(response: &Response, status: u16) -> String {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(
        response.header("Content-Type"),
        Some("application/json; charset=utf-8")
    );
    let body = response.json();
    let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["error", "message"], "{body}");
    assert!(!body["message"].as_str().expect("a message").is_empty());
    body["error"].as_str().expect("a code").to_owned()
}

fn g01_a_patient_is_created_and_read_through_every_view(context: &Context) {
    let server = shared(context);
    let client = door(server);
    let made = post(&client, &person("Anna", json!({}))).expect(201);
    assert_eq!(made.header("ETag"), Some("W/\"1\""));
    assert_eq!(
        made.header("Content-Type"),
        Some("application/json; charset=utf-8")
    );
    let patient = made.json();
    let keys: Vec<&String> = patient.as_object().expect("an object").keys().collect();
    assert_eq!(keys, KEYS);
    assert_eq!(patient["external_ids"], json!({}));
    assert_eq!(patient["status"], "active");
    let id = patient["id"].as_str().expect("an id");
    let read = client.get(format!("/patients/{id}")).send().expect(200);
    assert_eq!(read.json(), patient);
    let safe = client
        .get(format!("/patients/{id}/safe"))
        .send()
        .expect(200)
        .json();
    assert!(
        safe.get("first_name").is_none() && safe.get("email").is_none(),
        "{safe}"
    );
    assert_eq!(safe["created_at"], patient["created_at"]);
    let fhir = shared_fhir(context)
        .get(format!("/Patient/{id}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(fhir["name"][0]["family"], "Graph");
}

fn g09_an_equal_external_id_or_email_is_a_duplicate_that_tells_nothing(context: &Context) {
    let client = door(shared(context));
    let (number, email) = (unique(), format!("{}@example.org", unique()));
    let body = person(
        "Bea",
        json!({ "external_ids": { "shop": number }, "email": email }),
    );
    post(&client, &body).expect(201);
    for again in [
        json!({ "external_ids": { "shop": number } }),
        json!({ "external_ids": { "other": "1", "shop": number } }),
        json!({ "email": email.to_ascii_uppercase() }),
    ] {
        let refused = post(&client, &person("Carla", again));
        assert_eq!(two_keys(&refused, 409), "duplicate_patient");
        assert!(!refused.text().contains("Bea"), "{refused:?}");
    }
    // The same value under another key, and nothing at all, are nobody's.
    post(
        &client,
        &person("Dora", json!({ "external_ids": { "till": number } })),
    )
    .expect(201);
    post(&client, &person("Dora", json!({}))).expect(201);
    post(&client, &person("Dora", json!({}))).expect(201);
}

fn g16_equal_external_ids_at_once_create_one(context: &Context) {
    let client = door(shared(context));
    for round in 0..5 {
        let body = person(
            "Eva",
            json!({ "external_ids": { "race": format!("{}-{round}", unique()) } }),
        );
        let answers = race_of(&client, 10, |client, _| post(client, &body).status);
        assert_eq!(tally(answers), [(201, 1), (409, 9)]);
        let email = person(
            "Eva",
            json!({ "email": format!("{}-{round}@example.org", unique()) }),
        );
        let answers = race_of(&client, 10, |client, _| post(client, &email).status);
        assert_eq!(tally(answers), [(201, 1), (409, 9)]);
    }
}

fn g14_an_unknown_id_and_another_resource_are_not_found_alike(context: &Context) {
    let client = door(shared(context));
    let fhir = shared_fhir(context);
    let practitioner = fhir
        .post("/Practitioner")
        .json(&json!({ "resourceType": "Practitioner" }))
        .send()
        .expect(201);
    let practitioner = id_of(practitioner.header("Location").expect("a location"));
    let unknown = client
        .get("/patients/0191a0b0-0000-7000-8000-000000000000")
        .send();
    assert_eq!(two_keys(&unknown, 404), "not_found");
    for id in [practitioner.as_str(), "no-such-patient", "a%20b", "%00"] {
        for view in ["", "/safe"] {
            let other = client.get(format!("/patients/{id}{view}")).send();
            assert_eq!(two_keys(&other, 404), "not_found");
            assert_eq!(other.text(), unknown.text(), "{id}");
        }
    }
}

fn g15_a_list_pages_by_offset_and_counts_all(context: &Context) {
    // A server of its own: others would add to the list.
    let (server, fhir) = context.fhir();
    let client = door(&server);
    let mut made: Vec<Value> = Vec::new();
    for number in 0..5 {
        let body = person(&format!("Hugo{number}"), json!({ "metadata": { "n": number } }));
        made.push(post(&client, &body).expect(201).json());
    }
    let second = format!("/Patient/{}", made[1]["id"].as_str().expect("an id"));
    let mut edited = fhir.get(&second).send().expect(200).json();
    edited["gender"] = json!("female");
    fhir.put(&second).json(&edited).send().expect(200);
    made[1]["gender"] = json!("female");
    let list = |query: &str| client.get(format!("/patients?{query}")).send();
    let page = list("brand_id=demo-brand&limit=2&offset=1").expect(200).json();
    assert_eq!(page["total"], 5);
    let shown = page["patients"].as_array().expect("patients");
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[1], made[2]);
    assert_eq!(shown[0]["gender"], "female");
    assert_eq!(shown[0]["created_at"], made[1]["created_at"]);
    let all = list("brand_id=demo-brand").expect(200).json();
    assert_eq!(all["patients"].as_array().expect("patients").len(), 5);
    for beyond in ["5", "9223372036854775807"] {
        let page = list(&format!("brand_id=demo-brand&offset={beyond}"))
            .expect(200)
            .json();
        assert_eq!(page, json!({ "patients": [], "total": 5 }));
    }
    for wrong in [
        "",
        "brand_id=demo-brand&limit=0",
        "brand_id=demo-brand&limit=101",
        "brand_id=demo-brand&offset=-1",
    ] {
        assert_eq!(two_keys(&list(wrong), 400), "validation_error");
    }
    assert_eq!(two_keys(&list("brand_id=another"), 403), "insufficient_scope");
}

fn a_request_without_a_body_is_told_that_it_lacks_one(context: &Context) {
    let server = shared(context);
    for (door, path) in [
        ("patient-graph", "/patients"),
        ("medicapp-cloud", "/patients"),
        ("medicapp-connect", "/patients"),
    ] {
        let refused = server.client(door).post(path).send().expect(400);
        assert!(refused.text().contains("empty"), "{door}: {refused:?}");
    }
}

fn g18_every_refusal_has_two_keys(context: &Context) {
    let server = shared(context);
    let client = door(server);
    let json = |body: &[u8]| {
        let request = client
            .post("/patients")
            .header("Content-Type", "application/json");
        request.body(body).send()
    };
    for body in [
        &b"{"[..],
        b"",
        b"[]",
        b"{\"brand_id\":\"demo-brand\",\"brand_id\":\"x\"}",
        b"{}",
    ] {
        assert_eq!(two_keys(&json(body), 400), "validation_error");
    }
    let all = json(
        b"{\"brand_id\":\"demo-brand\",\"first_name\":\"\",\"last_name\":7,\"date_of_birth\":\"1988-02-30\"}",
    );
    two_keys(&all, 400);
    for path in ["first_name", "last_name", "date_of_birth"] {
        assert!(all.text().contains(path), "{all:?}");
    }
    assert_eq!(
        two_keys(&json(&vec![b' '; (2 << 20) + 1]), 413),
        "payload_too_large"
    );
    let foreign = person("Fay", json!({ "brand_id": "another" }));
    assert_eq!(two_keys(&post(&client, &foreign), 403), "insufficient_scope");
    let form = client
        .post("/patients")
        .header("Content-Type", "text/plain")
        .body("{}");
    assert_eq!(two_keys(&form.send(), 415), "unsupported_media_type");
    let latin = client
        .post("/patients")
        .header("Content-Type", "application/json; charset=iso-8859-1");
    assert_eq!(two_keys(&latin.body("{}").send(), 415), "unsupported_media_type");
    for (method, target) in [
        ("DELETE", "/patients"),
        ("PATCH", "/patients/no-such-patient"),
        ("PUT", "/patients/x/safe"),
    ] {
        let refused = client.request(method, target).send();
        assert_eq!(two_keys(&refused, 405), "method_not_allowed");
        assert!(refused.header("Allow").is_some());
    }
    for target in ["", "/nothing", "/patients/x/y/z"] {
        assert_eq!(two_keys(&client.get(target).send(), 404), "not_found");
    }
    let nobody = Client::at(&server.credential("patient-graph").url);
    let refused = nobody.get("/patients/no-such-patient").send();
    assert_eq!(two_keys(&refused, 401), "unauthenticated");
    assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer"));
    let wrong = nobody.with_bearer("sk_test_00000000_0000");
    assert_eq!(
        two_keys(&wrong.get("/patients/no-such-patient").send(), 401),
        "invalid_token"
    );
    let other =
        Client::at(&server.credential("patient-graph").url).with_bearer(&server.credential("fhir").bearer);
    let status = other.get("/patients/no-such-patient").send().status;
    assert!(matches!(status, 403 | 404), "{status}");
    // What a sender of FHIR would accept does not matter here.
    let picky = client
        .get("/patients/no-such-patient")
        .header("Accept", "image/png");
    assert_eq!(two_keys(&picky.send(), 404), "not_found");
}

fn an_edit_through_fhir_is_seen_through_the_door(context: &Context) {
    let client = door(shared(context));
    let fhir = shared_fhir(context);
    let made = post(&client, &person("Gina", json!({ "gender": "Woman" })))
        .expect(201)
        .json();
    assert_eq!(made["gender"], "Woman");
    let path = format!("/Patient/{}", made["id"].as_str().expect("an id"));
    let mut resource = fhir.get(&path).send().expect(200).json();
    resource["gender"] = json!("other");
    fhir.put(&path).json(&resource).send().expect(200);
    let id = made["id"].as_str().expect("an id");
    let read = client.get(format!("/patients/{id}")).send().expect(200);
    let now = read.json();
    assert_eq!(now["gender"], "other");
    assert_eq!(now["created_at"], made["created_at"]);
    assert!(now["updated_at"].as_str() >= made["updated_at"].as_str());
    assert_eq!(read.header("ETag"), Some("W/\"2\""));
}
