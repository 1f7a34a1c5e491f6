//! Who comes again, and what then takes the place of what is stored.

use fhir::Resource;
use serde_json::{Value, json};

use super::{BASE, World};
use crate::naming::Naming;
use crate::translate::{
    Dialect, Likeness, field_of, idempotency_key, is_known_by_key, replacement, with_medicapp_id,
};

fn patient(value: Value) -> Resource {
    let Value::Object(tree) = value else {
        panic!("no object")
    };
    Resource::from_guarded(fhir::ResourceType::Patient, tree)
}

fn identifier(path: &str, value: &str) -> Value {
    json!({ "system": format!("{BASE}/{path}"), "value": value })
}

#[test]
fn ids_that_a_server_gave_do_not_make_another_person() {
    let naming = Naming::new(BASE);
    let mrn = identifier("local", "1");
    let sent = patient(json!({ "identifier": [mrn], "gender": "male" }));
    let likeness = Likeness::of(&sent, &naming);
    let given = identifier("medicapp/patient-id", "pat_1");
    let graph = identifier("patient-graph/patient-id", "g");
    assert!(likeness.is(&patient(
        json!({ "id": "x", "identifier": [given, mrn, graph], "gender": "male" })
    )));
    assert!(!likeness.is(&patient(json!({ "identifier": [mrn], "gender": "female" }))));
    assert!(!likeness.is(&patient(json!({ "identifier": [given], "gender": "male" }))));
    // The same Patient.id is the same person, whatever changed.
    let named = Likeness::of(&patient(json!({ "id": "x", "gender": "male" })), &naming);
    assert!(named.is(&patient(json!({ "id": "x", "gender": "female" }))));
    // None at all is no id that is the same.
    let nobody = Likeness::of(&patient(json!({ "gender": "male" })), &naming);
    assert!(!nobody.is(&patient(json!({ "gender": "female" }))));
}

