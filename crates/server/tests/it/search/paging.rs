//! Paging: to the end, under writers, each row once.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::tokens::Corner;
use super::writers::{each_once, while_others_write};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p51_links_lead_to_the_end_and_back,
    p50_rows_that_stay_are_seen_once_while_others_come_and_go,
    a_page_of_a_search_whose_rows_vanished_is_empty,
    a_cursor_does_not_change_what_is_searched,
];

fn p51_links_lead_to_the_end_and_back(context: &Context) {
    let corner = Corner::new(context);
    (0..23).for_each(|number| corner.put(&number.to_string(), json!({ "birthDate": "1980-01-01" })));
    for count in [1, 5, 7, 22, 23, 24] {
        let mut bundle = corner
            .fhir
            .get(format!("/Patient?_tag={}&_count={count}", corner.tag))
            .send()
            .expect(200)
            .json();
        let mut pages = vec![ids(&bundle)];
        while let Some(next) = link(&bundle, "next") {
            bundle = corner.fhir.get(next).send().expect(200).json();
            assert_eq!(bundle["total"], 23);
            assert!(!ids(&bundle).is_empty(), "an empty page follows a full one");
            pages.push(ids(&bundle));
            assert!(pages.len() < 30, "the links go round");
        }
        assert!(
            pages.iter().rev().skip(1).all(|page| page.len() == count),
            "{count}: {pages:?}"
        );
        let mut all: Vec<&String> = pages.iter().flatten().collect();
        all.sort();
        all.dedup();
        assert_eq!(
            (all.len(), pages.iter().map(Vec::len).sum::<usize>()),
            (23, 23),
            "{count}"
        );
        // Back again, where that is offered.
        let mut place = pages.len() - 1;
        while let Some(previous) = link(&bundle, "previous") {
            assert!(place > 0, "a link before the first page");
            bundle = corner.fhir.get(previous).send().expect(200).json();
            place -= 1;
            assert_eq!(ids(&bundle), pages[place]);
        }
        if let Some(first) = link(&bundle, "first") {
            assert_eq!(ids(&corner.fhir.get(first).send().expect(200).json()), pages[0]);
        }
    }
}

fn p50_rows_that_stay_are_seen_once_while_others_come_and_go(context: &Context) {
    const ROWS: usize = 150;
    let corner = Corner::new(context);
    while_others_write(&corner, ROWS, || {
        for count in [7, 20, 50] {
            let first = format!("/Patient?_tag={}&birthdate=1980&_count={count}", corner.tag);
            each_once(&corner, &first, ROWS);
        }
    });
}

fn a_page_of_a_search_whose_rows_vanished_is_empty(context: &Context) {
    let corner = Corner::new(context);
    (0..6).for_each(|number| corner.put(&number.to_string(), json!({})));
    let bundle = corner
        .fhir
        .get(format!("/Patient?_tag={}&_count=3", corner.tag))
        .send()
        .expect(200)
        .json();
    let next = link(&bundle, "next").unwrap();
    for number in 0..6 {
        corner
            .fhir
            .delete(format!("/Patient/{}-{number}", corner.tag))
            .send()
            .expect(204);
    }
    let page = corner.fhir.get(&next).send().expect(200).json();
    assert_eq!((ids(&page).len(), &page["total"]), (0, &json!(0)));
    assert!(link(&page, "next").is_none());
}

fn a_cursor_does_not_change_what_is_searched(context: &Context) {
    let corner = Corner::new(context);
    (0..6).for_each(|number| corner.put(&number.to_string(), json!({ "gender": "male" })));
    let bundle = corner
        .fhir
        .get(format!("/Patient?_tag={}&_count=2", corner.tag))
        .send()
        .expect(200)
        .json();
    let next = link(&bundle, "next").unwrap();
    // The cursor of one search in another one: refused, or it finds nothing that the other would not.
    let foreign = next.replace("_tag=", "_tag=x");
    let answer = corner.fhir.get(&foreign).send();
    assert!(
        answer.status == 400 || ids(&answer.json()).is_empty(),
        "{answer:?}"
    );
    let practitioners = next.replace("/Patient?", "/Practitioner?");
    let answer = corner.fhir.get(&practitioners).send();
    assert!(
        answer.status == 400 || ids(&answer.json()).is_empty(),
        "{answer:?}"
    );
}
