//! Claimed profiles are enforced at write: `fhir-rest.md` 7.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Response;
use testkit::tests;

use crate::rest::patch::{JSON_PATCH, patch};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_claimed_profile_is_enforced_on_every_way_to_write,
    a_claimed_profile_is_enforced_in_xml,
    a_claimed_profile_is_enforced_in_bundles,
    an_unknown_profile_is_no_reason_to_refuse_a_write,
    faults_of_base_and_profile_are_told_together,
];

/// The profile of a qualified identity.
pub const INS: &str = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins";
const INS_SYSTEM: &str = "urn:oid:1.2.250.1.213.1.4.8";

/// A patient that meets the profile of a qualified identity.
pub fn qualified(value: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "meta": { "profile": [INS] },
        "extension": [
            { "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": { "city": "Lyon" } },
            { "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability",
              "extension": [{ "url": "identityStatus", "valueCoding": { "code": "VALI" } }] },
        ],
        "identifier": [
            { "use": "official", "system": INS_SYSTEM, "value": value, "type": { "coding": [{
                "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR" }] } },
            { "system": LOCAL, "value": value },
        ],
        "name": [{ "use": "official", "family": "Durand", "given": ["Alice"] }],
        "gender": "female",
        "birthDate": "1984-05-12",
    })
}

/// The same without what the profile asks for: a gender.
pub fn without_gender(value: &str) -> Value {
    let mut resource = qualified(value);
    resource.as_object_mut().unwrap().shift_remove("gender");
    resource
}

#[track_caller]
fn refused_for_gender(response: Response) {
    let response = refused(response, 422, "required");
    points_at(&response, "Patient.gender");
}

fn a_claimed_profile_is_enforced_on_every_way_to_write(context: &Context) {
    let fhir = shared_fhir(context);
    let (value, free) = (unique(), unique());
    let created = fhir.post("/Patient").json(&qualified(&value)).send().expect(201);
    let path = format!("/Patient/{}", created.id());
    let bad = without_gender(&value);
    let versioned = with(
        without_gender(&free),
        "meta",
        json!({ "profile": [format!("{INS}|2.1.0")] }),
    );
    refused_for_gender(fhir.post("/Patient").json(&versioned).send());
    refused_for_gender(
        fhir.post("/Patient")
            .header("If-None-Exist", by_local(&free))
            .json(&without_gender(&free))
            .send(),
    );
    refused_for_gender(
        fhir.put(&path)
            .json(&with(bad.clone(), "id", json!(created.id())))
            .send(),
    );
    refused_for_gender(
        fhir.put(format!("/Patient?{}", by_local(&value)))
            .json(&bad)
            .send(),
    );
    let removal = json!([{ "op": "remove", "path": "/gender" }]);
    refused_for_gender(patch(&fhir, &path, JSON_PATCH, removal.clone()).send());
    refused_for_gender(
        patch(
            &fhir,
            format!("/Patient?{}", by_local(&value)),
            JSON_PATCH,
            removal,
        )
        .send(),
    );
    assert_eq!(fhir.get(&path).send().expect(200).json(), created.json());
    assert_eq!(count_local(&fhir, &free), 0);
}

fn a_claimed_profile_is_enforced_in_xml(context: &Context) {
    let body =
        format!("<Patient xmlns=\"http://hl7.org/fhir\"><meta><profile value=\"{INS}\"/></meta></Patient>");
    let fhir = shared_fhir(context);
    let answer = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+xml")
        .body(body)
        .send();
    refused_for_gender(answer);
}

fn a_claimed_profile_is_enforced_in_bundles(context: &Context) {
    let fhir = shared_fhir(context);
    let (good, bad) = (unique(), unique());
    let bundle = |kind: &str| {
        json!({ "resourceType": "Bundle", "type": kind, "entry": [
            { "resource": qualified(&good), "request": { "method": "POST", "url": "Patient" } },
            { "resource": without_gender(&bad), "request": { "method": "POST", "url": "Patient" } },
        ] })
    };
    let answer = refused(fhir.post("").json(&bundle("transaction")).send(), 422, "required");
    points_at(&answer, "Bundle.entry[1].resource.gender");
    assert_eq!(count_local(&fhir, &good), 0);
    let answer = fhir.post("").json(&bundle("batch")).send().expect(200).json();
    let status = |position: usize| {
        answer["entry"][position]["response"]["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(
        status(0).starts_with("201") && status(1).starts_with("422"),
        "{answer}"
    );
}

fn an_unknown_profile_is_no_reason_to_refuse_a_write(context: &Context) {
    let claims = with(
        patient(&unique()),
        "meta",
        json!({ "profile": ["urn:unheld", "https://example.org/p|1"] }),
    );
    shared_fhir(context)
        .post("/Patient")
        .json(&claims)
        .send()
        .expect(201);
}

fn faults_of_base_and_profile_are_told_together(context: &Context) {
    let fhir = shared_fhir(context);
    // Only rules broken: 422. Malformed as well: 400.
    for (gender, birth, status) in [("robot", "1984", 422), ("robot", "x", 400)] {
        let mut body = qualified(&unique());
        body["gender"] = json!(gender);
        body["birthDate"] = json!(birth);
        body["name"] = json!([{ "text": "x" }]);
        let answer = fhir.post("/Patient").json(&body).send().expect(status);
        points_at(&answer, "Patient.gender");
        points_at(&answer, "Patient.name");
        if status == 400 {
            points_at(&answer, "Patient.birthDate");
        }
    }
}
