//! T12: mutated bodies never panic; what is refused says why, what is accepted is the same resource in both
//! formats. The seed is fixed and named in every failure.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it counted"
)]

mod mutate;

use fhir::codec::{EncodeError, Format, decode, decode_tree, encode_xml};
use fhir::limits::MAX_ISSUES;
use fhir::validate::{regulator, validate};
use fhir::{Issue, Resource, ResourceType};
use mutate::{Random, mutate_bytes, mutate_text, mutate_tree};
use serde_json::{Map, Value};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Bodies of each format; their seeds count from 0.
const INPUTS: u64 = 10_000;
/// The longest that one body may take.
const LONGEST: Duration = Duration::from_millis(250);

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

/// The smaller fixtures of the two stored types: their name, and their tree.
fn corpus() -> Vec<(String, Map<String, Value>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fhir/codec");
    let mut corpus: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let body = fs::read(path).unwrap();
            let tree: Map<String, Value> = serde_json::from_slice(&body).unwrap();
            let name = tree["resourceType"].as_str().unwrap().to_owned();
            decode_tree(&body, Format::Json, &name).unwrap();
            (name, tree)
        })
        .filter(|(_, tree)| serde_json::to_string(tree).unwrap().len() < 4_000)
        .collect();
    corpus.sort_by_key(|(_, tree)| serde_json::to_string(tree).unwrap());
    assert!(corpus.len() >= 6, "the fixtures are missing");
    corpus
}

/// Reads a body and holds the codec to its promises. Says whether it was accepted.
fn check(seed: u64, body: &[u8], format: Format, expected: &str) -> bool {
    let shown = || format!("seed {seed}: {}", String::from_utf8_lossy(body));
    let mut started = Instant::now();
    let mut answer = decode_tree(body, format, expected);
    if started.elapsed() > LONGEST {
        // The machine may have been busy elsewhere: only what is slow twice is slow.
        started = Instant::now();
        answer = decode_tree(body, format, expected);
    }
    assert!(started.elapsed() <= LONGEST, "slow, {}", shown());
    match answer {
        Err(of_form) => {
            let issues = all_issues(body, format, expected);
            assert!(issues.starts_with(&of_form), "issues were lost, {}", shown());
            assert!(
                !issues.is_empty() && issues.len() <= MAX_ISSUES,
                "{} issues, {}",
                issues.len(),
                shown()
            );
            for issue in &issues {
                assert!(
                    !issue.text.trim().is_empty(),
                    "an issue without text, {}",
                    shown()
                );
            }
            false
        }
        Ok(tree) => {
            let json = serde_json::to_vec(&tree).unwrap();
            let again = decode_tree(&json, Format::Json, expected)
                .unwrap_or_else(|issues| panic!("own JSON refused: {issues:#?}, {}", shown()));
            assert_eq!(again, tree, "JSON is not the same, {}", shown());
            match encode_xml(&tree) {
                Ok(xml) => {
                    let again = decode_tree(xml.as_bytes(), Format::Xml, expected)
                        .unwrap_or_else(|issues| panic!("own XML refused: {issues:#?}, {}\n{xml}", shown()));
                    assert_eq!(again, tree, "XML is not the same, {}\n{xml}", shown());
                }
                // JSON with unknown properties or the wrong kind of value: validation refuses it.
                Err(
                    EncodeError::UnknownElement(_) | EncodeError::UnknownType(_) | EncodeError::Mistyped(_),
                ) => assert_eq!(format, Format::Json, "{}", shown()),
                Err(error) => panic!("{error}, {}", shown()),
            }
            true
        }
    }
}

/// What a sender is told of a body that is refused: with the faults of what could be read of it.
fn all_issues(body: &[u8], format: Format, expected: &str) -> Vec<Issue> {
    let Some(kind) = ResourceType::parse(expected) else {
        return decode_tree(body, format, expected).unwrap_err();
    };
    let malformed = decode(body, format, kind).unwrap_err();
    malformed.all_issues(|rest| {
        let resource = Resource::from_guarded(kind, rest);
        [validate(&resource), regulator::shape(&resource)].concat()
    })
}

fn share_is_sensible(accepted: u64) {
    println!("{accepted} of {INPUTS} accepted, seeds 0..{INPUTS}");
    assert!(
        accepted > INPUTS / 50,
        "only {accepted} accepted: nothing is tested"
    );
    assert!(
        accepted < INPUTS * 49 / 50,
        "{accepted} accepted: nothing is mutated"
    );
}

#[test]
fn t12_mutated_json_is_refused_with_a_reason_or_kept_whole() {
    on_a_small_stack(|| {
        let corpus = corpus();
        let mut accepted = 0;
        for seed in 0..INPUTS {
            let mut random = Random::new(seed);
            let (expected, tree) = random.pick(&corpus);
            let mut value = Value::Object(tree.clone());
            let body = match random.below(4) {
                0 => mutate_bytes(&mut random, serde_json::to_vec(&value).unwrap()),
                1 => mutate_text(
                    &mut random,
                    &serde_json::to_string_pretty(&value).unwrap(),
                    ['"', '"'],
                )
                .into_bytes(),
                _ => {
                    for _ in 0..=random.below(3) {
                        mutate_tree(&mut random, &mut value, &corpus);
                    }
                    serde_json::to_vec(&value).unwrap()
                }
            };
            accepted += u64::from(check(seed, &body, Format::Json, expected));
        }
        share_is_sensible(accepted);
    });
}

#[test]
fn t12_mutated_xml_is_refused_with_a_reason_or_kept_whole() {
    on_a_small_stack(|| {
        let corpus: Vec<(String, String)> = corpus()
            .into_iter()
            .map(|(name, tree)| (name, encode_xml(&tree).unwrap()))
            .collect();
        let mut accepted = 0;
        for seed in 0..INPUTS {
            let mut random = Random::new(seed ^ 0x5A17);
            let (expected, xml) = random.pick(&corpus);
            let body = match random.below(4) {
                0 => mutate_bytes(&mut random, xml.clone().into_bytes()),
                1 => mutate_text(&mut random, xml, ['"', '"']).into_bytes(),
                _ => mutate_text(&mut random, xml, ['<', '>']).into_bytes(),
            };
            accepted += u64::from(check(seed, &body, Format::Xml, expected));
        }
        share_is_sensible(accepted);
    });
}
