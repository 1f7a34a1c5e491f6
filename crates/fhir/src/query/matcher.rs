//! In-memory matching: the oracle that the index and the SQL are tested against.
//!
//! It walks the resource by the FHIRPath of each search parameter and never looks at
//! [`crate::index::extract`]; only the folding of texts and the reading of dates are shared. It is written
//! to be evidently right, not to be fast.

mod rank;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::param::{IndexParam, SearchParam, bounded, fold_string, fold_token};
use super::{
    Clause, Criteria, DatePrefix, DateTest, Include, OfTypeTest, Query, ReferenceTest, StringTest, Test,
    TokenTest,
};
use crate::id::Id;
use crate::limits::MAX_INDEXED_CHARS;
use crate::resource::{Resource, ResourceType};
use crate::time::{TimeRange, Timestamp};

pub use rank::{Rank, rank};

/// A stored resource. `id` and `updated` are those it is stored under, whatever its body says.
#[derive(Clone, Copy)]
pub struct Member<'r> {
    /// Its content.
    pub resource: &'r Resource,
    /// Its id.
    pub id: &'r Id,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// Whether a resource meets every condition, chains aside: it refers to nobody.
pub fn matches(criteria: &Criteria, resource: &Resource, id: &Id, updated: Timestamp) -> bool {
    let one = Member {
        resource,
        id,
        updated,
    };
    matches_among(criteria, &one, &[])
}

/// Whether one of these resources meets every condition.
pub fn matches_among(criteria: &Criteria, one: &Member<'_>, all: &[Member<'_>]) -> bool {
    let passes = |clause: &Clause| match &clause.test {
        Test::Chain(inner) => {
            let named = followed(clause.param, one);
            let is_named =
                |other: &&Member<'_>| named.contains(&(other.resource.kind().as_str(), other.id.as_str()));
            !named.is_empty()
                && all
                    .iter()
                    .filter(is_named)
                    .any(|other| matches_among(inner, other, all))
        }
        Test::Has(inner) => all
            .iter()
            .any(|other| refers(clause.param, other, one) && matches_among(inner, other, all)),
        _ => holds(clause, one.resource, one.id, one.updated),
    };
    criteria.kind == one.resource.kind() && criteria.clauses.iter().all(passes)
}

/// Whether `from` refers to `to` by a relative reference of this parameter that can be followed.
pub fn refers(param: SearchParam, from: &Member<'_>, to: &Member<'_>) -> bool {
    followed(param, from).contains(&(to.resource.kind().as_str(), to.id.as_str()))
}

/// What a search shows beside these matches: what its includes lead to, and from there those that iterate.
pub fn beside<'r>(query: &Query, matches: &[Member<'r>], all: &[Member<'r>]) -> Vec<Member<'r>> {
    let is_same = |one: &Member<'_>, other: &Member<'_>| {
        one.id == other.id && one.resource.kind() == other.resource.kind()
    };
    let leads = |include: &Include, from: &Member<'_>, to: &Member<'_>| match include {
        Include::Referred(param) => refers(*param, from, to),
        Include::Referring(param) => refers(*param, to, from),
    };
    let mut found: Vec<Member<'r>> = Vec::new();
    let (mut starts, mut includes) = (matches.to_vec(), &query.includes);
    loop {
        let is_new = |one: &&Member<'r>| !matches.iter().chain(&found).any(|known| is_same(known, one));
        let is_led_to = |one: &&Member<'r>| {
            starts
                .iter()
                .any(|start| includes.iter().any(|include| leads(include, start, one)))
        };
        let fresh: Vec<Member<'r>> = all.iter().filter(is_new).filter(is_led_to).copied().collect();
        if fresh.is_empty() {
            return found;
        }
        found.extend(&fresh);
        (starts, includes) = (fresh, &query.iterated);
    }
}

/// Type and id of what a resource refers to by a parameter, where that can be stored.
fn followed<'r>(param: SearchParam, from: &Member<'r>) -> Vec<(&'r str, &'r str)> {
    let nodes = references(param, from.resource).into_iter();
    let texts = nodes.filter_map(|node| node.get("reference").and_then(Value::as_str));
    let places = texts.filter_map(relative);
    let stored = param.refers_to().map(ResourceType::as_str);
    places.filter(|(kind, _)| stored == Some(*kind)).collect()
}

