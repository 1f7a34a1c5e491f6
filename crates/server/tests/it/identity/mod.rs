//! Patient identity at the FHIR door (`patient-identity.md`).

mod demographics;
mod everything;
mod matching;
mod merge;
mod pix;

use serde_json::Value;
use testkit::harness::{Context, Suite};
use testkit::http::{Client, Response, percent_encode};
use testkit::server::Server;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(demographics::TESTS)
        .both(matching::TESTS)
        .both(everything::TESTS)
        .both(pix::TESTS)
        .both(merge::TESTS)
}

/// The domains of the PIXm examples.
pub const RED: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.1000";
pub const GREEN: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.2000";
pub const BLUE: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.3000";

/// A patient of `fixtures/pixm`.
pub fn example(name: &str) -> Value {
    let path = format!("{}/../../fixtures/pixm/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

/// The feed: a conditional PUT by identifier (ITI-104).
pub fn feed(client: &Client, system: &str, value: &str, patient: &Value) -> Response {
    let by = percent_encode(&format!("{system}|{value}"));
    client
        .put(format!("/Patient?identifier={by}"))
        .json(patient)
        .send()
}

/// A space of its own, with a client that may do everything.
pub fn apart(context: &Context) -> (Server, Client) {
    context.fhir()
}
