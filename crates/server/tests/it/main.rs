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
mod audit;
mod cli;
mod crash;
mod errors;
mod flush;
mod formats;
mod hostile;
mod identity;
mod keep;
mod outages;
mod partner;
mod races;
mod register;
mod regulator;
mod rest;
mod search;
mod stalls;
mod support;
mod tls;
mod token;
mod watch;

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
        .both(errors::TESTS)
        .fixtures("http", fixtures("fhir/http"), "fhir")
        .fixtures("sas", fixtures("sas"), "sas");
    let parts = [
        access::add,
        rest::add,
        formats::add,
        search::add,
        hostile::add,
        identity::add,
        keep::add,
        partner::add,
        cli::add,
        tls::add,
        token::add,
        audit::add,
        watch::add,
        outages::add,
        stalls::add,
    ];
    parts.iter().fold(suite, |suite, add| add(suite)).run()
}

fn fixtures(folder: &str) -> String {
    format!("{}/../../fixtures/{folder}", env!("CARGO_MANIFEST_DIR"))
}
