//! What a patient born at one door looks like through the others (`adapters.md` 5.7).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    a_patient_born_at_any_door_is_read_at_every_other,
    x18_no_door_speaks_the_language_of_another,
];

/// A patient born at a door, and what each door shows of it. Ids and times are left out; `null`: 404.
struct Row {
    born: &'static str,
    fhir_id: String,
    medicapp_id: String,
    cloud: Value,
    connect: Value,
    graph: Value,
    ehealth: Value,
    fhir: Value,
}

fn cloud(more: Value) -> Value {
    let mut shown = json!({
        "created": false, "externalId": null, "identificationKey": null, "warning": null,
        "trustSpaceUuid": TRUST_SPACE, "firstName": null, "lastName": null, "birthDate": null, "gender": null,
        "email": null, "phone": null
    });
    ehealth::merge(&mut shown, &more);
    shown
}

fn connect(more: Value) -> Value {
    let mut shown = json!({
        "firstName": null, "lastName": null, "birthDate": null, "gender": null, "email": null, "phone": null,
        "externalId": null, "recordsCount": 0, "records": []
    });
    ehealth::merge(&mut shown, &more);
    shown
}

fn graph(more: Value) -> Value {
    let mut shown = json!({
        "brand_id": BRAND, "first_name": "", "last_name": "", "date_of_birth": null, "gender": null,
        "email": null, "phone": null, "external_ids": {}, "status": "active", "metadata": {},
        "age_verified_at": null, "ruo_pathway_acknowledged_at": null, "researcher_acknowledgement_id": null,
        "prescription_status": null, "prescription_consult_completed_at": null
    });
    ehealth::merge(&mut shown, &more);
    shown
}

fn born_at_cloud(doors: &Doors) -> Row {
    let made = doors.cloud_post(json!({
        "lastName": "Bernard", "gender": "U", "email": "s@example.org", "phone": "+33612345678",
        "externalId": "EMP-4821", "identificationKey": { "nir": "1881103750016", "rang": "1" }
    }));
    let medicapp_id = text(&made.expect(201).json()["patientUuid"]);
    let identifiers = json!([
        { "use": "usual", "system": format!("{BASE}/medicapp/patient-id"), "value": medicapp_id },
        { "use": "secondary", "system": format!("{BASE}/medicapp/trust-space/{TRUST_SPACE}/external-id"),
          "value": "EMP-4821" },
        { "use": "secondary", "system": format!("{BASE}/medicapp/nir-rang"), "value": "1881103750016-01" },
        { "use": "official",
          "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NH" }] },
          "system": "urn:oid:1.2.250.1.213.1.4.13", "value": "188110375001686" }
    ]);
    Row {
        born: "cloud",
        fhir_id: doors.fhir_id(&medicapp_id),
        medicapp_id,
        cloud: cloud(json!({
            "externalId": "EMP-4821", "identificationKey": { "nir": "1881103750016", "rang": "01" },
            "firstName": "Sophie", "lastName": "Bernard", "birthDate": "1988-11-03", "gender": "U",
            "email": "s@example.org", "phone": "+33612345678"
        })),
        connect: connect(json!({
            "firstName": "Sophie", "lastName": "Bernard", "birthDate": "1988-11-03",
            "email": "s@example.org", "phone": "+33612345678"
        })),
        graph: graph(json!({
            "first_name": "Sophie", "last_name": "Bernard", "date_of_birth": "1988-11-03", "gender": "unknown",
            "email": "s@example.org", "phone": "+33612345678"
        })),
        ehealth: Value::Null,
        fhir: json!({
            "identifier": identifiers, "active": true, "gender": "unknown", "birthDate": "1988-11-03",
            "name": [{ "use": "official", "family": "Bernard", "given": ["Sophie"] }],
            "telecom": [
                { "system": "email", "value": "s@example.org" },
                { "system": "phone", "value": "+33612345678", "use": "mobile" }
            ],
            "managingOrganization": {
                "identifier": { "system": format!("{BASE}/medicapp/trust-space"), "value": TRUST_SPACE }
            }
        }),
    }
}

