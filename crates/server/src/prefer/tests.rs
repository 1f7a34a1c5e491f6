use actix_web::http::header::HeaderValue;

use super::*;

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
