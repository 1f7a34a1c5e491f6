use std::collections::{HashMap, HashSet};

use super::{Account, Carrying, Patient, nir_key};

#[test]
fn the_same_number_is_the_same_person_and_another_number_another_one() {
    assert_eq!(Account::new(7), Account::new(7));
    assert_eq!(Patient::new(7), Patient::new(7));
    let mut seen = HashSet::new();
    for number in 0..20_000 {
        let (account, patient) = (Account::new(number), Patient::new(number));
        for id in [
            account.national_id,
            account.technical_id,
            patient.local_id,
            patient.nir,
        ] {
            assert!(seen.insert(id), "an identifier of {number} is taken");
        }
    }
}

#[test]
fn a_name_is_shared_by_as_many_of_a_hundred_thousand_people_as_of_five_thousand() {
    let sharers = |numbers: std::ops::Range<u64>| {
        let mut shared: HashMap<String, usize> = HashMap::new();
        for number in numbers.clone() {
            *shared.entry(Patient::new(number).family).or_default() += 1;
        }
        (numbers.end - numbers.start) as f64 / shared.len() as f64
    };
    let (few, many) = (sharers(0..5_000), sharers(0..100_000));
    assert!((1.0..1.2).contains(&few), "{few}");
    assert!(
        many < few * 1.05,
        "{few} of a name among 5 000, {many} among 100 000"
    );
}

#[test]
fn an_account_has_the_size_and_shape_of_a_real_one() {
    let body = Account::new(1).json();
    let size = body.to_string().len();
    assert!((900..1300).contains(&size), "{size} bytes");
    assert_eq!(body["identifier"][0]["type"]["coding"][0]["code"], "INTRN");
    assert_eq!(body["identifier"][1]["type"]["coding"][0]["code"], "IDNPS");
    assert_eq!(body["name"][0]["given"].as_array().unwrap().len(), 1);
    assert_eq!(body["telecom"][0]["system"], "email");
    assert_eq!(body["active"], true);
    let national = Account::new(1).disabled().carrying(Carrying::National);
    assert_eq!(national["identifier"].as_array().unwrap().len(), 1);
    assert_eq!(national["active"], false);
}

#[test]
fn a_patient_has_the_size_of_a_real_one_and_a_nir_that_agrees_with_it() {
    for number in 0..1000 {
        let patient = Patient::new(number);
        let size = patient.json().to_string().len();
        assert!((1600..2300).contains(&size), "{size} bytes");
        assert_eq!(patient.nir.len(), 15);
        assert_eq!(
            patient.nir[13..].parse::<u64>().unwrap(),
            nir_key(&patient.nir[..13])
        );
        assert_eq!(patient.nir.starts_with('2'), patient.gender == "female");
        assert_eq!(patient.nir[1..5], patient.birth_date.replace('-', "")[2..6]);
        assert_eq!(
            patient.with_national_identity()["identifier"][1]["value"],
            patient.nir.as_str()
        );
    }
}

#[test]
fn the_key_of_a_nir_is_right_for_corsica_too() {
    let vectors = [
        ("2840588321025", 32),
        ("284052A321025", 52),
        ("284052B321025", 79),
        ("1800175001005", 97),
    ];
    for (first, key) in vectors {
        assert_eq!(nir_key(first), key, "{first}");
    }
}
