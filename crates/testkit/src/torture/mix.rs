//! Conditional PUT, If-None-Exist and plain POST at once, on one identifier.

use super::{Crowd, Key, Subject, found, post_unless, put_by, refused};
use crate::http::{Client, Response};
use crate::race::tally;
use crate::server::Server;

/// Declares [`Key::DECLARED`] for patients, as an operator does, and starts the server again.
#[track_caller]
pub fn declare_key_system(server: &mut Server) {
    server.terminate();
    server.command(&["key-system", "add", Key::DECLARED, "--resource", "Patient"]);
    server.restart();
}

/// How a client of a mixed round brings the same resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    ConditionalUpdate,
    ConditionalCreate,
    Create,
}

/// A mixed round on an identifier that one resource owns: one resource is left, and who came late with a
/// plain POST is told where it is.
#[track_caller]
pub fn owned(crowd: &Crowd, subject: Subject, number: u64) {
    let what = format!("mixed writes, {} {number}", subject.name());
    let answers = mixed(crowd, subject, number);
    let created = created(&answers);
    assert_eq!(
        created.len(),
        1,
        "{what}: created more or less than once: {}",
        summary(&answers)
    );
    let owner = created[0].id();
    for (way, answer) in &answers {
        match (way, answer.status) {
            (_, 201) => {}
            (Way::ConditionalUpdate | Way::ConditionalCreate, 200) => {
                assert_eq!(answer.id(), owner, "{what}")
            }
            (Way::Create, _) => {
                refused_for_owner(&what, subject, answer, &owner);
            }
            _ => panic!("{what}, {way:?}: {answer:?}"),
        }
    }
    only_one(&what, crowd, subject, number, &owner);
}

/// Whoever plainly POSTs an identifier that `owner` has is refused and told where the owner is.
#[track_caller]
pub fn refused_for_owner(what: &str, subject: Subject, answer: &Response, owner: &str) {
    let status = if subject == Subject::Account { 422 } else { 409 };
    refused(what, answer, status, "duplicate");
    let place = format!("/{}/{owner}", subject.kind());
    assert!(
        answer.location().contains(&place),
        "{what}: Location does not name {place}: {answer:?}"
    );
}

/// A mixed round on an identifier that is no key: each plain POST adds a resource, the conditional ones
/// together at most one, and only while there is none; they answer 412 once there are several.
#[track_caller]
pub fn free(crowd: &Crowd, subject: Subject, number: u64) {
    let what = format!("mixed writes, {} {number}", subject.name());
    let answers = mixed(crowd, subject, number);
    for (way, answer) in &answers {
        match (way, answer.status) {
            (Way::Create, 201) | (Way::ConditionalUpdate | Way::ConditionalCreate, 200 | 201) => {}
            (Way::ConditionalUpdate | Way::ConditionalCreate, 412) => {
                refused(&what, answer, 412, "multiple-matches");
            }
            _ => panic!("{what}, {way:?}: {answer:?}"),
        }
    }
    let plain = answers.iter().filter(|(way, _)| *way == Way::Create).count();
    let created = created(&answers).len();
    assert!(
        created == plain || created == plain + 1,
        "{what}: {plain} plain POSTs, yet {created} were created: {}",
        summary(&answers)
    );
    let named = subject.named(number);
    assert_eq!(
        found(crowd.any(), subject.kind(), &named).len(),
        created,
        "{what}"
    );
    if created > 1 {
        let body = subject.body(number);
        let late = put_by(crowd.any(), subject.kind(), &named, &body);
        refused(&what, &late, 412, "multiple-matches");
        let late = post_unless(crowd.any(), subject.kind(), &named, &body);
        refused(&what, &late, 412, "multiple-matches");
    }
}

fn mixed(crowd: &Crowd, subject: Subject, number: u64) -> Vec<(Way, Response)> {
    let (named, body) = (subject.named(number), subject.body(number));
    let post = |client: &Client| client.post(format!("/{}", subject.kind())).json(&body).send();
    crowd.race(|client_number, client| {
        // Who is first changes from round to round.
        match (client_number as u64 + number) % 3 {
            0 => (
                Way::ConditionalUpdate,
                put_by(client, subject.kind(), &named, &body),
            ),
            // The account flow knows no If-None-Exist.
            1 if subject != Subject::Account => (
                Way::ConditionalCreate,
                post_unless(client, subject.kind(), &named, &body),
            ),
            _ => (Way::Create, post(client)),
        }
    })
}

fn created(answers: &[(Way, Response)]) -> Vec<&Response> {
    answers
        .iter()
        .map(|(_, answer)| answer)
        .filter(|answer| answer.status == 201)
        .collect()
}

fn summary(answers: &[(Way, Response)]) -> String {
    let counted = tally(answers.iter().map(|(way, answer)| (*way, answer.status)));
    format!("{counted:?}")
}

#[track_caller]
fn only_one(what: &str, crowd: &Crowd, subject: Subject, number: u64, id: &str) {
    let named = subject.named(number);
    assert_eq!(found(crowd.any(), subject.kind(), &named), [id], "{what}");
    let read = crowd
        .any()
        .get(format!("/{}/{id}", subject.kind()))
        .send()
        .expect(200);
    assert_eq!(
        read.version(),
        1,
        "{what}: identical bodies make no new version: {read:?}"
    );
}
