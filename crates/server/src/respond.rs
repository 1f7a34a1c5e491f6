//! Reply → HTTP response — <https://hl7.org/fhir/R4/http.html>

use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, HttpDate, LAST_MODIFIED, LOCATION, TryIntoHeaderValue,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use engine::reply::{Body, WriteReply};
use engine::{Reply, Written};
use fhir::canonical::{self, write_value};
use fhir::codec::{self, Format, Layout};
use fhir::query::subset::Subset;
use fhir::time::MICROS_PER_SECOND;
use fhir::{Issue, Timestamp, outcome};
use serde_json::{Map, Value};
use store::Stored;

use crate::ask::Ask;
use crate::bundle::{self, Links};
use crate::damage;
use crate::error::{self, Failure};
use crate::media::{self, Answer};
use crate::precondition;
use crate::prefer::{self, Return};

/// On which answers of a write `Location` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locate {
    /// On a 201.
    WhenCreated,
    /// On a 200 too: the sender did not name the resource.
    Always,
}

/// 200 of read and vread, or 304; with the wanted elements alone, when some are named.
///
/// # Errors
/// 500 of a reply of another kind.
pub fn read(ask: &Ask<'_>, reply: Reply, subset: Option<&Subset>) -> Result<HttpResponse, Failure> {
    let Reply::Resource(stored) = reply else {
        return Err(unexpected());
    };
    if precondition::is_known(ask.visit.headers(), &stored) {
        let mut response = HttpResponse::build(StatusCode::NOT_MODIFIED);
        versioned(&mut response, &stored);
        return Ok(response.finish());
    }
    let mut response = HttpResponse::Ok();
    versioned(&mut response, &stored);
    let answer = ask.visit.answer.get();
    let Some(subset) = subset else {
        return resource(response, stored, answer);
    };
    let mut tree = parse(&stored.body)?;
    subset.apply(stored.target.kind, &mut tree);
    let (mime, body) = render_map(&tree, answer)?;
    response.insert_header((CONTENT_TYPE, mime));
    Ok(response.body(body))
}

