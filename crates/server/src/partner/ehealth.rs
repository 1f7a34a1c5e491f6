//! eHealth prepersons under `/api`: create, read, update (`adapters.md` 2).

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use adapters::ehealth::envelope::{self, Request};
use adapters::ehealth::{self as dialect, Action, Body, Caller, Context, Fault, Kept, Switches};
use adapters::naming::Naming;
use chrono::{DateTime, FixedOffset};
use engine::{Reply, Session};
use fhir::interaction::Interaction;
use fhir::{Id, IssueCode, ResourceType, Target};
use store::{StoreError, Stored};

use super::{Desk, LastFault, answer, check_json, failure, owner_of, resource_of, session_in};
use crate::ask::{Ask, Visit};
use crate::auth::Denial;
use crate::base::Base;
use crate::error::{self, Failure};

/// `POST /api/prepersons`
pub async fn create(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let window = Window::of(&ask)?;
    let context = window.context();
    window.may(Action::Create)?;
    check_json(ask.visit.headers())?;
    let body = Body::read(&ask.body().await?).map_err(|fault| window.refuse(&fault))?;
    // Random, not rising with time: knowing it is what gives access.
    let id = random_id()?;
    let wanted = fhir::interaction::FindOrCreate {
        searches: Vec::new(),
        judge: Box::new(|_| fhir::interaction::Judgement::Create { remark: None }),
        alone: Vec::new(),
        resource: dialect::create(&body, &id, &context).map_err(|fault| window.refuse(&fault))?,
        id: Some(id),
    };
    let stored = match window.session.run(Interaction::FindOrCreate(wanted)).await? {
        Reply::Written(reply) => reply.stored,
        _ => return Err(error::broken("a create has no reply of a write").into()),
    };
    let shown = dialect::show(&resource_of(&stored)?, &kept(&stored), &context);
    let preperson = shown.ok_or_else(|| error::broken("a new preperson is none"))?;
    let url = url(ask.visit);
    let body = envelope::created(&request(&url, ask.visit), &preperson);
    Ok(answer(StatusCode::CREATED, &stored, body))
}

/// `GET /api/prepersons/{id}`
pub async fn read(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let window = Window::of(&ask)?;
    window.may(Action::Read)?;
    let found = window.find(ask.segment("id")).await?;
    let resource = found.as_ref().map(resource_of).transpose()?;
    let kept = found.as_ref().map(kept);
    let known = resource.as_ref().zip(kept.as_ref());
    let preperson =
        dialect::read(ask.segment("id"), known, &window.context()).map_err(|fault| window.refuse(&fault))?;
    let stored = found.ok_or_else(|| window.refuse(&window.context().not_found()))?;
    let url = url(ask.visit);
    let body = envelope::ok(&request(&url, ask.visit), &preperson);
    Ok(answer(StatusCode::OK, &stored, body))
}

/// `PATCH /api/prepersons/{id}`
pub async fn update(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let window = Window::of(&ask)?;
    window.may(Action::Update)?;
    check_json(ask.visit.headers())?;
    let precondition = ask.precondition()?;
    let body = Body::read(&ask.body().await?).map_err(|fault| window.refuse(&fault))?;
    let path_id: Arc<str> = ask.segment("id").into();
    let Some(found) = window.find(&path_id).await? else {
        let fault = dialect::update(&path_id, &body, None, &window.context()).err();
        return Err(window.refuse(&fault.unwrap_or_else(|| window.context().not_found())));
    };
    let last = LastFault::none();
    let surroundings = Arc::clone(&window.surroundings);
    let named = Arc::clone(&path_id);
    let edit =
        last.watch(move |stored| dialect::update(&named, &body, Some(stored), &surroundings.context()));
    let interaction = Interaction::Edit {
        target: found.target,
        edit,
        precondition,
    };
    let stored = match window.session.run(interaction).await {
        Ok(Reply::Written(reply)) => reply.stored,
        Ok(_) => return Err(error::broken("an edit has no reply of a write").into()),
        Err(error) => return Err(window.refused(error, last.take())),
    };
    let shown = dialect::show(&resource_of(&stored)?, &kept(&stored), &window.context());
    let preperson = shown.ok_or_else(|| window.refuse(&window.context().not_found()))?;
    let url = url(ask.visit);
    let body = envelope::ok(&request(&url, ask.visit), &preperson);
    Ok(answer(StatusCode::OK, &stored, body))
}

/// A request at this door.
struct Window<'a> {
    ask: &'a Ask<'a>,
    session: Session,
    surroundings: Arc<Surroundings>,
}

/// What surrounds a translation, owned: an edit outlives the request's borrow.
struct Surroundings {
    naming: Naming,
    today: String,
    caller: Caller,
    switches: Switches,
}

impl Surroundings {
    fn context(&self) -> Context<'_> {
        Context {
            naming: &self.naming,
            today: &self.today,
            caller: &self.caller,
            switches: &self.switches,
        }
    }
}

