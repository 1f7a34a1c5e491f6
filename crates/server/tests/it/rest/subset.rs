//! `_summary` and `_elements` of a read.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_read_gives_the_elements_that_are_asked_for_and_says_so,
    a_subset_has_the_version_of_the_whole_and_every_format,
    a_subset_cannot_be_stored_by_mistake,
    a_subset_that_is_not_understood_is_refused,
];

const TAG: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

/// The path of a patient with a bit of everything.
fn stored(fhir: &Client) -> String {
    let body = json!({
        "resourceType": "Patient", "meta": { "tag": [{ "code": "own" }] }, "language": "fr",
        "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>" },
        "identifier": [{ "system": LOCAL, "value": unique() }], "active": true,
        "name": [{ "family": "Dupont", "given": ["Ada"] }], "birthDate": "1980",
        "maritalStatus": { "text": "x" },
        "communication": [{ "language": { "text": "français" } }]
    });
    path_of(fhir.post("/Patient").json(&body).send().expect(201).location())
}

/// The properties besides type, id and meta.
fn properties(resource: &Value) -> String {
    let names = resource.as_object().unwrap().keys().map(String::as_str);
    let rest: Vec<&str> = names
        .filter(|name| !["resourceType", "id", "meta"].contains(name))
        .collect();
    rest.join(" ")
}

fn a_read_gives_the_elements_that_are_asked_for_and_says_so(context: &Context) {
    let fhir = shared_fhir(context);
    let version = stored(&fhir);
    let (path, _) = version.split_once("/_history").unwrap();
    for path in [path, &version] {
        for (query, expected) in [
            ("_summary=true", "identifier active name birthDate"),
            ("_summary=text", "text"),
            (
                "_summary=data",
                "language identifier active name birthDate maritalStatus communication",
            ),
            ("_elements=name,maritalStatus", "name maritalStatus"),
            ("_elements=name&_elements_=x", "name"),
            ("%5Felements=name", "name"),
        ] {
            let part = fhir.get(format!("{path}?{query}")).send().expect(200).json();
            assert_eq!(properties(&part), expected, "{query}");
            assert_eq!(part["id"].as_str(), path.split('/').nth(2), "{query}");
            assert_eq!(
                part["meta"]["tag"],
                json!([{ "code": "own" }, { "system": TAG, "code": "SUBSETTED" }]),
                "{query}"
            );
        }
        let whole = fhir.get(path).send().expect(200);
        for query in ["_summary=false", "", "x=%zz", "_format=json"] {
            let same = fhir.get(format!("{path}?{query}")).send().expect(200);
            assert_eq!(same.text(), whole.text(), "{query}");
        }
    }
}

fn a_subset_has_the_version_of_the_whole_and_every_format(context: &Context) {
    let fhir = shared_fhir(context);
    let path = stored(&fhir);
    let target = format!("{path}?_elements=active");
    let part = fhir.get(&target).send().expect(200);
    assert_eq!(part.header("ETag"), Some("W/\"1\""));
    assert!(part.header("Last-Modified").is_some(), "{part:?}");
    let xml = fhir.get(format!("{target}&_format=xml")).send().expect(200);
    assert!(
        xml.text().contains("<code value=\"SUBSETTED\"/>") && xml.text().contains("<active value=\"true\"/>"),
        "{xml:?}"
    );
    assert!(!xml.text().contains("<name>"), "{xml:?}");
    let head = fhir.head(&target).send().expect(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("Content-Length"), part.header("Content-Length"));
    let known = fhir.get(&target).header("If-None-Match", "W/\"1\"").send();
    assert_eq!(known.status, 304, "{known:?}");
}

fn a_subset_cannot_be_stored_by_mistake(context: &Context) {
    let fhir = shared_fhir(context);
    let version = stored(&fhir);
    let (path, _) = version.split_once("/_history").unwrap();
    let part = fhir
        .get(format!("{path}?_summary=true"))
        .send()
        .expect(200)
        .json();
    refused(fhir.put(path).json(&part).send(), 422, "business-rule");
    assert_eq!(fhir.get(path).send().version(), 1);
}

fn a_subset_that_is_not_understood_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let path = stored(&fhir);
    for query in [
        "_summary=maybe",
        "_summary=count",
        "_summary=",
        "_elements=nom",
        "_elements=",
        "_summary=true&_elements=name",
        "_elements=name&x=%zz",
    ] {
        let answer = fhir.get(format!("{path}?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(!answer.issues()[0].text.is_empty(), "{query}: {answer:?}");
    }
}
