//! delete, by id and by criteria: repeatable, and forgotten by search.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response, percent_encode};
use testkit::race::race_prepared;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_delete_answers_204_however_often_it_is_sent,
    a_deleted_resource_is_found_by_no_search,
    a_second_delete_makes_no_version,
    a_conditional_delete_deletes_the_one_match,
    many_matches_of_a_conditional_delete_are_refused,
    p25_a_delete_of_a_type_without_criteria_is_refused,
    p25_the_criteria_of_a_delete_are_never_weakened,
    if_match_guards_a_conditional_delete,
    p64_a_refused_delete_speaks_of_no_creation,
    a_conditional_delete_finds_what_a_search_finds,
    p06_conditional_deletes_beside_creates_leave_none_or_one,
    p06_conditional_deletes_beside_updates_by_id_are_all_in_the_history,
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

fn a_conditional_delete_deletes_the_one_match(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let target = format!("/Patient?{}", by_local(&number));
    // Nothing to delete is no error, before and after.
    fhir.delete(&target).send().expect(204);
    let created = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let other = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let deleted = fhir.delete(&target).send().expect(204);
    assert!(deleted.body.is_empty());
    assert_eq!(deleted.header("ETag"), Some("W/\"2\""));
    let path = format!("/Patient/{}", created.id());
    refused(fhir.get(&path).send(), 410, "deleted");
    fhir.get(format!("{path}/_history/1")).send().expect(200);
    fhir.get(format!("/Patient/{}", other.id())).send().expect(200);
    let again = fhir.delete(&target).send().expect(204);
    assert_eq!(again.header("ETag"), None, "nothing was there to delete");
    let back = with(patient(&number), "id", json!(created.id()));
    assert_eq!(fhir.put(&path).json(&back).send().expect(201).version(), 3);
}

fn many_matches_of_a_conditional_delete_are_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for _ in 0..2 {
        fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    }
    let target = format!("/Patient?{}", by_local(&number));
    let answer = refused(fhir.delete(&target).send(), 412, "multiple-matches");
    assert!(answer.issues()[0].diagnostics.contains(&number), "{answer:?}");
    assert_eq!(count_local(&fhir, &number), 2);
    let one = found(&fhir, "Patient", (LOCAL, &number)).remove(0);
    fhir.delete(format!("{target}&_id={one}")).send().expect(204);
    assert_eq!(count_local(&fhir, &number), 1);
    fhir.delete(&target).send().expect(204);
    assert_eq!(count_local(&fhir, &number), 0);
}

fn p25_a_delete_of_a_type_without_criteria_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    for target in [
        "/Patient",
        "/Patient?",
        "/Patient?_format=json",
        "/Patient?_pretty=true&",
    ] {
        let answer = refused(fhir.delete(target).send(), 400, "invalid");
        assert!(answer.issues()[0].text.contains("criteria"), "{answer:?}");
    }
    assert_eq!(count_local(&fhir, &number), 1);
}

fn p25_the_criteria_of_a_delete_are_never_weakened(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let right = by_local(&number);
    for (wrong, named) in [
        ("identfier=x", "identfier"),
        ("identifier:soundex=x", "identifier:soundex"),
        ("identifier=", "identifier"),
        ("birthdate=soon", "birthdate"),
        ("_count=1", "_count"),
        ("general-practitioner.name=x", "general-practitioner.name"),
        ("_sort=family", "_sort"),
    ] {
        let answer = fhir
            .delete(format!("/Patient?{right}&{wrong}"))
            .send()
            .expect(400);
        let named = format!("`{named}`");
        assert!(
            answer.issues().iter().any(|issue| issue.text.contains(&named)),
            "{wrong}: {answer:?}"
        );
    }
    // Not even who asks for leniency gets it.
    let lenient = fhir
        .delete(format!("/Patient?{right}&identfier=x"))
        .header("Prefer", "handling=lenient");
    lenient.send().expect(400);
    assert_eq!(count_local(&fhir, &number), 1);
    refused(fhir.delete("/Observation?_id=1").send(), 404, "not-supported");
}

fn if_match_guards_a_conditional_delete(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let target = format!("/Patient?{}", by_local(&number));
    let guarded = |tag: &str| fhir.delete(&target).header("If-Match", tag).send();
    refused(guarded("W/\"1\""), 412, "conflict");
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    refused(guarded("W/\"2\""), 412, "conflict");
    refused(guarded("1"), 412, "conflict");
    assert_eq!(count_local(&fhir, &number), 1);
    guarded("W/\"1\"").expect(204);
    assert_eq!(count_local(&fhir, &number), 0);
}

fn p64_a_refused_delete_speaks_of_no_creation(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let created = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let by_id = format!("/Patient/{}", created.id());
    let by_criteria = format!("/Patient?{}", by_local(&number));
    let guarded = |target: &str| fhir.delete(target).header("If-Match", "W/\"7\"").send();
    let mut answers = vec![
        guarded(&by_id),
        guarded("/Patient/nobody-of-this-id"),
        guarded(&by_criteria),
        guarded(&format!("/Patient?{}", by_local(&unique()))),
    ];
    fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    answers.push(fhir.delete(&by_criteria).send());
    for answer in answers {
        for issue in answer.expect(412).issues() {
            let text = issue.text.to_lowercase();
            assert!(!text.contains("creat") && !text.contains("insert"), "{text}");
        }
    }
}

