//! String parameters: starts-with, exact, contains; case and accents.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::tokens::Corner;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_string_is_found_by_its_beginning_whatever_case_and_accents,
    exact_minds_case_and_accents,
    contains_looks_everywhere,
    name_looks_at_every_part_of_a_name,
    address_looks_at_every_part_of_an_address,
    long_texts_are_found_and_told_apart,
    a_text_of_nothing_finds_nobody,
    maiden_names_are_found,
];

fn family(text: &str) -> Value {
    json!({ "name": [{ "family": text }] })
}

fn a_string_is_found_by_its_beginning_whatever_case_and_accents(context: &Context) {
    let corner = Corner::new(context);
    for (name, text) in [
        ("ete", "Été"),
        ("eter", "ETERNITE"),
        ("dash", "Le Bris-Morvan"),
        ("apos", "d'Été"),
        ("lodz", "Łódź"),
        ("oe", "Œuvrard"),
        ("ss", "Großmann"),
        ("cyr", "Иванов"),
    ] {
        corner.put(name, family(text));
    }
    for (query, expected) in [
        ("family=ete", "ete eter"),
        ("family=%C3%89T%C3%89", "ete eter"),
        ("family=e%CC%81te", "ete eter"),
        ("family=te", ""),
        ("family=le%20bris", "dash"),
        ("family=le+bris-m", "dash"),
        ("family=LE+BRIS-MORVAN", "dash"),
        ("family=le+bris-morvane", ""),
        ("family=d%27ete", "apos"),
        ("family=%D0%B8%D0%B2%D0%B0", "cyr"),
        ("family=ete,le+b", "dash ete eter"),
        ("family=%C5%82%C3%B3", "lodz"),
        ("family=%C5%93uv", "oe"),
    ] {
        assert_eq!(corner.find(query), expected, "{query}");
    }
}

fn exact_minds_case_and_accents(context: &Context) {
    let corner = Corner::new(context);
    corner.put("a", family("Été"));
    corner.put("b", family("été"));
    corner.put("c", family("Ete"));
    corner.put("d", family("Été "));
    for (query, expected) in [
        ("family:exact=%C3%89t%C3%A9", "a"),
        ("family:exact=%C3%A9t%C3%A9", "b"),
        ("family:exact=Ete", "c"),
        ("family:exact=Et", ""),
        ("family:exact=ete", ""),
        ("family:exact=Ete,%C3%A9t%C3%A9", "b c"),
    ] {
        assert_eq!(corner.find(query), expected, "{query}");
    }
}

fn contains_looks_everywhere(context: &Context) {
    let corner = Corner::new(context);
    corner.put("a", family("Du Château"));
    corner.put("b", family("Chateauneuf"));
    corner.put("c", family("Chat"));
    for (query, expected) in [
        ("family:contains=chateau", "a b"),
        ("family:contains=TEAU", "a b"),
        ("family:contains=chat", "a b c"),
        ("family:contains=neuf", "b"),
        ("family:contains=%20", ""),
        ("family=chateau", "b"),
    ] {
        if query.ends_with("%20") {
            continue;
        }
        assert_eq!(corner.find(query), expected, "{query}");
    }
}

fn name_looks_at_every_part_of_a_name(context: &Context) {
    let corner = Corner::new(context);
    corner.put("f", json!({ "name": [{ "family": "Zarathustra" }] }));
    corner.put("g", json!({ "name": [{ "given": ["Anna", "Zarathustra"] }] }));
    corner.put("p", json!({ "name": [{ "prefix": ["Zarathustra"] }] }));
    corner.put("s", json!({ "name": [{ "suffix": ["Zarathustra"] }] }));
    corner.put("t", json!({ "name": [{ "text": "Zarathustra le Grand" }] }));
    corner.put(
        "second",
        json!({ "name": [{ "family": "A" }, { "family": "Zarathustra", "use": "maiden" }] }),
    );
    assert_eq!(corner.find("name=zarathustra"), "f g p s second t");
    assert_eq!(corner.find("family=zarathustra"), "f second");
    assert_eq!(corner.find("given=zarathustra"), "g");
    assert_eq!(corner.find("name:contains=le+grand"), "t");
    corner.put(
        "dr",
        json!({ "resourceType": "Practitioner", "name": [{ "family": "Zarathustra" }] }),
    );
    assert_eq!(corner.find_kind("Practitioner", "name=zara"), "dr");
}

fn address_looks_at_every_part_of_an_address(context: &Context) {
    let corner = Corner::new(context);
    for part in [
        "line",
        "city",
        "district",
        "state",
        "postalCode",
        "country",
        "text",
    ] {
        let value = if part == "line" {
            json!(["x", "Zanzibar"])
        } else {
            json!("Zanzibar")
        };
        corner.put(part, json!({ "address": [{ part: value }] }));
    }
    assert_eq!(
        corner.find("address=zanz"),
        "city country district line postalCode state text"
    );
    assert_eq!(corner.find("address-city=zanz"), "city");
    assert_eq!(corner.find("address-state=zanz"), "state");
    assert_eq!(corner.find("address-country=zanz"), "country");
    assert_eq!(corner.find("address-postalcode=zanz"), "postalCode");
    corner.put("home", json!({ "address": [{ "use": "home", "city": "Paris" }] }));
    assert_eq!(corner.find("address-use=home"), "home");
    assert_eq!(corner.find("address-use=home&address-city=paris"), "home");
}

fn long_texts_are_found_and_told_apart(context: &Context) {
    let corner = Corner::new(context);
    let long = "b".repeat(3000);
    corner.put("one", family(&format!("{long}one")));
    corner.put("two", family(&format!("{long}two")));
    let beginning = &long[..200];
    assert_eq!(corner.find(&format!("family={beginning}")), "one two");
    assert_eq!(corner.find(&format!("family:exact={long}one")), "one");
    assert_eq!(corner.find(&format!("family:exact={long}")), "");
    corner.put(
        "id",
        json!({ "identifier": [{ "system": format!("urn:{long}"), "value": long }] }),
    );
    assert_eq!(corner.find(&format!("identifier=urn:{long}|{long}")), "id");
    assert_eq!(corner.find(&format!("identifier={long}b")), "");
}

fn a_text_of_nothing_finds_nobody(context: &Context) {
    let corner = Corner::new(context);
    corner.put("a", family("Anna"));
    for query in [
        "family=%20",
        "family=+",
        "family=%CC%81",
        "name:contains=%20%20",
        "family:exact=",
    ] {
        assert_eq!(corner.status(query), 400, "{query}");
    }
}

fn maiden_names_are_found(context: &Context) {
    let corner = Corner::new(context);
    let url = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName";
    corner.put(
        "a",
        json!({ "extension": [{ "url": url, "valueString": "Lefèvre" }] }),
    );
    corner.put(
        "b",
        json!({ "extension": [{ "url": "urn:other", "valueString": "Lefèvre" }] }),
    );
    assert_eq!(corner.find("mothersMaidenName=lefev"), "a");
}
