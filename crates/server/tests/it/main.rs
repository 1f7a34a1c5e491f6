//! Black-box tests: a real server process on a real database, SQLite and PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod access;
mod cli;
mod crash;
mod errors;
mod flush;
mod formats;
mod hostile;
mod identity;
mod outages;
mod partner;
mod races;
mod register;
mod regulator;
mod rest;
mod search;
mod support;

use testkit::harness::Suite;

fn main() {
    let suite = Suite::new(env!("CARGO_BIN_EXE_passerelle"))
        .both(regulator::TESTS)
        .both(races::TESTS)
        .postgres(races::SEVERAL_PROCESSES)
        .both(register::TESTS)
        .both(crash::TESTS)
        .sqlite(flush::SQLITE)
        .postgres(flush::POSTGRES)
        .both(access::TESTS)
        .both(errors::TESTS)
        .fixtures("http", fixtures("fhir/http"), "fhir")
        .fixtures("sas", fixtures("sas"), "sas");
    let parts = [
        rest::add,
        formats::add,
        search::add,
        hostile::add,
        identity::add,
        partner::add,
        cli::add,
        outages::add,
    ];
    parts.iter().fold(suite, |suite, add| add(suite)).run()
}

fn fixtures(folder: &str) -> String {
    format!("{}/../../fixtures/{folder}", env!("CARGO_MANIFEST_DIR"))
}
