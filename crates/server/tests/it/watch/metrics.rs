//! The admin address.

use std::time::Duration;

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::postgres::Postgres;
use testkit::proxy::{Admission, Proxy};
use testkit::server::Backend;
use testkit::tests;
use testkit::wait::wait_for;

use super::scrape;
use crate::support::*;

/// Tests of both databases.
pub const TESTS: &[Test] = tests![
    metrics_tell_what_was_asked_and_how_it_ended,
    waiting_writes_are_committed_in_groups_and_counted,
    the_admin_address_has_metrics_and_health_and_nothing_else,
    an_admin_address_that_is_taken_stops_the_start_with_a_sentence,
];

/// Tests that need a database that can go away.
pub const POSTGRES: &[Test] = tests![readiness_and_metrics_tell_when_the_database_is_away];

/// A route's answers on the page.
fn answers(door: &str, route: &str, method: &str, status: &str) -> String {
    format!(
        "passerelle_http_request_duration_seconds_count{{door=\"{door}\",route=\"{route}\",method=\"{method}\",status=\"{status}\"}}"
    )
}

fn metrics_tell_what_was_asked_and_how_it_ended(context: &Context) {
    let server = context.settings().admin().start();
    let fhir = server.client("fhir");
    let before = scrape(&server);
    assert_eq!(before.value("passerelle_ready"), 1.0);
    let created = fhir.post("/Patient").json(&patient("1")).send().expect(201);
    let path = path_of(created.location());
    let path = path.split("/_history").next().unwrap();
    for _ in 0..3 {
        fhir.get(path).send().expect(200);
    }
    fhir.head(path).send().expect(200);
    fhir.get("/Patient/nobody").send().expect(404);
    fhir.get("/Patient/nobody")
        .without("Authorization")
        .send()
        .expect(401);
    fhir.get("/Observation/x/y/z").send().expect(404);
    let graph = server.client("patient-graph");
    graph.get("/patients/x").send().expect(404);
    graph
        .post("/patients")
        .json(&json!({ "first_name": 1 }))
        .send()
        .expect(400);
    graph.get("/nothing").send().expect(404);

    let after = scrape(&server);
    let rise = |series: &str| after.value(series) - before.value(series);
    let read = |status: &str| answers("fhir", "/fhir/{type}/{id}", "GET", status);
    assert_eq!(rise(&answers("fhir", "/fhir/{type}", "POST", "2xx")), 1.0);
    assert_eq!(rise(&read("2xx")), 4.0);
    assert_eq!(rise(&read("4xx")), 2.0);
    assert_eq!(
        rise(&answers("patient-graph", "/v1/patients/{id}", "GET", "4xx")),
        1.0
    );
    assert_eq!(rise(&answers("none", "(no route)", "any", "4xx")), 2.0);
    let refusals = |door: &str, code: &str| {
        rise(&format!(
            "passerelle_refusals_total{{door=\"{door}\",code=\"{code}\"}}"
        ))
    };
    assert_eq!(refusals("fhir", "login"), 1.0);
    assert_eq!(refusals("fhir", "not-found"), 1.0);
    assert_eq!(refusals("fhir", "not-supported"), 1.0);
    assert_eq!(refusals("patient-graph", "not-supported"), 1.0);
    assert_eq!(refusals("patient-graph", "invalid"), 1.0);
    assert_eq!(after.value("passerelle_panics_total"), 0.0);
    assert!(rise("passerelle_store_commit_seconds_count") >= 1.0);
    // Nobody works on anything, and what was lent has come back.
    assert_eq!(after.value("passerelle_http_in_flight"), 0.0);
    assert_eq!(after.value("passerelle_store_write_queue"), 0.0);
    assert_eq!(after.value("passerelle_store_connections_waiting"), 0.0);
    assert_eq!(after.value("passerelle_store_connections_limit"), 16.0);
    assert_eq!(after.value("passerelle_http_in_flight_limit"), 512.0);
    let database = context.backend().name();
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("passerelle_build_info{{version=\"{version}\",database=\"{database}\"}}");
    assert_eq!(after.value(&build), 1.0);
    let on_sqlite = context.backend() == Backend::Sqlite;
    for file in ["passerelle_store_file_bytes", "passerelle_store_log_bytes"] {
        assert_eq!(after.value(file) > 0.0, on_sqlite, "{file}");
        assert!(after.families.contains_key(file), "{file}");
    }
    assert!(after.value("process_resident_memory_bytes") > 1e6);
    assert!(after.value("process_cpu_seconds_total") > 0.0);
    assert!((4.0..1e4).contains(&after.value("process_threads")));
    assert!(after.value("process_open_fds") > 4.0);
    assert!(after.value("process_max_fds") >= after.value("process_open_fds"));
    assert!(after.value("process_start_time_seconds") > 1.7e9);
}

