//! Every route of the server, in one table.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use engine::Door;

use crate::app::App;
use crate::ask::{Ask, Visit};
use crate::error::{self, Failure};
use crate::operation::{everything, matching, pix, validate};
use crate::partner::{cloud, connect, ehealth, patient_graph};
use crate::{audit, capability, conformance, gate, health, rest, smart, transaction};

#[cfg(test)]
mod clocks;
#[cfg(test)]
mod panicking;
#[cfg(test)]
pub(crate) mod served;
#[cfg(test)]
mod tests;

/// <https://hl7.org/fhir/R4/resource-operation-validate.html>
const VALIDATE: Operation = Operation {
    name: "validate",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
};

/// <https://hl7.org/fhir/R4/patient-operation-everything.html>
const EVERYTHING: Operation = Operation {
    name: "everything",
    definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
};

/// <https://hl7.org/fhir/R4/patient-operation-match.html>
const MATCH: Operation = Operation {
    name: "match",
    definition: "http://hl7.org/fhir/OperationDefinition/Patient-match",
};

/// <https://profiles.ihe.net/ITI/PIXm/ITI-83.html>
const IHE_PIX: Operation = Operation {
    name: "ihe-pix",
    definition: "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix",
};

type Answering<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + 'a>>;

/// Who answers a route, and what has been checked before.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Anybody may ask.
    Open(for<'a> fn(Visit<'a>) -> Answering<'a>),
    /// A credential is needed: the caller is known before the body is read or the id looked at.
    Known(for<'a> fn(Ask<'a>) -> Answering<'a>),
}

/// One route.
pub struct Row {
    /// The method; GET answers HEAD as well.
    pub method: Method,
    /// The path, as actix writes it.
    pub pattern: &'static str,
    /// The way in.
    pub door: Door,
    /// The code in the CapabilityStatement — <https://hl7.org/fhir/R4/valueset-type-restful-interaction.html>;
    /// `None` where that has none.
    pub interaction: Option<&'static str>,
    /// The operation, when the path names one.
    pub operation: Option<Operation>,
    /// Who answers.
    pub handler: Handler,
}

impl Row {
    /// What the audit trail calls it, when no interaction was run.
    pub fn name(&self) -> &'static str {
        let of_door = match (&self.method, self.pattern.contains("{id}")) {
            (&Method::POST, _) => "create",
            (&Method::PUT | &Method::PATCH, _) => "update",
            (&Method::DELETE, _) => "delete",
            (_, true) => "read",
            (_, false) => "search-type",
        };
        let operation = self.operation.map(|operation| operation.name);
        self.interaction.or(operation).unwrap_or(of_door)
    }
}

/// An operation, as the CapabilityStatement tells it — <https://hl7.org/fhir/R4/operations.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The name, without the `$`.
    pub name: &'static str,
    /// The canonical URL of the OperationDefinition that it follows.
    pub definition: &'static str,
}

const fn open(method: Method, pattern: &'static str, handler: for<'a> fn(Visit<'a>) -> Answering<'a>) -> Row {
    Row {
        method,
        pattern,
        door: Door::Fhir,
        interaction: None,
        operation: None,
        handler: Handler::Open(handler),
    }
}

const fn known(
    method: Method,
    pattern: &'static str,
    interaction: &'static str,
    handler: for<'a> fn(Ask<'a>) -> Answering<'a>,
) -> Row {
    Row {
        method,
        pattern,
        door: Door::Fhir,
        interaction: Some(interaction),
        operation: None,
        handler: Handler::Known(handler),
    }
}

const fn operation(
    method: Method,
    pattern: &'static str,
    operation: Operation,
    handler: for<'a> fn(Ask<'a>) -> Answering<'a>,
) -> Row {
    Row {
        method,
        pattern,
        door: Door::Fhir,
        interaction: None,
        operation: Some(operation),
        handler: Handler::Known(handler),
    }
}

const fn partner(
    method: Method,
    pattern: &'static str,
    door: Door,
    handler: for<'a> fn(Ask<'a>) -> Answering<'a>,
) -> Row {
    Row {
        method,
        pattern,
        door,
        interaction: None,
        operation: None,
        handler: Handler::Known(handler),
    }
}

