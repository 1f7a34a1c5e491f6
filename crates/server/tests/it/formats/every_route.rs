//! Every route of `/fhir`, asked in JSON and in XML: the answers hold the same.

use std::time::Duration;

use fhir::codec::{Format, decode_tree, encode_xml};
use serde_json::{Map, Value, json};
use server::routes_of_fhir;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response, percent_encode};
use testkit::tests;
use testkit::wait::wait_for;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p57_every_route_says_the_same_in_json_and_in_xml,
    p57_every_route_refuses_in_json_and_in_xml_alike,
];

/// What is sent to a route.
struct Case {
    path: String,
    body: Sent,
}

enum Sent {
    Nothing,
    Resource(Value),
    Form(&'static str),
}

/// What stands in `{id}` and the rest of a case; a route that is not here has none.
fn case(method: &str, pattern: &str, own: &str) -> Option<Case> {
    let (plain, sent) = (|path: &str| (path.to_owned(), Sent::Nothing), Sent::Resource);
    let body = with(patient(own), "text", narrative());
    let named = with(body.clone(), "id", json!(own));
    let by = by_local(own);
    // Nobody else is found by it.
    let posted = with(patient(&format!("posted-{own}")), "text", narrative());
    let operation = json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
        { "name": "type", "valueCode": "add" }, { "name": "path", "valueString": "Patient" },
        { "name": "name", "valueString": "birthDate" }, { "name": "value", "valueDate": "1980-02" }] }] });
    let published = pattern
        .strip_prefix("/fhir/{type:")
        .and_then(|rest| rest.split_once('}'));
    let (path, body) = match (method, pattern) {
        ("GET", "/fhir/metadata") => plain("/metadata"),
        ("POST", "/fhir") => (String::new(), sent(batch(own, &posted))),
        ("GET", "/fhir/AuditEvent") => plain("/AuditEvent?_id=1"),
        ("POST", "/fhir/AuditEvent/_search") => ("/AuditEvent/_search".to_owned(), Sent::Form("_id=1")),
        ("GET", "/fhir/AuditEvent/{id}") => plain("/AuditEvent/1"),
        ("GET", "/fhir") => (format!("?_type=Patient,Practitioner&_id={own}"), Sent::Nothing),
        ("POST", "/fhir/_search") => (
            "/_search?_type=Patient".to_owned(),
            Sent::Form("_id=there&_summary=true"),
        ),
        ("GET", "/fhir/_history") => plain("/_history"),
        ("GET", "/fhir/{type}") => (format!("/Patient?{by}&_include=*&_sort=family"), Sent::Nothing),
        ("POST", "/fhir/{type}") => ("/Patient".to_owned(), sent(posted)),
        ("PUT", "/fhir/{type}") => (format!("/Patient?{by}"), sent(with(body, "active", json!(false)))),
        ("PATCH", "/fhir/{type}") => (format!("/Patient?{by}"), sent(operation)),
        ("DELETE", "/fhir/{type}") => (format!("/Patient?{by}"), Sent::Nothing),
        ("GET", "/fhir/{type}/_history") => plain("/Patient/_history"),
        ("POST", "/fhir/{type}/_search") => (
            "/Patient/_search".to_owned(),
            Sent::Form("_id=there&_elements=name"),
        ),
        ("GET", "/fhir/{type}/{id}") => (format!("/Patient/{own}"), Sent::Nothing),
        ("PUT", "/fhir/{type}/{id}") => (
            format!("/Patient/{own}"),
            sent(with(named, "active", json!(true))),
        ),
        ("PATCH", "/fhir/{type}/{id}") => (format!("/Patient/{own}"), sent(operation)),
        ("DELETE", "/fhir/{type}/{id}") => (format!("/Patient/{own}"), Sent::Nothing),
        ("GET", "/fhir/{type}/{id}/_history") => (format!("/Patient/{own}/_history"), Sent::Nothing),
        ("GET", "/fhir/{type}/{id}/_history/{vid}") => (format!("/Patient/{own}/_history/1"), Sent::Nothing),
        ("POST", "/fhir/Patient/$match") => (
            "/Patient/$match".to_owned(),
            sent(
                json!({ "resourceType": "Patient", "name": [{ "family": "Personne", "given": ["Ulysse"] }] }),
            ),
        ),
        ("GET", "/fhir/Patient/$ihe-pix") => (
            format!(
                "/Patient/$ihe-pix?sourceIdentifier={}",
                percent_encode(&format!("{LOCAL}|{own}"))
            ),
            Sent::Nothing,
        ),
        ("POST", "/fhir/Patient/$ihe-pix") => (
            "/Patient/$ihe-pix".to_owned(),
            sent(json!({
            "resourceType": "Parameters",
            "parameter": [{ "name": "sourceIdentifier", "valueString": format!("{LOCAL}|{own}") }] })),
        ),
        (_, "/fhir/Patient/{id}/$everything") => (format!("/Patient/{own}/$everything"), Sent::Nothing),
        ("POST", "/fhir/{type}/$validate") => (
            "/Patient/$validate".to_owned(),
            sent(with(body, "gender", json!("x"))),
        ),
        (_, "/fhir/{type}/{id}/$validate") => (format!("/Patient/{own}/$validate"), Sent::Nothing),
        _ => match (method, published?.1) {
            ("GET", "") => plain("/NamingSystem?name=Medicapp"),
            ("POST", "/_search") => ("/CodeSystem/_search".to_owned(), Sent::Form("name=ehealth")),
            ("GET", "/{id}") => plain("/StructureDefinition/phone-type"),
            _ => return None,
        },
    };
    Some(Case { path, body })
}

