//! A stored body that something has damaged takes nothing with it but itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::server::Server;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p51_one_damaged_row_never_fails_a_search_page,
    p51_a_row_without_an_xml_form_never_fails_a_page_in_xml,
    p51_a_damaged_resource_is_a_500_that_names_it_and_tells_nothing_else,
    p51_a_damaged_resource_can_be_written_anew,
];

/// What stands in every body and must not be told by an error.
const NAME: &str = "Kerguelen";
const ROWS: usize = 13;

/// The ways of damage: the row and, as SQL, what becomes of its body.
const DAMAGES: [(usize, &str); 6] = [
    (0, "''"),
    (3, "substr(body, 1, 70)"),
    (4, "'no JSON, but Kerguelen all the same'"),
    (7, "replace(body, '\"id\":\"row7\",', '')"),
    (8, "substr(body, 20)"),
    (12, "'{\"resourceType\":\"Patient\"}'"),
];

/// A server of its own with [`ROWS`] patients, `row0` and so on.
fn stored(context: &Context) -> (Server, Client) {
    let (server, fhir) = context.fhir();
    for number in 0..ROWS {
        fhir.put(path(number)).json(&body(number)).send().expect(201);
    }
    (server, fhir)
}

fn path(number: usize) -> String {
    format!("/Patient/row{number}")
}

fn body(number: usize) -> Value {
    json!({ "resourceType": "Patient", "id": format!("row{number}"), "name": [{ "family": NAME }] })
}

fn damage(server: &Server) {
    for (number, becomes) in DAMAGES {
        let set = format!("UPDATE resource SET body = {becomes} WHERE id = 'row{number}'");
        execute(server, &set);
    }
}

fn damaged() -> BTreeSet<String> {
    DAMAGES.iter().map(|(number, _)| format!("row{number}")).collect()
}

/// Ids of the matches, and those that outcomes speak of, over all pages; each of both once.
fn walk(fhir: &Client, count: usize, also: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut matches, mut outcomes) = (BTreeSet::new(), BTreeSet::new());
    let mut target = format!("/Patient?family={NAME}&_count={count}{also}");
    for _ in 0..=ROWS.div_ceil(count) {
        let bundle = fhir.get(&target).send().expect(200).json();
        assert_eq!(bundle["total"], json!(ROWS));
        for id in ids(&bundle) {
            assert!(matches.insert(id), "a match twice: {bundle}");
        }
        for entry in bundle["entry"].as_array().expect("entries") {
            if entry["search"]["mode"] == "outcome" {
                let outcome = &entry["resource"];
                assert_eq!(outcome["resourceType"], "OperationOutcome");
                assert_eq!(outcome["issue"][0]["severity"], "warning");
                let about = outcome["issue"][0]["diagnostics"].as_str().expect("diagnostics");
                let id = about.strip_prefix("Patient/").expect("a resource");
                assert!(outcomes.insert(id.to_owned()), "an outcome twice: {bundle}");
                assert!(!outcome.to_string().contains(NAME), "{outcome}");
            }
        }
        match link(&bundle, "next") {
            Some(next) => target = next,
            None => return (matches, outcomes),
        }
    }
    panic!("the links go round");
}

fn p51_one_damaged_row_never_fails_a_search_page(context: &Context) {
    let (server, fhir) = stored(context);
    damage(&server);
    let all: BTreeSet<String> = (0..ROWS).map(|number| format!("row{number}")).collect();
    let whole: BTreeSet<String> = all.difference(&damaged()).cloned().collect();
    for count in [1, 5, ROWS, 50] {
        // As it lies in the store, and parsed for people.
        for also in ["", "&_pretty=true"] {
            assert_eq!(
                walk(&fhir, count, also),
                (whole.clone(), damaged()),
                "{count}{also}"
            );
        }
    }
    let xml = fhir
        .get(format!("/Patient?family={NAME}&_count=50&_format=xml"))
        .send()
        .expect(200);
    let text = xml_root(&xml);
    assert_eq!(text.matches("<Patient").count(), whole.len(), "{text}");
    assert_eq!(text.matches("<OperationOutcome").count(), DAMAGES.len(), "{text}");
    let log = server.log();
    for id in damaged() {
        assert!(
            log.lines()
                .any(|line| line.contains("damaged") && line.contains(&format!("Patient/{id}"))),
            "{id} is not in the log"
        );
    }
    assert!(!log.contains(NAME), "the log tells what was stored");
}

fn p51_a_row_without_an_xml_form_never_fails_a_page_in_xml(context: &Context) {
    let (server, fhir) = stored(context);
    // JSON still, but of no FHIR resource.
    execute(
        &server,
        "UPDATE resource SET body = replace(body, '\"name\":[', '\"gender\":[') WHERE id = 'row5'",
    );
    let answer = fhir
        .get(format!("/Patient?family={NAME}&_count=50&_format=xml"))
        .send()
        .expect(200);
    let text = xml_root(&answer);
    assert_eq!(text.matches("<Patient").count(), ROWS - 1, "{text}");
    assert_eq!(text.matches("<OperationOutcome").count(), 1, "{text}");
    assert!(text.contains("Patient/row5"), "{text}");
}

fn p51_a_damaged_resource_is_a_500_that_names_it_and_tells_nothing_else(context: &Context) {
    let (server, fhir) = stored(context);
    damage(&server);
    for (number, _) in DAMAGES {
        for also in ["", "?_pretty=true", "?_format=xml"] {
            for path in [path(number), format!("{}/_history/1", path(number))] {
                let answer = fhir.get(format!("{path}{also}")).send().expect(500);
                names_it(&answer, number);
            }
        }
        let answer = refused(fhir.get(path(number)).send(), 500, "exception");
        let request_id = answer.header("X-Request-Id").expect("a request id");
        assert!(answer.text().contains(request_id), "{answer:?}");
    }
    fhir.get(path(1)).send().expect(200);
}

#[track_caller]
fn names_it(answer: &Response, number: usize) {
    let text = answer.text();
    assert!(text.contains("OperationOutcome"), "{answer:?}");
    assert!(text.contains(&format!("Patient/row{number}")), "{answer:?}");
    for secret in [
        NAME, "sqlite", "postgres", "SELECT", ".rs", "column", "serde", "expected",
    ] {
        assert!(!text.contains(secret), "it tells {secret}: {answer:?}");
    }
}

fn p51_a_damaged_resource_can_be_written_anew(context: &Context) {
    let (server, fhir) = stored(context);
    damage(&server);
    for (number, _) in DAMAGES {
        let new = with(body(number), "active", json!(true));
        let answer = fhir.put(path(number)).json(&new).send().expect(200);
        assert_eq!(answer.version(), 2);
        assert_eq!(
            fhir.get(path(number)).send().expect(200).json()["active"],
            json!(true)
        );
        // What was damaged stays so in the history.
        let old = fhir.get(format!("{}/_history/1", path(number))).send();
        refused(old, 500, "exception");
    }
    assert_eq!(walk(&fhir, 5, "").0.len(), ROWS);
}
