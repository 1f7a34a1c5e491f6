//! The round trips of `adapters.md` 5.8 on generated data.

use serde_json::{Map, Value, json};

use super::sample::{self, Random};
use super::{FRESH_ID, KEPT, TRUST_SPACE, TRUST_SPACES, World, errors, patient};
use crate::medicapp::{Fault, cloud, connect};
use fhir::Resource;

const SEEDS: u64 = 2_500;
/// PUTs in a row, so that what one kept meets the next.
const EDITS: usize = 4;

const CLOUD: [&str; 4] = ["email", "phone", "externalId", "identificationKey"];
const CONNECT: [&str; 8] = [
    "firstName",
    "lastName",
    "birthDate",
    "gender",
    "email",
    "phone",
    "externalId",
    "address",
];

fn value(item: &impl serde::Serialize) -> Value {
    serde_json::to_value(item).expect("JSON")
}

fn bytes(object: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(object).expect("JSON")
}

/// The key as the door shows it: in upper case, the rank with two digits or unknown.
fn normal_key(sent: &Value) -> Value {
    let Some(nir) = sent["nir"].as_str() else {
        return Value::Null;
    };
    let rang = sent["rang"].as_str().map(|rang| format!("{rang:0>2}"));
    json!({ "nir": nir.to_ascii_uppercase(), "rang": rang })
}

/// The address as the door shows it: all four parts, or none at all.
fn normal_address(address: &Value) -> Value {
    let parts = ["street", "city", "postalCode", "country"];
    if parts.iter().all(|part| address[*part].is_null()) {
        return Value::Null;
    }
    parts
        .iter()
        .map(|part| ((*part).to_owned(), address[*part].clone()))
        .collect()
}

fn merged(old: &Value, sent: &Value) -> Value {
    let Some(sent) = sent.as_object() else {
        return Value::Null;
    };
    let mut new = old.as_object().cloned().unwrap_or_default();
    new.extend(sent.clone());
    normal_address(&Value::Object(new))
}

fn cloud_shown(world: &World, patient: &Resource) -> Value {
    value(&cloud::show(patient, &KEPT, &world.cloud()))
}

fn connect_shown(world: &World, patient: &Resource) -> Value {
    let mut shown = value(&connect::show(
        patient,
        &KEPT,
        &world.connect(),
        connect::View::One,
    ));
    shown["address"] = normal_address(&shown["address"]);
    shown
}

#[test]
fn what_a_partner_creates_reads_as_it_was_sent_and_is_valid_fhir() {
    let world = World::new();
    for seed in 1..=SEEDS {
        let random = &mut Random::new(seed);
        let mut body = sample::create(random, &CONNECT);
        let create = connect::read_create(&bytes(&body), &world.rules()).expect("valid");
        let made = connect::to_fhir(&create, FRESH_ID, &world.connect());
        assert_eq!(errors(&made), Vec::<String>::new(), "seed {seed}");
        let shown = connect_shown(&world, &made);
        for field in CONNECT {
            let sent = body.get(field).cloned().unwrap_or_default();
            let sent = if field == "address" {
                normal_address(&sent)
            } else {
                sent
            };
            assert_eq!(shown[field], sent, "seed {seed}, connect {field}");
        }
        body.insert("trustSpaceUuid".to_owned(), json!(TRUST_SPACE));
        body.insert("gender".to_owned(), json!(random.one(&["M", "F", "U"])));
        body.insert("identificationKey".to_owned(), sample::key(random));
        let create = cloud::read_create(&bytes(&body), &world.rules(), &TRUST_SPACES).expect("valid");
        let made = cloud::to_fhir(&create, FRESH_ID, &world.rules());
        assert_eq!(errors(&made), Vec::<String>::new(), "seed {seed}");
        let shown = cloud_shown(&world, &made);
        for field in CLOUD
            .into_iter()
            .chain(["firstName", "lastName", "birthDate", "gender"])
        {
            let sent = body.get(field).cloned().unwrap_or_default();
            let sent = if field == "identificationKey" {
                normal_key(&sent)
            } else {
                sent
            };
            assert_eq!(shown[field], sent, "seed {seed}, cloud {field}");
        }
        let found = cloud::judge(&create, &[&made], &world.rules());
        assert!(
            matches!(found, cloud::Verdict::Found { position: 0, .. }),
            "seed {seed}: {found:?}"
        );
    }
}

#[test]
fn what_a_door_shows_can_be_put_back_and_nothing_changes() {
    let world = World::new();
    for seed in 1..=SEEDS {
        let stored = patient(sample::patient(&mut Random::new(seed), world.naming.base()));
        assert_eq!(errors(&stored), Vec::<String>::new(), "seed {seed}");
        let shown = cloud_shown(&world, &stored);
        let update = cloud::read_update(shown.to_string().as_bytes()).expect("JSON");
        let again = cloud::apply(&update, &stored, &world.cloud()).expect("taken");
        assert_eq!(again.tree(), stored.tree(), "seed {seed}, cloud");
        let mut shown = value(&connect::show(
            &stored,
            &KEPT,
            &world.connect(),
            connect::View::One,
        ));
        // Null is refused for a required field, even where the stored one is unknown.
        let object = shown.as_object_mut().expect("an object");
        object.retain(|key, value| !value.is_null() || !CONNECT[..3].contains(&key.as_str()));
        let update = connect::read_update(shown.to_string().as_bytes()).expect("JSON");
        let again = connect::apply(&update, &stored, &world.connect()).expect("taken");
        assert_eq!(again.tree(), stored.tree(), "seed {seed}, connect");
    }
}

