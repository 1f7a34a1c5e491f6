//! T29: clients that are idle, or whose headers or bodies drip, beside honest ones. Each slow one is cut in time,
//! the honest ones hardly notice, and every descriptor comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::database_away::joined;
use super::load::{self, Pace, Sample};
use super::mixture::Mixture;
use crate::process;
use crate::server::Server;
use crate::wait::poll;

/// How often each slow client is looked after, and sends a byte when it is one that drips.
const TURN: Duration = Duration::from_millis(500);
/// Descriptors that may be open more than before: connections of the database's pool.
const MORE_DESCRIPTORS: usize = 24;

/// How many of each, and what is promised.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Clients that connect and say nothing.
    pub idle: usize,
    /// Clients whose headers drip.
    pub slow_heads: usize,
    /// Clients whose body drips.
    pub slow_bodies: usize,
    /// Honest requests a second.
    pub rate: f64,
    /// How long the honest ones are alone, then beside the slow ones.
    pub stretch: Duration,
    /// The longest that a slow one may last.
    pub cut_limit: Duration,
    /// The honest ones' p99, compared with that without slow ones.
    pub factor: f64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// p99 of the honest ones alone.
    pub alone: Duration,
    /// p99 of the honest ones beside the slow ones.
    pub beside: Duration,
    /// Slow connections that were cut.
    pub cut: usize,
    /// The longest that one lasted.
    pub longest: Duration,
    /// Descriptors of the server before, at most, and afterwards.
    pub descriptors: (usize, usize, usize),
}

/// One run.
///
/// # Panics
/// When a promise is broken.
#[track_caller]
pub fn run(server: &Server, plan: Plan) -> Outcome {
    let mixture = Mixture::new(server);
    let honest = || {
        let ask = |pair: &mut _, number| mixture.ask(pair, number).ok().map(|answer| answer.status);
        load::run(
            16,
            Pace::Rate(plan.rate),
            plan.stretch,
            |_| Mixture::pair(server),
            ask,
        )
    };
    let alone = all_served(&honest());
    let open = || process::descriptors(server.pid()).expect("an own child's descriptors can be counted");
    let before = open();
    let over = &AtomicBool::new(false);
    let bearer = &server.credential("sas").bearer;
    let (beside, slow) = std::thread::scope(|scope| {
        let slow = scope.spawn(|| Slow::keep(server.address(), bearer, plan, &open, over));
        let beside = honest();
        over.store(true, Ordering::SeqCst);
        (all_served(&beside), joined(slow))
    });
    let most = slow.descriptors;
    let wanted = plan.idle + plan.slow_heads + plan.slow_bodies;
    assert!(
        most >= before + wanted * 9 / 10,
        "only {most} descriptors: the slow ones were not there"
    );
    assert!(
        slow.longest <= plan.cut_limit,
        "a slow client was there for {:?}, allowed are {:?}",
        slow.longest,
        plan.cut_limit
    );
    let limit = alone.mul_f64(plan.factor);
    assert!(
        beside <= limit,
        "p99 of honest requests: {beside:?} beside slow ones, {alone:?} alone"
    );
    let after = poll(plan.cut_limit, || {
        Some(open()).filter(|open| *open <= before + MORE_DESCRIPTORS)
    });
    let after = after.unwrap_or_else(|| panic!("{} descriptors, before {before}", open()));
    Outcome {
        alone,
        beside,
        cut: slow.cut,
        longest: slow.longest,
        descriptors: (before, most, after),
    }
}

/// The p99 of samples that were all served.
#[track_caller]
fn all_served(samples: &[Sample]) -> Duration {
    assert!(
        samples.iter().all(load::is_served),
        "honest requests were answered {:?}",
        load::statuses(samples)
    );
    load::percentile(samples.iter().map(|sample| sample.took), 99.0)
}

/// Slow connections, made again whenever they are cut.
struct Slow {
    cut: usize,
    longest: Duration,
    /// The most descriptors of the server at the end of a turn: many are cut at once, and are there again only then.
    descriptors: usize,
}

/// What a slow client has to say, a byte at a time.
#[derive(Clone, Copy)]
enum Kind {
    Idle,
    Head,
    Body,
}

struct Client {
    kind: Kind,
    stream: TcpStream,
    since: Instant,
}

impl Slow {
    fn keep(
        server: SocketAddr,
        bearer: &str,
        plan: Plan,
        descriptors: &(impl Fn() -> usize + Sync),
        over: &AtomicBool,
    ) -> Slow {
        let kinds = [
            (Kind::Idle, plan.idle),
            (Kind::Head, plan.slow_heads),
            (Kind::Body, plan.slow_bodies),
        ];
        let kinds = kinds
            .iter()
            .flat_map(|(kind, count)| std::iter::repeat_n(*kind, *count));
        let mut clients: Vec<Client> = kinds.map(|kind| Client::connect(kind, server, bearer)).collect();
        let mut slow = Slow {
            cut: 0,
            longest: Duration::ZERO,
            descriptors: 0,
        };
        while !over.load(Ordering::SeqCst) {
            let turn = Instant::now();
            for client in &mut clients {
                let lasted = client.since.elapsed();
                if client.is_cut() {
                    slow.cut += 1;
                    slow.longest = slow.longest.max(lasted);
                    *client = Client::connect(client.kind, server, bearer);
                } else {
                    assert!(
                        lasted <= plan.cut_limit,
                        "a slow client is still there after {lasted:?}"
                    );
                }
            }
            slow.descriptors = slow.descriptors.max(descriptors());
            std::thread::sleep(TURN.saturating_sub(turn.elapsed()));
        }
        slow
    }
}

impl Client {
    fn connect(kind: Kind, server: SocketAddr, bearer: &str) -> Client {
        let mut stream = TcpStream::connect(server).expect("the server takes connections");
        let opening = match kind {
            Kind::Idle => String::new(),
            Kind::Head => format!("PUT /fhir/Practitioner/slow HTTP/1.1\r\nHost: {server}\r\nX-Slow: "),
            Kind::Body => format!(
                "PUT /fhir/Practitioner?identifier=urn%3Aslow%7C1 HTTP/1.1\r\nHost: {server}\r\n\
                 Authorization: Bearer {bearer}\r\nContent-Type: application/fhir+json\r\n\
                 Content-Length: 100000\r\n\r\n{{"
            ),
        };
        // It may be cut at once: the next turn sees that.
        let _ = stream.write_all(opening.as_bytes());
        stream.set_nonblocking(true).expect("an own socket");
        Client {
            kind,
            stream,
            since: Instant::now(),
        }
    }

    /// Sends a byte and looks whether the server has closed, or has answered and will.
    fn is_cut(&mut self) -> bool {
        let mut answer = [0; 4096];
        match self.stream.read(&mut answer) {
            Ok(0) => true,
            // An answer (408): the end follows.
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::WouldBlock => match self.kind {
                Kind::Idle => false,
                Kind::Head | Kind::Body => self.stream.write_all(b" ").is_err(),
            },
            Err(_) => true,
        }
    }
}
