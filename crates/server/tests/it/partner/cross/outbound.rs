//! T31: the server calls nobody but its database.

use testkit::harness::{Context, Test, not_run};
use testkit::postgres::Postgres;
use testkit::server::{Backend, Content, Settings};
use testkit::strace::{self, Traced};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![t31_nothing_but_the_database_is_connected_to];

/// Where the C library looks accounts up (libpq asks for the user's name). A socket of this machine.
const ACCOUNTS: &str = "{sa_family=AF_UNIX, sun_path=\"/var/run/nscd/socket\"}";

fn t31_nothing_but_the_database_is_connected_to(context: &Context) {
    if !strace::available() {
        not_run("strace is not installed, or tracing is forbidden");
    }
    let traced = Traced::new(context.binary());
    let settings = Settings::new(traced.binary(), context.backend());
    let mut server = settings.content(Content::Samples).admin().start();
    log::session(&Doors::of(&server));
    let fhir = server.client("fhir");
    fhir.get("/metadata").send().expect(200);
    fhir.post("/Patient/$validate")
        .json(&patient("1"))
        .send()
        .expect(200);
    // A resource that names other servers: none of them is asked.
    let far = json!({
        "resourceType": "Patient", "meta": { "profile": ["http://192.0.2.1/StructureDefinition/far"] },
        "managingOrganization": { "reference": "https://192.0.2.1/fhir/Organization/1" }
    });
    fhir.post("/Patient").json(&far).send().expect(201);
    server.admin().get("/metrics").send().expect(200);
    assert!(server.terminate().success());
    let connections = traced.connections();
    let database = match context.backend() {
        Backend::Postgres => format!("sun_path=\"{}\"", Postgres::shared().socket().display()),
        Backend::Sqlite => String::new(),
    };
    let is_database =
        |connection: &String| context.backend() == Backend::Postgres && connection.contains(&database);
    let others: Vec<_> = connections
        .iter()
        .filter(|connection| *connection != ACCOUNTS && !is_database(connection))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    // On PostgreSQL the trace has seen what it is there to see.
    let seen = connections.iter().any(is_database);
    assert_eq!(seen, context.backend() == Backend::Postgres, "{connections:?}");
}
