//! Characters that mean something to SQL, LIKE, FHIR or a URL mean themselves in every parameter and
//! modifier: each search finds what an evident in-memory comparison finds.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::percent_encode;
use testkit::tests;

use super::tokens::Corner;

/// All tests of this file.
pub const TESTS: &[Test] = tests![t19_wildcards_and_quotes_mean_themselves_everywhere];

/// What is stored and asked for: alone, before, within and after plain letters.
const SPECIALS: [&str; 12] = ["%", "_", "\\", "'", "\"", ";", "$", "|", ",", "--", "*", "${x}"];

/// The texts that are stored: one resource each.
fn texts() -> Vec<String> {
    let special = SPECIALS
        .iter()
        .flat_map(|special| [format!("ab{special}cd"), format!("{special}zz")]);
    special
        .chain([
            "abxcd".into(),
            "abcd".into(),
            "ab".into(),
            "zz".into(),
            "xzz".into(),
        ])
        .collect()
}

/// What a string search of each modifier must find; all texts here are folded already.
fn passes(modifier: &str, stored: &str, asked: &str) -> bool {
    match modifier {
        ":contains" => stored.contains(asked),
        ":exact" => stored == asked,
        _ => stored.starts_with(asked),
    }
}

fn t19_wildcards_and_quotes_mean_themselves_everywhere(context: &Context) {
    let corner = Corner::new(context);
    let texts = texts();
    for (number, text) in texts.iter().enumerate() {
        corner.put(&format!("{number:02}"), everywhere(text));
    }
    let escaped = |text: &str| {
        let mut escaped = String::new();
        for character in text.chars() {
            if ['\\', ',', '|', '$'].contains(&character) {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        percent_encode(&escaped)
    };
    let expected = |passing: &dyn Fn(&str) -> bool| {
        let found = texts.iter().enumerate().filter(|(_, text)| passing(text));
        found
            .map(|(number, _)| format!("{number:02}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut asked: Vec<String> = SPECIALS
        .iter()
        .flat_map(|special| [format!("ab{special}"), (*special).to_owned()])
        .collect();
    asked.extend(texts.iter().cloned());
    let mut wrong = Vec::new();
    let mut checked = 0;
    let mut check = |query: String, expected: String| {
        checked += 1;
        let found = corner.find(&query);
        if found != expected {
            wrong.push(format!("{query}: expected {expected:?}, found {found:?}"));
        }
    };
    for text in &asked {
        let value = escaped(text);
        // Each special character in each modifier; the parameters in turn, so that all of them are met.
        let strings = [
            "family",
            "given",
            "name",
            "address",
            "address-city",
            "address-state",
            "address-country",
            "address-postalcode",
            "mothersMaidenName",
        ];
        for modifier in ["", ":exact", ":contains"] {
            let turn = text.bytes().map(usize::from).sum::<usize>() + modifier.len();
            for parameter in [strings[turn % strings.len()], strings[(turn + 4) % strings.len()]] {
                check(
                    format!("{parameter}{modifier}={value}"),
                    expected(&|stored| passes(modifier, stored, text)),
                );
            }
        }
        let equal = expected(&|stored| stored == text);
        for parameter in ["identifier", "language", "_tag", "_security"] {
            check(format!("{parameter}={value}"), equal.clone());
        }
        check(format!("identifier=urn:s|{value}"), equal.clone());
        check(format!("identifier:of-type=urn:t|T|{value}"), equal.clone());
        check(
            format!("identifier:not={value}"),
            expected(&|stored| stored != text),
        );
        check(
            format!("_source={}", escaped(&format!("urn:{text}"))),
            expected(&|stored| stored == text),
        );
        check(format!("general-practitioner:identifier=urn:s|{value}"), equal);
    }
    assert!(
        wrong.is_empty(),
        "{} of {checked} searches:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // Nobody was harmed.
    assert_eq!(corner.find("").split(' ').count(), texts.len());
}

/// A patient that holds the text wherever a parameter looks.
fn everywhere(text: &str) -> Value {
    json!({
        "meta": {
            "source": format!("urn:{text}"),
            "tag": [{ "code": text }],
            "security": [{ "code": text }]
        },
        "extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName",
            "valueString": text
        }],
        "identifier": [{
            "type": { "coding": [{ "system": "urn:t", "code": "T" }] }, "system": "urn:s", "value": text
        }],
        "name": [{ "family": text, "given": [text] }],
        "address": [{ "city": text, "state": text, "country": text, "postalCode": text, "line": [text] }],
        "communication": [{ "language": { "coding": [{ "code": text }] } }],
        "generalPractitioner": [{ "identifier": { "system": "urn:s", "value": text } }]
    })
}
