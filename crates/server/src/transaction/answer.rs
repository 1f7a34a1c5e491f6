//! The response Bundle — <https://hl7.org/fhir/R4/http.html#transaction-response>

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use engine::reply::{Body, WriteReply};
use engine::{Refusal, Reply, Written};
use fhir::bundle::Mode;
use fhir::codec::Format;
use fhir::{Issue, outcome};
use serde_json::{Map, Value, json};
use store::{HistoryPage, Stored};

use super::entry::{Shape, Told};
use crate::ask::Ask;
use crate::base::Base;
use crate::error::{self, Failure};
use crate::prefer::{self, Return};
use crate::{bundle, damage, precondition, respond};

/// What became of an entry.
pub enum Answered {
    /// It was done.
    Done(Box<Reply>, Box<Shape>),
    /// The server said it of itself.
    Told(Box<Told>, Box<Shape>),
    /// It was refused, its places told in the Bundle.
    Refused(Box<Failure>),
}

/// 200 with an entry for each entry.
///
/// # Errors
/// 500 when XML cannot carry it.
pub fn bundle(
    ask: &Ask<'_>,
    base: &Base,
    mode: Mode,
    answered: Vec<Answered>,
) -> Result<HttpResponse, Failure> {
    let kind = match mode {
        Mode::Batch => "batch-response",
        Mode::Transaction => "transaction-response",
    };
    let writing = Writing {
        base,
        returned: prefer::returned(ask.visit.headers()),
        format: ask.visit.answer.get().format,
        request_id: ask.visit.request_id,
    };
    let mut tree = Map::new();
    tree.insert("resourceType".to_owned(), json!("Bundle"));
    tree.insert("type".to_owned(), json!(kind));
    let entries: Vec<Value> = answered.into_iter().map(|one| writing.entry(one)).collect();
    if !entries.is_empty() {
        tree.insert("entry".to_owned(), Value::Array(entries));
    }
    let (mime, body) = respond::render_map(&tree, ask.visit.answer.get())?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// What all entries of an answer share.
struct Writing<'a> {
    base: &'a Base,
    returned: Return,
    format: Format,
    request_id: &'a str,
}

