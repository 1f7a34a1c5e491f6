//! T7: a write is on the disk before it is answered, as `strace` saw it. SQLite alone: PostgreSQL flushes by itself.

use std::path::Path;

use super::{Key, Subject, put_by};
use crate::http::Response;
use crate::server::{Backend, Settings};
use crate::strace::{self, Traced};

/// `writes` writes by one client, one after the other: what is written between two answers belongs to the second.
///
/// # Panics
/// When an answer left before its flush was over, or strace cannot trace.
#[track_caller]
pub fn run(binary: &Path, writes: u64) {
    let traced = Traced::new(binary);
    let mut server = Settings::new(traced.binary(), Backend::Sqlite).start();
    let answered: Vec<u16> = (0..writes)
        .map(|number| {
            let subject = [Subject::Account, Subject::Keyed(Key::BuiltIn)][number as usize % 2];
            let client = server.client(subject.door());
            let body = subject.body_called(number / 4, &format!("Ecriture{number}"));
            made_a_version(&put_by(
                &client,
                subject.kind(),
                &subject.named(number / 4),
                &body,
            ))
        })
        .collect();
    server.terminate();
    // Each seal of the audit trail is a commit of its own, and a line of its heads.
    let heads = std::fs::read_to_string(server.data_folder().join("passerelle.db.audit-heads"));
    let seals = heads.expect("the heads of the audit trail").lines().count();
    if let Err(problem) = strace::check_flushed(&traced.events(), &answered, seals) {
        panic!("{problem}");
    }
}

/// The status of a write that made a version.
#[track_caller]
fn made_a_version(answer: &Response) -> u16 {
    let version = answer.version();
    assert!(
        (answer.status == 201 && version == 1) || (answer.status == 200 && version > 1),
        "{answer:?}"
    );
    answer.status
}
