//! What the doors answer when they refuse: `{"error":{"code","status","message","requestId"}}`
//! (`adapters.md` 3.4).

use fhir::interaction::Refusal;
use fhir::{Issue, IssueCode};
use serde::Serialize;

use super::fields::Violation;
use crate::json;
use crate::naming::Naming;

/// Characters of a path or key of the caller's that a message repeats.
const MAX_ECHO: usize = 128;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The body is no JSON object that is taken.
    InvalidJson(json::Fault),
    /// Fields or parameters that are missing or not as they must be: all of them.
    Invalid(Vec<Violation>),
    /// Fields of the civil identity that a cloud PUT would change.
    Locked(Vec<Violation>),
    /// No key, no Bearer, an unknown or revoked key. The answer also has `WWW-Authenticate: Bearer`.
    Unauthorized,
    /// The key lacks the scope.
    Forbidden,
    /// No such patient in the caller's spaces; the id that was asked for, or `None` for a search by keys.
    PatientNotFound(Option<String>),
    /// No such trust space, or none of the caller's.
    TrustSpaceNotFound(String),
    /// No such route.
    NotFound,
    /// The route knows other methods; the answer also has `Allow`.
    MethodNotAllowed,
    /// Another patient of the space has the externalId.
    ExternalIdConflict,
    /// Another patient of the space has this NIR and rank.
    IdentificationKeyConflict,
    /// Other writers kept coming first.
    VersionConflict,
    /// `If-Match` does not hold.
    PreconditionFailed,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// Too many requests; the answer also has `Retry-After`.
    RateLimited,
    /// A bug.
    Internal,
    /// The store cannot be reached.
    Unavailable,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Content<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    code: &'static str,
    status: u16,
    message: &'a str,
    request_id: &'a str,
}

