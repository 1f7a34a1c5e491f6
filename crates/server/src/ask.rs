//! What a handler is given, and how it takes the parts of an interaction out of it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpRequest, web};
use engine::{Caller, ClientPolicy, Reply, Session};
use fhir::interaction::{Edit, Precondition, Refusal as Refused};
use fhir::patch::Patch;
use fhir::query::history::{History, Scope};
use fhir::query::parse::{self, NameCase};
use fhir::query::subset::{self, Subset};
use fhir::query::{Criteria, Query, encoding};
use fhir::validate::regulator;
use fhir::{Id, Interaction, Resource, ResourceType, Target, VersionId};

use crate::app::App;
use crate::base::Base;
use crate::body::{self, BodyId, Reading};
use crate::error::{self, Failure};
use crate::gate::Trace;
use crate::media::{self, Answer};
use crate::{precondition, prefer};

/// The criteria of a conditional create.
pub const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// The parameters of a create: what shapes its answer.
const SHAPES: [&str; 4] = ["_format", "_pretty", "_summary", "_elements"];

/// Nothing in the query string of a create but what shapes the answer: who writes criteria there means a condition,
/// and ignoring it would make a second resource.
///
/// # Errors
/// 400 naming the first of them.
pub fn no_criteria_in(query: &str) -> Result<(), Failure> {
    let criterion = encoding::pairs(query)?
        .into_iter()
        .find(|pair| !SHAPES.contains(&pair.name.as_str()));
    match criterion {
        Some(pair) => Err(error::criteria_of_a_create(&pair.full_name()).into()),
        None => Ok(()),
    }
}

/// A request whose sender need not be known.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// What all requests share.
    pub app: &'a App,
    /// The request.
    pub request: &'a HttpRequest,
    /// How the answer is to be written.
    pub answer: &'a Cell<Answer>,
    /// The request's id.
    pub request_id: &'a str,
}

impl Visit<'_> {
    /// The base URL of links in the answer.
    pub fn base(&self) -> Base {
        Base::of(self.app, self.request)
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }
}

/// A request of a known caller.
pub struct Ask<'a> {
    /// The request.
    pub visit: Visit<'a>,
    /// Who asks.
    pub caller: Arc<Caller>,
    /// The body, not read yet.
    pub payload: &'a RefCell<web::Payload>,
    /// For the log.
    pub trace: &'a Trace,
}

