//! patch: the three kinds of documents, the statuses of the contract, and what no patch may do. What documents mean in
//! detail has fixtures of its own in `fixtures/fhir/patch`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Request, Response, percent_encode};
use testkit::race::{race_prepared, tally};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    each_kind_of_patch_makes_a_version,
    p56_a_patch_is_answered_in_the_format_that_was_asked_for,
    p38_what_was_deleted_is_not_patched_back,
    what_is_unknown_is_not_patched,
    p56_a_conditional_patch_changes_the_one_match,
    p38_a_conditional_patch_without_a_match_writes_nothing,
    a_conditional_patch_of_several_writes_nothing,
    p25_the_criteria_of_a_conditional_patch_are_never_weakened,
    a_patch_that_changes_nothing_makes_no_version,
    a_failed_test_changes_nothing,
    if_match_holds_for_a_patch,
    prefer_says_what_a_patch_answers_with,
    a_patch_says_by_its_type_what_kind_it_is,
    p68_a_broken_patch_is_refused_at_once,
    a_result_that_is_no_valid_resource_is_refused_as_in_an_update,
    what_the_server_keeps_is_not_patched,
    r2_a_patch_does_not_cut_partners_off,
    r2_a_patch_takes_what_a_partner_wrote_beside_the_ids,
    r2_an_id_of_the_server_is_not_invented,
    x12_an_oid_spelling_in_a_patch_is_stored_canonically,
    an_owned_identifier_is_refused_to_a_patch,
    an_account_keeps_its_shape_and_class,
    a_regulators_client_does_not_patch,
    who_may_not_read_does_not_patch,
    p07_patches_of_different_fields_at_once_all_survive,
    p07_conditional_patches_at_once_all_survive,
    browsers_are_told_that_patch_is_offered,
];

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const FHIR_JSON: &str = "application/fhir+json";
const FHIR_XML: &str = "application/fhir+xml";

/// A PATCH with a body of this type.
fn patch<'c>(client: &'c Client, target: impl AsRef<[u8]>, kind: &str, body: impl ToString) -> Request<'c> {
    client
        .patch(target)
        .header("Content-Type", kind)
        .body(body.to_string())
}

fn json_patch<'c>(client: &'c Client, target: impl AsRef<[u8]>, operations: Value) -> Request<'c> {
    patch(client, target, JSON_PATCH, operations)
}

/// A FHIRPath Patch of one deletion.
fn deletion(path: &str) -> Value {
    json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
        { "name": "type", "valueCode": "delete" },
        { "name": "path", "valueString": path },
    ] }] })
}

/// A stored patient and its path.
fn stored(fhir: &Client) -> (String, Response) {
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    (format!("/Patient/{}", created.id()), created)
}

#[track_caller]
fn now(client: &Client, path: &str) -> Value {
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

fn p56_a_conditional_patch_changes_the_one_match(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let number = created.json()["identifier"][0]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = json_patch(
        &fhir,
        format!("/Patient?{}", by_local(&number)),
        json!([{ "op": "add", "path": "/gender", "value": "female" }]),
    )
    .send()
    .expect(200);
    assert_eq!(answer.id(), created.id());
    assert_eq!(answer.version(), 2);
    assert!(
        answer.location().ends_with(&format!("{path}/_history/2")),
        "{answer:?}"
    );
    assert_eq!(now(&fhir, &path)["gender"], "female");
    // If-Match speaks of the match.
    let guarded = |tag: &str| {
        patch(
            &fhir,
            format!("/Patient?{}", by_local(&number)),
            MERGE_PATCH,
            json!({ "active": true }),
        )
        .header("If-Match", tag)
        .send()
    };
    refused(guarded("W/\"1\""), 412, "conflict");
    assert_eq!(guarded("W/\"2\"").expect(200).version(), 3);
}

fn p38_a_conditional_patch_without_a_match_writes_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let criteria = by_local(&number);
    let answer = patch(
        &fhir,
        format!("/Patient?{criteria}"),
        MERGE_PATCH,
        json!({ "active": true }),
    )
    .send();
    let answer = refused(answer, 404, "not-found");
    assert_eq!(answer.issues()[0].diagnostics, criteria);
    assert_eq!(count_local(&fhir, &number), 0);
}

