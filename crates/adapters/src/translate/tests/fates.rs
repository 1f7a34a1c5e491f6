//! The ledger says what really became of a field.

use serde_json::Value;

use super::super::{Counts, MAX_PATHS};
use super::{Dialect, Ledger, World, dropped, translate};
use crate::medicapp::tests::sample;

fn counts(ledger: &Ledger, path: &str) -> (u64, u64, u64) {
    let row = ledger.rows().find(|(known, _)| *known == path);
    let counts = row.map_or(Counts::default(), |(_, counts)| *counts);
    (counts.used, counts.defaulted, counts.dropped)
}

#[test]
fn unknown_keys_are_dropped_and_what_was_missing_is_told() {
    let world = World::new();
    let record = r#"{"firstName":"A","lastName":"B","birthDate":"1990-01-01","email":null,"nickname":"x",
        "address":{"city":"Paris","floor":"2","street":null},"createdAt":"2024-01-15T09:30:00Z"}"#;
    let ledger = translate(
        Dialect::MedicappConnect,
        Dialect::Fhir,
        record.as_bytes(),
        &world.options(),
    )
    .expect("valid")
    .ledger;
    assert_eq!(dropped(&ledger), ["$.address.floor", "$.createdAt", "$.nickname"]);
    assert_eq!(counts(&ledger, "$.address.city"), (1, 0, 0));
    assert_eq!(counts(&ledger, "$.email"), (0, 0, 0));
    assert_eq!(counts(&ledger, "Patient.active"), (0, 1, 0));
    assert_eq!(counts(&ledger, "Patient.managingOrganization"), (0, 1, 0));
}

#[test]
fn between_partners_counts_what_arrives_not_what_fhir_held_on_the_way() {
    let world = World::new();
    let record = r#"{"id":"p-1","brand_id":"acme","first_name":"A","last_name":"B","gender":"nb","status":"active",
        "external_ids":{"crm":"1"},"metadata":{"n":1e400},"email":"a@b.c"}"#;
    let translated = translate(
        Dialect::PatientGraph,
        Dialect::MedicappConnect,
        record.as_bytes(),
        &world.options(),
    );
    let ledger = translated.expect("valid").ledger;
    assert_eq!(
        dropped(&ledger),
        ["$.brand_id", "$.external_ids", "$.id", "$.metadata", "$.status"]
    );
    for used in ["$.first_name", "$.last_name", "$.gender", "$.email"] {
        assert_eq!(counts(&ledger, used), (1, 0, 0), "{used}");
    }
    assert_eq!(counts(&ledger, "result $.phone"), (0, 1, 0));
    assert_eq!(counts(&ledger, "result $.birthDate"), (0, 1, 0));
}

/// What is said to be dropped can be taken away, all of it, and the door shows the same.
#[test]
fn what_is_dropped_can_be_missed() {
    let world = World::new();
    for seed in 1..=400 {
        let tree = sample::patient(&mut sample::Random::new(seed), world.naming.base());
        let patient = world.patient(Dialect::Fhir, &tree.to_string());
        for dialect in [
            Dialect::MedicappCloud,
            Dialect::MedicappConnect,
            Dialect::PatientGraph,
        ] {
            let shown = world.shown(dialect, &patient);
            let mut without = patient.clone();
            for path in dropped(&shown.ledger) {
                let property = path.strip_prefix("Patient.").expect("a path of a Patient");
                let is_used = shown
                    .ledger
                    .rows()
                    .any(|(known, counts)| known.starts_with(path) && counts.used > 0);
                let is_whole = !is_used && !property.contains(['.', '(']);
                if is_whole {
                    let had = without.tree_mut().shift_remove(property);
                    assert!(had.is_some(), "seed {seed}, {dialect}: {path}");
                }
            }
            let again = world.shown(dialect, &without);
            assert_eq!(again.content, shown.content, "seed {seed}, {dialect}");
        }
    }
}

#[test]
fn every_top_level_element_of_a_patient_has_a_fate() {
    let world = World::new();
    for seed in 1..=400 {
        let tree = sample::patient(&mut sample::Random::new(seed), world.naming.base());
        let patient = world.patient(Dialect::Fhir, &tree.to_string());
        let ledger = world.shown(Dialect::MedicappCloud, &patient).ledger;
        for (property, value) in patient.tree() {
            let begins = format!("Patient.{property}");
            let items = value.as_array().map_or(1, Vec::len);
            let fates: u64 = ledger
                .rows()
                .filter(|(path, _)| {
                    let rest = path.strip_prefix(&begins);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '(']))
                })
                .map(|(_, counts)| counts.used + counts.dropped)
                .sum();
            let is_told = fates >= u64::try_from(items).unwrap();
            assert!(
                is_told || property == "resourceType",
                "seed {seed}: {property} {:?}",
                ledger.rows().collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn ledgers_add_up_and_do_not_grow_with_the_senders_words() {
    let world = World::new();
    let mut all = Ledger::default();
    for number in 0..MAX_PATHS as u64 + 50 {
        let record = format!(
            r#"{{"firstName":"A","lastName":"B","birthDate":"1990-01-01","k{number}":1,"\u001b[31m":"x"}}"#
        );
        // A control character in a key is refused before it reaches a terminal.
        let refused = translate(
            Dialect::MedicappConnect,
            Dialect::Fhir,
            record.as_bytes(),
            &world.options(),
        );
        let problems = refused.unwrap_err();
        assert!(!problems[0].to_string().contains('\u{1b}'), "{problems:?}");
        let record = record.replace(r#","\u001b[31m":"x""#, "");
        let translated = translate(
            Dialect::MedicappConnect,
            Dialect::Fhir,
            record.as_bytes(),
            &world.options(),
        );
        all.add(&translated.expect("valid").ledger);
    }
    assert_eq!(all.rows().count(), MAX_PATHS + 1);
    let lost: u64 = all.rows().map(|(_, counts)| counts.dropped).sum();
    assert_eq!(lost, MAX_PATHS as u64 + 50);
    assert_eq!(counts(&all, "$.firstName").0, MAX_PATHS as u64 + 50);
    assert!(counts(&all, "(other fields)").2 > 0);
    let long = Value::String("k".repeat(5_000));
    let record = format!(r#"{{"firstName":"A","lastName":"B","birthDate":"1990-01-01",{long}:1}}"#);
    let translated = translate(
        Dialect::MedicappConnect,
        Dialect::Fhir,
        record.as_bytes(),
        &world.options(),
    );
    let ledger = translated.expect("valid").ledger;
    assert!(ledger.rows().all(|(path, _)| path.chars().count() <= 201));
}
