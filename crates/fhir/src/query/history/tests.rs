use super::*;
use crate::query::encoding::pairs;

fn parsed(query: &str, handling: Handling) -> Result<History, Vec<Issue>> {
    History::parse(Scope::System, &pairs(query).expect("pairs"), handling)
}

fn lenient(query: &str) -> History {
    parsed(query, Handling::Lenient).expect("a history")
}

#[test]
fn a_time_is_an_instant_or_the_stretch_that_a_part_of_it_names() {
    let history = lenient("_since=1970-01-01T00:00:01.000002Z&_at=1970-01-01");
    assert_eq!(history.since, Some(Timestamp::from_micros(1_000_002)));
    let day = TimeRange {
        low: 0,
        high: crate::time::MICROS_PER_DAY,
    };
    assert_eq!(history.at, Some(day));
}

#[test]
fn p46_the_link_lists_what_was_applied_with_the_plus_of_an_offset() {
    let query = "_since=1970-01-01T02:00:00+02:00&nonsense=1&_count=00099999999999&_cursor=ab&_format=json";
    let history = lenient(query);
    assert_eq!(history.since, Some(Timestamp::from_micros(0)));
    assert_eq!(
        history.link(None),
        "_since=1970-01-01T02:00:00%2B02:00&_count=1000&_format=json"
    );
    assert!(history.link(history.cursor.as_deref()).ends_with("&_cursor=ab"));
}

#[test]
fn what_is_not_understood_is_refused_and_named() {
    for (query, named) in [
        ("_since=yesterday", "_since"),
        ("_since=", "_since"),
        ("_at=ge2026", "_at"),
        ("_at:exact=2026", "_at:exact"),
        ("_count=many", "_count"),
        ("_count=1&_count=2", "_count"),
        ("_total=perhaps", "_total"),
        ("_cursor=", "_cursor"),
    ] {
        let issues = parsed(query, Handling::Lenient).expect_err(query);
        assert_eq!(issues.len(), 1, "{query}");
        assert!(
            issues[0].text.contains(&format!("`{named}`")),
            "{query}: {issues:?}"
        );
    }
}

#[test]
fn an_unknown_parameter_is_ignored_unless_strictness_is_asked_for() {
    assert_eq!(lenient("_list=List/1&family=x").applied, []);
    let issues = parsed("_list=List/1&family=x", Handling::Strict).expect_err("strict");
    assert_eq!(issues.len(), 2);
}
