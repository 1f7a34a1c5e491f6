//! The cases of `fixtures/fhir/patch`: `patch.json` (a list is a JSON Patch, Parameters a FHIRPath Patch, any other object
//! a merge patch) or `patch.xml`, applied to `resource.json`.

use std::fs;
use std::path::{Path, PathBuf};

use fhir::codec::{Format, decode};
use fhir::patch::Patch;
use fhir::{Issue, Resource, ResourceType};
use serde_json::Value;

pub fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fhir/patch");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
}

pub fn resource(bytes: &[u8]) -> Resource {
    let tree: Value = serde_json::from_slice(bytes).unwrap();
    let kind = ResourceType::parse(tree["resourceType"].as_str().unwrap()).unwrap();
    decode(bytes, Format::Json, kind).unwrap()
}

pub fn read(bytes: &[u8], name: &str) -> Result<Patch, Vec<Issue>> {
    if name.ends_with(".xml") {
        return Patch::fhirpath(bytes, Format::Xml);
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Array(_)) | Err(_) => Patch::json(bytes),
        Ok(value) if value["resourceType"] == "Parameters" => Patch::fhirpath(bytes, Format::Json),
        Ok(_) => Patch::merge(bytes),
    }
}

/// The patch of a case: its file and bytes.
pub fn patch_of(folder: &Path) -> (String, Vec<u8>) {
    ["patch.json", "patch.xml"]
        .iter()
        .find_map(|name| Some(((*name).to_owned(), fs::read(folder.join(name)).ok()?)))
        .unwrap_or_else(|| panic!("{}: no patch", folder.display()))
}

pub fn ada() -> Resource {
    resource(
        br#"{ "resourceType": "Patient", "id": "ada",
            "name": [
                { "given": ["a", "b", "c"], "_given": [{ "id": "ia" }, null, { "id": "ic" }] },
                { "given": ["d"], "family": "f" }
            ],
            "identifier": [{ "system": "urn:x", "value": "1" }] }"#,
    )
}
