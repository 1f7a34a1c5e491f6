//! meta: what is the client's stays, what is the server's is the server's.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    version_and_time_are_set_here,
    t36_the_time_zone_of_the_machine_changes_no_time,
    the_rest_of_meta_is_kept,
    what_identifies_the_resource_survives_each_way_of_writing,
];

fn version_and_time_are_set_here(context: &Context) {
    let fhir = shared_fhir(context);
    let meta = json!({ "versionId": "41", "lastUpdated": "2001-02-03T04:05:06Z" });
    let body = with(patient(&unique()), "meta", meta);
    let created = fhir.post("/Patient").json(&body).send().expect(201).json();
    assert_eq!(created["meta"]["versionId"], "1");
    let updated = created["meta"]["lastUpdated"].as_str().unwrap();
    assert!(updated > "2024", "{updated}");
}

fn t36_the_time_zone_of_the_machine_changes_no_time(context: &Context) {
    for zone in ["Europe/Paris", "Pacific/Kiritimati", "America/St_Johns"] {
        let server = context.settings().environment("TZ", zone).start();
        let before = chrono::Utc::now();
        let created = server.client("fhir").post("/Patient").json(&patient("1")).send();
        let after = chrono::Utc::now();
        let told = created.expect(201).json()["meta"]["lastUpdated"].clone();
        let told = told.as_str().unwrap();
        assert!(told.ends_with('Z'), "{zone}: {told}");
        let time = chrono::DateTime::parse_from_rfc3339(told).unwrap();
        assert!(before <= time && time <= after, "{zone}: {before} {told} {after}");
    }
}

fn the_rest_of_meta_is_kept(context: &Context) {
    let fhir = shared_fhir(context);
    let meta = json!({
        "extension": [{ "url": "urn:x", "valueString": "y" }],
        "source": "urn:oid:1.2.3#7",
        "profile": ["http://profiles.example/StructureDefinition/anything|2.0"],
        "security": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R" }],
        "tag": [{ "system": "urn:tags", "code": "a", "display": "A" }, { "code": "b" }]
    });
    let own = unique();
    let body = with(with(patient(&own), "meta", meta.clone()), "id", json!(own));
    fhir.put(format!("/Patient/{own}")).json(&body).send().expect(201);
    let read = fhir.get(format!("/Patient/{own}")).send().expect(200).json();
    for (name, value) in meta.as_object().unwrap() {
        assert_eq!(&read["meta"][name], value, "{name}");
    }
    // An update says all of it anew.
    let bare = with(patient(&own), "id", json!(own));
    let updated = fhir
        .put(format!("/Patient/{own}"))
        .json(&bare)
        .send()
        .expect(200)
        .json();
    assert!(
        updated["meta"].get("tag").is_none() && updated["meta"]["versionId"] == "2",
        "{updated}"
    );
}

fn what_identifies_the_resource_survives_each_way_of_writing(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let body = with(patient(&number), "language", json!("fr"));
    for answer in [
        fhir.post("/Patient").json(&body).send().expect(201),
        put_by(
            &fhir,
            "Patient",
            (LOCAL, &number),
            &with(body.clone(), "active", json!(true)),
        )
        .expect(200),
    ] {
        let shown = answer.json();
        assert_eq!(
            (&shown["identifier"], &shown["language"]),
            (&body["identifier"], &json!("fr"))
        );
        assert_eq!(shown["id"], answer.id());
        assert_eq!(shown["meta"]["versionId"], answer.version().to_string());
    }
}
