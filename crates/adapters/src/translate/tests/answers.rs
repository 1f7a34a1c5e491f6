//! What a door answers and is never sent: ids, status, death, `null` and `""` where nothing is known.

use fhir::{Identifier, Resource};
use serde_json::{Value, json};

use super::{BASE, Dialect, Options, World, json, paths, to_fhir};
use crate::naming::Naming;
use crate::translate::{Entry, entry, idempotency_key, import};

fn identifiers(patient: &Resource) -> Vec<String> {
    let held = fhir::identifier::of(patient).map(|held| held.identifier);
    held.map(|Identifier { system, value }| {
        let system = system.strip_prefix(BASE).map_or(system.clone(), str::to_owned);
        format!("{system}|{value}")
    })
    .collect()
}

#[test]
fn an_id_that_is_there_is_kept_and_none_is_made_up() {
    let world = World::new();
    let connect = r#"{"firstName":"A","lastName":"B","birthDate":"1990-01-01"ID}"#;
    let cases = [
        (
            Dialect::MedicappConnect,
            connect,
            r#","id":"pat_1""#,
            None,
            "/medicapp/patient-id|pat_1",
        ),
        (
            Dialect::MedicappCloud,
            r#"{"firstName":"A","lastName":"B","birthDate":"1990-01-01","gender":"M"ID}"#,
            r#","patientUuid":"pat_1""#,
            None,
            "/medicapp/patient-id|pat_1",
        ),
        (
            Dialect::PatientGraph,
            r#"{"first_name":"A","last_name":"B"ID}"#,
            r#","id":"p-1""#,
            Some("p-1"),
            "/patient-graph/patient-id|p-1",
        ),
        // No id of FHIR's: the identifier alone has it.
        (
            Dialect::PatientGraph,
            r#"{"first_name":"A","last_name":"B"ID}"#,
            r#","id":"p_1""#,
            None,
            "/patient-graph/patient-id|p_1",
        ),
    ];
    for (dialect, record, id, body_id, identifier) in cases {
        let patient = world.patient(dialect, &record.replace("ID", id));
        assert_eq!(patient.body_id(), body_id, "{dialect}");
        assert_eq!(identifiers(&patient), [identifier], "{dialect}");
        for none in [
            "",
            r#","id":null,"patientUuid":null"#,
            r#","id":"","patientUuid":"""#,
        ] {
            let patient = world.patient(dialect, &record.replace("ID", none));
            assert_eq!(patient.body_id(), None, "{dialect}");
            assert!(identifiers(&patient).is_empty(), "{dialect} {none}");
        }
    }
}

#[test]
fn an_answer_may_leave_open_what_a_request_must_say() {
    let world = World::new();
    let cases = [
        (
            Dialect::MedicappConnect,
            r#"{"id":"pat_1","firstName":null,"lastName":null,"birthDate":null,"gender":null}"#,
        ),
        (
            Dialect::MedicappCloud,
            r#"{"patientUuid":"pat_1","created":true,"externalId":null,"identificationKey":null,"warning":null}"#,
        ),
        (
            Dialect::PatientGraph,
            r#"{"id":"1","brand_id":"acme","first_name":"","last_name":"","gender":null,"status":"active"}"#,
        ),
        (
            Dialect::Ehealth,
            r#"{"id":"7c3da506-804d-4550-8993-bf17f9ee0402","external_id":null,"gender":null,"status":"ACTIVE"}"#,
        ),
    ];
    for (dialect, record) in cases {
        let patient = world.patient(dialect, record);
        for absent in ["name", "birthDate", "gender"] {
            assert!(patient.get(absent).is_none(), "{dialect}: {absent}");
        }
        assert_eq!(identifiers(&patient).len(), 1, "{dialect}");
    }
    // A request still must.
    let request = r#"{"firstName":null,"lastName":"B"}"#;
    let problems = to_fhir(Dialect::MedicappConnect, request.as_bytes(), &world.options());
    assert_eq!(paths(&problems.unwrap_err()), ["$.firstName", "$.birthDate"]);
    // Half a name is half a name.
    let half = world.patient(
        Dialect::PatientGraph,
        r#"{"id":"1","first_name":"Ada","last_name":""}"#,
    );
    assert_eq!(half.list("name"), [json!({ "use": "usual", "given": ["Ada"] })]);
}

