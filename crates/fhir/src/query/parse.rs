//! Query strings → [`Query`] and [`Criteria`] — <https://hl7.org/fhir/R4/search.html#Introduction>
//!
//! A search may be lenient towards parameters it does not know; the criteria of a conditional interaction
//! are never weakened: whatever is not understood wholly is refused. Both refuse a bad value and an unknown
//! modifier of a known parameter. All faults are reported, each naming its parameter.

use super::encoding::{self, Origin, Pair, clip, encode};
use super::param::{DEFINITIONS, Definition, ParamType, SearchParam};
use super::value::{self, Fault};
use super::{Clause, Criteria, Query, Test, Total, date, reference, string, token};
use crate::limits::{DEFAULT_COUNT, MAX_COUNT};
use crate::outcome::{Issue, IssueCode};
use crate::resource::ResourceType;
use crate::time::Timestamp;

pub use super::encoding::pairs;

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
    /// A search parameter of the type, and what it is chained to.
    Chain,
    Result(ResultParam),
    Unknown,
}

/// The parameters that shape the answer rather than the set of matches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ResultParam {
    Count,
    Cursor,
    Format,
    Pretty,
    Summary,
    Total,
}

const RESULT_PARAMS: [(&str, ResultParam); 6] = [
    ("_count", ResultParam::Count),
    ("_cursor", ResultParam::Cursor),
    ("_format", ResultParam::Format),
    ("_pretty", ResultParam::Pretty),
    ("_summary", ResultParam::Summary),
    ("_total", ResultParam::Total),
];

/// Reads the search of a type from its pairs.
///
/// # Errors
/// Bad values and unsupported modifiers, and under [`Handling::Strict`] every parameter that is not known or
/// not supported. Each issue names the parameter; all mean status 400.
pub fn search(
    kind: ResourceType,
    pairs: &[Pair],
    handling: Handling,
    now: Timestamp,
) -> Result<Query, Vec<Issue>> {
    let criteria = Criteria {
        kind,
        clauses: Vec::new(),
    };
    let mut search = SearchParser {
        query: Query {
            criteria,
            count: DEFAULT_COUNT,
            total: Total::Accurate,
            cursor: None,
            offset: 0,
            applied: Vec::new(),
        },
        seen: Vec::new(),
        summary_count: false,
    };
    let mut issues = Vec::new();
    for pair in pairs {
        let outcome = match meaning(kind, &pair.name, NameCase::Exact) {
            Meaning::Search(definition) => clause(definition, pair, now).map(|clause| {
                search.query.criteria.clauses.push(clause);
                search.apply(pair);
            }),
            Meaning::Chain => Err(about(pair, reference::chained())),
            Meaning::Result(param) => search.result_param(param, pair, handling),
            Meaning::Unknown => refuse_if_strict(kind, pair, handling),
        };
        issues.extend(outcome.err());
    }
    if search.summary_count {
        search.query.count = 0;
    }
    if issues.is_empty() {
        Ok(search.query)
    } else {
        Err(issues)
    }
}

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
        match meaning(kind, &pair.name, names) {
            Meaning::Search(definition) => match clause(definition, pair, now) {
                Ok(clause) => clauses.push(clause),
                Err(issue) => issues.push(issue),
            },
            Meaning::Chain => issues.push(about(pair, reference::chained())),
            Meaning::Result(ResultParam::Format | ResultParam::Pretty) => {}
            Meaning::Result(_) => issues.push(about(
                pair,
                Fault::unsupported(
                    "it has no meaning in the criteria of a conditional interaction; remove it.",
                ),
            )),
            Meaning::Unknown => issues.push(unknown(kind, pair)),
        }
    }
    if clauses.is_empty() && issues.is_empty() {
        let text = format!(
            "A conditional interaction needs criteria, such as `identifier=system|value`. {}",
            valid_names(kind)
        );
        issues.push(Issue::error(IssueCode::Invalid, text));
    }
    if issues.is_empty() {
        Ok(Criteria { kind, clauses })
    } else {
        Err(issues)
    }
}

/// A search while its parameters are read.
struct SearchParser {
    query: Query,
    /// The result parameters met: none may be repeated.
    seen: Vec<ResultParam>,
    summary_count: bool,
}

impl SearchParser {
    fn apply(&mut self, pair: &Pair) {
        self.apply_as(pair, &pair.value);
    }

    fn apply_as(&mut self, pair: &Pair, value: &str) {
        let name = match &pair.modifier {
            Some(modifier) => format!("{}:{}", encode(&pair.name), encode(modifier)),
            None => encode(&pair.name),
        };
        self.query.applied.push((name, encode(value)));
    }

