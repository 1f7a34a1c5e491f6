//! What goes from one format to the other and back is the same resource.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it counted"
)]

use fhir::codec::{Format, Layout, decode_tree, encode_xml_with};
use serde_json::{Map, Value};
use std::fs;
use std::path::PathBuf;

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fhir/codec");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "the fixtures are missing");
    files
        .into_iter()
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect()
}

fn type_of(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    value["resourceType"].as_str().unwrap().to_owned()
}

fn read_json(name: &str, body: &[u8]) -> Map<String, Value> {
    decode_tree(body, Format::Json, &type_of(body)).unwrap_or_else(|issues| panic!("{name}: {issues:#?}"))
}

#[test]
fn json_keeps_every_property_and_every_digit() {
    for (name, body) in fixtures() {
        let tree = read_json(&name, &body);
        let plain: Map<String, Value> = serde_json::from_slice(&body).unwrap();
        // The library spells exponents its own way: what counts is what is written.
        let written = Value::Object(tree.clone()).to_string();
        assert_eq!(
            serde_json::from_str::<Map<String, Value>>(&written).unwrap(),
            plain,
            "{name}"
        );
        let source = String::from_utf8(body).unwrap();
        for decimal in source.split("\"valueDecimal\":").skip(1) {
            let end = decimal.find(['}', ',']).unwrap();
            let decimal = format!("\"valueDecimal\":{}", decimal[..end].trim());
            assert!(written.contains(&decimal), "{name}: {decimal}");
        }
        assert_eq!(tree.keys().next().unwrap(), "resourceType", "{name}");
    }
}

#[test]
fn json_to_xml_to_json_is_identical() {
    for (name, body) in fixtures() {
        let tree = read_json(&name, &body);
        for layout in [Layout::Compact, Layout::Indented] {
            let xml = encode_xml_with(&tree, layout).unwrap_or_else(|error| panic!("{name}: {error}"));
            let back = decode_tree(xml.as_bytes(), Format::Xml, &type_of(&body))
                .unwrap_or_else(|issues| panic!("{name}: {issues:#?}\n{xml}"));
            assert_eq!(back, tree, "{name}\n{xml}");
            assert_eq!(encode_xml_with(&back, layout).unwrap(), xml, "{name}");
        }
    }
}

#[test]
fn every_fault_of_a_body_is_reported_with_its_place() {
    let body = br#"{
        "resourceType": "Patient",
        "id": "",
        "name": [{"given": ["a", "\u0001", " "]}, {}],
        "birthDate": null,
        "name": []
    }"#;
    let issues = decode_tree(body, Format::Json, "Patient").unwrap_err();
    let found: Vec<_> = issues
        .iter()
        .map(|issue| (issue.code.as_str(), issue.expression.as_deref().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("structure", "Patient.id"),
            ("value", "Patient.name[0].given[1]"),
            ("structure", "Patient.name[0].given[2]"),
            ("structure", "Patient.name[1]"),
            ("structure", "Patient.birthDate"),
            ("structure", "Patient.name"),
            ("structure", "Patient.name"),
        ]
    );
    let xml = br#"<Patient xmlns="http://hl7.org/fhir"><active value="yes"/><name><nick value="a"/></name><birthDate value=""/></Patient>"#;
    let issues = decode_tree(xml, Format::Xml, "Patient").unwrap_err();
    let places: Vec<_> = issues
        .iter()
        .map(|issue| issue.expression.as_deref().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "Patient.active",
            "Patient.name[0].nick",
            "Patient.name[0]",
            "Patient.birthDate"
        ]
    );
}

#[test]
fn a_fault_of_syntax_names_line_and_column() {
    let json = decode_tree(
        b"{\"resourceType\":\"Patient\",\n \"id\": x}",
        Format::Json,
        "Patient",
    );
    let issue = &json.unwrap_err()[0];
    assert_eq!(issue.diagnostics.as_deref(), Some("line 2, column 8"));
    let xml = decode_tree(
        b"<Patient xmlns=\"http://hl7.org/fhir\">\n <active value=1/></Patient>",
        Format::Xml,
        "Patient",
    );
    let issue = &xml.unwrap_err()[0];
    assert_eq!(issue.diagnostics.as_deref(), Some("line 2, column 2"));
    let text = decode_tree(
        b"{\"resourceType\":\"Patient\",\"id\":\"\xFF\"}",
        Format::Json,
        "Patient",
    );
    assert_eq!(
        text.unwrap_err()[0].diagnostics.as_deref(),
        Some("byte offset 32")
    );
}

