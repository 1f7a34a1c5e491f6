//! What stands around every answer, and the refusals that are not about the preperson (`adapters.md` 2.6).

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    e19_meta_says_where_and_under_which_request_id,
    e19_an_operator_says_what_the_public_calls_the_registry,
    e26_every_other_route_and_verb_is_missing,
    a_body_that_cannot_be_read_is_refused_in_the_envelope,
    a_facility_that_asks_too_often_is_refused_in_the_envelope,
    a_version_that_is_not_current_is_refused_when_the_caller_asks_for_that,
];

fn e19_meta_says_where_and_under_which_request_id(context: &Context) {
    let server = shared(context);
    let client = door(server);
    let prepersons = format!("{}/api/prepersons", server.base());
    let made = post(&client, &json!({ "external_id": "1", "gender": "MALE" }));
    let preperson = data(&made, 201);
    let own = format!("{prepersons}/{}", id(&preperson));
    assert_eq!(meta(&made, 201)["meta"]["url"], own);
    assert_eq!(made.header("ETag"), Some("W/\"1\""));
    assert!(made.header("Location").is_none(), "{made:?}");
    let read = client.get(format!("/prepersons/{}?a=b", id(&preperson))).send();
    assert_eq!(meta(&read, 200)["meta"]["url"], own);
    let changed = patch(&client, id(&preperson), &json!({ "first_name": "Олег" }));
    assert_eq!(meta(&changed, 200)["meta"]["url"], own);
    let missing = get(&client, NOBODY);
    assert_eq!(
        meta(&missing, 404)["meta"]["url"],
        format!("{prepersons}/{NOBODY}")
    );
    // A UUID and a number, another each time.
    let ids: Vec<String> = [&made, &read, &changed, &missing]
        .map(|answer| answer.header("X-Request-Id").expect("a request id").to_owned())
        .to_vec();
    for one in &ids {
        let (uuid, number) = one.split_once('#').expect("a number");
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{one}");
        assert!(number.parse::<u64>().is_ok(), "{one}");
        assert_eq!(ids.iter().filter(|other| *other == one).count(), 1);
    }
    // The caller's own is kept.
    let request = client.get(format!("/prepersons/{NOBODY}"));
    let answer = request.header("X-Request-Id", "facility-17").send();
    assert_eq!(meta(&answer, 404)["meta"]["request_id"], "facility-17");
    let head = client.head(format!("/prepersons/{}", id(&preperson))).send();
    assert!(head.status == 200 && head.body.is_empty(), "{head:?}");
}

fn e19_an_operator_says_what_the_public_calls_the_registry(context: &Context) {
    let text = "[ehealth]\npublic-url = 'https://registry.example.org'\n404-message = 'none'\n";
    let server = crate::partner::switches::with_file(context, text);
    let client = door(&server);
    let made = post(&client, &json!({ "external_id": "1", "gender": "MALE" }));
    let preperson = data(&made, 201);
    let url = format!("https://registry.example.org/api/prepersons/{}", id(&preperson));
    assert_eq!(meta(&made, 201)["meta"]["url"], url);
    assert_eq!(meta(&get(&client, id(&preperson)), 200)["meta"]["url"], url);
    for answer in [
        get(&client, NOBODY),
        patch(&client, NOBODY, &json!({ "gender": "MALE" })),
    ] {
        assert_eq!(error(&answer, 404, "not_found"), json!({ "type": "not_found" }));
        let url = format!("https://registry.example.org/api/prepersons/{NOBODY}");
        assert_eq!(meta(&answer, 404)["meta"]["url"], url);
    }
}

fn e26_every_other_route_and_verb_is_missing(context: &Context) {
    let server = shared(context);
    let client = door(server);
    let made = preperson(&client, json!({}));
    let own = format!("/prepersons/{}", id(&made));
    let slashed = format!("{own}/");
    let below = format!("{own}/episodes");
    let deactivate = format!("{own}/actions/deactivate");
    let cases = [
        ("GET", "/prepersons"),
        ("GET", "/prepersons?external_id=1"),
        ("PUT", "/prepersons"),
        ("PATCH", "/prepersons"),
        ("DELETE", "/prepersons"),
        ("PUT", &own),
        ("DELETE", &own),
        ("POST", &own),
        ("OPTIONS", &own),
        ("TRACE", &own),
        ("BREW", &own),
        ("GET", "/prepersons/"),
        ("POST", "/prepersons/"),
        ("GET", &slashed),
        ("PATCH", &slashed),
        ("GET", &below),
        ("PATCH", &deactivate),
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/persons"),
        ("POST", "/merge_requests"),
        ("GET", "/merge_requests"),
        ("POST", "/Prepersons"),
    ];
    for (method, target) in cases {
        let request = client.request(method, target);
        let request = match method {
            "POST" | "PUT" | "PATCH" => request.header("Content-Type", "application/json").body("{}"),
            _ => request,
        };
        let answer = request.send();
        let error = error(&answer, 404, "not_found");
        assert_eq!(error, json!({ "type": "not_found" }), "{method} {target}");
        assert!(answer.header("Allow").is_none(), "{answer:?}");
    }
    assert_eq!(data(&get(&client, id(&made)), 200), made);
    // A route that is none is none for strangers, too.
    let stranger = server.anonymous().get("/api/persons").send();
    error(&stranger, 404, "not_found");
    let head = client.head("/prepersons").send();
    assert_eq!(head.status, 404);
}

