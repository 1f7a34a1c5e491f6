//! Validate — <https://hl7.org/fhir/R4/resource-operation-validate.html>
//!
//! Says what a write of this caller would be told, and more: warnings, what profiles that are not claimed say, and
//! whether its identifiers are taken. Reads, and never writes.

use fhir::interaction::{Subject, Validation, ValidationMode};
use fhir::validate::{regulator, validate as validate_base};
use fhir::{Issue, IssueCode, Resource, Target};
use store::{Class, Stored};

use crate::conditional::refuse_taken;
use crate::error::Error;
use crate::prepare::{self, class_by_body_and_caller, known_by_heart, parse_stored, refuse_subsetted};
use crate::scope::Permission;
use crate::session::Session;
use crate::update::check_body_id;

/// All that is to be said, each with a place; one information when nothing is wrong.
///
/// Of a resource that is stored, the caller must be allowed to read; of a type, to read or to create.
pub(crate) async fn validate(session: &Session, asked: Validation) -> Result<Vec<Issue>, Error> {
    allow(session, &asked)?;
    let stored = match &asked.target {
        Some(target) => there(session, target, asked.mode).await?,
        None => Ok(None),
    };
    let stored = match stored {
        Ok(stored) => stored,
        Err(absent) => return Ok(vec![absent]),
    };
    let mut issues = match (&asked.subject, &stored, asked.mode) {
        (Subject::Faulty(faults), _, _) => faults.clone(),
        (_, _, Some(ValidationMode::Delete)) => deletion(session, &asked)?,
        (Subject::Sent(resource), _, _) => judge(session, resource.clone(), &asked, stored.as_ref()).await?,
        (Subject::Stored, Some(current), _) => {
            let resource = parse_stored(current)?;
            judge(session, resource, &asked, Some(current)).await?
        }
        (Subject::Stored, None, _) => return Err(Error::Request(nothing_sent())),
    };
    let root = asked.kind.as_str();
    if issues.is_empty() {
        issues.push(Issue::information("Nothing is wrong with this."));
    }
    for issue in &mut issues {
        issue.expression.get_or_insert_with(|| root.to_owned());
    }
    Ok(issues)
}

fn allow(session: &Session, asked: &Validation) -> Result<(), Error> {
    let may_read = session.allow(asked.kind, Permission::Read);
    match asked.target {
        Some(_) => may_read,
        None => session.allow(asked.kind, Permission::Create).or(may_read),
    }
}

/// The stored resource. That there is none is an answer when it is to be deleted, and a refusal otherwise.
async fn there(
    session: &Session,
    target: &Target,
    mode: Option<ValidationMode>,
) -> Result<Result<Option<Stored>, Issue>, Error> {
    match crate::read::read(session, target.clone()).await {
        Ok(stored) => Ok(Ok(Some(stored))),
        Err(error @ (Error::NotFound(_) | Error::Gone { .. })) if mode == Some(ValidationMode::Delete) => {
            let issue = error.refusal().issues.into_iter().next();
            Ok(Err(issue.unwrap_or_else(nothing_sent).at(target.kind.as_str())))
        }
        Err(error) => Err(error),
    }
}

fn nothing_sent() -> Issue {
    Issue::error(
        IssueCode::Required,
        "There is nothing to validate. Send a resource, alone or in Parameters, or name one that is stored: \
         [type]/[id]/$validate.",
    )
}

fn deletion(session: &Session, asked: &Validation) -> Result<Vec<Issue>, Error> {
    if asked.target.is_none() {
        let text = "mode=delete needs a stored resource. Ask [type]/[id]/$validate?mode=delete.";
        return Err(Error::Request(Issue::error(IssueCode::Invalid, text)));
    }
    let allowed = session
        .refuse_to_policy("delete", "an update with \"active\": false")
        .and_then(|()| session.allow(asked.kind, Permission::Delete));
    Ok(told(allowed))
}

/// The issues of a refusal that is an answer here.
fn told(result: Result<(), Error>) -> Vec<Issue> {
    match result {
        Ok(()) => Vec::new(),
        Err(error) => error.refusal().issues,
    }
}

async fn judge(
    session: &Session,
    mut resource: Resource,
    asked: &Validation,
    stored: Option<&Stored>,
) -> Result<Vec<Issue>, Error> {
    let mut issues = Vec::new();
    let sent = matches!(asked.subject, Subject::Sent(_));
    if asked.mode == Some(ValidationMode::Update) && sent {
        if let Some(target) = &asked.target {
            issues.extend(told(check_body_id(target, &resource)));
        }
        issues.extend(told(refuse_subsetted(&resource)));
    }
    // What is stored stays in its class; what is sent says its own.
    let class = match stored.filter(|_| !sent || asked.mode == Some(ValidationMode::Update)) {
        Some(stored) => stored.class,
        None => class_by_body_and_caller(&resource, &session.caller),
    };
    if class == Class::Account || asked.mode == Some(ValidationMode::Create) {
        resource.tree_mut().shift_remove("id");
    }
    issues.extend(validate_base(&resource));
    if class == Class::Account {
        issues.extend(regulator::shape(&resource));
    }
    let without = known_by_heart(class);
    issues.extend(session.profiles().validate(&resource, &asked.profiles, without));
    if matches!(asked.mode, Some(ValidationMode::Create | ValidationMode::Update)) {
        let rows = prepare::key_rows(&resource, class, &session.keys());
        let (kind, own, caller) = (asked.kind, asked.target.clone(), session.caller.clone());
        let own = own.filter(|_| !sent || asked.mode == Some(ValidationMode::Update));
        let free = session
            .space
            .read(move |reader| refuse_taken(reader, &caller, kind, &rows, own.as_ref()))
            .await;
        match free {
            Err(Error::Store(error)) => return Err(Error::Store(error)),
            other => issues.extend(told(other)),
        }
    }
    Ok(issues)
}
