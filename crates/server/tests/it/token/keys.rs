//! Where the keys of an issuer come from, and what becomes of those that were withdrawn.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::sweep::TemporaryFolder;
use testkit::tests;
use testkit::token::{KeyServer, Signer, key_set};
use testkit::wait::wait_for;

use super::{CLIENT, ISSUER, Stage, claims, fhir, is_let_in, settings_with_file, table, with_file};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_key_file_is_read_again_when_it_changes,
    keys_are_fetched_from_a_url_and_a_new_one_is_looked_for,
];

/// Those that no database has a part in.
pub const SQLITE: &[Test] = tests![
    keys_stay_in_force_when_their_url_fails,
    keys_come_over_tls_from_whom_the_system_trusts_alone,
    a_server_starts_without_its_issuer_and_takes_tokens_once_it_is_there,
    what_is_wrong_with_an_issuer_stops_the_start_with_a_sentence,
];

const ALL: &str = "system/*.cruds";
/// A promise of a second, asserted at ten times that.
const WITHIN: Duration = Duration::from_secs(10);

fn a_key_file_is_read_again_when_it_changes(context: &Context) {
    let stage = Stage::new(context);
    let (old, new) = (&stage.signer, Signer::rsa("new"));
    let status = |signer: &Signer| {
        let answer = stage
            .fhir(&signer.token(&claims(CLIENT, ALL)))
            .get("/Patient/nobody")
            .send();
        answer.status
    };
    assert_eq!((status(old), status(&new)), (404, 401));
    // With overlap, in the place of the other file, as a careful operator does it.
    let beside = stage.keys.with_extension("new");
    fs::write(&beside, key_set(&[old, &new]).to_string()).expect("a file");
    fs::rename(&beside, &stage.keys).expect("a file");
    wait_for(WITHIN, "the new key", || (status(&new) == 404).then_some(()));
    assert_eq!(status(old), 404);
    // Half a file, or none, changes nothing.
    fs::write(&stage.keys, "{\"keys\": [").expect("a file");
    wait_for(WITHIN, "the complaint", || {
        stage.server.log().contains("cannot be read again").then_some(())
    });
    assert_eq!((status(old), status(&new)), (404, 404));
    fs::remove_file(&stage.keys).expect("the file");
    fs::write(&beside, key_set(&[&new]).to_string()).expect("a file");
    fs::rename(&beside, &stage.keys).expect("a file");
    let withdrawn = Instant::now();
    wait_for(WITHIN, "the old key to be withdrawn", || {
        (status(old) == 401).then_some(())
    });
    eprintln!(
        "{}: withdrawn within {:?} (promised: 1 s)",
        context.name(),
        withdrawn.elapsed()
    );
    assert_eq!(status(&new), 404);
}

fn keys_are_fetched_from_a_url_and_a_new_one_is_looked_for(context: &Context) {
    let folder = TemporaryFolder::new("keys");
    let (first, second) = (Signer::es384("first"), Signer::es384("second"));
    let keys = KeyServer::start(Some(&key_set(&[&first])));
    let server = with_file(context, &folder, &table(ISSUER, keys.url()));
    add_client(context, &server);
    let ask = |signer: &Signer| {
        fhir(&server, &signer.token(&claims(CLIENT, ALL)))
            .get("/Patient/nobody")
            .send()
    };
    is_let_in(&fhir(&server, &first.token(&claims(CLIENT, ALL))));
    let asked = keys.asked();
    // A key that is not known yet is looked for at once, by the next token without waiting.
    keys.show(Some(&key_set(&[&first, &second])));
    refused(ask(&second), 401, "login");
    wait_for(WITHIN, "the second key", || {
        (ask(&second).status == 404).then_some(())
    });
    assert_eq!(keys.asked(), asked + 1);
    // But once a minute at most, however many come.
    let nobody = Signer::es384("nobody");
    for _ in 0..20 {
        refused(ask(&nobody), 401, "login");
    }
    assert_eq!(ask(&first).status, 404);
    assert_eq!(keys.asked(), asked + 1);
}

fn keys_stay_in_force_when_their_url_fails(context: &Context) {
    let folder = TemporaryFolder::new("keys");
    let signer = Signer::es384("first");
    let keys = KeyServer::start(Some(&key_set(&[&signer])));
    let server = with_file(context, &folder, &table(ISSUER, keys.url()));
    add_client(context, &server);
    let client = fhir(&server, &signer.token(&claims(CLIENT, ALL)));
    is_let_in(&client);
    keys.show(None);
    let asked = keys.asked();
    let unknown = Signer::es384("nobody").token(&claims(CLIENT, ALL));
    refused(fhir(&server, &unknown).get("/Patient").send(), 401, "login");
    wait_for(WITHIN, "the complaint", || {
        let log = server.log();
        (log.contains("cannot be fetched") && log.contains("500 Internal Server Error")).then_some(())
    });
    assert_eq!(keys.asked(), asked + 1);
    client.get("/Patient").send().expect(200);
}

