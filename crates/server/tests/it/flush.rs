//! A write is on the disk before it is answered.

use testkit::harness::{Context, Test, not_run};
use testkit::http::Response;
use testkit::server::Settings;
use testkit::strace::{self, Traced};
use testkit::tests;
use testkit::torture::{Key, Subject, put_by};

/// Tests of SQLite, whose flushes are the server's own.
pub const SQLITE: &[Test] = tests![t7_each_write_is_flushed_before_its_answer];

/// Tests of PostgreSQL, which flushes by itself when it is set up to.
pub const POSTGRES: &[Test] = tests![t7_a_database_that_does_not_flush_is_refused];

const WRITES: u64 = 50;

fn t7_each_write_is_flushed_before_its_answer(context: &Context) {
    if !strace::available() {
        not_run("strace is not installed, or tracing is forbidden");
    }
    let traced = Traced::new(context.binary());
    let mut server = Settings::new(traced.binary(), context.backend()).start();
    // One client, one request after the other: what is written between two answers belongs to the second.
    let answered: Vec<u16> = (0..WRITES)
        .map(|number| {
            let subject = [Subject::Account, Subject::Keyed(Key::BuiltIn)][number as usize % 2];
            let client = server.client(subject.door());
            let write = |family: &str| {
                let body = subject.body_called(number / 4, family);
                put_by(&client, subject.kind(), &subject.named(number / 4), &body)
            };
            made_a_version(&write(&format!("Ecriture{number}")))
        })
        .collect();
    server.terminate();
    // Each seal of the audit trail is a commit of its own, and a line here.
    let heads = std::fs::read_to_string(server.data_folder().join("passerelle.db.audit-heads"));
    let seals = heads.expect("the heads of the audit trail").lines().count();
    if let Err(problem) = strace::check_flushed(&traced.events(), &answered, seals) {
        panic!("{problem}");
    }
}

/// The status of a write that made a version.
fn made_a_version(answer: &Response) -> u16 {
    let version = answer.version();
    assert!(
        (answer.status == 201 && version == 1) || (answer.status == 200 && version > 1),
        "{answer:?}"
    );
    answer.status
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
