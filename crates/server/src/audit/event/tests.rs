use std::collections::BTreeSet;

use serde_json::Value;

use super::{INTERACTIONS, RESTFUL};

fn published() -> Value {
    serde_json::from_str(include_str!(
        "../../../../../profiles/code-systems/audit-interaction.json"
    ))
    .unwrap()
}

#[test]
fn every_name_that_is_ours_alone_is_published_and_no_other() {
    let published = published();
    let codes: BTreeSet<&str> = published["concept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|concept| concept["code"].as_str().unwrap())
        .collect();
    let ours = INTERACTIONS
        .iter()
        .filter(|(name, code, _)| *code != Some(*name))
        .map(|(name, ..)| *name)
        .collect();
    assert_eq!(codes, ours);
    assert_eq!(published["count"], codes.len());
}

#[test]
fn every_interaction_of_the_routes_is_known() {
    for row in crate::routes::ROUTES {
        let name = row.name();
        assert!(INTERACTIONS.iter().any(|(known, ..)| *known == name), "{name}");
    }
    assert!(RESTFUL.starts_with("http://hl7.org/fhir/"));
}
