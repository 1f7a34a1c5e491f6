//! Who is let in, and who is refused before a request is read.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use testkit::harness::{Context, Test};
use testkit::http::{Connection, Timeouts};
use testkit::tests;
use testkit::tls::{Authority, Issued, Tls, Validity};
use testkit::wait::wait_for;

use super::*;

pub const TESTS: &[Test] = tests![
    t28_without_a_certificate_the_answer_is_a_readable_401_and_health_is_told,
    t28_a_wrong_certificate_is_refused_in_the_handshake_with_the_alert_that_names_it,
    who_shows_wrong_certificates_on_and_on_gets_no_handshake_unless_it_is_a_proxy,
    t28_tls_1_0_and_1_1_are_refused,
    t28_tls_1_2_and_1_3_with_the_right_certificate_push_an_account,
    a_certificate_of_an_intermediate_ca_is_taken_with_its_chain,
    no_session_is_taken_up_again_past_the_check_of_its_certificate,
    a_key_works_over_tls_as_it_does_without,
    http_1_1_is_chosen_and_http_2_alone_is_refused,
    plain_http_is_told_to_use_tls_on_the_port_of_tls,
    t12_mutated_handshakes_harm_nobody,
];

fn t28_without_a_certificate_the_answer_is_a_readable_401_and_health_is_told(context: &Context) {
    let (site, server) = shared_site(context);
    for version in BOTH {
        let tls = Tls::new(&[&site.servers], None, &[*version]);
        let text = text_of_401(attempt(server, &tls).unwrap());
        assert!(text.contains("client certificate"), "{text}");
        let client = server.anonymous().with_tls(&tls);
        client.get("/health/live").send().expect(200);
        client.get("/health/ready").send().expect(200);
        client.get("/fhir/metadata").send().expect(200);
    }
}

fn t28_a_wrong_certificate_is_refused_in_the_handshake_with_the_alert_that_names_it(context: &Context) {
    let site = Site::new();
    let revoked = site.clients.client(&sas());
    site.write("crl.pem", &site.clients.revoked(&[&revoked]));
    let server = site.start(context);
    // Of the same name as the right one: a name alone vouches for nobody.
    let namesake = Authority::new("CA of clients");
    let cases = [
        ("self-signed", Issued::self_signed(&sas()), "UnknownCA"),
        (
            "of another CA",
            Authority::new("Elsewhere").client(&sas()),
            "UnknownCA",
        ),
        // Its signature is not that of the known CA's key.
        ("of a CA's namesake", namesake.client(&sas()), "DecryptError"),
        (
            "expired",
            site.clients.client(&sas().valid(Validity::Over)),
            "CertificateExpired",
        ),
        (
            "not yet valid",
            site.clients.client(&sas().valid(Validity::ToCome)),
            "CertificateExpired",
        ),
        ("revoked", revoked, "CertificateRevoked"),
        ("a server's", site.clients.server(), "UnsupportedCertificate"),
    ];
    for (what, issued, alert) in &cases {
        for version in BOTH {
            let tls = Tls::new(&[&site.servers], Some((issued, &[])), &[*version]);
            let refused = attempt(&server, &tls).expect_err(what);
            assert!(refused.contains(alert), "{what}, {version:?}: {refused}");
        }
    }
    // Each is in the audit trail, and in the log with its reason.
    let count = format!("{}", cases.len() * BOTH.len());
    wait_for(SOON, "the refusals in the audit trail", || {
        let sql = "SELECT count(*) FROM audit WHERE door = 'tls' AND interaction = 'handshake' AND outcome = 'login'";
        (execute(&server, sql) == count).then_some(())
    });
    let log = server.log();
    for reason in [
        "of no CA that is trusted",
        "has expired",
        "is not valid yet",
        "is revoked",
    ] {
        assert!(log.contains(reason), "{reason}");
    }
    assert!(
        !log.contains(OU),
        "the log names the holder of a refused certificate"
    );
}

