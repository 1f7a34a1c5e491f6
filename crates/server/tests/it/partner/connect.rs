//! Medicapp connect v5 (`adapters.md` 3.2 and 9.2): what only a running server shows. The translations have
//! fixtures of their own in `fixtures/medicapp-connect`.

mod erase;
mod list;
pub mod records;
mod update;

use serde_json::{Value, json};
use testkit::harness::{Context, Suite, Test};
use testkit::race::tally;
use testkit::tests;

use super::medicapp::*;
use crate::support::*;

const TESTS: &[Test] = tests![
    n01_the_documented_create_gets_the_documented_answer,
    n02_the_documented_patient_is_shown_as_documented,
    n03_one_answer_names_every_faulty_field,
    n04_gender_is_optional_and_has_three_words,
    n05_an_external_id_has_one_patient_in_its_space,
    n05_equal_external_ids_at_once_create_one,
    n07_equal_patients_without_external_id_are_two,
    n23_a_foreign_patient_looks_like_a_missing_one,
    n24_a_key_is_a_bearer_token_of_its_own_kind_of_space,
    n27_what_fhir_leaves_open_is_null_here,
    n29_a_merged_patient_is_gone_and_an_inactive_one_is_not,
    n30_one_of_several_telecoms_is_shown,
];

/// Adds all tests of the door.
pub fn add(suite: Suite) -> Suite {
    suite
        .both(TESTS)
        .both(update::TESTS)
        .both(list::TESTS)
        .both(erase::TESTS)
        .both(records::TESTS)
}

/// What the server gives out by itself.
const OWN: [&str; 3] = ["id", "createdAt", "modifiedAt"];

/// A document's answer.
fn documented(exchange: &str) -> Value {
    let path = format!("001-medicapp-connect-v5/{exchange}/expected.json");
    serde_json::from_slice(&seed(&path)).expect("JSON")
}

/// A patient; its id.
fn made(client: &testkit::http::Client, more: Value) -> String {
    text(&shown(post(client, &connect_person(more)), 201), "id")
}

/// `2025-03-20T16:45:00Z`
fn is_whole_seconds(time: &str) -> bool {
    let form: String = time
        .chars()
        .map(|character| {
            if character.is_ascii_digit() {
                '0'
            } else {
                character
            }
        })
        .collect();
    form == "0000-00-00T00:00:00Z"
}

fn n01_the_documented_create_gets_the_documented_answer(context: &Context) {
    let client = connect(context);
    let body = seed("001-medicapp-connect-v5/create/request.json");
    let answer = with_json(client.post("/patients"), body).send();
    assert_eq!(answer.header("ETag"), Some("W/\"1\""));
    let made = shown(answer, 201);
    same_but(&made, &documented("create"), &OWN);
    assert!(text(&made, "id").starts_with("pat_"), "{made}");
    assert!(is_whole_seconds(&text(&made, "createdAt")), "{made}");
    assert_eq!(made["createdAt"], made["modifiedAt"]);
    let again = with_json(
        client.post("/patients"),
        seed("001-medicapp-connect-v5/create/request.json"),
    );
    faulty(&again.send(), 409, "EXTERNAL_ID_CONFLICT");
}

/// The patient of the document, made through FHIR, and its records.
fn documented_patient(context: &Context) -> &'static str {
    let patient = json!({
        "resourceType": "Patient",
        "identifier": [
            { "use": "usual", "system": format!("{NAMING}/medicapp/patient-id"), "value": "pat_d4e5f6a7" },
            { "use": "secondary", "system": format!("{NAMING}/medicapp/space/demo/external-id"),
              "value": "IPP-2024-0042" }
        ],
        "active": true,
        "name": [{ "use": "official", "family": "Dupont", "given": ["Jean"] }],
        "telecom": [
            { "system": "email", "value": "jean.dupont@email.fr" },
            { "system": "phone", "value": "+33612345678", "use": "mobile" }
        ],
        "gender": "male", "birthDate": "1985-03-15",
        "address": [{ "line": ["12 rue de la Paix"], "city": "Paris", "postalCode": "75002", "country": "FR" }]
    });
    let fhir = shared_fhir(context);
    fhir.post("/Patient").json(&patient).send().expect(201);
    for (id, created) in [
        ("rec_00000001", "2024-02-01T08:00:00Z"),
        ("rec_00000002", "2024-09-01T08:00:00Z"),
        ("rec_8f3a2b1c", "2025-03-20T14:00:00Z"),
    ] {
        records::attach(context, "pat_d4e5f6a7", id, "completed", Some(created));
    }
    "pat_d4e5f6a7"
}

