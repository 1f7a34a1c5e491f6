//! `$validate` — <https://hl7.org/fhir/R4/resource-operation-validate.html>
//!
//! What is wrong with a resource is the answer here, and no refusal: 200, whatever it is. A body that is neither JSON
//! nor XML, a mode that is none, and an id that is not there are refused as everywhere.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use engine::Reply;
use fhir::codec::{self, Format};
use fhir::interaction::{Subject, Validation, ValidationMode};
use fhir::query::parse;
use fhir::{Interaction, Issue, IssueCode, Resource, ResourceType, Target, outcome};
use serde_json::{Map, Value};

use crate::ask::Ask;
use crate::body::{self, BodyId, Reading};
use crate::error::{self, Failure};
use crate::routes::Operation;
use crate::{media, respond};

/// What the CapabilityStatement tells.
pub const VALIDATE: Operation = Operation {
    name: "validate",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
};

type Answer = Result<HttpResponse, Failure>;

/// `[type]/$validate`: the resource in the body.
pub async fn of_type(ask: Ask<'_>) -> Answer {
    let kind = ask.kind()?;
    let body = ask.body().await?;
    run(&ask, kind, None, body).await
}

/// `[type]/[id]/$validate`: the resource in the body, or the stored one when there is none.
pub async fn of_resource(ask: Ask<'_>) -> Answer {
    let target = ask.target()?;
    let body = ask.body().await?;
    run(&ask, target.kind, Some(target), body).await
}

/// `GET [type]/[id]/$validate`: the stored resource.
pub async fn of_stored(ask: Ask<'_>) -> Answer {
    let target = ask.target()?;
    run(&ask, target.kind, Some(target), Bytes::new()).await
}

async fn run(ask: &Ask<'_>, kind: ResourceType, target: Option<Target>, body: Bytes) -> Answer {
    let mut wishes = Wishes::default();
    for pair in parse::pairs(ask.visit.request.query_string())? {
        match pair.name.as_str() {
            "mode" => wishes.mode(&pair.value)?,
            "profile" => wishes.profiles.push(pair.value),
            _ => {}
        }
    }
    let subject = if body.is_empty() {
        if target.is_none() && wishes.mode != Some(ValidationMode::Delete) {
            return Err(error::body_empty(kind).into());
        }
        Subject::Stored
    } else {
        let format = media::of_body(ask.visit.headers(), &body)?;
        subject(ask, kind, body, format, &mut wishes).await?
    };
    if wishes.mode == Some(ValidationMode::Profile) && wishes.profiles.is_empty() {
        let text = "mode=profile needs a profile to check against. Name it as `profile`.";
        return Err(error::of_issues(vec![Issue::error(IssueCode::Required, text)]).into());
    }
    let validation = Validation {
        kind,
        target,
        subject,
        mode: wishes.mode,
        profiles: wishes.profiles,
    };
    answer(ask, ask.run(Interaction::Validate(validation)).await?)
}

fn answer(ask: &Ask<'_>, reply: Reply) -> Answer {
    let Reply::Validated(issues) = reply else {
        return Err(error::broken("the engine answered a validation with a reply of another kind").into());
    };
    let outcome = outcome::operation_outcome(&issues);
    let (mime, body) = respond::render(&outcome, ask.visit.answer.get())?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// What the query string and the Parameters ask.
#[derive(Default)]
struct Wishes {
    mode: Option<ValidationMode>,
    profiles: Vec<String>,
}

impl Wishes {
    fn mode(&mut self, code: &str) -> Result<(), Failure> {
        let mode = ValidationMode::parse(code).ok_or_else(|| {
            let text = "This `mode` is unknown. Send create, update, delete or profile, or leave it out.";
            error::of_issues(vec![
                Issue::error(IssueCode::Value, text)
                    .with_diagnostics(code.chars().take(100).collect::<String>()),
            ])
        })?;
        match self.mode.replace(mode) {
            Some(before) if before != mode => {
                let text = "Two modes are asked for. Send one.";
                Err(error::of_issues(vec![Issue::error(IssueCode::Invalid, text)]).into())
            }
            _ => Ok(()),
        }
    }

    /// `mode` and `profile` of Parameters.
    fn take(&mut self, parameter: &Map<String, Value>) -> Result<(), Failure> {
        let value = [
            "valueCode",
            "valueString",
            "valueUri",
            "valueCanonical",
            "valueUrl",
        ]
        .into_iter()
        .find_map(|name| parameter.get(name)?.as_str());
        match (parameter.get("name").and_then(Value::as_str), value) {
            (Some("mode"), Some(code)) => self.mode(code),
            (Some("profile"), Some(url)) => {
                self.profiles.push(url.to_owned());
                Ok(())
            }
            (Some(name @ ("mode" | "profile")), None) => {
                let text = format!(
                    "The parameter `{name}` has no value. Send valueCode for mode, valueUri for profile."
                );
                let issue = Issue::error(IssueCode::Required, text).at("Parameters.parameter");
                Err(error::of_issues(vec![issue]).into())
            }
            _ => Ok(()),
        }
    }
}

/// What the body holds: a resource, alone or in Parameters.
async fn subject(
    ask: &Ask<'_>,
    kind: ResourceType,
    body: Bytes,
    format: Format,
    wishes: &mut Wishes,
) -> Result<Subject, Failure> {
    let named = codec::type_of(&body, format);
    let reading = Reading {
        format,
        expected: kind,
        policy: ask.caller.policy,
        id: BodyId::Counts,
    };
    if named.as_deref() != Some("Parameters") {
        return match body::decode(body, reading).await {
            Ok(resource) => Ok(sent(ask, resource)),
            // What is no JSON and no XML is nothing that could be validated.
            Err(failure) if named.is_none() => Err(failure),
            Err(failure) => Ok(Subject::Faulty(failure.refusal.issues)),
        };
    }
    let tree = match body::decode_parameters(body, reading).await? {
        Ok(tree) => tree,
        Err(issues) => return Ok(Subject::Faulty(issues)),
    };
    let mut resource = None;
    let parameters = tree.get("parameter").and_then(Value::as_array);
    for parameter in parameters.into_iter().flatten().filter_map(Value::as_object) {
        wishes.take(parameter)?;
        let is_resource = parameter.get("name").and_then(Value::as_str) == Some("resource");
        if let Some(Value::Object(map)) = parameter.get("resource").filter(|_| is_resource) {
            resource = Some(map.clone());
        }
    }
    let Some(map) = resource else {
        return Ok(Subject::Stored);
    };
    match map.get("resourceType").and_then(Value::as_str) {
        Some(name) if name == kind.as_str() => Ok(sent(ask, Resource::from_guarded(kind, map))),
        other => {
            let found = other.unwrap_or("nothing").chars().take(60).collect::<String>();
            let text = format!("The resource is no {kind}. Send a {kind}, or ask the type that it is.");
            let issue = Issue::error(IssueCode::Structure, text);
            Ok(Subject::Faulty(vec![
                issue.at("Resource").with_diagnostics(found),
            ]))
        }
    }
}

fn sent(ask: &Ask<'_>, mut resource: Resource) -> Subject {
    ask.visit.app.auth.rewrite_resource(&mut resource);
    Subject::Sent(resource)
}
