//! What the tests of the two Medicapp doors share (`adapters.md` 3).

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use testkit::harness::Context;
use testkit::http::{Client, Request, Response};
use testkit::server::Server;

use crate::support::*;

/// The default naming base.
pub const NAMING: &str = "https://fhir-facade.example/ns";
pub const CLOUD: &str = "/cloud/partner/v5";
pub const CONNECT: &str = "/v5";
/// The demo's trust space.
pub const TRUST_SPACE: &str = "ts_demo00000001";

pub fn cloud(context: &Context) -> Client {
    shared(context).client("medicapp-cloud")
}

pub fn connect(context: &Context) -> Client {
    shared(context).client("medicapp-connect")
}

/// With a body as the documents send it.
pub fn with_json<'a>(request: Request<'a>, body: impl Into<Vec<u8>>) -> Request<'a> {
    request.header("Content-Type", "application/json").body(body)
}

pub fn post(client: &Client, body: &Value) -> Response {
    with_json(client.post("/patients"), body.to_string()).send()
}

pub fn put(client: &Client, id: &str, body: &Value) -> Response {
    with_json(client.put(format!("/patients/{id}")), body.to_string()).send()
}

pub fn get(client: &Client, id: &str) -> Response {
    client.get(format!("/patients/{id}")).send()
}

/// What holds for every answer about a patient; its body.
#[track_caller]
pub fn shown(response: Response, status: u16) -> Value {
    let response = response.expect(status);
    assert_eq!(
        response.header("Content-Type"),
        Some("application/json; charset=utf-8")
    );
    assert!(
        response.header("Location").is_none() && response.header("X-Request-Id").is_some_and(is_request_id),
        "{response:?}"
    );
    // Partners never see FHIR (`adapters.md` 0).
    assert!(!response.text().contains("resourceType"), "{response:?}");
    response.json()
}

/// A refusal in the doors' shape with this status and code; its message.
#[track_caller]
pub fn faulty(response: &Response, status: u16, code: &str) -> String {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(
        response.header("Content-Type"),
        Some("application/json; charset=utf-8")
    );
    assert!(response.header("Location").is_none());
    let body = response.json();
    assert_eq!(keys(&body), ["error"], "{body}");
    let error = &body["error"];
    assert_eq!(keys(error), ["code", "status", "message", "requestId"], "{body}");
    assert_eq!(
        (error["code"].as_str(), error["status"].as_u64()),
        (Some(code), Some(u64::from(status))),
        "{body}"
    );
    let id = error["requestId"].as_str().expect("a request id");
    assert_eq!(response.header("X-Request-Id"), Some(id));
    let message = error["message"].as_str().expect("a message");
    assert!(message.len() > 10, "{body}");
    for inside in ["SELECT", "sql", "diesel", "OperationOutcome", "panicked", "/src/"] {
        assert!(!message.contains(inside), "{body}");
    }
    message.to_owned()
}

/// `req_` and twelve digits of base 16.
pub fn is_request_id(text: &str) -> bool {
    let digits = text.strip_prefix("req_").unwrap_or_default();
    digits.len() == 12
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The keys of an object in their order.
#[track_caller]
pub fn keys(object: &Value) -> Vec<&str> {
    let object = object
        .as_object()
        .unwrap_or_else(|| panic!("{object} is no object"));
    object.keys().map(String::as_str).collect()
}

/// A text at a key.
#[track_caller]
pub fn text(body: &Value, key: &str) -> String {
    let text = body[key].as_str();
    text.unwrap_or_else(|| panic!("{key} is no text in {body}"))
        .to_owned()
}

/// What the FHIR door has of the patient of a Medicapp id.
#[track_caller]
pub fn fhir_of(fhir: &Client, patient_id: &str) -> Value {
    let ids = found(
        fhir,
        "Patient",
        (&format!("{NAMING}/medicapp/patient-id"), patient_id),
    );
    assert_eq!(ids.len(), 1, "{patient_id}: {ids:?}");
    fhir.get(format!("/Patient/{}", ids[0])).send().expect(200).json()
}

/// Changes a patient through the FHIR door.
#[track_caller]
pub fn edit(fhir: &Client, patient_id: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut patient = fhir_of(fhir, patient_id);
    change(&mut patient);
    let path = format!("/Patient/{}", text(&patient, "id"));
    fhir.put(path).json(&patient).send().expect(200).json()
}

/// A NIR of 13 digits that no other test uses.
pub fn fresh_nir() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("2880175{:06}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The same with its key.
pub fn with_key(nir: &str) -> String {
    let number: u64 = nir.parse().expect("digits");
    format!("{nir}{:02}", 97 - number % 97)
}

/// Adds a client, gives it a key, and gives that back.
#[track_caller]
pub fn client(context: &Context, server: &Server, id: &str, more: &[&str]) -> String {
    let arguments = ["client", "add", id, "--rate-limit", "none"];
    let scope = ["--scope", "partner:administrative"];
    let scoped = if more.contains(&"--scope") {
        &[][..]
    } else {
        &scope
    };
    succeeds(context, server, &[&arguments, more, scoped].concat());
    issue_key(context, server, id)
}

/// An object with the properties of a second one, which win.
pub fn and(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// What a create at the connect door needs.
pub fn connect_person(more: Value) -> Value {
    let person = json!({ "firstName": "Jean", "lastName": "Dupont", "birthDate": "1985-03-15" });
    and(person, more)
}

/// What a create at the cloud door needs; the name is nobody else's.
pub fn cloud_person(more: Value) -> Value {
    let name = format!("Bernard {}", unique());
    let person = json!({
        "trustSpaceUuid": TRUST_SPACE, "firstName": "Sophie", "lastName": name,
        "birthDate": "1988-11-03", "gender": "F"
    });
    and(person, more)
}

/// A patient of the connect door; its id.
#[track_caller]
pub fn made(client: &Client, more: Value) -> String {
    text(&shown(post(client, &connect_person(more)), 201), "id")
}
