//! Tampered cursors: refused, never data.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::mutate;
use testkit::tests;

use super::tokens::Corner;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t23_a_tampered_cursor_is_refused,
    another_spaces_cursor_is_refused_or_finds_nothing
];

/// Variants of one cursor.
const TAMPERED: u64 = 1000;

fn t23_a_tampered_cursor_is_refused(context: &Context) {
    let corner = Corner::new(context);
    (0..5).for_each(|number| corner.put(&number.to_string(), json!({})));
    let first = corner
        .fhir
        .get(format!("/Patient?_tag={}&_count=2", corner.tag))
        .send()
        .expect(200)
        .json();
    let next = link(&first, "next").unwrap();
    let (base, cursor) = next.split_once("_cursor=").unwrap();
    let (cursor, rest) = cursor.split_once('&').unwrap_or((cursor, ""));
    let right = ids(&corner.fhir.get(&next).send().expect(200).json());
    let mut refusals = 0;
    for seed in 0..TAMPERED {
        let changed = match seed % 3 {
            // One character, replaced by another of the alphabet: what a forger would try.
            0 => flip(cursor, seed as usize),
            1 => String::from_utf8_lossy(&mutate::bytes(seed, cursor.as_bytes())).into_owned(),
            _ => String::from_utf8_lossy(&mutate::query(seed, cursor)).into_owned(),
        };
        if changed == cursor {
            continue;
        }
        let target = format!("{base}_cursor={}&{rest}", testkit::http::percent_encode(&changed));
        let answer = corner.fhir.get(&target).send();
        match answer.status {
            400 => {
                refusals += 1;
                assert!(!answer.issues().is_empty(), "seed {seed}: {answer:?}");
            }
            // Another spelling of the same bytes would be the same cursor.
            200 => assert_eq!(ids(&answer.json()), right, "seed {seed} {changed:?}: {answer:?}"),
            _ => panic!("seed {seed} {changed:?}: {answer:?}"),
        }
    }
    assert!(
        refusals > TAMPERED * 95 / 100,
        "{refusals} of {TAMPERED} were refused"
    );
    for odd in ["", "x", "AAAA", "-1", "0", &"A".repeat(5000)] {
        let answer = corner.fhir.get(format!("{base}_cursor={odd}")).send();
        assert_eq!(answer.status, 400, "{odd:?}: {answer:?}");
    }
}

fn flip(cursor: &str, seed: usize) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = cursor.as_bytes().to_vec();
    let place = seed % bytes.len();
    bytes[place] = alphabet[(seed / bytes.len() + usize::from(bytes[place])) % alphabet.len()];
    String::from_utf8(bytes).unwrap()
}

fn another_spaces_cursor_is_refused_or_finds_nothing(context: &Context) {
    let (server, fhir) = context.fhir();
    for number in 0..3 {
        fhir.post("/Patient")
            .json(&patient(&number.to_string()))
            .send()
            .expect(201);
    }
    succeeds(context, &server, &["space", "add", "other", "--sandbox"]);
    let scope = "system/Patient.cruds";
    succeeds(
        context,
        &server,
        &[
            "client", "add", "stranger", "--space", "other", "--door", "fhir", "--scope", scope,
        ],
    );
    let stranger = fhir_with_key(&server, &issue_key(context, &server, "stranger"));
    let bundle = fhir.get("/Patient?_count=1").send().expect(200).json();
    let answer = stranger.get(link(&bundle, "next").unwrap()).send();
    assert!(
        answer.status == 400 || ids(&answer.json()).is_empty(),
        "{answer:?}"
    );
    assert_eq!(stranger.get("/Patient").send().expect(200).json()["total"], 0);
}
