//! The searchset Bundle — <https://hl7.org/fhir/R4/search.html#response>; that of a history is in [`history`].

use fhir::canonical::write_value;
use fhir::limits::MAX_INCLUDED;
use fhir::query::history::{History, Scope};
use fhir::query::subset::{self, Subset};
use fhir::query::{Level, Query, encoding};
use fhir::{Issue, IssueCode, ResourceType};
use serde_json::{Map, Value, json};
use store::{Page, Stored};

use crate::base::Base;
use crate::damage;

pub mod history;
#[cfg(test)]
mod tests;

/// Room for what stands around a stored body in the Bundle, in bytes.
const ENTRY_OVERHEAD: usize = 200;

/// What a search or a history says of its own Bundle: the query strings of its links (what was applied, and nothing
/// else), and which elements are shown.
pub struct Links {
    path: String,
    own: String,
    first: String,
    subset: Option<Subset>,
    /// The identifier systems that a search of Patients is restricted to; empty: none.
    domains: Vec<String>,
}

impl Links {
    /// The links of this search.
    pub fn of(query: &Query) -> Links {
        Links {
            path: match query.level {
                Level::Type => format!("/{}", query.criteria.kind),
                Level::System => String::new(),
            },
            own: query.link(query.cursor.as_deref()),
            first: query.link(None),
            subset: query.subset.clone(),
            domains: query.domains().into_iter().map(str::to_owned).collect(),
        }
    }

    /// The links of this history.
    pub fn of_history(history: &History) -> Links {
        Links {
            path: match &history.scope {
                Scope::Resource(target) => format!("/{target}/_history"),
                Scope::Type(kind) => format!("/{kind}/_history"),
                Scope::System => "/_history".to_owned(),
            },
            own: history.link(history.cursor.as_deref()),
            first: history.link(None),
            subset: None,
            domains: Vec::new(),
        }
    }

    /// Relation and URL of each link of a page.
    fn urls(&self, base: &Base, next: Option<&str>, previous: Option<&str>) -> Vec<(&'static str, String)> {
        let url = |query: &str| match query {
            "" => format!("{base}{}", self.path),
            query => format!("{base}{}?{query}", self.path),
        };
        let mut urls = vec![("self", url(&self.own)), ("first", url(&self.first))];
        for (relation, cursor) in [("previous", previous), ("next", next)] {
            let Some(cursor) = cursor else { continue };
            let separator = if self.first.is_empty() { "" } else { "&" };
            let query = format!("{}{separator}_cursor={}", self.first, encoding::encode(cursor));
            urls.push((relation, url(&query)));
        }
        urls
    }

    /// Whether the stored bodies are shown as they lie.
    pub fn shows_whole(&self) -> bool {
        self.subset.is_none() && self.domains.is_empty()
    }

    /// Leaves out what is not wanted of a resource. Elements are named of matches alone.
    fn cut(&self, stored: &Stored, mode: Mode, tree: &mut Map<String, Value>) {
        if !self.domains.is_empty() && stored.target.kind == ResourceType::Patient {
            subset::keep_domains(&self.domains, tree);
        }
        match (&self.subset, mode) {
            (None, _) | (Some(Subset::Elements(_)), Mode::Include) => {}
            (Some(subset), _) => subset.apply(stored.target.kind, tree),
        }
    }
}

/// Why an entry is there — <https://hl7.org/fhir/R4/valueset-search-entry-mode.html>
#[derive(Clone, Copy)]
enum Mode {
    Match,
    Include,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Mode::Match => "match",
            Mode::Include => "include",
        }
    }
}

/// The resources of a page and why each is there: the matches first.
fn shown(page: &Page) -> impl Iterator<Item = (&Stored, Mode)> {
    let matches = page.matches.iter().map(|stored| (stored, Mode::Match));
    let included = page
        .included
        .resources
        .iter()
        .map(|stored| (stored, Mode::Include));
    matches.chain(included)
}

/// What stands at the end when there is more to include than is shown.
fn cut_off(page: &Page) -> Option<Value> {
    page.included.cut.then(|| {
        let issue = Issue::warning(
            IssueCode::TooCostly,
            format!(
                "More than {MAX_INCLUDED} resources belong beside these matches; the others are left out. Ask for \
                 fewer matches at once (_count), or search the others by their reference."
            ),
        );
        json!({
            "resource": fhir::outcome::operation_outcome(&[issue]),
            "search": { "mode": "outcome" },
        })
    })
}

/// The Bundle as compact JSON: the stored bodies go in as they lie, unparsed. A damaged one is represented by an
/// OperationOutcome.
pub fn text(base: &Base, page: &Page, links: &Links) -> String {
    let bodies: usize = shown(page)
        .map(|(stored, _)| stored.body.len() + ENTRY_OVERHEAD)
        .sum();
    let mut text = String::with_capacity(bodies + 1024);
    text.push_str("{\"resourceType\":\"Bundle\",\"type\":\"searchset\"");
    if let Some(total) = page.total {
        text.push_str(",\"total\":");
        text.push_str(&total.to_string());
    }
    text.push_str(",\"link\":");
    write_value(
        &mut text,
        &link_elements(&links.urls(base, page.next.as_deref(), page.previous.as_deref())),
    );
    let mut before = ",\"entry\":[";
    for (stored, mode) in shown(page) {
        text.push_str(before);
        before = ",";
        if !damage::is_whole(stored) {
            write_value(&mut text, &damage::entry(stored));
            continue;
        }
        text.push_str("{\"fullUrl\":");
        write_value(&mut text, &Value::String(base.resource(&stored.target)));
        text.push_str(",\"resource\":");
        text.push_str(&stored.body);
        text.push_str(",\"search\":{\"mode\":\"");
        text.push_str(mode.as_str());
        text.push_str("\"}}");
    }
    if let Some(outcome) = cut_off(page) {
        text.push_str(before);
        before = ",";
        write_value(&mut text, &outcome);
    }
    if before == "," {
        text.push(']');
    }
    text.push('}');
    text
}

/// The Bundle as a tree, for XML and for people. What cannot be parsed, or is not `showable`, is represented by
/// an OperationOutcome.
pub fn tree(
    base: &Base,
    page: &Page,
    links: &Links,
    showable: impl Fn(&Map<String, Value>) -> bool,
) -> Map<String, Value> {
    let mut bundle = Map::new();
    bundle.insert("resourceType".to_owned(), json!("Bundle"));
    bundle.insert("type".to_owned(), json!("searchset"));
    if let Some(total) = page.total {
        bundle.insert("total".to_owned(), json!(total));
    }
    bundle.insert(
        "link".to_owned(),
        link_elements(&links.urls(base, page.next.as_deref(), page.previous.as_deref())),
    );
    let mut entries = Vec::with_capacity(page.matches.len());
    for (stored, mode) in shown(page) {
        entries.push(match damage::tree(stored).filter(&showable) {
            Some(mut resource) => {
                links.cut(stored, mode, &mut resource);
                json!({
                    "fullUrl": base.resource(&stored.target),
                    "resource": resource,
                    "search": { "mode": mode.as_str() },
                })
            }
            None => damage::entry(stored),
        });
    }
    entries.extend(cut_off(page));
    if !entries.is_empty() {
        bundle.insert("entry".to_owned(), Value::Array(entries));
    }
    bundle
}

fn link_elements(urls: &[(&'static str, String)]) -> Value {
    urls.iter()
        .map(|(relation, url)| json!({ "relation": relation, "url": url }))
        .collect()
}
