//! A tree → [`Bundle`].

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Body, Bundle, Entry, Method, Mode, Request};
use crate::guard::{Malformed, MalformedEntries};
use crate::limits::MAX_BUNDLE_ENTRIES;
use crate::outcome::{Issue, IssueCode};

const OF_BUNDLE: [&str; 11] = [
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "language",
    "identifier",
    "type",
    "timestamp",
    "total",
    "link",
    "entry",
];
const OF_ENTRY: [&str; 9] = [
    "id",
    "extension",
    "modifierExtension",
    "link",
    "fullUrl",
    "resource",
    "search",
    "request",
    "response",
];
const OF_REQUEST: [&str; 9] = [
    "id",
    "extension",
    "modifierExtension",
    "method",
    "url",
    "ifNoneMatch",
    "ifModifiedSince",
    "ifMatch",
    "ifNoneExist",
];

/// Takes a Bundle apart. `malformed` has the resources whose form is wrong, by the position of their entry.
///
/// # Errors
/// What is wrong with the Bundle itself: its type, an `entry` that is no list, too many of them, and in a
/// transaction a `fullUrl` that two entries bear.
pub fn read(tree: Map<String, Value>, mut malformed: MalformedEntries) -> Result<Bundle, Vec<Issue>> {
    let mut issues = Vec::new();
    unknown(&tree, &OF_BUNDLE, "Bundle", &mut issues);
    let mode = mode(&tree);
    let entries = match entries(tree) {
        Ok(entries) => entries,
        Err(issue) => {
            issues.push(issue);
            Vec::new()
        }
    };
    let entries: Vec<Entry> = entries
        .into_iter()
        .enumerate()
        .map(|(position, value)| entry(position, value, malformed.remove(&position)))
        .collect();
    match mode {
        Ok(Mode::Transaction) => issues.extend(repeated_urls(&entries)),
        Ok(Mode::Batch) => {}
        Err(ref issue) => issues.push(issue.clone()),
    }
    match mode {
        Ok(mode) if issues.is_empty() => Ok(Bundle { mode, entries }),
        _ => Err(issues),
    }
}

fn mode(tree: &Map<String, Value>) -> Result<Mode, Issue> {
    let advice = "Send 'batch' (each entry by itself) or 'transaction' (all or none).";
    let issue = match tree.get("type") {
        Some(Value::String(name)) => match name.as_str() {
            "batch" => return Ok(Mode::Batch),
            "transaction" => return Ok(Mode::Transaction),
            "document"
            | "message"
            | "history"
            | "searchset"
            | "collection"
            | "batch-response"
            | "transaction-response" => Issue::error(
                IssueCode::Invalid,
                format!("A Bundle of this type cannot be processed. {advice}"),
            )
            .with_diagnostics(name.clone()),
            _ => Issue::error(
                IssueCode::CodeInvalid,
                format!("This is no type of a Bundle. {advice}"),
            )
            .with_diagnostics(clip(name)),
        },
        Some(_) => Issue::error(IssueCode::Structure, format!("The type is no text. {advice}")),
        None => Issue::error(IssueCode::Required, format!("The type is missing. {advice}")),
    };
    Err(issue.at("Bundle.type"))
}

fn entries(mut tree: Map<String, Value>) -> Result<Vec<Value>, Issue> {
    let entries = match tree.shift_remove("entry") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            let text = "entry is no list: put the entry into one.";
            return Err(Issue::error(IssueCode::Structure, text).at("Bundle.entry"));
        }
    };
    if entries.len() <= MAX_BUNDLE_ENTRIES {
        return Ok(entries);
    }
    let text = format!(
        "The Bundle has {} entries, and at most {MAX_BUNDLE_ENTRIES} are processed at once. Nothing was done. Send them \
         in several Bundles.",
        entries.len()
    );
    Err(Issue::error(IssueCode::TooLong, text).at("Bundle.entry"))
}