fn holds(clause: &Clause, resource: &Resource, id: &Id, updated: Timestamp) -> bool {
    let param = clause.param;
    match &clause.test {
        // Looked at with all the others at hand.
        Test::Chain(_) | Test::Has(_) => false,
        Test::Id(ids) => ids.contains(id),
        Test::Token(tests) => any_token(tests, &tokens(param, resource)),
        Test::NotToken(tests) => !any_token(tests, &tokens(param, resource)),
        Test::OfType(tests) => tests.iter().any(|test| of_type(test, resource)),
        Test::String(tests) => {
            let strings = strings(param, resource);
            tests
                .iter()
                .any(|test| strings.iter().any(|value| string(test, value)))
        }
        Test::Text(tests) => {
            let texts = texts(param, resource);
            tests
                .iter()
                .any(|test| texts.iter().any(|value| string(test, value)))
        }
        Test::Date(tests) => {
            let dates = dates(param, resource, updated);
            tests
                .iter()
                .any(|test| dates.iter().any(|&value| date(test, value)))
        }
        Test::Reference(tests) => {
            let references = references(param, resource);
            tests
                .iter()
                .any(|test| references.iter().any(|node| reference(test, node)))
        }
        Test::Uri(uris) => {
            let values = tokens(param, resource);
            let is = |value: &Token<'_>, uri: &String| {
                let unversioned = value.code.split('|').next().unwrap_or_default();
                bounded(&value.code) == *uri
                    || param == SearchParam::Profile
                        && !unversioned.is_empty()
                        && bounded(unversioned) == *uri
            };
            let has = |uri: &String| values.iter().any(|value| is(value, uri));
            uris.iter().any(has)
        }
        Test::Missing(missing) => *missing != has_value(param, resource),
    }
}

fn has_value(param: SearchParam, resource: &Resource) -> bool {
    !tokens(param, resource).is_empty()
        || !strings(param, resource).is_empty()
        || !dates(param, resource, Timestamp::from_micros(0)).is_empty()
        || references(param, resource).iter().any(|node| {
            let identifier = node.get("identifier");
            let part = |name| identifier.and_then(|i| i.get(name)).is_some_and(is_text);
            node.get("reference").is_some_and(is_text) || part("system") || part("value")
        })
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// A token as the resource has it; the code folded already when it is that of a contact point.
struct Token<'r> {
    system: &'r str,
    code: Cow<'r, str>,
}

