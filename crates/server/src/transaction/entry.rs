//! `Bundle.entry.request` → interaction, as a request of its own would be read.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use fhir::bundle::{Body, Method, Request};
use fhir::canonical::write_value;
use fhir::interaction::{Edit, Precondition};
use fhir::query::history::Scope;
use fhir::query::subset::Subset;
use fhir::{Interaction, Resource, ResourceType};
use serde_json::{Map, Value};
use store::audit::Audited;

use crate::ask::{self, Ask, IF_NONE_EXIST};
use crate::base::Base;
use crate::body::{self, BodyId};
use crate::bundle::Links;
use crate::conformance::{self, Kind};
use crate::error::{self, Failure};
use crate::{capability, precondition, routes};

use super::patch;

/// What an entry asks.
pub struct Asked {
    /// What is to be done.
    pub what: What,
    /// How its answer is shaped.
    pub shape: Shape,
}

/// What is to be done for an entry.
pub enum What {
    /// The engine runs it.
    Run(Interaction),
    /// The server says it of itself: nothing is run.
    Tell(Told),
}

/// What the server says of itself.
pub struct Told {
    /// The resource.
    pub resource: Value,
    /// The path of the resource below the base, when it has one.
    pub path: Option<String>,
    /// Its entity tag, bare, when it has one.
    pub tag: Option<String>,
    /// The published type that was asked for; `None` of the CapabilityStatement.
    pub kind: Option<Kind>,
}

impl Told {
    /// What the audit trail says that it is about; nothing of the statement, which is told to anybody.
    pub fn audited(&self) -> Option<Audited> {
        Audited::parse(self.kind?.as_str())
    }

    /// What the audit trail calls it.
    pub fn name(&self) -> &'static str {
        if self.path.is_some() {
            "read"
        } else {
            "search-type"
        }
    }

    /// Its id, when it is one resource.
    pub fn id(&self) -> Option<fhir::Id> {
        self.path.as_deref()?.rsplit('/').next().and_then(fhir::Id::parse)
    }
}

/// What of a request shapes its answer.
pub struct Shape {
    /// Its conditions, as the headers that they mirror.
    pub headers: HeaderMap,
    /// Its criteria, as they were sent.
    pub criteria: String,
    /// The elements that a read asks for.
    pub subset: Option<Subset>,
    /// The links of a search or a history.
    pub links: Option<Links>,
    /// Whether the entry brings the resource that its faults are in.
    brings: Brings,
}

/// What an entry brings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brings {
    /// The resource itself, or nothing.
    Resource,
    /// What changes one.
    Patch,
}

impl Shape {
    /// The failure of the interaction. What a patch makes of a resource stands nowhere in the Bundle.
    pub fn failure(&self, error: engine::Error) -> Failure {
        let mut failure = Failure::about(error, &self.criteria);
        if self.brings == Brings::Patch {
            for issue in &mut failure.refusal.issues {
                let place = issue
                    .expression
                    .take_if(|place| !place.starts_with("Parameters."));
                issue.diagnostics = issue.diagnostics.take().or(place);
            }
        }
        failure
    }
}

/// An entry that is being read.
struct Reading<'a> {
    ask: &'a Ask<'a>,
    method: Method,
    query: &'a str,
    resource: Option<Body>,
    shape: Shape,
}

/// Reads a request.
///
/// # Errors
/// The refusal that the same request would get by itself.
pub fn asked(ask: &Ask<'_>, base: &Base, request: Request) -> Result<Asked, Failure> {
    let (path, query) = split(&request.url, base).ok_or_else(|| error::entry_url(&request.url))?;
    let segments: Vec<&str> = path.split('/').collect();
    let headers = headers(&request);
    let criteria = request.if_none_exist.clone();
    let mut reading = Reading {
        ask,
        method: request.method,
        query,
        resource: request.resource,
        shape: Shape {
            criteria: criteria.unwrap_or_else(|| query.to_owned()),
            headers,
            subset: None,
            links: None,
            brings: Brings::Resource,
        },
    };
    let what = reading.what(&segments)?;
    let shape = reading.shape;
    Ok(Asked { what, shape })
}

