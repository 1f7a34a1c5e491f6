//! `$everything`: a patient and what belongs to it.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    everything_is_the_patient_its_practitioners_and_who_is_linked_both_ways,
    everything_is_limited_by_time_and_type,
    everything_shows_each_type_only_to_who_may_see_it,
    everything_of_nobody_is_404_and_of_who_was_deleted_410,
];

/// A patient, whom it links to, who links to it, and its practitioner.
fn family(fhir: &Client) -> [String; 4] {
    let doctor = id_of(
        fhir.post("/Practitioner")
            .json(&resource("Practitioner", LOCAL, &unique()))
            .send()
            .expect(201)
            .location(),
    );
    let mother = id_of(
        fhir.post("/Patient")
            .json(&patient(&unique()))
            .send()
            .expect(201)
            .location(),
    );
    let link = |id: &str| json!([{ "other": { "reference": format!("Patient/{id}") }, "type": "seealso" }]);
    let own = with(patient(&unique()), "link", link(&mother));
    let own = with(
        own,
        "generalPractitioner",
        json!([{ "reference": format!("Practitioner/{doctor}") }]),
    );
    let own = id_of(fhir.post("/Patient").json(&own).send().expect(201).location());
    let child = with(patient(&unique()), "link", link(&own));
    let child = id_of(fhir.post("/Patient").json(&child).send().expect(201).location());
    // Somebody else.
    fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    [own, mother, child, doctor]
}

fn all(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned())
        .collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

fn everything_is_the_patient_its_practitioners_and_who_is_linked_both_ways(context: &Context) {
    let (_server, fhir) = apart(context);
    let family = family(&fhir);
    let target = format!("/Patient/{}/$everything", family[0]);
    for answer in [fhir.get(&target).send(), fhir.post(&target).send()] {
        let bundle = answer.expect(200).json();
        assert_eq!(
            (&bundle["type"], &bundle["total"]),
            (&json!("searchset"), &json!(4))
        );
        assert_eq!(all(&bundle)[0], family[0]);
        assert_eq!(sorted(all(&bundle)), sorted(family.to_vec()));
        assert!(link(&bundle, "self").unwrap().ends_with(&target), "{bundle}");
    }
    let xml = fhir
        .get(format!("{target}?_format=xml"))
        .send()
        .expect(200)
        .text();
    assert!(family.iter().all(|id| xml.contains(id)), "{xml}");
}

fn everything_is_limited_by_time_and_type(context: &Context) {
    let (_server, fhir) = apart(context);
    let family = family(&fhir);
    let target = format!("/Patient/{}/$everything", family[0]);
    let with = |query: &str| all(&fhir.get(format!("{target}?{query}")).send().expect(200).json());
    assert_eq!(with("_type=Practitioner"), [family[3].clone()]);
    assert_eq!(with("_type=Patient,Practitioner").len(), 4);
    assert_eq!(with("start=2020-01-01&end=2020-12-31").len(), 4);
    let own = fhir.get(format!("/Patient/{}", family[2])).send().json();
    let since = own["meta"]["lastUpdated"].as_str().unwrap();
    assert_eq!(with(&format!("_since={since}")), [family[2].clone()]);
    for query in ["_type=Device", "_since=then", "start=x"] {
        refused(fhir.get(format!("{target}?{query}")).send(), 400, "value");
    }
    refused(
        fhir.get(format!("{target}?_count=2")).send(),
        400,
        "not-supported",
    );
}

fn everything_shows_each_type_only_to_who_may_see_it(context: &Context) {
    let (server, fhir) = apart(context);
    let family = family(&fhir);
    let target = format!("/Patient/{}/$everything", family[0]);
    succeeds(context, &server, &["space", "add", "other", "--sandbox"]);
    let client = |name: &str, space: &str, scope: &str| {
        fhir_with_key(
            &server,
            &crate::access::client_key(context, &server, name, &[space], &[scope]),
        )
    };
    let patients = client("patients", "demo", "system/Patient.rs");
    assert_eq!(
        sorted(all(&patients.get(&target).send().expect(200).json())),
        sorted(family[..3].to_vec())
    );
    refused(
        client("reader", "demo", "system/Patient.r").get(&target).send(),
        403,
        "forbidden",
    );
    refused(
        client("searcher", "demo", "system/Patient.s").get(&target).send(),
        403,
        "forbidden",
    );
    refused(
        client("stranger", "other", "system/*.rs").get(&target).send(),
        404,
        "not-found",
    );
}

fn everything_of_nobody_is_404_and_of_who_was_deleted_410(context: &Context) {
    let fhir = shared_fhir(context);
    refused(
        fhir.get("/Patient/nobody-here/$everything").send(),
        404,
        "not-found",
    );
    let id = id_of(
        fhir.post("/Patient")
            .json(&patient(&unique()))
            .send()
            .expect(201)
            .location(),
    );
    fhir.delete(format!("/Patient/{id}")).send().expect(204);
    refused(
        fhir.get(format!("/Patient/{id}/$everything")).send(),
        410,
        "deleted",
    );
    refused(
        fhir.get("/Practitioner/x/$everything").send(),
        404,
        "not-supported",
    );
}
