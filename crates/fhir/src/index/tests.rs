//! Which rows a resource has.

use serde_json::json;

use super::*;

fn rows(kind: ResourceType, content: Value) -> IndexRows {
    extract(&Resource::from_guarded(
        kind,
        content.as_object().unwrap().clone(),
    ))
}

fn tokens(rows: &IndexRows) -> Vec<(IndexParam, &str, &str)> {
    rows.tokens
        .iter()
        .map(|row| (row.param, row.system.as_str(), row.code.as_str()))
        .collect()
}

#[test]
fn a_rich_patient_has_a_row_for_every_parameter() {
    let rows = rows(
        ResourceType::Patient,
        json!({
            "meta": { "profile": ["http://p|2"], "source": "urn:s", "tag": [{ "system": "urn:t", "code": "a" }], "security": [{ "code": "b" }] },
            "identifier": [{ "system": "urn:i", "value": "1", "type": { "coding": [{ "system": "urn:y", "code": "MR" }, { "code": "no-system" }] } }],
            "active": true, "gender": "female", "birthDate": "1974-12", "deceasedDateTime": "2024",
            "name": [{ "family": "Œuf", "given": ["Ana", null], "prefix": ["Dr"], "suffix": ["Jr"], "text": "Dr Ana Œuf" }],
            "telecom": [{ "system": "phone", "value": "06 12" }, { "system": "email", "value": "A@b" }, { "system": "fax", "value": "07" }, { "value": "08" }],
            "address": [{ "use": "home", "line": ["1 rue"], "city": "Lyon", "district": "D", "state": "S", "postalCode": "69", "country": "FR", "text": "T" }],
            "communication": [{ "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "fr" }], "text": "x" } }],
            "generalPractitioner": [{ "reference": "Practitioner/1" }], "managingOrganization": { "reference": "http://x/Organization/1" },
            "link": [{ "other": { "identifier": { "system": "urn:l", "value": "9" } }, "type": "refer" }],
            "extension": [{ "url": MOTHERS_MAIDEN_NAME, "valueString": "Née" }, { "url": "http://other", "valueString": "no" }],
        }),
    );
    assert_eq!(
        tokens(&rows),
        [
            (IndexParam::Identifier, "urn:i", "1"),
            (IndexParam::Active, "http://hl7.org/fhir/special-values", "true"),
            (
                IndexParam::Gender,
                "http://hl7.org/fhir/administrative-gender",
                "female"
            ),
            (IndexParam::Language, "urn:ietf:bcp:47", "fr"),
            (IndexParam::Deceased, "http://hl7.org/fhir/special-values", "true"),
            (IndexParam::AddressUse, "http://hl7.org/fhir/address-use", "home"),
            (IndexParam::Phone, "", "0612"),
            (IndexParam::Email, "", "a@b"),
            (IndexParam::OtherTelecom, "", "07"),
            (IndexParam::OtherTelecom, "", "08"),
            (IndexParam::Profile, "", "http://p"),
            (IndexParam::Profile, "", "http://p|2"),
            (IndexParam::Source, "", "urn:s"),
            (IndexParam::Tag, "urn:t", "a"),
            (IndexParam::Security, "", "b"),
            (IndexParam::IdentifierOfType, "urn:y", "MR|1"),
        ]
    );
    let strings: Vec<_> = rows
        .strings
        .iter()
        .map(|row| (row.param, row.folded.as_str(), row.exact.as_str()))
        .collect();
    assert_eq!(
        strings,
        [
            (IndexParam::Family, "oeuf", "Œuf"),
            (IndexParam::Given, "ana", "Ana"),
            (IndexParam::NamePrefix, "dr", "Dr"),
            (IndexParam::NameSuffix, "jr", "Jr"),
            (IndexParam::NameText, "dr ana oeuf", "Dr Ana Œuf"),
            (IndexParam::AddressLine, "1 rue", "1 rue"),
            (IndexParam::AddressCity, "lyon", "Lyon"),
            (IndexParam::AddressDistrict, "d", "D"),
            (IndexParam::AddressState, "s", "S"),
            (IndexParam::AddressPostalCode, "69", "69"),
            (IndexParam::AddressCountry, "fr", "FR"),
            (IndexParam::AddressText, "t", "T"),
            (IndexParam::MothersMaidenName, "nee", "Née"),
            (IndexParam::LanguageText, "x", "x"),
        ]
    );
    let dates: Vec<_> = rows
        .dates
        .iter()
        .map(|row| (row.param, row.low, row.high))
        .collect();
    assert_eq!(
        dates,
        [
            (IndexParam::Birthdate, 155_088_000_000_000, 157_766_400_000_000),
            (
                IndexParam::DeathDate,
                1_704_067_200_000_000,
                1_735_689_600_000_000
            ),
        ]
    );
    let references: Vec<_> = rows
        .references
        .iter()
        .map(|row| {
            (
                row.param,
                row.kind.as_str(),
                row.target.as_str(),
                row.system.as_str(),
                row.value.as_str(),
            )
        })
        .collect();
    assert_eq!(
        references,
        [
            (IndexParam::GeneralPractitioner, "Practitioner", "1", "", ""),
            (IndexParam::Link, "", "", "urn:l", "9"),
            (IndexParam::Organization, "", "http://x/Organization/1", "", ""),
        ]
    );
}

#[test]
fn a_practitioner_has_languages_but_no_patient_rows() {
    let rows = rows(
        ResourceType::Practitioner,
        json!({
            "communication": [{ "coding": [{ "code": "fr" }, { "code": "uk" }] }], "birthDate": "1974", "deceasedBoolean": true,
            "generalPractitioner": [{ "reference": "Practitioner/1" }],
        }),
    );
    assert_eq!(
        tokens(&rows),
        [
            (IndexParam::Communication, "", "fr"),
            (IndexParam::Communication, "", "uk")
        ]
    );
    assert!(rows.dates.is_empty() && rows.references.is_empty() && rows.strings.is_empty());
}

#[test]
fn every_patient_is_dead_or_not() {
    for (content, code) in [
        (json!({}), "false"),
        (json!({ "deceasedBoolean": false }), "false"),
        (json!({ "deceasedBoolean": true }), "true"),
        (json!({ "deceasedDateTime": "2024-01-01" }), "true"),
        (json!({ "deceasedBoolean": "true" }), "false"),
    ] {
        let rows = rows(ResourceType::Patient, content);
        assert_eq!(
            tokens(&rows),
            [(IndexParam::Deceased, "http://hl7.org/fhir/special-values", code)]
        );
    }
}

#[test]
fn rows_are_sorted_and_distinct() {
    for seed in 0..300 {
        let rows = extract(&crate::query::sample::resource(seed));
        assert!(rows.tokens.is_sorted_by(|a, b| a < b), "seed {seed}");
        assert!(rows.strings.is_sorted_by(|a, b| a < b), "seed {seed}");
        assert!(rows.dates.is_sorted_by(|a, b| a < b), "seed {seed}");
        assert!(rows.references.is_sorted_by(|a, b| a < b), "seed {seed}");
    }
}

#[test]
fn malformed_parts_are_passed_over() {
    let odd = [
        json!(null),
        json!(1),
        json!("x"),
        json!(""),
        json!([]),
        json!([1, null, "x", {}]),
        json!({}),
        json!({ "x": [[]] }),
        json!(true),
    ];
    let properties = [
        "meta",
        "identifier",
        "active",
        "gender",
        "birthDate",
        "deceasedBoolean",
        "deceasedDateTime",
        "name",
        "telecom",
        "address",
        "communication",
        "generalPractitioner",
        "managingOrganization",
        "link",
        "extension",
    ];
    for kind in ResourceType::ALL {
        for property in properties {
            for value in &odd {
                let rows = rows(
                    kind,
                    json!({ property: value, "identifier": [{ "value": "kept" }] }),
                );
                let kept = rows.tokens.iter().any(|row| row.code == "kept");
                assert!(kept, "{property}: {value}");
            }
        }
    }
}

#[test]
fn long_texts_fit_an_index_page() {
    let long = "ﷺé".repeat(5000);
    let rows = rows(
        ResourceType::Patient,
        json!({
            "identifier": [{ "system": &long, "value": &long, "type": { "coding": [{ "system": &long, "code": &long }] } }],
            "name": [{ "family": &long }], "generalPractitioner": [{ "reference": &long, "identifier": { "system": &long, "value": &long } }],
        }),
    );
    let fits = |text: &str| text.chars().count() <= MAX_INDEXED_CHARS;
    assert!(rows.tokens.iter().all(|row| fits(&row.system) && fits(&row.code)));
    assert!(
        rows.strings
            .iter()
            .all(|row| fits(&row.folded) && fits(&row.exact))
    );
    assert!(
        rows.references
            .iter()
            .all(|row| fits(&row.target) && fits(&row.system) && fits(&row.value))
    );
    assert_eq!(
        (rows.tokens.len(), rows.strings.len(), rows.references.len()),
        (3, 1, 1)
    );
}