fn a_conditional_patch_of_several_writes_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let twins: Vec<Response> = (0..2)
        .map(|_| fhir.post("/Patient").json(&patient(&number)).send().expect(201))
        .collect();
    let criteria = by_local(&number);
    let answer = patch(
        &fhir,
        format!("/Patient?{criteria}"),
        MERGE_PATCH,
        json!({ "active": true }),
    )
    .send();
    let answer = refused(answer, 412, "multiple-matches");
    assert_eq!(answer.issues()[0].diagnostics, criteria);
    for twin in twins {
        assert_eq!(now(&fhir, &format!("/Patient/{}", twin.id())), twin.json());
    }
}

fn p25_the_criteria_of_a_conditional_patch_are_never_weakened(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    let number = created.json()["identifier"][0]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let whole = by_local(&number);
    for (criteria, named) in [
        (String::new(), ""),
        ("?".to_owned(), ""),
        (format!("?{whole}&familly=x"), "familly"),
        ("?identifier=".to_owned(), "identifier"),
        (format!("?{whole}&gender:near=x"), "gender"),
        (format!("?{whole}&_count=1"), "_count"),
        ("?_format=json".to_owned(), ""),
    ] {
        let answer = patch(
            &fhir,
            format!("/Patient{criteria}"),
            MERGE_PATCH,
            json!({ "active": true }),
        )
        .send();
        assert_eq!(answer.status, 400, "{criteria}: {answer:?}");
        assert!(answer.text().contains(named), "{criteria}: {answer:?}");
    }
    assert_eq!(now(&fhir, &path), created.json());
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

/// A patient that the Medicapp cloud door knows by NIR, rank and external id: its path at the FHIR door.
fn known_to_partners(context: &Context, fhir: &Client) -> String {
    let cloud = shared(context).client("medicapp-cloud");
    // Thirteen digits that no other test uses: sex, year, month, department, commune and order.
    let digits: String = unique().chars().filter(char::is_ascii_digit).collect();
    let nir = format!("18811037{digits:0>5}");
    let external = unique();
    let body = json!({
        "trustSpaceUuid": "ts_demo00000001", "firstName": "Sophie", "lastName": "Partner",
        "birthDate": "1988-11-03", "gender": "F", "externalId": external,
        "identificationKey": { "nir": nir, "rang": "01" }
    });
    cloud
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(body.to_string())
        .send()
        .expect(201);
    let system = "https://fhir-facade.example/ns/medicapp/trust-space/ts_demo00000001/external-id";
    let ids = found(fhir, "Patient", (system, &external));
    format!("/Patient/{}", ids[0])
}

/// The position of the identifier of a system that ends so.
#[track_caller]
fn position_of(resource: &Value, ending: &str) -> usize {
    let identifiers = resource["identifier"].as_array().unwrap();
    identifiers
        .iter()
        .position(|identifier| identifier["system"].as_str().unwrap().ends_with(ending))
        .unwrap_or_else(|| panic!("no {ending} in {resource}"))
}

fn r2_a_patch_does_not_cut_partners_off(context: &Context) {
    let fhir = shared_fhir(context);
    let path = known_to_partners(context, &fhir);
    let before = now(&fhir, &path);
    let place = position_of(&before, "/medicapp/nir-rang");
    let system = "https://fhir-facade.example/ns/medicapp/nir-rang";
    for (kind, body) in [
        (
            JSON_PATCH,
            json!([{ "op": "remove", "path": format!("/identifier/{place}") }]),
        ),
        (JSON_PATCH, json!([{ "op": "remove", "path": "/identifier" }])),
        (
            JSON_PATCH,
            json!([{ "op": "replace", "path": format!("/identifier/{place}/system"), "value": "urn:x" }]),
        ),
        (MERGE_PATCH, json!({ "identifier": null })),
        (
            MERGE_PATCH,
            json!({ "identifier": [{ "system": "urn:x", "value": "1" }] }),
        ),
        (
            FHIR_JSON,
            deletion(&format!("Patient.identifier.where(system='{system}')")),
        ),
        (
            FHIR_JSON,
            deletion(&format!("Patient.identifier.where(system='{system}').value")),
        ),
    ] {
        let answer = refused(patch(&fhir, &path, kind, &body).send(), 422, "business-rule");
        points_at(&answer, &format!("Patient.identifier[{place}]"));
        assert!(
            answer.issues().iter().any(|issue| issue.diagnostics == system),
            "{answer:?}"
        );
    }
    let by_number = before["identifier"][place]["value"].as_str().unwrap();
    let criteria = percent_encode(&format!("{system}|{by_number}"));
    let target = format!("/Patient?identifier={criteria}");
    refused(
        patch(&fhir, &target, MERGE_PATCH, json!({ "identifier": null })).send(),
        422,
        "business-rule",
    );
    assert_eq!(now(&fhir, &path), before);
    patch(&fhir, &target, MERGE_PATCH, json!({ "gender": "other" }))
        .send()
        .expect(200);

    // The same of the id that the patient-graph door gave.
    let graph = shared(context).client("patient-graph");
    let person = json!({ "brand_id": "demo-brand", "first_name": unique(), "last_name": "Graph" });
    let made = graph
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(person.to_string())
        .send()
        .expect(201)
        .json();
    let path = format!("/Patient/{}", made["id"].as_str().unwrap());
    let place = position_of(&now(&fhir, &path), "/patient-graph/patient-id");
    let removal = json!([{ "op": "remove", "path": format!("/identifier/{place}") }]);
    refused(json_patch(&fhir, &path, removal).send(), 422, "business-rule");
    let other = json!([{ "op": "replace", "path": format!("/identifier/{place}/value"), "value": "mine" }]);
    let answer = refused(json_patch(&fhir, &path, other).send(), 422, "business-rule");
    assert_eq!(
        answer.issues().len(),
        2,
        "one is gone and one is invented: {answer:?}"
    );
}

fn r2_a_patch_takes_what_a_partner_wrote_beside_the_ids(context: &Context) {
    let fhir = shared_fhir(context);
    let path = known_to_partners(context, &fhir);
    let place = position_of(&now(&fhir, &path), "/external-id");
    let removal = json!([{ "op": "remove", "path": format!("/identifier/{place}") }]);
    let after = json_patch(&fhir, &path, removal).send().expect(200).json();
    assert!(!after.to_string().contains("/external-id"), "{after}");

    let graph = shared(context).client("patient-graph");
    let person = json!({
        "brand_id": "demo-brand", "first_name": unique(), "last_name": "Graph",
        "metadata": { "a": 1 }, "external_ids": { "shop": unique() }
    });
    let made = graph
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(person.to_string())
        .send()
        .expect(201)
        .json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/Patient/{id}");
    let verified = json!([{ "op": "add", "path": "/extension/-", "value": {
        "url": "https://fhir-facade.example/ns/StructureDefinition/age-verified-at",
        "valueDateTime": "2026-01-01T00:00:00Z"
    } }]);
    json_patch(&fhir, &path, verified).send().expect(200);
    let seen = graph.get(format!("/patients/{id}")).send().expect(200).json();
    assert!(seen["age_verified_at"].is_string(), "{seen}");
    for name in ["metadata", "age-verified-at"] {
        let extension =
            format!("Patient.extension('https://fhir-facade.example/ns/StructureDefinition/{name}')");
        let before = now(&fhir, &path);
        assert!(
            before
                .to_string()
                .contains(&format!("StructureDefinition/{name}")),
            "{before}"
        );
        let after = patch(&fhir, &path, FHIR_JSON, deletion(&extension))
            .send()
            .expect(200)
            .json();
        assert!(
            !after.to_string().contains(&format!("StructureDefinition/{name}")),
            "{after}"
        );
    }
    let seen = graph.get(format!("/patients/{id}")).send().expect(200).json();
    assert_eq!(seen["age_verified_at"], Value::Null, "{seen}");
    assert_eq!(seen["external_ids"], made["external_ids"]);
}

fn r2_an_id_of_the_server_is_not_invented(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    for system in [
        "medicapp/patient-id",
        "patient-graph/patient-id",
        "ehealth/preperson-id",
    ] {
        let operations = json!([{ "op": "add", "path": "/identifier/-", "value": {
            "system": format!("https://fhir-facade.example/ns/{system}"), "value": unique()
        } }]);
        let answer = refused(json_patch(&fhir, &path, operations).send(), 422, "business-rule");
        points_at(&answer, "Patient.identifier[1]");
    }
    assert_eq!(now(&fhir, &path), created.json());
}

fn x12_an_oid_spelling_in_a_patch_is_stored_canonically(context: &Context) {
    const CANONICAL: &str = "https://fhir-facade.example/ns/medicapp/space/demo/external-id";
    const ALIAS: &str = "urn:oid:2.25.15322114546409131452816675141220187733";
    let fhir = shared_fhir(context);
    let (path, _) = stored(&fhir);
    let value = unique();
    let operations =
        json!([{ "op": "add", "path": "/identifier/-", "value": { "system": ALIAS, "value": value } }]);
    let after = json_patch(&fhir, &path, operations).send().expect(200).json();
    assert_eq!(after["identifier"][1]["system"], CANONICAL);
    let criteria = percent_encode(&format!("{ALIAS}|{value}"));
    let found = patch(
        &fhir,
        format!("/Patient?identifier={criteria}"),
        MERGE_PATCH,
        json!({ "active": true }),
    );
    assert_eq!(found.send().expect(200).version(), 3);
}

fn an_owned_identifier_is_refused_to_a_patch(context: &Context) {
    const OWNED: &str = "https://fhir-facade.example/ns/medicapp/space/demo/external-id";
    let fhir = shared_fhir(context);
    let value = unique();
    let owner = fhir
        .post("/Patient")
        .json(&resource("Patient", OWNED, &value))
        .send()
        .expect(201);
    let (path, created) = stored(&fhir);
    let operations =
        json!([{ "op": "add", "path": "/identifier/-", "value": { "system": OWNED, "value": value } }]);
    let answer = refused(json_patch(&fhir, &path, operations).send(), 409, "duplicate");
    assert_eq!(id_of(answer.location()), owner.id());
    assert_eq!(now(&fhir, &path), created.json());
}

fn an_account_keeps_its_shape_and_class(context: &Context) {
    let server = shared(context);
    let (sas, fhir) = (server.client("sas"), server.client("fhir"));
    let (first, second) = (unique(), unique());
    let made = sas
        .post("/Practitioner")
        .json(&account(MORVAN, &[(INTRN, &first)], true))
        .send()
        .expect(201);
    let path = format!("/Practitioner/{}", made.id());
    for (change, code, place) in [
        (json!({ "telecom": null }), "required", "Practitioner.telecom"),
        (json!({ "active": null }), "required", "Practitioner.active"),
        (
            json!({ "meta": { "profile": null, "source": null } }),
            "business-rule",
            "Practitioner.meta",
        ),
    ] {
        let answer = patch(&fhir, &path, MERGE_PATCH, &change).send();
        points_at(&refused(answer, 422, code), place);
    }
    assert_eq!(now(&fhir, &path), made.json());
    let renamed = patch(
        &fhir,
        &path,
        MERGE_PATCH,
        json!({ "telecom": [{ "system": "email", "value": "a@b.example" }] }),
    );
    assert_eq!(renamed.send().expect(200).version(), 2);
    // An identifier is held by one active account.
    let other = sas
        .post("/Practitioner")
        .json(&account(PELTIER, &[(INTRN, &second)], true))
        .send()
        .expect(201);
    let operations = json!([{ "op": "replace", "path": "/identifier/0/value", "value": second }]);
    let answer = refused(json_patch(&fhir, &path, operations).send(), 422, "duplicate");
    assert_eq!(id_of(answer.location()), other.id());
    // An ordinary one does not become an account, nor is it one that the identifier means when both bear it.
    let ordinary = fhir
        .post("/Practitioner")
        .json(&resource("Practitioner", INTRN, &first))
        .send()
        .expect(201);
    let target = format!("/Practitioner/{}", ordinary.id());
    let answer = patch(
        &fhir,
        &target,
        MERGE_PATCH,
        json!({ "meta": { "profile": [PROFILE] } }),
    )
    .send();
    assert_eq!(answer.status, 422, "{answer:?}");
    let criteria = percent_encode(&format!("{INTRN}|{first}"));
    let both = patch(
        &fhir,
        format!("/Practitioner?identifier={criteria}"),
        MERGE_PATCH,
        json!({ "gender": "male" }),
    );
    refused(both.send(), 412, "multiple-matches");
    // A withdrawal by an EHR frees the identifier, as one by SAS does.
    patch(&fhir, &path, MERGE_PATCH, json!({ "active": false }))
        .send()
        .expect(200);
    sas.post("/Practitioner")
        .json(&account(PELTIER, &[(INTRN, &first)], true))
        .send()
        .expect(201);
    let reactivated = patch(&fhir, &path, MERGE_PATCH, json!({ "active": true })).send();
    refused(reactivated, 422, "duplicate");
}

fn a_regulators_client_does_not_patch(context: &Context) {
    let sas = shared(context).client("sas");
    let number = unique();
    let made = sas
        .post("/Practitioner")
        .json(&account(MORVAN, &[(INTRN, &number)], true))
        .send()
        .expect(201);
    let criteria = percent_encode(&format!("{INTRN}|{number}"));
    for target in [
        format!("/Practitioner/{}", made.id()),
        format!("/Practitioner?identifier={criteria}"),
    ] {
        let answer = patch(&sas, target, MERGE_PATCH, json!({ "active": false })).send();
        let answer = refused(answer, 403, "forbidden");
        assert!(
            answer.issues()[0]
                .text
                .contains("PUT [base]/Practitioner?identifier"),
            "{answer:?}"
        );
    }
    refused(
        patch(&sas, "/Patient/x", MERGE_PATCH, json!({})).send(),
        403,
        "forbidden",
    );
}

fn who_may_not_read_does_not_patch(context: &Context) {
    let (server, fhir) = context.fhir();
    let (path, created) = stored(&fhir);
    for (letters, lacks) in [
        ("u", "system/Patient.r"),
        ("r", "system/Patient.u"),
        ("cds", "system/Patient.u"),
    ] {
        let id = format!("patcher-{letters}");
        let scope = format!("system/Patient.{letters}");
        let arguments = [
            "client", "add", &id, "--door", "fhir", "--space", "demo", "--scope", &scope,
        ];
        succeeds(context, &server, &arguments);
        let client = fhir_with_key(&server, &issue_key(context, &server, &id));
        let answer = refused(
            patch(&client, &path, MERGE_PATCH, json!({ "gender": "male" })).send(),
            403,
            "forbidden",
        );
        assert!(answer.issues()[0].text.contains(lacks), "{answer:?}");
    }
    assert_eq!(now(&fhir, &path), created.json());
}

/// How many patch at once.
const CLIENTS: usize = 32;

fn p07_patches_of_different_fields_at_once_all_survive(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let contacts: Vec<Value> = (0..CLIENTS)
        .map(|_| json!({ "name": { "text": "nobody" } }))
        .collect();
    let body = with(patient(&unique()), "contact", json!(contacts));
    let created = fhir.post("/Patient").json(&body).send().expect(201);
    let path = format!("/Patient/{}", created.id());
    let answers = race_prepared(
        CLIENTS,
        |_| server.client("fhir"),
        |number, client| {
            let operations = json!([
                { "op": "test", "path": format!("/contact/{number}/name/text"), "value": "nobody" },
                { "op": "replace", "path": format!("/contact/{number}/name/text"), "value": format!("c{number}") },
            ]);
            json_patch(&client, &path, operations).send()
        },
    );
    assert_eq!(
        tally(answers.iter().map(|answer| answer.status)),
        [(200, CLIENTS)]
    );
    let versions: BTreeSet<u64> = answers.iter().map(Response::version).collect();
    assert_eq!(versions, (2..=CLIENTS as u64 + 1).collect());
    let after = now(&fhir, &path);
    for number in 0..CLIENTS {
        assert_eq!(after["contact"][number]["name"]["text"], format!("c{number}"));
    }
}

fn p07_conditional_patches_at_once_all_survive(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let (path, created) = stored(&fhir);
    let number = created.json()["identifier"][0]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let answers = race_prepared(
        CLIENTS,
        |_| server.client("fhir"),
        |runner, client| {
            let operations = json!([{ "op": "add", "path": "/identifier/-", "value": {
                "system": "urn:oid:1.2.250.9.9.7", "value": format!("{number}-{runner}")
            } }]);
            let target = if runner % 2 == 0 {
                format!("/Patient?{}", by_local(&number))
            } else {
                path.clone()
            };
            json_patch(&client, target, operations).send()
        },
    );
    assert_eq!(
        tally(answers.iter().map(|answer| answer.status)),
        [(200, CLIENTS)]
    );
    let after = now(&fhir, &path);
    let values: BTreeSet<&str> = after["identifier"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identifier| identifier["value"].as_str().unwrap())
        .collect();
    assert_eq!(values.len(), CLIENTS + 1, "{after}");
    assert_eq!(after["meta"]["versionId"], (CLIENTS + 1).to_string());
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
