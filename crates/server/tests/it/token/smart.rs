//! What SMART clients are told before they ask for a token.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::Stage;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    smart_configuration_tells_where_tokens_are_had_and_which_scopes_there_are,
    without_an_issuer_nothing_is_told_of_tokens,
];

const TOKEN_ENDPOINT: &str = "https://auth.example/token";

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

fn smart_configuration_tells_where_tokens_are_had_and_which_scopes_there_are(context: &Context) {
    let stage = Stage::with(context, &format!("token-endpoint = '{TOKEN_ENDPOINT}'\n"));
    let nobody = stage.server.anonymous();
    let told = nobody
        .get("/fhir/.well-known/smart-configuration")
        .send()
        .expect(200);
    // JSON, whatever is asked for.
    for accept in ["application/fhir+xml", "image/png", "*/*"] {
        for path in [
            "/fhir/.well-known/smart-configuration",
            "/fhir/.well-known/smart-configuration/",
            "/.well-known/smart-configuration",
        ] {
            let again = nobody.get(path).header("Accept", accept).send().expect(200);
            assert_eq!(again.header("Content-Type"), Some("application/json"));
            assert_eq!(again.text(), told.text());
        }
    }
    let told = told.json();
    assert_eq!(told["token_endpoint"], TOKEN_ENDPOINT);
    assert_eq!(told["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(
        told["token_endpoint_auth_methods_supported"],
        json!(["private_key_jwt"])
    );
    assert_eq!(
        told["token_endpoint_auth_signing_alg_values_supported"],
        json!(["RS384", "ES384"])
    );
    for capability in ["client-confidential-asymmetric", "permission-v2", "permission-v1"] {
        assert!(strings(&told["capabilities"]).contains(&capability), "{told}");
    }
    // Every scope that is told works in a token.
    let scopes = strings(&told["scopes_supported"]);
    assert!(
        scopes.contains(&"system/Patient.cruds")
            && scopes.contains(&"system/*.rs")
            && scopes.contains(&"system/AuditEvent.rs"),
        "{told}"
    );
    for scope in scopes {
        let kind = if scope.contains("Practitioner") {
            "Practitioner"
        } else {
            "Patient"
        };
        if !scope.contains(kind) && !scope.contains('*') {
            continue;
        }
        let client = stage.fhir(&stage.token(scope));
        client.get(format!("/{kind}?_count=1")).send().expect(200);
    }
    nobody
        .head("/fhir/.well-known/smart-configuration")
        .send()
        .expect(200);
    let wrong = nobody
        .post("/fhir/.well-known/smart-configuration")
        .body("")
        .send();
    refused(wrong, 405, "not-supported");

    let statement = nobody.get("/fhir/metadata").send().expect(200).json();
    let security = &statement["rest"][0]["security"];
    let service = &security["service"][0]["coding"][0];
    assert_eq!(
        (&service["system"], &service["code"]),
        (
            &json!("http://terminology.hl7.org/CodeSystem/restful-security-service"),
            &json!("SMART-on-FHIR")
        )
    );
    let token = &security["extension"][0]["extension"][0];
    assert_eq!(
        (&token["url"], &token["valueUri"]),
        (&json!("token"), &json!(TOKEN_ENDPOINT))
    );
    assert_eq!(security["cors"], false);
}

fn without_an_issuer_nothing_is_told_of_tokens(context: &Context) {
    let nobody = shared(context).anonymous();
    let told = nobody
        .get("/fhir/.well-known/smart-configuration")
        .send()
        .expect(200)
        .json();
    assert_eq!(told.get("token_endpoint"), None);
    assert!(!strings(&told["capabilities"]).contains(&"client-confidential-asymmetric"));
    let statement = nobody.get("/fhir/metadata").send().expect(200).json();
    assert_eq!(statement["rest"][0]["security"].get("service"), None);
    // A token is nobody's then.
    let client = nobody
        .with_prefix("/fhir")
        .with_bearer("eyJhbGciOiJub25lIn0.e30.");
    refused(client.get("/Patient").send(), 401, "login");
}
