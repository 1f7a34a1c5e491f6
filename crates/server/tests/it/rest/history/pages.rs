//! Which versions a history holds, and its pages.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::{Client, percent_encode};
use testkit::tests;

use super::{bundle, entries, numbered, versions, with_versions};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    since_and_at_are_exact_to_the_instant,
    p51_links_of_a_history_lead_to_the_end_and_back,
    p50_every_version_is_seen_once_while_others_are_written,
    p47_a_history_of_count_0_is_counted_alone,
    a_history_of_many_is_counted_when_asked_or_when_a_page_shows_it_all,
    a_history_takes_what_it_knows_and_tells_what_it_applied,
    t23_a_tampered_cursor_of_a_history_is_refused,
];

fn since_and_at_are_exact_to_the_instant(context: &Context) {
    let fhir = shared_fhir(context);
    let path = with_versions(&fhir, 3);
    fhir.delete(&path).send().expect(204);
    let whole = entries(&bundle(&fhir, format!("{path}/_history")));
    let time_of = |version: usize| {
        let entry = &whole[4 - version];
        entry["response"]["lastModified"].as_str().expect("a time")
    };
    let found = |query: String| -> Vec<u64> {
        let history = bundle(&fhir, format!("{path}/_history?{query}"));
        let numbers: Vec<u64> = entries(&history)
            .iter()
            .map(|entry| {
                let etag = entry["response"]["etag"].as_str().expect("an etag");
                etag.trim_matches(|c: char| !c.is_ascii_digit())
                    .parse()
                    .expect("a number")
            })
            .collect();
        assert_eq!(history["total"], json!(numbers.len()), "{query}");
        numbers
    };
    for version in 1..=4 {
        let time = time_of(version);
        let later: Vec<u64> = (version as u64..=4).rev().collect();
        assert_eq!(found(format!("_since={time}")), later);
        // The same instant in another zone, its plus sent as it stands.
        let (date, clock) = (&time[..11], &time[13..time.len() - 1]);
        let hour: u32 = time[11..13].parse().expect("an hour");
        if hour < 22 {
            let elsewhere = format!("{date}{:02}{clock}+02:00", hour + 2);
            assert_eq!(found(format!("_since={elsewhere}")), later);
            assert_eq!(found(format!("_since={}", percent_encode(&elsewhere))), later);
        }
        assert_eq!(found(format!("_at={time}")), [version as u64]);
    }
    let year = &time_of(1)[..4];
    assert_eq!(found("_at=1999".to_owned()), [] as [u64; 0]);
    assert_eq!(found("_since=2999-01-01T00:00:00Z".to_owned()), [] as [u64; 0]);
    if time_of(4).starts_with(year) {
        assert_eq!(found(format!("_at={year}")), [4, 3, 2, 1]);
    }
    assert_eq!(
        found(format!("_since={}&_at={}", time_of(2), time_of(1))),
        [] as [u64; 0]
    );
    for query in ["_since=yesterday", "_since=", "_at=ge2026", "_at=2026-02-30"] {
        let answer = fhir.get(format!("{path}/_history?{query}")).send();
        let answer = refused(answer, 400, "value");
        assert!(answer.issues()[0].text.contains(&query[..3]), "{answer:?}");
    }
}

fn p51_links_of_a_history_lead_to_the_end_and_back(context: &Context) {
    let fhir = shared_fhir(context);
    let path = with_versions(&fhir, 12);
    fhir.delete(&path).send().expect(204);
    for count in [1, 5, 6, 12, 13, 14] {
        let mut at = bundle(&fhir, format!("{path}/_history?_count={count}"));
        assert_eq!(link(&at, "previous"), None);
        let mut pages = vec![versions(&at)];
        while let Some(next) = link(&at, "next") {
            at = bundle(&fhir, next);
            assert_eq!(at["total"], 13);
            pages.push(versions(&at));
            assert!(pages.len() < 20, "the links go round");
        }
        let all = pages.concat();
        let expected: Vec<String> = (1..=13)
            .rev()
            .map(|version| format!("{path} W/\"{version}\""))
            .collect();
        assert_eq!(all, expected, "{count}");
        assert!(pages.iter().rev().skip(1).all(|page| page.len() == count));
        let mut place = pages.len() - 1;
        while let Some(previous) = link(&at, "previous") {
            assert!(place > 0, "a link before the first page");
            place -= 1;
            at = bundle(&fhir, previous);
            assert_eq!(versions(&at), pages[place], "{count}");
            let next = link(&at, "next").expect("there was a page behind");
            assert_eq!(versions(&bundle(&fhir, next)), pages[place + 1]);
        }
        assert_eq!(place, 0, "{count}: the way back ends before the first page");
        let first = link(&at, "first").expect("a first page");
        assert_eq!(versions(&bundle(&fhir, first)), pages[0]);
    }
}

