//! The list of the connect door.

use testkit::harness::Test;
use testkit::http::percent_encode;
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    n16_pages_are_numbers_from_one_however_large,
    n17_pages_are_counted,
    n18_after_a_moment_is_strictly_after_it_to_the_microsecond,
    n19_moments_are_written_in_many_ways,
    n20_the_order_is_that_of_creation_while_others_are_created,
    n21_the_list_is_offered_as_fhir_too,
    n28_addresses_of_all_kinds_are_taken_or_refused_by_name,
    n30_of_several_numbers_the_door_shows_the_one_that_counts,
];

fn list(client: &Client, query: &str) -> Response {
    client.get(format!("/patients{query}")).send()
}

fn n16_pages_are_numbers_from_one_however_large(context: &Context) {
    let server = context.server();
    let client = own_space(context, &server, "pages");
    connect_post(&client, json!({})).expect(201);
    for wrong in [
        "page=0",
        "page=-1",
        "page=abc",
        "page=",
        "page=1.5",
        "per_page=0",
        "per_page=x",
        "created_after=x",
    ] {
        let refused = list(&client, &format!("?{wrong}"));
        assert_eq!(refusal(&refused, 400), "VALIDATION_ERROR");
        let (name, _) = wrong.split_once('=').expect("a name");
        assert!(refused.text().contains(name), "{wrong}: {}", refused.text());
    }
    for far in ["999", "9223372036854775807", "99999999999999999999999"] {
        let page = list(&client, &format!("?page={far}")).expect(200).json();
        assert_eq!(
            (&page["data"], &page["pagination"]["total"]),
            (&json!([]), &json!(1)),
            "{far}"
        );
    }
    let clamped = list(&client, "?per_page=101&unknown=1").expect(200).json();
    assert_eq!(clamped["pagination"]["perPage"], 100);
    let last = list(&client, "?page=7&page=1").expect(200).json();
    assert_eq!(
        last["pagination"]["page"], 1,
        "of a repeated parameter the last counts"
    );
}

fn n17_pages_are_counted(context: &Context) {
    let server = context.server();
    let client = own_space(context, &server, "counted");
    let empty = list(&client, "").expect(200);
    assert_eq!(
        empty.text(),
        r#"{"data":[],"pagination":{"page":1,"perPage":20,"total":0,"totalPages":0}}"#
    );
    let mut made = Vec::new();
    for number in 0..41 {
        let answer = connect_post(&client, json!({})).expect(201).json();
        made.push(answer["id"].as_str().expect("an id").to_owned());
        if number == 39 {
            assert_eq!(
                list(&client, "").expect(200).json()["pagination"]["totalPages"],
                2
            );
        }
    }
    let mut seen = Vec::new();
    for page in 1..=3 {
        let answer = list(&client, &format!("?page={page}")).expect(200);
        assert_eq!(
            answer.json()["pagination"],
            json!({ "page": page, "perPage": 20, "total": 41, "totalPages": 3 })
        );
        seen.extend(listed(&answer));
    }
    assert_eq!(seen, made, "in order of creation");
}

fn n18_after_a_moment_is_strictly_after_it_to_the_microsecond(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let made = doors.connect_post(json!({})).expect(201).json();
    let id = made["id"].as_str().expect("an id").to_owned();
    let stored = doors.patient(&doors.fhir_id(&id)).expect(200).json();
    let exact = stored["meta"]["lastUpdated"].as_str().expect("a time");
    let truncated = made["createdAt"].as_str().expect("a time");
    for parameter in ["created_after", "modified_after"] {
        let after =
            |moment: &str| listed(&list(&doors.connect, &format!("?{parameter}={moment}")).expect(200));
        assert_eq!(after(exact), Vec::<String>::new(), "{parameter}");
        // A time with microseconds lies after its whole second; exactly on it, it does not.
        let expected = if exact.contains(".000000") {
            Vec::new()
        } else {
            vec![id.clone()]
        };
        assert_eq!(after(truncated), expected, "{parameter}");
        assert_eq!(after("2020-01-01"), [id.as_str()], "{parameter}");
    }
    let both = list(
        &doors.connect,
        &format!("?created_after=2020-01-01&modified_after={exact}"),
    )
    .expect(200);
    assert_eq!(listed(&both), Vec::<String>::new(), "both must hold");
}

