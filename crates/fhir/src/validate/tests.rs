//! What cannot be said as a case in `fixtures/fhir/validate`: limits, numbers, the table itself.

mod cases;
mod hostile;

use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::HashSet;

use super::table::{self, ComplexType, Kind, Type, Types};
use super::{decimal, nir, regulator, validate};
use crate::limits::{MAX_DEPTH, MAX_ISSUES, MAX_XML_ATTRIBUTES};
use crate::outcome::{Issue, IssueCode};
use crate::resource::{Resource, ResourceType};

fn resource(tree: Value) -> Resource {
    let Value::Object(tree) = tree else {
        panic!("not an object: {tree}");
    };
    let kind = tree
        .get("resourceType")
        .and_then(Value::as_str)
        .and_then(ResourceType::parse);
    Resource::from_guarded(kind.unwrap(), tree)
}

fn patient(tree: Value) -> Resource {
    let Value::Object(tree) = tree else {
        panic!("not an object: {tree}");
    };
    Resource::from_guarded(ResourceType::Patient, tree)
}

fn codes(issues: &[Issue]) -> Vec<IssueCode> {
    issues.iter().map(|issue| issue.code).collect()
}

/// Extensions inside each other; the patient is level 1, so the innermost is level `levels`.
fn nested(levels: usize) -> Resource {
    let mut extension = json!({"url": "urn:x", "valueString": "x"});
    for _ in 2..levels {
        extension = json!({"url": "urn:x", "extension": [extension]});
    }
    patient(json!({"extension": [extension]}))
}

#[test]
fn elements_nest_as_deep_as_the_limit_and_no_deeper() {
    assert_eq!(validate(&nested(MAX_DEPTH)), []);
    let issues = validate(&nested(MAX_DEPTH + 1));
    assert_eq!(codes(&issues), [IssueCode::Structure]);
    assert!(issues[0].text.contains("64 levels"), "{issues:?}");
}

#[test]
fn a_contained_resource_of_an_unlisted_type_nests_no_deeper_either() {
    let with = |levels: usize| {
        let mut inner = json!({"x": 1});
        // The patient is level 1 and the contained resource level 2.
        for _ in 3..levels {
            inner = json!({ "x": inner });
        }
        patient(json!({
            "contained": [{"resourceType": "Basic", "id": "b", "x": inner}],
            "extension": [{"url": "urn:x", "valueReference": {"reference": "#b"}}],
        }))
    };
    assert_eq!(validate(&with(MAX_DEPTH)), []);
    assert_eq!(codes(&validate(&with(MAX_DEPTH + 1))), [IssueCode::Structure]);
}

#[test]
fn a_string_may_have_a_mebibyte_and_no_byte_more() {
    let with = |bytes: usize| patient(json!({"name": [{"text": "x".repeat(bytes)}]}));
    assert_eq!(validate(&with(1024 * 1024)), []);
    let issues = validate(&with(1024 * 1024 + 1));
    assert_eq!(codes(&issues), [IssueCode::Value]);
    assert_eq!(issues[0].diagnostics.as_ref().unwrap().chars().count(), 101);
}

#[test]
fn a_narrative_tag_may_have_as_many_attributes_as_the_limit() {
    let with = |count: usize| {
        let names = [
            "abbr",
            "accesskey",
            "align",
            "alt",
            "axis",
            "bgcolor",
            "border",
            "char",
            "class",
            "clear",
            "colspan",
            "compact",
            "coords",
            "dir",
            "frame",
            "headers",
            "height",
            "hspace",
            "id",
            "lang",
            "name",
            "nowrap",
            "rel",
            "rev",
            "rowspan",
            "rules",
            "scope",
            "shape",
            "span",
            "start",
            "style",
            "summary",
            "title",
        ];
        let attributes: String = names
            .iter()
            .take(count)
            .map(|name| format!(" {name}=\"x\""))
            .collect();
        let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p{attributes}>x</p></div>");
        patient(json!({"text": {"status": "generated", "div": div}}))
    };
    assert_eq!(validate(&with(MAX_XML_ATTRIBUTES)), []);
    assert_eq!(
        codes(&validate(&with(MAX_XML_ATTRIBUTES + 1))),
        [IssueCode::Value]
    );
}

