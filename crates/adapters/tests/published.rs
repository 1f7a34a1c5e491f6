//! `profiles/` as a whole: every file is a resource of FHIR R4, what they say of each other is there, and what the
//! adapters put into resources (the folders of `fixtures/` hold it) is published.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use adapters::naming::Naming;
use fhir::codec::{Format, decode_tree, encode_xml};
use serde_json::{Map, Value};

const BASE: &str = Naming::DEFAULT_BASE;
const FOLDERS: [(&str, &str); 6] = [
    ("structure-definitions", "StructureDefinition"),
    ("naming-systems", "NamingSystem"),
    ("concept-maps", "ConceptMap"),
    ("code-systems", "CodeSystem"),
    ("value-sets", "ValueSet"),
    ("operation-definitions", "OperationDefinition"),
];
const DOORS: [&str; 4] = ["ehealth", "medicapp-cloud", "medicapp-connect", "patient-graph"];
/// Where the profiles of others are defined, of which an extract is published under their own URL.
const NATIONAL: [&str; 2] = [
    "https://hl7.fr/ig/fhir/core/",
    "https://interop.esante.gouv.fr/ig/fhir/sas/",
];
const GENDERS: [&str; 4] = ["male", "female", "other", "unknown"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// The published resources of a type by their ids.
fn published(kind: &str) -> BTreeMap<String, Map<String, Value>> {
    let (folder, _) = FOLDERS.into_iter().find(|(_, known)| *known == kind).unwrap();
    let read = |path: PathBuf| {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let tree = decode_tree(&fs::read(&path).unwrap(), Format::Json, kind)
            .unwrap_or_else(|issues| panic!("{}: {issues:?}", path.display()));
        (stem, tree)
    };
    files(&root().join("profiles").join(folder))
        .into_iter()
        .map(read)
        .collect()
}

fn url(name: &str, kind: &str) -> String {
    format!("{BASE}/{kind}/{name}")
}

fn items<'v>(value: &'v Value, property: &str) -> impl Iterator<Item = &'v Value> {
    value[property].as_array().into_iter().flatten()
}

/// The codes of one of our code systems, if there is such a system.
fn codes_of(system: &str) -> Option<BTreeSet<String>> {
    let name = system.strip_prefix(BASE)?.strip_prefix("/CodeSystem/")?;
    let found = Value::Object(published("CodeSystem").remove(name)?);
    let codes = items(&found, "concept").map(|concept| concept["code"].as_str().unwrap().to_owned());
    Some(codes.collect())
}

/// Every object in what stands in the fixtures of the doors.
fn objects_of_fixtures(mut each: impl FnMut(&Map<String, Value>)) {
    for door in DOORS {
        for folder in files(&root().join("fixtures").join(door))
            .iter()
            .filter(|path| path.is_dir())
        {
            for file in files(folder) {
                if let Ok(value) = serde_json::from_slice(&fs::read(file).unwrap()) {
                    walk(&value, &mut each);
                }
            }
        }
    }
}

fn walk(value: &Value, each: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            each(object);
            object.values().for_each(|value| walk(value, each));
        }
        Value::Array(list) => list.iter().for_each(|value| walk(value, each)),
        _ => {}
    }
}

#[test]
fn every_file_is_a_resource_of_its_folder_with_a_name_of_its_own() {
    let mut urls = BTreeSet::new();
    let folders: Vec<&str> = FOLDERS.iter().map(|(folder, _)| *folder).collect();
    for path in files(&root().join("profiles"))
        .iter()
        .filter(|path| path.is_dir())
    {
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(folders.contains(&&*name), "what is {name}?");
    }
    for (_, kind) in FOLDERS {
        let all = published(kind);
        assert!(!all.is_empty(), "no {kind}");
        for (name, resource) in all {
            assert_eq!(resource["resourceType"], kind, "{name}");
            assert_eq!(resource["id"], *name);
            assert_eq!(resource["status"], "active", "{name}");
            for text in ["name", "description"] {
                let text = resource[text].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{kind} {name}");
            }
            // R4 has neither url nor version on a NamingSystem: its uniqueId is what it is known by.
            let own = if kind == "NamingSystem" {
                resource["uniqueId"][0]["value"].as_str().unwrap().to_owned()
            } else {
                assert!(resource["version"].is_string(), "{kind} {name}");
                let base = NATIONAL.into_iter().find_map(|base| {
                    let url = format!("{base}{kind}/{name}");
                    (resource["url"] == url).then_some(url)
                });
                let own = base.unwrap_or_else(|| url(&name, kind));
                assert_eq!(resource["url"], own);
                own
            };
            let bases = [&format!("{BASE}/"), NATIONAL[0], NATIONAL[1]];
            assert!(bases.iter().any(|base| own.starts_with(base)), "{own}");
            assert!(urls.insert(own), "{kind} {name} has the url of another");
        }
    }
}

