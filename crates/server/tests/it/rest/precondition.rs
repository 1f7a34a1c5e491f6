//! If-Match and If-None-Match on writes: a broken guard never lets a write through.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    the_current_version_lets_a_write_through,
    p34_if_match_is_a_list_over_one_or_several_lines,
    p36_another_version_is_refused_as_a_conflict,
    p36_an_id_in_use_is_a_409_whose_code_is_a_word,
    p34_a_malformed_if_match_lets_nothing_through,
    if_match_any_needs_something_to_match,
    p35_if_none_match_any_creates_only,
    if_none_match_of_a_version_is_refused_on_a_write,
    p34_if_match_guards_a_delete,
    a_guard_that_nothing_fulfils_leaves_no_trace,
];

/// A stored patient at version 2: its path and its body.
fn at_version_two(fhir: &Client) -> (String, Value) {
    let own = unique();
    let path = format!("/Patient/{own}");
    let body = with(patient(&own), "id", json!(own));
    fhir.put(&path).json(&body).send().expect(201);
    fhir.put(&path)
        .json(&with(body.clone(), "active", json!(true)))
        .send()
        .expect(200);
    (path, body)
}

fn guarded(fhir: &Client, path: &str, body: &Value, lines: &[&[u8]]) -> Response {
    let put = lines
        .iter()
        .fold(fhir.put(path), |put, line| put.header("If-Match", line));
    put.json(body).send()
}

fn the_current_version_lets_a_write_through(context: &Context) {
    let fhir = shared_fhir(context);
    for tag in ["W/\"2\"", "\"2\"", "*", " W/\"2\" "] {
        let (path, body) = at_version_two(&fhir);
        let answer = guarded(&fhir, &path, &body, &[tag.as_bytes()]);
        assert_eq!(
            (answer.status, answer.try_version()),
            (200, Some(3)),
            "{tag}: {answer:?}"
        );
    }
}

fn p34_if_match_is_a_list_over_one_or_several_lines(context: &Context) {
    let fhir = shared_fhir(context);
    let lists: [&[&[u8]]; 6] = [
        &[b"W/\"1\", W/\"2\""],
        &[b"W/\"2\",W/\"1\""],
        &[b"\"7\" , W/\"2\" , \"8\""],
        &[b"W/\"1\"", b"W/\"2\""],
        &[b"W/\"2\"", b"W/\"1\"", b"W/\"9\""],
        &[b", W/\"2\",,"],
    ];
    for list in lists {
        let (path, body) = at_version_two(&fhir);
        let answer = guarded(&fhir, &path, &body, list);
        assert_eq!(answer.status, 200, "{list:?}: {answer:?}");
    }
    let (path, body) = at_version_two(&fhir);
    refused(
        guarded(&fhir, &path, &body, &[b"W/\"1\"", b"W/\"3\""]),
        412,
        "conflict",
    );
}

fn p36_another_version_is_refused_as_a_conflict(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, body) = at_version_two(&fhir);
    for tag in [
        "W/\"1\"",
        "W/\"3\"",
        "\"22\"",
        "W/\"02\"",
        "W/\"\"",
        "W/\"abc\"",
        "W/\"18446744073709551618\"",
    ] {
        refused(guarded(&fhir, &path, &body, &[tag.as_bytes()]), 412, "conflict");
    }
    assert_eq!(fhir.get(&path).send().expect(200).version(), 2);
}

/// What is left of 409: a body whose id belongs to a resource that the criteria do not mean. (A taken key is the
/// other one, with `duplicate`.)
fn p36_an_id_in_use_is_a_409_whose_code_is_a_word(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, body) = at_version_two(&fhir);
    let put = || fhir.put(format!("/Patient?{}", by_local(&unique()))).json(&body);
    let answer = refused(put().send(), 409, "conflict");
    assert!(
        answer.issues().iter().all(|issue| issue.code == "conflict"),
        "{answer:?}"
    );
    // The guard speaks first when there is one.
    refused(put().header("If-Match", "W/\"2\"").send(), 412, "conflict");
    assert_eq!(fhir.get(&path).send().expect(200).version(), 2);
}

