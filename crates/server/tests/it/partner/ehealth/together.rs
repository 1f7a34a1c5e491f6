//! Requests that meet (`adapters.md` 7).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::race::race_prepared;
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    x08_changes_of_different_fields_at_once_all_survive,
    equal_creates_at_once_are_as_many_prepersons,
];

const ROUNDS: usize = 8;

fn x08_changes_of_different_fields_at_once_all_survive(context: &Context) {
    let client = door(shared(context));
    for round in 0..ROUNDS {
        let made = preperson(&client, json!({ "first_name": "Олег" }));
        let changes = [
            json!({ "last_name": format!("Коваль{round}") }),
            json!({ "birth_date": "1980-01-01" }),
            json!({ "second_name": "Іванович" }),
        ];
        let answers = race_prepared(
            changes.len(),
            |_| client.clone(),
            |number, client| patch(&client, id(&made), &changes[number]),
        );
        for answer in &answers {
            data(answer, 200);
        }
        let after = get(&client, id(&made));
        assert_eq!(after.version(), 1 + changes.len() as u64);
        let after = data(&after, 200);
        for change in &changes {
            for (name, value) in change.as_object().expect("an object") {
                assert_eq!(&after[name], value, "round {round}");
            }
        }
        assert_eq!(after["first_name"], "Олег");
    }
}

fn equal_creates_at_once_are_as_many_prepersons(context: &Context) {
    let client = door(shared(context));
    let body = json!({ "external_id": unique(), "gender": "MALE" });
    let mut ids: Vec<Value> = race_prepared(
        10,
        |_| client.clone(),
        |_, client| data(&post(&client, &body), 201)["id"].clone(),
    );
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 10);
}
