use std::str::FromStr;

use fhir::{Id, ResourceType, Target, Timestamp};
use store::Class;

use super::*;
use crate::mutants;

fn headers(lines: &[(HeaderName, &[u8])]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(
            name.clone(),
            HeaderValue::from_bytes(value).expect("a header value"),
        );
    }
    map
}

fn if_match(lines: &[&[u8]]) -> Precondition {
    let lines: Vec<(HeaderName, &[u8])> = lines.iter().map(|line| (IF_MATCH, *line)).collect();
    of_write(&headers(&lines)).expect("an If-Match never makes a request malformed")
}

fn versions(numbers: &[u64]) -> Precondition {
    Precondition::Versions(
        numbers
            .iter()
            .filter_map(|number| VersionId::new(*number))
            .collect(),
    )
}

/// Version 3 of a patient, written at 2026-11-21T03:34:00.9Z.
fn stored() -> Stored {
    Stored {
        row: 1,
        target: Target {
            kind: ResourceType::Patient,
            id: Id::parse("a").expect("an id"),
        },
        version: VersionId::new(3).expect("a version"),
        updated: Timestamp::from_micros(1_795_232_040_900_000),
        deleted: false,
        class: Class::Ordinary,
        digest: [0; 16],
        body: String::new(),
        created: Timestamp::from_micros(0),
        created_by: String::new(),
        updated_by: String::new(),
        medicapp_id: None,
    }
}

#[test]
fn p34_if_match_is_a_list_over_all_lines() {
    assert_eq!(if_match(&[b"W/\"1\""]), versions(&[1]));
    assert_eq!(if_match(&[b"\"7\""]), versions(&[7]));
    assert_eq!(if_match(&[b"W/\"1\", W/\"2\""]), versions(&[1, 2]));
    assert_eq!(if_match(&[b"W/\"1\"", b"W/\"2\",\"3\""]), versions(&[1, 2, 3]));
    assert_eq!(if_match(&[b" , W/\"1\" ,, "]), versions(&[1]));
    assert_eq!(if_match(&[b"*"]), Precondition::Exists);
    assert_eq!(of_write(&HeaderMap::new()).ok(), Some(Precondition::None));
}

#[test]
fn p34_a_malformed_if_match_matches_no_version() {
    for line in [
        &b"1"[..],
        b"W/1",
        b"w/\"1\"",
        b"W/\"1",
        b"W/\"1\" W/\"2\"",
        b"W/\"1\";",
        b"W/\"1\", garbage",
        b"*, W/\"1\"",
        b"\xff\xfe",
        b"\"1\xff\"",
        b"",
        b",",
        b"\"a b\"",
    ] {
        assert_eq!(
            if_match(&[line]),
            versions(&[]),
            "{:?}",
            String::from_utf8_lossy(line)
        );
    }
    assert_eq!(if_match(&[b"*", b"W/\"1\""]), versions(&[]));
    assert_eq!(if_match(&[b"W/\"1\"", b"broken"]), versions(&[]));
}

#[test]
fn a_tag_that_is_no_version_matches_nothing_and_spoils_nothing() {
    assert_eq!(if_match(&[b"\"abc\", W/\"2\""]), versions(&[2]));
    assert_eq!(if_match(&[b"W/\"01\""]), versions(&[]));
    assert_eq!(if_match(&[b"W/\"0\""]), versions(&[]));
}

#[test]
fn p35_if_none_match_on_a_write_is_a_star() {
    let star = headers(&[(IF_NONE_MATCH, b"*")]);
    assert_eq!(of_write(&star).ok(), Some(Precondition::Absent));
    for line in [&b"W/\"1\""[..], b"1", b"\xff"] {
        let refusal = of_write(&headers(&[(IF_NONE_MATCH, line)]));
        assert_eq!(refusal.map_err(|refusal| refusal.status), Err(400));
    }
    let both = headers(&[(IF_MATCH, b"W/\"1\""), (IF_NONE_MATCH, b"*")]);
    assert_eq!(of_write(&both).ok(), Some(versions(&[])));
}

#[test]
fn a_reader_that_has_the_version_is_told_so() {
    for line in [&b"W/\"3\""[..], b"\"3\"", b"W/\"1\", W/\"3\"", b"*"] {
        assert!(
            is_known(&headers(&[(IF_NONE_MATCH, line)]), &stored()),
            "{:?}",
            String::from_utf8_lossy(line)
        );
    }
    for line in [&b"W/\"2\""[..], b"3", b"\xff"] {
        assert!(
            !is_known(&headers(&[(IF_NONE_MATCH, line)]), &stored()),
            "{:?}",
            String::from_utf8_lossy(line)
        );
    }
    assert!(!is_known(&HeaderMap::new(), &stored()));
}

