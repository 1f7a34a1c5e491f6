use fhir::{Id, Identifier, Resource, ResourceType, Target};
use serde_json::{Value, json};

use super::Sought;

/// What is left of a Patient when `Practitioner/p` with the identifier `s|v` is erased.
fn left(patient: Value) -> Option<Value> {
    let sought = Sought {
        target: Target {
            kind: ResourceType::Practitioner,
            id: Id::parse("p").unwrap(),
        },
        identifiers: vec![Identifier {
            system: "s".to_owned(),
            value: "v".to_owned(),
        }],
    };
    let Value::Object(tree) = patient else {
        panic!("no object")
    };
    let left = sought.taken_from(Resource::from_guarded(ResourceType::Patient, tree))?;
    Some(Value::Object(left.tree().clone()))
}

#[test]
fn a_reference_goes_with_what_is_nothing_without_it() {
    let said = json!({
        "resourceType": "Patient",
        "identifier": [{ "system": "s", "value": "v" }],
        "link": [
            { "other": { "reference": "Practitioner/p", "display": "X" }, "type": "seealso" },
            { "other": { "reference": "Practitioner/pp" }, "type": "seealso" },
            { "other": { "identifier": { "system": "s", "value": "v" }, "display": "X" }, "type": "seealso" }
        ],
        "generalPractitioner": [{ "reference": "Practitioner/p/_history/3", "display": "X" }],
        "extension": [{ "url": "u", "valueReference": { "reference": "Practitioner/p" } }],
        "contact": [{ "gender": "male", "organization": { "reference": "Practitioner/p" } }]
    });
    let left = left(said).unwrap();
    assert_eq!(
        left,
        json!({
            "resourceType": "Patient",
            "identifier": [{ "system": "s", "value": "v" }],
            "link": [{ "other": { "reference": "Practitioner/pp" }, "type": "seealso" }],
            "contact": [{ "gender": "male" }]
        })
    );
}

#[test]
fn who_says_nothing_of_the_person_stays_as_it_is() {
    assert_eq!(
        left(json!({
            "resourceType": "Patient",
            "name": [{ "given": ["Jean", null], "_given": [null, { "id": "a" }] }],
            "link": [{ "other": { "reference": "Patient/p" }, "type": "seealso" }],
            "identifier": [{ "system": "s", "value": "v" }]
        })),
        None
    );
}
