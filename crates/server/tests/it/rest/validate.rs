//! `$validate`: what would be said of a write, and nothing is written (`fhir-rest.md` 7).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;

use crate::access::client_key;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_valid_resource_gets_200_and_one_information_and_is_not_stored,
    an_invalid_resource_gets_200_with_all_that_is_wrong,
    p59_every_validation_issue_of_a_resource_has_an_expression,
    parameters_hold_resource_mode_and_profile,
    validation_as_a_create_tells_of_an_owned_key,
    validation_as_an_update_tells_of_another_id_and_leaves_its_own_keys_alone,
    validation_as_a_delete_says_whether_there_is_something_to_delete,
    without_a_body_the_stored_one_is_validated,
    an_unknown_profile_is_an_issue_and_no_refusal,
    what_cannot_be_read_or_understood_is_refused,
    validation_speaks_xml_both_ways,
    validation_needs_a_scope_and_does_not_see_other_spaces,
    a_regulators_sender_hears_what_its_create_would_be_told,
];

fn validate(client: &Client, path: &str, body: &Value) -> Response {
    client
        .post(format!("{path}/$validate"))
        .json(body)
        .send()
        .expect(200)
}

/// The issues of an outcome: severity, code and place of each.
fn said(response: &Response) -> Vec<(String, String, String)> {
    let issues = response.issues();
    let place = |expression: &[String]| expression.first().cloned().unwrap_or_default();
    issues
        .into_iter()
        .map(|issue| (issue.severity, issue.code, place(&issue.expression)))
        .collect()
}

fn three(severity: &str, code: &str, place: &str) -> (String, String, String) {
    (severity.to_owned(), code.to_owned(), place.to_owned())
}

