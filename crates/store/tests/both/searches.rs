//! Searches written by hand; `differential` compares thousands of others with the matcher.

use std::sync::Arc;

use fhir::query::encoding;
use fhir::query::{Clause, Criteria, ReferenceTest, SearchParam, StringTest, Test, TokenTest};
use serde_json::json;
use store::{Class, ClassFilter, SpaceKey, StoreError};

use crate::bench::Bench;
use crate::cases;
use crate::fixture::{PATIENT, criteria, find, ids, insert, new, page, patient, remove, resource};

cases![
    each_kind_of_condition_finds_what_it_says,
    nothing_in_a_value_is_a_wildcard,
    texts_longer_than_an_index_entry_are_stored_and_found,
    a_class_sees_its_own,
    at_most_so_many_matches_come_oldest_first,
    pages_show_everything_once_while_others_write,
    totals_count_all_matches,
    a_cursor_is_good_for_its_search_alone,
];

async fn each_kind_of_condition_finds_what_it_says(bench: Arc<Bench>) {
    let space = bench.open_space();
    let one = json!({
        "identifier": [{"system": "urn:s", "value": "v", "type": {"coding": [{"system": "urn:t", "code": "c"}]}}],
        "active": true, "gender": "female", "birthDate": "1980-05-01",
        "name": [{"family": "Hébert", "given": ["Zoé", "Anne"]}],
        "telecom": [{"system": "phone", "value": "01 23 45 67 89"}, {"system": "email", "value": "Zoe@Example.org"}],
        "address": [{"city": "Lyon"}],
        "generalPractitioner": [{"reference": "Practitioner/p1"}, {"identifier": {"system": "urn:g", "value": "7"}}],
        "meta": {"profile": ["http://example.org/p"], "tag": [{"system": "urn:tags", "code": "x"}]},
    });
    let two = json!({
        "identifier": [{"value": "v"}, {"system": "urn:s", "value": "w"}],
        "gender": "male", "birthDate": "1980", "name": [{"family": "Hebert-Roy"}],
        "generalPractitioner": [{"reference": "http://elsewhere/Practitioner/p1"}],
        "deceasedDateTime": "2020-01-02",
    });
    insert(&space, "one", new(&resource(PATIENT, one))).await.unwrap();
    insert(&space, "two", new(&resource(PATIENT, two))).await.unwrap();
    insert(&space, "three", new(&resource(PATIENT, json!({}))))
        .await
        .unwrap();
    let cases: &[(&str, &[&str])] = &[
        ("identifier=v", &["one", "two"]),
        ("identifier=urn:s|v", &["one"]),
        ("identifier=|v", &["two"]),
        ("identifier=urn:s|", &["one", "two"]),
        ("identifier=urn:s|v,urn:s|w", &["one", "two"]),
        ("identifier=urn:s|v&identifier=urn:s|w", &[]),
        ("identifier:of-type=urn:t|c|v", &["one"]),
        ("identifier:of-type=urn:t|c|w", &[]),
        ("gender:not=female", &["two", "three"]),
        ("identifier:not=urn:s|v", &["two", "three"]),
        ("active:missing=true", &["two", "three"]),
        ("active:missing=false", &["one"]),
        ("active=true", &["one"]),
        ("family=hebert", &["one", "two"]),
        ("family=HÉBERT-", &["two"]),
        ("family:exact=Hébert", &["one"]),
        ("family:exact=Hebert", &[]),
        ("family:contains=ber", &["one", "two"]),
        ("name=anne", &["one"]),
        ("name=anne&name=zoe", &["one"]),
        ("name=anne&family=roy", &[]),
        ("phone=0123456789", &["one"]),
        ("telecom=zoe@example.org", &["one"]),
        ("address=lyon", &["one"]),
        ("birthdate=1980", &["one", "two"]),
        ("birthdate=1980-05", &["one"]),
        ("birthdate=ne1980-05-01", &["two"]),
        ("birthdate=gt1980-05-01", &["two"]),
        ("birthdate=lt1980-02", &["two"]),
        ("birthdate=ge1980-05-01", &["one", "two"]),
        ("birthdate=sa1979", &["one", "two"]),
        ("birthdate=eb1981", &["one", "two"]),
        ("birthdate=ge1979&birthdate=lt1980-03", &["two"]),
        ("death-date=2020-01-02", &["two"]),
        ("deceased=true", &["two"]),
        ("general-practitioner=p1", &["one"]),
        ("general-practitioner=Practitioner/p1", &["one"]),
        ("general-practitioner=http://elsewhere/Practitioner/p1", &["two"]),
        ("general-practitioner:identifier=urn:g|7", &["one"]),
        ("general-practitioner:missing=true", &["three"]),
        ("_profile=http://example.org/p", &["one"]),
        ("_tag=urn:tags|x", &["one"]),
        ("_id=two,three", &["two", "three"]),
        ("_id=two&gender=male", &["two"]),
        ("_id=two&gender=female", &[]),
        ("_lastUpdated=gt2020", &["one", "two", "three"]),
        ("_lastUpdated=lt2020", &[]),
        ("family=hebert&birthdate=1980-05-01&gender=female", &["one"]),
    ];
    for (query, expected) in cases {
        assert_eq!(find(&space, query).await, *expected, "{query}");
    }
}