/// Every route. Of two patterns that fit a path the earlier one counts.
#[rustfmt::skip]
pub static ROUTES: &[Row] = &[
    open(Method::GET, "/health/live", |visit| Box::pin(health::live(visit))),
    open(Method::GET, "/health/ready", |visit| Box::pin(health::ready(visit))),
    open(Method::GET, "/fhir/metadata", |visit| Box::pin(capability::metadata(visit))),
    open(Method::GET, smart::CONFIGURATION_PATH, |visit| Box::pin(smart::configuration(visit))),
    open(Method::GET, smart::ROOT_CONFIGURATION_PATH, |visit| Box::pin(smart::configuration(visit))),
    known(Method::POST, "/fhir", "transaction", |ask| Box::pin(transaction::process(ask))),
    known(Method::GET, conformance::TYPE_PATH, "search-type", |ask| Box::pin(conformance::search(ask))),
    known(Method::POST, conformance::SEARCH_PATH, "search-type", |ask| Box::pin(conformance::posted_search(ask))),
    known(Method::GET, conformance::RESOURCE_PATH, "read", |ask| Box::pin(conformance::read(ask))),
    known(Method::GET, audit::TYPE_PATH, "search-type", |ask| Box::pin(audit::search(ask))),
    known(Method::POST, audit::SEARCH_PATH, "search-type", |ask| Box::pin(audit::posted_search(ask))),
    known(Method::GET, audit::RESOURCE_PATH, "read", |ask| Box::pin(audit::read(ask))),
    known(Method::GET, "/fhir", "search-system", |ask| Box::pin(rest::search_system(ask))),
    known(Method::POST, "/fhir/_search", "search-system", |ask| Box::pin(rest::posted_search_system(ask))),
    known(Method::GET, "/fhir/_history", "history-system", |ask| Box::pin(rest::system_history(ask))),
    known(Method::GET, "/fhir/{type}", "search-type", |ask| Box::pin(rest::search(ask))),
    known(Method::POST, "/fhir/{type}", "create", |ask| Box::pin(rest::create(ask))),
    known(Method::PUT, "/fhir/{type}", "update", |ask| Box::pin(rest::conditional_update(ask))),
    known(Method::PATCH, "/fhir/{type}", "patch", |ask| Box::pin(rest::conditional_patch(ask))),
    known(Method::DELETE, "/fhir/{type}", "delete", |ask| Box::pin(rest::conditional_delete(ask))),
    known(Method::GET, "/fhir/{type}/_history", "history-type", |ask| Box::pin(rest::type_history(ask))),
    known(Method::POST, "/fhir/{type}/_search", "search-type", |ask| Box::pin(rest::posted_search(ask))),
    operation(Method::POST, "/fhir/Patient/$match", MATCH, |ask| Box::pin(matching::find(ask))),
    operation(Method::GET, "/fhir/Patient/$ihe-pix", IHE_PIX, |ask| Box::pin(pix::cross_reference(ask))),
    operation(Method::POST, "/fhir/Patient/$ihe-pix", IHE_PIX, |ask| Box::pin(pix::cross_reference(ask))),
    operation(Method::GET, "/fhir/Patient/{id}/$everything", EVERYTHING, |ask| Box::pin(everything::of_patient(ask))),
    operation(Method::POST, "/fhir/Patient/{id}/$everything", EVERYTHING, |ask| Box::pin(everything::of_patient(ask))),
    operation(Method::POST, "/fhir/{type}/$validate", VALIDATE, |ask| Box::pin(validate::of_type(ask))),
    operation(Method::POST, "/fhir/{type}/{id}/$validate", VALIDATE, |ask| Box::pin(validate::of_instance(ask))),
    operation(Method::GET, "/fhir/{type}/{id}/$validate", VALIDATE, |ask| Box::pin(validate::of_instance(ask))),
    known(Method::GET, "/fhir/{type}/{id}", "read", |ask| Box::pin(rest::read(ask))),
    known(Method::PUT, "/fhir/{type}/{id}", "update", |ask| Box::pin(rest::update(ask))),
    known(Method::PATCH, "/fhir/{type}/{id}", "patch", |ask| Box::pin(rest::patch(ask))),
    known(Method::DELETE, "/fhir/{type}/{id}", "delete", |ask| Box::pin(rest::delete(ask))),
    known(Method::GET, "/fhir/{type}/{id}/_history", "history-instance", |ask| Box::pin(rest::resource_history(ask))),
    known(Method::GET, "/fhir/{type}/{id}/_history/{vid}", "vread", |ask| Box::pin(rest::version_read(ask))),
    partner(Method::POST, "/cloud/partner/v5/patients", Door::MedicappCloud, |ask| Box::pin(cloud::create(ask))),
    partner(Method::GET, "/cloud/partner/v5/patients", Door::MedicappCloud, |ask| Box::pin(cloud::find(ask))),
    partner(Method::GET, "/cloud/partner/v5/patients/{id}", Door::MedicappCloud, |ask| Box::pin(cloud::read(ask))),
    partner(Method::PUT, "/cloud/partner/v5/patients/{id}", Door::MedicappCloud, |ask| Box::pin(cloud::update(ask))),
    partner(Method::POST, "/v5/patients", Door::MedicappConnect, |ask| Box::pin(connect::create(ask))),
    partner(Method::GET, "/v5/patients", Door::MedicappConnect, |ask| Box::pin(connect::list(ask))),
    partner(Method::GET, "/v5/patients/{id}", Door::MedicappConnect, |ask| Box::pin(connect::read(ask))),
    partner(Method::PUT, "/v5/patients/{id}", Door::MedicappConnect, |ask| Box::pin(connect::update(ask))),
    partner(Method::DELETE, "/v5/patients/{id}", Door::MedicappConnect, |ask| Box::pin(connect::erase(ask))),
    partner(Method::POST, "/api/prepersons", Door::Ehealth, |ask| Box::pin(ehealth::create(ask))),
    partner(Method::GET, "/api/prepersons/{id}", Door::Ehealth, |ask| Box::pin(ehealth::read(ask))),
    partner(Method::PATCH, "/api/prepersons/{id}", Door::Ehealth, |ask| Box::pin(ehealth::update(ask))),
    partner(Method::POST, "/v1/patients", Door::PatientGraph, |ask| Box::pin(patient_graph::create(ask))),
    partner(Method::GET, "/v1/patients", Door::PatientGraph, |ask| Box::pin(patient_graph::list(ask))),
    partner(Method::GET, "/v1/patients/{id}", Door::PatientGraph, |ask| Box::pin(patient_graph::read(ask))),
    partner(Method::GET, "/v1/patients/{id}/safe", Door::PatientGraph, |ask| Box::pin(patient_graph::read_safe(ask))),
];

