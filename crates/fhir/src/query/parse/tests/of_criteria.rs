//! Criteria of conditional interactions, in the URL and in `If-None-Exist`.

use super::*;
use crate::query::{DatePrefix, DateTest, OfTypeTest, ReferenceTest, StringTest};

#[test]
fn p25_a_misspelt_criterion_is_refused_with_the_names_that_exist() {
    let issues = refused(conditional("identifer=urn:a|1"), "`identifer`");
    assert!(
        issues[0].text.contains("Did you mean `identifier`?"),
        "{}",
        issues[0].text
    );
    assert!(issues[0].text.contains("general-practitioner"));
    refused(header("familyname=x"), "`familyname`");
    refused(conditional("Identifier=urn:a|1"), "`Identifier`");
    let text = &refused(
        criteria(
            ResourceType::Practitioner,
            "birthdate=2024",
            NameCase::Exact,
            sample::now(),
        ),
        "birthdate",
    )[0]
    .text;
    assert!(
        text.contains("Practitioner is searched by") && text.contains("communication"),
        "{text}"
    );
}

#[test]
fn criteria_are_never_weakened() {
    for (query, naming) in [
        ("", "criteria"),
        ("_format=json", "criteria"),
        ("identifier=", "`identifier`"),
        ("identifier", "`identifier`"),
        ("identifier=urn:a|1&name=", "`name`"),
        ("identifier=urn:a|1&_count=1", "`_count`"),
        ("identifier=urn:a|1&_sort=name", "`_sort`"),
        ("identifier=urn:a|1&_summary=count", "`_summary`"),
        ("identifier=urn:a|1&_total=none", "`_total`"),
        ("identifier=urn:a|1&_cursor=x", "`_cursor`"),
        ("identifier=urn:a|1&_has:Observation:patient:code=1", "`_has`"),
        ("identifier:text=x", "`identifier:text`"),
        ("identifier:exact=x", "`identifier:exact`"),
        ("identifier:=x", "`identifier:`"),
        ("name:not=x", "`name:not`"),
        ("_id:missing=true", "`_id:missing`"),
        ("_lastUpdated:missing=true", "`_lastUpdated:missing`"),
        ("_profile:below=http://x", "`_profile:below`"),
        ("general-practitioner.name=x", "`general-practitioner.name`"),
        (
            "general-practitioner:Practitioner.name=x",
            "`general-practitioner:Practitioner.name`",
        ),
        ("general-practitioner:Patient=x", "`general-practitioner:Patient`"),
        ("identifier=a,,b", "`identifier`"),
        ("identifier=a,", "`identifier`"),
        ("identifier=|", "`identifier`"),
        ("identifier=a|b|c", "`identifier`"),
        ("identifier:of-type=a|b", "`identifier:of-type`"),
        ("identifier:of-type=|b|c", "`identifier:of-type`"),
        ("gender:of-type=a|b|c", "`gender:of-type`"),
        ("active=yes", "`active`"),
        ("active=urn:x|true", "`active`"),
        ("deceased=1", "`deceased`"),
        ("name:missing=maybe", "`name:missing`"),
        ("birthdate=25.12.1974", "`birthdate`"),
        ("birthdate=1974-2-3", "`birthdate`"),
        ("birthdate=1974-02-30", "`birthdate`"),
        ("birthdate=zz1974", "`birthdate`"),
        ("birthdate=gt", "`birthdate`"),
        ("birthdate:exact=1974", "`birthdate:exact`"),
        ("_id=a/b", "`_id`"),
        ("_id=Patient/1", "`_id`"),
        ("link=a b", "`link`"),
        ("link=patient/1", "`link`"),
        ("link=Patient/1/2", "`link`"),
        ("phone=urn:x|1", "`phone`"),
        ("name=%CC%81", "`name`"),
        ("name=+", "`name`"),
        ("name=%zz", "`name`"),
        ("name=%C3", "`name`"),
        ("name=a%00b", "`name`"),
        ("na%zzme=1", "na%zzme"),
    ] {
        refused(conditional(query), naming);
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let issues = refused(
        conditional("identifer=1&active=maybe&name=&gender=male"),
        "`identifer`",
    );
    assert_eq!(issues.len(), 3);
    refused::<()>(Err(issues.clone()), "`active`");
    refused::<()>(Err(issues), "`name`");
}

#[test]
fn issues_carry_values_in_diagnostics_only() {
    let issues = refused(conditional("active=285057800608436"), "`active`");
    assert!(!issues[0].text.contains("285057800608436"));
    assert_eq!(issues[0].diagnostics.as_deref(), Some("active=285057800608436"));
}

#[test]
fn p42_pipes_colons_and_slashes_may_be_raw_or_encoded() {
    for query in [
        "identifier=urn:oid:1.2.250.1.71.4.2.1|3456780581/11242343",
        "identifier=urn%3Aoid%3A1.2.250.1.71.4.2.1%7C3456780581%2F11242343",
        "identifier=urn:oid:1.2.250.1.71.4.2.1%7c3456780581/11242343",
        "%69dentifier=urn:oid:1.2.250.1.71.4.2.1|3456780581/11242343",
        "_format=json&identifier=urn:oid:1.2.250.1.71.4.2.1|3456780581/11242343",
        "identifier=urn:oid:1.2.250.1.71.4.2.1|3456780581/11242343&_format=application/fhir+json&_pretty=true",
        "&identifier=urn:oid:1.2.250.1.71.4.2.1|3456780581/11242343&&",
    ] {
        assert_test(
            conditional(query),
            system_code("urn:oid:1.2.250.1.71.4.2.1", "3456780581/11242343"),
        );
    }
}

#[test]
fn names_in_any_case_are_understood_where_senders_are_not_reliable() {
    for query in [
        "Identifier=urn:a|1",
        "IDENTIFIER=urn:a|1&_Format=json",
        "identifier=urn:a|1",
    ] {
        let found = criteria(Patient, query, NameCase::AnyCase, sample::now());
        assert_test(found, system_code("urn:a", "1"));
    }
    refused(
        criteria(Patient, "Identifer=urn:a|1", NameCase::AnyCase, sample::now()),
        "`Identifer`",
    );
}

#[test]
fn p26_if_none_exist_is_percent_decoded() {
    for (text, value) in [
        ("identifier=http://s%7Cv", "v"),
        ("identifier=http://s|v", "v"),
        ("identifier=http%3A%2F%2Fs%7Cv", "v"),
        ("identifier=http://s|a%26b", "a&b"),
        ("identifier=http%3A%2F%2Fs%7Ca%26b%3Dc", "a&b=c"),
        ("identifier=http://s|a=b", "a=b"),
        ("identifier=http://s|a%3Db", "a=b"),
        ("identifier=http://s|a+b", "a+b"),
        ("identifier=http://s|a%2Bb", "a+b"),
        ("identifier=http%3A%2F%2Fs%7Ca%2Bb", "a+b"),
        ("identifier=http://s|a b", "a b"),
        ("identifier=http://s|a%20b", "a b"),
        // As a form encoder writes it.
        ("identifier=http%3A%2F%2Fs%7Ca+b", "a b"),
    ] {
        assert_test(header(text), system_code("http://s", value));
    }
}

#[test]
fn a_plus_in_if_none_exist_without_any_sign_is_read_by_its_parameter() {
    assert_test(
        header("identifier=a+b"),
        Test::Token(vec![TokenTest::Code("a+b".to_owned())]),
    );
    assert_test(
        header("family=van+Damme"),
        Test::String(vec![StringTest::StartsWith("van damme".to_owned())]),
    );
    assert_test(
        header("phone=+33612"),
        Test::Token(vec![TokenTest::Code("+33612".to_owned())]),
    );
    let time = |text: &str| only(header(text));
    assert!(
        time("_lastUpdated=2024-01-01T00:00:00+01:00")
            == time("_lastUpdated=2024-01-01T00%3A00%3A00%2B01%3A00")
    );
}

#[test]
fn an_unescaped_ampersand_in_if_none_exist_is_refused_not_cut_off() {
    refused(header("identifier=http://s|a&b"), "`b`");
}

#[test]
fn p27_if_none_exist_takes_every_prefix() {
    for text in [
        "identifier=urn:a|1",
        "?identifier=urn:a|1",
        "Patient?identifier=urn:a|1",
        " Patient?identifier=urn:a|1 ",
        "http://example.org/fhir/Patient?identifier=urn:a|1",
        "https://example.org:8443/a/b/Patient?identifier=urn%3Aa%7C1",
    ] {
        assert_test(header(text), system_code("urn:a", "1"));
    }
    assert_test(header("identifier=http://a?b|1"), system_code("http://a?b", "1"));
    for text in [
        "Practitioner?identifier=1",
        "http://example.org/fhir/Practitioner?identifier=1",
        "patient?identifier=1",
        "/Patient?identifier=1",
    ] {
        refused(header(text), "Patient");
    }
}

#[test]
fn p28_an_empty_if_none_exist_is_refused() {
    for text in ["", " ", "?", "Patient?", "Patient", "&", "_format=json"] {
        assert!(header(text).is_err(), "{text:?}");
    }
}

#[test]
fn p43_escapes_are_resolved_after_percent_decoding() {
    for (query, system, value) in [
        ("identifier=urn:a|x\\,y", "urn:a", "x,y"),
        ("identifier=urn:a|x%5C%2Cy", "urn:a", "x,y"),
        ("identifier=urn:a|x%5C%7Cy", "urn:a", "x|y"),
        ("identifier=urn:a\\|b|x", "urn:a|b", "x"),
        ("identifier=urn:a\\,b|x", "urn:a,b", "x"),
        ("identifier=urn:a|x\\\\y", "urn:a", "x\\y"),
        ("identifier=urn:a|x\\$y", "urn:a", "x$y"),
        ("identifier=urn:a|x$y", "urn:a", "x$y"),
        ("identifier=urn:a|x\\y", "urn:a", "x\\y"),
        ("identifier=urn:a|x\\", "urn:a", "x\\"),
        (
            "identifier=urn:a|3456780581/11242343",
            "urn:a",
            "3456780581/11242343",
        ),
        ("identifier=urn:a|x\\\\\\,y", "urn:a", "x\\,y"),
    ] {
        assert_test(conditional(query), system_code(system, value));
    }
    let both = Test::Token(vec![pair_of("urn:a", "x\\"), pair_of("urn:a", "y")]);
    assert_test(conditional("identifier=urn:a|x\\\\,urn:a|y"), both);
}

#[test]
fn p44_a_token_has_four_forms() {
    let text = str::to_owned;
    for (query, expected) in [
        ("identifier=v", TokenTest::Code(text("v"))),
        ("identifier=s|v", pair_of("s", "v")),
        ("identifier=|v", TokenTest::CodeWithoutSystem(text("v"))),
        ("identifier=s|", TokenTest::System(text("s"))),
        ("gender=|male", TokenTest::Code(text("male"))),
        (
            "gender=http://hl7.org/fhir/administrative-gender|male",
            TokenTest::Code(text("male")),
        ),
        (
            "active=http://hl7.org/fhir/special-values|true",
            TokenTest::Code(text("true")),
        ),
        ("phone=+33 6.12", TokenTest::Code(text("+33612"))),
        ("email=A@B.org", TokenTest::Code(text("a@b.org"))),
    ] {
        assert_test(conditional(query), Test::Token(vec![expected]));
    }
    assert_test(
        conditional("gender:not=male"),
        Test::NotToken(vec![TokenTest::Code(text("male"))]),
    );
    assert_test(conditional("gender:missing=true"), Test::Missing(true));
    let of_type = OfTypeTest {
        system: text("urn:t"),
        code: text("MR"),
        value: text("1|2"),
    };
    assert_test(
        conditional("identifier:of-type=urn:t|MR|1\\|2"),
        Test::OfType(vec![of_type]),
    );
}

#[test]
fn strings_dates_references_and_uris_have_their_forms() {
    let text = str::to_owned;
    let day = DateTest {
        prefix: DatePrefix::GreaterOrEqual,
        low: 1_704_067_200_000_000,
        high: 1_704_153_600_000_000,
    };
    for (query, expected) in [
        (
            "name=%C3%89lo%C3%AFse",
            Test::String(vec![StringTest::StartsWith(text("eloise"))]),
        ),
        (
            "name=a,B",
            Test::String(vec![
                StringTest::StartsWith(text("a")),
                StringTest::StartsWith(text("b")),
            ]),
        ),
        (
            "name:exact=%C3%89",
            Test::String(vec![StringTest::Exact(text("É"))]),
        ),
        (
            "name:contains=%25",
            Test::String(vec![StringTest::Contains(text("%"))]),
        ),
        ("birthdate=ge2024-01-01", Test::Date(vec![day])),
        ("_profile=http://x|1.0", Test::Uri(vec![text("http://x|1.0")])),
        ("link=p1", Test::Reference(vec![ReferenceTest::Id(text("p1"))])),
        (
            "link=Group/p1",
            Test::Reference(vec![ReferenceTest::Typed {
                kind: text("Group"),
                id: text("p1"),
            }]),
        ),
        (
            "link:Patient=p1",
            Test::Reference(vec![ReferenceTest::Typed {
                kind: text("Patient"),
                id: text("p1"),
            }]),
        ),
        (
            "link:Patient=Patient/p1",
            Test::Reference(vec![ReferenceTest::Typed {
                kind: text("Patient"),
                id: text("p1"),
            }]),
        ),
        (
            "link=http://x/Patient/1",
            Test::Reference(vec![ReferenceTest::Url(text("http://x/Patient/1"))]),
        ),
        (
            "link:identifier=s|v",
            Test::Reference(vec![ReferenceTest::Identifier(pair_of("s", "v"))]),
        ),
    ] {
        assert_test(conditional(query), expected);
    }
}

#[test]
fn commas_are_alternatives_and_repetition_adds_conditions() {
    let found = conditional("identifier=a,b&identifier=c&gender=male").unwrap();
    assert_eq!(found.clauses.len(), 3);
    let Test::Token(tests) = &found.clauses[0].test else {
        panic!()
    };
    assert_eq!(tests.len(), 2);
}