async fn nothing_in_a_value_is_a_wildcard(bench: Arc<Bench>) {
    let space = bench.open_space();
    insert(&space, "plain", patient("plain", "abc")).await.unwrap();
    let hostile = [
        "%",
        "_",
        "a%",
        "a_c",
        "*",
        "?",
        "[a-z]",
        "' OR 1=1 --",
        "\";",
        "a\u{0}",
        "\u{0}",
        "$1",
        "?1",
        "\\",
        "{}",
    ];
    for text in hostile.map(str::to_owned) {
        // Built by hand: a parser may refuse some of these, a door of a partner need not.
        let token = || vec![TokenTest::Code(text.clone()), TokenTest::System(text.clone())];
        for (param, test, found) in [
            (
                SearchParam::Family,
                Test::String(vec![StringTest::StartsWith(text.clone())]),
                false,
            ),
            (
                SearchParam::Family,
                Test::String(vec![StringTest::Contains(text.clone())]),
                false,
            ),
            (
                SearchParam::Family,
                Test::String(vec![StringTest::Exact(text.clone())]),
                false,
            ),
            (SearchParam::Identifier, Test::Token(token()), false),
            (SearchParam::Identifier, Test::NotToken(token()), true),
            (SearchParam::Profile, Test::Uri(vec![text.clone()]), false),
            (
                SearchParam::Link,
                Test::Reference(vec![ReferenceTest::Url(text.clone())]),
                false,
            ),
            (
                SearchParam::Link,
                Test::Reference(vec![ReferenceTest::Id(text.clone())]),
                false,
            ),
        ] {
            let shown = format!("{param:?} {test:?} {text:?}");
            let criteria = Criteria {
                kind: PATIENT,
                clauses: vec![Clause { param, test }],
            };
            let matches = space
                .read(move |tx| tx.matches(&criteria, ClassFilter::Any, 10))
                .await;
            let matches = matches.map_err(|error: StoreError| error).unwrap();
            assert_eq!(!matches.is_empty(), found, "{shown}");
        }
    }
}

async fn texts_longer_than_an_index_entry_are_stored_and_found(bench: Arc<Bench>) {
    let space = bench.open_space();
    let mut long = String::new();
    // Nothing that a database could compress into a page.
    for number in 0..300u32 {
        long.push(char::from_u32(0x1_0000 + number.wrapping_mul(2_654_435_761) % 0xfff).unwrap());
    }
    let (one, other) = (format!("{long}1"), format!("{long}2"));
    for (name, text) in [("one", &one), ("other", &other)] {
        let tree = json!({
            "identifier": [{"system": text, "value": text, "type": {"coding": [{"system": text, "code": text}]}}],
            "name": [{"family": text}],
            "generalPractitioner": [{"reference": text, "identifier": {"system": text, "value": text}}],
        });
        insert(&space, name, new(&resource(PATIENT, tree))).await.unwrap();
    }
    let text = encoding::encode(&one);
    let start = encoding::encode(&one.chars().take(200).collect::<String>());
    for (query, expected) in [
        (format!("identifier={text}"), vec!["one"]),
        (format!("identifier={text}|"), vec!["one"]),
        (format!("family:exact={text}"), vec!["one"]),
        (format!("general-practitioner={text}"), vec!["one"]),
        (
            format!("general-practitioner:identifier={text}|{text}"),
            vec!["one"],
        ),
        (format!("family={start}"), vec!["one", "other"]),
    ] {
        let pairs = encoding::pairs(&query).unwrap();
        let now = fhir::query::sample::now();
        let strict = fhir::query::parse::Handling::Strict;
        let Ok(query) = fhir::query::parse::search(PATIENT, &pairs, strict, now) else {
            continue;
        };
        let found = space.read(move |tx| tx.search(&query, ClassFilter::Any)).await;
        let found = found.map_err(|error: StoreError| error).unwrap();
        assert_eq!(ids(&found.matches), expected);
    }
}

async fn a_class_sees_its_own(bench: Arc<Bench>) {
    let space = bench.open_space();
    let mut account = patient("1", "Dupont");
    account.class = Class::Account;
    insert(&space, "account", account).await.unwrap();
    insert(&space, "ordinary", patient("1", "Dupont")).await.unwrap();
    for query in [
        "identifier=1",
        "family=dupont",
        "_id=account,ordinary",
        "gender:missing=true",
    ] {
        for (class, expected) in [
            (ClassFilter::Any, vec!["account", "ordinary"]),
            (ClassFilter::Only(Class::Account), vec!["account"]),
            (ClassFilter::Only(Class::Ordinary), vec!["ordinary"]),
        ] {
            let criteria = criteria(PATIENT, query);
            let found = space.read(move |tx| tx.matches(&criteria, class, 10)).await;
            assert_eq!(
                ids(&found.map_err(|error: StoreError| error).unwrap()),
                expected,
                "{query}"
            );
        }
    }
}

