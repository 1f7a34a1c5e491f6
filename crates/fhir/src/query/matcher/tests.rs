//! The matcher against a second reading of the same rules over index rows, as the SQL will read them.

use serde_json::json;

use super::*;
use crate::index::{IndexRows, extract};
use crate::query::parse::{Handling, pairs, search};
use crate::query::sample;

/// What the SQL does, over rows in memory.
fn by_rows(criteria: &Criteria, kind: ResourceType, rows: &IndexRows, id: &Id, updated: Timestamp) -> bool {
    kind == criteria.kind
        && criteria
            .clauses
            .iter()
            .all(|clause| clause_by_rows(clause, rows, id, updated))
}

fn clause_by_rows(clause: &Clause, rows: &IndexRows, id: &Id, updated: Timestamp) -> bool {
    let index = clause.index();
    let any_token = |tests: &[TokenTest]| {
        let of_index = rows.tokens.iter().filter(|row| index.contains(&row.param));
        of_index.into_iter().any(|row| {
            tests
                .iter()
                .any(|test| token(&test.for_index(row.param), &row.system, &row.code))
        })
    };
    match &clause.test {
        // No rows of one resource tell.
        Test::Chain(_) | Test::Has(_) => false,
        Test::Id(ids) => ids.contains(id),
        Test::Token(tests) => any_token(tests),
        Test::NotToken(tests) => !any_token(tests),
        Test::OfType(tests) => rows.tokens.iter().any(|row| {
            index.contains(&row.param)
                && tests
                    .iter()
                    .any(|test| test.row() == (row.system.clone(), row.code.clone()))
        }),
        Test::Uri(uris) => rows
            .tokens
            .iter()
            .any(|row| index.contains(&row.param) && uris.contains(&row.code)),
        Test::String(tests) | Test::Text(tests) => rows.strings.iter().any(|row| {
            index.contains(&row.param)
                && tests.iter().any(|test| match test {
                    StringTest::StartsWith(text) => row.folded.starts_with(text),
                    StringTest::Contains(text) => row.folded.contains(text),
                    StringTest::Exact(text) => row.exact == *text,
                })
        }),
        Test::Date(tests) if clause.param == SearchParam::LastUpdated => tests
            .iter()
            .any(|test| date(test, TimeRange::of_instant(updated))),
        Test::Date(tests) => rows.dates.iter().any(|row| {
            let (low, high) = (row.low, row.high);
            index.contains(&row.param) && tests.iter().any(|test| date(test, TimeRange { low, high }))
        }),
        Test::Reference(tests) => rows.references.iter().any(|row| {
            index.contains(&row.param)
                && tests.iter().any(|test| match test {
                    ReferenceTest::Id(id) => !row.kind.is_empty() && row.target == *id,
                    ReferenceTest::Typed { kind, id } => row.kind == *kind && row.target == *id,
                    ReferenceTest::Url(url) => row.kind.is_empty() && row.target == *url,
                    ReferenceTest::Identifier(test) => {
                        token(&test.for_index(row.param), &row.system, &row.value)
                    }
                })
        }),
        Test::Missing(missing) => {
            let present = rows.tokens.iter().any(|row| index.contains(&row.param))
                || rows.strings.iter().any(|row| index.contains(&row.param))
                || rows.dates.iter().any(|row| index.contains(&row.param))
                || rows.references.iter().any(|row| index.contains(&row.param));
            present != *missing
        }
    }
}

#[test]
fn index_rows_answer_like_the_resources_they_were_made_of() {
    let stored: Vec<_> = (0..200)
        .map(|seed| {
            let resource = sample::resource(seed);
            let rows = extract(&resource);
            (seed, resource, rows, sample::id(seed), sample::updated(seed))
        })
        .collect();
    let (mut found, mut answered) = (0, 0);
    for seed in 0..3000_u64 {
        let kind = ResourceType::ALL[usize::from(seed % 2 == 0)];
        let text = sample::query_string(seed, kind);
        let parsed = pairs(&text).and_then(|pairs| search(kind, &pairs, Handling::Strict, sample::now()));
        let query = parsed.unwrap_or_else(|issues| panic!("seed {seed}: {text}: {issues:?}"));
        let mut hits = 0;
        for (of, resource, rows, id, updated) in &stored {
            let expected = matches(&query.criteria, resource, id, *updated);
            let actual = by_rows(&query.criteria, resource.kind(), rows, id, *updated);
            assert_eq!(expected, actual, "query seed {seed} `{text}`, resource seed {of}");
            hits += usize::from(expected);
        }
        found += hits;
        answered += usize::from(hits > 0);
    }
    // A test whose queries find nothing proves nothing.
    assert!(answered > 1500, "only {answered} of 3000 queries found anything");
    assert!(found > 10_000, "only {found} matches");
}

