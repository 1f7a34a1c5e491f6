//! Refusals in the registry's shape (`adapters.md` 2.5, 2.6).

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::envelope::{Meta, Request};

/// Why a request was refused. Texts and types are the registry's, where they are known.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// No `API-key` header: 401.
    ApiKeyMissing,
    /// An unknown `API-key`: 401.
    ApiKeyInvalid,
    /// No bearer token: 401.
    TokenMissing,
    /// An unknown or expired token: 401.
    TokenInvalid,
    /// The token does not allow this: 403.
    Scope {
        /// The scope that is missing, such as `preperson:write`.
        missing: &'static str,
    },
    /// The user's party is not verified: 403; for a server that checks it.
    PartyNotVerified,
    /// The legal entity is not `ACTIVE`: 409.
    LegalEntityNotActive,
    /// The legal entity has no healthcare service of the kind: 409; for a server that checks it.
    NoHealthcareService,
    /// No such preperson, as far as this caller can see: 404.
    NotFound,
    /// As [`Fault::NotFound`], without a text.
    NotFoundBare,
    /// No such route, or not with this method (the registry knows no 405): 404.
    NoRoute,
    /// The preperson has been merged, identified or deactivated: 422.
    NotActive,
    /// What the body says breaks these rules: 422. Never empty.
    Invalid(Vec<Violation>),
    /// The body is no JSON: 400.
    NotJson,
    /// The body is too large: 413.
    TooLarge,
    /// The media type is not JSON: 415.
    MediaType,
    /// Others kept changing the preperson: 409.
    Conflict,
    /// The version in `If-Match` is not the current one: 412.
    PreconditionFailed,
    /// Too many requests: 429.
    TooManyRequests,
    /// A fault of the server: 500.
    Internal,
    /// The server cannot answer now: 503.
    Unavailable,
}

/// One rule that the body breaks.
#[derive(Clone, PartialEq)]
pub struct Violation {
    /// Where: `$.emergency_contact.phones.[0].number`
    pub entry: String,
    /// Which rule.
    pub rule: Rule,
}

/// A rule of the schema or of the business (`adapters.md` 2.6).
#[derive(Clone, PartialEq)]
pub enum Rule {
    /// A property is missing.
    Required {
        /// Its name.
        property: &'static str,
    },
    /// A value is of another JSON type.
    Cast {
        /// The type it should have.
        expected: &'static str,
        /// The type it has.
        actual: &'static str,
    },
    /// A property that the schema does not know.
    Schema {
        /// Its name.
        property: String,
        /// The JSON type of its value.
        actual: &'static str,
    },
    /// A text that does not match a pattern.
    Format {
        /// The pattern.
        pattern: &'static str,
    },
    /// A text that is not in the dictionary.
    Inclusion {
        /// The dictionary.
        values: &'static [&'static str],
    },
    /// Too few characters (Unicode code points), items or properties.
    TooShort {
        /// The least.
        min: usize,
        /// How many there are.
        actual: usize,
    },
    /// Too many characters (Unicode code points).
    TooLong {
        /// The most.
        max: usize,
        /// How many there are.
        actual: usize,
    },
    /// A text that is not `YYYY-MM-DD`.
    NoDate {
        /// The text.
        text: String,
    },
    /// A day that does not exist.
    NoSuchDay {
        /// The day.
        text: String,
    },
    /// A rule of the business.
    Invalid {
        /// What is wrong.
        description: &'static str,
    },
}

/// How much of a faulty date is shown again, in Unicode code points.
const MAX_ECHO: usize = 64;

const VALIDATION_FAILED: &str = "Validation failed. You can find validators description at our API Manifest: \
     http://docs.apimanifest.apiary.io/#introduction/interacting-with-api/errors.";

