//! What is not served, and how it is said; the CapabilityStatement that cannot lie.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_wrong_method_is_told_the_right_ones,
    an_unknown_type_or_operation_is_not_found,
    an_unknown_path_is_an_outcome_too,
    a_trailing_slash_changes_nothing,
    the_capability_statement_says_what_works,
    the_capability_statement_lists_every_parameter_that_works,
    health_and_metadata_need_no_credential,
    options_without_an_origin_are_answered,
];

fn a_wrong_method_is_told_the_right_ones(context: &Context) {
    let fhir = shared_fhir(context);
    let wrong = [
        ("POST", "/Patient/x", &["GET", "HEAD", "PUT", "DELETE"][..]),
        ("PUT", "/metadata", &["GET", "HEAD"]),
        ("POST", "/metadata", &["GET", "HEAD"]),
        ("DELETE", "/metadata", &["GET"]),
        ("PUT", "/Patient/x/_history/1", &["GET", "HEAD"]),
        ("DELETE", "/Patient/x/_history/1", &["GET"]),
        ("POST", "/_history", &["GET", "HEAD"]),
        ("POST", "/Patient/_history", &["GET", "HEAD"]),
        ("DELETE", "/Patient/x/_history", &["GET", "HEAD"]),
        ("PUT", "/Patient/_search", &["POST"]),
        ("TRACE", "/Patient/x", &["GET"]),
        ("BREW", "/Patient", &["GET", "POST"]),
    ];
    for (method, target, allowed) in wrong {
        let answer = fhir
            .request(method, target)
            .header("Content-Type", "application/fhir+json")
            .body("{}")
            .send();
        let answer = refused(answer, 405, "not-supported");
        let allow = answer
            .header("Allow")
            .unwrap_or_else(|| panic!("no Allow: {answer:?}"));
        let methods: Vec<&str> = allow.split(',').map(str::trim).collect();
        for method in allowed {
            assert!(methods.contains(method), "{target}: {allow}");
        }
        assert!(!methods.contains(&method), "{target}: {allow}");
    }
}

fn an_unknown_type_or_operation_is_not_found(context: &Context) {
    let fhir = shared_fhir(context);
    let body = json!({ "resourceType": "Observation" });
    for target in [
        "/Observation",
        "/Observation/1",
        "/patient",
        "/PATIENT/1",
        "/Patients",
        "/Observation/1/_history/1",
    ] {
        refused(fhir.get(target).send(), 404, "not-supported");
    }
    refused(fhir.post("/Observation").json(&body).send(), 404, "not-supported");
    refused(
        fhir.put("/Observation?identifier=1").json(&body).send(),
        404,
        "not-supported",
    );
    refused(
        fhir.put("/Observation/1")
            .json(&with(body, "id", json!("1")))
            .send(),
        404,
        "not-supported",
    );
    refused(fhir.delete("/Observation/1").send(), 404, "not-supported");
    refused(
        fhir.get("/Patient/$no-such-operation").send(),
        404,
        "not-supported",
    );
}

fn an_unknown_path_is_an_outcome_too(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    for target in [
        "/Patient/x/y",
        "/Patient/x/_history/1/z",
        "//Patient",
        "/Patient//x",
    ] {
        let answer = fhir.get(target).send();
        assert_eq!(answer.status, 404, "{target}: {answer:?}");
        assert!(!answer.issues().is_empty(), "{target}: {answer:?}");
    }
    let xml = fhir
        .get("/Patient/x/y")
        .header("Accept", "application/fhir+xml")
        .send()
        .expect(404);
    assert!(xml.text().contains("<OperationOutcome"), "{xml:?}");
    assert!(!server.anonymous().get("/").send().expect(404).issues().is_empty());
}

