//! Who may do what: keys, doors, scopes, spaces.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Request, Response};
use testkit::server::Server;
use testkit::tests;
use testkit::wait::wait_for;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    without_a_valid_key_the_answer_is_401_whatever_is_wrong_with_it,
    a_revoked_key_is_refused_within_a_second,
    a_rotated_key_works_beside_the_new_one,
    a_disabled_client_is_refused,
    another_doors_key_is_forbidden,
    scopes_are_enforced_by_interaction_and_type,
    a_foreign_space_and_a_missing_one_are_refused_alike,
    a_client_of_several_spaces_chooses_one,
    t20_another_spaces_resource_answers_byte_for_byte_like_a_missing_one,
    the_same_id_and_identifiers_live_in_two_spaces,
    live_keys_see_live_spaces_and_test_keys_sandboxes,
    a_credential_is_checked_before_the_path_and_the_body,
    many_wrong_keys_from_one_address_are_slowed_down_and_the_owner_gets_in,
    a_key_never_appears_in_the_log,
];

/// Adds a client of the `fhir` door and issues its key.
#[track_caller]
pub fn client_key(context: &Context, server: &Server, id: &str, spaces: &[&str], scopes: &[&str]) -> String {
    let mut arguments = vec!["client", "add", id, "--door", "fhir"];
    spaces
        .iter()
        .for_each(|space| arguments.extend(["--space", space]));
    scopes
        .iter()
        .for_each(|scope| arguments.extend(["--scope", scope]));
    succeeds(context, server, &arguments);
    issue_key(context, server, id)
}

const EVERYTHING: &[&str] = &["system/Patient.cruds", "system/Practitioner.cruds"];

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
    succeeds(context, &server, &arguments);
    fhir_with_key(&server, &key).get("/Patient").send().expect(200);
}

fn another_doors_key_is_forbidden(context: &Context) {
    let server = shared(context);
    for door in ["medicapp-cloud", "medicapp-connect", "patient-graph", "ehealth"] {
        let key = &server.credential(door).bearer;
        let client = bare(server, Some(format!("Bearer {key}").as_bytes()));
        refused(client.get("/Patient").send(), 403, "forbidden");
        refused(
            client.post("/Patient").json(&patient("1")).send(),
            403,
            "forbidden",
        );
        refused(client.get("/Practitioner/nobody").send(), 403, "forbidden");
    }
}

/// Each interaction on a type, with the letter it needs.
fn interactions<'c>(client: &'c Client, kind: &str, stored: &str) -> Vec<(char, &'static str, Request<'c>)> {
    let number = unique();
    let body = resource(kind, LOCAL, &number);
    let known = with(resource(kind, LOCAL, stored), "id", json!(stored));
    let criteria = by_local(&number);
    vec![
        ('r', "read", client.get(format!("/{kind}/{stored}"))),
        ('r', "read of nobody", client.get(format!("/{kind}/nobody"))),
        ('r', "head", client.head(format!("/{kind}/{stored}"))),
        ('r', "vread", client.get(format!("/{kind}/{stored}/_history/1"))),
        ('r', "history", client.get(format!("/{kind}/{stored}/_history"))),
        (
            's',
            "history of the type",
            client.get(format!("/{kind}/_history")),
        ),
        ('s', "search", client.get(format!("/{kind}?_id={stored}"))),
        (
            's',
            "posted search",
            client.post(format!("/{kind}/_search")).form("_count=1"),
        ),
        ('c', "create", client.post(format!("/{kind}")).json(&body)),
        (
            'c',
            "conditional create",
            client
                .post(format!("/{kind}"))
                .header("If-None-Exist", &criteria)
                .json(&body),
        ),
        (
            'u',
            "update",
            client.put(format!("/{kind}/{stored}")).json(&known),
        ),
        (
            'u',
            "conditional update",
            client.put(format!("/{kind}?{criteria}")).json(&body),
        ),
        ('d', "delete", client.delete(format!("/{kind}/{}", unique()))),
        (
            'd',
            "conditional delete",
            client.delete(format!("/{kind}?{criteria}")),
        ),
    ]
}

