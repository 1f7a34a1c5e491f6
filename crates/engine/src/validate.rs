//! `$validate` — <https://hl7.org/fhir/R4/resource-operation-validate.html>

use std::sync::Arc;

use fhir::interaction::{Content, Validation, ValidationMode};
use fhir::validate::{regulator, validate as validate_base};
use fhir::{Issue, IssueCode, Resource, ResourceType, Target};
use store::{Class, Reader};

use crate::conditional::refuse_taken;
use crate::error::Error;
use crate::prepare::{class_by_body_and_caller, key_rows, known_by_heart, parse_stored, refuse_subsetted};
use crate::read::live;
use crate::scope::Permission;
use crate::session::Session;
use crate::update::check_body_id;

/// What would be said of a write of this, the errors included: nothing is refused but the question itself, and nothing
/// is written.
pub(crate) async fn run(session: &Session, wanted: Validation) -> Result<Vec<Issue>, Error> {
    let Validation {
        kind,
        id,
        content,
        mode,
        profiles,
    } = wanted;
    allow(session, kind, id.is_some())?;
    let target = id.map(|id| Target { kind, id });
    let stored = match &target {
        // An update makes what is not there; everything else is about what is.
        Some(_) if mode == ValidationMode::Update => None,
        Some(target) => {
            let stored = session.space.get(target.clone()).await?;
            match live(&session.caller, target.clone(), stored) {
                Ok(stored) => Some(stored),
                // That there is nothing to delete is an answer.
                Err(absent) if mode == ValidationMode::Delete => {
                    let issues = said(Err(absent))?;
                    return Ok(issues.into_iter().map(|issue| issue.at(kind.as_str())).collect());
                }
                Err(absent) => return Err(absent),
            }
        }
        None => None,
    };
    if mode == ValidationMode::Delete {
        return deletable(target.as_ref());
    }
    let resource = match (content, stored) {
        (Content::Sent(resource), _) => resource,
        (Content::Malformed(issues), _) => return Ok(issues),
        (Content::Stored, Some(stored)) => parse_stored(&stored)?,
        (Content::Stored, None) => return Err(Error::Request(nothing_sent(kind))),
    };
    let mut issues = Vec::new();
    if let (ValidationMode::Update, Some(target)) = (mode, &target) {
        issues.extend(said(check_body_id(target, &resource))?);
    }
    if mode != ValidationMode::Content {
        issues.extend(said(refuse_subsetted(&resource))?);
    }
    let of_content = of_content(session, resource, (mode, target), &profiles).await?;
    issues.extend(of_content);
    // Each says where: what is about the whole resource, at its root.
    for issue in &mut issues {
        issue.expression.get_or_insert_with(|| kind.to_string());
    }
    Ok(issues)
}

/// Of one that is there, whoever may read it; else whoever has any use for the type.
fn allow(session: &Session, kind: ResourceType, is_there: bool) -> Result<(), Error> {
    if !is_there && session.allow(kind, Permission::Create).is_ok() {
        return Ok(());
    }
    session.allow(kind, Permission::Read)
}

fn deletable(target: Option<&Target>) -> Result<Vec<Issue>, Error> {
    match target {
        Some(target) => Ok(vec![Issue::information(format!("{target} can be deleted."))]),
        None => Err(Error::Request(Issue::error(
            IssueCode::Invalid,
            "What is to be deleted is named by its id: POST to [type]/[id]/$validate with mode=delete.",
        ))),
    }
}

fn nothing_sent(kind: ResourceType) -> Issue {
    Issue::error(
        IssueCode::Required,
        format!(
            "There is nothing to validate. Send a {kind}, alone or as the parameter `resource` of a Parameters resource."
        ),
    )
}

/// All that content, profiles and keys give reason to say.
async fn of_content(
    session: &Session,
    mut resource: Resource,
    (mode, target): (ValidationMode, Option<Target>),
    profiles: &[String],
) -> Result<Vec<Issue>, Error> {
    let kind = resource.kind();
    let class = class_by_body_and_caller(&resource, &session.caller);
    if class == Class::Account || mode == ValidationMode::Create {
        resource.tree_mut().shift_remove("id");
    }
    let mut issues = validate_base(&resource);
    if class == Class::Account {
        issues.extend(regulator::shape(&resource));
    }
    let by_heart = known_by_heart(class);
    issues.extend(session.profiles().validate(&resource, profiles, by_heart));
    if mode != ValidationMode::Content {
        let keys = key_rows(&resource, class, &session.keys());
        let caller = Arc::clone(&session.caller);
        let taken =
            move |reader: &mut dyn Reader| refuse_taken(reader, &caller, kind, &keys, target.as_ref());
        issues.extend(said(session.space.read(taken).await)?);
    }
    Ok(issues)
}

/// What a refusal of the write would say; a failure of the server stays one.
fn said(outcome: Result<(), Error>) -> Result<Vec<Issue>, Error> {
    match outcome {
        Ok(()) => Ok(Vec::new()),
        Err(error @ (Error::Store(_) | Error::Forbidden(_) | Error::Scope(_))) => Err(error),
        Err(error) => Ok(error.refusal().issues),
    }
}
