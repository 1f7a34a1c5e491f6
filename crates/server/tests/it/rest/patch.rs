//! patch: the three kinds of documents, the statuses of the contract, and what no patch may do. What documents mean in
//! detail has fixtures of its own in `fixtures/fhir/patch`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Request, Response};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    each_kind_of_patch_makes_a_version,
    p56_a_patch_is_answered_in_the_format_that_was_asked_for,
    p38_what_was_deleted_is_not_patched_back,
    what_is_unknown_is_not_patched,
    a_patch_that_changes_nothing_makes_no_version,
    a_failed_test_changes_nothing,
    if_match_holds_for_a_patch,
    prefer_says_what_a_patch_answers_with,
    a_patch_says_by_its_type_what_kind_it_is,
    p68_a_broken_patch_is_refused_at_once,
    a_result_that_is_no_valid_resource_is_refused_as_in_an_update,
    what_the_server_keeps_is_not_patched,
    browsers_are_told_that_patch_is_offered,
];

pub const JSON_PATCH: &str = "application/json-patch+json";
pub const MERGE_PATCH: &str = "application/merge-patch+json";
pub const FHIR_JSON: &str = "application/fhir+json";
const FHIR_XML: &str = "application/fhir+xml";

/// A PATCH with a body of this type.
pub fn patch<'c>(
    client: &'c Client,
    target: impl AsRef<[u8]>,
    kind: &str,
    body: impl ToString,
) -> Request<'c> {
    client
        .patch(target)
        .header("Content-Type", kind)
        .body(body.to_string())
}

pub fn json_patch<'c>(client: &'c Client, target: impl AsRef<[u8]>, operations: Value) -> Request<'c> {
    patch(client, target, JSON_PATCH, operations)
}

/// A FHIRPath Patch of one deletion.
pub fn deletion(path: &str) -> Value {
    json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
        { "name": "type", "valueCode": "delete" },
        { "name": "path", "valueString": path },
    ] }] })
}

/// A stored patient and its path.
pub fn stored(fhir: &Client) -> (String, Response) {
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    (format!("/Patient/{}", created.id()), created)
}

#[track_caller]
pub fn now(client: &Client, path: &str) -> Value {
    client.get(path).send().expect(200).json()
}

fn each_kind_of_patch_makes_a_version(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, _) = stored(&fhir);
    let replace_gender = |value: &str| {
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
            { "name": "type", "valueCode": "replace" },
            { "name": "path", "valueString": "Patient.gender" },
            { "name": "value", "valueCode": value },
        ] }] })
    };
    let in_xml = "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"operation\"/>\
        <part><name value=\"type\"/><valueCode value=\"replace\"/></part>\
        <part><name value=\"path\"/><valueString value=\"Patient.gender\"/></part>\
        <part><name value=\"value\"/><valueCode value=\"unknown\"/></part></parameter></Parameters>";
    let steps = [
        (
            JSON_PATCH,
            json!([{ "op": "add", "path": "/gender", "value": "female" }]).to_string(),
            "female",
        ),
        (MERGE_PATCH, json!({ "gender": "other" }).to_string(), "other"),
        (FHIR_JSON, replace_gender("male").to_string(), "male"),
        (FHIR_XML, in_xml.to_owned(), "unknown"),
    ];
    for (done, (kind, body, gender)) in steps.into_iter().enumerate() {
        let version = done + 2;
        let answer = patch(&fhir, &path, kind, body).send().expect(200);
        assert_eq!(answer.header("ETag"), Some(format!("W/\"{version}\"").as_str()));
        assert!(answer.header("Last-Modified").is_some());
        assert_eq!(answer.json()["gender"], gender);
        assert_eq!(answer.json()["meta"]["versionId"], version.to_string());
        assert_eq!(now(&fhir, &path), answer.json());
        assert_eq!(now(&fhir, &format!("{path}/_history/{version}")), answer.json());
    }
    assert!(now(&fhir, &format!("{path}/_history/1")).get("gender").is_none());
}

fn p56_a_patch_is_answered_in_the_format_that_was_asked_for(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let operations = json!([{ "op": "add", "path": "/gender", "value": "female" }]);
    let number = created.json()["identifier"][0]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    for target in [path.clone(), format!("/Patient?{}", by_local(&number))] {
        let answer = json_patch(&fhir, &target, operations.clone())
            .header("Accept", FHIR_XML)
            .send()
            .expect(200);
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/fhir+xml; charset=utf-8")
        );
        assert!(answer.text().contains("<gender value=\"female\"/>"), "{answer:?}");
        let failing = json!([{ "op": "test", "path": "/gender", "value": "male" }]);
        let refusal = json_patch(&fhir, &target, failing)
            .header("Accept", FHIR_XML)
            .send()
            .expect(422);
        assert!(
            refusal.text().contains("<code value=\"business-rule\"/>"),
            "{refusal:?}"
        );
    }
    let by_format = json_patch(&fhir, format!("{path}?_format=xml"), operations).send();
    assert!(by_format.expect(200).text().contains("<Patient"));
}