/// Method and pattern of every route, for tests that leave none out.
pub fn routes() -> Vec<(&'static str, &'static str)> {
    let rows = ROUTES.iter();
    rows.map(|row| (row.method.as_str(), row.pattern)).collect()
}

/// The same of the FHIR API alone. What SMART wants told in JSON alone is not one of them.
pub fn routes_of_fhir() -> Vec<(&'static str, &'static str)> {
    let mut routes = routes();
    routes.retain(|(_, pattern)| pattern.starts_with("/fhir") && *pattern != smart::CONFIGURATION_PATH);
    routes
}

/// Method, pattern and door of every route of every door, for the same.
pub fn all_routes() -> Vec<(&'static str, &'static str, &'static str)> {
    let rows = ROUTES
        .iter()
        .filter(|row| matches!(row.handler, Handler::Known(_)));
    rows.map(|row| (row.method.as_str(), row.pattern, row.door.as_str()))
        .collect()
}

/// What stands for the route where there is none: its pattern is what the log shows.
static NO_ROUTE: Row = open(Method::GET, "(no route)", |visit| Box::pin(no_route(visit)));
/// The same where the path is known and the method is not.
static NO_METHOD: Row = open(Method::GET, "(no method)", |visit| Box::pin(no_method(visit)));

/// What stands for the route of all that has none.
pub static UNROUTED: &[&Row] = &[&NO_ROUTE, &NO_METHOD];

/// Registers the table with actix.
pub fn register(app: &Arc<App>, config: &mut web::ServiceConfig) {
    for pattern in patterns() {
        let slashed = format!("{pattern}/");
        // Partners' documents have no slash at the end: such a path is another one (`adapters.md` 0).
        let is_partner = rows_of(pattern).any(|row| row.door != Door::Fhir);
        let mut resource = if is_partner {
            web::resource(pattern)
        } else {
            web::resource([pattern, slashed.as_str()])
        };
        for row in rows_of(pattern) {
            resource = resource.route(web::method(row.method.clone()).to(answering(app, row)));
            if row.method == Method::GET {
                resource = resource.route(web::head().to(answering(app, row)));
            }
        }
        config.service(resource.default_service(web::to(answering(app, &NO_METHOD))));
    }
    config.default_service(web::to(answering(app, &NO_ROUTE)));
}

