//! New files are taken up while the server runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use testkit::harness::{Context, Test};
use testkit::http::{AnswerBody, Connection};
use testkit::tests;
use testkit::tls::{Authority, Subject, Validity};
use testkit::wait::wait_for;

use super::*;

pub const TESTS: &[Test] = tests![
    t28_a_reload_under_load_drops_no_connection,
    t28_what_is_revoked_while_a_connection_is_open_is_refused_on_it,
];

pub const SQLITE: &[Test] = tests![
    changed_files_are_taken_up_without_a_signal,
    a_wrong_new_file_changes_nothing_and_the_log_names_it,
    a_certificate_that_ends_while_its_connection_is_open_is_refused_on_it,
];

/// Ten times what it takes until changed files are looked at.
const LOOKED: Duration = Duration::from_secs(25);

/// One conditional PUT on an open connection; the account is the same every time.
fn push(connection: &mut Connection, value: &str) -> u16 {
    let body = account(MORVAN, &[(INTRN, value)], true).to_string();
    let request = format!(
        "PUT /fhir/Practitioner?identifier={INTRN}%7C{value} HTTP/1.1\r\nHost: a\r\nContent-Type: \
         application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    send(connection, &request)
}

/// One read on an open connection of somebody who is not there: 404 to who is known.
fn look(connection: &mut Connection) -> u16 {
    send(
        connection,
        "GET /fhir/Practitioner/nobody HTTP/1.1\r\nHost: a\r\n\r\n",
    )
}

fn send(connection: &mut Connection, request: &str) -> u16 {
    let mut response = Response::default();
    connection
        .exchange(request.as_bytes(), AnswerBody::Announced, &mut response)
        .expect("an answer on an open connection");
    assert!(
        connection.is_open(),
        "the server closes a connection that it should keep"
    );
    response.status
}

fn t28_a_reload_under_load_drops_no_connection(context: &Context) {
    const KEPT: usize = 6;
    const RELOADS: usize = 4;
    let site = Site::new();
    let server = site.start(context);
    let tls = site.showing(&site.clients.client(&sas()));
    let (is_over, pushed, opened) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // Some send on one connection all the time, some open a new one for each request.
        for number in 0..KEPT {
            let (tls, server, is_over, pushed, opened) = (&tls, &server, &is_over, &pushed, &opened);
            scope.spawn(move || {
                let value = format!("reload-{number}");
                let mut kept = connection(server, tls);
                while !is_over.load(Ordering::Relaxed) {
                    assert!(matches!(push(&mut kept, &value), 200 | 201));
                    pushed.fetch_add(1, Ordering::Relaxed);
                    if number % 2 == 0 {
                        kept = connection(server, tls);
                        opened.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for round in 1..=RELOADS {
            let before = (pushed.load(Ordering::Relaxed), opened.load(Ordering::Relaxed));
            let issued = site.renew_server();
            site.write("crl.pem", &site.clients.revoked(&[]));
            server.signal_hangup();
            wait_for(SOON, "the new certificate of the server", || {
                let shown = connection(&server, &tls).server_certificate();
                (shown.as_deref() == Some(issued.certificate.as_ref())).then_some(())
            });
            wait_for(LOOKED, "load before and after the reload", || {
                let now = (pushed.load(Ordering::Relaxed), opened.load(Ordering::Relaxed));
                (now.0 > before.0 + 2 * KEPT && now.1 > before.1 + KEPT).then_some(())
            });
            assert!(server.log().matches("read again and are in force").count() >= round);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let found = found(
        &site.client(&server, &site.clients.client(&sas())),
        "Practitioner",
        (INTRN, "reload-0"),
    );
    assert_eq!(found.len(), 1);
}

fn t28_what_is_revoked_while_a_connection_is_open_is_refused_on_it(context: &Context) {
    let site = Site::new();
    let server = site.start(context);
    let (kept, gone) = (site.clients.client(&sas()), site.clients.client(&sas()));
    let mut connections = [
        connection(&server, &site.showing(&kept)),
        connection(&server, &site.showing(&gone)),
    ];
    let mut both = || connections.each_mut().map(look);
    assert_eq!(both(), [404, 404]);
    site.write("crl.pem", &site.clients.revoked(&[&gone]));
    server.signal_hangup();
    wait_for(SOON, "the revocation to be in force", || match both() {
        [404, 401] => Some(()),
        [404, 404] => None,
        other => panic!("{other:?}"),
    });
    let refused = attempt(&server, &site.showing(&gone)).unwrap_err();
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    // The list is taken back, and so is the refusal.
    site.write("crl.pem", &site.clients.revoked(&[]));
    server.signal_hangup();
    wait_for(SOON, "the revocation to be taken back", || {
        (both() == [404, 404]).then_some(())
    });
}

fn changed_files_are_taken_up_without_a_signal(context: &Context) {
    let site = Site::new();
    let server = site.start(context);
    let other = Authority::new("Another CA of clients");
    let (before, after) = (site.clients.client(&sas()), other.client(&sas()));
    attempt(&server, &site.showing(&before)).unwrap().expect(404);
    attempt(&server, &site.showing(&after)).unwrap_err();
    site.write("ca.pem", &other.pem());
    site.write("crl.pem", &other.revoked(&[]));
    wait_for(LOOKED, "the other CA to be trusted", || {
        // Seldom: an address whose certificates are refused a hundred times a minute gets no handshake.
        std::thread::sleep(std::time::Duration::from_millis(500));
        attempt(&server, &site.showing(&after)).is_ok().then_some(())
    });
    attempt(&server, &site.showing(&before)).unwrap_err();
}

fn a_wrong_new_file_changes_nothing_and_the_log_names_it(context: &Context) {
    let site = Site::new();
    let server = site.start(context);
    let issued = site.clients.client(&sas());
    let shown = || connection(&server, &site.showing(&issued)).server_certificate();
    let in_force = shown();
    for (name, setting, content) in [
        ("server.pem", "tls-certificate", "no certificate".to_owned()),
        // Of another key.
        ("server.pem", "tls-key", site.servers.server().pem),
        ("server.key", "tls-key", String::new()),
        ("ca.pem", "tls-client-ca", issued.key_pem.clone()),
        ("crl.pem", "tls-client-crl", site.clients.pem()),
    ] {
        let right = std::fs::read_to_string(site.path(name)).unwrap();
        let before = server.log().len();
        site.write(name, &content);
        let line = wait_for(LOOKED, "the wrong file in the log", || {
            let log = server.log();
            let line = log[before..]
                .lines()
                .find(|line| line.contains("stay in force as they were"))?;
            Some(line.to_owned())
        });
        assert!(line.contains(setting) && line.contains(name), "{line}");
        assert!(!line.contains("PRIVATE"), "{line}");
        assert_eq!(shown(), in_force);
        attempt(&server, &site.showing(&issued)).unwrap().expect(404);
        let before = server.log().len();
        site.write(name, &right);
        wait_for(LOOKED, "the right file to be in force", || {
            server.log()[before..]
                .contains("read again and are in force")
                .then_some(())
        });
    }
}

fn a_certificate_that_ends_while_its_connection_is_open_is_refused_on_it(context: &Context) {
    let site = Site::new();
    let server = site.start(context);
    let short = Subject::new(CN, OU).valid(Validity::For(Duration::from_secs(12)));
    let mut open = connection(&server, &site.showing(&site.clients.client(&short)));
    assert_eq!(look(&mut open), 404);
    wait_for(
        Duration::from_secs(120),
        "the end of the certificate",
        || match look(&mut open) {
            404 => None,
            401 => Some(()),
            other => panic!("{other}"),
        },
    );
}
