//! Records: counted and shown at the connect door, written by the operator's command.

use testkit::harness::Test;
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![n31_an_attached_record_modifies_its_patient_without_a_version];

fn n31_an_attached_record_modifies_its_patient_without_a_version(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let made = doors.connect_post(json!({})).expect(201).json();
    let id = made["id"].as_str().expect("an id");
    let other = doors.connect_post(json!({})).expect(201).json();
    let fhir_id = doors.fhir_id(id);
    let before = doors.patient(&fhir_id).expect(200).text();
    let attach = |more: &[&str]| {
        let fixed = ["record", "add", "--space", "demo", "--patient", id];
        succeeds(context, &server, &[&fixed[..], more].concat())
    };
    let attached = [
        "--id",
        "rec_1",
        "--status",
        "open",
        "--created",
        "2099-01-02T03:04:05Z",
    ];
    attach(&attached);
    attach(&attached);
    let shown = doors
        .connect
        .get(format!("/patients/{id}"))
        .send()
        .expect(200)
        .json();
    let record = json!({ "id": "rec_1", "status": "open", "createdAt": "2099-01-02T03:04:05Z" });
    assert_eq!(
        (&shown["recordsCount"], &shown["records"]),
        (&json!(1), &json!([record]))
    );
    assert_eq!(shown["modifiedAt"], "2099-01-02T03:04:05Z");
    assert_eq!(shown["createdAt"], made["createdAt"]);
    assert_eq!(
        doors.patient(&fhir_id).expect(200).text(),
        before,
        "FHIR knows nothing of records"
    );
    let later = doors
        .connect
        .get("/patients?modified_after=2098-01-01")
        .send()
        .expect(200);
    assert_eq!(listed(&later), [id]);
    assert_eq!(later.json()["data"][0]["recordsCount"], 1);
    assert_ne!(other["id"], made["id"]);
    // It goes with its patient.
    doors.connect.delete(format!("/patients/{id}")).send().expect(200);
    assert_eq!(
        execute(&server, "SELECT count(*) FROM medicapp_record").trim(),
        "0"
    );
    let missing = passerelle(
        context,
        &server,
        &[
            "record",
            "add",
            "--space",
            "demo",
            "--patient",
            id,
            "--id",
            "rec_2",
        ],
    );
    assert!(!missing.status.success());
    assert!(
        String::from_utf8_lossy(&missing.stderr).contains("there is no patient"),
        "{missing:?}"
    );
}