fn scopes_are_enforced_by_interaction_and_type(context: &Context) {
    let (server, fhir) = context.fhir();
    let grants: [(&str, &str, &str); 9] = [
        ("c", "c", ""),
        ("r", "r", ""),
        ("u", "u", ""),
        ("d", "d", ""),
        ("s", "s", ""),
        ("rs", "rs", "cruds"),
        ("cruds", "cruds", ""),
        ("none", "", "cruds"),
        ("crud", "crud", "s"),
    ];
    let mut clients = Vec::new();
    for (name, patient, practitioner) in grants {
        let mut scopes = Vec::new();
        if !patient.is_empty() {
            scopes.push(format!("system/Patient.{patient}"));
        }
        if !practitioner.is_empty() {
            scopes.push(format!("system/Practitioner.{practitioner}"));
        }
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        clients.push((
            client_key(context, &server, &format!("grant-{name}"), &["demo"], &scopes),
            patient,
            practitioner,
        ));
    }
    // `*` is both types.
    clients.push((
        client_key(context, &server, "grant-all", &["demo"], &["system/*.rs"]),
        "rs",
        "rs",
    ));
    let mut stored = Vec::new();
    for kind in ["Patient", "Practitioner"] {
        let id = unique();
        let body = with(resource(kind, LOCAL, &id), "id", json!(id));
        fhir.put(format!("/{kind}/{id}")).json(&body).send().expect(201);
        stored.push((kind, id));
    }
    for (key, patient, practitioner) in &clients {
        let client = fhir_with_key(&server, key);
        for (kind, id) in &stored {
            let granted = if *kind == "Patient" { patient } else { practitioner };
            for (letter, name, request) in interactions(&client, kind, id) {
                let answer = request.send();
                let about = format!("{name} of {kind} with '{granted}': {answer:?}");
                if granted.contains(letter) {
                    assert!(matches!(answer.status, 200 | 201 | 204 | 404), "{about}");
                } else {
                    assert_eq!(answer.status, 403, "{about}");
                    assert!(
                        name == "head" || answer.issues().iter().any(|issue| issue.code == "forbidden"),
                        "{about}"
                    );
                }
            }
        }
    }
}

fn a_foreign_space_and_a_missing_one_are_refused_alike(context: &Context) {
    let (server, fhir) = context.fhir();
    succeeds(context, &server, &["space", "add", "foreign", "--sandbox"]);
    succeeds(context, &server, &["space", "add", "foreign-live"]);
    let ask = |space: &[u8]| {
        fhir.get("/Patient")
            .header("X-Space", space)
            .header("X-Request-Id", "same")
            .send()
    };
    let foreign = refused(ask(b"foreign"), 403, "forbidden");
    for missing in [
        &b"no-such-space"[..],
        b"foreign-live",
        b"Demo",
        b"",
        b"demo foreign",
        b"\xff",
    ] {
        let answer = ask(missing);
        assert_eq!(comparable(&answer, ""), comparable(&foreign, ""), "{missing:?}");
    }
    ask(b"demo").expect(200);
}

fn a_client_of_several_spaces_chooses_one(context: &Context) {
    let server = context.server();
    succeeds(context, &server, &["space", "add", "second", "--sandbox"]);
    let key = client_key(context, &server, "both", &["demo", "second"], EVERYTHING);
    let both = fhir_with_key(&server, &key);
    let number = unique();
    let created = both
        .post("/Patient")
        .header("X-Space", "second")
        .json(&patient(&number))
        .send()
        .expect(201);
    let path = format!("/Patient/{}", created.id());
    both.get(&path).header("X-Space", "second").send().expect(200);
    refused(both.get(&path).send(), 404, "not-found");
    refused(both.get(&path).header("X-Space", "demo").send(), 404, "not-found");
    assert_eq!(count_local(&both, &number), 0);
    assert_eq!(
        count_local(&both.clone().with_header("X-Space", "second"), &number),
        1
    );
    assert_eq!(count_local(&server.client("fhir"), &number), 0);
}

