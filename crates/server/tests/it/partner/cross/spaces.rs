//! Spaces do not meet through any door (`adapters.md` 6, `access.md` 1). That nobody is seen from another is held by
//! `access/matrix.rs`.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::access::world::other_space;

pub const TESTS: &[Test] = tests![x11_one_nir_in_two_spaces_is_two_patients_that_never_meet,];

fn x11_one_nir_in_two_spaces_is_two_patients_that_never_meet(context: &Context) {
    let server = context.server();
    let (demo, other) = (Doors::of(&server), other_space(context, &server));
    let same = |word: &str| {
        json!({
            "trustSpaceUuid": word, "firstName": "Sophie", "lastName": "Bernard", "birthDate": "1988-11-03",
            "gender": "F", "externalId": "E-1", "email": "s@example.org",
            "identificationKey": { "nir": "1881103750016", "rang": "01" }
        })
    };
    let create = |doors: &Doors, word: &str| send(&doors.cloud, "POST", "/patients", &same(word));
    let first = create(&demo, TRUST_SPACE).expect(201).json();
    let second = create(&other, "ts_other0000001").expect(201).json();
    assert_ne!(first["patientUuid"], second["patientUuid"]);
    for (one, made) in [(&first, true), (&second, true)] {
        assert_eq!((&one["created"], &one["warning"]), (&json!(made), &Value::Null));
    }
    assert_eq!(
        create(&demo, TRUST_SPACE).expect(200).json()["patientUuid"],
        first["patientUuid"]
    );
    assert_eq!(
        create(&other, "ts_other0000001").expect(200).json()["patientUuid"],
        second["patientUuid"]
    );
    // The same at the doors whose duplicates are refused.
    for (doors, brand) in [(&demo, BRAND), (&other, "other-brand")] {
        let body = json!({
            "brand_id": brand, "first_name": "A", "last_name": "B", "email": "g@example.org",
            "external_ids": { "shop": "1" }
        });
        send(&doors.graph, "POST", "/patients", &body).expect(201);
        send(&doors.graph, "POST", "/patients", &body).expect(409);
        let body =
            json!({ "firstName": "A", "lastName": "B", "birthDate": "1980-01-01", "externalId": "I-1" });
        send(&doors.connect, "POST", "/patients", &body).expect(201);
        send(&doors.connect, "POST", "/patients", &body).expect(409);
    }
    // Erasing the one leaves the other.
    let target = |made: &Value| format!("/patients/{}", made["patientUuid"].as_str().expect("an id"));
    demo.connect.delete(target(&first)).send().expect(200);
    other.cloud.get(target(&second)).send().expect(200);
    assert_eq!(create(&demo, TRUST_SPACE).expect(201).json()["created"], true);
}