fn entry(position: usize, value: Value, malformed: Option<Malformed>) -> Entry {
    let place = format!("Bundle.entry[{position}]");
    let Value::Object(mut map) = value else {
        let issue = Issue::error(
            IssueCode::Structure,
            "The entry is no object. Send one with request, and resource if it brings one.",
        )
        .at(place);
        return Entry {
            full_url: None,
            request: Err(vec![issue]),
        };
    };
    let mut issues = Vec::new();
    unknown(&map, &OF_ENTRY, &place, &mut issues);
    let full_url = text(&mut map, "fullUrl", &place, &mut issues);
    let resource = match (map.shift_remove("resource"), malformed) {
        (None, _) => None,
        (Some(Value::Object(tree)), malformed) => Some(body(tree, malformed)),
        (Some(_), _) => {
            let issue = Issue::error(
                IssueCode::Structure,
                "The resource is no object. Send one with its resourceType, or leave it out.",
            );
            issues.push(issue.at(format!("{place}.resource")));
            None
        }
    };
    let request = match map.shift_remove("request") {
        Some(Value::Object(request)) => {
            self::request(request, resource, &format!("{place}.request"), &mut issues)
        }
        found => {
            let code = found.map_or(IssueCode::Required, |_| IssueCode::Structure);
            let text = "The entry says nothing of what is to be done: give it a request with method and url.";
            issues.push(Issue::error(code, text).at(format!("{place}.request")));
            None
        }
    };
    Entry {
        full_url,
        request: match request {
            Some(request) if issues.is_empty() => Ok(request),
            _ => Err(issues),
        },
    }
}

fn body(tree: Map<String, Value>, malformed: Option<Malformed>) -> Body {
    let kind = tree.get("resourceType").and_then(Value::as_str);
    Body {
        kind: kind.unwrap_or_default().to_owned(),
        content: match malformed {
            None => Ok(tree),
            Some(malformed) => Err(malformed),
        },
    }
}

fn request(
    mut map: Map<String, Value>,
    resource: Option<Body>,
    place: &str,
    issues: &mut Vec<Issue>,
) -> Option<Request> {
    unknown(&map, &OF_REQUEST, place, issues);
    let mut condition = |name| text(&mut map, name, place, issues);
    let (if_none_exist, if_match) = (condition("ifNoneExist"), condition("ifMatch"));
    let (if_none_match, if_modified_since) = (condition("ifNoneMatch"), condition("ifModifiedSince"));
    let method = required(&mut map, "method", place, issues);
    let url = required(&mut map, "url", place, issues);
    let method = method.and_then(|name| {
        let known = Method::ALL.into_iter().find(|method| method.as_str() == name);
        if known.is_none() {
            let text = "This is no method of a request. Send GET, POST, PUT, PATCH or DELETE, in capitals.";
            let issue = Issue::error(IssueCode::CodeInvalid, text).with_diagnostics(clip(&name));
            issues.push(issue.at(format!("{place}.method")));
        }
        known
    });
    Some(Request {
        method: method?,
        url: url?,
        resource,
        if_none_exist,
        if_match,
        if_none_match,
        if_modified_since,
    })
}

fn required(
    map: &mut Map<String, Value>,
    name: &str,
    place: &str,
    issues: &mut Vec<Issue>,
) -> Option<String> {
    if !map.contains_key(name) {
        let text = format!("The request has no {name}: add it.");
        issues.push(Issue::error(IssueCode::Required, text).at(format!("{place}.{name}")));
    }
    text(map, name, place, issues)
}

fn text(map: &mut Map<String, Value>, name: &str, place: &str, issues: &mut Vec<Issue>) -> Option<String> {
    match map.shift_remove(name) {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => {
            let issue = Issue::error(IssueCode::Structure, format!("{name} is no text."));
            issues.push(issue.at(format!("{place}.{name}")));
            None
        }
    }
}

fn unknown(map: &Map<String, Value>, known: &[&str], place: &str, issues: &mut Vec<Issue>) {
    let is_known = |name: &str| {
        let plain = name.strip_prefix('_').unwrap_or(name);
        known.contains(&plain) || (place == "Bundle" && plain == "signature")
    };
    for name in map.keys().filter(|name| !is_known(name)) {
        let text = "FHIR R4 has no such property here: remove it, or correct its name.";
        issues.push(Issue::error(IssueCode::Structure, text).at(format!("{place}.{}", clip(name))));
    }
}

fn repeated_urls(entries: &[Entry]) -> Vec<Issue> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut issues = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let Some(url) = entry.full_url.as_deref() else {
            continue;
        };
        let earlier = *first.entry(url).or_insert(position);
        if earlier != position {
            let text = format!(
                "Entry {earlier} has the same fullUrl: a reference to it could mean either. Give each a urn:uuid of its own."
            );
            let issue = Issue::error(IssueCode::Invariant, text).with_diagnostics(clip(url));
            issues.push(issue.at(format!("Bundle.entry[{position}].fullUrl")));
        }
    }
    issues
}

fn clip(text: &str) -> String {
    text.chars().take(100).collect()
}
