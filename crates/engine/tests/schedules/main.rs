//! T4: interactions that meet. The first is held at a named point of its write, others come meanwhile, and
//! however they interleave, answers and stored state are those of one of the listed outcomes.
//!
//! A row of [`table::SCHEDULES`] is a test, on SQLite and on PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod operation;
mod run;
mod stage;
mod table;

use libtest_mimic::{Arguments, Failed, Trial};
use testkit::harness::panic_message;
use testkit::postgres::Postgres;

use run::Schedule;
use stage::Stage;

fn main() {
    let mut arguments = Arguments::from_args();
    // A point is one of the process: only one schedule may stand at it.
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    let available = arguments.list || Postgres::available();
    for schedule in table::SCHEDULES {
        trials.push(trial("sqlite", schedule, Stage::sqlite));
        trials.push(trial("postgres", schedule, Stage::postgres).with_ignored_flag(!available));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(database: &str, schedule: &'static Schedule, stage: fn() -> &'static Stage) -> Trial {
    Trial::test(format!("{database}::{}", schedule.name), move || {
        let ran = std::panic::catch_unwind(|| run::run(schedule, stage()));
        ran.map_err(|panic| Failed::from(panic_message(panic.as_ref())))
    })
}
