//! Refusal → HTTP: the only place where an error becomes a response. The refusals that HTTP itself brings
//! (404 of the router, 405, 406, 408, 413, 415, 429) are built here too, as the engine's are.

use std::sync::LazyLock;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use engine::{LogLevel, Refusal};
use fhir::limits::MIB;
use fhir::{Issue, IssueCode, ResourceType, Target, outcome};
use serde_json::Value;

use crate::auth::{Denial, Denied};
use crate::base::Base;
use crate::conformance::Kind;
use crate::media::{self, Answer};
use crate::respond;

/// RFC 5789, 3.1
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

#[cfg(test)]
mod tests;

/// Why a handler has no answer: a refusal, and what HTTP wants beside it.
#[derive(Debug)]
pub struct Failure {
    /// The refusal.
    pub refusal: Box<Refusal>,
    /// The methods of a 405.
    pub allow: Option<String>,
    /// The body as a partner door has written it.
    pub body: Option<String>,
    /// The outcome as it was written before, in the form for who asks for none.
    pub written: Option<&'static str>,
    /// Whether the kinds of patches that are taken are told.
    pub tells_patches: bool,
    /// Which credential was wrong, behind every 401.
    pub denial: Option<Denial>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure {
            refusal: Box::new(refusal),
            allow: None,
            body: None,
            written: None,
            tells_patches: false,
            denial: None,
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Failure {
        Failure {
            denial: denied.denial,
            ..Failure::from(*denied.refusal)
        }
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Failure {
        Failure::from(error.refusal())
    }
}

impl Failure {
    /// The failure of a conditional interaction: an outcome that speaks of the criteria shows them, as the
    /// sender wrote them.
    pub fn about(error: engine::Error, criteria: &str) -> Failure {
        let mut failure = Failure::from(error);
        let of_criteria = [IssueCode::MultipleMatches, IssueCode::NotFound];
        for issue in &mut failure.refusal.issues {
            if of_criteria.contains(&issue.code) && issue.diagnostics.is_none() {
                issue.diagnostics = Some(criteria.to_owned());
            }
        }
        failure
    }
}

/// What a parser found: always 400 (`fhir-rest.md` 8).
impl From<Vec<Issue>> for Failure {
    fn from(issues: Vec<Issue>) -> Failure {
        Failure::from(Refusal::with_issues(400, issues))
    }
}

/// The response to a refusal, an OperationOutcome.
pub fn response(
    failure: &Failure,
    answer: Answer,
    base: impl FnOnce() -> Base,
    request_id: &str,
) -> HttpResponse {
    let refusal = &*failure.refusal;
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(challenge) = challenge(failure, status) {
        respond::header(&mut response, WWW_AUTHENTICATE, challenge);
    }
    if let Some(wait) = refusal.retry_after {
        response.insert_header((RETRY_AFTER, whole_seconds(wait)));
    }
    if let Some((target, version)) = &refusal.location {
        respond::header(&mut response, LOCATION, base().version(target, *version));
    }
    if let Some(allow) = &failure.allow {
        respond::header(&mut response, ALLOW, allow.clone());
    }
    let allows_patches = failure
        .allow
        .as_ref()
        .is_some_and(|allow| allow.contains("PATCH"));
    if allows_patches || failure.tells_patches {
        respond::header(&mut response, ACCEPT_PATCH, media::PATCH_TYPES.join(", "));
    }
    match failure.written.filter(|_| answer == Answer::default()) {
        Some(written) => response.insert_header((CONTENT_TYPE, media::JSON)).body(written),
        None => {
            let (mime, body) = rendered(refusal, status, answer, request_id);
            response.insert_header((CONTENT_TYPE, mime)).body(body)
        }
    }
}

/// How to ask again — RFC 6750, 3: without an error when no token came, and never with a reason.
fn challenge(failure: &Failure, status: StatusCode) -> Option<String> {
    let error = match (status, failure.denial, failure.refusal.lacks) {
        (StatusCode::UNAUTHORIZED, Some(Denial::TokenInvalid | Denial::ApiKeyInvalid), _) => {
            ", error=\"invalid_token\"".to_owned()
        }
        (StatusCode::UNAUTHORIZED, _, _) => String::new(),
        (StatusCode::FORBIDDEN, _, Some(scope)) => {
            format!(", error=\"insufficient_scope\", scope=\"{scope}\"")
        }
        _ => return None,
    };
    Some(format!("Bearer realm=\"passerelle\"{error}"))
}

fn rendered(
    refusal: &Refusal,
    status: StatusCode,
    answer: Answer,
    request_id: &str,
) -> (HeaderValue, String) {
    let outcome = if status == StatusCode::INTERNAL_SERVER_ERROR {
        let issues: Vec<Issue> = refusal
            .issues
            .iter()
            .map(|issue| with_request_id(issue, request_id))
            .collect();
        outcome::operation_outcome(&issues)
    } else {
        outcome::operation_outcome(&refusal.issues)
    };
    // An outcome that XML cannot carry is still told, in JSON.
    respond::render(&outcome, answer).unwrap_or_else(|_| (media::JSON, outcome_text(&outcome)))
}

fn outcome_text(outcome: &Value) -> String {
    let mut text = String::new();
    fhir::canonical::write_value(&mut text, outcome);
    text
}

/// With the request's id, for who reports it.
pub fn with_request_id(issue: &Issue, request_id: &str) -> Issue {
    Issue {
        text: format!("{} Request id: {request_id}.", issue.text),
        ..issue.clone()
    }
}

/// Rounded up: who comes back a moment too early is refused again.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// 500 of a panic.
pub fn panicked() -> Refusal {
    broken("a handler panicked")
}

/// 500: a bug. The text is for the log alone.
pub fn broken(internal: &str) -> Refusal {
    let text = "The server failed because of a fault of its own. Report the request id to the operator.";
    Refusal {
        log: LogLevel::Error,
        internal: Some(internal.to_owned()),
        ..Refusal::new(500, Issue::error(IssueCode::Exception, text))
    }
}

/// 500 of a resource whose stored body is damaged.
pub fn damaged(target: &Target) -> Refusal {
    let text = format!(
        "{target} cannot be read: what is stored of it is damaged. Report the request id to the operator. Other \
         versions of it may still be readable."
    );
    Refusal {
        log: LogLevel::Error,
        internal: Some(format!("the stored body of {target} is damaged")),
        ..Refusal::new(
            500,
            Issue::error(IssueCode::Exception, text).with_diagnostics(target.to_string()),
        )
    }
}

/// 404 of a path that is nothing here.
pub fn unknown_path(hint: &str) -> Refusal {
    let text = format!("There is nothing at this path. {hint}");
    Refusal::new(404, Issue::error(IssueCode::NotSupported, text))
}

/// 404 of an operation or interaction that is not offered.
pub fn not_offered(what: &str, instead: &str) -> Refusal {
    let text = format!("{what} is not offered by this server. {instead}");
    Refusal::new(
        404,
        Issue::error(IssueCode::NotSupported, text).with_diagnostics(what),
    )
}

/// 404 of an operation (`$name`) or interaction (`_name`) that is not offered.
pub fn unknown_operation(name: &str) -> Refusal {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let text = "There is no such operation or interaction here. /fhir/metadata lists what there is.";
    Refusal::new(
        404,
        Issue::error(IssueCode::NotSupported, text).with_diagnostics(shown),
    )
}

/// 404 of a type that is not served, or not at such a path.
pub fn unknown_type(name: &str) -> Refusal {
    if Kind::parse(name).is_some() {
        return not_offered(
            &format!("A version or history of a {name}"),
            "Read the resource itself.",
        );
    }
    if name == "AuditEvent" {
        return not_offered(
            "More than reading and searching AuditEvent",
            "GET /AuditEvent or one of its ids, alone and not in a Bundle.",
        );
    }
    let served: Vec<&str> = ResourceType::ALL.iter().map(|kind| kind.as_str()).collect();
    let published: Vec<&str> = ["AuditEvent"]
        .into_iter()
        .chain(Kind::ALL.iter().map(|kind| kind.as_str()))
        .collect();
    let text = format!(
        "This server does not serve that resource type. It serves {}, and for reading {} (the case of the letters \
         matters), and /fhir/metadata says what can be done with them.",
        served.join(" and "),
        published.join(", ")
    );
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    Refusal::new(
        404,
        Issue::error(IssueCode::NotSupported, text).with_diagnostics(shown),
    )
}

/// 404 of a conformance resource that is not there.
pub fn not_published(kind: Kind, id: &str) -> Refusal {
    if id.starts_with(['$', '_']) {
        return unknown_operation(id);
    }
    let name = kind.as_str();
    let text = format!("There is no {name} of that id. GET /fhir/{name} lists those that are published.");
    Refusal::new(
        404,
        Issue::error(IssueCode::NotFound, text).with_diagnostics(name),
    )
}

/// 404 of an id that no AuditEvent can have.
pub fn no_audit_event() -> Refusal {
    let text = "There is no AuditEvent of that id: ids are numbers. Search for it by date, entity or agent.";
    Refusal::new(404, Issue::error(IssueCode::NotFound, text))
}

/// 404 of an id that no resource can have.
pub fn impossible_id(kind: ResourceType) -> Refusal {
    let text = format!(
        "There is no {kind} of that id: an id is 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'. Search \
         for the {kind} by identifier."
    );
    Refusal::new(404, Issue::error(IssueCode::NotFound, text))
}

/// 400 of an id that no resource may get.
pub fn unusable_id(kind: ResourceType) -> Refusal {
    let text = format!(
        "No {kind} can get that id: an id is 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'. POST the {kind} \
         to get an id from the server."
    );
    Refusal::new(400, Issue::error(IssueCode::Value, text))
}

/// 404 of a version id that no version can have.
pub fn impossible_version() -> Refusal {
    let text = "There is no such version: versions are numbered 1, 2, 3 and so on.";
    Refusal::new(404, Issue::error(IssueCode::NotFound, text))
}

/// 405. `allow` lists the methods that work here.
pub fn wrong_method(method: &str, allow: String, hint: &str) -> Failure {
    let text = format!("{method} is not offered here. What is: {allow}. {hint}");
    let issue = Issue::error(IssueCode::NotSupported, text.trim_end()).with_diagnostics(method);
    Failure {
        allow: Some(allow),
        ..Failure::from(Refusal::new(405, issue))
    }
}

/// 406.
pub fn not_acceptable() -> Refusal {
    let text = "No format that the request accepts can be sent. Ask for application/fhir+json or \
                application/fhir+xml (FHIR version 4.0) in Accept or _format.";
    Refusal::new(406, Issue::error(IssueCode::NotSupported, text))
}

/// 415 of a body's type.
pub fn unsupported_media(found: &str) -> Refusal {
    let text = "The body's Content-Type is not understood. Send application/fhir+json or application/fhir+xml, \
                FHIR version 4.0, in UTF-8.";
    let shown: String = found.chars().take(200).collect();
    Refusal::new(
        415,
        Issue::error(IssueCode::NotSupported, text).with_diagnostics(shown),
    )
}

/// 415 of a patch's type.
pub fn unsupported_patch(found: &str) -> Refusal {
    let text = "The Content-Type does not say what kind of patch the body is. Send application/json-patch+json (a list of \
                operations), application/merge-patch+json (an object with what changes), or application/fhir+json or \
                application/fhir+xml (a FHIRPath Patch in Parameters), in UTF-8.";
    let shown: String = found.chars().take(200).collect();
    Refusal::new(
        415,
        Issue::error(IssueCode::NotSupported, text).with_diagnostics(shown),
    )
}

/// 415 of a body's encoding.
pub fn unsupported_encoding() -> Refusal {
    let text = "The body's Content-Encoding is not understood. Send it plain or as gzip.";
    Refusal::new(415, Issue::error(IssueCode::NotSupported, text))
}

/// 415 of a `_search` that is no form.
pub fn not_a_form() -> Refusal {
    let text =
        "The Content-Type of a POSTed search is application/x-www-form-urlencoded. Send its parameters so.";
    Refusal::new(415, Issue::error(IssueCode::NotSupported, text))
}

/// 413.
pub fn body_too_long(limit: usize) -> Refusal {
    let shown = if limit.is_multiple_of(MIB) {
        format!("{} MiB", limit / MIB)
    } else {
        format!("{limit} bytes")
    };
    let text = format!(
        "The body is larger than {shown}, counted after gzip is inflated. Nothing was written. Shorten it, or split it \
                        into several requests."
    );
    Refusal::new(413, Issue::error(IssueCode::TooLong, text))
}

/// 408.
pub fn body_too_slow(deadline: Duration) -> Refusal {
    let text = format!(
        "The body did not arrive within {} seconds. Nothing was written. Send the request again.",
        deadline.as_secs()
    );
    Refusal::new(408, Issue::error(IssueCode::Timeout, text))
}

/// 400 of a body that ends early or breaks its framing.
pub fn body_broken() -> Refusal {
    let text = "The body ended before it was whole, or its transfer encoding is broken. Nothing was written. Send \
                the request again, with the Content-Length of the whole body.";
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of a body that says it is gzip and is not.
pub fn body_not_gzip() -> Refusal {
    let text = "The body's Content-Encoding says gzip, but it is no whole gzip stream. Compress the whole body, or \
                send it plain without Content-Encoding.";
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of no body at all.
pub fn body_empty(kind: ResourceType) -> Refusal {
    let text = format!("The body is empty. Send the {kind} in it, as JSON or XML.");
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of no patch at all.
pub fn patch_empty() -> Refusal {
    let text = "The body is empty. Send the patch in it: a list of operations, an object with what changes, or \
                Parameters, as the Content-Type says.";
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of no Bundle at all.
pub fn bundle_empty() -> Refusal {
    let text = "The body is empty. Send a Bundle of type batch or transaction in it, as JSON or XML.";
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of an entry that brings no resource.
pub fn entry_empty(kind: ResourceType) -> Refusal {
    let text = format!("The entry has no resource. Send the {kind} in it.");
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of an entry whose PATCH brings no patch.
pub fn entry_without_patch() -> Refusal {
    let text = "The entry has no patch. Send a Binary with contentType (application/json-patch+json or \
                application/merge-patch+json) and data (the patch as base64) as its resource, or a FHIRPath Patch as \
                Parameters.";
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of an entry that searches by POST and brings a resource.
pub fn entry_of_search() -> Refusal {
    let text = "The parameters of a search in a Bundle stand in the request's url, behind _search and a question mark. \
                Leave the resource out of the entry.";
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of an entry that brings another resource than its URL says.
pub fn entry_of_other_type(found: &str, kind: ResourceType) -> Refusal {
    let shown: String = found.chars().filter(|c| !c.is_control()).take(64).collect();
    let text = format!(
        "The resource is a {shown}, but the request's url asks for a {kind}. Correct the one or \
                        the other."
    );
    let issue = Issue::error(IssueCode::Structure, text).at(format!("{kind}.resourceType"));
    Refusal::new(400, issue)
}

/// 400 of an entry whose URL is none of this server's.
pub fn entry_url(url: &str) -> Refusal {
    let text = "The request's url is none of this server's. Send a path below its base, such as Patient, \
                Patient/<id> or Patient?identifier=<system>|<value>.";
    let shown: String = url.chars().filter(|c| !c.is_control()).take(200).collect();
    Refusal::new(400, Issue::error(IssueCode::Value, text).with_diagnostics(shown))
}

/// The status that issues found in a Bundle or its entries mean.
pub fn of_issues(issues: Vec<Issue>) -> Refusal {
    if issues.iter().any(|issue| issue.code == IssueCode::TooLong) {
        return Refusal::with_issues(413, issues);
    }
    engine::Error::Invalid(issues).refusal()
}

/// 400 of a form that is no text.
pub fn form_not_text() -> Refusal {
    let text = "The body of the search is not UTF-8. Percent-encode it.";
    Refusal::new(400, Issue::error(IssueCode::Structure, text))
}

/// 400 of an `If-None-Exist` that cannot be read.
pub fn if_none_exist_unreadable(what: &str) -> Refusal {
    let text = format!(
        "If-None-Exist {what}. Send one header with the criteria of one search, such as \
         'identifier=<system>|<value>'. Nothing was written."
    );
    Refusal::new(400, Issue::error(IssueCode::Invalid, text))
}

/// 400 of a create with criteria in its URL.
pub fn criteria_of_a_create(name: &str) -> Refusal {
    let text = "A create takes no criteria in its URL. Send them in the header If-None-Exist (nothing is created when they \
                match), or PUT with them (what they match is updated). Nothing was written.";
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    Refusal::new(
        400,
        Issue::error(IssueCode::Invalid, text).with_diagnostics(shown),
    )
}

/// 429 of a client that asks more often than it may.
pub fn throttled(wait: Duration) -> Refusal {
    let text = "This client asks more often than it may. Nothing was written. Wait as long as Retry-After says, \
                then send the same request again.";
    Refusal {
        retry_after: Some(wait),
        ..Refusal::new(429, Issue::error(IssueCode::Throttled, text))
    }
}

/// 429 of more requests at once than the server works on. There is no time for it: it is written once.
pub fn overloaded() -> Failure {
    static WRITTEN: LazyLock<String> =
        LazyLock::new(|| outcome_text(&outcome::operation_outcome(&overloaded_refusal().issues)));
    Failure {
        written: Some(&WRITTEN),
        ..Failure::from(overloaded_refusal())
    }
}

fn overloaded_refusal() -> Refusal {
    let text =
        "The server works on as many requests as it can. Nothing was written. Send the same request again.";
    Refusal {
        retry_after: Some(Duration::from_secs(1)),
        ..Refusal::new(429, Issue::error(IssueCode::Throttled, text))
    }
}