/// Whether a POST only searches: it is done where the reads are.
pub fn is_search(url: &str) -> bool {
    let path = url.split_once('?').map_or(url, |(path, _)| path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path == SEARCH || path.ends_with("/_search")
}

/// The last segment of a POSTed search.
const SEARCH: &str = "_search";

impl Reading<'_> {
    fn what(&mut self, segments: &[&str]) -> Result<What, Failure> {
        if let Some(kind) = segments.first().and_then(|name| Kind::parse(name)) {
            return self.published(kind, segments).map(What::Tell);
        }
        match (self.method, segments) {
            (Method::Get, ["metadata"]) => Ok(What::Tell(Told {
                resource: capability::told(self.ask.visit),
                path: None,
                tag: None,
                kind: None,
            })),
            (Method::Get, segments) => self.read(segments).map(What::Run),
            (Method::Post, [.., SEARCH]) => self.posted_search(segments).map(What::Run),
            (_, segments) => self.write(segments).map(What::Run),
        }
    }

    fn read(&mut self, segments: &[&str]) -> Result<Interaction, Failure> {
        match segments {
            [""] => self.search(None),
            ["_history"] => self.history(Scope::System),
            [name, "_history"] => self.history(Scope::Type(ask::kind_of(name)?)),
            [name] => self.search(Some(ask::kind_of(name)?)),
            [name, id] => {
                let target = ask::target_of(ask::kind_of(name)?, id)?;
                self.shape.subset = ask::subset_of(target.kind, self.query)?;
                Ok(Interaction::Read(target))
            }
            [name, id, "_history"] => {
                let target = ask::target_of(ask::kind_of(name)?, id)?;
                self.history(Scope::Resource(target))
            }
            [name, id, "_history", version] => {
                let target = ask::target_of(ask::kind_of(name)?, id)?;
                let version = ask::version_of(version)?;
                self.shape.subset = ask::subset_of(target.kind, self.query)?;
                Ok(Interaction::VersionRead(target, version))
            }
            segments => Err(not_here(self.method, segments)),
        }
    }

    fn search(&mut self, kind: Option<ResourceType>) -> Result<Interaction, Failure> {
        let search = self.ask.parse_search(kind, self.query)?;
        self.shape.links = Some(Links::of(&search));
        Ok(Interaction::Search(search))
    }

    /// The form of a POSTed search has no place in an entry: its parameters stand in the URL.
    fn posted_search(&mut self, segments: &[&str]) -> Result<Interaction, Failure> {
        let kind = match segments {
            [_] => None,
            [name, _] => Some(ask::kind_of(name)?),
            segments => return Err(not_here(self.method, segments)),
        };
        self.refuse_form()?;
        self.search(kind)
    }

    fn refuse_form(&self) -> Result<(), Failure> {
        match &self.resource {
            None => Ok(()),
            Some(_) => Err(error::entry_of_search().into()),
        }
    }

    fn history(&mut self, scope: Scope) -> Result<Interaction, Failure> {
        let history = self.ask.history_in(self.query, scope)?;
        self.shape.links = Some(Links::of_history(&history));
        Ok(Interaction::History(history))
    }

    fn write(&mut self, segments: &[&str]) -> Result<Interaction, Failure> {
        // `metadata` is no type, and `_history` no id.
        let is_written = |pattern| matches!(pattern, "/fhir/{type}" | "/fhir/{type}/{id}");
        if !routes::pattern_of(segments).is_some_and(is_written) {
            return Err(not_here(self.method, segments));
        }
        match (self.method, segments) {
            (Method::Post, [name]) if !name.is_empty() => {
                let kind = ask::kind_of(name)?;
                ask::no_criteria_in(self.query)?;
                let resource = self.resource(kind, BodyId::MeansNothing)?;
                self.ask.creation_under(&self.shape.headers, resource)
            }
            (Method::Put, [name, id]) => {
                let target = ask::target_to_write_of(ask::kind_of(name)?, id)?;
                let precondition = self.precondition()?;
                Ok(Interaction::Update {
                    resource: self.resource(target.kind, BodyId::Counts)?,
                    target,
                    precondition,
                })
            }
            (Method::Put, [name]) if !name.is_empty() => {
                let kind = ask::kind_of(name)?;
                let precondition = self.precondition()?;
                let resource = self.resource(kind, BodyId::Counts)?;
                Ok(Interaction::ConditionalUpdate {
                    criteria: self.ask.criteria_in(self.query, &resource)?,
                    resource,
                    precondition,
                })
            }
            (Method::Patch, [name, id]) => Ok(Interaction::Patch {
                target: ask::target_of(ask::kind_of(name)?, id)?,
                precondition: self.precondition()?,
                change: self.change()?,
            }),
            (Method::Patch, [name]) if !name.is_empty() => Ok(Interaction::ConditionalPatch {
                criteria: self.ask.bare_criteria_in(self.query, ask::kind_of(name)?)?,
                precondition: self.precondition()?,
                change: self.change()?,
            }),
            (Method::Delete, [name, id]) => Ok(Interaction::Delete {
                target: ask::target_of(ask::kind_of(name)?, id)?,
                precondition: self.precondition()?,
            }),
            (Method::Delete, [name]) if !name.is_empty() => Ok(Interaction::ConditionalDelete {
                criteria: self.ask.bare_criteria_in(self.query, ask::kind_of(name)?)?,
                precondition: self.precondition()?,
            }),
            (method, segments) => Err(not_here(method, segments)),
        }
    }

    /// What of `profiles/` is asked for.
    fn published(&self, kind: Kind, segments: &[&str]) -> Result<Told, Failure> {
        let found = |tree| Told {
            resource: tree,
            path: None,
            tag: None,
            kind: Some(kind),
        };
        match (self.method, segments) {
            (Method::Get, [_]) => conformance::found(self.ask, kind, self.query).map(found),
            (Method::Post, [_, SEARCH]) => {
                self.refuse_form()?;
                conformance::found(self.ask, kind, self.query).map(found)
            }
            (Method::Get, [name, id]) => {
                let published = conformance::find(self.ask, kind, id)?;
                Ok(Told {
                    resource: published.tree().clone(),
                    path: Some(format!("{name}/{id}")),
                    tag: Some(published.tag().to_owned()),
                    kind: Some(kind),
                })
            }
            (method, segments) => Err(not_here(method, segments)),
        }
    }

    fn precondition(&self) -> Result<Precondition, Failure> {
        Ok(precondition::of_write(&self.shape.headers)?)
    }

    fn resource(&mut self, kind: ResourceType, id: BodyId) -> Result<Resource, Failure> {
        resource(self.ask, kind, self.resource.take(), id)
    }

    fn change(&mut self) -> Result<Edit, Failure> {
        self.shape.brings = Brings::Patch;
        let patch = patch::read(self.ask, self.resource.take())?;
        Ok(self.ask.change_by(patch))
    }
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
    let tree = body.content.map_err(|malformed| {
        let reading = body::Reading {
            format: fhir::codec::Format::Json,
            expected: kind,
            policy: ask.caller.policy,
            id,
        };
        Failure::from(malformed.all_issues(|rest| body::faults(rest, reading)))
    })?;
    check_size(ask, &tree)?;
    let mut resource = Resource::from_guarded(kind, tree);
    ask.visit.app.auth.rewrite_resource(&mut resource);
    Ok(resource)
}