impl Ask<'_> {
    /// The caller's handle on the engine.
    pub fn session(&self) -> Session {
        self.visit.app.engine.for_caller(Arc::clone(&self.caller))
    }

    /// Runs an interaction for the caller.
    ///
    /// # Errors
    /// The engine's refusal; one that speaks of criteria shows them.
    pub async fn run(&self, interaction: Interaction) -> Result<Reply, Failure> {
        let result = self.session().run(interaction).await;
        result.map_err(|error| Failure::about(error, self.written_criteria()))
    }

    /// The criteria of a conditional interaction, as they were sent.
    fn written_criteria(&self) -> &str {
        let header = self.visit.headers().get(IF_NONE_EXIST);
        header
            .and_then(|header| std::str::from_utf8(header.as_bytes()).ok())
            .unwrap_or_else(|| self.visit.request.query_string())
    }

    /// The type in the path.
    ///
    /// # Errors
    /// 404 when it is not served.
    pub fn kind(&self) -> Result<ResourceType, Failure> {
        kind_of(self.segment("type"))
    }

    /// Type and id in the path, of something that is to be read or deleted.
    ///
    /// # Errors
    /// 404 of a type that is not served, an operation, or an id that nothing can have.
    pub fn target(&self) -> Result<Target, Failure> {
        target_of(self.kind()?, self.segment("id"))
    }

    /// The id in the path of a type that stands there by name.
    ///
    /// # Errors
    /// 404 of an id that nothing can have.
    pub fn target_of(&self, kind: ResourceType) -> Result<Target, Failure> {
        target_of(kind, self.segment("id"))
    }

    /// Type and id in the path, of something that is to be written.
    ///
    /// # Errors
    /// As [`Ask::target`], but 400 for an id that nothing can get.
    pub fn target_to_write(&self) -> Result<Target, Failure> {
        target_to_write_of(self.kind()?, self.segment("id"))
    }

    /// The version in the path.
    ///
    /// # Errors
    /// 404 of what can be no version.
    pub fn version(&self) -> Result<VersionId, Failure> {
        version_of(self.segment("vid"))
    }

    /// The elements that a read asks for; `None` for all of them.
    ///
    /// # Errors
    /// 400 of a `_summary` or `_elements` that is not wholly understood.
    pub fn subset(&self, kind: ResourceType) -> Result<Option<Subset>, Failure> {
        subset_of(kind, self.visit.request.query_string())
    }

    /// The resource in the body.
    ///
    /// # Errors
    /// 400 of an empty body or a malformed one (then with all that is wrong with its content too), and
    /// whatever [`body::read`] refuses.
    pub async fn resource(&self, kind: ResourceType) -> Result<Resource, Failure> {
        let bytes = self.body().await?;
        if bytes.is_empty() {
            return Err(error::body_empty(kind).into());
        }
        let reading = Reading {
            format: media::of_body(self.visit.headers(), &bytes)?,
            expected: kind,
            policy: self.caller.policy,
            id: match *self.visit.request.method() {
                Method::POST => BodyId::MeansNothing,
                _ => BodyId::Counts,
            },
        };
        let mut resource = body::decode(bytes, reading).await?;
        self.visit.app.auth.rewrite_resource(&mut resource);
        Ok(resource)
    }

    /// What the patch in the body makes of a resource.
    ///
    /// # Errors
    /// 400 of an empty body or a malformed patch, 415 of one whose kind is not told, and whatever [`body::read`]
    /// refuses.
    pub async fn change(&self) -> Result<Edit, Failure> {
        let format = media::of_patch(self.visit.headers()).map_err(|refusal| Failure {
            tells_patches: true,
            ..Failure::from(refusal)
        })?;
        let bytes = self.body().await?;
        if bytes.is_empty() {
            return Err(error::patch_empty().into());
        }
        Ok(self.change_by(body::decode_patch(bytes, format).await?))
    }

    /// What a patch makes of a resource.
    pub fn change_by(&self, patch: Patch) -> Edit {
        let auth = self.visit.app.auth.clone();
        Box::new(move |current| {
            let mut changed = patch.apply(current).map_err(|issues| Refused { issues })?;
            auth.rewrite_resource(&mut changed);
            Ok(changed)
        })
    }

    /// `If-Match` and `If-None-Match` of a write.
    ///
    /// # Errors
    /// 400, see [`precondition::of_write`].
    pub fn precondition(&self) -> Result<Precondition, Failure> {
        Ok(precondition::of_write(self.visit.headers())?)
    }

    /// The criteria of a conditional interaction that has no resource in its body.
    ///
    /// # Errors
    /// 400 naming every parameter that is not wholly understood.
    pub fn bare_criteria(&self, kind: ResourceType) -> Result<Criteria, Failure> {
        self.bare_criteria_in(self.visit.request.query_string(), kind)
    }

    /// The same in another query string.
    ///
    /// # Errors
    /// As [`Ask::bare_criteria`].
    pub fn bare_criteria_in(&self, query: &str, kind: ResourceType) -> Result<Criteria, Failure> {
        let mut criteria = parse::criteria(kind, query, NameCase::Exact, self.session().now())?;
        self.visit.app.auth.rewrite_criteria(&mut criteria);
        Ok(criteria)
    }

    /// The criteria of a conditional update. Regulators' senders are not sure of the case of the names.
    ///
    /// # Errors
    /// 400 naming every parameter that is not wholly understood.
    pub fn criteria(&self, resource: &Resource) -> Result<Criteria, Failure> {
        self.criteria_in(self.visit.request.query_string(), resource)
    }

    /// The same in another query string.
    ///
    /// # Errors
    /// As [`Ask::criteria`].
    pub fn criteria_in(&self, query: &str, resource: &Resource) -> Result<Criteria, Failure> {
        let names = match self.caller.policy {
            ClientPolicy::SasRegulator => NameCase::AnyCase,
            ClientPolicy::None if regulator::applies(resource) => NameCase::AnyCase,
            ClientPolicy::None => NameCase::Exact,
        };
        let mut criteria = parse::criteria(resource.kind(), query, names, self.session().now())?;
        self.visit.app.auth.rewrite_criteria(&mut criteria);
        Ok(criteria)
    }

    /// The history that the query string asks for.
    ///
    /// # Errors
    /// 400 naming every parameter that cannot be applied.
    pub fn history(&self, scope: Scope) -> Result<History, Failure> {
        self.history_in(self.visit.request.query_string(), scope)
    }

    /// The same in another query string.
    ///
    /// # Errors
    /// As [`Ask::history`].
    pub fn history_in(&self, query: &str, scope: Scope) -> Result<History, Failure> {
        let pairs = parse::pairs(query)?;
        Ok(History::parse(
            scope,
            &pairs,
            prefer::handling(self.visit.headers()),
        )?)
    }

    /// A create, conditional when `If-None-Exist` is there.
    ///
    /// # Errors
    /// 400 of criteria that are not wholly understood.
    pub fn creation(&self, resource: Resource) -> Result<Interaction, Failure> {
        self.creation_under(self.visit.headers(), resource)
    }

    /// No criteria in the URL of a create.
    ///
    /// # Errors
    /// As [`no_criteria_in`].
    pub fn no_criteria(&self) -> Result<(), Failure> {
        no_criteria_in(self.visit.request.query_string())
    }

    /// The same under other headers.
    ///
    /// # Errors
    /// As [`Ask::creation`].
    pub fn creation_under(&self, headers: &HeaderMap, resource: Resource) -> Result<Interaction, Failure> {
        let mut lines = headers.get_all(IF_NONE_EXIST);
        let header = match (lines.next(), lines.next()) {
            (None, _) => return Ok(Interaction::Create(resource)),
            (Some(_), Some(_)) => {
                return Err(error::if_none_exist_unreadable("was sent several times").into());
            }
            (Some(line), None) => std::str::from_utf8(line.as_bytes())
                .map_err(|_| error::if_none_exist_unreadable("is not UTF-8"))?,
        };
        let mut criteria = parse::if_none_exist(resource.kind(), header, self.session().now())?;
        self.visit.app.auth.rewrite_criteria(&mut criteria);
        Ok(Interaction::ConditionalCreate { criteria, resource })
    }

    /// The search in the query string.
    ///
    /// # Errors
    /// 400 naming every parameter that cannot be applied.
    pub fn search(&self, kind: ResourceType) -> Result<Query, Failure> {
        self.parse_search(Some(kind), self.visit.request.query_string())
    }

    /// The search of several types in the query string.
    ///
    /// # Errors
    /// As [`Ask::search`].
    pub fn system_search(&self) -> Result<Query, Failure> {
        self.parse_search(None, self.visit.request.query_string())
    }

    /// The search in the query string and the body's form together.
    ///
    /// # Errors
    /// As [`Ask::search`]; 415 of a body that is no form.
    pub async fn posted_search(&self, kind: ResourceType) -> Result<Query, Failure> {
        let query = self.posted_query().await?;
        self.parse_search(Some(kind), &query)
    }

    /// The search of several types in the query string and the body's form together.
    ///
    /// # Errors
    /// As [`Ask::posted_search`].
    pub async fn posted_system_search(&self) -> Result<Query, Failure> {
        let query = self.posted_query().await?;
        self.parse_search(None, &query)
    }

    /// The query string and the body's form, as one query string.
    ///
    /// # Errors
    /// 415 of a body that is no form, 400 of one that is no text, 406 of a `_format` in it that cannot be sent.
    pub async fn posted_query(&self) -> Result<String, Failure> {
        media::check_form(self.visit.headers())?;
        let body = self.body().await?;
        let form = std::str::from_utf8(&body)
            .map_err(|_| error::form_not_text())?
            .trim();
        let joined = match self.visit.request.query_string() {
            "" => form.to_owned(),
            query => format!("{query}&{form}"),
        };
        // The form may hold `_format` as well as the URL.
        self.visit
            .answer
            .set(media::answer(self.visit.headers(), &joined)?);
        Ok(joined)
    }

    /// The search in a query string: of a type, or of every type.
    ///
    /// # Errors
    /// As [`Ask::search`].
    pub fn parse_search(&self, kind: Option<ResourceType>, query: &str) -> Result<Query, Failure> {
        let pairs = parse::pairs(query)?;
        let handling = prefer::handling(self.visit.headers());
        let now = self.session().now();
        let mut query = match kind {
            Some(kind) => parse::search(kind, &pairs, handling, now)?,
            None => parse::search_system(&pairs, handling, now)?,
        };
        self.visit.app.auth.rewrite_criteria(&mut query.criteria);
        Ok(query)
    }

    /// The body, as it was sent.
    ///
    /// # Errors
    /// What [`body::read`] refuses.
    pub async fn body(&self) -> Result<web::Bytes, Failure> {
        self.body_up_to(self.visit.app.settings.max_body_bytes).await
    }

    /// The Bundle in the body, as [`body::decode_bundle`] reads it.
    ///
    /// # Errors
    /// As [`Ask::resource`].
    pub async fn bundle(&self) -> Result<fhir::bundle::Bundle, Failure> {
        let bytes = self.body_up_to(self.visit.app.settings.max_bundle_bytes).await?;
        if bytes.is_empty() {
            return Err(error::bundle_empty().into());
        }
        let format = media::of_body(self.visit.headers(), &bytes)?;
        body::decode_bundle(bytes, format).await
    }

    // The body is read by one handler, once; nobody else borrows it while that waits.
    #[allow(clippy::await_holding_refcell_ref)]
    async fn body_up_to(&self, limit: usize) -> Result<web::Bytes, Failure> {
        let mut payload = self.payload.borrow_mut();
        let settings = &self.visit.app.settings;
        let bytes = body::read(self.visit.headers(), &mut payload, limit, settings.body_deadline).await?;
        self.trace.received.set(bytes.len());
        Ok(bytes)
    }

    /// A segment of the path, by its name in the pattern.
    pub fn segment(&self, name: &str) -> &str {
        self.visit.request.match_info().get(name).unwrap_or_default()
    }
}

