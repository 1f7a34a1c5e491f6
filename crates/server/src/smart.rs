//! What a SMART client has to know before it asks for a token —
//! <https://hl7.org/fhir/smart-app-launch/conformance.html#using-well-known>

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use engine::{Permission, Scopes};
use fhir::ResourceType;
use serde_json::{Map, Value, json};

use crate::ask::Visit;
use crate::auth::token::{Algorithm, Issuers, Place};
use crate::error::Failure;

/// Below the FHIR base URL.
pub const CONFIGURATION_PATH: &str = "/fhir/.well-known/smart-configuration";
/// At the root of the server, for those who follow RFC 8615.
pub const ROOT_CONFIGURATION_PATH: &str = "/.well-known/smart-configuration";
/// Where a CapabilityStatement names the endpoints, for clients of SMART v1.
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";
/// Who has it reads the audit trail; `system/*` does not hold it.
const AUDIT_SCOPE: &str = "system/AuditEvent.rs";
const SECURITY_SERVICE: &str = "http://terminology.hl7.org/CodeSystem/restful-security-service";

/// `GET [base]/.well-known/smart-configuration`: JSON, whatever is asked for.
pub async fn configuration(visit: Visit<'_>) -> Result<HttpResponse, Failure> {
    let mut body = String::new();
    fhir::canonical::write_value(&mut body, &told(visit.app.auth.issuers()));
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
        .body(body))
}

/// Without issuers there is nobody to get a token from, and nothing is said of that. Of several the first is told:
/// there is room for one.
fn told(issuers: &Issuers) -> Value {
    let mut told = Map::new();
    let mut capabilities = vec!["permission-v1", "permission-v2"];
    if let Some(issuer) = issuers.iter().next() {
        capabilities.push("client-confidential-asymmetric");
        if let Some(endpoint) = &issuer.token_endpoint {
            told.insert("token_endpoint".to_owned(), json!(endpoint));
        }
        if let Place::Url(url) = &issuer.keys {
            told.insert("jwks_uri".to_owned(), json!(url));
        }
        told.insert("grant_types_supported".to_owned(), json!(["client_credentials"]));
        told.insert(
            "token_endpoint_auth_methods_supported".to_owned(),
            json!(["private_key_jwt"]),
        );
        // How clients sign their assertions, as SMART demands it of every authorization server.
        told.insert(
            "token_endpoint_auth_signing_alg_values_supported".to_owned(),
            json!(Algorithm::SMART.map(Algorithm::as_str)),
        );
    }
    told.insert("scopes_supported".to_owned(), json!(scopes_supported()));
    told.insert("capabilities".to_owned(), json!(capabilities));
    Value::Object(told)
}

/// Every scope of the FHIR door that lets somebody do something.
fn scopes_supported() -> Vec<String> {
    let letters: String = Permission::ALL.map(Permission::letter).iter().collect();
    let types = ResourceType::ALL.iter().map(|kind| kind.as_str());
    types
        .chain(["*"])
        .flat_map(|kind| [format!("system/{kind}.rs"), format!("system/{kind}.{letters}")])
        .chain([AUDIT_SCOPE.to_owned()])
        .filter(|scope| Scopes::parse(&[scope]).is_ok())
        .collect()
}

/// `rest.security` of the CapabilityStatement, less what is told of CORS.
pub fn security(issuers: &Issuers) -> Map<String, Value> {
    let mut told = Map::new();
    let Some(issuer) = issuers.iter().next() else {
        let text = "Send an API key as 'Authorization: Bearer <key>'.";
        told.insert("description".to_owned(), json!(text));
        return told;
    };
    if let Some(endpoint) = &issuer.token_endpoint {
        let uris = json!([{ "url": OAUTH_URIS, "extension": [{ "url": "token", "valueUri": endpoint }] }]);
        told.insert("extension".to_owned(), uris);
    }
    let service = json!([{ "coding": [{ "system": SECURITY_SERVICE, "code": "SMART-on-FHIR" }] }]);
    told.insert("service".to_owned(), service);
    let text = "Send an access token (SMART Backend Services) or an API key as 'Authorization: Bearer <token>'. Where tokens \
                are had is told by .well-known/smart-configuration.";
    told.insert("description".to_owned(), json!(text));
    told
}