#[test]
fn every_record_matches_the_criteria_of_its_equals() {
    let world = World::new();
    let at = fhir::Timestamp::from_micros(0);
    let id = fhir::Id::parse("x").expect("an id");
    for (dialect, record) in [
        (
            Dialect::MedicappConnect,
            r#"{"firstName":"Éva","lastName":"De La Tour","birthDate":"1979-12-05","phone":"+33612131415"}"#,
        ),
        (
            Dialect::PatientGraph,
            r#"{"brand_id":"acme","first_name":"A","last_name":"B","email":"A@B.example"}"#,
        ),
        (Dialect::Ehealth, r##"{"external_id":"#7","gender":"MALE"}"##),
        (Dialect::Fhir, r#"{"resourceType":"Patient"}"#),
        (
            Dialect::Fhir,
            r#"{"resourceType":"Patient","birthDate":"1980","telecom":[{"system":"email","value":"A@b.example"}]}"#,
        ),
        (
            Dialect::Fhir,
            r#"{"resourceType":"Patient","name":[{"text":"X"},{"family":"\u0301"},{"given":["Y"]}],"gender":"other"}"#,
        ),
    ] {
        let patient = world.patient(dialect, record);
        let criteria = Likeness::criteria(&patient);
        assert!(
            fhir::query::matcher::matches(&criteria, &patient, &id, at),
            "{record}"
        );
    }
}

#[test]
fn a_replacement_has_the_ids_of_the_stored_one() {
    let naming = Naming::new(BASE);
    let (here, there) = (
        identifier("medicapp/patient-id", "pat_here"),
        identifier("medicapp/patient-id", "pat_there"),
    );
    let (mrn, external) = (
        identifier("local", "1"),
        identifier("medicapp/space/a/external-id", "2"),
    );
    let replaced = |stored: Value, allocated: Option<&str>, imported: Value| {
        let replaced = replacement(&patient(stored), allocated, &patient(imported), &naming);
        replaced.get("identifier").cloned().unwrap_or_default()
    };
    // Carried here: that one stays, in its place; what is not the server's is replaced.
    let stored = json!({ "identifier": [here, external] });
    assert_eq!(
        replaced(stored.clone(), None, json!({ "identifier": [mrn, there] })),
        json!([here, mrn])
    );
    assert_eq!(
        replaced(stored.clone(), None, json!({ "identifier": [mrn, here] })),
        json!([mrn, here])
    );
    assert_eq!(replaced(stored, None, json!({})), json!([here]));
    // Beside the resource: it stays there.
    assert_eq!(
        replaced(json!({}), Some("pat_here"), json!({ "identifier": [there] })),
        Value::Null
    );
    assert_eq!(
        replaced(json!({}), Some("pat_here"), json!({ "identifier": [mrn, here] })),
        json!([mrn])
    );
    // Nowhere: that of the record is as good as any.
    assert_eq!(
        replaced(json!({}), None, json!({ "identifier": [there] })),
        json!([there])
    );
    let id = replacement(
        &patient(json!({ "id": "here" })),
        None,
        &patient(json!({ "id": "there" })),
        &naming,
    );
    assert_eq!(id.body_id(), Some("here"));
}

#[test]
fn an_export_carries_the_medicapp_id_once() {
    let naming = Naming::new(BASE);
    let born = patient(json!({ "gender": "male" }));
    let shown = with_medicapp_id(&born, "pat_1", &naming).expect("it carries none");
    let system = naming.medicapp_patient_id();
    assert_eq!(
        shown.get("identifier"),
        Some(&json!([{ "use": "usual", "system": system, "value": "pat_1" }]))
    );
    assert!(with_medicapp_id(&shown, "pat_1", &naming).is_none());
}

#[test]
fn the_field_of_an_identifier_is_named_in_the_words_of_the_dialect() {
    let naming = Naming::new(BASE);
    let held =
        patient(json!({ "identifier": [identifier("local", "1"), identifier("medicapp/nir-rang", "2")] }));
    for (dialect, system, field) in [
        (Dialect::Fhir, naming.nir_rang(), "Patient.identifier[1]"),
        (Dialect::Fhir, naming.preperson_id(), "Patient.identifier"),
        (Dialect::MedicappCloud, naming.nir_rang(), "$.identificationKey"),
        (
            Dialect::MedicappCloud,
            naming.medicapp_patient_id(),
            "$.patientUuid",
        ),
        (Dialect::MedicappConnect, naming.medicapp_patient_id(), "$.id"),
        (
            Dialect::MedicappConnect,
            naming.space_external_id("a"),
            "$.externalId",
        ),
        (Dialect::PatientGraph, naming.patient_graph_id(), "$.id"),
        (
            Dialect::PatientGraph,
            naming.brand_external_id("a", "shop/eu"),
            "$.external_ids.shop/eu",
        ),
        (Dialect::Ehealth, naming.preperson_id(), "$.id"),
    ] {
        assert_eq!(field_of(dialect, &system, &held, &naming), field);
    }
}

#[test]
fn who_was_replaced_does_not_stand_for_the_survivor() {
    let naming = Naming::new(BASE);
    let external = identifier("medicapp/space/a/external-id", "2");
    let (old, new) = (
        identifier("medicapp/patient-id", "pat_old"),
        identifier("medicapp/patient-id", "pat_new"),
    );
    let link = json!([{ "type": "replaced-by", "other": { "reference": "Patient/new" } }]);
    let replaced = patient(json!({ "id": "old", "identifier": [external, old], "link": link }));
    let survivor = patient(json!({ "id": "new", "identifier": [external, new] }));
    // The key of each is its own.
    let value = |patient: &Resource| idempotency_key(patient, &naming).map(|key| key.value);
    assert_eq!(value(&replaced).as_deref(), Some("pat_old"));
    assert_eq!(value(&survivor).as_deref(), Some("2"));
    assert!(!is_known_by_key(&replaced, &survivor, &naming));
    assert!(is_known_by_key(&survivor, &survivor, &naming));
    // A record of the time before the merge is still the one that was replaced.
    let before = |value: Value| is_known_by_key(&replaced, &patient(value), &naming);
    assert!(before(json!({ "id": "old", "identifier": [external] })));
    assert!(before(json!({ "identifier": [external, old] })));
    assert!(!before(json!({ "identifier": [external] })));
}
