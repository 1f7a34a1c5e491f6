//! Every folder of `fixtures/fhir/patch` is a case: the patch applied to the resource gives `expected.json` or the error of
//! `error.json`. Beside them the promise that holds for any patch of lists.

use std::collections::BTreeMap;
use std::fs;

use crate::cases::{ada, folders, patch_of, read, resource};
use crate::mutate::Random;
use fhir::codec::Format;
use fhir::patch::Patch;
use fhir::validate::validate;
use fhir::{Issue, Resource};
use serde_json::{Value, json};

#[test]
fn every_case_of_the_fixtures_comes_out_as_it_says() {
    let mut failures = String::new();
    let folders = folders();
    assert!(folders.len() > 100, "only {} cases", folders.len());
    for folder in folders {
        let case = folder.file_name().unwrap().to_string_lossy().into_owned();
        let before = resource(&fs::read(folder.join("resource.json")).unwrap());
        let (name, bytes) = patch_of(&folder);
        let outcome = read(&bytes, &name).and_then(|patch| patch.apply(&before));
        if let Ok(expected) = fs::read(folder.join("expected.json")) {
            let expected = resource(&expected);
            match outcome {
                Ok(after) if after == expected => {
                    let issues = validate(&after);
                    assert!(!issues.iter().any(Issue::is_error), "{case}: {issues:?}");
                }
                Ok(after) => {
                    let after = Value::Object(after.into_tree());
                    failures.push_str(&format!("\n{case}: {after}"));
                }
                Err(issues) => failures.push_str(&format!("\n{case}: {issues:?}")),
            }
            continue;
        }
        let expected: Value = serde_json::from_slice(&fs::read(folder.join("error.json")).unwrap()).unwrap();
        let wanted = |name: &str| expected.get(name).and_then(Value::as_str);
        let issues = match outcome {
            Ok(after) => {
                // What the guard lets pass, validation may refuse.
                validate(&after)
            }
            Err(issues) => issues,
        };
        let fits = issues.first().is_some_and(|issue| {
            wanted("code") == Some(issue.code.as_str())
                && issue.text.contains(wanted("text").unwrap())
                && wanted("expression") == issue.expression.as_deref()
        });
        if !fits {
            failures.push_str(&format!("\n{case}: {issues:?}"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// The id of each given name by the name.
fn given_ids(resource: &Resource) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    for name in resource.list("name") {
        let siblings = name.get("_given").and_then(Value::as_array);
        for (position, given) in name["given"].as_array().unwrap().iter().enumerate() {
            let sibling = siblings.and_then(|siblings| siblings.get(position));
            let id = sibling
                .and_then(|sibling| sibling.get("id"))
                .and_then(Value::as_str);
            found.insert(given.as_str().unwrap().to_owned(), id.map(str::to_owned));
        }
    }
    found
}

#[test]
fn whatever_moves_in_a_list_its_extensions_move_along() {
    let random = &mut Random::new(7);
    let before = ada();
    let start = given_ids(&before);
    for round in 0..2_000 {
        let mut operations = Vec::new();
        let mut parameters = Vec::new();
        let mut lengths = [3_usize, 1];
        for step in 0..1 + random.below(5) {
            let list = random.below(2);
            let path = format!("/name/{list}/given");
            let fhirpath = format!("Patient.name[{list}].given");
            let length = lengths[list];
            let part = |name: &str, value: Value| json!({ "name": name, "valueInteger": value });
            let mut parts = vec![];
            match random.below(3) {
                // Never the last one: the name would go with it, and every position with that.
                0 if length > 1 => {
                    let at = random.below(length);
                    lengths[list] -= 1;
                    operations.push(json!({ "op": "remove", "path": format!("{path}/{at}") }));
                    parts.push(json!({ "name": "type", "valueCode": "delete" }));
                    parts.push(json!({ "name": "path", "valueString": format!("{fhirpath}[{at}]") }));
                }
                1 => {
                    let (from, to) = (random.below(length), random.below(length));
                    operations.push(
                        json!({ "op": "move", "from": format!("{path}/{from}"), "path": format!("{path}/{to}") }),
                    );
                    parts.push(json!({ "name": "type", "valueCode": "move" }));
                    parts.push(json!({ "name": "path", "valueString": fhirpath }));
                    parts.push(part("source", json!(from)));
                    parts.push(part("destination", json!(to)));
                }
                _ => {
                    let at = random.below(length + 1);
                    lengths[list] += 1;
                    let name = format!("new{step}");
                    operations.push(json!({ "op": "add", "path": format!("{path}/{at}"), "value": name }));
                    parts.push(json!({ "name": "type", "valueCode": "insert" }));
                    parts.push(json!({ "name": "path", "valueString": fhirpath }));
                    parts.push(part("index", json!(at)));
                    parts.push(json!({ "name": "value", "valueString": name }));
                }
            }
            parameters.push(json!({ "name": "operation", "part": parts }));
        }
        let json_patch = json!(operations).to_string();
        let parameters = json!({ "resourceType": "Parameters", "parameter": parameters }).to_string();
        let by_json = Patch::json(json_patch.as_bytes())
            .unwrap()
            .apply(&before)
            .unwrap();
        let by_path = Patch::fhirpath(parameters.as_bytes(), Format::Json)
            .unwrap()
            .apply(&before)
            .unwrap();
        assert_eq!(by_json, by_path, "round {round}: {json_patch}");
        for (given, id) in given_ids(&by_json) {
            let expected = start.get(&given).cloned().flatten();
            assert_eq!(id, expected, "round {round}: {given} of {json_patch}");
        }
    }
}
