//! What a history asks — <https://hl7.org/fhir/R4/http.html#history>

use super::encoding::{Pair, clip, encode};
use super::parse::{self, Handling};
use super::value::Fault;
use super::{Total, link};
use crate::id::Target;
use crate::limits::DEFAULT_COUNT;
use crate::outcome::{Issue, IssueCode};
use crate::resource::ResourceType;
use crate::time::{TimeRange, Timestamp};

/// Whose versions are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of one resource.
    Resource(Target),
    /// Those of all resources of a type.
    Type(ResourceType),
    /// Those of all resources.
    System,
}

/// A page of a history, newest version first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Whose versions.
    pub scope: Scope,
    /// Only versions written at this time or later — `_since`
    pub since: Option<Timestamp>,
    /// Only versions that were current at some point of this stretch of time — `_at`
    pub at: Option<TimeRange>,
    /// Page size in versions; 0 asks for the total only.
    pub count: u32,
    /// How to count. Of one resource all versions are counted; else only a page that holds everything says how many
    /// there are, unless `_total=accurate` or `_count=0` asks.
    pub total: Total,
    /// The sealed cursor of another page, as it stood in the URL.
    pub cursor: Option<String>,
    /// The parameters that were applied, in order, percent-encoded; `_cursor` aside.
    pub applied: Vec<(String, String)>,
}

const PARAMS: [&str; 7] = [
    "_since", "_at", "_count", "_total", "_cursor", "_format", "_pretty",
];

impl History {
    /// Reads the parameters of a history from the pairs of its query string.
    ///
    /// # Errors
    /// Bad values, modifiers and repetitions, and under [`Handling::Strict`] every parameter that is not known. Each
    /// issue names the parameter; all mean status 400.
    pub fn parse(scope: Scope, pairs: &[Pair], handling: Handling) -> Result<History, Vec<Issue>> {
        let total = match scope {
            Scope::Resource(_) => Total::Accurate,
            Scope::Type(_) | Scope::System => Total::WhenWhole,
        };
        let mut history = History {
            scope,
            since: None,
            at: None,
            count: DEFAULT_COUNT,
            total,
            cursor: None,
            applied: Vec::new(),
        };
        let mut seen: Vec<&str> = Vec::new();
        let mut issues = Vec::new();
        for pair in pairs {
            if !PARAMS.contains(&pair.name.as_str()) {
                if handling == Handling::Strict {
                    issues.push(unknown(pair));
                }
                continue;
            }
            let outcome = if pair.modifier.is_some() {
                Err(Fault::unsupported("it takes no modifier."))
            } else if seen.contains(&pair.name.as_str()) {
                Err(Fault::value("it is given more than once."))
            } else {
                history.apply(pair)
            };
            seen.push(&pair.name);
            issues.extend(
                outcome
                    .err()
                    .map(|fault| fault.about(&pair.full_name(), &pair.value)),
            );
        }
        if issues.is_empty() {
            Ok(history)
        } else {
            Err(issues)
        }
    }

    /// The query string of a link to a page of this history, as [`super::Query::link`].
    pub fn link(&self, cursor: Option<&str>) -> String {
        link(&self.applied, cursor)
    }

    fn apply(&mut self, pair: &Pair) -> Result<(), Fault> {
        let mut applied = pair.value.clone();
        match pair.name.as_str() {
            "_since" => {
                let (text, range) = time(&pair.value)?;
                self.since = Some(Timestamp::from_micros(range.low));
                applied = text;
            }
            "_at" => {
                let (text, range) = time(&pair.value)?;
                self.at = Some(range);
                applied = text;
            }
            "_count" => {
                self.count = parse::count(&pair.value)?;
                applied = self.count.to_string();
            }
            "_total" => self.total = parse::total(&pair.value)?,
            "_cursor" if pair.value.is_empty() => return Err(Fault::value("the cursor is empty.")),
            "_cursor" => {
                self.cursor = Some(pair.value.clone());
                return Ok(());
            }
            // The values of the others are for whoever renders the answer.
            _ => {}
        }
        self.applied.push((encode(&pair.name), encode(&applied)));
        Ok(())
    }
}

/// The stretch of time that a text names, and the text as it was meant: `+02:00` in a URL arrives as a space.
fn time(text: &str) -> Result<(String, TimeRange), Fault> {
    let text = text.replace(' ', "+");
    match TimeRange::parse(&text) {
        Some(range) => Ok((text, range)),
        None => Err(Fault::value(
            "the value is no time; write `2026-11-21T03:34:00Z`, with or without fractions of a second, or a date; \
             it takes no prefix.",
        )),
    }
}

fn unknown(pair: &Pair) -> Issue {
    let text = format!(
        "Parameter `{}` is not supported on a history. A history takes {}.",
        clip(&pair.name),
        PARAMS.join(", ")
    );
    Issue::error(IssueCode::NotSupported, text).with_diagnostics(clip(&pair.full_name()))
}

#[cfg(test)]
mod tests;