/// 100 versions stand; writers make others of the same resources and of new ones while pages are read.
fn p50_every_version_is_seen_once_while_others_are_written(context: &Context) {
    let (_server, fhir) = context.fhir();
    let existed: Vec<String> = (0..100)
        .map(|turn| {
            let id = format!("stays{}", turn % 10);
            fhir.put(format!("/Patient/{id}"))
                .json(&numbered(&id, turn))
                .send();
            format!("/Patient/{id} W/\"{}\"", turn / 10 + 1)
        })
        .collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (fhir, done) = (fhir.clone(), &done);
            scope.spawn(move || {
                let mut turn = 100;
                while !done.load(Ordering::Relaxed) {
                    let staying = format!("stays{}", (turn * 7 + writer) % 10);
                    let coming = format!("comes{writer}x{}", turn % 20);
                    for id in [staying, coming] {
                        let path = format!("/Patient/{id}");
                        fhir.put(&path).json(&numbered(&id, turn)).send();
                        if turn % 3 == 0 {
                            fhir.delete(&path).send();
                        }
                    }
                    turn += 1;
                }
            });
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (target, count) in [
                ("/_history", 7),
                ("/Patient/_history", 20),
                ("/Patient/_history", 50),
            ] {
                let seen = walk(&fhir, &format!("{target}?_count={count}"));
                for version in &existed {
                    assert_eq!(seen.get(version), Some(&1), "{target} {count}: {version}");
                }
                assert!(seen.values().all(|times| *times == 1), "{target} {count}");
            }
        }));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

/// How often each version is seen on the way from the first page to the last.
fn walk(fhir: &Client, target: &str) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    let mut target = target.to_owned();
    loop {
        let page = bundle(fhir, &target);
        for version in versions(&page) {
            *seen.entry(version).or_insert(0) += 1;
        }
        match link(&page, "next") {
            Some(next) => target = next,
            None => return seen,
        }
    }
}

fn p47_a_history_of_count_0_is_counted_alone(context: &Context) {
    let fhir = shared_fhir(context);
    let path = with_versions(&fhir, 22);
    let counted = bundle(&fhir, format!("{path}/_history?_count=0"));
    assert_eq!((&counted["total"], counted.get("entry")), (&json!(22), None));
    assert_eq!((link(&counted, "next"), link(&counted, "previous")), (None, None));
    let plain = bundle(&fhir, format!("{path}/_history"));
    assert_eq!(
        (entries(&plain).len(), &plain["total"]),
        (20, &json!(22)),
        "20 without _count"
    );
    let huge = bundle(&fhir, format!("{path}/_history?_count=99999999999"));
    assert_eq!(entries(&huge).len(), 22);
    assert!(link(&huge, "self").is_some_and(|url| url.ends_with("?_count=1000")));
    let uncounted = bundle(&fhir, format!("{path}/_history?_total=none&_count=2"));
    assert_eq!((entries(&uncounted).len(), uncounted.get("total")), (2, None));
}

fn a_history_of_many_is_counted_when_asked_or_when_a_page_shows_it_all(context: &Context) {
    let (_server, fhir) = context.fhir();
    with_versions(&fhir, 3);
    for target in ["/_history", "/Patient/_history"] {
        let total = |query: &str| bundle(&fhir, format!("{target}?{query}"))["total"].as_u64();
        assert_eq!(total("_count=3"), Some(3), "{target}");
        assert_eq!(total("_count=2"), None, "{target}");
        assert_eq!(total("_count=2&_total=accurate"), Some(3), "{target}");
        assert_eq!(total("_count=0"), Some(3), "{target}");
        assert_eq!(total("_count=3&_total=none"), None, "{target}");
        let second = link(&bundle(&fhir, format!("{target}?_count=2")), "next").expect("a second page");
        assert_eq!(bundle(&fhir, second).get("total"), None, "{target}");
    }
}

fn a_history_takes_what_it_knows_and_tells_what_it_applied(context: &Context) {
    let fhir = shared_fhir(context);
    let path = with_versions(&fhir, 2);
    let odd = format!("{path}/_history?_list=List/1&family=x&_count=1&_sort=-_lastUpdated");
    let history = bundle(&fhir, &odd);
    for relation in ["self", "first", "next"] {
        let url = link(&history, relation).expect("a link");
        let (_, query) = url.split_once('?').expect("a query");
        assert!(query.starts_with("_count=1"), "{url}");
        assert!(!url.contains("family") && !url.contains("_list") && !url.contains("_sort"));
    }
    let strict = fhir.get(&odd).header("Prefer", "handling=strict").send();
    let strict = refused(strict, 400, "not-supported");
    assert_eq!(strict.issues().len(), 3, "every one is named: {strict:?}");
    for query in ["_count=x", "_count=1&_count=2", "_count:exact=1", "_total=few"] {
        let answer = fhir.get(format!("{path}/_history?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
}

fn t23_a_tampered_cursor_of_a_history_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let path = with_versions(&fhir, 4);
    let first = bundle(&fhir, format!("{path}/_history?_count=2"));
    let next = link(&first, "next").expect("a link");
    let (_, cursor) = next.split_once("_cursor=").expect("a cursor");
    for place in 0..cursor.len() {
        let mut changed = cursor.as_bytes().to_vec();
        changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).expect("ASCII");
        let answer = fhir.get(format!("{path}/_history?_cursor={changed}")).send();
        assert_eq!(answer.status, 400, "{place}: {answer:?}");
        assert!(!answer.issues().is_empty());
    }
    let other = with_versions(&fhir, 1);
    for target in [
        format!("{path}/_history?_cursor="),
        format!("{path}/_history?_cursor={}", "A".repeat(5_000)),
        // A cursor is good for its history alone.
        format!("{other}/_history?_cursor={cursor}"),
        format!("/Patient/_history?_cursor={cursor}"),
        format!("/_history?_cursor={cursor}"),
        format!("/Patient?_cursor={cursor}"),
        format!("{path}/_history?_since=2020&_cursor={cursor}"),
    ] {
        let answer = fhir.get(&target).send();
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
    }
    // How large a page is may change on the way.
    let rest = bundle(&fhir, format!("{path}/_history?_count=1&_cursor={cursor}"));
    assert_eq!(versions(&rest), [format!("{path} W/\"2\"")]);
}
