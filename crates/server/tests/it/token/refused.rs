//! T26: what no token gets away with.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::token::{KeyServer, Signer, base64url, compact, key_set, token_by_secret};

use super::{CLIENT, ISSUER, Stage, claims, now};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t26_a_bad_token_is_a_401_that_gives_no_reason,
    t26_a_token_is_taken_as_often_as_it_comes_within_its_life,
    t26_an_issuer_speaks_for_its_own_clients_alone,
    why_a_token_was_refused_is_in_the_log_and_nothing_of_the_token,
];

const ALL: &str = "system/*.cruds";

fn set(mut value: Value, name: &str, to: Value) -> Value {
    value[name] = to;
    value
}

/// Name and token of everything that T26 lists, and more of the kind.
fn bad_tokens(signer: &Signer, thief: &Signer, thiefs_keys: &KeyServer) -> Vec<(&'static str, String)> {
    let good = || claims(CLIENT, ALL);
    let claimed = |name: &str, to: Value| signer.token(&set(good(), name, to));
    let headed = |name: &str, to: Value| signer.token_under(&set(signer.header(), name, to), &good());
    // Signed by the thief, and said to be so.
    let stolen = |name: &str, to: Value| thief.token_under(&set(thief.header(), name, to), &good());
    let jwk = signer.jwk();
    let by_secret = |algorithm: &str, secret: &str| {
        let header = set(signer.header(), "alg", json!(algorithm));
        token_by_secret(&header, &good(), secret.as_bytes())
    };
    let honest = signer.token(&good());
    let (signed, signature) = honest.rsplit_once('.').expect("three parts");
    let (header, _) = signed.split_once('.').expect("three parts");
    let more = base64url(
        set(good(), "scope", json!("system/*.cruds more"))
            .to_string()
            .as_bytes(),
    );
    let hour = now() + 3600;
    vec![
        (
            "alg none",
            compact(&json!({ "alg": "none" }), &good(), |_| Vec::new()),
        ),
        ("alg none with the kid", headed("alg", json!("none"))),
        (
            "alg None",
            compact(&set(signer.header(), "alg", json!("None")), &good(), |_| {
                Vec::new()
            }),
        ),
        ("HS256 by the public key", by_secret("HS256", &jwk.to_string())),
        (
            "HS384 by the public key",
            by_secret("HS384", jwk["x"].as_str().expect("x")),
        ),
        ("RS384 of a key on a curve", headed("alg", json!("RS384"))),
        ("wrong aud", claimed("aud", json!("https://other.example/fhir"))),
        ("no aud", claimed("aud", Value::Null)),
        ("wrong iss", claimed("iss", json!("https://evil.example"))),
        ("expired", claimed("exp", json!(now() - 60))),
        ("not yet", claimed("nbf", json!(now() + 120))),
        ("issued in the future", claimed("iat", json!(now() + 120))),
        ("exp 1 h ahead", claimed("exp", json!(hour))),
        ("no exp", claimed("exp", Value::Null)),
        ("unknown kid", headed("kid", json!("another"))),
        (
            "another's signature under the known kid",
            thief.token_under(&signer.header(), &good()),
        ),
        ("jku", stolen("jku", json!(thiefs_keys.url()))),
        (
            "jku beside a good signature",
            headed("jku", json!(thiefs_keys.url())),
        ),
        ("jwk", stolen("jwk", thief.jwk())),
        ("x5u", stolen("x5u", json!(thiefs_keys.url()))),
        ("crit", headed("crit", json!(["exp"]))),
        ("claims exchanged", format!("{header}.{more}.{signature}")),
        ("no signature", format!("{signed}.")),
        ("a part too many", format!("{honest}.{signature}")),
        ("padded", format!("{honest}=")),
        ("unknown client", claimed("client_id", json!("nobody"))),
        (
            "a client without an issuer",
            claimed("client_id", json!("demo-fhir")),
        ),
        ("bound to a key", claimed("cnf", json!({ "jkt": "x" }))),
        (
            "no JSON",
            format!("{}.{}.{signature}", base64url(b"{"), base64url(b"}")),
        ),
        ("dots", "..".to_owned()),
        ("long", format!("{header}.{}.{signature}", "A".repeat(6_000))),
    ]
}

