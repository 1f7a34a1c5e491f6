//! Conditional entries: resolved before anything is written, repeatable, never weakened.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::percent_encode;
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p04_a_replayed_transaction_of_conditional_creates_is_answered_200,
    p05_a_replayed_transaction_of_conditional_puts_is_answered_200,
    p07_two_conditional_puts_to_one_identity_are_both_named,
    p08_identical_if_none_exist_twice_makes_one_resource,
    p29_many_matches_fail_with_the_index_of_the_entry,
    p31_several_criteria_that_match_nothing_create,
    criteria_are_resolved_against_the_state_before_the_transaction,
    criteria_that_another_entry_would_meet_are_no_way_to_make_two,
    if_match_of_a_conditional_put_applies_to_the_match,
    if_none_exist_is_taken_in_all_its_spellings,
];

fn unless(number: &str) -> Value {
    asking(
        entry_with("POST", "Patient", &patient(number)),
        "ifNoneExist",
        &by_local(number),
    )
}

fn put(number: &str) -> Value {
    entry_with("PUT", &format!("Patient?{}", by_local(number)), &patient(number))
}

fn p04_a_replayed_transaction_of_conditional_creates_is_answered_200(context: &Context) {
    let fhir = shared_fhir(context);
    let (one, two) = (unique(), unique());
    let first = answers(transact(&fhir, &[unless(&one), unless(&two)]));
    assert_eq!(statuses(&first), [201, 201]);
    for _ in 0..3 {
        let again = answers(transact(&fhir, &[unless(&one), unless(&two)]));
        assert_eq!(statuses(&again), [200, 200]);
        assert_eq!([id(&again[0]), id(&again[1])], [id(&first[0]), id(&first[1])]);
        assert_eq!(again[0]["response"]["etag"], "W/\"1\"");
    }
    assert_eq!(count_local(&fhir, &one), 1);
}

fn p05_a_replayed_transaction_of_conditional_puts_is_answered_200(context: &Context) {
    let fhir = shared_fhir(context);
    let (one, two) = (unique(), unique());
    let first = answers(transact(&fhir, &[put(&one), put(&two)]));
    assert_eq!(statuses(&first), [201, 201]);
    for _ in 0..3 {
        let again = answers(transact(&fhir, &[put(&one), put(&two)]));
        assert_eq!(statuses(&again), [200, 200]);
        assert_eq!(again[1]["response"]["etag"], "W/\"1\"");
        assert_eq!(id(&again[1]), id(&first[1]));
    }
}

fn p07_two_conditional_puts_to_one_identity_are_both_named(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    // Whether it is there or not.
    for _ in 0..2 {
        let answer = refused(
            transact(&fhir, &[put(&number), put(&unique()), put(&number)]),
            400,
            "invalid",
        );
        points_at(&answer, "Bundle.entry[0]");
        points_at(&answer, "Bundle.entry[2]");
        assert_eq!(answer.issues().len(), 2);
        fhir.post("/Patient")
            .header("If-None-Exist", by_local(&number))
            .json(&patient(&number))
            .send();
    }
    assert_eq!(count_local(&fhir, &number), 1);
}

fn p08_identical_if_none_exist_twice_makes_one_resource(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let raw = asking(
        entry_with("POST", "Patient", &patient(&number)),
        "ifNoneExist",
        &format!("identifier={LOCAL}|{number}"),
    );
    let answered = answers(transact(&fhir, &[unless(&number), unless(&number), raw]));
    assert_eq!(statuses(&answered), [201, 200, 200]);
    assert_eq!(
        [id(&answered[1]), id(&answered[2])],
        [id(&answered[0]), id(&answered[0])]
    );
    assert_eq!(count_local(&fhir, &number), 1);
}

fn p29_many_matches_fail_with_the_index_of_the_entry(context: &Context) {
    let fhir = shared_fhir(context);
    let (many, other) = (unique(), unique());
    for _ in 0..2 {
        fhir.post("/Patient").json(&patient(&many)).send().expect(201);
    }
    for entry in [unless(&many), put(&many)] {
        let answer = refused(
            transact(&fhir, &[unless(&other), entry.clone()]),
            412,
            "multiple-matches",
        );
        points_at(&answer, "Bundle.entry[1]");
        assert!(
            answer.issues()[0].diagnostics.contains(&percent_encode(&many)),
            "{answer:?}"
        );
        assert_eq!(statuses(&answers(send(&fhir, "batch", &[entry]))), [412]);
    }
    assert_eq!(count_local(&fhir, &other), 0);
}

fn p31_several_criteria_that_match_nothing_create(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let both = format!("{}&family=Nobody{number}", by_local(&number));
    for kind in ["batch", "transaction"] {
        let create = asking(
            entry_with("POST", "Patient", &patient(&number)),
            "ifNoneExist",
            &both,
        );
        assert_eq!(statuses(&answers(send(&fhir, kind, &[create]))), [201]);
    }
}

fn criteria_are_resolved_against_the_state_before_the_transaction(context: &Context) {
    let fhir = shared_fhir(context);
    let (old, new) = (unique(), unique());
    let created = fhir.post("/Patient").json(&patient(&old)).send().expect(201);
    // The first entry takes the number away from the match of the second: it is still the match.
    let renamed = with(patient(&new), "id", json!(created.id()));
    let entries = [
        entry_with("PUT", &format!("Patient/{}", created.id()), &renamed),
        unless(&old),
    ];
    let answer = refused(transact(&fhir, &entries), 400, "invalid");
    points_at(&answer, "Bundle.entry[1]");
    assert_eq!(count_local(&fhir, &old), 1);
}

fn criteria_that_another_entry_would_meet_are_no_way_to_make_two(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let by_value = asking(
        entry_with("POST", "Patient", &patient(&number)),
        "ifNoneExist",
        &format!("identifier={number}"),
    );
    for other in [
        unless(&number),
        put(&number),
        entry_with("POST", "Patient", &patient(&number)),
    ] {
        let answer = refused(transact(&fhir, &[other, by_value.clone()]), 400, "invalid");
        points_at(&answer, "Bundle.entry[0]");
        points_at(&answer, "Bundle.entry[1]");
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn if_match_of_a_conditional_put_applies_to_the_match(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let guarded = |tag: &str| [asking(put(&number), "ifMatch", tag)];
    refused(transact(&fhir, &guarded("W/\"1\"")), 412, "conflict");
    answers(transact(&fhir, &[put(&number)]));
    refused(transact(&fhir, &guarded("W/\"2\"")), 412, "conflict");
    assert_eq!(
        statuses(&answers(transact(&fhir, &guarded("W/\"2\", W/\"1\"")))),
        [200]
    );
    refused(
        transact(&fhir, &[asking(put(&number), "ifNoneMatch", "*")]),
        412,
        "conflict",
    );
}

fn if_none_exist_is_taken_in_all_its_spellings(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let criteria = by_local(&number);
    for spelling in [
        criteria.clone(),
        format!("?{criteria}"),
        format!("Patient?{criteria}"),
        format!("http://elsewhere.example/fhir/Patient?{criteria}"),
        format!("identifier={LOCAL}|{number}"),
    ] {
        let create = [asking(
            entry_with("POST", "Patient", &patient(&number)),
            "ifNoneExist",
            &spelling,
        )];
        for kind in ["batch", "transaction"] {
            assert_eq!(
                statuses(&answers(send(&fhir, kind, &create))),
                [200],
                "{spelling}"
            );
        }
    }
}
