use actix_web::body::to_bytes;
use fhir::codec::{Format, Layout};
use fhir::{Id, ResourceType, Target, VersionId};

use super::*;

fn respond_to(failure: Failure) -> HttpResponse {
    response(
        &failure,
        Answer::default(),
        || Base::for_tests("http://h/fhir"),
        "req-1",
    )
}

async fn body_of(response: HttpResponse) -> Value {
    let bytes = to_bytes(response.into_body()).await.expect("a body");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[actix_web::test]
async fn p61_p62_every_refusal_of_http_itself_is_an_outcome_with_code_text_and_diagnostics() {
    let refusals = [
        (unknown_path("x"), 404, "not-supported"),
        (not_offered("x", "y"), 404, "not-supported"),
        (unknown_type("Foo"), 404, "not-supported"),
        (impossible_id(ResourceType::Patient), 404, "not-found"),
        (unusable_id(ResourceType::Patient), 400, "value"),
        (impossible_version(), 404, "not-found"),
        (not_acceptable(), 406, "not-supported"),
        (unsupported_media("x"), 415, "not-supported"),
        (unsupported_encoding(), 415, "not-supported"),
        (not_a_form(), 415, "not-supported"),
        (body_too_long(MIB), 413, "too-long"),
        (body_too_slow(Duration::from_secs(10)), 408, "timeout"),
        (body_broken(), 400, "structure"),
        (body_not_gzip(), 400, "structure"),
        (body_empty(ResourceType::Patient), 400, "structure"),
        (form_not_text(), 400, "structure"),
        (if_none_exist_unreadable("is not UTF-8"), 400, "invalid"),
        (*overloaded().refusal, 429, "throttled"),
        (panicked(), 500, "exception"),
    ];
    for (refusal, status, code) in refusals {
        let response = respond_to(refusal.into());
        assert_eq!(response.status().as_u16(), status);
        let outcome = body_of(response).await;
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let issue = &outcome["issue"][0];
        assert_eq!(issue["severity"], "error");
        assert_eq!(issue["code"], code, "{outcome}");
        assert!(
            issue["details"]["text"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{outcome}"
        );
        assert!(
            issue["diagnostics"].as_str().is_some_and(|text| !text.is_empty()),
            "{outcome}"
        );
    }
}

#[actix_web::test]
async fn a_500_tells_the_request_id_and_nothing_of_the_fault() {
    let outcome = body_of(respond_to(broken("secret SQL").into())).await.to_string();
    assert!(outcome.contains("req-1"), "{outcome}");
    assert!(!outcome.contains("secret"), "{outcome}");
}

#[actix_web::test]
async fn headers_say_what_to_do_next() {
    let wait = Refusal {
        retry_after: Some(Duration::from_millis(1200)),
        ..*overloaded().refusal
    };
    assert_eq!(
        respond_to(wait.into())
            .headers()
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok()),
        Some("2")
    );
    let login = Refusal::new(401, Issue::error(IssueCode::Login, "No credential."));
    let challenge = respond_to(login.into());
    assert_eq!(
        challenge
            .headers()
            .get(WWW_AUTHENTICATE)
            .and_then(|v| v.to_str().ok()),
        Some("Bearer realm=\"passerelle\"")
    );
    let wrong = respond_to(wrong_method("PATCH", "GET, HEAD".to_owned(), ""));
    assert_eq!(wrong.status().as_u16(), 405);
    assert_eq!(
        wrong.headers().get(ALLOW).and_then(|v| v.to_str().ok()),
        Some("GET, HEAD")
    );
    let owner = Target {
        kind: ResourceType::Patient,
        id: Id::parse("a").expect("an id"),
    };
    let taken = Refusal {
        location: Some((owner, VersionId::FIRST)),
        ..Refusal::new(409, Issue::error(IssueCode::Duplicate, "Taken."))
    };
    assert_eq!(
        respond_to(taken.into())
            .headers()
            .get(LOCATION)
            .and_then(|v| v.to_str().ok()),
        Some("http://h/fhir/Patient/a/_history/1")
    );
}

#[actix_web::test]
async fn p54_an_outcome_is_in_the_format_asked_for() {
    let xml = Answer {
        format: Format::Xml,
        layout: Layout::Compact,
    };
    let failure = Failure::from(unknown_type("Foo"));
    let response = response(&failure, xml, || Base::for_tests("http://h/fhir"), "r");
    assert_eq!(response.headers().get(CONTENT_TYPE), Some(&media::XML));
    let bytes = to_bytes(response.into_body()).await.expect("a body");
    assert!(String::from_utf8_lossy(&bytes).contains("<OperationOutcome xmlns=\"http://hl7.org/fhir\">"));
}

#[actix_web::test]
async fn p39_an_outcome_about_several_matches_names_the_criteria() {
    let error = engine::Error::ManyMatches {
        interaction: "conditional update",
    };
    let response = respond_to(Failure::about(error, "identifier=urn:x|1"));
    assert_eq!(response.status().as_u16(), 412);
    let outcome = body_of(response).await;
    assert_eq!(outcome["issue"][0]["code"], "multiple-matches");
    assert_eq!(outcome["issue"][0]["diagnostics"], "identifier=urn:x|1");
}

/// What no plain request meets, and how it is refused.
fn without_a_request() -> Vec<(&'static str, Refusal)> {
    let target = Target {
        kind: ResourceType::Patient,
        id: Id::parse("ada").expect("an id"),
    };
    let store = |error: store::StoreError| engine::Error::Store(error).refusal();
    vec![
        ("a body comes too slowly", body_too_slow(Duration::from_secs(10))),
        ("a body ends before it is whole", body_broken()),
        ("a client asks too often", throttled(Duration::from_secs(2))),
        (
            "more requests come at once than are worked on",
            *overloaded().refusal,
        ),
        ("a handler panics", panicked()),
        ("what is stored is damaged", damaged(&target)),
        (
            "an entry searches by POST and brings a resource",
            entry_of_search(),
        ),
        (
            "somebody writes to who was erased",
            engine::Error::Erased(target).refusal(),
        ),
        (
            "several patients carry the identifier",
            engine::Error::CrossReference(engine::error::CrossReference::Several).refusal(),
        ),
        (
            "the database is away",
            store(store::StoreError::Unavailable("internal".to_owned())),
        ),
        (
            "many want the same record",
            store(store::StoreError::Contention("internal".to_owned())),
        ),
        (
            "the disk is full",
            store(store::StoreError::Full("internal".to_owned())),
        ),
        (
            "the store fails",
            store(store::StoreError::Internal("internal".to_owned())),
        ),
        (
            "the store refuses what it is asked",
            store(store::StoreError::Refused("internal".to_owned())),
        ),
    ]
}

#[actix_web::test]
async fn what_no_plain_request_meets_reads_as_on_its_page() {
    let mut page = String::from(
        "# What the errors say that no plain request meets\n\nWritten and checked by `crates/server/src/error/tests.rs`.\n",
    );
    for (name, refusal) in without_a_request() {
        let response = respond_to(refusal.into());
        page.push_str(&format!("\n## {name}\n→ {}\n", response.status().as_u16()));
        if let Some(wait) = response.headers().get(RETRY_AFTER) {
            page.push_str(&format!("Retry-After: {}\n", wait.to_str().expect("text")));
        }
        let outcome = body_of(response).await;
        for issue in outcome["issue"].as_array().expect("a list") {
            let (code, text) = (&issue["code"], &issue["details"]["text"]);
            let (code, text) = (code.as_str().expect("text"), text.as_str().expect("text"));
            assert!(!text.contains("internal"), "{text}");
            page.push_str(&format!("- **{code}**: {text}\n"));
        }
    }
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    testkit::fixtures::snapshot(
        &root.join("fixtures/fhir/errors-without-a-request.snap.md"),
        &page,
    );
}

#[actix_web::test]
async fn what_is_written_once_reads_as_if_it_were_written_each_time() {
    let text = |failure: Failure, answer| async move {
        let response = response(&failure, answer, || unreachable!("no location"), "an-id");
        let mime = response.headers().get(CONTENT_TYPE).cloned();
        (mime, to_bytes(response.into_body()).await.unwrap())
    };
    let anew = || Failure::from(*overloaded().refusal);
    let indented = Answer {
        layout: Layout::Indented,
        ..Answer::default()
    };
    for answer in [Answer::default(), indented] {
        assert_eq!(text(overloaded(), answer).await, text(anew(), answer).await);
    }
}
