//! What `profiles/` says of this door's extensions and systems.

use std::fs;
use std::path::Path;

use fhir::codec::{Format, decode_tree};
use serde_json::Value;

use super::naming;
use crate::tree::text;

const EXTENSIONS: [&str; 9] = [
    "partner-representation",
    "partner-status",
    "gender-as-received",
    "metadata",
    "age-verified-at",
    "ruo-pathway-acknowledged-at",
    "prescription-consult-completed-at",
    "researcher-acknowledgement-id",
    "prescription-status",
];

fn profile(folder: &str, name: &str, kind: &str) -> serde_json::Map<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../profiles")
        .join(folder)
        .join(format!("{name}.json"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    decode_tree(&bytes, Format::Json, kind).unwrap_or_else(|issues| panic!("{name}: {issues:?}"))
}

#[test]
fn every_extension_of_the_door_is_published_under_its_url() {
    for name in EXTENSIONS {
        let definition = profile("structure-definitions", name, "StructureDefinition");
        assert_eq!(text(&definition, "url"), Some(naming().extension(name).as_str()));
        assert_eq!(text(&definition, "id"), Some(name));
        assert_eq!(text(&definition, "type"), Some("Extension"));
    }
}

#[test]
fn every_identifier_system_of_the_door_is_published() {
    let naming = naming();
    let systems = [
        ("patient-graph-patient-id", naming.patient_graph_id()),
        ("patient-graph-brand", naming.brand()),
        (
            "patient-graph-external-id",
            format!(
                "{}/patient-graph/brand/{{brand}}/external-id/{{key}}",
                naming.base()
            ),
        ),
    ];
    for (name, url) in systems {
        let system = profile("naming-systems", name, "NamingSystem");
        let published = system["uniqueId"][0]["value"].as_str();
        assert_eq!(published, Some(url.as_str()));
    }
}
