//! The engine on both databases.
//!
//! T4: interactions that meet. The first is held at a named point of its write, others come meanwhile, and
//! however they interleave, answers and stored state are those of one of the listed outcomes. A row of
//! [`table::SCHEDULES`] is a test. [`find_or_create`] has what the doors need beyond FHIR's interactions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod find_or_create;
mod operation;
mod run;
mod stage;
mod table;
mod transactions;

use libtest_mimic::{Arguments, Failed, Trial};
use testkit::harness::panic_message;
use testkit::postgres::Postgres;

use stage::Stage;

fn main() {
    let mut arguments = Arguments::from_args();
    // A point is one of the process: only one schedule may stand at it.
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    let available = arguments.list || Postgres::available();
    for schedule in table::SCHEDULES.iter().chain(transactions::SCHEDULES) {
        let play = move |stage: &Stage| run::run(schedule, stage);
        trials.push(trial("sqlite", schedule.name, Stage::sqlite, play));
        trials.push(trial("postgres", schedule.name, Stage::postgres, play).with_ignored_flag(!available));
    }
    for (name, test) in find_or_create::TESTS {
        trials.push(trial("sqlite", name, Stage::sqlite, test));
        trials.push(trial("postgres", name, Stage::postgres, test).with_ignored_flag(!available));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(
    database: &str,
    name: &str,
    stage: fn() -> &'static Stage,
    test: impl Fn(&'static Stage) + Send + 'static,
) -> Trial {
    Trial::test(format!("{database}::{name}"), move || {
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(stage())));
        ran.map_err(|panic| Failed::from(panic_message(panic.as_ref())))
    })
}