fn n19_moments_are_written_in_many_ways(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    let plus = percent_encode("+");
    for taken in [
        "2024-01-15".to_owned(),
        "2024-01-15T09:30:00Z".to_owned(),
        "2024-01-15T09:30:00".to_owned(),
        "2024-01-15T09:30:00+01:00".to_owned(),
        format!("2024-01-15T09:30:00{plus}01:00"),
        "2024-01-15T09:30:00.123456Z".to_owned(),
    ] {
        list(&client, &format!("?created_after={taken}&per_page=1")).expect(200);
    }
    for refused in ["2024-13-01", "2024", "yesterday", "2024-01-15T25:00:00Z", ""] {
        let answer = list(&client, &format!("?modified_after={refused}"));
        assert_eq!(refusal(&answer, 400), "VALIDATION_ERROR", "{refused}");
    }
}

fn n20_the_order_is_that_of_creation_while_others_are_created(context: &Context) {
    let server = context.server();
    let client = own_space(context, &server, "busy");
    let mut before = Vec::new();
    for _ in 0..30 {
        let made = connect_post(&client, json!({})).expect(201).json();
        before.push(made["id"].as_str().expect("an id").to_owned());
    }
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..15 {
                        connect_post(&client, json!({})).expect(201);
                    }
                })
            })
            .collect();
        let mut rounds = 0;
        while rounds < 3 || !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let mut seen = Vec::new();
            for page in 1..=5 {
                seen.extend(listed(
                    &list(&client, &format!("?page={page}&per_page=6")).expect(200),
                ));
            }
            assert_eq!(seen, before, "those who were there stay where they were");
            rounds += 1;
        }
    });
    let all = list(&client, "?per_page=100").expect(200).json();
    assert_eq!(all["pagination"]["total"], 75);
    let patients = all["data"].as_array().expect("a list");
    let keys: Vec<(&str, &str)> = patients
        .iter()
        .map(|patient| {
            (
                patient["createdAt"].as_str().unwrap(),
                patient["id"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{keys:?}");
}

fn n21_the_list_is_offered_as_fhir_too(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let made = doors.cloud_post(json!({ "identificationKey": { "nir": "1881103750016", "rang": "01" } }));
    let id = made.expect(201).json()["patientUuid"].clone();
    let list = list(&doors.connect, "?template=FHIR").expect(200);
    let body = list.json();
    assert_eq!(body["pagination"]["total"], 1);
    let patient = &body["data"][0];
    assert_eq!(patient["resourceType"], "Patient");
    assert_eq!(patient["identifier"][0]["value"], id);
    assert!(
        !list.text().contains("1881103750016"),
        "the door knows no NIR in any form: {body}"
    );
    for unknown in ["fhir", "XML", ""] {
        let refused = super::list::list(&doors.connect, &format!("?template={unknown}"));
        assert_eq!(refusal(&refused, 400), "VALIDATION_ERROR");
    }
}

fn n28_addresses_of_all_kinds_are_taken_or_refused_by_name(context: &Context) {
    let client = shared(context).client("medicapp-connect");
    for taken in ["jean+tag@example.org", "josé@exämple.fr"] {
        let made = connect_post(&client, json!({ "email": taken }))
            .expect(201)
            .json();
        assert_eq!(made["email"], taken);
    }
    let long = format!("{}@example.org", "x".repeat(243));
    for refused in [long.as_str(), "a@b@c", "a b@c.fr", "", "nobody"] {
        let answer = connect_post(&client, json!({ "email": refused }));
        assert_eq!(refusal(&answer, 400), "VALIDATION_ERROR");
        assert!(answer.text().contains("email"));
    }
}

fn n30_of_several_numbers_the_door_shows_the_one_that_counts(context: &Context) {
    let server = context.server();
    let doors = Doors::of(&server);
    let phone = |points: Value| {
        let body = json!({ "resourceType": "Patient", "telecom": points });
        let id = doors.medicapp_id(&doors.fhir_post(&body));
        let shown = doors.connect.get(format!("/patients/{id}")).send().expect(200);
        shown.json()["phone"].clone()
    };
    let point = |value: &str, more: Value| {
        let mut point = json!({ "system": "phone", "value": value });
        super::super::ehealth::merge(&mut point, &more);
        point
    };
    let home = point("+33100000001", json!({ "use": "home", "rank": 1 }));
    let mobile = point("+33600000002", json!({ "use": "mobile" }));
    let old = point("+33600000003", json!({ "use": "old" }));
    let ended = point(
        "+33600000004",
        json!({ "use": "mobile", "period": { "end": "2020-01-01" } }),
    );
    let sms = point("+33600000005", json!({ "system": "sms" }));
    assert_eq!(
        phone(json!([home, mobile])),
        "+33600000002",
        "mobile before home, whatever the rank"
    );
    assert_eq!(phone(json!([old, ended, home])), "+33100000001");
    assert_eq!(
        phone(json!([home, sms])),
        "+33600000005",
        "a number for messages is a mobile one"
    );
    assert_eq!(phone(json!([old, ended])), Value::Null);
}
