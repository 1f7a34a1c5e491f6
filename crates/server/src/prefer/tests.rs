use actix_web::http::header::HeaderValue;

use super::*;
use crate::mutants;

fn prefer(lines: &[&'static str]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines {
        map.append(PREFER, HeaderValue::from_static(line));
    }
    map
}

#[test]
fn return_is_found_in_any_line_and_place() {
    for (lines, expected) in [
        (&[][..], Return::Representation),
        (&["return=minimal"], Return::Minimal),
        (&["return=representation"], Return::Representation),
        (&["return=OperationOutcome"], Return::OperationOutcome),
        (&["handling=strict, return=minimal"], Return::Minimal),
        (&["handling=strict", "return=minimal"], Return::Minimal),
        (&["respond-async, RETURN = \"minimal\"; x=y"], Return::Minimal),
        (&["return=everything"], Return::Representation),
        (&["return"], Return::Representation),
        (&["return=minimal, return=representation"], Return::Minimal),
    ] {
        assert_eq!(returned(&prefer(lines)), expected, "{lines:?}");
    }
}

#[test]
fn handling_is_lenient_unless_strict_is_asked_for() {
    assert_eq!(handling(&prefer(&[])), Handling::Lenient);
    assert_eq!(handling(&prefer(&["handling=lenient"])), Handling::Lenient);
    assert_eq!(
        handling(&prefer(&["return=minimal", "handling=strict"])),
        Handling::Strict
    );
    assert_eq!(handling(&prefer(&["handling=very-strict"])), Handling::Lenient);
}

#[test]
fn t12_a_mutated_prefer_asks_for_nothing_it_does_not_say() {
    let corpus = &[
        "return=minimal",
        "return=OperationOutcome; x=\"y\", handling=strict",
        "respond-async, handling=lenient, return=representation",
    ];
    let count = mutants::each("Prefer", corpus, |headers| {
        let says = |word: &str| {
            headers
                .get_all(PREFER)
                .any(|line| String::from_utf8_lossy(line.as_bytes()).contains(word))
        };
        match returned(headers) {
            Return::Minimal => assert!(says("minimal")),
            Return::OperationOutcome => assert!(says("OperationOutcome")),
            Return::Representation => {}
        }
        assert!(handling(headers) == Handling::Lenient || says("strict"));
        Ok(())
    });
    // What is not understood is no preference (RFC 7240, 2): nothing is ever refused.
    assert_eq!(count.taken, mutants::MUTANTS);
}
