//! The documented examples of both doors, byte for byte.

use testkit::harness::Test;
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    c01_the_documented_create_is_answered_as_documented,
    n01_the_documented_create_and_change_are_answered_as_documented,
    n02_the_documented_patient_is_shown_as_documented,
];

fn seed(folder: &str, name: &str) -> Vec<u8> {
    let folder = crate::fixtures(&format!("seeds/{folder}"));
    std::fs::read(format!("{folder}/{name}")).expect("a file of the example")
}

/// The answer as documented, with what is the answer's own put in: ids and times.
fn expected(folder: &str, own: &[&str], answer: &Value) -> Value {
    let mut expected: Value = serde_json::from_slice(&seed(folder, "expected.json")).expect("JSON");
    for name in own {
        assert!(answer.get(*name).is_some(), "{name} in {answer}");
        expected[*name] = answer[*name].clone();
    }
    expected
}

fn raw(client: &Client, method: &str, target: &str, body: Vec<u8>) -> Response {
    let request = client.request(method, target);
    request
        .header("Content-Type", "application/json")
        .body(body)
        .send()
}

fn c01_the_documented_create_is_answered_as_documented(context: &Context) {
    let server = context.server();
    let word = "ts_xxxxxxxxxxxx";
    let binding = [
        "binding",
        "add",
        "--door",
        "medicapp-cloud",
        "--word",
        word,
        "--space",
        "demo",
    ];
    succeeds(context, &server, &binding);
    let client = server.client("medicapp-cloud");
    let post = || {
        raw(
            &client,
            "POST",
            "/patients",
            seed("000-create-patient", "request.json"),
        )
    };
    let made = wait_for(
        std::time::Duration::from_secs(10),
        "the trust space to be known",
        || {
            let answer = post();
            (answer.status != 404).then_some(answer)
        },
    );
    let made = made.expect(201);
    assert_eq!(made.header("Location"), None);
    let expected = expected("000-create-patient", &["patientUuid"], &made.json());
    assert_eq!(made.text(), expected.to_string(), "keys, order and values");
    let uuid = made.json()["patientUuid"].as_str().expect("an id").to_owned();
    assert!(uuid.starts_with("pat_") && uuid.len() >= 15, "{uuid}");
    let again = post().expect(200).json();
    assert_eq!(
        (&again["created"], &again["patientUuid"]),
        (&json!(false), &json!(uuid))
    );
    let changed = br#"{ "phone": "+33698765432", "email": "new@email.fr" }"#;
    let target = format!("/patients/{uuid}");
    let changed = raw(&client, "PUT", &target, changed.to_vec()).expect(200);
    assert_eq!(changed.header("ETag"), Some("W/\"2\""));
    let shown = client.get(&target).send().expect(200).json();
    assert_eq!(
        (&shown["phone"], &shown["email"]),
        (&json!("+33698765432"), &json!("new@email.fr"))
    );
}

fn n01_the_documented_create_and_change_are_answered_as_documented(context: &Context) {
    let server = context.server();
    let client = server.client("medicapp-connect");
    let made = raw(
        &client,
        "POST",
        "/patients",
        seed("001-create-patient", "request.json"),
    )
    .expect(201);
    let own = ["id", "createdAt", "modifiedAt"];
    let expected = expected("001-create-patient", &own, &made.json());
    assert_eq!(made.text(), expected.to_string(), "keys, order and values");
    assert_eq!(made.json()["createdAt"], made.json()["modifiedAt"]);
    let target = format!("/patients/{}", made.json()["id"].as_str().expect("an id"));
    let changed = raw(
        &client,
        "PUT",
        &target,
        seed("001-update-patient", "request.json"),
    )
    .expect(200);
    let mut after = made.json();
    after["email"] = json!("nouveau@email.fr");
    after["modifiedAt"] = changed.json()["modifiedAt"].clone();
    assert_eq!(changed.text(), after.to_string(), "nothing else has changed");
    let deleted = client.delete(&target).send().expect(200);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(deleted.text(), format!(r#"{{"deleted":true,"id":"{id}"}}"#));
}

fn n02_the_documented_patient_is_shown_as_documented(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let base = super::super::cross::BASE;
    doors.fhir_post(&json!({
        "resourceType": "Patient",
        "identifier": [
            { "use": "usual", "system": format!("{base}/medicapp/patient-id"), "value": "pat_d4e5f6a7" },
            { "use": "secondary", "system": format!("{base}/medicapp/space/demo/external-id"), "value": "IPP-2024-0042" },
        ],
        "active": true,
        "name": [{ "use": "official", "family": "Dupont", "given": ["Jean"] }],
        "telecom": [
            { "system": "email", "value": "jean.dupont@email.fr" },
            { "system": "phone", "value": "+33612345678", "use": "mobile" },
        ],
        "gender": "male",
        "birthDate": "1985-03-15",
        "address": [{ "line": ["12 rue de la Paix"], "city": "Paris", "postalCode": "75002", "country": "FR" }],
    }));
    // The example counts three records and lists one: the list is abridged there.
    for (number, created) in [
        "2025-03-20T14:00:00Z",
        "2025-01-01T00:00:00Z",
        "2024-06-01T00:00:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        let id = if number == 0 {
            "rec_8f3a2b1c".to_owned()
        } else {
            format!("rec_{number}")
        };
        let arguments = [
            "record",
            "add",
            "--space",
            "demo",
            "--patient",
            "pat_d4e5f6a7",
            "--id",
            &id,
            "--created",
            created,
        ];
        succeeds(context, &server, &arguments);
    }
    let shown = doors.connect.get("/patients/pat_d4e5f6a7").send().expect(200);
    let mut expected = expected("001-get-patient", &["createdAt", "modifiedAt"], &shown.json());
    let records = shown.json()["records"].clone();
    assert_eq!(
        records.as_array().expect("a list").last(),
        expected["records"].get(0)
    );
    expected["records"] = records;
    assert_eq!(shown.text(), expected.to_string(), "keys, order and values");
    let list = doors
        .connect
        .get("/patients?per_page=1")
        .send()
        .expect(200)
        .json();
    let mut item = expected.clone();
    let item = item.as_object_mut().expect("an object");
    item.shift_remove("address");
    item.shift_remove("records");
    assert_eq!(
        list["data"][0].to_string(),
        Value::Object(item.clone()).to_string()
    );
    assert_eq!(
        list["pagination"].to_string(),
        r#"{"page":1,"perPage":1,"total":1,"totalPages":1}"#
    );
}
