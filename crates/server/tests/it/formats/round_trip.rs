//! JSON ↔ XML: what goes in one way comes out the other, and back, without a new version.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::samples::{Account, Patient};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p57_resources_survive_the_way_through_xml,
    p57_a_bundle_in_xml_holds_the_same_resources
];

/// Resources with everything that other servers have lost on that way.
fn difficult() -> Vec<Value> {
    let everything = json!({
        "resourceType": "Patient",
        "id": "replaced",
        "meta": {
            "id": "m1",
            "extension": [{ "id": "e1", "url": "urn:meta", "valueInteger": -3 }],
            "source": "urn:uuid:5f0c2f5e-8a53-4f0b-9d4c-2d2c1d1a0f11",
            "profile": ["http://profiles.example/a", "http://profiles.example/b|1.0"],
            "security": [{ "system": "urn:s", "version": "2", "code": "R", "display": "Réservé", "userSelected": false }],
            "tag": [{ "code": "t" }]
        },
        "implicitRules": "http://rules.example/one",
        "language": "fr-FR",
        "_language": { "id": "l1" },
        "text": {
            "id": "t1",
            "status": "additional",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"fr\"><p>Texte &amp; <i>plus</i><br/></p></div>"
        },
        "contained": [
            { "resourceType": "Organization", "id": "org", "name": "Clinique", "telecom": [{ "system": "phone", "value": "+33 1" }] },
            { "resourceType": "Practitioner", "id": "gp", "name": [{ "family": "Dupont", "given": ["A", "B"] }] }
        ],
        "extension": [
            { "url": "urn:nested", "extension": [
                { "url": "a", "valueCodeableConcept": { "coding": [{ "system": "urn:c", "code": "1" }], "text": "un" } },
                { "url": "b", "extension": [{ "url": "c", "valuePeriod": { "start": "2020", "end": "2021-06" } }] }
            ] },
            { "url": "urn:quantity", "valueQuantity": { "value": 1.50, "comparator": "<", "unit": "kg" } },
            { "url": "urn:address", "valueAddress": { "line": ["1 rue A", "Bât. B"], "city": "Paris" } },
            { "url": "urn:base64", "valueBase64Binary": "YWJj" },
            { "url": "urn:instant", "valueInstant": "2026-03-29T02:30:00.123456+02:00" },
            { "url": "urn:time", "valueTime": "23:59:59" },
            { "url": "urn:absent", "_valueString": { "extension": [{ "url": "urn:why", "valueCode": "masked" }] } }
        ],
        "modifierExtension": [{ "url": "urn:modifier", "valueBoolean": false }],
        "identifier": [
            { "id": "i1", "use": "official", "type": { "coding": [{ "system": "urn:t", "code": "PI" }], "text": "IPP" },
              "system": "urn:oid:1.2", "value": "a|b,c\\d$e", "period": { "start": "2020-02-29" }, "assigner": { "display": "Hôpital" } },
            { "value": "without system" }
        ],
        "active": true,
        "name": [
            { "use": "official", "text": "M. Jean d'Été", "family": "d'Été", "given": ["Jean", "Jean-Paul"], "prefix": ["M."], "suffix": ["III"] },
            { "family": "Masqué", "_given": [{ "extension": [{ "url": "urn:why", "valueCode": "masked" }] }] }
        ],
        "telecom": [{ "system": "phone", "value": "+33123456789", "use": "home", "rank": 1 }, { "system": "email", "value": "a+b@example.org" }],
        "gender": "female",
        "_gender": { "extension": [{ "url": "urn:g", "valueString": "détail" }] },
        "birthDate": "1980-02-29",
        "_birthDate": { "extension": [{ "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "1980-02-29T23:00:00+01:00" }] },
        "deceasedDateTime": "2020-01",
        "address": [{ "use": "home", "type": "both", "line": ["1 rue é"], "city": "Łódź", "postalCode": "75001", "country": "FR" }],
        "maritalStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M" }] },
        "multipleBirthInteger": 2,
        "photo": [{ "contentType": "image/png", "data": "iVBORw0KGgo=", "size": 8, "title": "x" }],
        "contact": [{ "relationship": [{ "text": "mère" }], "name": { "family": "X" }, "telecom": [{ "system": "sms", "value": "1" }], "organization": { "reference": "#org" } }],
        "communication": [{ "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "fr" }] }, "preferred": true }],
        "generalPractitioner": [{ "reference": "#gp" }, { "identifier": { "system": "urn:x", "value": "y" }, "type": "Practitioner" }],
        "managingOrganization": { "reference": "Organization/1", "display": "O" },
        "link": [{ "other": { "reference": "Patient/x" }, "type": "seealso" }]
    });
    let practitioner = json!({
        "resourceType": "Practitioner",
        "identifier": [{ "system": "urn:x", "value": "1" }],
        "name": [{ "family": "Dr", "_family": { "extension": [{ "url": "urn:own", "valueString": "D" }] } }],
        "birthDate": "1970",
        "photo": [{ "url": "http://example.org/a?b=c&d=e" }],
        "qualification": [{ "code": { "text": "MD" }, "period": { "start": "1999-01-01T00:00:00Z" }, "issuer": { "display": "Ordre" } }],
        "communication": [{ "text": "français" }]
    });
    let samples = (0..4).map(|number| Patient::new(7000 + number).json());
    let accounts = (0..2).map(|number| Account::new(7000 + number).json());
    let mut all: Vec<Value> = samples.chain([everything, practitioner]).collect();
    all.extend(every_element());
    // Ordinary here: what governs accounts is tested elsewhere, and the identifiers must stay free.
    all.extend(accounts.map(|mut account| {
        account.as_object_mut().unwrap().remove("meta");
        account
    }));
    all
}

/// Resources that use every element and every datatype; `cargo test -p fhir --test every_element` sees to that.
fn every_element() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fhir/every-element");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let decimals =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fhir/codec/patient-decimals.json");
    let all: Vec<Value> = files
        .chain([decimals])
        .map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        .collect();
    assert!(all.len() > 10, "{}", all.len());
    all
}