fn answering(
    app: &Arc<App>,
    row: &'static Row,
) -> impl Fn(HttpRequest, web::Payload) -> Pin<Box<dyn Future<Output = HttpResponse>>> + Clone + 'static {
    let app = Arc::clone(app);
    move |request, payload| Box::pin(gate::answer(Arc::clone(&app), row, request, payload))
}

fn patterns() -> Vec<&'static str> {
    let mut patterns: Vec<&str> = Vec::new();
    for row in ROUTES {
        if !patterns.contains(&row.pattern) {
            patterns.push(row.pattern);
        }
    }
    patterns
}

fn rows_of(pattern: &str) -> impl Iterator<Item = &'static Row> {
    ROUTES.iter().filter(move |row| row.pattern == pattern)
}

/// The pattern below `/fhir` that fits these segments.
pub fn pattern_of(segments: &[&str]) -> Option<&'static str> {
    let fits = |pattern: &str| {
        // What `{type:…}` stands for has no slash in it.
        let below = pattern.strip_prefix("/fhir/").unwrap_or_default();
        let parts: Vec<&str> = below.split('/').collect();
        parts.len() == segments.len()
            && parts
                .iter()
                .zip(segments)
                .all(|(part, segment)| match part.strip_prefix('{') {
                    None => part == segment,
                    Some(name) => match name.trim_end_matches('}').split_once(':') {
                        None => true,
                        Some((_, names)) => names.split('|').any(|name| name == *segment),
                    },
                })
    };
    // SMART's is no part of the API that a Bundle reaches.
    let rows = ROUTES
        .iter()
        .filter(|row| row.door == Door::Fhir && row.pattern != smart::CONFIGURATION_PATH);
    rows.map(|row| row.pattern).find(|pattern| fits(pattern))
}

/// The methods of a pattern, as `Allow` lists them.
pub fn allowed(pattern: &str) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for row in rows_of(pattern) {
        methods.push(row.method.as_str());
        if row.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.join(", ")
}

async fn no_method(visit: Visit<'_>) -> Result<HttpResponse, Failure> {
    let pattern = visit.request.match_pattern().unwrap_or_default();
    let pattern = pattern.trim_end_matches('/');
    let last = visit
        .request
        .path()
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    if last.starts_with('$') && !pattern.ends_with(last) {
        return Err(error::unknown_operation(last).into());
    }
    let allow = allowed(pattern);
    // The id of an unknown operation is none: nothing there takes another method either.
    let id = visit.request.match_info().get("id").unwrap_or_default();
    if id.starts_with('$') && visit.request.method() == Method::POST {
        return Err(error::unknown_operation(id).into());
    }
    if let Some(response) = crate::cors::preflight(
        &visit.app.settings.cors_origins,
        visit.headers(),
        visit.request.method(),
        &allow,
    ) {
        return Ok(response);
    }
    let hint = match visit.request.method().as_str() {
        _ if pattern.starts_with(audit::TYPE_PATH) => "The audit trail is read and searched, never written.",
        _ if pattern.starts_with(conformance::TYPE_PATH) => {
            "What the server publishes of itself is read and searched, never written."
        }
        "PATCH" => "PATCH an id, or the type with the criteria of one search.",
        "DELETE" => "DELETE an id, or the type with the criteria of one search.",
        "POST" => "POST to the type to create, PUT to the id to update.",
        "PUT" => "PUT to an id, or to the type with the criteria of one search.",
        _ => "",
    };
    Err(error::wrong_method(visit.request.method().as_str(), allow, hint))
}

async fn no_route(visit: Visit<'_>) -> Result<HttpResponse, Failure> {
    let path = visit.request.path().trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let refusal = match last {
        name if name.starts_with('$') => error::unknown_operation(name),
        _ => error::unknown_path("The FHIR API is at /fhir; /fhir/metadata says what it offers."),
    };
    Err(refusal.into())
}
