//! T37: handlers that panic, beside the real ones on one server, on SQLite and on PostgreSQL.

use fhir::canonical::Canonical;
use fhir::interaction::{Interaction, Precondition};
use fhir::{Id, Resource, ResourceType, Target};
use serde_json::{Value, json};
use store::{Class, LockSet, NewResource, StoreError, SystemClock};
use testkit::http::Response;

use super::served::{Served, on_postgres, on_sqlite};
use super::*;

/// What a panic may quote and nobody may be told.
const SECRET: &str = "1 85 05 78 006 084 36";
/// What the panicking write takes its locks on.
const CONTESTED: &str = "contested";

static PANICKING: &[Row] = &[
    open(Method::GET, "/panics/open", |_| {
        Box::pin(async { panic!("{SECRET}") })
    }),
    known(Method::GET, "/panics/known", "read", |_| {
        Box::pin(async { panic!("{SECRET}") })
    }),
    known(Method::GET, "/panics/reading", "read", |ask| {
        Box::pin(async move {
            let space = ask.visit.app.engine.store().for_space(ask.caller.space);
            let read = space.read(|reader| -> Result<(), StoreError> {
                reader.get(&target(CONTESTED))?;
                panic!("{SECRET}")
            });
            read.await.map_err(engine::Error::Store)?;
            Ok(HttpResponse::Ok().finish())
        })
    }),
    known(Method::GET, "/panics/writing", "update", |ask| {
        Box::pin(async move {
            let space = ask.visit.app.engine.store().for_space(ask.caller.space);
            let locks = LockSet {
                values: vec![CONTESTED.to_owned()],
                targets: vec![target(CONTESTED)],
                whole: Some(ResourceType::Patient),
                ..LockSet::default()
            };
            let write = space.write(locks, |tx| -> Result<(), StoreError> {
                tx.insert(&target("half-done").id, &new("half-done"), "author")?;
                if let Some(current) = tx.get_for_update(&target(CONTESTED))? {
                    tx.replace(&current, &new("half-done"), "author")?;
                }
                panic!("{SECRET}")
            });
            write.await.map_err(engine::Error::Store)?;
            Ok(HttpResponse::Ok().finish())
        })
    }),
];

/// The same at the partners' doors; the refusal is to be told in the shape of the door whose path was asked.
static PANICKING_AT_DOORS: &[Row] = &[
    open(Method::GET, "/cloud/partner/v5/panics", |_| {
        Box::pin(async { panic!("{SECRET}") })
    }),
    open(Method::GET, "/v5/panics", |_| {
        Box::pin(async { panic!("{SECRET}") })
    }),
    open(Method::GET, "/v1/panics", |_| {
        Box::pin(async { panic!("{SECRET}") })
    }),
    open(Method::GET, "/api/panics", |_| {
        Box::pin(async { panic!("{SECRET}") })
    }),
    // What an adapter makes of a stored patient is made inside the write.
    known(
        Method::GET,
        "/cloud/partner/v5/panics/adapting",
        "update",
        |ask| Box::pin(adapting(ask)),
    ),
    known(Method::GET, "/v5/panics/adapting", "update", |ask| {
        Box::pin(adapting(ask))
    }),
    known(Method::GET, "/v1/panics/adapting", "update", |ask| {
        Box::pin(adapting(ask))
    }),
    known(Method::GET, "/api/panics/adapting", "update", |ask| {
        Box::pin(adapting(ask))
    }),
];

/// A partner's change that panics on the patient it is given.
async fn adapting(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let interaction = Interaction::Edit {
        target: target(CONTESTED),
        edit: Box::new(|_| panic!("{SECRET}")),
        precondition: Precondition::None,
    };
    ask.session().run(interaction).await?;
    Ok(HttpResponse::Ok().finish())
}

fn target(id: &str) -> Target {
    Target {
        kind: ResourceType::Patient,
        id: Id::parse(id).expect("an id"),
    }
}