fn who_shows_wrong_certificates_on_and_on_gets_no_handshake_unless_it_is_a_proxy(context: &Context) {
    const LIMIT: usize = 100;
    let site = Site::new();
    for proxies in [None, Some("127.0.0.1")] {
        let settings = site.settings(context);
        let settings = match proxies {
            Some(proxies) => settings.argument("--trusted-proxies").argument(proxies),
            None => settings,
        };
        let server = settings.start();
        let tls = |issued: &Issued| Tls::new(&[&site.servers], Some((issued, &[])), &[Version::Tls12]);
        let (wrong, none) = (
            tls(&Issued::self_signed(&sas())),
            Tls::new(&[&site.servers], None, BOTH),
        );
        for number in 1..=LIMIT {
            let refused = attempt(&server, &wrong).expect_err("a wrong certificate");
            assert!(refused.contains("UnknownCA"), "{number}: {refused}");
        }
        // The client may know of a refusal before it is counted.
        wait_for(SOON, "the refusals to be counted", || {
            let told = server.log().matches("a client certificate was refused").count();
            (told == LIMIT).then_some(())
        });
        let (next, without) = (attempt(&server, &wrong), attempt(&server, &none));
        let said = next.expect_err("a wrong certificate");
        assert_eq!(said.contains("UnknownCA"), proxies.is_some(), "{said}");
        assert_eq!(without.is_ok(), proxies.is_some(), "{without:?}");
    }
}

/// The least that asks for a version of TLS, with these extensions.
fn client_hello(minor: u8, extensions: &[u8]) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    // No session; ECDHE-ECDSA-AES128-SHA, ECDHE-RSA-AES128-SHA, AES128-SHA; no compression.
    hello.extend([0, 0, 6, 0xc0, 0x09, 0xc0, 0x13, 0x00, 0x2f, 1, 0]);
    if !extensions.is_empty() {
        hello.extend([0, u8::try_from(extensions.len()).unwrap()]);
        hello.extend(extensions);
    }
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

fn t28_tls_1_0_and_1_1_are_refused(context: &Context) {
    let (_, server) = shared_site(context);
    // signature_algorithms and supported_groups, as a client of today sends them that is held to an old version.
    let of_today = [0, 13, 0, 6, 0, 4, 4, 3, 8, 4, 0, 10, 0, 4, 0, 2, 0, 23];
    const HANDSHAKE_FAILURE: u8 = 40;
    const PROTOCOL_VERSION: u8 = 70;
    for (minor, extensions, alerts) in [
        (1, &of_today[..], &[PROTOCOL_VERSION][..]),
        (2, &of_today, &[PROTOCOL_VERSION]),
        // As old clients send it.
        (1, &[], &[PROTOCOL_VERSION, HANDSHAKE_FAILURE]),
        (2, &[], &[PROTOCOL_VERSION, HANDSHAKE_FAILURE]),
    ] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&client_hello(minor, extensions)).unwrap();
        let mut answer = Vec::new();
        // The end of the connection may come as a reset.
        let _ = stream.read_to_end(&mut answer);
        // One fatal alert, and nothing else.
        let said = format!("TLS 1.{} {extensions:?}: {answer:?}", minor - 1);
        assert_eq!(
            (answer.first(), answer.get(5), answer.len()),
            (Some(&21), Some(&2), 7),
            "{said}"
        );
        assert!(alerts.contains(&answer[6]), "{said}");
    }
}

fn t28_tls_1_2_and_1_3_with_the_right_certificate_push_an_account(context: &Context) {
    let (site, server) = shared_site(context);
    let issued = site.clients.client(&sas());
    for version in BOTH {
        let tls = Tls::new(&[&site.servers], Some((&issued, &[])), &[*version]);
        let client = fhir(server).with_tls(&tls);
        let value = unique();
        let body = account(MORVAN, &[(INTRN, &value)], true);
        let created = put_account(&client, (INTRN, &value), &body).expect(201);
        let location = created.header("location").unwrap();
        let base = format!("https://{}/fhir/Practitioner/", server.address());
        assert!(location.starts_with(&base), "{location}");
        put_account(&client, (INTRN, &value), &body).expect(200);
        client.get(location).send().expect(200);
        // It is the regulators' client and nobody else.
        refused(client.get("/Patient?identifier=a|b").send(), 403, "forbidden");
    }
}

