use super::ConceptMap;

const MAP: &str = r#"{
    "resourceType": "ConceptMap",
    "group": [
        {
            "source": "urn:partner",
            "target": "urn:fhir",
            "element": [{ "code": "A", "target": [{ "code": "a" }] }],
            "unmapped": { "mode": "fixed", "code": "z" }
        },
        {
            "source": "urn:fhir",
            "target": "urn:partner",
            "element": [
                { "code": "a", "target": [{ "code": "A" }] },
                { "code": "b", "target": [{ "equivalence": "unmatched" }] }
            ]
        }
    ]
}"#;

#[test]
fn each_direction_is_read_from_the_group_of_its_systems() {
    let map = ConceptMap::read(MAP);
    assert_eq!(map.into_system("urn:fhir", "A"), Some("a"));
    assert_eq!(map.out_of_system("urn:fhir", "a"), Some("A"));
    assert_eq!(map.into_system("urn:other", "A"), None);
    assert_eq!(map.out_of_system("urn:other", "a"), None);
}

#[test]
fn a_word_that_is_not_listed_means_what_the_map_says_of_the_rest() {
    let map = ConceptMap::read(MAP);
    assert_eq!(map.into_system("urn:fhir", "B"), Some("z"));
    assert_eq!(map.out_of_system("urn:fhir", "c"), None);
}

#[test]
fn an_unmatched_code_has_no_word() {
    assert_eq!(ConceptMap::read(MAP).out_of_system("urn:fhir", "b"), None);
}

#[test]
fn what_is_no_map_maps_nothing() {
    for text in ["", "[]", "{}", r#"{"group":[{"source":"urn:fhir"}]}"#] {
        assert_eq!(
            ConceptMap::read(text).out_of_system("urn:fhir", "a"),
            None,
            "{text}"
        );
    }
}
