//! How long it takes to index a resource and to read criteria:
//! `cargo run --release -p fhir --example query_speed`, on a quiet machine.

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use fhir::query::parse::{Handling, NameCase, criteria, if_none_exist, pairs, search};
use fhir::query::sample;
use fhir::{Resource, ResourceType, index};

fn each(rounds: u32, mut work: impl FnMut()) -> Duration {
    // The best of several runs: what disturbs only ever adds time.
    let run = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..rounds).for_each(|_| work());
        start.elapsed() / rounds
    };
    (0..7).map(|_| run(&mut work)).min().unwrap_or_default()
}

fn patient() -> Option<Resource> {
    let text = r#"{
        "meta": { "profile": ["https://example.org/StructureDefinition/p"], "source": "urn:oid:1.2.250.1.213.3.6" },
        "identifier": [
            { "use": "official", "type": { "coding": [{ "system": "http://interopsante.org/fhir/CodeSystem/fr-v2-0203", "code": "INS-NIR" }] },
              "system": "urn:oid:1.2.250.1.213.1.4.8", "value": "174127400608436" },
            { "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PI" }] },
              "system": "https://example.org/patients", "value": "3456780581/11242343" }
        ],
        "active": true, "gender": "female", "birthDate": "1974-12-25",
        "name": [
            { "use": "official", "family": "L’Hôte-Œuvrard", "given": ["Éloïse", "Marie", "Hélène"], "prefix": ["Mme"] },
            { "use": "usual", "family": "Dupont", "given": ["Éloïse"] }
        ],
        "telecom": [{ "system": "phone", "value": "+33 6 12 34 56 78" }, { "system": "email", "value": "Eloise.Dupont@example.org" }],
        "address": [{ "use": "home", "line": ["12 rue de la République", "Bâtiment B"], "city": "Saint-Étienne", "postalCode": "42000", "country": "FR" }],
        "communication": [{ "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "fr" }] } }],
        "generalPractitioner": [{ "reference": "Practitioner/0190a6c2-0000-7000-8000-000000000001" }],
        "managingOrganization": { "reference": "Organization/1" }
    }"#;
    let tree: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(Resource::from_guarded(
        ResourceType::Patient,
        tree.as_object()?.clone(),
    ))
}

fn main() -> std::io::Result<()> {
    let patient = patient().ok_or_else(|| std::io::Error::other("the patient is no JSON object"))?;
    let rows = each(20_000, || drop(black_box(index::extract(black_box(&patient)))));
    let query = "identifier=urn:oid:1.2.250.1.71.4.2.1|3456780581/11242343";
    let kind = ResourceType::Patient;
    let conditional = each(50_000, || {
        drop(black_box(criteria(
            kind,
            black_box(query),
            NameCase::Exact,
            sample::now(),
        )))
    });
    let header = each(50_000, || {
        drop(black_box(if_none_exist(kind, black_box(query), sample::now())))
    });
    let searched = each(50_000, || {
        let pairs = pairs(black_box(query)).unwrap_or_default();
        drop(black_box(search(kind, &pairs, Handling::Lenient, sample::now())));
    });
    writeln!(
        std::io::stdout(),
        "extract {rows:?} (aim 15 µs), criteria {conditional:?} (aim 3 µs), If-None-Exist {header:?} (3 µs), \
         search {searched:?} (3 µs)"
    )
}
