use super::Words;

/// A partner's word and its code.
type Row = (&'static str, Option<&'static str>);

#[test]
fn every_word_of_the_gender_table_becomes_its_code_and_back() {
    let rows: [(Words, &[Row]); 4] = [
        (
            Words::MedicappCloud,
            &[
                ("M", Some("male")),
                ("F", Some("female")),
                ("U", Some("unknown")),
                ("O", None),
                ("m", None),
                ("", None),
            ],
        ),
        (
            Words::MedicappConnect,
            &[
                ("M", Some("male")),
                ("F", Some("female")),
                ("O", Some("other")),
                ("U", None),
            ],
        ),
        (
            Words::Ehealth,
            &[
                ("MALE", Some("male")),
                ("FEMALE", Some("female")),
                ("male", None),
                ("OTHER", None),
            ],
        ),
        (
            Words::PatientGraph,
            &[
                ("Male", Some("male")),
                ("m", Some("male")),
                (" man ", Some("male")),
                ("woman", Some("female")),
                ("Non-Binary", Some("other")),
                ("diverse", Some("other")),
                ("", Some("unknown")),
                ("prefer not to say", Some("unknown")),
                ("🦄", Some("unknown")),
            ],
        ),
    ];
    for (words, table) in rows {
        for (word, code) in table {
            assert_eq!(words.to_fhir(word), *code, "{words:?} {word:?}");
        }
    }
}

#[test]
fn every_code_is_shown_as_the_gender_table_says() {
    let shown = |words: Words| ["male", "female", "other", "unknown"].map(|code| words.from_fhir(code));
    assert_eq!(
        shown(Words::MedicappCloud),
        [Some("M"), Some("F"), Some("U"), Some("U")]
    );
    assert_eq!(
        shown(Words::MedicappConnect),
        [Some("M"), Some("F"), Some("O"), None]
    );
    assert_eq!(shown(Words::Ehealth), [Some("MALE"), Some("FEMALE"), None, None]);
    assert_eq!(
        shown(Words::PatientGraph),
        [Some("male"), Some("female"), Some("other"), Some("unknown")]
    );
}

#[test]
fn the_published_maps_are_concept_maps_of_two_groups() {
    for words in Words::ALL {
        let map: serde_json::Value = serde_json::from_str(words.concept_map()).expect("JSON");
        assert_eq!(map["resourceType"], "ConceptMap");
        let groups = map["group"].as_array().expect("groups");
        assert_eq!(groups.len(), 2, "{}", map["id"]);
        assert!(
            groups
                .iter()
                .all(|group| group["element"].as_array().is_some_and(|rows| rows.len() >= 2))
        );
    }
}
