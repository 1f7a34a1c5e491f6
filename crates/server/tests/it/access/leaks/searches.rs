//! Attempts that read.

use serde_json::json;
use testkit::http::percent_encode;

use super::{FAMILY, KEY, Try, pointing, put_own};
use crate::support::*;

/// By id.
#[rustfmt::skip]
pub const READS: &[Try] = &[
    ("read", |a| a.fhir.get(format!("/Patient/{}-v", a.n)).send()),
    ("read of a practitioner", |a| a.fhir.get(format!("/Practitioner/{}-p", a.n)).send()),
    ("read of one that is deleted there", |a| a.fhir.get(format!("/Patient/{}-d", a.n)).send()),
    ("read of one that is replaced there", |a| a.fhir.get(format!("/Patient/{}-r", a.n)).send()),
    ("read in XML", |a| a.fhir.get(format!("/Patient/{}-v?_format=xml", a.n)).send()),
    ("read of a summary", |a| a.fhir.get(format!("/Patient/{}-v?_summary=true", a.n)).send()),
    ("head", |a| a.fhir.head(format!("/Patient/{}-v", a.n)).send()),
    ("read by If-None-Match", |a| a.fhir.get(format!("/Patient/{}-v", a.n)).header("If-None-Match", "W/\"2\"").send()),
    ("read by If-None-Match of any", |a| a.fhir.get(format!("/Patient/{}-v", a.n)).header("If-None-Match", "*").send()),
    ("read by If-Modified-Since", |a| {
        let since = "Tue, 01 Jan 2030 00:00:00 GMT";
        a.fhir.get(format!("/Patient/{}-v", a.n)).header("If-Modified-Since", since).send()
    }),
    ("vread", |a| a.fhir.get(format!("/Patient/{}-v/_history/1", a.n)).send()),
    ("vread of a deletion", |a| a.fhir.get(format!("/Patient/{}-d/_history/2", a.n)).send()),
    ("history", |a| a.fhir.get(format!("/Patient/{}-v/_history", a.n)).send()),
    ("history of one that is deleted", |a| a.fhir.get(format!("/Patient/{}-d/_history", a.n)).send()),
    ("read in the space's own name", |a| a.fhir.get(format!("/Patient/{}-v", a.n)).header("X-Space", "demo").send()),
];

/// By what stands in them. Counts are asked for too.
#[rustfmt::skip]
pub const SEARCHES: &[Try] = &[
    ("by id", |a| a.fhir.get(format!("/Patient?_id={}-v&_total=accurate", a.n)).send()),
    ("by identifier", |a| a.fhir.get(format!("/Patient?{}&_total=accurate", by_local(&a.n))).send()),
    ("by identifier, posted", |a| a.fhir.post("/Patient/_search").form(&by_local(&a.n)).send()),
    ("by a national number", |a| a.fhir.get(format!("/Patient?identifier={KEY}%7C{}k", a.n)).send()),
    ("by the domain of a national number", |a| a.fhir.get(format!("/Patient?identifier={KEY}%7C{}k,{KEY}%7C", a.n)).send()),
    ("by name", |a| a.fhir.get(format!("/Patient?family={FAMILY}&_total=accurate")).send()),
    ("by name, counted", |a| a.fhir.get(format!("/Patient?family={FAMILY}&_summary=count")).send()),
    ("by name, estimated", |a| a.fhir.get(format!("/Patient?family={FAMILY}&_total=estimate")).send()),
    ("by a part of a name", |a| a.fhir.get("/Patient?name:contains=chipil&_total=accurate").send()),
    ("by name, sorted", |a| a.fhir.get(format!("/Patient?name={FAMILY}&_sort=-birthdate&_count=1")).send()),
    ("by e-mail", |a| a.fhir.get(format!("/Patient?email={}@example.org", a.n)).send()),
    ("by birth", |a| a.fhir.get("/Patient?birthdate=1951-02-03&_total=accurate").send()),
    ("by name of a practitioner", |a| a.fhir.get(format!("/Practitioner?name={FAMILY}&_total=accurate")).send()),
    ("by time of change", |a| a.fhir.get(format!("/Patient?_lastUpdated=gt2020&name={FAMILY}&_total=accurate")).send()),
    ("of all types", |a| a.fhir.get(format!("/?_type=Patient,Practitioner&_id={0}-v,{0}-p", a.n)).send()),
    ("in the space's own name", |a| a.fhir.get(format!("/Patient?name={FAMILY}")).header("X-Space", "demo").send()),
];

