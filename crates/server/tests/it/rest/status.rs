//! Statuses that servers are known to mix up.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p37_a_resource_that_breaks_a_rule_is_a_422_on_every_write,
    p37_a_create_after_a_delete_is_a_201,
    p37_a_delete_of_what_is_deleted_or_never_was_is_a_204,
];

/// Well-formed patients that break a rule of content, and the code of the issue.
fn unruly() -> [(Value, &'static str); 3] {
    [
        (json!({ "gender": "x" }), "code-invalid"),
        (json!({ "contact": [{ "gender": "male" }] }), "invariant"),
        (
            json!({ "identifier": [{ "period": { "start": "2021", "end": "2020" } }] }),
            "invariant",
        ),
    ]
}

fn p37_a_resource_that_breaks_a_rule_is_a_422_on_every_write(context: &Context) {
    let fhir = shared_fhir(context);
    for (mut body, code) in unruly() {
        body["resourceType"] = json!("Patient");
        let own = unique();
        let named = with(body.clone(), "id", json!(own));
        let by_id = format!("/Patient/{own}");
        let conditional = format!("/Patient?{}", by_local(&own));
        refused(fhir.post("/Patient").json(&body).send(), 422, code);
        refused(
            fhir.post("/Patient")
                .header("If-None-Exist", by_local(&own))
                .json(&body)
                .send(),
            422,
            code,
        );
        refused(fhir.put(&by_id).json(&named).send(), 422, code);
        refused(fhir.put(&conditional).json(&body).send(), 422, code);
        // What is wrong with the resource is told before what is wrong with the moment.
        refused(
            fhir.put(&by_id).header("If-Match", "W/\"9\"").json(&named).send(),
            422,
            code,
        );
        refused(fhir.get(&by_id).send(), 404, "not-found");
    }
}

fn p37_a_create_after_a_delete_is_a_201(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    let body = with(patient(&own), "id", json!(own));
    assert_eq!(fhir.put(&path).json(&body).send().expect(201).version(), 1);
    assert_eq!(
        fhir.put(&path)
            .json(&with(body.clone(), "active", json!(true)))
            .send()
            .expect(200)
            .version(),
        2
    );
    // By id, by criteria with the id in the body, and once more after each.
    fhir.delete(&path).send().expect(204);
    let again = fhir.put(&path).json(&body).send().expect(201);
    assert_eq!((again.id(), again.version()), (own.clone(), 4));
    fhir.delete(&path).send().expect(204);
    let conditional = format!("/Patient?{}", by_local(&own));
    let again = fhir.put(&conditional).json(&body).send().expect(201);
    assert_eq!((again.id(), again.version()), (own.clone(), 6));
    fhir.put(&conditional).json(&body).send().expect(200);
    fhir.delete(&path).send().expect(204);
    // Without an id nothing says that it is the same one.
    let other = fhir.put(&conditional).json(&patient(&own)).send().expect(201);
    assert_ne!(other.id(), own);
    assert_eq!(count_local(&fhir, &own), 1);
}

fn p37_a_delete_of_what_is_deleted_or_never_was_is_a_204(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    fhir.delete(&path).send().expect(204);
    refused(fhir.get(&path).send(), 404, "not-found");
    let body = with(patient(&own), "id", json!(own));
    fhir.put(&path).json(&body).send().expect(201);
    for _ in 0..3 {
        assert!(fhir.delete(&path).send().expect(204).body.is_empty());
    }
    refused(fhir.get(&path).send(), 410, "deleted");
    // The second and the third made no version.
    assert_eq!(fhir.put(&path).json(&body).send().expect(201).version(), 3);
}
