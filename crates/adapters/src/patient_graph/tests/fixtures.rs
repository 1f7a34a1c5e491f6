//! Every folder of `fixtures/patient-graph` is a case: a request that is taken (`request.json`, the Patient it
//! becomes in `patient.json`, the answer in `response.json`), one that is refused (`request.json`,
//! `error.json`), or a Patient that others wrote (`patient.json`, `response.json`); `safe.json` may be there.
//! With `UPDATE_FIXTURES=1` in the environment the results are written instead of compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::{render, show, show_safe};
use super::{BRANDS, context, created, kept, naming, resource, shown};
use crate::patient_graph::read_create;

pub(super) fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/patient-graph");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

#[test]
fn every_fixture_is_answered_as_written() {
    let folders = folders();
    assert!(folders.len() >= 40, "{} fixtures", folders.len());
    let wrong: Vec<String> = folders.iter().flat_map(|folder| case(folder)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a case.
fn case(folder: &Path) -> Vec<String> {
    let files: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut case = Case {
        folder,
        wrong: Vec::new(),
    };
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["error.json", "request.json"] => case.refused(),
        ["patient.json", "request.json", "response.json"] => case.taken(),
        ["patient.json", "request.json", "response.json", "safe.json"] => {
            case.taken();
            case.safe();
        }
        ["patient.json", "response.json"] => case.read(),
        ["patient.json", "response.json", "safe.json"] => {
            case.read();
            case.safe();
        }
        other => case
            .wrong
            .push(format!("{}: {other:?} is no case", folder.display())),
    }
    case.wrong
}

struct Case<'f> {
    folder: &'f Path,
    wrong: Vec<String>,
}

impl Case<'_> {
    fn taken(&mut self) {
        let naming = naming();
        let create = match read_create(&self.bytes("request.json"), &BRANDS) {
            Ok(create) => create,
            Err(fault) => {
                self.wrong
                    .push(format!("{}: {}", self.folder.display(), fault.render()));
                return;
            }
        };
        let patient = created(&create, &naming);
        let issues = fhir::validate::validate(&patient);
        if !issues.is_empty() {
            self.wrong.push(format!("{}: {issues:?}", self.folder.display()));
        }
        let text = serde_json::to_string_pretty(patient.tree()).unwrap();
        self.compare("patient.json", &text);
        let answer = show(&patient, &kept(), &context(&naming, create.brand()));
        self.compare("response.json", &render(&answer));
    }

    fn refused(&mut self) {
        match read_create(&self.bytes("request.json"), &BRANDS) {
            Ok(_) => self.wrong.push(format!("{}: was taken", self.folder.display())),
            Err(fault) => {
                let body: Value = serde_json::from_str(&fault.render()).unwrap();
                let error = json!({ "status": fault.status(), "body": body });
                self.compare("error.json", &serde_json::to_string_pretty(&error).unwrap());
            }
        }
    }

    fn read(&mut self) {
        let patient = self.patient();
        // What stands in a fixture is what `/fhir` takes.
        let issues = fhir::validate::validate(&patient);
        if issues.iter().any(fhir::Issue::is_error) {
            self.wrong.push(format!("{}: {issues:?}", self.folder.display()));
        }
        self.compare("response.json", &shown(&patient, &naming()));
    }

    fn safe(&mut self) {
        let naming = naming();
        let safe = show_safe(&self.patient(), &kept(), &context(&naming, "acme"));
        self.compare("safe.json", &render(&safe));
    }

    fn patient(&self) -> fhir::Resource {
        resource(serde_json::from_slice(&self.bytes("patient.json")).unwrap())
    }

    fn bytes(&self, file: &str) -> Vec<u8> {
        let path = self.folder.join(file);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Byte for byte: the order of keys and the digits of numbers are part of the promise.
    fn compare(&mut self, file: &str, is: &str) {
        let is = format!("{is}\n");
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            fs::write(self.folder.join(file), is).unwrap();
            return;
        }
        let wanted = String::from_utf8(self.bytes(file)).unwrap();
        if wanted != is {
            let place = self.folder.join(file);
            self.wrong
                .push(format!("{}:\n is     {is} wanted {wanted}", place.display()));
        }
    }
}
