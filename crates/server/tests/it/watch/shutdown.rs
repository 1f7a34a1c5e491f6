//! T33: the end under load. What was accepted is answered, readiness turns red first, slow clients delay nothing for long.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::postgres::Postgres;
use testkit::proxy::{Direction, Mode, Proxy};
use testkit::server::Server;
use testkit::tests;
use testkit::wait::{poll, wait_for};

pub const TESTS: &[Test] = tests![t33_sigterm_under_load_loses_no_accepted_request];

/// Tests that need a database that can hang.
pub const POSTGRES: &[Test] = tests![t33_a_database_that_hangs_does_not_hold_up_the_end];

/// Whoever is written in a round.
const FAMILIES: [&str; 2] = ["Vorletzter", "Letzter"];
const WRITERS: usize = 6;
const READERS: usize = 4;
const SLOW: usize = 3;
/// What is promised, here too: most of it are timers, which add up to less (`app::Settings::longest_end`), and take no longer on a noisy
/// machine.
const LONGEST_END: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(30);

/// Whether clients are there that never finish what they send.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drippers {
    None,
    Some,
}

fn t33_sigterm_under_load_loses_no_accepted_request(context: &Context) {
    let mut server = context.settings().admin().start();
    for (round, drippers) in [Drippers::None, Drippers::Some].into_iter().enumerate() {
        let written = one_end(&mut server, round, drippers);
        assert!(written > WRITERS, "there was no load: {written} writes");
        server.restart();
        let fhir = server.client("fhir");
        let query = format!("/Patient?_summary=count&family={}", FAMILIES[round]);
        let total = fhir.get(query).send().expect(200).json()["total"]
            .as_u64()
            .unwrap() as usize;
        assert!(total >= written, "{written} were acknowledged, {total} are there");
    }
}

fn t33_a_database_that_hangs_does_not_hold_up_the_end(context: &Context) {
    let database = Postgres::shared().fresh_database();
    let proxy = Proxy::before_postgres();
    let url = database.url_through(proxy.folder());
    let mut server = context.settings().database_url(&url).admin().start();
    let fhir = server.client("fhir");
    fhir.post("/Patient")
        .json(&somebody(0, "before"))
        .send()
        .expect(201);
    for direction in [Direction::ToServer, Direction::ToClient] {
        proxy.set(direction, Mode::Swallow);
    }
    let took = thread::scope(|scope| {
        let asked: Vec<_> = (0..READERS)
            .map(|_| {
                let client = fhir.clone();
                scope.spawn(move || client.get("/Patient?_count=5").send().status)
            })
            .collect();
        let in_flight = || {
            let ready = server.admin().get("/health/ready").send().status;
            (ready == 503).then_some(())
        };
        wait_for(LIMIT, "the database to be missed", in_flight);
        // However many ask, the database is asked once, and it is told once.
        let anybody = server.anonymous();
        let told = testkit::race::race(8, |_| anybody.clone().get("/health/ready").send().status);
        assert_eq!(told, [503; 8]);
        let log = server.log();
        assert_eq!(log.matches("not ready").count(), 1, "{log}");
        // Nor do both at once: a client that never finishes, and what it was to be written to.
        let client = fhir.clone();
        scope.spawn(move || dripped(&client, somebody(0, "endless"), Duration::from_secs(5)));
        let dripping = || super::scrape(&server).value("passerelle_http_in_flight") >= 1.0;
        wait_for(LIMIT, "the slow request", || dripping().then_some(()));
        let started = Instant::now();
        server.terminate();
        let took = started.elapsed();
        for asked in asked {
            assert_eq!(asked.join().unwrap(), 503);
        }
        took
    });
    eprintln!("ended within {took:?}");
    assert!(took <= LONGEST_END, "the end took {took:?}");
}

