//! Runs `fixtures/medicapp-cloud` and `fixtures/medicapp-connect`: a folder is a case, named for the edge case
//! it covers. `UPDATE_FIXTURES=1` writes what comes out, to be read in review.
//!
//! `request.json` alone (or with `candidates.json`, the patients that criteria found) is a POST, with
//! `stored.json` a PUT; `stored.json` alone is a GET, perhaps with `records.json` and `item.json`, its form in a
//! list. What comes out: `patient.json` of what is written, and `response.json` or `error.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fhir::{Resource, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::{CONNECT_SPACE, FRESH_ID, KEPT, TRUST_SPACES, World, errors, patient};
use crate::medicapp::{Fault, Kept, Record, cloud, connect};

const REQUEST_ID: &str = "req_000000000000";
const INPUTS: [&str; 4] = ["request.json", "stored.json", "candidates.json", "records.json"];
const OUTPUTS: [&str; 4] = ["patient.json", "response.json", "error.json", "item.json"];

/// What a case gives, by file.
type Outcome = BTreeMap<&'static str, Value>;

struct Case {
    request: Option<Vec<u8>>,
    stored: Option<Resource>,
    candidates: Vec<Resource>,
    records: Vec<Record>,
}

pub(super) fn root(door: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(door)
}

/// The folders of a door.
pub(super) fn folders(door: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root(door)).expect("the door has fixtures");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn json(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn value(item: &impl Serialize) -> Value {
    // By text, because a tree made directly could not show the order in which the keys are written.
    serde_json::from_str(&serde_json::to_string(item).expect("JSON")).expect("JSON")
}

impl Case {
    fn read(folder: &Path) -> Case {
        let list = |name: &str| match json(&folder.join(name)) {
            Some(Value::Array(items)) => items,
            Some(other) => panic!("{}/{name}: {other} is no list", folder.display()),
            None => Vec::new(),
        };
        let record = |record: Value| Record {
            id: record["id"].as_str().expect("id").to_owned(),
            status: record["status"].as_str().expect("status").to_owned(),
            created: Timestamp::from_micros(record["createdMicros"].as_i64().expect("createdMicros")),
        };
        let case = Case {
            request: fs::read(folder.join("request.json")).ok(),
            stored: json(&folder.join("stored.json")).map(patient),
            candidates: list("candidates.json").into_iter().map(patient).collect(),
            records: list("records.json").into_iter().map(record).collect(),
        };
        for resource in case.candidates.iter().chain(&case.stored) {
            assert_eq!(errors(resource), Vec::<String>::new(), "{}", folder.display());
        }
        case
    }

    fn kept(&self) -> Kept<'_> {
        Kept {
            records: &self.records,
            ..KEPT
        }
    }
}

fn refused(fault: &Fault) -> Outcome {
    let body = serde_json::from_str(&fault.render(REQUEST_ID)).expect("JSON");
    BTreeMap::from([("error.json", body)])
}

fn wrote(resource: &Resource, response: Value) -> Outcome {
    assert_eq!(errors(resource), Vec::<String>::new());
    BTreeMap::from([
        ("patient.json", value(resource.tree())),
        ("response.json", response),
    ])
}

fn run_cloud(case: &Case) -> Result<Outcome, Fault> {
    let world = World::new();
    let kept = case.kept();
    let (body, stored) = match (&case.request, &case.stored) {
        (Some(body), None) => return create_in_cloud(case, body, &world),
        (Some(body), Some(stored)) => (body, stored),
        (None, Some(stored)) => {
            let shown = value(&cloud::show(stored, &kept, &world.cloud()));
            return Ok(BTreeMap::from([("response.json", shown)]));
        }
        (None, None) => panic!("neither request.json nor stored.json"),
    };
    let update = cloud::read_update(body)?;
    let context = world.cloud();
    let changed = cloud::apply(&update, stored, &context)?;
    let again = cloud::apply(&update, &changed, &context)?;
    assert_eq!(again.tree(), changed.tree(), "the same PUT again changes nothing");
    Ok(wrote(
        &changed,
        value(&cloud::show_found(&changed, &kept, &context, None)),
    ))
}

