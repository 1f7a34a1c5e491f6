//! Query strings → [`Query`] and [`Criteria`] — <https://hl7.org/fhir/R4/search.html#Introduction>
//!
//! A search may be lenient towards parameters it does not know; the criteria of a conditional interaction
//! are never weakened: whatever is not understood wholly is refused. Both refuse a bad value and an unknown
//! modifier of a known parameter. All faults are reported, each naming its parameter.

mod chain;
mod searching;

use super::encoding::{self, Origin, Pair, clip};
use super::param::{DEFINITIONS, Definition, ParamType, SearchParam};
use super::value::{self, Fault};
use super::{Clause, Criteria, Test, date, reference, string, token};
use crate::outcome::{Issue, IssueCode};
use crate::resource::ResourceType;
use crate::time::Timestamp;

pub use super::encoding::pairs;
pub(super) use searching::{count, total};
pub use searching::{search, search_system};

/// What becomes of a parameter that is not known — `Prefer: handling=…`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// It is ignored, and absent from the self link.
    Lenient,
    /// It is refused.
    Strict,
}

/// How parameter names are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameCase {
    /// As FHIR says: case matters.
    Exact,
    /// `Identifier=` is `identifier=`: some senders' case is not reliable.
    AnyCase,
}

/// What a parameter of this name is to a type.
enum Meaning {
    Search(&'static Definition),
    /// A search parameter of the type, and what it is chained to; or `_has`.
    Chain,
    Result(ResultParam),
    Unknown,
}

/// The parameters that shape the answer rather than the set of matches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ResultParam {
    Count,
    Cursor,
    Elements,
    Format,
    Include,
    Pretty,
    ReverseInclude,
    Sort,
    Summary,
    Total,
}

const RESULT_PARAMS: [(&str, ResultParam); 10] = [
    ("_count", ResultParam::Count),
    ("_cursor", ResultParam::Cursor),
    ("_elements", ResultParam::Elements),
    ("_format", ResultParam::Format),
    ("_include", ResultParam::Include),
    ("_pretty", ResultParam::Pretty),
    ("_revinclude", ResultParam::ReverseInclude),
    ("_sort", ResultParam::Sort),
    ("_summary", ResultParam::Summary),
    ("_total", ResultParam::Total),
];

/// Reads the criteria of a conditional interaction from the query string of its URL. `_format` and
/// `_pretty` may stand anywhere and say nothing.
///
/// # Errors
/// No criteria at all, and whatever is not understood wholly: an unknown parameter, a modifier or chain that
/// is not supported, an empty or bad value, a parameter that shapes a search's answer. Each issue names the
/// parameter; all mean status 400.
pub fn criteria(
    kind: ResourceType,
    query: &str,
    names: NameCase,
    now: Timestamp,
) -> Result<Criteria, Vec<Issue>> {
    strict(kind, &encoding::split(query, Origin::Url)?, names, now)
}

/// Reads the criteria of an `If-None-Exist` header or of `Bundle.entry.request.ifNoneExist`: `a=b`, `?a=b`,
/// `Type?a=b` or an absolute URL, percent-encoded or plain (see [`encoding`] for `+`; a `&` that belongs to
/// a value must be `%26`).
///
/// # Errors
/// As [`criteria`]; also an empty header and another type than that of the resource.
pub fn if_none_exist(kind: ResourceType, header: &str, now: Timestamp) -> Result<Criteria, Vec<Issue>> {
    let header = header.trim();
    let query = match header.split_once('?') {
        // A `?` after a `=` belongs to a value: `identifier=http://a?b|c`.
        Some((prefix, query)) if !prefix.contains('=') => {
            check_prefix(kind, prefix)?;
            query
        }
        _ => header,
    };
    strict(
        kind,
        &encoding::split(query, Origin::Header)?,
        NameCase::Exact,
        now,
    )
}

fn check_prefix(kind: ResourceType, prefix: &str) -> Result<(), Vec<Issue>> {
    let named = match prefix.rsplit_once('/') {
        Some((base, last)) if base.contains("://") => last,
        Some(_) => "",
        None => prefix,
    };
    if prefix.is_empty() || named == kind.as_str() {
        return Ok(());
    }
    let text = format!(
        "If-None-Exist speaks of something else than {kind}; write `{kind}?name=value` or `name=value`."
    );
    Err(vec![
        Issue::error(IssueCode::Invalid, text).with_diagnostics(clip(prefix)),
    ])
}

