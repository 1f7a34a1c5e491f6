//! `$validate`: `fhir-rest.md` 7, sentence by sentence.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;
use testkit::wait::wait_for;

use crate::access::client_key;
use crate::rest::profiles::{INS, qualified, without_gender};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    validate_answers_200_with_an_outcome_also_when_the_resource_is_invalid,
    validate_writes_nothing,
    p59_every_validation_issue_has_an_expression,
    p60_an_issue_names_its_element_and_is_told_once,
    p61_every_issue_has_a_severity_and_a_code,
    p63_an_issue_of_parameters_points_into_the_resource,
    validate_speaks_xml,
    validate_takes_parameters_and_the_query_string,
    a_profile_is_claimed_or_asked_for_and_an_unknown_one_is_an_issue,
    what_is_stored_is_validated_by_its_id,
    a_mode_says_what_the_resource_is_for,
    what_is_no_resource_at_all_is_refused,
    validate_needs_a_scope_and_sees_no_other_space,
    a_regulators_account_is_judged_as_its_post_would_be,
    validate_is_told_in_the_capability_statement,
];

fn validate(client: &Client, path: &str, body: &Value) -> Response {
    let answer = client.post(path).json(body).send().expect(200);
    assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{answer:?}");
    assert!(!answer.issues().is_empty(), "{answer:?}");
    answer
}

fn is_valid(answer: &Response) -> bool {
    answer.issues().iter().all(|issue| issue.severity != "error")
}

fn validate_answers_200_with_an_outcome_also_when_the_resource_is_invalid(context: &Context) {
    let fhir = shared_fhir(context);
    let good = validate(&fhir, "/Patient/$validate", &patient(&unique()));
    let issues = good.issues();
    assert_eq!(
        (issues.len(), issues[0].severity.as_str()),
        (1, "information"),
        "{good:?}"
    );
    // What a create answers with 400, with 422, and both.
    for (body, places) in [
        (
            json!({ "resourceType": "Patient", "birthDate": "yesterday" }),
            vec!["Patient.birthDate"],
        ),
        (
            json!({ "resourceType": "Patient", "gender": "robot" }),
            vec!["Patient.gender"],
        ),
        (
            json!({ "resourceType": "Patient", "nmae": [], "name": "x", "gender": "robot" }),
            vec!["Patient.nmae", "Patient.name", "Patient.gender"],
        ),
        (json!({ "resourceType": "Practitioner" }), vec!["Practitioner"]),
    ] {
        let answer = validate(&fhir, "/Patient/$validate", &body);
        assert!(!is_valid(&answer), "{answer:?}");
        if body["resourceType"] == "Patient" {
            places.into_iter().for_each(|place| points_at(&answer, place));
        }
    }
}

fn validate_writes_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let value = unique();
    for mode in ["create", "update", "profile&profile=urn:x"] {
        fhir.post(format!("/Patient/$validate?mode={mode}"))
            .json(&patient(&value))
            .send()
            .expect(200);
    }
    assert_eq!(count_local(&fhir, &value), 0);
    let created = fhir.post("/Patient").json(&patient(&value)).send().expect(201);
    let path = format!("/Patient/{}", created.id());
    let changed = with(
        with(patient(&value), "id", json!(created.id())),
        "gender",
        json!("female"),
    );
    validate(&fhir, &format!("{path}/$validate?mode=update"), &changed);
    fhir.get(format!("{path}/$validate?mode=delete"))
        .send()
        .expect(200);
    let now = fhir.get(&path).send().expect(200);
    assert_eq!(now.json(), created.json());
}

fn p59_every_validation_issue_has_an_expression(context: &Context) {
    let fhir = shared_fhir(context);
    let bad = json!({ "resourceType": "Patient", "meta": { "profile": [INS, "urn:unheld"] }, "birthDate": "x",
        "identifier": [{}], "extension": [{ "url": "urn:x" }], "contact": [{ "gender": "female" }], "foo": 1 });
    let taken = qualified(&unique());
    fhir.post("/Patient").json(&taken).send().expect(201);
    let answers = [
        validate(&fhir, "/Patient/$validate?profile=urn:other", &bad),
        validate(&fhir, "/Patient/$validate?mode=create", &taken),
        validate(&fhir, "/Patient/$validate", &patient(&unique())),
        fhir.get("/Patient/nobody-at-all/$validate?mode=delete")
            .send()
            .expect(200),
    ];
    for answer in answers {
        for issue in answer.issues() {
            assert_eq!(issue.expression.len(), 1, "{answer:?}");
            assert!(issue.expression[0].starts_with("Patient"), "{answer:?}");
        }
        assert!(!answer.text().contains("\"location\""), "{answer:?}");
    }
}

