//! The connect door: creates, merges, refusals, erasure.

use testkit::harness::Test;
use testkit::race::tally;
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    n05_an_external_id_has_one_owner_in_its_space_however_many_come_at_once,
    n06_after_a_deletion_the_external_id_is_free_for_somebody_new,
    n07_equal_creates_without_an_external_id_are_two_patients,
    n08_a_change_moves_the_time_and_nothing_else,
    n10_a_required_field_is_changed_and_never_cleared,
    n11_an_address_is_merged_part_by_part,
    n13_what_is_not_the_partners_is_ignored,
    n15_no_change_is_no_version_and_no_modification,
    n22_an_erasure_leaves_tombstones_and_an_audit_row,
    n23_another_spaces_patient_looks_like_a_missing_one,
    n24_credentials_are_told_apart_and_a_live_key_sees_no_sandbox,
    n25_too_many_requests_are_told_when_to_come_back,
    n26_a_body_of_another_kind_is_refused_before_it_is_read,
    n27_a_patient_of_a_hospital_is_shown_with_what_is_known,
    n29_who_was_replaced_is_missing_and_who_is_inactive_is_not,
    x04_texts_of_any_script_come_back_as_they_were_sent,
];

#[track_caller]
fn made(answer: &Response) -> String {
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().expect("an id").to_owned()
}

fn put(client: &Client, id: &str, change: &Value) -> Response {
    send(client, "PUT", &format!("/patients/{id}"), change)
}

fn get(client: &Client, id: &str) -> Response {
    client.get(format!("/patients/{id}")).send()
}

fn n05_an_external_id_has_one_owner_in_its_space_however_many_come_at_once(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    for _ in 0..4 {
        let external = unique();
        let answers = race_of(&client, 10, |client, _| {
            connect_post(client, json!({ "externalId": external }))
        });
        let statuses = tally(answers.iter().map(|answer| answer.status));
        assert_eq!(statuses, [(201, 1), (409, 9)], "{answers:?}");
        let refused = answers
            .iter()
            .find(|answer| answer.status == 409)
            .expect("a refusal");
        assert_eq!(refusal(refused, 409), "EXTERNAL_ID_CONFLICT");
        let owner = answers
            .iter()
            .find(|answer| answer.status == 201)
            .expect("an owner")
            .json();
        for told in ["id", "lastName"] {
            let told = owner[told].as_str().expect("a text");
            assert!(!refused.text().contains(told), "the other patient is not told of");
        }
    }
}

fn n06_after_a_deletion_the_external_id_is_free_for_somebody_new(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    let more = json!({ "externalId": unique() });
    let first = made(&connect_post(&client, more.clone()));
    client.delete(format!("/patients/{first}")).send().expect(200);
    assert_ne!(made(&connect_post(&client, more)), first);
}

fn n07_equal_creates_without_an_external_id_are_two_patients(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    let same = json!({ "lastName": unique(), "email": "same@example.org" });
    assert_ne!(
        made(&connect_post(&client, same.clone())),
        made(&connect_post(&client, same))
    );
}

fn n08_a_change_moves_the_time_and_nothing_else(context: &Context) {
    let doors = Doors::of(shared(context));
    let before = doors
        .connect_post(json!({ "gender": "F", "phone": "+33612345678" }))
        .expect(201)
        .json();
    let id = before["id"].as_str().expect("an id");
    let fhir_id = doors.fhir_id(id);
    let updated = |patient: Response| patient.expect(200).json()["meta"]["lastUpdated"].to_string();
    let first = updated(doors.patient(&fhir_id));
    let after = put(&doors.connect, id, &json!({ "email": "a@b.fr" }))
        .expect(200)
        .json();
    assert!(updated(doors.patient(&fhir_id)) > first);
    for same in [
        "firstName",
        "lastName",
        "birthDate",
        "gender",
        "phone",
        "createdAt",
        "recordsCount",
    ] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["email"], "a@b.fr");
}

fn n10_a_required_field_is_changed_and_never_cleared(context: &Context) {
    let doors = Doors::of(shared(context));
    let id = made(&doors.connect_post(json!({ "firstName": "Jean" })));
    let fhir_id = doors.fhir_id(&id);
    doors.edit(&fhir_id, |patient| {
        patient["name"][0]["given"] = json!(["Jean", "Paul"])
    });
    let given = || doors.patient(&fhir_id).expect(200).json()["name"][0]["given"].clone();
    for field in ["firstName", "lastName", "birthDate"] {
        let refused = put(&doors.connect, &id, &json!({ field: null }));
        assert_eq!(refusal(&refused, 400), "VALIDATION_ERROR");
        assert!(refused.text().contains(field));
    }
    put(&doors.connect, &id, &json!({ "firstName": "Jean" })).expect(200);
    assert_eq!(given(), json!(["Jean", "Paul"]));
    put(&doors.connect, &id, &json!({ "firstName": "Pierre" })).expect(200);
    assert_eq!(given(), json!(["Pierre"]));
}

