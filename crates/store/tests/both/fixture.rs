//! Small resources and short ways to store and find them.

use fhir::query::encoding;
use fhir::query::{Criteria, Query, parse};
use fhir::{Canonical, Id, Identifier, Resource, ResourceType, Target, Timestamp};
use serde_json::{Value, json};
use store::{
    AuditEntry, Class, ClassFilter, KeyRow, KeyState, LockSet, NewResource, Page, Policy, SpaceStore,
    StoreError, Stored,
};

pub const SYSTEM: &str = "urn:example:key";
pub const PATIENT: ResourceType = ResourceType::Patient;

pub fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

pub fn target(text: &str) -> Target {
    Target {
        kind: PATIENT,
        id: id(text),
    }
}

pub fn identifier(value: &str) -> Identifier {
    Identifier {
        system: SYSTEM.to_owned(),
        value: value.to_owned(),
    }
}

pub fn resource(kind: ResourceType, tree: Value) -> Resource {
    let Value::Object(tree) = tree else {
        panic!("an object")
    };
    Resource::from_guarded(kind, tree)
}

pub fn new(resource: &Resource) -> NewResource {
    NewResource {
        class: Class::Ordinary,
        canonical: Canonical::of(resource),
        index: fhir::index::extract(resource),
        keys: Vec::new(),
        medicapp_id: None,
        replaced: false,
    }
}

/// A Patient with an identifier of [`SYSTEM`] and a family name.
pub fn patient(value: &str, family: &str) -> NewResource {
    new(&resource(
        PATIENT,
        json!({"identifier": [{"system": SYSTEM, "value": value}], "name": [{"family": family}]}),
    ))
}

pub fn key(policy: Policy, value: &str, state: KeyState) -> KeyRow {
    KeyRow {
        policy,
        identifier: identifier(value),
        state,
    }
}

pub fn locks(values: &[&str]) -> LockSet {
    LockSet {
        values: values.iter().map(|&value| value.to_owned()).collect(),
        shared: Some(PATIENT),
        ..LockSet::default()
    }
}

pub fn entry(outcome: &'static str) -> AuditEntry {
    AuditEntry {
        time: Timestamp::from_micros(1),
        request_id: "request".to_owned(),
        client: "client".to_owned(),
        space: Some(crate::bench::SPACE),
        door: "fhir",
        interaction: "test",
        kind: Some(PATIENT.into()),
        id: None,
        version: None,
        outcome,
    }
}

pub async fn insert(space: &SpaceStore, at: &str, new: NewResource) -> Option<Stored> {
    let at = id(at);
    space
        .write(LockSet::default(), move |tx| tx.insert(&at, &new, "author"))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

pub async fn replace(space: &SpaceStore, at: &str, new: NewResource) -> Result<Stored, StoreError> {
    let at = target(at);
    space
        .write(LockSet::default(), move |tx| {
            let current = tx.get_for_update(&at)?.expect("it is there");
            tx.replace(&current, &new, "author")
        })
        .await
}

pub async fn remove(space: &SpaceStore, at: &str) -> Stored {
    let at = target(at);
    space
        .write(LockSet::default(), move |tx| {
            let current = tx.get_for_update(&at)?.expect("it is there");
            tx.remove(&current, "author")
        })
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

pub async fn get(space: &SpaceStore, at: &str) -> Option<Stored> {
    let at = target(at);
    space
        .read(move |tx| tx.get(&at))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

pub fn criteria(kind: ResourceType, query: &str) -> Criteria {
    parse::criteria(kind, query, parse::NameCase::Exact, fhir::query::sample::now())
        .unwrap_or_else(|issues| panic!("{query}: {issues:?}"))
}

/// The ids that match, in order of creation.
pub async fn find(space: &SpaceStore, query: &str) -> Vec<String> {
    let criteria = criteria(PATIENT, query);
    let matches = space
        .read(move |tx| tx.matches(&criteria, ClassFilter::Any, 1_000))
        .await;
    ids(&matches.map_err(|error: StoreError| error).unwrap())
}

pub fn ids(stored: &[Stored]) -> Vec<String> {
    stored.iter().map(|stored| stored.target.id.to_string()).collect()
}

pub fn search(kind: ResourceType, query: &str) -> Query {
    let pairs = encoding::pairs(query).unwrap();
    parse::search(kind, &pairs, parse::Handling::Strict, fhir::query::sample::now())
        .unwrap_or_else(|issues| panic!("{query}: {issues:?}"))
}

/// A page of a search.
pub async fn page(space: &SpaceStore, query: &str, cursor: Option<&str>) -> Result<Page, StoreError> {
    let mut query = search(PATIENT, query);
    query.cursor = cursor.map(str::to_owned);
    space.read(move |tx| tx.search(&query, ClassFilter::Any)).await
}

/// The holders of an identifier of [`SYSTEM`] under the account policy, as `id:state`.
pub async fn holders(space: &SpaceStore, policy: Policy, value: &str) -> Vec<(String, KeyState)> {
    let identifier = identifier(value);
    let holders = space
        .read(move |tx| tx.holders(PATIENT, policy, &identifier))
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
    holders
        .into_iter()
        .map(|holder| (holder.stored.target.id.to_string(), holder.state))
        .collect()
}
