//! transaction: all entries or none.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_transaction_is_done_by_methods_and_answered_in_its_order,
    a_failing_entry_leaves_nothing_behind,
    all_faults_of_all_entries_are_told_at_once,
    two_entries_that_name_the_same_resource_are_both_named,
    a_read_that_fails_fails_the_transaction,
    a_transaction_revives_and_updates_what_is_there,
    p63_an_entry_is_named_by_its_index_and_nothing_else,
    a_large_transaction_is_done,
    one_entry_too_many_is_refused,
];

fn a_transaction_is_done_by_methods_and_answered_in_its_order(context: &Context) {
    let fhir = shared_fhir(context);
    let (gone, kept, number) = (unique(), unique(), unique());
    for own in [&gone, &kept] {
        fhir.put(format!("/Patient/{own}"))
            .json(&with(patient(own), "id", json!(own)))
            .send()
            .expect(201);
    }
    let changed = with(with(patient(&kept), "id", json!(kept)), "active", json!(true));
    let entries = [
        entry("GET", &format!("Patient/{kept}")),
        entry("GET", &format!("Patient?{}", by_local(&number))),
        entry_with("PUT", &format!("Patient/{kept}"), &changed),
        entry_with("POST", "Patient", &patient(&number)),
        entry("DELETE", &format!("Patient/{gone}")),
        entry("GET", &format!("Patient?{}", by_local(&gone))),
    ];
    let answered = answers(transact(&fhir, &entries));
    assert_eq!(
        statuses(&answered),
        [200, 200, 200, 201, 204, 200],
        "{answered:?}"
    );
    assert_eq!(answered[0]["resource"]["active"], true);
    assert_eq!(answered[0]["response"]["etag"], "W/\"2\"");
    assert_eq!(ids(&answered[1]["resource"]), [id(&answered[3])]);
    assert_eq!(answered[4]["response"]["etag"], "W/\"2\"");
    assert!(ids(&answered[5]["resource"]).is_empty());
    fhir.get(format!("/Patient/{gone}")).send().expect(410);
}

fn a_failing_entry_leaves_nothing_behind(context: &Context) {
    let (server, fhir) = context.fhir();
    let system = "urn:oid:1.2.250.1.213.1.4.8";
    let nir = json!({ "system": system, "value": "1850675123456",
        "type": { "coding": [{ "system": FR_TYPES, "code": "INS-NIR" }] } });
    let owner =
        json!({ "resourceType": "Patient", "identifier": [nir], "name": [{ "family": "Titulaire" }] });
    fhir.put("/Patient/stays")
        .json(&with(patient("stays"), "id", json!("stays")))
        .send()
        .expect(201);
    fhir.put("/Patient/goes")
        .json(&with(patient("goes"), "id", json!("goes")))
        .send()
        .expect(201);
    let counted = || {
        [
            "resource",
            "resource_version",
            "identifier_key",
            "index_token",
            "index_string",
        ]
        .map(|table| execute(&server, &format!("SELECT count(*) FROM {table}")))
    };
    let audited = || {
        execute(
            &server,
            "SELECT count(*) FROM audit WHERE outcome = 'ok' AND interaction <> 'read'",
        )
    };
    let (before, audit_before) = (counted(), audited());
    let failing = [
        (entry("GET", "Patient/never-there"), 404, "not-found"),
        (
            asking(
                entry_with(
                    "PUT",
                    "Patient/stays",
                    &with(patient("stays"), "id", json!("stays")),
                ),
                "ifMatch",
                "W/\"9\"",
            ),
            412,
            "conflict",
        ),
    ];
    for (last, status, code) in failing {
        let entries = [
            entry("DELETE", "Patient/goes"),
            entry_with("POST", "Patient", &owner),
            entry_with("POST", "Patient", &patient("half")),
            entry_with(
                "PUT",
                "Patient/brand-new",
                &with(patient("half"), "id", json!("brand-new")),
            ),
            last,
        ];
        let answer = refused(transact(&fhir, &entries), status, code);
        points_at(&answer, "Bundle.entry[4]");
        assert_eq!((counted(), audited()), (before.clone(), audit_before.clone()));
    }
    fhir.get("/Patient/goes").send().expect(200);
    fhir.get("/Patient/brand-new").send().expect(404);
    assert_eq!(count_local(&fhir, "half"), 0);
    // The key is free: nothing holds it.
    fhir.post("/Patient").json(&owner).send().expect(201);
    // Taken by somebody else, and taken twice within.
    let again = transact(
        &fhir,
        &[
            entry_with("POST", "Patient", &patient("half")),
            entry_with("POST", "Patient", &owner),
        ],
    );
    let again = refused(again, 409, "duplicate");
    points_at(&again, "Bundle.entry[1].resource.identifier");
    assert!(again.header("location").is_some());
    let mut other = owner.clone();
    other["identifier"][0]["value"] = json!("2850675123456");
    let twice = transact(
        &fhir,
        &[
            entry_with("POST", "Patient", &other),
            entry_with("POST", "Patient", &other),
        ],
    );
    let twice = refused(twice, 409, "duplicate");
    points_at(&twice, "Bundle.entry[0].resource.identifier");
    points_at(&twice, "Bundle.entry[1].resource.identifier");
    assert_eq!(count_local(&fhir, "half"), 0);
}

