//! The order of the connect list where creation does not decide it.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::tests;

use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![n20_patients_of_one_instant_keep_their_order];

/// The body of a list.
#[track_caller]
fn shown_list(response: &testkit::http::Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    let body = response.json();
    assert_eq!(keys(&body), ["data", "pagination"]);
    assert_eq!(
        keys(&body["pagination"]),
        ["page", "perPage", "total", "totalPages"]
    );
    body
}

#[track_caller]
fn list(client: &Client, query: &str) -> Value {
    shown_list(&client.get(format!("/patients?{query}")).send())
}

fn ids_of(list: &Value) -> Vec<String> {
    let items = list["data"].as_array().expect("data");
    items.iter().map(|item| text(item, "id")).collect()
}

fn n20_patients_of_one_instant_keep_their_order(context: &Context) {
    let server = context.server();
    let client = server.client("medicapp-connect");
    let mut ids: Vec<String> = (0..12).map(|_| made(&client, json!({}))).collect();
    execute(&server, "UPDATE resource SET created = 1700000000000000");
    let pages = || -> Vec<String> {
        (1..=6)
            .flat_map(|page| ids_of(&list(&client, &format!("per_page=2&page={page}"))))
            .collect()
    };
    let mut seen = pages();
    assert_eq!(seen, pages());
    assert_eq!(seen, ids_of(&list(&client, "")));
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}
