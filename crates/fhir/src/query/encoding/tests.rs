//! Pairs, escapes and the plus sign.

use super::*;

fn list(query: &str) -> Vec<(String, Option<String>, String)> {
    let pairs = pairs(query).unwrap_or_else(|issues| panic!("{query}: {issues:?}"));
    pairs
        .into_iter()
        .map(|pair| (pair.name, pair.modifier, pair.value))
        .collect()
}

fn one(name: &str, modifier: Option<&str>, value: &str) -> Vec<(String, Option<String>, String)> {
    vec![(name.to_owned(), modifier.map(str::to_owned), value.to_owned())]
}

#[test]
fn pairs_keep_order_repetition_and_what_follows_the_first_sign() {
    assert_eq!(list("a:b:c=d=e:f"), one("a", Some("b:c"), "d=e:f"));
    assert_eq!(list("a%3Ab=c"), one("a", Some("b"), "c"));
    assert_eq!(list("a"), one("a", None, ""));
    assert_eq!(list("=x"), one("", None, "x"));
    assert_eq!(list("&&"), Vec::new());
    let names: Vec<String> = list("b=1&a=2&b=3").into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["b", "a", "b"]);
}

#[test]
fn a_plus_is_a_space_in_a_url() {
    assert_eq!(list("a=b+c%2Bd%20e"), one("a", None, "b c+d e"));
    assert_eq!(
        list("_format=application/fhir+json"),
        one("_format", None, "application/fhir json")
    );
}

#[test]
fn broken_escapes_utf8_and_nul_are_refused_by_name() {
    for query in [
        "a=%",
        "a=%4",
        "a=%4g",
        "a=%ff",
        "a=%C3%28",
        "a=%00",
        "a=%ED%A0%80",
    ] {
        let issues = pairs(query).err().unwrap_or_default();
        assert_eq!(issues.len(), 1, "{query}");
        assert!(issues[0].text.starts_with("Parameter `a`"), "{}", issues[0].text);
    }
    assert_eq!(pairs("a=%&b=1&c=%zz").err().unwrap_or_default().len(), 2);
}

#[test]
fn what_is_encoded_is_decoded_to_the_same() {
    for text in ["a b+c|d\\e,f/g:h?i#j&k=l%m\"'é🦀\u{7f}", "", "~-._"] {
        assert_eq!(list(&format!("x={}", encode(text))), one("x", None, text));
    }
}

#[test]
fn issues_show_only_the_beginning_of_a_long_value() {
    let issues = pairs(&format!("{}=%", "n".repeat(5000)))
        .err()
        .unwrap_or_default();
    assert!(issues[0].text.len() < 500);
    assert_eq!(clip("a\nb"), "a\u{FFFD}b");
}
