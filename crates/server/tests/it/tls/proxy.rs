//! The same identity from a proxy in front, and from nobody else.

use testkit::harness::{Context, Test};
use testkit::http::{Request, percent_encode};
use testkit::tests;
use testkit::tls::{Authority, Subject, Validity};

use super::*;

pub const TESTS: &[Test] = tests![
    a_trusted_proxy_tells_who_the_client_is,
    what_is_wrong_with_a_passed_on_certificate_is_said,
    t28_a_forged_header_from_elsewhere_is_not_looked_at,
    over_tls_a_forged_header_does_not_replace_the_certificate,
    without_a_ca_the_proxys_word_is_taken_within_the_certificates_time,
];

const HEADER: &str = "X-Client-Cert";

/// Behind a proxy at `proxies`, without TLS of its own.
fn behind(site: &Site, context: &Context, proxies: &str) -> Settings {
    let file = |name: &str| site.path(name).to_str().unwrap().to_owned();
    context
        .settings()
        .argument("--client-certificate-header")
        .argument(HEADER)
        .argument("--trusted-proxies")
        .argument(proxies)
        .argument("--tls-client-ca")
        .argument(&file("ca.pem"))
        .argument("--tls-client-crl")
        .argument(&file("crl.pem"))
}

/// As nginx writes `$ssl_client_escaped_cert`.
fn escaped(issued: &Issued) -> String {
    percent_encode(&issued.pem)
}

