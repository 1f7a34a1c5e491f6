//! The server, its database or its disk goes away and comes back: a few rounds of what `torture` runs at length.

use std::time::Duration;

use testkit::harness::{Context, Suite, not_run};
use testkit::postgres::Pair;
use testkit::tests;
use testkit::torture::brute_force;
use testkit::torture::database_away::{self, Away, Way};
use testkit::torture::disk_full::Full;
use testkit::torture::failover::{self, Failover};
use testkit::torture::lost_answer::Lossy;
use testkit::torture::migrations::Migrated;
use testkit::torture::terminate::{Plan, Terminated};

/// Adds every test of this file.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(tests![
            t25_wrong_keys_are_slowed_down_and_the_owner_gets_in,
            t35_killed_migrations_leave_the_old_schema_or_the_new_and_the_same_data,
            t11_a_full_disk_refuses_writes_serves_reads_and_heals,
            t33_sigterm_under_load_leaves_no_request_unanswered,
        ])
        .postgres(tests![
            t9_a_database_that_is_away_is_told_of_and_comes_back,
            t10_a_commit_whose_answer_is_lost_leaves_one_resource,
            t33_a_server_whose_database_hangs_ends_in_time,
            nothing_acknowledged_is_lost_when_the_primary_dies,
        ])
}

/// Ten times what is promised, as everywhere on a commit.
const RECOVERY_LIMIT: Duration = Duration::from_secs(50);

const AWAY: database_away::Plan = database_away::Plan {
    outage: Duration::from_millis(2_500),
    answer_limit: Duration::from_secs(20),
    recovery_limit: RECOVERY_LIMIT,
};

fn t9_a_database_that_is_away_is_told_of_and_comes_back(context: &Context) {
    let mut away = Away::new(context.settings(), AWAY);
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

fn t33_a_server_whose_database_hangs_ends_in_time(context: &Context) {
    let mut away = Away::new(context.settings(), AWAY);
    // The promise itself: the timers behind it add up to less, and an end that waits for the database never comes.
    let took = away.ends_in_the_dark(Duration::from_secs(10));
    eprintln!("{}: ended after {took:?}", context.name());
}

fn nothing_acknowledged_is_lost_when_the_primary_dies(context: &Context) {
    if !Pair::available() {
        not_run("no pg_basebackup");
    }
    let plan = failover::Plan {
        load: Duration::from_secs(1),
        headless: Duration::from_millis(500),
        recovery_limit: RECOVERY_LIMIT,
    };
    let outcome = Failover::new(context.settings()).primary_dies(plan);
    eprintln!("{}: {outcome:?}", context.name());
    assert!(outcome.before > 0, "there was no load: {outcome:?}");
}

fn t25_wrong_keys_are_slowed_down_and_the_owner_gets_in(context: &Context) {
    let server = context.server();
    for (net, addresses, guesses) in [(1, 1, 300), (2, 4, 800)] {
        let attack = brute_force::attack(&server, net, addresses, guesses);
        eprintln!("{}: {addresses} addresses: {attack:?}", context.name());
    }
}

fn t35_killed_migrations_leave_the_old_schema_or_the_new_and_the_same_data(context: &Context) {
    if !Migrated::available(context.backend()) {
        not_run("no sqlite3 program");
    }
    let mut migrated = Migrated::new(context.settings(), context.binary(), 200);
    let mut random = context.random();
    for number in migrated.numbers() {
        let way = migrated.from(number, 2, &mut random);
        eprintln!("{} from {number}: {way:?}", context.name());
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