fn p38_what_was_deleted_is_not_patched_back(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let number = created.json()["identifier"][0]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    fhir.delete(&path).send().expect(204);
    for body in [json!({ "gender": "female" }), json!({})] {
        refused(patch(&fhir, &path, MERGE_PATCH, &body).send(), 410, "deleted");
        let conditional = format!("/Patient?{}", by_local(&number));
        refused(
            patch(&fhir, conditional, MERGE_PATCH, &body).send(),
            404,
            "not-found",
        );
    }
    refused(fhir.get(&path).send(), 410, "deleted");
    let body = with(patient(&number), "id", json!(created.id()));
    let revived = fhir.put(&path).json(&body).send().expect(201);
    assert_eq!(
        revived.version(),
        3,
        "the deletion is version 2, and nothing came after it"
    );
}

fn what_is_unknown_is_not_patched(context: &Context) {
    let fhir = shared_fhir(context);
    let change = json!({ "gender": "female" });
    refused(
        patch(&fhir, format!("/Patient/{}", unique()), MERGE_PATCH, &change).send(),
        404,
        "not-found",
    );
    refused(
        patch(&fhir, "/Patient/a_b", MERGE_PATCH, &change).send(),
        404,
        "not-found",
    );
    refused(
        patch(&fhir, "/Observation/1", MERGE_PATCH, &change).send(),
        404,
        "not-supported",
    );
    refused(
        patch(&fhir, "/Observation?code=1", MERGE_PATCH, &change).send(),
        404,
        "not-supported",
    );
    let history = patch(&fhir, "/Patient/x/_history/1", MERGE_PATCH, &change).send();
    refused(history, 405, "not-supported");
}

fn a_patch_that_changes_nothing_makes_no_version(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let number = created.json()["identifier"][0]["value"].clone();
    for (kind, body) in [
        (JSON_PATCH, json!([])),
        (
            JSON_PATCH,
            json!([{ "op": "replace", "path": "/identifier/0/value", "value": number }]),
        ),
        (
            JSON_PATCH,
            json!([
                { "op": "add", "path": "/active", "value": true },
                { "op": "remove", "path": "/active" },
                { "op": "replace", "path": "/meta/versionId", "value": "7" },
            ]),
        ),
        (MERGE_PATCH, json!({ "meta": null, "photo": null })),
        (FHIR_JSON, deletion("Patient.photo")),
    ] {
        for target in [
            path.clone(),
            format!("/Patient?{}", by_local(number.as_str().unwrap())),
        ] {
            let answer = patch(&fhir, target, kind, &body).send().expect(200);
            assert_eq!(answer.header("ETag"), Some("W/\"1\""), "{body}");
            assert_eq!(answer.json(), created.json(), "{body}");
        }
    }
}

fn a_failed_test_changes_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let operations = json!([
        { "op": "add", "path": "/gender", "value": "female" },
        { "op": "test", "path": "/name/0/family", "value": "Nobody" },
    ]);
    let answer = refused(json_patch(&fhir, &path, operations).send(), 422, "business-rule");
    let issue = &answer.issues()[0];
    assert!(
        issue.text.contains("Operation 1") && issue.text.contains("test /name/0/family"),
        "{issue:?}"
    );
    assert_eq!(issue.diagnostics, "/1: test /name/0/family");
    assert_eq!(now(&fhir, &path), created.json());
    let guarded = json!([
        { "op": "test", "path": "/meta/versionId", "value": "1" },
        { "op": "add", "path": "/gender", "value": "female" },
    ]);
    assert_eq!(
        json_patch(&fhir, &path, guarded.clone())
            .send()
            .expect(200)
            .version(),
        2
    );
    refused(json_patch(&fhir, &path, guarded).send(), 422, "business-rule");
}