fn p60_an_issue_names_its_element_and_is_told_once(context: &Context) {
    let fhir = shared_fhir(context);
    let twice = with(
        without_gender(&unique()),
        "meta",
        json!({ "profile": [INS, format!("{INS}|2.1.0")] }),
    );
    let answer = validate(&fhir, &format!("/Patient/$validate?profile={INS}"), &twice);
    let errors: Vec<_> = answer
        .issues()
        .into_iter()
        .filter(|issue| issue.severity == "error")
        .collect();
    assert_eq!(errors.len(), 1, "{answer:?}");
    assert!(errors[0].text.contains("`gender`"), "{answer:?}");
    assert_eq!(errors[0].expression, ["Patient.gender"]);
    assert_eq!(errors[0].diagnostics, INS);
    // Base R4 demands it, and a profile too: one issue.
    let link = json!({ "resourceType": "Patient", "link": [{ "type": "refer" }] });
    let answer = validate(&fhir, "/Patient/$validate", &link);
    assert_eq!(answer.issues().len(), 1, "{answer:?}");
}

fn p61_every_issue_has_a_severity_and_a_code(context: &Context) {
    let fhir = shared_fhir(context);
    let bad =
        json!({ "resourceType": "Patient", "meta": { "profile": [INS] }, "gender": "robot", "name": [{}] });
    let answer = validate(&fhir, "/Patient/$validate", &bad).json();
    for issue in answer["issue"].as_array().unwrap() {
        for property in ["severity", "code", "diagnostics"] {
            assert!(issue[property].is_string(), "{issue}");
        }
        assert!(issue["details"]["text"].is_string(), "{issue}");
    }
}

fn p63_an_issue_of_parameters_points_into_the_resource(context: &Context) {
    let fhir = shared_fhir(context);
    let body = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "mode", "valueCode": "create" },
        { "name": "resource", "resource": { "resourceType": "Patient", "name": [{ "family": "" }], "birthDate": "x" } },
    ] });
    let answer = validate(&fhir, "/Patient/$validate", &body);
    points_at(&answer, "Patient.name[0].family");
    points_at(&answer, "Patient.birthDate");
}

fn validate_speaks_xml(context: &Context) {
    let fhir = shared_fhir(context);
    let bare = format!(
        "<Patient xmlns=\"http://hl7.org/fhir\"><meta><profile value=\"{INS}\"/></meta><gender value=\"robot\"/></Patient>"
    );
    let wrapped = format!(
        "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"resource\"/><resource>{bare}</resource>\
         </parameter></Parameters>"
    );
    for body in [bare.clone(), wrapped] {
        let answer = fhir
            .post("/Patient/$validate")
            .header("Content-Type", "application/fhir+xml")
            .header("Accept", "application/fhir+xml")
            .body(body.clone())
            .send()
            .expect(200);
        let root = xml_root(&answer);
        assert!(root.starts_with("<OperationOutcome"), "{root}");
        for place in ["Patient.gender", "Patient.birthDate", "Patient.identifier"] {
            assert!(
                root.contains(&format!("<expression value=\"{place}\"/>")),
                "{root}"
            );
        }
        // XML in, JSON out.
        let answer = fhir
            .post("/Patient/$validate?_format=json")
            .header("Content-Type", "application/fhir+xml")
            .body(body)
            .send()
            .expect(200);
        points_at(&answer, "Patient.gender");
    }
}

