//! The conformance resources of `profiles/`, and the search parameters, read and searched under `/fhir` —
//! <https://hl7.org/fhir/R4/conformance-module.html>
//!
//! They belong to the server, not to a space: any client of the `fhir` door reads them, without a scope; nobody
//! writes them. No interaction of the engine stands behind them; the gate writes their audit rows.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG};
use adapters::naming::Naming;
use fhir::ResourceType;
use fhir::query::parse;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::ask::Ask;
use crate::error::{self, Failure};
use crate::{precondition, prefer, respond};

mod files;
pub mod parameters;
mod search;
#[cfg(test)]
mod tests;

use files::FILES;
use search::Search;

pub use search::{PARAMETERS, Parameter};

/// The types in a path. What [`Kind::ALL`] names, and nothing else.
macro_rules! typed {
    ($rest:literal) => {
        concat!(
            "/fhir/{type:StructureDefinition|NamingSystem|ConceptMap|CodeSystem|ValueSet|SearchParameter|OperationDefinition}",
            $rest
        )
    };
}

/// The path of a type.
pub const TYPE_PATH: &str = typed!("");
/// The path of a POSTed search.
pub const SEARCH_PATH: &str = typed!("/_search");
/// The path of one resource.
pub const RESOURCE_PATH: &str = typed!("/{id}");

/// A type of conformance resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // FHIR's names
pub enum Kind {
    StructureDefinition,
    NamingSystem,
    ConceptMap,
    CodeSystem,
    ValueSet,
    SearchParameter,
    OperationDefinition,
}

impl Kind {
    /// All types.
    pub const ALL: [Kind; 7] = [
        Kind::StructureDefinition,
        Kind::NamingSystem,
        Kind::ConceptMap,
        Kind::CodeSystem,
        Kind::ValueSet,
        Kind::SearchParameter,
        Kind::OperationDefinition,
    ];

    /// FHIR's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::StructureDefinition => "StructureDefinition",
            Kind::NamingSystem => "NamingSystem",
            Kind::ConceptMap => "ConceptMap",
            Kind::CodeSystem => "CodeSystem",
            Kind::ValueSet => "ValueSet",
            Kind::SearchParameter => "SearchParameter",
            Kind::OperationDefinition => "OperationDefinition",
        }
    }

    /// The type of this name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A published resource.
pub struct Published {
    kind: Kind,
    tree: Value,
    /// Follows from the content: there are no versions to count.
    tag: String,
}

impl Published {
    /// `None` of what is no resource with an id; that every file is one, the tests see.
    fn read(kind: Kind, file: &str, naming_base: &str) -> Option<Published> {
        let mut tree: Value = serde_json::from_str(file).ok()?;
        rebase(&mut tree, naming_base);
        Published::of(kind, tree)
    }

