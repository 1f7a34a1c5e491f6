//! T36: a clock that is turned back and forth under a running server, on SQLite and on PostgreSQL.

use std::sync::atomic::{AtomicI64, Ordering};

use fhir::Timestamp;
use serde_json::{Value, json};
use store::Clock;
use testkit::http::{Client, Response};

use super::served::{Served, WORD, on_postgres, on_sqlite};
use super::*;

/// A second, in microseconds.
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// 2026-03-29T00:59:58Z: two seconds later clocks in Paris go from 02:00 to 03:00.
const SPRING: i64 = 1_774_745_998 * SECOND;
/// 2026-10-25T00:59:58Z: two seconds later clocks in Paris go from 03:00 back to 02:00.
const AUTUMN: i64 = 1_792_889_998 * SECOND;

struct Turned(AtomicI64);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Where the clock begins, and how far it goes before each write.
type Case = (&'static str, i64, &'static [i64]);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("an hour back", SPRING, &[SECOND, -HOUR, SECOND, SECOND]),
    ("an hour on", SPRING, &[SECOND, HOUR, SECOND, SECOND]),
    ("an hour back and on again", SPRING, &[-HOUR, SECOND, HOUR, SECOND]),
    ("an hour on and back again", SPRING, &[HOUR, SECOND, -HOUR, SECOND]),
    ("the night of spring", SPRING, &[SECOND, SECOND, SECOND, SECOND]),
    ("the night of autumn", AUTUMN, &[SECOND, SECOND, SECOND, SECOND]),
    // A machine whose clock runs on local time.
    ("the night of spring, by local time", SPRING, &[SECOND, HOUR + SECOND, SECOND, 30 * MINUTE]),
    ("the night of autumn, by local time", AUTUMN, &[SECOND, SECOND - HOUR, 30 * MINUTE, 30 * MINUTE]),
    ("a day back over midnight, again and again", AUTUMN, &[-DAY, DAY, -DAY, DAY]),
    ("a clock that stands still, falls to 1970 and comes back", SPRING, &[0, 0, -SPRING, SPRING]),
];

/// Everything that a case has written, by what the answers say.
struct Watch<'c> {
    client: &'c Client,
    clock: &'c Turned,
    steps: std::iter::Cycle<std::slice::Iter<'static, i64>>,
}

impl Watch<'_> {
    /// Turns the clock by the next step.
    fn turn(&mut self) -> &Client {
        let step = self.steps.next().copied().unwrap_or_default();
        self.clock.0.fetch_add(step, Ordering::SeqCst);
        self.client
    }
}

fn last_updated(resource: &Value) -> String {
    let time = resource.pointer("/meta/lastUpdated").and_then(Value::as_str);
    time.unwrap_or_else(|| panic!("no time in {resource}")).to_owned()
}

/// `lastUpdated` as microseconds since 1970: the texts have no fixed length.
#[track_caller]
fn micros(time: &str) -> i64 {
    assert!(time.ends_with('Z'), "{time} is not UTC");
    let time = chrono::DateTime::parse_from_rfc3339(time).expect("an instant");
    time.timestamp_micros()
}

/// The second that `Last-Modified` tells.
#[track_caller]
fn last_modified(answer: &Response) -> i64 {
    let told = answer.header("Last-Modified").expect("Last-Modified");
    let time = chrono::DateTime::parse_from_rfc2822(told).expect("an HTTP date");
    time.timestamp()
}

/// Versions of one patient by every way of writing one: times rise, and its history is in their order.
fn versions(watch: &mut Watch<'_>, id: &str) {
    let path = format!("/fhir/Patient/{id}");
    let body = |family: &str| {
        json!({
            "resourceType": "Patient", "id": id, "name": [{ "family": family }],
            "identifier": [{ "system": "urn:clock", "value": id }]
        })
    };
    let criteria = format!("/fhir/Patient?identifier=urn:clock%7C{id}");
    let mut told: Vec<i64> = Vec::new();
    let mut modified: Vec<i64> = Vec::new();
    let mut note = |answer: &Response| {
        told.push(micros(&last_updated(&answer.json())));
        modified.push(last_modified(answer));
    };
    note(&watch.turn().put(&path).json(&body("One")).send().expect(201));
    note(&watch.turn().put(&path).json(&body("Two")).send().expect(200));
    note(
        &watch
            .turn()
            .put(&criteria)
            .json(&body("Three"))
            .send()
            .expect(200),
    );
    let patch = watch
        .turn()
        .patch(&path)
        .header("Content-Type", "application/merge-patch+json");
    note(&patch.body(r#"{"active":true}"#).send().expect(200));
    let put =
        json!({ "resource": body("Five"), "request": { "method": "PUT", "url": format!("Patient/{id}") } });
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [put] });
    let answer = watch.turn().post("/fhir").json(&bundle).send().expect(200).json();
    let changed = answer.pointer("/entry/0/resource").expect("a resource");
    told.push(micros(&last_updated(changed)));
    watch.turn().delete(&path).send().expect(204);
    let mut note = |answer: &Response| {
        told.push(micros(&last_updated(&answer.json())));
        modified.push(last_modified(answer));
    };
    note(&watch.turn().put(&path).json(&body("Seven")).send().expect(201));
    assert!(told.is_sorted_by(|one, next| one < next), "{id}: {told:?}");
    assert!(modified.is_sorted(), "{id}: {modified:?}");
    history(watch.client, &path);
}

