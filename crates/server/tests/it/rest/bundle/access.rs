//! Who may do what in a Bundle: entry by entry what it may do alone.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    scopes_count_entry_by_entry,
    the_regulator_policy_counts_entry_by_entry,
    accounts_are_found_and_replaced_by_their_own_rules,
    what_the_doors_own_of_a_patient_stays_and_ids_are_allocated,
    every_entry_has_its_row_in_the_audit_trail,
];

const N: (&str, &str) = (IDNPS, "810000000017");
const U: (&str, &str) = (INTRN, "0b8a1c5e-5c0d-4a55-8f63-0d1a6b8d2c11");

fn scopes_count_entry_by_entry(context: &Context) {
    let (server, fhir) = context.fhir();
    let arguments = [
        "client",
        "add",
        "reader",
        "--door",
        "fhir",
        "--space",
        "demo",
        "--scope",
        "system/Patient.rc",
    ];
    succeeds(context, &server, &arguments);
    let reader = fhir_with_key(&server, &issue_key(context, &server, "reader"));
    fhir.put("/Patient/there")
        .json(&with(patient("there"), "id", json!("there")))
        .send()
        .expect(201);
    let allowed = [
        entry("GET", "Patient/there"),
        entry_with("POST", "Patient", &patient("made")),
    ];
    let denied = [
        entry("GET", "Patient?active=true"),
        entry("DELETE", "Patient/there"),
        entry_with(
            "PUT",
            "Patient/there",
            &with(patient("there"), "id", json!("there")),
        ),
        entry_with("POST", "Practitioner", &resource("Practitioner", LOCAL, "1")),
        entry_with("PUT", &format!("Patient?{}", by_local("made")), &patient("made")),
    ];
    let all = [&allowed[..], &denied[..]].concat();
    assert_eq!(
        statuses(&answers(send(&reader, "batch", &all))),
        [200, 201, 403, 403, 403, 403, 403]
    );
    let answer = refused(transact(&reader, &all), 403, "forbidden");
    for number in 2..7 {
        points_at(&answer, &format!("Bundle.entry[{number}]"));
    }
    assert_eq!(count_local(&fhir, "made"), 1);
    assert_eq!(statuses(&answers(transact(&reader, &allowed))), [200, 201]);
}

fn the_regulator_policy_counts_entry_by_entry(context: &Context) {
    let server = context.server();
    let (sas, ehr) = (server.client("sas"), server.client("fhir"));
    let by = |(system, value): (&str, &str)| format!("Practitioner?identifier={system}|{value}");
    let push = entry_with("PUT", &by(N), &account(MORVAN, &[N], true));
    let denied = [
        entry_with("POST", "Patient", &patient("1")),
        entry("GET", "Patient/1"),
        entry("DELETE", "Practitioner/1"),
        entry_with(
            "PUT",
            "Practitioner/1",
            &with(account(MORVAN, &[N], true), "id", json!("1")),
        ),
    ];
    for entry in &denied {
        refused(transact(&sas, &[push.clone(), entry.clone()]), 403, "forbidden");
        assert!(found(&ehr, "Practitioner", N).is_empty());
    }
    let batch = answers(send(&sas, "batch", &[&denied[..], &[push]].concat()));
    assert_eq!(statuses(&batch), [403, 403, 403, 403, 201]);
    // The shape of accounts is demanded, and ordinary ones are not seen.
    let ordinary = ehr
        .post("/Practitioner")
        .json(&resource("Practitioner", LOCAL, "9"))
        .send()
        .expect(201);
    refused(
        transact(&sas, &[entry("GET", &format!("Practitioner/{}", ordinary.id()))]),
        404,
        "not-found",
    );
    let mut shapeless = account(MORVAN, &[N], true);
    shapeless["telecom"] = json!([{ "system": "phone", "value": "1" }]);
    let answer = transact(&sas, &[entry_with("POST", "Practitioner", &shapeless)]).expect(422);
    points_at(&answer, "Bundle.entry[0].resource.telecom[0].system");
}

