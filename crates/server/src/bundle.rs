//! The searchset Bundle — <https://hl7.org/fhir/R4/search.html#response>; that of a history is in [`history`].

use fhir::canonical::write_value;
use fhir::query::history::{History, Scope};
use fhir::query::{Query, encoding};
use serde_json::{Map, Value, json};
use store::Page;

use crate::base::Base;
use crate::damage;

pub mod history;
#[cfg(test)]
mod tests;

/// Room for what stands around a stored body in the Bundle, in bytes.
const ENTRY_OVERHEAD: usize = 200;

/// The query strings of a page's links: what was applied, and nothing else.
pub struct Links {
    path: String,
    own: String,
    first: String,
}

impl Links {
    /// The links of this search.
    pub fn of(query: &Query) -> Links {
        Links {
            path: format!("/{}", query.criteria.kind),
            own: query.link(query.cursor.as_deref()),
            first: query.link(None),
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
}

/// The Bundle as compact JSON: the stored bodies go in as they lie, unparsed. A damaged one is represented by an
/// OperationOutcome.
pub fn text(base: &Base, page: &Page, links: &Links) -> String {
    let bodies: usize = page
        .matches
        .iter()
        .map(|stored| stored.body.len() + ENTRY_OVERHEAD)
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
        &link_elements(&links.urls(base, page.next.as_deref(), None)),
    );
    for (position, stored) in page.matches.iter().enumerate() {
        text.push_str(if position == 0 { ",\"entry\":[" } else { "," });
        if !damage::is_whole(stored) {
            write_value(&mut text, &damage::entry(stored));
            continue;
        }
        text.push_str("{\"fullUrl\":");
        write_value(&mut text, &Value::String(base.resource(&stored.target)));
        text.push_str(",\"resource\":");
        text.push_str(&stored.body);
        text.push_str(",\"search\":{\"mode\":\"match\"}}");
    }
    if !page.matches.is_empty() {
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
        link_elements(&links.urls(base, page.next.as_deref(), None)),
    );
    let mut entries = Vec::with_capacity(page.matches.len());
    for stored in &page.matches {
        entries.push(match damage::tree(stored).filter(&showable) {
            Some(resource) => json!({
                "fullUrl": base.resource(&stored.target),
                "resource": resource,
                "search": { "mode": "match" },
            }),
            None => damage::entry(stored),
        });
    }
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