/// All seven versions, newest first, whatever the clock said, and those since each of them.
fn history(client: &Client, path: &str) {
    let entries = |query: &str| -> Vec<(u64, i64)> {
        let bundle = client
            .get(format!("{path}/_history{query}"))
            .send()
            .expect(200)
            .json();
        let entries = bundle
            .get("entry")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let text = |entry: &Value, pointer: &str| -> String {
            let found = entry.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_else(|| panic!("{pointer} of {entry}")).to_owned()
        };
        let version = |entry: &Value| -> u64 {
            let etag = text(entry, "/response/etag");
            etag.trim_matches(|c: char| !c.is_ascii_digit())
                .parse()
                .expect("a version")
        };
        let time = |entry: &Value| micros(&text(entry, "/response/lastModified"));
        entries
            .iter()
            .map(|entry| (version(entry), time(entry)))
            .collect()
    };
    let all = entries("");
    let numbers: Vec<u64> = all.iter().map(|(version, _)| *version).collect();
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1], "{path}");
    assert!(
        all.is_sorted_by(|(_, newer), (_, older)| newer > older),
        "{all:?}"
    );
    for (version, time) in &all {
        let since = entries(&format!("?_since={}", Timestamp::from_micros(*time).to_instant()));
        let expected: Vec<u64> = (*version..=7).rev().collect();
        let found: Vec<u64> = since.iter().map(|(version, _)| *version).collect();
        assert_eq!(found, expected, "{path} since version {version}");
    }
}

/// A partner's patient: created, changed and read, each with times that do not fall.
fn at_a_door(watch: &mut Watch<'_>, number: usize) {
    let body =
        json!({ "firstName": "Ada", "lastName": format!("Horloge{number}"), "birthDate": "1960-05-15" });
    let send = |client: &Client, method: &str, path: &str, body: &Value| {
        let request = client.request(method, path);
        let request = request.header("Content-Type", "application/json");
        request.body(body.to_string()).send()
    };
    let of = |patient: &Value, name: &str| {
        let time = patient.get(name).and_then(Value::as_str);
        micros(time.unwrap_or_else(|| panic!("no {name} in {patient}")))
    };
    let made = send(watch.turn(), "POST", "/v5/patients", &body)
        .expect(201)
        .json();
    let id = made.get("id").and_then(Value::as_str).expect("an id");
    let path = format!("/v5/patients/{id}");
    let mut updated = vec![of(&made, "modifiedAt")];
    for email in ["a@example.org", "b@example.org", "c@example.org"] {
        let changed = send(watch.turn(), "PUT", &path, &json!({ "email": email })).expect(200);
        updated.push(of(&changed.json(), "modifiedAt"));
        assert_eq!(of(&changed.json(), "createdAt"), of(&made, "createdAt"));
    }
    assert!(updated.is_sorted(), "{updated:?}");
    let found = watch
        .turn()
        .post("/cloud/partner/v5/patients")
        .header("Content-Type", "application/json")
        .body(json!({
            "trustSpaceUuid": WORD, "firstName": "Ada", "lastName": format!("Nuage{number}"), "gender": "F",
            "birthDate": "1960-05-15"
        }).to_string())
        .send();
    found.expect(201);
}

fn times_never_fall(url: String) {
    let clock = Arc::new(Turned(AtomicI64::new(SPRING)));
    let server = Served::start(url, Vec::new(), Arc::clone(&clock) as Arc<dyn Clock>);
    assert_eq!(CASES.len(), 10);
    for (number, (name, start, steps)) in CASES.iter().enumerate() {
        clock.0.store(*start, Ordering::SeqCst);
        let mut watch = Watch {
            client: &server.client,
            clock: &clock,
            steps: steps.iter().cycle(),
        };
        eprintln!("{name}");
        versions(&mut watch, &format!("clock-{number}"));
        at_a_door(&mut watch, number);
    }
    in_order(&server.client);
    server.stop();
}

/// The history of all: no version stands before one that is newer, and none is missing or told twice.
fn in_order(client: &Client) {
    let bundle = client.get("/fhir/_history?_count=1000").send().expect(200).json();
    let entries = bundle
        .get("entry")
        .and_then(Value::as_array)
        .cloned()
        .expect("entries");
    assert_eq!(bundle.get("total"), Some(&json!(entries.len())));
    let time = |entry: &Value| {
        let time = entry.pointer("/response/lastModified").and_then(Value::as_str);
        micros(time.expect("a time"))
    };
    let times: Vec<i64> = entries.iter().map(time).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    assert_eq!(times.len(), CASES.len() * (7 + 4 + 1));
}

#[test]
fn t36_times_never_fall_when_the_clock_is_turned_under_a_running_server_on_sqlite() {
    on_sqlite(times_never_fall);
}

#[test]
fn t36_times_never_fall_when_the_clock_is_turned_under_a_running_server_on_postgres() {
    on_postgres(times_never_fall);
}
