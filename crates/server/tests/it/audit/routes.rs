//! T39: every route of every door writes a row for each interaction and each refusal.

use std::time::Instant;

use serde_json::json;
use server::all_routes;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;
use testkit::wait::wait_for;

use super::{LIMIT, rows_of};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t39_every_route_and_outcome_has_its_row,
    t39_each_refusal_has_one_row_with_its_code,
    t39_a_known_client_that_may_not_come_in_is_named_with_its_space,
    t39_what_stops_before_the_caller_is_known_is_written_too,
];

/// Nobody, at the eHealth door.
const PREPERSON: &str = "/api/prepersons/00000000-0000-4000-8000-000000000000";

/// A path for a pattern: nobody's ids.
fn path_of_pattern(pattern: &str) -> String {
    let parts = pattern.split('/').map(|part| match part {
        "{type}" => "Patient".to_owned(),
        "{id}" => "4711".to_owned(),
        "{vid}" => "1".to_owned(),
        published if published.starts_with("{type:") => "NamingSystem".to_owned(),
        other => other.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Credentials of a door, without its path.
fn client_of(server: &testkit::server::Server, door: &str) -> Client {
    let credential = server.credential(door);
    let client = server.anonymous().with_bearer(&credential.bearer);
    match credential.entry["api_key"].as_str() {
        Some(key) => client.with_header("API-key", key),
        None => client,
    }
}

/// Sends a request under this id; `body` is JSON.
fn send(client: &Client, method: &str, path: &str, (request, body): (&str, &str)) -> Response {
    let asked = client.request_exact(method, path).header("X-Request-Id", request);
    match (method, path.ends_with("_search")) {
        ("POST", true) => asked.form("").send(),
        ("POST" | "PUT" | "PATCH", _) => {
            let mime = if method == "PATCH" && path.starts_with("/fhir") {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            asked.header("Content-Type", mime).body(body).send()
        }
        _ => asked.send(),
    }
}

fn t39_every_route_and_outcome_has_its_row(context: &Context) {
    let server = context.server();
    let nobody = server.anonymous();
    let mut expected = Vec::new();
    for (number, (method, pattern, door)) in all_routes().into_iter().enumerate() {
        let client = client_of(&server, door);
        let path = path_of_pattern(pattern);
        let patient = json!({ "resourceType": "Patient", "id": "4711" }).to_string();
        let cases = [
            ("well", &client, patient.as_str()),
            ("broken", &client, "{\"resourceType\":"),
            ("nobody", &nobody, patient.as_str()),
        ];
        for (case, client, body) in cases {
            let request = format!("t39-{number}-{case}");
            let answer = send(client, method, &path, (&request, body));
            assert!(answer.status < 500, "{method} {pattern}: {answer:?}");
            if case == "nobody" {
                assert_eq!(answer.status, 401, "{method} {pattern}: {answer:?}");
            }
            expected.push((request, format!("{method} {pattern}"), door, answer.status));
        }
    }
    for (request, route, door, status) in expected {
        let rows = rows_of(&server, &request, 1);
        let last = rows.last().unwrap();
        assert!(
            rows.iter().all(|row| row.starts_with(&format!("{door} "))),
            "{route}: {rows:?}"
        );
        let went_well = last.ends_with(" ok") || last.ends_with(" unchanged");
        // What a Bundle's entries, a list of issues and an operation answer with 200 is theirs.
        assert_eq!(status < 400, went_well, "{route} answered {status}: {rows:?}");
        // A partner's call, an operation over several types and a Bundle are made of several interactions.
        let is_one = door == "fhir" && !route.ends_with("$everything") && route != "POST /fhir";
        assert!(!is_one || rows.len() == 1, "{route}: {rows:?}");
    }
}

fn t39_each_refusal_has_one_row_with_its_code(context: &Context) {
    let server = context.server();
    let (fhir, sas) = (client_of(&server, "fhir"), client_of(&server, "sas"));
    let made = fhir
        .post("/fhir/Patient")
        .header("X-Request-Id", "made")
        .json(&patient("t39"))
        .send()
        .expect(201);
    let path = format!("/fhir/Patient/{}", made.id());
    for _ in 0..2 {
        fhir.post("/fhir/Patient")
            .json(&patient("twice"))
            .send()
            .expect(201);
    }
    let twice = by_local("twice");
    let owned = json!({ "resourceType": "Practitioner", "meta": { "profile": [PROFILE] } });
    let refusals = [
        (403, "read forbidden", sas.get(&path)),
        (404, "read not-found", fhir.get("/fhir/Patient/never-there")),
        (404, "read not-supported", fhir.get("/fhir/Nothing/1")),
        (400, "search-type value", fhir.get("/fhir/Patient?birthdate=x")),
        (
            406,
            "read not-supported",
            fhir.get(&path).header("Accept", "text/csv"),
        ),
        (
            412,
            "update conflict",
            fhir.put(&path)
                .header("If-Match", "W/\"7\"")
                .json(&with(patient("t39"), "id", json!(made.id()))),
        ),
        (
            412,
            "conditional-update multiple-matches",
            fhir.put(format!("/fhir/Patient?{twice}")).json(&patient("twice")),
        ),
        (
            415,
            "create not-supported",
            fhir.post("/fhir/Patient")
                .header("Content-Type", "text/csv")
                .body("x"),
        ),
        (
            422,
            "create required",
            fhir.post("/fhir/Practitioner").json(&owned),
        ),
    ];
    for (number, (status, row, request)) in refusals.into_iter().enumerate() {
        let id = format!("refusal-{number}");
        let answer = request.header("X-Request-Id", &id).send().expect(status);
        let rows = rows_of(&server, &id, 1);
        assert_eq!(rows, [format!("fhir {row}")], "{answer:?}");
    }
    assert_eq!(rows_of(&server, "made", 1), ["fhir create ok"]);
    // The type and the id, where they are known.
    let known = "SELECT kind || ' ' || id || ' ' || client FROM audit WHERE request_id = 'refusal-4'";
    assert_eq!(execute(&server, known), format!("1 {} demo-fhir", made.id()));
}

fn t39_a_known_client_that_may_not_come_in_is_named_with_its_space(context: &Context) {
    let server = context.server();
    let space = execute(
        &server,
        "SELECT number FROM space WHERE space = 0 AND name = 'demo'",
    );
    let fhir = client_of(&server, "fhir");
    let without_realm = {
        let arguments = [
            "client", "add", "homeless", "--space", "unbound", "--door", "ehealth",
        ];
        succeeds(context, &server, &["space", "add", "unbound", "--sandbox"]);
        succeeds(
            context,
            &server,
            &[&arguments[..], &["--scope", "preperson:read"]].concat(),
        );
        let printed = succeeds(
            context,
            &server,
            &["key", "issue", "homeless", "--ehealth-api-key"],
        );
        let client = server
            .anonymous()
            .with_bearer(&issue_key(context, &server, "homeless"));
        let client = client.with_header("API-key", printed.lines().next().expect("an API-key"));
        wait_for(LIMIT, "the client to be known", || {
            (client.get(PREPERSON).send().status == 403).then_some(())
        });
        client
    };
    let unbound = execute(
        &server,
        "SELECT number FROM space WHERE space = 0 AND name = 'unbound'",
    );
    let refusals = [
        ("door", "demo-ehealth", &space, {
            let ehealth = client_of(&server, "ehealth");
            ehealth.get("/fhir/Patient").header("X-Request-Id", "door").send()
        }),
        ("space", "demo-fhir", &space, {
            let asked = fhir.get("/fhir/Patient").header("X-Space", "another");
            asked.header("X-Request-Id", "space").send()
        }),
        ("realm", "homeless", &unbound, {
            let asked = without_realm.get(PREPERSON);
            asked.header("X-Request-Id", "realm").send()
        }),
    ];
    for (request, client, space, answer) in refusals {
        assert_eq!(answer.status, 403, "{answer:?}");
        let door = if request == "realm" { "ehealth" } else { "fhir" };
        let row = format!("{door} authenticate forbidden");
        assert_eq!(rows_of(&server, request, 1), [row]);
        let who = format!("SELECT client || ' ' || space FROM audit WHERE request_id = '{request}'");
        assert_eq!(execute(&server, &who), format!("{client} {space}"));
        let id = format!("request_id=\"{request}\"");
        let line = wait_for(LIMIT, "the access line", || {
            let log = server.log();
            let line = log.lines().find(|line| line.contains(&id))?;
            Some(line.to_owned())
        });
        assert!(line.contains(client), "{line}");
    }
}

fn t39_what_stops_before_the_caller_is_known_is_written_too(context: &Context) {
    let server = context
        .settings()
        .argument("--max-concurrent")
        .argument("0")
        .start();
    let fhir = client_of(&server, "fhir");
    let answer = fhir
        .get("/fhir/Patient")
        .header("X-Request-Id", "too-many")
        .send();
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(rows_of(&server, "too-many", 1), ["fhir admit throttled"]);
    // A flood of them is told once a second, and each in the metrics.
    let flood = 200;
    let began = Instant::now();
    for _ in 0..flood {
        assert_eq!(
            fhir.get("/fhir/Patient")
                .header("X-Request-Id", "a-flood")
                .send()
                .status,
            429
        );
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    // Rows are written in their order, and the first at another door has one.
    let other = server.anonymous();
    other.get(PREPERSON).header("X-Request-Id", "behind-it").send();
    rows_of(&server, "behind-it", 1);
    let told = rows_of(&server, "a-flood", 0).len();
    assert!(told <= seconds, "{told} rows in {seconds} s");
    assert!(told < flood / 2, "{told} rows of {flood}");
    // Nobody's: it is in no space.
    let space = "SELECT space || client FROM audit WHERE request_id = 'too-many'";
    assert_eq!(execute(&server, space), "0");
}
