use fhir::Timestamp;
use fhir::query::parse::{self, NameCase};
use serde_json::json;
use store::SpaceKey;
use store::access::{Binding, Space};

use super::*;

const BASE: &str = "https://fhir-facade.example/ns";

fn snapshot() -> AccessSnapshot {
    AccessSnapshot {
        spaces: vec![Space {
            key: SpaceKey(1),
            id: "clinic".to_owned(),
            sandbox: false,
            fhir_delete: store::access::FhirDelete::Keep,
        }],
        bindings: vec![Binding {
            door: "medicapp-cloud".to_owned(),
            word: "ts_xxxxxxxxxxxx".to_owned(),
            space: "clinic".to_owned(),
        }],
        ..AccessSnapshot::default()
    }
}

fn aliases() -> Aliases {
    Aliases::new(BASE, &snapshot(), &BTreeMap::new())
}

#[test]
fn the_worked_example_of_an_alias_comes_out() {
    let namespace = Uuid::parse_str("4a283a44-81ba-51b3-b994-1b1d70d09ace").expect("a UUID");
    assert_eq!(
        alias_of(&namespace, "medicapp/trust-space/ts_xxxxxxxxxxxx/external-id"),
        "urn:oid:2.25.328131617375458381720357163372615627742"
    );
    let ours = attributes::author_namespace(BASE);
    assert_eq!(ours.to_string(), "21674f77-fe91-503e-893e-39cdd23b14cf");
}

#[test]
fn what_bindings_name_has_an_alias() {
    let namespace = attributes::author_namespace(BASE);
    for path in [
        "medicapp/nir-rang",
        "medicapp/trust-space/ts_xxxxxxxxxxxx/external-id",
        "medicapp/space/clinic/external-id",
    ] {
        let alias = alias_of(&namespace, path);
        assert_eq!(
            aliases().canonical(&alias),
            Some(format!("{BASE}/{path}").as_str())
        );
    }
    assert_eq!(aliases().canonical("urn:oid:1.2.250.1.213.1.4.8"), None);
    assert_eq!(aliases().canonical(BASE), None);
}

#[test]
fn x12_criteria_and_bodies_are_written_with_the_canonical_system() {
    let namespace = attributes::author_namespace(BASE);
    let alias = alias_of(&namespace, "medicapp/space/clinic/external-id");
    let canonical = format!("{BASE}/medicapp/space/clinic/external-id");
    let now = Timestamp::from_micros(0);
    let criteria = |system: &str| {
        let query = format!("identifier={system}|1");
        parse::criteria(ResourceType::Patient, &query, NameCase::Exact, now).expect("criteria")
    };
    let mut by_alias = criteria(&alias);
    aliases().rewrite(&mut by_alias);
    assert!(by_alias == criteria(&canonical));
    let body = |system: &str| {
        let Value::Object(tree) = json!({
            "identifier": [{ "system": system, "value": "1" }, { "system": "urn:oid:1.2.3", "value": "2" }],
            "link": [{ "other": { "identifier": { "system": system, "value": "3" } }, "type": "replaced-by" }],
            "extension": [{ "url": "urn:x", "valueUri": system }],
        }) else {
            panic!("an object")
        };
        Resource::from_guarded(ResourceType::Patient, tree)
    };
    let mut resource = body(&alias);
    aliases().rewrite_resource(&mut resource);
    let mut expected = body(&canonical);
    expected.tree_mut()["extension"][0]["valueUri"] = json!(alias);
    assert!(resource == expected, "identifiers alone are rewritten");
}

#[test]
fn an_oid_of_the_deployments_own_stands_for_its_path() {
    let configured = BTreeMap::from([
        ("medicapp/nir-rang".to_owned(), "1.2.250.1.999.1".to_owned()),
        (
            "patient-graph/brand/acme/external-id/shop".to_owned(),
            "urn:oid:1.2.250.1.999.2".to_owned(),
        ),
    ]);
    let aliases = Aliases::new(BASE, &snapshot(), &configured);
    assert_eq!(
        aliases.canonical("urn:oid:1.2.250.1.999.1"),
        Some(format!("{BASE}/medicapp/nir-rang").as_str())
    );
    assert_eq!(
        aliases.canonical("urn:oid:1.2.250.1.999.2"),
        Some(format!("{BASE}/patient-graph/brand/acme/external-id/shop").as_str())
    );
}