#[test]
fn if_modified_since_counts_whole_seconds_and_only_without_if_none_match() {
    let own = crate::respond::http_date(stored().updated);
    assert!(HttpDate::from_str(&own).is_ok());
    let since = |date: &str| headers(&[(IF_MODIFIED_SINCE, date.as_bytes())]);
    assert!(is_known(&since(&own), &stored()));
    assert!(is_known(&since("Sat, 21 Nov 2099 03:34:00 GMT"), &stored()));
    assert!(!is_known(&since("Sat, 21 Nov 2020 03:34:00 GMT"), &stored()));
    assert!(!is_known(&since("yesterday"), &stored()));
    let both = headers(&[(IF_MODIFIED_SINCE, own.as_bytes()), (IF_NONE_MATCH, b"W/\"2\"")]);
    assert!(!is_known(&both, &stored()));
}

fn says(headers: &HeaderMap, name: &HeaderName, text: &str) -> bool {
    headers
        .get_all(name)
        .any(|line| String::from_utf8_lossy(line.as_bytes()).contains(text))
}

#[test]
fn t12_a_mutated_if_match_demands_only_versions_it_quotes() {
    let corpus = &["W/\"1\", W/\"2\"", "\"7\"", "*", "W/\"18446744073709551615\""];
    let count = mutants::each("If-Match", corpus, |headers| {
        match of_write(headers)? {
            Precondition::Versions(versions) => {
                for version in versions {
                    assert!(says(headers, &IF_MATCH, &format!("\"{version}\"")));
                }
            }
            Precondition::Exists => assert!(says(headers, &IF_MATCH, "*")),
            other => panic!("an If-Match became {other:?}"),
        }
        Ok(())
    });
    // A broken guard never lets a write through: it demands what no version fulfils (412).
    assert_eq!(count.taken, mutants::MUTANTS);
}

#[test]
fn t12_a_mutated_if_none_match_is_the_star_or_refused() {
    let corpus = &["*", "W/\"3\"", "W/\"1\", W/\"3\""];
    let count = mutants::each("If-None-Match", corpus, |headers| {
        if is_known(headers, &stored()) {
            assert!(says(headers, &IF_NONE_MATCH, "\"3\"") || says(headers, &IF_NONE_MATCH, "*"));
        }
        assert_eq!(of_write(headers)?, Precondition::Absent);
        Ok(())
    });
    assert!(count.taken > 10 && count.refused > 1_000, "{count:?}");
}

#[test]
fn t12_a_mutated_date_withholds_nothing_that_it_does_not_reach() {
    let corpus = &[
        "Sat, 21 Nov 2026 03:34:00 GMT",
        "Saturday, 21-Nov-26 03:34:00 GMT",
        "Sat Nov 21 03:34:00 2026",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ];
    let count = mutants::each("If-Modified-Since", corpus, |headers| {
        let dates = headers.get_all(IF_MODIFIED_SINCE);
        let line = dates.filter_map(|date| date.to_str().ok()).next();
        let reaches = line
            .and_then(|date| HttpDate::from_str(date).ok())
            .is_some_and(|date| SystemTime::from(date) >= SystemTime::from(stored_at()));
        assert!(reaches || !is_known(headers, &stored()));
        Ok(())
    });
    // A date that is none is passed over (RFC 9110, 13.1.3).
    assert_eq!(count.taken, mutants::MUTANTS);
}

/// The second in which [`stored`] was written.
fn stored_at() -> HttpDate {
    HttpDate::from_str(&crate::respond::http_date(stored().updated)).expect("a date")
}

#[test]
fn a_reader_that_has_what_bears_a_tag_is_told_so() {
    let known = |lines: &[&[u8]]| {
        let lines: Vec<(HeaderName, &[u8])> = lines.iter().map(|line| (IF_NONE_MATCH, *line)).collect();
        is_known_tag(&headers(&lines), "a1b2")
    };
    for lines in [
        &[&b"W/\"a1b2\""[..]][..],
        &[b"\"a1b2\""],
        &[b"*"],
        &[b"\"x\", W/\"a1b2\""],
        &[b"\"x\"", b"W/\"a1b2\""],
    ] {
        assert!(known(lines), "{lines:?}");
    }
    for lines in [
        &[][..],
        &[&b"W/\"a1b\""[..]],
        &[b"a1b2"],
        &[b"\"a1b2\"", b"broken"],
        &[b""],
    ] {
        assert!(!known(lines), "{lines:?}");
    }
}
