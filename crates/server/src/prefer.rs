//! `Prefer` — <https://hl7.org/fhir/R4/http.html#ops>, RFC 7240

use actix_web::http::header::{HeaderMap, HeaderName};
use fhir::query::parse::Handling;

#[cfg(test)]
mod tests;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a write answers with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Return {
    /// The resource.
    #[default]
    Representation,
    /// Nothing.
    Minimal,
    /// What there is to say about the resource.
    OperationOutcome,
}

/// `return=…`; an unknown one is no preference.
pub fn returned(headers: &HeaderMap) -> Return {
    let known = preference(headers, "return", |value| match value {
        "minimal" => Some(Return::Minimal),
        "representation" => Some(Return::Representation),
        "OperationOutcome" => Some(Return::OperationOutcome),
        _ => None,
    });
    known.unwrap_or_default()
}

/// `handling=…`; lenient is what a plain search does.
pub fn handling(headers: &HeaderMap) -> Handling {
    let known = preference(headers, "handling", |value| match value {
        "strict" => Some(Handling::Strict),
        "lenient" => Some(Handling::Lenient),
        _ => None,
    });
    known.unwrap_or(Handling::Lenient)
}

/// The first usable value of a preference, over all lines and commas of the header.
fn preference<T>(headers: &HeaderMap, name: &str, value_of: impl Fn(&str) -> Option<T>) -> Option<T> {
    headers
        .get_all(PREFER)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        // What follows a `;` are parameters of the preference.
        .filter_map(|item| item.split(';').next()?.split_once('='))
        .filter(|(found, _)| found.trim().eq_ignore_ascii_case(name))
        .find_map(|(_, value)| value_of(value.trim().trim_matches('"')))
}
