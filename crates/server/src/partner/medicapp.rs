//! What the two Medicapp doors share between HTTP and their translations (`adapters.md` 3).

use actix_web::HttpResponse;
use adapters::medicapp::{Context, Fault, Kept, Record, Rules, Space, Violation};
use engine::{Caller, Refusal, Reply, Session};
use fhir::interaction::Interaction;
use fhir::{Identifier, Issue, IssueCode, Resource};
use store::{StoreError, Stored};

use super::{Desk, LastFault, failure, owner_of, resource_of, today};
use crate::ask::Ask;
use crate::error::{self, Failure};

/// The scope of both doors (`access.md` 2).
const SCOPE: &str = "partner:administrative";

/// 403 of a key without the scope.
pub fn admit(caller: &Caller) -> Result<(), Refusal> {
    if caller.scopes.has(SCOPE) {
        return Ok(());
    }
    let text = format!("This client lacks the scope {SCOPE}. Ask the operator to grant it.");
    Err(Refusal::new(403, Issue::error(IssueCode::Forbidden, text)))
}

/// A request at one of the doors.
pub struct Counter<'a> {
    pub ask: &'a Ask<'a>,
    pub desk: Desk,
    today: String,
}

impl<'a> Counter<'a> {
    pub fn of(ask: &'a Ask<'a>) -> Counter<'a> {
        Counter {
            ask,
            desk: Desk::of(ask),
            today: today(&super::session_in(ask, ask.caller.space)),
        }
    }

    /// What deployment and day say.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            naming: &self.desk.naming,
            today: &self.today,
            switches: self.ask.visit.app.settings.partner.medicapp,
        }
    }

    /// A refusal in the doors' words.
    pub fn refuse(&self, fault: &Fault) -> Failure {
        refuse(fault, self.ask.visit.request_id)
    }

    /// The live patient of this Medicapp id in a space; one that a merge replaced is none.
    pub async fn find(&self, session: &Session, id: &str) -> Result<Option<Stored>, Failure> {
        let identifier = Identifier {
            system: self.desk.naming.medicapp_patient_id(),
            value: id.to_owned(),
        };
        let Some(stored) = owner_of(session, &identifier).await? else {
            return Ok(None);
        };
        let is_visible = adapters::medicapp::is_visible(&resource_of(&stored)?);
        Ok(Some(stored).filter(|_| is_visible))
    }

    /// Changes a known patient by what its door makes of it; the patient afterwards. The space is the door's own word,
    /// and `of` says of which door.
    pub async fn edit(
        &self,
        session: &Session,
        found: Stored,
        (of, word): (for<'s> fn(&'s str) -> Space<'s>, &str),
        change: impl Fn(&Resource, &Context<'_>) -> Result<Resource, Fault> + Send + Sync + 'static,
    ) -> Result<Stored, Failure> {
        let precondition = self.ask.precondition()?;
        let Rules {
            naming,
            today,
            switches,
        } = self.rules();
        let (naming, today, word) = (naming.clone(), today.to_owned(), word.to_owned());
        let id = self.ask.segment("id").to_owned();
        let last = LastFault::none();
        let edit = last.watch(move |patient: &Resource| {
            if !adapters::medicapp::is_visible(patient) {
                return Err(Fault::PatientNotFound(Some(id.clone())));
            }
            let rules = Rules {
                naming: &naming,
                today: &today,
                switches,
            };
            change(patient, &rules.within(of(&word)))
        });
        let interaction = Interaction::Edit {
            target: found.target,
            edit,
            precondition,
        };
        match session.run(interaction).await {
            Ok(Reply::Written(reply)) => Ok(reply.stored),
            Ok(_) => Err(error::broken("an edit has no reply of a write").into()),
            Err(error) => Err(self.refused(error, self.ask.segment("id"), last.take())),
        }
    }

    /// What a creation was refused with, in the doors' words.
    pub fn refused_create(&self, error: engine::Error) -> Failure {
        match fault_of_write(&error, self) {
            Some(fault) => self.refuse(&fault),
            None => error.into(),
        }
    }

    /// What an interaction with a known patient was refused with, in the doors' words. `last`: of the edit itself.
    pub fn refused(&self, error: engine::Error, id: &str, last: Option<Fault>) -> Failure {
        let fault = match &error {
            engine::Error::Rule(_) => last,
            engine::Error::NotFound(_) | engine::Error::Gone { .. } | engine::Error::Erased(_) => {
                Some(Fault::PatientNotFound(Some(id.to_owned())))
            }
            engine::Error::Store(StoreError::Contention(_)) => Some(Fault::VersionConflict),
            other => fault_of_write(other, self),
        };
        match fault {
            Some(fault) => self.refuse(&fault),
            None => error.into(),
        }
    }
}

/// What a write was refused with, where the doors have a word of their own for it.
fn fault_of_write(error: &engine::Error, counter: &Counter<'_>) -> Option<Fault> {
    match error {
        engine::Error::Duplicate { system, .. } => Some(Fault::of_owned(system, &counter.desk.naming)),
        _ => None,
    }
}

fn refuse(fault: &Fault, request_id: &str) -> Failure {
    let code = match fault.status() {
        404 => IssueCode::NotFound,
        409 => IssueCode::Duplicate,
        _ => IssueCode::Invalid,
    };
    failure(fault.status(), code, fault.render(request_id))
}

/// What the store keeps beside a patient.
pub fn kept<'a>(stored: &'a Stored, records: &'a [Record]) -> Kept<'a> {
    Kept {
        patient_id: stored.medicapp_id.as_deref().unwrap_or_default(),
        created: stored.created,
        updated: stored.updated,
        records,
    }
}

/// The records of one resource, in the doors' form.
pub fn records_of<'s>(records: impl Iterator<Item = &'s store::Record>) -> Vec<Record> {
    let record = |record: &store::Record| Record {
        id: record.id.clone(),
        status: record.status.clone(),
        created: record.created,
    };
    records.map(record).collect()
}

/// An answer as JSON text; a struct of texts cannot fail to be written.
pub fn text(body: &impl serde::Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// An answer about one patient.
pub fn answer(
    status: actix_web::http::StatusCode,
    stored: &Stored,
    body: &impl serde::Serialize,
) -> HttpResponse {
    super::answer(status, stored, text(body))
}

/// What the engine, the gate or the router refused, in the doors' words.
pub fn fault_of(refusal: &Refusal) -> Fault {
    match refusal.status {
        401 => Fault::Unauthorized,
        403 => Fault::Forbidden,
        404 | 410 => Fault::NotFound,
        405 => Fault::MethodNotAllowed,
        409 => Fault::VersionConflict,
        412 => Fault::PreconditionFailed,
        413 => Fault::PayloadTooLarge,
        415 => Fault::UnsupportedMediaType,
        429 => Fault::RateLimited,
        400 | 408 | 422 => Fault::Invalid(
            refusal
                .issues
                .iter()
                .filter(|issue| issue.is_error())
                .map(|issue| Violation {
                    field: "body".to_owned(),
                    problem: issue.text.clone(),
                })
                .collect(),
        ),
        503 | 507 => Fault::Unavailable,
        _ => Fault::Internal,
    }
}