fn waiting_writes_are_committed_in_groups_and_counted(context: &Context) {
    let server = context.settings().admin().start();
    let fhir = server.client("fhir");
    let before = scrape(&server);
    let statuses = race_of(&fhir, 32, |client, number| {
        client
            .post("/Patient")
            .json(&patient(&number.to_string()))
            .send()
            .status
    });
    assert_eq!(statuses, [201; 32]);
    let after = scrape(&server);
    let rise = |series: &str| after.value(series) - before.value(series);
    match context.backend() {
        Backend::Sqlite => {
            assert_eq!(rise("passerelle_store_group_writes_sum"), 32.0);
            let groups = rise("passerelle_store_group_writes_count");
            assert!((1.0..=32.0).contains(&groups), "{groups}");
            assert!(rise("passerelle_store_commit_seconds_count") >= groups);
        }
        Backend::Postgres => {
            assert_eq!(after.value("passerelle_store_group_writes_count"), 0.0);
            assert!(rise("passerelle_store_commit_seconds_count") >= 32.0);
            // 32 writes at once, 15 connections for them.
            assert!(after.value("passerelle_store_connection_wait_seconds_count") > 0.0);
        }
    }
    assert!(rise("passerelle_store_commit_seconds_sum") > 0.0);
    assert_eq!(after.value("passerelle_store_commit_failures_total"), 0.0);
    // The audit rows of reads wait, and are written within a second.
    for _ in 0..5 {
        fhir.get("/Patient/nobody").send().expect(404);
    }
    wait_for(Duration::from_secs(10), "the audit rows to be written", || {
        (scrape(&server).value("passerelle_audit_backlog_rows") == 0.0).then_some(())
    });
}

fn the_admin_address_has_metrics_and_health_and_nothing_else(context: &Context) {
    let server = context.settings().admin().start();
    let admin = server.admin();
    admin.get("/metrics").send().expect(200);
    admin.head("/health/ready").send().expect(200);
    let answer = admin.post("/metrics").send().expect(405);
    assert_eq!(answer.header("Allow"), Some("GET, HEAD"));
    assert_eq!(
        admin.get("/health/live").send().expect(200).json()["status"],
        "live"
    );
    assert_eq!(
        admin.get("/health/ready").send().expect(200).json()["status"],
        "ready"
    );
    for path in [
        "/",
        "/fhir/metadata",
        "/fhir/Patient",
        "/v1/patients",
        "/metrics/x",
    ] {
        let answer = admin.get(path).send().expect(404);
        assert!(answer.text().contains("/metrics"), "{answer:?}");
    }
    // And the doors' address tells nobody.
    refused(server.anonymous().get("/metrics").send(), 404, "not-supported");
}

fn an_admin_address_that_is_taken_stops_the_start_with_a_sentence(context: &Context) {
    let server = context.settings().admin().start();
    let taken = server.admin().address().to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", &taken];
    let output = passerelle(context, &server, &arguments);
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&taken) && said.contains("--admin-listen"), "{said}");
}

fn readiness_and_metrics_tell_when_the_database_is_away(context: &Context) {
    let database = Postgres::shared().fresh_database();
    let proxy = Proxy::before_postgres();
    let url = database.url_through(proxy.folder());
    let server = context.settings().database_url(&url).admin().start();
    let admin = server.admin();
    proxy.admit(Admission::Refuse);
    proxy.cut();
    wait_for(Duration::from_secs(20), "readiness to turn red", || {
        (admin.get("/health/ready").send().status == 503).then_some(())
    });
    let answer = admin.get("/health/ready").send().expect(503);
    assert_eq!(answer.json()["status"], "database unavailable");
    assert!(answer.header("Retry-After").is_some());
    assert_eq!(scrape(&server).value("passerelle_ready"), 0.0);
    admin.get("/health/live").send().expect(200);
    proxy.admit(Admission::Accept);
    wait_for(Duration::from_secs(50), "readiness to turn green again", || {
        (admin.get("/health/ready").send().status == 200).then_some(())
    });
    assert_eq!(scrape(&server).value("passerelle_ready"), 1.0);
}
