//! OpenTelemetry spans.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;
use testkit::collector::Collector;
use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::wait::wait_for;

use super::scrape;
use crate::support::*;

/// Tests of both databases.
pub const TESTS: &[Test] = tests![a_collector_gets_a_span_for_each_request];

/// Tests in which the database does not matter.
pub const ONCE: &[Test] = tests![
    a_collector_that_is_away_costs_no_request,
    what_is_left_is_sent_at_the_end,
    an_endpoint_that_is_none_stops_the_start,
];

const LIMIT: Duration = Duration::from_secs(30);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// All spans that a collector has, once one of this request id is among them.
fn spans_with(collector: &Collector, request_id: &str) -> Vec<Value> {
    wait_for(LIMIT, "the span", || {
        let mut spans = Vec::new();
        for (line, body) in collector.posted() {
            assert_eq!(line, "POST /v1/traces HTTP/1.1");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let resource = &body["resourceSpans"][0];
            assert_eq!(
                resource["resource"]["attributes"][0]["value"]["stringValue"],
                "passerelle"
            );
            let sent = resource["scopeSpans"][0]["spans"].as_array().expect("spans");
            spans.extend(sent.iter().cloned());
        }
        let found = spans
            .iter()
            .any(|span| attribute(span, "passerelle.request_id") == request_id);
        found.then_some(spans)
    })
}

fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().expect("attributes");
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    let Some(Value::Object(value)) = found.map(|attribute| &attribute["value"]) else {
        return String::new();
    };
    let value = value.values().next().and_then(Value::as_str);
    value
        .expect("a text: 64-bit integers are texts in this JSON")
        .to_owned()
}

fn a_collector_gets_a_span_for_each_request(context: &Context) {
    let collector = Collector::start();
    let settings = context
        .settings()
        .argument("--otlp-endpoint")
        .argument(&collector.url());
    let server = settings.admin().start();
    let fhir = server.client("fhir");
    let body = patient("1");
    let create = fhir
        .post("/Patient")
        .header("X-Request-Id", "the-create")
        .json(&body);
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let created = create.header("traceparent", &parent).send().expect(201);
    let unsampled = format!("00-{TRACE}-b7ad6b7169203331-00");
    let unsampled = fhir.get("/Patient/nobody").header("traceparent", unsampled);
    unsampled
        .header("X-Request-Id", "not-recorded")
        .send()
        .expect(404);
    fhir.get("/Patient/nobody")
        .header("X-Request-Id", "the-miss")
        .send()
        .expect(404);
    let spans = spans_with(&collector, "the-miss");
    let of = |id: &str| {
        spans
            .iter()
            .find(|span| attribute(span, "passerelle.request_id") == id)
    };
    assert!(of("not-recorded").is_none(), "{spans:?}");
    let create = of("the-create").expect("the create");
    assert_eq!(create["traceId"], TRACE);
    assert_eq!(create["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(create["name"], "POST /fhir/{type}");
    assert_eq!(create["kind"], 2);
    let expected = [
        ("http.request.method", "POST".to_owned()),
        ("http.route", "/fhir/{type}".to_owned()),
        ("http.response.status_code", "201".to_owned()),
        ("http.request.body.size", body.to_string().len().to_string()),
        ("http.response.body.size", created.body.len().to_string()),
        ("passerelle.door", "fhir".to_owned()),
        ("passerelle.client", "demo-fhir".to_owned()),
        ("error.type", String::new()),
    ];
    for (key, value) in expected {
        assert_eq!(attribute(create, key), value, "{key}");
    }
    let time = |name: &str| {
        create[name]
            .as_str()
            .and_then(|nanos| nanos.parse::<u64>().ok())
            .expect("a time")
    };
    let took = time("endTimeUnixNano") - time("startTimeUnixNano");
    assert!((1_000..LIMIT.as_nanos() as u64).contains(&took), "{took} ns");
    let miss = of("the-miss").expect("the miss");
    assert_eq!(attribute(miss, "error.type"), "not-found");
    assert!(miss.get("parentSpanId").is_none());
    assert_eq!(miss["traceId"].as_str().map(str::len), Some(32));
    assert_ne!(miss["traceId"], TRACE);
    assert_eq!(miss["spanId"].as_str().map(str::len), Some(16));
    let sent = || scrape(&server).value("passerelle_spans_sent_total");
    wait_for(LIMIT, "the count of spans", || {
        (sent() >= spans.len() as f64).then_some(())
    });
}

fn a_collector_that_is_away_costs_no_request(context: &Context) {
    // It listens, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let settings = context.settings().argument("--otlp-endpoint").argument(&url);
    let mut server = settings.admin().start();
    let fhir = server.client("fhir");
    for _ in 0..50 {
        fhir.get("/Patient/nobody").send().expect(404);
    }
    wait_for(LIMIT, "spans to be given up", || {
        (scrape(&server).value("passerelle_spans_dropped_total") > 0.0).then_some(())
    });
    assert!(
        server.log().contains("the collector takes no spans"),
        "{}",
        server.log()
    );
    assert!(server.terminate().success());
}

fn what_is_left_is_sent_at_the_end(context: &Context) {
    let collector = Collector::start();
    let settings = context
        .settings()
        .environment("PASSERELLE_OTLP_ENDPOINT", &collector.url());
    let mut server = settings.start();
    let fhir = server.client("fhir");
    let last = fhir.get("/Patient/nobody").header("X-Request-Id", "the-last");
    last.send().expect(404);
    assert!(server.terminate().success());
    spans_with(&collector, "the-last");
}

fn an_endpoint_that_is_none_stops_the_start(context: &Context) {
    for wrong in ["https://collector:4318", "collector"] {
        let mut command = command(context);
        let output = command
            .args(["serve", "--otlp-endpoint", wrong])
            .output()
            .expect("the binary runs");
        assert!(!output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains(wrong) && said.contains("http://127.0.0.1:4318"),
            "{said}"
        );
    }
}