fn p57_resources_survive_the_way_through_xml(context: &Context) {
    let fhir = shared_fhir(context);
    for mut body in difficult() {
        let kind = body["resourceType"].as_str().unwrap().to_owned();
        let own = unique();
        body["id"] = json!(own);
        let path = format!("/{kind}/{own}");
        let stored = fhir.put(&path).json(&body).send().expect(201);
        let mut expected = body.clone();
        let mut shown = stored.json();
        for resource in [&mut expected, &mut shown] {
            if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
                meta.remove("versionId");
                meta.remove("lastUpdated");
            }
        }
        if expected.get("meta").is_none() {
            shown.as_object_mut().unwrap().remove("meta");
        }
        assert_eq!(shown, expected, "JSON in, JSON out");
        let xml = fhir.get(format!("{path}?_format=xml")).send().expect(200).text();
        let back = fhir.put(&path).xml(&xml).send();
        assert_eq!(
            (back.status, back.try_version()),
            (200, Some(1)),
            "a difference on the way through {xml}: {back:?}"
        );
        // And from nothing, by XML alone.
        let copy = unique();
        let renamed = xml.replacen(
            &format!("<id value=\"{own}\"/>"),
            &format!("<id value=\"{copy}\"/>"),
            1,
        );
        let created = fhir
            .put(format!("/{kind}/{copy}"))
            .xml(&renamed)
            .send()
            .expect(201);
        let mut from_xml = created.json();
        from_xml["id"] = json!(own);
        from_xml["meta"] = stored.json()["meta"].clone();
        assert_eq!(from_xml, stored.json(), "XML in, JSON out");
    }
}

fn p57_a_bundle_in_xml_holds_the_same_resources(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    for _ in 0..3 {
        fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    }
    let json = fhir
        .get(format!("/Patient?{}", by_local(&number)))
        .send()
        .expect(200)
        .json();
    let xml = fhir
        .get(format!("/Patient?{}&_format=xml", by_local(&number)))
        .send()
        .expect(200);
    let xml = xml_root(&xml);
    assert!(xml.starts_with("<Bundle xmlns=\"http://hl7.org/fhir\">"), "{xml}");
    assert!(xml.contains("<total value=\"3\"/>"), "{xml}");
    for id in ids(&json) {
        assert!(
            xml.contains(&format!(
                "<resource><Patient xmlns=\"http://hl7.org/fhir\"><id value=\"{id}\"/>"
            )) || xml.contains(&format!("<resource><Patient><id value=\"{id}\"/>")),
            "{id}: {xml}"
        );
        let entry = fhir
            .get(format!("/Patient/{id}?_format=xml"))
            .send()
            .expect(200)
            .text();
        let (_, content) = entry.split_once("<id value=").unwrap();
        assert!(xml.contains(content.trim_end_matches("</Patient>")), "{id}");
    }
}