/// Ends the server under load; how many writes it has acknowledged.
fn one_end(server: &mut Server, round: usize, drippers: Drippers) -> usize {
    let fhir = server.client("fhir");
    let (admin, address) = (server.admin(), server.address());
    let (told, busy) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (client, busy) = (fhir.clone(), &busy);
                scope.spawn(move || {
                    until_told_to_close(&client, |client, turn| {
                        busy.store(turn > 2, Ordering::Relaxed);
                        client
                            .post("/Patient")
                            .json(&somebody(round, &format!("{writer}-{turn}")))
                    })
                })
            })
            .collect();
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let client = fhir.clone();
                scope.spawn(move || until_told_to_close(&client, |client, _| client.get("/Patient?_count=5")))
            })
            .collect();
        wait_for(LIMIT, "the load", || busy.load(Ordering::Relaxed).then_some(()));
        // Their requests are under way when the signal comes, and end a second or two after it.
        let slow: Vec<_> = (0..SLOW)
            .map(|number| {
                let client = fhir.clone();
                scope.spawn(move || {
                    dripped(
                        &client,
                        somebody(round, &format!("slow-{number}")),
                        Duration::from_millis(150),
                    )
                })
            })
            .collect();
        if drippers == Drippers::Some {
            for number in 0..SLOW {
                let client = fhir.clone();
                // Cut off, refused as too slow: whatever becomes of a request that is never whole.
                scope.spawn(move || {
                    dripped(
                        &client,
                        somebody(round, &format!("endless-{number}")),
                        Duration::from_secs(5),
                    )
                });
            }
        }
        let in_flight = || super::scrape(server).value("passerelle_http_in_flight");
        wait_for(LIMIT, "slow requests under way", || {
            (in_flight() >= SLOW as f64).then_some(())
        });
        let red = scope.spawn(move || turned_red(&admin));
        let told = &told;
        let shut = scope.spawn(move || refused(address, told));
        let started = Instant::now();
        server.signal_terminate();
        told.store(true, Ordering::Release);
        let status = server.wait();
        let took = started.elapsed();
        eprintln!("round {round}: ended within {took:?}");
        assert!(status.success(), "{status}");
        let log = server.log();
        assert!(!log.contains("ERROR"), "a clean end logs an error:\n{log}");
        assert!(took <= LONGEST_END, "the end took {took:?}");
        let (red, shut) = (red.join().unwrap(), shut.join().unwrap());
        let (red, shut) = (
            red.expect("readiness turned red"),
            shut.expect("the door was shut"),
        );
        assert!(
            red <= shut,
            "new connections were refused before readiness was red"
        );
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
        let slow: Vec<u16> = slow
            .into_iter()
            .map(|slow| slow.join().unwrap().expect("an answer").status)
            .collect();
        assert_eq!(slow, [201; SLOW]);
        SLOW + writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum::<usize>()
    })
}

/// When readiness turned red.
fn turned_red(admin: &Client) -> Option<Instant> {
    poll(LIMIT, || {
        let answer = admin.get("/health/ready").try_send().ok()?;
        (answer.status == 503).then(Instant::now)
    })
}

/// When connections were refused, once the server was told to end.
fn refused(address: SocketAddr, told: &AtomicBool) -> Option<Instant> {
    poll(LIMIT, || {
        let refused = told.load(Ordering::Acquire) && TcpStream::connect(address).is_err();
        refused.then(Instant::now)
    })
}

/// Sends one request after the other on one connection until the server announces its end. All are answered.
fn until_told_to_close<'c>(
    client: &'c Client,
    request: impl Fn(&'c Client, usize) -> testkit::http::Request<'c>,
) -> usize {
    for turn in 0.. {
        let answer = request(client, turn).try_send();
        let answer = answer.unwrap_or_else(|failure| panic!("request {turn} was not answered: {failure}"));
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        if answer.header("Connection") == Some("close") {
            return turn + 1;
        }
    }
    unreachable!("an endless range")
}

/// A create whose body arrives in ten pieces.
fn dripped(client: &Client, body: Value, pause: Duration) -> Option<Response> {
    let body = body.to_string();
    let piece = body.len().div_ceil(10);
    let request = client
        .post("/Patient")
        .header("Content-Type", "application/fhir+json");
    request.dripping(body, piece, pause).try_send().ok()
}

fn somebody(round: usize, given: &str) -> Value {
    json!({ "resourceType": "Patient", "name": [{ "family": FAMILIES[round], "given": [given] }] })
}
