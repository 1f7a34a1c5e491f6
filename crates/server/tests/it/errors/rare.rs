//! The rarer errors of the page, and what holds each kind that a request can meet: the compiler finds one that nothing
//! holds, as the matches below have no arm for all the rest.

use engine::{Error, error::Unresolved};
use fhir::IssueCode;
use serde_json::{Value, json};
use store::StoreError;
use testkit::http::Client;

use super::Case;
use crate::support::*;

/// What shows an error.
#[derive(Clone, Copy)]
pub enum Held {
    /// The case of the page under this heading.
    Case(&'static str),
    /// A test, as no plain request meets it. `docs/CONFORMANCE.md` names it.
    Test(&'static str),
}

/// A match over all variants, and the list of what its arms name.
macro_rules! held {
    ($name:ident, $all:ident, $type:ty, { $($pattern:pat => $held:expr,)* }) => {
        #[allow(dead_code, reason = "it is there for the compiler, who demands an arm for each variant")]
        fn $name(kind: &$type) -> Held {
            match kind {
                $($pattern => $held,)*
            }
        }

        /// What its arms name.
        pub const $all: &[Held] = &[$($held,)*];
    };
}

held!(of_error, OF_ERRORS, Error, {
    Error::Invalid(_) => Held::Case("misspell a property"),
    Error::Rule(_) => Held::Case("push an account without a name"),
    Error::Request(_) => Held::Case("update with another id in the body"),
    Error::NotFound(_) => Held::Case("read an id that nobody has"),
    Error::NoAuditEvent(_) => Held::Case("read an AuditEvent that is not there"),
    Error::NoVersion { .. } => Held::Case("read a version that never was"),
    Error::Gone { .. } => Held::Case("read what was deleted"),
    Error::Erased(_) => Held::Test("an_erased_person_is_nowhere"),
    Error::Duplicate { .. } => Held::Case("create with an identifier that is owned"),
    Error::IdInUse(_) => Held::Case("update conditionally with an id in use"),
    Error::ManyMatches { .. } => Held::Case("update conditionally where several match"),
    Error::NoMatch { .. } => Held::Case("patch conditionally where nothing matches"),
    Error::Reference { matches: Unresolved::Nothing, .. } => Held::Case("refer conditionally to nobody"),
    Error::Reference { matches: Unresolved::Several, .. } => Held::Case("refer conditionally to several"),
    Error::Precondition { .. } => Held::Case("update with a stale version"),
    Error::CrossReference(_) => Held::Case("ask for other identifiers by an unknown system"),
    Error::Forbidden(_) => Held::Case("ask for what the scopes do not allow"),
    Error::Scope(_) => Held::Case("write with a scope to read"),
    Error::Store(_) => Held::Case("search with a tampered cursor"),
});

held!(of_store_error, OF_STORE_ERRORS, StoreError, {
    StoreError::Unavailable(_) => Held::Test("t9_a_database_that_swallows_requests_is_noticed_and_its_return_too"),
    StoreError::Contention(_) => Held::Test("p16_nobody_is_refused_on_different_identifiers"),
    StoreError::Full(_) => Held::Test("a_full_disk_refuses_writes_and_serves_reads"),
    StoreError::BadCursor => Held::Case("search with a tampered cursor"),
    StoreError::Internal(_) | StoreError::Refused(_) => Held::Test("a_refusal_never_shows_sql_paths_or_code"),
});

held!(of_code, OF_CODES, IssueCode, {
    IssueCode::Invalid => Held::Case("send broken JSON"),
    IssueCode::Structure => Held::Case("send nothing"),
    IssueCode::Required => Held::Case("leave out what is required"),
    IssueCode::Value => Held::Case("search by an impossible date"),
    IssueCode::Invariant => Held::Case("break an invariant"),
    IssueCode::CodeInvalid => Held::Case("use a code that does not exist"),
    IssueCode::BusinessRule => Held::Case("update with what was only a part"),
    IssueCode::Duplicate => Held::Case("create with an identifier that is owned"),
    IssueCode::MultipleMatches => Held::Case("create conditionally where several match"),
    IssueCode::Conflict => Held::Case("update with a stale version"),
    IssueCode::NotFound => Held::Case("read an id that nobody has"),
    IssueCode::Deleted => Held::Case("read what was deleted"),
    IssueCode::NotSupported => Held::Case("call an operation"),
    IssueCode::TooLong => Held::Case("send too much"),
    IssueCode::TooCostly => Held::Test("more_than_can_be_included_is_told"),
    IssueCode::Timeout => Held::Test("t16_a_slow_body_is_given_up_on"),
    IssueCode::Throttled => Held::Test("one_request_too_many_is_told_when_to_come_back"),
    IssueCode::Login => Held::Case("send no credential"),
    IssueCode::Forbidden => Held::Case("use another door's credential"),
    IssueCode::Transient => Held::Test("t9_a_database_that_swallows_requests_is_noticed_and_its_return_too"),
    IssueCode::NoStore => Held::Test("a_full_disk_refuses_writes_and_serves_reads"),
    IssueCode::Exception => Held::Test("p51_a_damaged_resource_is_a_500_that_names_it_and_tells_nothing_else"),
    IssueCode::Informational => Held::Test("an_operation_outcome_is_sent_to_who_prefers_it"),
});

/// What HTTP brings: bodies, paths and headers.
pub fn around<'c>(fhir: &'c Client) -> Vec<Case<'c>> {
    let typed = |kind: &str| fhir.post("/Patient").header("Content-Type", kind);
    let search = || fhir.post("/Patient/_search");
    vec![
        (
            "read a version that is no number",
            fhir.get("/Patient/ada/_history/x"),
        ),
        (
            "read what is not published",
            fhir.get("/StructureDefinition/nothing"),
        ),
        (
            "ask for the history of what is published",
            fhir.get("/StructureDefinition/nothing/_history"),
        ),
        (
            "read an AuditEvent that is not there",
            fhir.get("/AuditEvent/999999999"),
        ),
        ("read an AuditEvent by no number", fhir.get("/AuditEvent/one")),
        (
            "ask for the history of an AuditEvent",
            fhir.get("/AuditEvent/1/_history"),
        ),
        ("delete an AuditEvent", fhir.delete("/AuditEvent/1")),
        (
            "search the trail by a number of a person",
            fhir.get("/AuditEvent?entity:identifier=urn:a%7C1"),
        ),
        (
            "call an operation of a resource",
            fhir.get("/Patient/ada/$nothing"),
        ),
        (
            "send too much",
            typed("application/fhir+json").body(vec![b' '; 2 * 1024 * 1024 + 1]),
        ),
        (
            "call something gzip that is not",
            typed("application/fhir+json")
                .header("Content-Encoding", "gzip")
                .body("{}"),
        ),
        (
            "send a body without a type",
            fhir.post("/Patient").body("neither"),
        ),
        (
            "send an empty patch",
            fhir.patch("/Patient/ada")
                .header("Content-Type", "application/json-patch+json"),
        ),
        ("post a search as JSON", search().json(&json!({ "family": "x" }))),
        (
            "post a search that is no text",
            search()
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(vec![b'a', b'=', 0xff]),
        ),
        (
            "search with a broken percent sign",
            fhir.get("/Patient?family=%zz"),
        ),
        ("search with a bad _summary", fhir.get("/Patient?_summary=most")),
        (
            "search for an element that does not exist",
            fhir.get("/Patient?_elements=nom"),
        ),
        ("sort by what has no order", fhir.get("/Patient?_sort=nom")),
        (
            "include what is no reference",
            fhir.get("/Patient?_include=Patient:family"),
        ),
        (
            "search the system by a parameter of one type",
            fhir.get("/?_type=Patient,Practitioner&birthdate=1980")
                .header("Prefer", "handling=strict"),
        ),
        (
            "search by _has of nothing",
            fhir.get("/Practitioner?_has:Patient:family:gender=female"),
        ),
        (
            "create with criteria in the URL",
            fhir.post("/Patient?identifier=urn:x|1").json(&patient("asked")),
        ),
        (
            "create by a condition of another type",
            fhir.post("/Patient")
                .header("If-None-Exist", "Practitioner?identifier=urn:x|1")
                .json(&patient("asked")),
        ),
        (
            "send If-None-Match with a version",
            fhir.put("/Patient/ada")
                .header("If-None-Match", "W/\"1\"")
                .json(&with(patient("ada"), "id", json!("ada"))),
        ),
    ]
}

