//! T9: the database goes away, in three ways, and comes back. Everybody is told so in time, the process stays alive,
//! and service comes back by itself.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::pusher::{self, Pushed, Pusher};
use super::{tables, terminate};
use crate::http::{Client, Response};
use crate::postgres::{Database, Postgres};
use crate::proxy::{Direction, Mode, Proxy};
use crate::server::{Server, Settings};
use crate::wait::wait_for;

/// Clients that push at once.
const PUSHERS: usize = 4;
/// Clients that read at once.
const READERS: usize = 4;
/// Clients that ask at once, so that each connection of the pool is made, and how often.
const CONNECTIONS: usize = 16;
const WARMING: usize = 3;
/// How much of the server's log is shown when a promise was broken, lines.
const COMPLAINTS: usize = 20;
/// The longest that liveness may take, which asks no database.
const LIVE_LIMIT: Duration = Duration::from_secs(1);

/// What the database said is told to others for a quarter of a second; how long a noisy machine may take for that.
const KEPT_READINESS: Duration = Duration::from_secs(1);

/// How a database is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nobody listens.
    Refused,
    /// Connections are made and closed at once.
    Reset,
    /// Connections stay, and nothing comes back on them.
    BlackHole,
}

impl Way {
    /// Each.
    pub const ALL: [Way; 3] = [Way::Refused, Way::Reset, Way::BlackHole];

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Way::Refused => "refused",
            Way::Reset => "reset",
            Way::BlackHole => "black hole",
        }
    }

    fn begin(self, proxy: &Proxy) {
        match self {
            Way::Refused => proxy.vanish(),
            Way::Reset => proxy.go_away(),
            Way::BlackHole => {
                proxy.set(Direction::ToServer, Mode::Swallow);
                proxy.set(Direction::ToClient, Mode::Swallow);
            }
        }
    }
}

/// What is promised.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long the database is away.
    pub outage: Duration,
    /// The longest time to an answer meanwhile.
    pub answer_limit: Duration,
    /// The longest time from its return until every client is served.
    pub recovery_limit: Duration,
}

/// What one cycle amounted to.
#[derive(Clone, Copy, Debug)]
pub struct Cycle {
    /// Requests that were told that the database is away.
    pub refused: usize,
    /// The slowest of them.
    pub slowest: Duration,
    /// From the database's return until every client was served.
    pub recovery: Duration,
    /// Acknowledged writes that were found afterwards.
    pub kept: usize,
}

/// A server whose way to PostgreSQL can be closed.
#[derive(Debug)]
pub struct Away {
    // Dropped in this order.
    server: Server,
    proxy: Proxy,
    _database: Database,
    pushers: Vec<Pusher>,
    plan: Plan,
    pid: u32,
}

impl Away {
    /// Starts it on a fresh database of this process's cluster.
    #[track_caller]
    pub fn new(settings: Settings, plan: Plan) -> Away {
        let database = Postgres::shared().fresh_database();
        let proxy = Proxy::before_postgres();
        let url = database.url_through(proxy.folder());
        let server = settings.database_url(&url).start();
        let pid = server.pid();
        Away {
            server,
            proxy,
            _database: database,
            pushers: Pusher::crew(PUSHERS),
            plan,
            pid,
        }
    }

    /// Once away and back.
    ///
    /// # Panics
    /// When a promise is broken.
    #[track_caller]
    pub fn cycle(&mut self, way: Way) -> Cycle {
        let cycle = catch_unwind(AssertUnwindSafe(|| self.promises(way)));
        cycle.unwrap_or_else(|panic| {
            // Why a request was refused is for the log alone.
            let log = self.server.log();
            let lines = log.lines().rev();
            let complaints: Vec<_> = lines
                .filter(|line| line.contains(" WARN ") || line.contains("ERROR"))
                .take(COMPLAINTS)
                .collect();
            eprintln!(
                "what the server complained of, the last first:\n{}",
                complaints.join("\n")
            );
            resume_unwind(panic)
        })
    }

