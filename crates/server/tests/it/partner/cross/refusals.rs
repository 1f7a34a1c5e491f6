//! Each door refuses in its own shape, whoever does the refusing (`adapters.md` 0).

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::postgres::Postgres;
use testkit::race::race;
use testkit::server::Backend;
use testkit::tests;
use testkit::wait::wait_for;

use super::*;
use crate::partner::patient_graph;

pub const TESTS: &[Test] = tests![
    x06_no_depth_of_nesting_ends_anything,
    x14_unknown_routes_wrong_verbs_and_slashes_are_told_in_the_shape_of_the_door,
    x16_a_database_that_does_not_answer_is_told_in_the_shape_of_the_door,
];

/// Asserts the shape of a door's refusals.
#[track_caller]
fn in_shape(door: &str, answer: &Response) {
    assert_eq!(
        answer.header("Content-Type"),
        Some("application/json; charset=utf-8"),
        "{answer:?}"
    );
    let body = answer.json();
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().expect("an object").keys().cloned().collect() };
    match door {
        "cloud" | "connect" => {
            assert_eq!(keys(&body), ["error"]);
            assert_eq!(keys(&body["error"]), ["code", "status", "message", "requestId"]);
            assert_eq!(body["error"]["status"], answer.status);
            assert_eq!(
                body["error"]["requestId"],
                answer.header("X-Request-Id").expect("a request id")
            );
        }
        "graph" => {
            patient_graph::two_keys(answer, answer.status);
        }
        _ => {
            let kind = body["error"]["type"].as_str().expect("a type");
            ehealth::error(answer, answer.status, kind);
        }
    }
}

/// Each partner's door with its collection.
fn collections(doors: &Doors) -> [(&'static str, &Client, &'static str); 4] {
    [
        ("cloud", &doors.cloud, "/patients"),
        ("connect", &doors.connect, "/patients"),
        ("graph", &doors.graph, "/patients"),
        ("ehealth", &doors.ehealth, "/prepersons"),
    ]
}

fn x06_no_depth_of_nesting_ends_anything(context: &Context) {
    let doors = Doors::of(shared(context));
    for depth in [100, 10_000, 1_000_000] {
        for (door, client, target) in collections(&doors) {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let inner = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                for body in [inner.clone(), format!("{{\"metadata\":{inner}}}")] {
                    let request = client.post(target).header("Content-Type", "application/json");
                    let answer = request.body(body.clone()).send();
                    let large = body.len() > 2 << 20;
                    assert_eq!(
                        answer.status,
                        if large { 413 } else { 400 },
                        "{door} {depth}: {answer:?}"
                    );
                    in_shape(door, &answer);
                }
            }
        }
    }
}

fn x14_unknown_routes_wrong_verbs_and_slashes_are_told_in_the_shape_of_the_door(context: &Context) {
    let server = shared(context);
    let doors = Doors::of(server);
    for (door, client, collection) in collections(&doors) {
        let id = match door {
            "graph" | "ehealth" => ehealth::NOBODY,
            _ => "pat_aaaaaaaaaaaaaaaa",
        };
        let mut unknown = vec![
            "/nothing".to_owned(),
            format!("{collection}/"),
            format!("{collection}/{id}/"),
            format!("{collection}/{id}/a/b"),
            format!("{collection}/{id}/safe/"),
            String::new(),
            "/".to_owned(),
        ];
        if door != "graph" {
            unknown.push(format!("{collection}/{id}/safe"));
        }
        for target in unknown {
            for method in ["GET", "POST", "DELETE"] {
                let answer = client.request(method, &target).send();
                assert_eq!(answer.status, 404, "{method} {door} {target}: {answer:?}");
                in_shape(door, &answer);
            }
        }
        let own = format!("{collection}/{id}");
        for (method, target) in [
            ("DELETE", collection),
            ("PATCH", collection),
            ("POST", &own),
            ("TRACE", &own),
        ] {
            let answer = client.request(method, target).send();
            let status = if door == "ehealth" { 404 } else { 405 };
            assert_eq!(answer.status, status, "{method} {door} {target}: {answer:?}");
            assert_eq!(answer.header("Allow").is_some(), status == 405, "{answer:?}");
            in_shape(door, &answer);
        }
        let stranger = client.clone().without_header("Authorization");
        let answer = stranger.get(&own).send().expect(401);
        assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer"));
        in_shape(door, &answer);
    }
    // What begins like a door and is none is the server's own.
    for target in [
        "/v50/patients",
        "/v1x",
        "/apis/prepersons",
        "/cloud/partner/v6/patients",
    ] {
        let answer = server.anonymous().get(target).send();
        refused(answer, 404, "not-supported");
    }
}

