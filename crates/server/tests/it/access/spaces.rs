//! Which space a request is about, and that spaces do not meet.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::tests;

use super::{EVERYTHING, client_key, compare::comparable};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_foreign_space_and_a_missing_one_are_refused_alike,
    a_client_of_several_spaces_chooses_one,
    the_same_id_and_identifiers_live_in_two_spaces,
    live_keys_see_live_spaces_and_test_keys_sandboxes,
];

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
        assert_eq!(comparable(&answer, &[]), comparable(&foreign, &[]), "{missing:?}");
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
