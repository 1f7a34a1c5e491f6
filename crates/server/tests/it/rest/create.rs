//! create, and conditional create in all its spellings.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::percent_encode;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_create_tells_where_the_resource_is,
    an_id_in_a_created_body_is_ignored,
    two_plain_creates_are_two_resources,
    a_create_accepts_the_type_of_its_url_alone,
    without_a_match_a_conditional_create_creates,
    p30_one_match_is_answered_untouched_and_located,
    many_matches_are_refused,
    p27_criteria_are_taken_with_and_without_type_and_as_a_url,
    p26_if_none_exist_is_percent_decoded,
    p28_an_empty_if_none_exist_is_refused,
    p25_a_misspelt_criterion_is_named_and_nothing_is_written,
    p25_criteria_in_the_url_of_a_create_are_refused_by_name,
    criteria_of_another_type_are_refused,
    a_repeated_or_unreadable_if_none_exist_is_refused,
    p31_several_criteria_must_all_hold,
    a_deleted_resource_is_no_match,
    p48_a_conditional_create_sees_the_create_before_it,
    an_invalid_body_is_refused_whether_or_not_something_matches,
];

fn a_create_tells_where_the_resource_is(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let body = created.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(
        created.location(),
        format!("{}/fhir/Patient/{id}/_history/1", server.base())
    );
    assert_eq!(created.header("ETag"), Some("W/\"1\""));
    assert!(created.header("Last-Modified").is_some());
    assert_eq!(body["meta"]["versionId"], "1");
    assert!(
        (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    );
    // At least milliseconds are shown.
    let updated = body["meta"]["lastUpdated"].as_str().unwrap();
    let (_, fraction) = updated
        .split_once('.')
        .unwrap_or_else(|| panic!("{updated} has no fraction"));
    assert!(
        fraction.bytes().take_while(u8::is_ascii_digit).count() >= 3,
        "{updated}"
    );
    assert_eq!(
        fhir.get(created.location()).send().expect(200).text(),
        created.text()
    );
    assert_eq!(
        fhir.get(format!("/Patient/{id}")).send().expect(200).text(),
        created.text()
    );
}

fn an_id_in_a_created_body_is_ignored(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let body = with(patient(&own), "id", json!(own));
    let first = fhir.post("/Patient").json(&body).send().expect(201);
    let second = fhir.post("/Patient").json(&body).send().expect(201);
    assert_ne!(first.id(), own);
    assert_ne!(first.id(), second.id());
    assert_eq!(first.json()["id"], first.id());
    refused(fhir.get(format!("/Patient/{own}")).send(), 404, "not-found");
}

fn two_plain_creates_are_two_resources(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    assert_eq!(count_local(&fhir, &number), 2);
}

fn a_create_accepts_the_type_of_its_url_alone(context: &Context) {
    let fhir = shared_fhir(context);
    let practitioner = resource("Practitioner", LOCAL, &unique());
    refused(fhir.post("/Patient").json(&practitioner).send(), 400, "structure");
    let nameless = json!({ "active": true });
    let answer = fhir.post("/Patient").json(&nameless).send().expect(400);
    assert!(answer.issues()[0].text.contains("resourceType"), "{answer:?}");
    let unknown = json!({ "resourceType": "Mystery" });
    assert_eq!(
        fhir.post("/Patient")
            .json(&unknown)
            .send()
            .expect(400)
            .issues()
            .len(),
        1
    );
}

fn without_a_match_a_conditional_create_creates(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let created = fhir
        .post("/Patient")
        .header("If-None-Exist", by_local(&number))
        .json(&patient(&number));
    let created = created.send().expect(201);
    assert!(created.location().ends_with("/_history/1"));
    assert_eq!(count_local(&fhir, &number), 1);
}

fn p30_one_match_is_answered_untouched_and_located(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let stored = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let other = with(patient(&number), "birthDate", json!("1980-01-01"));
    let matched = fhir
        .post("/Patient")
        .header("If-None-Exist", by_local(&number))
        .json(&other);
    let matched = matched.send().expect(200);
    assert_eq!(matched.location(), stored.location());
    assert_eq!(matched.header("ETag"), Some("W/\"1\""));
    assert_eq!(matched.text(), stored.text());
    assert_eq!(
        fhir.get(stored.location()).send().expect(200).text(),
        stored.text()
    );
    refused(
        fhir.get(stored.location().replace("/_history/1", "/_history/2"))
            .send(),
        404,
        "not-found",
    );
}

fn many_matches_are_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for _ in 0..2 {
        fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    }
    let answer = fhir
        .post("/Patient")
        .header("If-None-Exist", by_local(&number))
        .json(&patient(&number))
        .send();
    refused(answer, 412, "multiple-matches");
    assert_eq!(count_local(&fhir, &number), 2);
}