/// What a client sees of an answer, with its own id taken out: status, headers less date and request id, body.
fn comparable(answer: &Response, id: &str) -> String {
    let hide = |text: String| {
        if id.is_empty() {
            text
        } else {
            text.replace(id, "ID")
        }
    };
    let mut lines = vec![answer.status.to_string()];
    for (name, value) in answer.headers.iter() {
        if !["date", "x-request-id"].contains(&name.to_ascii_lowercase().as_str()) {
            lines.push(hide(format!("{name}: {}", String::from_utf8_lossy(value))));
        }
    }
    lines.sort();
    lines.push(hide(answer.text()));
    lines.join("\n")
}

/// A request about an id.
type Ask<'c> = Box<dyn Fn(&str) -> Response + 'c>;

fn t20_another_spaces_resource_answers_byte_for_byte_like_a_missing_one(context: &Context) {
    let (server, owner) = context.fhir();
    succeeds(context, &server, &["space", "add", "foreign", "--sandbox"]);
    let stranger = fhir_with_key(
        &server,
        &client_key(context, &server, "stranger", &["foreign"], EVERYTHING),
    );
    for kind in ["Patient", "Practitioner"] {
        // Ids of one length, so that Content-Length says nothing either.
        let (theirs, missing, gone) = ("theirs-0001", "nobody-0001", "gone-000001");
        for id in [theirs, gone] {
            let body = with(resource(kind, "urn:owner", id), "id", json!(id));
            owner.put(format!("/{kind}/{id}")).json(&body).send().expect(201);
        }
        owner.delete(format!("/{kind}/{gone}")).send().expect(204);
        let asks: Vec<(&str, Ask<'_>)> = vec![
            (
                "read",
                Box::new(|id| stranger.get(format!("/{kind}/{id}")).send()),
            ),
            (
                "read in XML",
                Box::new(|id| stranger.get(format!("/{kind}/{id}?_format=xml")).send()),
            ),
            (
                "head",
                Box::new(|id| stranger.head(format!("/{kind}/{id}")).send()),
            ),
            (
                "conditional read",
                Box::new(|id| {
                    stranger
                        .get(format!("/{kind}/{id}"))
                        .header("If-None-Match", "*")
                        .send()
                }),
            ),
            (
                "vread",
                Box::new(|id| stranger.get(format!("/{kind}/{id}/_history/1")).send()),
            ),
            (
                "vread of the deletion",
                Box::new(|id| stranger.get(format!("/{kind}/{id}/_history/2")).send()),
            ),
            (
                "search by id",
                Box::new(|id| stranger.get(format!("/{kind}?_id={id}")).send()),
            ),
            (
                "search by identifier",
                Box::new(|id| stranger.get(format!("/{kind}?identifier=urn:owner|{id}")).send()),
            ),
            (
                "posted search",
                Box::new(|id| {
                    stranger
                        .post(format!("/{kind}/_search"))
                        .form(&format!("_id={id}"))
                        .send()
                }),
            ),
            (
                "guarded update",
                Box::new(|id| {
                    let body = with(resource(kind, "urn:x", "1"), "id", json!(id));
                    stranger
                        .put(format!("/{kind}/{id}"))
                        .header("If-Match", "W/\"1\"")
                        .json(&body)
                        .send()
                }),
            ),
            (
                "invalid update",
                Box::new(|id| {
                    let body = with(
                        with(resource(kind, "urn:x", "1"), "id", json!(id)),
                        "birthDate",
                        json!("x"),
                    );
                    stranger.put(format!("/{kind}/{id}")).json(&body).send()
                }),
            ),
            (
                "guarded conditional update",
                Box::new(|id| {
                    let put = stranger
                        .put(format!("/{kind}?identifier=urn:owner|{id}"))
                        .header("If-Match", "*");
                    put.json(&resource(kind, "urn:x", "1")).send()
                }),
            ),
            (
                "delete",
                Box::new(|id| stranger.delete(format!("/{kind}/{id}")).send()),
            ),
            (
                "guarded delete",
                Box::new(|id| {
                    stranger
                        .delete(format!("/{kind}/{id}"))
                        .header("If-Match", "W/\"1\"")
                        .send()
                }),
            ),
        ];
        for (name, ask) in &asks {
            let expected = comparable(&ask(missing), missing);
            for id in [theirs, gone] {
                assert_eq!(comparable(&ask(id), id), expected, "{kind}: {name}");
            }
        }
        // Nothing of it all has touched the owner's.
        assert_eq!(
            owner
                .get(format!("/{kind}/{theirs}"))
                .send()
                .expect(200)
                .version(),
            1
        );
    }
}