#[test]
fn a_narrative_nests_as_deep_as_the_limit_and_no_deeper() {
    let with = |levels: usize| {
        let (open, close) = ("<b>".repeat(levels - 1), "</b>".repeat(levels - 1));
        let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{open}x{close}</div>");
        patient(json!({"text": {"status": "generated", "div": div}}))
    };
    assert_eq!(validate(&with(MAX_DEPTH)), []);
    assert_eq!(codes(&validate(&with(MAX_DEPTH + 1))), [IssueCode::Value]);
}

#[test]
fn a_hostile_resource_buys_no_more_issues_than_the_limit() {
    let identifiers: Vec<Value> = (0..5000)
        .map(|_| json!({"use": "x", "foo": [], "value": ""}))
        .collect();
    let account = resource(json!({"resourceType": "Practitioner", "identifier": identifiers}));
    assert_eq!(validate(&account).len(), MAX_ISSUES);
    assert!(regulator::shape(&account).len() <= MAX_ISSUES);
    let numbers: Vec<Value> = (0..5000)
        .map(|_| json!({"system": nir::SYSTEMS[0], "value": "123456789012244"}))
        .collect();
    assert_eq!(
        validate(&patient(json!({ "identifier": numbers }))).len(),
        MAX_ISSUES
    );
}

#[test]
fn ninety_nine_issues_are_listed_without_a_remark() {
    let with = |count: usize| {
        let extensions: Vec<Value> = (0..count).map(|_| json!({"url": "urn:x"})).collect();
        validate(&patient(json!({ "extension": extensions })))
    };
    assert!(with(99).iter().all(Issue::is_error));
    assert_eq!(with(99).len(), 99);
    assert!(!with(100).last().unwrap().is_error());
}

#[test]
fn markers_make_an_account_and_nothing_else_does() {
    let applies =
        |kind: &str, meta: Value| regulator::applies(&resource(json!({"resourceType": kind, "meta": meta})));
    assert!(applies("Practitioner", json!({"profile": [regulator::PROFILE]})));
    assert!(applies(
        "Practitioner",
        json!({"profile": ["urn:x", format!("{}|1.2.0", regulator::PROFILE)]})
    ));
    assert!(applies(
        "Practitioner",
        json!({"profile": ["http://other/StructureDefinition/FrPractitionerRegul"]})
    ));
    assert!(applies("Practitioner", json!({"source": regulator::SOURCE})));
    assert!(!applies("Patient", json!({"source": regulator::SOURCE})));
    assert!(!applies(
        "Practitioner",
        json!({"source": "urn:oid:1.2.250.1.213.3.60"})
    ));
    assert!(!applies(
        "Practitioner",
        json!({"profile": [format!("{}Bis", regulator::PROFILE)]})
    ));
    assert!(!applies(
        "Practitioner",
        json!({"profile": "FrPractitionerRegul"})
    ));
    assert!(!regulator::applies(&resource(
        json!({"resourceType": "Practitioner"})
    )));
}

/// Keys computed by 97 − (N mod 97) elsewhere, `2A` as 19 and `2B` as 18.
const NIR: [(&str, &str); 14] = [
    ("1850375012345", "87"),
    ("2690299123456", "14"),
    ("1990597123001", "24"),
    ("2750613055042", "01"),
    ("3600175999888", "30"),
    ("4112233445566", "35"),
    ("7701299000111", "30"),
    ("8050264300200", "02"),
    ("179042A004123", "43"),
    ("288112B033456", "40"),
    ("1503199100001", "82"),
    ("2629975056789", "63"),
    ("1800175001005", "97"),
    ("1881103750016", "86"),
];

#[test]
fn the_key_of_a_nir_is_checked() {
    for (nir, key) in NIR {
        assert_eq!(nir::key(nir), key.parse().ok(), "{nir}");
        assert_eq!(nir::check(nir), nir::Verdict::WithoutKey, "{nir}");
        assert_eq!(nir::check(&format!("{nir}{key}")), nir::Verdict::Right, "{nir}");
        let expected: u8 = key.parse().unwrap();
        let wrong = (expected + 1) % 98;
        assert_eq!(
            nir::check(&format!("{nir}{wrong:02}")),
            nir::Verdict::WrongKey { expected },
            "{nir}"
        );
    }
}

#[test]
fn what_is_no_nir_has_no_key() {
    for text in [
        "",
        "1",
        "185037501234",
        "18503750123456",
        "1850375012345123",
        "5850375012345",
        "0850375012345",
        "6850375012345",
        "9850375012345",
        "18503750123A5",
        "185032C012345",
        "185033A012345",
        "18503A2012345",
        "1850375012345 1",
        "18503750123451a",
        " 850375012345",
        "é85037501234",
        "185037501234é",
        "1850375 012345",
    ] {
        assert_eq!(nir::check(text), nir::Verdict::NoNir, "{text}");
    }
}

