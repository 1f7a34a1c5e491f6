//! Black-box tests: a real server process on a real database, SQLite and PostgreSQL.

mod crash;
mod flush;
mod formats;
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
        .postgres(flush::POSTGRES);
    let parts = [rest::add, formats::add, search::add];
    parts.iter().fold(suite, |suite, add| add(suite)).run()
}
