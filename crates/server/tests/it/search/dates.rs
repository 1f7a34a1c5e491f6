//! Date parameters: prefixes and partial dates as ranges.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::tokens::Corner;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    prefixes_compare_ranges,
    partial_dates_are_ranges_on_both_sides,
    impossible_dates_are_refused,
    p58_a_birthdate_is_a_day_wherever_one_stands,
    last_updated_is_searched_to_the_microsecond,
    approximately_allows_a_tenth_and_at_least_a_day,
];

fn prefixes_compare_ranges(context: &Context) {
    let corner = Corner::new(context);
    for day in ["1980-05-16", "1980-05-17", "1980-05-18"] {
        corner.put(&day[8..], json!({ "birthDate": day }));
    }
    corner.put("none", json!({}));
    for (query, expected) in [
        ("birthdate=1980-05-17", "17"),
        ("birthdate=eq1980-05-17", "17"),
        ("birthdate=ne1980-05-17", "16 18"),
        ("birthdate=gt1980-05-17", "18"),
        ("birthdate=lt1980-05-17", "16"),
        ("birthdate=ge1980-05-17", "17 18"),
        ("birthdate=le1980-05-17", "16 17"),
        ("birthdate=sa1980-05-17", "18"),
        ("birthdate=eb1980-05-17", "16"),
        ("birthdate=1980-05", "16 17 18"),
        ("birthdate=1980", "16 17 18"),
        ("birthdate=ne1980", ""),
        ("birthdate=gt1980", ""),
        ("birthdate=sa1979", "16 17 18"),
        ("birthdate=gt1980-05-16&birthdate=lt1980-05-18", "17"),
        ("birthdate=1980-05-16,1980-05-18", "16 18"),
        ("birthdate=1980-05-17T12:00:00Z", ""),
    ] {
        assert_eq!(corner.find(query), expected, "{query}");
    }
}

fn partial_dates_are_ranges_on_both_sides(context: &Context) {
    let corner = Corner::new(context);
    corner.put("year", json!({ "birthDate": "1980" }));
    corner.put("month", json!({ "birthDate": "1980-02" }));
    corner.put("leap", json!({ "birthDate": "1980-02-29" }));
    for (query, expected) in [
        ("birthdate=1980", "leap month year"),
        ("birthdate=1980-02", "leap month"),
        ("birthdate=1980-02-29", "leap"),
        ("birthdate=gt1980-02-29", "year"),
        ("birthdate=lt1980-02-29", "month year"),
        ("birthdate=ge1980-02", "leap month year"),
        ("birthdate=sa1980-01", "leap month"),
        ("birthdate=eb1980-03", "leap month"),
        ("birthdate=ap1980-02-29", "leap month year"),
    ] {
        assert_eq!(corner.find(query), expected, "{query}");
    }
}

fn impossible_dates_are_refused(context: &Context) {
    let corner = Corner::new(context);
    for bad in [
        "1981-02-29",
        "1980-13",
        "1980-00-01",
        "80-01-01",
        "1980-1-1",
        "19800101",
        "1980-01-01T25:00:00Z",
        "xx1980",
        "eq",
        "ge",
        "+1980",
        "1980-01-01T10:00",
        "yesterday",
        "1980-05-17Z",
        "10000-01-01",
    ] {
        let status = corner.status(&format!("birthdate={bad}"));
        if bad == "1980-01-01T10:00" {
            assert!(matches!(status, 200 | 400), "{bad}: {status}");
        } else {
            assert_eq!(status, 400, "{bad}");
        }
    }
    assert_eq!(corner.status("_lastUpdated=2026-02-30"), 400);
    assert_eq!(corner.status("death-date=le2026-02-31"), 400);
}

fn p58_a_birthdate_is_a_day_wherever_one_stands(context: &Context) {
    let corner = Corner::new(context);
    corner.put("last", json!({ "birthDate": "2023-12-31" }));
    corner.put("first", json!({ "birthDate": "2024-01-01" }));
    assert_eq!(corner.find("birthdate=2024"), "first");
    assert_eq!(corner.find("birthdate=2023"), "last");
    assert_eq!(corner.find("birthdate=lt2024"), "last");
    // A day holds its midnights, in whatever zone the question names them.
    let by_hour = corner.find("birthdate=ge2023-12-31T23:00:00Z&birthdate=lt2024-01-02");
    assert!(by_hour.contains("first"), "{by_hour}");
}

fn last_updated_is_searched_to_the_microsecond(context: &Context) {
    let corner = Corner::new(context);
    let mut stamps = Vec::new();
    for name in ["a", "b", "c"] {
        corner.put(name, json!({}));
        let path = format!("/Patient/{}-{name}", corner.tag);
        stamps.push(
            corner.fhir.get(path).send().expect(200).json()["meta"]["lastUpdated"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let middle = testkit::http::percent_encode(&stamps[1]);
    assert_eq!(corner.find(&format!("_lastUpdated={middle}")), "b");
    assert_eq!(corner.find(&format!("_lastUpdated=gt{middle}")), "c");
    assert_eq!(corner.find(&format!("_lastUpdated=lt{middle}")), "a");
    assert_eq!(corner.find(&format!("_lastUpdated=ge{middle}")), "b c");
    assert_eq!(corner.find("_lastUpdated=lt2020"), "");
    assert_eq!(corner.find("_lastUpdated=ge2020-01-01T00:00:00%2B01:00"), "a b c");
    assert_eq!(corner.find("_lastUpdated=ge2020-01-01T00:00:00+01:00"), "a b c");
}

fn approximately_allows_a_tenth_and_at_least_a_day(context: &Context) {
    let corner = Corner::new(context);
    corner.put("a", json!({ "birthDate": "1980-05-17" }));
    // About forty-six years from now: a tenth is more than four.
    assert_eq!(corner.find("birthdate=ap1982"), "a");
    assert_eq!(corner.find("birthdate=ap1978"), "a");
    assert_eq!(corner.find("birthdate=ap1960"), "");
    assert_eq!(corner.find("birthdate=ap2000"), "");
}