/// 200 or 201 of a write.
///
/// # Errors
/// 500 of a reply of another kind.
pub fn written(ask: &Ask<'_>, reply: Reply, locate: Locate) -> Result<HttpResponse, Failure> {
    let Reply::Written(reply) = reply else {
        return Err(unexpected());
    };
    let created = reply.written == Written::Created;
    let mut response = if created {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    versioned(&mut response, &reply.stored);
    if created || locate == Locate::Always {
        let url = ask
            .visit
            .base()
            .version(&reply.stored.target, reply.stored.version);
        header(&mut response, LOCATION, url);
    }
    match prefer::returned(ask.visit.headers()) {
        Return::Minimal => Ok(response.finish()),
        Return::Representation if reply.body == Body::Withheld => Ok(response.finish()),
        Return::Representation => resource(response, reply.stored, ask.visit.answer.get()),
        Return::OperationOutcome => {
            let outcome = outcome::operation_outcome(&issues_of(&reply));
            let (mime, body) = render(&outcome, ask.visit.answer.get())?;
            response.insert_header((CONTENT_TYPE, mime));
            Ok(response.body(body))
        }
    }
}

/// 204 of a delete.
///
/// # Errors
/// 500 of a reply of another kind.
pub fn deleted(_: &Ask<'_>, reply: Reply) -> Result<HttpResponse, Failure> {
    let Reply::Deleted(deletion) = reply else {
        return Err(unexpected());
    };
    let mut response = HttpResponse::NoContent();
    if let Some(stored) = deletion {
        versioned(&mut response, &stored);
    }
    Ok(response.finish())
}

/// 200 of a search.
///
/// # Errors
/// 500 of a reply of another kind.
pub fn searched(ask: &Ask<'_>, reply: Reply, links: &Links) -> Result<HttpResponse, Failure> {
    let Reply::Page(page) = reply else {
        return Err(unexpected());
    };
    let base = ask.visit.base();
    let answer = ask.visit.answer.get();
    let (mime, body) = if answer == Answer::default() && links.shows_whole() {
        (media::JSON, bundle::text(&base, &page, links))
    } else {
        // Looked for only when it is needed: which of the matches has no XML form.
        let all = bundle::tree(&base, &page, links, |_| true);
        render_map(&all, answer)
            .or_else(|_| render_map(&bundle::tree(&base, &page, links, damage::has_xml), answer))?
    };
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// 200 of a history.
///
/// # Errors
/// 500 of a reply of another kind.
pub fn history(ask: &Ask<'_>, reply: Reply, links: &Links) -> Result<HttpResponse, Failure> {
    let Reply::History(page) = reply else {
        return Err(unexpected());
    };
    let base = ask.visit.base();
    let answer = ask.visit.answer.get();
    let text = bundle::history::text(&base, &page, links, damage::is_whole);
    let (mime, body) = if answer == Answer::default() {
        (media::JSON, text)
    } else {
        let rendered = |text: &str| parse(text).and_then(|tree| render_map(&tree, answer));
        // Looked for only when it is needed: which of the versions has no such form.
        let showable = |stored: &Stored| damage::tree(stored).is_some_and(|tree| damage::has_xml(&tree));
        rendered(&text).or_else(|_| rendered(&bundle::history::text(&base, &page, links, showable)))?
    };
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// 200 with a tree that is a resource.
///
/// # Errors
/// 500 when XML cannot carry it.
pub fn tree(tree: &Map<String, Value>, answer: Answer) -> Result<HttpResponse, Failure> {
    let (mime, body) = render_map(tree, answer)?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// 200 with a resource that the server made itself.
///
/// # Errors
/// 500 when it is no object, or XML cannot carry it.
pub fn made(resource: &Value, answer: Answer) -> Result<HttpResponse, Failure> {
    let (mime, body) = render(resource, answer)?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// A resource that the server made itself, with its media type.
///
/// # Errors
/// 500 when it is no object, or XML cannot carry it.
pub fn render(resource: &Value, answer: Answer) -> Result<(HeaderValue, String), Failure> {
    let map = resource
        .as_object()
        .ok_or_else(|| error::broken("a resource that is no object"))?;
    render_map(map, answer)
}

/// A tree that is a resource, with its media type.
///
/// # Errors
/// 500 when XML cannot carry it.
pub fn render_map(resource: &Map<String, Value>, answer: Answer) -> Result<(HeaderValue, String), Failure> {
    let body = match (answer.format, answer.layout) {
        (Format::Xml, layout) => codec::encode_xml_with(resource, layout)
            .map_err(|failure| error::broken(&format!("no XML form: {failure}")))?,
        (Format::Json, Layout::Indented) => serde_json::to_string_pretty(resource)
            .map_err(|failure| error::broken(&format!("no JSON form: {failure}")))?,
        (Format::Json, Layout::Compact) => compact(resource),
    };
    let mime = match answer.format {
        Format::Json => media::JSON,
        Format::Xml => media::XML,
    };
    Ok((mime, body))
}

fn compact(resource: &Map<String, Value>) -> String {
    let mut text = String::with_capacity(512);
    for (position, (name, value)) in resource.iter().enumerate() {
        text.push(if position == 0 { '{' } else { ',' });
        write_value(&mut text, &Value::String(name.clone()));
        text.push(':');
        write_value(&mut text, value);
    }
    text.push('}');
    text
}

/// A stored body as a tree.
///
/// # Errors
/// 500 when it is no JSON object.
pub fn parse(body: &str) -> Result<Map<String, Value>, Failure> {
    canonical::read(body).map_err(|failure| {
        error::broken(&format!(
            "a stored body cannot be parsed: {:?}",
            failure.classify()
        ))
        .into()
    })
}

/// Adds a header; a value that cannot be one is left out rather than sent broken.
pub fn header(response: &mut HttpResponseBuilder, name: HeaderName, value: String) {
    if let Ok(value) = value.try_into_value() {
        response.insert_header((name, value));
    }
}

/// The body as it lies in the store, when it is wanted so: nothing is parsed on the way of a read. 500 when it
/// is damaged.
fn resource(
    mut response: HttpResponseBuilder,
    stored: Stored,
    answer: Answer,
) -> Result<HttpResponse, Failure> {
    if !damage::is_whole(&stored) {
        return Err(error::damaged(&stored.target).into());
    }
    if answer == Answer::default() {
        response.insert_header((CONTENT_TYPE, media::JSON));
        return Ok(response.body(stored.body));
    }
    let tree = damage::tree(&stored).ok_or_else(|| error::damaged(&stored.target))?;
    let (mime, body) = render_map(&tree, answer)?;
    response.insert_header((CONTENT_TYPE, mime));
    Ok(response.body(body))
}

fn versioned(response: &mut HttpResponseBuilder, stored: &Stored) {
    header(response, ETAG, format!("W/\"{}\"", stored.version));
    header(response, LAST_MODIFIED, http_date(stored.updated));
}

/// As an HTTP date, whole seconds, rounded down: `Sat, 21 Nov 2026 03:34:00 GMT`.
pub fn http_date(time: Timestamp) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(time.micros() / MICROS_PER_SECOND).unwrap_or_default();
    HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds.min(YEAR_10000 - 1))).to_string()
}

/// What there is to say of a write; when that is nothing, what was done.
pub fn issues_of(reply: &WriteReply) -> Vec<Issue> {
    if !reply.issues.is_empty() {
        return reply.issues.clone();
    }
    let Stored { target, version, .. } = &reply.stored;
    let text = match reply.written {
        Written::Created => format!("{target} was created as version {version}."),
        Written::Updated => format!("{target} was updated to version {version}."),
        Written::Unchanged => format!("{target} says this already: it stays at version {version}."),
        Written::Found => format!("{target} matches and was left as it is, at version {version}."),
    };
    vec![Issue::information(text)]
}

fn unexpected() -> Failure {
    error::broken("the engine answered with a reply of another kind").into()
}