impl<'a> Window<'a> {
    fn of(ask: &'a Ask<'a>) -> Result<Window<'a>, Failure> {
        let settings = &ask.visit.app.settings.partner;
        let session = session_in(ask, ask.caller.space);
        let caller = ask.visit.app.auth.registry_of(&ask.caller);
        let caller = caller.ok_or_else(|| refuse(&Fault::TokenInvalid, ask.visit))?;
        let surroundings = Surroundings {
            naming: Desk::of(ask).naming,
            today: today_in(&session, settings.ehealth_time_zone),
            caller,
            switches: settings.ehealth,
        };
        Ok(Window {
            ask,
            session,
            surroundings: Arc::new(surroundings),
        })
    }

    fn context(&self) -> Context<'_> {
        self.surroundings.context()
    }

    /// Scope and legal entity, before the body is read (`adapters.md` 2.5).
    fn may(&self, action: Action) -> Result<(), Failure> {
        let Surroundings { caller, switches, .. } = &*self.surroundings;
        caller.may(action, switches).map_err(|fault| self.refuse(&fault))
    }

    /// The patient that answers under the id of a path, a preperson or not.
    async fn find(&self, path_id: &str) -> Result<Option<Stored>, Failure> {
        let Ok(id) = dialect::parse_id(path_id) else {
            return Ok(None);
        };
        let identifier = dialect::lookup(&id, &self.surroundings.naming);
        if let Some(stored) = owner_of(&self.session, &identifier).await? {
            return Ok(Some(stored));
        }
        let Some(id) = Id::parse(&id) else { return Ok(None) };
        let kind = ResourceType::Patient;
        match self.session.run(Interaction::Read(Target { kind, id })).await {
            Ok(Reply::Resource(stored)) => Ok(Some(stored)),
            Ok(_) => Err(error::broken("a read has no resource").into()),
            Err(engine::Error::NotFound(_) | engine::Error::Gone { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn refuse(&self, fault: &Fault) -> Failure {
        refuse(fault, self.ask.visit)
    }

    /// What an edit was refused with. `last`: by the translation itself.
    fn refused(&self, error: engine::Error, last: Option<Fault>) -> Failure {
        let fault = match &error {
            engine::Error::Rule(_) => last,
            engine::Error::NotFound(_) | engine::Error::Gone { .. } | engine::Error::Erased(_) => {
                Some(self.context().not_found())
            }
            engine::Error::Duplicate { .. } | engine::Error::Store(StoreError::Contention(_)) => {
                Some(Fault::Conflict)
            }
            _ => None,
        };
        match fault {
            Some(fault) => self.refuse(&fault),
            None => error.into(),
        }
    }
}

fn kept(stored: &Stored) -> Kept<'_> {
    Kept {
        created: stored.created,
        created_by: &stored.created_by,
        updated: stored.updated,
        updated_by: &stored.updated_by,
    }
}

fn random_id() -> Result<Id, Failure> {
    let text = uuid::Uuid::new_v4().to_string();
    Id::parse(&text).ok_or_else(|| error::broken("a UUID is no id").into())
}

/// The day where the registry is, `YYYY-MM-DD`.
fn today_in(session: &Session, zone: FixedOffset) -> String {
    let now = DateTime::from_timestamp_micros(session.now().micros()).unwrap_or_default();
    now.with_timezone(&zone).format("%Y-%m-%d").to_string()
}

fn refuse(fault: &Fault, visit: Visit<'_>) -> Failure {
    let code = match fault.status() {
        404 => IssueCode::NotFound,
        409 => IssueCode::Conflict,
        _ => IssueCode::Invalid,
    };
    failure(fault.status(), code, render(fault, visit))
}

/// A refusal as the registry writes it.
pub fn render(fault: &Fault, visit: Visit<'_>) -> String {
    let url = url(visit);
    fault.render(&request(&url, visit))
}

fn request<'r>(url: &'r str, visit: Visit<'r>) -> Request<'r> {
    Request {
        url,
        id: visit.request_id,
        idempotency_key: None,
    }
}

/// The URL of the request as the public sees it, without its query.
fn url(visit: Visit<'_>) -> String {
    let path = visit.request.path();
    match &visit.app.settings.partner.ehealth_public_url {
        Some(public) => format!("{public}{path}"),
        None => format!("{}{path}", Base::of(visit.app, visit.request).origin()),
    }
}

/// What the engine, the gate or the router refused, in the registry's words. It knows no 405.
pub fn fault_of(failure: &Failure, method: &Method) -> Fault {
    match (failure.denial, failure.refusal.status) {
        (Some(Denial::ApiKeyMissing), 401) => Fault::ApiKeyMissing,
        (Some(Denial::ApiKeyInvalid), 401) => Fault::ApiKeyInvalid,
        (Some(Denial::TokenMissing), 401) => Fault::TokenMissing,
        (_, 401) => Fault::TokenInvalid,
        (_, 403) => Fault::Scope {
            missing: match *method {
                Method::GET | Method::HEAD => "preperson:read",
                _ => "preperson:write",
            },
        },
        (_, 404 | 405 | 410) => Fault::NoRoute,
        (_, 409) => Fault::Conflict,
        (_, 412) => Fault::PreconditionFailed,
        (_, 413) => Fault::TooLarge,
        (_, 415) => Fault::MediaType,
        (_, 429) => Fault::TooManyRequests,
        (_, 400 | 408 | 422) => Fault::NotJson,
        (_, 503 | 507) => Fault::Unavailable,
        _ => Fault::Internal,
    }
}
