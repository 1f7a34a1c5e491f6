use serde_json::{Value, json};

use super::Words;

fn shown(words: Words, patient: Value) -> Option<&'static str> {
    words.of_patient(patient.as_object().expect("an object"))
}

#[test]
fn every_patient_is_called_as_the_table_of_statuses_says() {
    let replaced = |active: Value| json!({ "active": active, "link": [{ "type": "replaced-by" }] });
    for (patient, ehealth, graph) in [
        (json!({}), "ACTIVE", "active"),
        (json!({ "active": true }), "ACTIVE", "active"),
        (json!({ "active": false }), "INACTIVE", "inactive"),
        (replaced(json!(true)), "INACTIVE", "merged"),
        (replaced(json!(false)), "INACTIVE", "merged"),
        (json!({ "link": [{ "type": "replaces" }] }), "ACTIVE", "active"),
    ] {
        assert_eq!(shown(Words::Ehealth, patient.clone()), Some(ehealth), "{patient}");
        assert_eq!(
            shown(Words::PatientGraph, patient.clone()),
            Some(graph),
            "{patient}"
        );
    }
}

#[test]
fn every_word_says_whether_the_patient_is_active() {
    for (words, word, active) in [
        (Words::Ehealth, "ACTIVE", true),
        (Words::Ehealth, "INACTIVE", false),
        (Words::Ehealth, "active", false),
        (Words::PatientGraph, "active", true),
        (Words::PatientGraph, "inactive", false),
        (Words::PatientGraph, "merged", false),
        (Words::PatientGraph, "suspended", false),
    ] {
        assert_eq!(words.is_active(word), active, "{words:?} {word}");
    }
}
