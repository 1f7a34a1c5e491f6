//! What the door writes into resources is published in `profiles/`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::super::wire::{PhoneType, Status};
use super::World;
use crate::status;

fn profile(path: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    serde_json::from_slice(&fs::read(root.join(path)).unwrap()).unwrap()
}

#[test]
fn the_extensions_are_defined_under_the_names_that_are_written() {
    let world = World::new();
    for (name, context, value) in [
        ("patient-identification-status", "Patient", "code"),
        ("preperson-note", "Patient", "string"),
        ("name-part-kind", "HumanName.given", "code"),
        ("phone-type", "ContactPoint", "code"),
    ] {
        let definition = profile(&format!("structure-definitions/{name}.json"));
        let url = world.naming.extension(name);
        assert_eq!(definition["resourceType"], "StructureDefinition", "{name}");
        assert_eq!(definition["url"], url.as_str());
        assert_eq!(definition["type"], "Extension");
        assert_eq!(definition["context"][0]["expression"], context);
        let elements = definition["differential"]["element"].as_array().unwrap();
        let element = |path: &str| elements.iter().find(|element| element["path"] == path).unwrap();
        assert_eq!(element("Extension.url")["fixedUri"], url.as_str());
        assert_eq!(element("Extension.value[x]")["type"][0]["code"], value);
    }
}

#[test]
fn the_identifier_systems_are_defined_under_the_names_that_are_written() {
    let world = World::new();
    let id = profile("naming-systems/ehealth-preperson-id.json");
    assert_eq!(id["uniqueId"][0]["value"], world.naming.preperson_id().as_str());
    let external = profile("naming-systems/ehealth-preperson-external-id.json");
    let pattern = external["uniqueId"][0]["value"].as_str().unwrap();
    let written = world
        .naming
        .preperson_external_id("{uuid}")
        .replace("%7Buuid%7D", "{uuid}");
    assert_eq!(pattern, written);
    assert!(
        world
            .naming
            .is_preperson_external_id(&world.naming.preperson_external_id("a/b"))
    );
    assert!(
        !world
            .naming
            .is_preperson_external_id(&world.naming.preperson_id())
    );
}

#[test]
fn the_table_of_statuses_and_the_wire_have_the_same_words() {
    for (status, active) in [(Status::Active, true), (Status::Inactive, false)] {
        assert_eq!(status::Words::Ehealth.of_active(active), Some(status.word()));
        assert_eq!(status::Words::Ehealth.is_active(status.word()), active);
        assert_eq!(serde_json::to_value(status).unwrap(), status.word());
    }
}

#[test]
fn the_code_systems_have_the_codes_that_are_written() {
    let phones = PhoneType::ALL.map(PhoneType::word);
    let identification = [super::super::UNIDENTIFIED, super::super::IDENTIFIED];
    for (name, written) in [
        ("phone-type", &phones[..]),
        ("patient-identification-status", &identification),
        ("patient-tags", &identification[..1]),
        ("name-part-kind", &[super::super::names::PATRONYMIC]),
        (
            "ehealth-status",
            &[Status::Active.word(), Status::Inactive.word()],
        ),
        ("ehealth-gender", &["MALE", "FEMALE"]),
    ] {
        let system = profile(&format!("code-systems/{name}.json"));
        assert_eq!(system["url"], World::new().naming.code_system(name));
        let concepts = system["concept"].as_array().unwrap();
        let codes: Vec<&str> = concepts
            .iter()
            .map(|concept| concept["code"].as_str().unwrap())
            .collect();
        assert_eq!(codes, written, "{name}");
    }
}
