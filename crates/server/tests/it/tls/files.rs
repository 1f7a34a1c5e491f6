//! What is wrong with files and settings stops the start, with a sentence that names them.

use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::tls::{Authority, Validity};

use super::*;

pub const TESTS: &[Test] = tests![
    t28_wrong_files_stop_the_start_with_file_and_remedy,
    settings_that_do_not_go_together_stop_the_start,
    file_and_environment_name_the_settings_as_the_flags_do,
    der_files_are_taken_and_an_ended_one_is_in_the_log,
    an_ended_list_refuses_every_certificate_and_nobody_else,
    certificates_are_described_by_a_file_or_refused,
];

/// What `passerelle serve` with these arguments says when it does not start.
#[track_caller]
fn refused_start(context: &Context, site: &Site, arguments: &[&str]) -> String {
    let database = format!("sqlite:{}", site.path("never.db").display());
    let output = command(context)
        .args(["serve", "--listen", "127.0.0.1:0", "--database", &database])
        .args(arguments)
        .output()
        .expect("the binary runs");
    assert!(!output.status.success(), "{arguments:?} is taken");
    assert!(
        !site.path("never.db").exists(),
        "a database was made before the settings were read"
    );
    String::from_utf8(output.stderr).unwrap()
}

fn t28_wrong_files_stop_the_start_with_file_and_remedy(context: &Context) {
    let site = Site::new();
    let issued = site.clients.client(&sas());
    site.write("empty.pem", "");
    site.write("text.pem", "not PEM at all\n");
    site.write("other.key", &site.servers.server().key_pem);
    site.write("leaf.pem", &issued.pem);
    site.write("half.pem", &issued.pem[..issued.pem.len() / 2]);
    site.write(
        "encrypted.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let file = |name: &str| site.path(name).to_str().unwrap().to_owned();
    for (certificate, key, ca, crl, named, remedy) in [
        (
            "missing.pem",
            "server.key",
            "ca.pem",
            "crl.pem",
            "missing.pem",
            "Check the path",
        ),
        (
            "empty.pem",
            "server.key",
            "ca.pem",
            "crl.pem",
            "empty.pem",
            "Give certificates as PEM",
        ),
        (
            "text.pem",
            "server.key",
            "ca.pem",
            "crl.pem",
            "text.pem",
            "Give certificates as PEM",
        ),
        (
            "half.pem",
            "server.key",
            "ca.pem",
            "crl.pem",
            "half.pem",
            "Give certificates as PEM",
        ),
        (
            "server.key",
            "server.key",
            "ca.pem",
            "crl.pem",
            "server.key",
            "Give certificates as PEM",
        ),
        (
            "server.pem",
            "missing.key",
            "ca.pem",
            "crl.pem",
            "missing.key",
            "Check the path",
        ),
        (
            "server.pem",
            "server.pem",
            "ca.pem",
            "crl.pem",
            "server.pem",
            "PKCS#8",
        ),
        (
            "server.pem",
            "other.key",
            "ca.pem",
            "crl.pem",
            "other.key",
            "the certificate of this key first",
        ),
        (
            "server.pem",
            "encrypted.key",
            "ca.pem",
            "crl.pem",
            "encrypted.key",
            "Decrypt it",
        ),
        (
            "server.pem",
            "server.key",
            "missing.pem",
            "crl.pem",
            "missing.pem",
            "Check the path",
        ),
        (
            "server.pem",
            "server.key",
            "crl.pem",
            "crl.pem",
            "crl.pem",
            "Give certificates as PEM",
        ),
        (
            "server.pem",
            "server.key",
            "ca.pem",
            "missing.pem",
            "missing.pem",
            "Check the path",
        ),
        (
            "server.pem",
            "server.key",
            "ca.pem",
            "ca.pem",
            "ca.pem",
            "Give CRLs as PEM",
        ),
        (
            "server.pem",
            "server.key",
            "ca.pem",
            "text.pem",
            "text.pem",
            "Give CRLs as PEM",
        ),
    ] {
        let said = refused_start(
            context,
            &site,
            &[
                "--tls-certificate",
                &file(certificate),
                "--tls-key",
                &file(key),
                "--tls-client-ca",
                &file(ca),
                "--tls-client-crl",
                &file(crl),
            ],
        );
        assert!(
            said.contains(&file(named)) && said.contains(remedy),
            "{certificate} {key} {ca} {crl}: {said}"
        );
        assert!(!said.contains("PRIVATE KEY-----"), "{said}");
    }
}

fn settings_that_do_not_go_together_stop_the_start(context: &Context) {
    let site = Site::new();
    let file = |name: &str| site.path(name).to_str().unwrap().to_owned();
    let (certificate, key, ca, crl) = (
        file("server.pem"),
        file("server.key"),
        file("ca.pem"),
        file("crl.pem"),
    );
    let cases: &[(&[&str], &str)] = &[
        (&["--tls-certificate", &certificate], "needs tls-key"),
        (&["--tls-key", &key], "needs tls-certificate"),
        (&["--tls-client-ca", &ca], "tls-client-ca has no use here"),
        (&["--tls-client-crl", &crl], "needs tls-client-ca"),
        (
            &["--client-certificate-header", "X-Client-Cert"],
            "needs trusted-proxies",
        ),
        (
            &[
                "--client-certificate-header",
                "a b",
                "--trusted-proxies",
                "10.0.0.1",
            ],
            "no name of a header",
        ),
        (
            &[
                "--client-certificate-header",
                "authorization",
                "--trusted-proxies",
                "10.0.0.1",
            ],
            "says something else",
        ),
    ];
    for (arguments, expected) in cases {
        let said = refused_start(context, &site, arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

fn file_and_environment_name_the_settings_as_the_flags_do(context: &Context) {
    let site = Site::new();
    let file = |name: &str| site.path(name).to_str().unwrap().to_owned();
    let toml = format!(
        "tls-certificate = {:?}\ntls-key = {:?}\ntls-client-ca = {:?}\ntls-client-crl = [{:?}]\n\
         trusted-proxies = [\"192.0.2.7\"]\nclient-certificate-header = \"X-Client-Cert\"\n",
        file("server.pem"),
        file("server.key"),
        file("ca.pem"),
        file("crl.pem")
    );
    site.write("passerelle.toml", &toml);
    let by_file = context
        .settings()
        .argument("--config")
        .argument(&file("passerelle.toml"));
    let by_environment = context
        .settings()
        .environment("PASSERELLE_TLS_CERTIFICATE", &file("server.pem"))
        .environment("PASSERELLE_TLS_KEY", &file("server.key"))
        .environment("PASSERELLE_TLS_CLIENT_CA", &file("ca.pem"))
        .environment("PASSERELLE_TLS_CLIENT_CRL", &file("crl.pem"))
        .environment("PASSERELLE_TRUSTED_PROXIES", "192.0.2.7")
        .environment("PASSERELLE_CLIENT_CERTIFICATE_HEADER", "X-Client-Cert");
    let revoked = site.clients.client(&sas());
    site.write("crl.pem", &site.clients.revoked(&[&revoked]));
    for settings in [by_file, by_environment] {
        let server = settings.tls(&site.nobody()).start();
        know_sas(&server);
        wait_until_known(
            &site.client(&server, &site.clients.client(&sas())),
            "/Practitioner/nobody",
        );
        attempt(&server, &site.showing(&revoked)).unwrap_err();
    }
}

fn der_files_are_taken_and_an_ended_one_is_in_the_log(context: &Context) {
    let site = Site::new();
    std::fs::write(site.path("ca.pem"), site.clients.certificate()).unwrap();
    let server = site.start(context);
    attempt(&server, &site.showing(&site.clients.client(&sas())))
        .unwrap()
        .expect(404);
    assert!(!server.log().contains("is past its end"));
    site.write("crl.pem", &site.clients.list(&[], 2022));
    server.signal_hangup();
    wait_for(SOON, "the end of the list in the log", || {
        let log = server.log();
        let line = log.lines().find(|line| line.contains("is past its end"))?;
        assert!(line.contains("crl.pem") && line.contains("WARN"), "{line}");
        Some(())
    });
}

fn an_ended_list_refuses_every_certificate_and_nobody_else(context: &Context) {
    let site = Site::new();
    site.write("crl.pem", &site.clients.list(&[], 2022));
    let server = site.settings(context).start();
    know_sas(&server);
    let issued = site.clients.client(&sas());
    attempt(&server, &site.showing(&issued)).expect_err("nobody knows whether it is revoked");
    server.client("fhir").get("/Patient/nobody").send().expect(404);
    // A list of another CA says nothing of this one's certificates.
    site.write("crl.pem", &Authority::new("Elsewhere").revoked(&[]));
    server.signal_hangup();
    let log = wait_for(SOON, "the reload", || {
        let log = server.log();
        log.contains("read again and are in force").then_some(log)
    });
    assert!(log.contains("cannot be told now"), "{log}");
    attempt(&server, &site.showing(&issued)).expect_err("nobody knows whether it is revoked");
    site.write("crl.pem", &site.clients.revoked(&[]));
    server.signal_hangup();
    wait_for(SOON, "the list to be in force", || {
        attempt(&server, &site.showing(&issued)).is_ok().then_some(())
    });
}

fn certificates_are_described_by_a_file_or_refused(context: &Context) {
    let (site, server) = (Site::new(), context.server());
    let issued = site.clients.client(&sas().valid(Validity::Over));
    site.write("sas.pem", &issued.pem);
    site.write(
        "no-unit.pem",
        &site.clients.client(&testkit::tls::Subject::new(CN, "")).pem,
    );
    let (file, no_unit) = (site.path("sas.pem"), site.path("no-unit.pem"));
    let (file, no_unit) = (file.to_str().unwrap(), no_unit.to_str().unwrap());
    let add = |client: &str, rest: &[&str]| {
        let arguments: Vec<&str> = ["client", "certificate", "add", client]
            .iter()
            .chain(rest)
            .copied()
            .collect();
        passerelle(context, &server, &arguments)
    };
    let output = add("demo-sas", &["--from", file]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("known by demo-sas\tCN {CN}\tOU {OU}\n"));
    let cases: &[(&str, &[&str], &str)] = &[
        (
            "demo-fhir",
            &["--from", file],
            "are those of the client demo-sas already",
        ),
        (
            "demo-fhir",
            &["--cn", CN, "--ou", OU, "--san", "a.example"],
            "are those of the client demo-sas already",
        ),
        ("nobody", &["--from", file], "There is no client nobody"),
        ("demo-fhir", &["--from", no_unit], "has no OU"),
        ("demo-fhir", &["--from", "/nowhere/at/all.pem"], "cannot be read"),
        ("demo-fhir", &["--cn", CN], "--ou"),
        ("demo-fhir", &["--cn", CN, "--ou", ""], "single lines"),
        (
            "demo-fhir",
            &["--cn", CN, "--ou", OU, "--issuer", "somebody"],
            "no part of a distinguished name",
        ),
    ];
    for (client, rest, expected) in cases {
        let output = add(client, rest);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(expected),
            "{rest:?}: {said}"
        );
    }
    assert_eq!(
        server.command(&["client", "certificate", "list"]),
        format!("demo-sas\tCN {CN}\tOU {OU}\n")
    );
}
