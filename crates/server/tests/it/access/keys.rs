//! Keys: which are accepted, which are refused, and from when on.

use std::time::{Duration, Instant};

use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::server::Server;
use testkit::tests;
use testkit::wait::wait_for;

use super::{EVERYTHING, client_key};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    without_a_valid_key_the_answer_is_401_whatever_is_wrong_with_it,
    a_revoked_key_is_refused_within_a_second,
    a_rotated_key_works_beside_the_new_one,
    a_key_is_of_the_kind_that_is_said_and_its_successor_too,
    a_rotation_brings_no_key_back_and_lengthens_none,
    a_disabled_client_is_refused,
    a_client_past_its_expiry_is_refused,
    a_credential_is_checked_before_the_path_and_the_body,
    many_wrong_keys_from_one_address_are_slowed_down_and_the_owner_gets_in,
    a_key_never_appears_in_the_log,
];

fn bare(server: &Server, authorization: Option<&[u8]>) -> Client {
    let client = server.anonymous().with_prefix("/fhir");
    match authorization {
        Some(value) => client.with_header("Authorization", value),
        None => client,
    }
}

fn without_a_valid_key_the_answer_is_401_whatever_is_wrong_with_it(context: &Context) {
    let (server, fhir) = context.fhir();
    let good = server.credential("fhir").bearer.clone();
    let expired = {
        let printed = succeeds(context, &server, &["key", "issue", "demo-fhir", "--days", "0"]);
        printed
            .split_whitespace()
            .find(|word| word.starts_with("sk_"))
            .unwrap()
            .to_owned()
    };
    let (prefix, secret) = good.rsplit_once('_').unwrap();
    let last = if secret.ends_with('0') { '1' } else { '0' };
    let wrong: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"Bearer".to_vec(),
        b"Bearer ".to_vec(),
        b"Bearer nonsense".to_vec(),
        b"Bearer \xff\xfe".to_vec(),
        format!("Basic {good}").into_bytes(),
        good.clone().into_bytes(),
        format!("Bearer {prefix}_{}{last}", &secret[..secret.len() - 1]).into_bytes(),
        format!("Bearer {prefix}_").into_bytes(),
        format!("Bearer {prefix}").into_bytes(),
        format!("Bearer sk_test_000000000000_{secret}").into_bytes(),
        format!("Bearer {}", good.replacen("sk_test_", "sk_live_", 1)).into_bytes(),
        format!("Bearer {}", good.to_uppercase()).into_bytes(),
        format!("Bearer {good}x").into_bytes(),
        format!("Bearer {expired}").into_bytes(),
    ];
    let stored = fhir.post("/Patient").json(&patient("1")).send().expect(201).id();
    let mut texts = Vec::new();
    for value in &wrong {
        let shown = String::from_utf8_lossy(value).replace(&good, "GOOD");
        let client = bare(&server, Some(value));
        for target in [format!("/Patient/{stored}"), "/Patient/nobody".to_owned()] {
            let answer = client.get(&target).send();
            assert_eq!(answer.status, 401, "{shown}: {answer:?}");
            let answer = refused(answer, 401, "login");
            assert!(
                answer.header("WWW-Authenticate").unwrap().starts_with("Bearer"),
                "{shown}: {answer:?}"
            );
            texts.push(answer.text());
        }
    }
    // One reason-free body for all of them.
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let none = refused(bare(&server, None).get("/Patient").send(), 401, "login");
    assert!(none.header("WWW-Authenticate").is_some());
    // The scheme's case is not ours to mind.
    bare(&server, Some(format!("bearer {good}").as_bytes()))
        .get("/Patient")
        .send()
        .expect(200);
}

fn a_revoked_key_is_refused_within_a_second(context: &Context) {
    let server = context.server();
    let key = client_key(context, &server, "shortlived", &["demo"], EVERYTHING);
    let client = fhir_with_key(&server, &key);
    let (prefix, _) = key.rsplit_once('_').unwrap();
    succeeds(context, &server, &["key", "revoke", prefix]);
    let revoked = Instant::now();
    wait_for(Duration::from_secs(10), "the revocation to be in force", || {
        (client.get("/Patient/nobody").send().status == 401).then_some(())
    });
    eprintln!(
        "{}: revoked within {:?} (promised: 1 s)",
        context.name(),
        revoked.elapsed()
    );
    refused(client.post("/Patient").json(&patient("1")).send(), 401, "login");
    server.client("fhir").get("/Patient").send().expect(200);
}

