//! The door's refusals: `{"error","message"}`, these two keys and no other, at every status (`adapters.md` 4.3).

use serde::Serialize;

use crate::json;

/// What is wrong with one place of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which field or parameter; `body` for all of it.
    pub path: String,
    /// What it must be. Never what it was: that may be personal.
    pub reason: String,
}

impl Violation {
    /// At this place, for this reason.
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Violation {
        Violation {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// What is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The patient; another brand's looks the same.
    Patient,
    /// The route.
    Route,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 400: all that is wrong with it.
    Validation(Vec<Violation>),
    /// 401: no token. The server adds `WWW-Authenticate`.
    Unauthenticated,
    /// 401: a token that is unknown, expired or revoked. The server adds `WWW-Authenticate`.
    InvalidToken,
    /// 403: the token lacks a scope.
    InsufficientScope,
    /// 403: the request names a brand that is not among the token's.
    ForeignBrand,
    /// 404
    NotFound(Missing),
    /// 405: the server adds `Allow`.
    MethodNotAllowed,
    /// 409: the brand has such a patient.
    Duplicate,
    /// 409: others kept writing at the same time.
    Conflict,
    /// 412: `If-Match` names another version.
    PreconditionFailed,
    /// 413: the body is larger than so many bytes.
    PayloadTooLarge {
        /// The limit.
        bytes: usize,
    },
    /// 415
    UnsupportedMediaType,
    /// 429: the server adds `Retry-After`.
    RateLimited,
    /// 500
    Internal,
    /// 503
    Unavailable,
}

impl From<json::Fault> for Fault {
    fn from(fault: json::Fault) -> Fault {
        let body = |reason: String| Violation::new("body", reason);
        Fault::Validation(vec![match fault {
            json::Fault::Empty => body("must be a JSON object, and is empty".to_owned()),
            json::Fault::NotUtf8 => body("must be UTF-8 without a byte order mark".to_owned()),
            json::Fault::Syntax { line, column } => {
                body(format!("must be valid JSON (see line {line}, column {column})"))
            }
            json::Fault::TooDeep => body(format!("must not nest deeper than {} levels", json::MAX_DEPTH)),
            json::Fault::NotAnObject => body("must be a JSON object".to_owned()),
            json::Fault::Duplicate { path } => {
                Violation::new(shorten(&path), "must stand only once in its object")
            }
            json::Fault::Control { path } => Violation::new(
                shorten(&path),
                "must hold no control character but tab and line breaks",
            ),
        }])
    }
}

/// The most characters of a path that the sender has a say in.
const MAX_PATH_CHARS: usize = 100;

/// A path to be repeated in a message.
pub(super) fn shorten(path: &str) -> String {
    match path.char_indices().nth(MAX_PATH_CHARS) {
        Some((end, _)) => format!("{}…", path.get(..end).unwrap_or_default()),
        None => path.to_owned(),
    }
}

impl Fault {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Fault::Validation(_) => 400,
            Fault::Unauthenticated | Fault::InvalidToken => 401,
            Fault::InsufficientScope | Fault::ForeignBrand => 403,
            Fault::NotFound(_) => 404,
            Fault::MethodNotAllowed => 405,
            Fault::Duplicate | Fault::Conflict => 409,
            Fault::PreconditionFailed => 412,
            Fault::PayloadTooLarge { .. } => 413,
            Fault::UnsupportedMediaType => 415,
            Fault::RateLimited => 429,
            Fault::Internal => 500,
            Fault::Unavailable => 503,
        }
    }

    /// What stands in `error`.
    pub const fn code(&self) -> &'static str {
        match self {
            Fault::Validation(_) => "validation_error",
            Fault::Unauthenticated => "unauthenticated",
            Fault::InvalidToken => "invalid_token",
            Fault::InsufficientScope | Fault::ForeignBrand => "insufficient_scope",
            Fault::NotFound(_) => "not_found",
            Fault::MethodNotAllowed => "method_not_allowed",
            Fault::Duplicate => "duplicate_patient",
            Fault::Conflict => "conflict",
            Fault::PreconditionFailed => "precondition_failed",
            Fault::PayloadTooLarge { .. } => "payload_too_large",
            Fault::UnsupportedMediaType => "unsupported_media_type",
            Fault::RateLimited => "rate_limited",
            Fault::Internal => "internal_error",
            Fault::Unavailable => "service_unavailable",
        }
    }

    /// What stands in `message`.
    pub fn message(&self) -> String {
        let text = match self {
            Fault::Validation(violations) => {
                let each = violations.iter().map(|v| format!("{}: {}", v.path, v.reason));
                return each.collect::<Vec<_>>().join("; ");
            }
            Fault::PayloadTooLarge { bytes } => {
                return format!("The body must not be larger than {bytes} bytes");
            }
            Fault::Unauthenticated => "Send a token: Authorization: Bearer <token>",
            Fault::InvalidToken => "The token is not valid",
            Fault::InsufficientScope => "The token lacks the scope that this call needs",
            Fault::ForeignBrand => "brand_id: is not a brand of this token",
            Fault::NotFound(Missing::Patient) => "Patient not found",
            Fault::NotFound(Missing::Route) => "No such route",
            Fault::MethodNotAllowed => "The route does not take this method",
            Fault::Duplicate => "Duplicate patient",
            Fault::Conflict => "The patient was being changed at the same time; try again",
            Fault::PreconditionFailed => "The patient is not at the version that If-Match names",
            Fault::UnsupportedMediaType => "Send the body as application/json",
            Fault::RateLimited => "Too many requests; wait as long as Retry-After says",
            Fault::Internal => "Internal error",
            Fault::Unavailable => "The service is not available at the moment; try again later",
        };
        text.to_owned()
    }

    /// The body of the answer.
    pub fn render(&self) -> String {
        super::render(&Body {
            error: self.code(),
            message: self.message(),
        })
    }
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    message: String,
}
