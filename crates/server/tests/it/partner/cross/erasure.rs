//! A person who is erased is gone from every door and from the disk (`adapters.md` 8.1, `access.md` 4).

use std::path::Path;

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![an_erased_person_is_nowhere];

/// What must not be found again.
pub(super) const CANARIES: [&str; 14] = [
    "Kanarienvogel",
    "Kanarek",
    "Канарка",
    "1790203750444",
    "+33699887766",
    "kanari@example.org",
    "kanari2@example.org",
    "EXT-KANARI",
    "IPP-KANARI",
    "Straße des Kanari",
    "SHOP-KANARI",
    "Kanari-Notiz",
    "канарка",
    "PREPERSON-KANARI",
];

/// A person with a past: every door has written it, some several times.
pub(super) fn person(doors: &Doors) -> (String, String) {
    let made = doors.cloud_post(json!({
        "firstName": "Kanarek", "lastName": "Kanarienvogel", "email": "kanari@example.org", "phone": "+33699887766",
        "externalId": "EXT-KANARI", "identificationKey": { "nir": "1790203750444", "rang": "01" }
    }));
    let medicapp_id = made.expect(201).json()["patientUuid"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (fhir_id, patients) = (doors.fhir_id(&medicapp_id), format!("/patients/{medicapp_id}"));
    let change = json!({
        "externalId": "IPP-KANARI", "email": "kanari2@example.org", "address": { "street": "Straße des Kanari" }
    });
    send(&doors.connect, "PUT", &patients, &change).expect(200);
    doors.edit(&fhir_id, |patient| {
        patient["text"] = json!({
            "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Kanarienvogel</div>"
        });
        let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
        identifiers.push(json!({
            "system": format!("{BASE}/patient-graph/brand/{BRAND}/external-id/shop"), "value": "SHOP-KANARI"
        }));
        identifiers.push(json!({
            "system": format!("{BASE}/ehealth/legal-entity/7cc91a5d-c02f-41e9-b571-1ea4f2375552/preperson-external-id"),
            "value": "PREPERSON-KANARI"
        }));
        let note = json!({ "url": extension("preperson-note"), "valueString": "Kanari-Notiz" });
        patient["extension"].as_array_mut().expect("an overlay").push(note);
    });
    doors.unidentify(&fhir_id);
    ehealth::data(
        &ehealth::patch(&doors.ehealth, &fhir_id, &json!({ "last_name": "Канарка" })),
        200,
    );
    send(
        &doors.cloud,
        "PUT",
        &patients,
        &json!({ "phone": "+33600000001", "email": null }),
    )
    .expect(200);
    (fhir_id, medicapp_id)
}

/// Everything that the database keeps, as bytes: the files of SQLite, all rows of PostgreSQL.
fn everything(server: &Server) -> Vec<u8> {
    let Some(database) = server.postgres_database() else {
        let file = server.data_folder().join("passerelle.db");
        let log = server.data_folder().join("passerelle.db-wal");
        let read = |path: &Path| std::fs::read(path).expect("a file of the database");
        return [read(&file), read(&log)].concat();
    };
    let tables = database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
    assert!(tables.lines().count() >= 9, "{tables}");
    let rows = |table: &str| database.query(&format!("SELECT t::text FROM \"{}\" t", table.trim()));
    tables.lines().map(rows).collect::<String>().into_bytes()
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

fn an_erased_person_is_nowhere(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let (fhir_id, medicapp_id) = person(&doors);
    let versions = doors.patient(&fhir_id).version();
    assert!(versions >= 6, "{versions}");
    let before = everything(&server);
    for canary in CANARIES {
        assert!(holds(&before, canary), "{canary} was never there");
    }
    let target = format!("/patients/{medicapp_id}");
    let erased = doors.connect.delete(&target).send().expect(200);
    let request_id = erased.header("X-Request-Id").expect("a request id").to_owned();
    assert_eq!(
        erased.text(),
        json!({ "deleted": true, "id": medicapp_id }).to_string()
    );
    // At once, before anything else is asked.
    let after = everything(&server);
    for canary in CANARIES {
        assert!(!holds(&after, canary), "{canary} is still there");
    }
    for (client, door, target) in doors.calls(&fhir_id, &medicapp_id) {
        assert_eq!(client.get(&target).send().status, 404, "{door}");
    }
    doors.connect.delete(&target).send().expect(404);
    send(&doors.cloud, "PUT", &target, &json!({ "email": "a@example.org" })).expect(404);
    let patch = ehealth::patch(&doors.ehealth, &fhir_id, &json!({ "gender": "MALE" }));
    ehealth::error(&patch, 404, "not_found");
    refused(doors.patient(&fhir_id), 410, "deleted");
    for version in 1..=versions + 1 {
        doors
            .fhir
            .get(format!("/Patient/{fhir_id}/_history/{version}"))
            .send()
            .expect(410);
    }
    for criteria in [
        format!("_id={fhir_id}"),
        "name=Kanarienvogel".to_owned(),
        by(&format!("{BASE}/medicapp/patient-id"), &medicapp_id),
        by(&format!("{BASE}/medicapp/nir-rang"), "1790203750444-01"),
    ] {
        let bundle = doors
            .fhir
            .get(format!("/Patient?{criteria}&_total=accurate"))
            .send()
            .expect(200)
            .json();
        assert_eq!(bundle["total"], 0, "{criteria}");
    }
    let list = doors
        .graph
        .get(format!("/patients?brand_id={BRAND}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(list["total"], 0);
    // That there was somebody stays.
    let audited = format!(
        "SELECT client, interaction, version FROM audit WHERE id = '{fhir_id}' AND request_id = '{request_id}'"
    );
    let row = execute(&server, &audited);
    assert_eq!(row, format!("demo-medicapp-connect|erase|{}", versions + 1));
    let noted = format!("SELECT client, medicapp_id FROM erasure WHERE id = '{fhir_id}'");
    assert_eq!(
        execute(&server, &noted),
        format!("demo-medicapp-connect|{medicapp_id}")
    );
    // The keys are free, for somebody with new ids.
    let again = doors.cloud_post(json!({
        "externalId": "EXT-KANARI", "identificationKey": { "nir": "1790203750444", "rang": "01" }
    }));
    let again = again.expect(201).json();
    assert_eq!(again["created"], true);
    assert_ne!(again["patientUuid"], json!(medicapp_id));
    doors
        .connect_post(json!({ "externalId": "IPP-KANARI" }))
        .expect(201);
}
