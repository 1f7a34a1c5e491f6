//! What the fields of both doors take: one answer names all that is faulty.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    c03_a_nir_is_one_key_in_all_its_spellings,
    c22_one_answer_names_every_faulty_field,
    n03_one_answer_names_every_faulty_field,
    n04_gender_is_optional_and_has_three_words,
];

fn c03_a_nir_is_one_key_in_all_its_spellings(context: &Context) {
    let client = cloud(context);
    let nir = fresh_nir();
    let keyed =
        |nir: &str, rang: &str| cloud_person(json!({ "identificationKey": { "nir": nir, "rang": rang } }));
    let made = shown(post(&client, &keyed(&nir, "1")), 201);
    assert_eq!(made["identificationKey"], json!({ "nir": nir, "rang": "01" }));
    for (nir, rang) in [(with_key(&nir), "01"), (with_key(&nir), "1"), (nir.clone(), "01")] {
        let found = shown(post(&client, &keyed(&nir, rang)), 200);
        for field in ["patientUuid", "identificationKey", "warning"] {
            assert_eq!(found[field], made[field], "{nir} {rang}");
        }
    }
    // Corsica, in either case.
    let corsican = |nir: &str| keyed(nir, "02");
    let made = shown(post(&client, &corsican("285052b03300755")), 201);
    assert_eq!(made["identificationKey"]["nir"], "285052B03300755");
    let found = shown(post(&client, &corsican("285052B033007")), 200);
    assert_eq!(found["patientUuid"], made["patientUuid"]);
}

fn c22_one_answer_names_every_faulty_field(context: &Context) {
    let client = cloud(context);
    let refused = post(
        &client,
        &json!({
            "trustSpaceUuid": TRUST_SPACE, "firstName": "  ", "birthDate": "03/11/1988", "gender": "O",
            "phone": "0612345678", "email": "nobody", "externalId": 4821,
            "identificationKey": { "nir": "12", "rang": "00" }
        }),
    );
    let message = faulty(&refused, 400, "VALIDATION_ERROR");
    for field in [
        "firstName",
        "lastName",
        "birthDate",
        "gender",
        "phone",
        "email",
        "externalId",
        "identificationKey.nir",
        "identificationKey.rang",
    ] {
        assert!(message.contains(field), "{field} is not in {message}");
    }
    assert!(!message.contains("0612345678"), "{message}");
    for gender in [json!("O"), json!("m"), json!(""), json!("X"), json!(null)] {
        let refused = post(&client, &cloud_person(json!({ "gender": gender })));
        assert!(faulty(&refused, 400, "VALIDATION_ERROR").contains("gender"));
    }
}

fn n03_one_answer_names_every_faulty_field(context: &Context) {
    let client = connect(context);
    let refused = post(
        &client,
        &json!({
            "firstName": 5, "birthDate": "1985-13-01", "gender": "U", "email": "a b@c", "phone": "06",
            "externalId": "", "address": { "street": 5, "city": " " }
        }),
    );
    let message = faulty(&refused, 400, "VALIDATION_ERROR");
    for field in [
        "firstName",
        "lastName",
        "birthDate",
        "gender",
        "email",
        "phone",
        "externalId",
        "address.street",
        "address.city",
    ] {
        assert!(message.contains(field), "{field} is not in {message}");
    }
    let refused = post(
        &client,
        &json!({ "firstName": "Jean", "birthDate": "15/03/1985" }),
    );
    let message = faulty(&refused, 400, "VALIDATION_ERROR");
    assert!(
        message.contains("lastName") && message.contains("birthDate"),
        "{message}"
    );
    assert!(!message.contains("firstName"), "{message}");
}

fn n04_gender_is_optional_and_has_three_words(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    for (sent, code) in [
        (json!("M"), json!("male")),
        (json!("F"), json!("female")),
        (json!("O"), json!("other")),
        (json!(null), json!(null)),
    ] {
        let id = made(&client, json!({ "gender": sent }));
        assert_eq!(fhir_of(&fhir, &id)["gender"], code);
        assert_eq!(shown(get(&client, &id), 200)["gender"], sent);
    }
    let refused = post(&client, &connect_person(json!({ "gender": "U" })));
    assert!(faulty(&refused, 400, "VALIDATION_ERROR").contains("gender"));
    // Unknown has no word here: null says nothing against it, and does not clear it.
    let id = made(&client, json!({ "gender": "M" }));
    edit(&fhir, &id, |patient| patient["gender"] = json!("unknown"));
    assert_eq!(shown(get(&client, &id), 200)["gender"], json!(null));
    let kept = put(&client, &id, &json!({ "gender": null }));
    assert_eq!(kept.header("ETag"), Some("W/\"2\""));
    assert_eq!(fhir_of(&fhir, &id)["gender"], "unknown");
}
