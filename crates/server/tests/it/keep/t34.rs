//! T34: a backup under load restores to a state that holds everything answered before it began, nothing half, and
//! nobody who was erased, before or after (`reliability.md`, promise 10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::wait::wait_for;

use super::copies::{Backup, Restored};
use super::*;

pub const TESTS: &[Test] = tests![t34_a_backup_under_load_restores_to_everything_answered_before_it];

/// Rounds on every commit; `PASSERELLE_T34_ROUNDS` names another number for the long programme.
const ROUNDS: usize = 3;
/// Clients that write meanwhile.
const WRITERS: usize = 4;
/// Writes of one client in one round at most.
const MOST_WRITES: usize = 400;
/// Writes that are answered before a backup begins, and go on while it runs.
const BEFORE: usize = 60;
const LIMIT: Duration = Duration::from_secs(60);

/// What clients were answered.
#[derive(Clone, Default)]
struct Answered {
    /// The latest version of each that was answered.
    versions: BTreeMap<String, u64>,
    erased: BTreeSet<String>,
    writes: usize,
}

struct Load<'s> {
    server: &'s Server,
    answered: Mutex<Answered>,
    stop: AtomicBool,
}

impl Load<'_> {
    fn with<T>(&self, act: impl FnOnce(&mut Answered) -> T) -> T {
        act(&mut self.answered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Creates, changes and erases until told to stop.
    fn write(&self) {
        let fhir = self.server.client("fhir");
        let mut mine: Vec<String> = Vec::new();
        for number in 0..MOST_WRITES {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            match (number % 5, mine.last().cloned()) {
                (3, Some(id)) => {
                    let body = with(
                        with(patient(&unique()), "id", json!(id)),
                        "gender",
                        json!("other"),
                    );
                    let version = fhir
                        .put(format!("/Patient/{id}"))
                        .json(&body)
                        .send()
                        .expect(200)
                        .version();
                    self.with(|answered| answered.versions.insert(id, version));
                }
                (4, Some(_)) if number % 2 == 0 => {
                    let id = mine.remove(0);
                    self.erase(&fhir, &id);
                }
                _ => {
                    let id = fhir
                        .post("/Patient")
                        .json(&patient(&unique()))
                        .send()
                        .expect(201)
                        .id();
                    self.with(|answered| answered.versions.insert(id.clone(), 1));
                    mine.push(id);
                }
            }
            self.with(|answered| answered.writes += 1);
        }
    }

    fn erase(&self, fhir: &Client, id: &str) {
        fhir.delete(format!("/Patient/{id}")).send().expect(204);
        self.with(|answered| answered.erased.insert(id.to_owned()));
    }
}

fn t34_a_backup_under_load_restores_to_everything_answered_before_it(context: &Context) {
    let rounds = std::env::var("PASSERELLE_T34_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let server = context.server();
    // A DELETE erases: then the load erases too.
    succeeds(
        context,
        &server,
        &["space", "set", "demo", "--fhir-delete", "erase"],
    );
    for round in 1..=rounds.unwrap_or(ROUNDS) {
        let load = Load {
            server: &server,
            answered: Mutex::default(),
            stop: AtomicBool::new(false),
        };
        let (before, backup, took) = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(|| load.write())).collect();
            let ended = || writers.iter().all(|writer| writer.is_finished());
            wait_for(LIMIT, "the load", || {
                (load.with(|answered| answered.writes) >= BEFORE || ended()).then_some(())
            });
            let before = load.with(|answered| answered.clone());
            let started = Instant::now();
            let backup = Backup::of(context, &server);
            let took = started.elapsed();
            // Who is in the backup and erased after it.
            let fhir = server.client("fhir");
            let alive = before.versions.keys().filter(|id| !before.erased.contains(*id));
            for id in alive.take(3) {
                if load.with(|answered| !answered.erased.contains(id)) {
                    load.erase(&fhir, id);
                }
            }
            load.stop.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.join().expect("every write is answered as it should be");
            }
            (before, backup, took)
        });
        let after = load.with(|answered| answered.clone());
        assert!(after.erased.len() >= 3, "{}", after.erased.len());
        let restored = backup.restored(context, &server);
        judge(context, &restored, (&before, &after), round);
        let bytes = std::fs::metadata(&backup.file).expect("a backup").len();
        eprintln!(
            "{} round {round}: {} writes answered before, {} in all, {} erased; backup of {bytes} bytes in {took:?}",
            context.name(),
            before.writes,
            after.writes,
            after.erased.len()
        );
    }
}

/// Holds a restored database against what clients were answered before the backup began, and in all.
#[track_caller]
fn judge(context: &Context, restored: &Restored, (before, after): (&Answered, &Answered), round: usize) {
    assert_eq!(restored.faults(context), "", "round {round}");
    let fhir = restored.server.client("fhir");
    for (id, version) in &before.versions {
        let answer = fhir.get(format!("/Patient/{id}")).send();
        if after.erased.contains(id) {
            assert_eq!(answer.status, 410, "round {round}: {id} was erased");
            continue;
        }
        let found = answer.expect(200).version();
        assert!(
            found >= *version,
            "round {round}: {id} has version {found}, answered was {version}"
        );
    }
    for id in after.versions.keys() {
        let status = read(&fhir, id);
        let expected: &[u16] = if after.erased.contains(id) {
            &[410]
        } else {
            &[200, 404]
        };
        assert!(
            expected.contains(&status),
            "round {round}: {id} is answered {status}"
        );
    }
}