fn born_at_connect(doors: &Doors) -> Row {
    let address =
        json!({ "street": "12 rue de la Paix", "city": "Paris", "postalCode": "75002", "country": "FR" });
    let made = doors.connect_post(json!({
        "lastName": "Dupont", "gender": "O", "externalId": "IPP-2024-0042", "address": address
    }));
    let medicapp_id = text(&made.expect(201).json()["id"]);
    let names = json!({ "firstName": "Jean", "lastName": "Dupont", "birthDate": "1980-05-15" });
    let (mut by_cloud, mut by_connect) = (cloud(names.clone()), connect(names));
    by_cloud["gender"] = json!("U");
    ehealth::merge(
        &mut by_connect,
        &json!({ "gender": "O", "externalId": "IPP-2024-0042", "address": address }),
    );
    Row {
        born: "connect",
        fhir_id: doors.fhir_id(&medicapp_id),
        medicapp_id,
        cloud: by_cloud,
        connect: by_connect,
        graph: graph(json!({
            "first_name": "Jean", "last_name": "Dupont", "date_of_birth": "1980-05-15", "gender": "other"
        })),
        ehealth: Value::Null,
        fhir: json!({
            "active": true, "gender": "other", "birthDate": "1980-05-15",
            "name": [{ "use": "official", "family": "Dupont", "given": ["Jean"] }],
            "address": [{ "line": ["12 rue de la Paix"], "city": "Paris", "postalCode": "75002", "country": "FR" }]
        }),
    }
}

fn born_at_graph(doors: &Doors) -> Row {
    let made = doors.graph_post(json!({
        "last_name": "Lovelace", "gender": "Non-Binary", "external_ids": { "shop": "1" }, "metadata": { "a": 1.0 },
        "phone": "call me"
    }));
    let fhir_id = text(&made.expect(201).json()["id"]);
    let shown = json!({ "firstName": "Ada", "lastName": "Lovelace", "phone": "call me" });
    let (mut by_cloud, mut by_connect) = (cloud(shown.clone()), connect(shown));
    by_cloud["gender"] = json!("U");
    by_connect["gender"] = json!("O");
    Row {
        born: "graph",
        medicapp_id: doors.medicapp_id(&fhir_id),
        fhir_id,
        cloud: by_cloud,
        connect: by_connect,
        graph: graph(json!({
            "first_name": "Ada", "last_name": "Lovelace", "gender": "Non-Binary", "phone": "call me",
            "external_ids": { "shop": "1" }, "metadata": { "a": 1.0 }
        })),
        ehealth: Value::Null,
        fhir: json!({
            "active": true, "gender": "other",
            "name": [{ "use": "usual", "family": "Lovelace", "given": ["Ada"] }],
            "telecom": [{ "system": "phone", "value": "call me" }]
        }),
    }
}

fn born_as_preperson(doors: &Doors) -> Row {
    let made = ehealth::preperson(&doors.ehealth, json!({ "external_id": "12" }));
    let fhir_id = text(&made["id"]);
    Row {
        born: "preperson",
        medicapp_id: doors.medicapp_id(&fhir_id),
        fhir_id,
        cloud: cloud(json!({ "gender": "M" })),
        connect: connect(json!({ "gender": "M" })),
        graph: graph(json!({ "gender": "male" })),
        ehealth: json!({
            "external_id": "12", "first_name": null, "last_name": null, "second_name": null, "gender": "MALE",
            "birth_date": null, "emergency_contact": null, "note": null, "status": "ACTIVE", "death_date": null
        }),
        fhir: json!({ "active": true, "gender": "male" }),
    }
}

