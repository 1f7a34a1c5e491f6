//! Black-box tests: a real server process on a real database, SQLite and PostgreSQL.

mod formats;
mod regulator;
mod rest;
mod search;
mod support;

use testkit::harness::Suite;

fn main() {
    let suite = Suite::new(env!("CARGO_BIN_EXE_passerelle")).both(regulator::TESTS);
    [rest::add, formats::add, search::add].iter().fold(suite, |suite, add| add(suite)).run()
}