fn p27_criteria_are_taken_with_and_without_type_and_as_a_url(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let number = unique();
    let stored = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let raw = format!("identifier={LOCAL}|{number}");
    let encoded = by_local(&number);
    for criteria in [&raw, &encoded] {
        let forms = [
            criteria.clone(),
            format!("?{criteria}"),
            format!("Patient?{criteria}"),
            format!("{}/fhir/Patient?{criteria}", server.base()),
            format!("  {criteria}  "),
        ];
        for form in forms {
            let answer = fhir
                .post("/Patient")
                .header("If-None-Exist", &form)
                .json(&patient(&number))
                .send();
            assert_eq!(
                (answer.status, answer.location()),
                (200, stored.location()),
                "{form}: {answer:?}"
            );
        }
    }
    assert_eq!(count_local(&fhir, &number), 1);
}

fn p26_if_none_exist_is_percent_decoded(context: &Context) {
    let fhir = shared_fhir(context);
    for special in [
        "a&b=c",
        "a=b",
        "a+b",
        "a b",
        "a+b c&d",
        "a%41b",
        "é/ñ",
        "3456780581/11242343",
        "a?b",
    ] {
        let value = format!("{}{special}", unique());
        let body = patient(&value);
        let encoded = by_local(&value);
        let first = fhir
            .post("/Patient")
            .header("If-None-Exist", &encoded)
            .json(&body)
            .send()
            .expect(201);
        let again = fhir
            .post("/Patient")
            .header("If-None-Exist", &encoded)
            .json(&body)
            .send()
            .expect(200);
        assert_eq!(again.location(), first.location(), "{special}");
        assert_eq!(count_local(&fhir, &value), 1, "{special}");
        // Raw, too, where raw can be told from a separator or an escape.
        if !value.contains(['&', '%']) {
            let raw = format!("identifier={LOCAL}|{value}");
            let raw = fhir
                .post("/Patient")
                .header("If-None-Exist", raw)
                .json(&body)
                .send()
                .expect(200);
            assert_eq!(raw.location(), first.location(), "{special}");
        }
        let lower = encoded.replace("%7C", "%7c").replace("%3A", "%3a");
        fhir.post("/Patient")
            .header("If-None-Exist", lower)
            .json(&body)
            .send()
            .expect(200);
    }
}