fn if_match_holds_for_a_patch(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, _) = stored(&fhir);
    let change = |tag: &str, value: &str| {
        patch(&fhir, &path, MERGE_PATCH, json!({ "gender": value }))
            .header("If-Match", tag)
            .send()
    };
    assert_eq!(change("W/\"1\"", "male").expect(200).version(), 2);
    refused(change("W/\"1\"", "female"), 412, "conflict");
    refused(change("rubbish", "female"), 412, "conflict");
    assert_eq!(change("*", "female").expect(200).version(), 3);
    // The guard is looked at before the patch: who is late is told that, and not that the test failed.
    let late = json_patch(
        &fhir,
        &path,
        json!([{ "op": "test", "path": "/gender", "value": "male" }]),
    )
    .header("If-Match", "W/\"1\"")
    .send();
    refused(late, 412, "conflict");
}

fn prefer_says_what_a_patch_answers_with(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, _) = stored(&fhir);
    let ask = |prefer: &str, gender: &str| {
        patch(&fhir, &path, MERGE_PATCH, json!({ "gender": gender }))
            .header("Prefer", prefer)
            .send()
            .expect(200)
    };
    let minimal = ask("return=minimal", "male");
    assert!(
        minimal.body.is_empty() && minimal.header("ETag") == Some("W/\"2\""),
        "{minimal:?}"
    );
    assert_eq!(ask("return=representation", "female").json()["gender"], "female");
    let outcome = ask("return=OperationOutcome", "other");
    assert_eq!(outcome.json()["resourceType"], "OperationOutcome");
    assert_eq!(outcome.header("ETag"), Some("W/\"4\""));
}

fn a_patch_says_by_its_type_what_kind_it_is(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let operations = json!([{ "op": "add", "path": "/gender", "value": "female" }]).to_string();
    for kind in [
        "application/json",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/json-patch",
        "application/json-patch+json; charset=latin1",
        "application/fhir+json; fhirVersion=5.0",
        "text/plain",
    ] {
        let answer = refused(
            patch(&fhir, &path, kind, &operations).send(),
            415,
            "not-supported",
        );
        let text = &answer.issues()[0].text;
        for named in [JSON_PATCH, MERGE_PATCH, FHIR_JSON, FHIR_XML] {
            assert!(text.contains(named), "{answer:?}");
        }
    }
    refused(fhir.patch(&path).body(operations).send(), 415, "not-supported");
    // The kind that the type says, and no other.
    let merge = json!({ "gender": "female" });
    refused(patch(&fhir, &path, JSON_PATCH, &merge).send(), 400, "structure");
    refused(patch(&fhir, &path, FHIR_JSON, &merge).send(), 400, "structure");
    refused(
        patch(&fhir, &path, FHIR_JSON, patient("x")).send(),
        400,
        "structure",
    );
    refused(
        patch(&fhir, &path, MERGE_PATCH, json!([])).send(),
        400,
        "structure",
    );
    refused(patch(&fhir, &path, MERGE_PATCH, "").send(), 400, "structure");
    assert_eq!(now(&fhir, &path), created.json());
    let spelled = patch(
        &fhir,
        &path,
        "Application/Merge-Patch+JSON; charset=\"UTF-8\"",
        &merge,
    )
    .send();
    assert_eq!(spelled.expect(200).json()["gender"], "female");
}