/// A resource is held to the limit that it has alone. Only a large Bundle can hold a larger one.
pub(super) fn check_size(ask: &Ask<'_>, tree: &Map<String, Value>) -> Result<(), Failure> {
    let limit = ask.visit.app.settings.max_body_bytes;
    if ask.trace.received.get() > limit {
        let mut text = String::new();
        write_value(&mut text, &Value::Object(tree.clone()));
        if text.len() > limit {
            return Err(error::body_too_long(limit).into());
        }
    }
    Ok(())
}

/// The refusal of what no entry may ask.
fn not_here(method: Method, segments: &[&str]) -> Failure {
    let unknown = || error::unknown_path("An entry asks for a type, a resource or what there is of one.");
    let pattern = match segments {
        [.., last] if last.starts_with('$') => return error::unknown_operation(last).into(),
        [""] => None,
        segments => routes::pattern_of(segments),
    };
    let Some(pattern) = pattern else {
        return unknown().into();
    };
    let known = match segments {
        _ if !pattern.starts_with("/fhir/{type}") => Ok(()),
        [name, id, ..] if pattern.contains("{id}") => {
            let kind = ask::kind_of(name);
            kind.and_then(|kind| ask::target_of(kind, id)).map(|_| ())
        }
        [name, ..] => ask::kind_of(name).map(|_| ()),
        [] => Err(unknown().into()),
    };
    match known {
        Ok(()) => {
            let hint = match method {
                Method::Head => "In a Bundle, GET it.",
                _ => "",
            };
            error::wrong_method(method.as_str(), routes::allowed(pattern), hint)
        }
        Err(failure) => failure,
    }
}
