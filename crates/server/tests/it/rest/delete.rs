//! delete: repeatable, and forgotten by search.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_delete_answers_204_however_often_it_is_sent,
    a_deleted_resource_is_found_by_no_search,
    a_second_delete_makes_no_version,
    a_delete_of_a_type_without_criteria_is_refused,
];

fn a_delete_answers_204_however_often_it_is_sent(context: &Context) {
    let fhir = shared_fhir(context);
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let path = format!("/Patient/{}", created.id());
    for _ in 0..3 {
        let answer = fhir.delete(&path).send().expect(204);
        assert!(answer.body.is_empty());
        assert!(answer.header("X-Request-Id").is_some());
    }
    fhir.delete("/Patient/nobody-of-this-id").send().expect(204);
    // Deleting what never was does not make it something that was.
    refused(fhir.get("/Patient/nobody-of-this-id").send(), 404, "not-found");
}

fn a_deleted_resource_is_found_by_no_search(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let family = format!("Famille{number}");
    let body = with(patient(&number), "name", json!([{ "family": family }]));
    let created = fhir.post("/Patient").json(&body).send().expect(201);
    let searches = [
        by_local(&number),
        format!("family={family}"),
        format!("_id={}", created.id()),
    ];
    for search in &searches {
        let bundle = fhir.get(format!("/Patient?{search}")).send().expect(200).json();
        assert_eq!(
            (bundle["total"].as_u64(), ids(&bundle)),
            (Some(1), vec![created.id()]),
            "{search}"
        );
    }
    fhir.delete(format!("/Patient/{}", created.id()))
        .send()
        .expect(204);
    for search in &searches {
        let bundle = fhir.get(format!("/Patient?{search}")).send().expect(200).json();
        assert_eq!(
            (bundle["total"].as_u64(), ids(&bundle).len()),
            (Some(0), 0),
            "{search}"
        );
    }
    assert_eq!(
        put_by(&fhir, "Patient", (LOCAL, &number), &body)
            .expect(201)
            .version(),
        1
    );
}

fn a_second_delete_makes_no_version(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    let body = with(patient(&own), "id", json!(own));
    fhir.put(&path).json(&body).send().expect(201);
    fhir.delete(&path).send().expect(204);
    fhir.delete(&path).send().expect(204);
    assert_eq!(fhir.put(&path).json(&body).send().expect(201).version(), 3);
}

fn a_delete_of_a_type_without_criteria_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let answer = fhir.delete("/Patient").send();
    assert!(matches!(answer.status, 400 | 405), "{answer:?}");
    assert!(!answer.issues().is_empty());
    assert_eq!(count_local(&fhir, &number), 1);
}
