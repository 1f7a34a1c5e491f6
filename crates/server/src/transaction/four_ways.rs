//! T27: one failure, four ways: alone, in a batch, in a transaction, and at a partner's door. Every failure that the
//! engine and the store know, raised inside a running server.
//!
//! What a plain request can bring about is tried from outside, too: `rest/bundle/failures.rs`.

use std::sync::Arc;

use actix_web::http::Method;
use engine::error::{CrossReference, Unresolved};
use engine::{Door, Error, Lacking, Permission};
use fhir::{Id, IssueCode, ResourceType, Target, VersionId};
use serde_json::Value;
use store::{Policy, StoreError, SystemClock};
use testkit::http::{Client, Response};

use super::*;
use crate::routes::served::{Served, on_sqlite};
use crate::routes::{Handler, Row};

/// What the doors tell of a failure: status and code of both Medicapp doors, of patient-graph, and of eHealth.
type Doors = [(u16, &'static str); 3];

/// A failure, how FHIR tells it, and how the doors do where their handlers have no words of their own.
struct Case {
    name: &'static str,
    make: fn() -> Error,
    fhir: (u16, &'static str),
    doors: Doors,
}

const INVALID: Doors = [
    (400, "VALIDATION_ERROR"),
    (400, "validation_error"),
    (400, "request_malformed"),
];
const MISSING: Doors = [(404, "NOT_FOUND"), (404, "not_found"), (404, "not_found")];
const CONFLICT: Doors = [
    (409, "VERSION_CONFLICT"),
    (409, "conflict"),
    (409, "request_conflict"),
];
const DUPLICATE: Doors = [
    (409, "VERSION_CONFLICT"),
    (409, "duplicate_patient"),
    (409, "request_conflict"),
];
const STALE: Doors = [
    (412, "PRECONDITION_FAILED"),
    (412, "precondition_failed"),
    (412, "precondition_failed"),
];
const FORBIDDEN: Doors = [
    (403, "FORBIDDEN"),
    (403, "insufficient_scope"),
    (403, "forbidden"),
];
const AWAY: Doors = [
    (503, "SERVICE_UNAVAILABLE"),
    (503, "service_unavailable"),
    (503, "internal_error"),
];
const BROKEN: Doors = [
    (500, "INTERNAL_ERROR"),
    (500, "internal_error"),
    (500, "internal_error"),
];

/// A match over every variant, without an arm for all the rest, and the cases that its arms are: a failure that is new
/// and has no case does not compile.
macro_rules! cases {
    ($of:ident: $type:ty, $all:ident, { $($pattern:pat => $make:expr, $fhir:expr, $doors:expr;)* }) => {
        #[allow(dead_code, reason = "it is there for the compiler, who demands an arm for each variant")]
        fn $of(error: &$type) -> &'static str {
            match error {
                $($pattern => stringify!($pattern),)*
            }
        }

        const $all: &[Case] = &[$(Case {
            name: stringify!($pattern),
            make: || Error::from($make),
            fhir: $fhir,
            doors: $doors,
        },)*];
    };
}

cases!(of_error: Error, OF_ERRORS, {
    Error::Invalid(_) => Error::Invalid(vec![issue(IssueCode::Structure)]), (400, "structure"), INVALID;
    Error::Rule(_) => Error::Rule(vec![issue(IssueCode::BusinessRule)]), (422, "business-rule"), INVALID;
    Error::Request(_) => Error::Request(issue(IssueCode::Invalid)), (400, "invalid"), INVALID;
    Error::NotFound(_) => Error::NotFound(somebody()), (404, "not-found"), MISSING;
    Error::NoVersion { .. } => Error::NoVersion { target: somebody(), version: VersionId::FIRST }, (404, "not-found"), MISSING;
    Error::Gone { .. } => Error::Gone { target: somebody(), version: VersionId::FIRST }, (410, "deleted"), MISSING;
    Error::Erased(_) => Error::Erased(somebody()), (409, "conflict"), CONFLICT;
    Error::Duplicate { rule: Policy::Account, .. } => duplicate(Policy::Account), (422, "duplicate"), [
        INVALID[0], DUPLICATE[1], INVALID[2]
    ];
    Error::Duplicate { rule: Policy::KeySystem, .. } => duplicate(Policy::KeySystem), (409, "duplicate"), DUPLICATE;
    Error::IdInUse(_) => Error::IdInUse(somebody()), (409, "conflict"), CONFLICT;
    Error::ManyMatches { .. } => Error::ManyMatches { interaction: "conditional update" }, (412, "multiple-matches"), [
        STALE[0], DUPLICATE[1], STALE[2]
    ];
    Error::NoMatch { .. } => Error::NoMatch { interaction: "conditional patch" }, (404, "not-found"), MISSING;
    Error::Reference { matches: Unresolved::Nothing, .. } => reference(Unresolved::Nothing), (404, "not-found"), MISSING;
    Error::Reference { matches: Unresolved::Several, .. } => reference(Unresolved::Several), (412, "multiple-matches"), [
        STALE[0], DUPLICATE[1], STALE[2]
    ];
    Error::CrossReference(CrossReference::SourceDomain(_)) => Error::CrossReference(CrossReference::SourceDomain(system())), (400, "code-invalid"), INVALID;
    Error::CrossReference(CrossReference::Identifier) => Error::CrossReference(CrossReference::Identifier), (404, "not-found"), MISSING;
    Error::CrossReference(CrossReference::Several) => Error::CrossReference(CrossReference::Several), (412, "multiple-matches"), [
        STALE[0], DUPLICATE[1], STALE[2]
    ];
    Error::CrossReference(CrossReference::TargetDomain(_)) => Error::CrossReference(CrossReference::TargetDomain(system())), (403, "code-invalid"), FORBIDDEN;
    Error::CrossReference(CrossReference::Domain(_)) => Error::CrossReference(CrossReference::Domain(system())), (404, "not-found"), MISSING;
    Error::Precondition { .. } => Error::Precondition { text: TEXT.to_owned() }, (412, "conflict"), STALE;
    Error::Forbidden(_) => Error::Forbidden(TEXT.to_owned()), (403, "forbidden"), FORBIDDEN;
    Error::Scope(_) => Error::Scope(Lacking::Of(ResourceType::Patient, Permission::Read)), (403, "forbidden"), FORBIDDEN;
    Error::NoAuditEvent(_) => Error::NoAuditEvent(7), (404, "not-found"), MISSING;
    Error::Store(StoreError::Unavailable(_)) => StoreError::Unavailable(SECRET.to_owned()), (503, "transient"), AWAY;
    Error::Store(StoreError::Full(_)) => StoreError::Full(SECRET.to_owned()), (507, "no-store"), AWAY;
    Error::Store(StoreError::Contention(_)) => StoreError::Contention(SECRET.to_owned()), (503, "transient"), AWAY;
    Error::Store(StoreError::BadCursor) => StoreError::BadCursor, (400, "value"), INVALID;
    Error::Store(StoreError::Refused(_)) => StoreError::Refused(SECRET.to_owned()), (500, "exception"), BROKEN;
    Error::Store(StoreError::Internal(_)) => StoreError::Internal(SECRET.to_owned()), (500, "exception"), BROKEN;
});

/// What a lower error says, and nobody may be told.
const SECRET: &str = "SELECT secret";
const TEXT: &str = "This is refused for a reason. Do something else.";

fn issue(code: IssueCode) -> Issue {
    Issue::error(code, TEXT)
}

fn somebody() -> Target {
    Target {
        kind: ResourceType::Patient,
        id: Id::parse("somebody").expect("an id"),
    }
}

fn system() -> String {
    "urn:oid:1.2.3".to_owned()
}

fn duplicate(rule: Policy) -> Error {
    Error::Duplicate {
        system: system(),
        issue: Box::new(issue(IssueCode::Duplicate)),
        owner: Some((somebody(), VersionId::FIRST)),
        rule,
    }
}

fn reference(matches: Unresolved) -> Error {
    Error::Reference {
        place: "Patient.managingOrganization.reference".to_owned(),
        text: "Organization?name=x".to_owned(),
        matches,
    }
}

/// The case that a path names.
fn raised(ask: &Ask<'_>) -> Error {
    let number: usize = ask.segment("number").parse().expect("a number");
    (OF_ERRORS.get(number).expect("a case").make)()
}

async fn fail_alone(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    Err(raised(&ask).into())
}

async fn fail_in_a_batch(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    let failure = told_in_bundle(raised(&ask).into(), 0);
    let answered = vec![Answered::Refused(Box::new(failure))];
    answer::bundle(&ask, &ask.visit.base(), Mode::Batch, answered)
}

async fn fail_in_a_transaction(ask: Ask<'_>) -> Result<HttpResponse, Failure> {
    Err(all_of(vec![(Some(0), raised(&ask).into())]))
}

macro_rules! row {
    ($pattern:expr, $handler:ident) => {
        Row {
            method: Method::GET,
            pattern: $pattern,
            door: Door::Fhir,
            interaction: None,
            operation: None,
            handler: Handler::Known(|ask| Box::pin($handler(ask))),
        }
    };
}

static FAILING: &[Row] = &[
    row!("/fails/alone/{number}", fail_alone),
    row!("/fails/batch/{number}", fail_in_a_batch),
    row!("/fails/transaction/{number}", fail_in_a_transaction),
    row!("/cloud/partner/v5/fails/{number}", fail_alone),
    row!("/v5/fails/{number}", fail_alone),
    row!("/v1/fails/{number}", fail_alone),
    row!("/api/fails/{number}", fail_alone),
];

/// Status, codes and texts of an outcome; places without where they stand in a Bundle.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    issues: Vec<(String, String, String)>,
    location: Option<String>,
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn told_of(status: u16, outcome: &Value, location: Option<&str>) -> Told {
    assert_eq!(text(outcome, "/resourceType"), "OperationOutcome", "{outcome}");
    let issues = outcome.get("issue").and_then(Value::as_array).cloned();
    let one = |issue: &Value| {
        let place = text(issue, "/expression/0");
        let place = place
            .trim_start_matches("Bundle.entry[0]")
            .trim_start_matches('.');
        let place = place.trim_start_matches("resource").trim_start_matches('.');
        (
            text(issue, "/code").to_owned(),
            text(issue, "/details/text").to_owned(),
            place.trim_start_matches("Patient.").to_owned(),
        )
    };
    Told {
        status,
        issues: issues.unwrap_or_default().iter().map(one).collect(),
        location: location.map(str::to_owned),
    }
}

fn alone_or_all(answer: &Response) -> Told {
    told_of(answer.status, &answer.json(), answer.header("Location"))
}

/// What stands in the one entry of an answer to a batch.
fn in_the_entry(answer: &Response) -> Told {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let response = body.pointer("/entry/0/response").expect("a response");
    let status = text(response, "/status").split(' ').next().unwrap_or_default();
    let location = response.get("location").and_then(Value::as_str);
    let outcome = response.get("outcome").expect("an outcome");
    told_of(status.parse().expect("a status"), outcome, location)
}

fn by_fhir(client: &Client, number: usize, case: &Case) {
    let get = |way: &str| {
        let request = client.get(format!("/fails/{way}/{number}"));
        request.header("X-Request-Id", "the-request").send()
    };
    let (alone, batch, all) = (get("alone"), get("batch"), get("transaction"));
    for answer in [&alone, &batch, &all] {
        assert!(!answer.text().contains(SECRET), "{}: {answer:?}", case.name);
    }
    let expected = alone_or_all(&alone);
    let (status, code) = case.fhir;
    let codes: Vec<&str> = expected.issues.iter().map(|(code, ..)| code.as_str()).collect();
    assert_eq!(
        (expected.status, &codes[..]),
        (status, &[code][..]),
        "{}",
        case.name
    );
    assert_eq!(in_the_entry(&batch), expected, "{} in a batch", case.name);
    assert_eq!(alone_or_all(&all), expected, "{} in a transaction", case.name);
    assert_eq!(
        alone.header("Retry-After"),
        all.header("Retry-After"),
        "{}",
        case.name
    );
    assert_eq!(
        alone.header("Retry-After").is_some(),
        status == 503,
        "{}",
        case.name
    );
}

fn by_doors(client: &Client, number: usize, case: &Case) {
    let [medicapp, graph, ehealth] = case.doors;
    let doors = [
        ("/cloud/partner/v5", medicapp, "/error/code"),
        ("/v5", medicapp, "/error/code"),
        ("/v1", graph, "/error"),
        ("/api", ehealth, "/error/type"),
    ];
    for (mount, expected, code) in doors {
        let answer = client.get(format!("{mount}/fails/{number}")).send();
        let body = answer.json();
        let told = (answer.status, text(&body, code));
        assert_eq!(told, expected, "{} at {mount}: {answer:?}", case.name);
        let is_hidden = !answer.text().contains(SECRET) && !answer.text().contains("OperationOutcome");
        assert!(is_hidden, "{} at {mount}: {answer:?}", case.name);
        let waits = answer.header("Retry-After").is_some();
        assert_eq!(waits, case.fhir.0 == 503, "{} at {mount}: {answer:?}", case.name);
    }
}

#[test]
fn t27_every_failure_is_the_same_alone_in_a_batch_in_a_transaction_and_at_the_doors() {
    on_sqlite(|url| {
        let server = Served::start(url, FAILING.iter().collect(), Arc::new(SystemClock));
        for (number, case) in OF_ERRORS.iter().enumerate() {
            let error = (case.make)();
            assert_eq!(of_error(&error), case.name, "the case is of another failure");
            by_fhir(&server.client, number, case);
            by_doors(&server.client, number, case);
        }
        server.stop();
    });
}
