//! What a hospital knows of a patient outlives every door that reads it and sends it back (`adapters.md` 5.5 G5, 5.8).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::samples::Patient;
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    x01_a_rich_patient_read_and_sent_back_by_every_door_stays_as_it_is,
    x01_patients_of_all_kinds_read_and_sent_back_stay_as_they_are,
    x01_a_change_at_a_door_changes_what_it_is_about_and_nothing_else,
];

fn rich() -> Value {
    json!({
        "resourceType": "Patient",
        "meta": { "profile": ["https://example.org/profile"], "tag": [{ "system": "urn:x", "code": "y" }] },
        "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">A &amp; B</div>" },
        "contained": [{ "resourceType": "Organization", "id": "o", "name": "O" }],
        "extension": [
            { "url": "urn:own", "valueDecimal": 1.50 },
            { "url": extension("patient-identification-status"), "valueCode": "unidentified" }
        ],
        "identifier": [{ "use": "usual", "system": "urn:oid:1.2.250.9.9.2", "value": unique() }],
        "active": true,
        "name": [
            { "use": "official", "family": "Dupont", "_family": { "id": "f" }, "given": ["Jean", "Paul"],
              "prefix": ["Dr"], "_given": [null, { "extension": [{ "url": "urn:g", "valueString": "x" }] }] },
            { "use": "temp", "text": "Inconnu 7", "family": "Inconnu", "given": ["Sept", "Huit", "Neuf"] },
            { "use": "old", "family": "Avant", "period": { "end": "2001" } }
        ],
        "telecom": [
            { "system": "phone", "value": "01 02 03 04 05", "use": "home", "rank": 2 },
            { "system": "phone", "value": "+33612345678", "use": "mobile", "period": { "start": "2020" } },
            { "system": "email", "value": "b@example.org", "rank": 2 },
            { "system": "email", "value": "a@example.org", "rank": 1, "extension": [{ "url": "urn:t", "valueBoolean": true }] }
        ],
        "gender": "other",
        "_gender": { "extension": [{ "url": "urn:k", "valueString": "kept" }] },
        "birthDate": "1980-05",
        "_birthDate": { "extension": [{ "url": "urn:b", "valueDateTime": "1980-05-01T10:00:00Z" }] },
        "deceasedBoolean": false,
        "address": [
            { "use": "old", "city": "Lyon" },
            { "use": "home", "line": ["12 rue X", "Bât B"], "city": "Paris", "district": "75", "state": "IDF",
              "postalCode": "75002", "country": "FR" }
        ],
        "maritalStatus": { "text": "single" },
        "multipleBirthInteger": 2,
        "photo": [{ "contentType": "image/png", "data": "iVBORw0KGgo=" }],
        "contact": [
            { "relationship": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "C" }] }],
              "name": { "family": "Dupont", "given": ["Anne", "Marie"] },
              "telecom": [
                  { "system": "phone", "value": "+380503410870", "use": "mobile" },
                  { "system": "phone", "value": "+380442000000", "use": "work" },
                  { "system": "email", "value": "anne@example.org" }
              ],
              "address": { "city": "Nantes" }, "gender": "female" },
            { "relationship": [{ "text": "neighbour" }], "name": { "text": "Madame Z" } }
        ],
        "communication": [{ "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "fr" }] }, "preferred": true }],
        "generalPractitioner": [{ "reference": "#o" }]
    })
}

/// What each door that can write says of a patient, as it would send it back: its target, and the body.
fn sent_back<'d>(
    doors: &'d Doors,
    fhir_id: &str,
    medicapp_id: &str,
) -> Vec<(&'d Client, &'static str, String, Value)> {
    let [cloud, connect, _, registry] = doors.calls(fhir_id, medicapp_id);
    let read = |(client, _, target): &Call<'_>| client.get(target).send();
    let mut bodies = Vec::new();
    let body = read(&cloud).expect(200).json();
    bodies.push((&doors.cloud, "PUT", cloud.2.clone(), body));
    let mut body = read(&connect).expect(200).json();
    // What is required there and missing here cannot be sent back: null is refused (N27).
    for required in ["firstName", "lastName", "birthDate"] {
        if body[required].is_null() {
            body.as_object_mut().expect("an object").remove(required);
        }
    }
    bodies.push((&doors.connect, "PUT", connect.2.clone(), body));
    let answer = read(&registry);
    if answer.status == 200 {
        let mut body = answer.json()["data"].clone();
        let object = body.as_object_mut().expect("an object");
        for own in [
            "id",
            "status",
            "inserted_at",
            "inserted_by",
            "updated_at",
            "updated_by",
        ] {
            object.remove(own);
        }
        // The registry takes no null.
        object.retain(|_, value| !value.is_null());
        bodies.push((&doors.ehealth, "PATCH", registry.2.clone(), body));
    }
    bodies
}

