//! read, vread, HEAD and the two conditional reads.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_read_carries_its_version_and_its_date,
    every_version_can_be_read_as_it_was,
    a_known_version_is_not_sent_again,
    an_unchanged_resource_is_not_sent_again,
    the_version_decides_before_the_date,
    a_malformed_condition_on_a_read_costs_nothing,
    head_is_get_without_the_body,
    an_unknown_id_is_not_found,
    a_deleted_id_is_gone_and_so_is_the_version_that_deleted_it,
    a_version_that_never_was_is_not_found,
    a_conditional_read_never_hides_that_something_is_gone,
];

/// A patient with two versions: its path, and the two answers.
fn two_versions(fhir: &Client) -> (String, Response, Response) {
    let first = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let path = format!("/Patient/{}", id_of(first.location()));
    let second = fhir
        .put(&path)
        .json(&with(first.json(), "active", json!(true)))
        .send()
        .expect(200);
    (path, first, second)
}

/// `Sat, 21 Nov 2026 04:22:21 GMT`
#[track_caller]
fn is_http_date(text: &str) {
    let bytes = text.as_bytes();
    let digits = |places: &[usize]| places.iter().all(|place| bytes[*place].is_ascii_digit());
    assert!(
        bytes.len() == 29 && text.ends_with(" GMT") && &text[3..5] == ", " && digits(&[5, 6, 12, 15, 17, 24]),
        "{text} is no HTTP date"
    );
}

fn a_read_carries_its_version_and_its_date(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, _, second) = two_versions(&fhir);
    let read = fhir.get(&path).send().expect(200);
    assert_eq!(read.header("ETag"), Some("W/\"2\""));
    is_http_date(read.header("Last-Modified").unwrap());
    assert_eq!(read.header("Last-Modified"), second.header("Last-Modified"));
    assert_eq!(
        read.header("Content-Type"),
        Some("application/fhir+json; charset=utf-8")
    );
    assert_eq!(read.text(), second.text());
    assert_eq!(read.json()["meta"]["versionId"], "2");
}

fn every_version_can_be_read_as_it_was(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, first, second) = two_versions(&fhir);
    for (number, written) in [(1, &first), (2, &second)] {
        let version = fhir.get(format!("{path}/_history/{number}")).send().expect(200);
        assert_eq!(version.text(), written.text());
        assert_eq!(version.header("ETag"), Some(&*format!("W/\"{number}\"")));
        assert_eq!(version.header("Last-Modified"), written.header("Last-Modified"));
    }
    // A deletion adds a version; those before it stay readable.
    fhir.delete(&path).send().expect(204);
    assert_eq!(
        fhir.get(format!("{path}/_history/1")).send().expect(200).text(),
        first.text()
    );
}

fn a_known_version_is_not_sent_again(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, ..) = two_versions(&fhir);
    for known in [
        "W/\"2\"",
        "\"2\"",
        "*",
        "W/\"7\", W/\"2\"",
        "W/\"1\",W/\"2\"",
        " W/\"2\" ",
    ] {
        let answer = fhir.get(&path).header("If-None-Match", known).send();
        assert_eq!(
            (answer.status, answer.body.len()),
            (304, 0),
            "{known}: {answer:?}"
        );
        assert_eq!(answer.header("ETag"), Some("W/\"2\""), "{known}");
    }
    let lines = fhir
        .get(&path)
        .header("If-None-Match", "W/\"1\"")
        .header("If-None-Match", "W/\"2\"");
    lines.send().expect(304);
    for other in ["W/\"1\"", "\"3\"", "W/\"22\"", "W/\"02\""] {
        fhir.get(&path).header("If-None-Match", other).send().expect(200);
    }
    fhir.get(format!("{path}/_history/1"))
        .header("If-None-Match", "W/\"1\"")
        .send()
        .expect(304);
}

fn an_unchanged_resource_is_not_sent_again(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, _, second) = two_versions(&fhir);
    let modified = second.header("Last-Modified").unwrap();
    let unchanged = fhir
        .get(&path)
        .header("If-Modified-Since", modified)
        .send()
        .expect(304);
    assert!(unchanged.body.is_empty());
    fhir.get(&path)
        .header("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")
        .send()
        .expect(304);
    fhir.get(&path)
        .header("If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT")
        .send()
        .expect(200);
}

