//! What whoever runs the server sees of it: metrics, health, logs, its end (`access.md` 5).

mod documents;
mod metrics;
mod process;
mod shutdown;
mod spans;

use testkit::harness::Suite;
use testkit::metrics::Metrics;
use testkit::server::Server;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(documents::TESTS)
        .sqlite(documents::ONCE)
        .both(metrics::TESTS)
        .postgres(metrics::POSTGRES)
        .both(process::TESTS)
        .postgres(process::POSTGRES)
        .both(shutdown::TESTS)
        .postgres(shutdown::POSTGRES)
        .both(spans::TESTS)
        .sqlite(spans::ONCE)
}

/// What the admin address says.
#[track_caller]
pub fn scrape(server: &Server) -> Metrics {
    let answer = server.admin().get("/metrics").send().expect(200);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    Metrics::parse(&answer.text())
}
