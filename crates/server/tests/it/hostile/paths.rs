//! Paths, methods and headers that nobody sends in good faith.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::{connection, fault, may_be_no_http};
use crate::partner::cross::Doors;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t17_odd_paths_are_answered,
    t17_odd_ids_at_the_partners_doors_are_nobodys,
    t17_nothing_is_injected_into_an_answers_headers,
    t17_many_and_long_headers_are_answered,
    t17_odd_methods_are_answered,
    t17_what_is_no_http_gets_a_400_or_a_close_and_nothing_worse,
    a_refusal_never_shows_sql_paths_or_code,
];

fn t17_odd_paths_are_answered(context: &Context) {
    let fhir = shared_fhir(context);
    let long = "a".repeat(5000);
    let odd = [
        "/Patient/%00",
        "/Patient/a%00b",
        "/Patient/%ff",
        "/Patient/%c3%28",
        "/Patient/%2e%2e",
        "/Patient/..",
        "/Patient/../Patient",
        "/../../etc/passwd",
        "/Patient/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/Patient/a%2fb",
        "/Patient/%",
        "/Patient/%zz",
        "/Patient/%0d%0aX-Injected:%201",
        "/Patient/a'--",
        "/Patient/a;b",
        "/Patient/*",
        "/%50atient/x",
        "/Patient%20/x",
        "/Patient/ x",
        "/Patient/x/_history/%00",
        "/Patient/x/_history/",
        "/Patient/_history",
        "/_history",
        "/_search",
        "/Patient/_search/x",
        "/Patient/$",
        "/$",
        "/Patient/$validate/x",
        "//",
        "///Patient",
        "/Patient?_id=%00",
        "/Patient?_id=%ff",
        "/Patient?%00=x",
        "/Patient?=x",
        "/Patient?=",
        "/Patient??_id=x",
        "/Patient?_id=x#y",
        "/Patient?identifier=%0d%0aX-Injected:%201",
        "/Patient?_format=%00",
        "/Patient?_format=%ff",
        "/Patient?_pretty=%ff",
        "/metadata/x",
        "/.well-known/x",
        &format!("/Patient/{long}"),
        &format!("/{long}"),
        &format!("/Patient?{long}"),
        &format!("/Patient?identifier={long}"),
        &format!("/Patient?identifier={}", "%7C".repeat(3000)),
        &format!("/Patient/x/_history/{}", "9".repeat(400)),
        &format!("/Patient?{}", "a&".repeat(8000)),
        &format!("/Patient?family={}", "x".repeat(70_000)),
        &"/Patient".repeat(2000),
    ]
    .map(str::to_owned);
    let body = with(patient("1"), "id", json!("x"));
    for target in odd {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
            let bare = may_be_no_http(target.as_bytes()) || target.contains(' ');
            let fhir = connection(&fhir, bare || target.len() > 60_000);
            let request = fhir.request(method, &target);
            let request = if ["PUT", "POST"].contains(&method) {
                request.json(&body)
            } else {
                request
            };
            let answer = request.try_send();
            let shown: String = target.chars().take(100).collect();
            // HEAD answers have no body to look at.
            if method == "HEAD" {
                let status = answer
                    .unwrap_or_else(|failure| panic!("{shown}: {failure}"))
                    .status;
                assert!(status < 500, "{method} {shown}: {status}");
                continue;
            }
            let too_long = target.len() > 60_000
                && answer
                    .as_ref()
                    .is_ok_and(|answer| [400, 414, 431].contains(&answer.status));
            if let Some(fault) = fault(&answer, bare).filter(|_| !too_long) {
                panic!("{method} {shown}: {fault}");
            }
            let answer = answer.unwrap();
            assert!(
                answer.header("X-Injected").is_none() && !answer.text().contains("root:x:"),
                "{answer:?}"
            );
        }
    }
}

