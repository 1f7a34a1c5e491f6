//! Broken bodies: refused or taken, never a panic.

use std::fs;

use super::super::{read_create, show};
use super::fixtures::folders;
use super::{BRANDS, Random, context, created, kept, naming, resource};

const SEED: u64 = 0x7067_5f6d_7574_616e;
const MUTANTS: usize = 10_000;

#[test]
fn ten_thousand_broken_bodies_are_taken_or_refused_in_the_doors_shape() {
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    let bodies: Vec<Vec<u8>> = folders()
        .iter()
        .filter_map(|folder| fs::read(folder.join("request.json")).ok())
        .collect();
    let naming = naming();
    let (mut taken, mut refused) = (0, 0);
    for round in 0..MUTANTS {
        let body = mutant(&bodies[round % bodies.len()], &mut random);
        match read_create(&body, &BRANDS) {
            Ok(create) => {
                let patient = created(&create, &naming);
                let issues = fhir::validate::validate(&patient);
                assert!(issues.is_empty(), "{round}: {issues:?}");
                taken += 1;
            }
            Err(fault) => {
                assert!(matches!(fault.status(), 400 | 403), "{round}");
                assert!(!fault.message().is_empty(), "{round}");
                refused += 1;
            }
        }
    }
    assert!(taken > 500 && refused > 500, "{taken} taken, {refused} refused");
}

#[test]
fn ten_thousand_broken_patients_are_shown() {
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    let patients: Vec<Vec<u8>> = folders()
        .iter()
        .filter_map(|folder| fs::read(folder.join("patient.json")).ok())
        .collect();
    let naming = naming();
    let mut shown = 0;
    for round in 0..MUTANTS {
        let text = mutant(&patients[round % patients.len()], &mut random);
        if let Ok(tree @ serde_json::Value::Object(_)) = serde_json::from_slice(&text) {
            let answer = show(&resource(tree), &kept(), &context(&naming, "acme"));
            assert_eq!(answer.brand_id, "acme");
            shown += 1;
        }
    }
    assert!(shown > 500, "{shown} shown");
}

/// The bytes with one to three of them flipped, doubled, cut out or put in.
fn mutant(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    const LIKELY: &[u8] = b"{}[]\",:0e\\u \xff";
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let place = random
            .below(bytes.len().max(1))
            .min(bytes.len().saturating_sub(1));
        match random.below(4) {
            _ if bytes.is_empty() => bytes.push(b'{'),
            0 => bytes[place] ^= 1 << random.below(8),
            1 => bytes.insert(place, LIKELY[random.below(LIKELY.len())]),
            2 => {
                bytes.remove(place);
            }
            _ => {
                let end = (place + random.below(8)).min(bytes.len());
                bytes.splice(place..place, bytes[place..end].to_vec());
            }
        }
    }
    bytes
}