fn accounts_are_found_and_replaced_by_their_own_rules(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let put = |by: (&str, &str), body: &Value| {
        let url = format!("Practitioner?Identifier={}|{}", by.0, by.1);
        answers(transact(&sas, &[entry_with("PUT", &url, body)])).remove(0)
    };
    let first = put(U, &account(MORVAN, &[U], true));
    assert_eq!(statuses(std::slice::from_ref(&first)), [201]);
    // The id changes, and the replay finds the account by the past one.
    let changed = account(MORVAN, &[N], true);
    for _ in 0..2 {
        let again = put(U, &changed);
        assert_eq!(
            (statuses(std::slice::from_ref(&again)), id(&again)),
            (vec![200], id(&first))
        );
    }
    let refusal = transact(&sas, &[entry_with("POST", "Practitioner", &changed)]);
    let refusal = refused(refusal, 422, "duplicate");
    assert_eq!(id_of(refusal.location()), id(&first));
    let withdrawn = put(U, &account(PELTIER, &[U], false));
    assert_eq!(
        (statuses(std::slice::from_ref(&withdrawn)), id(&withdrawn)),
        (vec![200], id(&first))
    );
    assert_eq!(withdrawn["resource"]["active"], false);
}

fn what_the_doors_own_of_a_patient_stays_and_ids_are_allocated(context: &Context) {
    let (server, fhir) = context.fhir();
    let created = answers(transact(&fhir, &[entry_with("POST", "Patient", &patient("1"))]));
    let own = id(&created[0]);
    let given = "SELECT count(*) FROM resource WHERE medicapp_id LIKE 'pat!_%' ESCAPE '!'";
    let allocated = execute(&server, &format!("{given} AND id = '{own}'"));
    let alone = fhir.post("/Patient").json(&patient("2")).send().expect(201).id();
    assert_eq!(
        allocated,
        execute(&server, &format!("{given} AND id = '{alone}'"))
    );
    let of = |own: &str| {
        execute(
            &server,
            &format!("SELECT medicapp_id FROM resource WHERE id = '{own}'"),
        )
    };
    let before = of(&own);
    let changed = with(with(patient("1"), "id", json!(own)), "active", json!(true));
    answers(transact(
        &fhir,
        &[entry_with("PUT", &format!("Patient/{own}"), &changed)],
    ));
    assert_eq!(of(&own), before);
}

fn every_entry_has_its_row_in_the_audit_trail(context: &Context) {
    let (server, fhir) = context.fhir();
    fhir.put("/Patient/goes")
        .json(&with(patient("goes"), "id", json!("goes")))
        .send()
        .expect(201);
    let entries = [
        entry_with("POST", "Patient", &patient("1")),
        asking(
            entry_with("POST", "Patient", &patient("2")),
            "ifNoneExist",
            &by_local("2"),
        ),
        entry("DELETE", "Patient/goes"),
        entry("GET", "Patient?active=true"),
    ];
    let sent = bundle("transaction", &entries);
    fhir.post("")
        .header("X-Request-Id", "whole")
        .json(&sent)
        .send()
        .expect(200);
    let failing = bundle(
        "transaction",
        &[
            entry_with("POST", "Patient", &patient("3")),
            entry("GET", "Patient/nobody"),
        ],
    );
    fhir.post("")
        .header("X-Request-Id", "failing")
        .json(&failing)
        .send()
        .expect(404);
    let rows = |request: &str| {
        let sql = format!("SELECT interaction || ' ' || outcome FROM audit WHERE request_id = '{request}'");
        let mut rows: Vec<String> = execute(&server, &sql)
            .lines()
            .map(|line| line.trim().to_owned())
            .collect();
        rows.sort();
        rows
    };
    let settled = |request: &str, expected: &[&str]| {
        let limit = std::time::Duration::from_secs(10);
        testkit::wait::wait_for(limit, "the audit rows", || {
            (rows(request) == expected).then_some(())
        });
    };
    settled(
        "whole",
        &[
            "conditional-create ok",
            "create ok",
            "delete ok",
            "search-type ok",
        ],
    );
    settled("failing", &["read not-found"]);
}
