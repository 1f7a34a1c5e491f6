use serde_json::{Value, json};

use super::*;
use crate::resource::{Resource, ResourceType};

fn traits(patient: &Value) -> Traits {
    let tree = patient.as_object().unwrap().clone();
    Traits::of(&Resource::from_guarded(ResourceType::Patient, tree))
}

/// The labelled pairs: kind, whether it is one person, and both records.
fn pairs() -> Vec<(String, bool, Traits, Traits)> {
    let path = format!("{}/../../fixtures/match/pairs.ndjson", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let read = |line: &str| {
        let pair: Value = serde_json::from_str(line).unwrap();
        (
            pair["kind"].as_str().unwrap().to_owned(),
            pair["same"].as_bool().unwrap(),
            traits(&pair["asked"]),
            traits(&pair["candidate"]),
        )
    };
    text.lines().map(read).collect()
}

fn grade(asked: &Traits, candidate: &Traits) -> Option<Grade> {
    judge(asked, candidate).map(|judged| judged.grade)
}

#[test]
fn certain_is_never_wrong_and_nobody_is_missed() {
    let pairs = pairs();
    assert!(pairs.len() >= 300, "{}", pairs.len());
    let mut certain = 0;
    for (kind, same, asked, candidate) in &pairs {
        let grade = grade(asked, candidate);
        if grade == Some(Grade::Certain) {
            assert!(same, "{kind}: certain, and two people");
            certain += 1;
        }
        assert!(!same || grade.is_some(), "{kind}: one person, and not found");
    }
    assert!(certain >= 70, "{certain}");
}

#[test]
fn a_pair_is_judged_alike_from_both_sides() {
    for (kind, _, asked, candidate) in pairs() {
        assert_eq!(judge(&asked, &candidate), judge(&candidate, &asked), "{kind}");
    }
}

#[test]
fn scores_stand_in_the_order_of_the_grades() {
    let mut scores: Vec<(Grade, f64)> = pairs()
        .iter()
        .filter_map(|(_, _, asked, candidate)| judge(asked, candidate))
        .map(|judged| (judged.grade, judged.score))
        .collect();
    scores.sort_by(|one, other| one.1.total_cmp(&other.1));
    assert!(scores.is_sorted_by_key(|(grade, _)| *grade));
    assert!(scores.iter().all(|(_, score)| (0.0..=1.0).contains(score)));
}

fn person(more: Value) -> Traits {
    let mut patient = json!({
        "resourceType": "Patient", "name": [{ "family": "Moreau", "given": ["Camille"] }],
        "gender": "female", "birthDate": "1988-11-03",
        "telecom": [{ "system": "phone", "value": "+33 6 12 34 56 78" }]
    });
    for (name, value) in more.as_object().unwrap() {
        patient[name] = value.clone();
    }
    traits(&patient)
}

fn identified(system: &str, code: &str, value: &str) -> Value {
    let types = if code.starts_with("INS") {
        "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
    } else {
        "http://terminology.hl7.org/CodeSystem/v2-0203"
    };
    json!([{ "system": system, "value": value, "type": { "coding": [{ "system": types, "code": code }] } }])
}

#[test]
fn a_number_is_personal_by_its_system_and_type() {
    let nir = "urn:oid:1.2.250.1.213.1.4.8";
    let with = |system: &str, code: &str, value: &str| {
        person(json!({
            "identifier": identified(system, code, value), "name": [{ "family": "Autre" }], "telecom": [], "gender": "unknown"
        }))
    };
    let own = |system: &str, code: &str| {
        person(json!({ "identifier": identified(system, code, "1"), "telecom": [] }))
    };
    for (system, code) in [
        (nir, "INS-NIR"),
        ("urn:oid:1.2.250.1.213.1.4.9", "INS-NIA"),
        ("urn:ipp", "PI"),
    ] {
        let judged = judge(&own(system, code), &with(system, code, "1")).unwrap();
        assert_eq!(
            (judged.grade, judged.by_identifier),
            (Grade::Certain, true),
            "{code}"
        );
    }
    // The family's number, and one of no type.
    for (system, code) in [(nir, "NH"), ("urn:oid:1.2.250.1.213.1.4.13", "NH"), (nir, "XX")] {
        assert_ne!(
            grade(&own(system, code), &with(system, code, "1")),
            Some(Grade::Certain),
            "{code}"
        );
    }
    // Another national identity speaks against whatever else agrees.
    let other = person(json!({ "identifier": identified(nir, "INS-NIR", "2") }));
    let first = person(json!({ "identifier": identified(nir, "INS-NIR", "1") }));
    assert_eq!(grade(&first, &other), Some(Grade::Possible));
    // Two numbers of one hospital do not: that is how a double record looks.
    let double = |value: &str| person(json!({ "identifier": identified("urn:ipp", "PI", value) }));
    assert_eq!(grade(&double("1"), &double("2")), Some(Grade::Certain));
}

#[test]
fn one_number_on_two_quite_different_people_is_not_certain() {
    let own = identified("urn:ipp", "PI", "7");
    let first = person(json!({ "identifier": own }));
    let second = person(json!({
        "identifier": own, "name": [{ "family": "Garcia", "given": ["Hugo"] }], "birthDate": "1950-01-01"
    }));
    assert_eq!(grade(&first, &second), Some(Grade::Probable));
}

#[test]
fn of_several_that_are_certain_by_demographics_alone_none_is() {
    let certain = judge(&person(json!({})), &person(json!({}))).unwrap();
    let by_identifier = Judgement {
        by_identifier: true,
        score: 1.0,
        ..certain
    };
    let grades = |mut judged: Vec<Judgement>| -> Vec<Grade> {
        settle(&mut judged);
        judged.iter().map(|judged| judged.grade).collect()
    };
    assert_eq!(grades(vec![certain]), [Grade::Certain]);
    assert_eq!(grades(vec![certain, certain]), [Grade::Probable, Grade::Probable]);
    assert_eq!(
        grades(vec![by_identifier, certain]),
        [Grade::Certain, Grade::Probable]
    );
}

#[test]
fn slips_are_one_letter_or_two_neighbours() {
    for (one, other) in [
        ("moreau", "morreau"),
        ("moreau", "morau"),
        ("moreau", "moraeu"),
        ("moreau", "moresu"),
    ] {
        assert!(
            name::is_one_slip(one, other) && name::is_one_slip(other, one),
            "{one} {other}"
        );
    }
    for (one, other) in [
        ("moreau", "morrreau"),
        ("moreau", "uaerom"),
        ("moreau", "mareou"),
        ("a", "abc"),
    ] {
        assert!(
            !name::is_one_slip(one, other) && !name::is_one_slip(other, one),
            "{one} {other}"
        );
    }
}

#[test]
fn nothing_to_go_by_is_told_from_something() {
    let enough = |patient: Value| traits(&patient).is_enough();
    assert!(!enough(json!({ "resourceType": "Patient", "gender": "male" })));
    assert!(!enough(
        json!({ "resourceType": "Patient", "name": [{ "family": "Moreau" }] })
    ));
    assert!(!enough(
        json!({ "resourceType": "Patient", "name": [{ "text": "Camille Moreau" }], "birthDate": "1988" })
    ));
    assert!(enough(
        json!({ "resourceType": "Patient", "name": [{ "family": "Moreau" }], "birthDate": "1988" })
    ));
    assert!(enough(
        json!({ "resourceType": "Patient", "identifier": [{ "system": "urn:x", "value": "1" }] })
    ));
}