/// The type of this name.
///
/// # Errors
/// 404 when it is not served.
pub fn kind_of(name: &str) -> Result<ResourceType, Failure> {
    ResourceType::parse(name).ok_or_else(|| error::unknown_type(name).into())
}

/// What has this id, to be read or deleted.
///
/// # Errors
/// 404 of an operation, or an id that nothing can have.
pub fn target_of(kind: ResourceType, id: &str) -> Result<Target, Failure> {
    match Id::parse(id) {
        Some(id) => Ok(Target { kind, id }),
        None => Err(no_such_id(kind, id)),
    }
}

/// What has or gets this id, to be written.
///
/// # Errors
/// 400 of an id that nothing can get.
pub fn target_to_write_of(kind: ResourceType, id: &str) -> Result<Target, Failure> {
    let id = Id::parse(id).ok_or_else(|| error::unusable_id(kind))?;
    Ok(Target { kind, id })
}

/// The version of this number.
///
/// # Errors
/// 404 of what can be no version.
pub fn version_of(number: &str) -> Result<VersionId, Failure> {
    VersionId::parse(number).ok_or_else(|| error::impossible_version().into())
}

/// The elements that the query string of a read asks for; `None` for all of them.
///
/// # Errors
/// 400 of a `_summary` or `_elements` that is not wholly understood.
pub fn subset_of(kind: ResourceType, query: &str) -> Result<Option<Subset>, Failure> {
    if query.is_empty() {
        return Ok(None);
    }
    match parse::pairs(query) {
        Ok(pairs) => Ok(subset::of_read(kind, &pairs)?),
        Err(issues) if query.contains("_summary") || query.contains("_elements") => Err(issues.into()),
        // A read has no use for other parameters, however they are spelled.
        Err(_) => Ok(None),
    }
}

fn no_such_id(kind: ResourceType, segment: &str) -> Failure {
    match segment.chars().next() {
        Some('$' | '_') => error::unknown_operation(segment).into(),
        _ => error::impossible_id(kind).into(),
    }
}
