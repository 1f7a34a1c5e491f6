//! Search: parameters, modifiers, paging, and what the Bundle says about itself.

mod bundle;
mod damage;
mod dates;
mod linked;
mod paging;
mod shape;
mod sorting;
mod strings;
mod tokens;
mod wildcards;
mod writers;

use testkit::harness::Suite;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    let suite = suite.both(tokens::TESTS).both(strings::TESTS).both(dates::TESTS);
    suite
        .both(bundle::TESTS)
        .both(paging::TESTS)
        .both(wildcards::TESTS)
        .both(damage::TESTS)
        .both(sorting::TESTS)
        .both(linked::TESTS)
        .both(shape::TESTS)
}