#[track_caller]
fn assert_untouched(doors: &Doors, fhir_id: &str) {
    let medicapp_id = doors.medicapp_id(fhir_id);
    let before = doors.patient(fhir_id).expect(200);
    for (client, method, target, body) in sent_back(doors, fhir_id, &medicapp_id) {
        // {} is a fault at the registry's door: there was nothing to send back.
        if method == "PATCH" && body == json!({}) {
            continue;
        }
        let answer = send(client, method, &target, &body);
        assert_eq!(answer.status, 200, "{method} {target} {body}: {answer:?}");
        let after = doors.patient(fhir_id).expect(200);
        assert_eq!(after.text(), before.text(), "{method} {target} {body}");
        assert_eq!(after.version(), before.version(), "{method} {target} {body}");
    }
}

fn x01_a_rich_patient_read_and_sent_back_by_every_door_stays_as_it_is(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let body = rich();
    let fhir_id = doors.fhir_post(&body);
    // It is kept as it was sent, the order of its properties included.
    let stored = doors.patient(&fhir_id).expect(200);
    for (name, value) in body.as_object().expect("an object") {
        if name != "meta" {
            assert_eq!(stored.json()[name].to_string(), value.to_string());
        }
    }
    assert_eq!(sent_back(&doors, &fhir_id, &doors.medicapp_id(&fhir_id)).len(), 3);
    assert_untouched(&doors, &fhir_id);
}

fn x01_patients_of_all_kinds_read_and_sent_back_stay_as_they_are(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    for number in 0..12 {
        let fhir_id = doors.fhir_post(&Patient::new(number).json());
        doors.unidentify(&fhir_id);
        assert_untouched(&doors, &fhir_id);
    }
    let graph = doors.graph_post(json!({
        "gender": "Woman", "phone": "call me", "email": "ada@example.org", "external_ids": { "a": "" },
        "metadata": { "b": [1.50, null] }
    }));
    assert_untouched(&doors, graph.expect(201).json()["id"].as_str().expect("an id"));
    let cloud =
        doors.cloud_post(json!({ "identificationKey": { "nir": "1881103750016" }, "externalId": "a" }));
    let cloud = cloud.expect(201).json()["patientUuid"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_untouched(&doors, &doors.fhir_id(&cloud));
    let connect = doors.connect_post(json!({ "address": { "street": "", "city": "Lyon" }, "gender": "F" }));
    let connect = connect.expect(201).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_untouched(&doors, &doors.fhir_id(&connect));
    let registry = ehealth::preperson(&doors.ehealth, json!({ "second_name": "Іванович" }));
    assert_untouched(&doors, ehealth::id(&registry));
}

fn x01_a_change_at_a_door_changes_what_it_is_about_and_nothing_else(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let fhir_id = doors.fhir_post(&rich());
    let medicapp_id = doors.medicapp_id(&fhir_id);
    let patients = format!("/patients/{medicapp_id}");
    let prepersons = format!("/prepersons/{fhir_id}");
    for (client, method, target, change, element) in [
        (
            &doors.cloud,
            "PUT",
            &patients,
            json!({ "email": "c@example.org" }),
            "telecom",
        ),
        (
            &doors.connect,
            "PUT",
            &patients,
            json!({ "lastName": "Durand" }),
            "name",
        ),
        (
            &doors.connect,
            "PUT",
            &patients,
            json!({ "address": { "city": "Nice" } }),
            "address",
        ),
        (
            &doors.connect,
            "PUT",
            &patients,
            json!({ "phone": "+33611111111" }),
            "telecom",
        ),
        (
            &doors.ehealth,
            "PATCH",
            &prepersons,
            json!({ "last_name": "Коваль" }),
            "name",
        ),
        (
            &doors.ehealth,
            "PATCH",
            &prepersons,
            json!({ "gender": "MALE" }),
            "gender",
        ),
        (
            &doors.ehealth,
            "PATCH",
            &prepersons,
            json!({ "birth_date": "1980-05-02" }),
            "birthDate",
        ),
    ] {
        let before = doors.patient(&fhir_id).expect(200);
        send(client, method, target, &change).expect(200);
        let after = doors.patient(&fhir_id).expect(200);
        assert_eq!(after.version(), before.version() + 1, "{change}");
        let (before, after) = (before.json(), after.json());
        let sibling = format!("_{element}");
        let names = |patient: &Value| -> Vec<String> {
            patient.as_object().expect("an object").keys().cloned().collect()
        };
        for name in names(&before).iter().chain(&names(&after)) {
            let is_meant = name == element || *name == sibling || name == "meta";
            let [old, new] = [&before, &after].map(|patient| patient[name].to_string());
            assert!(
                old == new || is_meant,
                "{change} changed {name}: {before} {after}"
            );
        }
        assert_ne!(before[element], after[element], "{change}");
        // Of a list the other members stay as they are.
        if let (Some(old), Some(new)) = (before[element].as_array(), after[element].as_array()) {
            assert_eq!(old.len(), new.len(), "{change}");
            let same = old.iter().zip(new).filter(|(old, new)| old == new).count();
            assert_eq!(same, old.len() - 1, "{change}");
        }
    }
}
