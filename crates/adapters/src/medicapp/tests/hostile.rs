//! Broken bodies: never a panic, never an invalid Patient.

use std::fs;

use super::fixtures::folders;
use super::sample::{self, Random};
use super::{FRESH_ID, TRUST_SPACES, World, errors, patient};
use crate::medicapp::{Fault, cloud, connect};

const BODIES: u64 = 12_000;

pub(crate) fn mutate(random: &mut Random, body: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        if body.is_empty() {
            body.push(b'{');
        }
        let position = random.below(body.len());
        match random.below(4) {
            0 => body[position] ^= 1 << random.below(8),
            1 => {
                body.remove(position);
            }
            2 => body.insert(
                position,
                *random.one(&[&b'"', &b'{', &b'0', &b'\\', &b' ', &0xC3, &b',', &0]),
            ),
            _ => {
                let end = (position + random.below(12)).min(body.len());
                let piece = body[position..end].to_vec();
                let target = random.below(body.len());
                body.splice(target..target, piece);
            }
        }
    }
}

fn check(fault: &Fault, seed: u64) {
    assert!(matches!(fault.status(), 400 | 404), "seed {seed}: {fault:?}");
    let body: serde_json::Value = serde_json::from_str(&fault.render("req_1")).expect("JSON");
    assert!(
        body["error"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "seed {seed}"
    );
}

#[test]
fn a_mutated_body_is_refused_in_the_envelope_or_makes_a_valid_patient() {
    let world = World::new();
    let requests: Vec<Vec<u8>> = ["medicapp-cloud", "medicapp-connect"]
        .into_iter()
        .flat_map(folders)
        .filter_map(|folder| fs::read(folder.join("request.json")).ok())
        .collect();
    let mut taken = 0;
    for seed in 1..=BODIES {
        let random = &mut Random::new(seed);
        let mut body = requests[random.below(requests.len())].clone();
        mutate(random, &mut body);
        let stored = patient(sample::patient(random, world.naming.base()));
        let cloud_made = cloud::read_create(&body, &world.rules(), &TRUST_SPACES)
            .map(|create| cloud::to_fhir(&create, FRESH_ID, &world.rules()));
        let connect_made = connect::read_create(&body, &world.rules())
            .map(|create| connect::to_fhir(&create, FRESH_ID, &world.connect()));
        let cloud_put =
            cloud::read_update(&body).and_then(|update| cloud::apply(&update, &stored, &world.cloud()));
        let connect_put =
            connect::read_update(&body).and_then(|update| connect::apply(&update, &stored, &world.connect()));
        for outcome in [cloud_made, connect_made, cloud_put, connect_put] {
            match outcome {
                Ok(resource) => {
                    taken += 1;
                    assert_eq!(errors(&resource), Vec::<String>::new(), "seed {seed}");
                }
                Err(fault) => check(&fault, seed),
            }
        }
    }
    assert!(taken > 1_000, "{taken} mutants were taken");
}

#[test]
fn deep_nesting_is_refused_without_costing_stack() {
    let body = format!("{{\"address\":{}", "[".repeat(10_000));
    let fault = connect::read_update(body.as_bytes()).expect_err("too deep");
    assert_eq!(fault.code(), "INVALID_JSON");
}
