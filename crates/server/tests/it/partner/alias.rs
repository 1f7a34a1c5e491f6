//! The OID spelling of our identifier systems (`adapters.md` 5.1, X12).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

pub const TESTS: &[Test] = tests![x12_an_oid_spelling_finds_and_writes_what_the_canonical_one_does];

/// The external ids of the connect door's space in a demo.
const CANONICAL: &str = "https://fhir-facade.example/ns/medicapp/space/demo/external-id";
/// The same as an OID: 2.25 and the decimal of the UUID of version 5 of the path under the one of the base's host.
const ALIAS: &str = "urn:oid:2.25.15322114546409131452816675141220187733";

fn x12_an_oid_spelling_finds_and_writes_what_the_canonical_one_does(context: &Context) {
    let server = shared(context);
    let (fhir, connect) = (shared_fhir(context), server.client("medicapp-connect"));
    let value = unique();
    let made = put_by(
        &fhir,
        "Patient",
        (ALIAS, &value),
        &resource("Patient", ALIAS, &value),
    )
    .expect(201);
    let id = id_of(made.header("Location").expect("a Location"));
    let again = put_by(
        &fhir,
        "Patient",
        (CANONICAL, &value),
        &resource("Patient", CANONICAL, &value),
    );
    assert_eq!(
        again.expect(200).header("ETag"),
        Some("W/\"1\""),
        "nothing has changed"
    );
    assert_eq!(found(&fhir, "Patient", (ALIAS, &value)), [id.as_str()]);
    assert_eq!(found(&fhir, "Patient", (CANONICAL, &value)), [id.as_str()]);
    let stored = fhir.get(format!("/Patient/{id}")).send().expect(200).json();
    let systems: Vec<&Value> = stored["identifier"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|identifier| &identifier["system"])
        .collect();
    assert_eq!(
        systems,
        [&json!(CANONICAL)],
        "only the canonical spelling is stored"
    );
    let taken = json!({ "firstName": "A", "lastName": "B", "birthDate": "1990-01-01", "externalId": value });
    let refused = connect
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(taken.to_string())
        .send();
    assert_eq!(
        refused.expect(409).json()["error"]["code"],
        "EXTERNAL_ID_CONFLICT"
    );
}
