//! Broken records: never a panic, never an invalid Patient, and no line that is none.

use super::{Dialect, World, translate};
use crate::medicapp::tests::hostile::mutate;
use crate::medicapp::tests::sample::Random;

const RECORDS: u64 = 10_000;

const SAMPLES: [(Dialect, &str); 5] = [
    (
        Dialect::Fhir,
        r#"{"resourceType":"Patient","id":"7c3da506-804d-4550-8993-bf17f9ee0402","meta":{"lastUpdated":"2026-03-04T05:06:07.890Z"},"extension":[{"url":"https://fhir-facade.example/ns/StructureDefinition/patient-identification-status","valueCode":"unidentified"}],"active":true,"name":[{"use":"official","family":"S","given":["J",null],"_given":[null,{"extension":[{"url":"http://x.example","valueCode":"masked"}]}]}],"telecom":[{"system":"phone","value":"1"}],"birthDate":"1980-05","deceasedDateTime":"2025","contact":[{"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0131","code":"C"}]}],"name":{"given":["K"]}}]}"#,
    ),
    (
        Dialect::MedicappCloud,
        r#"{"patientUuid":"pat_1","created":false,"externalId":"E","identificationKey":{"nir":"2910475056018","rang":"01"},"trustSpaceUuid":"ts","firstName":"É","lastName":null,"birthDate":"1991-04-17","gender":"F","phone":"+33698111213"}"#,
    ),
    (
        Dialect::MedicappConnect,
        r#"{"id":"pat_1","firstName":"L","lastName":"B","birthDate":"1979-12-05","gender":"O","email":"l@e.fr","address":{"street":"3 q\nB","city":""},"recordsCount":2,"createdAt":"2025-02-03T08:15:00Z"}"#,
    ),
    (
        Dialect::PatientGraph,
        r#"{"id":"5b","brand_id":"acme","first_name":"N","last_name":"","gender":"nb","phone":"","external_ids":{"a":"","b":"1"},"status":"held","metadata":{"n":1.50,"t":"\"\\"},"age_verified_at":"2025-05-06T07:08:09Z","created_at":"x"}"#,
    ),
    (
        Dialect::Ehealth,
        r#"{"meta":{"code":200},"data":{"id":"7c3da506-804d-4550-8993-bf17f9ee0402","external_id":"1","first_name":"П","second_name":"М","gender":"MALE","birth_date":"1980-01-01","death_date":"2018-11-11","emergency_contact":{"first_name":"П","last_name":"І","phones":[{"type":"MOBILE","number":"+380503410870"}]},"note":"n","status":"INACTIVE","inserted_at":"2017-04-20T19:14:13Z"}}"#,
    ),
];

#[test]
fn the_samples_are_taken() {
    let world = World::new();
    for (from, sample) in SAMPLES {
        for to in Dialect::ALL {
            let taken = translate(from, to, sample.as_bytes(), &world.options());
            let is_preperson = matches!(from, Dialect::Ehealth | Dialect::Fhir);
            assert_eq!(
                taken.is_ok(),
                to != Dialect::Ehealth || is_preperson,
                "{from} to {to}: {taken:?}"
            );
        }
    }
}

#[test]
fn a_mutated_record_is_refused_with_a_place_or_gives_one_line() {
    let world = World::new();
    let mut taken = 0;
    for seed in 1..=RECORDS {
        let random = &mut Random::new(seed);
        let (from, sample) = SAMPLES[random.below(SAMPLES.len())];
        let to = Dialect::ALL[random.below(Dialect::ALL.len())];
        let mut record = sample.as_bytes().to_vec();
        mutate(random, &mut record);
        match translate(from, to, &record, &world.options()) {
            Ok(translated) => {
                taken += 1;
                assert!(!translated.content.contains('\n'), "seed {seed}");
                let line: serde_json::Value = serde_json::from_str(&translated.content).expect("JSON");
                assert!(line.is_object(), "seed {seed}");
            }
            Err(problems) => {
                assert!(!problems.is_empty(), "seed {seed}");
                for problem in problems {
                    let is_place = problem.path.starts_with('$') || problem.path.starts_with("Patient");
                    assert!(is_place && !problem.text.is_empty(), "seed {seed}: {problem:?}");
                    assert!(
                        !problem.to_string().contains(char::is_control),
                        "seed {seed}: {problem:?}"
                    );
                }
            }
        }
    }
    assert!(taken > 1_000, "{taken} of {RECORDS} were taken");
}
