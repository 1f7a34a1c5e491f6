//! One suite, run on SQLite and on PostgreSQL. Without PostgreSQL's programs its half is reported by name
//! as ignored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

mod access;
mod bench;
mod cluster;
mod differential;
mod fixture;
mod histories;
mod keys;
mod operation;
mod partners;
mod plans;
mod proxy;
mod races;
mod resources;
mod schedules;
mod searches;
mod trail;
mod trail_away;

use libtest_mimic::Trial;

use bench::{Case, Database};

fn main() {
    let arguments = testkit::harness::arguments();
    let cases: Vec<Case> = [
        resources::CASES,
        keys::CASES,
        plans::CASES,
        plans::SERVER_CASES,
        searches::CASES,
        races::CASES,
        operation::CASES,
        operation::SERVER_CASES,
        access::CASES,
        differential::CASES,
        schedules::CASES,
        partners::CASES,
        histories::CASES,
        trail::CASES,
        trail::SERVER_CASES,
        trail_away::CASES,
    ]
    .concat();
    let listing = arguments.list;
    let cluster = if listing { None } else { cluster::start() };
    let mut trials = Vec::new();
    for case in cases {
        for database in [Database::Sqlite, Database::Postgres] {
            if !case.on.contains(&database) {
                continue;
            }
            let missing = database == Database::Postgres && cluster.is_none() && !listing;
            let trial = Trial::test(format!("{}::{}", database.name(), case.name), move || {
                bench::run(case, database);
                Ok(())
            });
            trials.push(trial.with_ignored_flag(missing));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(cluster);
    conclusion.exit();
}