impl Fault {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.kind().0
    }

    /// The partner's error code.
    pub const fn code(&self) -> &'static str {
        self.kind().1
    }

    const fn kind(&self) -> (u16, &'static str) {
        match self {
            Fault::InvalidJson(_) => (400, "INVALID_JSON"),
            Fault::Invalid(_) => (400, "VALIDATION_ERROR"),
            Fault::Locked(_) => (400, "FIELD_LOCKED"),
            Fault::Unauthorized => (401, "UNAUTHORIZED"),
            Fault::Forbidden => (403, "FORBIDDEN"),
            Fault::PatientNotFound(_) => (404, "PATIENT_NOT_FOUND"),
            Fault::TrustSpaceNotFound(_) => (404, "TRUST_SPACE_NOT_FOUND"),
            Fault::NotFound => (404, "NOT_FOUND"),
            Fault::MethodNotAllowed => (405, "METHOD_NOT_ALLOWED"),
            Fault::ExternalIdConflict => (409, "EXTERNAL_ID_CONFLICT"),
            Fault::IdentificationKeyConflict => (409, "IDENTIFICATION_KEY_CONFLICT"),
            Fault::VersionConflict => (409, "VERSION_CONFLICT"),
            Fault::PreconditionFailed => (412, "PRECONDITION_FAILED"),
            Fault::PayloadTooLarge => (413, "PAYLOAD_TOO_LARGE"),
            Fault::UnsupportedMediaType => (415, "UNSUPPORTED_MEDIA_TYPE"),
            Fault::RateLimited => (429, "RATE_LIMIT_EXCEEDED"),
            Fault::Internal => (500, "INTERNAL_ERROR"),
            Fault::Unavailable => (503, "SERVICE_UNAVAILABLE"),
        }
    }

    /// For a person. Never a value that was sent, but for ids and names of keys.
    pub fn message(&self) -> String {
        let fixed = match self {
            Fault::InvalidJson(fault) => return clip(&fault.to_string()),
            Fault::Invalid(violations) | Fault::Locked(violations) => {
                let all: Vec<String> = violations.iter().map(Violation::to_string).collect();
                return all.join("; ");
            }
            Fault::PatientNotFound(Some(id)) => {
                return format!("Patient {} not found in your space", clip(id));
            }
            Fault::TrustSpaceNotFound(id) => return format!("Trust space {} not found", clip(id)),
            Fault::PatientNotFound(None) => "Patient not found in your space",
            Fault::Unauthorized => "API key missing or invalid; send Authorization: Bearer <key>",
            Fault::Forbidden => "This API key lacks the scope partner:administrative",
            Fault::NotFound => "No such resource; check the path",
            Fault::MethodNotAllowed => "This path does not support the method; see the Allow header",
            Fault::ExternalIdConflict => "Another patient of your space has this externalId",
            Fault::IdentificationKeyConflict => "Another patient of your space has this identificationKey",
            Fault::VersionConflict => "The patient is being changed by others; send the request again",
            Fault::PreconditionFailed => "The patient has changed since; read it again",
            Fault::PayloadTooLarge => "The body is too large",
            Fault::UnsupportedMediaType => "Send the body as application/json in UTF-8",
            Fault::RateLimited => "Too many requests; wait as Retry-After says",
            Fault::Internal => "Internal error; tell support the requestId",
            Fault::Unavailable => "The service is not available for the moment; try again later",
        };
        fixed.to_owned()
    }

    /// The body of the answer. `request_id` is that of the header `X-Request-Id`.
    pub fn render(&self, request_id: &str) -> String {
        let message = self.message();
        let envelope = Envelope {
            error: Content {
                code: self.code(),
                status: self.status(),
                message: &message,
                request_id,
            },
        };
        // Numbers and texts alone cannot fail to be written.
        serde_json::to_string(&envelope).unwrap_or_default()
    }

    /// What it means that another patient owns the identifier of this system.
    pub fn of_owned(system: &str, naming: &Naming) -> Fault {
        if system == naming.nir_rang() {
            Fault::IdentificationKeyConflict
        } else {
            Fault::ExternalIdConflict
        }
    }

    /// The same refusal for an [`fhir::interaction::Edit`] or a rung, which know issues only.
    pub fn refusal(&self) -> Refusal {
        let issue = |field: Option<&str>, text: &str| {
            let issue = Issue::error(IssueCode::BusinessRule, text).with_diagnostics(self.code());
            match field {
                Some(field) => issue.at(field),
                None => issue,
            }
        };
        let issues = match self {
            Fault::Invalid(violations) | Fault::Locked(violations) => violations
                .iter()
                .map(|violation| issue(Some(&violation.field), &violation.problem))
                .collect(),
            Fault::PatientNotFound(id) => vec![issue(id.as_deref(), &self.message())],
            _ => vec![issue(None, &self.message())],
        };
        Refusal { issues }
    }

    /// The fault behind the issues of a refusal of this door; [`Fault::Internal`] when they are not ours.
    pub fn from_issues(issues: &[Issue]) -> Fault {
        let violations = || {
            let of = |issue: &Issue| Violation {
                field: issue.expression.clone().unwrap_or_default(),
                problem: issue.text.clone(),
            };
            issues.iter().map(of).collect()
        };
        let Some(first) = issues.first() else {
            return Fault::Internal;
        };
        match first.diagnostics.as_deref() {
            Some("VALIDATION_ERROR") => Fault::Invalid(violations()),
            Some("FIELD_LOCKED") => Fault::Locked(violations()),
            Some("PATIENT_NOT_FOUND") => Fault::PatientNotFound(first.expression.clone()),
            Some("EXTERNAL_ID_CONFLICT") => Fault::ExternalIdConflict,
            Some("IDENTIFICATION_KEY_CONFLICT") => Fault::IdentificationKeyConflict,
            _ => Fault::Internal,
        }
    }
}

impl From<json::Fault> for Fault {
    // What is not JSON here is that and nothing else at every place.
    fn from(fault: json::Fault) -> Fault {
        Fault::InvalidJson(fault)
    }
}

/// At most [`MAX_ECHO`] characters of the beginning.
fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
