//! Hostile input, black box: whatever is sent, the answer is an OperationOutcome that helps, and the process
//! stays alive and small.

mod bodies;
mod files;
mod limits;
mod mutations;
mod partners;
mod paths;
mod tampered;

use std::borrow::Cow;

use testkit::harness::{Context, Suite};
use testkit::http::{Client, Failure, Response};
use testkit::server::{Backend, Server};

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(mutations::TESTS)
        .both(partners::TESTS)
        .both(bodies::TESTS)
        .both(files::TESTS)
        .both(limits::TESTS)
        .both(paths::TESTS)
        .both(tampered::TESTS)
}

/// Mutants per kind. The parsers are the same on both databases: the second run looks for what its SQL
/// does not like.
fn rounds(context: &Context) -> u64 {
    match context.backend() {
        Backend::Sqlite => 1000,
        Backend::Postgres => 300,
    }
}

/// Growth of the resident memory that hostile input may cause, in KiB.
const GROWTH_KIB: u64 = 64 * 1024;

/// A field of `/proc/<pid>/status` in KiB: `VmRSS` now, `VmHWM` at its highest.
fn memory_kib(server: &Server, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Bytes that the HTTP parser may refuse by itself with a bare 400, in a target or a header.
fn may_be_no_http(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| !byte.is_ascii_graphic() && *byte != b' ')
        || bytes.iter().any(|byte| b"<>`^\\\"{}#".contains(byte))
}

/// The client, on a connection of its own when the HTTP parser may refuse: it closes then, without saying
/// so in its answer when that is not the first on the connection.
fn connection(fhir: &Client, bare: bool) -> Cow<'_, Client> {
    if bare {
        Cow::Owned(fhir.clone())
    } else {
        Cow::Borrowed(fhir)
    }
}

/// What is wrong with an answer to hostile input; `bare` allows a 400 of the HTTP parser.
fn fault(answer: &Result<Response, Failure>, bare: bool) -> Option<String> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return Some(format!("no answer: {failure}")),
    };
    if answer.status < 400 {
        return None;
    }
    let text = answer.text();
    let useful = answer
        .issues()
        .iter()
        .any(|issue| !issue.text.is_empty() && !issue.code.is_empty())
        || (text.contains("<OperationOutcome") && text.contains("<details><text value="));
    let parser = bare && answer.status == 400 && text.is_empty();
    if answer.status < 500 && (useful || parser) {
        None
    } else {
        Some(format!("{answer:?}"))
    }
}