fn narrative() -> Value {
    json!({ "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>é &amp; <b>b</b></p></div>" })
}

fn batch(own: &str, body: &Value) -> Value {
    let entry = |method: &str, url: &str| json!({ "request": { "method": method, "url": url } });
    json!({ "resourceType": "Bundle", "type": "batch", "entry": [
        entry("GET", &format!("Patient/{own}")), entry("GET", &format!("Patient/{own}/_history")),
        entry("GET", "metadata"), entry("GET", "Patient/never-there"),
        { "resource": body, "request": { "method": "POST", "url": "Patient" } }] })
}

/// Sends a case, everything in one format.
fn ask(client: &Client, method: &str, case: &Case, format: Format) -> Response {
    let mime = match format {
        Format::Json => "application/fhir+json",
        Format::Xml => "application/fhir+xml",
    };
    let request = client.request(method, &case.path).header("Accept", mime);
    match (&case.body, format) {
        (Sent::Nothing, _) => request,
        (Sent::Form(form), _) => request.form(form),
        (Sent::Resource(body), Format::Json) => request.header("Content-Type", mime).body(body.to_string()),
        (Sent::Resource(body), Format::Xml) => {
            let text = encode_xml(body.as_object().expect("a resource")).expect("XML");
            request.header("Content-Type", mime).body(text)
        }
    }
    .send()
}

/// The content of an answer, whatever its format.
#[track_caller]
fn content(answer: &Response, format: Format, kind: &str) -> Option<Value> {
    if answer.body.is_empty() {
        return None;
    }
    let mime = match format {
        Format::Json => "application/fhir+json; charset=utf-8",
        Format::Xml => "application/fhir+xml; charset=utf-8",
    };
    assert_eq!(answer.header("content-type"), Some(mime), "{answer:?}");
    if format == Format::Json {
        assert_eq!(answer.json()["resourceType"], kind, "{answer:?}");
        return Some(answer.json());
    }
    let tree = decode_tree(&answer.body, format, kind);
    Some(Value::Object(
        tree.unwrap_or_else(|issues| panic!("{issues:?} in {answer:?}")),
    ))
}

/// Takes out of an answer what two like requests differ in: times, and the ids that the server gave.
fn without_times(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let own = |(name, value)| {
                let value = match (String::as_str(&name), without_times(value)) {
                    ("lastUpdated" | "lastModified", _) => json!("then"),
                    (_, Value::String(text)) => json!(without_ids(&text)),
                    (_, other) => other,
                };
                (name, value)
            };
            Value::Object(map.into_iter().map(own).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_times).collect()),
        other => other,
    }
}

/// A text without its UUIDs, of the one as of the other.
fn without_ids(text: &str) -> String {
    let is_id = |piece: &str| piece.len() == 36 && piece.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let each = text
        .split('/')
        .map(|piece| if is_id(piece) { "id" } else { piece });
    each.collect::<Vec<_>>().join("/").replace("every-2", "every-1")
}

