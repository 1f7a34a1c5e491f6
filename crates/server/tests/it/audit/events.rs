//! The trail as FHIR AuditEvents: over HTTP and by `passerelle audit export`.

use fhir::codec::{Format, decode_tree};
use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, percent_encode};
use testkit::tests;
use testkit::wait::wait_for;

use super::{LIMIT, wait_for_seals};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    an_audit_event_says_who_did_what_in_valid_r4,
    audit_events_are_found_by_date_entity_and_agent,
    pages_of_the_trail_hold_every_event_once_whatever_is_done_meanwhile,
    reading_the_trail_is_written_down_too,
    the_trail_needs_its_scope_and_shows_its_space_alone,
    nobody_writes_the_trail,
    an_export_is_the_trail_oldest_first,
];

/// The events that a search finds.
#[track_caller]
fn events(client: &Client, query: &str) -> Vec<Value> {
    let bundle = client
        .get(format!("/AuditEvent?{query}"))
        .send()
        .expect(200)
        .json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .into_iter()
        .map(|mut entry| entry["resource"].take())
        .collect()
}

/// Waits until a search finds so many.
#[track_caller]
fn wait_for_events(client: &Client, query: &str, count: usize) -> Vec<Value> {
    wait_for(LIMIT, "the events", || {
        let found = events(client, query);
        (found.len() >= count).then_some(found)
    })
}

fn an_audit_event_says_who_did_what_in_valid_r4(context: &Context) {
    let (server, fhir) = context.fhir();
    let request = fhir.post("/Patient").header("X-Request-Id", "the-request");
    let made = request.json(&patient("1")).send().expect(201).id();
    let (about, partner) = (
        format!("entity=Patient/{made}"),
        server.client("medicapp-connect"),
    );
    partner.get("/patients/pat_0000000000000000").send().expect(404);
    let event = wait_for_events(&fhir, &about, 1).remove(0);
    let recorded = event["recorded"].as_str().unwrap().to_owned();
    let id = event["id"].as_str().unwrap().to_owned();
    let expected = json!({
        "resourceType": "AuditEvent",
        "id": id,
        "meta": { "versionId": "1", "lastUpdated": recorded },
        "type": { "system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest", "display": "RESTful Operation" },
        "subtype": [{ "system": "http://hl7.org/fhir/restful-interaction", "code": "create" }],
        "action": "C",
        "recorded": recorded,
        "outcome": "0",
        "outcomeDesc": "ok",
        "agent": [{
            "who": { "identifier": { "system": "https://fhir-facade.example/ns/client-id", "value": "demo-fhir" } },
            "requestor": true
        }],
        "source": {
            "site": "fhir",
            "observer": { "identifier": { "value": "https://fhir-facade.example/ns" }, "display": "Passerelle" },
            "type": [{ "system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4", "display": "Application Server" }]
        },
        "entity": [{
            "what": { "reference": format!("Patient/{made}") },
            "type": { "system": "http://hl7.org/fhir/resource-types", "code": "Patient" },
            "role": { "system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1", "display": "Patient" },
            "detail": [{ "type": "version", "valueString": "1" }]
        }, {
            "what": { "identifier": { "value": "the-request" } },
            "type": { "system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId" }
        }]
    });
    assert_eq!(event, expected);
    // By id, in JSON and in XML, where the elements have to stand in the order of the specification.
    let read = fhir.get(format!("/AuditEvent/{id}")).send().expect(200);
    assert_eq!(read.json(), expected);
    assert_eq!(read.header("etag"), Some("W/\"1\""));
    let xml = fhir
        .get(format!("/AuditEvent/{id}?_format=xml"))
        .send()
        .expect(200);
    let tree = decode_tree(&xml.body, Format::Xml, "AuditEvent")
        .unwrap_or_else(|issues| panic!("{issues:?}: {xml:?}"));
    assert_eq!(Value::Object(tree), expected);
    let bundle = fhir
        .get(format!("/AuditEvent?{about}&_format=xml"))
        .send()
        .expect(200);
    assert!(xml_root(&bundle).contains("<AuditEvent"), "{bundle:?}");
    decode_tree(&bundle.body, Format::Xml, "Bundle")
        .unwrap_or_else(|issues| panic!("{issues:?}: {bundle:?}"));

    // A refusal at a partner's door names the door, and what was asked in its own words.
    let refused = wait_for_events(&fhir, "agent=demo-medicapp-connect", 1).remove(0);
    assert_eq!(refused["source"]["site"], "medicapp-connect");
    assert_eq!(
        (&refused["outcome"], &refused["outcomeDesc"]),
        (&json!("4"), &json!("not-found"))
    );
}

