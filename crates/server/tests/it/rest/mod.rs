//! Interactions and status, row by row of the REST contract.

mod bundle;
mod claims;
mod conditional;
mod conformance;
mod create;
mod delete;
mod headers;
mod history;
mod keys;
mod meta;
mod patch;
mod patch_matches;
mod patch_rules;
mod precondition;
mod profiles;
mod read;
mod routes;
mod status;
mod subset;
mod update;
mod validate;
mod validation;

use testkit::harness::Suite;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    let suite = suite
        .both(read::TESTS)
        .both(subset::TESTS)
        .both(create::TESTS)
        .both(update::TESTS)
        .both(delete::TESTS);
    let suite = history::add(suite);
    let suite = suite
        .both(conditional::TESTS)
        .both(precondition::TESTS)
        .both(headers::TESTS);
    bundle::add(suite)
        .both(keys::TESTS)
        .both(meta::TESTS)
        .both(patch::TESTS)
        .both(patch_matches::TESTS)
        .both(patch_rules::TESTS)
        .both(routes::TESTS)
        .both(status::TESTS)
        .both(conformance::TESTS)
        .both(validate::TESTS)
        .both(claims::TESTS)
        .both(profiles::TESTS)
        .both(validation::TESTS)
}