#[test]
fn a_preperson_is_read_from_a_patch_an_answer_and_its_envelope() {
    let world = World::new();
    let patch = r#"{"external_id":"E7","gender":"MALE","birth_date":"1980-01-01","death_date":"2018-11-11"}"#;
    let patient = world.patient(Dialect::Ehealth, patch);
    assert_eq!(patient.body_id(), None);
    assert_eq!(patient.get("deceasedDateTime"), Some(&json!("2018-11-11")));
    assert_eq!(patient.get("active"), Some(&json!(true)));

    let id = "7c3da506-804d-4550-8993-bf17f9ee0402";
    let data = patch.replace('{', &format!(r#"{{"id":"{id}","status":"INACTIVE","note":null,"#));
    let envelope = format!(r#"{{"meta":{{"code":200}},"data":{data}}}"#);
    for record in [&data, &envelope] {
        let patient = world.patient(Dialect::Ehealth, record);
        assert_eq!(patient.body_id(), Some(id));
        assert_eq!(patient.get("active"), Some(&json!(false)));
        assert_eq!(patient.get("deceasedDateTime"), Some(&json!("2018-11-11")));
    }
    let wrong = envelope.replace("2018-11-11", "1979-01-01").replace("MALE", "M");
    let problems = to_fhir(Dialect::Ehealth, wrong.as_bytes(), &world.options()).unwrap_err();
    assert_eq!(paths(&problems), ["$.data.gender"]);
    let wrong = envelope.replace("2018-11-11", "1979-01-01");
    let problems = to_fhir(Dialect::Ehealth, wrong.as_bytes(), &world.options()).unwrap_err();
    assert_eq!(paths(&problems), ["$.data.death_date"]);
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_no_value_is_repeated() {
    let world = World::new();
    let cases = [
        (
            Dialect::MedicappCloud,
            r#"{"patientUuid":7,"birthDate":"secret","email":"secret","identificationKey":{"nir":"secret"}}"#,
            vec![
                "$.patientUuid",
                "$.trustSpaceUuid",
                "$.birthDate",
                "$.email",
                "$.identificationKey.nir",
            ],
        ),
        (
            Dialect::MedicappConnect,
            r#"{"id":"  ","phone":"secret"}"#,
            vec!["$.id", "$", "$.phone"],
        ),
        (
            Dialect::PatientGraph,
            r#"{"id":[],"age_verified_at":"secret","status":7,"prescription_status":7,"email":"secret"}"#,
            vec![
                "$.id",
                "$.age_verified_at",
                "$.prescription_status",
                "$.status",
                "$.brand_id",
                "$.email",
            ],
        ),
        (
            Dialect::Ehealth,
            r#"{"id":"secret","external_id":"a","gender":"secret","birth_date":"secret","death_date":"secret","status":"secret"}"#,
            vec![
                "$.id",
                "$.status",
                "$.external_id",
                "$.gender",
                "$.birth_date",
                "$.death_date",
            ],
        ),
    ];
    for (dialect, record, expected) in cases {
        let problems = to_fhir(dialect, record.as_bytes(), &world.silent()).unwrap_err();
        assert_eq!(paths(&problems), expected, "{dialect}");
        for problem in &problems {
            assert!(!problem.to_string().contains("secret"), "{problem}");
            assert!(problem.text.len() > 5, "{problem}");
        }
    }
}

#[test]
fn a_partners_word_for_the_space_comes_from_the_record_first() {
    let world = World::new();
    let record = r#"{"trustSpaceUuid":"ts_own","firstName":"A","lastName":"B","birthDate":"1990-01-01","gender":"M","externalId":"E"}"#;
    let patient = world.patient(Dialect::MedicappCloud, record);
    assert_eq!(
        identifiers(&patient),
        ["/medicapp/trust-space/ts_own/external-id|E"]
    );
    let patient = world.patient(
        Dialect::MedicappCloud,
        &record.replace(r#""trustSpaceUuid":"ts_own","#, ""),
    );
    assert_eq!(
        identifiers(&patient),
        ["/medicapp/trust-space/main/external-id|E"]
    );
}

#[test]
fn the_idempotency_key_is_the_first_that_there_is_of_those_that_are_unique() {
    let naming = Naming::new(BASE);
    let systems = [
        naming.nir_rang(),
        naming.space_external_id("main"),
        naming.medicapp_patient_id(),
        naming.patient_graph_id(),
        naming.preperson_id(),
    ];
    let patient = |systems: &[String]| {
        let all = systems
            .iter()
            .map(|system| json!({ "system": system, "value": "1" }));
        // The strongest last: the order of the list is not what counts.
        let identifier: Vec<Value> = all.rev().collect();
        super::super::Resource::from_guarded(
            fhir::ResourceType::Patient,
            json!({ "identifier": identifier }).as_object().unwrap().clone(),
        )
    };
    for (at, system) in systems.iter().enumerate() {
        let key = idempotency_key(&patient(&systems[at..]), &naming).expect("a key");
        assert_eq!(key.system, *system);
    }
    for unique in [
        naming.trust_space_external_id("ts"),
        naming.brand_external_id("a b", "shop/eu"),
    ] {
        let key = idempotency_key(&patient(std::slice::from_ref(&unique)), &naming);
        assert_eq!(key.map(|key| key.system), Some(unique));
    }
    let none = [
        naming.preperson_external_id("4c7b"),
        "urn:oid:1.2.250.1.213.1.4.13".to_owned(),
        "https://hospital.example/mrn".to_owned(),
    ];
    assert_eq!(idempotency_key(&patient(&none), &naming), None);

    let world = World::new();
    let record = r#"{"firstName":"A","lastName":"B","birthDate":"1990-01-01","id":"pat_1","externalId":"E"}"#;
    let imported = import(Dialect::MedicappConnect, record.as_bytes(), &world.options());
    let imported = imported.expect("valid").content;
    assert_eq!(
        imported.key,
        Some(Identifier {
            system: naming.space_external_id("main"),
            value: "E".to_owned()
        })
    );
    assert!(imported.patient == world.patient(Dialect::MedicappConnect, record));
}

#[test]
fn an_entry_of_a_bundle_is_its_patient_and_is_read_strictly() {
    let record = |text: &'static str| entry(Dialect::Fhir, text.as_bytes());
    let patient = br#"{"resourceType":"Patient"}"#;
    assert_eq!(
        record(r#"{"fullUrl":"u","resource":{"resourceType":"Patient"}}"#),
        Ok(Entry::Record(patient))
    );
    // Whatever has no type is the codec's to refuse.
    assert_eq!(record(r#"{"resource":{}}"#), Ok(Entry::Record(b"{}")));
    for other in [
        r#"{"resource":{"resourceType":"Organization"}}"#,
        r#"{"search":{}}"#,
    ] {
        assert_eq!(record(other), Ok(Entry::Other));
    }
    for broken in ["", "{", "[]", r#"{"resource":{},"resource":{}}"#] {
        assert!(record(broken).is_err(), "{broken}");
    }
}

#[test]
fn a_patient_that_a_door_would_not_show_is_refused_with_the_reason() {
    let world = World::new();
    let show = |dialect, patient: &str, options: Options<'_>| {
        super::translate(Dialect::Fhir, dialect, patient.as_bytes(), &options).unwrap_err()
    };
    let plain = r#"{"resourceType":"Patient"}"#;
    assert_eq!(
        paths(&show(Dialect::Ehealth, plain, world.options())),
        ["Patient"]
    );
    for dialect in [
        Dialect::MedicappCloud,
        Dialect::MedicappConnect,
        Dialect::PatientGraph,
    ] {
        let problems = show(dialect, plain, world.silent());
        assert_eq!(paths(&problems), ["Patient.managingOrganization"], "{dialect}");
    }
    let invalid = r#"{"resourceType":"Patient","gender":"M","name":[{"given":"A"}]}"#;
    let problems = show(Dialect::PatientGraph, invalid, world.options());
    assert_eq!(problems.len(), 2, "{problems:?}");
    let shown = world.shown(Dialect::PatientGraph, &world.patient(Dialect::Fhir, plain));
    assert_eq!(json(&shown.content)["id"], json!(""));
}
