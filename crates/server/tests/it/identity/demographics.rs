//! Patient demographics by search (PDQm ITI-78).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    a_search_restricted_to_domains_shows_no_identifier_of_others,
    a_restriction_is_one_only_when_every_identifier_names_a_system_alone,
    an_unknown_domain_is_404_and_only_then,
    a_restricted_search_pages_and_is_the_same_posted_in_xml_and_in_a_bundle,
    the_total_is_always_told_and_every_string_takes_exact,
];

fn search(fhir: &Client, query: &str) -> Value {
    fhir.get(format!("/Patient?{query}")).send().expect(200).json()
}

fn systems(patient: &Value) -> Vec<&str> {
    let identifiers = patient["identifier"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    identifiers
        .iter()
        .filter_map(|identifier| identifier["system"].as_str())
        .collect()
}

fn is_subsetted(patient: &Value) -> bool {
    patient["meta"]["tag"].to_string().contains("SUBSETTED")
}

fn a_search_restricted_to_domains_shows_no_identifier_of_others(context: &Context) {
    let (_server, fhir) = apart(context);
    feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    feed(&fhir, RED, "IHERED-m94", &example("maiden-red")).expect(201);
    let blue = search(&fhir, &format!("family=mohr&identifier={BLUE}|"));
    assert_eq!(blue["total"], 1);
    let alice = &blue["entry"][0]["resource"];
    assert_eq!(systems(alice), [BLUE]);
    assert!(is_subsetted(alice), "{alice}");
    let red = search(&fhir, &format!("family=mohr&identifier={RED}%7C"));
    assert_eq!(red["total"], 2);
    let shown: Vec<bool> = red["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| is_subsetted(&entry["resource"]))
        .collect();
    // Of whom nothing was left out is whole.
    assert_eq!(shown, [true, false]);
    let two = search(&fhir, &format!("identifier={RED}|,{GREEN}|"));
    assert_eq!(systems(&two["entry"][0]["resource"]), [GREEN, RED]);
    let both = search(&fhir, &format!("identifier={RED}|&identifier={GREEN}|"));
    assert_eq!(
        (both["total"].as_u64(), systems(&both["entry"][0]["resource"])),
        (Some(1), vec![GREEN, RED])
    );
    // A read shows everything.
    let id = alice["id"].as_str().unwrap();
    assert_eq!(
        systems(&fhir.get(format!("/Patient/{id}")).send().json()),
        [BLUE, GREEN, RED]
    );
}

fn a_restriction_is_one_only_when_every_identifier_names_a_system_alone(context: &Context) {
    let (_server, fhir) = apart(context);
    feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    for query in [
        format!("identifier={RED}|IHERED-994"),
        format!("identifier={RED}|,{BLUE}|IHEBLUE-994"),
        format!("identifier={RED}|&identifier={BLUE}|IHEBLUE-994"),
        "identifier=IHERED-994".to_owned(),
        "family=mohr".to_owned(),
    ] {
        let bundle = search(&fhir, &query);
        let alice = &bundle["entry"][0]["resource"];
        assert_eq!(systems(alice), [BLUE, GREEN, RED], "{query}");
        assert!(!is_subsetted(alice), "{query}");
    }
}

fn an_unknown_domain_is_404_and_only_then(context: &Context) {
    let (_server, fhir) = apart(context);
    feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    let unknown = "urn:oid:1.2.3.4.5";
    for query in [
        format!("identifier={unknown}|"),
        format!("family=mohr&identifier={RED}|,{unknown}|"),
    ] {
        let answer = refused(fhir.get(format!("/Patient?{query}")).send(), 404, "not-found");
        assert!(
            answer.issues()[0].text.starts_with("targetSystem not found"),
            "{answer:?}"
        );
        assert_eq!(answer.issues()[0].diagnostics, unknown);
    }
    for query in [
        // Known, and nobody so called has one.
        format!("family=nobody&identifier={RED}|"),
        // Configured, and nobody has one.
        "identifier=urn:oid:1.2.250.1.213.1.4.8|".to_owned(),
        // A value, not a domain.
        format!("identifier={unknown}|7"),
    ] {
        assert_eq!(search(&fhir, &query)["total"], 0, "{query}");
    }
    // Practitioners have no such rule.
    let none = fhir
        .get(format!("/Practitioner?identifier={unknown}|"))
        .send()
        .expect(200);
    assert_eq!(none.json()["total"], 0);
}

fn a_restricted_search_pages_and_is_the_same_posted_in_xml_and_in_a_bundle(context: &Context) {
    let (_server, fhir) = apart(context);
    for number in 0..5 {
        let two = json!([{ "system": RED, "value": format!("r{number}") }, { "system": BLUE, "value": format!("b{number}") }]);
        let body = with(patient("x"), "identifier", two);
        fhir.post("/Patient").json(&body).send().expect(201);
    }
    let mut page = search(&fhir, &format!("identifier={RED}|&_count=2"));
    let mut seen = 0;
    loop {
        assert_eq!(page["total"], 5);
        for entry in page["entry"].as_array().unwrap() {
            assert_eq!(systems(&entry["resource"]), [RED]);
            seen += 1;
        }
        let Some(next) = link(&page, "next") else { break };
        page = fhir.get(path_of(&next)).send().expect(200).json();
    }
    assert_eq!(seen, 5);
    let form = format!("identifier={RED}%7C&_format=xml");
    let xml = fhir
        .post("/Patient/_search")
        .form(&form)
        .send()
        .expect(200)
        .text();
    assert!(xml.contains("SUBSETTED") && !xml.contains(BLUE), "{xml}");
    for kind in ["batch", "transaction"] {
        let bundle = json!({
            "resourceType": "Bundle", "type": kind,
            "entry": [{ "request": { "method": "GET", "url": format!("Patient?identifier={RED}|") } }]
        });
        let answer = fhir.post("/").json(&bundle).send().expect(200).text();
        assert!(answer.contains("SUBSETTED") && !answer.contains(BLUE), "{answer}");
    }
}

fn the_total_is_always_told_and_every_string_takes_exact(context: &Context) {
    let (_server, fhir) = apart(context);
    feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    for (query, total) in [
        ("family:exact=Mohr", 1),
        ("family:exact=mohr", 0),
        ("given:exact=Alice", 1),
        ("name:exact=Alice", 1),
        ("address:exact=Oak%20Brook", 1),
        ("address-city:exact=Oak%20Brook", 1),
        ("address-city:exact=oak%20brook", 0),
        ("address-state:exact=IL", 1),
        ("address-postalcode:exact=60523", 1),
        (
            "family:exact=Mohr&given:exact=Alice&birthdate=1958-01-30&gender=female",
            1,
        ),
    ] {
        assert_eq!(search(&fhir, query)["total"], total, "{query}");
        let posted = fhir
            .post("/Patient/_search")
            .form(query)
            .send()
            .expect(200)
            .json();
        assert_eq!(posted["total"], total, "{query}");
    }
}
