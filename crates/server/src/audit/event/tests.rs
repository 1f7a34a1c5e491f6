use std::collections::BTreeSet;

use serde_json::Value;

use super::{INTERACTIONS, RESTFUL};

fn published() -> Value {
    serde_json::from_str(include_str!(
        "../../../../../profiles/code-systems/audit-interaction.json"
    ))
    .unwrap()
}

#[test]
fn every_name_that_is_ours_alone_is_published_and_no_other() {
    let published = published();
    let codes: BTreeSet<&str> = published["concept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|concept| concept["code"].as_str().unwrap())
        .collect();
    let ours = INTERACTIONS
        .iter()
        .filter(|(name, code, _)| *code != Some(*name))
        .map(|(name, ..)| *name)
        .collect();
    assert_eq!(codes, ours);
    assert_eq!(published["count"], codes.len());
}

#[test]
fn every_interaction_of_the_routes_is_known() {
    for row in crate::routes::ROUTES {
        let name = row.name();
        assert!(INTERACTIONS.iter().any(|(known, ..)| *known == name), "{name}");
    }
    assert!(RESTFUL.starts_with("http://hl7.org/fhir/"));
}

/// The names that stand behind these words in the sources of the crates that write rows.
fn written() -> BTreeSet<String> {
    const BEFORE: [&str; 5] = [
        "audit(tx, \"",
        "put(tx, \"",
        "write_context(\"",
        "interaction: \"",
        "=> \"",
    ];
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders = ["store", "engine", "server"]
        .map(|name| crates.join(name).join("src"))
        .to_vec();
    let mut files = vec![(crates.join("fhir/src/interaction.rs"), &BEFORE[4..])];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path
                .file_stem()
                .is_some_and(|name| name == "tests" || name == "four_ways");
            if path.is_dir() {
                folders.push(path);
            } else if !is_test {
                files.push((path, &BEFORE[..4]));
            }
        }
    }
    let mut names = BTreeSet::new();
    for (file, before) in files {
        let text = std::fs::read_to_string(file).unwrap();
        for words in before {
            let found = text
                .split(words)
                .skip(1)
                .filter_map(|behind| behind.split('"').next());
            // An error tells an interaction in words.
            names.extend(found.filter(|name| !name.contains(' ')).map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_name_that_is_written_is_known() {
    let written = written();
    for name in [
        "erase-again",
        "space-set",
        "client-put",
        "audit-cut",
        "record-add",
        "delete",
    ] {
        assert!(
            written.contains(name),
            "this test does not see {name}: {written:?}"
        );
    }
    let unknown: Vec<&String> = written
        .iter()
        .filter(|name| INTERACTIONS.iter().all(|(known, ..)| known != name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
