//! Searches of the audit trail — <https://hl7.org/fhir/R4/auditevent.html#search>

use super::encoding::{Pair, clip, encode};
use super::parse::{self, Handling};
use super::value::{Fault, each, unescape};
use super::{DateTest, Test, date, link};
use crate::limits::DEFAULT_COUNT;
use crate::outcome::{Issue, IssueCode};
use crate::time::Timestamp;

/// What an AuditEvent may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its type; `None`: any.
    pub kind: Option<String>,
    /// Its id.
    pub id: String,
}

/// A search of the trail. Of each list all must hold, and of the alternatives in one some.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// `_id`: positions.
    pub positions: Vec<Vec<i64>>,
    /// `date`
    pub dates: Vec<Vec<DateTest>>,
    /// `entity`
    pub entities: Vec<Vec<Entity>>,
    /// `agent`: ids of clients.
    pub agents: Vec<Vec<String>>,
    /// Page size; 0 asks for the total only.
    pub count: u32,
    /// The sealed cursor of another page, as it stood in the URL.
    pub cursor: Option<String>,
    /// The parameters that were applied, in order, percent-encoded; `_cursor` aside.
    pub applied: Vec<(String, String)>,
}

/// What the values of a search are compared with.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The base URL of this server, without a slash at the end.
    pub base: &'a str,
    /// The identifier system of clients.
    pub clients: &'a str,
    /// The time now.
    pub now: Timestamp,
}

/// The search parameters of the trail, with their types.
pub const PARAMETERS: [(&str, &str, &str); 4] = [
    ("_id", "token", "http://hl7.org/fhir/SearchParameter/Resource-id"),
    (
        "agent",
        "reference",
        "http://hl7.org/fhir/SearchParameter/AuditEvent-agent",
    ),
    (
        "date",
        "date",
        "http://hl7.org/fhir/SearchParameter/AuditEvent-date",
    ),
    (
        "entity",
        "reference",
        "http://hl7.org/fhir/SearchParameter/AuditEvent-entity",
    ),
];

/// What no client is called.
const NOBODY: &str = "\0";

impl AuditQuery {
    /// Every row, newest first.
    pub fn everything() -> AuditQuery {
        AuditQuery {
            positions: Vec::new(),
            dates: Vec::new(),
            entities: Vec::new(),
            agents: Vec::new(),
            count: DEFAULT_COUNT,
            cursor: None,
            applied: Vec::new(),
        }
    }

    /// Reads a search from the pairs of its query string.
    ///
    /// # Errors
    /// Bad values and modifiers, and under [`Handling::Strict`] every parameter that is not known. Each issue names the
    /// parameter; all mean status 400.
    pub fn parse(pairs: &[Pair], handling: Handling, names: Names<'_>) -> Result<AuditQuery, Vec<Issue>> {
        let mut query = AuditQuery::everything();
        let mut issues = Vec::new();
        for pair in pairs {
            match query.apply(pair, names) {
                Ok(true) => {}
                Ok(false) if handling == Handling::Strict => issues.push(unknown(pair)),
                Ok(false) => {}
                Err(fault) => issues.push(fault.about(&pair.full_name(), &pair.value)),
            }
        }
        if issues.is_empty() { Ok(query) } else { Err(issues) }
    }

    /// Whether it asks for every row.
    pub fn is_bare(&self) -> bool {
        self.positions.is_empty()
            && self.dates.is_empty()
            && self.entities.is_empty()
            && self.agents.is_empty()
    }

    /// A stretch of time in which every match lies: start, inclusive, and end, exclusive, in microseconds.
    pub fn bounds(&self) -> (i64, i64) {
        let start = |test: &DateTest| test.bounds().0;
        let end = |test: &DateTest| test.bounds().1;
        let starts = self.dates.iter().filter_map(|any| any.iter().map(start).min());
        let ends = self.dates.iter().filter_map(|any| any.iter().map(end).max());
        (starts.max().unwrap_or(i64::MIN), ends.min().unwrap_or(i64::MAX))
    }

    /// The query string of a link to a page of this search, as [`super::Query::link`].
    pub fn link(&self, cursor: Option<&str>) -> String {
        link(&self.applied, cursor)
    }

