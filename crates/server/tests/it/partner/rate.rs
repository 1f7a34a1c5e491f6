//! Rate limits (`access.md` 2). How a bucket fills has tests of its own beside it.

use std::time::{Duration, Instant};

use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::server::Server;
use testkit::tests;
use testkit::wait::wait_for;

use super::patient_graph::two_keys;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    who_asks_too_often_is_told_when_to_come_back_and_is_served_then,
    a_refused_request_counts_and_another_client_does_not_notice,
    a_request_too_many_is_audited_with_its_client_and_space,
    the_demo_has_no_limit,
    a_malformed_rate_limit_is_refused_with_an_example,
];

const BURST: usize = 5;

/// Adds a client of two doors with this rate limit, and gives back its view of the patient-graph door.
fn limited(context: &Context, server: &Server, id: &str, rate: &str) -> Client {
    let arguments = [
        "client",
        "add",
        id,
        "--space",
        "demo",
        "--door",
        "patient-graph",
        "--door",
        "fhir",
        "--scope",
        "system/Patient.cruds",
        "--rate-limit",
        rate,
    ];
    succeeds(context, server, &arguments);
    let key = issue_key(context, server, id);
    // Through the other door, whose bucket is another one.
    let _ = fhir_with_key(server, &key);
    server.anonymous().with_prefix("/v1").with_bearer(&key)
}

fn list(client: &Client) -> Response {
    client.get("/patients?brand_id=demo-brand").send()
}

/// Asks until it is told to wait: whoever asks more than once a second is.
fn until_refused(mut ask: impl FnMut() -> Response) -> Response {
    wait_for(Duration::from_secs(30), "a request too many", || {
        let answer = ask();
        (answer.status == 429).then_some(answer)
    })
}

fn who_asks_too_often_is_told_when_to_come_back_and_is_served_then(context: &Context) {
    let server = context.server();
    let client = limited(context, &server, "eager", &format!("1/{BURST}"));
    for _ in 0..BURST {
        list(&client).expect(200);
    }
    let refused = until_refused(|| list(&client));
    let since = Instant::now();
    assert_eq!(two_keys(&refused, 429), "rate_limited");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    wait_for(Duration::from_secs(10), "the announced second", || {
        (since.elapsed() >= Duration::from_secs(1)).then_some(())
    });
    list(&client).expect(200);
}

fn a_refused_request_counts_and_another_client_does_not_notice(context: &Context) {
    let server = context.server();
    let client = limited(context, &server, "clumsy", &format!("1/{BURST}"));
    let other = limited(context, &server, "calm", &format!("1/{BURST}"));
    let nonsense = || {
        client
            .post("/patients")
            .header("Content-Type", "text/plain")
            .body("x")
            .send()
    };
    for _ in 0..BURST {
        assert_eq!(two_keys(&nonsense(), 415), "unsupported_media_type");
    }
    // Now it is the rate that is answered first.
    assert_eq!(two_keys(&until_refused(nonsense), 429), "rate_limited");
    list(&other).expect(200);
    // The same allowance holds at the fhir door, in a bucket and in words of its own.
    let key = issue_key(context, &server, "clumsy");
    let fhir = fhir_with_key(&server, &key);
    let refused = refused(
        until_refused(|| fhir.get("/Patient/nobody").send()),
        429,
        "throttled",
    );
    assert_eq!(refused.header("Retry-After"), Some("1"));
}

fn a_request_too_many_is_audited_with_its_client_and_space(context: &Context) {
    let server = context.server();
    let client = limited(context, &server, "noted", &format!("1/{BURST}"));
    let refused = until_refused(|| list(&client));
    let id = refused.header("X-Request-Id").expect("a request id");
    let rows =
        format!("SELECT client, door, interaction, outcome, space > 0 FROM audit WHERE request_id = '{id}'");
    let row = wait_for(Duration::from_secs(10), "the denial in the audit", || {
        Some(execute(&server, &rows)).filter(|row| !row.is_empty())
    });
    let fields: Vec<&str> = row.split('|').collect();
    assert_eq!(fields[..4], ["noted", "patient-graph", "admit", "throttled"]);
    assert!(matches!(fields[4], "1" | "t"), "{row}");
}

fn the_demo_has_no_limit(context: &Context) {
    let server = context.server();
    let client = server.client("patient-graph");
    let connections: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || (0..150).all(|_| list(&client).status == 200))
        })
        .collect();
    for connection in connections {
        assert!(connection.join().expect("a thread"), "a request was refused");
    }
}

fn a_malformed_rate_limit_is_refused_with_an_example(context: &Context) {
    let server = shared(context);
    for rate in ["50", "0/1", "fast", "1/0"] {
        let arguments = [
            "client", "add", "x", "--space", "demo", "--door", "fhir", "--scope", "s",
        ];
        let output = passerelle(
            context,
            server,
            &[&arguments[..], &["--rate-limit", rate]].concat(),
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("50/100"), "{output:?}");
    }
}
