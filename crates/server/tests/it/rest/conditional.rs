//! conditional update: the table of the contract, row by row, and criteria that are never weakened.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response, percent_encode};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p21_no_match_and_no_id_creates,
    p21_no_match_and_a_free_id_creates_with_that_id,
    p23_no_match_and_an_id_in_use_is_a_conflict_and_nothing_is_written,
    p24_one_match_and_no_or_the_same_id_updates,
    p21_one_match_and_another_id_is_refused,
    p21_many_matches_are_refused,
    p52_a_conditional_update_is_located,
    p25_criteria_are_never_weakened,
    a_put_to_a_type_needs_criteria,
    p33_if_match_applies_to_the_match,
    p33_if_match_without_a_match_never_creates,
    a_deleted_resource_never_matches,
    a_conditional_update_sees_the_write_before_it,
    p22_the_body_need_not_satisfy_the_criterion,
    p41_a_patient_feed_is_taken_in_json_and_xml,
    any_search_parameter_may_be_a_criterion,
    criteria_may_name_alternatives,
    a_refused_conditional_update_names_the_criteria,
];

fn put(fhir: &Client, criteria: &str, body: &Value) -> Response {
    fhir.put(format!("/Patient?{criteria}")).json(body).send()
}

fn p21_no_match_and_no_id_creates(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let created = put(&fhir, &by_local(&number), &patient(&number)).expect(201);
    assert_eq!(created.version(), 1);
    assert_eq!(found(&fhir, "Patient", (LOCAL, &number)), [created.id()]);
}

fn p21_no_match_and_a_free_id_creates_with_that_id(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let created = put(
        &fhir,
        &by_local(&number),
        &with(patient(&number), "id", json!(number)),
    )
    .expect(201);
    assert_eq!(created.id(), number);
    assert_eq!(created.json()["id"], *number);
}

fn p23_no_match_and_an_id_in_use_is_a_conflict_and_nothing_is_written(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, other) = (unique(), unique());
    let stored = put(
        &fhir,
        &by_local(&number),
        &with(patient(&number), "id", json!(number)),
    )
    .expect(201);
    let body = with(patient(&other), "id", json!(number));
    let answer = put(&fhir, &by_local(&other), &body).expect(409);
    assert!(!answer.issues().is_empty());
    assert_eq!(
        fhir.get(format!("/Patient/{number}")).send().expect(200).text(),
        stored.text()
    );
    assert_eq!(count_local(&fhir, &other), 0);
}

fn p24_one_match_and_no_or_the_same_id_updates(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let stored = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let without = with(patient(&number), "gender", json!("female"));
    let second = put(&fhir, &by_local(&number), &without).expect(200);
    assert_eq!((second.id(), second.version()), (stored.id(), 2));
    assert_eq!(second.json()["gender"], "female");
    let same = with(
        with(patient(&number), "gender", json!("male")),
        "id",
        json!(stored.id()),
    );
    assert_eq!(put(&fhir, &by_local(&number), &same).expect(200).version(), 3);
}

fn p21_one_match_and_another_id_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, free) = (unique(), unique());
    let stored = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let used = fhir
        .post("/Patient")
        .json(&patient(&unique()))
        .send()
        .expect(201)
        .id();
    for id in [free, used] {
        let body = with(with(patient(&number), "gender", json!("male")), "id", json!(id));
        refused(put(&fhir, &by_local(&number), &body), 400, "invalid");
    }
    assert_eq!(
        fhir.get(format!("/Patient/{}", stored.id()))
            .send()
            .expect(200)
            .version(),
        1
    );
}

fn p21_many_matches_are_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let stored: Vec<_> = (0..2)
        .map(|_| {
            fhir.post("/Patient")
                .json(&patient(&number))
                .send()
                .expect(201)
                .id()
        })
        .collect();
    for id in [None, Some(&stored[0])] {
        let mut body = with(patient(&number), "gender", json!("male"));
        if let Some(id) = id {
            body["id"] = json!(id);
        }
        refused(put(&fhir, &by_local(&number), &body), 412, "multiple-matches");
    }
    for id in stored {
        assert_eq!(fhir.get(format!("/Patient/{id}")).send().expect(200).version(), 1);
    }
}

fn p52_a_conditional_update_is_located(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let number = unique();
    let path = |answer: &Response, version: u32| {
        assert_eq!(
            answer.location(),
            format!(
                "{}/fhir/Patient/{}/_history/{version}",
                server.base(),
                answer.json()["id"].as_str().unwrap()
            )
        );
        assert_eq!(answer.version(), u64::from(version));
        assert!(answer.header("Last-Modified").is_some());
    };
    path(&put(&fhir, &by_local(&number), &patient(&number)).expect(201), 1);
    path(
        &put(
            &fhir,
            &by_local(&number),
            &with(patient(&number), "active", json!(true)),
        )
        .expect(200),
        2,
    );
    path(
        &put(
            &fhir,
            &by_local(&number),
            &with(patient(&number), "active", json!(true)),
        )
        .expect(200),
        2,
    );
}

