//! Which of several trust spaces that are one tenant a patient is of.

use serde_json::{Value, json};

use super::{World, patient};
use crate::medicapp::cloud::trust_space;

const WORDS: [&str; 2] = ["ts_one", "ts_two"];

fn of(world: &World, content: Value, words: &[&'static str]) -> Option<&'static str> {
    let mut resource = json!({ "resourceType": "Patient" });
    for (name, value) in content.as_object().expect("an object") {
        resource[name] = value.clone();
    }
    trust_space(&patient(resource), words, &world.naming)
}

#[test]
fn a_patient_is_of_the_trust_space_that_its_organization_names() {
    let world = World::new();
    let organization = |system: String, value: &str| json!({ "managingOrganization": { "identifier": { "system": system, "value": value } } });
    let named = organization(world.naming.trust_space(), "ts_two");
    assert_eq!(of(&world, named.clone(), &WORDS), Some("ts_two"));
    // One that is not the caller's is not told.
    assert_eq!(of(&world, named, &["ts_one"]), Some("ts_one"));
    let brand = organization(world.naming.brand(), "ts_two");
    assert_eq!(of(&world, brand, &WORDS), Some("ts_one"));
}

#[test]
fn without_one_the_external_id_says_it_and_else_it_is_the_first() {
    let world = World::new();
    let system = world.naming.trust_space_external_id("ts_two");
    let known = json!({ "identifier": [{ "system": system, "value": "EMP-1" }] });
    assert_eq!(of(&world, known, &WORDS), Some("ts_two"));
    assert_eq!(of(&world, json!({ "active": true }), &WORDS), Some("ts_one"));
    assert_eq!(of(&world, json!({ "active": true }), &[]), None);
}