fn a_valid_resource_gets_200_and_one_information_and_is_not_stored(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for path in ["/Patient", "/Patient/"] {
        let answer = validate(&fhir, path.trim_end_matches('/'), &patient(&number));
        assert_eq!(said(&answer), [three("information", "informational", "Patient")]);
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn an_invalid_resource_gets_200_with_all_that_is_wrong(context: &Context) {
    let fhir = shared_fhir(context);
    let body = json!({
        "resourceType": "Patient", "gender": "unknwon", "birthDate": "2024-02-30", "nam": [],
        "contact": [{ "gender": "male" }]
    });
    let answer = validate(&fhir, "/Patient", &body);
    let mut found = said(&answer);
    found.sort();
    assert_eq!(
        found,
        [
            three("error", "code-invalid", "Patient.gender"),
            three("error", "invariant", "Patient.contact[0]"),
            three("error", "structure", "Patient.nam"),
            three("error", "value", "Patient.birthDate"),
        ],
        "{}",
        answer.text()
    );
    // The same as a create is told.
    let refused = fhir.post("/Patient").json(&body).send().expect(400);
    assert_eq!(refused.json()["issue"], answer.json()["issue"]);
}

fn p59_every_validation_issue_of_a_resource_has_an_expression(context: &Context) {
    let fhir = shared_fhir(context);
    for body in [
        json!({ "resourceType": "Patient", "contact": [{ "gender": "male" }], "link": [{}], "birthDate": 7 }),
        json!({ "resourceType": "Patient", "name": [{ "given": ["", 3] }], "identifier": [{ "use": "x" }] }),
        json!({ "resourceType": "Patient", "communication": [{ "preferred": true }], "photo": {} }),
    ] {
        let answer = validate(&fhir, "/Patient", &body);
        for issue in answer.issues() {
            assert_eq!(issue.severity, "error", "{issue:?}");
            assert!(issue.expression[0].starts_with("Patient."), "{issue:?}");
        }
    }
}

fn parameters_hold_resource_mode_and_profile(context: &Context) {
    let fhir = shared_fhir(context);
    let body = json!({
        "resourceType": "Parameters",
        "parameter": [
            { "name": "resource", "resource": with(patient(&unique()), "gender", json!("femal")) },
            { "name": "mode", "valueCode": "create" },
            { "name": "profile", "valueUri": "urn:nobody-knows" }
        ]
    });
    let answer = validate(&fhir, "/Patient", &body);
    assert_eq!(
        said(&answer),
        [
            three("error", "code-invalid", "Patient.gender"),
            three("error", "not-found", "Patient")
        ]
    );
    // What is malformed inside is told with its place in the request.
    let body = json!({
        "resourceType": "Parameters",
        "parameter": [{ "name": "resource", "resource": { "resourceType": "Patient", "nam": "x" } }]
    });
    let answer = validate(&fhir, "/Patient", &body);
    assert!(
        said(&answer).iter().any(|(_, code, _)| code == "structure"),
        "{}",
        answer.text()
    );
}

fn validation_as_a_create_tells_of_an_owned_key(context: &Context) {
    let fhir = shared_fhir(context);
    let owned = json!([{
        "system": "urn:oid:1.2.250.1.213.1.4.8", "value": format!("1{}", unique()),
        "type": { "coding": [{ "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR" }] }
    }]);
    let body = with(patient(&unique()), "identifier", owned);
    fhir.post("/Patient").json(&body).send().expect(201);
    let refused = fhir.post("/Patient").json(&body).send().expect(409).json();
    let answer = validate(&fhir, "/Patient", &with_mode(&body, "create"));
    assert_eq!(answer.json()["issue"], refused["issue"]);
    // The content alone is fine.
    assert_eq!(said(&validate(&fhir, "/Patient", &body))[0].0, "information");
}

fn with_mode(resource: &Value, mode: &str) -> Value {
    json!({
        "resourceType": "Parameters",
        "parameter": [{ "name": "mode", "valueCode": mode }, { "name": "resource", "resource": resource }]
    })
}

fn validation_as_an_update_tells_of_another_id_and_leaves_its_own_keys_alone(context: &Context) {
    let fhir = shared_fhir(context);
    let system = "urn:oid:1.2.250.1.213.1.4.9";
    let own = json!([{
        "system": system, "value": unique(),
        "type": { "coding": [{ "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIA" }] }
    }]);
    let body = with(patient(&unique()), "identifier", own);
    let created = fhir.post("/Patient").json(&body).send().expect(201);
    let id = id_of(created.location());
    let path = format!("/Patient/{id}");
    let right = with(body.clone(), "id", json!(id));
    assert_eq!(
        said(&validate(&fhir, &path, &with_mode(&right, "update")))[0].0,
        "information"
    );
    for (sent, place) in [
        (&body, "Patient.id"),
        (&with(body.clone(), "id", json!("other")), "Patient.id"),
    ] {
        assert_eq!(
            said(&validate(&fhir, &path, &with_mode(sent, "update"))),
            [three("error", "invalid", place)]
        );
    }
    // An update may make what is not there: for another id the key is taken.
    let other = with(body, "id", json!("not-there-yet"));
    let answer = validate(&fhir, "/Patient/not-there-yet", &with_mode(&other, "update"));
    assert_eq!(said(&answer)[0].1, "duplicate");
    let tagged = with(right, "meta", json!({ "tag": [{ "code": "SUBSETTED" }] }));
    assert_eq!(
        said(&validate(&fhir, &path, &with_mode(&tagged, "update"))),
        [three("error", "business-rule", "Patient.meta.tag[0]")]
    );
    assert_eq!(fhir.get(&path).send().version(), 1);
}

fn validation_as_a_delete_says_whether_there_is_something_to_delete(context: &Context) {
    let fhir = shared_fhir(context);
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let path = format!("/Patient/{}", id_of(created.location()));
    let answer = fhir
        .post(format!("{path}/$validate?mode=delete"))
        .send()
        .expect(200);
    assert_eq!(said(&answer)[0].0, "information");
    let absent = |path: &str| {
        said(
            &fhir
                .post(format!("{path}/$validate?mode=delete"))
                .send()
                .expect(200),
        )
    };
    assert_eq!(
        absent("/Patient/nobody-here"),
        [three("error", "not-found", "Patient")]
    );
    refused(fhir.post("/Patient/$validate?mode=delete").send(), 400, "invalid");
    fhir.delete(&path).send().expect(204);
    assert_eq!(absent(&path), [three("error", "deleted", "Patient")]);
}

fn without_a_body_the_stored_one_is_validated(context: &Context) {
    let fhir = shared_fhir(context);
    let nir = json!([{
        "system": "urn:oid:1.2.250.1.213.1.4.13", "value": "188110375001687",
        "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NH" }] }
    }]);
    let created = fhir
        .post("/Patient")
        .json(&with(patient(&unique()), "identifier", nir))
        .send()
        .expect(201);
    let path = format!("/Patient/{}/$validate", id_of(created.location()));
    for answer in [fhir.get(&path).send(), fhir.post(&path).send()] {
        // Its key is wrong, which is a warning.
        assert_eq!(said(&answer.expect(200))[0].0, "warning");
    }
    refused(
        fhir.get("/Patient/nobody-here/$validate").send(),
        404,
        "not-found",
    );
    refused(fhir.post("/Patient/$validate").send(), 400, "required");
}

