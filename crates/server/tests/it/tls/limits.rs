//! What holds without TLS holds with it: deadlines, and a clean end.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use testkit::harness::{Context, Test};
use testkit::http::{AnswerBody, Failure};
use testkit::tests;
use testkit::wait::wait_for;

use super::*;

pub const TESTS: &[Test] = tests![
    handshake_headers_and_body_have_their_deadlines,
    t28_sigterm_finishes_what_was_accepted_and_ends_in_time,
];

/// How long the whole of each may take: the promise is 10 s, asserted at ten times that.
const DEADLINE: Duration = Duration::from_secs(100);

/// The status of the answer that comes without being asked for; `None` when the connection is closed instead.
fn status(mut open: Connection) -> Option<u16> {
    let mut response = Response::default();
    let received: Result<(), Failure> = open.receive(AnswerBody::Announced, &mut response);
    match received {
        Ok(()) => Some(response.status),
        Err(failure) if failure.timed_out => panic!("still open: {failure}"),
        Err(_) => None,
    }
}

fn handshake_headers_and_body_have_their_deadlines(context: &Context) {
    let (site, server) = shared_site(context);
    let started = Instant::now();
    let patient_ones = Timeouts {
        read: DEADLINE,
        ..Timeouts::default()
    };
    let open = || Connection::speaking(None, server.address(), patient_ones, Some(&site.nobody())).unwrap();
    std::thread::scope(|scope| {
        // Says nothing at all, and says half of a ClientHello.
        for half in [&b""[..], &[22, 3, 1, 0, 200, 1, 0]] {
            scope.spawn(move || {
                let mut silent = TcpStream::connect(server.address()).unwrap();
                silent.set_read_timeout(Some(DEADLINE)).unwrap();
                std::io::Write::write_all(&mut silent, half).unwrap();
                let mut answer = Vec::new();
                let ended = silent.read_to_end(&mut answer);
                assert!(
                    !ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
                    "still open after {DEADLINE:?}"
                );
            });
        }
        scope.spawn(|| {
            let mut slow = open();
            slow.send(b"GET /health/live HTTP/1.1\r\nHost").unwrap();
            assert!(matches!(status(slow), None | Some(408)));
        });
        scope.spawn(|| {
            let mut slow = open();
            let key = &server.credential("fhir").bearer;
            let head = format!(
                "POST /fhir/Patient HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Type: \
                 application/fhir+json\r\nContent-Length: 100\r\n\r\n{{"
            );
            slow.send(head.as_bytes()).unwrap();
            assert_eq!(status(slow), Some(408));
        });
    });
    assert!(started.elapsed() < DEADLINE);
    // Who was slow has not held up anybody.
    attempt(server, &site.nobody()).unwrap().expect(401);
}

fn t28_sigterm_finishes_what_was_accepted_and_ends_in_time(context: &Context) {
    let site = Site::new();
    let mut server = site.start(context);
    let tls = site.showing(&site.clients.client(&sas()));
    let value = unique();
    let body = account(MORVAN, &[(INTRN, &value)], true).to_string();
    let head = format!(
        "PUT /fhir/Practitioner?identifier={INTRN}%7C{value} HTTP/1.1\r\nHost: a\r\nContent-Type: \
         application/fhir+json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (begun, rest) = body.split_at(body.len() / 2);
    let mut accepted = connection(&server, &tls);
    accepted.send((head + begun).as_bytes()).unwrap();
    // Others who do nothing, with and without a handshake.
    let idle = connection(&server, &tls);
    let silent = TcpStream::connect(server.address()).unwrap();
    let sas = site.client(&server, &site.clients.client(&sas()));
    sas.get("/Practitioner/nobody").send().expect(404);
    let started = Instant::now();
    server.signal_terminate();
    wait_for(SOON, "the server to say that it stops", || {
        server
            .log()
            .contains("stopping: finishing what was accepted")
            .then_some(())
    });
    accepted.send(rest.as_bytes()).unwrap();
    let mut response = Response::default();
    accepted
        .receive(AnswerBody::Announced, &mut response)
        .expect("the answer");
    assert_eq!(response.status, 201, "{response:?}");
    assert!(server.wait().success());
    assert!(started.elapsed() < DEADLINE);
    drop((idle, silent));
}
