//! T9, T10, T11 and T33: the database, the disk and the server itself go away and come back.

use std::time::Duration;

use testkit::torture::terminate::{Plan, Terminated};

use crate::programme::Programme;

/// T33: SIGTERM under load; with drippers in every fifth round.
pub fn terminate(programme: &mut Programme<'_>) {
    let Some(server) = programme.server("T33") else {
        return;
    };
    let plan = Plan {
        pushers: 8,
        drippers: 0,
        limit: Duration::from_secs(10),
    };
    let mut terminated = Terminated::new(server, plan);
    let mut random = programme.random();
    let rounds = programme.options.share(100);
    programme.rounds("T33", rounds, |number| {
        let drippers = if number.is_multiple_of(5) { 20 } else { 0 };
        terminated.with_drippers(drippers);
        let round = terminated.round(&mut random);
        format!(
            "{} answered, none left unanswered, {drippers} drippers, ended {} ms after the signal, {} writes kept",
            round.answered,
            round.exit.as_millis(),
            round.kept
        )
    });
}
