//! Searches: what is ignored, what shapes the answer, and the self link.

use super::*;

#[test]
fn a_search_is_lenient_towards_unknown_parameters_only() {
    let query =
        lenient("identifer=1&gender=male&_sort=name&_has:X:y:z=1&_include=*&_elements=id&_summary=text")
            .unwrap();
    assert_eq!(query.criteria.clauses.len(), 1);
    assert_eq!(query.link(None), "gender=male");
    for bad in [
        "gender:text=x",
        "active=x",
        "birthdate=x",
        "name=",
        "_count=x",
        "general-practitioner.name=x",
        "link:Foo=1",
    ] {
        refused(lenient(bad), bad.split('=').next().unwrap());
    }
}

#[test]
fn p46_a_strict_search_refuses_what_it_does_not_do() {
    for bad in [
        "identifer=1",
        "_sort=name",
        "_has:X:y:z=1",
        "_include=*",
        "_revinclude=*",
        "_elements=id",
        "_summary=text",
        "_filter=x",
    ] {
        let name = bad.split(['=', ':']).next().unwrap();
        refused(strictly(&format!("gender=male&{bad}")), name);
    }
    let query = strictly("_tag=a|b&_profile=http://p&_security=c&_source=urn:d").unwrap();
    assert_eq!(
        query.link(None),
        "_tag=a%7Cb&_profile=http://p&_security=c&_source=urn:d"
    );
    assert_eq!(query.criteria.clauses.len(), 4);
}

#[test]
fn p47_count_0_is_summary_count() {
    for text in [
        "_count=0",
        "_summary=count",
        "_summary=count&_count=5",
        "_count=5&_summary=count",
    ] {
        let query = strictly(text).unwrap();
        assert_eq!(query.count, 0, "{text}");
        assert_eq!(query.link(None), text);
    }
}

#[test]
fn result_parameters_have_defaults_and_limits() {
    let query = strictly("").unwrap();
    assert_eq!(
        (query.count, query.total, query.link(None)),
        (20, Total::Accurate, String::new())
    );
    assert_eq!(strictly("_count=1000").unwrap().count, 1000);
    for more in ["_count=1001", "_count=99999999999999999999"] {
        let query = strictly(more).unwrap();
        assert_eq!((query.count, query.link(None).as_str()), (1000, "_count=1000"));
    }
    assert_eq!(strictly("_total=none").unwrap().total, Total::None);
    assert_eq!(strictly("_total=estimate").unwrap().total, Total::Accurate);
    assert_eq!(strictly("_summary=false").unwrap().count, 20);
    for bad in [
        "_count=",
        "_count=-1",
        "_count=+1",
        "_count=1.5",
        "_total=maybe",
        "_total=",
        "_summary=x",
        "_count=1&_count=2",
        "_count:exact=1",
        "_cursor=",
        "_cursor=a&_cursor=b",
    ] {
        refused(lenient(bad), bad.split(['=', ':']).next().unwrap());
    }
}

#[test]
fn the_cursor_is_kept_apart_from_what_was_applied() {
    let query = strictly("gender=male&_cursor=a%2Bb&_count=7").unwrap();
    assert_eq!(query.cursor.as_deref(), Some("a+b"));
    assert_eq!(query.link(None), "gender=male&_count=7");
    assert_eq!(query.link(Some("c+d")), "gender=male&_count=7&_cursor=c%2Bd");
    assert_eq!(strictly("").unwrap().link(Some("x")), "_cursor=x");
}

#[test]
fn a_self_link_asks_for_the_same_again() {
    for seed in 0..2000 {
        let kind = ResourceType::ALL[usize::from(seed % 2 == 0)];
        let text = format!("{}&unknown=x&_count=7", sample::query_string(seed, kind));
        let parse =
            |text: &str| search(kind, &pairs(text).unwrap(), Handling::Lenient, sample::now()).unwrap();
        let first = parse(&text);
        let link = first.link(None);
        let again = parse(&link);
        assert!(first == again, "seed {seed}: {text}");
        assert_eq!(again.link(None), link, "seed {seed}: {text}");
        assert!(
            link.is_ascii() && !link.contains(['|', ' ', '+', '"', '\\']),
            "{link}"
        );
    }
}
