//! T23: cursors and ETags that were tampered with: refused, never data, never a write.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response, percent_encode};
use testkit::mutate;
use testkit::tests;

use super::connection;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t23_a_tampered_cursor_is_refused,
    t23_a_cursor_is_good_for_its_own_question_alone,
    t23_a_tampered_etag_lets_nothing_through,
];

/// Variants of cursors, and of ETags.
const TAMPERED: u64 = 5000;

/// Every question that is answered page by page.
const QUESTIONS: [&str; 8] = [
    "/Patient?_count=2",
    "/Patient?_count=2&_sort=-birthdate,family",
    "/Patient?_count=2&general-practitioner.family=Ordinaire",
    "/Practitioner?_count=2&_revinclude=Patient:general-practitioner",
    "/?_type=Patient,Practitioner&_count=2",
    "/Patient/_history?_count=2",
    "/_history?_count=2",
    "/Patient/p-0/_history?_count=2",
];

/// Enough of everything for a second page of each question.
#[track_caller]
fn fill(fhir: &Client) {
    let put = |kind: &str, id: &str, body: Value| {
        let request = fhir.put(format!("/{kind}/{id}"));
        request.json(&with(body, "id", json!(id))).send()
    };
    for number in 0..5 {
        let practitioner = resource("Practitioner", LOCAL, &number.to_string());
        put("Practitioner", &format!("d-{number}"), practitioner).expect(201);
        let reference = json!([{ "reference": format!("Practitioner/d-{number}") }]);
        let body = with(patient(&number.to_string()), "generalPractitioner", reference);
        let body = with(body, "birthDate", json!(format!("198{number}-01-01")));
        put("Patient", &format!("p-{number}"), body).expect(201);
    }
    for turn in 0..4 {
        put("Patient", "p-0", patient(&format!("turn-{turn}"))).expect(200);
    }
}

/// A question with its second page: the link to it, the cursor in that, and what is found there.
struct Page {
    before: String,
    cursor: String,
    after: String,
    entries: Value,
}

impl Page {
    #[track_caller]
    fn second(fhir: &Client, question: &str) -> Page {
        let first = fhir.get(question).send().expect(200).json();
        let next = link(&first, "next").unwrap_or_else(|| panic!("{question} has one page: {first}"));
        let (before, rest) = next.split_once("_cursor=").expect("a cursor");
        let (cursor, after) = match rest.split_once('&') {
            Some((cursor, after)) => (cursor, format!("&{after}")),
            None => (rest, String::new()),
        };
        let entries = fhir.get(&next).send().expect(200).json()["entry"].clone();
        assert!(entries.is_array(), "{question}");
        Page {
            before: before.to_owned(),
            cursor: cursor.to_owned(),
            after,
            entries,
        }
    }

    fn by(&self, fhir: &Client, cursor: &str) -> Response {
        let Page { before, after, .. } = self;
        let cursor = percent_encode(cursor);
        fhir.get(format!("{before}_cursor={cursor}{after}")).send()
    }
}

fn t23_a_tampered_cursor_is_refused(context: &Context) {
    // Of its own: histories of everything must not grow in between.
    let (_server, fhir) = context.fhir();
    fill(&fhir);
    let pages = QUESTIONS.map(|question| Page::second(&fhir, question));
    let mut refusals = 0;
    for seed in 0..TAMPERED {
        let page = &pages[seed as usize % pages.len()];
        let cursor = &page.cursor;
        let changed = match seed / 8 % 4 {
            // One character, replaced by another of the alphabet: what a forger would try.
            0 | 1 => flip(cursor, seed as usize),
            2 => String::from_utf8_lossy(&mutate::bytes(seed, cursor.as_bytes())).into_owned(),
            _ => String::from_utf8_lossy(&mutate::query(seed, cursor)).into_owned(),
        };
        if changed == *cursor {
            continue;
        }
        let answer = page.by(&fhir, &changed);
        match answer.status {
            400 => {
                refusals += 1;
                assert!(!answer.issues().is_empty(), "seed {seed}: {answer:?}");
            }
            // Another spelling of the same bytes is the same cursor.
            200 => assert_eq!(
                answer.json()["entry"],
                page.entries,
                "seed {seed} {changed:?}: {answer:?}"
            ),
            _ => panic!("seed {seed} {changed:?}: {answer:?}"),
        }
    }
    assert!(
        refusals > TAMPERED * 95 / 100,
        "{refusals} of {TAMPERED} were refused"
    );
    eprintln!("{}: {refusals} of {TAMPERED} refused", context.name());
    for (page, question) in pages.iter().zip(QUESTIONS) {
        for odd in ["", "x", "AAAA", "-1", "0", &"A".repeat(5000)] {
            let answer = page.by(&fhir, odd);
            assert_eq!(answer.status, 400, "{question} {odd:?}: {answer:?}");
        }
    }
}

