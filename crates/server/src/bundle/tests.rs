use fhir::query::parse::{self, Handling};
use fhir::{Id, ResourceType, Target, Timestamp, VersionId};
use store::{Class, Stored};

use super::*;

fn patient(id: &str, body: &str) -> Stored {
    Stored {
        row: 1,
        target: Target {
            kind: ResourceType::Patient,
            id: Id::parse(id).expect("an id"),
        },
        version: VersionId::FIRST,
        updated: Timestamp::from_micros(0),
        deleted: false,
        class: Class::Ordinary,
        digest: [0; 16],
        body: body.to_owned(),
        created: Timestamp::from_micros(0),
        created_by: String::new(),
        updated_by: String::new(),
        medicapp_id: None,
    }
}

fn links(query: &str) -> Links {
    let pairs = parse::pairs(query).expect("pairs");
    let now = Timestamp::from_micros(0);
    Links::of(&parse::search(ResourceType::Patient, &pairs, Handling::Lenient, now).expect("a search"))
}

fn url_of<'v>(bundle: &'v Value, relation: &str) -> Option<&'v str> {
    bundle["link"]
        .as_array()?
        .iter()
        .find(|link| link["relation"] == relation)?["url"]
        .as_str()
}

#[test]
fn stored_bodies_go_in_verbatim_and_both_ways_of_writing_agree() {
    let base = Base::for_tests("http://h/fhir");
    let body =
        r#"{"resourceType":"Patient","id":"a","multipleBirthInteger":1.50,"name":[{"family":"\u00e9"}]}"#;
    let page = Page {
        matches: vec![
            patient("a", body),
            patient("b", r#"{"resourceType":"Patient","id":"b","meta":{}}"#),
        ],
        total: Some(7),
        next: Some("c+/d".into()),
        ..Page::default()
    };
    let links = links("family=x&nonsense=1&_count=2");
    let text = text(&base, &page, &links);
    assert!(text.contains(body));
    let parsed: Value = serde_json::from_str(&text).expect("JSON");
    let tree = Value::Object(tree(&base, &page, &links, |_| true));
    assert_eq!(parsed, tree);
    assert_eq!(parsed["total"], json!(7));
    assert_eq!(parsed["entry"][0]["fullUrl"], "http://h/fhir/Patient/a");
    assert_eq!(parsed["entry"][1]["search"]["mode"], "match");
}

#[test]
fn p51_a_damaged_match_is_an_outcome_between_the_others_in_both_ways_of_writing() {
    let base = Base::for_tests("http://h/fhir");
    let good = |id: &str| {
        patient(
            id,
            &format!(r#"{{"resourceType":"Patient","id":"{id}","meta":{{}}}}"#),
        )
    };
    for damaged in ["", "not JSON", r#"{"resourceType":"Patient","id":"b","me"#, "{}"] {
        let page = Page {
            matches: vec![good("a"), patient("b", damaged), good("c")],
            total: Some(3),
            next: Some("more".into()),
            ..Page::default()
        };
        let text = text(&base, &page, &links("_count=3"));
        let bundle: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            bundle,
            Value::Object(tree(&base, &page, &links("_count=3"), |_| true))
        );
        let modes: Vec<&Value> = (0..3)
            .map(|place| &bundle["entry"][place]["search"]["mode"])
            .collect();
        assert_eq!(modes, ["match", "outcome", "match"]);
        let outcome = &bundle["entry"][1]["resource"];
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        assert_eq!(outcome["issue"][0]["severity"], "warning");
        assert_eq!(outcome["issue"][0]["diagnostics"], "Patient/b");
        assert_eq!(
            (&bundle["total"], url_of(&bundle, "next").is_some()),
            (&json!(3), true)
        );
    }
}

#[test]
fn p51_a_match_that_cannot_be_shown_is_an_outcome() {
    let base = Base::for_tests("http://h/fhir");
    let body = r#"{"resourceType":"Patient","id":"a","meta":{}}"#;
    let page = Page {
        matches: vec![patient("a", body)],
        total: None,
        next: None,
        ..Page::default()
    };
    let bundle = Value::Object(tree(&base, &page, &links(""), |_| false));
    assert_eq!(bundle["entry"][0]["search"]["mode"], "outcome");
    assert_eq!(
        bundle["entry"][0]["resource"]["issue"][0]["diagnostics"],
        "Patient/a"
    );
}

#[test]
fn p46_links_list_what_was_applied_and_nothing_else() {
    let base = Base::for_tests("http://h/fhir");
    let page = Page {
        matches: Vec::new(),
        total: None,
        next: Some("c+/d".into()),
        ..Page::default()
    };
    let text = text(&base, &page, &links("family=x&nonsense=1&_count=2&_cursor=abc"));
    let bundle: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        url_of(&bundle, "self"),
        Some("http://h/fhir/Patient?family=x&_count=2&_cursor=abc")
    );
    assert_eq!(
        url_of(&bundle, "first"),
        Some("http://h/fhir/Patient?family=x&_count=2")
    );
    assert_eq!(
        url_of(&bundle, "next"),
        Some("http://h/fhir/Patient?family=x&_count=2&_cursor=c%2B/d")
    );
    assert_eq!(bundle.get("entry"), None);
    assert_eq!(bundle.get("total"), None);
}

#[test]
fn a_search_without_parameters_has_links_without_a_question_mark() {
    let base = Base::for_tests("http://h/fhir");
    let page = Page {
        matches: Vec::new(),
        total: Some(0),
        next: None,
        ..Page::default()
    };
    let bundle: Value = serde_json::from_str(&text(&base, &page, &links(""))).expect("JSON");
    assert_eq!(url_of(&bundle, "self"), Some("http://h/fhir/Patient"));
    assert_eq!(url_of(&bundle, "next"), None);
}