/// The properties of a Patient that a field may change; kept spellings stand in `extension`.
fn mapped(field: &str) -> &'static [&'static str] {
    match field {
        "firstName" | "lastName" => &["name"],
        "birthDate" => &["birthDate", "_birthDate"],
        "gender" => &["gender", "_gender"],
        "email" | "phone" => &["telecom", "extension"],
        "externalId" => &["identifier"],
        "identificationKey" => &["identifier", "extension"],
        _ => &["address", "extension"],
    }
}

fn assert_only(field: &str, old: &Resource, new: &Resource, seed: u64) {
    let without = |resource: &Resource| {
        let mut tree = resource.tree().clone();
        tree.retain(|key, _| !mapped(field).contains(&key.as_str()));
        tree
    };
    assert_eq!(
        without(old),
        without(new),
        "seed {seed}: {field} changes its own element only"
    );
    assert_eq!(errors(new), Vec::<String>::new(), "seed {seed}, {field}");
}

/// What the door did not show, it did not touch.
fn assert_hidden_stays(field: &str, shown: &Value, old: &Resource, new: &Resource, seed: u64) {
    if !matches!(field, "email" | "phone") {
        return;
    }
    let hidden = old
        .list("telecom")
        .iter()
        .filter(|point| point["value"] != *shown);
    for point in hidden {
        let stays = new.list("telecom").contains(point);
        assert!(
            stays,
            "seed {seed}: {field} leaves an entry alone that it does not show"
        );
    }
}

fn assert_shown(field: &str, expected: &Value, old: &Value, new: &Value, seed: u64) {
    assert_eq!(new[field], *expected, "seed {seed}: {field} reads as it was sent");
    for (key, value) in old.as_object().expect("an object") {
        if key != field {
            assert_eq!(new[key], *value, "seed {seed}: {field} leaves {key} alone");
        }
    }
}

#[test]
fn a_cloud_put_changes_its_own_element_and_reads_as_sent() {
    let world = World::new();
    for seed in 1..=SEEDS {
        let random = &mut Random::new(seed);
        let mut stored = patient(sample::patient(random, world.naming.base()));
        for _ in 0..EDITS {
            let field = random.one(&CLOUD);
            let sent = sample::field(random, field);
            let old = cloud_shown(&world, &stored);
            let update = cloud::read_update(json!({ field: sent }).to_string().as_bytes()).expect("JSON");
            let changed = cloud::apply(&update, &stored, &world.cloud()).expect("taken");
            let expected = if field == "identificationKey" {
                normal_key(&sent)
            } else {
                sent
            };
            assert_only(field, &stored, &changed, seed);
            assert_hidden_stays(field, &old[field], &stored, &changed, seed);
            assert_shown(field, &expected, &old, &cloud_shown(&world, &changed), seed);
            stored = changed;
        }
    }
}

#[test]
fn a_connect_put_changes_its_own_element_and_reads_as_sent() {
    let world = World::new();
    for seed in 1..=SEEDS {
        let random = &mut Random::new(seed);
        let mut stored = patient(sample::patient(random, world.naming.base()));
        for _ in 0..EDITS {
            let field = random.one(&CONNECT);
            let sent = sample::field(random, field);
            let old = connect_shown(&world, &stored);
            let update = connect::read_update(json!({ field: sent }).to_string().as_bytes()).expect("JSON");
            let changed = connect::apply(&update, &stored, &world.connect()).expect("taken");
            let expected = if field == "address" {
                merged(&old[field], &sent)
            } else {
                sent
            };
            assert_only(field, &stored, &changed, seed);
            assert_hidden_stays(field, &old[field], &stored, &changed, seed);
            assert_shown(field, &expected, &old, &connect_shown(&world, &changed), seed);
            stored = changed;
        }
    }
}

#[test]
fn a_refusal_of_an_edit_comes_back_as_the_fault_it_was() {
    let world = World::new();
    let stored = patient(json!({ "resourceType": "Patient" }));
    let update = cloud::read_update(br#"{"email":"x","phone":"1"}"#).expect("JSON");
    let invalid = cloud::apply(&update, &stored, &world.cloud()).expect_err("faulty");
    let update = cloud::read_update(br#"{"lastName":"x"}"#).expect("JSON");
    let locked = cloud::apply(&update, &stored, &world.cloud()).expect_err("locked");
    let others = [
        Fault::PatientNotFound(Some("pat_1".to_owned())),
        Fault::PatientNotFound(None),
        Fault::ExternalIdConflict,
        Fault::IdentificationKeyConflict,
    ];
    for fault in others.into_iter().chain([invalid, locked]) {
        assert_eq!(Fault::from_issues(&fault.refusal().issues), fault);
    }
    assert_eq!(Fault::from_issues(&[]), Fault::Internal);
}
