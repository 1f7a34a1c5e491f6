//! What the tests of the two Medicapp doors share (`adapters.md` 3).

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use testkit::harness::Context;
use testkit::http::{Client, Request, Response};
use testkit::server::{Backend, Server};

use crate::support::*;

/// The default naming base.
pub const NAMING: &str = "https://fhir-facade.example/ns";
pub const CLOUD: &str = "/cloud/partner/v5";
pub const CONNECT: &str = "/v5";
/// The demo's trust space.
pub const TRUST_SPACE: &str = "ts_demo00000001";
/// A trust space that stands in seed 000, bound to a space of its own.
pub const SEED_TRUST_SPACE: &str = "ts_xxxxxxxxxxxx";

pub fn cloud(context: &Context) -> Client {
    shared(context).client("medicapp-cloud")
}

pub fn connect(context: &Context) -> Client {
    shared(context).client("medicapp-connect")
}

/// A body of one of the documents, byte for byte.
pub fn seed(exchange: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/seeds");
    std::fs::read(path.join(exchange)).unwrap_or_else(|error| panic!("{exchange}: {error}"))
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

/// Asserts the same keys in the same order and the same values but of the keys named, at any depth.
#[track_caller]
pub fn same_but(actual: &Value, expected: &Value, but: &[&str]) {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            let names = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(actual), names(expected));
            for (name, expected) in expected {
                if !but.contains(&name.as_str()) {
                    same_but(&actual[name], expected, but);
                }
            }
        }
        _ => assert_eq!(actual, expected),
    }
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

/// A FHIR resource without what every write changes.
pub fn content(mut resource: Value) -> Value {
    resource.as_object_mut().expect("an object").shift_remove("meta");
    resource
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

/// Clients beside the demo's, on the shared server.
pub struct Neighbours {
    /// At the cloud door, with the demo's trust space and that of the seed.
    pub cloud_both: Client,
    /// At the cloud door, with the seed's trust space alone.
    pub cloud_other: Client,
    /// At the connect door, of the same space as that.
    pub connect_other: Client,
    /// At the connect door, of a live space.
    pub connect_live: Client,
    /// At both doors, without their scope.
    pub keyless: String,
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

/// Sets them up once per database.
pub fn neighbours(context: &Context) -> &'static Neighbours {
    static MADE: [OnceLock<Neighbours>; 2] = [OnceLock::new(), OnceLock::new()];
    let slot = &MADE[usize::from(context.backend() == Backend::Postgres)];
    slot.get_or_init(|| made(context, shared(context)))
}

fn made(context: &Context, server: &Server) -> Neighbours {
    let run = |arguments: &[&str]| succeeds(context, server, arguments);
    run(&["space", "add", "second", "--sandbox"]);
    run(&["space", "add", "alive"]);
    let bind = |door: &str, word: &str, space: &str| {
        run(&["binding", "add", "--door", door, "--word", word, "--space", space])
    };
    bind("medicapp-cloud", SEED_TRUST_SPACE, "second");
    let add = |id: &str, more: &[&str]| client(context, server, id, more);
    let (cloud, connect) = (["--door", "medicapp-cloud"], ["--door", "medicapp-connect"]);
    let (demo, second) = (["--space", "demo"], ["--space", "second"]);
    let both = add("cloud-both", &[cloud, demo, second].concat());
    let other = add("cloud-other", &[cloud, second].concat());
    let connect_other = add("connect-other", &[connect, second].concat());
    let live = add("connect-live", &[connect, ["--space", "alive"]].concat());
    let scope = ["--scope", "system/Patient.cruds"];
    let keyless = add("keyless", &[cloud, connect, demo, scope].concat());
    let at = |mount: &str, key: &str| door_with_key(server, mount, "/patients/pat_nobody", key);
    at(CONNECT, &keyless);
    Neighbours {
        cloud_both: at(CLOUD, &both),
        cloud_other: at(CLOUD, &other),
        connect_other: at(CONNECT, &connect_other),
        connect_live: at(CONNECT, &live),
        keyless,
    }
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
