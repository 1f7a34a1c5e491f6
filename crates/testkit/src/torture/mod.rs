//! Rounds that try to make a server break its promises about duplicates, versions and durability. The
//! tests run a few rounds each; the program `torture` runs them for as long as it is told.
//!
//! A round panics when a promise is broken; the message shows the answers that break it.

pub mod brute_force;
pub mod crash;
pub mod database_away;
pub mod disk_full;
pub mod failover;
pub mod flush_order;
pub mod if_match;
pub mod load;
pub mod lost_answer;
pub mod masses;
pub mod migrations;
pub mod mix;
pub mod mixture;
pub mod overload;
pub mod pusher;
pub mod register;
pub mod same_id;
pub mod slow_clients;
pub mod soak;
mod subject;
mod tables;
pub mod terminate;
pub mod trend;
pub mod upsert;
pub mod yardstick;

pub use subject::{Key, Subject};

use serde_json::Value;

use crate::http::{Client, Response, percent_encode};
use crate::race::{race_prepared, tally};
use crate::server::{Backend, Server};

/// How many clients race when nothing else is said.
pub const CLIENTS: usize = 64;

/// Clients of one door, spread over the processes that serve one database.
#[derive(Debug)]
pub struct Crowd {
    clients: Vec<Client>,
}

impl Crowd {
    /// This many clients of `door`, the first of the first server, the second of the second …
    #[track_caller]
    pub fn new(servers: &[&Server], door: &str, count: usize) -> Crowd {
        let each: Vec<Client> = servers.iter().map(|server| server.client(door)).collect();
        Crowd {
            clients: each.iter().cycle().take(count).cloned().collect(),
        }
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// One of them, for looking at what came of a race.
    pub fn any(&self) -> &Client {
        &self.clients[0]
    }

    /// Each client acts once, all let go at the same moment, on connections made before.
    pub fn race<T: Send>(&self, act: impl Fn(usize, &Client) -> T + Sync) -> Vec<T> {
        race_prepared(
            self.clients.len(),
            |number| {
                // Its own connection, opened by a request that touches no database.
                let client = self.clients[number].clone();
                client.request_exact("GET", "/health/live").send().expect(200);
                client
            },
            |number, client| act(number, &client),
        )
    }
}

/// Whether this machine has what it takes to look into the tables of such a database.
pub fn can_look_into_tables(backend: Backend) -> bool {
    backend == Backend::Postgres || tables::has_sqlite3()
}

/// An identifier as criteria name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The system.
    pub system: String,
    /// The value.
    pub value: String,
}

impl Named {
    /// `identifier=<system>|<value>`, percent-encoded.
    pub fn criterion(&self) -> String {
        format!(
            "identifier={}",
            percent_encode(&format!("{}|{}", self.system, self.value))
        )
    }
}

/// `PUT /T?identifier=…`.
pub fn put_by(client: &Client, kind: &str, by: &Named, body: &Value) -> Response {
    client
        .put(format!("/{kind}?{}", by.criterion()))
        .json(body)
        .send()
}

/// `POST /T` with `If-None-Exist: identifier=…`.
pub fn post_unless(client: &Client, kind: &str, by: &Named, body: &Value) -> Response {
    client
        .post(format!("/{kind}"))
        .header("If-None-Exist", by.criterion())
        .json(body)
        .send()
}

/// The ids that a search by these criteria finds, sorted.
pub fn search(client: &Client, kind: &str, criteria: &str) -> Vec<String> {
    let answer = client
        .get(format!("/{kind}?{criteria}&_count=1000"))
        .send()
        .expect(200);
    let bundle = answer.json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned))
        .collect();
    ids.sort_unstable();
    ids
}

/// The ids that carry this identifier.
pub fn found(client: &Client, kind: &str, by: &Named) -> Vec<String> {
    search(client, kind, &by.criterion())
}

/// What was sent, to compare with what came back: the server gives `id`, `versionId` and `lastUpdated`.
pub fn content(resource: &Value) -> Value {
    let mut resource = resource.clone();
    if let Some(fields) = resource.as_object_mut() {
        fields.shift_remove("id");
        if let Some(meta) = fields.get_mut("meta").and_then(Value::as_object_mut) {
            meta.shift_remove("versionId");
            meta.shift_remove("lastUpdated");
            if meta.is_empty() {
                fields.shift_remove("meta");
            }
        }
    }
    resource
}

/// Asserts how often each status was answered; `what` names the round. Shows the first answer of each
/// status when it is otherwise.
#[track_caller]
pub fn statuses(what: &str, responses: &[Response], wanted: &[(u16, usize)]) {
    let counted = tally(responses.iter().map(|response| response.status));
    if counted != wanted {
        let firsts: Vec<String> = counted
            .iter()
            .filter_map(|(status, _)| responses.iter().find(|response| response.status == *status))
            .map(|response| format!("{response:?}"))
            .collect();
        panic!(
            "{what}: answered {counted:?} instead of {wanted:?}\n{}",
            firsts.join("\n")
        );
    }
}

/// Asserts an OperationOutcome with this status and, among its issues, this code.
#[track_caller]
pub fn refused(what: &str, response: &Response, status: u16, code: &str) {
    let coded = response.issues().iter().any(|issue| issue.code == code);
    assert!(
        response.status == status && coded,
        "{what}: expected {status} with issue '{code}':\n{response:?}"
    );
}
