//! T22.
use testkit::harness::Test;
pub const TESTS: &[Test] = &[];