fn patient(content: Value) -> Resource {
    Resource::from_guarded(ResourceType::Patient, content.as_object().unwrap().clone())
}

fn finds(query: &str, resource: &Resource) -> bool {
    finds_at(query, resource, sample::now())
}

/// The matcher's answer, checked against the rows.
fn finds_at(query: &str, resource: &Resource, updated: Timestamp) -> bool {
    let kind = resource.kind();
    let parsed = pairs(query).and_then(|pairs| search(kind, &pairs, Handling::Strict, sample::now()));
    let criteria = parsed
        .unwrap_or_else(|issues| panic!("{query}: {issues:?}"))
        .criteria;
    let id = Id::parse("p1").unwrap();
    let answer = matches(&criteria, resource, &id, updated);
    assert_eq!(
        answer,
        by_rows(&criteria, kind, &extract(resource), &id, updated),
        "{query}"
    );
    answer
}

/// Each line a query, found (`+`) or not (`-`).
fn check(resource: &Resource, table: &[(&str, char)]) {
    for (query, expected) in table {
        let found = if finds(query, resource) { '+' } else { '-' };
        assert_eq!(found, *expected, "{query}");
    }
}

#[test]
fn p44_each_form_of_a_token_finds_what_it_names() {
    let resource = patient(json!({ "identifier": [
        { "system": "urn:a", "value": "1" }, { "value": "2" }, { "system": "urn:c" }
    ] }));
    check(
        &resource,
        &[
            ("identifier=1", '+'),
            ("identifier=urn:a|1", '+'),
            ("identifier=|1", '-'),
            ("identifier=urn:a|", '+'),
            ("identifier=2", '+'),
            ("identifier=|2", '+'),
            ("identifier=urn:a|2", '-'),
            ("identifier=urn:c|", '+'),
            ("identifier=urn:b|", '-'),
            ("identifier=3", '-'),
            ("identifier=3,2", '+'),
            ("identifier=1&identifier=2", '+'),
            ("identifier=1&identifier=3", '-'),
            ("identifier=URN:A|1", '-'),
            ("identifier:not=1", '-'),
            ("identifier:not=3", '+'),
            ("identifier:not=3,1", '-'),
            ("identifier:missing=false", '+'),
            ("identifier:missing=true", '-'),
        ],
    );
}

#[test]
fn not_and_missing_hold_for_a_resource_without_the_element() {
    let resource = patient(json!({}));
    check(
        &resource,
        &[
            ("gender:not=male", '+'),
            ("gender:missing=true", '+'),
            ("gender:missing=false", '-'),
            ("gender=male", '-'),
            ("birthdate:missing=true", '+'),
            ("birthdate=ne2024", '-'),
            ("name:missing=true", '+'),
            ("deceased=false", '+'),
            ("deceased:missing=true", '-'),
            ("active=false", '-'),
            ("active:not=true", '+'),
            ("link:missing=true", '+'),
            ("_profile:missing=true", '+'),
        ],
    );
}

