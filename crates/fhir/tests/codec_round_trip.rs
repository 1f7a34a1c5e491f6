//! What goes from one format to the other and back is the same resource.

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
        assert_eq!(tree, plain, "{name}");
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
