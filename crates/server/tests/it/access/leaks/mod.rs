//! T22: attempts to learn something of another space. Each is made twice, about somebody who is there and about nobody:
//! the answers are the same, they hold nothing of that space, and nothing there has changed.

mod doors;
mod operations;
mod searches;
mod writes;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;

use super::compare::comparable;
use super::world::{SECRET, World, number};
use crate::partner::cross::Doors;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t22_no_search_history_or_page_shows_anything_of_another_space,
    t22_no_write_or_condition_meets_anything_of_another_space,
    t22_no_operation_or_merge_shows_anything_of_another_space,
    doors::x10_t22_no_partners_door_shows_anything_of_another_space,
    doors::t22_the_words_of_another_space_are_no_words,
];

/// The family name of those who are looked for; an attempt may name it.
const FAMILY: &str = "Xochipilli";
/// The system of an identifier that only one patient of a space may own.
const KEY: &str = "urn:oid:1.2.250.1.213.1.4.8";

/// Somebody of the demo's space, by the number that all their ids are made of, and who asks.
struct Attempt<'w> {
    /// The client of the other space.
    fhir: &'w Client,
    /// What the ids are made of: `<n>-v` a patient of two versions, `<n>-p` their practitioner, `<n>-r` who was replaced
    /// by the patient, `<n>-d` who was deleted; `<n>` their local number, `<n>k` their national one.
    n: String,
    /// A number for what the attempt itself writes.
    own: String,
    /// A cursor of the demo's space that its search or history gave out.
    cursors: [String; 2],
}

/// An attempt, and its name.
type Try = (&'static str, fn(&Attempt<'_>) -> Response);

/// A patient of the other space that points at everybody of this number.
fn pointing(n: &str, own: &str) -> Value {
    with(
        with(
            patient(own),
            "generalPractitioner",
            json!([{ "reference": format!("Practitioner/{n}-p") }]),
        ),
        "link",
        json!([{ "type": "seealso", "other": { "reference": format!("Patient/{n}-v") } }]),
    )
}

fn put(fhir: &Client, kind: &str, id: &str, body: Value) -> Response {
    fhir.put(format!("/{kind}/{id}"))
        .json(&with(body, "id", json!(id)))
        .send()
}

fn names() -> Value {
    json!([{ "family": FAMILY, "given": [SECRET] }])
}

/// The same where it must succeed: it makes a resource, or changes one of who asks.
#[track_caller]
fn put_own(fhir: &Client, kind: &str, id: &str, body: Value) {
    let answer = put(fhir, kind, id, body);
    assert!(answer.status < 300, "{answer:?}");
}

/// A national number.
fn key_of(n: &str) -> Value {
    let kind = json!({ "coding": [{ "system": FR_TYPES, "code": "INS-NIR" }] });
    json!({ "system": KEY, "value": format!("{n}k"), "type": kind })
}

/// Puts everybody of a number into the demo's space.
#[track_caller]
fn plant(fhir: &Client, n: &str) {
    let practitioner = with(resource("Practitioner", LOCAL, n), "name", names());
    put(fhir, "Practitioner", &format!("{n}-p"), practitioner).expect(201);
    let body = |gender: &str| {
        json!({
            "resourceType": "Patient", "gender": gender, "birthDate": "1951-02-03", "name": names(),
            "identifier": [{ "system": LOCAL, "value": n }, key_of(n)],
            "telecom": [{ "system": "email", "value": format!("{n}@example.org") }],
            "generalPractitioner": [{
                "reference": format!("Practitioner/{n}-p"), "display": SECRET,
                "identifier": { "system": LOCAL, "value": n }
            }]
        })
    };
    put(fhir, "Patient", &format!("{n}-v"), body("female")).expect(201);
    put(fhir, "Patient", &format!("{n}-v"), body("other")).expect(200);
    let survivor = json!([{ "type": "replaced-by", "other": { "reference": format!("Patient/{n}-v") } }]);
    let replaced = json!({ "resourceType": "Patient", "name": names(), "link": survivor });
    put(fhir, "Patient", &format!("{n}-r"), replaced).expect(201);
    let deleted = json!({ "resourceType": "Patient", "name": names() });
    put(fhir, "Patient", &format!("{n}-d"), deleted).expect(201);
    fhir.delete(format!("/Patient/{n}-d")).send().expect(204);
}