#[test]
fn every_file_has_the_elements_of_its_type_in_r4() {
    for (_, kind) in FOLDERS {
        for (name, resource) in published(kind) {
            let xml = encode_xml(&resource).unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
            let back = decode_tree(xml.as_bytes(), Format::Xml, kind)
                .unwrap_or_else(|issues| panic!("{kind} {name}: {issues:?}"));
            assert_eq!(Value::Object(back), Value::Object(resource), "{kind} {name}");
        }
    }
}

/// The published definitions of our extensions.
fn extensions() -> impl Iterator<Item = (String, Map<String, Value>)> {
    let all = published("StructureDefinition").into_iter();
    all.filter(|(_, definition)| definition["type"] == "Extension")
}

#[test]
fn the_extensions_of_the_fixtures_are_those_that_are_published() {
    let prefix = format!("{BASE}/StructureDefinition/");
    let mut written = BTreeSet::new();
    objects_of_fixtures(|object| {
        let name = object
            .get("url")
            .and_then(Value::as_str)
            .and_then(|url| url.strip_prefix(&prefix));
        written.extend(name.map(str::to_owned));
    });
    let defined: BTreeSet<String> = extensions().map(|(name, _)| name).collect();
    assert_eq!(written, defined);
}

#[test]
fn the_systems_of_the_fixtures_are_published() {
    let namings = published("NamingSystem");
    let patterns: Vec<&str> = namings
        .values()
        .map(|naming| naming["uniqueId"][0]["value"].as_str().unwrap())
        // What no door writes: the audit trail names clients by it.
        .filter(|pattern| !pattern.ends_with("/client-id"))
        .collect();
    let mut seen = BTreeSet::new();
    objects_of_fixtures(|object| {
        let system = object.get("system").and_then(Value::as_str);
        let Some(system) = system.filter(|system| system.starts_with(BASE)) else {
            return;
        };
        if let Some(codes) = codes_of(system) {
            assert!(codes.contains(object["code"].as_str().unwrap()), "{object:?}");
            return;
        }
        let pattern = patterns.iter().find(|pattern| fits(system, pattern));
        seen.insert(*pattern.unwrap_or_else(|| panic!("{system} is not published")));
    });
    assert_eq!(seen.len(), patterns.len(), "only {seen:?}");
}

/// Whether a system is the one of this pattern, `{…}` standing for one segment.
fn fits(system: &str, pattern: &str) -> bool {
    let (mut system, mut pattern) = (system.split('/'), pattern.split('/'));
    loop {
        match (system.next(), pattern.next()) {
            (None, None) => return true,
            (Some(_), Some(wanted)) if wanted.starts_with('{') => {}
            (Some(found), Some(wanted)) if found == wanted => {}
            _ => return false,
        }
    }
}

/// The value set that each extension, or part of one, binds its code to: by its URL, or the extension's and the part's.
fn bindings() -> BTreeMap<(String, String), String> {
    let mut bindings = BTreeMap::new();
    for (name, definition) in extensions() {
        let definition = Value::Object(definition);
        for element in items(&definition["differential"], "element") {
            let is_code = items(element, "type").any(|kind| kind["code"] == "code");
            let bound = element["binding"]["valueSet"].as_str();
            assert_eq!(is_code, bound.is_some(), "{name}: {}", element["id"]);
            if let Some(bound) = bound {
                let id = element["id"].as_str().unwrap();
                let part = id
                    .strip_prefix("Extension.extension:")
                    .and_then(|rest| rest.split('.').next());
                let key = (
                    url(&name, "StructureDefinition"),
                    part.unwrap_or_default().to_owned(),
                );
                bindings.insert(key, bound.to_owned());
            }
        }
    }
    bindings
}

