use fhir::{IssueCode, Resource, ResourceType};
use serde_json::{Value, json};

use super::{keep, patched};
use crate::naming::{NSS_NIR, Naming};

fn naming() -> Naming {
    Naming::new(Naming::DEFAULT_BASE)
}

fn patient(tree: Value) -> Resource {
    let Value::Object(tree) = tree else {
        panic!("an object")
    };
    Resource::from_guarded(ResourceType::Patient, tree)
}

/// A patient that every door knows.
fn known() -> Value {
    let naming = naming();
    json!({
        "meta": { "tag": [{ "system": naming.code_system("patient-tags"), "code": "unidentified" }] },
        "extension": [
            { "url": naming.extension("patient-identification-status"), "valueCode": "unidentified" },
            { "url": naming.extension("preperson-note"), "valueString": "a tattoo" },
            { "url": naming.extension("metadata"), "valueString": "{\"a\":1}" },
            { "url": naming.extension("partner-representation"), "extension": [
                { "url": "adapter", "valueCode": "medicapp-cloud" },
                { "url": "field", "valueString": "identificationKey.nir" },
                { "url": "raw", "valueString": "\"1881103750016\"" },
                { "url": "seen", "valueString": "\"188110375001686\"" },
            ] },
        ],
        "identifier": [
            { "use": "usual", "system": naming.medicapp_patient_id(), "value": "pat_1" },
            { "system": "urn:ehr", "value": "1" },
            { "system": naming.trust_space_external_id("ts_1"), "value": "EMP-1" },
            { "system": naming.nir_rang(), "value": "1881103750016-01" },
            { "use": "official", "system": NSS_NIR, "value": "188110375001686" },
            { "system": naming.brand_external_id("acme", "shop/1"), "value": "A" },
            { "system": naming.preperson_id(), "value": "7c3da506-804d-4550-8993-bf17f9ee0402" },
            { "system": naming.preperson_external_id("le"), "value": "#1" },
        ],
        "name": [{
            "family": "Іванов",
            "given": ["Миколайович"],
            "_given": [{ "extension": [{ "url": naming.extension("name-part-kind"), "valueCode": "patronymic" }] }],
        }],
        "gender": "other",
        "_gender": { "extension": [{ "url": naming.extension("gender-as-received"), "valueString": "nb" }] },
        "contact": [{ "telecom": [{
            "extension": [{ "url": naming.extension("phone-type"), "valueCode": "MOBILE" }],
            "system": "phone", "value": "+380503410870", "use": "mobile",
        }] }],
    })
}

/// What an EHR sends that knows nothing of us.
fn of_an_ehr() -> Value {
    json!({
        "identifier": [{ "system": "urn:ehr", "value": "1" }],
        "name": [{ "family": "Іванов", "given": ["Миколайович"] }],
        "gender": "other",
        "contact": [{ "telecom": [{ "system": "phone", "value": "+380503410870", "use": "mobile" }] }],
    })
}

fn merged(stored: Value, sent: Value) -> Value {
    let sent = patient(sent);
    let merged = keep(&patient(stored), None, &sent, &naming()).expect("not refused");
    Value::Object(merged.unwrap_or(sent).into_tree())
}

#[test]
fn who_leaves_out_what_the_doors_own_changes_nothing_but_the_note() {
    let mut expected = known();
    expected["extension"].as_array_mut().expect("a list").remove(1);
    let stored = patient(known());
    let sent = patient(of_an_ehr());
    let merged = keep(&stored, None, &sent, &naming())
        .expect("not refused")
        .expect("merged");
    assert_eq!(
        fhir::canonical::digest(&merged),
        fhir::canonical::digest(&patient(expected))
    );
}

#[test]
fn who_sends_everything_back_sends_what_is_stored() {
    let stored = patient(known());
    assert!(
        keep(&stored, None, &stored, &naming())
            .expect("not refused")
            .is_none()
    );
}

#[test]
fn a_patient_of_no_door_is_taken_as_sent() {
    let stored = patient(json!({ "identifier": [{ "system": "urn:ehr", "value": "1" }], "gender": "male" }));
    let sent = patient(of_an_ehr());
    assert!(
        keep(&stored, None, &sent, &naming())
            .expect("not refused")
            .is_none()
    );
}

#[test]
fn the_ehrs_own_identifiers_are_replaced() {
    let mut sent = of_an_ehr();
    sent["identifier"] = json!([{ "system": "urn:ehr", "value": "2" }]);
    let identifiers = merged(known(), sent)["identifier"].clone();
    let values: Vec<&str> = identifiers
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|identifier| identifier["value"].as_str())
        .collect();
    assert_eq!(values.len(), 8);
    assert!(values.contains(&"2") && !values.contains(&"1"), "{values:?}");
}

#[test]
fn a_partners_external_id_that_is_sent_takes_the_place_of_the_stored_one() {
    let mut sent = of_an_ehr();
    let system = naming().trust_space_external_id("ts_1");
    sent["identifier"] = json!([{ "system": system, "value": "EMP-2" }]);
    let merged = merged(known(), sent);
    let held: Vec<&Value> = merged["identifier"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|identifier| identifier["system"] == system.as_str())
        .collect();
    assert_eq!(held, [&json!({ "system": system, "value": "EMP-2" })]);
}