/// What lies between the lines of PEM.
fn base64(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

/// A server behind a proxy, for the page of errors.
pub struct Certified {
    site: Site,
    server: Server,
    client: Client,
}

impl Certified {
    /// At which the regulators' platform is known.
    pub fn start(context: &Context) -> Certified {
        let site = Site::new();
        let server = behind(&site, context, "127.0.0.1").start();
        know_sas(&server);
        let issued = site.clients.client(&sas());
        let client = fhir(&server);
        let known = client.clone().with_header(HEADER, escaped(&issued));
        wait_until_known(&known, "/Practitioner/nobody");
        Certified { site, server, client }
    }

    /// What each certificate that is refused is told.
    pub fn cases(&self) -> Vec<(&'static str, Request<'_>)> {
        let Certified { site, server, client } = self;
        let ca = &site.clients;
        let between = ca.below("Intermediate CA");
        let revoked = ca.client(&sas());
        site.write("crl.pem", &ca.revoked(&[&revoked]));
        server.signal_hangup();
        wait_for(SOON, "the list to be in force", || {
            server.log().contains("read again and are in force").then_some(())
        });
        let bare = || client.get("/Practitioner/nobody");
        let shown = |issued: &Issued| bare().header(HEADER, escaped(issued));
        let chain = percent_encode(&(between.client(&sas()).pem + &between.pem()));
        let other_key = format!("Bearer {}", server.credential("fhir").bearer);
        let issuer = Subject::new("other.example", OU);
        let described = ["--cn", "other.example", "--ou", OU, "--issuer", "CN=another CA"];
        let mut arguments = vec!["client", "certificate", "add", "demo-fhir"];
        arguments.extend(described);
        server.command(&arguments);
        let by_issuer = shown(&ca.client(&issuer));
        wait_for(SOON, "the other certificate to be known", || {
            std::thread::sleep(Duration::from_millis(60));
            by_issuer.clone().send().text().contains("issuer").then_some(())
        });
        vec![
            ("show no certificate", bare()),
            ("show what is no certificate", bare().header(HEADER, "nothing")),
            (
                "let a proxy name two certificates",
                shown(&revoked).header(HEADER, "other"),
            ),
            (
                "show a certificate of an unknown CA",
                shown(&Issued::self_signed(&sas())),
            ),
            (
                "show an expired certificate",
                shown(&ca.client(&sas().valid(Validity::Over))),
            ),
            (
                "show a certificate too early",
                shown(&ca.client(&sas().valid(Validity::ToCome))),
            ),
            ("show a revoked certificate", shown(&revoked)),
            (
                "show a certificate of a CA without a list",
                bare().header(HEADER, chain),
            ),
            ("show a server's certificate", shown(&ca.server())),
            (
                "show a certificate of an unknown CN",
                shown(&ca.client(&Subject::new("x.example", OU))),
            ),
            (
                "show a certificate of another OU",
                shown(&ca.client(&Subject::new(CN, "1"))),
            ),
            ("show a certificate of another issuer", by_issuer),
            (
                "show a certificate beside another client's key",
                shown(&ca.client(&sas())).header("Authorization", other_key),
            ),
        ]
    }
}

fn a_trusted_proxy_tells_who_the_client_is(context: &Context) {
    let site = Site::new();
    let between = site.clients.below("Intermediate CA");
    site.write("crl.pem", &(site.clients.revoked(&[]) + &between.revoked(&[])));
    let server = behind(&site, context, "127.0.0.0/8").start();
    know_sas(&server);
    let issued = site.clients.client(&sas());
    let passed_on = |value: &str| fhir(&server).with_header(HEADER, value);
    wait_until_known(&passed_on(&escaped(&issued)), "/Practitioner/nobody");
    let value = unique();
    let body = account(MORVAN, &[(INTRN, &value)], true);
    put_account(&passed_on(&escaped(&issued)), (INTRN, &value), &body).expect(201);
    // As other proxies write it: `+`, `/` and `=` as they are; base64 between colons (RFC 9440).
    let as_amazon = issued.pem.replace('\n', "%0A").replace(' ', "%20");
    put_account(&passed_on(&as_amazon), (INTRN, &value), &body).expect(200);
    put_account(
        &passed_on(&format!(":{}:", base64(&issued.pem))),
        (INTRN, &value),
        &body,
    )
    .expect(200);
    // A chain, in one value or as the standard says only under its own name.
    let below = between.client(&sas());
    let chain = percent_encode(&(below.pem.clone() + &between.pem()));
    put_account(&passed_on(&chain), (INTRN, &value), &body).expect(200);
    let standard = passed_on(&format!(":{}:", base64(&below.pem)))
        .with_header("Client-Cert-Chain", format!(":{}:", base64(&between.pem())));
    put_account(&standard, (INTRN, &value), &body).expect(200);
    // None was shown to the proxy.
    let said = text_of_401(passed_on("").get("/Practitioner/nobody").send());
    assert!(said.starts_with("No credential"), "{said}");
    server.client("fhir").get("/Patient/nobody").send().expect(404);
}

fn what_is_wrong_with_a_passed_on_certificate_is_said(context: &Context) {
    let site = Site::new();
    let revoked = site.clients.client(&sas());
    site.write("crl.pem", &site.clients.revoked(&[&revoked]));
    let server = behind(&site, context, "127.0.0.1").start();
    know_sas(&server);
    let right = escaped(&site.clients.client(&sas()));
    let passed_on = |value: &str| fhir(&server).with_header(HEADER, value);
    wait_until_known(&passed_on(&right), "/Practitioner/nobody");
    let ask = |value: &str| text_of_401(passed_on(value).get("/Practitioner/nobody").send());
    for (value, expected) in [
        (
            escaped(&Authority::new("Elsewhere").client(&sas())),
            "of no CA that is trusted",
        ),
        (escaped(&Issued::self_signed(&sas())), "of no CA that is trusted"),
        (
            escaped(&site.clients.client(&sas().valid(Validity::Over))),
            "has expired",
        ),
        (
            escaped(&site.clients.client(&sas().valid(Validity::ToCome))),
            "is not valid yet",
        ),
        (escaped(&revoked), "is revoked"),
        (
            escaped(&site.clients.client(&Subject::new("x.example", OU))),
            "check the CN",
        ),
        (
            escaped(&site.clients.client(&Subject::new(CN, "1"))),
            "Check the OU",
        ),
        ("CN=sas.sante.example".to_owned(), "cannot be read"),
        ("%".to_owned(), "cannot be read"),
        (right[..right.len() / 2].to_owned(), "cannot be read"),
        (":AAAA:".to_owned(), "cannot be read"),
        ("::".to_owned(), "cannot be read"),
    ] {
        let said = ask(&value);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // A proxy that adds its line to the client's own.
    let client = fhir(&server);
    let twice = client
        .get("/Practitioner/nobody")
        .header(HEADER, &right)
        .header(HEADER, &right);
    let said = text_of_401(twice.send());
    assert!(said.contains("More than one"), "{said}");
}

fn t28_a_forged_header_from_elsewhere_is_not_looked_at(context: &Context) {
    let site = Site::new();
    // This test's own address is none of a proxy.
    let server = behind(&site, context, "192.0.2.7,10.0.0.0/8").start();
    know_sas(&server);
    let issued = site.clients.client(&sas());
    let forged = fhir(&server)
        .with_header(HEADER, escaped(&issued))
        .with_header("X-Forwarded-For", "192.0.2.7")
        .with_header("Forwarded", "for=192.0.2.7");
    let bare = fhir(&server);
    let key = server.credential("sas").bearer.clone();
    // The key of the client works beside it all the same, and that of another: nobody reads the header.
    let other = server.credential("fhir").bearer.clone();
    forged
        .clone()
        .with_bearer(&key)
        .get("/Practitioner/nobody")
        .send()
        .expect(404);
    forged
        .clone()
        .with_bearer(&other)
        .get("/Practitioner/nobody")
        .send()
        .expect(404);
    let said = text_of_401(forged.get("/Practitioner/nobody").send());
    assert_eq!(said, text_of_401(bare.get("/Practitioner/nobody").send()));
}

fn over_tls_a_forged_header_does_not_replace_the_certificate(context: &Context) {
    let site = Site::new();
    let server = site
        .settings(context)
        .argument("--client-certificate-header")
        .argument(HEADER)
        .argument("--trusted-proxies")
        .argument("192.0.2.7")
        .start();
    know_sas(&server);
    let (own, forged) = (
        site.clients.client(&Subject::new("x.example", OU)),
        site.clients.client(&sas()),
    );
    wait_until_known(&site.client(&server, &forged), "/Practitioner/nobody");
    let answer = site.client(&server, &own).with_header(HEADER, escaped(&forged));
    let said = text_of_401(answer.get("/Practitioner/nobody").send());
    assert!(said.contains("check the CN"), "{said}");
}

fn without_a_ca_the_proxys_word_is_taken_within_the_certificates_time(context: &Context) {
    let server = context
        .settings()
        .argument("--client-certificate-header")
        .argument(HEADER)
        .argument("--trusted-proxies")
        .argument("127.0.0.1")
        .start();
    know_sas(&server);
    let elsewhere = Authority::new("The proxy's own");
    let passed_on =
        |subject: &Subject| fhir(&server).with_header(HEADER, escaped(&elsewhere.client(subject)));
    wait_until_known(&passed_on(&sas()), "/Practitioner/nobody");
    let over = passed_on(&sas().valid(Validity::Over));
    let said = text_of_401(over.get("/Practitioner/nobody").send());
    assert!(said.contains("has expired"), "{said}");
}