fn the_version_decides_before_the_date(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, _, second) = two_versions(&fhir);
    let modified = second.header("Last-Modified").unwrap();
    let stale = fhir
        .get(&path)
        .header("If-None-Match", "W/\"1\"")
        .header("If-Modified-Since", modified);
    stale.send().expect(200);
    let long_ago = "Sat, 01 Jan 2000 00:00:00 GMT";
    let known = fhir
        .get(&path)
        .header("If-None-Match", "W/\"2\"")
        .header("If-Modified-Since", long_ago);
    known.send().expect(304);
}

fn a_malformed_condition_on_a_read_costs_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, ..) = two_versions(&fhir);
    for broken in [&b"2"[..], b"W/2", b"W/\"2", b"\xff\xfe", b"", b"W/\"2\" W/\"3\""] {
        fhir.get(&path).header("If-None-Match", broken).send().expect(200);
    }
    for broken in [
        &b"yesterday"[..],
        b"2026-11-21T00:00:00Z",
        b"",
        b"\xff",
        b"Sat, 99 Nov 2026 04:22:21 GMT",
    ] {
        fhir.get(&path)
            .header("If-Modified-Since", broken)
            .send()
            .expect(200);
    }
}

fn head_is_get_without_the_body(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, ..) = two_versions(&fhir);
    let targets = [
        path.clone(),
        format!("{path}?_format=xml"),
        format!("{path}/_history/1"),
        format!("/Patient?_id={}", &path[9..]),
        "/metadata".to_owned(),
    ];
    let shown = |answer: &Response| {
        let kept = answer
            .headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id"].contains(&name.to_ascii_lowercase().as_str()));
        let mut lines: Vec<String> = kept
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)).to_lowercase())
            .collect();
        lines.sort();
        lines
    };
    for target in targets {
        let get = fhir.get(&target).send().expect(200);
        let head = fhir.head(&target).send().expect(200);
        assert!(head.body.is_empty());
        assert_eq!(shown(&get), shown(&head), "{target}");
    }
    // The connection is still in step: a HEAD that sent a body would leave it in the way.
    fhir.head(&path).send().expect(200);
    assert_eq!(
        fhir.get(&path).send().expect(200).json()["resourceType"],
        "Patient"
    );
    assert_eq!(fhir.head(&path).header("If-None-Match", "*").send().status, 304);
    assert_eq!(fhir.head("/Patient/nobody-of-this-id").send().status, 404);
}

fn an_unknown_id_is_not_found(context: &Context) {
    let fhir = shared_fhir(context);
    refused(fhir.get("/Patient/nobody-of-this-id").send(), 404, "not-found");
    refused(
        fhir.get("/Patient/nobody-of-this-id/_history/1").send(),
        404,
        "not-found",
    );
    // An id belongs to one type.
    let (path, ..) = two_versions(&fhir);
    refused(
        fhir.get(path.replace("/Patient/", "/Practitioner/")).send(),
        404,
        "not-found",
    );
    for impossible in [&"a".repeat(65), "a_b", "a%20b", "%C3%A9", "a%2Fb", "*"] {
        refused(
            fhir.get(format!("/Patient/{impossible}")).send(),
            404,
            "not-found",
        );
    }
}

fn a_deleted_id_is_gone_and_so_is_the_version_that_deleted_it(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, ..) = two_versions(&fhir);
    fhir.delete(&path).send().expect(204);
    refused(fhir.get(&path).send(), 410, "deleted");
    refused(fhir.get(format!("{path}/_history/3")).send(), 410, "deleted");
    assert_eq!(fhir.head(&path).send().status, 410);
    fhir.get(format!("{path}/_history/2")).send().expect(200);
}

fn a_version_that_never_was_is_not_found(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, ..) = two_versions(&fhir);
    for version in ["3", "0", "-1", "01", "2.0", "x", "99999999999999999999", "%31%00"] {
        let answer = fhir.get(format!("{path}/_history/{version}")).send();
        assert_eq!(answer.status, 404, "{version}: {answer:?}");
        assert_eq!(answer.issues()[0].code, "not-found", "{version}");
    }
}

fn a_conditional_read_never_hides_that_something_is_gone(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, ..) = two_versions(&fhir);
    fhir.delete(&path).send().expect(204);
    refused(
        fhir.get(&path).header("If-None-Match", "*").send(),
        410,
        "deleted",
    );
    let later = fhir
        .get(&path)
        .header("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT");
    refused(later.send(), 410, "deleted");
}
