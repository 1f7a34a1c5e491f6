//! batch: each entry by itself.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    the_entries_of_a_batch_are_answered_in_their_order,
    a_failure_of_a_batch_stays_in_its_entry,
    the_entries_of_a_batch_are_done_by_their_methods,
    an_empty_bundle_is_answered_by_an_empty_one,
    a_read_in_a_bundle_heeds_its_conditions_and_elements,
    prefer_counts_in_bundles_too,
    p34_if_match_counts_in_a_batch,
    a_method_that_has_no_place_in_a_bundle_is_refused_by_name,
    the_statement_names_batch_and_transaction,
];

fn the_entries_of_a_batch_are_answered_in_their_order(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, own) = (unique(), unique());
    let body = with(patient(&number), "id", json!(own));
    let by_id = format!("Patient/{own}");
    let entries = [
        entry("GET", &by_id),
        entry_with("PUT", &by_id, &body),
        entry_with("POST", "Patient", &patient(&number)),
        entry("GET", &format!("Patient?{}", by_local(&number))),
        entry("DELETE", "Patient/never-there"),
        entry("GET", &format!("{by_id}/_history/1")),
    ];
    let answered = answers(send(&fhir, "batch", &entries));
    assert_eq!(
        statuses(&answered),
        [200, 201, 201, 200, 204, 200],
        "{answered:?}"
    );
    assert_eq!(answered[0]["resource"]["id"], *own);
    assert_eq!(answered[1]["response"]["etag"], "W/\"1\"");
    assert_eq!(id(&answered[1]), own);
    assert_eq!(
        answered[1]["response"]["lastModified"],
        answered[0]["resource"]["meta"]["lastUpdated"]
    );
    assert_eq!(ids(&answered[3]["resource"]).len(), 2, "{answered:?}");
    assert_eq!(answered[2]["resource"]["id"], *id(&answered[2]));
}

fn a_failure_of_a_batch_stays_in_its_entry(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let entries = [
        entry_with(
            "POST",
            "Patient",
            &json!({ "resourceType": "Patient", "name": [{ "family": "" }] }),
        ),
        entry_with(
            "POST",
            "Patient",
            &json!({ "resourceType": "Patient", "gender": "x" }),
        ),
        json!({ "resource": { "resourceType": "Patient" } }),
        entry_with("POST", "Patient", &patient(&number)),
        entry("GET", "Patient/never-there"),
    ];
    let answered = answers(send(&fhir, "batch", &entries));
    assert_eq!(statuses(&answered), [400, 422, 400, 201, 404], "{answered:?}");
    let place = |number: usize| answered[number]["response"]["outcome"]["issue"][0]["expression"][0].clone();
    assert_eq!(place(0), "Bundle.entry[0].resource.name[0].family");
    assert_eq!(place(1), "Bundle.entry[1].resource.gender");
    assert_eq!(place(2), "Bundle.entry[2].request");
    assert_eq!(place(4), "Bundle.entry[4]");
    assert_eq!(count_local(&fhir, &number), 1);
}

fn the_entries_of_a_batch_are_done_by_their_methods(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, own) = (unique(), unique());
    let by_id = format!("Patient/{own}");
    fhir.put(format!("/{by_id}"))
        .json(&with(patient(&number), "id", json!(own)))
        .send()
        .expect(201);
    let unless = asking(
        entry_with("POST", "Patient", &patient(&number)),
        "ifNoneExist",
        &by_local(&number),
    );
    let entries = [
        entry("GET", &format!("Patient?{}", by_local(&number))),
        unless,
        entry("DELETE", &by_id),
    ];
    let answered = answers(send(&fhir, "batch", &entries));
    assert_eq!(statuses(&answered), [200, 201, 204]);
    assert_eq!(ids(&answered[0]["resource"]), [id(&answered[1])]);
}

fn an_empty_bundle_is_answered_by_an_empty_one(context: &Context) {
    let fhir = shared_fhir(context);
    for kind in ["batch", "transaction"] {
        assert!(answers(send(&fhir, kind, &[])).is_empty());
    }
}

