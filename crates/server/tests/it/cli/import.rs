//! `passerelle import`: who is in the input is in the space, once.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::server::Server;
use testkit::sweep::TemporaryFolder;
use testkit::tests;

use super::export::exported;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    every_fixture_imported_twice_adds_nobody_and_changes_nobody,
    a_bad_record_costs_no_other,
    a_record_without_a_key_is_known_by_its_content,
    many_that_are_alike_but_for_one_word_are_told_apart,
    a_replacement_keeps_the_ids_that_the_server_gave,
    an_id_that_is_taken_is_left_to_its_owner,
    a_key_of_somebody_else_is_that_records_problem,
    an_unknown_space_and_another_naming_base_are_named,
];

pub const TRUST_SPACE: &str = "ts_demo00000001";
pub const LEGAL_ENTITY: &str = "7cc91a5d-c02f-41e9-b571-1ea4f2375552";
const BASE: &str = "https://fhir-facade.example/ns";

/// The command on the database of a server.
pub fn command_of(context: &Context, server: &Server, arguments: &[&str]) -> Command {
    let mut command = command(context);
    command
        .args(["import", "--space", "demo"])
        .args(arguments)
        .env("PASSERELLE_DATABASE", database_of(server))
        .env_remove("PASSERELLE_NAMING_BASE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Imports an input; what it says on standard error.
pub fn import(context: &Context, server: &Server, arguments: &[&str], input: &str) -> (Output, String) {
    let mut child = command_of(context, server, arguments)
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    // Who refuses its options reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert!(!told.contains("panicked"), "{told}");
    (output, told)
}

/// Imports an input of which nothing is refused.
#[track_caller]
pub fn imported(context: &Context, server: &Server, arguments: &[&str], input: &str) -> String {
    let (output, told) = import(context, server, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {told}");
    told
}

/// The line with the counts.
#[track_caller]
pub fn counts(told: &str) -> &str {
    let line = told.lines().find(|line| line.starts_with("read "));
    line.unwrap_or_else(|| panic!("no counts: {told}"))
}

pub fn total(fhir: &Client) -> u64 {
    let bundle = fhir.get("/Patient?_count=0").send().expect(200).json();
    bundle["total"].as_u64().expect("a total")
}

pub fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// So many people of the connect door, with external ids.
pub fn people(count: usize) -> String {
    let person = |number| {
        json!({
            "firstName": format!("Luc{number}"), "lastName": "Besnard", "birthDate": "1979-12-05", "gender": "M",
            "externalId": format!("E-{number}"),
        })
    };
    lines(&(0..count).map(person).collect::<Vec<_>>())
}

fn every_fixture_imported_twice_adds_nobody_and_changes_nobody(context: &Context) {
    let (server, fhir) = context.fhir();
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/translate"));
    let mut seen = std::collections::BTreeSet::new();
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .expect("fixtures")
        .map(|entry| entry.expect("a folder").path())
        .collect();
    folders.sort();
    for folder in folders {
        let arguments = fs::read_to_string(folder.join("args")).expect("arguments");
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let value = |flag: &str| {
            words
                .iter()
                .position(|word| *word == flag)
                .map(|at| words[at + 1])
        };
        let from = value("--from").expect("a dialect");
        seen.insert(from.to_owned());
        let mut arguments = vec!["--from", from];
        for (theirs, ours) in [
            ("--space", "--word"),
            ("--brand", "--brand"),
            ("--legal-entity", "--legal-entity"),
            ("--today", "--today"),
        ] {
            arguments.extend(value(theirs).into_iter().flat_map(|value| [ours, value]));
        }
        let input = fs::read_to_string(folder.join("input.ndjson")).expect("an input");
        let (first, told) = import(context, &server, &arguments, &input);
        let known = exported(context, &server, &[]);
        let (again, told_again) = import(context, &server, &arguments, &input);
        assert_eq!(first.status.code(), again.status.code(), "{told}\n{told_again}");
        assert!(counts(&told_again).contains("created 0,"), "{told_again}");
        assert!(counts(&told).contains("replaced 0,"), "{told}");
        assert_eq!(exported(context, &server, &[]), known, "{}", folder.display());
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(total(&fhir) > 10);
}

fn a_bad_record_costs_no_other(context: &Context) {
    let (server, fhir) = context.fhir();
    let mut input: Vec<String> = people(300).lines().map(str::to_owned).collect();
    input[150] = r#"{"firstName":"Luc","lastName":"#.to_owned();
    input[200] = r#"{"firstName":"Luc","lastName":"Besnard","birthDate":"1979-02-30"}"#.to_owned();
    let (output, told) = import(
        context,
        &server,
        &["--from", "medicapp-connect"],
        &input.join("\n"),
    );
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        counts(&told).starts_with("read 300, created 298, already there 0, replaced 0, refused 2"),
        "{told}"
    );
    let first = told.find("line 151: $").expect("the first place");
    let second = told.find("line 201: $.birthDate: ").expect("the second place");
    assert!(
        first < second && told.contains("2 of 300 records were refused"),
        "{told}"
    );
    assert_eq!(total(&fhir), 298);
    let excerpt = json!({ "resourceType": "Patient", "meta": { "tag": [{ "code": "SUBSETTED" }] } });
    let (_, told) = import(context, &server, &["--from", "fhir"], &excerpt.to_string());
    assert!(told.contains("line 1: Patient.meta.tag: "), "{told}");
}

fn a_record_without_a_key_is_known_by_its_content(context: &Context) {
    let (server, fhir) = context.fhir();
    let connect =
        json!({ "firstName": "Luc", "lastName": "Besnard", "birthDate": "1979-12-05", "gender": "M" });
    let arguments = ["--from", "medicapp-connect"];
    // Made at the door it carries an id that the record does not.
    let door = server.client("medicapp-connect");
    door.post("/patients")
        .header("Content-Type", "application/json")
        .body(connect.to_string())
        .send()
        .expect(201);
    let mut namesake = connect.clone();
    namesake["phone"] = json!("+33612131415");
    let told = imported(
        context,
        &server,
        &arguments,
        &lines(&[connect.clone(), namesake.clone(), connect.clone()]),
    );
    assert!(
        counts(&told).starts_with("read 3, created 1, already there 2,"),
        "{told}"
    );
    assert_eq!(total(&fhir), 2);
    let told = imported(context, &server, &arguments, &lines(&[namesake, connect]));
    assert!(
        counts(&told).starts_with("read 2, created 0, already there 2,"),
        "{told}"
    );
    // One that was changed since is still known by its Patient.id, as long as name and date of birth are the same.
    let patient = json!({
        "resourceType": "Patient", "id": "p-1", "name": [{ "family": "Roux", "given": ["Zoé"] }], "birthDate": "1960-01",
    });
    imported(context, &server, &["--from", "fhir"], &patient.to_string());
    let changed = with(
        with(patient.clone(), "gender", json!("female")),
        "id",
        json!("p-1"),
    );
    fhir.put("/Patient/p-1").json(&changed).send().expect(200);
    let told = imported(context, &server, &["--from", "fhir"], &patient.to_string());
    assert!(counts(&told).contains("created 0, already there 1,"), "{told}");
    assert_eq!(
        fhir.get("/Patient/p-1").send().expect(200).json()["gender"],
        "female"
    );
    // Nothing at all is somebody, once.
    for created in ["created 1,", "created 0,"] {
        let told = imported(
            context,
            &server,
            &["--from", "fhir"],
            r#"{"resourceType":"Patient"}"#,
        );
        assert!(counts(&told).contains(created), "{told}");
    }
}

fn many_that_are_alike_but_for_one_word_are_told_apart(context: &Context) {
    let (server, fhir) = context.fhir();
    // More than are judged at one look.
    let unknown = |number: usize| json!({ "external_id": "none", "gender": "MALE", "note": format!("found at stop {number}") });
    let input = lines(&(0..280).map(unknown).collect::<Vec<_>>());
    let arguments = ["--from", "ehealth", "--legal-entity", LEGAL_ENTITY];
    let told = imported(context, &server, &arguments, &input);
    assert!(counts(&told).starts_with("read 280, created 280,"), "{told}");
    let told = imported(context, &server, &arguments, &input);
    assert!(
        counts(&told).starts_with("read 280, created 0, already there 280,"),
        "{told}"
    );
    assert_eq!(total(&fhir), 280);
}

fn a_replacement_keeps_the_ids_that_the_server_gave(context: &Context) {
    let (server, fhir) = context.fhir();
    let record = |phone: &str| {
        json!({
            "firstName": "Luc", "lastName": "Besnard", "birthDate": "1979-12-05", "gender": "M", "externalId": "E-1",
            "phone": phone,
        })
    };
    let door = server.client("medicapp-connect");
    let made = door
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(record("+33600000001").to_string())
        .send()
        .expect(201)
        .json();
    let path = format!("/patients/{}", made["id"].as_str().expect("an id"));
    let arguments = ["--from", "medicapp-connect", "--replace"];
    let told = imported(context, &server, &arguments, &lines(&[record("+33600000001")]));
    assert!(counts(&told).contains("already there 1, replaced 0,"), "{told}");
    assert_eq!(door.get(&path).send().expect(200).header("ETag"), Some("W/\"1\""));
    // Another server's id for the person does not take the place of this one's.
    let mut moved = record("+33600000002");
    moved["id"] = json!("pat_of_another_server");
    let told = imported(
        context,
        &server,
        &arguments,
        &lines(&[moved.clone(), record("+33600000003"), moved]),
    );
    assert!(
        counts(&told).contains("created 0, already there 0, replaced 3,"),
        "{told}"
    );
    let shown = door.get(&path).send().expect(200);
    assert_eq!(shown.header("ETag"), Some("W/\"4\""));
    // Two records of one person are taken in the order of the input.
    assert_eq!(shown.json()["phone"], "+33600000002");
    assert_eq!(shown.json()["id"], made["id"]);
    assert_eq!(total(&fhir), 1);
    // An export put back changes nobody: also not who carries the id beside the resource.
    fhir.post("/Patient")
        .json(&patient("born here"))
        .send()
        .expect(201);
    let known = exported(context, &server, &[]);
    let told = imported(context, &server, &["--from", "fhir", "--replace"], &known);
    assert!(
        counts(&told).contains("created 0, already there 2, replaced 0,"),
        "{told}"
    );
    assert_eq!(exported(context, &server, &[]), known);
}

fn an_id_that_is_taken_is_left_to_its_owner(context: &Context) {
    let (server, fhir) = context.fhir();
    let person = |family: &str| json!({ "resourceType": "Patient", "id": "taken", "name": [{ "family": family }], "birthDate": "1960-01-01" });
    let input = lines(&[person("Roux"), person("Blanc")]);
    let told = imported(context, &server, &["--from", "fhir", "--at-once", "1"], &input);
    assert!(counts(&told).contains("created 2,"), "{told}");
    assert_eq!(
        fhir.get("/Patient/taken").send().expect(200).json()["name"][0]["family"],
        "Roux"
    );
    let told = imported(context, &server, &["--from", "fhir"], &input);
    assert!(counts(&told).contains("created 0, already there 2,"), "{told}");
    assert_eq!(total(&fhir), 2);
}

fn a_key_of_somebody_else_is_that_records_problem(context: &Context) {
    let (server, fhir) = context.fhir();
    let record = |id: &str, external: &str| {
        json!({
            "patientUuid": id, "trustSpaceUuid": TRUST_SPACE, "firstName": "Luc", "lastName": "Besnard",
            "birthDate": "1979-12-05", "gender": "M", "externalId": external,
        })
    };
    let input = lines(&[
        record("pat_1", "secret-1"),
        record("pat_1", "secret-2"),
        record("pat_3", "secret-3"),
    ]);
    let (output, told) = import(context, &server, &["--from", "medicapp-cloud"], &input);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        counts(&told).contains("created 2, already there 0, replaced 0, refused 1"),
        "{told}"
    );
    assert!(
        told.contains("line 2: $.patientUuid: belongs to Patient/"),
        "{told}"
    );
    assert!(
        told.contains("correct the one or the other") && !told.contains("secret"),
        "{told}"
    );
    assert_eq!(total(&fhir), 2);
}

fn an_unknown_space_and_another_naming_base_are_named(context: &Context) {
    let server = context.server();
    let run = |arguments: &[&str]| {
        let output = passerelle(context, &server, arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let told = run(&["import", "--from", "fhir", "--space", "nowhere", "/dev/null"]);
    assert!(
        told.contains("no space 'nowhere'") && told.contains("demo"),
        "{told}"
    );
    let told = run(&["export", "--space", "nowhere"]);
    assert!(told.contains("no space 'nowhere'"), "{told}");
    let other = ["--naming-base", "https://other.example/ns"];
    let told = run(&[
        &["import", "--from", "fhir", "--space", "demo", "/dev/null"][..],
        &other,
    ]
    .concat());
    assert!(told.contains(BASE), "{told}");
    let told = run(&["import", "--from", "ehealth", "--space", "demo", "/dev/null"]);
    assert!(told.contains("--legal-entity"), "{told}");
    succeeds(context, &server, &["space", "add", "unbound"]);
    let (_, told) = import(
        context,
        &server,
        &["--from", "medicapp-cloud", "--space", "unbound"],
        "",
    );
    assert!(told.contains("--space"), "one space is meant: {told}");
    let record = r#"{"firstName":"Luc","lastName":"Besnard","birthDate":"1979-12-05","gender":"M"}"#;
    let folder = TemporaryFolder::new("import");
    let file = folder.path().join("one.ndjson");
    fs::write(&file, record).expect("written");
    let file = file.to_str().expect("UTF-8");
    let told = run(&["import", "--from", "medicapp-cloud", "--space", "unbound", file]);
    assert!(
        told.contains("line 1: $.trustSpaceUuid: ") && told.contains("give --word"),
        "{told}"
    );
}
