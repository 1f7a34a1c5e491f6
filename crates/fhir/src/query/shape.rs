//! What shapes the answer of a search rather than the set of matches: `_sort`, `_include`, `_revinclude` —
//! <https://hl7.org/fhir/R4/search.html#sort>, <https://hl7.org/fhir/R4/search.html#include>

use super::encoding::clip;
use super::param::{DEFINITIONS, Definition, SearchParam};
use super::value::{Fault, alternatives};
use crate::limits::MAX_SORT_KEYS;
use crate::resource::ResourceType;

/// The way of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The least first. Of several values the least counts; what has none comes last.
    Ascending,
    /// The greatest first. Of several values the greatest counts; what has none comes last here too.
    Descending,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn reversed(self) -> Direction {
        match self {
            Direction::Ascending => Direction::Descending,
            Direction::Descending => Direction::Ascending,
        }
    }
}

/// One key of `_sort`. Strings are compared folded, tokens by their codes, dates by their beginning; texts byte
/// by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// By what.
    pub param: SearchParam,
    /// Which way.
    pub direction: Direction,
}

/// What is shown beside the matches. All references are Patients'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// `_include`: the resources that matches refer to by this parameter.
    Referred(SearchParam),
    /// `_revinclude`: the resources that refer to matches by this parameter.
    Referring(SearchParam),
}

impl Include {
    /// The type of what is included.
    pub fn kind(&self) -> ResourceType {
        match self {
            Include::Referred(param) => param.refers_to().unwrap_or(SOURCE),
            Include::Referring(_) => SOURCE,
        }
    }

    /// The type of the matches that it starts from.
    pub fn of(&self) -> ResourceType {
        match self {
            Include::Referred(_) => SOURCE,
            Include::Referring(param) => param.refers_to().unwrap_or(SOURCE),
        }
    }
}

/// The one type with references.
const SOURCE: ResourceType = ResourceType::Patient;

/// Which way an include follows a reference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    Forward,
    Backward,
}

/// The references that can be followed.
pub fn followed() -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS.iter().filter(|row| row.param.refers_to().is_some())
}

/// `-birthdate,family`
pub(super) fn sort(kinds: &[ResourceType], value: &str) -> Result<Vec<SortKey>, Fault> {
    let mut keys: Vec<SortKey> = Vec::new();
    for piece in alternatives(value)? {
        let (name, direction) = match piece.strip_prefix('-') {
            Some(name) => (name, Direction::Descending),
            None => (piece, Direction::Ascending),
        };
        let row = DEFINITIONS
            .iter()
            .find(|row| row.name == name && kinds.iter().all(|kind| row.on.contains(kind)))
            .filter(|row| row.param.has_order())
            .ok_or_else(|| no_order(kinds, name))?;
        if keys.iter().any(|key| key.param == row.param) {
            let text = format!("`{}` is named twice; the second time says nothing.", row.name);
            return Err(Fault::value(text));
        }
        let param = row.param;
        keys.push(SortKey { param, direction });
    }
    if keys.len() > MAX_SORT_KEYS {
        let text = format!(
            "it has {} keys; at most {MAX_SORT_KEYS} are taken. Leave some out.",
            keys.len()
        );
        return Err(Fault::too_long(text));
    }
    Ok(keys)
}

fn no_order(kinds: &[ResourceType], name: &str) -> Fault {
    let names: Vec<&str> = DEFINITIONS
        .iter()
        .filter(|row| row.param.has_order() && kinds.iter().all(|kind| row.on.contains(kind)))
        .map(|row| row.name)
        .collect();
    Fault::unsupported(format!(
        "there is no order by `{}`; sort by {}.",
        clip(name),
        names.join(", ")
    ))
}

/// `Patient:general-practitioner`, `Patient:general-practitioner:Practitioner`, `Patient:*` or `*`.
pub(super) fn include(kinds: &[ResourceType], follow: Follow, value: &str) -> Result<Vec<Include>, Fault> {
    let made = |row: &'static Definition| match follow {
        Follow::Forward => Include::Referred(row.param),
        Follow::Backward => Include::Referring(row.param),
    };
    let (source, name, target) = parts(value);
    let is_source = matches!(source, "*" | "Patient");
    let found: Vec<Include> = followed()
        .filter(|row| is_source && (name == "*" || name == row.name))
        .filter(|row| {
            let own = row.param.refers_to().map(ResourceType::as_str);
            target.is_none() || target == own
        })
        .map(made)
        .collect();
    let from_matches: Vec<Include> = found
        .iter()
        .copied()
        .filter(|include| kinds.contains(&include.of()))
        .collect();
    // A `*` asks for whatever there is, and that may be nothing.
    if name == "*" && is_source && target.is_none() || !from_matches.is_empty() {
        return Ok(from_matches);
    }
    let known: Vec<String> = followed().map(|row| format!("{SOURCE}:{}", row.name)).collect();
    let why = match (found.is_empty(), follow) {
        (true, _) => "it leads to nothing that is stored here",
        (false, Follow::Forward) => "the matches have no such reference",
        (false, Follow::Backward) => "no such reference leads to the matches",
    };
    Err(Fault::unsupported(format!(
        "{why}; what can be followed is {}, and `*` for all that fits.",
        known.join(", ")
    )))
}

/// Type, parameter and target type of an include.
fn parts(value: &str) -> (&str, &str, Option<&str>) {
    let mut pieces = value.splitn(3, ':');
    let source = pieces.next().unwrap_or_default();
    let name = pieces.next();
    let target = pieces.next();
    match (source, name) {
        ("*", None) => ("*", "*", None),
        (source, name) => (source, name.unwrap_or_default(), target),
    }
}