fn a_body_that_cannot_be_read_is_refused_in_the_envelope(context: &Context) {
    let client = door(shared(context));
    let made = preperson(&client, json!({}));
    let own = format!("/prepersons/{}", id(&made));
    let deep = format!("{{\"first_name\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (method, target) in [("POST", "/prepersons"), ("PATCH", &own)] {
        let send = |kind: &str, body: &[u8]| {
            let request = client.request(method, target);
            request.header("Content-Type", kind).body(body).send()
        };
        for body in [
            &b"{"[..],
            b"",
            b"nonsense",
            b"{\"gender\":\"MALE\",\"gender\":\"FEMALE\"}",
            b"{\"first_name\":\"\\u0000\"}",
            b"{\"first_name\":\"\\ud800\"}",
            b"{\"first_name\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            deep.as_bytes(),
        ] {
            let refused = send("application/json", body);
            let error = error(&refused, 400, "request_malformed");
            assert_eq!(
                error["invalid"],
                json!([{ "entry_type": "request", "rules": [{ "rule": "json" }] }])
            );
            let said = error["message"].as_str().expect("a message");
            assert!(said.starts_with("Malformed request."), "{said}");
        }
        let large = send("application/json", &vec![b' '; (2 << 20) + 1]);
        let large = error(&large, 413, "request_too_large");
        assert_eq!(large["message"], "Request body is too large.");
        assert_eq!(
            large["invalid"],
            json!([{ "entry_type": "request", "rules": [{ "rule": "size" }] }])
        );
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=iso-8859-1",
            "",
        ] {
            let refused = error(&send(kind, b"{}"), 415, "content_type_invalid");
            assert_eq!(
                refused["invalid"],
                json!([{ "entry_type": "header", "entry": "Content-Type" }])
            );
        }
        for kind in [
            "application/json",
            "application/json;charset=UTF-8",
            "application/vnd.registry+json",
        ] {
            let answer = send(kind, b"{\"gender\":\"X\"}");
            assert!(
                violations(&answer)
                    .iter()
                    .any(|place| place == "$.gender inclusion")
            );
        }
    }
    assert_eq!(get(&client, id(&made)).version(), 1);
}

fn a_facility_that_asks_too_often_is_refused_in_the_envelope(context: &Context) {
    let server = context.server();
    let eager = Entity {
        client: "eager",
        more: &["--rate-limit", "1/3"],
        ..Entity::default()
    };
    let client = eager.enter(context, &server);
    let refused = wait_for(Duration::from_secs(30), "a request too many", || {
        let answer = get(&client, NOBODY);
        (answer.status == 429).then_some(answer)
    });
    let said = error(&refused, 429, "request_limit_reached");
    assert!(said.get("invalid").is_none(), "{said}");
    let wait = refused.header("Retry-After").expect("a wait");
    assert!(wait.parse::<u32>().is_ok_and(|seconds| seconds >= 1), "{wait}");
    // Nobody else waits for that.
    error(&get(&door(&server), NOBODY), 404, "not_found");
}

fn a_version_that_is_not_current_is_refused_when_the_caller_asks_for_that(context: &Context) {
    let client = door(shared(context));
    let made = preperson(&client, json!({}));
    let guarded = |version: &str, body: &str| {
        let request = client.patch(format!("/prepersons/{}", id(&made)));
        let request = request.header("Content-Type", "application/json");
        request.header("If-Match", version).body(body).send()
    };
    let changed = guarded("W/\"1\"", "{\"first_name\":\"Олег\"}").expect(200);
    assert_eq!(changed.header("ETag"), Some("W/\"2\""));
    let stale = guarded("W/\"1\"", "{\"first_name\":\"Ігор\"}");
    error(&stale, 412, "precondition_failed");
    assert_eq!(data(&get(&client, id(&made)), 200)["first_name"], "Олег");
    guarded("W/\"2\"", "{\"first_name\":\"Ігор\"}").expect(200);
    // What is equal is no change, and makes no version.
    let same = patch(&client, id(&made), &json!({ "first_name": "Ігор" }));
    assert_eq!(same.header("ETag"), Some("W/\"3\""));
}
