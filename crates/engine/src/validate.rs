//! `$validate` — <https://hl7.org/fhir/R4/resource-operation-validate.html>

use std::sync::Arc;

use fhir::interaction::{Content, Validation, ValidationMode};
use fhir::validate::regulator;
use fhir::{Issue, IssueCode, Resource, ResourceType, Target};
use store::Reader;

use crate::conditional::refuse_taken;
use crate::error::Error;
use crate::prepare::{BodyId, parse_stored, refuse_subsetted};
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
            Some(live(&session.caller, target.clone(), stored)?)
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
    issues.extend(unknown_profiles(&resource, &profiles));
    issues.extend(of_content(session, resource, mode, target).await?);
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

/// All that content and keys give reason to say.
async fn of_content(
    session: &Session,
    resource: Resource,
    mode: ValidationMode,
    target: Option<Target>,
) -> Result<Vec<Issue>, Error> {
    let kind = resource.kind();
    let id = match mode {
        ValidationMode::Create => BodyId::MeansNothing,
        ValidationMode::Content | ValidationMode::Update | ValidationMode::Delete => BodyId::Counts,
    };
    let valid = match session.validate(resource, id) {
        Ok(valid) => valid,
        Err(Error::Invalid(issues) | Error::Rule(issues)) => return Ok(issues),
        Err(other) => return Err(other),
    };
    let mut issues = valid.warnings.clone();
    if mode != ValidationMode::Content {
        let keys = valid.prepare(&session.keys()).new.keys;
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
        Err(error @ (Error::Store(_) | Error::Forbidden(_))) => Err(error),
        Err(error) => Ok(error.refusal().issues),
    }
}

/// Profiles that are not held here: an error when the caller asked for one, a warning when the resource claims it.
fn unknown_profiles(resource: &Resource, asked: &[String]) -> Vec<Issue> {
    let mut issues: Vec<Issue> = asked
        .iter()
        .filter(|profile| !is_known(profile))
        .map(|profile| {
            Issue::error(
                IssueCode::NotFound,
                "The profile that was asked for is not held here, so nothing was checked against it. See StructureDefinition \
                 for those that are.",
            )
            .with_diagnostics(profile)
        })
        .collect();
    let claimed = resource.meta().and_then(|meta| meta.get("profile")?.as_array());
    for (position, profile) in claimed.into_iter().flatten().enumerate() {
        let Some(profile) = profile.as_str().filter(|profile| !is_known(profile)) else {
            continue;
        };
        issues.push(
            Issue::warning(
                IssueCode::NotFound,
                "The profile that is claimed here is not held by this server, so nothing was checked against it.",
            )
            .with_diagnostics(profile)
            .at(format!("{}.meta.profile[{position}]", resource.kind())),
        );
    }
    issues
}

/// Whether this server holds the profile, in whatever version was written behind a bar.
fn is_known(profile: &str) -> bool {
    profile.split('|').next() == Some(regulator::PROFILE)
}
