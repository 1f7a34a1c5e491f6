use fhir::query::encoding::pairs;
use fhir::query::history::{History, Scope};
use fhir::query::parse::Handling;
use fhir::{Id, ResourceType, Target, Timestamp, VersionId};
use store::Class;

use super::*;

fn past(version: u64, body: &str) -> Past {
    let stored = Stored {
        row: 1,
        target: Target {
            kind: ResourceType::Patient,
            id: Id::parse("a").expect("an id"),
        },
        version: VersionId::new(version).expect("a version"),
        updated: Timestamp::from_micros(1_000_001),
        deleted: body.is_empty(),
        class: Class::Ordinary,
        digest: [0; 16],
        body: body.to_owned(),
        created: Timestamp::from_micros(0),
        created_by: String::new(),
        updated_by: String::new(),
        medicapp_id: None,
    };
    Past {
        stored,
        revived: version == 3,
    }
}

fn page(versions: Vec<Past>) -> HistoryPage {
    HistoryPage {
        versions,
        total: Some(9),
        next: Some("older".to_owned()),
        previous: Some("newer".to_owned()),
    }
}

fn rendered(page: &HistoryPage, scope: Scope, query: &str) -> Value {
    let base = Base::for_tests("http://h/fhir");
    let history = History::parse(scope, &pairs(query).expect("pairs"), Handling::Lenient);
    let links = Links::of_history(&history.expect("a history"));
    serde_json::from_str(&text(&base, page, &links, damage::is_whole)).expect("JSON")
}

const BODY: &str = r#"{"resourceType":"Patient","id":"a","meta":{}}"#;

#[test]
fn each_version_says_what_made_it_and_a_deletion_has_no_resource() {
    let versions = vec![past(4, BODY), past(3, BODY), past(2, ""), past(1, BODY)];
    let bundle = rendered(&page(versions), Scope::System, "");
    assert_eq!(
        (&bundle["type"], &bundle["total"]),
        (&json!("history"), &json!(9))
    );
    let told: Vec<(&str, &str, &str, bool)> = bundle["entry"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| {
            let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).expect("a text");
            assert_eq!(text("/fullUrl"), "http://h/fhir/Patient/a");
            assert_eq!(text("/response/lastModified"), "1970-01-01T00:00:01.000001Z");
            (
                text("/request/method"),
                text("/request/url"),
                text("/response/status"),
                entry.get("resource").is_some(),
            )
        })
        .collect();
    let expected = [
        ("PUT", "Patient/a", "200", true),
        ("PUT", "Patient/a", "201", true),
        ("DELETE", "Patient/a", "204", false),
        ("POST", "Patient", "201", true),
    ];
    assert_eq!(told, expected);
    assert_eq!(bundle["entry"][1]["response"]["etag"], "W/\"3\"");
}

#[test]
fn p51_a_damaged_version_is_named_in_its_response_between_the_others() {
    let versions = vec![past(3, BODY), past(2, "not JSON"), past(1, BODY)];
    let bundle = rendered(&page(versions), Scope::System, "");
    let outcome = &bundle["entry"][1]["response"]["outcome"];
    assert_eq!(outcome["issue"][0]["diagnostics"], "Patient/a");
    assert_eq!(bundle["entry"][1].get("resource"), None);
    assert_eq!(bundle["entry"][2]["resource"]["id"], "a");
}

#[test]
fn links_lead_to_the_same_history() {
    let target = Target {
        kind: ResourceType::Patient,
        id: Id::parse("a").expect("an id"),
    };
    let scopes = [
        (Scope::System, "http://h/fhir/_history"),
        (
            Scope::Type(ResourceType::Patient),
            "http://h/fhir/Patient/_history",
        ),
        (Scope::Resource(target), "http://h/fhir/Patient/a/_history"),
    ];
    for (scope, url) in scopes {
        let bundle = rendered(
            &page(vec![past(1, BODY)]),
            scope,
            "_count=1&nonsense=2&_cursor=this",
        );
        let links: Vec<(&str, &str)> = bundle["link"]
            .as_array()
            .expect("links")
            .iter()
            .filter_map(|link| Some((link["relation"].as_str()?, link["url"].as_str()?)))
            .collect();
        let expected = [
            ("self", format!("{url}?_count=1&_cursor=this")),
            ("first", format!("{url}?_count=1")),
            ("previous", format!("{url}?_count=1&_cursor=newer")),
            ("next", format!("{url}?_count=1&_cursor=older")),
        ];
        let expected: Vec<(&str, &str)> = expected.iter().map(|(name, url)| (*name, url.as_str())).collect();
        assert_eq!(links, expected);
    }
}
