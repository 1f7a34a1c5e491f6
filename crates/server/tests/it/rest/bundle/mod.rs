//! Batch and transaction: `POST [base]` with a Bundle.

mod access;
mod batch;
mod conditional;
mod failures;
mod form;
mod patches;
mod races;
mod reads;
mod references;
mod transaction;

use serde_json::{Value, json};
use testkit::harness::Suite;
use testkit::http::{Client, Response};

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    let suite = suite
        .both(batch::TESTS)
        .both(transaction::TESTS)
        .both(conditional::TESTS)
        .both(patches::TESTS)
        .both(reads::TESTS);
    let suite = suite
        .both(references::TESTS)
        .both(failures::TESTS)
        .both(form::TESTS)
        .both(access::TESTS);
    suite.both(races::TESTS).postgres(races::SEVERAL_PROCESSES)
}

/// A Bundle of this type.
fn bundle(kind: &str, entries: &[Value]) -> Value {
    match entries {
        [] => json!({ "resourceType": "Bundle", "type": kind }),
        entries => json!({ "resourceType": "Bundle", "type": kind, "entry": entries }),
    }
}

fn send(fhir: &Client, kind: &str, entries: &[Value]) -> Response {
    fhir.post("").json(&bundle(kind, entries)).send()
}

fn transact(fhir: &Client, entries: &[Value]) -> Response {
    send(fhir, "transaction", entries)
}

fn entry(method: &str, url: &str) -> Value {
    json!({ "request": { "method": method, "url": url } })
}

fn entry_with(method: &str, url: &str, resource: &Value) -> Value {
    json!({ "resource": resource, "request": { "method": method, "url": url } })
}

/// A Binary that holds a patch.
fn binary(media_type: &str, patch: &str) -> Value {
    json!({ "resourceType": "Binary", "contentType": media_type, "data": base64(patch.as_bytes()) })
}

fn json_patch(operations: &Value) -> Value {
    binary("application/json-patch+json", &operations.to_string())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let whole = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
        let number = u32::from_be_bytes([0, whole[0], whole[1], whole[2]]);
        for place in 0..4 {
            let digit = (number >> (18 - 6 * place)) & 63;
            text.push(if place > group.len() {
                '='
            } else {
                char::from(DIGITS[digit as usize])
            });
        }
    }
    text
}

/// The same entry with another part of its request.
fn asking(mut entry: Value, name: &str, value: &str) -> Value {
    entry["request"][name] = json!(value);
    entry
}

/// The same entry under a `fullUrl`.
fn named(mut entry: Value, url: &str) -> Value {
    entry["fullUrl"] = json!(url);
    entry
}

/// The entries of a response Bundle.
#[track_caller]
fn answers(response: Response) -> Vec<Value> {
    let tree = response.expect(200).json();
    let kind = tree["type"].as_str().unwrap_or_default();
    assert!(
        kind == "batch-response" || kind == "transaction-response",
        "{tree}"
    );
    tree["entry"].as_array().cloned().unwrap_or_default()
}

/// The status of each entry, as a number.
fn statuses(entries: &[Value]) -> Vec<u16> {
    let each = entries.iter().map(|entry| entry["response"]["status"].as_str());
    each.map(|status| {
        status
            .and_then(|status| status.get(..3)?.parse().ok())
            .unwrap_or_default()
    })
    .collect()
}

/// The id in the location of an entry.
#[track_caller]
fn id(entry: &Value) -> String {
    let location = entry["response"]["location"].as_str();
    crate::support::id_of(location.unwrap_or_else(|| panic!("no location: {entry}")))
}
