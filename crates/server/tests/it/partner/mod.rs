//! The partner doors over HTTP.

mod alias;
pub mod cross;
pub mod ehealth;
mod medicapp;
mod patient_graph;
mod rate;
pub mod switches;

use testkit::harness::Suite;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    cross::add(medicapp::add(ehealth::add(suite)))
        .both(alias::TESTS)
        .both(patient_graph::TESTS)
        .both(rate::TESTS)
        .both(switches::TESTS)
}
