//! Mutants of valid bodies, queries and headers, with fixed seeds.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Failure, Request, Response};
use testkit::samples::{Account, Patient};
use testkit::server::Server;
use testkit::{mutate, tests};

use super::{GROWTH_KIB, connection, fault, may_be_no_http, memory_kib, rounds};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t12_mutated_json_is_answered,
    t12_mutated_xml_is_answered,
    t12_mutated_bundles_are_answered,
    t12_mutated_queries_are_answered,
    t12_mutated_headers_are_answered,
];

/// Sends every mutant, and checks answers, process and memory.
fn bombard(
    context: &Context,
    server: &mut Server,
    mut send: impl FnMut(u64) -> (Result<Response, Failure>, Vec<u8>, bool),
) {
    // The first requests make caches and pools: they are no growth.
    for seed in 0..50 {
        let _ = send(1_000_000 + seed);
    }
    let before = memory_kib(server, "VmRSS");
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for seed in 0..rounds(context) {
        let (answer, mutant, bare) = send(seed);
        refused += u64::from(answer.as_ref().is_ok_and(|answer| answer.status >= 400));
        if let Some(fault) = fault(&answer, bare) {
            wrong.push(format!(
                "seed {seed}: {}\n{fault}",
                String::from_utf8_lossy(&mutant)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} mutants, such as {}", wrong.len(), wrong[0]);
    assert!(
        refused * 10 > rounds(context),
        "only {refused} mutants were refused: do they still mutate?"
    );
    assert!(server.is_running());
    let growth = memory_kib(server, "VmRSS").saturating_sub(before);
    assert!(growth < GROWTH_KIB, "grown by {growth} KiB");
    server.client("fhir").get("/metadata").send().expect(200);
}

/// Write targets in turn: what is parsed is the same, what is done with it is not.
fn write<'a>(fhir: &'a Client, seed: u64) -> Request<'a> {
    match seed % 3 {
        0 => fhir.post("/Patient"),
        1 => fhir.put("/Patient?identifier=urn:x|1"),
        _ => fhir.put("/Practitioner/target"),
    }
}

fn json_corpus() -> Vec<Vec<u8>> {
    let mut bodies = vec![
        patient("1"),
        Patient::new(5).json(),
        account(MORVAN, &[(IDNPS, "1")], true),
        Account::new(6).json(),
    ];
    bodies.push(json!({
        "resourceType": "Practitioner", "id": "target",
        "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x &amp; y</p></div>" },
        "contained": [{ "resourceType": "Organization", "id": "o", "name": "O" }],
        "extension": [{ "url": "urn:x", "extension": [{ "url": "y", "valueDecimal": 1.5 }] }],
        "name": [{ "family": "A", "given": ["b", "c"], "_given": [null, { "id": "g" }] }],
        "birthDate": "1980-02-29", "gender": "female",
        "qualification": [{ "code": { "text": "MD" }, "issuer": { "reference": "#o" } }]
    }));
    bodies.iter().map(|body| body.to_string().into_bytes()).collect()
}

fn t12_mutated_json_is_answered(context: &Context) {
    let mut server = context.server();
    let fhir = server.client("fhir");
    let corpus = json_corpus();
    bombard(context, &mut server, |seed| {
        let mutant = mutate::json(seed, &corpus[seed as usize % corpus.len()]);
        let request = write(&fhir, seed)
            .header("Content-Type", "application/fhir+json")
            .body(mutant.clone());
        (request.try_send(), mutant, false)
    });
}

fn t12_mutated_xml_is_answered(context: &Context) {
    let mut server = context.server();
    let fhir = server.client("fhir");
    let corpus: Vec<Vec<u8>> = json_corpus()
        .into_iter()
        .map(|body| {
            let kind = serde_json::from_slice::<serde_json::Value>(&body).unwrap()["resourceType"].clone();
            let post = fhir.post(format!("/{}?_format=xml", kind.as_str().unwrap()));
            post.header("Content-Type", "application/fhir+json")
                .body(body)
                .send()
                .expect(201)
                .body
        })
        .collect();
    bombard(context, &mut server, |seed| {
        let mutant = mutate::xml(seed, &corpus[seed as usize % corpus.len()]);
        let request = write(&fhir, seed)
            .header("Content-Type", "application/fhir+xml")
            .body(mutant.clone());
        (request.try_send(), mutant, false)
    });
}

