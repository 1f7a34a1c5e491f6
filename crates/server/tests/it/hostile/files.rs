//! The bodies of `fixtures/hostile`, sent: each ends as its manifest says, at whatever door.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use testkit::harness::{Context, Test};
use testkit::http::Issue;
use testkit::tests;

use crate::partner::cross::Doors;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t15_every_hostile_json_body_ends_over_http_as_its_manifest_says,
    t14_every_hostile_xml_body_ends_over_http_as_its_manifest_says,
    t15_every_hostile_json_body_is_refused_at_every_partners_door_in_its_shape,
];

/// A line of a manifest: `fixtures/hostile/*/cases.txt`.
struct Case {
    name: String,
    body: Vec<u8>,
    accepted: bool,
    code: String,
    place: Option<String>,
}

/// What the codec takes and validation refuses: status, code and place.
const REFUSED_LATER: [(&str, u16, &str, &str); 4] = [
    ("true-as-text.json", 400, "structure", "Patient.active"),
    ("object-for-list.json", 400, "structure", "Patient.name"),
    (
        "resource-type-last-in-contained.json",
        422,
        "invariant",
        "Patient.contained[0]",
    ),
    (
        "holes-with-siblings.json",
        422,
        "invariant",
        "Patient.name[0].given[1]",
    ),
];

fn cases(folder: &str) -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/hostile")
        .join(folder);
    let manifest = fs::read_to_string(folder.join("cases.txt")).expect("a manifest");
    let lines = manifest.lines().filter(|line| !line.starts_with('#'));
    let case = |line: &str| {
        let columns: Vec<&str> = line.split(" | ").collect();
        let [name, "Patient", verdict, code, place] = columns[..] else {
            panic!("not a case: {line}");
        };
        Case {
            name: name.to_owned(),
            body: fs::read(folder.join(name)).expect(name),
            accepted: verdict == "accepted",
            code: code.to_owned(),
            place: (place != "-").then(|| place.to_owned()),
        }
    };
    lines.map(case).collect()
}

/// POSTs each body: what is accepted is stored, and of what is refused nothing.
fn run(context: &Context, folder: &str, mime: &str) {
    // Of its own: everybody is counted.
    let (mut server, fhir) = context.fhir();
    let count =
        || -> Value { fhir.get("/Patient?_summary=count").send().expect(200).json()["total"].clone() };
    let (mut wrong, mut stored) = (Vec::new(), 0);
    let cases = cases(folder);
    for case in &cases {
        let request = fhir.post("/Patient").header("Content-Type", mime);
        let answer = request.body(case.body.clone()).send();
        let later = REFUSED_LATER.iter().find(|(name, ..)| *name == case.name);
        let (status, code, place) = match later {
            Some((_, status, code, place)) => (*status, *code, Some(*place)),
            None if case.accepted => (201, "", None),
            None => (400, case.code.as_str(), case.place.as_deref()),
        };
        let at = |expression: &Vec<String>| match place {
            Some(place) => expression.iter().any(|found| found.starts_with(place)),
            None => true,
        };
        let told = |issue: &Issue| issue.code == code && at(&issue.expression);
        let right = answer.status == status && (status == 201 || answer.issues().iter().any(told));
        if !right {
            wrong.push(format!("{}: {answer:?}", case.name));
        }
        stored += u64::from(answer.status == 201);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(count(), stored);
    assert!(server.is_running());
    eprintln!("{}: {} bodies, {stored} stored", context.name(), cases.len());
}

fn t15_every_hostile_json_body_ends_over_http_as_its_manifest_says(context: &Context) {
    run(context, "json", "application/fhir+json");
}

fn t14_every_hostile_xml_body_ends_over_http_as_its_manifest_says(context: &Context) {
    run(context, "xml", "application/fhir+xml");
}

fn t15_every_hostile_json_body_is_refused_at_every_partners_door_in_its_shape(context: &Context) {
    let doors = Doors::of(shared(context));
    let targets = [
        (&doors.cloud, "/patients"),
        (&doors.connect, "/patients"),
        (&doors.graph, "/patients"),
        (&doors.ehealth, "/prepersons"),
    ];
    let cases = cases("json");
    for (client, target) in targets {
        for Case { name, body, .. } in &cases {
            let request = client.post(target).header("Content-Type", "application/json");
            let answer = request.body(body.clone()).send();
            // Whatever it is, it is nobody whom a partner could create.
            assert!([400, 422].contains(&answer.status), "{target} {name}: {answer:?}");
            assert!(!answer.json()["error"].is_null(), "{target} {name}: {answer:?}");
        }
    }
    eprintln!(
        "{}: {} bodies × {} doors",
        context.name(),
        cases.len(),
        targets.len()
    );
}