/// Answers of both formats to the same request, each about a resource of its own where something is written.
fn both(client: &Client, method: &str, pattern: &str) -> [Response; 2] {
    [(Format::Json, "every-1"), (Format::Xml, "every-2")].map(|(format, own)| {
        let own = if method == "GET" { "there" } else { own };
        if method != "GET" {
            client.delete(format!("/Patient/{own}")).send();
            there(client, own);
        }
        let case = case(method, pattern, own);
        let case = case.unwrap_or_else(|| panic!("{method} {pattern} has no case here: add one"));
        ask(client, method, &case, format)
    })
}

fn there(client: &Client, own: &str) {
    let named = with(with(patient(own), "text", narrative()), "id", json!(own));
    client
        .put(format!("/Patient/{own}"))
        .json(&named)
        .send()
        .expect(201);
}

fn p57_every_route_says_the_same_in_json_and_in_xml(context: &Context) {
    // Of its own: histories of everything must not grow in between.
    let (_server, fhir) = context.fhir();
    there(&fhir, "there");
    wait_for(Duration::from_secs(10), "the first AuditEvent", || {
        (fhir.get("/AuditEvent/1").send().status == 200).then_some(())
    });
    let routes = routes_of_fhir();
    assert!(routes.len() > 20, "{routes:?}");
    for (method, pattern) in routes {
        let about = format!("{method} {pattern}");
        let [json, xml] = both(&fhir, method, pattern);
        assert!(json.status < 300, "{about}: {json:?}");
        assert_eq!(json.status, xml.status, "{about}: {xml:?}");
        let kind = match json.body.is_empty() {
            true => String::new(),
            false => json.json()["resourceType"].as_str().unwrap().to_owned(),
        };
        let told = |answer: &Response, format| content(answer, format, &kind);
        let (one, other) = (told(&json, Format::Json), told(&xml, Format::Xml));
        match method {
            // Nothing was written in between: not a letter differs.
            "GET" => assert_eq!(one, other, "{about}"),
            _ => assert_eq!(one.map(without_times), other.map(without_times), "{about}"),
        }
        let names = |answer: &Response| -> Vec<String> {
            let names = answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
            let mut names: Vec<String> = names.filter(|name| name != "content-length").collect();
            names.sort();
            names
        };
        assert_eq!(names(&json), names(&xml), "{about}");
    }
}

fn p57_every_route_refuses_in_json_and_in_xml_alike(context: &Context) {
    let server = shared(context);
    let nobody = server.anonymous().with_prefix("/fhir");
    for (method, pattern) in routes_of_fhir() {
        let case =
            case(method, pattern, "nobody").unwrap_or_else(|| panic!("{method} {pattern} has no case"));
        let [json, xml] = [Format::Json, Format::Xml].map(|format| {
            let answer = ask(&nobody, method, &case, format);
            (answer.status, content(&answer, format, outcome_of(&answer)))
        });
        assert_eq!(json, xml, "{method} {pattern}");
        assert_eq!(json.0 == 401, pattern != "/fhir/metadata", "{method} {pattern}");
        // A body that is none, where one is wanted.
        if matches!(case.body, Sent::Resource(_)) {
            let fhir = shared_fhir(context);
            let send = |mime: &str, text: &str| {
                let request = fhir.request(method, &case.path).header("Accept", mime);
                request.header("Content-Type", mime).body(text).send()
            };
            let json = send("application/fhir+json", "{\"resourceType\":\"Nothing\"}");
            let xml = send("application/fhir+xml", "<Nothing xmlns=\"http://hl7.org/fhir\"/>");
            // Of what is wrong with a resource `$validate` is the answer, and no refusal.
            let expected = if pattern.ends_with("$validate") { 200 } else { 400 };
            assert_eq!(
                (json.status, xml.status),
                (expected, expected),
                "{method} {pattern}: {json:?} {xml:?}"
            );
            content(&json, Format::Json, "OperationOutcome");
            content(&xml, Format::Xml, "OperationOutcome");
        }
    }
}

fn outcome_of(answer: &Response) -> &'static str {
    match answer.status {
        200 => "CapabilityStatement",
        _ => "OperationOutcome",
    }
}