fn born_in_fhir(doors: &Doors, born: &'static str, more: Value) -> Row {
    let mut body = json!({ "resourceType": "Patient" });
    ehealth::merge(&mut body, &more);
    let fhir_id = doors.fhir_post(&body);
    Row {
        born,
        medicapp_id: doors.medicapp_id(&fhir_id),
        fhir_id,
        cloud: cloud(json!({})),
        connect: connect(json!({})),
        graph: graph(json!({})),
        ehealth: Value::Null,
        fhir: more,
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn rows(doors: &Doors) -> Vec<Row> {
    let mut partial = born_in_fhir(
        doors,
        "fhir, a partial date",
        json!({ "birthDate": "1980-05", "name": [{ "family": "Noir" }] }),
    );
    partial.cloud["lastName"] = json!("Noir");
    partial.connect["lastName"] = json!("Noir");
    partial.graph["last_name"] = json!("Noir");
    vec![
        born_at_cloud(doors),
        born_at_connect(doors),
        born_at_graph(doors),
        born_as_preperson(doors),
        born_in_fhir(doors, "fhir, nothing", json!({})),
        partial,
    ]
}

/// The body about a patient, without what differs each time.
fn shown(door: &str, answer: &Response) -> Value {
    let mut body = answer.json();
    if door == "ehealth" {
        body = body["data"].clone();
    }
    let own: &[&str] = match door {
        "cloud" => &["patientUuid"],
        "connect" => &["id", "createdAt", "modifiedAt"],
        "graph" => &["id", "created_at", "updated_at"],
        _ => &["id", "inserted_at", "inserted_by", "updated_at", "updated_by"],
    };
    let body_object = body.as_object_mut().expect("an object");
    for name in own {
        let value = body_object.shift_remove(*name);
        assert!(value.is_some_and(|value| value.is_string()), "{door}: no {name}");
    }
    body
}

fn a_patient_born_at_any_door_is_read_at_every_other(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    for row in rows(&doors) {
        let expected = [&row.cloud, &row.connect, &row.graph, &row.ehealth];
        let calls = doors.calls(&row.fhir_id, &row.medicapp_id);
        for ((client, door, target), expected) in calls.into_iter().zip(expected) {
            let answer = client.get(&target).send();
            let cell = format!("born at {}, read at {door}: {answer:?}", row.born);
            if expected.is_null() {
                assert_eq!(answer.status, 404, "{cell}");
                continue;
            }
            assert_eq!(answer.status, 200, "{cell}");
            assert_eq!(&shown(door, &answer), expected, "{cell}");
        }
        let patient = doors.patient(&row.fhir_id).expect(200).json();
        for (name, value) in row.fhir.as_object().expect("an object") {
            assert_eq!(&patient[name], value, "born at {}: {name} of {patient}", row.born);
        }
    }
    // The lists count them all: a space's own patients are always readable.
    let list = doors.connect.get("/patients").send().expect(200).json();
    assert_eq!(list["pagination"]["total"], 6);
    // The graph's list is the brand's space, whoever made the patient.
    let list = doors.graph.get(format!("/patients?brand_id={BRAND}")).send();
    assert_eq!(list.expect(200).json()["total"], 6);
}

fn x18_no_door_speaks_the_language_of_another(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let mut partner: Vec<Response> = Vec::new();
    let mut fhir: Vec<Response> = Vec::new();
    for row in rows(&doors) {
        for (client, _, target) in doors.calls(&row.fhir_id, &row.medicapp_id) {
            partner.push(client.get(&target).send());
            partner.push(client.get(format!("{target}x")).send());
            partner.push(send(client, "PUT", &target, &json!([])));
            partner.push(send(client, "PATCH", &target, &json!({ "gender": "?" })));
        }
        fhir.push(doors.patient(&row.fhir_id));
        fhir.push(doors.patient("nobody"));
        let path = format!("/Patient/{}", row.fhir_id);
        fhir.push(doors.fhir.put(path).json(&json!({ "firstName": "A" })).send());
    }
    partner.push(doors.connect.get("/patients").send());
    partner.push(doors.connect.get("/patients?template=fhir").send());
    partner.push(doors.graph.get(format!("/patients?brand_id={BRAND}")).send());
    fhir.push(doors.fhir.get("/Patient").send());
    fhir.push(doors.fhir.get("/nothing").send());
    for answer in &partner {
        let body = answer.text();
        assert!(
            !body.contains("resourceType") && !body.contains("OperationOutcome"),
            "{answer:?}"
        );
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/json; charset=utf-8")
        );
        assert!(answer.json().is_object(), "{answer:?}");
    }
    for answer in &fhir {
        let body = answer.json();
        assert!(body["resourceType"].is_string(), "{answer:?}");
        for key in ["error", "data", "pagination", "message"] {
            assert!(body.get(key).is_none(), "{answer:?}");
        }
    }
    // The one exception is asked for by its name.
    let list = doors
        .connect
        .get("/patients?template=FHIR")
        .send()
        .expect(200)
        .json();
    let mut patients = list["data"].as_array().expect("patients").iter();
    assert!(
        patients.all(|patient| patient["resourceType"] == "Patient"),
        "{list}"
    );
}
