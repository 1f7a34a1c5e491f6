//! The server, its database or its disk goes away and comes back: a few rounds of what `torture` runs at length.

use std::time::Duration;

use testkit::harness::{Context, Suite};
use testkit::tests;
use testkit::torture::terminate::{Plan, Terminated};

/// Adds every test of this file.
pub fn add(suite: Suite) -> Suite {
    suite.both(tests![t33_sigterm_under_load_leaves_no_request_unanswered])
}

fn t33_sigterm_under_load_leaves_no_request_unanswered(context: &Context) {
    let plan = Plan {
        pushers: 8,
        drippers: 0,
        limit: Duration::from_secs(100),
    };
    let mut terminated = Terminated::new(context.server(), plan);
    let mut random = context.random();
    for drippers in [0, 0, 20] {
        terminated.with_drippers(drippers);
        let round = terminated.round(&mut random);
        eprintln!("{}: {drippers} drippers, {round:?}", context.name());
    }
}
