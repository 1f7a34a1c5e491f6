//! Parts of resources, and searches of the whole system.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::tokens::Corner;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_search_shows_the_elements_that_are_asked_for_and_says_so,
    a_part_of_what_is_included_is_shown_as_well,
    a_bad_summary_or_element_is_refused_by_name,
    the_system_is_searched_by_what_its_types_share,
    the_system_is_sorted_and_paged_like_a_type,
    a_posted_search_of_the_system_finds_the_same,
    a_search_of_the_system_takes_no_parameter_of_one_type,
    the_statement_says_what_a_search_can_do,
];

fn rich() -> Value {
    json!({
        "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Ada</div>" },
        "name": [{ "family": "Ada" }], "birthDate": "1980-01-01", "gender": "female",
        "communication": [{ "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "fr" }] } }],
    })
}

fn keys(resource: &Value) -> String {
    let names: Vec<&str> = resource
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .filter(|name| !matches!(*name, "resourceType" | "id" | "meta"))
        .collect();
    names.join(" ")
}

fn is_tagged(resource: &Value) -> bool {
    let tags = resource["meta"]["tag"].as_array();
    tags.is_some_and(|tags| tags.iter().any(|tag| tag["code"] == "SUBSETTED"))
}

fn a_search_shows_the_elements_that_are_asked_for_and_says_so(context: &Context) {
    let corner = Corner::new(context);
    corner.put("a", rich());
    for (query, expected) in [
        ("_summary=true", "name gender birthDate"),
        ("_summary=text", "text"),
        ("_summary=data", "name gender birthDate communication"),
        ("_elements=birthDate", "birthDate"),
        ("_elements=name,gender&_total=none", "name gender"),
    ] {
        let bundle = corner
            .fhir
            .get(format!("/Patient?_tag={}&{query}", corner.tag))
            .send()
            .expect(200)
            .json();
        let resource = &bundle["entry"][0]["resource"];
        let mut shown: Vec<String> = keys(resource).split(' ').map(str::to_owned).collect();
        let mut wanted: Vec<String> = expected.split(' ').map(str::to_owned).collect();
        shown.sort();
        wanted.sort();
        assert_eq!(shown, wanted, "{query}");
        assert!(is_tagged(resource), "{query}: {resource}");
        assert_eq!(bundle["entry"][0]["search"]["mode"], "match");
        let own = link(&bundle, "self").unwrap();
        assert!(own.contains(query.split('&').next().unwrap()), "{own}");
        let xml = corner
            .fhir
            .get(format!("/Patient?_tag={}&{query}&_format=xml", corner.tag))
            .send()
            .expect(200);
        assert!(
            xml.text().contains("<code value=\"SUBSETTED\"/>"),
            "{query}: {xml:?}"
        );
    }
    let whole = corner
        .fhir
        .get(format!("/Patient?_tag={}&_summary=false", corner.tag))
        .send()
        .expect(200)
        .json();
    assert!(!is_tagged(&whole["entry"][0]["resource"]));
    // Who writes a part back would lose the rest.
    let part = corner
        .fhir
        .get(format!("/Patient?_tag={}&_elements=name", corner.tag))
        .send()
        .expect(200)
        .json()["entry"][0]["resource"]
        .clone();
    let id = part["id"].as_str().unwrap().to_owned();
    refused(
        corner.fhir.put(format!("/Patient/{id}")).json(&part).send(),
        422,
        "business-rule",
    );
}

fn a_part_of_what_is_included_is_shown_as_well(context: &Context) {
    let corner = Corner::new(context);
    corner.put(
        "house",
        json!({
            "resourceType": "Practitioner", "name": [{ "family": "House" }],
            "communication": [{ "text": "French" }],
        }),
    );
    let mut ada = rich();
    ada["generalPractitioner"] = json!([{ "reference": format!("Practitioner/{}-house", corner.tag) }]);
    corner.put("a", ada);
    let ask = |query: &str| {
        let target = format!("/Patient?_tag={}&_include=*&{query}", corner.tag);
        corner.fhir.get(target).send().expect(200).json()["entry"].clone()
    };
    let summary = ask("_summary=true");
    assert_eq!(keys(&summary[1]["resource"]), "name");
    assert!(is_tagged(&summary[1]["resource"]));
    // Elements are those of the type that is searched.
    let elements = ask("_elements=birthDate");
    assert_eq!(keys(&elements[0]["resource"]), "birthDate");
    assert_eq!(elements[1]["resource"]["communication"][0]["text"], "French");
}

fn a_bad_summary_or_element_is_refused_by_name(context: &Context) {
    let fhir = shared_fhir(context);
    for (query, named) in [
        ("_summary=maybe", "_summary"),
        ("_summary=", "_summary"),
        ("_elements=nom", "nom"),
        ("_elements=", "_elements"),
        ("_summary=true&_elements=name", "_elements"),
        ("_summary=true&_summary=true", "_summary"),
        ("_elements:not=name", "_elements"),
    ] {
        let answer = fhir.get(format!("/Patient?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.issues()[0].text.contains(named), "{query}: {answer:?}");
    }
}

fn both(context: &Context) -> Corner {
    let corner = Corner::new(context);
    corner.put("a", json!({ "name": [{ "family": "Zola" }] }));
    corner.put(
        "b",
        json!({ "resourceType": "Practitioner", "name": [{ "family": "Adam" }] }),
    );
    corner.put("c", json!({ "name": [{ "family": "Musset" }] }));
    corner.put("d", json!({ "resourceType": "Practitioner" }));
    corner
}

/// The names of what a search of the system finds, in its order.
#[track_caller]
fn find(corner: &Corner, query: &str) -> String {
    let answer = corner.fhir.get(format!("/?_tag={}&{query}", corner.tag)).send();
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    named(corner, &answer.json()).join(" ")
}

fn named(corner: &Corner, bundle: &Value) -> Vec<String> {
    let prefix = format!("{}-", corner.tag);
    let strip = |id: &String| id.strip_prefix(&prefix).unwrap_or(id).to_owned();
    ids(bundle).iter().map(strip).collect()
}

fn the_system_is_searched_by_what_its_types_share(context: &Context) {
    let corner = both(context);
    let tag = &corner.tag;
    for (query, expected) in [
        (String::new(), "a b c d"),
        ("_type=Patient,Practitioner".to_owned(), "a b c d"),
        ("_type=Practitioner".to_owned(), "b d"),
        ("_type=Patient&birthdate:missing=true".to_owned(), "a c"),
        (format!("_id={tag}-c,{tag}-d"), "c d"),
        ("family:missing=true".to_owned(), "d"),
        ("family=zola,adam".to_owned(), "a b"),
        ("_lastUpdated=gt2020".to_owned(), "a b c d"),
    ] {
        assert_eq!(find(&corner, &query), expected, "{query}");
    }
    let bundle = corner
        .fhir
        .get(format!("/?_type=Patient,Practitioner&_tag={tag}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(
        (&bundle["type"], &bundle["total"]),
        (&json!("searchset"), &json!(4))
    );
    let own = link(&bundle, "self").unwrap();
    assert!(own.contains("/fhir?_type=Patient,Practitioner&_tag="), "{own}");
    assert_eq!(corner.fhir.get(&own).send().expect(200).json()["total"], 4);
    assert_eq!(
        corner.fhir.get(format!("?_tag={tag}")).send().expect(200).json()["total"],
        4
    );
}

fn the_system_is_sorted_and_paged_like_a_type(context: &Context) {
    let corner = both(context);
    for (sort, expected) in [
        ("", "a b c d"),
        ("&_sort=family", "b c a d"),
        ("&_sort=-_lastUpdated", "d c b a"),
    ] {
        let target = format!("/?_tag={}&_count=1{sort}", corner.tag);
        let mut bundle = corner.fhir.get(target).send().expect(200).json();
        let mut seen = named(&corner, &bundle);
        while let Some(next) = link(&bundle, "next") {
            bundle = corner.fhir.get(next).send().expect(200).json();
            seen.extend(named(&corner, &bundle));
        }
        assert_eq!(seen.join(" "), expected, "{sort}");
        let before = link(&bundle, "previous").unwrap();
        let before = named(&corner, &corner.fhir.get(before).send().expect(200).json());
        assert_eq!(before[0], seen[2], "{sort}");
    }
}

fn a_posted_search_of_the_system_finds_the_same(context: &Context) {
    let corner = both(context);
    let bundle = corner
        .fhir
        .post("/_search?_type=Practitioner")
        .form(&format!("_tag={}", corner.tag))
        .send()
        .expect(200)
        .json();
    assert_eq!(named(&corner, &bundle), ["b", "d"]);
    refused(
        corner.fhir.post("/_search").json(&json!({})).send(),
        415,
        "not-supported",
    );
}

fn a_search_of_the_system_takes_no_parameter_of_one_type(context: &Context) {
    let fhir = shared_fhir(context);
    for (query, named) in [
        ("birthdate=1980", "birthdate"),
        ("_type=Patient,Practitioner&communication=fr", "communication"),
        ("nonsense=1", "nonsense"),
    ] {
        let answer = fhir
            .get(format!("/?{query}"))
            .header("Prefer", "handling=strict")
            .send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.issues()[0].text.contains(named), "{query}: {answer:?}");
    }
    for (query, named) in [
        ("_type=Organization", "Organization"),
        ("_type=", "_type"),
        ("_sort=birthdate", "birthdate"),
    ] {
        let answer = fhir.get(format!("/?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.issues()[0].text.contains(named), "{query}: {answer:?}");
    }
}

fn the_statement_says_what_a_search_can_do(context: &Context) {
    let fhir = shared_fhir(context);
    let statement = fhir.get("/metadata").send().expect(200).json();
    let rest = &statement["rest"][0];
    let offered = rest["interaction"].as_array().unwrap();
    assert!(
        offered.contains(&json!({ "code": "search-system" })),
        "{offered:?}"
    );
    let resource = |kind: &str| {
        let all = rest["resource"].as_array().unwrap();
        all.iter().find(|row| row["type"] == kind).unwrap().clone()
    };
    for kind in ["Patient", "Practitioner"] {
        let row = resource(kind);
        for (property, parameter) in [("searchInclude", "_include"), ("searchRevInclude", "_revinclude")] {
            for value in row[property].as_array().into_iter().flatten() {
                let value = value.as_str().unwrap();
                let answer = fhir.get(format!("/{kind}?{parameter}={value}&_count=1")).send();
                assert_eq!(answer.status, 200, "{kind} {parameter}={value}: {answer:?}");
            }
        }
    }
    assert_eq!(resource("Patient")["searchInclude"].as_array().unwrap().len(), 3);
    assert_eq!(
        resource("Practitioner")["searchRevInclude"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // XML has no place for an empty list.
    fhir.get("/metadata?_format=xml").send().expect(200);
}
