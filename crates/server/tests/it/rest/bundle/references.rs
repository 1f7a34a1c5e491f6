//! What entries say of each other: `urn:uuid:` and conditional references.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    full_urls_are_rewritten_everywhere,
    a_link_to_what_a_condition_finds_is_a_link_to_the_match,
    a_conditional_reference_becomes_the_one_it_matches,
    a_conditional_reference_to_what_the_transaction_creates_is_that,
    a_conditional_reference_that_matches_none_or_many_fails_with_its_place,
    a_conditional_reference_is_never_weakened,
    a_link_to_a_resource_of_the_wrong_type_is_refused_at_its_place,
    the_same_full_url_twice_is_refused,
    replaying_a_linked_transaction_makes_no_new_versions,
];

const DOCTOR: &str = "urn:uuid:4b3b1a52-0f3c-4f2a-9d64-7a2b1f1d0001";
const CHILD: &str = "urn:uuid:4b3b1a52-0f3c-4f2a-9d64-7a2b1f1d0002";

fn doctor(number: &str) -> Value {
    resource("Practitioner", LOCAL, number)
}

/// A patient that this doctor treats.
fn treated(number: &str, by: &str) -> Value {
    with(
        patient(number),
        "generalPractitioner",
        json!([{ "reference": by }]),
    )
}

fn full_urls_are_rewritten_everywhere(context: &Context) {
    let fhir = shared_fhir(context);
    let (one, two) = (unique(), unique());
    let mut child = treated(&one, DOCTOR);
    child["extension"] = json!([{ "url": "http://example.org/seen-by", "valueReference": { "reference": DOCTOR } },
        { "url": "http://example.org/link", "valueUri": DOCTOR }]);
    child["link"] = json!([{ "type": "seealso", "other": { "reference": "urn:uuid:4b3b1a52-0f3c-4f2a-9d64-7a2b1f1d0003" } }]);
    child["contained"] = json!([{ "resourceType": "Patient", "id": "c",
        "generalPractitioner": [{ "reference": DOCTOR }] }]);
    let local = json!({ "type": "seealso", "other": { "reference": "#c" } });
    child["link"].as_array_mut().unwrap().push(local);
    child["text"] = json!({ "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{DOCTOR}</div>") });
    // The patient that is linked to stands behind, and is an update.
    let other = with(patient(&two), "id", json!(two));
    let entries = [
        named(entry_with("POST", "Patient", &child), CHILD),
        named(
            entry_with("PUT", &format!("Patient/{two}"), &other),
            "urn:uuid:4b3b1a52-0f3c-4f2a-9d64-7a2b1f1d0003",
        ),
        named(entry_with("POST", "Practitioner", &doctor(&one)), DOCTOR),
    ];
    let answered = answers(transact(&fhir, &entries));
    assert_eq!(statuses(&answered), [201, 201, 201], "{answered:?}");
    let expected = format!("Practitioner/{}", id(&answered[2]));
    let stored = fhir
        .get(format!("/Patient/{}", id(&answered[0])))
        .send()
        .expect(200)
        .json();
    assert_eq!(stored["generalPractitioner"][0]["reference"], *expected);
    assert_eq!(stored["extension"][0]["valueReference"]["reference"], *expected);
    assert_eq!(stored["extension"][1]["valueUri"], *expected);
    assert_eq!(
        stored["contained"][0]["generalPractitioner"][0]["reference"],
        *expected
    );
    assert_eq!(stored["link"][0]["other"]["reference"], format!("Patient/{two}"));
    assert!(stored["text"]["div"].as_str().unwrap().contains(DOCTOR));
    // The index follows the rewritten link.
    let found = fhir
        .get(format!("/Patient?general-practitioner={expected}"))
        .send()
        .expect(200);
    assert_eq!(ids(&found.json()), [id(&answered[0])]);
}

fn a_link_to_what_a_condition_finds_is_a_link_to_the_match(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let there = fhir
        .post("/Practitioner")
        .json(&doctor(&number))
        .send()
        .expect(201)
        .id();
    let unless = asking(
        entry_with("POST", "Practitioner", &doctor(&number)),
        "ifNoneExist",
        &by_local(&number),
    );
    let put = entry_with(
        "PUT",
        &format!("Practitioner?{}", by_local(&number)),
        &doctor(&number),
    );
    for finding in [unless, put] {
        let entries = [
            entry_with("POST", "Patient", &treated(&number, DOCTOR)),
            named(finding, DOCTOR),
        ];
        let answered = answers(transact(&fhir, &entries));
        assert_eq!(statuses(&answered), [201, 200]);
        assert_eq!(
            answered[0]["resource"]["generalPractitioner"][0]["reference"],
            format!("Practitioner/{there}")
        );
    }
}