async fn at_most_so_many_matches_come_oldest_first(bench: Arc<Bench>) {
    let space = bench.open_space();
    for name in ["c", "a", "b"] {
        insert(&space, name, patient("1", "Dupont")).await.unwrap();
    }
    for query in ["identifier=1", "family=du", "_id=a,b,c", "active:missing=true"] {
        let criteria = criteria(PATIENT, query);
        let found = space
            .read(move |tx| tx.matches(&criteria, ClassFilter::Any, 2))
            .await;
        assert_eq!(
            ids(&found.map_err(|error: StoreError| error).unwrap()),
            ["c", "a"],
            "{query}"
        );
    }
}

async fn pages_show_everything_once_while_others_write(bench: Arc<Bench>) {
    let space = bench.open_space();
    for number in 0..57 {
        insert(&space, &format!("n{number}"), patient("1", "Dupont"))
            .await
            .unwrap();
    }
    for query in [
        "_count=10",
        "_count=10&family=dup",
        "_count=10&identifier=1",
        "_count=19&gender:missing=true&name=d",
    ] {
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        let mut turn = 0;
        loop {
            let page = page(&space, query, cursor.as_deref()).await.unwrap();
            seen.extend(ids(&page.matches));
            let Some(next) = page.next else { break };
            cursor = Some(next);
            // A newcomer between two pages may be seen or not, the others must be.
            turn += 1;
            let newcomer = format!("{}-{turn}", query.len());
            insert(&space, &newcomer, patient("2", "Martin")).await.unwrap();
            remove(&space, &newcomer).await;
        }
        let expected: Vec<String> = (0..57).map(|number| format!("n{number}")).collect();
        assert_eq!(seen, expected, "{query}");
    }
}

async fn totals_count_all_matches(bench: Arc<Bench>) {
    let space = bench.open_space();
    for number in 0..12 {
        let family = if number % 2 == 0 { "Even" } else { "Odd" };
        insert(&space, &format!("n{number}"), patient("1", family))
            .await
            .unwrap();
    }
    for (query, total, shown) in [
        ("family=even", Some(6), 6),
        ("family=even&_count=2", Some(6), 2),
        ("family=even&_count=0", Some(6), 0),
        ("family=even&_count=6", Some(6), 6),
        ("family=even&_count=2&_total=none", None, 2),
        ("identifier=1&_count=5", Some(12), 5),
        ("name=e,o&_count=5", Some(12), 5),
        ("family=nobody", Some(0), 0),
        ("_count=3", Some(12), 3),
    ] {
        let page = page(&space, query, None).await.unwrap();
        assert_eq!((page.total, page.matches.len()), (total, shown), "{query}");
        let full = shown > 0 && total.is_none_or(|total| total > shown as u64);
        assert_eq!(page.next.is_some(), full, "{query}");
    }
    let second = page(&space, "family=even&_count=4", None).await.unwrap();
    let second = page(&space, "family=even&_count=4", second.next.as_deref())
        .await
        .unwrap();
    assert_eq!(
        (second.total, second.matches.len(), second.next),
        (Some(6), 2, None)
    );
}

async fn a_cursor_is_good_for_its_search_alone(bench: Arc<Bench>) {
    let store = bench.open();
    let space = store.for_space(SpaceKey(1));
    for number in 0..6 {
        insert(&space, &format!("n{number}"), patient("1", "Dupont"))
            .await
            .unwrap();
    }
    let cursor = page(&space, "family=d&_count=2", None)
        .await
        .unwrap()
        .next
        .unwrap();
    assert!(page(&space, "family=d&_count=2", Some(&cursor)).await.is_ok());
    assert!(page(&space, "family=d&_count=3", Some(&cursor)).await.is_ok());
    let refused = |outcome: Result<store::Page, StoreError>| matches!(outcome, Err(StoreError::BadCursor));
    assert!(refused(page(&space, "family=du&_count=2", Some(&cursor)).await));
    assert!(refused(page(&space, "_count=2", Some(&cursor)).await));
    assert!(refused(
        page(&store.for_space(SpaceKey(2)), "family=d&_count=2", Some(&cursor)).await
    ));
    assert!(refused(page(&space, "family=d&_count=2", Some("")).await));
    assert!(refused(page(&space, "family=d&_count=2", Some("1")).await));
    let mut changed = cursor.clone();
    let last = if changed.pop() == Some('0') { '1' } else { '0' };
    changed.push(last);
    assert!(refused(page(&space, "family=d&_count=2", Some(&changed)).await));
    // Another server on the same database opens it.
    let other = bench.open().for_space(SpaceKey(1));
    assert_eq!(
        page(&other, "family=d&_count=2", Some(&cursor))
            .await
            .unwrap()
            .matches
            .len(),
        2
    );
}
