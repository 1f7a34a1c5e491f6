//! The CapabilityStatement — <https://hl7.org/fhir/R4/capabilitystatement.html>, made from the tables that
//! the running code reads: it cannot promise what is not there.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use chrono::Utc;
use fhir::ResourceType;
use fhir::query::param::{DEFINITIONS, Definition};
use fhir::query::shape::followed;
use fhir::query::{Include, SearchParam};
use serde_json::{Map, Value, json};

use crate::ask::Visit;
use crate::audit;
use crate::base::{Base, FHIR_PATH};
use crate::conformance::{self, Catalogue, Kind, PARAMETERS, Parameter, parameters};
use crate::error::Failure;
use crate::media;
use crate::respond;
use crate::routes::ROUTES;
use crate::smart;

#[cfg(test)]
mod tests;

/// The date of the statement: when this process first told it.
static STARTED: LazyLock<String> = LazyLock::new(|| Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string());

/// The path of the types that are stored.
const STORED: &str = "/fhir/{type}";
/// The order of the codes in the statement.
const INTERACTIONS: [&str; 9] = [
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
];
/// The path of what every type changed, together.
const SYSTEM_HISTORY_PATH: &str = "/fhir/_history";

/// <https://hl7.org/fhir/R4/http.html#capabilities>
pub async fn metadata(visit: Visit<'_>) -> Result<HttpResponse, Failure> {
    // Open to anybody, so nothing has refused an Accept of neither format yet.
    let answer = media::answer(visit.headers(), visit.request.query_string())?;
    let (mime, body) = respond::render(&told(visit), answer)?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// The statement, as this visitor is told it.
pub fn told(visit: Visit<'_>) -> Value {
    let cors = if visit.app.settings.cors_origins.is_empty() {
        Cors::Off
    } else {
        Cors::On
    };
    let mut security = smart::security(visit.app.auth.issuers());
    security.insert("cors".to_owned(), json!(cors == Cors::On));
    statement(&visit.base(), &STARTED, security, &visit.app.conformance)
}

/// Whether some origin is configured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cors {
    On,
    Off,
}

fn statement(base: &Base, date: &str, security: Map<String, Value>, published_here: &Catalogue) -> Value {
    let stored = ResourceType::ALL
        .into_iter()
        .map(|kind| stored(kind, published_here));
    let told = Kind::ALL.into_iter().map(published);
    let resources: Vec<Value> = stored.chain(told).chain([audit_trail()]).collect();
    json!({
        "resourceType": "CapabilityStatement",
        "name": "Passerelle",
        "title": "What this server does",
        "status": "active",
        "date": date,
        "description": "Patients and practitioners, kept once as FHIR and reached by several doors. Made from the tables that \
                        the server runs by.",
        "kind": "instance",
        "software": { "name": "Passerelle", "version": env!("CARGO_PKG_VERSION") },
        "implementation": {
            "description": "FHIR R4 facade for patients and practitioners",
            "url": base.to_string(),
        },
        "fhirVersion": "4.0.1",
        "format": media::MIME_TYPES.iter().chain(&["json", "xml"]).collect::<Vec<_>>(),
        "patchFormat": media::PATCH_TYPES,
        "rest": [{
            "mode": "server",
            "documentation": "Each client works in one space and sees nothing of the others. Errors are OperationOutcomes that \
                              name the place and the remedy. A parameter that is not known is ignored unless \
                              'Prefer: handling=strict' is sent; in the criteria of a conditional interaction it is refused.",
            "security": security,
            "resource": resources,
            "interaction": of_system(),
            "searchParam": shared_params(),
        }],
    })
}

/// The interactions of the whole system.
fn of_system() -> Vec<Value> {
    let mut codes = Vec::new();
    let whole = |pattern| [FHIR_PATH, SYSTEM_HISTORY_PATH].contains(&pattern);
    for row in ROUTES.iter().filter(|row| whole(row.pattern)) {
        match row.interaction {
            // One route takes both.
            Some("transaction") => codes.extend(["transaction", "batch"]),
            other => codes.extend(other),
        }
    }
    codes.into_iter().map(|code| json!({ "code": code })).collect()
}

fn stored(kind: ResourceType, published_here: &Catalogue) -> Value {
    let offers = |code| offers(STORED, code);
    let params: Vec<Value> = DEFINITIONS
        .iter()
        .filter(|definition| definition.on.contains(&kind))
        .map(search_param)
        .collect();
    let mut row = json!({
        "type": kind.as_str(),
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{kind}"),
        "documentation": "A write that changes nothing makes no version. Versions count from 1.",
        "interaction": interactions(&INTERACTIONS, STORED),
        "versioning": "versioned-update",
        "readHistory": offers("vread"),
        "updateCreate": offers("update"),
        // `create` reads If-None-Exist, reads answer 304.
        "conditionalCreate": offers("create"),
        "conditionalRead": if offers("read") { "full-support" } else { "not-supported" },
        "conditionalUpdate": offers_by_criteria("update"),
        "conditionalDelete": if offers_by_criteria("delete") { "single" } else { "not-supported" },
        // A reference is kept as it was sent, whether it leads here or elsewhere.
        "referencePolicy": ["literal", "logical"],
        "searchParam": params,
    });
    for (property, list) in [
        ("supportedProfile", profiles(kind, published_here)),
        ("searchInclude", texts(includes(kind, Include::Referred))),
        ("searchRevInclude", texts(includes(kind, Include::Referring))),
        ("operation", operations(kind)),
    ] {
        // FHIR has no empty list.
        if let Some(row) = row.as_object_mut().filter(|_| !list.is_empty()) {
            row.insert(property.to_owned(), json!(list));
        }
    }
    row
}

