//! Formats: media types both ways, encodings and limits, what JSON and XML bodies may hold.

mod every_route;
mod json_rules;
mod limits;
mod media;
mod mixed_faults;
mod round_trip;
mod xml_rules;

use testkit::harness::Suite;

/// Adds all tests of this folder.
pub fn add(suite: Suite) -> Suite {
    let suite = suite
        .both(media::TESTS)
        .both(limits::TESTS)
        .both(json_rules::TESTS);
    suite
        .both(xml_rules::TESTS)
        .both(mixed_faults::TESTS)
        .both(round_trip::TESTS)
        .both(every_route::TESTS)
}