fn a_rotated_key_works_beside_the_new_one(context: &Context) {
    let server = context.server();
    let old = client_key(context, &server, "rotating", &["demo"], EVERYTHING);
    let rotate = |key: &str, hours: &str| {
        let (prefix, _) = key.rsplit_once('_').unwrap();
        let printed = succeeds(
            context,
            &server,
            &["key", "rotate", prefix, "--overlap-hours", hours],
        );
        printed
            .split_whitespace()
            .find(|word| word.starts_with("sk_"))
            .unwrap()
            .to_owned()
    };
    let new = rotate(&old, "1");
    assert_ne!(old, new);
    let new_client = fhir_with_key(&server, &new);
    let old_client = fhir_with_key(&server, &old);
    new_client.get("/Patient").send().expect(200);
    old_client.get("/Patient").send().expect(200);
    // Without overlap the rotated one ends at once; another key of the client is none of its business.
    let newest = rotate(&new, "0");
    fhir_with_key(&server, &newest).get("/Patient").send().expect(200);
    refused(new_client.get("/Patient").send(), 401, "login");
    old_client.get("/Patient").send().expect(200);
}

fn a_key_is_of_the_kind_that_is_said_and_its_successor_too(context: &Context) {
    let server = context.server();
    succeeds(context, &server, &["space", "add", "hospital"]);
    let spaces = ["hospital", "demo"];
    let both = client_key(context, &server, "both-kinds", &spaces, EVERYTHING);
    assert!(both.starts_with("sk_live_"));
    let issue = |arguments: &[&str]| {
        let printed = succeeds(context, &server, arguments);
        let mut words = printed.split_whitespace();
        words.find(|word| word.starts_with("sk_")).unwrap().to_owned()
    };
    assert!(issue(&["key", "issue", "both-kinds", "--live"]).starts_with("sk_live_"));
    let sandbox = issue(&["key", "issue", "both-kinds", "--sandbox"]);
    let (prefix, _) = sandbox.rsplit_once('_').unwrap();
    let next = issue(&["key", "rotate", prefix]);
    for key in [&sandbox, &next] {
        assert!(key.starts_with("sk_test_"), "{prefix}");
        let client = fhir_with_key(&server, key);
        client.get("/Patient").send().expect(200);
        let live = client.get("/Patient").header("X-Space", "hospital");
        refused(live.send(), 403, "forbidden");
    }
}

fn a_rotation_brings_no_key_back_and_lengthens_none(context: &Context) {
    let server = context.server();
    client_key(context, &server, "ending", &["demo"], EVERYTHING);
    let key_of = |printed: &str| {
        let mut words = printed.split_whitespace();
        words.find(|word| word.starts_with("sk_")).unwrap().to_owned()
    };
    let issue = |days: &str| {
        let key = key_of(&succeeds(
            context,
            &server,
            &["key", "issue", "ending", "--days", days],
        ));
        key.rsplit_once('_').unwrap().0.to_owned()
    };
    let end_of = |prefix: &str| {
        let listed = succeeds(context, &server, &["key", "list"]);
        let line = listed.lines().find(|line| line.starts_with(prefix)).unwrap();
        line.rsplit_once('\t').unwrap().1.to_owned()
    };
    // One that has ended, or was revoked, stays so.
    let (ended, revoked) = (issue("0"), issue("9"));
    succeeds(context, &server, &["key", "revoke", &revoked]);
    for (prefix, why) in [(ended, "has ended"), (revoked, "is revoked")] {
        let output = passerelle(context, &server, &["key", "rotate", &prefix]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{output:?}");
        assert!(said.contains(why) && said.contains("key issue ending"), "{said}");
    }
    // One that ends before the overlap does ends then. The new one has a life as long, unless it is said.
    let short = issue("1");
    let end = end_of(&short);
    let rotated = ["key", "rotate", &short, "--overlap-hours", "48"];
    let printed = succeeds(context, &server, &rotated);
    assert_eq!(end_of(&short), end);
    assert!(
        printed.contains(&format!("{short} works until {end}")),
        "{printed}"
    );
    let new = key_of(&printed);
    let new_end = end_of(new.rsplit_once('_').unwrap().0);
    assert!(end < new_end, "{end} {new_end}");
    let printed = succeeds(context, &server, &[&rotated[..], &["--days", "400"]].concat());
    let long = key_of(&printed);
    let long_end = end_of(long.rsplit_once('_').unwrap().0);
    assert!(new_end < long_end && long_end.starts_with("20"), "{long_end}");
    fhir_with_key(&server, &long).get("/Patient").send().expect(200);
}

fn a_disabled_client_is_refused(context: &Context) {
    let server = context.server();
    let key = client_key(context, &server, "blocked", &["demo"], EVERYTHING);
    let client = fhir_with_key(&server, &key);
    client.get("/Patient").send().expect(200);
    let scope = ["--scope", "system/Patient.cruds"];
    let arguments = [
        &["client", "add", "blocked", "--space", "demo", "--door", "fhir"][..],
        &scope,
    ]
    .concat();
    succeeds(context, &server, &[&arguments[..], &["--disabled"]].concat());
    wait_for(Duration::from_secs(10), "the client to be off", || {
        (client.get("/Patient/nobody").send().status == 401).then_some(())
    });
    // What else is changed of it does not bring it back.
    let said = succeeds(context, &server, &arguments);
    assert!(said.contains("client enable blocked"), "{said}");
    refused(client.get("/Patient").send(), 401, "login");
    for _ in 0..2 {
        succeeds(context, &server, &["client", "enable", "blocked"]);
    }
    fhir_with_key(&server, &key).get("/Patient").send().expect(200);
    succeeds(context, &server, &["client", "disable", "blocked"]);
    wait_for(Duration::from_secs(10), "the client to be off again", || {
        (client.get("/Patient/nobody").send().status == 401).then_some(())
    });
    let listed = succeeds(context, &server, &["client", "list"]);
    let is_blocked = |line: &&str| line.starts_with("blocked\t") && line.contains("\tdisabled");
    assert_eq!(listed.lines().filter(is_blocked).count(), 1, "{listed}");
    let sql = "SELECT count(*) FROM audit WHERE interaction IN ('client-enable', 'client-disable') AND id = 'blocked'";
    assert_eq!(execute(&server, sql), "3");
}

fn a_client_past_its_expiry_is_refused(context: &Context) {
    let server = context.server();
    let key = client_key(context, &server, "leaving", &["demo"], EVERYTHING);
    let client = fhir_with_key(&server, &key);
    let add = |day: &str| {
        let arguments = ["client", "add", "leaving", "--space", "demo", "--door", "fhir"];
        let more = ["--scope", "system/Patient.cruds", "--expires", day];
        passerelle(context, &server, &[&arguments[..], &more].concat())
    };
    let listed = || {
        let clients = succeeds(context, &server, &["client", "list"]);
        let line = clients.lines().find(|line| line.starts_with("leaving\t"));
        line.expect("the client").to_owned()
    };
    for wrong in ["2027-06-31", "2027-06", "tomorrow", "2027-06-30T12:00:00Z"] {
        let output = add(wrong);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("2027-06-30"), "{said}");
    }
    assert!(add("2099-12-31").status.success());
    assert!(listed().ends_with("\texpires 2099-12-31"), "{}", listed());
    client.get("/Patient").send().expect(200);
    assert!(add("2020-02-29").status.success());
    assert!(listed().ends_with("\texpired 2020-02-29"), "{}", listed());
    wait_for(Duration::from_secs(10), "the end to be in force", || {
        (client.get("/Patient/nobody").send().status == 401).then_some(())
    });
    refused(client.get("/Patient").send(), 401, "login");
}