fn t17_odd_ids_at_the_partners_doors_are_nobodys(context: &Context) {
    let doors = Doors::of(shared(context));
    let long = "a".repeat(5000);
    let odd = [
        "%00",
        "a%00b",
        "%ff",
        "%c3%28",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "a%2fb",
        "%",
        "%zz",
        "%0d%0aX-Injected:%201",
        "pat_%0d%0aX-Injected:%201",
        "a'--",
        "a;b",
        "*",
        "$",
        "..;",
        "00000000-0000-4000-8000-00000000dead%00",
        "%F0%9F%92%A9",
        "?x",
        long.as_str(),
    ];
    let calls = [
        (&doors.cloud, "/patients", &["GET", "PUT"][..]),
        (&doors.connect, "/patients", &["GET", "PUT", "DELETE"]),
        (&doors.graph, "/patients", &["GET"]),
        (&doors.ehealth, "/prepersons", &["GET", "PATCH"]),
    ];
    for (client, collection, methods) in calls {
        for (id, method) in odd
            .iter()
            .flat_map(|id| methods.iter().map(move |method| (id, method)))
        {
            let client = connection(client, may_be_no_http(id.as_bytes()));
            let request = client
                .request(method, format!("{collection}/{id}"))
                .header("Content-Type", "application/json");
            let answer = match *method {
                "GET" | "DELETE" => request.send(),
                _ => request.body("{}").send(),
            };
            assert!(
                (400..500).contains(&answer.status),
                "{method} {collection}/{id}: {answer:?}"
            );
            assert!(answer.header("X-Injected").is_none(), "{answer:?}");
            assert!(!answer.text().contains("root:x:"), "{answer:?}");
            // What the HTTP parser refuses by itself has no body.
            let told = answer.body.is_empty() && answer.status == 400;
            assert!(told || !answer.json()["error"].is_null(), "{answer:?}");
        }
    }
}

fn t17_nothing_is_injected_into_an_answers_headers(context: &Context) {
    let fhir = shared_fhir(context);
    let injection = "\r\nX-Injected: 1";
    let encoded = testkit::http::percent_encode(injection);
    let number = unique();
    let answers = [
        fhir.put(format!("/Patient?identifier={LOCAL}%7C{number}{encoded}"))
            .json(&patient(&number))
            .send(),
        fhir.post("/Patient")
            .header("If-None-Exist", format!("identifier={number}{encoded}"))
            .json(&patient(&number))
            .send(),
        fhir.put(format!("/Patient/{number}{encoded}"))
            .json(&with(
                patient(&number),
                "id",
                json!(format!("{number}{injection}")),
            ))
            .send(),
        fhir.put("/Patient/x")
            .json(&with(patient(&number), "id", json!(injection)))
            .send(),
        fhir.get(format!("/Patient?family={encoded}&_count=1")).send(),
        fhir.get(format!("/Mystery{encoded}")).send(),
        fhir.get(format!("/Patient?_format={encoded}")).send(),
    ];
    for answer in answers {
        assert!(answer.status < 500, "{answer:?}");
        assert!(answer.header("X-Injected").is_none(), "{answer:?}");
        for (name, value) in answer.headers.iter() {
            assert!(!value.iter().any(u8::is_ascii_control), "{name}: {answer:?}");
        }
        if let Some(location) = answer.header("Location") {
            assert!(
                location.bytes().all(|byte| byte.is_ascii_graphic()) && !location.contains("Injected"),
                "{location}"
            );
        }
    }
    // A value with a line break is a value like any other.
    let value = format!("{number}\u{a0}x");
    let created = put_by(&fhir, "Patient", (LOCAL, &value), &patient(&value)).expect(201);
    assert_eq!(
        put_by(&fhir, "Patient", (LOCAL, &value), &patient(&value))
            .expect(200)
            .id(),
        created.id()
    );
}