fn p28_an_empty_if_none_exist_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for empty in [
        "",
        " ",
        "?",
        "Patient?",
        "identifier=",
        "identifier",
        "&",
        "_format=json",
        "identifier=|",
    ] {
        let answer = fhir
            .post("/Patient")
            .header("If-None-Exist", empty)
            .json(&patient(&number))
            .send();
        assert_eq!(answer.status, 400, "{empty:?}: {answer:?}");
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn p25_a_misspelt_criterion_is_named_and_nothing_is_written(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let good = by_local(&number);
    let wrong = [
        ("identifer=x", "identifer"),
        ("familyname=x", "familyname"),
        ("identifier:exakt=x", "identifier:exakt"),
        ("family:missing=perhaps", "family:missing"),
        ("birthdate=yesterday", "birthdate"),
        ("_count=1", "_count"),
        ("_sort=family", "_sort"),
        ("Identifier=x", "Identifier"),
        ("given=", "given"),
        ("general-practitioner.name=x", "general-practitioner.name"),
    ];
    for (criterion, name) in wrong {
        for criteria in [
            criterion.to_owned(),
            format!("{good}&{criterion}"),
            format!("{criterion}&{good}"),
        ] {
            let answer = fhir
                .post("/Patient")
                .header("If-None-Exist", &criteria)
                .json(&patient(&number))
                .send();
            assert_eq!(answer.status, 400, "{criteria}: {answer:?}");
            let issue = &answer.issues()[0];
            assert!(
                issue.text.contains(name) || issue.diagnostics.contains(name),
                "{criteria}: {issue:?}"
            );
        }
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

/// Some clients mean a condition by them, as they know it from servers of another dialect.
fn p25_criteria_in_the_url_of_a_create_are_refused_by_name(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let good = by_local(&number);
    for (query, name) in [
        (good.clone(), "identifier"),
        (format!("_format=json&{good}"), "identifier"),
        ("identifer=x".to_owned(), "identifer"),
        ("family:exact=x".to_owned(), "family:exact"),
        ("_id=x".to_owned(), "_id"),
    ] {
        let request = fhir.post(format!("/Patient?{query}")).json(&patient(&number));
        let answer = refused(request.send(), 400, "invalid");
        let issue = &answer.issues()[0];
        assert!(issue.text.contains("If-None-Exist"), "{answer:?}");
        assert_eq!(issue.diagnostics, name, "{answer:?}");
    }
    assert_eq!(count_local(&fhir, &number), 0);
    let shaped = fhir
        .post("/Patient?_format=json&_pretty=true")
        .json(&patient(&number));
    shaped.send().expect(201);
}

fn criteria_of_another_type_are_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for form in [
        "Practitioner?",
        "Observation?",
        "patient?",
        "http://other.example/fhir/Practitioner?",
        "/Patient?",
    ] {
        let criteria = format!("{form}{}", by_local(&number));
        let answer = fhir
            .post("/Patient")
            .header("If-None-Exist", &criteria)
            .json(&patient(&number))
            .send();
        assert_eq!(answer.status, 400, "{form}: {answer:?}");
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn a_repeated_or_unreadable_if_none_exist_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let criteria = by_local(&number);
    let twice = fhir
        .post("/Patient")
        .header("If-None-Exist", &criteria)
        .header("If-None-Exist", &criteria);
    refused(twice.json(&patient(&number)).send(), 400, "invalid");
    for broken in [
        &b"identifier=\xff"[..],
        b"identifier=%ff",
        b"identifier=%00",
        b"identifier=%zz",
        b"identifier=%",
    ] {
        let answer = fhir
            .post("/Patient")
            .header("If-None-Exist", broken)
            .json(&patient(&number))
            .send();
        assert_eq!(answer.status, 400, "{broken:?}: {answer:?}");
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn p31_several_criteria_must_all_hold(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let body = with(patient(&number), "gender", json!("female"));
    let first = fhir.post("/Patient").json(&body).send().expect(201);
    let both = format!("{}&gender=female", by_local(&number));
    let matched = fhir
        .post("/Patient")
        .header("If-None-Exist", both)
        .json(&body)
        .send()
        .expect(200);
    assert_eq!(matched.location(), first.location());
    let neither = format!("{}&gender=male", by_local(&number));
    fhir.post("/Patient")
        .header("If-None-Exist", neither)
        .json(&body)
        .send()
        .expect(201);
    let by_name = format!(
        "family=Ordinaire&given=camille&{}&gender=male,other",
        by_local(&number)
    );
    fhir.post("/Patient")
        .header("If-None-Exist", by_name)
        .json(&body)
        .send()
        .expect(201);
}

fn a_deleted_resource_is_no_match(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let create = || {
        fhir.post("/Patient")
            .header("If-None-Exist", by_local(&number))
            .json(&patient(&number))
            .send()
    };
    let first = create().expect(201);
    fhir.delete(format!("/Patient/{}", first.id())).send().expect(204);
    let second = create().expect(201);
    assert_ne!(second.id(), first.id());
    assert_eq!(create().expect(200).location(), second.location());
}

fn p48_a_conditional_create_sees_the_create_before_it(context: &Context) {
    let fhir = shared_fhir(context);
    for _ in 0..25 {
        let number = unique();
        let created = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
        let matched = fhir
            .post("/Patient")
            .header("If-None-Exist", by_local(&number))
            .json(&patient(&number));
        assert_eq!(matched.send().expect(200).location(), created.location());
        assert_eq!(found(&fhir, "Patient", (LOCAL, &number)), [created.id()]);
    }
}

fn an_invalid_body_is_refused_whether_or_not_something_matches(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let invalid = with(patient(&number), "birthDate", json!("1980-02-30"));
    let criteria = percent_encode(&format!("{LOCAL}|{number}"));
    let post = || {
        fhir.post("/Patient")
            .header("If-None-Exist", format!("identifier={criteria}"))
            .json(&invalid)
            .send()
    };
    refused(post(), 400, "value");
    assert_eq!(count_local(&fhir, &number), 0);
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    refused(post(), 400, "value");
}
