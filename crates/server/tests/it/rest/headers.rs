//! Prefer, X-Request-Id and the base URL of what is answered.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    without_a_preference_a_write_answers_with_the_resource,
    minimal_answers_have_headers_and_nothing_else,
    an_operation_outcome_is_sent_to_who_prefers_it,
    an_unknown_preference_is_none,
    a_preference_changes_no_refusal,
    a_request_id_is_echoed,
    a_request_id_is_made_when_none_usable_was_sent,
    every_error_carries_a_request_id,
    p53_the_location_is_built_from_what_the_client_called,
    p53_only_trusted_proxies_are_believed,
    p53_a_trusted_proxy_tells_the_outer_address,
    p53_a_configured_base_url_beats_everything,
    a_page_of_another_origin_gets_no_permission,
    a_page_of_a_configured_origin_may_call_and_read,
    one_request_too_many_is_told_when_to_come_back,
];

/// Each kind of write, with this Prefer header: name, status, answer.
fn writes(fhir: &Client, prefer: Option<&str>) -> Vec<(&'static str, u16, Response)> {
    let own = unique();
    let with_prefer = |request: testkit::http::Request<'_>, body: &serde_json::Value| {
        match prefer {
            Some(prefer) => request.header("Prefer", prefer),
            None => request,
        }
        .json(body)
        .send()
    };
    let body = with(patient(&own), "id", json!(own));
    let path = format!("/Patient/{own}");
    let criteria = format!("/Patient?{}", by_local(&own));
    let changed = |gender: &str| with(body.clone(), "gender", json!(gender));
    vec![
        (
            "create",
            201,
            with_prefer(fhir.post("/Patient"), &patient(&unique())),
        ),
        ("update as create", 201, with_prefer(fhir.put(&path), &body)),
        ("update", 200, with_prefer(fhir.put(&path), &changed("male"))),
        ("no change", 200, with_prefer(fhir.put(&path), &changed("male"))),
        (
            "conditional update",
            200,
            with_prefer(fhir.put(&criteria), &changed("other")),
        ),
        (
            "conditional create, found",
            200,
            with_prefer(
                fhir.post("/Patient").header("If-None-Exist", by_local(&own)),
                &body,
            ),
        ),
        (
            "conditional create, created",
            201,
            with_prefer(
                fhir.post("/Patient").header("If-None-Exist", by_local(&unique())),
                &patient(&unique()),
            ),
        ),
        (
            "conditional update, created",
            201,
            with_prefer(
                fhir.put(format!("/Patient?{}", by_local(&unique()))),
                &patient(&unique()),
            ),
        ),
    ]
}