    /// `false` of a parameter that is not known.
    fn apply(&mut self, pair: &Pair, names: Names<'_>) -> Result<bool, Fault> {
        let modifier = pair.modifier.as_deref();
        let plain = || match modifier {
            None => Ok(()),
            Some(_) => Err(Fault::unsupported("it takes no modifier here.")),
        };
        match pair.name.as_str() {
            "_id" => {
                plain()?;
                // An id that is no position is nobody's.
                let one = |piece: &str| Ok(position(&unescape(piece)).unwrap_or_default());
                self.positions.push(each(&pair.value, one)?);
            }
            "date" => match date::parse(modifier, &pair.value, names.now)? {
                Test::Date(tests) => self.dates.push(tests),
                _ => return Ok(false),
            },
            "entity" => self.entities.push(each(&pair.value, |piece| {
                entity(modifier, &unescape(piece), names.base)
            })?),
            "agent" => self
                .agents
                .push(each(&pair.value, |piece| agent(modifier, piece, names.clients))?),
            "_count" => {
                plain()?;
                self.count = parse::count(&pair.value)?;
            }
            "_sort" => {
                plain()?;
                if pair.value != "-date" {
                    return Err(Fault::unsupported(
                        "the trail is told newest first: write `-date`, or leave it out.",
                    ));
                }
            }
            "_cursor" if pair.value.is_empty() => return Err(Fault::value("the cursor is empty.")),
            "_cursor" => {
                self.cursor = Some(pair.value.clone());
                return Ok(true);
            }
            // Their values are for whoever renders the answer.
            "_format" | "_pretty" => {}
            _ => return Ok(false),
        }
        self.applied
            .push((encode(&pair.full_name()), encode(&pair.value)));
        Ok(true)
    }
}

// What was asked for may name a person's id: it never reaches a log by `{:?}`.
impl std::fmt::Debug for AuditQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditQuery(…)")
    }
}

/// The position that an id names: a decimal without sign or leading zero.
pub fn position(id: &str) -> Option<i64> {
    let plain = !id.starts_with('0') && id.len() <= 18 && id.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| id.parse().ok()).flatten()
}

fn entity(modifier: Option<&str>, text: &str, base: &str) -> Result<Entity, Fault> {
    let own = text.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
    let relative = own.unwrap_or(text);
    let entity = match relative.split_once('/') {
        None => Entity {
            kind: None,
            id: relative.to_owned(),
        },
        Some((kind, id)) => Entity {
            kind: Some(kind.to_owned()),
            id: id.to_owned(),
        },
    };
    match (modifier, &entity.kind) {
        (None, _) => Ok(entity),
        (Some("identifier"), _) => Err(Fault::unsupported(
            "the trail holds no identifiers of persons; search by the id of the resource.",
        )),
        (Some(kind), own)
            if super::reference::is_type_name(kind) && own.as_deref().is_none_or(|own| own == kind) =>
        {
            Ok(Entity {
                kind: Some(kind.to_owned()),
                ..entity
            })
        }
        (Some(_), _) => Err(Fault::unsupported(
            "this modifier is not supported; write `entity=Patient/123`, or `entity:Patient=123`.",
        )),
    }
}

fn agent(modifier: Option<&str>, piece: &str, system: &str) -> Result<String, Fault> {
    match modifier {
        None => Ok(unescape(piece).into_owned()),
        Some("identifier") => {
            let parts = super::value::split(piece, '|');
            match parts.as_slice() {
                [value] => Ok(unescape(value).into_owned()),
                [own, value] if unescape(own) == system => Ok(unescape(value).into_owned()),
                _ => Ok(NOBODY.to_owned()),
            }
        }
        Some(_) => Err(Fault::unsupported(
            "this modifier is not supported; write the client's id, or `agent:identifier=system|id`.",
        )),
    }
}

fn unknown(pair: &Pair) -> Issue {
    let names: Vec<&str> = PARAMETERS.iter().map(|(name, ..)| *name).collect();
    let text = format!(
        "Parameter `{}` is not supported on AuditEvent. AuditEvent is searched by: {}, and takes _count and _sort=-date.",
        clip(&pair.name),
        names.join(", ")
    );
    Issue::error(IssueCode::NotSupported, text).with_diagnostics(clip(&pair.full_name()))
}

#[cfg(test)]
mod tests;
