//! The server, its database or its disk goes away and comes back: a few rounds of what `torture` runs at length.

use std::time::Duration;

use testkit::harness::{Context, Suite, not_run};
use testkit::tests;
use testkit::torture::database_away::{self, Away, Way};
use testkit::torture::disk_full::Full;
use testkit::torture::lost_answer::Lossy;
use testkit::torture::terminate::{Plan, Terminated};

/// Adds every test of this file.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(tests![
            t11_a_full_disk_refuses_writes_serves_reads_and_heals,
            t33_sigterm_under_load_leaves_no_request_unanswered,
        ])
        .postgres(tests![
            t9_a_database_that_is_away_is_told_of_and_comes_back,
            t10_a_commit_whose_answer_is_lost_leaves_one_resource,
        ])
}

/// Ten times what is promised, as everywhere on a commit.
const RECOVERY_LIMIT: Duration = Duration::from_secs(50);

fn t9_a_database_that_is_away_is_told_of_and_comes_back(context: &Context) {
    let plan = database_away::Plan {
        outage: Duration::from_millis(2_500),
        answer_limit: Duration::from_secs(20),
        recovery_limit: RECOVERY_LIMIT,
    };
    let mut away = Away::new(context.settings(), plan);
    for way in Way::ALL {
        eprintln!("{} {}: {:?}", context.name(), way.name(), away.cycle(way));
    }
}

fn t10_a_commit_whose_answer_is_lost_leaves_one_resource(context: &Context) {
    let mut lossy = Lossy::new(context.settings());
    let lost = (0..10).filter(|_| lossy.round()).count();
    assert!(lost >= 5, "only {lost} of 10 lost COMMITs were a request's");
    lossy.check();
}

fn t11_a_full_disk_refuses_writes_serves_reads_and_heals(context: &Context) {
    let Some(mut full) = Full::new(context.settings(), context.backend(), RECOVERY_LIMIT) else {
        not_run("small disks cannot be mounted: that takes root");
    };
    for _ in 0..2 {
        eprintln!("{}: {:?}", context.name(), full.cycle());
    }
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