fn strict(
    kind: ResourceType,
    pairs: &[Pair],
    names: NameCase,
    now: Timestamp,
) -> Result<Criteria, Vec<Issue>> {
    let mut clauses = Vec::new();
    let mut issues = Vec::new();
    for pair in pairs {
        match meaning(&[kind], pair, names) {
            // What is written for people tells nobody from anybody.
            Meaning::Search(_) if pair.modifier.as_deref() == Some("text") => {
                let text = "a conditional interaction takes no `:text`; search by the code or value itself.";
                issues.push(about(pair, Fault::unsupported(text)));
            }
            Meaning::Search(definition) => match clause(definition, pair, now, pair) {
                Ok(clause) => clauses.push(clause),
                Err(issue) => issues.push(issue),
            },
            Meaning::Chain => issues.push(about(pair, chain::in_criteria())),
            Meaning::Result(ResultParam::Format | ResultParam::Pretty) => {}
            Meaning::Result(_) => issues.push(about(
                pair,
                Fault::unsupported(
                    "it has no meaning in the criteria of a conditional interaction; remove it.",
                ),
            )),
            Meaning::Unknown => issues.push(unknown(&[kind], pair)),
        }
    }
    if clauses.is_empty() && issues.is_empty() {
        let text = format!(
            "A conditional interaction needs criteria, such as `identifier=system|value`. {}",
            valid_names(&[kind])
        );
        issues.push(Issue::error(IssueCode::Invalid, text));
    }
    if issues.is_empty() {
        Ok(Criteria { kind, clauses })
    } else {
        Err(issues)
    }
}

/// The search parameters that all of these types have.
fn shared_by(kinds: &[ResourceType]) -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS
        .iter()
        .filter(move |row| kinds.iter().all(|kind| row.on.contains(kind)))
}

fn meaning(kinds: &[ResourceType], pair: &Pair, names: NameCase) -> Meaning {
    let name = pair.name.as_str();
    let same = |known: &str| match names {
        NameCase::Exact => known == name,
        NameCase::AnyCase => known.eq_ignore_ascii_case(name),
    };
    if chain::is_one(kinds, pair) {
        return Meaning::Chain;
    }
    if let Some(definition) = shared_by(kinds).find(|row| same(row.name)) {
        return Meaning::Search(definition);
    }
    match RESULT_PARAMS.iter().find(|(known, _)| same(known)) {
        Some((_, param)) => Meaning::Result(*param),
        None => Meaning::Unknown,
    }
}

/// Reads a condition. A fault is about `whole`: the pair itself, or the chain that it ends.
fn clause(definition: &Definition, pair: &Pair, now: Timestamp, whole: &Pair) -> Result<Clause, Issue> {
    let modifier = pair.modifier.as_deref();
    let is_column = definition.index.is_empty();
    let test = match (definition.kind, modifier) {
        (_, Some("missing")) if !is_column => value::boolean(&pair.value).map(Test::Missing),
        (_, Some("missing")) => Err(Fault::unsupported(
            "it is never missing, so it takes no `:missing`.",
        )),
        (ParamType::Token, _) if definition.param == SearchParam::Id => token::ids(modifier, &pair.value),
        (ParamType::Token, _) => token::parse(definition, modifier, &pair.value),
        (ParamType::String, _) => string::parse(modifier, &pair.value),
        (ParamType::Date, _) => date::parse(modifier, &pair.value, now),
        (ParamType::Reference, _) => reference::parse(definition, modifier, &pair.value),
        (ParamType::Uri, _) => string::uri(modifier, &pair.value),
    };
    let param = definition.param;
    test.map(|test| Clause { param, test })
        .map_err(|fault| about(whole, fault))
}

fn about(pair: &Pair, fault: Fault) -> Issue {
    fault.about(&pair.full_name(), &pair.value)
}

fn unknown(kinds: &[ResourceType], pair: &Pair) -> Issue {
    let name = clip(&pair.name);
    let nearest = nearest(kinds, &pair.name).map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
    let text = format!(
        "Parameter `{name}` is not supported on {}.{nearest} {}",
        listed(kinds),
        valid_names(kinds)
    );
    Issue::error(IssueCode::NotSupported, text).with_diagnostics(clip(&pair.full_name()))
}

/// `Patient`, or `Patient and Practitioner together`.
fn listed(kinds: &[ResourceType]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("{} together", several.join(" and ")),
    }
}

fn valid_names(kinds: &[ResourceType]) -> String {
    let list: Vec<&str> = shared_by(kinds).map(|row| row.name).collect();
    let verb = if kinds.len() == 1 { "is" } else { "are" };
    format!("{} {verb} searched by: {}.", listed(kinds), list.join(", "))
}

/// The known name that is fewest edits away, when that is few enough to be a slip.
fn nearest(kinds: &[ResourceType], name: &str) -> Option<&'static str> {
    const LONGEST_NAME: usize = 40;
    if name.len() > LONGEST_NAME {
        return None;
    }
    let lower = name.to_lowercase();
    let slips = 1 + name.len() / 4;
    shared_by(kinds)
        .map(|row| row.name)
        .filter(|known| known.len().abs_diff(name.len()) <= slips)
        .map(|known| (edits(&known.to_lowercase(), &lower), known))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, _)| distance <= slips)
        .map(|(_, known)| known)
}

/// The Levenshtein distance.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (b, &above) in to.chars().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(a != b);
            left = replaced.min(left + 1).min(above + 1);
            diagonal = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