fn p68_a_broken_patch_is_refused_at_once(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let deep = "Patient.name.where(".repeat(50);
    let started = Instant::now();
    let broken = [
        (
            FHIR_JSON,
            deletion("Patient.name.where(use='official'").to_string(),
        ),
        (FHIR_JSON, deletion("Patient.name.where((((((use='x'").to_string()),
        (FHIR_JSON, deletion("((((((((((((((((((((").to_string()),
        (FHIR_JSON, deletion(&deep).to_string()),
        (
            FHIR_JSON,
            deletion("Patient.name.where(use='official").to_string(),
        ),
        (FHIR_JSON, deletion("").to_string()),
        (FHIR_JSON, deletion("Patient.name.repeat(given)").to_string()),
        (FHIR_JSON, deletion("Patient.nom").to_string()),
        (
            JSON_PATCH,
            "[{\"op\":\"add\",\"op\":\"remove\",\"path\":\"/name\"}]".to_owned(),
        ),
        (
            JSON_PATCH,
            "[{\"op\":\"add\",\"path\":\"/gender\",\"value\":\"a\\u0000\"}]".to_owned(),
        ),
        (
            JSON_PATCH,
            format!(
                "[{{\"op\":\"add\",\"path\":\"/x\",\"value\":{}",
                "[".repeat(50_000)
            ),
        ),
        (JSON_PATCH, "[{\"op\":\"add\"".to_owned()),
        (
            MERGE_PATCH,
            "{\"gender\":\"male\",\"gender\":\"female\"}".to_owned(),
        ),
        (MERGE_PATCH, "{\"a\":".repeat(50_000)),
        (FHIR_XML, "<Parameters xmlns=\"http://hl7.org/fhir\">".to_owned()),
    ];
    let count = u32::try_from(broken.len()).unwrap();
    for (kind, body) in broken {
        let answer = patch(&fhir, &path, kind, body).send();
        assert_eq!(answer.status, 400, "{answer:?}");
        for issue in answer.issues() {
            assert!(
                !issue.text.is_empty() && !issue.diagnostics.is_empty(),
                "{answer:?}"
            );
        }
    }
    // 50 ms each in the promise; the rest is for a machine that has other things to do.
    assert!(
        started.elapsed() < count * Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(now(&fhir, &path), created.json());
}

fn a_result_that_is_no_valid_resource_is_refused_as_in_an_update(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let subsetted = json!({ "tag": [{
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"
    }] });
    for (change, status, code, place) in [
        (
            json!({ "birthDate": "1980-02-30" }),
            400,
            "value",
            "Patient.birthDate",
        ),
        (json!({ "gender": "F" }), 422, "code-invalid", "Patient.gender"),
        (json!({ "nom": "x" }), 400, "structure", "Patient.nom"),
        (json!({ "name": [] }), 400, "structure", "Patient.name"),
        (
            json!({ "contact": [{ "gender": "male" }] }),
            422,
            "invariant",
            "Patient.contact[0]",
        ),
        (
            json!({ "communication": [{ "preferred": true }] }),
            400,
            "required",
            "Patient.communication[0].language",
        ),
        (
            json!({ "active": true, "meta": subsetted }),
            422,
            "business-rule",
            "Patient.meta.tag[0]",
        ),
    ] {
        let answer = refused(patch(&fhir, &path, MERGE_PATCH, &change).send(), status, code);
        points_at(&answer, place);
    }
    assert_eq!(now(&fhir, &path), created.json());
}

fn what_the_server_keeps_is_not_patched(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    for (operation, place) in [
        (
            json!({ "op": "replace", "path": "/id", "value": "x" }),
            "Patient.id",
        ),
        (json!({ "op": "remove", "path": "/id" }), "Patient.id"),
        (
            json!({ "op": "replace", "path": "/resourceType", "value": "Practitioner" }),
            "Patient.resourceType",
        ),
    ] {
        let answer = json_patch(&fhir, &path, json!([operation])).send();
        points_at(&refused(answer, 422, "business-rule"), place);
    }
    let answer = patch(&fhir, &path, FHIR_JSON, deletion("Patient.id")).send();
    points_at(&refused(answer, 422, "business-rule"), "Patient.id");
    // As in an update the server's own metadata is its own.
    let operations = json!([
        { "op": "replace", "path": "/meta/versionId", "value": "77" },
        { "op": "replace", "path": "/meta/lastUpdated", "value": "2000-01-01T00:00:00Z" },
        { "op": "add", "path": "/meta/source", "value": "urn:x" },
    ]);
    let answer = json_patch(&fhir, &path, operations).send().expect(200).json();
    assert_eq!(answer["meta"]["versionId"], "2");
    assert!(answer["meta"]["lastUpdated"].as_str() > created.json()["meta"]["lastUpdated"].as_str());
    assert_eq!(answer["meta"]["source"], "urn:x");
}

fn browsers_are_told_that_patch_is_offered(context: &Context) {
    let fhir = shared_fhir(context);
    for (method, target) in [("POST", "/Patient/x"), ("DELETE", "/Patient/x/_history/1")] {
        let answer = fhir.request(method, target).send();
        assert_eq!(answer.status, 405, "{answer:?}");
        let allow = answer.header("Allow").unwrap_or_default();
        assert_eq!(allow.contains("PATCH"), target == "/Patient/x", "{allow}");
    }
    let statement = fhir.get("/metadata").send().expect(200).json();
    for kind in [JSON_PATCH, MERGE_PATCH, FHIR_JSON, FHIR_XML] {
        assert!(
            statement["patchFormat"]
                .as_array()
                .unwrap()
                .contains(&json!(kind)),
            "{statement}"
        );
    }
    for row in statement["rest"][0]["resource"].as_array().unwrap() {
        let is_stored = row["type"] == "Patient" || row["type"] == "Practitioner";
        let interactions = row["interaction"].as_array().unwrap();
        assert_eq!(
            interactions.contains(&json!({ "code": "patch" })),
            is_stored,
            "{row}"
        );
    }
}
