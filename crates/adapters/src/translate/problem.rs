//! Why a record is refused, whichever door says so.

use std::fmt;

use fhir::Issue;

use crate::{ehealth, json, medicapp, patient_graph};

/// Characters of a path that are repeated.
const MAX_PATH: usize = 200;

/// One thing that is wrong with a record. A door's own rules never repeat the value: that may be personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `$.identificationKey.nir`, `Patient.name[0].given[1]`; `$` is the whole record.
    pub path: String,
    /// What is wrong there, and what to do.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

impl Problem {
    /// At a path as it is to be shown.
    pub fn new(path: &str, text: impl Into<String>) -> Problem {
        Problem {
            path: printable(path),
            text: text.into(),
        }
    }

    /// At a field of a partner's record: `address.city`.
    pub(super) fn at(field: &str, text: impl Into<String>) -> Problem {
        Problem::new(&format!("$.{field}"), text)
    }
}

/// The sender's words without what a terminal obeys, and not longer than a line or two.
pub(super) fn printable(text: &str) -> String {
    let mut characters = text.chars();
    let visible = |character: char| {
        if character.is_control() {
            '\u{fffd}'
        } else {
            character
        }
    };
    let mut short: String = characters.by_ref().take(MAX_PATH).map(visible).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

pub(super) fn of_json(fault: &json::Fault) -> Problem {
    let whole = |text: String| Problem::new("$", text);
    match fault {
        json::Fault::Empty => whole("is empty; write a JSON object".to_owned()),
        json::Fault::NotUtf8 => whole("is not UTF-8 text without a byte order mark".to_owned()),
        json::Fault::Syntax { line: 1, column } => whole(format!("is not valid JSON: see column {column}")),
        json::Fault::Syntax { line, column } => {
            whole(format!("is not valid JSON: see its line {line}, column {column}"))
        }
        json::Fault::TooDeep => whole(format!("is nested deeper than {} levels", json::MAX_DEPTH)),
        json::Fault::NotAnObject => whole("must be a JSON object".to_owned()),
        json::Fault::Duplicate { path } => Problem::at(path, "stands twice in its object; leave one"),
        json::Fault::Control { path } => Problem::at(
            path,
            "holds a control character; only tab and line breaks are allowed",
        ),
    }
}

pub(super) fn of_medicapp(fault: &medicapp::Fault) -> Vec<Problem> {
    match fault {
        medicapp::Fault::InvalidJson(fault) => vec![of_json(fault)],
        medicapp::Fault::Invalid(violations) | medicapp::Fault::Locked(violations) => violations
            .iter()
            .map(|violation| Problem::at(&violation.field, violation.problem.clone()))
            .collect(),
        other => vec![Problem::new("$", other.message())],
    }
}

pub(super) fn of_graph(fault: &patient_graph::Fault) -> Vec<Problem> {
    match fault {
        patient_graph::Fault::Validation(violations) => violations
            .iter()
            .map(|violation| Problem::at(&violation.path, violation.reason.clone()))
            .collect(),
        other => vec![Problem::new("$", other.message())],
    }
}

pub(super) fn of_ehealth(fault: &ehealth::Fault) -> Vec<Problem> {
    use ehealth::Rule;

    let text = |rule: &Rule| match rule {
        // The registry repeats the faulty date; here nothing of a record is repeated.
        Rule::NoDate { .. } => "must be a date written YYYY-MM-DD".to_owned(),
        Rule::NoSuchDay { .. } => "must be an existing date".to_owned(),
        Rule::Inclusion { values } => format!("must be one of {}", values.join(", ")),
        rule => rule.description(),
    };
    match fault {
        ehealth::Fault::Invalid(violations) => violations
            .iter()
            .map(|violation| Problem::new(&violation.entry, text(&violation.rule)))
            .collect(),
        other => {
            let message = other.message();
            vec![Problem::new(
                "$",
                message.unwrap_or_else(|| "is refused".to_owned()),
            )]
        }
    }
}

/// The errors among issues.
pub(super) fn of_issues(issues: Vec<Issue>) -> Vec<Problem> {
    let errors = issues.into_iter().filter(Issue::is_error);
    errors
        .map(|issue| Problem::new(issue.expression.as_deref().unwrap_or("$"), issue.text))
        .collect()
}
