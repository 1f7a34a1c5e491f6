//! The CapabilityStatement — <https://hl7.org/fhir/R4/capabilitystatement.html>, made from the tables that
//! the running code reads: it cannot promise what is not there.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use chrono::Utc;
use fhir::ResourceType;
use fhir::query::param::{DEFINITIONS, Definition, ParamType};
use serde_json::{Value, json};

use crate::ask::Visit;
use crate::base::Base;
use crate::error::Failure;
use crate::media;
use crate::respond;
use crate::routes::ROUTES;

#[cfg(test)]
mod tests;

/// The date of the statement: when this process first told it.
static STARTED: LazyLock<String> = LazyLock::new(|| Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string());

/// The order of the codes in the statement.
const INTERACTIONS: [&str; 6] = ["read", "vread", "update", "delete", "create", "search-type"];

/// <https://hl7.org/fhir/R4/http.html#capabilities>
pub async fn metadata(visit: Visit<'_>) -> Result<HttpResponse, Failure> {
    // Open to anybody, so nothing has refused an Accept of neither format yet.
    let answer = media::answer(visit.headers(), visit.request.query_string())?;
    let cors = if visit.app.settings.cors_origins.is_empty() {
        Cors::Off
    } else {
        Cors::On
    };
    let (mime, body) = respond::render(&statement(&visit.base(), &STARTED, cors), answer)?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// Whether some origin is configured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cors {
    On,
    Off,
}

fn statement(base: &Base, date: &str, cors: Cors) -> Value {
    let resources: Vec<Value> = ResourceType::ALL.into_iter().map(resource).collect();
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": { "name": "Passerelle", "version": env!("CARGO_PKG_VERSION") },
        "implementation": {
            "description": "FHIR R4 facade for patients and practitioners",
            "url": base.to_string(),
        },
        "fhirVersion": "4.0.1",
        "format": media::MIME_TYPES.iter().chain(&["json", "xml"]).collect::<Vec<_>>(),
        "rest": [{
            "mode": "server",
            "security": {
                "cors": cors == Cors::On,
                "description": "Send an API key as 'Authorization: Bearer <key>'.",
            },
            "resource": resources,
        }],
    })
}

fn resource(kind: ResourceType) -> Value {
    let interactions: Vec<Value> = INTERACTIONS
        .into_iter()
        .filter(|code| offers(code))
        .map(|code| json!({ "code": code }))
        .collect();
    let params: Vec<Value> = DEFINITIONS
        .iter()
        .filter(|definition| definition.on.contains(&kind))
        .map(search_param)
        .collect();
    json!({
        "type": kind.as_str(),
        "interaction": interactions,
        "versioning": "versioned-update",
        "readHistory": offers("vread"),
        "updateCreate": offers("update"),
        // `create` reads If-None-Exist, reads answer 304.
        "conditionalCreate": offers("create"),
        "conditionalRead": if offers("read") { "full-support" } else { "not-supported" },
        "conditionalUpdate": ROUTES.iter().any(|row| row.pattern == "/fhir/{type}" && row.interaction == Some("update")),
        "conditionalDelete": "not-supported",
        "searchParam": params,
    })
}

fn offers(code: &str) -> bool {
    ROUTES.iter().any(|row| row.interaction == Some(code))
}

fn search_param(definition: &Definition) -> Value {
    json!({
        "name": definition.name,
        "definition": definition.definition,
        "type": match definition.kind {
            ParamType::Token => "token",
            ParamType::String => "string",
            ParamType::Date => "date",
            ParamType::Reference => "reference",
            ParamType::Uri => "uri",
        },
    })
}
