//! The Bundle: total, links, entries, POST, strictness.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::tokens::Corner;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    every_entry_has_its_url_and_its_mode,
    p46_the_self_link_lists_exactly_what_was_applied,
    an_unknown_parameter_is_ignored_unless_strict,
    the_total_counts_all_matches,
    p47_a_count_of_nothing_is_a_count,
    the_count_is_bounded_and_kept_in_links,
    a_posted_search_takes_the_form_and_the_url,
    a_posted_search_must_be_a_form,
    an_empty_result_is_a_bundle_without_entries,
    p48_a_search_sees_the_write_before_it,
    p58_links_can_be_called_as_they_are,
    a_search_of_everything_is_paged,
    too_many_parameters_and_alternatives_are_refused,
];

fn corner_of(context: &Context, count: usize) -> Corner {
    let corner = Corner::new(context);
    (0..count).for_each(|number| corner.put(&format!("{number:02}"), json!({ "gender": "other" })));
    corner
}

#[track_caller]
fn search(corner: &Corner, query: &str) -> Value {
    corner
        .fhir
        .get(format!("/Patient?_tag=urn:corner|{}{query}", corner.tag))
        .send()
        .expect(200)
        .json()
}

fn every_entry_has_its_url_and_its_mode(context: &Context) {
    let server = shared(context);
    let corner = corner_of(context, 3);
    let bundle = search(&corner, "");
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"]),
        (&json!("Bundle"), &json!("searchset"))
    );
    for entry in bundle["entry"].as_array().unwrap() {
        let id = entry["resource"]["id"].as_str().unwrap();
        assert_eq!(entry["fullUrl"], format!("{}/fhir/Patient/{id}", server.base()));
        assert_eq!(entry["search"]["mode"], "match");
        let read = corner
            .fhir
            .get(format!("/Patient/{id}"))
            .send()
            .expect(200)
            .json();
        assert_eq!(entry["resource"], read);
    }
}

fn p46_the_self_link_lists_exactly_what_was_applied(context: &Context) {
    let corner = corner_of(context, 1);
    let bundle = search(
        &corner,
        "&gender=other&nonsense=1&_contained=true&familly=x&birthdate:missing=true&_count=5",
    );
    let own = link(&bundle, "self").unwrap();
    for applied in ["_tag=", "gender=other", "birthdate:missing=true", "_count=5"] {
        assert!(own.contains(applied), "{applied} is not in {own}");
    }
    for ignored in ["nonsense", "familly", "_contained"] {
        assert!(!own.contains(ignored), "{ignored} is in {own}");
    }
    // A misspelt filter that was ignored does not look as if it had been applied.
    let again = corner.fhir.get(&own).send().expect(200).json();
    assert_eq!((ids(&again), link(&again, "self")), (ids(&bundle), Some(own)));
}

fn an_unknown_parameter_is_ignored_unless_strict(context: &Context) {
    let corner = corner_of(context, 2);
    assert_eq!(ids(&search(&corner, "&familly=x")).len(), 2);
    let ask = |prefer: &[&str]| {
        let get = corner
            .fhir
            .get(format!("/Patient?_tag={}&familly=x&colour=red", corner.tag));
        prefer
            .iter()
            .fold(get, |get, prefer| get.header("Prefer", prefer))
            .send()
    };
    ask(&["handling=lenient"]).expect(200);
    ask(&["handling=loose"]).expect(200);
    for strict in [
        &["handling=strict"][..],
        &["respond-async, handling=strict"],
        &["return=minimal", "handling=strict"],
        &["Handling=\"strict\""],
    ] {
        let answer = refused(ask(strict), 400, "not-supported");
        let named: Vec<String> = answer.issues().iter().map(|issue| issue.text.clone()).collect();
        assert!(
            named.len() == 2 && named[0].contains("familly") && named[1].contains("colour"),
            "{named:?}"
        );
        assert!(
            named[0].contains("family"),
            "the nearest name is suggested: {named:?}"
        );
    }
    let posted = corner
        .fhir
        .post("/Patient/_search")
        .header("Prefer", "handling=strict")
        .form("familly=x")
        .send();
    refused(posted, 400, "not-supported");
}

fn the_total_counts_all_matches(context: &Context) {
    let corner = corner_of(context, 7);
    assert_eq!(search(&corner, "&_count=2")["total"], 7);
    assert_eq!(search(&corner, "&_count=2&_total=accurate")["total"], 7);
    assert_eq!(search(&corner, "&_count=2&_total=estimate")["total"], 7);
    let without = search(&corner, "&_count=2&_total=none");
    assert!(without.get("total").is_none(), "{without}");
    assert_eq!(ids(&without).len(), 2);
    assert!(link(&without, "next").is_some());
}

fn p47_a_count_of_nothing_is_a_count(context: &Context) {
    let corner = corner_of(context, 3);
    for query in [
        "&_count=0",
        "&_summary=count",
        "&_count=0&_summary=count",
        "&_summary=count&_count=10",
    ] {
        let bundle = search(&corner, query);
        assert_eq!(
            (&bundle["total"], bundle.get("entry")),
            (&json!(3), None),
            "{query}: {bundle}"
        );
        assert!(link(&bundle, "next").is_none(), "{query}: {bundle}");
        assert_eq!(bundle["type"], "searchset");
    }
}