#[track_caller]
fn each(answers: Vec<(&'static str, u16, Response)>, check: impl Fn(&Response) -> bool) {
    for (name, status, answer) in answers {
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(
            answer.header("ETag").is_some() && answer.header("Last-Modified").is_some(),
            "{name}: {answer:?}"
        );
        assert!(check(&answer), "{name}: {answer:?}");
    }
}

fn without_a_preference_a_write_answers_with_the_resource(context: &Context) {
    let fhir = shared_fhir(context);
    for prefer in [
        None,
        Some("return=representation"),
        Some("return=\"representation\""),
        Some("respond-async"),
    ] {
        each(writes(&fhir, prefer), |answer| {
            answer.json()["resourceType"] == "Patient"
        });
    }
}

fn minimal_answers_have_headers_and_nothing_else(context: &Context) {
    let fhir = shared_fhir(context);
    let spellings = [
        "return=minimal",
        "return=\"minimal\"",
        "RETURN = minimal",
        "handling=strict, return=minimal",
        "respond-async, return=minimal; foo=bar",
        "return=minimal, return=representation",
    ];
    for prefer in spellings {
        each(writes(&fhir, Some(prefer)), |answer| answer.body.is_empty());
    }
    let lines = fhir
        .post("/Patient")
        .header("Prefer", "handling=lenient")
        .header("Prefer", "return=minimal");
    let answer = lines.json(&patient(&unique())).send().expect(201);
    assert!(answer.body.is_empty());
    // What was not sent is there all the same.
    fhir.get(answer.location()).send().expect(200);
}

fn an_operation_outcome_is_sent_to_who_prefers_it(context: &Context) {
    let fhir = shared_fhir(context);
    each(writes(&fhir, Some("return=OperationOutcome")), |answer| {
        let issues = answer.issues();
        !issues.is_empty()
            && issues
                .iter()
                .all(|issue| ["information", "warning"].contains(&&*issue.severity))
    });
    let xml = fhir
        .post("/Patient?_format=xml")
        .header("Prefer", "return=OperationOutcome");
    let answer = xml.json(&patient(&unique())).send().expect(201);
    assert!(
        xml_root(&answer).starts_with("<OperationOutcome xmlns=\"http://hl7.org/fhir\">"),
        "{answer:?}"
    );
}

fn an_unknown_preference_is_none(context: &Context) {
    let fhir = shared_fhir(context);
    for prefer in [
        "return=everything",
        "return",
        "=",
        "return=",
        ",,;",
        "minimal",
        "wait=10",
    ] {
        each(writes(&fhir, Some(prefer)), |answer| {
            answer.json()["resourceType"] == "Patient"
        });
    }
    let bytes = fhir
        .post("/Patient")
        .header("Prefer", b"return=\xff\xfe")
        .json(&patient(&unique()));
    assert_eq!(bytes.send().expect(201).json()["resourceType"], "Patient");
}

fn a_preference_changes_no_refusal(context: &Context) {
    let fhir = shared_fhir(context);
    for prefer in [
        "return=minimal",
        "return=OperationOutcome",
        "return=representation",
    ] {
        let answer = fhir
            .post("/Patient")
            .header("Prefer", prefer)
            .json(&json!({ "resourceType": "Patient", "x": 1 }));
        refused(answer.send(), 400, "structure");
    }
}

fn a_request_id_is_echoed(context: &Context) {
    let fhir = shared_fhir(context);
    for id in ["abc-123", "5f0c2f5e-8a53-4f0b-9d4c-2d2c1d1a0f11", "a", "A.b_c-9"] {
        let answer = fhir
            .get("/metadata")
            .header("X-Request-Id", id)
            .send()
            .expect(200);
        assert_eq!(answer.header_all("X-Request-Id"), [id]);
        let answer = fhir
            .get("/Patient/nobody-of-this-id")
            .header("X-Request-Id", id)
            .send()
            .expect(404);
        assert_eq!(answer.header_all("X-Request-Id"), [id]);
        let answer = fhir
            .post("/Patient")
            .header("X-Request-Id", id)
            .json(&patient(&unique()))
            .send()
            .expect(201);
        assert_eq!(answer.header_all("X-Request-Id"), [id]);
    }
}

fn a_request_id_is_made_when_none_usable_was_sent(context: &Context) {
    let fhir = shared_fhir(context);
    let mut seen = Vec::new();
    let long = "x".repeat(5000);
    let unusable: [&[u8]; 6] = [b"", b" ", long.as_bytes(), b"a b", b"\xff\xfe", b"\"><script>"];
    for sent in unusable {
        let answer = fhir
            .get("/Patient/nobody-of-this-id")
            .header("X-Request-Id", sent)
            .send();
        let made = answer.header("X-Request-Id").unwrap_or_default().to_owned();
        assert!(!made.is_empty() && made.as_bytes() != sent, "{answer:?}");
        assert!(
            made.len() <= 64
                && made
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
            "{made}"
        );
        assert!(!seen.contains(&made), "{made} twice");
        seen.push(made);
    }
}

fn every_error_carries_a_request_id(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let anybody = server.anonymous();
    let sent = |request: testkit::http::Request<'_>| request.header("X-Request-Id", "trace-me").send();
    let answers = [
        (400, sent(fhir.post("/Patient").json(&json!({})))),
        (401, sent(anybody.get("/fhir/Patient/x"))),
        (403, sent(server.client("sas").get("/Patient/x"))),
        (404, sent(fhir.get("/Mystery/x"))),
        (404, sent(anybody.get("/nothing/here"))),
        (405, sent(fhir.request("TRACE", "/Patient"))),
        (406, sent(fhir.get("/Patient/x").header("Accept", "image/png"))),
        (
            412,
            sent(fhir.put("/Patient/x").header("If-Match", "\"9\"").json(&with(
                patient("x"),
                "id",
                json!("x"),
            ))),
        ),
        (
            415,
            sent(
                fhir.post("/Patient")
                    .header("Content-Type", "text/plain")
                    .body("x"),
            ),
        ),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("X-Request-Id"), Some("trace-me"), "{answer:?}");
        assert!(!answer.issues().is_empty(), "{answer:?}");
    }
}