/// The same Bundle of every kind of entry, as batch and transaction, in JSON and XML.
fn bundle_corpus() -> Vec<Vec<u8>> {
    let link = "urn:uuid:4b3b1a52-0f3c-4f2a-9d64-7a2b1f1d0001";
    let treated = with(
        patient("1"),
        "generalPractitioner",
        json!([{ "reference": link }]),
    );
    let entries = json!([
        { "fullUrl": link, "resource": resource("Practitioner", "urn:x", "1"),
          "request": { "method": "POST", "url": "Practitioner", "ifNoneExist": "identifier=urn:x|1" } },
        { "resource": treated, "request": { "method": "PUT", "url": "Patient?identifier=urn:x|1", "ifMatch": "W/\"1\"" } },
        { "resource": patient("2"), "request": { "method": "POST", "url": "Patient" } },
        { "request": { "method": "DELETE", "url": "Patient/nobody" } },
        { "request": { "method": "GET", "url": "Patient?family=x&_count=2", "ifNoneMatch": "*" } }
    ]);
    let json = ["batch", "transaction"]
        .map(|kind| json!({ "resourceType": "Bundle", "type": kind, "entry": entries }));
    let xml = json.iter().map(|bundle| {
        let entries = r#"<entry><resource><Patient><active value="true"/></Patient></resource><request><method value="POST"/><url value="Patient"/><ifNoneExist value="identifier=urn:x|3"/></request></entry><entry><request><method value="GET"/><url value="Patient/x"/></request></entry>"#;
        let kind = bundle["type"].as_str().unwrap();
        format!("<Bundle xmlns=\"http://hl7.org/fhir\"><type value=\"{kind}\"/>{entries}</Bundle>").into_bytes()
    });
    let xml: Vec<Vec<u8>> = xml.collect();
    json.iter()
        .map(|bundle| bundle.to_string().into_bytes())
        .chain(xml)
        .collect()
}

fn t12_mutated_bundles_are_answered(context: &Context) {
    let mut server = context.server();
    let fhir = server.client("fhir");
    let corpus = bundle_corpus();
    bombard(context, &mut server, |seed| {
        let number = seed as usize % corpus.len();
        let (mutant, kind) = match number {
            0 | 1 => (mutate::json(seed, &corpus[number]), "application/fhir+json"),
            _ => (mutate::xml(seed, &corpus[number]), "application/fhir+xml"),
        };
        let answer = fhir
            .post("")
            .header("Content-Type", kind)
            .body(mutant.clone())
            .try_send();
        // A failure of the server hides in no entry.
        let hidden = answer
            .as_ref()
            .is_ok_and(|answer| answer.text().contains("\"status\":\"500"));
        assert!(!hidden, "seed {seed}: {answer:?}");
        (answer, mutant, false)
    });
}

fn t12_mutated_queries_are_answered(context: &Context) {
    let mut server = context.server();
    let fhir = server.client("fhir");
    for number in 0..5 {
        fhir.post("/Patient")
            .json(&Patient::new(number).json())
            .send()
            .expect(201);
    }
    let bundle = fhir
        .get("/Patient?_count=1&birthdate=ge1900")
        .send()
        .expect(200)
        .json();
    let next = link(&bundle, "next").unwrap();
    let cursor = next.split_once('?').unwrap().1.to_owned();
    let corpus = [
        "identifier=urn:oid:1.2.3|a%7Cb&_count=5",
        "family:exact=O%27Brien&given=a,b&birthdate=ge1980-01-01&birthdate=lt2000",
        "identifier:of-type=http://t|MR|1&active=true&gender:not=male,female",
        "general-practitioner:identifier=urn:x|1&organization=Organization/1&_id=a,b",
        "name:contains=x&telecom=%2B33123&_lastUpdated=gt2020-01-01T00:00:00%2B01:00&_total=none&_format=xml",
        &cursor,
    ];
    bombard(context, &mut server, |seed| {
        let mutant = mutate::query(seed, corpus[seed as usize % corpus.len()]);
        let target = |path: &str| [path.as_bytes(), b"?", &mutant].concat();
        let bare = may_be_no_http(&mutant);
        let fhir = connection(&fhir, bare);
        let answer = match seed % 4 {
            0 | 1 => fhir.get(target("/Patient")).try_send(),
            2 => {
                let form = fhir
                    .post("/Patient/_search")
                    .header("Content-Type", "application/x-www-form-urlencoded");
                form.body(mutant.clone()).try_send()
            }
            _ => fhir.put(target("/Patient")).json(&patient("1")).try_send(),
        };
        (answer, mutant, bare)
    });
}

