//! The command line.

mod commands;
mod demo;
mod translate;

use testkit::harness::Suite;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(commands::TESTS)
        .both(demo::TESTS)
        .sqlite(translate::TESTS)
}