fn t17_many_and_long_headers_are_answered(context: &Context) {
    let fhir = shared_fhir(context);
    for count in [50, 90, 200, 2000] {
        let fresh = fhir.clone();
        let request = (0..count).fold(fresh.get("/Patient/nobody"), |request, number| {
            request.header(&format!("X-Filler-{number}"), "x")
        });
        // Past its limit the server hangs up, and what was still on its way may overtake the answer.
        match request.try_send() {
            Ok(answer) => assert!([400, 404, 431].contains(&answer.status), "{count}: {answer:?}"),
            Err(failure) => assert!(count > 1000, "{count}: {failure}"),
        }
    }
    for length in [1000, 60_000, 1 << 20] {
        for name in [
            "X-Filler",
            "If-Match",
            "If-None-Exist",
            "Accept",
            "Prefer",
            "X-Request-Id",
            "Content-Type",
        ] {
            let value = "x".repeat(length);
            // The server may hang up before it has read a megabyte; a 400 it tries to send first.
            match fhir
                .post("/Patient")
                .header(name, value)
                .json(&patient("1"))
                .try_send()
            {
                Ok(answer) => assert!(answer.status < 500, "{name} {length}: {answer:?}"),
                Err(failure) => assert!(length > 100_000, "{name} {length}: {failure}"),
            }
        }
    }
    fhir.get("/metadata").send().expect(200);
}

fn t17_odd_methods_are_answered(context: &Context) {
    let fhir = shared_fhir(context);
    for method in [
        "get",
        "Get",
        "PATCHY",
        "LINK",
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "X",
        "G-E_T!",
        &"M".repeat(200),
    ] {
        for target in [
            "/Patient",
            "/Patient/x",
            "/metadata",
            "/nothing/here",
            "/Patient/_search",
        ] {
            let answer = fhir.request(method, target).try_send();
            let bare = method == "CONNECT";
            if let Some(fault) = fault(&answer, bare) {
                panic!("{method} {target}: {fault}");
            }
            let status = answer.unwrap().status;
            assert!(
                [400, 404, 405, 501].contains(&status),
                "{method} {target}: {status}"
            );
        }
    }
    // What is odd about these is only that they have a body.
    for method in ["GET", "HEAD", "DELETE"] {
        let answer = fhir
            .request(method, "/Patient/nobody-of-this-id")
            .body("surprise")
            .send();
        assert!(answer.status < 500, "{method}: {answer:?}");
    }
}

fn t17_what_is_no_http_gets_a_400_or_a_close_and_nothing_worse(context: &Context) {
    let server = shared(context);
    let nobody = server.anonymous();
    for bytes in [
        &b"\r\n\r\n"[..],
        b"HELLO\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /fhir/metadata\r\n\r\n",
        b"GET /fhir/metadata HTTP/9.9\r\n\r\n",
        b"GET /fhir/metadata HTTP/1.1\nHost: x\n\n",
        b"GET /fhir/metadata HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /fhir/metadata HTTP/1.1\r\n: x\r\n\r\n",
        b"GET /fhir/metadata HTTP/1.1\r\nX\0Y: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
    ] {
        let short = testkit::http::Timeouts {
            read: std::time::Duration::from_secs(2),
            ..Default::default()
        };
        if let Ok(answer) = nobody.clone().with_timeouts(short).raw(bytes) {
            assert!(
                answer.status < 500 || answer.status == 505,
                "{bytes:?}: {answer:?}"
            );
        }
    }
    nobody.get("/fhir/metadata").send().expect(200);
}

fn a_refusal_never_shows_sql_paths_or_code(context: &Context) {
    let fhir = shared_fhir(context);
    // Whatever is refused here is refused without a word of SQL, paths or Rust.
    let answers = [
        fhir.get("/Patient?identifier=%27%20OR%201%3D1--").send(),
        fhir.get("/Patient?_id=x%27").send(),
        fhir.post("/Patient")
            .json(&json!({ "resourceType": "Patient", "name": "x" }))
            .send(),
        fhir.put("/Patient/x")
            .header("If-Match", "\"'\"")
            .json(&with(patient("x"), "id", json!("x")))
            .send(),
        fhir.get("/Patient?_cursor=x").send(),
    ];
    for answer in answers {
        let text = answer.text().to_lowercase();
        for inside in [
            "select ", "sqlite", "postgres", "diesel", "panicked", ".rs:", "/home/", "/work", "serde",
        ] {
            assert!(!text.contains(inside), "{inside}: {answer:?}");
        }
    }
}