fn p25_criteria_are_never_weakened(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let stored = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let changed = with(patient(&number), "gender", json!("other"));
    let good = by_local(&number);
    let wrong = [
        ("identifer=x", "identifer"),
        ("Identifier=x", "Identifier"),
        ("identifier:exact=x", "identifier:exact"),
        ("identifier:text=x", "identifier:text"),
        ("family:starts=x", "family:starts"),
        ("birthdate:exact=1980", "birthdate:exact"),
        ("_id:not=x", "_id:not"),
        ("identifier=", "identifier"),
        ("identifier=%7C", "identifier"),
        ("identifier=a,,b", "identifier"),
        ("identifier=a%7Cb%7Cc", "identifier"),
        ("birthdate=1980-02-30", "birthdate"),
        ("active=yes", "active"),
        ("organization:identifier:x=y", "organization:identifier:x"),
        ("_has:Practitioner:x:y=z", "_has"),
        ("_sort=family", "_sort"),
        ("_count=10", "_count"),
        ("_summary=true", "_summary"),
        ("_total=none", "_total"),
        ("_cursor=abc", "_cursor"),
        ("_include=*", "_include"),
        ("_elements=id", "_elements"),
        ("_filter=x", "_filter"),
        ("telecom=phone%7C0102", "telecom"),
    ];
    for (criterion, name) in wrong {
        for criteria in [
            criterion.to_owned(),
            format!("{good}&{criterion}"),
            format!("{criterion}&{good}"),
        ] {
            let answer = put(&fhir, &criteria, &changed);
            assert_eq!(answer.status, 400, "{criteria}: {answer:?}");
            let issue = &answer.issues()[0];
            assert!(
                issue.text.contains(name) || issue.diagnostics.contains(name),
                "{criteria}: {issue:?}"
            );
        }
    }
    // Every fault is named, not the first alone.
    let both = put(&fhir, "identifer=x&familly=y", &changed).expect(400);
    assert_eq!(both.issues().len(), 2, "{both:?}");
    assert_eq!(
        fhir.get(format!("/Patient/{}", stored.id()))
            .send()
            .expect(200)
            .version(),
        1
    );
}

