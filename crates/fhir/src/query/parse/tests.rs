//! Every form that is accepted, every form that is refused, and that a refusal names its parameter.

use std::time::{Duration, Instant};

use super::*;
use crate::limits::{MAX_ALTERNATIVES, MAX_INDEXED_CHARS, MAX_QUERY_BYTES, MAX_QUERY_PARAMETERS};
use crate::query::history::{History, Scope};
use crate::query::subset::Subset;
use crate::query::{Direction, Include, Level, Query, TokenTest, Total};
use crate::query::{sample, subset};
use ResourceType::Patient;

mod of_criteria;
mod of_searches;

fn lenient(query: &str) -> Result<Query, Vec<Issue>> {
    search(Patient, &pairs(query)?, Handling::Lenient, sample::now())
}

fn strictly(query: &str) -> Result<Query, Vec<Issue>> {
    search(Patient, &pairs(query)?, Handling::Strict, sample::now())
}

fn conditional(query: &str) -> Result<Criteria, Vec<Issue>> {
    criteria(Patient, query, NameCase::Exact, sample::now())
}

fn header(text: &str) -> Result<Criteria, Vec<Issue>> {
    if_none_exist(Patient, text, sample::now())
}

fn criteria_of(kind: ResourceType, query: &str) -> Criteria {
    criteria(kind, query, NameCase::Exact, sample::now()).unwrap()
}

/// The one test of the one clause.
#[track_caller]
fn only(criteria: Result<Criteria, Vec<Issue>>) -> Test {
    let criteria = criteria.unwrap_or_else(|issues| panic!("{issues:?}"));
    assert_eq!(criteria.clauses.len(), 1);
    criteria.clauses[0].test.clone()
}

#[track_caller]
fn assert_test(criteria: Result<Criteria, Vec<Issue>>, expected: Test) {
    // `Test` does not print its values.
    assert!(only(criteria) == expected);
}

#[track_caller]
fn refused<T>(outcome: Result<T, Vec<Issue>>, naming: &str) -> Vec<Issue> {
    let Err(issues) = outcome else {
        panic!("accepted: {naming}")
    };
    assert!(!issues.is_empty());
    let named = issues.iter().any(|issue| issue.text.contains(naming));
    assert!(named, "no issue names {naming}: {issues:?}");
    assert!(issues.iter().all(Issue::is_error));
    issues
}

fn system_code(system: &str, code: &str) -> Test {
    Test::Token(vec![pair_of(system, code)])
}

fn pair_of(system: &str, code: &str) -> TokenTest {
    TokenTest::SystemCode {
        system: system.to_owned(),
        code: code.to_owned(),
    }
}

#[test]
fn each_limit_holds_on_both_sides() {
    let alternatives = |count: usize| format!("identifier={}", vec!["a"; count].join(","));
    assert!(conditional(&alternatives(MAX_ALTERNATIVES)).is_ok());
    refused(conditional(&alternatives(MAX_ALTERNATIVES + 1)), "`identifier`");
    let parameters = |count: usize| vec!["name=a"; count].join("&");
    assert!(conditional(&parameters(MAX_QUERY_PARAMETERS)).is_ok());
    refused(conditional(&parameters(MAX_QUERY_PARAMETERS + 1)), "parameters");
    let bytes = |count: usize| format!("_source={}", "a".repeat(count - 8));
    assert!(conditional(&bytes(MAX_QUERY_BYTES)).is_ok());
    refused(conditional(&bytes(MAX_QUERY_BYTES + 1)), "longer");
    let name = |count: usize| format!("name={}", "a".repeat(count));
    assert!(conditional(&name(MAX_INDEXED_CHARS)).is_ok());
    refused(conditional(&name(MAX_INDEXED_CHARS + 1)), "`name`");
}

/// T12 for queries: whatever arrives is answered, and a refusal says which parameter it is about.
#[test]
fn t12_ten_thousand_mutated_queries_are_answered() {
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    thread.spawn(mutated_queries).unwrap().join().unwrap();
}

fn mutated_queries() {
    const SEED: u64 = 0x5EED_0012;
    const LONGEST: Duration = Duration::from_millis(250);
    println!("seed {SEED:#x}");
    let mut state = SEED;
    let mut next = move |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let scraps = [
        "%", "%zz", "%00", "%C3", "\\", "|", ",", ":", "=", "&", "+", " ", "é", "?", "ge", "\u{301}", "9999",
        ":not", ".",
    ];
    let mut refusals = 0;
    for case in 0..10_000_u64 {
        let kind = ResourceType::ALL[next(2)];
        let mut text: Vec<char> = sample::query_string(case, kind).chars().collect();
        for _ in 0..=next(3) {
            let place = next(text.len() + 1);
            match next(3) {
                0 if place < text.len() => drop(text.remove(place)),
                1 if place < text.len() => text.swap(0, place),
                _ => drop(text.splice(place..place, scraps[next(scraps.len())].chars())),
            }
        }
        let text: String = text.into_iter().collect();
        let answers = || {
            let started = Instant::now();
            let outcomes = answers_to(kind, &text);
            (outcomes, started.elapsed())
        };
        let (outcomes, time) = answers();
        // The machine may have been busy elsewhere: only what is slow twice is slow.
        assert!(time <= LONGEST || answers().1 <= LONGEST, "slow: {text}");
        for issues in outcomes.into_iter().flatten() {
            refusals += 1;
            assert!(!issues.is_empty(), "{text}");
            for issue in issues {
                let names_it = issue.text.starts_with("Parameter `");
                let is_whole =
                    issue.text.starts_with("A conditional") || issue.text.starts_with("If-None-Exist");
                assert!(names_it || is_whole, "{text}: {}", issue.text);
                assert!(issue.text.len() < 4096, "{text}");
            }
        }
    }
    assert!(refusals > 10_000, "only {refusals} refusals");
}

/// What each of the parsers has against a query string.
fn answers_to(kind: ResourceType, text: &str) -> [Option<Vec<Issue>>; 7] {
    let dates = text.replace("_lastUpdated", "_since").replace("birthdate", "_at");
    let history = |handling| pairs(&dates).and_then(|pairs| History::parse(Scope::System, &pairs, handling));
    [
        history(Handling::Strict).err(),
        history(Handling::Lenient).err(),
        pairs(text)
            .and_then(|pairs| search(kind, &pairs, Handling::Strict, sample::now()))
            .err(),
        pairs(text)
            .and_then(|pairs| search(kind, &pairs, Handling::Lenient, sample::now()))
            .err(),
        criteria(kind, text, NameCase::AnyCase, sample::now()).err(),
        if_none_exist(kind, text, sample::now()).err(),
        pairs(&format!("_elements={text}"))
            .and_then(|pairs| subset::of_read(kind, &pairs))
            .err(),
    ]
}
