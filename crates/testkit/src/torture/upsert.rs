//! Many clients push the same thing at once, and one resource is left.

use super::{Crowd, Subject, content, found, post_unless, put_by, statuses};
use crate::history::check_consecutive;
use crate::http::Response;

/// Identical conditional PUTs: one is told that it created the resource, the others find it unchanged.
#[track_caller]
pub fn identical_puts(crowd: &Crowd, subject: Subject, number: u64) {
    let (named, body) = (subject.named(number), subject.body(number));
    let answers = crowd.race(|_, client| put_by(client, subject.kind(), &named, &body));
    one_and_unchanged(
        &label("identical PUT ?identifier", subject, number),
        crowd,
        subject,
        number,
        &answers,
    );
}

/// Identical POSTs with `If-None-Exist`: one is told that it created the resource, the others find it.
#[track_caller]
pub fn identical_creates(crowd: &Crowd, subject: Subject, number: u64) {
    let (named, body) = (subject.named(number), subject.body(number));
    let answers = crowd.race(|_, client| post_unless(client, subject.kind(), &named, &body));
    one_and_unchanged(
        &label("identical If-None-Exist", subject, number),
        crowd,
        subject,
        number,
        &answers,
    );
}

/// Conditional PUTs with a body of their own each: the versions are 1, 2, 3 … without a gap, and each holds
/// what its writer sent.
#[track_caller]
pub fn different_puts(crowd: &Crowd, subject: Subject, number: u64) {
    let what = label("PUT ?identifier with different bodies", subject, number);
    let named = subject.named(number);
    let body = |writer: usize| subject.body_called(number, &format!("Concurrent{writer:03}"));
    let answers = crowd.race(|writer, client| put_by(client, subject.kind(), &named, &body(writer)));
    statuses(&what, &answers, &[(200, crowd.count() - 1), (201, 1)]);
    let id = one_id(&what, &answers);
    let versions: Vec<u64> = answers.iter().map(Response::version).collect();
    if let Err(problem) = check_consecutive(&versions) {
        panic!("{what}: {problem}");
    }
    for (writer, version) in versions.iter().enumerate() {
        let stored = crowd
            .any()
            .get(format!("/{}/{id}/_history/{version}", subject.kind()))
            .send()
            .expect(200)
            .json();
        assert_eq!(
            content(&stored),
            content(&body(writer)),
            "{what}: version {version} of client {writer}"
        );
    }
    assert_eq!(found(crowd.any(), subject.kind(), &named), [id], "{what}");
}

/// Each client pushes its own resource, `rounds` times with another content: nobody is refused, because
/// nobody is in anybody's way.
#[track_caller]
pub fn apart(crowd: &Crowd, subject: Subject, rounds: u64) {
    for round in 0..rounds {
        let what = label("different identifiers", subject, round);
        let answers = crowd.race(|client_number, client| {
            let number = client_number as u64;
            let body = subject.body_called(number, &format!("Tour{round:03}"));
            put_by(client, subject.kind(), &subject.named(number), &body)
        });
        let status = if round == 0 { 201 } else { 200 };
        statuses(&what, &answers, &[(status, crowd.count())]);
        for answer in &answers {
            assert_eq!(answer.version(), round + 1, "{what}: {answer:?}");
        }
    }
}

fn label(what: &str, subject: Subject, number: u64) -> String {
    format!("{what}, {} {number}", subject.name())
}

#[track_caller]
fn one_and_unchanged(what: &str, crowd: &Crowd, subject: Subject, number: u64, answers: &[Response]) {
    statuses(what, answers, &[(200, crowd.count() - 1), (201, 1)]);
    let id = one_id(what, answers);
    for answer in answers {
        assert_eq!(
            answer.version(),
            1,
            "{what}: identical bodies make no new version: {answer:?}"
        );
    }
    let read = crowd
        .any()
        .get(format!("/{}/{id}", subject.kind()))
        .send()
        .expect(200);
    assert_eq!(read.version(), 1, "{what}: {read:?}");
    assert_eq!(content(&read.json()), content(&subject.body(number)), "{what}");
    let named = subject.named(number);
    assert_eq!(found(crowd.any(), subject.kind(), &named), [id], "{what}");
}

/// The one id that all answers are about.
#[track_caller]
fn one_id(what: &str, answers: &[Response]) -> String {
    let mut ids: Vec<String> = answers.iter().map(Response::id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        ids.len(),
        1,
        "{what}: the answers name several resources: {ids:?}"
    );
    ids.remove(0)
}