    #[track_caller]
    fn promises(&mut self, way: Way) -> Cycle {
        let sas = self.server.client("sas");
        for pusher in &mut self.pushers {
            let (before, _) = pusher.push(&sas);
            assert!(matches!(before, Pushed::Acknowledged(_)), "before: {before:?}");
        }
        let cycle = self.outage(way);
        assert!(self.server.is_running() && self.server.pid() == self.pid);
        for pusher in &mut self.pushers {
            pusher.replay(&sas);
        }
        tables::check(&self.server);
        let kept = pusher::check_all(&self.server, &self.pushers);
        Cycle { kept, ..cycle }
    }

    /// SIGTERM while the database swallows everything, with requests that hang in it and one whose body never ends: those
    /// are answered, and the end comes by itself and in time. How long it took.
    ///
    /// # Panics
    /// When it takes longer than `limit`, or is no end of the server's own.
    #[track_caller]
    pub fn ends_in_the_dark(&mut self, limit: Duration) -> Duration {
        let sas = self.server.client("sas");
        // So that whoever asks in the dark finds a connection that is there: making one fails by itself, in time.
        for _ in 0..WARMING {
            crate::race::race(CONNECTIONS, |_| {
                sas.clone().get("/Practitioner?_count=1").send().expect(200)
            });
        }
        let pushing = AtomicUsize::new(0);
        let (server, proxy, pushers) = (&mut self.server, &self.proxy, &mut self.pushers);
        std::thread::scope(|scope| {
            Way::BlackHole.begin(proxy);
            let dripper = sas.clone();
            scope.spawn(move || terminate::drip(&dripper));
            let hanging = pushers.iter_mut().map(|pusher| {
                let (sas, pushing) = (sas.clone(), &pushing);
                scope.spawn(move || {
                    pushing.fetch_add(1, Ordering::SeqCst);
                    match pusher.push(&sas).0 {
                        Pushed::Refused(answer) => unavailable(&answer),
                        other => panic!("in the dark: {other:?}"),
                    }
                })
            });
            let hanging: Vec<_> = hanging.collect();
            wait_for(limit, "requests on their way", || {
                (pushing.load(Ordering::SeqCst) == PUSHERS).then_some(())
            });
            let begin = Instant::now();
            server.signal_terminate();
            let status = server.wait_at_most(limit);
            let took = begin.elapsed();
            proxy.come_back();
            let status = status.unwrap_or_else(|| {
                panic!(
                    "{took:?} after SIGTERM the server still runs, allowed are {limit:?}:\n{}",
                    server.log()
                )
            });
            // What the audit trail still had to say cannot be written, which is said by 1. A signal would have none.
            assert!(
                matches!(status.code(), Some(0 | 1)),
                "the server ended with {status}:\n{}",
                server.log()
            );
            hanging.into_iter().for_each(joined);
            took
        })
    }