fn a_put_to_a_type_needs_criteria(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for target in [
        "/Patient",
        "/Patient?",
        "/Patient?&",
        "/Patient?_format=json",
        "/Patient?_pretty=true&",
        "/Patient/",
    ] {
        let answer = fhir.put(target).json(&patient(&number)).send();
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
        assert!(!answer.issues().is_empty(), "{target}: {answer:?}");
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn p33_if_match_applies_to_the_match(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let guarded = |tag: &str, gender: &str| {
        let body = with(patient(&number), "gender", json!(gender));
        fhir.put(format!("/Patient?{}", by_local(&number)))
            .header("If-Match", tag)
            .json(&body)
            .send()
    };
    assert_eq!(guarded("W/\"1\"", "female").expect(200).version(), 2);
    refused(guarded("W/\"1\"", "male"), 412, "conflict");
    refused(guarded("2", "male"), 412, "conflict");
    refused(guarded("W/\"9\", W/\"1\"", "male"), 412, "conflict");
    assert_eq!(guarded("W/\"1\", W/\"2\"", "male").expect(200).version(), 3);
    // Even a write that would change nothing is guarded.
    refused(guarded("W/\"1\"", "male"), 412, "conflict");
}

fn p33_if_match_without_a_match_never_creates(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for tag in ["W/\"1\"", "*", "nonsense"] {
        let put = fhir
            .put(format!("/Patient?{}", by_local(&number)))
            .header("If-Match", tag);
        refused(put.json(&patient(&number)).send(), 412, "conflict");
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn a_deleted_resource_never_matches(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let first = put(&fhir, &by_local(&number), &patient(&number)).expect(201);
    fhir.delete(format!("/Patient/{}", first.id())).send().expect(204);
    let second = put(&fhir, &by_local(&number), &patient(&number)).expect(201);
    assert_ne!(first.id(), second.id());
    refused(
        fhir.get(format!("/Patient/{}", first.id())).send(),
        410,
        "deleted",
    );
}

fn a_conditional_update_sees_the_write_before_it(context: &Context) {
    let fhir = shared_fhir(context);
    let other = shared(context).client("fhir");
    for _ in 0..25 {
        let number = unique();
        let created = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
        let changed = with(patient(&number), "active", json!(true));
        assert_eq!(
            put(&other, &by_local(&number), &changed).expect(200).id(),
            created.id()
        );
    }
}

/// The way of an account from its technical id to its national one, each step sent twice.
fn p22_the_body_need_not_satisfy_the_criterion(context: &Context) {
    let sas = shared(context).client("sas");
    let (technical, national) = (unique(), unique());
    let (technical, national) = ((INTRN, &*technical), (IDNPS, &*national));
    let created = put_account(&sas, technical, &account(MORVAN, &[technical], true)).expect(201);
    let changed = account(MORVAN, &[national], true);
    for by in [technical, technical, national, national, technical] {
        let answer = put_account(&sas, by, &changed).expect(200);
        assert_eq!((answer.id(), answer.version()), (created.id(), 2));
    }
    // An ordinary patient may change its identifier that way, too.
    let fhir = shared_fhir(context);
    let (old, new) = (unique(), unique());
    let stored = fhir.post("/Patient").json(&patient(&old)).send().expect(201);
    assert_eq!(
        put(&fhir, &by_local(&old), &patient(&new)).expect(200).id(),
        stored.id()
    );
    assert_eq!(
        put(&fhir, &by_local(&new), &patient(&new)).expect(200).version(),
        2
    );
}

fn p41_a_patient_feed_is_taken_in_json_and_xml(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let target = format!("/Patient?identifier={LOCAL}%7C{number}");
    fhir.put(&target).json(&patient(&number)).send().expect(201);
    let xml = format!(
        r#"<Patient xmlns="http://hl7.org/fhir"><identifier><system value="{LOCAL}"/><value value="{number}"/></identifier><active value="true"/><name><family value="Ordinaire"/></name></Patient>"#
    );
    let revised = fhir.put(&target).xml(&xml).send().expect(200);
    assert_eq!(revised.version(), 2);
    assert_eq!(count_local(&fhir, &number), 1);
}

fn any_search_parameter_may_be_a_criterion(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let family = format!("Famille{own}");
    let body = json!({
        "resourceType": "Patient",
        "meta": { "tag": [{ "system": "urn:tags", "code": own }] },
        "name": [{ "family": family, "given": ["Zoé"] }],
        "telecom": [{ "system": "email", "value": format!("{own}@example.org") }],
        "birthDate": "1980-05-17"
    });
    let created = put(&fhir, &format!("family={family}"), &body).expect(201);
    let criteria = [
        format!("_id={}", created.id()),
        format!("family:exact={family}&given=zoe"),
        format!("name:contains=famille{own}"),
        format!("email={own}@example.org"),
        format!("telecom={own}@EXAMPLE.org"),
        format!("_tag=urn:tags%7C{own}&birthdate=1980-05"),
        format!("_tag={own}&birthdate=ge1980-05-17&birthdate=le1980-05-17"),
        format!("_tag={own}&gender:missing=true"),
    ];
    for criterion in criteria {
        let answer = put(&fhir, &criterion, &body);
        assert_eq!(
            (answer.status, answer.version()),
            (200, 1),
            "{criterion}: {answer:?}"
        );
    }
    let nobody = put(&fhir, "_id=nobody-of-this-id", &body).expect(201);
    assert_ne!(nobody.id(), created.id());
}

fn criteria_may_name_alternatives(context: &Context) {
    let fhir = shared_fhir(context);
    let (one, two) = (unique(), unique());
    let stored = fhir.post("/Patient").json(&patient(&one)).send().expect(201);
    let either = |first: &str, second: &str| {
        let text = format!("{LOCAL}|{first},{LOCAL}|{second}");
        format!("identifier={}", percent_encode(&text).replace("%2C", ","))
    };
    assert_eq!(
        put(&fhir, &either(&two, &one), &patient(&one)).expect(200).id(),
        stored.id()
    );
    fhir.post("/Patient").json(&patient(&two)).send().expect(201);
    refused(
        put(&fhir, &either(&one, &two), &patient(&one)),
        412,
        "multiple-matches",
    );
    let twice = format!("{}&{}", by_local(&one), by_local(&two));
    put(&fhir, &twice, &patient(&unique())).expect(201);
}

fn a_refused_conditional_update_names_the_criteria(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for _ in 0..2 {
        fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    }
    let answer = refused(
        put(&fhir, &by_local(&number), &patient(&number)),
        412,
        "multiple-matches",
    );
    let issue = &answer.issues()[0];
    assert!(
        issue.diagnostics.contains("identifier") || issue.text.contains("identifier"),
        "{issue:?}"
    );
}