fn a_trailing_slash_changes_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let created = fhir
        .post("/Patient/")
        .json(&patient(&unique()))
        .send()
        .expect(201);
    assert_eq!(
        fhir.get(format!("/Patient/{}/", created.id()))
            .send()
            .expect(200)
            .text(),
        created.text()
    );
    assert!(!created.location().contains("//Patient") && !created.location().contains("Patient//"));
}

fn the_capability_statement_says_what_works(context: &Context) {
    let server = shared(context);
    let statement = server.anonymous().get("/fhir/metadata").send().expect(200).json();
    assert_eq!(statement["resourceType"], "CapabilityStatement");
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["kind"], "instance");
    for (name, value) in statement.as_object().unwrap() {
        assert!(
            !value.is_null() && value != "" && value != &json!([]),
            "{name} is empty"
        );
    }
    let formats = statement["format"].as_array().unwrap();
    for format in ["application/fhir+json", "application/fhir+xml"] {
        assert!(formats.contains(&json!(format)), "{formats:?}");
    }
    let system = statement["rest"][0]["interaction"].as_array().unwrap();
    assert!(
        system.contains(&json!({ "code": "history-system" })),
        "{system:?}"
    );
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    for kind in ["Patient", "Practitioner"] {
        let row = resources
            .iter()
            .find(|row| row["type"] == kind)
            .unwrap_or_else(|| panic!("no {kind}"));
        assert_eq!(row["conditionalCreate"], true);
        assert_eq!(row["conditionalUpdate"], true);
        assert_eq!(row["updateCreate"], true);
        assert_eq!(row["conditionalRead"], "full-support");
        let codes: Vec<&str> = row["interaction"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| item["code"].as_str())
            .collect();
        assert_eq!(row["conditionalDelete"], "single");
        for code in [
            "read",
            "vread",
            "create",
            "update",
            "delete",
            "search-type",
            "history-instance",
            "history-type",
        ] {
            assert!(codes.contains(&code), "{kind}: {codes:?}");
        }
    }
}

fn the_capability_statement_lists_every_parameter_that_works(context: &Context) {
    let fhir = shared_fhir(context);
    let statement = fhir.get("/metadata").send().expect(200).json();
    let resources = statement["rest"][0]["resource"].as_array().unwrap().clone();
    let mut tried = 0;
    for row in resources
        .iter()
        .filter(|row| ["Patient", "Practitioner"].contains(&row["type"].as_str().unwrap()))
    {
        for parameter in row["searchParam"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            let value = match (name, parameter["type"].as_str().unwrap()) {
                ("active" | "deceased", _) => "true",
                (_, "date") => "2000-01-01",
                (_, "reference") => "Organization/nobody",
                _ => "nobody-of-this-name",
            };
            let kind = row["type"].as_str().unwrap();
            let strict = fhir
                .get(format!("/{kind}?{name}={value}"))
                .header("Prefer", "handling=strict")
                .send();
            assert_eq!(strict.status, 200, "{kind}.{name}: {strict:?}");
            tried += 1;
        }
    }
    assert!(tried >= 29 + 20, "{tried} parameters");
}

fn health_and_metadata_need_no_credential(context: &Context) {
    let server = shared(context);
    let nobody = server.anonymous();
    for path in ["/health/live", "/health/ready", "/fhir/metadata"] {
        nobody.get(path).send().expect(200);
        nobody
            .get(path)
            .header("Authorization", "Bearer nonsense")
            .send()
            .expect(200);
        nobody.head(path).send().expect(200);
    }
    let xml = nobody.get("/fhir/metadata?_format=xml").send().expect(200);
    assert!(
        xml_root(&xml).starts_with("<CapabilityStatement xmlns=\"http://hl7.org/fhir\">"),
        "{xml:?}"
    );
}

fn options_without_an_origin_are_answered(context: &Context) {
    let fhir = shared_fhir(context);
    let answer = fhir.request("OPTIONS", "/Patient").send();
    assert!(answer.status < 500, "{answer:?}");
    assert!(answer.header("Allow").is_some(), "{answer:?}");
}
