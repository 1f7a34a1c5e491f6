//! Attempts that write, or would.

use serde_json::{Value, json};
use testkit::http::percent_encode;

use super::{FAMILY, KEY, Try, key_of, put};
use crate::support::*;

/// By an id of somebody else.
#[rustfmt::skip]
pub const BY_ID: &[Try] = &[
    ("update", |a| put(a.fhir, "Patient", &format!("{}-v", a.n), patient(&a.own))),
    ("update of a practitioner", |a| {
        put(a.fhir, "Practitioner", &format!("{}-p", a.n), resource("Practitioner", LOCAL, &a.own))
    }),
    ("revival of one that is deleted there", |a| put(a.fhir, "Patient", &format!("{}-d", a.n), patient(&a.own))),
    ("update by If-Match", |a| {
        let id = format!("{}-v", a.n);
        let body = with(patient(&a.own), "id", json!(id));
        a.fhir.put(format!("/Patient/{id}")).header("If-Match", "W/\"2\"").json(&body).send()
    }),
    ("update by If-None-Match", |a| {
        let id = format!("{}-v", a.n);
        let body = with(patient(&a.own), "id", json!(id));
        a.fhir.put(format!("/Patient/{id}")).header("If-None-Match", "*").json(&body).send()
    }),
    ("patch", |a| {
        let request = a.fhir.patch(format!("/Patient/{}-v", a.n));
        request.header("Content-Type", "application/merge-patch+json").body(r#"{"active":true}"#).send()
    }),
    ("patch that tests a value", |a| {
        let request = a.fhir.patch(format!("/Patient/{}-v", a.n)).header("Content-Type", "application/json-patch+json");
        request.body(format!(r#"[{{"op":"test","path":"/name/0/family","value":"{FAMILY}"}}]"#)).send()
    }),
    ("delete", |a| a.fhir.delete(format!("/Patient/{}-v", a.n)).send()),
    ("delete by If-Match", |a| a.fhir.delete(format!("/Patient/{}-v", a.n)).header("If-Match", "W/\"2\"").send()),
];

/// By criteria that somebody else meets, or an identifier that somebody else owns.
#[rustfmt::skip]
pub const CONDITIONAL: &[Try] = &[
    ("create with an owned number", |a| {
        a.fhir.post("/Patient").json(&with(patient(&a.own), "identifier", json!([key_of(&a.n)]))).send()
    }),
    ("create by If-None-Exist", |a| {
        a.fhir.post("/Patient").header("If-None-Exist", by_local(&a.n)).json(&patient(&a.own)).send()
    }),
    ("create by If-None-Exist of a name", |a| {
        a.fhir.post("/Patient").header("If-None-Exist", format!("family={FAMILY}&birthdate=1951-02-03")).json(&patient(&a.own)).send()
    }),
    ("conditional update", |a| put_by(a.fhir, "Patient", (LOCAL, &a.n), &patient(&a.n))),
    ("conditional update by a national number", |a| {
        put_by(a.fhir, "Patient", (KEY, &format!("{}k", a.n)), &with(patient(&a.own), "identifier", json!([key_of(&a.n)])))
    }),
    ("conditional update with the id", |a| {
        put_by(a.fhir, "Patient", (LOCAL, &a.n), &with(patient(&a.n), "id", json!(format!("{}-v", a.n))))
    }),
    ("conditional update by If-Match", |a| {
        let request = a.fhir.put(format!("/Patient?{}", by_local(&a.n))).header("If-Match", "*");
        request.json(&patient(&a.n)).send()
    }),
    ("conditional patch", |a| {
        let request = a.fhir.patch(format!("/Patient?{}", by_local(&a.n)));
        request.header("Content-Type", "application/merge-patch+json").body(r#"{"active":true}"#).send()
    }),
    ("conditional delete", |a| a.fhir.delete(format!("/Patient?{}", by_local(&a.n))).send()),
    ("conditional delete by a name", |a| a.fhir.delete(format!("/Patient?family={FAMILY}&birthdate=1951-02-03")).send()),
];

fn transaction(entries: &[Value]) -> Value {
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

fn referring(own: &str, reference: &str) -> Value {
    with(
        patient(own),
        "generalPractitioner",
        json!([{ "reference": reference }]),
    )
}

/// In Bundles.
#[rustfmt::skip]
pub const BUNDLES: &[Try] = &[
    ("reads of a batch", |a| {
        let get = |url: String| json!({ "request": { "method": "GET", "url": url } });
        a.fhir.post("").json(&json!({ "resourceType": "Bundle", "type": "batch", "entry": [
            get(format!("Patient/{}-v", a.n)), get(format!("Patient/{}-v/_history/1", a.n)),
            get(format!("Patient?family={FAMILY}&_total=accurate")), get(format!("Patient/{}-d", a.n)) ] })).send()
    }),
    ("a conditional reference of a transaction", |a| {
        let reference = format!("Practitioner?identifier={}", percent_encode(&format!("{LOCAL}|{}", a.n)));
        let entry = json!({ "resource": referring(&a.own, &reference), "request": { "method": "POST", "url": "Patient" } });
        a.fhir.post("").json(&transaction(&[entry])).send()
    }),
    ("a conditional reference by a name", |a| {
        let reference = format!("Practitioner?name={FAMILY}");
        let entry = json!({ "resource": referring(&a.own, &reference), "request": { "method": "POST", "url": "Patient" } });
        a.fhir.post("").json(&transaction(&[entry])).send()
    }),
    ("a link within a transaction, to whoever is created unless there", |a| {
        let practitioner = json!({
            "fullUrl": "urn:uuid:5c1a8a0e-6f0e-4f6f-8a38-2d8a1c8f0001", "resource": resource("Practitioner", LOCAL, &a.n),
            "request": { "method": "POST", "url": "Practitioner", "ifNoneExist": by_local(&a.n) }
        });
        let body = referring(&a.own, "urn:uuid:5c1a8a0e-6f0e-4f6f-8a38-2d8a1c8f0001");
        let patient = json!({ "resource": body, "request": { "method": "POST", "url": "Patient" } });
        a.fhir.post("").json(&transaction(&[practitioner, patient])).send()
    }),
    ("an update of a transaction by ifMatch", |a| {
        let id = format!("{}-v", a.n);
        let request = json!({ "method": "PUT", "url": format!("Patient/{id}"), "ifMatch": "W/\"2\"" });
        let entry = json!({ "resource": with(patient(&a.own), "id", json!(id)), "request": request });
        a.fhir.post("").json(&transaction(&[entry])).send()
    }),
    ("a conditional delete of a transaction", |a| {
        let entry = json!({ "request": { "method": "DELETE", "url": format!("Patient?{}", by_local(&a.n)) } });
        a.fhir.post("").json(&transaction(&[entry])).send()
    }),
    ("a conditional update of a transaction", |a| {
        let url = format!("Patient?{}", by_local(&a.n));
        let entry = json!({ "resource": patient(&a.n), "request": { "method": "PUT", "url": url } });
        a.fhir.post("").json(&transaction(&[entry])).send()
    }),
];