    fn of(kind: Kind, tree: Value) -> Option<Published> {
        tree.get("id")?.as_str()?;
        let digest = Sha256::digest(tree.to_string().as_bytes());
        let tag = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Some(Published { kind, tree, tag })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// The resource.
    pub fn tree(&self) -> &Value {
        &self.tree
    }

    /// Its entity tag, bare.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The text of a property, empty when there is none.
    fn text(&self, property: &str) -> &str {
        self.tree
            .get(property)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// All that is published, under the naming base of this deployment.
pub struct Catalogue {
    all: Vec<Published>,
}

impl Catalogue {
    /// What is published where our names begin with this base.
    pub fn new(naming_base: &str) -> Catalogue {
        let parameters = parameters::all().filter_map(|tree| Published::of(Kind::SearchParameter, tree));
        let read = |(kind, file): &(Kind, &str)| Published::read(*kind, file, naming_base);
        Catalogue {
            all: FILES.iter().filter_map(read).chain(parameters).collect(),
        }
    }

    /// The profiles that are published for a type: canonical URLs.
    pub fn profiles_of(&self, kind: ResourceType) -> impl Iterator<Item = &str> {
        self.of(Kind::StructureDefinition)
            .filter(move |published| published.text("type") == kind.as_str())
            .map(|published| published.text("url"))
    }

    /// All of it, as resources.
    pub fn resources(&self) -> impl Iterator<Item = &Value> + Clone {
        self.all.iter().map(|published| &published.tree)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Published> {
        self.all.iter().filter(move |published| published.kind == kind)
    }

    fn find(&self, kind: Kind, id: &str) -> Option<&Published> {
        self.of(kind).find(|published| published.id() == id)
    }
}

/// The files are written with the default base; a deployment may have another.
fn rebase(value: &mut Value, naming_base: &str) {
    match value {
        Value::String(text) if text.contains(Naming::DEFAULT_BASE) => {
            *text = text.replace(Naming::DEFAULT_BASE, naming_base);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, naming_base)),
        Value::Object(map) => map.values_mut().for_each(|item| rebase(item, naming_base)),
        _ => {}
    }
}

type Answer = Result<HttpResponse, Failure>;

/// <https://hl7.org/fhir/R4/http.html#read>
pub async fn read(ask: Ask<'_>) -> Answer {
    let kind = kind(&ask)?;
    let id = ask.segment("id");
    let published = find(&ask, kind, id)?;
    let mut response = HttpResponse::Ok();
    respond::header(&mut response, ETAG, format!("W/\"{}\"", published.tag));
    if precondition::is_known_tag(ask.visit.headers(), &published.tag) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    let (mime, body) = respond::render(&published.tree, ask.visit.answer.get())?;
    response.insert_header((CONTENT_TYPE, mime));
    Ok(response.body(body))
}

/// <https://hl7.org/fhir/R4/http.html#search>
pub async fn search(ask: Ask<'_>) -> Answer {
    searched(&ask, ask.visit.request.query_string())
}

/// <https://hl7.org/fhir/R4/http.html#search>, parameters in the body
pub async fn posted_search(ask: Ask<'_>) -> Answer {
    let query = ask.posted_query().await?;
    searched(&ask, &query)
}

fn searched(ask: &Ask<'_>, query: &str) -> Answer {
    let bundle = found(ask, kind(ask)?, query)?;
    let (mime, body) = respond::render(&bundle, ask.visit.answer.get())?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, mime)).body(body))
}

/// The published resource of this id.
///
/// # Errors
/// 404 when there is none.
pub fn find<'a>(ask: &Ask<'a>, kind: Kind, id: &str) -> Result<&'a Published, Failure> {
    let published = ask.visit.app.conformance.find(kind, id);
    published.ok_or_else(|| error::not_published(kind, id).into())
}

/// The Bundle of what a query string finds.
///
/// # Errors
/// 400 naming every parameter that is not understood.
pub fn found(ask: &Ask<'_>, kind: Kind, query: &str) -> Result<Value, Failure> {
    let pairs = parse::pairs(query)?;
    let search = Search::parse(kind, &pairs, prefer::handling(ask.visit.headers()))?;
    Ok(bundle(ask, &search))
}

/// All matches on one page: there are few, and they are at hand.
fn bundle(ask: &Ask<'_>, search: &Search) -> Value {
    let base = ask.visit.base();
    let kind = search.kind.as_str();
    let matches = ask.visit.app.conformance.of(search.kind);
    let entries: Vec<Value> = matches
        .filter(|published| search.matches(published))
        .map(|published| {
            json!({
                "fullUrl": format!("{base}/{kind}/{}", published.id()),
                "resource": published.tree,
                "search": { "mode": "match" },
            })
        })
        .collect();
    let own = match search.link() {
        query if query.is_empty() => format!("{base}/{kind}"),
        query => format!("{base}/{kind}?{query}"),
    };
    let mut bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "total": entries.len(),
        "link": [{ "relation": "self", "url": own }],
    });
    // FHIR knows no empty list.
    if let Some(map) = bundle.as_object_mut().filter(|_| !entries.is_empty()) {
        map.insert("entry".to_owned(), Value::Array(entries));
    }
    bundle
}

fn kind(ask: &Ask<'_>) -> Result<Kind, Failure> {
    let name = ask.segment("type");
    Kind::parse(name).ok_or_else(|| error::unknown_type(name).into())
}
