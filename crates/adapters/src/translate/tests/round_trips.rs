//! partner → FHIR → partner gives the record back, on the doors' own generated records.

use serde_json::{Map, Value, json};

use super::{Dialect, World, dropped, json, to_fhir};
use crate::medicapp::tests::sample;
use crate::{ehealth, patient_graph};

const RECORDS: u64 = 1_500;

/// A record with its id half of the time, so that both shapes are met.
fn with_id(record: &mut Map<String, Value>, key: &str, id: &str, seed: u64) -> String {
    if seed.is_multiple_of(2) {
        record.insert(key.to_owned(), json!(id));
        return id.to_owned();
    }
    String::new()
}

fn normal_address(address: &Value) -> Value {
    let parts = ["street", "city", "postalCode", "country"];
    if parts.iter().all(|part| address[*part].is_null()) {
        return Value::Null;
    }
    let all = parts
        .iter()
        .map(|part| ((*part).to_owned(), address[*part].clone()));
    all.collect()
}

#[test]
fn a_connect_record_comes_back() {
    const FIELDS: [&str; 8] = [
        "firstName",
        "lastName",
        "birthDate",
        "gender",
        "email",
        "phone",
        "externalId",
        "address",
    ];
    let world = World::new();
    for seed in 1..=RECORDS {
        let mut sent = sample::create(&mut sample::Random::new(seed), &FIELDS);
        let id = with_id(&mut sent, "id", "pat_0f1e2d3c", seed);
        let text = Value::Object(sent.clone()).to_string();
        let patient = world.patient(Dialect::MedicappConnect, &text);
        let back = world.shown(Dialect::MedicappConnect, &patient);
        let shown = json(&back.content);
        assert_eq!(shown["id"], json!(id), "seed {seed}");
        for field in FIELDS {
            let sent = sent.get(field).cloned().unwrap_or_default();
            let (sent, shown) = match field {
                "address" => (normal_address(&sent), normal_address(&shown[field])),
                _ => (sent, shown[field].clone()),
            };
            assert_eq!(shown, sent, "seed {seed}: {field} of {text}");
        }
        let lost = dropped(&back.ledger);
        // The door has no word for it, and a new patient always is.
        assert!(
            lost.iter().all(|path| *path == "Patient.active"),
            "seed {seed}: {lost:?} of {text}"
        );
    }
}

#[test]
fn a_cloud_record_comes_back() {
    const FIELDS: [&str; 6] = [
        "firstName",
        "lastName",
        "birthDate",
        "email",
        "phone",
        "externalId",
    ];
    let world = World::new();
    for seed in 1..=RECORDS {
        let random = &mut sample::Random::new(seed);
        let mut sent = sample::create(random, &FIELDS);
        sent.insert("trustSpaceUuid".to_owned(), json!("ts_a1b2"));
        sent.insert("gender".to_owned(), json!(random.one(&["M", "F", "U"])));
        sent.insert("identificationKey".to_owned(), sample::key(random));
        let id = with_id(&mut sent, "patientUuid", "pat_k3m9x2q7w1z", seed);
        let text = Value::Object(sent.clone()).to_string();
        let patient = to_fhir(Dialect::MedicappCloud, text.as_bytes(), &world.silent()).expect("valid");
        // The Patient itself says which trust space it is of.
        let back = super::from_fhir(Dialect::MedicappCloud, &patient.content, &world.silent());
        let back = back.expect("shown");
        let shown = json(&back.content);
        assert_eq!(shown["patientUuid"], json!(id), "seed {seed}");
        let nir = sent["identificationKey"]["nir"].as_str().expect("a NIR");
        let rang = sent["identificationKey"]["rang"].as_str();
        let key = json!({ "nir": nir.to_ascii_uppercase(), "rang": rang.map(|rang| format!("{rang:0>2}")) });
        assert_eq!(shown["identificationKey"], key, "seed {seed}");
        for field in FIELDS.into_iter().chain(["gender", "trustSpaceUuid"]) {
            let sent = sent.get(field).cloned().unwrap_or_default();
            assert_eq!(shown[field], sent, "seed {seed}: {field} of {text}");
        }
    }
}