fn n11_an_address_is_merged_part_by_part(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    let address = json!({ "street": "12 rue X\nBât B", "city": "Paris" });
    let id = made(&connect_post(&client, json!({ "address": address })));
    let after = put(&client, &id, &json!({ "address": { "city": "Lyon" } }))
        .expect(200)
        .json();
    assert_eq!(
        after["address"],
        json!({ "street": "12 rue X\nBât B", "city": "Lyon", "postalCode": null, "country": null })
    );
    let after = put(&client, &id, &json!({ "address": { "street": null } }))
        .expect(200)
        .json();
    assert_eq!(after["address"]["street"], Value::Null);
    let after = put(&client, &id, &json!({ "address": null })).expect(200).json();
    assert!(after.get("address").is_none(), "{after}");
}

fn n13_what_is_not_the_partners_is_ignored(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    let made = connect_post(&client, json!({ "id": "pat_mine", "recordsCount": 7 })).expect(201);
    let before = made.json();
    assert_eq!(before["recordsCount"], 0);
    let id = before["id"].as_str().expect("an id");
    assert_ne!(id, "pat_mine");
    let mine =
        json!({ "id": "pat_mine", "createdAt": "2000-01-01T00:00:00Z", "records": [1], "recordsCount": 7 });
    let after = put(&client, id, &mine).expect(200);
    assert_eq!((after.header("ETag"), after.json()), (Some("W/\"1\""), before));
}

fn n15_no_change_is_no_version_and_no_modification(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let made = doors
        .connect_post(json!({ "email": "a@b.fr" }))
        .expect(201)
        .json();
    let id = made["id"].as_str().expect("an id");
    let stored = doors.patient(&doors.fhir_id(id)).expect(200).json();
    let updated = stored["meta"]["lastUpdated"].as_str().expect("a time");
    for same in [
        json!({}),
        json!({ "email": "a@b.fr", "firstName": "Jean", "phone": null }),
    ] {
        let answer = put(&doors.connect, id, &same).expect(200);
        assert_eq!(
            (answer.header("ETag"), answer.json()),
            (Some("W/\"1\""), made.clone())
        );
    }
    let later = doors
        .connect
        .get(format!("/patients?modified_after={updated}"))
        .send()
        .expect(200);
    assert_eq!(listed(&later), Vec::<String>::new());
}