fn t26_a_bad_token_is_a_401_that_gives_no_reason(context: &Context) {
    let stage = Stage::new(context);
    let thief = Signer::es384("thief");
    let thiefs_keys = KeyServer::start(Some(&key_set(&[&thief])));
    let stored = stage
        .fhir(&stage.token(ALL))
        .post("/Patient")
        .json(&patient("1"))
        .send();
    let stored = stored.expect(201).id();
    let wrong_key = stage.fhir("sk_test_000000000000_guess").get("/Patient/x").send();
    let wrong_key = refused(wrong_key, 401, "login");
    for (name, token) in bad_tokens(&stage.signer, &thief, &thiefs_keys) {
        let client = stage.fhir(&token);
        let read = refused(client.get(format!("/Patient/{stored}")).send(), 401, "login");
        // A wrong API key is told the same.
        assert_eq!(read.text(), wrong_key.text(), "{name}");
        assert_eq!(
            read.header("WWW-Authenticate"),
            Some("Bearer realm=\"passerelle\", error=\"invalid_token\""),
            "{name}"
        );
        let write = client.post("/Patient").json(&patient("2")).send();
        assert_eq!(refused(write, 401, "login").text(), wrong_key.text(), "{name}");
    }
    // The honest one is none the worse, and nobody has asked for the thief's keys.
    stage
        .fhir(&stage.token(ALL))
        .get(format!("/Patient/{stored}"))
        .send()
        .expect(200);
    assert_eq!(thiefs_keys.asked(), 0);
    // Who sends nothing is told what is missing, and no error.
    let nobody = stage.server.anonymous().with_prefix("/fhir");
    let none = refused(nobody.get("/Patient/x").send(), 401, "login");
    assert_eq!(
        none.header("WWW-Authenticate"),
        Some("Bearer realm=\"passerelle\"")
    );
}

/// T26 lists a `jti` that comes twice among what is refused. That is the rule for assertions, of which a client makes
/// a new one for each token; an access token is used many times, and so is its `jti`.
fn t26_a_token_is_taken_as_often_as_it_comes_within_its_life(context: &Context) {
    let stage = Stage::new(context);
    let client = stage.fhir(&stage.token(ALL));
    let created = client.post("/Patient").json(&patient("1")).send().expect(201);
    for _ in 0..3 {
        client
            .get(format!("/Patient/{}", created.id()))
            .send()
            .expect(200);
    }
    let twin = stage.fhir(&stage.signer.token(&set(claims(CLIENT, ALL), "jti", Value::Null)));
    twin.get(format!("/Patient/{}", created.id())).send().expect(200);
}

fn t26_an_issuer_speaks_for_its_own_clients_alone(context: &Context) {
    let folder = testkit::sweep::TemporaryFolder::new("second");
    let keys = folder.path().join("other.json");
    let other = Signer::es384("the-key");
    std::fs::write(&keys, key_set(&[&other]).to_string()).expect("a file");
    let second = "https://auth.example/realms/other";
    let stage = Stage::with(context, &super::table(second, &keys.display().to_string()));
    let of_second = |client: &str| other.token(&set(claims(client, ALL), "iss", json!(second)));
    // The client is the first one's.
    refused(
        stage.fhir(&of_second(CLIENT)).get("/Patient").send(),
        401,
        "login",
    );
    // Neither may sign for the other.
    refused(
        stage
            .fhir(&other.token(&claims(CLIENT, ALL)))
            .get("/Patient")
            .send(),
        401,
        "login",
    );
    // Its own client, whom it calls by the same name, is another one.
    let add = |id: &str, issuer: &str, name: &str| {
        let arguments = [
            "client",
            "add",
            id,
            "--space",
            "demo",
            "--door",
            "fhir",
            "--scope",
            "system/Patient.rs",
            "--token-issuer",
            issuer,
            "--token-client",
            name,
        ];
        passerelle(context, &stage.server, &arguments)
    };
    assert!(add("clinic-of-second", second, CLIENT).status.success());
    stage.is_let_in(&of_second(CLIENT));
    refused(
        stage
            .fhir(&of_second(CLIENT))
            .post("/Patient")
            .json(&patient("1"))
            .send(),
        403,
        "forbidden",
    );
    stage
        .fhir(&stage.token(ALL))
        .post("/Patient")
        .json(&patient("1"))
        .send()
        .expect(201);
    // One name at one issuer is one client's.
    let clash = add("impostor", ISSUER, CLIENT);
    let said = String::from_utf8_lossy(&clash.stderr).into_owned();
    assert!(
        !clash.status.success() && said.contains("--token-client"),
        "{said}"
    );
}

fn why_a_token_was_refused_is_in_the_log_and_nothing_of_the_token(context: &Context) {
    let stage = Stage::new(context);
    let expired = stage
        .signer
        .token(&set(claims(CLIENT, ALL), "exp", json!(now() - 60)));
    refused(stage.fhir(&expired).get("/Patient").send(), 401, "login");
    let good = stage.token(ALL);
    stage.fhir(&good).get("/Patient").send().expect(200);
    let log = stage.server.log();
    assert!(
        log.contains("an access token was refused: its exp is past"),
        "{log}"
    );
    for token in [&expired, &good] {
        for part in token.split('.') {
            assert!(!log.contains(part), "{part} is in the log");
        }
    }
}
