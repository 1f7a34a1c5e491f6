//! T37: handlers that panic, beside the real ones on one server, on SQLite and on PostgreSQL.

use std::sync::mpsc::channel;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use engine::{Engine, KeySystems, RandomIds};
use fhir::canonical::Canonical;
use fhir::{Id, Resource, ResourceType, Target};
use serde_json::{Value, json};
use store::access::Client;
use store::{Class, LockSet, NewResource, Options, Store, StoreError};
use testkit::http;
use testkit::postgres::Postgres;
use testkit::sweep::TemporaryFolder;

use super::*;
use crate::app::Settings;
use crate::auth::{Authenticator, new_key};

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
];

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

/// One request at a time, and two connections: what a panic kept would be missed by the next request.
async fn app(url: &str) -> (Arc<App>, String) {
    let options = Options {
        connections: 2,
        ..Options::default()
    };
    let store = Store::open(url, options).expect("a store");
    store.migrate().expect("a schema");
    let access = store.access();
    access.add_space("space", true).await.expect("a space");
    let client = Client {
        id: "client".to_owned(),
        name: "Client".to_owned(),
        spaces: vec!["space".to_owned()],
        doors: vec![Door::Fhir.as_str().to_owned()],
        scopes: vec!["system/*.cruds".to_owned()],
        policy: None,
        attributes: Vec::new(),
        enabled: true,
    };
    access.put_client(client).await.expect("a client");
    let (key, row) = new_key("client", true, store.now().micros(), None);
    access.issue_key(row).await.expect("a key");
    let engine = Engine::new(store.clone(), Arc::new(RandomIds), KeySystems::default());
    let auth = Authenticator::start(
        store,
        &engine,
        "https://naming.example",
        std::collections::BTreeMap::new(),
    )
    .await
    .expect("a directory");
    let settings = Settings {
        max_concurrent_requests: 1,
        ..Settings::default()
    };
    let address = ([127, 0, 0, 1], 8080).into();
    (Arc::new(App::new(settings, engine, auth, address)), key)
}

/// A server on this database with the panicking routes beside its own; the client of its FHIR door, and what
/// stops it.
fn served(url: String) -> (http::Client, std::thread::JoinHandle<()>, ServerHandle) {
    let (tell, told) = channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let (app, key) = app(&url).await;
            let stopping = Arc::clone(&app);
            let server = HttpServer::new(move || {
                actix_web::App::new().configure(|config| {
                    for row in PANICKING.iter().chain(PANICKING_AT_DOORS) {
                        config.route(
                            row.pattern,
                            web::method(row.method.clone()).to(answering(&app, row)),
                        );
                    }
                    register(&app, config);
                })
            });
            let server = server.workers(2).bind(("127.0.0.1", 0)).expect("a port");
            let address = *server.addrs().first().expect("an address");
            let server = server.run();
            tell.send((address, key, server.handle()))
                .expect("the test waits");
            server.await.expect("a server");
            stopping.auth.stop();
        });
    });
    let (address, key, handle) = told.recv().expect("a server");
    (http::Client::new(address).with_bearer(&key), thread, handle)
}

fn a_panic_harms_nobody_else(url: String) {
    let (client, thread, server) = served(url);
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
    for row in PANICKING_AT_DOORS {
        let answer = client.get(row.pattern).send().expect(500);
        assert!(!answer.text().contains(SECRET), "{answer:?}");
        let body = answer.json();
        let text = |pointer: &str| body.pointer(pointer).and_then(serde_json::Value::as_str);
        let in_shape = match row.pattern {
            "/v1/panics" => text("/error") == Some("internal_error") && body.get("message").is_some(),
            "/api/panics" => text("/error/type") == Some("internal_error") && body.get("meta").is_some(),
            _ => text("/error/code") == Some("INTERNAL_ERROR"),
        };
        assert!(in_shape, "{}: {body}", row.pattern);
    }
    client.get("/fhir/Patient/half-done").send().expect(404);
    let found = client.get("/fhir/Patient?family=half-done").send().expect(200);
    assert_eq!(found.json().get("total"), Some(&json!(0)));
    drop(server.stop(true));
    thread.join().expect("the server ends by itself");
}

#[test]
fn t37_a_panic_in_a_handler_or_a_transaction_harms_nobody_else_on_sqlite() {
    let folder = TemporaryFolder::new("panicking");
    a_panic_harms_nobody_else(format!("sqlite:{}", folder.path().join("panicking.db").display()));
}

#[test]
fn t37_a_panic_in_a_handler_or_a_transaction_harms_nobody_else_on_postgres() {
    if Postgres::available() {
        let database = Postgres::shared().fresh_database();
        a_panic_harms_nobody_else(database.url());
    }
}
