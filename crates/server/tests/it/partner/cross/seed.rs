//! The documented create of patient-graph, byte for byte.

use std::time::Duration;

use serde_json::Value;
use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::wait::wait_for;

use crate::support::*;

pub const TESTS: &[Test] = tests![g01_the_least_create_is_answered_with_all_keys_in_their_order];

fn g01_the_least_create_is_answered_with_all_keys_in_their_order(context: &Context) {
    let server = context.server();
    for arguments in [
        &["space", "add", "shop", "--sandbox"][..],
        &[
            "binding",
            "add",
            "--door",
            "patient-graph",
            "--word",
            "acme",
            "--space",
            "shop",
        ],
        &[
            "client",
            "add",
            "shop",
            "--space",
            "shop",
            "--door",
            "patient-graph",
            "--scope",
            "patient-graph:all",
        ],
    ] {
        succeeds(context, &server, arguments);
    }
    let key = issue_key(context, &server, "shop");
    let client = server.anonymous().with_prefix("/v1").with_bearer(&key);
    wait_for(Duration::from_secs(10), "the shop to be known", || {
        let answer = client.get("/patients?brand_id=acme").send();
        std::thread::sleep(Duration::from_millis(60));
        (answer.status == 200).then_some(())
    });
    let folder = crate::fixtures("seeds/002-create-patient");
    let file = |name: &str| std::fs::read(format!("{folder}/{name}")).expect("a file of the example");
    let answer = client
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(file("request.json"))
        .send()
        .expect(201);
    let mut expected: Value = serde_json::from_slice(&file("expected.json")).expect("JSON");
    let body = answer.json();
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(18));
    assert_eq!(body["created_at"], body["updated_at"]);
    assert_eq!(body["id"].as_str().map(str::len), Some(36));
    for own in ["id", "created_at", "updated_at"] {
        expected[own] = body[own].clone();
    }
    assert_eq!(answer.text(), expected.to_string());
}
