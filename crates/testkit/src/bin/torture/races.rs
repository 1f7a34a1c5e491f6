//! T1 to T6: duplicates, versions and durability.

use std::time::Duration;

use testkit::random::Random;
use testkit::server::Backend;
use testkit::torture::crash::{self, Crash};
use testkit::torture::if_match::Contested;
use testkit::torture::register::{self, Plan};
use testkit::torture::{CLIENTS, Crowd, Key, Subject, mix, upsert};

use crate::programme::Programme;

/// T1: many push the same resource at once.
pub fn upserts(programme: &mut Programme<'_>) {
    let Some(first) = programme.server("T1") else {
        return;
    };
    let second = (programme.backend == Backend::Postgres).then(|| first.second());
    let mut servers = vec![&first];
    servers.extend(&second);
    for number in 0..programme.options.rounds {
        programme.round(&format!("T1 {}/{}", number + 1, programme.options.rounds), || {
            for subject in Subject::PLAIN.into_iter().chain([Subject::Keyed(Key::BuiltIn)]) {
                let crowd = Crowd::new(&servers, subject.door(), CLIENTS);
                upsert::identical_puts(&crowd, subject, 3 * number);
                upsert::different_puts(&crowd, subject, 3 * number + 1);
                if subject != Subject::Account {
                    upsert::identical_creates(&crowd, subject, 3 * number + 2);
                }
            }
            ((), String::new())
        });
    }
}

/// T2: conditional writes and plain ones on one identifier.
pub fn mixes(programme: &mut Programme<'_>) {
    let Some(mut server) = programme.server("T2") else {
        return;
    };
    let declared = programme.start("T2 key system", || {
        mix::declare_key_system(&mut server);
        ((), String::new())
    });
    if declared.is_none() {
        return;
    }
    for number in 0..programme.options.rounds {
        programme.round(&format!("T2 {}/{}", number + 1, programme.options.rounds), || {
            let keyed = Key::ALL.map(Subject::Keyed);
            for subject in keyed.into_iter().chain([Subject::Account]) {
                mix::owned(&Crowd::new(&[&server], subject.door(), CLIENTS), subject, number);
            }
            for subject in [Subject::Practitioner, Subject::Patient] {
                // The numbers of keyed patients are not used again: their hospital number is the same.
                let number = 1_000_000 + number;
                mix::free(&Crowd::new(&[&server], subject.door(), CLIENTS), subject, number);
            }
            ((), String::new())
        });
    }
}

/// T3: many writers name the same version.
pub fn if_match(programme: &mut Programme<'_>) {
    let Some(server) = programme.server("T3") else {
        return;
    };
    for subject in Subject::PLAIN {
        // The account flow has no PUT by id; the client of the EHR does.
        let crowd = Crowd::new(&[&server], "fhir", CLIENTS);
        let contested = programme.start(&format!("T3 {} created", subject.name()), || {
            (Contested::create(&crowd, subject, 0), String::new())
        });
        let Some(mut contested) = contested else { return };
        for number in 1..=programme.options.rounds {
            let name = format!("T3 {} {number}/{}", subject.name(), programme.options.rounds);
            if programme
                .round(&name, || (contested.round(&crowd), String::new()))
                .is_none()
            {
                break;
            }
        }
    }
}

/// T5: what many read and write is linearizable.
pub fn registers(programme: &mut Programme<'_>) {
    let mut random = Random::new(programme.options.seed);
    let undisturbed = Plan {
        clients: 16,
        registers: 4,
        stretch: Duration::from_secs(programme.options.seconds),
        kills: 0,
    };
    let killed = Plan {
        stretch: Duration::from_secs(2),
        kills: usize::try_from((programme.options.seconds / 3).max(1)).unwrap(),
        ..undisturbed
    };
    for (name, plan) in [("T5 undisturbed", undisturbed), ("T5 with kills", killed)] {
        // Registers must not exist before: each run has a server of its own.
        let Some(mut server) = programme.server(name) else {
            return;
        };
        programme.round(name, || {
            let summary = register::run(&mut server, plan, &mut random);
            assert!(
                plan.kills == 0 || summary.unanswered > 0,
                "no kill met a write: {summary:?}"
            );
            ((), format!(", {summary:?}"))
        });
    }
}

/// T6: `kill -9` under load.
pub fn kills(programme: &mut Programme<'_>) {
    if programme.tables("T6").is_none() {
        return;
    }
    let (settings, seed) = (programme.settings(), programme.options.seed);
    let started = programme.start("T6 start", || {
        let crash = Crash::new(settings, crash::long_plan(), Random::new(seed));
        (crash, String::new())
    });
    let Some(mut crash) = started else { return };
    let mut acknowledged = 0;
    for number in 1..=programme.options.kills {
        let passed = programme.round(&format!("T6 {number}/{}", programme.options.kills), || {
            let round = crash.round();
            acknowledged += round.acknowledged;
            (
                (),
                format!(
                    ", killed after {} ms, {} acknowledged, {} unanswered landed, {} lost, ready in {} ms",
                    round.load.as_millis(),
                    round.acknowledged,
                    round.landed,
                    round.lost,
                    round.start.as_millis()
                ),
            )
        });
        // The database is not to be trusted any more.
        if passed.is_none() {
            return;
        }
    }
    programme.round("T6 everything read again", || {
        assert!(acknowledged > 0, "nothing was ever acknowledged");
        assert_eq!(crash.check_everything(), None);
        let slowest = crash.slowest_start().as_millis();
        (
            (),
            format!(", {acknowledged} acknowledged in all, slowest start {slowest} ms"),
        )
    });
}
