//! The eHealth door (`adapters.md` 2): what only a running server shows. The translations have fixtures of their own in
//! `fixtures/ehealth`.

mod checks;
mod envelope;
mod life;
mod replay;
mod together;

use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, Suite};
use testkit::http::{Client, Response};
use testkit::server::Server;
use testkit::wait::wait_for;

use crate::support::*;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(checks::TESTS)
        .both(envelope::TESTS)
        .both(life::TESTS)
        .both(replay::TESTS)
        .both(together::TESTS)
}

/// A UUID that nobody has.
pub const NOBODY: &str = "00000000-0000-4000-8000-00000000dead";

/// The demo's facility at its door, with both credentials.
pub fn door(server: &Server) -> Client {
    let api_key = server.credential("ehealth").entry["api_key"].as_str();
    let client = server.client("ehealth");
    client.with_header("API-key", api_key.expect("an API-key"))
}

/// POST of a preperson.
pub fn post(client: &Client, body: &Value) -> Response {
    let request = client.post("/prepersons");
    let request = request.header("Content-Type", "application/json");
    request.body(body.to_string()).send()
}

/// PATCH of a preperson.
pub fn patch(client: &Client, id: &str, body: &Value) -> Response {
    let request = client.patch(format!("/prepersons/{id}"));
    let request = request.header("Content-Type", "application/json");
    request.body(body.to_string()).send()
}

/// GET of a preperson.
pub fn get(client: &Client, id: &str) -> Response {
    client.get(format!("/prepersons/{id}")).send()
}

/// A new preperson with this beside an external id and a gender: its `data`.
#[track_caller]
pub fn preperson(client: &Client, more: Value) -> Value {
    let mut body = json!({ "external_id": unique(), "gender": "MALE" });
    merge(&mut body, &more);
    data(&post(client, &body), 201)
}

/// Puts the properties of one object into another.
pub fn merge(body: &mut Value, more: &Value) {
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
}

/// The id in `data`.
#[track_caller]
pub fn id(data: &Value) -> &str {
    data["id"].as_str().expect("an id")
}

/// Asserts what `meta` says of an answer, whatever it is.
#[track_caller]
pub fn meta(response: &Response, status: u16) -> Value {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(
        response.header("Content-Type"),
        Some("application/json; charset=utf-8"),
        "{response:?}"
    );
    let body = response.json();
    let meta = &body["meta"];
    assert_eq!(meta["code"], status, "{body}");
    assert_eq!(meta["type"], "object", "{body}");
    let request_id = response.header("X-Request-Id").expect("a request id");
    assert_eq!(meta["request_id"], request_id, "{body}");
    let url = meta["url"].as_str().expect("a URL");
    assert!(url.starts_with("http") && !url.contains('?'), "{url}");
    let keys: Vec<&String> = meta.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["code", "url", "type", "request_id"]);
    body
}

/// The `data` of an answer.
#[track_caller]
pub fn data(response: &Response, status: u16) -> Value {
    let body = meta(response, status);
    let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["meta", "data"], "{body}");
    body["data"].clone()
}

/// The `error` of a refusal of this type.
#[track_caller]
pub fn error(response: &Response, status: u16, kind: &str) -> Value {
    let body = meta(response, status);
    let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["meta", "error"], "{body}");
    assert_eq!(body["error"]["type"], kind, "{body}");
    body["error"].clone()
}

/// The places and rules that a refusal names: `$.gender inclusion`.
#[track_caller]
pub fn violations(response: &Response) -> Vec<String> {
    let error = error(response, 422, "validation_failed");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("Validation failed.")),
        "{error}"
    );
    let invalid = error["invalid"].as_array().expect("violations");
    let one = |violation: &Value| {
        assert_eq!(violation["entry_type"], "json_data_property", "{violation}");
        let rules = violation["rules"].as_array().expect("rules");
        assert_eq!(rules.len(), 1, "{violation}");
        assert!(rules[0]["description"].is_string(), "{violation}");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        format!("{} {}", text(&violation["entry"]), text(&rules[0]["rule"]))
    };
    invalid.iter().map(one).collect()
}

/// A legal entity whose user calls at the door.
#[derive(Clone, Copy)]
pub struct Entity<'a> {
    /// Id of the client.
    pub client: &'a str,
    /// UUID of the legal entity.
    pub id: &'a str,
    /// Its type.
    pub kind: &'a str,
    /// Its status.
    pub status: &'a str,
    /// UUID of the user.
    pub user: &'a str,
    /// The scopes, parted by blanks.
    pub scopes: &'a str,
    /// More arguments of `client add`.
    pub more: &'a [&'a str],
}

impl Default for Entity<'_> {
    fn default() -> Self {
        Entity {
            client: "facility",
            id: "9a3f2c1e-0b4d-4c6e-8f70-1a2b3c4d5e6f",
            kind: "OUTPATIENT",
            status: "ACTIVE",
            user: "5d6e7f80-91a2-4b3c-8d4e-5f60718293a4",
            scopes: "preperson:read preperson:write",
            more: &[],
        }
    }
}

impl Entity<'_> {
    /// Tells the server what it is; again, to change it.
    #[track_caller]
    pub fn put(&self, context: &Context, server: &Server) {
        self.put_into(context, server, "demo");
    }

    #[track_caller]
    fn put_into(&self, context: &Context, server: &Server, space: &str) {
        let mut arguments = vec![
            "client",
            "add",
            self.client,
            "--space",
            space,
            "--door",
            "ehealth",
        ];
        for scope in self.scopes.split_whitespace() {
            arguments.extend(["--scope", scope]);
        }
        arguments.extend(["--legal-entity-id", self.id, "--legal-entity-type", self.kind]);
        arguments.extend(["--legal-entity-status", self.status, "--user-id", self.user]);
        arguments.extend(self.more);
        succeeds(context, server, &arguments);
    }

    /// Puts it and gives back its client, once its credentials are known to the server.
    #[track_caller]
    pub fn enter(&self, context: &Context, server: &Server) -> Client {
        self.enter_space(context, server, "demo")
    }

    /// The same in another space.
    #[track_caller]
    pub fn enter_space(&self, context: &Context, server: &Server, space: &str) -> Client {
        self.put_into(context, server, space);
        let token = issue_key(context, server, self.client);
        let printed = succeeds(
            context,
            server,
            &["key", "issue", self.client, "--ehealth-api-key"],
        );
        let api_key = printed.lines().next().expect("an API-key").to_owned();
        let client = server.anonymous().with_prefix("/api").with_bearer(&token);
        let client = client.with_header("API-key", api_key);
        wait_for(Duration::from_secs(10), "the facility to be known", || {
            let answer = get(&client, NOBODY);
            // Wrong credentials are counted: a hasty poll would be shut out.
            std::thread::sleep(Duration::from_millis(60));
            (answer.status != 401).then_some(())
        });
        client
    }
}
