//! What is told to whom when something stands still: the database, or the server itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::harness::{Context, Suite};
use testkit::http::Response;
use testkit::postgres::Postgres;
use testkit::proxy::{Direction, Mode, Proxy};
use testkit::race::race;
use testkit::server::Backend;
use testkit::tests;
use testkit::torture::Subject;
use testkit::wait::wait_for;

/// Adds every test of this file.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(tests![a_server_that_stood_still_does_not_blame_its_database])
        .postgres(tests![a_write_given_up_in_the_dark_is_never_done_later])
}

/// Clients at once.
const CLIENTS: u64 = 6;
/// Clients that ask at once, so that each connection of the pool is made, and how often.
const CONNECTIONS: usize = 16;
const WARMING: usize = 3;
/// Writes of each client after the return.
const LATER: u64 = 20;
/// Longer than a request waits for a database that answers nobody.
const STANDSTILL: Duration = Duration::from_millis(2_500);
/// How long an answer takes from a database that is far away.
const FAR: Duration = Duration::from_millis(20);
const LIMIT: Duration = Duration::from_secs(60);

/// A write that was answered 503 because the database did not answer holds a connection on which nothing has begun. When
/// that connection ends, perhaps half a minute later, the client has long sent something newer.
fn a_write_given_up_in_the_dark_is_never_done_later(context: &Context) {
    let database = Postgres::shared().fresh_database();
    let proxy = Proxy::before_postgres();
    let url = database.url_through(proxy.folder());
    let server = context.settings().database_url(&url).start();
    let fhir = server.client("fhir");
    let ids: Vec<String> = (0..CLIENTS)
        .map(|number| {
            let created = fhir
                .post("/Practitioner")
                .json(&Subject::Practitioner.body_called(number, "before"))
                .send();
            created.expect(201).json()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let put = |number: usize, text: &str| {
        let mut body = Subject::Practitioner.body_called(number as u64, text);
        body["id"] = ids[number].clone().into();
        answered(
            &fhir
                .clone()
                .put(format!("/Practitioner/{}", ids[number]))
                .json(&body)
                .send(),
        )
    };
    for _ in 0..WARMING {
        race(CONNECTIONS, |_| {
            fhir.clone().get("/Practitioner?_count=1").send().expect(200)
        });
    }
    for direction in [Direction::ToServer, Direction::ToClient] {
        proxy.set(direction, Mode::Swallow);
    }
    let told: BTreeSet<u16> = race(ids.len(), |number| put(number, "given up").0)
        .into_iter()
        .collect();
    assert_eq!(told, BTreeSet::from([503]));
    proxy.come_back();
    wait_for(LIMIT, "the database to be back", || {
        (put(0, "newer").0 == 200).then_some(())
    });
    for number in 1..ids.len() {
        assert_eq!(put(number, "newer"), (200, 2));
    }
    // Those that hang are idle here: what they asked has never arrived.
    let name = database.name();
    let ended = Postgres::shared().query(
        "postgres",
        &format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"),
    );
    let ended: u64 = ended.trim().parse().unwrap();
    assert!(ended >= CLIENTS, "only {ended} connections were there");
    for turn in 0..LATER {
        for number in 0..ids.len() {
            let pushed = put(number, &format!("later {turn}"));
            assert_eq!(
                pushed,
                (200, turn + 3),
                "practitioner {number}: somebody else has written"
            );
        }
    }
}

/// The status of a write and the version it made.
fn answered(answer: &Response) -> (u16, u64) {
    let version = if matches!(answer.status, 200 | 201) {
        answer.version()
    } else {
        0
    };
    (answer.status, version)
}

/// A machine is moved, or its disk is copied, and everything on it stands still for seconds. What was on its way then is
/// answered as if nothing had been.
fn a_server_that_stood_still_does_not_blame_its_database(context: &Context) {
    let far = (context.backend() == Backend::Postgres)
        .then(|| (Postgres::shared().fresh_database(), Proxy::before_postgres()));
    let settings = match &far {
        Some((database, proxy)) => context
            .settings()
            .database_url(&database.url_through(proxy.folder())),
        None => context.settings(),
    };
    let server = settings.start();
    // Each answer takes a while, so that there is one to wait for when the standstill is over.
    if let Some((_, proxy)) = &far {
        proxy.set(Direction::ToClient, Mode::Delay(FAR));
    }
    let (sas, fhir) = (server.client("sas"), server.client("fhir"));
    let (over, asked) = (&AtomicBool::new(false), &AtomicUsize::new(0));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (sas, fhir) = (sas.clone(), fhir.clone());
                scope.spawn(move || {
                    let mut refused = Vec::new();
                    let mut turn = 0;
                    while !over.load(Ordering::SeqCst) {
                        turn += 1;
                        let by = Subject::Account.named(number);
                        let pushed = sas
                            .put(format!("/Practitioner?{}", by.criterion()))
                            .json(&Subject::Account.body_called(number, &format!("turn {turn}")))
                            .send();
                        let found = fhir.get("/Practitioner?_count=1").send();
                        let answers = [pushed, found].into_iter();
                        refused.extend(answers.filter(|answer| !matches!(answer.status, 200 | 201)));
                        asked.fetch_add(1, Ordering::SeqCst);
                    }
                    refused
                })
            })
            .collect();
        for _ in 0..3 {
            let before = asked.load(Ordering::SeqCst);
            let busy = || (asked.load(Ordering::SeqCst) >= before + 8).then_some(());
            wait_for(LIMIT, "requests to be answered", busy);
            server.signal_stop();
            let ends = Instant::now() + STANDSTILL;
            wait_for(LIMIT, "the standstill to end", || {
                (Instant::now() >= ends).then_some(())
            });
            server.signal_continue();
        }
        let before = asked.load(Ordering::SeqCst);
        let busy = || (asked.load(Ordering::SeqCst) >= before + 8).then_some(());
        wait_for(LIMIT, "requests to be answered", busy);
        over.store(true, Ordering::SeqCst);
        let refused: Vec<Response> = clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client"))
            .collect();
        assert!(refused.is_empty(), "refused: {refused:?}\n{}", server.log());
    });
}