/// An EHR deletes an account as it deletes anybody; one of each class are two.
fn a_conditional_delete_finds_what_a_search_finds(context: &Context) {
    let server = shared(context);
    let (fhir, sas) = (server.client("fhir"), server.client("sas"));
    let number = unique();
    let by = (INTRN, number.as_str());
    put_account(&sas, by, &account(MORVAN, &[by], true)).expect(201);
    let criteria = percent_encode(&format!("{INTRN}|{number}"));
    let target = format!("/Practitioner?identifier={criteria}");
    refused(sas.delete(&target).send(), 403, "forbidden");
    let plain = fhir
        .post("/Practitioner")
        .json(&resource("Practitioner", INTRN, &number))
        .send()
        .expect(201);
    refused(fhir.delete(&target).send(), 412, "multiple-matches");
    fhir.delete(format!("/Practitioner/{}", plain.id()))
        .send()
        .expect(204);
    fhir.delete(&target).send().expect(204);
    assert_eq!(found(&fhir, "Practitioner", by).len(), 0);
    // The identity is free again.
    put_account(&sas, by, &account(MORVAN, &[by], true)).expect(201);
}

const CLIENTS: usize = 32;
const TURNS: usize = 4;

/// 32 clients delete by one criterion while 32 others create by it.
fn p06_conditional_deletes_beside_creates_leave_none_or_one(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let by = by_local(&number);
    let one = |fhir: &Client, client: usize| match client % 4 {
        0 | 1 => fhir.delete(format!("/Patient?{by}")).send(),
        2 => fhir.put(format!("/Patient?{by}")).json(&patient(&number)).send(),
        _ => fhir
            .post("/Patient")
            .header("If-None-Exist", &by)
            .json(&patient(&number))
            .send(),
    };
    let answers = race_prepared(
        2 * CLIENTS,
        |_| shared_fhir(context),
        |client, fhir| (0..TURNS).map(|_| one(&fhir, client)).collect::<Vec<Response>>(),
    );
    let answers = answers.concat();
    for answer in &answers {
        assert!(matches!(answer.status, 200 | 201 | 204), "{answer:?}");
    }
    let deletions = answers
        .iter()
        .filter(|answer| answer.status == 204 && answer.header("ETag").is_some())
        .count();
    let created: Vec<&Response> = answers.iter().filter(|answer| answer.status == 201).collect();
    let left = count_local(&fhir, &number);
    assert!(left <= 1, "{left} are left");
    assert_eq!(created.len(), deletions + left);
    assert!(!created.is_empty());
    // Whoever was created is there, or was deleted once.
    let mut live = 0;
    for answer in created {
        let history = fhir.get(format!("/Patient/{}/_history", answer.id())).send();
        match history.expect(200).json()["total"].as_u64() {
            Some(1) => live += 1,
            versions => assert_eq!(versions, Some(2), "{}", answer.id()),
        }
    }
    assert_eq!(live, left);
}

/// The locks by identifier do not exclude a writer that names the resource by id: the match moves.
fn p06_conditional_deletes_beside_updates_by_id_are_all_in_the_history(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let path = format!("/Patient/{number}");
    let by = by_local(&number);
    let body = |turn: usize| {
        let body = with(patient(&number), "id", json!(number));
        with(body, "name", json!([{ "family": format!("Tour{turn}") }]))
    };
    fhir.put(&path).json(&body(0)).send().expect(201);
    let one = |fhir: &Client, client: usize, turn: usize| match client % 2 {
        0 => fhir.delete(format!("/Patient?{by}")).send(),
        _ => fhir.put(&path).json(&body(client * TURNS + turn)).send(),
    };
    let answers = race_prepared(
        CLIENTS,
        |_| shared_fhir(context),
        |client, fhir| {
            (0..TURNS)
                .map(|turn| one(&fhir, client, turn))
                .collect::<Vec<Response>>()
        },
    );
    let answers = answers.concat();
    for answer in &answers {
        assert!(matches!(answer.status, 200 | 201 | 204), "{answer:?}");
    }
    let written = answers
        .iter()
        .filter(|answer| answer.header("ETag").is_some())
        .count();
    let history = fhir
        .get(format!("{path}/_history?_count=1000"))
        .send()
        .expect(200)
        .json();
    let methods: Vec<&str> = history["entry"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["request"]["method"].as_str().expect("a method"))
        .collect();
    assert_eq!(methods.len(), written + 1, "each answered write is one version");
    assert!(
        methods.windows(2).all(|pair| pair != ["DELETE", "DELETE"]),
        "what was deleted was deleted again: {methods:?}"
    );
    let status = fhir.get(&path).send().status;
    assert_eq!(status, if methods[0] == "DELETE" { 410 } else { 200 });
}