fn p53_the_location_is_built_from_what_the_client_called(context: &Context) {
    let fhir = shared_fhir(context);
    let create = |host: &str| {
        let answer = fhir
            .post("/Patient")
            .header("Host", host)
            .json(&patient(&unique()))
            .send();
        (
            answer.status,
            answer.header("Location").unwrap_or_default().to_owned(),
        )
    };
    for host in ["fhir.example.org", "fhir.example.org:8443", "[::1]:8080"] {
        let (status, location) = create(host);
        assert_eq!(status, 201, "{host}");
        assert!(
            location.starts_with(&format!("http://{host}/fhir/Patient/")),
            "{location}"
        );
    }
    for forged in ["a/b", "a b", "a\"b", "a@b", "a?b", "a#b", "<a>"] {
        let (status, location) = create(forged);
        assert!(
            status == 400 || (status == 201 && !location.contains(forged)),
            "{forged}: {status} {location}"
        );
    }
}

fn p53_only_trusted_proxies_are_believed(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let answer = fhir
        .post("/Patient")
        .header("X-Forwarded-Host", "evil.example")
        .header("X-Forwarded-Proto", "https")
        .header("Forwarded", "host=evil.example;proto=https")
        .json(&patient(&unique()))
        .send()
        .expect(201);
    assert!(answer.location().starts_with(server.base()), "{answer:?}");
    let bundle = fhir
        .get("/Patient?_count=1")
        .header("X-Forwarded-Host", "evil.example");
    assert!(!bundle.send().expect(200).text().contains("evil.example"));
}

fn p53_a_trusted_proxy_tells_the_outer_address(context: &Context) {
    let server = context
        .settings()
        .environment("PASSERELLE_TRUSTED_PROXIES", "127.0.0.1,::1")
        .start();
    let fhir = server.client("fhir");
    let create = |headers: &[(&str, &str)]| {
        let post = headers.iter().fold(fhir.post("/Patient"), |post, (name, value)| {
            post.header(name, value)
        });
        post.json(&patient(&unique()))
            .send()
            .expect(201)
            .location()
            .to_owned()
    };
    let forwarded = create(&[("Forwarded", "for=192.0.2.1;host=fhir.example.org;proto=https")]);
    assert!(
        forwarded.starts_with("https://fhir.example.org/fhir/Patient/"),
        "{forwarded}"
    );
    let older = create(&[
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "fhir.example.org"),
    ]);
    assert!(
        older.starts_with("https://fhir.example.org/fhir/Patient/"),
        "{older}"
    );
    let port = create(&[
        ("X-Forwarded-Host", "h.example"),
        ("X-Forwarded-Port", "8443"),
        ("X-Forwarded-Proto", "https"),
    ]);
    assert!(port.starts_with("https://h.example:8443/fhir/Patient/"), "{port}");
    let prefixed = create(&[("X-Forwarded-Host", "h.example"), ("X-Forwarded-Prefix", "/care")]);
    assert!(
        prefixed.starts_with("http://h.example/care/fhir/Patient/"),
        "{prefixed}"
    );
    let bundle = fhir
        .get("/Patient?_count=1")
        .header("X-Forwarded-Host", "h.example")
        .send()
        .expect(200)
        .json();
    for relation in ["self", "next"] {
        let url = link(&bundle, relation).unwrap();
        assert!(
            url.starts_with("http://h.example/fhir/Patient?"),
            "{relation}: {url}"
        );
    }
    assert!(
        bundle["entry"][0]["fullUrl"]
            .as_str()
            .unwrap()
            .starts_with("http://h.example/fhir/Patient/")
    );
}

fn p53_a_configured_base_url_beats_everything(context: &Context) {
    let outer = "https://fhir.hospital.example/api";
    let server = context
        .settings()
        .environment("PASSERELLE_BASE_URL", outer)
        .start();
    let fhir = server.client("fhir");
    let own = format!("Patient{}", unique());
    let body = with(patient(&own), "id", json!(own));
    let created = fhir
        .put(format!("/Patient/{own}"))
        .header("Host", "inner:1")
        .json(&body)
        .send()
        .expect(201);
    assert_eq!(
        created.location(),
        format!("{outer}/fhir/Patient/{own}/_history/1")
    );
    let bundle = fhir.get("/Patient").send().expect(200).json();
    assert_eq!(
        bundle["entry"][0]["fullUrl"],
        format!("{outer}/fhir/Patient/{own}")
    );
    assert!(
        link(&bundle, "self")
            .unwrap()
            .starts_with(&format!("{outer}/fhir/Patient"))
    );
}

