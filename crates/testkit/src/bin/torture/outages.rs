//! T9, T10, T11 and T33: the database, the disk and the server itself go away and come back.

use std::time::Duration;

use testkit::torture::database_away::{self, Away, Way};
use testkit::torture::disk_full::Full;
use testkit::torture::failover::{self, Failover};
use testkit::torture::lost_answer::Lossy;
use testkit::torture::migrations::Migrated;
use testkit::torture::terminate::{Plan, Terminated};

use crate::programme::Programme;

/// So many kills of a migration do not all come too late by chance.
const ENOUGH_KILLS: u32 = 20;

/// T33: SIGTERM under load; with drippers in every fifth round.
pub fn terminate(programme: &mut Programme<'_>) {
    if programme.tables("T33").is_none() {
        return;
    }
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
    let (mut answered, mut dripping, mut dripped) = (0, 0, 0);
    let done = programme.rounds("T33", rounds, |number| {
        let drippers = if number.is_multiple_of(5) { 20 } else { 0 };
        terminated.with_drippers(drippers);
        let round = terminated.round(&mut random);
        answered += round.answered;
        dripped += drippers;
        dripping += round.dripping;
        format!(
            "{} answered, none left unanswered, {drippers} drippers, ended {} ms after the signal, {} writes kept",
            round.answered,
            round.exit.as_millis(),
            round.kept
        )
    });
    if done.is_none() {
        return;
    }
    programme.told("T33 all", || {
        assert!(answered > 0, "there was no load");
        assert!(dripped == 0 || dripping > 0, "no dripper was let in");
        format!("{answered} answered, {dripping} of {dripped} drippers let in")
    });
}

/// T9: the database goes away and comes back.
pub fn database_away(programme: &mut Programme<'_>) {
    let plan = database_away::Plan {
        outage: Duration::from_secs(3),
        answer_limit: Duration::from_secs(2),
        recovery_limit: Duration::from_secs(5),
    };
    let settings = programme.settings();
    let Some(mut away) = programme.start("T9 start", || (Away::new(settings, plan), String::new())) else {
        return;
    };
    let cycles = programme.options.share(20);
    for way in Way::ALL {
        let done = programme.rounds(&format!("T9 {}", way.name()), cycles, |_| {
            let cycle = away.cycle(way);
            format!(
                "{} told so, the slowest after {} ms; served again after {} ms; {} writes kept",
                cycle.refused,
                cycle.slowest.as_millis(),
                cycle.recovery.as_millis(),
                cycle.kept
            )
        });
        if done.is_none() {
            return;
        }
    }
    programme.told("T9 SIGTERM in a black hole", || {
        let took = away.ends_in_the_dark(Duration::from_secs(10));
        format!("ended after {} ms", took.as_millis())
    });
}

/// T10: the answer to a COMMIT is lost.
pub fn lost_answer(programme: &mut Programme<'_>) {
    let settings = programme.settings();
    let Some(mut lossy) = programme.start("T10 start", || (Lossy::new(settings), String::new())) else {
        return;
    };
    let wanted = programme.options.share(200);
    programme.told("T10 all", || {
        let (mut own, mut tries) = (0, 0);
        while own < wanted {
            tries += 1;
            own += u64::from(lossy.round());
            assert!(
                tries < 3 * wanted,
                "only {own} of {tries} COMMITs that were lost were the request's"
            );
        }
        lossy.check();
        format!(
            "{own} lost COMMITs of a PUT, {} of the audit trail: one resource each time",
            tries - own
        )
    });
}

/// T11: the disk is full, and that of the log.
pub fn disk_full(programme: &mut Programme<'_>) {
    if programme.tables("T11").is_none() {
        return;
    }
    let (settings, backend) = (programme.settings(), programme.backend);
    let started = programme.start("T11 start", || {
        let full = Full::new(settings, backend, Duration::from_secs(5));
        (
            full.expect("small disks can be mounted: run it as root"),
            String::new(),
        )
    });
    let Some(mut full) = started else { return };
    let cycles = programme.options.share(10);
    programme.rounds("T11", cycles, |_| {
        let cycle = full.cycle();
        format!(
            "{} writes fitted, then 507 and reads; writing again after {} ms; {} writes kept",
            cycle.fitted,
            cycle.recovery.as_millis(),
            cycle.kept
        )
    });
}

/// T35: from each earlier schema, with data, killed on the way.
pub fn migrations(programme: &mut Programme<'_>) {
    let (settings, options) = (programme.settings(), programme.options);
    let resources = options.share(100_000);
    let filled = programme.start("T35 import", || {
        let migrated = Migrated::new(settings, &options.binary, resources);
        (migrated, format!(", {resources} resources"))
    });
    let Some(mut migrated) = filled else { return };
    let kills = u32::try_from(options.share(20)).unwrap();
    let mut random = programme.random();
    let (mut interrupted, mut tried) = (0, 0);
    for number in migrated.numbers() {
        let done = programme.told(&format!("T35 from schema {number}"), || {
            let way = migrated.from(number, kills, &mut random);
            interrupted += way.undone;
            tried += kills;
            format!(
                "{} ms to bring it up to date; {kills} kills: {} left the old schema whole, {} came too late; the same data",
                way.took.as_millis(),
                way.undone,
                way.done
            )
        });
        if done.is_none() {
            return;
        }
    }
    programme.told("T35 all", || {
        // A few may all come too late by chance.
        assert!(
            interrupted > 0 || tried < ENOUGH_KILLS,
            "every kill came too late"
        );
        format!("{interrupted} of {tried} kills came in time")
    });
}

/// The primary of two PostgreSQL servers dies.
pub fn failover(programme: &mut Programme<'_>) {
    let rounds = programme.options.share(10);
    let mut random = programme.random();
    let settings = programme.settings();
    let mut before = 0;
    let done = programme.rounds("failover", rounds, |_| {
        let plan = failover::Plan {
            load: Duration::from_millis(random.between(500, 3_000)),
            headless: Duration::from_millis(random.between(0, 3_000)),
            recovery_limit: Duration::from_secs(5),
        };
        let outcome = Failover::new(settings.clone()).primary_dies(plan);
        before += outcome.before;
        format!(
            "{} acknowledged before the primary died, {} refused meanwhile, served again {} ms after the promotion, \
             {} acknowledged writes kept, 0 lost",
            outcome.before,
            outcome.refused,
            outcome.recovery.as_millis(),
            outcome.kept
        )
    });
    if done.is_none() {
        return;
    }
    programme.told("failover without a standby", || {
        assert!(before > 0, "there was no load before any primary died");
        let (refused, slowest, kept) = Failover::new(settings).standby_dies_first();
        format!(
            "{refused} writes that no standby had were refused, the slowest after {} ms; {kept} acknowledged writes kept, 0 lost",
            slowest.as_millis()
        )
    });
}