fn a_certificate_of_an_intermediate_ca_is_taken_with_its_chain(context: &Context) {
    let site = Site::new();
    let between = site.clients.below("Intermediate CA");
    let lists = site.clients.revoked(&[]) + &between.revoked(&[]);
    site.write("crl.pem", &lists);
    let server = site.start(context);
    let issued = between.client(&sas());
    let with_chain = Tls::new(&[&site.servers], Some((&issued, &[&between])), BOTH);
    attempt(&server, &with_chain).unwrap().expect(404);
    let without = attempt(&server, &site.showing(&issued)).unwrap_err();
    assert!(without.contains("UnknownCA"), "{without}");
    // Whoever does not send it is known by the operator's file.
    site.write("ca.pem", &(site.clients.pem() + &between.pem()));
    server.signal_hangup();
    wait_for(SOON, "the intermediate CA to be trusted", || {
        attempt(&server, &site.showing(&issued)).is_ok().then_some(())
    });
}

fn no_session_is_taken_up_again_past_the_check_of_its_certificate(context: &Context) {
    let (site, server) = shared_site(context);
    let issued = site.clients.client(&sas());
    for version in BOTH {
        let tls = Tls::new(&[&site.servers], Some((&issued, &[])), &[*version]);
        for _ in 0..3 {
            // The answer brings along whatever tickets there are.
            attempt(server, &tls).unwrap().expect(404);
            assert!(!connection(server, &tls).is_resumed(), "{version:?}");
        }
    }
}

fn a_key_works_over_tls_as_it_does_without(context: &Context) {
    let (site, server) = shared_site(context);
    let client = server.client("fhir");
    let created = client
        .post("/Patient")
        .json(&patient(&unique()))
        .send()
        .expect(201);
    let location = created.header("location").unwrap();
    assert!(location.starts_with("https://"), "{location}");
    let page = client.get("/Patient?_count=1").send().expect(200).json();
    assert!(link(&page, "self").unwrap().starts_with("https://"), "{page}");
    refused(
        server
            .anonymous()
            .with_tls(&site.nobody())
            .with_bearer("sk_test_no_key")
            .get("/fhir/Patient/a")
            .send(),
        401,
        "login",
    );
}

fn http_1_1_is_chosen_and_http_2_alone_is_refused(context: &Context) {
    let (site, server) = shared_site(context);
    let offering = |protocols: &[&[u8]]| Tls::offering(&[&site.servers], None, BOTH, protocols);
    let both = connection(server, &offering(&[b"h2", b"http/1.1"]));
    assert_eq!(both.protocol().as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(connection(server, &offering(&[])).protocol(), None);
    let h2 = offering(&[b"h2"]);
    let refused = Connection::speaking(None, server.address(), Timeouts::default(), Some(&h2)).unwrap_err();
    assert!(refused.message.contains("NoApplicationProtocol"), "{refused}");
}

fn plain_http_is_told_to_use_tls_on_the_port_of_tls(context: &Context) {
    let (_, server) = shared_site(context);
    let plain = Client::new(server.address());
    let answer = refused(plain.get("/fhir/metadata").send(), 400, "security");
    assert!(answer.issues()[0].text.contains("https://"), "{answer:?}");
    let created = plain.post("/fhir/Patient").json(&patient(&unique())).send();
    refused(created, 400, "security");
}

fn t12_mutated_handshakes_harm_nobody(context: &Context) {
    let (site, server) = shared_site(context);
    let mut random = context.random();
    let whole = client_hello(3, &[0, 13, 0, 6, 0, 4, 4, 3, 8, 4]);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(6) {
            let place = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[place] = random.bits() as u8,
                1 => bytes.truncate(place.max(1)),
                _ => bytes.insert(place, random.bits() as u8),
            }
        }
        let mut stream = TcpStream::connect(server.address()).unwrap();
        // It may be refused before all of it was sent.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "left open: {bytes:?}");
        }
    }
    attempt(server, &site.nobody()).unwrap().expect(401);
    assert!(!server.log().contains("panicked"));
}
