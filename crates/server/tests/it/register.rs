//! A resource is a register: reads and writes of many clients fit one order.

use std::time::Duration;

use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::torture::register::{Plan, run};

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t5_reads_and_writes_of_many_are_linearizable,
    t5_registers_stay_linearizable_when_the_server_is_killed,
];

fn t5_reads_and_writes_of_many_are_linearizable(context: &Context) {
    let mut server = context.server();
    let plan = Plan {
        clients: 16,
        registers: 3,
        stretch: Duration::from_secs(5),
        kills: 0,
    };
    let summary = run(&mut server, plan, &mut context.random());
    assert!(summary.versions > 16, "hardly any load: {summary:?}");
    assert_eq!(summary.unanswered, 0);
}

fn t5_registers_stay_linearizable_when_the_server_is_killed(context: &Context) {
    let mut server = context.server();
    let plan = Plan {
        clients: 16,
        registers: 3,
        stretch: Duration::from_millis(700),
        kills: 3,
    };
    let summary = run(&mut server, plan, &mut context.random());
    assert!(summary.versions > 16, "hardly any load: {summary:?}");
}
