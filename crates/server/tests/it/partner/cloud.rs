//! Medicapp cloud partner v5 (`adapters.md` 3.1 and 9.1): what only a running server shows. The translations have
//! fixtures of their own in `fixtures/medicapp-cloud`.

mod dedup;
mod races;
mod update;

use serde_json::json;
use testkit::harness::{Context, Suite, Test};
use testkit::tests;

use super::medicapp::*;
use crate::support::*;

const TESTS: &[Test] = tests![
    c01_the_documented_create_gets_the_documented_answer,
    c03_a_nir_is_one_key_in_all_its_spellings,
    c07_what_is_no_nir_is_refused_and_named,
    c08_months_of_incomplete_civil_status_are_taken,
    c10_what_is_no_rang_is_refused_and_named,
    c11_two_children_of_one_nir_are_two_patients,
    c22_one_answer_names_every_faulty_field,
    c23_a_date_of_birth_is_a_day_that_has_been,
    c31_a_foreign_space_and_patient_look_like_missing_ones,
    c32_nobody_is_deleted_here,
    a_get_shows_the_five_keys_and_the_person,
    a_patient_is_found_by_one_complete_key,
    gender_is_read_as_the_matrix_says,
];

/// Adds all tests of the door.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(TESTS)
        .both(dedup::TESTS)
        .both(update::TESTS)
        .both(races::TESTS)
        .postgres(races::SEVERAL_PROCESSES)
}