/// Through references.
#[rustfmt::skip]
pub const LINKED: &[Try] = &[
    ("by a practitioner", |a| a.fhir.get(format!("/Patient?general-practitioner=Practitioner/{}-p", a.n)).send()),
    ("by a practitioner's identifier", |a| {
        a.fhir.get(format!("/Patient?general-practitioner:identifier={LOCAL}%7C{}", a.n)).send()
    }),
    ("by a chain", |a| a.fhir.get(format!("/Patient?general-practitioner.family={FAMILY}&_total=accurate")).send()),
    ("by a chain from a patient that points there", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Patient?general-practitioner.family={FAMILY}&_id={}&_total=accurate", a.own)).send()
    }),
    ("by a chain to an identifier", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        let by = percent_encode(&format!("{LOCAL}|{}", a.n));
        a.fhir.get(format!("/Patient?general-practitioner:Practitioner.identifier={by}")).send()
    }),
    ("by a chain through a link", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Patient?link.family={FAMILY}&_total=accurate")).send()
    }),
    ("by _has", |a| a.fhir.get(format!("/Practitioner?_has:Patient:general-practitioner:family={FAMILY}")).send()),
    ("by _has of the same id", |a| {
        put_own(a.fhir, "Practitioner", &format!("{}-p", a.n), resource("Practitioner", LOCAL, &a.own));
        a.fhir.get(format!("/Practitioner?_has:Patient:general-practitioner:family={FAMILY}&_total=accurate")).send()
    }),
    ("by _has from a patient that points there", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Practitioner?_has:Patient:general-practitioner:identifier={LOCAL}%7C{}&_total=accurate", a.own)).send()
    }),
    ("by _has of a link that points there", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Patient?_has:Patient:link:identifier={LOCAL}%7C{}&_total=accurate", a.own)).send()
    }),
    ("by _has of a link that points there, of one id", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Patient?_id={}-v&_has:Patient:link:identifier={LOCAL}%7C{}&_total=accurate", a.n, a.own)).send()
    }),
    ("by a chain to a practitioner of the same id", |a| {
        put_own(a.fhir, "Practitioner", &format!("{}-p", a.n), resource("Practitioner", LOCAL, &a.own));
        a.fhir.get(format!("/Patient?general-practitioner.identifier={LOCAL}%7C{}&_total=accurate", a.own)).send()
    }),
    ("by a chain of two steps over a patient of the same id", |a| {
        put_own(a.fhir, "Patient", &format!("{}-v", a.n), pointing(&a.own, &a.own));
        a.fhir.get(format!("/Patient?link.identifier={LOCAL}%7C{}&_total=accurate", a.own)).send()
    }),
    ("by a link", |a| a.fhir.get(format!("/Patient?link=Patient/{}-r", a.n)).send()),
    ("_include of a practitioner", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Patient?_id={}&_include=Patient:general-practitioner", a.own)).send()
    }),
    ("_include of everything, on and on", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Patient?_id={}&_include=*&_include:iterate=*", a.own)).send()
    }),
    ("_include of a link", |a| {
        put_own(a.fhir, "Patient", &a.own, pointing(&a.n, &a.own));
        a.fhir.get(format!("/Patient?_id={}&_include=Patient:link:Patient", a.own)).send()
    }),
    ("_revinclude to a practitioner of the same id", |a| {
        put_own(a.fhir, "Practitioner", &format!("{}-p", a.n), resource("Practitioner", LOCAL, &a.own));
        a.fhir.get(format!("/Practitioner?_id={}-p&_revinclude=Patient:general-practitioner", a.n)).send()
    }),
    ("_revinclude to a patient of the same id", |a| {
        put_own(a.fhir, "Patient", &format!("{}-v", a.n), patient(&a.own));
        a.fhir.get(format!("/Patient?_id={}-v&_revinclude=Patient:link&_revinclude=*", a.n)).send()
    }),
];

/// Histories of many, and pages that were begun by somebody else.
#[rustfmt::skip]
pub const PAGES: &[Try] = &[
    ("history of a type", |a| a.fhir.get("/Patient/_history?_count=1000").send()),
    ("history of all", |a| a.fhir.get("/_history?_since=2020-01-01T00:00:00Z&_count=1000").send()),
    ("page of another space's search", |a| a.fhir.get(format!("/Patient?_count=1&_cursor={}", a.cursors[0])).send()),
    ("page of another space's search, posted", |a| {
        a.fhir.post("/Patient/_search").form(&format!("_count=1&_cursor={}", a.cursors[0])).send()
    }),
    ("page of another space's history", |a| {
        a.fhir.get(format!("/Patient/_history?_count=1&_cursor={}", a.cursors[1])).send()
    }),
    ("pages in a batch", |a| {
        let get = |url: String| json!({ "request": { "method": "GET", "url": url } });
        a.fhir.post("").json(&json!({ "resourceType": "Bundle", "type": "batch", "entry": [
            get(format!("Patient?_count=1&_cursor={}", a.cursors[0])),
            get(format!("Patient/_history?_count=1&_cursor={}", a.cursors[1])) ] })).send()
    }),
];
