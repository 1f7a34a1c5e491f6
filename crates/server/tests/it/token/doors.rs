//! What a token lets its client do, at every door.

use std::time::Duration;

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::tests;
use testkit::wait::wait_for;

use super::{CLIENT, ISSUER, Stage, claims};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_token_may_what_both_it_and_the_operator_allow,
    a_client_that_is_switched_off_or_has_no_such_door_is_refused_with_a_good_token,
    a_tokens_client_chooses_among_its_spaces,
    a_token_works_at_the_partner_doors_with_its_scopes,
    a_token_and_the_api_key_open_the_registry_together,
];

/// What comes of each letter on a type: the letters that are let through.
fn letters(client: &Client, kind: &str) -> String {
    let body = resource(kind, LOCAL, &unique());
    let requests = [
        ('c', client.post(format!("/{kind}")).json(&body)),
        ('r', client.get(format!("/{kind}/nobody"))),
        (
            'u',
            client.put(format!("/{kind}?{}", by_local(&unique()))).json(&body),
        ),
        ('d', client.delete(format!("/{kind}/{}", unique()))),
        ('s', client.get(format!("/{kind}?_count=1"))),
    ];
    let mut granted = String::new();
    for (letter, request) in requests {
        let answer = request.send();
        if answer.status != 403 {
            assert!(
                [200, 201, 204, 404].contains(&answer.status),
                "{letter} of {kind}: {answer:?}"
            );
            granted.push(letter);
            continue;
        }
        let answer = refused(answer, 403, "forbidden");
        let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
        assert!(
            challenge.contains("error=\"insufficient_scope\"")
                && challenge.contains(&format!("scope=\"system/{kind}.")),
            "{challenge}"
        );
    }
    granted
}

fn a_token_may_what_both_it_and_the_operator_allow(context: &Context) {
    let stage = Stage::new(context);
    let scopes = ["system/Patient.crus", "system/Practitioner.rs"];
    stage.put_client(context, "narrow", &["fhir"], &scopes, &[]);
    stage.is_let_in(&stage.signer.token(&claims("narrow", "")));
    for (client, scopes, patient, practitioner) in [
        (CLIENT, "system/*.cruds", "cruds", "cruds"),
        (CLIENT, "system/Patient.rs", "rs", ""),
        (CLIENT, "system/Patient.read", "rs", ""),
        (
            CLIENT,
            "system/Patient.write system/Practitioner.*",
            "cud",
            "cruds",
        ),
        (CLIENT, "system/*.read", "rs", "rs"),
        (CLIENT, "system/Patient.r system/Patient.c", "cr", ""),
        (CLIENT, "", "", ""),
        // Narrowed by a search, of other contexts and types: nothing of them is granted.
        (CLIENT, "system/Patient.rs?birthdate=gt2000", "", ""),
        (
            CLIENT,
            "patient/*.cruds user/*.cruds launch openid system/Observation.rs",
            "",
            "",
        ),
        (CLIENT, "system/Patient.rs?_id=1 system/Practitioner.s", "", "s"),
        // The operator's word holds whatever the token says.
        ("narrow", "system/*.cruds", "crus", "rs"),
        ("narrow", "system/Patient.d system/Practitioner.cud", "", ""),
        ("narrow", "system/*.read", "rs", "rs"),
    ] {
        let client = stage.fhir(&stage.signer.token(&claims(client, scopes)));
        let found = (letters(&client, "Patient"), letters(&client, "Practitioner"));
        assert_eq!(found, (patient.to_owned(), practitioner.to_owned()), "{scopes}");
    }
}

fn a_client_that_is_switched_off_or_has_no_such_door_is_refused_with_a_good_token(context: &Context) {
    let stage = Stage::new(context);
    stage.put_client(
        context,
        "partner",
        &["patient-graph"],
        &["patient-graph:all"],
        &[],
    );
    stage.is_let_in(&stage.signer.token(&claims("partner", "")));
    let partner = stage.fhir(&stage.signer.token(&claims("partner", "system/*.cruds")));
    refused(partner.get("/Patient").send(), 403, "forbidden");
    let client = stage.fhir(&stage.token("system/*.cruds"));
    client.get("/Patient").send().expect(200);
    stage.put_client(context, CLIENT, &["fhir"], &["system/*.cruds"], &["--disabled"]);
    wait_for(Duration::from_secs(10), "the client to be off", || {
        (client.get("/Patient/nobody").send().status == 401).then_some(())
    });
    succeeds(context, &stage.server, &["client", "enable", CLIENT]);
    // One that no longer names the issuer comes with its API key alone.
    let arguments = [
        "client",
        "add",
        CLIENT,
        "--space",
        "demo",
        "--door",
        "fhir",
        "--scope",
        "system/*.cruds",
    ];
    succeeds(context, &stage.server, &arguments);
    let key = issue_key(context, &stage.server, CLIENT);
    fhir_with_key(&stage.server, &key)
        .get("/Patient")
        .send()
        .expect(200);
    refused(client.get("/Patient/nobody").send(), 401, "login");
    // An API key of a client with tokens works beside them.
    stage.put_client(context, CLIENT, &["fhir"], &["system/*.cruds"], &[]);
    stage.is_let_in(&stage.token("system/*.cruds"));
    fhir_with_key(&stage.server, &key)
        .get("/Patient")
        .send()
        .expect(200);
    let listed = succeeds(context, &stage.server, &["client", "list"]);
    assert!(
        listed.contains(&format!("tokens {CLIENT} of {ISSUER}")),
        "{listed}"
    );
}

