//! Many transactions at once: no duplicate, nobody refused without a reason, nothing half done.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::server::Server;
use testkit::tests;
use testkit::torture::Crowd;

use super::*;
use crate::support::*;

/// Tests that run on both databases.
pub const TESTS: &[Test] = tests![
    p03_identical_transactions_at_once_create_one_set,
    p40_transactions_that_meet_in_opposite_order_never_fail_for_it,
    p18_a_match_that_moves_meanwhile_is_looked_for_again,
    transactions_and_single_requests_exclude_each_other,
];

/// Tests of several processes on one database.
pub const SEVERAL_PROCESSES: &[Test] = tests![p03_two_processes_create_one_set_together];

const ROUNDS: usize = 10;
const CLIENTS: usize = 8;
const DOCTOR: &str = "urn:uuid:4b3b1a52-0f3c-4f2a-9d64-7a2b1f1d0001";

/// A doctor unless there, a patient put by number with a link to the doctor, another unless there.
fn family(number: &str) -> Vec<Value> {
    let (doctor, child) = (format!("{number}-d"), format!("{number}-c"));
    let treated = with(
        patient(number),
        "generalPractitioner",
        json!([{ "reference": DOCTOR }]),
    );
    vec![
        named(
            asking(
                entry_with("POST", "Practitioner", &resource("Practitioner", LOCAL, &doctor)),
                "ifNoneExist",
                &by_local(&doctor),
            ),
            DOCTOR,
        ),
        entry_with("PUT", &format!("Patient?{}", by_local(number)), &treated),
        asking(
            entry_with("POST", "Patient", &patient(&child)),
            "ifNoneExist",
            &by_local(&child),
        ),
    ]
}

fn identical_transactions(servers: &[&Server]) {
    let crowd = Crowd::new(servers, "fhir", CLIENTS);
    for round in 0..ROUNDS {
        let number = format!("family-{round}");
        let entries = family(&number);
        let all = crowd.race(|_, client| answers(transact(client, &entries)));
        let mut created = 0;
        for answered in &all {
            let each = statuses(answered);
            assert!(each == [201, 201, 201] || each == [200, 200, 200], "{each:?}");
            created += usize::from(each[0] == 201);
            assert!(
                answered
                    .iter()
                    .zip(&all[0])
                    .all(|(one, other)| id(one) == id(other))
            );
            assert_eq!(answered[1]["response"]["etag"], "W/\"1\"");
        }
        assert_eq!(created, 1);
        assert_eq!(count_local(crowd.any(), &number), 1);
        assert_eq!(count_local(crowd.any(), &format!("{number}-c")), 1);
        assert_eq!(
            found(crowd.any(), "Practitioner", (LOCAL, &format!("{number}-d"))).len(),
            1
        );
    }
}

fn p03_identical_transactions_at_once_create_one_set(context: &Context) {
    identical_transactions(&[&context.server()]);
}

fn p03_two_processes_create_one_set_together(context: &Context) {
    let first = context.server();
    let second = first.second();
    identical_transactions(&[&first, &second]);
}

fn p40_transactions_that_meet_in_opposite_order_never_fail_for_it(context: &Context) {
    let server = context.server();
    let crowd = Crowd::new(&[&server], "fhir", CLIENTS);
    for round in 0..ROUNDS {
        let numbers: Vec<String> = (0..6).map(|place| format!("meet-{round}-{place}")).collect();
        let all = crowd.race(|client_number, client| {
            let mut entries: Vec<Value> = numbers
                .iter()
                .map(|number| {
                    let body = with(patient(number), "language", json!(format!("x-{client_number}")));
                    entry_with("PUT", &format!("Patient?{}", by_local(number)), &body)
                })
                .collect();
            entries.rotate_left(client_number % 6);
            if client_number % 2 == 1 {
                entries.reverse();
            }
            statuses(&answers(transact(client, &entries)))
        });
        assert!(
            all.iter().flatten().all(|status| matches!(status, 200 | 201)),
            "{all:?}"
        );
        // Whole transactions came one after the other: all have the last one's mark and as many versions.
        let left: Vec<Value> = numbers
            .iter()
            .map(|number| {
                let by = format!("/Patient?{}", by_local(number));
                crowd.any().get(by).send().expect(200).json()["entry"][0]["resource"].clone()
            })
            .collect();
        for one in &left {
            assert_eq!(one["language"], left[0]["language"], "{left:?}");
            assert_eq!(one["meta"]["versionId"], CLIENTS.to_string(), "{left:?}");
        }
    }
}

fn p18_a_match_that_moves_meanwhile_is_looked_for_again(context: &Context) {
    let (server, fhir) = context.fhir();
    let crowd = Crowd::new(&[&server], "fhir", CLIENTS);
    for round in 0..ROUNDS {
        let number = format!("moving-{round}");
        let own = fhir
            .post("/Patient")
            .json(&patient(&number))
            .send()
            .expect(201)
            .id();
        let all = crowd.race(|client_number, client| {
            if client_number == 0 {
                // Takes the number away by id: no lock on the number is needed for that.
                let away = with(patient(&format!("{number}-away")), "id", json!(own));
                return vec![client.put(format!("/Patient/{own}")).json(&away).send().status];
            }
            let unless = asking(
                entry_with("POST", "Patient", &patient(&number)),
                "ifNoneExist",
                &by_local(&number),
            );
            statuses(&answers(transact(client, &[unless])))
        });
        assert!(
            all.iter().flatten().all(|status| matches!(status, 200 | 201)),
            "{all:?}"
        );
        // Created at most once, and there when anybody came after the move.
        let created = all
            .iter()
            .skip(1)
            .flatten()
            .filter(|status| **status == 201)
            .count();
        assert_eq!(count_local(&fhir, &number), created, "{all:?}");
        assert!(created < 2, "{all:?}");
    }
}

fn transactions_and_single_requests_exclude_each_other(context: &Context) {
    let server = context.server();
    let crowd = Crowd::new(&[&server], "fhir", CLIENTS);
    for round in 0..ROUNDS {
        let number = format!("mixed-{round}");
        let all = crowd.race(|client_number, client| match client_number % 3 {
            0 => {
                client
                    .post("/Patient")
                    .header("If-None-Exist", by_local(&number))
                    .json(&patient(&number))
                    .send()
                    .status
            }
            1 => {
                client
                    .put(format!("/Patient?{}", by_local(&number)))
                    .json(&patient(&number))
                    .send()
                    .status
            }
            _ => {
                let put = entry_with(
                    "PUT",
                    &format!("Patient?{}", by_local(&number)),
                    &patient(&number),
                );
                statuses(&answers(transact(client, &[put])))[0]
            }
        });
        assert_eq!(all.iter().filter(|status| **status == 201).count(), 1, "{all:?}");
        assert!(all.iter().all(|status| matches!(status, 200 | 201)), "{all:?}");
        assert_eq!(count_local(crowd.any(), &number), 1);
    }
}
