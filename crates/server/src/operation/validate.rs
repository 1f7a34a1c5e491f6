//! `$validate` — <https://hl7.org/fhir/R4/resource-operation-validate.html>

use actix_web::HttpResponse;
use engine::Reply;
use fhir::interaction::{Validation, ValidationMode};
use fhir::parameters::{Accepted, Holds};
use fhir::{Id, Interaction, Issue, IssueCode, ResourceType, codec, outcome};

use super::Given;
use crate::ask::Ask;
use crate::body::{BodyId, Reading};
use crate::error::{self, Failure};
use crate::respond;

const ACCEPTED: [Accepted; 3] = [
    Accepted {
        name: "mode",
        holds: Holds::Text,
        repeats: false,
    },
    Accepted {
        name: "profile",
        holds: Holds::Text,
        repeats: true,
    },
    Accepted {
        name: "resource",
        holds: Holds::Resource,
        repeats: false,
    },
];

/// `[type]/$validate`
pub async fn of_type(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let kind = ask.kind()?;
    validate(&ask, kind, None).await
}

/// `[type]/[id]/$validate`
pub async fn of_instance(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let target = ask.target()?;
    validate(&ask, target.kind, Some(target.id)).await
}

async fn validate(ask: &Ask<'_>, kind: ResourceType, id: Option<Id>) -> Result<HttpResponse, Failure> {
    let Given { parameters, content } = super::given(ask, reading, &ACCEPTED).await?;
    let hint = "write create, update, delete or profile.";
    let mode = parameters
        .value("mode", hint, mode)?
        .unwrap_or(ValidationMode::Content);
    let profiles: Vec<String> = parameters.texts("profile").map(str::to_owned).collect();
    if parameters.text("mode") == Some("profile") && profiles.is_empty() {
        let text = "mode=profile needs a profile to check against. Name it as `profile`.";
        let issue = Issue::error(IssueCode::Required, text).with_diagnostics("profile");
        return Err(error::of_issues(vec![issue]).into());
    }
    let asked = Validation {
        kind,
        id,
        content,
        mode,
        profiles,
    };
    let Reply::Issues(found) = ask.run(Interaction::Validate(asked)).await? else {
        return Err(error::broken("the engine answered with a reply of another kind").into());
    };
    let issues = if found.is_empty() {
        vec![Issue::information(format!("This {kind} is valid. Nothing was stored.")).at(kind.as_str())]
    } else {
        found
    };
    respond::made(&outcome::operation_outcome(&issues), ask.visit.answer.get())
}

/// The place of an id that is not one is told, unless it is given anew.
fn reading(ask: &Ask<'_>, format: codec::Format) -> Reading {
    Reading {
        format,
        // The handler has read it already.
        expected: ask.kind().unwrap_or(ResourceType::Patient),
        policy: ask.caller.policy,
        id: BodyId::Counts,
    }
}

fn mode(text: &str) -> Option<ValidationMode> {
    match text {
        "create" => Some(ValidationMode::Create),
        "update" => Some(ValidationMode::Update),
        "delete" => Some(ValidationMode::Delete),
        "profile" => Some(ValidationMode::Content),
        _ => None,
    }
}
