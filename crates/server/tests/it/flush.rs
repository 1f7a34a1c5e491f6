//! A write is on the disk before it is answered.

use testkit::harness::{Context, Test, not_run};
use testkit::strace;
use testkit::tests;
use testkit::torture::flush_order;

/// Tests of SQLite, whose flushes are the server's own.
pub const SQLITE: &[Test] = tests![t7_each_write_is_flushed_before_its_answer];

/// Tests of PostgreSQL, which flushes by itself when it is set up to.
pub const POSTGRES: &[Test] = tests![t7_a_database_that_does_not_flush_is_refused];

const WRITES: u64 = 50;

fn t7_each_write_is_flushed_before_its_answer(context: &Context) {
    if !strace::available() {
        not_run("strace is not installed, or tracing is forbidden");
    }
    flush_order::run(context.binary(), WRITES);
}

fn t7_a_database_that_does_not_flush_is_refused(context: &Context) {
    let mut server = context.server();
    server.terminate();
    let database = server.postgres_database().expect("a database of its own");
    database.query(&format!(
        "ALTER DATABASE {} SET synchronous_commit = off",
        database.name()
    ));
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.restart()));
    let panic = refused.expect_err("the server started on a database that answers before it flushes");
    let message = testkit::harness::panic_message(panic.as_ref());
    assert!(message.contains("ended instead of getting ready"), "{message}");
    let log = server.log();
    assert!(
        log.contains("synchronous_commit"),
        "the log does not say why: {log}"
    );
}