/// The profiles of a type: those that are published.
fn profiles(kind: ResourceType, published_here: &Catalogue) -> Vec<Value> {
    texts(published_here.profiles_of(kind).map(str::to_owned).collect())
}

/// What can be included beside matches of a type, as `_include` or `_revinclude` writes it.
fn includes(kind: ResourceType, made: fn(SearchParam) -> Include) -> Vec<String> {
    let mut written: Vec<String> = followed()
        .filter(|row| made(row.param).of() == kind)
        .flat_map(|row| row.on.iter().map(|source| format!("{source}:{}", row.name)))
        .collect();
    if !written.is_empty() {
        written.insert(0, "*".to_owned());
    }
    written
}

fn texts(list: Vec<String>) -> Vec<Value> {
    list.into_iter().map(Value::String).collect()
}

/// The operations on a type or one resource of it, each once.
fn operations(kind: ResourceType) -> Vec<Value> {
    let own = format!("/fhir/{kind}/");
    let mut told = Vec::new();
    for row in ROUTES {
        let here = row.pattern.starts_with(&own) || row.pattern.strip_prefix(STORED).is_some();
        if let Some(operation) = row.operation.filter(|_| here) {
            let told_as = json!({ "name": operation.name, "definition": operation.definition });
            if !told.contains(&told_as) {
                told.push(told_as);
            }
        }
    }
    told
}

/// What a search of all types takes.
fn shared_params() -> Vec<Value> {
    let shared = DEFINITIONS
        .iter()
        .filter(|definition| ResourceType::ALL.iter().all(|kind| definition.on.contains(kind)));
    shared.map(search_param).collect()
}

fn published(kind: Kind) -> Value {
    let params: Vec<Value> = PARAMETERS
        .iter()
        .filter(|parameter| parameter.on.contains(&kind))
        .map(published_param)
        .collect();
    json!({
        "type": kind.as_str(),
        "documentation": "What this server publishes of itself. Any client that may call reads it, without a scope.",
        "interaction": interactions(&INTERACTIONS, conformance::TYPE_PATH),
        "versioning": "no-version",
        "conditionalRead": "not-match",
        "searchParam": params,
    })
}

fn audit_trail() -> Value {
    let params: Vec<Value> = fhir::query::audit::PARAMETERS
        .iter()
        .map(|(name, kind, definition)| json!({ "name": name, "type": kind, "definition": definition }))
        .collect();
    json!({
        "type": "AuditEvent",
        "profile": "http://hl7.org/fhir/StructureDefinition/AuditEvent",
        "documentation": "Who did what in the client's space, and who was refused, newest first, within two seconds of it. Needs the scope \
                          system/AuditEvent.rs, which system/*.rs does not hold. An agent is a client: agent=id or \
                          agent:identifier=system|id.",
        "interaction": interactions(&INTERACTIONS, audit::TYPE_PATH),
        "versioning": "no-version",
        "conditionalRead": "not-match",
        "searchParam": params,
    })
}

/// The interactions below a path, in the order of the statement.
fn interactions(codes: &[&str], path: &str) -> Vec<Value> {
    let offered = codes.iter().filter(|code| offers(path, code));
    offered.map(|code| json!({ "code": code })).collect()
}

fn offers(path: &str, code: &str) -> bool {
    ROUTES
        .iter()
        .any(|row| row.pattern.starts_with(path) && row.interaction == Some(code))
}

/// Whether an interaction works on the type too, with criteria in the place of the id.
fn offers_by_criteria(code: &str) -> bool {
    ROUTES
        .iter()
        .any(|row| row.pattern == STORED && row.interaction == Some(code))
}

fn search_param(definition: &Definition) -> Value {
    let mut param = json!({
        "name": definition.name,
        "definition": definition.definition,
        "type": definition.kind.as_str(),
    });
    let modifiers = parameters::modifiers(definition);
    if let Some(map) = param.as_object_mut().filter(|_| !modifiers.is_empty()) {
        let text = format!("Modifiers: {}.", modifiers.join(", "));
        map.insert("documentation".to_owned(), json!(text));
    }
    param
}

fn published_param(parameter: &Parameter) -> Value {
    let mut param = json!({ "name": parameter.name, "type": parameter.kind.as_str() });
    if let (Some(map), Some(definition)) = (param.as_object_mut(), parameter.definition) {
        map.insert("definition".to_owned(), json!(definition));
    }
    param
}