/// The codes of a value set that takes whole code systems.
fn codes_in(value_set: &str) -> BTreeSet<String> {
    let name = value_set.strip_prefix(&url("", "ValueSet")).unwrap();
    let found = published("ValueSet")
        .remove(name)
        .unwrap_or_else(|| panic!("{value_set} is not published"));
    let compose = found["compose"].clone();
    let systems = items(&compose, "include").map(|include| include["system"].as_str().unwrap());
    systems
        .flat_map(|system| codes_of(system).unwrap_or_else(|| panic!("{system} is not published")))
        .collect()
}

#[test]
fn every_code_that_is_written_is_in_the_value_set_that_is_bound() {
    let bindings = bindings();
    let mut met = BTreeSet::new();
    objects_of_fixtures(|object| {
        let Some(extension) = object.get("url").and_then(Value::as_str) else {
            return;
        };
        let parts = object
            .get("extension")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let own = object.get("valueCode").map(|code| (String::new(), code));
        let of_parts =
            parts.filter_map(|part| Some((part["url"].as_str()?.to_owned(), part.get("valueCode")?)));
        for (part, code) in own.into_iter().chain(of_parts) {
            let key = (extension.to_owned(), part);
            if let Some(bound) = bindings.get(&key) {
                let code = code.as_str().unwrap();
                assert!(codes_in(bound).contains(code), "{code} is not in {bound}");
                met.insert(key);
            }
        }
    });
    assert_eq!(met.len(), bindings.len(), "only {met:?}");
}

#[test]
fn every_value_set_is_bound_and_every_code_system_has_its_own_url() {
    let bound: BTreeSet<String> = bindings().into_values().collect();
    let sets: BTreeSet<String> = published("ValueSet")
        .values()
        .map(|set| set["url"].as_str().unwrap().to_owned())
        .filter(|url| url.starts_with(BASE))
        .collect();
    assert_eq!(bound, sets);
    for (name, system) in published("CodeSystem") {
        if let Some(set) = system.get("valueSet").and_then(Value::as_str) {
            assert_eq!(Some(codes_in(set)), codes_of(&url(&name, "CodeSystem")));
        }
        if let Some(count) = system.get("count") {
            assert_eq!(*count, system["concept"].as_array().unwrap().len(), "{name}");
        }
    }
}

/// The codes of any system that a map names.
fn known_codes(system: &str) -> BTreeSet<String> {
    let of_fhir = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    match system {
        "http://hl7.org/fhir/administrative-gender" => of_fhir(&GENDERS),
        "http://hl7.org/fhir/link-type" => of_fhir(&["replaced-by"]),
        "http://terminology.hl7.org/CodeSystem/special-values" => of_fhir(&["true", "false"]),
        own => codes_of(own).unwrap_or_else(|| panic!("{own} is not published")),
    }
}

#[test]
fn every_map_knows_all_codes_of_its_source_and_no_code_that_is_not_there() {
    for (name, map) in published("ConceptMap") {
        let map = Value::Object(map);
        for group in items(&map, "group") {
            let [source, target] =
                ["source", "target"].map(|side| known_codes(group[side].as_str().unwrap()));
            let mut mapped = BTreeSet::new();
            for element in items(group, "element") {
                let code = element["code"].as_str().unwrap();
                assert!(mapped.insert(code.to_owned()), "{name}: {code} twice");
                for found in items(element, "target") {
                    match found["code"].as_str() {
                        Some(code) => assert!(target.contains(code), "{name}: {code}"),
                        None => assert_eq!(found["equivalence"], "unmatched", "{name}: {code}"),
                    }
                }
            }
            assert_eq!(mapped, source, "{name}");
            if let Some(code) = group["unmapped"]["code"].as_str() {
                assert!(target.contains(code), "{name}: {code}");
            }
        }
    }
}