fn all_faults_of_all_entries_are_told_at_once(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let entries = [
        entry_with("POST", "Patient", &patient(&number)),
        entry_with(
            "POST",
            "Patient",
            &json!({ "resourceType": "Patient", "gender": "x", "active": "yes" }),
        ),
        entry_with(
            "POST",
            "Patient",
            &json!({ "resourceType": "Patient", "name": [{ "family": "" }] }),
        ),
        entry_with("PUT", &format!("Patient?identifer={number}"), &patient(&number)),
        entry("FETCH", "Patient"),
    ];
    let answer = refused(transact(&fhir, &entries), 400, "structure");
    for place in [
        "Bundle.entry[1].resource.gender",
        "Bundle.entry[1].resource.active",
        "Bundle.entry[2].resource.name[0].family",
        "Bundle.entry[3]",
        "Bundle.entry[4].request.method",
    ] {
        points_at(&answer, place);
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn two_entries_that_name_the_same_resource_are_both_named(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let url = format!("Patient/{own}");
    let body = with(patient(&own), "id", json!(own));
    let unless = asking(
        entry_with("POST", "Patient", &patient(&own)),
        "ifNoneExist",
        &by_local(&own),
    );
    fhir.put(format!("/{url}")).json(&body).send().expect(201);
    let by_number = format!("Patient?{}", by_local(&own));
    let pairs = [
        [entry_with("PUT", &url, &body), entry_with("PUT", &url, &body)],
        [entry("DELETE", &url), entry_with("PUT", &url, &body)],
        [entry("DELETE", &url), entry("DELETE", &url)],
        [entry("DELETE", &url), unless.clone()],
        [
            entry_with("PUT", &by_number, &patient(&own)),
            entry_with("PUT", &url, &body),
        ],
        [entry_with("PUT", &by_number, &patient(&own)), unless],
    ];
    for pair in pairs {
        let entries = [pair[0].clone(), entry("GET", &url), pair[1].clone()];
        let answer = refused(transact(&fhir, &entries), 400, "invalid");
        points_at(&answer, "Bundle.entry[0]");
        points_at(&answer, "Bundle.entry[2]");
        assert_eq!(answer.issues().len(), 2, "{answer:?}");
    }
    assert_eq!(fhir.get(format!("/{url}")).send().expect(200).version(), 1);
}

fn a_read_that_fails_fails_the_transaction(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let entries = [
        entry_with("POST", "Patient", &patient(&number)),
        entry("GET", "Patient/never-there"),
    ];
    refused(transact(&fhir, &entries), 404, "not-found");
    refused(
        transact(&fhir, &[entry("GET", "Patient/never-there")]),
        404,
        "not-found",
    );
    assert_eq!(count_local(&fhir, &number), 0);
}

fn a_transaction_revives_and_updates_what_is_there(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let url = format!("Patient/{own}");
    let put = [entry_with("PUT", &url, &with(patient(&own), "id", json!(own)))];
    assert_eq!(statuses(&answers(transact(&fhir, &put))), [201]);
    assert_eq!(statuses(&answers(transact(&fhir, &put))), [200]);
    assert_eq!(
        statuses(&answers(transact(&fhir, &[entry("DELETE", &url)]))),
        [204]
    );
    let revived = answers(transact(&fhir, &put));
    assert_eq!(statuses(&revived), [201]);
    assert_eq!(revived[0]["response"]["etag"], "W/\"3\"");
}

fn p63_an_entry_is_named_by_its_index_and_nothing_else(context: &Context) {
    let fhir = shared_fhir(context);
    let entries = [
        entry_with("POST", "Patient", &patient(&unique())),
        entry_with(
            "POST",
            "Patient",
            &json!({ "resourceType": "Patient", "birthDate": "2020-13-01" }),
        ),
    ];
    let answer = refused(transact(&fhir, &entries), 400, "value");
    let places: Vec<String> = answer
        .issues()
        .into_iter()
        .flat_map(|issue| issue.expression)
        .collect();
    assert_eq!(places, ["Bundle.entry[1].resource.birthDate"]);
}

fn a_large_transaction_is_done(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let entries: Vec<Value> = (0..1000)
        .map(|place| {
            let own = format!("{number}-{place}");
            let mut body = patient(&own);
            let shared = json!({ "system": "urn:of-all", "value": number });
            body["identifier"].as_array_mut().unwrap().push(shared);
            asking(
                entry_with("POST", "Patient", &body),
                "ifNoneExist",
                &by_local(&own),
            )
        })
        .collect();
    let answered = answers(transact(&fhir, &entries));
    assert!(statuses(&answered).iter().all(|status| *status == 201));
    let again = answers(transact(&fhir, &entries));
    assert!(statuses(&again).iter().all(|status| *status == 200));
    assert!(
        answered
            .iter()
            .zip(&again)
            .all(|(one, other)| id(one) == id(other))
    );
}

fn one_entry_too_many_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let entries = vec![entry("GET", "Patient/1"); 1001];
    for kind in ["batch", "transaction"] {
        let answer = refused(send(&fhir, kind, &entries), 413, "too-long");
        points_at(&answer, "Bundle.entry");
    }
}