fn p34_a_malformed_if_match_lets_nothing_through(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, body) = at_version_two(&fhir);
    let malformed: [&[u8]; 15] = [
        b"2",
        b"W/2",
        b"W/\"2",
        b"2\"",
        b"w/\"2\"",
        b"W/ \"2\"",
        b"W/\"2\" W/\"1\"",
        b"\"\xff\"",
        b"\xff\xfe",
        b"\xc3",
        b"",
        b",",
        b"*, W/\"2\"",
        b"W/\"2\"; x",
        "W/\u{201c}2\u{201d}".as_bytes(),
    ];
    for tag in malformed {
        let answer = guarded(&fhir, &path, &body, &[tag]);
        assert_eq!(answer.status, 412, "{tag:?}: {answer:?}");
        assert_eq!(answer.issues()[0].code, "conflict", "{tag:?}");
        let beside = guarded(&fhir, &path, &body, &[b"W/\"2\"", tag]);
        assert_eq!(beside.status, 412, "{tag:?} beside the right one: {beside:?}");
    }
    assert_eq!(fhir.get(&path).send().expect(200).version(), 2);
}

fn if_match_any_needs_something_to_match(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    let body = with(patient(&own), "id", json!(own));
    refused(guarded(&fhir, &path, &body, &[b"*"]), 412, "conflict");
    refused(guarded(&fhir, &path, &body, &[b"W/\"1\""]), 412, "conflict");
    fhir.put(&path).json(&body).send().expect(201);
    guarded(&fhir, &path, &body, &[b"*"]).expect(200);
    fhir.delete(&path).send().expect(204);
    refused(guarded(&fhir, &path, &body, &[b"*"]), 412, "conflict");
    refused(guarded(&fhir, &path, &body, &[b"W/\"1\""]), 412, "conflict");
    refused(fhir.get(&path).send(), 410, "deleted");
}

fn p35_if_none_match_any_creates_only(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    let body = with(patient(&own), "id", json!(own));
    let put = |body: &Value| fhir.put(&path).header("If-None-Match", "*").json(body).send();
    put(&body).expect(201);
    refused(put(&body), 412, "conflict");
    refused(put(&with(body.clone(), "active", json!(true))), 412, "conflict");
    assert_eq!(fhir.get(&path).send().expect(200).version(), 1);
    let conditional = fhir
        .put(format!("/Patient?{}", by_local(&own)))
        .header("If-None-Match", "*");
    refused(conditional.json(&body).send(), 412, "conflict");
    // What is deleted does not exist.
    fhir.delete(&path).send().expect(204);
    put(&body).expect(201);
}

fn if_none_match_of_a_version_is_refused_on_a_write(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, body) = at_version_two(&fhir);
    for tag in [&b"W/\"1\""[..], b"W/\"2\"", b"\xff", b"**", b""] {
        let answer = fhir.put(&path).header("If-None-Match", tag).json(&body).send();
        assert!(matches!(answer.status, 400 | 412), "{tag:?}: {answer:?}");
        assert!(!answer.issues().is_empty());
    }
    let both = fhir
        .put(&path)
        .header("If-None-Match", "*")
        .header("If-Match", "W/\"2\"")
        .json(&body)
        .send();
    assert_eq!(both.status, 412);
    assert_eq!(fhir.get(&path).send().expect(200).version(), 2);
}

fn p34_if_match_guards_a_delete(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, _) = at_version_two(&fhir);
    for tag in [&b"W/\"1\""[..], b"2", b"\xff", b""] {
        refused(fhir.delete(&path).header("If-Match", tag).send(), 412, "conflict");
    }
    fhir.get(&path).send().expect(200);
    fhir.delete(&path)
        .header("If-Match", "W/\"1\"")
        .header("If-Match", "W/\"2\"")
        .send()
        .expect(204);
    refused(fhir.get(&path).send(), 410, "deleted");
}

fn a_guard_that_nothing_fulfils_leaves_no_trace(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let body = with(patient(&own), "id", json!(own));
    refused(
        guarded(&fhir, &format!("/Patient/{own}"), &body, &[b"W/\"1\""]),
        412,
        "conflict",
    );
    refused(fhir.get(format!("/Patient/{own}")).send(), 404, "not-found");
    assert_eq!(count_local(&fhir, &own), 0);
    fhir.put(format!("/Patient/{own}")).json(&body).send().expect(201);
}