#[test]
fn a_patient_graph_record_comes_back_with_its_extras_and_its_own_digits() {
    let world = World::new();
    let random = &mut patient_graph::tests::Random(0x7472_616e_736c_0001);
    for round in 1..=RECORDS {
        let sent = patient_graph::tests::properties::sent(random);
        let mut fields = sent.fields.clone();
        let id = with_id(&mut fields, "id", "0b8f5c3e-6a0d-4a6e-9a53-2f1d7c9e4b10", round);
        if round.is_multiple_of(2) {
            let status = ["active", "inactive", "on hold", "merged"][(round / 2 % 4) as usize];
            fields.insert("status".to_owned(), json!(status));
            fields.insert("age_verified_at".to_owned(), json!("2025-05-06T07:08:09.120Z"));
            fields.insert("prescription_status".to_owned(), json!(" approved"));
            fields.insert("researcher_acknowledgement_id".to_owned(), json!("ack-1"));
        }
        let text = Value::Object(fields.clone()).to_string();
        let text = format!(
            "{},\"metadata\":{}}}",
            text.strip_suffix('}').expect("an object"),
            sent.metadata
        );
        let patient = world.patient(Dialect::PatientGraph, &text);
        let back = world.shown(Dialect::PatientGraph, &patient);
        assert!(
            back.content
                .contains(&format!("\"metadata\":{},\"age", sent.metadata)),
            "{round}: {}",
            back.content
        );
        let shown = json(&back.content);
        assert_eq!(shown["id"], json!(id), "{round}");
        for (field, value) in &fields {
            assert_eq!(shown[field], *value, "{round}: {field} of {text}");
        }
        let lost = dropped(&back.ledger);
        assert_eq!(lost, Vec::<&str>::new(), "{round}: {text}");
    }
}

#[test]
fn a_preperson_comes_back_with_its_death_and_status() {
    let world = World::new();
    let random = &mut ehealth::tests::properties::Random::new(0x5eed_0002);
    for round in 0..RECORDS {
        let mut sent = ehealth::tests::properties::request(random);
        sent.insert("id".to_owned(), json!("7c3da506-804d-4550-8993-bf17f9ee0402"));
        if random.below(2) == 0 {
            sent.insert("death_date".to_owned(), json!("2026-01-31"));
        }
        let status = ["ACTIVE", "INACTIVE"][random.below(2)];
        sent.insert("status".to_owned(), json!(status));
        let text = Value::Object(sent.clone()).to_string();
        let patient = world.patient(Dialect::Ehealth, &text);
        let back = world.shown(Dialect::Ehealth, &patient);
        for (field, value) in json(&back.content).as_object().expect("an object") {
            let expected = match field.as_str() {
                "inserted_at" | "inserted_by" | "updated_at" | "updated_by" => json!(""),
                field => sent.get(field).cloned().unwrap_or_default(),
            };
            assert_eq!(*value, expected, "round {round}: {field} of {text}");
        }
        assert_eq!(dropped(&back.ledger), Vec::<&str>::new(), "round {round}: {text}");
    }
}

#[test]
fn the_same_record_gives_the_same_line() {
    let world = World::new();
    for seed in 1..=50 {
        let sent = sample::create(
            &mut sample::Random::new(seed),
            &["firstName", "lastName", "birthDate"],
        );
        let text = Value::Object(sent).to_string();
        let line = || {
            let options = world.options();
            let (from, to) = (Dialect::MedicappConnect, Dialect::Fhir);
            super::translate(from, to, text.as_bytes(), &options)
                .expect("valid")
                .content
        };
        assert_eq!(line(), line());
    }
}
