//! Who may, and what is checked before what (`adapters.md` 2.5, 2.7).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::partner::patient_graph;

pub const TESTS: &[Test] = tests![
    e14_both_credentials_are_demanded_and_told_apart,
    e14_a_scope_that_is_missing_is_named,
    e14_the_first_check_that_fails_is_the_answer,
    e15_a_legal_entity_that_is_not_active_reads_and_does_not_write,
    e15_a_suspended_entity_writes_where_the_operator_says_so,
    e16_an_id_is_found_in_any_case_and_all_others_are_missing_alike,
    e17_an_inactive_preperson_is_told_before_the_faults_of_the_body,
    e25_all_faults_are_told_in_the_order_of_the_schema,
    e21_a_create_says_what_it_must_and_nothing_else,
];

fn message(response: &Response, status: u16, kind: &str) -> String {
    let error = error(response, status, kind);
    assert!(error.get("invalid").is_none(), "{error}");
    error["message"].as_str().expect("a message").to_owned()
}

fn e14_both_credentials_are_demanded_and_told_apart(context: &Context) {
    let server = context.server();
    let client = door(&server);
    Entity::default().put(context, &server);
    let printed = succeeds(
        context,
        &server,
        &["key", "issue", "facility", "--ehealth-api-key"],
    );
    let other_key = printed.lines().next().expect("an API-key").to_owned();
    let path = format!("/prepersons/{NOBODY}");
    let no_header = "Authorization header is not set or doesn't contain Bearer token";
    for method in ["GET", "PATCH"] {
        let request = || {
            let request = client.request(method, &path);
            request.header("Content-Type", "application/json")
        };
        let cases = [
            (request().without("API-key"), "API-KEY header required"),
            (
                request().without("API-key").without("Authorization"),
                "API-KEY header required",
            ),
            (request().without("Authorization"), no_header),
            (request().header("Authorization", "Basic eDp5"), no_header),
            (
                request().header("Authorization", "Bearer sk_test_00000000_0000"),
                "Invalid access token",
            ),
            (request().header("API-key", "0".repeat(64)), "Invalid api key"),
            (
                request()
                    .header("API-key", "0".repeat(64))
                    .without("Authorization"),
                "Invalid api key",
            ),
            // Another client's API-key is as good as none.
            (request().header("API-key", &other_key), "Invalid api key"),
        ];
        for (request, said) in cases {
            // Neither body nor id has been looked at.
            let refused = request.body("{").send();
            assert_eq!(message(&refused, 401, "access_denied"), said, "{method}");
            assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer"));
        }
    }
    // The scheme is written in any case, and a hosting check's header is passed over.
    let bearer = format!("bearer {}", server.credential("ehealth").bearer);
    let request = client.get(&path).header("Authorization", bearer);
    let found = request.header("X-Custom-PSK", "whatever").send();
    assert_eq!(message(&found, 404, "not_found"), "Preperson not found");
    // A key of another door opens nothing here.
    let graph = &server.credential("patient-graph").bearer;
    let refused = client
        .get(&path)
        .header("Authorization", format!("Bearer {graph}"))
        .send();
    assert_eq!(message(&refused, 401, "access_denied"), "Invalid api key");
}

fn e14_a_scope_that_is_missing_is_named(context: &Context) {
    let server = context.server();
    let made = preperson(&door(&server), json!({}));
    let reader = Entity {
        client: "reader",
        scopes: "preperson:read",
        ..Entity::default()
    };
    let writer = Entity {
        client: "writer",
        kind: "EMERGENCY",
        scopes: "preperson:write",
        ..Entity::default()
    };
    let pharmacy = Entity {
        client: "pharmacy",
        kind: "PHARMACY",
        ..Entity::default()
    };
    let [reader, writer, pharmacy] = [reader, writer, pharmacy].map(|entity| entity.enter(context, &server));
    let change = json!({ "first_name": "Олег" });
    let new = json!({ "external_id": "1", "gender": "MALE" });
    let lacks = |response: &Response, scope: &str| {
        let said = message(response, 403, "forbidden");
        let sentence = "Your scope does not allow to access this resource. Missing allowances: ";
        assert_eq!(said, format!("{sentence}{scope}"));
    };
    data(&get(&reader, id(&made)), 200);
    lacks(&patch(&reader, id(&made), &change), "preperson:write");
    lacks(&post(&reader, &new), "preperson:write");
    lacks(&get(&writer, id(&made)), "preperson:read");
    data(&patch(&writer, id(&made), &change), 200);
    lacks(&get(&pharmacy, id(&made)), "preperson:read");
    lacks(&patch(&pharmacy, id(&made), &change), "preperson:write");
    lacks(&post(&pharmacy, &new), "preperson:write");
}