fn n02_the_documented_patient_is_shown_as_documented(context: &Context) {
    let client = connect(context);
    let id = documented_patient(context);
    let read = get(&client, id);
    assert_eq!(read.header("ETag"), Some("W/\"1\""));
    let read = shown(read, 200);
    // The document shows one of its three records.
    same_but(&read, &documented("one"), &["records", "createdAt", "modifiedAt"]);
    let records = read["records"].as_array().expect("records");
    assert_eq!(records.len(), 3);
    same_but(&records[2], &documented("one")["records"][0], &[]);
    let item = list::item(&client, id).expect("the patient is listed");
    same_but(
        &item,
        &documented("list")["data"][0],
        &["createdAt", "modifiedAt"],
    );
    let head = client.head(format!("/patients/{id}")).send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("ETag"), Some("W/\"1\""));
    let update = seed("001-medicapp-connect-v5/update/request.json");
    let updated = shown(
        with_json(client.put(format!("/patients/{id}")), update).send(),
        200,
    );
    assert_eq!(updated["email"], "nouveau@email.fr");
    let without_records: Vec<&str> = keys(&read).into_iter().filter(|key| *key != "records").collect();
    assert_eq!(keys(&updated), without_records);
    same_but(&updated["address"], &documented("one")["address"], &[]);
    let deleted = client.delete(format!("/patients/{id}")).send();
    same_but(&shown(deleted, 200), &documented("delete"), &[]);
    let missing = get(&client, id);
    faulty(&missing, 404, "PATIENT_NOT_FOUND");
    same_but(&missing.json(), &documented("not-found"), &["requestId"]);
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

fn n05_an_external_id_has_one_patient_in_its_space(context: &Context) {
    let client = connect(context);
    let external = format!("IPP-{}", unique());
    let id = made(&client, json!({ "externalId": external, "lastName": "Secret" }));
    let refused = post(&client, &connect_person(json!({ "externalId": external })));
    let message = faulty(&refused, 409, "EXTERNAL_ID_CONFLICT");
    assert!(!message.contains(&id) && !message.contains("Secret"), "{message}");
    // Another case is another id; another space is another space; the cloud's ids are others.
    made(&client, json!({ "externalId": external.to_ascii_lowercase() }));
    made(
        &neighbours(context).connect_other,
        json!({ "externalId": external }),
    );
    shown(
        post(&cloud(context), &cloud_person(json!({ "externalId": external }))),
        201,
    );
}

fn n05_equal_external_ids_at_once_create_one(context: &Context) {
    let client = connect(context);
    for count in [2, 10, 2, 10, 2, 10] {
        let body = connect_person(json!({ "externalId": unique() }));
        let answers = race_of(&client, count, |client, _| post(client, &body).status);
        assert_eq!(tally(answers), [(201, 1), (409, count - 1)]);
    }
}

fn n07_equal_patients_without_external_id_are_two(context: &Context) {
    let client = connect(context);
    let body = json!({ "email": format!("{}@example.org", unique()), "phone": "+33612345678" });
    assert_ne!(made(&client, body.clone()), made(&client, body));
}