fn validate_takes_parameters_and_the_query_string(context: &Context) {
    let fhir = shared_fhir(context);
    let plain = patient(&unique());
    let asked = |extra: Value| {
        let mut parameters = vec![json!({ "name": "resource", "resource": plain.clone() })];
        parameters.push(extra);
        json!({ "resourceType": "Parameters", "parameter": parameters })
    };
    let by_body = [
        asked(json!({ "name": "profile", "valueUri": INS })),
        asked(json!({ "name": "profile", "valueCanonical": INS })),
    ];
    for body in by_body {
        let answer = validate(&fhir, "/Patient/$validate", &body);
        points_at(&answer, "Patient.gender");
    }
    let answer = validate(
        &fhir,
        &format!("/Patient/$validate?profile={INS}&mode=profile"),
        &plain,
    );
    points_at(&answer, "Patient.gender");
    assert!(is_valid(&validate(
        &fhir,
        "/Patient/$validate",
        &asked(json!({ "name": "mode", "valueCode": "create" }))
    )));
    let unknown = fhir.post("/Patient/$validate?mode=guess").json(&plain).send();
    refused(unknown, 400, "value");
    let unknown = asked(json!({ "name": "mode", "valueCode": "guess" }));
    refused(
        fhir.post("/Patient/$validate").json(&unknown).send(),
        400,
        "value",
    );
    refused(
        fhir.post("/Patient/$validate?mode=profile").json(&plain).send(),
        400,
        "required",
    );
}

fn a_profile_is_claimed_or_asked_for_and_an_unknown_one_is_an_issue(context: &Context) {
    let fhir = shared_fhir(context);
    let severity = |answer: &Response| {
        answer
            .issues()
            .iter()
            .map(|issue| issue.severity.clone())
            .collect::<Vec<_>>()
    };
    let claims = with(patient(&unique()), "meta", json!({ "profile": ["urn:unheld"] }));
    let answer = validate(&fhir, "/Patient/$validate", &claims);
    assert_eq!(severity(&answer), ["warning"]);
    points_at(&answer, "Patient.meta.profile[0]");
    let answer = validate(
        &fhir,
        "/Patient/$validate?profile=urn:unheld",
        &patient(&unique()),
    );
    assert_eq!(severity(&answer), ["error"]);
    let of_another_type = with(
        patient(&unique()),
        "meta",
        json!({ "profile": ["https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-practitioner"] }),
    );
    let answer = validate(&fhir, "/Patient/$validate", &of_another_type);
    assert_eq!(severity(&answer), ["error"]);
    assert!(is_valid(&validate(
        &fhir,
        "/Patient/$validate",
        &qualified(&unique())
    )));
}

fn what_is_stored_is_validated_by_its_id(context: &Context) {
    let fhir = shared_fhir(context);
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let path = format!("/Patient/{}/$validate", created.id());
    assert!(is_valid(&fhir.get(&path).send().expect(200)));
    let asked = fhir.get(format!("{path}?profile={INS}")).send().expect(200);
    points_at(&asked, "Patient.gender");
    let asked = fhir.post(format!("{path}?profile={INS}")).send().expect(200);
    points_at(&asked, "Patient.gender");
    let parameters =
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "profile", "valueUri": INS }] });
    points_at(&validate(&fhir, &path, &parameters), "Patient.gender");
    refused(
        fhir.get("/Patient/nobody-at-all/$validate").send(),
        404,
        "not-found",
    );
}

fn a_mode_says_what_the_resource_is_for(context: &Context) {
    let fhir = shared_fhir(context);
    let resource = qualified(&unique());
    let created = fhir.post("/Patient").json(&resource).send().expect(201);
    let has = |answer: &Response, code: &str| answer.issues().iter().any(|issue| issue.code == code);
    // An identifier with an owner: taken for another, not for its owner.
    assert!(has(
        &validate(&fhir, "/Patient/$validate?mode=create", &resource),
        "duplicate"
    ));
    let own = with(resource.clone(), "id", json!(created.id()));
    let path = format!("/Patient/{}/$validate?mode=update", created.id());
    assert!(is_valid(&validate(&fhir, &path, &own)));
    assert!(is_valid(&validate(&fhir, "/Patient/$validate", &resource)));
    for other in [resource.clone(), with(resource, "id", json!("another"))] {
        let answer = validate(&fhir, &path, &other);
        assert!(has(&answer, "invalid"), "{answer:?}");
        points_at(&answer, "Patient.id");
    }
    let delete = |id: &str| {
        fhir.get(format!("/Patient/{id}/$validate?mode=delete"))
            .send()
            .expect(200)
    };
    assert!(is_valid(&delete(&created.id())));
    assert!(has(&delete("nobody-at-all"), "not-found"));
}