fn a_conditional_reference_becomes_the_one_it_matches(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let there = fhir
        .post("/Practitioner")
        .json(&doctor(&number))
        .send()
        .expect(201)
        .id();
    for reference in [
        format!("Practitioner?{}", by_local(&number)),
        format!("Practitioner?identifier={LOCAL}|{number}"),
    ] {
        let answered = answers(transact(
            &fhir,
            &[entry_with("POST", "Patient", &treated(&number, &reference))],
        ));
        assert_eq!(
            answered[0]["resource"]["generalPractitioner"][0]["reference"],
            format!("Practitioner/{there}")
        );
    }
}

fn a_conditional_reference_to_what_the_transaction_creates_is_that(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let reference = format!("Practitioner?{}", by_local(&number));
    let unless = asking(
        entry_with("POST", "Practitioner", &doctor(&number)),
        "ifNoneExist",
        &by_local(&number),
    );
    let entries = [
        entry_with("POST", "Patient", &treated(&number, &reference)),
        unless,
    ];
    for expected in [[201, 201], [201, 200]] {
        let answered = answers(transact(&fhir, &entries));
        assert_eq!(statuses(&answered), expected);
        assert_eq!(
            answered[0]["resource"]["generalPractitioner"][0]["reference"],
            format!("Practitioner/{}", id(&answered[1]))
        );
    }
}

fn a_conditional_reference_that_matches_none_or_many_fails_with_its_place(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, other) = (unique(), unique());
    let reference = format!("Practitioner?{}", by_local(&number));
    let entries = [
        entry_with("POST", "Patient", &patient(&other)),
        entry_with("POST", "Patient", &treated(&other, &reference)),
    ];
    let place = "Bundle.entry[1].resource.generalPractitioner[0].reference";
    let none = refused(transact(&fhir, &entries), 404, "not-found");
    points_at(&none, place);
    assert!(none.issues()[0].diagnostics.contains(&number), "{none:?}");
    for _ in 0..2 {
        fhir.post("/Practitioner")
            .json(&doctor(&number))
            .send()
            .expect(201);
    }
    points_at(
        &refused(transact(&fhir, &entries), 412, "multiple-matches"),
        place,
    );
    assert_eq!(count_local(&fhir, &other), 0);
}

fn a_conditional_reference_is_never_weakened(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for reference in [
        "Practitioner?identifer=a|b",
        "Practitioner?",
        "Practitioner?family:sounds=x",
        "Practitioner?identifier=",
    ] {
        let answer = transact(
            &fhir,
            &[entry_with("POST", "Patient", &treated(&number, reference))],
        )
        .expect(400);
        points_at(
            &answer,
            "Bundle.entry[0].resource.generalPractitioner[0].reference",
        );
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn a_link_to_a_resource_of_the_wrong_type_is_refused_at_its_place(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let mut wrong = patient(&number);
    wrong["link"] = json!([{ "type": "seealso", "other": { "reference": DOCTOR } }]);
    let entries = [
        entry_with("POST", "Patient", &wrong),
        named(entry_with("POST", "Practitioner", &doctor(&number)), DOCTOR),
    ];
    let answer = transact(&fhir, &entries);
    assert!(matches!(answer.status, 400 | 422), "{answer:?}");
    points_at(&answer, "Bundle.entry[0].resource.link[0].other.reference");
    assert_eq!(count_local(&fhir, &number), 0);
}

fn the_same_full_url_twice_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let twice = named(entry_with("POST", "Patient", &patient(&number)), CHILD);
    let answer = refused(transact(&fhir, &[twice.clone(), twice]), 422, "invariant");
    points_at(&answer, "Bundle.entry[1].fullUrl");
    assert_eq!(count_local(&fhir, &number), 0);
}

fn replaying_a_linked_transaction_makes_no_new_versions(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let by = by_local(&number);
    let entries = [
        entry_with("PUT", &format!("Patient?{by}"), &treated(&number, DOCTOR)),
        named(
            asking(
                entry_with("POST", "Practitioner", &doctor(&number)),
                "ifNoneExist",
                &by,
            ),
            DOCTOR,
        ),
    ];
    assert_eq!(statuses(&answers(transact(&fhir, &entries))), [201, 201]);
    for _ in 0..2 {
        let again = answers(transact(&fhir, &entries));
        assert_eq!(statuses(&again), [200, 200]);
        assert_eq!(again[0]["response"]["etag"], "W/\"1\"");
    }
}