fn the_same_id_and_identifiers_live_in_two_spaces(context: &Context) {
    let (server, owner) = context.fhir();
    succeeds(context, &server, &["space", "add", "foreign", "--sandbox"]);
    let stranger = fhir_with_key(
        &server,
        &client_key(context, &server, "stranger", &["foreign"], EVERYTHING),
    );
    let nir = testkit::samples::Patient::new(77).nir;
    let body = |family: &str| {
        json!({
            "resourceType": "Patient",
            "id": "shared",
            "identifier": [{
                "type": { "coding": [{ "system": FR_TYPES, "code": "INS-NIR" }] },
                "system": "urn:oid:1.2.250.1.213.1.4.8",
                "value": nir
            }],
            "name": [{ "family": family }]
        })
    };
    owner
        .put("/Patient/shared")
        .json(&body("Owner"))
        .send()
        .expect(201);
    // Neither id, nor key identifier, nor criteria meet across spaces.
    stranger
        .put("/Patient/shared")
        .json(&body("Stranger"))
        .send()
        .expect(201);
    let family = |client: &Client| -> Value {
        client.get("/Patient/shared").send().expect(200).json()["name"][0]["family"].clone()
    };
    assert_eq!(
        (family(&owner), family(&stranger)),
        (json!("Owner"), json!("Stranger"))
    );
    put_by(
        &stranger,
        "Patient",
        ("urn:oid:1.2.250.1.213.1.4.8", &nir),
        &body("Changed"),
    )
    .expect(200);
    stranger.delete("/Patient/shared").send().expect(204);
    assert_eq!(family(&owner), json!("Owner"));
    assert_eq!(owner.get("/Patient").send().expect(200).json()["total"], 1);
    assert_eq!(stranger.get("/Patient").send().expect(200).json()["total"], 0);
}

fn live_keys_see_live_spaces_and_test_keys_sandboxes(context: &Context) {
    let server = context.server();
    succeeds(context, &server, &["space", "add", "real"]);
    let live = client_key(context, &server, "hospital", &["real", "demo"], EVERYTHING);
    assert!(live.starts_with("sk_live_"), "the kind of the default space");
    let sandbox = client_key(context, &server, "trial", &["demo", "real"], EVERYTHING);
    assert!(sandbox.starts_with("sk_test_"));
    let (live, sandbox) = (fhir_with_key(&server, &live), fhir_with_key(&server, &sandbox));
    live.get("/Patient").send().expect(200);
    sandbox.get("/Patient").send().expect(200);
    let wrong = [(&live, "demo"), (&sandbox, "real")].map(|(client, space)| {
        refused(
            client.get("/Patient").header("X-Space", space).send(),
            403,
            "forbidden",
        )
    });
    assert_eq!(wrong[0].text(), wrong[1].text());
    live.get("/Patient").header("X-Space", "real").send().expect(200);
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
    assert!(
        first.is_some_and(|number| number > 10),
        "refused from guess {first:?} on"
    );
    let answer = refused(guesser.get("/Patient").send(), 429, "throttled");
    let wait = answer.header("Retry-After").unwrap();
    assert!(
        wait.parse::<u32>()
            .is_ok_and(|seconds| (1..=3600).contains(&seconds)),
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