fn an_unknown_profile_is_an_issue_and_no_refusal(context: &Context) {
    let fhir = shared_fhir(context);
    let claimed = with(
        patient(&unique()),
        "meta",
        json!({ "profile": ["urn:profile:of-somebody"] }),
    );
    assert_eq!(
        said(&validate(&fhir, "/Patient", &claimed)),
        [three("warning", "not-found", "Patient.meta.profile[0]")]
    );
    let answer = fhir
        .post("/Patient/$validate?profile=urn:profile:of-somebody")
        .json(&patient(&unique()))
        .send();
    assert_eq!(
        said(&answer.expect(200)),
        [three("error", "not-found", "Patient")]
    );
}

fn what_cannot_be_read_or_understood_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let body = patient(&unique());
    refused(
        fhir.post("/Patient/$validate?mode=crate").json(&body).send(),
        400,
        "value",
    );
    refused(
        fhir.post("/Patient/$validate?profil=x").json(&body).send(),
        400,
        "not-supported",
    );
    refused(
        fhir.post("/Patient/$validate?mode=create&mode=update")
            .json(&body)
            .send(),
        400,
        "invalid",
    );
    // Another type is a resource, and no valid one.
    let other = resource("Practitioner", LOCAL, &unique());
    let held =
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "resource", "resource": other }] });
    for body in [&other, &held] {
        assert_eq!(said(&validate(&fhir, "/Patient", body))[0].0, "error");
    }
    for broken in ["{", "[]", "{\"resourceType\":\"Patient\"} x"] {
        let sent = fhir
            .post("/Patient/$validate")
            .body(broken)
            .header("Content-Type", "application/fhir+json");
        assert_eq!(sent.send().status, 400, "{broken}");
    }
    refused(
        fhir.post("/Device/$validate").json(&body).send(),
        404,
        "not-supported",
    );
    let wrong = fhir.get("/Patient/$validate").send();
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.header("Allow"), Some("POST"));
}

fn validation_speaks_xml_both_ways(context: &Context) {
    let fhir = shared_fhir(context);
    let bare = r#"<Patient xmlns="http://hl7.org/fhir"><gender value="femal"/></Patient>"#;
    let held = format!(
        r#"<?xml version="1.0"?><!-- as one would --><Parameters xmlns="http://hl7.org/fhir"><parameter><name value="resource"/><resource>{bare}</resource></parameter></Parameters>"#
    );
    for body in [bare, held.as_str()] {
        let sent = fhir.post("/Patient/$validate").xml(body);
        let answer = sent.header("Accept", "application/fhir+xml").send().expect(200);
        let text = answer.text();
        assert!(
            text.contains("<OperationOutcome xmlns=\"http://hl7.org/fhir\">")
                && text.contains("<code value=\"code-invalid\"/>")
                && text.contains("<expression value=\"Patient.gender\"/>"),
            "{text}"
        );
    }
}

fn validation_needs_a_scope_and_does_not_see_other_spaces(context: &Context) {
    let (server, fhir) = context.fhir();
    let body = patient(&unique());
    let created = fhir.post("/Patient").json(&body).send().expect(201);
    let path = format!("/Patient/{}/$validate", id_of(created.location()));
    assert_eq!(server.anonymous().get(format!("/fhir{path}")).send().status, 401);
    // A sender of accounts has no use for patients.
    refused(
        server.client("sas").post("/Patient/$validate").json(&body).send(),
        403,
        "forbidden",
    );
    refused(server.client("sas").get(&path).send(), 403, "forbidden");
    succeeds(context, &server, &["space", "add", "other", "--sandbox"]);
    let client = |name: &str, space: &str, scope: &str| {
        fhir_with_key(&server, &client_key(context, &server, name, &[space], &[scope]))
    };
    let stranger = client("stranger", "other", "system/*.cruds");
    refused(stranger.get(&path).send(), 404, "not-found");
    let searcher = client("searcher", "demo", "system/Patient.s");
    refused(
        searcher.post("/Patient/$validate").json(&body).send(),
        403,
        "forbidden",
    );
    let reader = client("reader", "demo", "system/Patient.r");
    validate(&reader, "/Patient", &body);
}

fn a_regulators_sender_hears_what_its_create_would_be_told(context: &Context) {
    let sas = shared(context).client("sas");
    let body = json!({ "resourceType": "Practitioner", "name": [{ "family": "Seul" }] });
    let told = sas.post("/Practitioner").json(&body).send().expect(422).json();
    assert_eq!(
        validate(&sas, "/Practitioner", &body).json()["issue"],
        told["issue"]
    );
}