impl Fault {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Fault::NotJson => 400,
            Fault::ApiKeyMissing | Fault::ApiKeyInvalid | Fault::TokenMissing | Fault::TokenInvalid => 401,
            Fault::Scope { .. } | Fault::PartyNotVerified => 403,
            Fault::NotFound | Fault::NotFoundBare | Fault::NoRoute => 404,
            Fault::LegalEntityNotActive | Fault::NoHealthcareService | Fault::Conflict => 409,
            Fault::PreconditionFailed => 412,
            Fault::TooLarge => 413,
            Fault::MediaType => 415,
            Fault::NotActive | Fault::Invalid(_) => 422,
            Fault::TooManyRequests => 429,
            Fault::Internal => 500,
            Fault::Unavailable => 503,
        }
    }

    /// `error.type`
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::ApiKeyMissing | Fault::ApiKeyInvalid | Fault::TokenMissing | Fault::TokenInvalid => {
                "access_denied"
            }
            Fault::Scope { .. } | Fault::PartyNotVerified => "forbidden",
            Fault::NotFound | Fault::NotFoundBare | Fault::NoRoute => "not_found",
            Fault::LegalEntityNotActive | Fault::NoHealthcareService | Fault::Conflict => "request_conflict",
            Fault::PreconditionFailed => "precondition_failed",
            Fault::TooLarge => "request_too_large",
            Fault::MediaType => "content_type_invalid",
            Fault::NotActive | Fault::NotJson => "request_malformed",
            Fault::Invalid(_) => "validation_failed",
            Fault::TooManyRequests => "request_limit_reached",
            Fault::Internal | Fault::Unavailable => "internal_error",
        }
    }

    /// `error.message`, where there is one.
    pub fn message(&self) -> Option<String> {
        let fixed = match self {
            Fault::Scope { missing } => {
                return Some(format!(
                    "Your scope does not allow to access this resource. Missing allowances: {missing}"
                ));
            }
            Fault::ApiKeyMissing => "API-KEY header required",
            Fault::ApiKeyInvalid => "Invalid api key",
            Fault::TokenMissing => "Authorization header is not set or doesn't contain Bearer token",
            Fault::TokenInvalid => "Invalid access token",
            Fault::PartyNotVerified => "Access denied. Party is not verified",
            Fault::LegalEntityNotActive => "Legal entity must be ACTIVE",
            Fault::NoHealthcareService => "Legal entity does not have appropriate healthcare services",
            Fault::NotFound => "Preperson not found",
            Fault::NotActive => "Preperson is not active",
            Fault::Invalid(_) => VALIDATION_FAILED,
            Fault::NotJson => "Malformed request. Probably, you have sent corrupted JSON.",
            Fault::TooLarge => "Request body is too large.",
            Fault::MediaType => "Invalid Content-Type header. Send the body as application/json.",
            Fault::Conflict => "Preperson is being changed by other requests. Send the request again.",
            Fault::PreconditionFailed => {
                "Preperson has another version than If-Match names. Read it and try again."
            }
            Fault::NotFoundBare
            | Fault::NoRoute
            | Fault::TooManyRequests
            | Fault::Internal
            | Fault::Unavailable => return None,
        };
        Some(fixed.to_owned())
    }

    /// `error.invalid`, where there is one.
    fn invalid(&self) -> Option<Value> {
        match self {
            Fault::Invalid(violations) => Some(violations.iter().map(Violation::to_json).collect()),
            Fault::NotJson => Some(json!([{ "entry_type": "request", "rules": [{ "rule": "json" }] }])),
            Fault::TooLarge => Some(json!([{ "entry_type": "request", "rules": [{ "rule": "size" }] }])),
            Fault::MediaType => Some(json!([{ "entry_type": "header", "entry": "Content-Type" }])),
            _ => None,
        }
    }

    /// The whole answer as JSON text.
    pub fn render(&self, request: &Request<'_>) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            meta: Meta<'a>,
            error: Error,
        }
        #[derive(Serialize)]
        struct Error {
            #[serde(rename = "type")]
            kind: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            invalid: Option<Value>,
        }
        super::envelope::text(&Body {
            meta: Meta::new(request, self.status(), request.url.to_owned()),
            error: Error {
                kind: self.kind(),
                message: self.message(),
                invalid: self.invalid(),
            },
        })
    }
}

impl Violation {
    fn to_json(&self) -> Value {
        json!({
            "entry": self.entry,
            "entry_type": "json_data_property",
            "rules": [{
                "rule": self.rule.name(),
                "description": self.rule.description(),
                "params": self.rule.params(),
            }],
        })
    }
}

impl Rule {
    /// `rules[].rule`
    pub fn name(&self) -> &'static str {
        match self {
            Rule::Required { .. } => "required",
            Rule::Cast { .. } => "cast",
            Rule::Schema { .. } => "schema",
            Rule::Format { .. } => "format",
            Rule::Inclusion { .. } => "inclusion",
            Rule::TooShort { .. } | Rule::TooLong { .. } => "length",
            Rule::NoDate { .. } | Rule::NoSuchDay { .. } => "date",
            Rule::Invalid { .. } => "invalid",
        }
    }

    /// `rules[].description`
    pub fn description(&self) -> String {
        match self {
            Rule::Required { property } => format!("required property {property} was not present"),
            Rule::Cast { expected, actual } => {
                format!("type mismatch. Expected {expected} but got {actual}")
            }
            Rule::Schema { .. } => "schema does not allow additional properties".to_owned(),
            Rule::Format { pattern } => format!("string does not match pattern \"{pattern}\""),
            Rule::Inclusion { .. } => "value is not allowed in enum".to_owned(),
            Rule::TooShort { min, actual } => {
                format!("expected value to have a minimum length of {min} but was {actual}")
            }
            Rule::TooLong { max, actual } => {
                format!("expected value to have a maximum length of {max} but was {actual}")
            }
            Rule::NoDate { text } => format!("expected \"{}\" to be a valid ISO 8601 date", shortened(text)),
            Rule::NoSuchDay { text } => format!("expected \"{}\" to be an existing date", shortened(text)),
            Rule::Invalid { description } => (*description).to_owned(),
        }
    }

    /// `rules[].params`
    pub fn params(&self) -> Value {
        match self {
            Rule::Cast { expected, actual } => json!({ "expected": expected, "actual": actual }),
            // The name and type, not the value: a refusal does not repeat what may be personal.
            Rule::Schema { property, actual } => json!({ "properties": { property.as_str(): actual } }),
            Rule::Format { pattern } => json!([pattern]),
            Rule::Inclusion { values } => json!({ "values": values }),
            Rule::TooShort { min, actual } => json!({ "min": min, "actual": actual }),
            Rule::TooLong { max, actual } => json!({ "max": max, "actual": actual }),
            Rule::Required { .. } | Rule::NoDate { .. } | Rule::NoSuchDay { .. } | Rule::Invalid { .. } => {
                json!([])
            }
        }
    }
}

// The name of an unknown property and a faulty date are the caller's words: they do not print.
impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Schema { .. } => f.write_str("Violation(schema)"),
            rule => write!(f, "Violation({} at {})", rule.name(), self.entry),
        }
    }
}

fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(MAX_ECHO).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}
