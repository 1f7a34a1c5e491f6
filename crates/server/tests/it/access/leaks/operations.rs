//! Attempts by operations, and by merges.

use serde_json::{Value, json};

use super::{FAMILY, KEY, Try, key_of, pointing, put_own};
use crate::support::*;

fn likeness(n: &str) -> Value {
    json!({
        "resourceType": "Patient", "birthDate": "1951-02-03", "gender": "other", "name": [{ "family": FAMILY }],
        "identifier": [{ "system": LOCAL, "value": n }, key_of(n)]
    })
}

/// Operations.
#[rustfmt::skip]
pub const OPERATIONS: &[Try] = &[
    ("$match", |a| a.fhir.post("/Patient/$match").json(&likeness(&a.n)).send()),
    ("$match of certain ones alone", |a| {
        a.fhir.post("/Patient/$match").json(&json!({ "resourceType": "Parameters", "parameter": [
            { "name": "resource", "resource": likeness(&a.n) }, { "name": "onlyCertainMatches", "valueBoolean": true }
        ] })).send()
    }),
    ("$ihe-pix by a number", |a| a.fhir.get(format!("/Patient/$ihe-pix?sourceIdentifier={LOCAL}%7C{}", a.n)).send()),
    ("$ihe-pix by a national number", |a| a.fhir.get(format!("/Patient/$ihe-pix?sourceIdentifier={KEY}%7C{}k", a.n)).send()),
    ("$ihe-pix of a domain", |a| {
        let path = format!("/Patient/$ihe-pix?sourceIdentifier={KEY}%7C{}k&targetSystem={LOCAL}", a.n);
        a.fhir.get(path).send()
    }),
    ("$everything", |a| a.fhir.get(format!("/Patient/{}-v/$everything", a.n)).send()),
    ("$everything of one that is replaced there", |a| a.fhir.get(format!("/Patient/{}-r/$everything", a.n)).send()),
    ("$everything of a patient that points there", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Patient/{}/$everything", a.own)).send()
    }),
    ("$everything of a patient of the same id", |a| {
        put_own(a.fhir, "Patient", &format!("{}-v", a.n), patient(&a.own));
        a.fhir.get(format!("/Patient/{}-v/$everything", a.n)).send()
    }),
    ("$validate of a stored one", |a| a.fhir.get(format!("/Patient/{}-v/$validate", a.n)).send()),
    ("$validate of its deletion", |a| a.fhir.get(format!("/Patient/{}-v/$validate?mode=delete", a.n)).send()),
    ("$validate of an owned number", |a| {
        let body = with(patient(&a.own), "identifier", json!([key_of(&a.n)]));
        a.fhir.post("/Patient/$validate?mode=create").json(&body).send()
    }),
];

/// Merges.
#[rustfmt::skip]
pub const MERGES: &[Try] = &[
    ("to be replaced by a stranger's id", |a| {
        let survivor = json!([{ "type": "replaced-by", "other": { "reference": format!("Patient/{}-v", a.n) } }]);
        a.fhir.post("/Patient").json(&with(patient(&a.own), "link", survivor)).send()
    }),
    ("to be replaced by a stranger's number", |a| {
        let identifier = json!({ "system": KEY, "value": format!("{}k", a.n) });
        let survivor = json!([{ "type": "replaced-by", "other": { "identifier": identifier } }]);
        a.fhir.post("/Patient").json(&with(patient(&a.own), "link", survivor)).send()
    }),
    ("to be replaced by whom a transaction finds", |a| {
        let survivor = json!([{ "type": "replaced-by", "other": { "reference": format!("Patient?{}", by_local(&a.n)) } }]);
        let entry = json!({
            "resource": with(patient(&a.own), "link", survivor), "request": { "method": "POST", "url": "Patient" }
        });
        a.fhir.post("").json(&json!({ "resourceType": "Bundle", "type": "transaction", "entry": [entry] })).send()
    }),
];
