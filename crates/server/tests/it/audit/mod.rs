//! The audit trail: who did what is written down, cannot be changed unseen, and can be read.

mod events;
mod routes;
mod verify;

use std::time::Duration;

use testkit::harness::Suite;
use testkit::server::Server;
use testkit::wait::wait_for;

use crate::support::{execute, unique};

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(events::TESTS)
        .both(routes::TESTS)
        .both(verify::TESTS)
        .sqlite(verify::SQLITE)
}

/// How long a row may take to its seal in these tests: ten times the promise.
const LIMIT: Duration = Duration::from_secs(15);

/// The rows with this request id, as `door interaction outcome`, once there are so many.
#[track_caller]
fn rows_of(server: &Server, request: &str, least: usize) -> Vec<String> {
    let sql = format!(
        "SELECT door || ' ' || interaction || ' ' || outcome FROM audit WHERE request_id = '{request}' ORDER BY seq"
    );
    wait_for(LIMIT, "the audit rows", || {
        let found = execute(server, &sql);
        let rows: Vec<String> = found.lines().map(str::to_owned).collect();
        (rows.len() >= least).then_some(rows)
    })
}

/// Waits until everything that has been done is sealed.
#[track_caller]
fn wait_for_seals(server: &Server) {
    // Rows that wait are written in their order: when this one is there, those before it are.
    let marker = unique();
    let nobody = server.anonymous();
    let request = nobody.get("/fhir/Patient").header("X-Request-Id", &marker);
    request.send().expect(401);
    rows_of(server, &marker, 1);
    let sql = "SELECT (SELECT count(*) FROM audit) - (SELECT coalesce(sum(size), 0) FROM audit_seal)";
    wait_for(LIMIT, "the seals", || (execute(server, sql) == "0").then_some(()));
}
