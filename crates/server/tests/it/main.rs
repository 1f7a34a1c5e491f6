//! Black-box tests: a real server process on a real database, SQLite and PostgreSQL.

mod formats;
mod regulator;
mod rest;
mod support;

use testkit::harness::Suite;

fn main() {
    let suite = Suite::new(env!("CARGO_BIN_EXE_passerelle")).both(regulator::TESTS);
    let suite = rest::add(suite);
    formats::add(suite).run()
}