    fn outage(&mut self, way: Way) -> Cycle {
        let (proxy, plan) = (&self.proxy, self.plan);
        let clock = &Clock {
            back: OnceLock::new(),
            plan,
        };
        let sas = self.server.client("sas");
        let fhir = self.server.client("fhir");
        let health = self.server.anonymous();
        way.begin(proxy);
        std::thread::scope(|scope| {
            let mut clients: Vec<std::thread::ScopedJoinHandle<'_, Told>> = Vec::new();
            for pusher in &mut self.pushers {
                let sas = sas.clone();
                clients.push(scope.spawn(move || {
                    clock.until_served(|| match pusher.push(&sas).0 {
                        Pushed::Acknowledged(answer) | Pushed::Refused(answer) => answer,
                        Pushed::Unanswered(failure) => panic!("a write was not answered: {failure}"),
                    })
                }));
            }
            for _ in 0..READERS {
                let fhir = fhir.clone();
                clients.push(
                    scope.spawn(move || clock.until_served(|| fhir.get("/Practitioner?_count=1").send())),
                );
            }
            let healthy = scope.spawn(move || clock.health(&health));
            let ends = Instant::now() + plan.outage;
            wait_for(plan.outage * 10, "the outage to last", || {
                (Instant::now() >= ends || healthy.is_finished()).then_some(())
            });
            let back = *clock.back.get_or_init(Instant::now);
            proxy.come_back();
            let mut cycle = Cycle {
                refused: 0,
                slowest: Duration::ZERO,
                recovery: Duration::ZERO,
                kept: 0,
            };
            for client in clients {
                let told = joined(client);
                cycle.refused += told.refused;
                cycle.slowest = cycle.slowest.max(told.slowest);
                cycle.recovery = cycle.recovery.max(told.served.saturating_duration_since(back));
            }
            let ready = joined(healthy);
            cycle.recovery = cycle.recovery.max(ready.saturating_duration_since(back));
            assert!(
                cycle.recovery <= plan.recovery_limit,
                "{}: served again {:?} after the database was back, allowed are {:?}",
                way.name(),
                cycle.recovery,
                plan.recovery_limit
            );
            assert!(cycle.refused > 0, "{}: nobody was refused", way.name());
            cycle
        })
    }
}

/// What one client was told.
struct Told {
    refused: usize,
    slowest: Duration,
    served: Instant,
}

struct Clock {
    /// When the database came back.
    back: OnceLock<Instant>,
    plan: Plan,
}

impl Clock {
    /// Asks until it is served; every answer before is a 503 that says when to come again, and comes in time.
    fn until_served(&self, mut ask: impl FnMut() -> Response) -> Told {
        let mut told = Told {
            refused: 0,
            slowest: Duration::ZERO,
            served: Instant::now(),
        };
        loop {
            let begin = Instant::now();
            let answer = ask();
            let took = begin.elapsed();
            if matches!(answer.status, 200 | 201) {
                assert!(
                    self.back.get().is_some(),
                    "served while the database was away: {answer:?}"
                );
                told.served = Instant::now();
                return told;
            }
            unavailable(&answer);
            // Who began to connect just before the return may wait for libpq to give up: that is part of the recovery.
            let away = self.back.get().is_none();
            assert!(
                took <= self.plan.answer_limit || !away,
                "{took:?} until the answer that the database is away, allowed are {:?}: {answer:?}",
                self.plan.answer_limit
            );
            told.refused += 1;
            told.slowest = told.slowest.max(took);
            let late = self
                .back
                .get()
                .is_some_and(|back| back.elapsed() > self.plan.recovery_limit);
            assert!(!late, "not served again: {answer:?}");
        }
    }

    /// Liveness stays green; readiness is red until the database is back. When it was green again.
    fn health(&self, client: &Client) -> Instant {
        let begun = Instant::now();
        loop {
            let begin = Instant::now();
            let live = client.get("/health/live").send();
            let took = begin.elapsed();
            assert!(
                live.status == 200 && took <= LIVE_LIMIT,
                "liveness: {took:?}, {live:?}"
            );
            let begin = Instant::now();
            let ready = client.get("/health/ready").send();
            let took = begin.elapsed();
            if ready.status == 200 {
                if self.back.get().is_some() {
                    return Instant::now();
                }
                assert!(
                    begun.elapsed() < KEPT_READINESS,
                    "ready while the database was away"
                );
                continue;
            }
            assert_eq!(ready.status, 503, "{ready:?}");
            let late = self
                .back
                .get()
                .is_some_and(|back| back.elapsed() > self.plan.recovery_limit);
            assert!(!late, "not ready again: {ready:?}");
            let away = self.back.get().is_none();
            assert!(took <= self.plan.answer_limit || !away, "readiness took {took:?}");
        }
    }
}

/// A 503 that says when to come again.
#[track_caller]
pub(super) fn unavailable(answer: &Response) {
    let again = answer
        .header("Retry-After")
        .and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(
        answer.status == 503 && again.is_some(),
        "not a 503 with Retry-After: {answer:?}"
    );
}

pub(super) fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
