//! Patches by criteria, and many patches at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Request, Response};
use testkit::race::{race_prepared, tally};
use testkit::tests;

use super::patch::{MERGE_PATCH, json_patch, now, patch, stored};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p56_a_conditional_patch_changes_the_one_match,
    p38_a_conditional_patch_without_a_match_writes_nothing,
    a_conditional_patch_of_several_writes_nothing,
    p25_the_criteria_of_a_conditional_patch_are_never_weakened,
    p07_patches_of_different_fields_at_once_all_survive,
    p07_conditional_patches_at_once_all_survive,
];

/// How many patch at once.
const CLIENTS: usize = 32;

/// A patch of what these criteria match.
fn activation<'c>(fhir: &'c Client, criteria: &str) -> Request<'c> {
    let target = format!("/Patient{criteria}");
    patch(fhir, target, MERGE_PATCH, json!({ "active": true }))
}

/// The local number of a stored patient.
fn number_of(created: &Response) -> String {
    let number = created.json()["identifier"][0]["value"].clone();
    number.as_str().unwrap().to_owned()
}

fn p56_a_conditional_patch_changes_the_one_match(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let number = number_of(&created);
    let answer = json_patch(
        &fhir,
        format!("/Patient?{}", by_local(&number)),
        json!([{ "op": "add", "path": "/gender", "value": "female" }]),
    )
    .send()
    .expect(200);
    assert_eq!(answer.id(), created.id());
    assert_eq!(answer.version(), 2);
    assert!(
        answer.location().ends_with(&format!("{path}/_history/2")),
        "{answer:?}"
    );
    assert_eq!(now(&fhir, &path)["gender"], "female");
    // If-Match speaks of the match.
    let guarded = |tag: &str| {
        activation(&fhir, &format!("?{}", by_local(&number)))
            .header("If-Match", tag)
            .send()
    };
    refused(guarded("W/\"1\""), 412, "conflict");
    assert_eq!(guarded("W/\"2\"").expect(200).version(), 3);
}

fn p38_a_conditional_patch_without_a_match_writes_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let criteria = by_local(&number);
    let answer = activation(&fhir, &format!("?{criteria}")).send();
    let answer = refused(answer, 404, "not-found");
    assert_eq!(answer.issues()[0].diagnostics, criteria);
    assert_eq!(count_local(&fhir, &number), 0);
}

fn a_conditional_patch_of_several_writes_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let twins: Vec<Response> = (0..2)
        .map(|_| fhir.post("/Patient").json(&patient(&number)).send().expect(201))
        .collect();
    let criteria = by_local(&number);
    let answer = activation(&fhir, &format!("?{criteria}")).send();
    let answer = refused(answer, 412, "multiple-matches");
    assert_eq!(answer.issues()[0].diagnostics, criteria);
    for twin in twins {
        assert_eq!(now(&fhir, &format!("/Patient/{}", twin.id())), twin.json());
    }
}

fn p25_the_criteria_of_a_conditional_patch_are_never_weakened(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let number = number_of(&created);
    let whole = by_local(&number);
    for (criteria, named) in [
        (String::new(), ""),
        ("?".to_owned(), ""),
        (format!("?{whole}&familly=x"), "familly"),
        ("?identifier=".to_owned(), "identifier"),
        (format!("?{whole}&gender:near=x"), "gender"),
        (format!("?{whole}&_count=1"), "_count"),
        ("?_format=json".to_owned(), ""),
    ] {
        let answer = activation(&fhir, &criteria).send();
        assert_eq!(answer.status, 400, "{criteria}: {answer:?}");
        assert!(answer.text().contains(named), "{criteria}: {answer:?}");
    }
    assert_eq!(now(&fhir, &path), created.json());
}

fn p07_patches_of_different_fields_at_once_all_survive(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let contacts: Vec<Value> = (0..CLIENTS)
        .map(|_| json!({ "name": { "text": "nobody" } }))
        .collect();
    let body = with(patient(&unique()), "contact", json!(contacts));
    let created = fhir.post("/Patient").json(&body).send().expect(201);
    let path = format!("/Patient/{}", created.id());
    let answers = race_prepared(
        CLIENTS,
        |_| server.client("fhir"),
        |number, client| {
            let operations = json!([
                { "op": "test", "path": format!("/contact/{number}/name/text"), "value": "nobody" },
                { "op": "replace", "path": format!("/contact/{number}/name/text"), "value": format!("c{number}") },
            ]);
            json_patch(&client, &path, operations).send()
        },
    );
    assert_eq!(
        tally(answers.iter().map(|answer| answer.status)),
        [(200, CLIENTS)]
    );
    let versions: BTreeSet<u64> = answers.iter().map(Response::version).collect();
    assert_eq!(versions, (2..=CLIENTS as u64 + 1).collect());
    let after = now(&fhir, &path);
    for number in 0..CLIENTS {
        assert_eq!(after["contact"][number]["name"]["text"], format!("c{number}"));
    }
}

fn p07_conditional_patches_at_once_all_survive(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let (path, created) = stored(&fhir);
    let number = number_of(&created);
    let answers = race_prepared(
        CLIENTS,
        |_| server.client("fhir"),
        |runner, client| {
            let operations = json!([{ "op": "add", "path": "/identifier/-", "value": {
                "system": "urn:oid:1.2.250.9.9.7", "value": format!("{number}-{runner}")
            } }]);
            let target = if runner % 2 == 0 {
                format!("/Patient?{}", by_local(&number))
            } else {
                path.clone()
            };
            json_patch(&client, target, operations).send()
        },
    );
    assert_eq!(
        tally(answers.iter().map(|answer| answer.status)),
        [(200, CLIENTS)]
    );
    let after = now(&fhir, &path);
    let values: BTreeSet<&str> = after["identifier"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identifier| identifier["value"].as_str().unwrap())
        .collect();
    assert_eq!(values.len(), CLIENTS + 1, "{after}");
    assert_eq!(after["meta"]["versionId"], (CLIENTS + 1).to_string());
}