fn n22_an_erasure_leaves_tombstones_and_an_audit_row(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let family = unique();
    let id = made(&doors.connect_post(json!({ "lastName": family, "externalId": "IPP-9" })));
    let fhir_id = doors.fhir_id(&id);
    put(&doors.connect, &id, &json!({ "email": "a@b.fr" })).expect(200);
    let path = format!("/patients/{id}");
    let answer = doors.connect.delete(&path).send().expect(200);
    assert_eq!(answer.text(), format!(r#"{{"deleted":true,"id":"{id}"}}"#));
    for refused in [doors.connect.delete(&path).send(), get(&doors.connect, &id)] {
        assert_eq!(refusal(&refused, 404), "PATIENT_NOT_FOUND");
        assert!(
            refused
                .text()
                .contains(&format!("Patient {id} not found in your space"))
        );
    }
    refused(doors.patient(&fhir_id), 410, "deleted");
    for version in 1..=3 {
        let read = doors
            .fhir
            .get(format!("/Patient/{fhir_id}/_history/{version}"))
            .send();
        refused(read, 410, "deleted");
    }
    let body = json!({ "resourceType": "Patient", "id": fhir_id, "name": [{ "family": family }] });
    refused(
        doors.fhir.put(format!("/Patient/{fhir_id}")).json(&body).send(),
        409,
        "conflict",
    );
    let bundle = doors
        .fhir
        .get(format!("/Patient?family={family}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(bundle["total"], 0);
    let rows = "SELECT count(*) FROM audit WHERE interaction = 'erase' AND outcome = 'ok'";
    assert_eq!(execute(&server, rows).trim(), "1");
    let traces = execute(&server, "SELECT medicapp_id FROM erasure");
    assert_eq!(traces.trim(), id);
}

fn n23_another_spaces_patient_looks_like_a_missing_one(context: &Context) {
    let server = context.server();
    let (own, other) = (
        server.client("medicapp-connect"),
        own_space(context, &server, "other"),
    );
    let theirs = made(&connect_post(&other, json!({ "externalId": "IPP-1" })));
    let masked = |answer: Response, id: &str| {
        assert_eq!(refusal(&answer, 404), "PATIENT_NOT_FOUND");
        let request = answer.header("X-Request-Id").expect("an id").to_owned();
        answer.text().replace(id, "…").replace(&request, "…")
    };
    for method in ["GET", "PUT", "DELETE"] {
        let ask = |id: &str| masked(send(&own, method, &format!("/patients/{id}"), &json!({})), id);
        assert_eq!(ask(&theirs), ask("pat_nobody"), "{method}");
    }
    // The same external id in another space is nobody's concern.
    made(&connect_post(&own, json!({ "externalId": "IPP-1" })));
    get(&other, &theirs).expect(200);
}

fn n24_credentials_are_told_apart_and_a_live_key_sees_no_sandbox(context: &Context) {
    let server = context.server();
    let bearer = server.credential("medicapp-connect").bearer.clone();
    let client = server.anonymous().with_prefix("/v5");
    let ask = |authorization: Option<String>| {
        let request = client.get("/patients");
        match authorization {
            Some(text) => request.header("Authorization", text).send(),
            None => request.send(),
        }
    };
    for wrong in [
        None,
        Some("Basic eDp5".to_owned()),
        Some("Bearer ".to_owned()),
        Some("Bearer sk_test_x_y".to_owned()),
    ] {
        let refused = ask(wrong);
        assert_eq!(refusal(&refused, 401), "UNAUTHORIZED");
        assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer"));
    }
    ask(Some(format!("bearer {bearer}"))).expect(200);
    // A live space of its own: the sandbox's patients are another space's.
    let id = made(&connect_post(&server.client("medicapp-connect"), json!({})));
    succeeds(context, &server, &["space", "add", "ward"]);
    let arguments = [
        "client",
        "add",
        "live",
        "--space",
        "ward",
        "--door",
        "medicapp-connect",
        "--scope",
        "partner:administrative",
    ];
    succeeds(context, &server, &arguments);
    let key = issue_key(context, &server, "live");
    assert!(key.starts_with("sk_live_"), "{key}");
    let live = server.anonymous().with_prefix("/v5").with_bearer(&key);
    let refused = wait_for(std::time::Duration::from_secs(10), "the key to be known", || {
        let answer = get(&live, &id);
        std::thread::sleep(std::time::Duration::from_millis(60));
        (answer.status != 401).then_some(answer)
    });
    assert_eq!(refusal(&refused, 404), "PATIENT_NOT_FOUND");
    // A key without the scope of the doors.
    let arguments = [
        "client",
        "add",
        "scopeless",
        "--space",
        "demo",
        "--door",
        "medicapp-connect",
        "--scope",
        "preperson:read",
    ];
    succeeds(context, &server, &arguments);
    let key = issue_key(context, &server, "scopeless");
    let scopeless = server.anonymous().with_prefix("/v5").with_bearer(&key);
    let refused = wait_for(std::time::Duration::from_secs(10), "the key to be known", || {
        let answer = get(&scopeless, &id);
        std::thread::sleep(std::time::Duration::from_millis(60));
        (answer.status != 401).then_some(answer)
    });
    assert_eq!(refusal(&refused, 403), "FORBIDDEN");
}

fn n25_too_many_requests_are_told_when_to_come_back(context: &Context) {
    let server = context.server();
    let arguments = [
        "client",
        "add",
        "eager",
        "--space",
        "demo",
        "--door",
        "medicapp-connect",
        "--scope",
        "partner:administrative",
        "--rate-limit",
        "1/3",
    ];
    succeeds(context, &server, &arguments);
    let key = issue_key(context, &server, "eager");
    let client = server.anonymous().with_prefix("/v5").with_bearer(&key);
    let refused = wait_for(std::time::Duration::from_secs(30), "a request too many", || {
        let answer = client.get("/patients").send();
        if answer.status == 401 {
            std::thread::sleep(std::time::Duration::from_millis(60));
        }
        (answer.status == 429).then_some(answer)
    });
    let since = std::time::Instant::now();
    assert_eq!(refusal(&refused, 429), "RATE_LIMIT_EXCEEDED");
    let wait: u64 = refused
        .header("Retry-After")
        .expect("a wait")
        .parse()
        .expect("whole seconds");
    assert!(wait >= 1);
    wait_for(std::time::Duration::from_secs(30), "the announced time", || {
        (since.elapsed() >= std::time::Duration::from_secs(wait)).then_some(())
    });
    client.get("/patients").send().expect(200);
}

fn n26_a_body_of_another_kind_is_refused_before_it_is_read(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    let post = |kind: &str, body: &[u8]| {
        client
            .post("/patients")
            .header("Content-Type", kind)
            .body(body.to_vec())
            .send()
    };
    let good = br#"{"firstName":"A","lastName":"B","birthDate":"1990-01-01"}"#;
    let with_mark = [&b"\xef\xbb\xbf"[..], good].concat();
    assert_eq!(
        refusal(&post("application/json", &with_mark), 400),
        "INVALID_JSON"
    );
    for kind in [
        "application/json; charset=iso-8859-1",
        "application/x-www-form-urlencoded",
        "text/plain",
    ] {
        assert_eq!(refusal(&post(kind, good), 415), "UNSUPPORTED_MEDIA_TYPE");
    }
    for kind in ["application/json; charset=UTF-8", "application/vnd.partner+json"] {
        post(kind, good).expect(201);
    }
    for broken in [
        &b"{"[..],
        b"[]",
        b"null",
        br#"{"a":1,"a":2}"#,
        br#"{"a":"\ud800"}"#,
        br#"{"a":"\u0000"}"#,
    ] {
        assert_eq!(refusal(&post("application/json", broken), 400), "INVALID_JSON");
    }
    let large = format!(r#"{{"firstName":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    assert_eq!(
        refusal(&post("application/json", large.as_bytes()), 413),
        "PAYLOAD_TOO_LARGE"
    );
    let number = br#"{"firstName":"A","lastName":"B","birthDate":"1990-01-01","externalId":4821}"#;
    assert_eq!(
        refusal(&post("application/json", number), 400),
        "VALIDATION_ERROR"
    );
}

fn n27_a_patient_of_a_hospital_is_shown_with_what_is_known(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let fhir_id =
        doors.fhir_post(&json!({ "resourceType": "Patient", "birthDate": "1980-05", "gender": "unknown" }));
    let id = doors.medicapp_id(&fhir_id);
    let shown = get(&doors.connect, &id).expect(200).json();
    for absent in [
        "firstName",
        "lastName",
        "birthDate",
        "gender",
        "email",
        "phone",
        "externalId",
    ] {
        assert_eq!(shown[absent], Value::Null, "{absent}");
    }
    assert_eq!(
        refusal(&put(&doors.connect, &id, &json!({ "birthDate": null })), 400),
        "VALIDATION_ERROR"
    );
    put(&doors.connect, &id, &json!({ "email": "a@b.fr" })).expect(200);
    let after = doors.patient(&fhir_id).expect(200).json();
    assert_eq!(
        (&after["birthDate"], &after["gender"]),
        (&json!("1980-05"), &json!("unknown"))
    );
    assert!(
        after.get("identifier").is_none(),
        "the allocated id stands beside the resource"
    );
}

fn n29_who_was_replaced_is_missing_and_who_is_inactive_is_not(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let (gone, still) = (
        made(&doors.connect_post(json!({}))),
        made(&doors.connect_post(json!({}))),
    );
    let target = doors.fhir_id(&still);
    doors.edit(&doors.fhir_id(&gone), |patient| {
        patient["active"] = json!(false);
        patient["link"] =
            json!([{ "other": { "reference": format!("Patient/{target}") }, "type": "replaced-by" }]);
    });
    doors.edit(&target, |patient| patient["active"] = json!(false));
    for method in ["GET", "PUT", "DELETE"] {
        let answer = send(&doors.connect, method, &format!("/patients/{gone}"), &json!({}));
        assert_eq!(refusal(&answer, 404), "PATIENT_NOT_FOUND");
    }
    let list = doors.connect.get("/patients").send().expect(200);
    assert_eq!(
        (listed(&list), &list.json()["pagination"]["total"]),
        (vec![still], &json!(1))
    );
}

fn x04_texts_of_any_script_come_back_as_they_were_sent(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    for text in [
        "x".repeat(255),
        "👩‍👩‍👧‍👦".to_owned(),
        "E\u{301}lise".to_owned(),
        "\u{200f}שרה".to_owned(),
        "Ґалаґан".to_owned(),
        "山田".to_owned(),
        " leading".to_owned(),
        "tab\there".to_owned(),
    ] {
        let answer = connect_post(&client, json!({ "firstName": text }))
            .expect(201)
            .json();
        assert_eq!(answer["firstName"], json!(text));
        let id = answer["id"].as_str().expect("an id");
        assert_eq!(get(&client, id).expect(200).json()["firstName"], json!(text));
    }
    for refused in ["x".repeat(256), "   ".to_owned(), String::new()] {
        let answer = connect_post(&client, json!({ "firstName": refused }));
        assert_eq!(refusal(&answer, 400), "VALIDATION_ERROR");
    }
}
