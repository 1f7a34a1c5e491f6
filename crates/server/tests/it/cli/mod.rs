//! The command line.

mod commands;
mod demo;
mod dialects;
mod export;
mod import;
mod resume;
mod translate;

use testkit::harness::Suite;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(commands::TESTS)
        .sqlite(commands::SQLITE)
        .both(demo::TESTS)
        .both(dialects::TESTS)
        .both(export::TESTS)
        .both(import::TESTS)
        .both(resume::TESTS)
        .sqlite(translate::TESTS)
}