fn t12_mutated_headers_are_answered(context: &Context) {
    let mut server = context.server();
    let fhir = server.client("fhir");
    let body = with(patient("1"), "id", json!("target"));
    fhir.put("/Patient/target").json(&body).send().expect(201);
    let modified = "Sat, 21 Nov 2026 04:22:21 GMT";
    let corpus = [
        ("If-Match", "W/\"1\", W/\"2\""),
        ("Prefer", "return=minimal, handling=strict"),
        (
            "Accept",
            "application/fhir+json;q=0.9, application/fhir+xml; fhirVersion=4.0, */*;q=0.1",
        ),
        ("If-None-Exist", "Patient?identifier=urn:oid:1.2|a%7Cb&family=x"),
        ("If-None-Match", "W/\"1\""),
        ("If-Modified-Since", modified),
        (
            "Content-Type",
            "application/fhir+json; charset=utf-8; fhirVersion=4.0",
        ),
        ("Content-Encoding", "gzip"),
        ("Authorization", "Basic c2tfdGVzdA=="),
        ("X-Request-Id", "5f0c2f5e-8a53-4f0b-9d4c-2d2c1d1a0f11"),
        ("X-Space", "demo"),
        ("Host", "fhir.example.org:8443"),
        ("Forwarded", "for=192.0.2.1;host=x.example;proto=https"),
        ("Origin", "https://page.example"),
    ];
    // Each of the five that the contract gives a grammar gets as many mutants as a whole kind.
    let rounds = rounds(context);
    let mut wrong = Vec::new();
    let mut send = |name: &str, value: &str, seed: u64| {
        let mutant = mutate::header(seed, value);
        let bare = mutant.iter().any(|byte| byte.is_ascii_control()) || name == "Host";
        let fhir = connection(&fhir, bare);
        let (write, read) = (fhir.put("/Patient/target"), fhir.get("/Patient/target"));
        let answer = match name {
            "If-Match" | "Prefer" | "Content-Type" | "Content-Encoding" => {
                write.header(name, &mutant).json(&body)
            }
            "If-None-Exist" => fhir.post("/Patient").header(name, &mutant).json(&body),
            // Every wrong one is counted against its address: a few are enough.
            "Authorization" if seed > 20 => return,
            _ => read.header(name, &mutant),
        }
        .try_send();
        if answer
            .as_ref()
            .is_ok_and(|answer| answer.header("X-Injected").is_some())
        {
            wrong.push(format!("{name} injects a header, seed {seed}"));
        }
        // A 304 has no body to look at.
        if let Some(fault) = fault(&answer, bare) {
            wrong.push(format!(
                "{name}, seed {seed}: {}\n{fault}",
                String::from_utf8_lossy(&mutant)
            ));
        }
    };
    let before = memory_kib(&server, "VmRSS");
    for (place, (name, value)) in corpus.iter().enumerate() {
        let count = if place < 4 { rounds } else { rounds / 10 };
        (0..count).for_each(|seed| send(name, value, seed));
    }
    assert!(wrong.is_empty(), "{} mutants, such as {}", wrong.len(), wrong[0]);
    assert!(server.is_running());
    assert!(memory_kib(&server, "VmRSS").saturating_sub(before) < GROWTH_KIB);
}
