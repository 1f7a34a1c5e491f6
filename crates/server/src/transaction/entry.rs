//! `Bundle.entry.request` → interaction, as a request of its own would be read.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use fhir::bundle::{Body, Method, Request};
use fhir::canonical::write_value;
use fhir::query::subset::Subset;
use fhir::{Interaction, Resource, ResourceType};
use serde_json::Value;

use crate::ask::{self, Ask, IF_NONE_EXIST};
use crate::base::Base;
use crate::body::{self, BodyId, Reading};
use crate::bundle::Links;
use crate::error::{self, Failure};
use crate::{precondition, routes};

/// What an entry asks.
pub struct Asked {
    /// The interaction.
    pub interaction: Interaction,
    /// How its answer is shaped.
    pub shape: Shape,
}

/// What of a request shapes its answer.
pub struct Shape {
    /// Its conditions, as the headers that they mirror.
    pub headers: HeaderMap,
    /// Its criteria, as they were sent.
    pub criteria: String,
    /// The elements that a read asks for.
    pub subset: Option<Subset>,
    /// The links of a search.
    pub links: Option<Links>,
}

/// Reads a request.
///
/// # Errors
/// The refusal that the same request would get by itself.
pub fn asked(ask: &Ask<'_>, base: &Base, request: Request) -> Result<Asked, Failure> {
    let url = request.url.clone();
    let (path, query) = split(&url, base).ok_or_else(|| error::entry_url(&url))?;
    let segments: Vec<&str> = path.split('/').collect();
    let headers = headers(&request);
    let mut shape = Shape {
        criteria: request.if_none_exist.clone().unwrap_or_else(|| query.to_owned()),
        headers,
        subset: None,
        links: None,
    };
    let interaction = match (request.method, segments.as_slice()) {
        (Method::Get, [name, id]) => {
            let target = ask::target_of(ask::kind_of(name)?, id)?;
            shape.subset = ask::subset_of(target.kind, query)?;
            Interaction::Read(target)
        }
        (Method::Get, [name, id, "_history", version]) => {
            let target = ask::target_of(ask::kind_of(name)?, id)?;
            let version = ask::version_of(version)?;
            shape.subset = ask::subset_of(target.kind, query)?;
            Interaction::VersionRead(target, version)
        }
        (Method::Get, [name]) if !name.is_empty() => {
            let search = ask.parse_search(Some(ask::kind_of(name)?), query)?;
            shape.links = Some(Links::of(&search));
            Interaction::Search(search)
        }
        (Method::Post, [name]) if !name.is_empty() => {
            let kind = ask::kind_of(name)?;
            ask::no_criteria_in(query)?;
            let resource = resource(ask, kind, request.resource, BodyId::MeansNothing)?;
            ask.creation_under(&shape.headers, resource)?
        }
        (Method::Put, [name, id]) => {
            let target = ask::target_to_write_of(ask::kind_of(name)?, id)?;
            let precondition = precondition::of_write(&shape.headers)?;
            Interaction::Update {
                resource: resource(ask, target.kind, request.resource, BodyId::Counts)?,
                target,
                precondition,
            }
        }
        (Method::Put, [name]) if !name.is_empty() => {
            let kind = ask::kind_of(name)?;
            let precondition = precondition::of_write(&shape.headers)?;
            let resource = resource(ask, kind, request.resource, BodyId::Counts)?;
            Interaction::ConditionalUpdate {
                criteria: ask.criteria_in(query, &resource)?,
                resource,
                precondition,
            }
        }
        (Method::Delete, [name, id]) => Interaction::Delete {
            target: ask::target_of(ask::kind_of(name)?, id)?,
            precondition: precondition::of_write(&shape.headers)?,
        },
        // What has a route of its own but no place in a Bundle yet comes here, PATCH among it.
        (method, segments) => return Err(not_here(method, segments)),
    };
    Ok(Asked { interaction, shape })
}

/// Path and query of a URL below the base. An absolute one must be this server's.
fn split<'u>(url: &'u str, base: &Base) -> Option<(&'u str, &'u str)> {
    let below = match url.strip_prefix(base.to_string().as_str()) {
        Some(below) if below.is_empty() || below.starts_with(['/', '?']) => below,
        _ => url,
    };
    let (path, query) = below.split_once('?').unwrap_or((below, ""));
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let is_path = !below.starts_with("//") && !path.contains("//") && !path.contains([':', '#', '\\']);
    is_path.then_some((path, query))
}

/// The conditions as headers. One that can be no header is there all the same, as one that nothing fulfils.
fn headers(request: &Request) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mirrored: [(HeaderName, &Option<String>); 4] = [
        (IF_NONE_EXIST, &request.if_none_exist),
        (IF_MATCH, &request.if_match),
        (IF_NONE_MATCH, &request.if_none_match),
        (IF_MODIFIED_SINCE, &request.if_modified_since),
    ];
    for (name, condition) in mirrored {
        if let Some(text) = condition {
            let value = HeaderValue::from_bytes(text.as_bytes());
            headers.insert(name, value.unwrap_or(HeaderValue::from_static("")));
        }
    }
    headers
}

fn resource(ask: &Ask<'_>, kind: ResourceType, body: Option<Body>, id: BodyId) -> Result<Resource, Failure> {
    let body = body.ok_or_else(|| error::entry_empty(kind))?;
    if body.kind != kind.as_str() && !(body.kind.is_empty() && body.content.is_err()) {
        return Err(error::entry_of_other_type(&body.kind, kind).into());
    }
    let limit = ask.visit.app.settings.max_body_bytes;
    let tree = body.content.map_err(|malformed| {
        let reading = Reading {
            format: fhir::codec::Format::Json,
            expected: kind,
            policy: ask.caller.policy,
            id,
        };
        Failure::from(malformed.all_issues(|rest| body::faults(rest, reading)))
    })?;
    // A resource is held to the limit that it has alone. Only a large Bundle can hold a larger one.
    if ask.trace.received.get() > limit {
        let mut text = String::new();
        write_value(&mut text, &Value::Object(tree.clone()));
        if text.len() > limit {
            return Err(error::body_too_long(limit).into());
        }
    }
    let mut resource = Resource::from_guarded(kind, tree);
    ask.visit.app.auth.rewrite_resource(&mut resource);
    Ok(resource)
}

/// The refusal of what no entry may ask.
fn not_here(method: Method, segments: &[&str]) -> Failure {
    let known = match segments {
        [name] if !name.is_empty() => ask::kind_of(name).map(|_| "/fhir/{type}"),
        [name, id] => ask::kind_of(name)
            .and_then(|kind| ask::target_of(kind, id))
            .map(|_| "/fhir/{type}/{id}"),
        [.., last] if last.starts_with(['$', '_']) => return error::unknown_operation(last).into(),
        _ => return error::unknown_path("An entry asks for a type, a resource or a version of one.").into(),
    };
    match known {
        Ok(pattern) => {
            let hint = match method {
                Method::Patch => "Read the resource, change it, and PUT it with ifMatch.",
                Method::Delete => "Delete a resource by its id.",
                Method::Head => "GET it.",
                _ => "",
            };
            error::wrong_method(method.as_str(), routes::allowed(pattern), hint)
        }
        Err(failure) => failure,
    }
}