/// Somebody who holds the tables of a database until it is dropped.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        // It ends by itself when its input does; nothing is left of it either way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Takes what writers need in the database of a server.
fn hold(server: &Server) -> Holder {
    use std::io::{BufRead as _, BufReader, Write as _};
    let mut command = Command::new(Postgres::shared().psql());
    command
        .args(["-qtAX", "-d"])
        .arg(server.database_url().expect("a URL"));
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.expect("psql runs");
    let words = b"BEGIN;\nLOCK TABLE resource, audit IN ACCESS EXCLUSIVE MODE;\nSELECT 'held';\n";
    let input = child.stdin.as_mut().expect("its input");
    input.write_all(words).expect("it listens");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    output.read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "held");
    Holder(child)
}

fn x16_a_database_that_does_not_answer_is_told_in_the_shape_of_the_door(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    // One that is held, where that can be; one whose tables are away, everywhere.
    if server.backend() == Backend::Postgres {
        let holder = hold(&server);
        all_refused(&doors, &[503]);
        drop(holder);
        all_served_again(&doors);
    }
    execute(&server, "ALTER TABLE identifier_key RENAME TO elsewhere");
    all_refused(&doors, &[500, 503]);
    execute(&server, "ALTER TABLE elsewhere RENAME TO identifier_key");
    all_served_again(&doors);
}

/// A create at each door, of somebody new each time.
fn creates() -> [Value; 4] {
    let name = unique();
    [
        json!({
            "trustSpaceUuid": TRUST_SPACE, "firstName": "Canary", "lastName": name, "birthDate": "1980-01-01",
            "gender": "F"
        }),
        json!({ "firstName": "Canary", "lastName": name, "birthDate": "1980-01-01" }),
        json!({ "brand_id": BRAND, "first_name": "Canary", "last_name": name, "external_ids": { "a": name } }),
        json!({ "external_id": "Canary", "gender": "MALE" }),
    ]
}

fn all_refused(doors: &Doors, statuses: &[u16]) {
    let bodies = creates();
    let answers = race(4, |number| {
        let (_, client, target) = collections(doors)[number];
        send(&client.clone(), "POST", target, &bodies[number])
    });
    for ((door, ..), answer) in collections(doors).into_iter().zip(&answers) {
        assert!(statuses.contains(&answer.status), "{door}: {answer:?}");
        in_shape(door, answer);
        let text = answer.text().to_lowercase();
        for word in [
            "select",
            "insert",
            "database is locked",
            "timeout",
            "sqlite",
            "postgres",
            "canary",
        ] {
            assert!(!text.contains(word), "{door}: {answer:?}");
        }
    }
}

fn all_served_again(doors: &Doors) {
    let bodies = creates();
    for ((door, client, target), body) in collections(doors).into_iter().zip(&bodies) {
        let answer = wait_for(Duration::from_secs(30), "service to come back", || {
            let answer = send(client, "POST", target, body);
            (answer.status < 500).then_some(answer)
        });
        assert_eq!(answer.status, 201, "{door}: {answer:?}");
    }
}