#[test]
fn a_profile_without_a_version_is_found_in_every_version() {
    let cases = [
        ("_profile=http://x", "+++-"),
        ("_profile=http://x|1.0", "-+--"),
        ("_profile=http://x|2.0", "--+-"),
        ("_profile=http://x|1", "----"),
        ("_profile=http://x|", "----"),
        ("_profile=http://y,http://x|1.0", "-++-"),
        ("_profile=http://x&_profile=http://y", "--+-"),
        ("_source=http://x", "---+"),
        ("_profile:missing=true", "---+"),
    ];
    let resources = [
        json!({ "profile": ["http://x"] }),
        json!({ "profile": ["http://x|1.0"] }),
        json!({ "profile": ["http://y", "http://x|2.0"] }),
        // A source is no canonical URL: it has no version.
        json!({ "source": "http://x" }),
    ];
    for (place, meta) in resources.into_iter().enumerate() {
        let resource = patient(json!({ "meta": meta }));
        let column: Vec<(&str, char)> = cases
            .iter()
            .map(|(query, row)| (*query, row.chars().nth(place).unwrap()))
            .collect();
        check(&resource, &column);
    }
    let source = patient(json!({ "meta": { "source": "http://x|1.0" } }));
    check(
        &source,
        &[("_source=http://x", '-'), ("_source=http://x|1.0", '+')],
    );
}

#[test]
fn p43_separators_in_values_and_systems_are_found_when_escaped() {
    for text in [
        "a,b",
        "a|b",
        "a\\b",
        "a$b",
        "3456780581/11242343",
        "a\\,b",
        "\\",
        "a'b",
        "50%",
        "_",
        "a+b",
        "a b",
    ] {
        let resource = patient(json!({ "identifier": [{ "system": text, "value": text }] }));
        let other = patient(json!({ "identifier": [{ "system": "a", "value": "b" }, { "value": "a" }] }));
        let escaped = crate::query::encoding::encode(&crate::query::value::escape(text));
        for query in [
            format!("identifier={escaped}"),
            format!("identifier={escaped}%7C{escaped}"),
        ] {
            assert!(finds(&query, &resource), "{query}");
            assert!(!finds(&query, &other), "{query}");
        }
    }
}

#[test]
fn p45_of_type_needs_type_and_value_on_the_same_identifier() {
    let resource = patient(json!({ "identifier": [
        { "type": { "coding": [{ "system": "urn:t", "code": "A|B" }] }, "value": "1|2" },
        { "type": { "coding": [{ "system": "urn:t", "code": "C" }] }, "value": "9" },
    ] }));
    check(
        &resource,
        &[
            ("identifier:of-type=urn:t|A\\|B|1\\|2", '+'),
            ("identifier:of-type=urn:t|A|B\\|1\\|2", '-'),
            ("identifier:of-type=urn:t|C|9", '+'),
            ("identifier:of-type=urn:t|C|1\\|2", '-'),
            ("identifier:of-type=urn:x|C|9", '-'),
        ],
    );
}

#[test]
fn strings_are_found_without_case_and_accents() {
    let resource = patient(json!({ "name": [{
        "family": "L’Hôte-Œuvrard", "given": ["Éloïse  Marie", null, "Йована"], "text": "Dr 100% _"
    }] }));
    check(
        &resource,
        &[
            ("family=l'hote", '+'),
            ("family=L%27H%C3%94TE", '+'),
            ("family=hote", '-'),
            ("family:contains=OEUVRARD", '+'),
            ("family:exact=L’Hôte-Œuvrard", '+'),
            ("family:exact=L’Hôte", '-'),
            ("family:exact=l’hôte-œuvrard", '-'),
            ("given=eloise+marie", '+'),
            ("given=йо", '+'),
            ("given=ИО", '+'),
            ("name=oeu", '-'),
            ("name=dr+100%25", '+'),
            ("name:contains=%25", '+'),
            ("family:contains=%25", '-'),
            ("family=%25", '-'),
            ("family=_", '-'),
            ("name=elo&name=dr", '+'),
            ("name=zzz,elo", '+'),
        ],
    );
}

#[test]
fn long_strings_are_found_by_their_beginning_and_exactly() {
    let long = "é".repeat(300);
    let longer = "é".repeat(301);
    let resource = patient(
        json!({ "name": [{ "family": &long }], "identifier": [{ "system": &long, "value": &long }] }),
    );
    let encoded = crate::query::encoding::encode;
    assert!(finds(&format!("family={}", encoded(&"e".repeat(256))), &resource));
    assert!(finds(&format!("family:exact={}", encoded(&long)), &resource));
    assert!(!finds(&format!("family:exact={}", encoded(&longer)), &resource));
    assert!(finds(&format!("identifier={0}|{0}", encoded(&long)), &resource));
    assert!(!finds(&format!("identifier={}", encoded(&longer)), &resource));
}

