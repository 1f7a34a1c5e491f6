//! The audit trail as FHIR — <https://hl7.org/fhir/R4/auditevent.html>: read by id and searched, newest first, each client
//! in its space. An AuditEvent is no stored resource: it is made of the row when it is asked for, and nobody writes it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, LAST_MODIFIED};
use adapters::naming::Naming;
use engine::Reply;
use fhir::Interaction;
use fhir::query::audit::{self, AuditQuery, Names};
use fhir::query::{encoding, parse};
use serde_json::{Map, Value, json};
use store::trail::AuditPage;

use crate::ask::Ask;
use crate::base::Base;
use crate::error::{self, Failure};
use crate::{precondition, prefer, respond};

pub mod event;

/// The path of the type.
pub const TYPE_PATH: &str = "/fhir/AuditEvent";
/// The path of a POSTed search.
pub const SEARCH_PATH: &str = "/fhir/AuditEvent/_search";
/// The path of one of them.
pub const RESOURCE_PATH: &str = "/fhir/AuditEvent/{id}";
/// Every row stays as it was written.
const VERSION: &str = "1";

type Answer = Result<HttpResponse, Failure>;

/// <https://hl7.org/fhir/R4/http.html#read>
pub async fn read(ask: Ask<'_>) -> Answer {
    let id = ask.segment("id");
    let position = audit::position(id).ok_or_else(|| match id.chars().next() {
        Some('$' | '_') => error::unknown_operation(id),
        _ => error::no_audit_event(),
    })?;
    let Reply::AuditEvent(recorded) = ask.run(Interaction::ReadAudit(position)).await? else {
        return Err(unexpected());
    };
    let mut response = HttpResponse::Ok();
    respond::header(&mut response, ETAG, format!("W/\"{VERSION}\""));
    respond::header(
        &mut response,
        LAST_MODIFIED,
        respond::http_date(recorded.row.time),
    );
    if precondition::is_known_tag(ask.visit.headers(), VERSION) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    let event = event::resource(&recorded, &naming(&ask));
    let (mime, body) = respond::render(&event, ask.visit.answer.get())?;
    response.insert_header((CONTENT_TYPE, mime));
    Ok(response.body(body))
}

/// <https://hl7.org/fhir/R4/http.html#search>
pub async fn search(ask: Ask<'_>) -> Answer {
    let query = ask.visit.request.query_string();
    searched(&ask, query).await
}

/// <https://hl7.org/fhir/R4/http.html#search>, parameters in the body
pub async fn posted_search(ask: Ask<'_>) -> Answer {
    let query = ask.posted_query().await?;
    searched(&ask, &query).await
}

async fn searched(ask: &Ask<'_>, query: &str) -> Answer {
    let pairs = parse::pairs(query)?;
    let (base, naming) = (ask.visit.base(), naming(ask));
    let names = Names {
        base: &base.to_string(),
        clients: &event::client_system(&naming),
        now: ask.session().now(),
    };
    let query = AuditQuery::parse(&pairs, prefer::handling(ask.visit.headers()), names)?;
    let links = Links::of(&query);
    let Reply::AuditPage(page) = ask.run(Interaction::SearchAudit(query)).await? else {
        return Err(unexpected());
    };
    respond::tree(&bundle(&base, &page, &links, &naming), ask.visit.answer.get())
}

/// The query strings of the links.
struct Links {
    own: String,
    first: String,
}

impl Links {
    fn of(query: &AuditQuery) -> Links {
        Links {
            own: query.link(query.cursor.as_deref()),
            first: query.link(None),
        }
    }

    fn elements(&self, base: &Base, next: Option<&str>) -> Value {
        let url = |query: &str| match query {
            "" => format!("{base}/AuditEvent"),
            query => format!("{base}/AuditEvent?{query}"),
        };
        let mut links = vec![
            json!({ "relation": "self", "url": url(&self.own) }),
            json!({ "relation": "first", "url": url(&self.first) }),
        ];
        if let Some(cursor) = next {
            let separator = if self.first.is_empty() { "" } else { "&" };
            let query = format!("{}{separator}_cursor={}", self.first, encoding::encode(cursor));
            links.push(json!({ "relation": "next", "url": url(&query) }));
        }
        Value::Array(links)
    }
}

fn bundle(base: &Base, page: &AuditPage, links: &Links, naming: &Naming) -> Map<String, Value> {
    let mut bundle = Map::new();
    bundle.insert("resourceType".to_owned(), json!("Bundle"));
    bundle.insert("type".to_owned(), json!("searchset"));
    if let Some(total) = page.total {
        bundle.insert("total".to_owned(), json!(total));
    }
    bundle.insert("link".to_owned(), links.elements(base, page.next.as_deref()));
    let entry = |recorded| {
        json!({
            "fullUrl": format!("{base}/AuditEvent/{}", event::id(recorded)),
            "resource": event::resource(recorded, naming),
            "search": { "mode": "match" },
        })
    };
    let entries: Vec<Value> = page.rows.iter().map(entry).collect();
    // FHIR knows no empty list.
    if !entries.is_empty() {
        bundle.insert("entry".to_owned(), Value::Array(entries));
    }
    bundle
}

fn naming(ask: &Ask<'_>) -> Naming {
    Naming::new(ask.visit.app.auth.naming_base())
}

fn unexpected() -> Failure {
    error::broken("the engine answered with a reply of another kind").into()
}