    fn result_param(&mut self, param: ResultParam, pair: &Pair, handling: Handling) -> Result<(), Issue> {
        if pair.modifier.is_some() {
            return Err(about(pair, Fault::unsupported("it takes no modifier.")));
        }
        if self.seen.contains(&param) {
            return Err(about(pair, Fault::value("it is given more than once.")));
        }
        self.seen.push(param);
        match (param, pair.value.as_str()) {
            (ResultParam::Count, text) => {
                let count = count(text).map_err(|fault| about(pair, fault))?;
                self.query.count = count;
                self.apply_as(pair, &count.to_string());
            }
            (ResultParam::Cursor, "") => return Err(about(pair, Fault::value("the cursor is empty."))),
            (ResultParam::Cursor, cursor) => self.query.cursor = Some(cursor.to_owned()),
            // Their values are for whoever renders the answer.
            (ResultParam::Format | ResultParam::Pretty, _) => self.apply(pair),
            (ResultParam::Summary, "count") => {
                self.summary_count = true;
                self.apply(pair);
            }
            (ResultParam::Summary, "false") => self.apply(pair),
            (ResultParam::Summary, "true" | "text" | "data") => {
                let fault = Fault::unsupported("only `count` and `false` are supported.");
                return match handling {
                    Handling::Strict => Err(about(pair, fault)),
                    Handling::Lenient => Ok(()),
                };
            }
            (ResultParam::Summary, _) => {
                return Err(about(
                    pair,
                    Fault::value("the value is neither `count` nor `false`."),
                ));
            }
            (ResultParam::Total, text) => {
                self.query.total = total(text).map_err(|fault| about(pair, fault))?;
                self.apply(pair);
            }
        }
        Ok(())
    }
}

/// A page size: more than [`MAX_COUNT`] is lowered to it, however many digits it has.
pub(super) fn count(text: &str) -> Result<u32, Fault> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::value(
            "the value is no number of resources; write 0 or more.",
        ));
    }
    Ok(text.parse().map_or(MAX_COUNT, |count: u32| count.min(MAX_COUNT)))
}

/// How to count — `_total`
pub(super) fn total(text: &str) -> Result<Total, Fault> {
    match text {
        "none" => Ok(Total::None),
        // An estimate may be exact.
        "estimate" | "accurate" => Ok(Total::Accurate),
        _ => Err(Fault::value(
            "the value is none of `none`, `estimate` and `accurate`.",
        )),
    }
}

fn meaning(kind: ResourceType, name: &str, names: NameCase) -> Meaning {
    let same = |known: &str| match names {
        NameCase::Exact => known == name,
        NameCase::AnyCase => known.eq_ignore_ascii_case(name),
    };
    let of_kind = || DEFINITIONS.iter().filter(|row| row.on.contains(&kind));
    if let Some(definition) = of_kind().find(|row| same(row.name)) {
        return Meaning::Search(definition);
    }
    if let Some((_, param)) = RESULT_PARAMS.iter().find(|(known, _)| same(known)) {
        return Meaning::Result(*param);
    }
    let is_chained = name
        .split_once('.')
        .is_some_and(|(base, _)| of_kind().any(|row| row.kind == ParamType::Reference && row.name == base));
    if is_chained {
        Meaning::Chain
    } else {
        Meaning::Unknown
    }
}

fn clause(definition: &Definition, pair: &Pair, now: Timestamp) -> Result<Clause, Issue> {
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
        .map_err(|fault| about(pair, fault))
}

fn about(pair: &Pair, fault: Fault) -> Issue {
    fault.about(&pair.full_name(), &pair.value)
}

fn refuse_if_strict(kind: ResourceType, pair: &Pair, handling: Handling) -> Result<(), Issue> {
    match handling {
        Handling::Lenient => Ok(()),
        Handling::Strict => Err(unknown(kind, pair)),
    }
}

fn unknown(kind: ResourceType, pair: &Pair) -> Issue {
    let name = clip(&pair.name);
    let nearest = nearest(kind, &pair.name).map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
    let text = format!(
        "Parameter `{name}` is not supported on {kind}.{nearest} {}",
        valid_names(kind)
    );
    Issue::error(IssueCode::NotSupported, text).with_diagnostics(clip(&pair.full_name()))
}

fn names(kind: ResourceType) -> impl Iterator<Item = &'static str> {
    DEFINITIONS
        .iter()
        .filter(move |row| row.on.contains(&kind))
        .map(|row| row.name)
}

fn valid_names(kind: ResourceType) -> String {
    let list: Vec<&str> = names(kind).collect();
    format!("{kind} is searched by: {}.", list.join(", "))
}

/// The known name that is fewest edits away, when that is few enough to be a slip.
fn nearest(kind: ResourceType, name: &str) -> Option<&'static str> {
    const LONGEST_NAME: usize = 40;
    if name.len() > LONGEST_NAME {
        return None;
    }
    let lower = name.to_lowercase();
    let slips = 1 + name.len() / 4;
    names(kind)
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