fn bundle(entries: &Value) -> Value {
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

/// What Bundles bring.
pub fn bundles<'c>(fhir: &'c Client) -> Vec<Case<'c>> {
    let transaction = |entries: Value| fhir.post("/").json(&bundle(&entries));
    let of = |kind: &str| {
        fhir.post("/")
            .json(&json!({ "resourceType": "Bundle", "type": kind }))
    };
    let link = |number: &str| {
        let reference = format!("Patient?identifier={LOCAL}|{number}");
        json!([{
            "resource": { "resourceType": "Patient", "link": [{ "type": "seealso", "other": { "reference": reference } }] },
            "request": { "method": "POST", "url": "Patient" }
        }])
    };
    vec![
        (
            "send an empty Bundle body",
            fhir.post("/")
                .header("Content-Type", "application/fhir+json")
                .body(""),
        ),
        ("send a Bundle that is an answer", of("searchset")),
        ("send a Bundle of no type at all", of("heap")),
        (
            "send an entry without request",
            transaction(json!([{ "resource": patient("x") }])),
        ),
        (
            "send an entry with a method that is none",
            transaction(json!([{ "request": { "method": "get", "url": "Patient/ada" } }])),
        ),
        (
            "send an entry without url",
            transaction(json!([{ "request": { "method": "GET" } }])),
        ),
        (
            "send an entry for another server",
            transaction(
                json!([{ "request": { "method": "GET", "url": "https://elsewhere.example/Patient/1" } }]),
            ),
        ),
        (
            "send an entry that brings nothing",
            transaction(json!([{ "request": { "method": "POST", "url": "Patient" } }])),
        ),
        (
            "send an entry that brings another type",
            transaction(
                json!([{ "resource": patient("x"), "request": { "method": "POST", "url": "Practitioner" } }]),
            ),
        ),
        (
            "delete and update one resource in a transaction",
            transaction(json!([
                { "request": { "method": "DELETE", "url": "Patient/ada" } },
                { "resource": with(patient("ada"), "id", json!("ada")), "request": { "method": "PUT", "url": "Patient/ada" } },
            ])),
        ),
        ("refer conditionally to nobody", transaction(link("new"))),
        ("refer conditionally to several", transaction(link("twin"))),
    ]
}

