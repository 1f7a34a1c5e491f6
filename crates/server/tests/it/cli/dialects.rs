//! `passerelle import`: the records of each dialect, as its door shows them afterwards.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::server::Server;
use testkit::tests;

use super::import::{LEGAL_ENTITY, TRUST_SPACE, counts, imported, lines};
use crate::support::LOCAL;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_cloud_partners_patient_is_seen_through_the_door,
    a_connect_partners_patient_is_seen_through_the_door,
    a_graph_patient_is_seen_through_the_door,
    a_preperson_is_seen_through_the_door,
    a_fhir_patient_is_seen_through_the_door,
];

fn ehealth(server: &Server) -> Client {
    let key = server.credential("ehealth").entry["api_key"]
        .as_str()
        .expect("an API-key")
        .to_owned();
    server.client("ehealth").with_header("API-key", key)
}

fn a_cloud_partners_patient_is_seen_through_the_door(context: &Context) {
    let server = context.server();
    let cloud = json!({
        "patientUuid": "pat_0123456789abcdef", "created": true, "warning": null, "trustSpaceUuid": TRUST_SPACE,
        "firstName": "Élodie", "lastName": "Marchand", "birthDate": "1991-04-17", "gender": "F",
        "email": "elodie@exemple.fr", "phone": "+33698111213", "externalId": "SAL-0317",
        "identificationKey": { "nir": "2910475056018", "rang": "01" },
    });
    let told = imported(
        context,
        &server,
        &["--from", "medicapp-cloud"],
        &format!("{cloud}\n"),
    );
    assert!(counts(&told).starts_with("read 1, created 1, already there 0, replaced 0, refused 0"));
    assert!(told.contains("$.identificationKey.nir"), "{told}");
    let shown = server
        .client("medicapp-cloud")
        .get("/patients/pat_0123456789abcdef")
        .send()
        .expect(200)
        .json();
    for field in [
        "patientUuid",
        "firstName",
        "lastName",
        "birthDate",
        "gender",
        "email",
        "phone",
        "identificationKey",
    ] {
        assert_eq!(shown[field], cloud[field], "{shown}");
    }
}

fn a_connect_partners_patient_is_seen_through_the_door(context: &Context) {
    let server = context.server();
    let connect = json!({
        "id": "pat_connect0000", "firstName": "Luc", "lastName": "Besnard", "birthDate": "1979-12-05", "gender": "O",
        "email": null, "phone": "+33612131415", "externalId": "IPP-7781",
        "address": { "street": "3 quai Sud", "city": "Lyon", "postalCode": "69002", "country": "FR" },
        "recordsCount": 0, "createdAt": "2025-02-03T08:15:00Z", "modifiedAt": "2025-06-01T10:00:00Z",
    });
    let page = json!({ "data": [connect], "pagination": { "page": 1 } }).to_string();
    imported(context, &server, &["--from", "medicapp-connect"], &page);
    let door = server.client("medicapp-connect");
    let shown = door.get("/patients/pat_connect0000").send().expect(200).json();
    for field in ["id", "firstName", "gender", "phone", "externalId", "address"] {
        assert_eq!(shown[field], connect[field], "{shown}");
    }
}

fn a_graph_patient_is_seen_through_the_door(context: &Context) {
    let (server, fhir) = context.fhir();
    let id = "5b0c9c1e-7c0f-4c55-9d0e-2d8f8a6f1a77";
    let graph = json!({
        "id": id, "first_name": "Noor", "last_name": "Haddad", "gender": "Non-Binary", "external_ids": { "shop/eu": "771" },
        "status": "suspended", "metadata": { "score": 1 }, "age_verified_at": "2025-05-06T07:08:09.123Z",
    });
    // The brand is the one that is bound to the space.
    imported(context, &server, &["--from", "patient-graph"], &graph.to_string());
    let shown = server
        .client("patient-graph")
        .get(format!("/patients/{id}"))
        .send()
        .expect(200)
        .json();
    for field in graph.as_object().expect("an object").keys() {
        assert_eq!(shown[field], graph[field], "{shown}");
    }
    fhir.get(format!("/Patient/{id}")).send().expect(200);
}

fn a_preperson_is_seen_through_the_door(context: &Context) {
    let server = context.server();
    let id = "9d0e5b0c-9c1e-4c55-8f0e-2d8f8a6f1a77";
    let preperson = json!({
        "id": id, "external_id": "#77", "first_name": "Оксана", "last_name": "Коваль", "gender": "FEMALE",
        "birth_date": "1975-06-30", "death_date": "2024-02-29", "status": "INACTIVE", "note": "x",
    });
    let arguments = ["--from", "ehealth", "--legal-entity", LEGAL_ENTITY];
    imported(
        context,
        &server,
        &arguments,
        &lines(&[json!({ "meta": {}, "data": preperson })]),
    );
    let shown = ehealth(&server)
        .get(format!("/prepersons/{id}"))
        .send()
        .expect(200)
        .json();
    for field in preperson.as_object().expect("an object").keys() {
        assert_eq!(shown["data"][field], preperson[field], "{shown}");
    }
}

fn a_fhir_patient_is_seen_through_the_door(context: &Context) {
    let (server, fhir) = context.fhir();
    let patient = json!({
        "resourceType": "Patient", "id": "from-elsewhere", "meta": { "versionId": "9" },
        "identifier": [{ "system": LOCAL, "value": "1" }], "multipleBirthInteger": 2,
    });
    let bundle = json!({ "resourceType": "Bundle", "entry": [
        { "resource": patient }, { "resource": { "resourceType": "OperationOutcome" } }
    ] });
    let told = imported(context, &server, &["--from", "fhir"], &bundle.to_string());
    assert!(
        counts(&told).ends_with("passed over 1 (entries that hold no Patient)"),
        "{told}"
    );
    let shown = fhir.get("/Patient/from-elsewhere").send().expect(200).json();
    assert_eq!(shown["multipleBirthInteger"], 2);
    assert_eq!(shown["meta"]["versionId"], "1");
    // Whoever is imported has an id for the Medicapp doors, as everybody in the space.
    let door = server.client("medicapp-connect");
    let listed = door.get("/patients?per_page=100").send().expect(200).json();
    assert_eq!(listed["pagination"]["total"], 1, "{listed}");
}
