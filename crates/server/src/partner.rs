//! The partner doors: what they share between HTTP and the pure translations of `adapters`.
//!
//! A partner never sees an OperationOutcome: every refusal, the router's and the gate's included, is told in the
//! shape of the door whose path was asked (`adapters.md` 0).

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use adapters::naming::Naming;
use engine::{Caller, Door, Refusal, Reply, Scopes, Session};
use fhir::interaction::Interaction;
use fhir::{Issue, IssueCode, Resource, Timestamp, VersionId};
use store::{SpaceKey, Stored};

use crate::ask::Ask;
use crate::error::{self, Failure};
use crate::respond;
use settings::PartnerSettings;

pub mod patient_graph;
pub mod settings;

#[cfg(test)]
mod tests;

/// What every answer of a partner door is.
const JSON: &str = "application/json; charset=utf-8";

/// The door whose paths begin like this one.
pub fn door_of(path: &str) -> Door {
    let below = |mount: &str| {
        path.strip_prefix(mount)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if below("/v1") {
        Door::PatientGraph
    } else {
        Door::Fhir
    }
}

/// Whether a known caller may do anything at all at its door. What each call demands beside that is for its
/// handler to check.
///
/// # Errors
/// 403 of a client that lacks a scope.
pub fn admit(caller: &Caller, settings: &PartnerSettings) -> Result<(), Refusal> {
    match caller.door {
        Door::PatientGraph => patient_graph::admit(caller, &settings.patient_graph_required_scopes),
        Door::Fhir | Door::MedicappCloud | Door::MedicappConnect | Door::Ehealth => Ok(()),
    }
}

/// A refusal in the shape of the door.
pub fn refused(door: Door, failure: &Failure, had_credential: bool) -> HttpResponse {
    let refusal = &*failure.refusal;
    let (status, body) = match (&failure.body, door) {
        (Some(body), _) => (refusal.status, body.clone()),
        (None, _) => {
            let fault = patient_graph::fault_of(refusal, had_credential);
            (fault.status(), fault.render())
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    if let Some(wait) = refusal.retry_after {
        response.insert_header((RETRY_AFTER, error::whole_seconds(wait)));
    }
    if let Some(allow) = &failure.allow {
        respond::header(&mut response, ALLOW, allow.clone());
    }
    response.insert_header((CONTENT_TYPE, JSON));
    response.body(body)
}

/// A refusal whose body the door has written itself. The issue is for log and audit.
fn failure(status: u16, code: IssueCode, body: String) -> Failure {
    let refusal = Refusal::new(status, Issue::error(code, "Refused by the door."));
    Failure {
        body: Some(body),
        ..Failure::from(refusal)
    }
}

/// An answer with a body of the door.
fn answer(status: StatusCode, stored: &Stored, body: String) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, JSON));
    respond::header(&mut response, ETAG, format!("W/\"{}\"", stored.version));
    response.body(body)
}

/// An answer that is about several resources.
fn listed(body: String) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(body)
}

/// 415 unless the body is announced as JSON in UTF-8 (`adapters.md` 0).
fn check_json(headers: &HeaderMap) -> Result<(), Failure> {
    let mut lines = headers.get_all(CONTENT_TYPE);
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(error::unsupported_media("no Content-Type or several").into());
    };
    let line = line.to_str().unwrap_or_default();
    let mut parts = line.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    let is_utf8 = parts
        .filter_map(|part| part.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .all(|(_, charset)| charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"));
    if is_json && is_utf8 {
        return Ok(());
    }
    Err(error::unsupported_media(&kind).into())
}

/// What a door's handler works with.
struct Desk {
    naming: Naming,
    /// The door's words for the spaces of the client.
    words: Vec<(String, SpaceKey)>,
}

impl Desk {
    fn of(ask: &Ask<'_>) -> Desk {
        let auth = &ask.visit.app.auth;
        Desk {
            naming: Naming::new(auth.naming_base()),
            words: auth.words(ask.caller.door, &ask.caller.client),
        }
    }

    /// The handle on the space behind a word. What the client may do at the door has been decided before:
    /// behind it the door acts on patients.
    fn session(&self, ask: &Ask<'_>, word: &str) -> Option<Session> {
        let (_, space) = self.words.iter().find(|(known, _)| known == word)?;
        Some(session_in(ask, *space))
    }
}

fn session_in(ask: &Ask<'_>, space: SpaceKey) -> Session {
    let scopes = Scopes::parse(&["system/Patient.cruds"]).unwrap_or_default();
    let caller = Caller {
        space,
        scopes,
        ..Caller::clone(&ask.caller)
    };
    ask.visit.app.engine.for_caller(Arc::new(caller))
}

/// Today in UTC, `YYYY-MM-DD`.
fn today(session: &Session) -> String {
    session
        .now()
        .to_instant()
        .chars()
        .take("YYYY-MM-DD".len())
        .collect()
}

/// A stored body as a resource.
fn resource_of(stored: &Stored) -> Result<Resource, Failure> {
    let tree = respond::parse(&stored.body)?;
    Ok(Resource::from_guarded(stored.target.kind, tree))
}

/// When a resource was created: the time of its first version.
async fn created(session: &Session, stored: &Stored) -> Result<Timestamp, Failure> {
    if stored.version == VersionId::FIRST {
        return Ok(stored.updated);
    }
    let first = Interaction::VersionRead(stored.target.clone(), VersionId::FIRST);
    match session.run(first).await? {
        Reply::Resource(first) => Ok(first.updated),
        _ => Err(error::broken("a version read has no resource").into()),
    }
}
