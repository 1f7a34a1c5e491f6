//! T33: SIGTERM under load. Whoever was let in is answered, the readiness check says so first, and the end
//! comes in time, whatever slow clients do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::pusher::{self, Pushed, Pusher};
use super::tables;
use crate::http::{Client, Stage};
use crate::random::Random;
use crate::server::Server;
use crate::wait::poll;

/// Who asks for readiness, on a new connection each time: so that somebody knocks when the door closes.
const WATCHERS: usize = 6;
/// A body of a dripper and how it drips: it would take longer than a server has to end.
const DRIPPED_BYTES: usize = 400;
const DRIP_PAUSE: Duration = Duration::from_millis(100);

/// What a round consists of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Clients that push as fast as they are answered, half of them on a new connection each time.
    pub pushers: usize,
    /// Clients whose body never ends in time.
    pub drippers: usize,
    /// The longest time from the signal to the end.
    pub limit: Duration,
}

/// What a round amounted to.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Requests that were answered.
    pub answered: usize,
    /// Drippers that the server has let in.
    pub dripping: usize,
    /// From the signal to the end of the process.
    pub exit: Duration,
    /// Acknowledged writes that were found after the next start.
    pub kept: usize,
}

/// A server and what it has acknowledged so far.
#[derive(Debug)]
pub struct Terminated {
    server: Server,
    pushers: Vec<Pusher>,
    plan: Plan,
}

impl Terminated {
    /// A running server without accounts.
    pub fn new(server: Server, plan: Plan) -> Terminated {
        Terminated {
            server,
            pushers: Pusher::crew(plan.pushers),
            plan,
        }
    }

    /// The same server with another number of drippers.
    pub fn with_drippers(&mut self, drippers: usize) {
        self.plan.drippers = drippers;
    }

    /// Load, SIGTERM, end, start, and a look at everything acknowledged.
    ///
    /// # Panics
    /// When a promise is broken.
    #[track_caller]
    pub fn round(&mut self, random: &mut Random) -> Round {
        let (answered, dripping, exit) = self.load_and_terminate(random);
        assert!(
            exit <= self.plan.limit,
            "{exit:?} from SIGTERM to the end, allowed are {:?}",
            self.plan.limit
        );
        self.server.restart();
        // A pusher whose connection was refused goes on with the next; nothing of it is unsettled.
        tables::check(&self.server);
        let kept = pusher::check_all(&self.server, &self.pushers);
        Round {
            answered,
            dripping,
            exit,
            kept,
        }
    }

    fn load_and_terminate(&mut self, random: &mut Random) -> (usize, usize, Duration) {
        let stretch = Duration::from_millis(random.between(50, 600));
        let (server, plan) = (&mut self.server, self.plan);
        let client = server.client("sas");
        let probe = server.anonymous();
        let over = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            let pushing: Vec<_> = self
                .pushers
                .iter_mut()
                .enumerate()
                .map(|(number, pusher)| {
                    let client = client.clone();
                    scope.spawn(move || push_until_refused(pusher, &client, number.is_multiple_of(2)))
                })
                .collect();
            let dripping: Vec<_> = (0..plan.drippers)
                .map(|_| {
                    let client = client.clone();
                    scope.spawn(move || drip(&client))
                })
                .collect();
            let watching: Vec<_> = (0..WATCHERS)
                .map(|_| scope.spawn(|| watch(&probe, over)))
                .collect();
            poll(stretch, || {
                pushing.iter().any(|thread| thread.is_finished()).then_some(())
            });
            let begin = Instant::now();
            server.signal_terminate();
            let status = server.wait();
            let exit = begin.elapsed();
            over.store(true, Ordering::SeqCst);
            assert!(
                status.success(),
                "the server ended with {status}:\n{}",
                server.log()
            );
            let answered = pushing.into_iter().map(|thread| match thread.join() {
                Ok(answered) => answered,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            let answered = answered.sum();
            let let_in = dripping
                .into_iter()
                .map(|dripper| dripper.join().expect("a dripper takes what comes"));
            let let_in = let_in.filter(|was_let_in| *was_let_in).count();
            // One that asked just before the signal may hear of the end by a refused connection.
            let red = watching.into_iter().map(|watcher| match watcher.join() {
                Ok(red) => red,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            let red: Vec<bool> = red.collect();
            assert!(
                red.contains(&true),
                "readiness did not turn red before the door closed"
            );
            (answered, let_in, exit)
        })
    }
}

/// Pushes until the server takes no more connections; how many pushes were answered.
fn push_until_refused(pusher: &mut Pusher, client: &Client, fresh: bool) -> usize {
    let mut answered = 0;
    loop {
        let again;
        let client = if fresh {
            again = client.clone();
            &again
        } else {
            client
        };
        match pusher.push(client).0 {
            Pushed::Acknowledged(_) => answered += 1,
            Pushed::Unanswered(failure) if failure.stage == Stage::Connecting => return answered,
            Pushed::Unanswered(failure) => panic!(
                "a request that was sent on a {} connection was not answered: {failure}",
                if fresh { "new" } else { "kept" }
            ),
            Pushed::Refused(answer) => panic!("refused instead of served: {answer:?}"),
        }
    }
}

/// Sends a body that would take longer than the server has, whatever comes of it. Whether the server let it in.
pub(super) fn drip(client: &Client) -> bool {
    let body = vec![b' '; DRIPPED_BYTES];
    // The server may answer 408 or end: both are its right.
    let dripped = client
        .post("/Practitioner")
        .header("Content-Type", "application/fhir+json")
        .dripping(body, 1, DRIP_PAUSE)
        .try_send();
    dripped.map_or_else(|failure| failure.stage != Stage::Connecting, |_| true)
}

/// Asks for readiness until nobody listens; whether it turned red before that.
fn watch(probe: &Client, over: &AtomicBool) -> bool {
    let mut red = false;
    while !over.load(Ordering::SeqCst) {
        match probe.clone().get("/health/ready").try_send() {
            Ok(answer) => red |= answer.status == 503,
            Err(failure) if failure.stage == Stage::Connecting => return red,
            Err(failure) => panic!("a readiness check was not answered: {failure}"),
        }
    }
    red
}