fn keys_come_over_tls_from_whom_the_system_trusts_alone(context: &Context) {
    let folder = TemporaryFolder::new("keys");
    let signer = Signer::es384("first");
    let (trusted, stranger) = (
        KeyServer::start_tls(Some(&key_set(&[&signer]))),
        KeyServer::start_tls(Some(&key_set(&[&signer]))),
    );
    let system = folder.path().join("trusted.pem");
    fs::write(&system, trusted.certificate()).expect("a file");
    let start = |keys: &KeyServer| {
        let settings = settings_with_file(context, &folder, &table(ISSUER, keys.url()));
        let server = settings
            .environment("SSL_CERT_FILE", &system.display().to_string())
            .start();
        add_client(context, &server);
        server
    };
    let token = signer.token(&claims(CLIENT, ALL));
    is_let_in(&fhir(&start(&trusted), &token));
    let server = start(&stranger);
    wait_for(Duration::from_secs(30), "the complaint", || {
        server.log().contains("invalid peer certificate").then_some(())
    });
    refused(fhir(&server, &token).get("/Patient").send(), 503, "transient");
    assert_eq!(stranger.asked(), 0);
}

fn a_server_starts_without_its_issuer_and_takes_tokens_once_it_is_there(context: &Context) {
    let folder = TemporaryFolder::new("keys");
    let signer = Signer::es384("first");
    let keys = KeyServer::start(None);
    let server = with_file(context, &folder, &table(ISSUER, keys.url()));
    add_client(context, &server);
    let client = fhir(&server, &signer.token(&claims(CLIENT, ALL)));
    // It is not the token's fault, and nothing is said of it.
    let answer = refused(client.get("/Patient").send(), 503, "transient");
    assert!(answer.header("Retry-After").is_some());
    server.client("fhir").get("/Patient").send().expect(200);
    // What is no key set is none.
    keys.show(Some(&json!({ "keys": "soon" })));
    wait_for(Duration::from_secs(30), "the complaint", || {
        server.log().contains("no list named keys").then_some(())
    });
    keys.show(Some(&key_set(&[&signer])));
    is_let_in(&client);
    assert!(server.log().contains("cannot be fetched"), "{}", server.log());
}

fn add_client(context: &Context, server: &testkit::server::Server) {
    let arguments = [
        "client",
        "add",
        CLIENT,
        "--space",
        "demo",
        "--door",
        "fhir",
        "--scope",
        ALL,
        "--token-issuer",
        ISSUER,
    ];
    succeeds(context, server, &arguments);
}

fn what_is_wrong_with_an_issuer_stops_the_start_with_a_sentence(context: &Context) {
    let folder = TemporaryFolder::new("keys");
    let path = |name: &str| folder.path().join(name);
    let good = key_set(&[&Signer::es384("one")]);
    let mut private: Value = good.clone();
    private["keys"][0]["d"] = json!("AAAA");
    fs::write(path("good.json"), good.to_string()).expect("a file");
    fs::write(path("private.json"), private.to_string()).expect("a file");
    fs::write(path("text.json"), "text").expect("a file");
    let of = |name: &str| table(ISSUER, &path(name).display().to_string());
    for (text, words) in [
        (
            of("missing.json"),
            "missing.json. Give issuers.jwks a file with a JWK Set",
        ),
        (of("text.json"), "it is no JSON object"),
        (of("private.json"), "it holds a private key"),
        (table(ISSUER, "http://auth.example/jwks"), "write an https URL"),
        (
            of("good.json").replace("audience", "audiences"),
            "unknown field `audiences`",
        ),
        (
            format!("{}algorithms = ['none']\n", of("good.json")),
            "issuers.algorithms has \"none\"",
        ),
    ] {
        let file = path("passerelle.toml");
        fs::write(&file, &text).expect("a file");
        let output = command(context)
            .args(["serve", "--config"])
            .arg(&file)
            .env(
                "PASSERELLE_DATABASE",
                format!("sqlite:{}", path("new.db").display()),
            )
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(words),
            "{text}\n{output:?}"
        );
    }
    assert!(
        !path("new.db").exists(),
        "a database was made before the settings were read"
    );
}
