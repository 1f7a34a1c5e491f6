//! Bodies that somebody has damaged.

use std::fs;
use std::path::Path;

use fhir::{Id, Resource, ResourceType, Severity};
use serde_json::Value;

use super::super::envelope::Request;
use super::super::{Body, create, update};
use super::properties::Random;
use super::{PREPERSON, World};

const SEED: u64 = 0x5eed_0004;
const BODIES: usize = 10_000;

#[test]
fn ten_thousand_damaged_bodies_are_answered_without_a_panic() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let world = World::new();
    let context = world.context();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ehealth");
    let seed = root.join("E01-seed-replayed-with-the-stored-note");
    let bodies = [
        fs::read(seed.join("request.json")).unwrap(),
        fs::read(root.join("E19-create/request.json")).unwrap(),
        fs::read(root.join("E25-many-faults/request.json")).unwrap(),
    ];
    let Value::Object(stored) = serde_json::from_slice(&fs::read(seed.join("stored.json")).unwrap()).unwrap()
    else {
        panic!("stored.json is no object");
    };
    let stored = Resource::from_guarded(ResourceType::Patient, stored);
    let request = Request {
        url: "https://example.com/api/prepersons",
        id: "r#1",
        idempotency_key: None,
    };
    let fresh = Id::parse(PREPERSON).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..BODIES {
        let mut body = bodies[random.below(bodies.len())].clone();
        for _ in 0..=random.below(4) {
            damage(&mut body, &mut random);
        }
        let answers = Body::read(&body).map_or_else(
            |fault| vec![Err(fault)],
            |body| {
                vec![
                    create(&body, &fresh, &context),
                    update(PREPERSON, &body, Some(&stored), &context),
                ]
            },
        );
        for answer in answers {
            match answer {
                Ok(patient) => {
                    taken += 1;
                    let issues = fhir::validate::validate(&patient);
                    assert!(
                        !issues.iter().any(|issue| issue.severity == Severity::Error),
                        "{issues:?}"
                    );
                }
                Err(fault) => {
                    refused += 1;
                    let text = fault.render(&request);
                    assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
                    assert!(matches!(fault.status(), 400 | 422), "{fault:?}");
                }
            }
        }
    }
    assert!(taken > 100, "{taken} taken");
    assert!(refused > BODIES / 2, "{refused} refused");
}

fn damage(body: &mut Vec<u8>, random: &mut Random) {
    const TOKENS: &[&[u8]] = &[
        b"null", b"\"", b"{", b"}", b"[", b"]", b",", b"\\u0000", b"\\ud800", b"1e999", b"-0", b"\xff",
        b"\x00", b" ",
    ];
    let position = random.below(body.len().max(1));
    match random.below(4) {
        0 if position < body.len() => body[position] ^= 1 << random.below(8),
        1 if position < body.len() => {
            let end = (position + 1 + random.below(8)).min(body.len());
            body.drain(position..end);
        }
        2 => {
            let token = TOKENS[random.below(TOKENS.len())];
            body.splice(
                position.min(body.len())..position.min(body.len()),
                token.iter().copied(),
            );
        }
        _ => body.truncate(body.len() - random.below(body.len().clamp(1, 8))),
    }
}