#[test]
fn contact_points_are_found_whatever_their_punctuation() {
    let resource = patient(json!({ "telecom": [
        { "system": "phone", "value": "+33 6.12-34 (56) 78" }, { "system": "email", "value": "Jean@Example.ORG" },
        { "system": "url", "value": "http://x.org/A" }, { "system": "phone" }
    ] }));
    check(
        &resource,
        &[
            ("phone=%2B33612345678", '+'),
            ("phone=+33612345678", '+'),
            ("phone=+33+6+12345678", '+'),
            ("telecom=%2B33 612345678", '+'),
            ("email=jean@example.org", '+'),
            ("email=JEAN@example.org", '+'),
            ("phone=jean@example.org", '-'),
            ("telecom=jean@example.org", '+'),
            ("telecom=http://x.org/A", '+'),
            ("telecom=http://x.org/a", '-'),
            ("telecom=http://xorg/A", '-'),
            ("phone=0612345678", '-'),
        ],
    );
}

#[test]
fn p58_dates_compare_as_ranges_in_utc() {
    let resource =
        patient(json!({ "birthDate": "1974-12-25", "deceasedDateTime": "2024-01-01T00:30:00+01:00" }));
    check(
        &resource,
        &[
            ("birthdate=1974", '+'),
            ("birthdate=1974-12", '+'),
            ("birthdate=1974-12-25", '+'),
            ("birthdate=1974-12-26", '-'),
            ("birthdate=1974-12-25T00:00:00Z", '-'),
            ("birthdate=ne1974", '-'),
            ("birthdate=ne1975", '+'),
            ("birthdate=gt1974", '-'),
            ("birthdate=ge1974", '+'),
            ("birthdate=gt1974-12-24", '+'),
            ("birthdate=lt1974-12-26", '+'),
            ("birthdate=lt1974-12-25", '-'),
            ("birthdate=le1974-12-25", '+'),
            ("birthdate=sa1974-12-24", '+'),
            ("birthdate=sa1974-12-25", '-'),
            ("birthdate=eb1974-12-26", '+'),
            ("birthdate=eb1974-12-25", '-'),
            ("birthdate=ge1974-01-01&birthdate=lt1975-01-01", '+'),
            ("birthdate=1970,1974", '+'),
            // 2024-01-01T00:30 in Paris is still 2023 in UTC.
            ("death-date=2023", '+'),
            ("death-date=2024", '-'),
            ("death-date=2023-12-31T23:30:00Z", '+'),
            ("death-date=2024-01-01T00:30:00%2B01:00", '+'),
            ("death-date=2024-01-01T00:30:00+01:00", '+'),
            ("death-date=ge2024-01-01T00:00:00%2B01:00", '+'),
            ("death-date=2023-12-31T23:30", '+'),
            ("deceased=true", '+'),
            ("deceased=http://hl7.org/fhir/special-values|true", '+'),
            ("deceased=false", '-'),
        ],
    );
}

#[test]
fn a_partial_date_is_a_range_that_a_wider_one_contains() {
    let resource = patient(json!({ "birthDate": "1974" }));
    check(
        &resource,
        &[
            ("birthdate=1974", '+'),
            ("birthdate=1974-12", '-'),
            ("birthdate=ge1974-12", '-'),
            ("birthdate=ge1974-11", '+'),
            ("birthdate=le1974-12", '+'),
            ("birthdate=gt1974-12", '-'),
            ("birthdate=gt1974-11", '+'),
            ("birthdate=ap1974-12", '+'),
            ("birthdate=eb1974-12", '-'),
        ],
    );
}