#[test]
fn words_for_a_gender_go_with_the_gender() {
    let mut sent = of_an_ehr();
    sent["gender"] = json!("female");
    assert!(merged(known(), sent).get("_gender").is_none());
}

#[test]
fn who_is_identified_loses_the_tag_of_the_unidentified() {
    let mut sent = known();
    sent["extension"][0]["valueCode"] = json!("identified");
    assert!(merged(known(), sent).get("meta").is_none());
}

#[test]
fn the_billing_nir_does_not_outlive_the_key_that_a_client_replaces() {
    let mut sent = of_an_ehr();
    sent["identifier"] = json!([{ "system": naming().nir_rang(), "value": "2690549588157-01" }]);
    let merged = merged(known(), sent);
    let systems: Vec<&Value> = merged["identifier"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|identifier| &identifier["system"])
        .collect();
    assert!(!systems.contains(&&json!(NSS_NIR)), "{systems:?}");
}

#[test]
fn x03_an_id_of_the_server_cannot_be_changed_or_invented() {
    let ids = [
        (naming().medicapp_patient_id(), "pat_2"),
        (
            naming().patient_graph_id(),
            "a1a1a1a1-0000-4000-8000-000000000000",
        ),
        (naming().preperson_id(), "a1a1a1a1-0000-4000-8000-000000000000"),
    ];
    for (system, value) in ids {
        let mut sent = of_an_ehr();
        let list = sent["identifier"].as_array_mut().expect("a list");
        list.push(json!({ "system": system, "value": value }));
        let refusal = keep(&patient(known()), None, &patient(sent), &naming()).expect_err("refused");
        let [issue] = refusal.issues.as_slice() else {
            panic!("{refusal:?}")
        };
        assert_eq!(issue.code, IssueCode::BusinessRule);
        assert_eq!(issue.expression.as_deref(), Some("Patient.identifier[1]"));
        assert!(
            issue.text.contains(&system) && !issue.text.contains(value),
            "{}",
            issue.text
        );
    }
}

#[test]
fn an_id_that_was_allocated_beside_the_resource_may_be_sent() {
    let stored = patient(of_an_ehr());
    let mut sent = of_an_ehr();
    let list = sent["identifier"].as_array_mut().expect("a list");
    list.push(json!({ "system": naming().medicapp_patient_id(), "value": "pat_9" }));
    let sent = patient(sent);
    assert!(
        keep(&stored, Some("pat_9"), &sent, &naming())
            .expect("not refused")
            .is_none()
    );
    assert!(keep(&stored, Some("pat_8"), &sent, &naming()).is_err());
}

/// What is refused of a patch that makes this of a patient that every door knows.
fn refused_of(after: Value) -> Vec<fhir::Issue> {
    match patched(&patient(known()), None, &patient(after), &naming()) {
        Ok(_) => Vec::new(),
        Err(refusal) => refusal.issues,
    }
}

#[test]
fn r2_a_patch_that_removes_what_partners_find_a_patient_by_is_refused_with_its_place() {
    for (position, system) in [
        (0, naming().medicapp_patient_id()),
        (3, naming().nir_rang()),
        (6, naming().preperson_id()),
    ] {
        let mut gone = known();
        gone["identifier"]
            .as_array_mut()
            .expect("a list")
            .remove(position);
        let mut emptied = known();
        emptied["identifier"][position]["value"].take();
        for after in [gone, emptied] {
            let issues = refused_of(after);
            let [issue, ..] = issues.as_slice() else {
                panic!("{system} may go")
            };
            assert_eq!(issue.code, IssueCode::BusinessRule);
            assert_eq!(issue.diagnostics.as_deref(), Some(system.as_str()));
            let place = format!("Patient.identifier[{position}]");
            assert_eq!(issue.expression, Some(place));
        }
    }
}

#[test]
fn r2_a_patch_takes_everything_else_and_may_move_what_it_keeps() {
    let kept = [0, 3, 6];
    let mut after = known();
    let list = after["identifier"].as_array_mut().expect("a list");
    let mut position = 0;
    list.retain(|_| {
        position += 1;
        kept.contains(&(position - 1))
    });
    list.reverse();
    after["extension"].take();
    after["contact"].take();
    after["meta"].take();
    let after = patient(after);
    let merged = patched(&patient(known()), None, &after, &naming()).expect("not refused");
    assert!(merged.is_none(), "nothing comes back");
}

#[test]
fn x03_a_patch_cannot_change_or_invent_an_id_of_the_server() {
    let mut changed = known();
    changed["identifier"][6]["value"] = json!("a1a1a1a1-0000-4000-8000-000000000000");
    assert_eq!(refused_of(changed).len(), 2, "one is gone and one is invented");
    let mut invented = known();
    let list = invented["identifier"].as_array_mut().expect("a list");
    list.push(json!({ "system": naming().patient_graph_id(), "value": "1" }));
    assert_eq!(refused_of(invented).len(), 1);
    let mut another_key = known();
    another_key["identifier"][3]["value"] = json!("2690549588157-01");
    assert!(refused_of(another_key).is_empty(), "as in an update");
}

#[test]
fn the_tag_follows_the_extension_in_a_patch_too() {
    let mut identified = known();
    identified["extension"][0]["valueCode"] = json!("identified");
    let merged = patched(&patient(known()), None, &patient(identified), &naming()).expect("not refused");
    assert!(merged.expect("the tag is gone").get("meta").is_none());
}