/// All that the demo's own client sees of a number.
fn seen(fhir: &Client, n: &str) -> Vec<String> {
    [
        "Patient/{n}-v",
        "Patient/{n}-r",
        "Patient/{n}-d",
        "Practitioner/{n}-p",
    ]
    .map(|target| {
        let target = format!("/{}/_history", target.replace("{n}", n));
        let bundle = fhir.get(target).send().expect(200).json();
        format!("{} {}", bundle["total"], bundle["entry"])
    })
    .to_vec()
}

/// The cursor of the next page of a Bundle.
#[track_caller]
fn cursor(bundle: &Value) -> String {
    let next = link(bundle, "next").expect("a next page");
    let (_, cursor) = next.split_once("_cursor=").expect("a cursor");
    cursor.split('&').next().unwrap_or_default().to_owned()
}

/// Asserts that an answer tells nothing of the demo's space.
#[track_caller]
fn tells_nothing(answer: &Response, about: &str) {
    assert!(
        !answer.text().contains(SECRET) && answer.status < 500,
        "{about}: {answer:?}"
    );
}

/// Makes attempts at the FHIR door.
fn make(context: &Context, tries: &[&[Try]]) {
    let world = World::new(context);
    let Doors { fhir: owner, .. } = &world.own;
    // Systems that nobody in a space uses are told so: this one uses them.
    let known = with(
        patient(&number()),
        "identifier",
        json!([{ "system": LOCAL, "value": number() }, key_of(&number())]),
    );
    world.other.fhir.post("/Patient").json(&known).send().expect(201);
    let mut count = 0;
    for (name, attempt) in tries.iter().copied().flatten() {
        let (n, nobody) = (number(), number());
        plant(owner, &n);
        let page = |target: &str| cursor(&owner.get(target).send().expect(200).json());
        let cursors = [page("/Patient?_count=1"), page("/Patient/_history?_count=1")];
        // Nobody's: what stands for them is as long and nonsense.
        let nonsense = cursors.clone().map(|cursor| "A".repeat(cursor.len()));
        let before = seen(owner, &n);
        let run = |fhir: &Client, n: &String, cursors: &[String; 2]| {
            let own = number();
            let ask = Attempt {
                fhir,
                n: n.clone(),
                own: own.clone(),
                cursors: cursors.clone(),
            };
            let answer = attempt(&ask);
            let [first, second] = cursors;
            let hidden = [
                (n.as_str(), "(n)"),
                (&own, "(own)"),
                (first, "(cursor)"),
                (second, "(cursor)"),
            ];
            (comparable(&answer, &hidden), answer)
        };
        let stranger = &world.other.fhir;
        let (expected, _) = run(stranger, &nobody, &nonsense);
        let (told, answer) = run(stranger, &n, &cursors);
        assert_eq!(told, expected, "{name}: of another space, and of nobody");
        tells_nothing(&answer, name);
        assert_eq!(
            seen(owner, &n),
            before,
            "{name} changed something in another space"
        );
        // It is an attempt: who may see them sees something by it, or changes it.
        let (of_owner, answer) = run(owner, &n, &cursors);
        assert!(
            of_owner != told || answer.text().contains(SECRET) || seen(owner, &n) != before,
            "{name} would find nothing anyway"
        );
        count += 1;
    }
    eprintln!("{}: {count} attempts", context.name());
}

fn t22_no_search_history_or_page_shows_anything_of_another_space(context: &Context) {
    make(
        context,
        &[
            searches::READS,
            searches::SEARCHES,
            searches::LINKED,
            searches::PAGES,
        ],
    );
}

fn t22_no_write_or_condition_meets_anything_of_another_space(context: &Context) {
    make(context, &[writes::BY_ID, writes::CONDITIONAL, writes::BUNDLES]);
}

fn t22_no_operation_or_merge_shows_anything_of_another_space(context: &Context) {
    make(context, &[operations::OPERATIONS, operations::MERGES]);
}
