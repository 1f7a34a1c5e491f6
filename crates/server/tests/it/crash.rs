//! `kill -9` under load, again and again, on the same database.

use testkit::harness::{Context, Test};
use testkit::server::Backend;
use testkit::tests;
use testkit::torture::crash::{Crash, short_plan};

/// All tests of this file.
pub const TESTS: &[Test] = tests![t6_what_was_acknowledged_survives_kill_9_and_the_rest_is_whole_or_absent];

fn t6_what_was_acknowledged_survives_kill_9_and_the_rest_is_whole_or_absent(context: &Context) {
    let rounds = match context.backend() {
        Backend::Sqlite => 14,
        Backend::Postgres => 6,
    };
    let mut crash = Crash::new(context.settings(), short_plan(), context.random());
    let mut acknowledged = 0;
    for number in 1..=rounds {
        let round = crash.round();
        acknowledged += round.acknowledged;
        eprintln!("{} {number}/{rounds}: {round:?}", context.name());
    }
    let unchecked = crash.check_everything();
    if let Some(note) = unchecked {
        eprintln!("{}: {note}", context.name());
    }
    eprintln!("{}: slowest start {:?}", context.name(), crash.slowest_start());
    assert!(
        acknowledged >= rounds * 8,
        "hardly any load: {acknowledged} writes"
    );
}
