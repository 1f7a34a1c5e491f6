//! Reading writes nothing (`adapters.md` 5.3 R3, R8).

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![x09_no_read_at_a_partners_door_writes_anything];

fn x09_no_read_at_a_partners_door_writes_anything(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let made = doors.cloud_post(json!({
        "externalId": "E", "identificationKey": { "nir": "1881103750016", "rang": "01" }
    }));
    let cloud = made.expect(201).json()["patientUuid"]
        .as_str()
        .expect("an id")
        .to_owned();
    let graph = doors
        .graph_post(json!({ "gender": "Woman", "phone": "" }))
        .expect(201)
        .json();
    let registry = ehealth::preperson(&doors.ehealth, json!({ "second_name": "Іванович" }));
    let plain = doors.fhir_post(&json!({ "resourceType": "Patient", "birthDate": "1980-05" }));
    let mut ids = vec![
        doors.fhir_id(&cloud),
        ehealth::id(&graph).to_owned(),
        ehealth::id(&registry).to_owned(),
        plain,
    ];
    // Overlays that no longer hold are passed over by a read, and stay until a write.
    doors.edit(ehealth::id(&graph), |patient| patient["gender"] = json!("male"));
    doors.unidentify(&ids[0]);
    ids.sort();
    let count = "SELECT (SELECT count(*) FROM resource_version), (SELECT count(*) FROM resource), \
                 (SELECT count(*) FROM identifier_key), (SELECT count(*) FROM index_token), \
                 (SELECT max(updated) FROM resource)";
    let state = || {
        let patients: Vec<String> = ids
            .iter()
            .map(|id| doors.patient(id).expect(200).text())
            .collect();
        (patients, execute(&server, count))
    };
    let before = state();
    for id in &ids {
        let medicapp_id = doors.medicapp_id(id);
        for (client, _, target) in doors.calls(id, &medicapp_id) {
            let answer = client.get(&target).send();
            assert!(matches!(answer.status, 200 | 404), "{answer:?}");
            client.head(&target).send();
            client.get(format!("{target}/safe")).send();
        }
    }
    for target in ["externalId=E", "nir=1881103750016&rang=01"] {
        let target = format!("/patients?trustSpaceUuid={TRUST_SPACE}&{target}");
        doors.cloud.get(&target).send().expect(200);
    }
    for query in ["", "?template=FHIR", "?created_after=2020-01-01", "?page=9"] {
        doors.connect.get(format!("/patients{query}")).send().expect(200);
    }
    doors
        .graph
        .get(format!("/patients?brand_id={BRAND}"))
        .send()
        .expect(200);
    // A create that finds changes nothing either.
    let found = doors.cloud_post(json!({ "externalId": "E", "phone": "+33612345678" }));
    assert_eq!(found.expect(200).json()["created"], false);
    assert_eq!(state(), before);
}