/// What the operations and what stands behind them refuse.
pub fn operations<'c>(fhir: &'c Client) -> Vec<Case<'c>> {
    const INS: &str = "urn:oid:1.2.250.1.213.1.4.8";
    let pix = |query: &str| fhir.get(format!("/Patient/$ihe-pix{query}"));
    let matched = |body: Value| fhir.post("/Patient/$match").json(&body);
    let patient = |more: Value| {
        let mut patient = json!({ "resourceType": "Patient" });
        for (name, value) in more.as_object().expect("properties") {
            patient[name] = value.clone();
        }
        patient
    };
    let nobody = json!({ "other": { "identifier": { "system": INS, "value": "0" } }, "type": "replaced-by" });
    let profile = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient";
    vec![
        (
            "ask for other identifiers by an unknown system",
            pix("?sourceIdentifier=urn:oid:1.2.3%7C1"),
        ),
        (
            "ask for other identifiers by an unknown value",
            pix(&format!("?sourceIdentifier={INS}%7C0")),
        ),
        (
            "ask for identifiers of an unknown system",
            pix(&format!("?sourceIdentifier={INS}%7C0&targetSystem=urn:oid:1.2.3")),
        ),
        ("ask for other identifiers of nobody", pix("")),
        (
            "ask for other identifiers by half a one",
            pix(&format!("?sourceIdentifier={INS}")),
        ),
        (
            "search in an unknown domain",
            fhir.get("/Patient?identifier=urn:oid:1.2.3%7C"),
        ),
        (
            "match by too little",
            matched(patient(json!({ "gender": "female" }))),
        ),
        ("match nobody", fhir.post("/Patient/$match")),
        (
            "match with a misspelt parameter",
            matched(json!({
                "resourceType": "Parameters", "parameter": [{ "name": "onlyCertain", "valueBoolean": true }]
            })),
        ),
        (
            "validate for an unknown purpose",
            fhir.post("/Patient/$validate?mode=crate")
                .json(&patient(json!({}))),
        ),
        (
            "validate against no profile",
            fhir.post("/Patient/$validate?mode=profile")
                .json(&patient(json!({}))),
        ),
        ("validate nothing", fhir.post("/Patient/$validate")),
        (
            "ask for everything page by page",
            fhir.get("/Patient/ada/$everything?_count=2"),
        ),
        (
            "claim a profile and break it",
            fhir.post("/Patient").json(&patient(json!({
                "meta": { "profile": [profile] }, "name": [{ "use": "official", "text": "Ada" }]
            }))),
        ),
        (
            "let nobody take a patient's place",
            fhir.post("/Patient").json(&patient(json!({ "link": [nobody] }))),
        ),
    ]
}
