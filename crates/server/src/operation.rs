//! Operations — <https://hl7.org/fhir/R4/operations.html>: what is given, by URL and body together.

pub mod everything;
pub mod matching;
pub mod pix;
pub mod validate;

use actix_web::http::Method;
use fhir::codec;
use fhir::interaction::Content;
use fhir::parameters::{Accepted, Parameters};
use fhir::query::parse;
use fhir::{Issue, IssueCode, Resource, ResourceType};

use crate::ask::Ask;
use crate::body::{self, BodyId, Reading};
use crate::error::Failure;
use crate::media;

/// What is given to an operation.
pub struct Given {
    /// The parameters that are no resource.
    pub parameters: Parameters,
    /// The resource, alone in the body or a parameter of it.
    pub content: Content,
}

/// Reads URL and body: a `Parameters` resource, or the resource alone, as the parameter `resource`.
///
/// # Errors
/// 400 of what cannot be read at all, of an unknown parameter and one that is given twice; 413, 415 as everywhere.
pub async fn given(
    ask: &Ask<'_>,
    reading: fn(&Ask<'_>, codec::Format) -> Reading,
    accepted: &[Accepted],
) -> Result<Given, Failure> {
    let mut given = Given {
        parameters: Parameters::default(),
        content: Content::Stored,
    };
    if *ask.visit.request.method() == Method::POST {
        let bytes = ask.body().await?;
        if !bytes.is_empty() {
            let format = media::of_body(ask.visit.headers(), &bytes)?;
            given = of_body(bytes, reading(ask, format)).await?;
        }
    }
    given
        .parameters
        .add_query(parse::pairs(ask.visit.request.query_string())?);
    given.parameters.check(accepted)?;
    if let Content::Sent(resource) = &mut given.content {
        ask.visit.app.auth.rewrite_resource(resource);
    }
    Ok(given)
}

/// How a Patient is read that is asked about and not written: its id means nothing.
pub fn of_patient(ask: &Ask<'_>, format: codec::Format) -> Reading {
    Reading {
        format,
        expected: ResourceType::Patient,
        policy: ask.caller.policy,
        id: BodyId::MeansNothing,
    }
}

async fn of_body(bytes: actix_web::web::Bytes, reading: Reading) -> Result<Given, Failure> {
    body::parsed_aside(bytes.len(), move || {
        let named = codec::type_of(&bytes, reading.format);
        if named.as_deref() == Some("Parameters") {
            return of_parameters(&bytes, reading);
        }
        let content = match codec::decode(&bytes, reading.format, reading.expected) {
            Ok(resource) => Content::Sent(resource),
            // What is no JSON and no XML at all is no resource of which anything could be said.
            Err(malformed) if named.is_none() => return Err(malformed.into_issues().into()),
            Err(malformed) => Content::Malformed(malformed.all_issues(|rest| body::faults(rest, reading))),
        };
        Ok(Given {
            parameters: Parameters::default(),
            content,
        })
    })
    .await
}

fn of_parameters(bytes: &[u8], reading: Reading) -> Result<Given, Failure> {
    let tree = match codec::decode_parameters(bytes, reading.format) {
        Ok(tree) => tree,
        Err(malformed) if malformed.is_unreadable() => return Err(malformed.into_issues().into()),
        Err(malformed) => {
            let issues = malformed
                .of_parameter()
                .all_issues(|rest| body::faults(rest, reading));
            return Ok(Given {
                parameters: Parameters::default(),
                content: Content::Malformed(issues),
            });
        }
    };
    let mut parameters = Parameters::of_body(tree)?;
    let content = match parameters.take_resource("resource") {
        None => Content::Stored,
        Some((tree, place)) => expected(reading.expected, tree, &place),
    };
    Ok(Given { parameters, content })
}

fn expected(kind: ResourceType, tree: serde_json::Map<String, serde_json::Value>, place: &str) -> Content {
    let found = tree
        .get("resourceType")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    if found == kind.as_str() {
        return Content::Sent(Resource::from_guarded(kind, tree));
    }
    let text =
        format!("The parameter `resource` holds another type. This operation is about a {kind}: send one.");
    let issue = Issue::error(IssueCode::Invalid, text);
    Content::Malformed(vec![issue.with_diagnostics(found).at(place)])
}