fn e14_the_first_check_that_fails_is_the_answer(context: &Context) {
    let server = context.server();
    let active = door(&server);
    let (fhir, made) = (server.client("fhir"), preperson(&active, json!({})));
    let ended = preperson(&active, json!({}));
    let mut resource = fhir
        .get(format!("/Patient/{}", id(&ended)))
        .send()
        .expect(200)
        .json();
    resource["active"] = json!(false);
    fhir.put(format!("/Patient/{}", id(&ended)))
        .json(&resource)
        .send()
        .expect(200);
    let closed = Entity {
        client: "closed",
        status: "CLOSED",
        ..Entity::default()
    };
    let closed_reader = Entity {
        client: "closed-reader",
        status: "CLOSED",
        scopes: "preperson:read",
        ..Entity::default()
    };
    let [closed, closed_reader] = [closed, closed_reader].map(|entity| entity.enter(context, &server));
    let ids = [id(&made), id(&ended), NOBODY, "no-uuid"];
    // (caller, id, body) → status. Each row fails one check less than the one before.
    let (faulty, future) = (
        json!({ "gender": "X", "birth_date": "2999-01-01" }),
        json!({ "birth_date": "2999-01-01" }),
    );
    for wanted in ids {
        for body in [&faulty, &future, &json!({ "first_name": "Олег" })] {
            let refused = patch(&closed_reader, wanted, body);
            assert!(message(&refused, 403, "forbidden").ends_with("preperson:write"));
            let refused = patch(&closed, wanted, body);
            assert_eq!(
                message(&refused, 409, "request_conflict"),
                "Legal entity must be ACTIVE"
            );
        }
    }
    for missing in [NOBODY, "no-uuid"] {
        let refused = patch(&active, missing, &faulty);
        assert_eq!(message(&refused, 404, "not_found"), "Preperson not found");
    }
    let refused = patch(&active, id(&ended), &faulty);
    assert_eq!(
        message(&refused, 422, "request_malformed"),
        "Preperson is not active"
    );
    // The schema before the dates, which count alone once it is kept.
    assert_eq!(
        violations(&patch(&active, id(&made), &faulty)),
        ["$.gender inclusion"]
    );
    assert_eq!(
        violations(&patch(&active, id(&made), &future)),
        ["$.birth_date invalid"]
    );
    for body in [&faulty, &json!({})] {
        assert!(message(&post(&closed_reader, body), 403, "forbidden").ends_with("preperson:write"));
        let refused = post(&closed, body);
        assert_eq!(
            message(&refused, 409, "request_conflict"),
            "Legal entity must be ACTIVE"
        );
    }
    // The body is looked at after the caller and before the id.
    let send = |client: &Client, kind: &str, body: &str| {
        let request = client.patch(format!("/prepersons/{NOBODY}"));
        request.header("Content-Type", kind).body(body).send()
    };
    error(&send(&closed, "text/plain", "{"), 409, "request_conflict");
    error(&send(&active, "text/plain", "{"), 415, "content_type_invalid");
    error(&send(&active, "application/json", "{"), 400, "request_malformed");
    assert_eq!(get(&active, id(&made)).version(), 1);
}

fn e15_a_legal_entity_that_is_not_active_reads_and_does_not_write(context: &Context) {
    let server = context.server();
    let made = preperson(&door(&server), json!({}));
    let entity = Entity::default();
    let client = entity.enter(context, &server);
    data(&patch(&client, id(&made), &json!({ "first_name": "Олег" })), 200);
    for status in ["SUSPENDED", "CLOSED"] {
        Entity { status, ..entity }.put(context, &server);
        let refused = wait_for(Duration::from_secs(10), "the status to be known", || {
            let answer = patch(&client, id(&made), &json!({ "first_name": "Олег" }));
            (answer.status == 409).then_some(answer)
        });
        assert_eq!(
            message(&refused, 409, "request_conflict"),
            "Legal entity must be ACTIVE"
        );
        let refused = post(&client, &json!({ "external_id": "1", "gender": "MALE" }));
        assert_eq!(
            message(&refused, 409, "request_conflict"),
            "Legal entity must be ACTIVE"
        );
        assert_eq!(data(&get(&client, id(&made)), 200)["first_name"], "Олег");
    }
    entity.put(context, &server);
    wait_for(Duration::from_secs(10), "the status to be known", || {
        let answer = patch(&client, id(&made), &json!({ "first_name": "Ігор" }));
        (answer.status == 200).then_some(())
    });
}

fn e15_a_suspended_entity_writes_where_the_operator_says_so(context: &Context) {
    let server = crate::partner::switches::with_file(context, "[ehealth]\nallow-suspended-le = true\n");
    let made = preperson(&door(&server), json!({}));
    let suspended = Entity {
        client: "suspended",
        status: "SUSPENDED",
        ..Entity::default()
    };
    let closed = Entity {
        client: "closed",
        status: "CLOSED",
        ..Entity::default()
    };
    let [suspended, closed] = [suspended, closed].map(|entity| entity.enter(context, &server));
    let change = json!({ "first_name": "Олег" });
    data(&patch(&suspended, id(&made), &change), 200);
    message(&patch(&closed, id(&made), &change), 409, "request_conflict");
}