impl Writing<'_> {
    fn entry(&self, answered: Answered) -> Value {
        match answered {
            Answered::Refused(failure) => self.refused(&failure.refusal),
            Answered::Done(reply, shape) => self.done(*reply, &shape),
            Answered::Told(told, shape) => self.told(*told, &shape),
        }
    }

    fn done(&self, reply: Reply, shape: &Shape) -> Value {
        match reply {
            Reply::Written(reply) => self.written(&reply),
            Reply::Deleted(deletion) => {
                let mut response = status(StatusCode::NO_CONTENT);
                if let Some(stored) = deletion {
                    self.version(&mut response, &stored);
                }
                json!({ "response": response })
            }
            Reply::Resource(stored) => self.read(&stored, shape),
            Reply::Page(page) => {
                let Some(links) = &shape.links else {
                    return self.refused(&error::broken("a page without links"));
                };
                let tree = match self.format {
                    Format::Json => bundle::tree(self.base, &page, links, |_| true),
                    Format::Xml => bundle::tree(self.base, &page, links, damage::has_xml),
                };
                json!({ "resource": tree, "response": status(StatusCode::OK) })
            }
            Reply::History(page) => self.history(&page, shape),
            Reply::List(_)
            | Reply::Records(_)
            | Reply::Issues(_)
            | Reply::CrossReferenced(_)
            | Reply::Matches(_)
            | Reply::AuditEvent(_)
            | Reply::AuditPage(_) => {
                self.refused(&error::broken("an entry was answered with what no entry asks"))
            }
        }
    }

    fn history(&self, page: &HistoryPage, shape: &Shape) -> Value {
        let Some(links) = &shape.links else {
            return self.refused(&error::broken("a history without links"));
        };
        let showable = |stored: &Stored| self.shown(stored).is_some();
        match respond::parse(&bundle::history::text(self.base, page, links, showable)) {
            Ok(tree) => json!({ "resource": tree, "response": status(StatusCode::OK) }),
            Err(failure) => self.refused(&failure.refusal),
        }
    }

    fn told(&self, told: Told, shape: &Shape) -> Value {
        let tag = told.tag.as_deref();
        let is_known = tag.is_some_and(|tag| precondition::is_known_tag(&shape.headers, tag));
        let mut response = status(if is_known {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::OK
        });
        if let Some(tag) = tag {
            response.insert("etag".to_owned(), json!(format!("W/\"{tag}\"")));
        }
        let mut entry = json!({});
        if let Some(path) = told.path.filter(|_| !is_known) {
            put(&mut entry, "fullUrl", json!(format!("{}/{path}", self.base)));
        }
        if !is_known {
            put(&mut entry, "resource", told.resource);
        }
        put(&mut entry, "response", Value::Object(response));
        entry
    }

    fn written(&self, reply: &WriteReply) -> Value {
        let mut response = status(match reply.written {
            Written::Created => StatusCode::CREATED,
            Written::Updated | Written::Unchanged | Written::Found => StatusCode::OK,
        });
        let stored = &reply.stored;
        let location = self.base.version(&stored.target, stored.version);
        response.insert("location".to_owned(), json!(location));
        self.version(&mut response, stored);
        let mut entry = json!({ "fullUrl": self.base.resource(&stored.target) });
        match self.returned {
            Return::Minimal => {}
            Return::Representation if reply.body == Body::Withheld => {}
            Return::Representation => match self.shown(stored) {
                Some(tree) => put(&mut entry, "resource", Value::Object(tree)),
                None => return self.refused(&error::damaged(&stored.target)),
            },
            Return::OperationOutcome => {
                let outcome = outcome::operation_outcome(&respond::issues_of(reply));
                response.insert("outcome".to_owned(), outcome);
            }
        }
        put(&mut entry, "response", Value::Object(response));
        entry
    }

    fn read(&self, stored: &Stored, shape: &Shape) -> Value {
        let is_known = precondition::is_known(&shape.headers, stored);
        let mut response = status(if is_known {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::OK
        });
        self.version(&mut response, stored);
        if is_known {
            return json!({ "response": response });
        }
        let Some(mut tree) = self.shown(stored) else {
            return self.refused(&error::damaged(&stored.target));
        };
        if let Some(subset) = &shape.subset {
            subset.apply(stored.target.kind, &mut tree);
        }
        json!({ "fullUrl": self.base.resource(&stored.target), "resource": tree, "response": response })
    }

    /// A stored resource, when it is whole and the format of the answer can carry it.
    fn shown(&self, stored: &Stored) -> Option<Map<String, Value>> {
        damage::tree(stored).filter(|tree| self.format == Format::Json || damage::has_xml(tree))
    }

    fn refused(&self, refusal: &Refusal) -> Value {
        let code = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let issues: Vec<Issue> = match code {
            StatusCode::INTERNAL_SERVER_ERROR => refusal
                .issues
                .iter()
                .map(|issue| error::with_request_id(issue, self.request_id))
                .collect(),
            _ => refusal.issues.clone(),
        };
        let mut response = status(code);
        if let Some((target, version)) = &refusal.location {
            response.insert("location".to_owned(), json!(self.base.version(target, *version)));
        }
        response.insert("outcome".to_owned(), outcome::operation_outcome(&issues));
        json!({ "response": response })
    }

    fn version(&self, response: &mut Map<String, Value>, stored: &Stored) {
        response.insert("etag".to_owned(), json!(format!("W/\"{}\"", stored.version)));
        response.insert("lastModified".to_owned(), json!(stored.updated.to_instant()));
    }
}

fn status(code: StatusCode) -> Map<String, Value> {
    let reason = code.canonical_reason().unwrap_or_default();
    let text = format!("{} {reason}", code.as_u16());
    Map::from_iter([("status".to_owned(), json!(text.trim_end()))])
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}