fn flip(cursor: &str, seed: usize) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = cursor.as_bytes().to_vec();
    let place = seed % bytes.len();
    bytes[place] = alphabet[(seed / bytes.len() + usize::from(bytes[place])) % alphabet.len()];
    String::from_utf8(bytes).unwrap()
}

fn t23_a_cursor_is_good_for_its_own_question_alone(context: &Context) {
    let (_server, fhir) = context.fhir();
    fill(&fhir);
    let pages = QUESTIONS.map(|question| Page::second(&fhir, question));
    for (page, question) in pages.iter().zip(QUESTIONS) {
        for (other, of) in pages.iter().zip(QUESTIONS) {
            let answer = page.by(&fhir, &other.cursor);
            let expected = if question == of { 200 } else { 400 };
            assert_eq!(answer.status, expected, "{of} at {question}: {answer:?}");
        }
    }
}

fn t23_a_tampered_etag_lets_nothing_through(context: &Context) {
    let fhir = shared_fhir(context);
    let id = unique();
    let path = format!("/Patient/{id}");
    let body = with(patient(&id), "id", json!(id));
    fhir.put(&path).json(&body).send().expect(201);
    let body = with(body, "active", json!(true));
    let stored = fhir.put(&path).json(&body).send().expect(200).text();
    let changed = with(body.clone(), "gender", json!("other"));
    let by_number = format!("/Patient?{}", by_local(&id));
    let mut refusals = 0;
    for seed in 0..TAMPERED {
        let tag = mutate::header(seed, "W/\"2\"");
        let text = String::from_utf8_lossy(&tag).into_owned();
        // It still names the version that is there, or any: what it lets through must change nothing.
        let fits = text.contains("\"2\"") || text.contains('*');
        let body = if fits { &body } else { &changed };
        let bare = tag.iter().any(u8::is_ascii_control);
        let client = connection(&fhir, bare);
        let request = match seed % 5 {
            0 => client.put(&path).header("If-Match", &tag).json(body),
            1 => client.put(&by_number).header("If-Match", &tag).json(body),
            2 => {
                let patch = if fits { "{}" } else { r#"{"gender":"other"}"# };
                let request = client.patch(&path).header("If-Match", &tag);
                request
                    .header("Content-Type", "application/merge-patch+json")
                    .body(patch)
            }
            3 if !fits => client.delete(&path).header("If-Match", &tag),
            _ => client.get(&path).header("If-None-Match", &tag),
        };
        let reads = seed % 5 > 3 || (seed % 5 == 3 && fits);
        let answer = request.send();
        match answer.status {
            400 | 412 => refusals += 1,
            // A read that is not told well what is known already gets the resource.
            200 if reads || fits => {}
            304 if reads && fits => {}
            _ => panic!("seed {seed}, {text:?}: {answer:?}"),
        }
    }
    let now = fhir.get(&path).send().expect(200);
    assert_eq!((now.version(), now.text()), (2, stored));
    assert!(refusals > TAMPERED / 3, "{refusals} of {TAMPERED} were refused");
    eprintln!("{}: {refusals} of {TAMPERED} refused", context.name());
}