fn new(family: &str) -> NewResource {
    let Value::Object(tree) = json!({ "name": [{ "family": family }] }) else {
        panic!("an object")
    };
    let resource = Resource::from_guarded(ResourceType::Patient, tree);
    NewResource {
        class: Class::Ordinary,
        canonical: Canonical::of(&resource),
        index: fhir::index::extract(&resource),
        keys: Vec::new(),
        medicapp_id: None,
        replaced: false,
    }
}

fn a_panic_harms_nobody_else(url: String) {
    let rows = PANICKING.iter().chain(PANICKING_AT_DOORS).collect();
    let server = Served::start(url, rows, Arc::new(SystemClock));
    let client = &server.client;
    let path = format!("/fhir/Patient/{CONTESTED}");
    let body = |turn: usize| {
        json!({
            "resourceType": "Patient",
            "id": CONTESTED,
            "identifier": [{ "system": "urn:example", "value": CONTESTED }],
            "name": [{ "family": format!("Turn{turn}") }],
        })
    };
    client.put(&path).json(&body(0)).send().expect(201);
    // More often than there are permits, connections and workers.
    for turn in 1..=5 {
        for row in PANICKING {
            let answer = client
                .get(row.pattern)
                .header("X-Request-Id", "the-request")
                .send()
                .expect(500);
            assert_eq!(answer.header("X-Request-Id"), Some("the-request"), "{answer:?}");
            let issues = answer.issues();
            assert_eq!(
                issues.first().map(|issue| issue.code.as_str()),
                Some("exception"),
                "{answer:?}"
            );
            assert!(answer.text().contains("the-request"), "{answer:?}");
            assert!(!answer.text().contains(SECRET), "{answer:?}");
        }
        // The same resource, the same locks.
        let answer = client.put(&path).json(&body(turn)).send().expect(200);
        assert_eq!(answer.version(), turn as u64 + 1);
        let conditional = "/fhir/Patient?identifier=urn:example|contested&family=Turn";
        let answer = client.put(conditional).json(&body(turn)).send().expect(200);
        assert_eq!(answer.version(), turn as u64 + 1);
        let read = client.get(&path).send().expect(200);
        assert_eq!(read.json(), answer.json());
        client.get("/health/ready").send().expect(200);
    }
    for turn in 6..=10 {
        for row in PANICKING_AT_DOORS {
            let request = client.get(row.pattern).header("X-Request-Id", "the-request");
            told_in_shape(&request.send().expect(500), row.pattern);
        }
        let answer = client.put(&path).json(&body(turn)).send().expect(200);
        assert_eq!(answer.version(), turn as u64 + 1);
    }
    client.get("/fhir/Patient/half-done").send().expect(404);
    let found = client.get("/fhir/Patient?family=half-done").send().expect(200);
    assert_eq!(found.json().get("total"), Some(&json!(0)));
    server.stop();
}

/// Asserts that a 500 has the shape of the door below whose path it was asked for, and the request's id.
#[track_caller]
fn told_in_shape(answer: &Response, path: &str) {
    assert!(!answer.text().contains(SECRET), "{answer:?}");
    assert_eq!(answer.header("X-Request-Id"), Some("the-request"), "{answer:?}");
    let body = answer.json();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let (kind, request_id) = match path.split('/').nth(1) {
        Some("v1") => (text("/error") == Some("internal_error"), None),
        Some("api") => (
            text("/error/type") == Some("internal_error"),
            text("/meta/request_id"),
        ),
        _ => (
            text("/error/code") == Some("INTERNAL_ERROR"),
            text("/error/requestId"),
        ),
    };
    assert!(kind, "{path}: {body}");
    // The patient-graph door has no place for it but the header.
    let expected = (!path.starts_with("/v1/")).then_some("the-request");
    assert_eq!(request_id, expected, "{path}: {body}");
}

#[test]
fn t37_a_panic_in_a_handler_a_transaction_or_an_adapter_harms_nobody_else_on_sqlite() {
    on_sqlite(a_panic_harms_nobody_else);
}

#[test]
fn t37_a_panic_in_a_handler_a_transaction_or_an_adapter_harms_nobody_else_on_postgres() {
    on_postgres(a_panic_harms_nobody_else);
}