fn a_page_of_another_origin_gets_no_permission(context: &Context) {
    let fhir = shared_fhir(context);
    let answer = fhir
        .get("/metadata")
        .header("Origin", "https://page.example")
        .send()
        .expect(200);
    assert!(
        answer.header("Access-Control-Allow-Origin").is_none(),
        "{answer:?}"
    );
}

fn a_page_of_a_configured_origin_may_call_and_read(context: &Context) {
    let settings = context.settings().environment(
        "PASSERELLE_CORS_ORIGINS",
        "https://page.example,https://other.example",
    );
    let server = settings.start();
    let fhir = server.client("fhir");
    let read = fhir
        .get("/Patient")
        .header("Origin", "https://page.example")
        .send()
        .expect(200);
    assert_eq!(
        read.header("Access-Control-Allow-Origin"),
        Some("https://page.example")
    );
    let exposed = read
        .header("Access-Control-Expose-Headers")
        .unwrap_or_default()
        .to_owned();
    for name in ["ETag", "Location", "X-Request-Id"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    assert!(
        read.header_all("Vary")
            .iter()
            .any(|value| value.contains("Origin"))
    );
    // A refusal may be read, too: even that of a request without a credential.
    let refusal = server
        .anonymous()
        .get("/fhir/Patient")
        .header("Origin", "https://other.example")
        .send()
        .expect(401);
    assert_eq!(
        refusal.header("Access-Control-Allow-Origin"),
        Some("https://other.example")
    );
    // Preflights carry no credential.
    let nobody = server.anonymous();
    let preflight = nobody
        .request("OPTIONS", "/fhir/Patient/x")
        .header("Origin", "https://page.example");
    let preflight = preflight.header("Access-Control-Request-Method", "PUT").send();
    assert!(matches!(preflight.status, 200 | 204), "{preflight:?}");
    assert!(
        preflight
            .header("Access-Control-Allow-Methods")
            .unwrap_or_default()
            .contains("PUT"),
        "{preflight:?}"
    );
    let sendable = preflight
        .header("Access-Control-Allow-Headers")
        .unwrap_or_default();
    assert!(
        sendable.contains("If-Match") && sendable.contains("Authorization"),
        "{preflight:?}"
    );
    for stranger in [
        "https://page.example.evil",
        "http://page.example",
        "null",
        "https://PAGE.example",
    ] {
        let answer = fhir.get("/Patient").header("Origin", stranger).send().expect(200);
        assert!(
            answer.header("Access-Control-Allow-Origin").is_none(),
            "{stranger}: {answer:?}"
        );
    }
}

fn one_request_too_many_is_told_when_to_come_back(context: &Context) {
    let server = context
        .settings()
        .environment("PASSERELLE_MAX_CONCURRENT", "1")
        .start();
    let fhir = server.client("fhir");
    // A request whose body is on its way and will not come holds the only place. It may find the place taken
    // itself: then the next one tries.
    let head = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json")
        .header("Content-Length", "100")
        .head_bytes();
    let (slow, refusal) = testkit::wait::wait_for(
        std::time::Duration::from_secs(10),
        "the place to be taken",
        || {
            let mut slow = fhir.connect().unwrap();
            slow.send(&head).unwrap();
            let answer = fhir.get("/Patient").send();
            (answer.status == 429).then_some((slow, answer))
        },
    );
    let refusal = refused(refusal, 429, "throttled");
    assert!(
        refusal.header("Retry-After").unwrap().parse::<u32>().is_ok(),
        "{refusal:?}"
    );
    // Who watches over the server is let in.
    server.anonymous().get("/health/ready").send().expect(200);
    server.anonymous().get("/fhir/metadata").send().expect(200);
    drop(slow);
    testkit::wait::wait_for(std::time::Duration::from_secs(10), "the place to be free", || {
        (fhir.get("/Patient").send().status == 200).then_some(())
    });
}
