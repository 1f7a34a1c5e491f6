//! Every folder of `fixtures/fhir/validate` and `fixtures/fhir/regulator` is a case: `request.json` is a
//! resource, `expected.json` the issues it gets, all of them and in order.

use serde_json::Value;
use std::path::{Path, PathBuf};

use crate::outcome::{Issue, operation_outcome};
use crate::resource::Resource;
use crate::validate::{regulator, validate};

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folders(kind: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/fhir")
        .join(kind);
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
}

fn resource(path: &Path) -> Resource {
    super::resource(read(path))
}

/// What differs between an issue and what is expected of it.
fn difference(issue: &Issue, expected: &Value) -> Option<String> {
    let wanted = |name: &str| expected.get(name).and_then(Value::as_str);
    let fits = wanted("severity") == Some(issue.severity.as_str())
        && wanted("code") == Some(issue.code.as_str())
        && wanted("expression") == issue.expression.as_deref()
        && issue
            .text
            .contains(wanted("text").expect("a case names a part of the text"));
    (!fits).then(|| format!("\n  got      {issue:?}\n  expected {expected}"))
}

fn run(kind: &str, at_least: usize, check: fn(&Resource) -> Vec<Issue>) {
    let folders = folders(kind);
    assert!(
        folders.len() >= at_least,
        "only {} cases in {kind}",
        folders.len()
    );
    let mut failures = String::new();
    for folder in &folders {
        let expected = read(&folder.join("expected.json"));
        let expected = expected.as_array().expect("expected.json is a list");
        let issues = check(&resource(&folder.join("request.json")));
        let differences: String = issues
            .iter()
            .zip(expected)
            .filter_map(|(issue, expected)| difference(issue, expected))
            .collect();
        if issues.len() != expected.len() || !differences.is_empty() {
            let name = folder.file_name().unwrap().to_string_lossy();
            failures.push_str(&format!(
                "\n{name}: {} issues, {} expected{differences}\n  all: {issues:#?}",
                issues.len(),
                expected.len()
            ));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_case_of_base_validation_gets_exactly_its_issues() {
    run("validate", 200, validate);
}

#[test]
fn every_case_of_a_regulator_account_gets_exactly_its_issues() {
    run("regulator", 30, regulator::shape);
}

#[test]
fn what_the_account_rules_accept_is_valid_base_fhir_too() {
    for folder in folders("regulator") {
        let resource = resource(&folder.join("request.json"));
        let faults: Vec<Issue> = validate(&resource).into_iter().filter(Issue::is_error).collect();
        // A telecom value without system breaks cpt-2; the rest are shapes that only the profile refuses.
        let only_cpt = faults.iter().all(|issue| issue.text.starts_with("cpt-2"));
        assert!(only_cpt, "{}: {faults:#?}", folder.display());
    }
}

#[test]
fn every_issue_of_every_case_says_how_bad_what_kind_and_where() {
    for kind in ["validate", "regulator"] {
        for folder in folders(kind) {
            let resource = resource(&folder.join("request.json"));
            let issues = [validate(&resource), regulator::shape(&resource)].concat();
            let outcome = operation_outcome(&issues);
            for issue in outcome.get("issue").and_then(Value::as_array).unwrap() {
                let text = |name: &str| issue.get(name).and_then(Value::as_str).unwrap_or_default();
                assert!(
                    !text("severity").is_empty() && !text("code").is_empty(),
                    "{issue}"
                );
                assert!(
                    issue.get("expression").is_some() || text("severity") == "information",
                    "{}: {issue}",
                    folder.display()
                );
                assert!(text("diagnostics").chars().count() <= 300, "{issue}");
            }
        }
    }
}