fn a_credential_is_checked_before_the_path_and_the_body(context: &Context) {
    let server = shared(context);
    let nobody = bare(server, None);
    let body = patient("1");
    let requests = [
        nobody.get("/Patient/x"),
        nobody.get("/Mystery/x"),
        nobody.get("/Patient/%00"),
        nobody.get("/Patient?birthdate=nonsense"),
        nobody
            .post("/Patient")
            .header("Content-Type", "text/plain")
            .body("{"),
        nobody
            .post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .body("{\"broken"),
        nobody.put("/Patient").json(&body),
        nobody.put("/Patient/x").header("If-Match", "\"9\"").json(&body),
        nobody.delete("/Patient/x"),
        nobody.get("/Patient/x").header("Accept", "image/png"),
        nobody.post("/Patient/_search").form("_id=x"),
    ];
    for request in requests {
        let answer = refused(request.send(), 401, "login");
        assert!(answer.header("WWW-Authenticate").is_some());
    }
}

fn many_wrong_keys_from_one_address_are_slowed_down_and_the_owner_gets_in(context: &Context) {
    let (server, fhir) = context.fhir();
    let guesser = bare(&server, Some(b"Bearer sk_test_000000000000_guess"));
    let first = (1..=1000).find(|_| guesser.get("/Patient").send().status == 429);
    // `auth::WRONG_LIMIT`, and one more.
    assert_eq!(first, Some(101));
    let answer = refused(guesser.get("/Patient").send(), 429, "throttled");
    let wait = answer.header("Retry-After").unwrap();
    assert!(
        wait.parse::<u32>()
            .is_ok_and(|seconds| (1..=60).contains(&seconds)),
        "{wait}"
    );
    fhir.get("/Patient").send().expect(200);
    server.anonymous().get("/health/ready").send().expect(200);
}

fn a_key_never_appears_in_the_log(context: &Context) {
    let (server, fhir) = context.fhir();
    let key = server.credential("fhir").bearer.clone();
    let (_, secret) = key.rsplit_once('_').unwrap();
    fhir.post("/Patient").json(&patient("1")).send().expect(201);
    fhir.get(format!("/Patient?name={secret}")).send().expect(200);
    fhir.get(format!("/Patient/{}", &secret[..60])).send();
    bare(&server, Some(format!("Bearer {key}x").as_bytes()))
        .get("/Patient")
        .send()
        .expect(401);
    let log = server.log();
    // The demo prints its own credentials once, in the curl lines; nothing after that may hold one.
    let (_, after) = log
        .split_once("Ctrl-C stops it")
        .unwrap_or_else(|| panic!("no welcome in {log}"));
    assert!(
        !after.contains(secret) && !after.contains(&secret[..60]),
        "{after}"
    );
    assert!(
        after.contains("/fhir/{type}"),
        "requests are logged by route: {after}"
    );
}