fn n23_a_foreign_patient_looks_like_a_missing_one(context: &Context) {
    let client = connect(context);
    let foreign = made(&neighbours(context).connect_other, json!({}));
    let fhir_id = {
        let own = made(&client, json!({}));
        text(&fhir_of(&shared_fhir(context), &own), "id")
    };
    let verbs = ["GET", "PUT", "DELETE"];
    for verb in verbs {
        let normal = |id: &str| {
            let request = client.request(verb, format!("/patients/{id}"));
            let answer = match verb {
                "PUT" => with_json(request, "{\"email\":null}").send(),
                _ => request.send(),
            };
            let message = faulty(&answer, 404, "PATIENT_NOT_FOUND");
            assert_eq!(message, format!("Patient {id} not found in your space"));
            let request = answer.header("X-Request-Id").expect("an id").to_owned();
            answer.text().replace(&request, "R").replace(id, "ID")
        };
        let unknown = normal("pat_aaaaaaaaaaaaaaaa");
        // FHIR's own id is no id of this door.
        for id in [foreign.as_str(), &fhir_id, "x"] {
            assert_eq!(normal(id), unknown, "{verb} {id}");
        }
    }
    shown(get(&neighbours(context).connect_other, &foreign), 200);
    assert!(list::item(&client, &foreign).is_none());
    // What stands in a path is no reason to fail.
    for odd in [
        "%00",
        "%FF",
        "a%20b",
        "pat_%27%3B--",
        "..%2F..%2Fpatients",
        &"x".repeat(2000),
    ] {
        faulty(&get(&client, odd), 404, "PATIENT_NOT_FOUND");
    }
}

fn n24_a_key_is_a_bearer_token_of_its_own_kind_of_space(context: &Context) {
    let (client, live) = (connect(context), &neighbours(context).connect_live);
    let bearer = &shared(context).credential("medicapp-connect").bearer;
    let id = made(&client, json!({}));
    let path = format!("{CONNECT}/patients/{id}");
    let with = |authorization: &str| {
        let request = shared(context).anonymous();
        let answer = request.get(&path).header("Authorization", authorization).send();
        answer
    };
    for accepted in ["Bearer", "bearer", "BEARER"] {
        shown(with(&format!("{accepted} {bearer}")), 200);
    }
    let nobody = shared(context).anonymous().get(&path).send();
    for refused in [
        nobody,
        with("Basic c2tfdGVzdDp4"),
        with("Bearer"),
        with("Bearer "),
        with("Bearer sk_test_00000000_00000000000000000000000000000000"),
        with(bearer),
    ] {
        faulty(&refused, 401, "UNAUTHORIZED");
        assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer"));
    }
    // A live space is just another space to a sandbox key, and the other way round.
    let alive = made(live, json!({}));
    faulty(&get(&client, &alive), 404, "PATIENT_NOT_FOUND");
    faulty(&get(live, &id), 404, "PATIENT_NOT_FOUND");
    shown(get(live, &alive), 200);
}

fn n27_what_fhir_leaves_open_is_null_here(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let own = unique();
    let resource = fhir.post("/Patient").json(&json!({
        "resourceType": "Patient", "birthDate": "1980-05", "identifier": [{ "system": LOCAL, "value": own }]
    }));
    let resource = resource.send().expect(201);
    let path = path_of(resource.location());
    let path = path.split("/_history").next().expect("a path");
    let id = medicapp_id(context, resource.location());
    let read = shown(get(&client, &id), 200);
    for field in [
        "firstName",
        "lastName",
        "birthDate",
        "gender",
        "email",
        "phone",
        "externalId",
    ] {
        assert_eq!(read[field], json!(null), "{field}");
    }
    assert_eq!((&read["recordsCount"], &read["records"]), (&json!(0), &json!([])));
    assert!(read.get("address").is_none(), "{read}");
    let refused = put(&client, &id, &json!({ "birthDate": null }));
    assert!(faulty(&refused, 400, "VALIDATION_ERROR").contains("birthDate"));
    let answer = shown(put(&client, &id, &json!({ "email": "a@example.org" })), 200);
    assert_eq!(
        (&answer["email"], &answer["birthDate"]),
        (&json!("a@example.org"), &json!(null))
    );
    let now = fhir.get(path).send().expect(200).json();
    assert_eq!(now["birthDate"], "1980-05");
    shown(put(&client, &id, &json!({ "birthDate": "1980-05-06" })), 200);
    assert_eq!(
        fhir.get(path).send().expect(200).json()["birthDate"],
        "1980-05-06"
    );
}