fn any_token(tests: &[TokenTest], values: &[Token<'_>]) -> bool {
    tests
        .iter()
        .any(|test| values.iter().any(|value| token(test, value.system, &value.code)))
}

fn token(test: &TokenTest, value_system: &str, value_code: &str) -> bool {
    match test {
        TokenTest::Code(code) => code == value_code,
        TokenTest::SystemCode { system, code } => system == value_system && code == value_code,
        TokenTest::CodeWithoutSystem(code) => value_system.is_empty() && code == value_code,
        TokenTest::System(system) => system == value_system,
    }
}

fn of_type(test: &OfTypeTest, resource: &Resource) -> bool {
    walk(resource.tree(), &["identifier"])
        .into_iter()
        .any(|identifier| {
            let has_value = identifier.get("value").and_then(Value::as_str) == Some(&test.value);
            let has_type = identifier.as_object().is_some_and(|identifier| {
                walk(identifier, &["type", "coding"]).into_iter().any(|coding| {
                    coding.get("system").and_then(Value::as_str) == Some(&test.system)
                        && coding.get("code").and_then(Value::as_str) == Some(&test.code)
                })
            });
            has_value && has_type
        })
}

fn string(test: &StringTest, value: &str) -> bool {
    // What lies beyond is not searched: see `StringTest`.
    let folded = || {
        fold_string(value)
            .chars()
            .take(MAX_INDEXED_CHARS)
            .collect::<String>()
    };
    match test {
        StringTest::StartsWith(start) => folded().starts_with(start),
        StringTest::Contains(part) => folded().contains(part),
        StringTest::Exact(text) => bounded(value) == *text,
    }
}

pub(super) fn date(test: &DateTest, value: TimeRange) -> bool {
    let within = test.low <= value.low && value.high <= test.high;
    match test.prefix {
        DatePrefix::Equal => within,
        DatePrefix::NotEqual => !within,
        DatePrefix::Greater => value.high > test.high,
        DatePrefix::Less => value.low < test.low,
        DatePrefix::GreaterOrEqual => within || value.high > test.high,
        DatePrefix::LessOrEqual => within || value.low < test.low,
        DatePrefix::StartsAfter => value.low >= test.high,
        DatePrefix::EndsBefore => value.high <= test.low,
        DatePrefix::Approximately => value.low < test.high && value.high > test.low,
    }
}

fn reference(test: &ReferenceTest, node: &Value) -> bool {
    let text = node.get("reference").and_then(Value::as_str).unwrap_or_default();
    let relative = relative(text);
    match test {
        ReferenceTest::Id(id) => relative.is_some_and(|(_, found)| found == id),
        ReferenceTest::Typed { kind, id } => relative == Some((kind.as_str(), id.as_str())),
        ReferenceTest::Url(url) => relative.is_none() && bounded(text) == *url,
        ReferenceTest::Identifier(test) => {
            let part = |name| {
                let identifier = node.get("identifier");
                identifier
                    .and_then(|i| i.get(name))
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            token(test, part("system"), part("value"))
        }
    }
}

/// Type and id of `Type/id` and `Type/id/_history/n`.
fn relative(reference: &str) -> Option<(&str, &str)> {
    let mut segments = reference.split('/');
    let (kind, id) = (segments.next()?, segments.next()?);
    let named = kind.chars().all(|c| c.is_ascii_alphabetic()) && kind.starts_with(|c: char| c.is_uppercase());
    let ends = match segments.next() {
        None => true,
        Some(history) => history == "_history" && segments.next().is_some(),
    };
    (named && ends && Id::parse(id).is_some()).then_some((kind, id))
}

/// The tokens and URIs of a parameter.
fn tokens(param: SearchParam, resource: &Resource) -> Vec<Token<'_>> {
    let at = |path: &[&str]| walk(resource.tree(), path);
    match param {
        SearchParam::Identifier => coded(at(&["identifier"]), "value"),
        SearchParam::Tag => coded(at(&["meta", "tag"]), "code"),
        SearchParam::Security => coded(at(&["meta", "security"]), "code"),
        SearchParam::Profile => plain(at(&["meta", "profile"]), ""),
        SearchParam::Source => plain(at(&["meta", "source"]), ""),
        SearchParam::Gender => plain(at(&["gender"]), "http://hl7.org/fhir/administrative-gender"),
        SearchParam::AddressUse => plain(at(&["address", "use"]), "http://hl7.org/fhir/address-use"),
        SearchParam::Language => coded(at(&["communication", "language", "coding"]), "code"),
        SearchParam::Communication => coded(at(&["communication", "coding"]), "code"),
        SearchParam::Active => at(&["active"]).into_iter().filter_map(boolean).collect(),
        SearchParam::Deceased => vec![deceased(resource)],
        SearchParam::Phone => contacts(resource, |system| system == Some("phone")),
        SearchParam::Email => contacts(resource, |system| system == Some("email")),
        SearchParam::Telecom => contacts(resource, |_| true),
        _ => Vec::new(),
    }
}

/// Elements with a system and, under this name, a code.
fn coded<'r>(nodes: Vec<&'r Value>, code: &str) -> Vec<Token<'r>> {
    let token = |node: &'r Value| {
        let part = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default();
        Token {
            system: part("system"),
            code: Cow::Borrowed(part(code)),
        }
    };
    let tokens = nodes.into_iter().map(token);
    tokens
        .filter(|t| !(t.system.is_empty() && t.code.is_empty()))
        .collect()
}

fn plain<'r>(nodes: Vec<&'r Value>, system: &'r str) -> Vec<Token<'r>> {
    let texts = nodes
        .into_iter()
        .filter(|node| is_text(node))
        .filter_map(Value::as_str);
    texts
        .map(|text| Token {
            system,
            code: Cow::Borrowed(text),
        })
        .collect()
}

fn special(value: bool) -> Token<'static> {
    Token {
        system: "http://hl7.org/fhir/special-values",
        code: Cow::Borrowed(if value { "true" } else { "false" }),
    }
}

fn boolean(node: &Value) -> Option<Token<'_>> {
    node.as_bool().map(special)
}

fn deceased(resource: &Resource) -> Token<'_> {
    let flagged = resource.get("deceasedBoolean") == Some(&Value::Bool(true));
    special(flagged || resource.get("deceasedDateTime").is_some_and(is_text))
}

