use std::collections::HashSet;

use super::{bytes, header, json, query, shrink, truncations, xml};
use crate::samples::Patient;

const SEEDS: std::ops::Range<u64> = 0..3000;
const XML: &[u8] =
    br#"<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="a"/>
  <name><family value="Belmontel"/><given value="Zo&#233;"/></name></Patient>"#;
const QUERY: &str = "identifier=urn:oid:1.2|abc%2Fd&birthdate=ge1980&_count=10";
const HEADER: &str = "W/\"1\", W/\"2\"";

#[test]
fn the_same_seed_gives_the_same_variant_and_most_seeds_another_one() {
    let document = Patient::new(1).json().to_string().into_bytes();
    type Mutate<'a> = &'a dyn Fn(u64) -> Vec<u8>;
    let all: [(&str, Mutate<'_>); 5] = [
        ("json", &|seed| json(seed, &document)),
        ("xml", &|seed| xml(seed, XML)),
        ("bytes", &|seed| bytes(seed, XML)),
        ("query", &|seed| query(seed, QUERY)),
        ("header", &|seed| header(seed, HEADER)),
    ];
    for (name, mutate) in all {
        let mut seen = HashSet::new();
        for seed in SEEDS {
            let variant = mutate(seed);
            assert_eq!(variant, mutate(seed), "{name} {seed}");
            seen.insert(variant);
        }
        assert!(
            seen.len() > SEEDS.end as usize * 2 / 3,
            "{name}: only {} variants",
            seen.len()
        );
    }
}

#[test]
fn json_variants_reach_both_sides_of_the_syntax() {
    let document = Patient::new(1).json();
    let text = document.to_string().into_bytes();
    let (mut valid, mut broken, mut doubled) = (0, 0, 0);
    for seed in SEEDS {
        let variant = json(seed, &text);
        match serde_json::from_slice::<serde_json::Value>(&variant) {
            Ok(value) if value.to_string().len() < variant.len() => doubled += 1,
            Ok(_) => valid += 1,
            Err(_) => broken += 1,
        }
    }
    assert!(
        valid > 500 && broken > 200 && doubled > 50,
        "{valid} valid, {broken} broken, {doubled} doubled"
    );
}

#[test]
fn sendable_variants_stay_within_their_line() {
    for seed in SEEDS {
        assert!(
            !query(seed, QUERY).iter().any(|byte| b" \r\n".contains(byte)),
            "query {seed}"
        );
        assert!(
            !header(seed, HEADER).iter().any(|byte| b"\r\n\0".contains(byte)),
            "header {seed}"
        );
    }
}

#[test]
fn odd_inputs_are_mutated_too() {
    for seed in 0..500 {
        for input in [&b""[..], b"{}", b"[]", b"null", b"\xff", b"<", b"a"] {
            json(seed, input);
            xml(seed, input);
            bytes(seed, input);
        }
        query(seed, "");
        header(seed, "");
    }
    assert_eq!(truncations(b"abc").collect::<Vec<_>>(), [&b""[..], b"a", b"ab"]);
}

#[test]
fn a_failing_input_shrinks_to_what_makes_it_fail() {
    let input = format!("{}needle{}", "hay".repeat(300), "stack".repeat(300));
    let mut trials = 0;
    let small = shrink(input.as_bytes(), |candidate| {
        trials += 1;
        String::from_utf8_lossy(candidate).contains("needle")
    });
    assert_eq!(small, b"needle");
    assert!(trials <= 5000);
}
