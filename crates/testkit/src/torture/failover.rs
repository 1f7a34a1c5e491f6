//! Two PostgreSQL servers, and the primary dies: what was acknowledged is on the other, and two Passerelle processes
//! find it by themselves.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::database_away::{joined, unavailable};
use super::pusher::{self, Pushed, Pusher};
use super::tables;
use crate::http::Client;
use crate::postgres::Pair;
use crate::server::{Server, Settings};
use crate::wait::poll;

/// Clients that push at once, half of them to each process.
const PUSHERS: usize = 8;
/// Clients that push while no standby is there: fewer than a process has connections.
const HOPEFUL: usize = 3;

/// What is promised, and for how long there is load.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long there is load before the primary dies.
    pub load: Duration,
    /// How long nobody takes writes: between the primary's death and the promotion.
    pub headless: Duration,
    /// The longest time from the promotion until every client is served.
    pub recovery_limit: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Writes that were acknowledged before the primary died.
    pub before: usize,
    /// Answers that said that the database is away.
    pub refused: usize,
    /// From the promotion until every client was served.
    pub recovery: Duration,
    /// Acknowledged writes that were found on the new primary: all.
    pub kept: usize,
}

/// Two processes on a pair of servers.
#[derive(Debug)]
pub struct Failover {
    // Dropped in this order.
    servers: [Server; 2],
    pair: Pair,
    pushers: Vec<Pusher>,
}

impl Failover {
    /// Starts all of it.
    #[track_caller]
    pub fn new(settings: Settings) -> Failover {
        let pair = Pair::start();
        let first = settings.database_url(&pair.database("facade")).start();
        let second = first.second();
        Failover {
            servers: [first, second],
            pair,
            pushers: Pusher::crew(PUSHERS),
        }
    }

    /// The primary dies under load, and the standby takes over.
    ///
    /// # Panics
    /// When a promise is broken.
    #[track_caller]
    pub fn primary_dies(&mut self, plan: Plan) -> Outcome {
        let clock = &Clock::default();
        let clients = self.servers.each_ref().map(|server| server.client("sas"));
        let told: Vec<(usize, usize, Instant)> = std::thread::scope(|scope| {
            let pushing: Vec<_> = self
                .pushers
                .iter_mut()
                .enumerate()
                .map(|(number, pusher)| {
                    let client = clients[number % 2].clone();
                    scope.spawn(move || clock.push(pusher, &client, plan))
                })
                .collect();
            let finished = || pushing.iter().any(|thread| thread.is_finished()).then_some(());
            poll(plan.load, finished);
            clock.dead.get_or_init(Instant::now);
            self.pair.kill_primary();
            poll(plan.headless, finished);
            self.pair.promote_standby();
            clock.promoted.get_or_init(Instant::now);
            pushing.into_iter().map(joined).collect()
        });
        let promoted = *clock.promoted.get_or_init(Instant::now);
        let recovery = told
            .iter()
            .map(|(.., served)| served.saturating_duration_since(promoted))
            .max()
            .unwrap_or_default();
        assert!(
            recovery <= plan.recovery_limit,
            "served again {recovery:?} after the promotion, allowed are {:?}",
            plan.recovery_limit
        );
        let kept = self.settle_and_check();
        Outcome {
            before: told.iter().map(|(before, ..)| before).sum(),
            refused: told.iter().map(|(_, refused, _)| refused).sum(),
            recovery,
            kept,
        }
    }

    /// The standby is away, so the primary commits, but nobody else has it: such a write is not acknowledged. Then
    /// the primary dies too, and the standby comes back without it. What came of it: how many writes were refused,
    /// the slowest answer, and how many acknowledged ones were found.
    ///
    /// # Panics
    /// When one of those writes was acknowledged, or a promise is broken.
    #[track_caller]
    pub fn standby_dies_first(&mut self) -> (usize, Duration, usize) {
        let clients = self.servers.each_ref().map(|server| server.client("sas"));
        for pusher in &mut self.pushers {
            let (first, _) = pusher.push(&clients[0]);
            assert!(matches!(first, Pushed::Acknowledged(_)), "before: {first:?}");
        }
        self.pair.stop_standby();
        let slowest: Vec<Duration> = std::thread::scope(|scope| {
            let pushing: Vec<_> = self
                .pushers
                .iter_mut()
                .take(2 * HOPEFUL)
                .enumerate()
                .map(|(number, pusher)| {
                    let client = clients[number % 2].clone();
                    scope.spawn(move || {
                        let (pushed, took) = pusher.push(&client);
                        match &pushed {
                            Pushed::Refused(answer) => unavailable(answer),
                            other => {
                                panic!("after {took:?}, a write that the standby does not have: {other:?}")
                            }
                        }
                        took
                    })
                })
                .collect();
            pushing.into_iter().map(joined).collect()
        });
        self.pair.kill_primary();
        self.pair.start_standby();
        self.pair.promote_standby();
        let kept = self.settle_and_check();
        (slowest.len(), slowest.into_iter().max().unwrap_or_default(), kept)
    }

    /// Replays what was not answered, to the other process than before, and looks at everything acknowledged.
    #[track_caller]
    fn settle_and_check(&mut self) -> usize {
        let clients = self.servers.each_ref().map(|server| server.client("sas"));
        for (number, pusher) in self.pushers.iter_mut().enumerate() {
            pusher.replay(&clients[(number + 1) % 2]);
        }
        for server in &mut self.servers {
            assert!(server.is_running());
        }
        tables::check(&self.servers[1]);
        pusher::check_all(&self.servers[1], &self.pushers)
    }
}

/// When what happened.
#[derive(Default)]
struct Clock {
    dead: OnceLock<Instant>,
    promoted: OnceLock<Instant>,
}

impl Clock {
    /// Pushes until it is served by the new primary: how many were acknowledged before the old one died, how many
    /// refused, and when it was served.
    fn push(&self, pusher: &mut Pusher, client: &Client, plan: Plan) -> (usize, usize, Instant) {
        let (mut before, mut refused) = (0, 0);
        loop {
            let begin = Instant::now();
            match pusher.push(client).0 {
                Pushed::Acknowledged(_) => match (self.dead.get(), self.promoted.get()) {
                    (_, Some(promoted)) if begin >= *promoted => return (before, refused, Instant::now()),
                    // Served between the promotion and the moment when this process hears of it, or before the death.
                    _ => before += 1,
                },
                Pushed::Refused(answer) => {
                    unavailable(&answer);
                    refused += 1;
                }
                Pushed::Unanswered(failure) => panic!("a write was not answered: {failure}"),
            }
            let late = self
                .promoted
                .get()
                .is_some_and(|promoted| promoted.elapsed() > plan.recovery_limit * 2);
            assert!(!late, "not served again");
        }
    }
}
