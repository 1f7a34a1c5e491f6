//! `_sort`: order, ties, pages in an order.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::tokens::Corner;
use super::writers::{each_once, while_others_write};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    matches_stand_in_the_order_that_is_asked_for,
    the_least_value_counts_ascending_and_the_greatest_descending,
    pages_in_an_order_lead_to_the_end_and_back,
    p50_equal_birthdates_are_seen_once_while_others_write,
    what_has_no_order_is_refused_by_name,
    a_cursor_of_another_order_is_refused,
];

/// The names of what a search finds, in its order.
#[track_caller]
fn order(corner: &Corner, query: &str) -> String {
    let answer = corner
        .fhir
        .get(format!("/Patient?_tag={}&_count=100&{query}", corner.tag))
        .send();
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    names(corner, &answer.json()).join(" ")
}

fn names(corner: &Corner, bundle: &Value) -> Vec<String> {
    let prefix = format!("{}-", corner.tag);
    let strip = |id: &String| id.strip_prefix(&prefix).unwrap_or(id).to_owned();
    ids(bundle).iter().map(strip).collect()
}

fn matches_stand_in_the_order_that_is_asked_for(context: &Context) {
    let corner = Corner::new(context);
    for (name, born, family, gender) in [
        ("c", Some("1980-05-01"), "Zola", "male"),
        ("a", Some("1990"), "élan", "female"),
        ("d", None, "Éclair", "male"),
        ("b", Some("1980-05-01"), "Adam", "female"),
    ] {
        let mut body = json!({ "name": [{ "family": family }], "gender": gender });
        if let Some(born) = born {
            body["birthDate"] = json!(born);
        }
        corner.put(name, body);
    }
    for (query, expected) in [
        ("", "c a d b"),
        ("_sort=birthdate", "c b a d"),
        ("_sort=-birthdate", "a c b d"),
        ("_sort=family", "b d a c"),
        ("_sort=-family", "c a d b"),
        ("_sort=gender,family", "b a d c"),
        ("_sort=gender,-family", "a b c d"),
        ("_sort=birthdate,-_id", "c b a d"),
        ("_sort=_id", "a b c d"),
        ("_sort=-_id", "d c b a"),
        ("_sort=_lastUpdated", "c a d b"),
        ("_sort=-_lastUpdated", "b d a c"),
        ("_sort=death-date", "c a d b"),
        ("_sort=-birthdate&gender=female", "a b"),
        ("_sort=family&birthdate=1980", "b c"),
    ] {
        assert_eq!(order(&corner, query), expected, "{query}");
    }
    let posted = corner
        .fhir
        .post("/Patient/_search")
        .form(&format!("_tag={}&_sort=-family", corner.tag))
        .send()
        .expect(200)
        .json();
    assert_eq!(names(&corner, &posted).join(" "), "c a d b");
    assert!(link(&posted, "self").unwrap().contains("_sort=-family"));
}

fn the_least_value_counts_ascending_and_the_greatest_descending(context: &Context) {
    let corner = Corner::new(context);
    corner.put("wide", json!({ "name": [{ "given": ["Anna", "Zoe"] }] }));
    corner.put(
        "middle",
        json!({ "name": [{ "given": ["Berthe"] }, { "given": ["Chloe"] }] }),
    );
    corner.put("none", json!({ "name": [{ "family": "X" }] }));
    assert_eq!(order(&corner, "_sort=given"), "wide middle none");
    assert_eq!(order(&corner, "_sort=-given"), "wide middle none");
    assert_eq!(order(&corner, "_sort=name"), "wide middle none");
    assert_eq!(order(&corner, "_sort=-given&given:missing=false"), "wide middle");
}