fn e16_an_id_is_found_in_any_case_and_all_others_are_missing_alike(context: &Context) {
    let server = shared(context);
    let (client, fhir) = (door(server), shared_fhir(context));
    let made = preperson(&client, json!({}));
    let upper = id(&made).to_ascii_uppercase();
    assert_eq!(data(&get(&client, &upper), 200), made);
    let changed = data(&patch(&client, &upper, &json!({ "first_name": "Олег" })), 200);
    assert_eq!(changed["id"], made["id"]);
    // Persons that are no prepersons, one of them under a UUID like a preperson's.
    let graph = patient_graph::post(
        &server.client("patient-graph"),
        &patient_graph::person("Anna", json!({})),
    );
    let graph = graph.expect(201).json()["id"].as_str().expect("an id").to_owned();
    let ordinary = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    let body = json!({ "resourceType": "Patient", "id": ordinary, "gender": "male" });
    let put = fhir.put(format!("/Patient/{ordinary}")).json(&body).send();
    assert!(matches!(put.status, 200 | 201), "{put:?}");
    let practitioner = fhir
        .post("/Practitioner")
        .json(&resource("Practitioner", LOCAL, &unique()))
        .send();
    let practitioner = practitioner.expect(201).id();
    let missing = |answer: Response| {
        assert_eq!(message(&answer, 404, "not_found"), "Preperson not found");
        assert!(answer.header("ETag").is_none(), "{answer:?}");
    };
    for wanted in [
        NOBODY,
        "no-uuid",
        "7c3da506804d45508993bf17f9ee0402",
        "%7B7c3da506-804d-4550-8993-bf17f9ee0402%7D",
        "7c3da506-804d-4550-8993-bf17f9ee040g",
        &graph,
        ordinary,
        &practitioner,
    ] {
        missing(get(&client, wanted));
        missing(patch(&client, wanted, &json!({ "first_name": "Олег" })));
    }
}

fn e17_an_inactive_preperson_is_told_before_the_faults_of_the_body(context: &Context) {
    let (client, fhir) = (door(shared(context)), shared_fhir(context));
    let made = preperson(&client, json!({}));
    let path = format!("/Patient/{}", id(&made));
    let mut resource = fhir.get(&path).send().expect(200).json();
    resource["active"] = json!(false);
    fhir.put(&path).json(&resource).send().expect(200);
    for body in [
        json!({ "gender": "X" }),
        json!({}),
        json!({ "first_name": "Олег" }),
        json!([]),
    ] {
        let refused = patch(&client, id(&made), &body);
        assert_eq!(
            message(&refused, 422, "request_malformed"),
            "Preperson is not active"
        );
    }
    assert_eq!(data(&get(&client, id(&made)), 200)["status"], "INACTIVE");
}

fn e25_all_faults_are_told_in_the_order_of_the_schema(context: &Context) {
    let client = door(shared(context));
    let body = json!({
        "note": "", "status": "INACTIVE", "gender": "male", "last_name": null, "external_id": 7,
        "emergency_contact": { "first_name": "А", "phones": [
            { "type": "MOBILE", "number": "0503410870" }, { "type": "MOBILE", "number": "+380503410870" }
        ] },
        "birth_date": "2018-02-30", "death_date": "1980"
    });
    let all = [
        "$.external_id cast",
        "$.last_name cast",
        "$.gender inclusion",
        "$.birth_date date",
        "$.death_date date",
    ];
    let made = preperson(&client, json!({}));
    let first = patch(&client, id(&made), &body);
    let found = violations(&first);
    assert_eq!(found[..5], all, "{found:?}");
    for place in [
        "$.emergency_contact.last_name required",
        "$.emergency_contact.phones.[0].number format",
        "$.note length",
        "$.status schema",
    ] {
        assert!(found.iter().any(|known| known == place), "{place}: {found:?}");
    }
    assert_eq!(violations(&patch(&client, id(&made), &body)), found);
    assert_eq!(get(&client, id(&made)).version(), 1);
    let top = patch(&client, id(&made), &json!(["first_name"]));
    assert_eq!(violations(&top), ["$ cast"]);
}

fn e21_a_create_says_what_it_must_and_nothing_else(context: &Context) {
    let client = door(shared(context));
    let whole = json!({ "external_id": "1", "gender": "FEMALE" });
    let with = |name: &str, value: Value| {
        let mut body = whole.clone();
        body[name] = value;
        violations(&post(&client, &body))
    };
    assert_eq!(with("death_date", json!("2018-11-11")), ["$.death_date schema"]);
    assert_eq!(with("id", json!(NOBODY)), ["$.id schema"]);
    assert_eq!(with("status", json!("ACTIVE")), ["$.status schema"]);
    assert_eq!(
        violations(&post(&client, &json!({}))),
        ["$.external_id required", "$.gender required"]
    );
    data(&post(&client, &whole), 201);
}
