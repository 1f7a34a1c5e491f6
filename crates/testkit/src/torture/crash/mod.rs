//! `kill -9` under load: what was acknowledged is there afterwards, what was not is there whole or not at all.
//!
//! This process is client and judge and lives on: it notes each write before it sends it and what was
//! answered. The database stays between rounds, so damage adds up.

mod judge;
mod record;
mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::tables;
use crate::random::Random;
use crate::server::{Server, Settings};
use crate::wait::poll;

use writer::Writer;

/// How hard a crash test is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many clients write at once.
    pub writers: usize,
    /// The earliest moment of the kill, after the start of the load.
    pub earliest: Duration,
    /// The latest moment of the kill.
    pub latest: Duration,
    /// How long the server may take until it is ready again.
    pub start_limit: Duration,
}

/// How often everything ever written is read again, in rounds.
const WHOLE_CHECK_EVERY: u32 = 20;

/// A server that is killed again and again, and everything it has acknowledged.
#[derive(Debug)]
pub struct Crash {
    server: Server,
    plan: Plan,
    random: Random,
    writers: Vec<Writer>,
    rounds: u32,
    slowest_start: Duration,
}

/// What one round amounted to.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// How long the load was on.
    pub load: Duration,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Writes without an answer that turned out to be there.
    pub landed: usize,
    /// Writes without an answer that turned out to be absent.
    pub lost: usize,
    /// From the start of the process until it was ready.
    pub start: Duration,
}

impl Crash {
    /// A fresh server on a fresh database.
    #[track_caller]
    pub fn new(settings: Settings, plan: Plan, random: Random) -> Crash {
        Crash {
            server: settings.start(),
            plan,
            random,
            writers: (0..plan.writers).map(Writer::new).collect(),
            rounds: 0,
            slowest_start: Duration::ZERO,
        }
    }

    /// The longest time from start to ready so far.
    pub fn slowest_start(&self) -> Duration {
        self.slowest_start
    }

    /// Load, kill, restart, and a look at everything that this round has touched.
    ///
    /// # Panics
    /// When something acknowledged is missing or something is half there; the message holds what was sent
    /// and answered.
    #[track_caller]
    pub fn round(&mut self) -> Round {
        self.rounds += 1;
        let span = self.plan.earliest.as_millis() as u64..=self.plan.latest.as_millis() as u64;
        let load = Duration::from_millis(self.random.between(*span.start(), *span.end()));
        self.load_and_kill(load);
        self.server.wait_for_sessions_to_end();
        let begin = Instant::now();
        self.server.restart();
        let start = begin.elapsed();
        self.slowest_start = self.slowest_start.max(start);
        assert!(
            start <= self.plan.start_limit,
            "round {}: {start:?} from start to ready, allowed are {:?}",
            self.rounds,
            self.plan.start_limit
        );
        let settled = self.judge();
        if self.rounds.is_multiple_of(WHOLE_CHECK_EVERY) {
            self.check_everything();
        }
        Round {
            load,
            acknowledged: self.writers.iter().map(|writer| writer.acknowledged).sum(),
            landed: settled.landed,
            lost: settled.lost,
            start,
        }
    }

    /// Reads everything ever acknowledged once more, compares the number of resources and the tables, and has
    /// SQLite check its file. Says what was not checked, when a tool is missing.
    #[track_caller]
    pub fn check_everything(&self) -> Option<&'static str> {
        std::thread::scope(|scope| {
            let checks: Vec<_> = self
                .writers
                .iter()
                .map(|writer| scope.spawn(|| judge::reread(&self.server, writer)))
                .collect();
            for check in checks {
                if let Err(panic) = check.join() {
                    std::panic::resume_unwind(panic);
                }
            }
        });
        let records = || self.writers.iter().flat_map(|writer| &writer.records);
        judge::count(&self.server, records());
        tables::check(&self.server)
    }

    fn load_and_kill(&mut self, load: Duration) {
        let gone = &AtomicBool::new(false);
        let server = &mut self.server;
        let seeds: Vec<u64> = self.writers.iter().map(|_| self.random.bits()).collect();
        std::thread::scope(|scope| {
            let running: Vec<_> = self
                .writers
                .iter_mut()
                .zip(seeds)
                .map(|(writer, seed)| {
                    let doors = writer::Doors::of(server);
                    scope.spawn(move || writer.write_until_gone(&doors, Random::new(seed), gone))
                })
                .collect();
            // The kill comes at its moment, or at once when a writer has found something wrong.
            poll(load, || {
                running.iter().any(|thread| thread.is_finished()).then_some(())
            });
            gone.store(true, Ordering::SeqCst);
            server.kill9();
            for thread in running {
                if let Err(panic) = thread.join() {
                    std::panic::resume_unwind(panic);
                }
            }
        });
    }

    fn judge(&mut self) -> judge::Settled {
        let server = &self.server;
        std::thread::scope(|scope| {
            let judges: Vec<_> = self
                .writers
                .iter_mut()
                .map(|writer| scope.spawn(|| judge::settle(server, writer)))
                .collect();
            let settled = judges.into_iter().map(|thread| match thread.join() {
                Ok(settled) => settled,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            settled.fold(judge::Settled::default(), |sum, one| judge::Settled {
                landed: sum.landed + one.landed,
                lost: sum.lost + one.lost,
            })
        })
    }
}

/// The plan of a run beside other tests: short loads, and ten times the promised time to start.
pub fn short_plan() -> Plan {
    Plan {
        writers: 8,
        earliest: Duration::from_millis(50),
        latest: Duration::from_millis(600),
        start_limit: Duration::from_secs(20),
    }
}

/// The plan of the long programme.
pub fn long_plan() -> Plan {
    Plan {
        latest: Duration::from_millis(1500),
        start_limit: Duration::from_secs(2),
        ..short_plan()
    }
}