fn what_is_no_resource_at_all_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let post = |kind: &str, body: &str| {
        fhir.post("/Patient/$validate")
            .header("Content-Type", kind)
            .body(body.to_owned())
            .send()
    };
    for body in ["{\"resourceType\": \"Patient\"", "{} {}", "nothing", "[]"] {
        let answer = post("application/fhir+json", body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    for body in ["<Patient xmlns=\"http://hl7.org/fhir\">", "<a></b>"] {
        assert_eq!(post("application/fhir+xml", body).status, 400, "{body}");
    }
    refused(post("text/plain", "x"), 415, "not-supported");
    refused(fhir.post("/Patient/$validate").send(), 400, "required");
    refused(
        fhir.post("/Observation/$validate").json(&json!({})).send(),
        404,
        "not-supported",
    );
}

fn validate_needs_a_scope_and_sees_no_other_space(context: &Context) {
    let (server, fhir) = context.fhir();
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    succeeds(context, &server, &["space", "add", "elsewhere", "--sandbox"]);
    let key = client_key(
        context,
        &server,
        "foreign",
        &["elsewhere"],
        &["system/Patient.cruds"],
    );
    let foreign = fhir_with_key(&server, &key);
    let path = format!("/Patient/{}/$validate", created.id());
    // It is audited as a read is.
    fhir.get(&path).send().expect(200);
    let rows = format!(
        "SELECT count(*) FROM audit WHERE interaction = 'validate' AND outcome = 'ok' AND id = '{}'",
        created.id()
    );
    wait_for(Duration::from_secs(10), "the audit row", || {
        (execute(&server, &rows) == "1").then_some(())
    });
    refused(foreign.get(&path).send(), 404, "not-found");
    let key = client_key(context, &server, "creator", &["elsewhere"], &["system/Patient.c"]);
    let creator = fhir_with_key(&server, &key);
    validate(&creator, "/Patient/$validate", &patient("1"));
    refused(creator.get(&path).send(), 403, "forbidden");
    let key = client_key(context, &server, "deleter", &["elsewhere"], &["system/Patient.d"]);
    let deleter = fhir_with_key(&server, &key);
    refused(
        deleter.post("/Patient/$validate").json(&patient("1")).send(),
        403,
        "forbidden",
    );
}

fn a_regulators_account_is_judged_as_its_post_would_be(context: &Context) {
    let fhir = shared_fhir(context);
    let value = unique();
    let good = account(PELTIER, &[(INTRN, &value)], true);
    assert!(is_valid(&validate(
        &fhir,
        "/Practitioner/$validate?mode=create",
        &good
    )));
    let mut bad = good.clone();
    bad.as_object_mut().unwrap().shift_remove("telecom");
    bad["name"][0]["given"] = json!(["A", "B"]);
    let told = |response: &Response| {
        let errors = response
            .issues()
            .into_iter()
            .filter(|issue| issue.severity == "error");
        errors
            .map(|issue| (issue.code, issue.expression, issue.text))
            .collect::<Vec<_>>()
    };
    let judged = told(&validate(&fhir, "/Practitioner/$validate", &bad));
    let posted = told(&fhir.post("/Practitioner").json(&bad).send().expect(422));
    assert_eq!(judged, posted);
    fhir.post("/Practitioner").json(&good).send().expect(201);
    let answer = validate(&fhir, "/Practitioner/$validate?mode=create", &good);
    assert!(
        answer.issues().iter().any(|issue| issue.code == "duplicate"),
        "{answer:?}"
    );
}

fn validate_is_told_in_the_capability_statement(context: &Context) {
    let statement = shared_fhir(context).get("/metadata").send().expect(200).json();
    for kind in ["Patient", "Practitioner"] {
        let resources = statement["rest"][0]["resource"].as_array().unwrap();
        let row = resources.iter().find(|row| row["type"] == kind).unwrap();
        let told = row["operation"].as_array().unwrap().iter().filter(|told| {
            told["name"] == "validate"
                && told["definition"] == "http://hl7.org/fhir/OperationDefinition/Resource-validate"
        });
        assert_eq!(told.count(), 1, "{row}");
    }
}
