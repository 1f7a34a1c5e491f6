//! Black-box tests: a real server process on a real database, SQLite and PostgreSQL.

mod regulator;
mod support;

use testkit::harness::Suite;

fn main() {
    Suite::new(env!("CARGO_BIN_EXE_passerelle"))
        .both(regulator::TESTS)
        .run()
}