fn create_in_cloud(case: &Case, body: &[u8], world: &World) -> Result<Outcome, Fault> {
    let rules = world.rules();
    let create = cloud::read_create(body, &rules, &TRUST_SPACES)?;
    let context = create.context(rules);
    let candidates: Vec<&Resource> = case.candidates.iter().collect();
    let kept = case.kept();
    match cloud::judge(&create, &candidates, &rules) {
        cloud::Verdict::Found { position, warning } => {
            let found = candidates[position];
            let response = value(&cloud::show_found(
                found,
                &kept,
                &context,
                warning.map(cloud::Warning::text),
            ));
            Ok(BTreeMap::from([("response.json", response)]))
        }
        cloud::Verdict::Create { warning } => {
            let made = cloud::to_fhir(&create, FRESH_ID, &rules);
            let response = value(&cloud::show_created(
                &made,
                &kept,
                &context,
                warning.map(cloud::Warning::text),
            ));
            Ok(wrote(&made, response))
        }
        cloud::Verdict::Refuse(fault) => Err(fault),
    }
}

fn run_connect(case: &Case) -> Result<Outcome, Fault> {
    let world = World::new();
    let context = world.connect();
    assert_eq!(
        context.external_id_system(),
        world.naming.space_external_id(CONNECT_SPACE)
    );
    let kept = case.kept();
    let written = match (&case.request, &case.stored) {
        (Some(body), None) => {
            let create = connect::read_create(body, &world.rules())?;
            connect::to_fhir(&create, FRESH_ID, &context)
        }
        (Some(body), Some(stored)) => {
            let update = connect::read_update(body)?;
            let changed = connect::apply(&update, stored, &context)?;
            let again = connect::apply(&update, &changed, &context)?;
            assert_eq!(again.tree(), changed.tree(), "the same PUT again changes nothing");
            changed
        }
        (None, Some(stored)) => {
            let shown = |view| value(&connect::show(stored, &kept, &context, view));
            return Ok(BTreeMap::from([
                ("response.json", shown(connect::View::One)),
                ("item.json", shown(connect::View::Item)),
            ]));
        }
        (None, None) => panic!("neither request.json nor stored.json"),
    };
    let answer = value(&connect::show(&written, &kept, &context, connect::View::Answer));
    Ok(wrote(&written, answer))
}

fn check(folder: &Path, outcome: &Outcome) {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    for entry in fs::read_dir(folder).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        let known = INPUTS.contains(&&*name) || outcome.contains_key(&*name);
        if !known && update && OUTPUTS.contains(&&*name) {
            fs::remove_file(folder.join(&*name)).expect("removed");
        } else {
            assert!(known, "{}/{name} has no place in this case", folder.display());
        }
    }
    for (name, found) in outcome {
        let path = folder.join(name);
        if update {
            let text = serde_json::to_string_pretty(found).expect("JSON");
            fs::write(&path, text + "\n").expect("written");
        }
        let expected = json(&path).unwrap_or_else(|| panic!("{} is missing", path.display()));
        // As text: the order of the keys counts.
        assert_eq!(found.to_string(), expected.to_string(), "{}", path.display());
    }
}

fn run_all(door: &str, run: impl Fn(&Case) -> Result<Outcome, Fault>) {
    let folders = folders(door);
    assert!(folders.len() >= 20, "{door} has {} cases", folders.len());
    for folder in folders {
        let case = Case::read(&folder);
        let outcome = run(&case).unwrap_or_else(|fault| refused(&fault));
        check(&folder, &outcome);
    }
}

#[test]
fn the_cloud_door_answers_every_case_as_its_folder_says() {
    run_all("medicapp-cloud", run_cloud);
}

#[test]
fn the_connect_door_answers_every_case_as_its_folder_says() {
    run_all("medicapp-connect", run_connect);
}
