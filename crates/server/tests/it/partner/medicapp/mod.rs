//! The two Medicapp doors (`adapters.md` 3): what only a running server shows. The translations have fixtures of their
//! own in `fixtures/medicapp-cloud` and `fixtures/medicapp-connect`.

mod attach;
mod bodies;
mod both;
mod bound;
mod cloud;
mod connect;
mod erasure;
mod homonyms;
mod list;
mod locked;
mod lookup;
mod merge;
mod races;
mod records;
mod replay;
mod ties;
mod wire;
mod words;

use serde_json::{Value, json};
use testkit::harness::{Context, Suite};
use testkit::http::{Client, Response};
use testkit::server::Server;
use testkit::wait::wait_for;

use super::cross::{Doors, TRUST_SPACE, send};
use crate::support::*;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(cloud::TESTS)
        .both(connect::TESTS)
        .both(list::TESTS)
        .both(records::TESTS)
        .both(replay::TESTS)
        .both(attach::TESTS)
        .both(bodies::TESTS)
        .both(both::TESTS)
        .both(bound::TESTS)
        .both(erasure::TESTS)
        .both(homonyms::TESTS)
        .both(locked::TESTS)
        .both(lookup::TESTS)
        .both(merge::TESTS)
        .both(races::TESTS)
        .postgres(races::SEVERAL_PROCESSES)
        .both(ties::TESTS)
        .both(words::TESTS)
}

/// Asserts the envelope of a refusal: its four keys, the status twice, the request's id; the code comes back.
#[track_caller]
fn refusal(answer: &Response, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("Content-Type"),
        Some("application/json; charset=utf-8")
    );
    let body = answer.json();
    assert_eq!(body.as_object().expect("an object").len(), 1, "{body}");
    let error = body["error"].as_object().expect("an error");
    let keys: Vec<&String> = error.keys().collect();
    assert_eq!(keys, ["code", "status", "message", "requestId"]);
    assert_eq!(error["status"], status);
    let id = error["requestId"].as_str().expect("an id");
    assert_eq!(answer.header("X-Request-Id"), Some(id));
    let digits = id.strip_prefix("req_").expect("req_");
    assert!(
        digits.len() == 12 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{id}"
    );
    assert!(!error["message"].as_str().expect("a message").is_empty());
    error["code"].as_str().expect("a code").to_owned()
}

/// The ids of a page of connect's list.
fn listed(answer: &Response) -> Vec<String> {
    let body = answer.json();
    let data = body["data"].as_array().cloned().unwrap_or_default();
    let id = |patient: &Value| patient["id"].as_str().expect("an id").to_owned();
    data.iter().map(id).collect()
}

/// A client of connect with a fresh, empty space of its own.
fn own_space(context: &Context, server: &Server, space: &str) -> Client {
    succeeds(context, server, &["space", "add", space, "--sandbox"]);
    let client = format!("client-of-{space}");
    let arguments = [
        "client",
        "add",
        &client,
        "--space",
        space,
        "--door",
        "medicapp-connect",
        "--scope",
        "partner:administrative",
        "--rate-limit",
        "none",
    ];
    succeeds(context, server, &arguments);
    let key = issue_key(context, server, &client);
    let client = server.anonymous().with_prefix("/v5").with_bearer(&key);
    wait_for(std::time::Duration::from_secs(10), "the key to be known", || {
        let answer = client.get("/patients").send();
        // Wrong credentials are counted: a hasty poll would be shut out.
        std::thread::sleep(std::time::Duration::from_millis(60));
        (answer.status != 401).then_some(())
    });
    client
}

/// A POST at connect.
fn connect_post(client: &Client, more: Value) -> Response {
    let mut body = json!({ "firstName": "Jean", "lastName": unique(), "birthDate": "1980-05-15" });
    super::ehealth::merge(&mut body, &more);
    send(client, "POST", "/patients", &body)
}