fn contacts(resource: &Resource, wanted: impl Fn(Option<&str>) -> bool) -> Vec<Token<'_>> {
    let points = walk(resource.tree(), &["telecom"]).into_iter();
    let points = points.filter(|point| wanted(point.get("system").and_then(Value::as_str)));
    let values = points
        .filter_map(|point| point.get("value"))
        .filter(|value| is_text(value));
    values
        .filter_map(Value::as_str)
        .map(|value| Token {
            system: "",
            code: Cow::Owned(fold_token(IndexParam::OtherTelecom, value)),
        })
        .collect()
}

/// The strings of a parameter.
fn strings(param: SearchParam, resource: &Resource) -> Vec<&str> {
    let part = |element: &str, parts: &[&str]| -> Vec<&str> {
        let paths = parts.iter().map(|part| walk(resource.tree(), &[element, part]));
        let texts = paths
            .flatten()
            .filter(|node| is_text(node))
            .filter_map(Value::as_str);
        texts.collect()
    };
    match param {
        SearchParam::Name => part("name", &["family", "given", "prefix", "suffix", "text"]),
        SearchParam::Family => part("name", &["family"]),
        SearchParam::Given => part("name", &["given"]),
        SearchParam::Address => part(
            "address",
            &[
                "line",
                "city",
                "district",
                "state",
                "postalCode",
                "country",
                "text",
            ],
        ),
        SearchParam::AddressCity => part("address", &["city"]),
        SearchParam::AddressState => part("address", &["state"]),
        SearchParam::AddressPostalCode => part("address", &["postalCode"]),
        SearchParam::AddressCountry => part("address", &["country"]),
        SearchParam::MothersMaidenName => {
            let url = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName";
            let extensions = walk(resource.tree(), &["extension"]).into_iter();
            let named = extensions.filter(|node| node.get("url").and_then(Value::as_str) == Some(url));
            let values = named.filter_map(|node| node.get("valueString"));
            values
                .filter(|node| is_text(node))
                .filter_map(Value::as_str)
                .collect()
        }
        _ => Vec::new(),
    }
}

/// What stands for people beside the codes and references of a parameter.
fn texts(param: SearchParam, resource: &Resource) -> Vec<&str> {
    let paths: &[&[&str]] = match param {
        SearchParam::Language => &[
            &["communication", "language", "text"],
            &["communication", "language", "coding", "display"],
        ],
        SearchParam::Communication => &[
            &["communication", "text"],
            &["communication", "coding", "display"],
        ],
        SearchParam::Identifier => &[&["identifier", "type", "text"]],
        SearchParam::GeneralPractitioner => &[&["generalPractitioner", "display"]],
        SearchParam::Link => &[&["link", "other", "display"]],
        SearchParam::Organization => &[&["managingOrganization", "display"]],
        _ => &[],
    };
    let found = paths.iter().flat_map(|path| walk(resource.tree(), path));
    found
        .filter(|node| is_text(node))
        .filter_map(Value::as_str)
        .collect()
}

/// The dates of a parameter.
fn dates(param: SearchParam, resource: &Resource, updated: Timestamp) -> Vec<TimeRange> {
    let property = match (param, resource.kind()) {
        (SearchParam::LastUpdated, _) => return vec![TimeRange::of_instant(updated)],
        (SearchParam::Birthdate, ResourceType::Patient) => "birthDate",
        (SearchParam::DeathDate, ResourceType::Patient) => "deceasedDateTime",
        _ => return Vec::new(),
    };
    let text = resource.get(property).and_then(Value::as_str);
    text.and_then(TimeRange::parse).into_iter().collect()
}

/// The Reference elements of a parameter.
fn references(param: SearchParam, resource: &Resource) -> Vec<&Value> {
    let path: &[&str] = match param {
        SearchParam::GeneralPractitioner => &["generalPractitioner"],
        SearchParam::Organization => &["managingOrganization"],
        SearchParam::Link => &["link", "other"],
        _ => return Vec::new(),
    };
    walk(resource.tree(), path)
}

/// Every node at a path, lists flattened as in FHIRPath.
fn walk<'r>(root: &'r Map<String, Value>, path: &[&str]) -> Vec<&'r Value> {
    let Some((first, rest)) = path.split_first() else {
        return Vec::new();
    };
    let found: Vec<&Value> = match root.get(*first) {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(node) => vec![node],
    };
    if rest.is_empty() {
        return found;
    }
    let inner = found.into_iter().filter_map(Value::as_object);
    inner.flat_map(|node| walk(node, rest)).collect()
}

#[cfg(test)]
mod tests;