fn a_tokens_client_chooses_among_its_spaces(context: &Context) {
    let stage = Stage::new(context);
    succeeds(context, &stage.server, &["space", "add", "second", "--sandbox"]);
    succeeds(context, &stage.server, &["space", "add", "live"]);
    succeeds(context, &stage.server, &["space", "add", "foreign", "--sandbox"]);
    let spaces = ["--space", "second", "--space", "live"];
    stage.put_client(context, "several", &["fhir"], &["system/*.cruds"], &spaces);
    let token = stage.signer.token(&claims("several", "system/*.cruds"));
    stage.is_let_in(&token);
    let client = stage.fhir(&token);
    let ask = |space: &str| client.get("/Patient").header("X-Space", space).send();
    ask("demo").expect(200);
    ask("second").expect(200);
    // Its default space is a sandbox: its tokens see sandboxes.
    for other in ["live", "foreign", "nowhere"] {
        refused(ask(other), 403, "forbidden");
    }
    let number = unique();
    client.post("/Patient").json(&patient(&number)).send().expect(201);
    assert_eq!(count_local(&client, &number), 1);
    assert_eq!(count_local(&client.with_header("X-Space", "second"), &number), 0);
}

fn a_token_works_at_the_partner_doors_with_its_scopes(context: &Context) {
    let stage = Stage::new(context);
    let doors = ["medicapp-connect", "patient-graph"];
    stage.put_client(context, "partner", &doors, &["partner:administrative"], &[]);
    stage.is_let_in(&stage.signer.token(&claims("partner", "")));
    let at = |prefix: &str, scopes: &str| {
        let token = stage.signer.token(&claims("partner", scopes));
        stage.server.anonymous().with_prefix(prefix).with_bearer(&token)
    };
    at("/v5", "partner:administrative")
        .get("/patients")
        .send()
        .expect(200);
    at("/v5", "system/*.cruds").get("/patients").send().expect(403);
    at("/v1", "")
        .get("/patients?brand_id=demo-brand")
        .send()
        .expect(200);
    let wrong = stage.signer.token(&claims("nobody", "partner:administrative"));
    let refused = stage.server.anonymous().with_prefix("/v5").with_bearer(&wrong);
    refused.get("/patients").send().expect(401);
}

fn a_token_and_the_api_key_open_the_registry_together(context: &Context) {
    let stage = Stage::new(context);
    let entity = [
        "--legal-entity-id",
        "7cc91a5d-c02f-41e9-b571-1ea4f2375552",
        "--legal-entity-type",
        "OUTPATIENT",
        "--legal-entity-status",
        "ACTIVE",
    ];
    let scopes = ["preperson:read", "preperson:write"];
    stage.put_client(context, "facility", &["ehealth"], &scopes, &entity);
    let printed = succeeds(
        context,
        &stage.server,
        &["key", "issue", "facility", "--ehealth-api-key"],
    );
    let api_key = printed.lines().next().expect("an API-key").to_owned();
    stage.is_let_in(&stage.signer.token(&claims("facility", "")));
    let path = "/prepersons/00000000-0000-4000-8000-00000000dead";
    let ask = |scopes: &str, api_key: Option<&str>| {
        let token = stage.signer.token(&claims("facility", scopes));
        let client = stage.server.anonymous().with_prefix("/api").with_bearer(&token);
        match api_key {
            Some(key) => client.with_header("API-key", key).get(path).send(),
            None => client.get(path).send(),
        }
    };
    wait_for(Duration::from_secs(10), "the API-key to be known", || {
        (ask("preperson:read", Some(&api_key)).status == 404).then_some(())
    });
    ask("preperson:write", Some(&api_key)).expect(403);
    ask("", Some(&api_key)).expect(403);
    ask("preperson:read", None).expect(401);
    let other = stage.server.credential("ehealth").entry["api_key"]
        .as_str()
        .expect("an API-key");
    let foreign = ask("preperson:read", Some(other)).expect(401).json();
    assert_eq!(foreign["error"]["message"], json!("Invalid api key"));
}