fn a_read_in_a_bundle_heeds_its_conditions_and_elements(context: &Context) {
    let fhir = shared_fhir(context);
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let url = format!("Patient/{}", created.id());
    for kind in ["batch", "transaction"] {
        let entries = [
            asking(entry("GET", &url), "ifNoneMatch", "W/\"1\""),
            asking(entry("GET", &url), "ifNoneMatch", "W/\"2\""),
            asking(
                entry("GET", &url),
                "ifModifiedSince",
                "Fri, 01 Jan 2100 00:00:00 GMT",
            ),
            entry("GET", &format!("{url}?_elements=name")),
        ];
        let answered = answers(send(&fhir, kind, &entries));
        assert_eq!(statuses(&answered), [304, 200, 304, 200], "{answered:?}");
        assert!(answered[0].get("resource").is_none());
        assert!(
            answered[3]["resource"].get("identifier").is_none(),
            "{}",
            answered[3]
        );
        assert_eq!(answered[3]["resource"]["meta"]["tag"][0]["code"], "SUBSETTED");
    }
}

fn prefer_counts_in_bundles_too(context: &Context) {
    let fhir = shared_fhir(context);
    for kind in ["batch", "transaction"] {
        let sent = bundle(kind, &[entry_with("POST", "Patient", &patient(&unique()))]);
        let answer = |prefer: &str| {
            let response = fhir
                .post("")
                .header("Prefer", format!("return={prefer}"))
                .json(&sent)
                .send();
            answers(response).remove(0)
        };
        let minimal = answer("minimal");
        assert!(
            minimal.get("resource").is_none() && minimal["response"].get("outcome").is_none(),
            "{minimal}"
        );
        assert!(minimal["response"]["location"].is_string());
        assert_eq!(answer("representation")["resource"]["resourceType"], "Patient");
        let told = answer("OperationOutcome");
        assert_eq!(told["response"]["outcome"]["resourceType"], "OperationOutcome");
        assert!(told.get("resource").is_none());
    }
}

fn p34_if_match_counts_in_a_batch(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let body = |family: &str| json!({ "resourceType": "Patient", "id": own, "name": [{ "family": family }] });
    let url = format!("Patient/{own}");
    fhir.put(format!("/{url}")).json(&body("Un")).send().expect(201);
    let put = |tag: &str, family: &str| asking(entry_with("PUT", &url, &body(family)), "ifMatch", tag);
    for (tag, status) in [
        ("W/\"7\"", 412),
        ("W/\"7\", W/\"1\"", 200),
        ("W/\"1\"", 412),
        ("nonsense", 412),
        ("é", 412),
    ] {
        let answered = answers(send(&fhir, "batch", &[put(tag, tag)]));
        assert_eq!(statuses(&answered), [status], "{tag}: {answered:?}");
    }
    let delete = asking(entry("DELETE", &url), "ifMatch", "W/\"1\"");
    assert_eq!(
        statuses(&answers(send(&fhir, "batch", std::slice::from_ref(&delete)))),
        [412]
    );
    refused(transact(&fhir, &[delete]), 412, "conflict");
    fhir.get(format!("/{url}")).send().expect(200);
}

fn a_method_that_has_no_place_in_a_bundle_is_refused_by_name(context: &Context) {
    let fhir = shared_fhir(context);
    for (method, url) in [
        ("HEAD", "Patient/1"),
        ("PATCH", "metadata"),
        ("DELETE", "_history"),
    ] {
        let asked = entry(method, url);
        let answered = answers(send(&fhir, "batch", std::slice::from_ref(&asked)));
        assert_eq!(statuses(&answered), [405], "{answered:?}");
        let told = answered[0]["response"]["outcome"]["issue"][0]["details"]["text"].clone();
        assert!(told.as_str().unwrap().contains(method), "{told}");
        refused(transact(&fhir, &[asked]), 405, "not-supported");
    }
}

fn the_statement_names_batch_and_transaction(context: &Context) {
    let statement = shared_fhir(context).get("/metadata").send().expect(200).json();
    let offered: Vec<&Value> = statement["rest"][0]["interaction"]
        .as_array()
        .unwrap()
        .iter()
        .map(|interaction| &interaction["code"])
        .collect();
    assert!(
        offered.contains(&&json!("batch")) && offered.contains(&&json!("transaction")),
        "{offered:?}"
    );
}