/// The Medicapp id of a resource that was made through FHIR: it is the last of the list.
fn medicapp_id(context: &Context, location: &str) -> String {
    let id = id_of(location);
    let held = execute(
        shared(context),
        &format!("SELECT medicapp_id FROM resource WHERE id = '{id}'"),
    );
    assert!(held.starts_with("pat_"), "{held}");
    held
}

fn n29_a_merged_patient_is_gone_and_an_inactive_one_is_not(context: &Context) {
    let (server, fhir) = context.fhir();
    let client = server.client("medicapp-connect");
    let external = unique();
    let (source, target) = (
        made(&client, json!({ "externalId": external })),
        made(&client, json!({})),
    );
    let total = || shown_list(&client.get("/patients").send())["pagination"]["total"].clone();
    assert_eq!(total(), 2);
    edit(&fhir, &source, |patient| patient["active"] = json!(false));
    shown(get(&client, &source), 200);
    assert_eq!(total(), 2);
    let reference = format!("Patient/{}", text(&fhir_of(&fhir, &target), "id"));
    edit(&fhir, &source, |patient| {
        patient["link"] = json!([{ "other": { "reference": reference }, "type": "replaced-by" }]);
    });
    faulty(&get(&client, &source), 404, "PATIENT_NOT_FOUND");
    faulty(&put(&client, &source, &json!({})), 404, "PATIENT_NOT_FOUND");
    faulty(
        &client.delete(format!("/patients/{source}")).send(),
        404,
        "PATIENT_NOT_FOUND",
    );
    assert_eq!(total(), 1);
    assert!(list::item(&client, &source).is_none() && list::item(&client, &target).is_some());
    // Its external id is the target's to take.
    shown(put(&client, &target, &json!({ "externalId": external })), 200);
}

/// The body of a list.
#[track_caller]
fn shown_list(response: &testkit::http::Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    let body = response.json();
    assert_eq!(keys(&body), ["data", "pagination"]);
    assert_eq!(
        keys(&body["pagination"]),
        ["page", "perPage", "total", "totalPages"]
    );
    body
}

fn n30_one_of_several_telecoms_is_shown(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let id = made(&client, json!({}));
    let point =
        |system: &str, value: &str, more: Value| and(json!({ "system": system, "value": value }), more);
    for (telecom, phone, email) in [
        (
            json!([
                point("phone", "+33111111111", json!({ "use": "home", "rank": 1 })),
                point("phone", "+33622222222", json!({ "use": "mobile" })),
                point("email", "second@example.org", json!({ "rank": 2 })),
                point("email", "first@example.org", json!({ "rank": 1 }))
            ]),
            json!("+33622222222"),
            json!("first@example.org"),
        ),
        (
            json!([
                point("phone", "+33622222222", json!({ "use": "old" })),
                point(
                    "phone",
                    "+33633333333",
                    json!({ "use": "mobile", "period": { "end": "2020-01-01" } })
                ),
                point("sms", "+33644444444", json!({})),
                point("phone", "+33155555555", json!({ "use": "work" })),
                point("email", "old@example.org", json!({ "use": "old" }))
            ]),
            json!("+33644444444"),
            json!(null),
        ),
    ] {
        edit(&fhir, &id, |patient| patient["telecom"] = telecom);
        let read = shown(get(&client, &id), 200);
        assert_eq!((&read["phone"], &read["email"]), (&phone, &email));
    }
}