/// The keys of an answer, in their order.
pub const FIVE: [&str; 5] = [
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

fn c01_the_documented_create_gets_the_documented_answer(context: &Context) {
    let client = &neighbours(context).cloud_other;
    let expected = serde_json::from_slice(&seed("000-medicapp-cloud-partner-v5/create/expected.json"));
    let request = || {
        let body = seed("000-medicapp-cloud-partner-v5/create/request.json");
        with_json(client.post("/patients"), body).send()
    };
    let answer = request();
    assert_eq!(answer.header("ETag"), Some("W/\"1\""));
    let made = shown(answer, 201);
    same_but(&made, &expected.expect("JSON"), &["patientUuid"]);
    let id = text(&made, "patientUuid");
    let rest = id.strip_prefix("pat_").expect("an id of the door");
    assert!(
        rest.len() >= 11 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{id}"
    );
    // Again: found, and nothing else is different.
    same_but(&shown(request(), 200), &made, &["created"]);
    let update = seed("000-medicapp-cloud-partner-v5/update/request.json");
    let changed = shown(
        with_json(client.put(format!("/patients/{id}")), update).send(),
        200,
    );
    same_but(&changed, &made, &["created"]);
    assert_eq!(changed["created"], false);
    let read = shown(get(client, &id), 200);
    assert_eq!(
        (&read["phone"], &read["email"]),
        (&json!("+33698765432"), &json!("new@email.fr"))
    );
}

fn c03_a_nir_is_one_key_in_all_its_spellings(context: &Context) {
    let client = cloud(context);
    let nir = fresh_nir();
    let keyed =
        |nir: &str, rang: &str| cloud_person(json!({ "identificationKey": { "nir": nir, "rang": rang } }));
    let made = shown(post(&client, &keyed(&nir, "1")), 201);
    assert_eq!(made["identificationKey"], json!({ "nir": nir, "rang": "01" }));
    for (nir, rang) in [(with_key(&nir), "01"), (with_key(&nir), "1"), (nir.clone(), "01")] {
        let found = shown(post(&client, &keyed(&nir, rang)), 200);
        same_but(&found, &made, &["created"]);
    }
    // Corsica, in either case.
    let corsican = |nir: &str| keyed(nir, "02");
    let made = shown(post(&client, &corsican("285052b03300755")), 201);
    assert_eq!(made["identificationKey"]["nir"], "285052B03300755");
    let found = shown(post(&client, &corsican("285052B033007")), 200);
    assert_eq!(found["patientUuid"], made["patientUuid"]);
}

fn c07_what_is_no_nir_is_refused_and_named(context: &Context) {
    let client = cloud(context);
    let of = |nir: serde_json::Value| {
        let body = cloud_person(json!({ "identificationKey": { "nir": nir, "rang": "01" } }));
        post(&client, &body)
    };
    for nir in [
        "188110375001687",
        "185052A00412357",
        "185052C004123",
        "18811037500A6",
        "18811037500168",
        "1881103750016860",
        "1 88 11 03 750016",
        "5881103750016",
        "9881103750016",
        "0881103750016",
        "",
    ] {
        let message = faulty(&of(json!(nir)), 400, "VALIDATION_ERROR");
        assert!(message.contains("identificationKey.nir"), "{nir}: {message}");
    }
    let message = faulty(&of(json!(1_881_103_750_016_u64)), 400, "VALIDATION_ERROR");
    assert!(message.contains("identificationKey.nir"), "{message}");
}

fn c08_months_of_incomplete_civil_status_are_taken(context: &Context) {
    let client = cloud(context);
    for nir in [
        "2881175056016",
        "169056912345649",
        "7880175056001",
        "1993099404321",
        "1997799404321",
    ] {
        let body = cloud_person(json!({ "identificationKey": { "nir": nir, "rang": "01" } }));
        let made = shown(post(&client, &body), 201);
        assert_eq!(made["identificationKey"]["nir"], nir);
    }
}

fn c10_what_is_no_rang_is_refused_and_named(context: &Context) {
    let client = cloud(context);
    let of = |key: serde_json::Value| post(&client, &cloud_person(json!({ "identificationKey": key })));
    for rang in [
        json!("00"),
        json!("0"),
        json!("100"),
        json!("A1"),
        json!(1),
        json!(""),
    ] {
        let refused = of(json!({ "nir": fresh_nir(), "rang": rang }));
        let message = faulty(&refused, 400, "VALIDATION_ERROR");
        assert!(message.contains("identificationKey.rang"), "{rang}: {message}");
    }
    faulty(&of(json!({ "rang": "01" })), 400, "VALIDATION_ERROR");
    for none in [json!({}), json!(null)] {
        assert_eq!(shown(of(none), 201)["identificationKey"], json!(null));
    }
}

fn c11_two_children_of_one_nir_are_two_patients(context: &Context) {
    let (client, fhir) = (cloud(context), shared_fhir(context));
    let nir = fresh_nir();
    let child = |rang: &str| {
        let body = cloud_person(json!({ "identificationKey": { "nir": nir, "rang": rang } }));
        text(&shown(post(&client, &body), 201), "patientUuid")
    };
    assert_ne!(child("02"), child("03"));
    let by_nir = ("urn:oid:1.2.250.1.213.1.4.13", with_key(&nir));
    let by_nir = (by_nir.0, by_nir.1.as_str());
    assert_eq!(found(&fhir, "Patient", by_nir).len(), 2);
    let body = resource("Patient", by_nir.0, by_nir.1);
    refused(put_by(&fhir, "Patient", by_nir, &body), 412, "multiple-matches");
    // The key of the door means one.
    let by_key = (&*format!("{NAMING}/medicapp/nir-rang"), &*format!("{nir}-02"));
    assert_eq!(found(&fhir, "Patient", by_key).len(), 1);
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

fn c23_a_date_of_birth_is_a_day_that_has_been(context: &Context) {
    let client = cloud(context);
    let tomorrow = execute(
        shared(context),
        match context.backend() {
            testkit::server::Backend::Sqlite => "SELECT date('now', '+2 days')",
            testkit::server::Backend::Postgres => "SELECT current_date + 2",
        },
    );
    for day in [
        "1988-02-30",
        "1988-2-3",
        "03/11/1988",
        "1988-11",
        "1988-11-03T00:00:00Z",
        "1900-02-29",
        "0000-01-01",
        &tomorrow,
    ] {
        let refused = post(&client, &cloud_person(json!({ "birthDate": day })));
        let message = faulty(&refused, 400, "VALIDATION_ERROR");
        assert!(message.contains("birthDate"), "{day}: {message}");
    }
    shown(
        post(&client, &cloud_person(json!({ "birthDate": "2000-02-29" }))),
        201,
    );
}

fn c31_a_foreign_space_and_patient_look_like_missing_ones(context: &Context) {
    let (own, neighbours) = (cloud(context), neighbours(context));
    let made = post(
        &neighbours.cloud_other,
        &cloud_person(json!({ "trustSpaceUuid": SEED_TRUST_SPACE })),
    );
    let foreign = text(&shown(made, 201), "patientUuid");
    let same = |ask: &dyn Fn(&str) -> testkit::http::Response, foreign: &str, unknown: &str, code: &str| {
        let normal = |id: &str| {
            let answer = ask(id);
            faulty(&answer, 404, code);
            let request = answer.header("X-Request-Id").expect("an id").to_owned();
            answer.text().replace(&request, "R").replace(id, "ID")
        };
        assert_eq!(normal(foreign), normal(unknown));
    };
    let unknown = "pat_aaaaaaaaaaaaaaaa";
    same(&|id| get(&own, id), &foreign, unknown, "PATIENT_NOT_FOUND");
    let phone = json!({ "phone": "+33612345678" });
    same(
        &|id| put(&own, id, &phone),
        &foreign,
        unknown,
        "PATIENT_NOT_FOUND",
    );
    let (theirs, nobodys) = (SEED_TRUST_SPACE, "ts_nobody00000");
    let create = |space: &str| post(&own, &cloud_person(json!({ "trustSpaceUuid": space })));
    same(&create, theirs, nobodys, "TRUST_SPACE_NOT_FOUND");
    let find = |space: &str| {
        own.get(format!("/patients?trustSpaceUuid={space}&externalId=x"))
            .send()
    };
    same(&find, theirs, nobodys, "TRUST_SPACE_NOT_FOUND");
    // The space is answered before faulty fields: they would tell that it is there.
    let body = json!({ "trustSpaceUuid": SEED_TRUST_SPACE });
    faulty(&post(&own, &body), 404, "TRUST_SPACE_NOT_FOUND");
    // The neighbour has it still, and who has both spaces finds it through either.
    for client in [&neighbours.cloud_other, &neighbours.cloud_both] {
        shown(get(client, &foreign), 200);
    }
    faulty(&get(&connect(context), &foreign), 404, "PATIENT_NOT_FOUND");
    assert_eq!(
        found(
            &shared_fhir(context),
            "Patient",
            (&format!("{NAMING}/medicapp/patient-id"), &foreign)
        )
        .len(),
        0
    );
}

fn c32_nobody_is_deleted_here(context: &Context) {
    let client = cloud(context);
    let made = shown(post(&client, &cloud_person(json!({}))), 201);
    let path = format!("/patients/{}", text(&made, "patientUuid"));
    for (method, path, allow) in [
        ("DELETE", path.as_str(), "GET, HEAD, PUT"),
        ("DELETE", "/patients", "POST, GET, HEAD"),
        ("PATCH", path.as_str(), "GET, HEAD, PUT"),
        ("POST", path.as_str(), "GET, HEAD, PUT"),
        ("PUT", "/patients", "POST, GET, HEAD"),
    ] {
        let refused = client.request(method, path).send();
        faulty(&refused, 405, "METHOD_NOT_ALLOWED");
        assert_eq!(refused.header("Allow"), Some(allow), "{method} {path}");
    }
    shown(client.get(path).send(), 200);
}

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

fn gender_is_read_as_the_matrix_says(context: &Context) {
    let (client, fhir, connect) = (cloud(context), shared_fhir(context), connect(context));
    for (sent, code, shown_there) in [
        ("M", "male", json!("M")),
        ("F", "female", json!("F")),
        ("U", "unknown", json!(null)),
    ] {
        let made = shown(post(&client, &cloud_person(json!({ "gender": sent }))), 201);
        let id = text(&made, "patientUuid");
        assert_eq!(fhir_of(&fhir, &id)["gender"], code);
        assert_eq!(shown(get(&client, &id), 200)["gender"], sent);
        assert_eq!(shown(get(&connect, &id), 200)["gender"], shown_there);
    }
    let other = shown(of_gender(&connect, "O"), 201);
    let id = text(&other, "id");
    assert_eq!(fhir_of(&fhir, &id)["gender"], "other");
    assert_eq!(shown(get(&client, &id), 200)["gender"], "U");
}

fn of_gender(connect: &testkit::http::Client, gender: &str) -> testkit::http::Response {
    post(connect, &connect_person(json!({ "gender": gender })))
}