#[test]
fn a_key_is_97_and_never_00() {
    assert_eq!(nir::check("180017500100597"), nir::Verdict::Right);
    assert_eq!(
        nir::check("180017500100500"),
        nir::Verdict::WrongKey { expected: 97 }
    );
}

#[test]
fn a_nir_warning_shows_the_key_alone() {
    let issues = validate(&patient(
        json!({"identifier": [{"system": nir::SYSTEMS[0], "value": "284058832102530"}]}),
    ));
    assert_eq!(issues.len(), 1);
    assert!(!issues[0].is_error());
    assert!(!format!("{issues:?}").contains("2840588321025"), "{issues:?}");
}

#[test]
fn decimals_compare_by_value_whatever_their_form() {
    for (left, right, order) in [
        ("1", "1.0", Ordering::Equal),
        ("10e-1", "1", Ordering::Equal),
        ("0", "-0.00", Ordering::Equal),
        ("0.1", "0.09", Ordering::Greater),
        ("-0.1", "-0.09", Ordering::Less),
        ("-1", "0", Ordering::Less),
        ("9.99", "10", Ordering::Less),
        ("1e3", "999.999", Ordering::Greater),
        ("1e99999999999999999999", "1e999", Ordering::Greater),
        ("1e-99999999999999999999", "0", Ordering::Greater),
        (
            "123456789012345678901234567890.1",
            "123456789012345678901234567890.2",
            Ordering::Less,
        ),
        ("0.0010", "1e-3", Ordering::Equal),
    ] {
        assert_eq!(decimal::compare(left, right), Some(order), "{left} {right}");
        assert_eq!(
            decimal::compare(right, left),
            Some(order.reverse()),
            "{right} {left}"
        );
    }
}

/// Every type reachable from these.
fn reachable(roots: &[&'static ComplexType]) -> Vec<&'static ComplexType> {
    let (mut open, mut seen, mut all) = (roots.to_vec(), HashSet::new(), Vec::new());
    while let Some(table) = open.pop() {
        if !seen.insert(std::ptr::from_ref(table)) {
            continue;
        }
        all.push(table);
        for element in table.elements {
            let kinds = match element.types {
                Types::One(kind) => vec![kind],
                Types::Choice(kinds) => kinds.to_vec(),
            };
            open.extend(kinds.into_iter().filter_map(|kind| match kind {
                Type::Complex(complex) => Some(complex),
                Type::Primitive(_) | Type::Resource => None,
            }));
        }
    }
    all
}

fn all_tables() -> Vec<&'static ComplexType> {
    reachable(&[
        table::contained("Patient").unwrap(),
        table::contained("Practitioner").unwrap(),
        table::contained("Organization").unwrap(),
        table::primitive_sibling(),
        &table::DOMAIN_RESOURCE,
        &table::PLAIN_RESOURCE,
    ])
}

#[test]
fn every_property_of_the_table_leads_back_to_its_element() {
    let tables = all_tables();
    assert!(tables.len() > 45, "{}", tables.len());
    for table in tables {
        assert!(table.elements.len() <= 64, "{}", table.name);
        let mut properties = HashSet::new();
        for (position, element) in table.elements.iter().enumerate() {
            for property in element.properties() {
                let found = table.element(&property).unwrap();
                assert_eq!(found.position, position, "{}.{property}", table.name);
                for start in [0, position, position + 1, table.elements.len(), 1000] {
                    assert_eq!(table.element_from(&property, start).unwrap().position, position);
                }
                assert!(properties.insert(property));
            }
        }
        let backbone = table.name.contains('.');
        assert!(!backbone || table.kind == Kind::Element);
        assert!(table.element("").is_none() && table.element("é").is_none());
    }
}

#[test]
fn lists_that_are_searched_by_halves_are_sorted() {
    assert!(super::type_names::RESOURCES.is_sorted());
    assert!(super::type_names::DATATYPES.is_sorted());
    assert!(super::xhtml::ELEMENTS.is_sorted());
    assert!(super::xhtml::ATTRIBUTES.is_sorted());
}

#[test]
fn an_extension_takes_every_type_of_r4() {
    let extension = table::datatype("Extension").unwrap();
    let value = extension
        .elements
        .iter()
        .find(|element| element.name == "value")
        .unwrap();
    assert_eq!(value.properties().len(), 50);
}
