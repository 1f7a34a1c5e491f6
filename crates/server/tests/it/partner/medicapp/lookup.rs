//! GET at the cloud door: by id and by key.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::wire::*;
use crate::support::unique;

pub const TESTS: &[Test] = tests![
    a_get_shows_the_five_keys_and_the_person,
    a_patient_is_found_by_one_complete_key,
];

/// The keys of an answer, in their order.
const FIVE: [&str; 5] = [
    "patientUuid",
    "created",
    "externalId",
    "identificationKey",
    "warning",
];
/// What a GET shows beside them.
const PERSON: [&str; 7] = [
    "trustSpaceUuid",
    "firstName",
    "lastName",
    "birthDate",
    "gender",
    "email",
    "phone",
];

fn a_get_shows_the_five_keys_and_the_person(context: &Context) {
    let client = cloud(context);
    let nir = fresh_nir();
    let body = cloud_person(json!({
        "email": "sophie@example.org", "externalId": unique(),
        "identificationKey": { "nir": nir, "rang": "01" }
    }));
    let made = shown(post(&client, &body), 201);
    let id = text(&made, "patientUuid");
    let read = get(&client, &id);
    assert_eq!(read.header("ETag"), Some("W/\"1\""));
    let read = shown(read, 200);
    assert_eq!(keys(&read), [&FIVE[..], &PERSON[..]].concat());
    for field in FIVE.iter().filter(|field| **field != "created") {
        assert_eq!(read[field], made[field], "{field}");
    }
    assert_eq!(read["created"], false);
    for field in [
        "trustSpaceUuid",
        "firstName",
        "lastName",
        "birthDate",
        "gender",
        "email",
    ] {
        assert_eq!(read[field], body[field], "{field}");
    }
    assert_eq!(read["phone"], json!(null));
    let head = client.head(format!("/patients/{id}")).send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("ETag"), Some("W/\"1\""));
}

fn a_patient_is_found_by_one_complete_key(context: &Context) {
    let client = cloud(context);
    let (nir, external) = (fresh_nir(), format!("a+b c/{}", unique()));
    let body = cloud_person(json!({
        "externalId": external, "identificationKey": { "nir": nir, "rang": "03" }
    }));
    let made = shown(post(&client, &body), 201);
    let find = |query: &str| {
        client
            .get(format!("/patients?trustSpaceUuid={TRUST_SPACE}{query}"))
            .send()
    };
    let encoded = testkit::http::percent_encode(&external);
    for query in [
        format!("&nir={nir}&rang=03"),
        format!("&nir={}&rang=3", with_key(&nir)),
        format!("&externalId={encoded}"),
        format!("&externalId={}", external.replace('+', "%2B").replace(' ', "+")),
        format!("&externalId={encoded}&nir={nir}"),
        format!("&unknown=1&externalId=other&externalId={encoded}"),
    ] {
        let shown = shown(find(&query), 200);
        assert_eq!(shown["patientUuid"], made["patientUuid"], "{query}");
        assert_eq!(
            (&shown["created"], &shown["warning"]),
            (&json!(false), &json!(null))
        );
        assert_eq!(keys(&shown), [&FIVE[..], &PERSON[..]].concat());
    }
    for query in [
        String::new(),
        format!("&nir={nir}"),
        "&rang=03".to_owned(),
        format!("&nir={nir}&rang=03&externalId={encoded}"),
        format!("&nir={nir}&rang=00"),
        "&externalId=%FF".to_owned(),
    ] {
        faulty(&find(&query), 400, "VALIDATION_ERROR");
    }
    for query in [format!("&nir={nir}&rang=04"), format!("&externalId={}", unique())] {
        faulty(&find(&query), 404, "PATIENT_NOT_FOUND");
    }
    let nowhere = client.get(format!("/patients?externalId={encoded}")).send();
    assert!(faulty(&nowhere, 400, "VALIDATION_ERROR").contains("trustSpaceUuid"));
}