fn pages_in_an_order_lead_to_the_end_and_back(context: &Context) {
    let corner = Corner::new(context);
    for number in 0..17 {
        let mut body = json!({ "name": [{ "family": format!("N{}", number % 5) }] });
        if number % 3 > 0 {
            body["birthDate"] = json!(format!("198{}", number % 4));
        }
        corner.put(&format!("{number:02}"), body);
    }
    for sort in [
        "birthdate",
        "-birthdate",
        "family,-birthdate",
        "-birthdate,family,-_id",
    ] {
        let whole: Vec<String> = order(&corner, &format!("_sort={sort}"))
            .split(' ')
            .map(str::to_owned)
            .collect();
        assert_eq!(whole.len(), 17);
        for count in [1, 4, 17] {
            let target = format!("/Patient?_tag={}&_sort={sort}&_count={count}", corner.tag);
            let mut bundle = corner.fhir.get(&target).send().expect(200).json();
            let mut pages = vec![names(&corner, &bundle)];
            assert!(link(&bundle, "previous").is_none());
            while let Some(next) = link(&bundle, "next") {
                bundle = corner.fhir.get(next).send().expect(200).json();
                assert_eq!(bundle["total"], 17);
                pages.push(names(&corner, &bundle));
                assert!(pages.len() <= 17, "the links go round");
            }
            assert_eq!(pages.concat(), whole, "{sort} by {count}");
            for page in pages.iter().rev().skip(1) {
                let previous = link(&bundle, "previous").expect("a page before");
                bundle = corner.fhir.get(previous).send().expect(200).json();
                assert_eq!(&names(&corner, &bundle), page, "back, {sort} by {count}");
            }
            assert!(link(&bundle, "previous").is_none(), "{sort} by {count}");
            let first = link(&bundle, "first").unwrap();
            assert_eq!(
                names(&corner, &corner.fhir.get(first).send().expect(200).json()),
                pages[0]
            );
        }
    }
}

fn p50_equal_birthdates_are_seen_once_while_others_write(context: &Context) {
    const ROWS: usize = 500;
    // So many would be in the way of others.
    let (_server, fhir) = context.fhir();
    let tag = unique();
    let corner = Corner { fhir, tag };
    while_others_write(&corner, ROWS, || {
        for sort in ["birthdate", "-birthdate"] {
            let first = format!("/Patient?_tag={}&_sort={sort}&_count=7&_total=none", corner.tag);
            each_once(&corner, &first, ROWS);
        }
    });
}

fn what_has_no_order_is_refused_by_name(context: &Context) {
    let fhir = shared_fhir(context);
    for (sort, named) in [
        ("link", "`link`"),
        ("nonsense", "`nonsense`"),
        ("family,-nonsense", "`nonsense`"),
        ("", "_sort"),
        ("family,family", "`family`"),
        ("communication", "`communication`"),
        ("family,given,name,email,phone", "at most 4"),
    ] {
        let answer = fhir.get(format!("/Patient?_sort={sort}")).send();
        assert_eq!(answer.status, 400, "{sort}: {answer:?}");
        assert!(answer.issues()[0].text.contains(named), "{sort}: {answer:?}");
    }
    assert_eq!(fhir.get("/Practitioner?_sort=birthdate").send().status, 400);
    assert_eq!(
        fhir.get("/Practitioner?_sort=communication&_count=1")
            .send()
            .status,
        200
    );
}

fn a_cursor_of_another_order_is_refused(context: &Context) {
    let corner = Corner::new(context);
    (0..5).for_each(|number| corner.put(&number.to_string(), json!({ "birthDate": "1980" })));
    let bundle = corner
        .fhir
        .get(format!("/Patient?_tag={}&_sort=birthdate&_count=2", corner.tag))
        .send()
        .expect(200)
        .json();
    let next = link(&bundle, "next").unwrap();
    corner.fhir.get(&next).send().expect(200);
    for other in [
        "_sort=-birthdate",
        "_sort=birthdate,_id",
        "_sort=family",
        "_total=none",
    ] {
        let answer = corner.fhir.get(next.replace("_sort=birthdate", other)).send();
        assert_eq!(answer.status, 400, "{other}: {answer:?}");
    }
}