#[test]
fn what_one_format_says_differently_the_other_reads_the_same() {
    let same = [
        // Unequal siblings are filled up.
        (
            r#"{"resourceType":"Patient","name":[{"given":["a","b"],"_given":[{"id":"x"}]}]}"#,
            r#"<Patient xmlns="http://hl7.org/fhir"><name><given id="x" value="a"/><given value="b"/></name></Patient>"#,
        ),
        // Decimals keep their written form, exponents included, wherever they stand.
        (
            r#"{"resourceType":"Patient","extension":[{"url":"u","valueDecimal":1e3},{"url":"v","valueDecimal":1E-07,"_valueDecimal":{"extension":[{"url":"w","valueDecimal":2.0E+5}]}},{"url":"x","valueQuantity":{"value":3e0}}],"name":[{"given":["a","b"],"_given":[{"extension":[{"url":"y","valueDecimal":4e4}]},{"extension":[{"url":"z","valueDecimal":5E5}]}]}]}"#,
            r#"<Patient xmlns="http://hl7.org/fhir"><extension url="u"><valueDecimal value="1e3"/></extension><extension url="v"><valueDecimal value="1E-07"><extension url="w"><valueDecimal value="2.0E+5"/></extension></valueDecimal></extension><extension url="x"><valueQuantity><value value="3e0"/></valueQuantity></extension><name><given value="a"><extension url="y"><valueDecimal value="4e4"/></extension></given><given value="b"><extension url="z"><valueDecimal value="5E5"/></extension></given></name></Patient>"#,
        ),
        // Literal white space in an attribute is a space to every XML parser; a reference is kept.
        (
            r#"{"resourceType":"Patient","name":[{"text":"a b\nc"}]}"#,
            "<Patient xmlns='http://hl7.org/fhir'><name><text value='a\r\nb&#xA;c'></text></name></Patient>",
        ),
        // The narrative: prefixes, a namespace declared further out, one not declared at all, line ends.
        (
            r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div title=\"a\">x\r\n<br /></div>"}}"#,
            "<f:Patient xmlns:f=\"http://hl7.org/fhir\" xmlns=\"http://www.w3.org/1999/xhtml\"><f:text><f:status value=\"generated\"/><div title=\"a\">x\n<br /></div></f:text></f:Patient>",
        ),
        (
            r#"{"resourceType":"Patient","text":{"status":"generated","div":" <h:div xmlns:h='http://www.w3.org/1999/xhtml'><h:b>1</h:b></h:div>\n"}}"#,
            "<Patient xmlns=\"http://hl7.org/fhir\" xmlns:x=\"http://www.w3.org/1999/xhtml\"><text><status value=\"generated\"/><x:div><x:b>1</x:b></x:div></text></Patient>",
        ),
    ];
    for (json, xml) in same {
        let from_json = decode_tree(json.as_bytes(), Format::Json, "Patient").unwrap();
        let from_xml = decode_tree(xml.as_bytes(), Format::Xml, "Patient").unwrap();
        assert_eq!(from_json, from_xml, "{json}");
    }
}

#[test]
fn a_tree_that_is_not_r4_has_no_xml_form() {
    use fhir::codec::{EncodeError, encode_xml};
    let refused = [
        (
            r#"{"resourceType":"Foo"}"#,
            EncodeError::UnknownType("Foo".to_owned()),
        ),
        (
            r#"{"resourceType":"HumanName"}"#,
            EncodeError::UnknownType("HumanName".to_owned()),
        ),
        (
            r#"{"resourceType":"Patient","nick":"a"}"#,
            EncodeError::UnknownElement("Patient.nick".to_owned()),
        ),
        (
            r#"{"resourceType":"Patient","active":"true"}"#,
            EncodeError::Mistyped("Patient.active".to_owned()),
        ),
        (
            r#"{"resourceType":"Patient","name":{"family":"a"}}"#,
            EncodeError::Mistyped("Patient.name".to_owned()),
        ),
        (
            r#"{"resourceType":"Patient","birthDate":["2000"]}"#,
            EncodeError::Mistyped("Patient.birthDate".to_owned()),
        ),
        (
            r#"{"resourceType":"Patient","multipleBirthInteger":1.5}"#,
            EncodeError::Mistyped("Patient.multipleBirthInteger".to_owned()),
        ),
        (
            r#"{"resourceType":"Patient","text":{"div":"<p/>"}}"#,
            EncodeError::Narrative("Patient.text.div".to_owned()),
        ),
    ];
    for (json, error) in refused {
        let tree: Map<String, Value> = serde_json::from_str(json).unwrap();
        assert_eq!(encode_xml(&tree), Err(error), "{json}");
    }
}
