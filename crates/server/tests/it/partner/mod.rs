//! The partner doors over HTTP.

mod cloud;
mod connect;
mod crossing;
mod doors;
mod medicapp;
mod patient_graph;
mod rate;
mod switches;

use testkit::harness::Suite;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    let suite = suite
        .both(patient_graph::TESTS)
        .both(rate::TESTS)
        .both(switches::TESTS)
        .both(crossing::TESTS);
    doors::add(connect::add(cloud::add(suite)))
}
