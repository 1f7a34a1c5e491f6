use fhir::canonical::Canonical;
use fhir::{Id, Resource, ResourceType, Target, Timestamp, VersionId};
use store::Class;

use super::*;

fn stored(id: &str, body: &str) -> Stored {
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

/// A body as the store writes it.
fn written(tree: Value) -> String {
    let Value::Object(tree) = tree else {
        panic!("an object")
    };
    let canonical = Canonical::of(&Resource::from_guarded(ResourceType::Patient, tree));
    let id = Id::parse("p1").expect("an id");
    canonical.body(&id, VersionId::FIRST, Timestamp::from_micros(0))
}

#[test]
fn p51_what_the_store_writes_is_whole() {
    for tree in [
        json!({}),
        json!({ "id": "another", "meta": { "tag": [{ "code": "t" }] }, "active": true }),
        json!({ "name": [{ "family": "}\"" }] }),
    ] {
        let body = written(tree);
        assert!(is_whole(&stored("p1", &body)), "{body}");
        assert!(super::tree(&stored("p1", &body)).is_some(), "{body}");
    }
}

#[test]
fn p51_a_body_without_its_beginning_its_end_or_its_id_is_damaged() {
    let body = written(json!({ "active": true, "name": [{ "family": "Dupont" }] }));
    for length in 0..body.len() {
        let cut = body.get(..length).expect("ASCII");
        if !cut.ends_with('}') {
            assert!(!is_whole(&stored("p1", cut)), "{cut}");
        }
        assert!(super::tree(&stored("p1", cut)).is_none(), "{cut}");
    }
    for damaged in [
        "not JSON at all".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        body.replace("\"id\":\"p1\",", ""),
        body.replace("\"id\":\"p1\"", "\"id\":null"),
        body.replace("\"p1\"", "\"p2\""),
        body.replace("\"p1\"", "\"p11\""),
        body.replace("Patient", "Practitioner"),
        body.replacen('{', " {", 1),
        format!("{body}\0"),
    ] {
        assert!(!is_whole(&stored("p1", &damaged)), "{damaged}");
    }
}