#[test]
fn approximately_is_a_tenth_of_the_distance_and_at_least_a_day() {
    // now is 2026-11-21; 1976-11-21 is 50 years away: 5 years on both sides.
    for (birth, expected) in [
        ("1972-01-01", true),
        ("1971-11-01", false),
        ("1981-11-01", true),
        ("1982-01-01", false),
    ] {
        let resource = patient(json!({ "birthDate": birth }));
        assert_eq!(finds("birthdate=ap1976-11-21", &resource), expected, "{birth}");
    }
    for (birth, expected) in [
        ("2026-11-20", true),
        ("2026-11-19", false),
        ("2026-11-22", true),
        ("2026-11-23", false),
    ] {
        let resource = patient(json!({ "birthDate": birth }));
        assert_eq!(finds("birthdate=ap2026-11-21", &resource), expected, "{birth}");
    }
}

#[test]
fn p58_last_updated_is_a_microsecond_in_utc() {
    let resource = patient(json!({}));
    // 2026-11-20T23:30:00.123456Z, which is after midnight in Paris.
    let updated = Timestamp::from_micros(1_795_217_400_123_456);
    assert_eq!(updated.to_instant(), "2026-11-20T23:30:00.123456Z");
    for (query, expected) in [
        ("_lastUpdated=2026-11-20", true),
        ("_lastUpdated=2026-11-21", false),
        ("_lastUpdated=2026-11-20T23:30:00.123456Z", true),
        ("_lastUpdated=2026-11-21T00:30:00.123%2B01:00", true),
        ("_lastUpdated=gt2026-11-20T23:30:00.123456Z", false),
        ("_lastUpdated=ge2026-11-20T23:30:00.123456Z", true),
        ("_lastUpdated=gt2026-11-20T23:30:00.123455Z", true),
        ("_lastUpdated=lt2026-11-20T23:30:00.123457Z", true),
        ("_lastUpdated=ge2026-11-21T00:00:00%2B01:00", true),
    ] {
        assert_eq!(finds_at(query, &resource, updated), expected, "{query}");
    }
}

#[test]
fn references_are_found_by_id_type_url_and_identifier() {
    let resource = patient(json!({
        "generalPractitioner": [
            { "reference": "Practitioner/p1/_history/4", "identifier": { "system": "urn:a", "value": "1" } },
            { "reference": "https://example.org/fhir/Practitioner/p2" }
        ],
        "managingOrganization": { "identifier": { "value": "x" } },
        "link": [{ "other": { "reference": "#p" }, "type": "seealso" }],
    }));
    check(
        &resource,
        &[
            ("general-practitioner=p1", '+'),
            ("general-practitioner=Practitioner/p1", '+'),
            ("general-practitioner=Organization/p1", '-'),
            ("general-practitioner:Practitioner=p1", '+'),
            ("general-practitioner:Organization=p1", '-'),
            ("general-practitioner=p2", '-'),
            (
                "general-practitioner=https://example.org/fhir/Practitioner/p2",
                '+',
            ),
            ("general-practitioner:identifier=urn:a|1", '+'),
            ("general-practitioner:identifier=urn:a|", '+'),
            ("general-practitioner:identifier=|1", '-'),
            ("organization:identifier=|x", '+'),
            ("organization=x", '-'),
            ("organization:missing=false", '+'),
            ("link:missing=false", '+'),
            ("link=p", '-'),
        ],
    );
}

#[test]
fn code_and_boolean_elements_have_the_system_of_their_type() {
    let resource = patient(json!({ "gender": "male", "active": true, "address": [{ "use": "home" }] }));
    check(
        &resource,
        &[
            ("gender=male", '+'),
            ("gender=http://hl7.org/fhir/administrative-gender|male", '+'),
            ("gender=|male", '+'),
            ("gender=http://hl7.org/fhir/administrative-gender|", '+'),
            ("gender=urn:x|male", '-'),
            ("gender=robot", '-'),
            ("gender=MALE", '-'),
            ("active=true", '+'),
            ("active=|true", '+'),
            ("active=false", '-'),
            ("address-use=home", '+'),
        ],
    );
}

#[test]
fn another_type_never_matches() {
    let practitioner = Resource::from_guarded(ResourceType::Practitioner, Map::new());
    let all = Criteria {
        kind: ResourceType::Patient,
        clauses: Vec::new(),
    };
    assert!(!matches(
        &all,
        &practitioner,
        &Id::parse("p1").unwrap(),
        sample::now()
    ));
}
