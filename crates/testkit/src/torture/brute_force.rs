//! T25: wrong keys, by the thousand, from one address and from many. They are slowed down, and the owner of a
//! right key is not.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::database_away::joined;
use crate::http::{Client, Response};
use crate::server::Server;

/// Wrong credentials of one address that are answered 401 before the first 429, each minute.
const FREE: usize = 100;
/// The window of [`FREE`].
const WINDOW: Duration = Duration::from_secs(60);
/// Threads that guess.
const THREADS: usize = 8;

/// What an attack amounted to.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// 401.
    pub denied: usize,
    /// 429.
    pub slowed: usize,
    /// Requests of the owner meanwhile, each answered 200.
    pub owner: usize,
    /// The slowest of those.
    pub slowest: Duration,
}

/// `guesses` wrong keys from `addresses` addresses, 127.0.`net`.1 and on, in turn.
///
/// # Panics
/// When more than the free guesses of an address are answered 401, or the owner does not get in.
#[track_caller]
pub fn attack(server: &Server, net: u8, addresses: u8, guesses: usize) -> Attack {
    let begin = Instant::now();
    let over = &AtomicBool::new(false);
    let bearer = &server.credential("fhir").bearer;
    let answers = std::thread::scope(|scope| {
        let owner = scope.spawn(move || own(server, over));
        let guessing: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let clients: Vec<Client> = (1..=addresses)
                        .map(|last| client_from(server, Ipv4Addr::new(127, 0, net, last)))
                        .collect();
                    (thread..guesses)
                        .step_by(THREADS)
                        .map(|guess| {
                            let address = guess % clients.len();
                            let key = wrong_key(bearer, guess);
                            let answer = clients[address]
                                .get("/Patient?_count=1")
                                .header("Authorization", format!("Bearer {key}"))
                                .send();
                            (address, verdict(&answer))
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let answers: Vec<(usize, Verdict)> = guessing.into_iter().flat_map(joined).collect();
        over.store(true, Ordering::SeqCst);
        let (owner, slowest) = joined(owner);
        (answers, owner, slowest)
    });
    let (answers, owner, slowest) = answers;
    let windows = 1 + (begin.elapsed().as_secs() / WINDOW.as_secs()) as usize;
    for address in 0..usize::from(addresses) {
        let of_it: Vec<Verdict> = answers
            .iter()
            .filter(|(from, _)| *from == address)
            .map(|(_, verdict)| *verdict)
            .collect();
        let denied = of_it
            .iter()
            .filter(|verdict| **verdict == Verdict::Denied)
            .count();
        let wanted = of_it.len().min(FREE);
        assert!(
            (wanted..=FREE * windows).contains(&denied),
            "address {address}: {denied} of {} wrong keys were answered 401 in {windows} minutes begun, {FREE} of each are free",
            of_it.len()
        );
    }
    let denied = answers
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Denied)
        .count();
    Attack {
        denied,
        slowed: answers.len() - denied,
        owner,
        slowest,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Denied,
    Slowed,
}

#[track_caller]
fn verdict(answer: &Response) -> Verdict {
    match answer.status {
        401 => {
            assert!(answer.header("WWW-Authenticate").is_some(), "{answer:?}");
            Verdict::Denied
        }
        429 => {
            let wait = answer
                .header("Retry-After")
                .and_then(|seconds| seconds.parse::<u64>().ok());
            assert!(
                wait.is_some_and(|wait| wait <= WINDOW.as_secs()),
                "a 429 without a wait: {answer:?}"
            );
            Verdict::Slowed
        }
        _ => panic!("a wrong key was answered {answer:?}"),
    }
}

/// The owner of a right key asks on and on: from an address of its own, and from that of the attack.
fn own(server: &Server, over: &AtomicBool) -> (usize, Duration) {
    let elsewhere = server.client("fhir");
    let beside =
        client_from(server, Ipv4Addr::new(127, 0, 1, 1)).with_bearer(&server.credential("fhir").bearer);
    let (mut asked, mut slowest) = (0, Duration::ZERO);
    loop {
        for client in [&elsewhere, &beside] {
            let begin = Instant::now();
            client.get("/Patient?_count=1").send().expect(200);
            slowest = slowest.max(begin.elapsed());
            asked += 1;
        }
        if over.load(Ordering::SeqCst) {
            return (asked, slowest);
        }
    }
}

fn client_from(server: &Server, address: Ipv4Addr) -> Client {
    Client::at(&server.credential("fhir").url).from_address(address.into())
}

/// A key shaped like the right one: half of them with its prefix.
fn wrong_key(right: &str, guess: usize) -> String {
    let digits = format!("{guess:08}");
    let kept = right.len() - digits.len();
    let wrong = format!("{}{digits}", &right[..kept]);
    if guess.is_multiple_of(2) {
        return wrong;
    }
    // Another prefix: digits where the right one has whatever it has.
    match right.rfind('_') {
        Some(end) if end > digits.len() => {
            format!("{}{digits}{}", &right[..end - digits.len()], &right[end..])
        }
        _ => wrong,
    }
}