fn audit_events_are_found_by_date_entity_and_agent(context: &Context) {
    let (server, fhir) = context.fhir();
    let one = fhir.post("/Patient").json(&patient("1")).send().expect(201).id();
    let other = fhir.post("/Patient").json(&patient("2")).send().expect(201).id();
    for _ in 0..3 {
        fhir.get(format!("/Patient/{one}")).send().expect(200);
    }
    server
        .client("patient-graph")
        .get("/patients?brand_id=demo-brand")
        .send()
        .expect(200);
    wait_for_seals(&server);
    let count = |query: &str| events(&fhir, query).len();
    let about = format!("entity=Patient/{one}");
    assert_eq!(count(&about), 4);
    for same in [
        format!("entity={one}"),
        format!("entity:Patient={one}"),
        format!(
            "entity={}",
            percent_encode(&format!("{}/fhir/Patient/{one}", server.base()))
        ),
        format!("{about}&agent=demo-fhir"),
        format!("{about}&agent=demo-graph,demo-fhir"),
        format!(
            "{about}&agent:identifier={}",
            percent_encode("https://fhir-facade.example/ns/client-id|demo-fhir")
        ),
        format!("{about}&date=ge2020-01-01&date=lt2100"),
        format!("{about}&_sort=-date"),
    ] {
        assert_eq!(count(&same), 4, "{same}");
    }
    for nothing in [
        format!("entity=Practitioner/{one}"),
        format!("{about}&agent=demo-graph"),
        format!("{about}&agent:identifier=urn:other%7Cdemo-fhir"),
        format!("{about}&date=lt2020"),
        format!("{about}&entity=Patient/{other}"),
        "entity=Patient/nobody".to_owned(),
    ] {
        assert_eq!(count(&nothing), 0, "{nothing}");
    }
    assert_eq!(count(&format!("entity=Patient/{one},Patient/{other}")), 5);
    // Newest first; exact to the microsecond.
    let found = events(&fhir, &about);
    let times: Vec<&str> = found
        .iter()
        .map(|event| event["recorded"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted_by(|one, next| one >= next), "{times:?}");
    assert_eq!(count(&format!("{about}&date={}", times[3])), 1);
    assert_eq!(count(&format!("{about}&date=gt{}", times[3])), 3);
    assert!(count("agent=demo-patient-graph") >= 1);
    for (wrong, named) in [
        ("date=yesterday", "date"),
        ("entity:identifier=a%7Cb", "entity"),
        ("agent:Device=a", "agent"),
        ("_sort=date", "_sort"),
        ("_count=many", "_count"),
    ] {
        let answer = fhir.get(format!("/AuditEvent?{wrong}")).send().expect(400);
        assert!(answer.issues()[0].text.contains(named), "{answer:?}");
    }
    let strict = fhir
        .get("/AuditEvent?patient=1")
        .header("Prefer", "handling=strict")
        .send();
    refused(strict, 400, "not-supported");
}

fn pages_of_the_trail_hold_every_event_once_whatever_is_done_meanwhile(context: &Context) {
    let (server, fhir) = context.fhir();
    // More than one block of them.
    let race = |count: usize| {
        race_of(&fhir, 4, |client, _| {
            for number in 0..count {
                client.get(format!("/Patient/paged-{number}")).send().expect(404);
            }
        })
    };
    race(300);
    wait_for_seals(&server);
    let first = fhir.get("/AuditEvent?_count=400").send().expect(200).json();
    let total = first["total"].as_u64().unwrap();
    assert!(total >= 1_200, "{total}");
    let (mut seen, mut page) = (Vec::new(), first);
    let newest: u64 = page["entry"][0]["resource"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    loop {
        seen.extend(ids(&page).iter().map(|id| id.parse::<u64>().unwrap()));
        race(2);
        let Some(next) = link(&page, "next") else { break };
        page = fhir.get(path_of(&next)).send().expect(200).json();
    }
    // Each position once, from the newest that was there down to the first.
    assert_eq!(seen, (1..=newest).rev().collect::<Vec<_>>());
    assert_eq!(total, newest);
    // Behind a filter as well; a cursor is good for its own search alone.
    let filtered = fhir
        .get("/AuditEvent?entity=Patient/paged-7&_count=3")
        .send()
        .expect(200)
        .json();
    assert_eq!(ids(&filtered).len(), 3);
    let next = path_of(&link(&filtered, "next").unwrap());
    let rest = fhir.get(&next).send().expect(200).json();
    assert_eq!((ids(&rest).len(), link(&rest, "next")), (1, None), "{rest}");
    let elsewhere = next.replace("paged-7", "paged-8");
    assert_ne!(elsewhere, next);
    refused(fhir.get(elsewhere).send(), 400, "value");
    let none = fhir.get("/AuditEvent?_count=0").send().expect(200).json();
    assert!(
        none["total"].as_u64().unwrap() >= total && none["entry"].is_null(),
        "{none}"
    );
}

fn reading_the_trail_is_written_down_too(context: &Context) {
    let (_server, fhir) = context.fhir();
    fhir.get("/Patient/nobody").send().expect(404);
    wait_for_events(&fhir, "entity=Patient/nobody", 1);
    fhir.get("/AuditEvent/1")
        .header("X-Request-Id", "who-reads")
        .send()
        .expect(200);
    let read = wait_for_events(&fhir, "entity=AuditEvent/1", 1).remove(0);
    assert_eq!(read["subtype"][0]["code"], "read");
    assert_eq!(read["entity"][0]["what"]["reference"], "AuditEvent/1");
    let searched = wait_for_events(&fhir, "agent=demo-fhir&_count=1000", 4);
    assert!(
        searched
            .iter()
            .any(|event| event["subtype"][0]["code"] == "search-type"
                && event["entity"][0]["type"]["code"] == "AuditEvent"),
        "{searched:?}"
    );
}

fn the_trail_needs_its_scope_and_shows_its_space_alone(context: &Context) {
    let (server, fhir) = context.fhir();
    fhir.get("/Patient/seen-from-demo").send().expect(404);
    succeeds(context, &server, &["space", "add", "elsewhere"]);
    let add = |id: &str, space: &str, scopes: &[&str]| -> Client {
        let mut arguments = vec!["client", "add", id, "--space", space, "--door", "fhir"];
        for scope in scopes {
            arguments.extend(["--scope", scope]);
        }
        succeeds(context, &server, &arguments);
        let key = issue_key(context, &server, id);
        fhir_with_key(&server, &key)
    };
    let everything = add("everything", "elsewhere", &["system/*.cruds"]);
    let auditor = add("auditor", "elsewhere", &["system/AuditEvent.rs"]);
    let reader = add("reader", "elsewhere", &["system/AuditEvent.r"]);
    for path in ["/AuditEvent", "/AuditEvent/1"] {
        refused(everything.get(path).send(), 403, "forbidden");
        refused(server.client("sas").get(path).send(), 403, "forbidden");
    }
    // Which scope it is, is said to programs as well.
    for (client, path, letter) in [
        (&everything, "/AuditEvent", 's'),
        (&everything, "/AuditEvent/1", 'r'),
        (&reader, "/AuditEvent", 's'),
    ] {
        let answer = refused(client.get(path).send(), 403, "forbidden");
        let wanted = format!("error=\"insufficient_scope\", scope=\"system/AuditEvent.{letter}\"");
        let told = answer.header("WWW-Authenticate").unwrap_or_default();
        assert!(told.contains(&wanted), "{answer:?}");
    }
    // The refusals before are this space's first rows.
    let own = wait_for_events(&auditor, "agent=everything&_count=100", 4);
    assert!(
        own.iter().any(|event| event["outcomeDesc"] == "forbidden"),
        "{own:?}"
    );
    assert!(events(&auditor, "entity=Patient/seen-from-demo").is_empty());
    assert_eq!(
        wait_for_events(&fhir, "entity=Patient/seen-from-demo", 1).len(),
        1
    );
    // What is not there in the own space is not there, whoever has it.
    let far = execute(&server, "SELECT sum(size) FROM audit_seal WHERE space = 1");
    refused(
        auditor
            .get(format!("/AuditEvent/{}", 1_000 + far.parse::<u64>().unwrap()))
            .send(),
        404,
        "not-found",
    );
    auditor.get("/AuditEvent/1").send().expect(200);
}

fn nobody_writes_the_trail(context: &Context) {
    let fhir = shared_fhir(context);
    let body = json!({ "resourceType": "AuditEvent" });
    for answer in [
        fhir.post("/AuditEvent").json(&body).send(),
        fhir.put("/AuditEvent/1").json(&body).send(),
        fhir.patch("/AuditEvent/1").json(&body).send(),
        fhir.delete("/AuditEvent/1").send(),
        fhir.delete("/AuditEvent?agent=x").send(),
    ] {
        let answer = refused(answer, 405, "not-supported");
        assert!(answer.issues()[0].text.contains("never written"), "{answer:?}");
    }
    for path in [
        "/AuditEvent/1/_history",
        "/AuditEvent/_history",
        "/AuditEvent/$x",
        "/AuditEvent/not-a-number",
    ] {
        let answer = fhir.get(path).send().expect(404);
        assert_eq!(answer.issues().len(), 1, "{path}: {answer:?}");
    }
}

fn an_export_is_the_trail_oldest_first(context: &Context) {
    let (server, fhir) = context.fhir();
    let made = fhir.post("/Patient").json(&patient("1")).send().expect(201).id();
    server.anonymous().get("/fhir/Patient").send().expect(401);
    wait_for_seals(&server);
    let export = |arguments: &[&str]| -> Vec<Value> {
        let lines = succeeds(context, &server, &[&["audit", "export"], arguments].concat());
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let own = export(&["--space", "demo"]);
    let positions: Vec<u64> = own
        .iter()
        .map(|event| event["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>());
    let creation = own
        .iter()
        .find(|event| event["entity"][0]["what"]["reference"] == format!("Patient/{made}"));
    let creation = creation.unwrap_or_else(|| panic!("{own:?}"));
    let time = creation["recorded"].as_str().unwrap();
    assert_eq!(
        export(&["--space", "demo", "--until", time]).len()
            + export(&["--space", "demo", "--since", time]).len(),
        own.len()
    );
    assert!(export(&["--since", "2100-01-01"]).is_empty());
    // What no space knows of: the wrong credential, and what the operator did.
    let none = export(&["--space", "(none)"]);
    let is_login = |event: &Value| event["type"]["code"] == "110114" && event["outcomeDesc"] == "login";
    assert!(none.iter().any(is_login), "{none:?}");
    assert!(
        none.iter()
            .any(|event| event["subtype"][0]["code"] == "client-put"),
        "{none:?}"
    );
    assert_eq!(export(&[]).len(), own.len() + none.len());
    for event in own.iter().chain(&none) {
        decode_tree(event.to_string().as_bytes(), Format::Json, "AuditEvent")
            .unwrap_or_else(|issues| panic!("{issues:?}: {event}"));
    }
    let wrong = passerelle(context, &server, &["audit", "export", "--space", "nowhere"]);
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("nowhere"));
}
