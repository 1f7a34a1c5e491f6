//! The partner doors: what they share between HTTP and the pure translations of `adapters`.
//!
//! A partner never sees an OperationOutcome: every refusal, the router's and the gate's included, is told in the
//! shape of the door whose path was asked (`adapters.md` 0).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, RETRY_AFTER, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use adapters::naming::Naming;
use engine::{Caller, Door, Refusal, Reply, Scopes, Session};
use fhir::interaction::{self, Edit, Interaction};
use fhir::query::{Criteria, Query, Total};
use fhir::{Identifier, Issue, IssueCode, Resource, ResourceType};
use store::{SpaceKey, Stored};

use crate::ask::{Ask, Visit};
use crate::auth::Denial;
use crate::error::{self, Failure};
use crate::respond;
use settings::PartnerSettings;

pub mod cloud;
pub mod connect;
pub mod ehealth;
mod medicapp;
pub mod patient_graph;
pub mod settings;

#[cfg(test)]
mod tests;

/// What every answer of a partner door is.
const JSON: &str = "application/json; charset=utf-8";

/// Where each door is mounted. None of them is the beginning of another.
const MOUNTS: [(&str, Door); 4] = [
    ("/cloud/partner/v5", Door::MedicappCloud),
    ("/v5", Door::MedicappConnect),
    ("/v1", Door::PatientGraph),
    ("/api", Door::Ehealth),
];

/// The door whose paths begin like this one.
pub fn door_of(path: &str) -> Door {
    let below = |mount: &str| {
        path.strip_prefix(mount)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mounted = MOUNTS.iter().find(|(mount, _)| below(mount));
    mounted.map_or(Door::Fhir, |(_, door)| *door)
}

/// An id for a request that came without one, in the form that the door's partners know.
pub fn fresh_request_id(door: Door) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let random = uuid::Uuid::new_v4();
    match door {
        Door::MedicappCloud | Door::MedicappConnect => {
            let digits: String = random.simple().to_string().chars().take(12).collect();
            format!("req_{digits}")
        }
        Door::Ehealth => format!("{random}#{}", COUNT.fetch_add(1, Ordering::Relaxed) + 1),
        Door::Fhir | Door::PatientGraph => random.simple().to_string(),
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
        Door::MedicappCloud | Door::MedicappConnect => medicapp::admit(caller),
        Door::Fhir | Door::Ehealth => Ok(()),
    }
}

/// A refusal in the shape of the door.
pub fn refused(door: Door, failure: &Failure, visit: Visit<'_>) -> HttpResponse {
    let refusal = &*failure.refusal;
    let (status, body) = match (&failure.body, door) {
        (Some(body), _) => (refusal.status, body.clone()),
        (None, Door::MedicappCloud | Door::MedicappConnect) => {
            let fault = medicapp::fault_of(refusal);
            (fault.status(), fault.render(visit.request_id))
        }
        (None, Door::Ehealth) => {
            let fault = ehealth::fault_of(failure, visit.request.method());
            (fault.status(), ehealth::render(&fault, visit))
        }
        (None, Door::PatientGraph | Door::Fhir) => {
            let had_credential = failure.denial != Some(Denial::TokenMissing);
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
    if let Some(allow) = failure
        .allow
        .as_ref()
        .filter(|_| status == StatusCode::METHOD_NOT_ALLOWED)
    {
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

/// 415 unless the body is announced as JSON in UTF-8 (`adapters.md` 0). Where there is no body there is nothing to
/// announce: that it is missing is then said by who reads it, with 400.
fn check_json(headers: &HeaderMap) -> Result<(), Failure> {
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length.as_bytes() != b"0");
    if !has_body && !headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
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
            words: auth.words(&ask.caller),
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

/// The live patients that criteria find, at most `count`.
async fn search(session: &Session, criteria: Criteria, count: u32) -> Result<Vec<Stored>, Failure> {
    let query = Query {
        count,
        total: Total::None,
        ..Query::of(criteria)
    };
    match session.run(Interaction::Search(query)).await? {
        Reply::Page(page) => Ok(page.matches),
        _ => Err(error::broken("a search has no page").into()),
    }
}

/// The live patient of an identifier that only one can have.
async fn owner_of(session: &Session, identifier: &Identifier) -> Result<Option<Stored>, Failure> {
    let criteria = Criteria::by_identifier(ResourceType::Patient, identifier);
    Ok(search(session, criteria, 1).await?.into_iter().next())
}

/// What an edit was refused with, for the handler that waits: the engine passes on issues, and the door wants its own
/// words back.
struct LastFault<F>(Arc<Mutex<Option<F>>>);

impl<F: Send + 'static> LastFault<F> {
    fn none() -> LastFault<F> {
        LastFault(Arc::new(Mutex::new(None)))
    }

    /// The edit that makes this of a stored patient.
    fn watch(&self, change: impl Fn(&Resource) -> Result<Resource, F> + Send + Sync + 'static) -> Edit {
        let slot = Arc::clone(&self.0);
        Box::new(move |stored| {
            change(stored).map_err(|fault| {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                let issue = Issue::error(IssueCode::BusinessRule, "Refused by the door.");
                interaction::Refusal { issues: vec![issue] }
            })
        })
    }

    /// What the last run was refused with.
    fn take(&self) -> Option<F> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