fn the_count_is_bounded_and_kept_in_links(context: &Context) {
    let corner = corner_of(context, 22);
    assert_eq!(ids(&search(&corner, "")).len(), 20);
    let bundle = search(&corner, "&_count=3");
    assert!(link(&bundle, "self").unwrap().contains("_count=3"));
    assert!(link(&bundle, "next").unwrap().contains("_count=3"));
    // More than the most is the most, and the link says so.
    for huge in ["1001", "99999999999999999999"] {
        let bundle = search(&corner, &format!("&_count={huge}"));
        assert_eq!(ids(&bundle).len(), 22);
        assert!(link(&bundle, "self").unwrap().contains("_count=1000"), "{bundle}");
    }
}

fn a_posted_search_takes_the_form_and_the_url(context: &Context) {
    let corner = corner_of(context, 3);
    let tag = &corner.tag;
    let post = |url: &str, form: &str| {
        ids(&corner
            .fhir
            .post(format!("/Patient/_search{url}"))
            .form(form)
            .send()
            .expect(200)
            .json())
    };
    assert_eq!(post("", &format!("_tag=urn%3Acorner%7C{tag}")).len(), 3);
    assert_eq!(post(&format!("?_tag={tag}"), "").len(), 3);
    assert_eq!(
        post(&format!("?_tag={tag}"), &format!("_id={tag}-01")),
        [format!("{tag}-01")]
    );
    assert_eq!(
        post(&format!("?_id={tag}-00"), &format!("_id={tag}-01")).len(),
        0,
        "both count"
    );
    let typed = corner
        .fhir
        .post("/Patient/_search")
        .header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(
        ids(&typed
            .body(format!("_tag={tag}&_count=2"))
            .send()
            .expect(200)
            .json())
        .len(),
        2
    );
    let bundle = corner
        .fhir
        .post("/Patient/_search?_count=1")
        .form(&format!("_tag={tag}"))
        .send()
        .expect(200)
        .json();
    let own = link(&bundle, "self").unwrap();
    assert!(
        own.contains("/Patient?") && own.contains("_count=1") && own.contains("_tag="),
        "{own}"
    );
    let next = corner
        .fhir
        .get(link(&bundle, "next").unwrap())
        .send()
        .expect(200)
        .json();
    assert_ne!(ids(&next), ids(&bundle));
    let xml = corner
        .fhir
        .post("/Patient/_search")
        .form(&format!("_tag={tag}&_format=xml"))
        .send()
        .expect(200);
    assert!(xml_root(&xml).starts_with("<Bundle"), "{xml:?}");
}

fn a_posted_search_must_be_a_form(context: &Context) {
    let fhir = shared_fhir(context);
    for kind in [
        "application/fhir+json",
        "text/plain",
        "multipart/form-data; boundary=x",
    ] {
        refused(
            fhir.post("/Patient/_search")
                .header("Content-Type", kind)
                .body("_id=x")
                .send(),
            415,
            "not-supported",
        );
    }
    let bytes = fhir
        .post("/Patient/_search")
        .header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(bytes.body(&b"_id=\xff"[..]).send().status, 400);
}

fn an_empty_result_is_a_bundle_without_entries(context: &Context) {
    let corner = Corner::new(context);
    let bundle = search(&corner, "");
    assert_eq!(
        (&bundle["total"], bundle.get("entry")),
        (&json!(0), None),
        "{bundle}"
    );
    assert!(link(&bundle, "self").is_some() && link(&bundle, "next").is_none());
}

fn p48_a_search_sees_the_write_before_it(context: &Context) {
    let corner = Corner::new(context);
    let other = shared_fhir(context);
    for number in 1..=20_u64 {
        corner.put(&number.to_string(), json!({}));
        let bundle = other
            .get(format!("/Patient?_tag={}&_count=0", corner.tag))
            .send()
            .expect(200)
            .json();
        assert_eq!(bundle["total"], number);
    }
}

fn p58_links_can_be_called_as_they_are(context: &Context) {
    let corner = Corner::new(context);
    let odd = "Œ & co = 100% + d'été \"x\" <y> a,b|c$d\\e";
    for number in 0..3 {
        corner.put(&number.to_string(), json!({ "name": [{ "family": odd }] }));
    }
    let escaped = odd
        .replace('\\', "\\\\")
        .replace(',', "\\,")
        .replace('|', "\\|")
        .replace('$', "\\$");
    let query = format!(
        "&family:exact={}&_count=1",
        testkit::http::percent_encode(&escaped)
    );
    let mut bundle = search(&corner, &query);
    let mut seen = ids(&bundle);
    while let Some(next) = link(&bundle, "next") {
        assert!(next.bytes().all(|byte| byte.is_ascii_graphic()), "{next}");
        bundle = corner.fhir.get(next).send().expect(200).json();
        seen.extend(ids(&bundle));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3);
}

fn a_search_of_everything_is_paged(context: &Context) {
    let corner = corner_of(context, 21);
    let bundle = corner.fhir.get("/Patient").send().expect(200).json();
    assert_eq!(ids(&bundle).len(), 20);
    assert!(bundle["total"].as_u64().unwrap() >= 21 && link(&bundle, "next").is_some());
}

fn too_many_parameters_and_alternatives_are_refused(context: &Context) {
    let corner = Corner::new(context);
    let parameters = vec!["gender=male"; 65].join("&");
    assert_eq!(corner.status(&parameters), 400);
    assert_eq!(corner.status(&vec!["gender=male"; 64].join("&")), 200);
    assert_eq!(
        corner.status(&format!("gender={}", vec!["male"; 201].join(","))),
        400
    );
    assert_eq!(
        corner.status(&format!("gender={}", vec!["male"; 200].join(","))),
        200
    );
    let ids: Vec<String> = (0..200).map(|number| format!("nobody-{number}")).collect();
    assert_eq!(corner.status(&format!("_id={}", ids.join(","))), 200);
}
