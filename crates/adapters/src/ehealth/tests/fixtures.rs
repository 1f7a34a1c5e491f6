//! The folders of `fixtures/ehealth`; what stands in them says its README. With `UPDATE_FIXTURES=1` the expected
//! files are written anew, to be read in review.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fhir::{Id, Resource, ResourceType, Severity, Timestamp};
use serde_json::{Map, Value};

use super::super::envelope::{self, Request};
use super::super::{
    ArrayPath, Body, DeathDeactivates, Fault, Kept, Names, NotFoundMessage, PatchNote, Pattern,
    SuspendedLegalEntity, create, read, show, update,
};
use super::{PREPERSON, World};

/// The known files of a case.
const FILES: &[&str] = &[
    "case.json",
    "request.json",
    "stored.json",
    "patient.json",
    "response.json",
    "error.json",
];
/// 2017-04-20T19:14:13.987654Z
const INSERTED: Timestamp = Timestamp::from_micros(1_492_715_653_987_654);
const INSERTED_BY: &str = "e1453f4c-1077-4e85-8c98-c13ffca0063e";

#[test]
fn every_case_is_answered_as_its_folder_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ehealth");
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 100, "only {} cases", folders.len());
    let wrong: Vec<String> = folders.iter().filter_map(|folder| run(folder).err()).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n\n"));
}

fn run(folder: &Path) -> Result<(), String> {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !FILES.contains(&file.as_str()) {
            return Err(format!("{name}: what is {file}?"));
        }
    }
    let case = json_file(folder, "case.json").ok_or_else(|| format!("{name}: no case.json"))?;
    let mut expected = BTreeMap::new();
    for (file, text) in answer(folder, &case).map_err(|fault| format!("{name}: {fault}"))? {
        expected.insert(file, text);
    }
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        for (file, text) in &expected {
            fs::write(folder.join(file), text).unwrap();
        }
    }
    for file in ["patient.json", "response.json", "error.json"] {
        let there = fs::read_to_string(folder.join(file)).ok();
        if there.as_ref() != expected.get(file) {
            return Err(format!(
                "{name}/{file}:\nexpected {}\ngot {}",
                there.as_deref().unwrap_or("no such file"),
                expected.get(file).map_or("nothing", String::as_str),
            ));
        }
    }
    Ok(())
}

/// The files that the answer makes.
fn answer(folder: &Path, case: &Value) -> Result<Vec<(&'static str, String)>, String> {
    let mut world = World::new();
    settings(&mut world, case)?;
    let context = world.context();
    let id = case["id"].as_str().unwrap_or(PREPERSON);
    let stored = json_file(folder, "stored.json").map(resource);
    let body = fs::read(folder.join("request.json")).ok();
    let url = match case["method"].as_str() {
        Some("POST") => "https://example.com/api/prepersons".to_owned(),
        _ => format!("https://example.com/api/prepersons/{id}"),
    };
    let request = Request {
        url: &url,
        id: "6617aeec-15e2-4d6f-b9bd-53559c358f97#17810",
        idempotency_key: case["idempotency_key"].as_str(),
    };
    let mut kept = Kept {
        created: INSERTED,
        created_by: INSERTED_BY,
        updated: INSERTED,
        updated_by: &world.caller.user,
    };
    let error = |fault: Fault| {
        let text = fault.render(&request);
        let shown: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(shown["meta"]["code"], fault.status());
        Ok(vec![("error.json", pretty(&text))])
    };
    let parsed = || Body::read(body.as_deref().expect("request.json"));
    let (patient, text) = match case["method"].as_str() {
        Some("POST") => {
            let fresh = Id::parse(PREPERSON).unwrap();
            let patient = match parsed().and_then(|body| create(&body, &fresh, &context)) {
                Ok(patient) => patient,
                Err(fault) => return error(fault),
            };
            kept.created_by = &world.caller.user;
            let shown = show(&patient, &kept, &context).ok_or("the new patient is no preperson")?;
            (Some(patient), envelope::created(&request, &shown))
        }
        Some("PATCH") => {
            let patient = match parsed().and_then(|body| update(id, &body, stored.as_ref(), &context)) {
                Ok(patient) => patient,
                Err(fault) => return error(fault),
            };
            let shown = show(&patient, &kept, &context).ok_or("the patient is no preperson any more")?;
            (Some(patient), envelope::ok(&request, &shown))
        }
        Some("GET") => match read(id, stored.as_ref().map(|stored| (stored, &kept)), &context) {
            Ok(shown) => (None, envelope::ok(&request, &shown)),
            Err(fault) => return error(fault),
        },
        method => return Err(format!("what is {method:?}?")),
    };
    let mut files = vec![("response.json", pretty(&text))];
    if let Some(patient) = patient {
        let errors: Vec<_> = fhir::validate::validate(&patient)
            .into_iter()
            .filter(|issue| issue.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", folder.display());
        files.push((
            "patient.json",
            pretty(&Value::Object(patient.into_tree()).to_string()),
        ));
    }
    Ok(files)
}

fn settings(world: &mut World, case: &Value) -> Result<(), String> {
    let empty = Map::new();
    for key in case.as_object().unwrap().keys() {
        if !["method", "id", "caller", "switches", "idempotency_key"].contains(&key.as_str()) {
            return Err(format!("what is {key}?"));
        }
    }
    for (key, value) in case["caller"].as_object().unwrap_or(&empty) {
        let text = value.as_str().unwrap_or_default().to_owned();
        match key.as_str() {
            "user" => world.caller.user = text,
            "legal_entity" => world.caller.legal_entity = text,
            "legal_entity_type" => world.caller.legal_entity_type = text,
            "legal_entity_status" => world.caller.legal_entity_status = text,
            "scopes" => {
                let scopes = value.as_array().unwrap();
                world.caller.scopes = scopes
                    .iter()
                    .map(|scope| scope.as_str().unwrap().to_owned())
                    .collect();
            }
            _ => return Err(format!("what is caller.{key}?")),
        }
    }
    let switches = &mut world.switches;
    for (key, value) in case["switches"].as_object().unwrap_or(&empty) {
        match (key.as_str(), value.as_str().unwrap_or_default()) {
            ("patch_note", "allow") => switches.patch_note = PatchNote::Allow,
            ("patch_note", "ignore") => switches.patch_note = PatchNote::Ignore,
            ("death_deactivates", "yes") => switches.death_deactivates = DeathDeactivates::Yes,
            ("external_id_pattern", "enforced") => switches.external_id_pattern = Pattern::Enforced,
            ("strict_names", "ukrainian") => switches.strict_names = Names::Ukrainian,
            ("suspended_legal_entity", "allow") => {
                switches.suspended_legal_entity = SuspendedLegalEntity::Allow;
            }
            ("array_path", "bracket") => switches.array_path = ArrayPath::Bracket,
            ("not_found_message", "none") => switches.not_found_message = NotFoundMessage::None,
            (key, value) => return Err(format!("what is the switch {key}={value}?")),
        }
    }
    Ok(())
}

fn json_file(folder: &Path, file: &str) -> Option<Value> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

fn resource(tree: Value) -> Resource {
    let Value::Object(tree) = tree else {
        panic!("stored.json is no object");
    };
    Resource::from_guarded(ResourceType::Patient, tree)
}

/// With the keys in the order of the answer.
fn pretty(text: &str) -> String {
    let tree: Value = serde_json::from_str(text).unwrap();
    format!("{}\n", serde_json::to_string_pretty(&tree).unwrap())
}
