//! History of a resource, of a type, of everything.

mod content;
mod pages;

use serde_json::{Value, json};
use testkit::harness::Suite;
use testkit::http::Client;

use crate::support::*;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite.both(content::TESTS).both(pages::TESTS)
}

fn bundle(client: &Client, target: impl AsRef<[u8]>) -> Value {
    let bundle = client.get(target).send().expect(200).json();
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"]),
        (&json!("Bundle"), &json!("history"))
    );
    bundle
}

fn entries(bundle: &Value) -> Vec<Value> {
    bundle["entry"].as_array().cloned().unwrap_or_default()
}

/// `POST Patient W/"1"`, of each entry.
fn told(bundle: &Value) -> Vec<String> {
    let text = |entry: &Value, pointer: &str| {
        let found = entry.pointer(pointer).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("no {pointer}: {entry}"))
            .to_owned()
    };
    let one = |entry: &Value| {
        let [method, url, etag] =
            ["/request/method", "/request/url", "/response/etag"].map(|pointer| text(entry, pointer));
        format!("{method} {url} {etag}")
    };
    entries(bundle).iter().map(one).collect()
}

/// `fullUrl` and version of each entry, without the server's base.
fn versions(bundle: &Value) -> Vec<String> {
    let one = |entry: &Value| {
        let url = path_of(entry["fullUrl"].as_str().expect("a fullUrl"));
        format!("{url} {}", entry["response"]["etag"].as_str().expect("an etag"))
    };
    entries(bundle).iter().map(one).collect()
}

fn numbered(id: &str, turn: usize) -> Value {
    let body = with(patient(id), "id", json!(id));
    with(body, "name", json!([{ "family": format!("Tour{turn}") }]))
}

/// A patient of its own with so many versions; its path.
fn with_versions(fhir: &Client, count: usize) -> String {
    let own = unique();
    let path = format!("/Patient/{own}");
    for turn in 0..count {
        let status = if turn == 0 { 201 } else { 200 };
        fhir.put(&path).json(&numbered(&own, turn)).send().expect(status);
    }
    path
}
