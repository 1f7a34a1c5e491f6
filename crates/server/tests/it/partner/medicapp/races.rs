//! Many at once: one patient, and nothing lost.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::race::{race_prepared, tally};
use testkit::tests;

use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    c34_twenty_equal_posts_at_once_create_one,
    c34_posts_that_share_one_key_each_create_one,
    c34_posts_of_one_person_with_more_and_fewer_keys_create_one,
    x08_two_puts_of_different_fields_at_once_both_survive,
    x08_a_key_that_two_want_at_once_gets_one_owner,
];

pub const SEVERAL_PROCESSES: &[Test] = tests![c34_equal_posts_to_two_processes_create_one];

const ROUNDS: usize = 8;
const CLIENTS: usize = 20;

/// One created, all others found the same one.
#[track_caller]
fn one_patient(answers: Vec<(u16, Value)>) -> String {
    let expected = [(200, answers.len() - 1), (201, 1)];
    assert_eq!(tally(answers.iter().map(|(status, _)| *status)), expected);
    let ids = tally(answers.iter().map(|(_, body)| text(body, "patientUuid")));
    assert_eq!(ids.len(), 1, "{ids:?}");
    let created = answers.iter().filter(|(_, body)| body["created"] == true);
    assert_eq!(created.count(), 1);
    ids[0].0.clone()
}

fn sent(client: &Client, body: &Value) -> (u16, Value) {
    let response = post(client, body);
    let status = response.status;
    (status, shown(response, status))
}

/// The bodies that each of them alone make one patient.
fn kinds() -> [Value; 4] {
    let key = || json!({ "nir": fresh_nir(), "rang": "01" });
    [
        json!({}),
        json!({ "externalId": unique() }),
        json!({ "identificationKey": key() }),
        json!({ "externalId": unique(), "identificationKey": key(), "phone": "+33612345678" }),
    ]
    .map(cloud_person)
}

/// So many are of this name.
fn named(fhir: &Client, body: &Value) -> Value {
    let family = testkit::http::percent_encode(body["lastName"].as_str().expect("a name"));
    let found = fhir.get(format!("/Patient?family:exact={family}")).send();
    found.expect(200).json()["total"].clone()
}

fn c34_twenty_equal_posts_at_once_create_one(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    for _ in 0..ROUNDS {
        for body in kinds() {
            one_patient(race_of(&client, CLIENTS, |client, _| sent(client, &body)));
            assert_eq!(named(&fhir, &body), 1);
        }
    }
}

fn c34_posts_that_share_one_key_each_create_one(context: &Context) {
    let client = cloud(context);
    for _ in 0..ROUNDS {
        // Half spell the NIR with its key, the names are all different.
        let nir = fresh_nir();
        one_patient(race_of(&client, CLIENTS, |client, number| {
            let nir = if number % 2 == 0 {
                nir.clone()
            } else {
                with_key(&nir)
            };
            let key = json!({ "nir": nir, "rang": "01" });
            sent(client, &cloud_person(json!({ "identificationKey": key })))
        }));
        let external = unique();
        one_patient(race_of(&client, CLIENTS, |client, _| {
            sent(client, &cloud_person(json!({ "externalId": external })))
        }));
    }
}

fn c34_posts_of_one_person_with_more_and_fewer_keys_create_one(context: &Context) {
    let client = cloud(context);
    for _ in 0..ROUNDS {
        let person = cloud_person(json!({}));
        let keys = [
            json!({ "externalId": unique() }),
            json!({ "identificationKey": { "nir": fresh_nir(), "rang": "01" } }),
        ];
        one_patient(race_of(&client, CLIENTS, |client, number| {
            let wanted = keys.iter().enumerate().filter(|(bit, _)| number >> bit & 1 == 1);
            let body = wanted.fold(person.clone(), |body, (_, key)| and(body, key.clone()));
            sent(client, &body)
        }));
    }
}

fn c34_equal_posts_to_two_processes_create_one(context: &Context) {
    let server = context.server();
    let second = server.second();
    let clients = [&server, &second].map(|server| server.client("medicapp-cloud"));
    for _ in 0..ROUNDS {
        for body in kinds() {
            let prepare = |number: usize| {
                let client = clients[number % 2].clone();
                client.request_exact("GET", "/health/live").send();
                client
            };
            one_patient(race_prepared(CLIENTS, prepare, |_, client| sent(&client, &body)));
        }
    }
}

fn x08_two_puts_of_different_fields_at_once_both_survive(context: &Context) {
    let client = cloud(context);
    for round in 0..ROUNDS * 2 {
        let made = shown(post(&client, &cloud_person(json!({}))), 201);
        let id = text(&made, "patientUuid");
        let changes = [
            json!({ "phone": format!("+336000000{round:02}") }),
            json!({ "email": format!("r{round}@example.org") }),
            json!({ "externalId": unique() }),
            json!({ "identificationKey": { "nir": fresh_nir(), "rang": "02" } }),
        ];
        let answers = race_of(&client, changes.len(), |client, number| {
            put(client, &id, &changes[number]).status
        });
        assert_eq!(tally(answers), [(200, changes.len())]);
        let read = get(&client, &id);
        assert_eq!(read.version(), 1 + changes.len() as u64);
        let read = shown(read, 200);
        for change in &changes {
            for (field, value) in change.as_object().expect("an object") {
                assert_eq!(&read[field], value, "round {round}");
            }
        }
    }
}

fn x08_a_key_that_two_want_at_once_gets_one_owner(context: &Context) {
    let client = cloud(context);
    for _ in 0..ROUNDS {
        let ids: Vec<String> = (0..4)
            .map(|_| {
                text(
                    &shown(post(&client, &cloud_person(json!({}))), 201),
                    "patientUuid",
                )
            })
            .collect();
        let wanted = json!({ "externalId": unique() });
        let answers = race_of(&client, ids.len(), |client, number| {
            put(client, &ids[number], &wanted).status
        });
        assert_eq!(tally(answers), [(200, 1), (409, ids.len() - 1)]);
    }
}
