//! Regulators' accounts, row by row of the contract: wire, policy, shape, identity.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_created_account_is_located,
    an_updated_account_is_located_too,
    a_put_that_matches_nobody_creates,
    criteria_come_raw_or_encoded_and_in_any_company,
    the_accept_of_sas_is_understood,
    a_body_without_content_type_is_read_as_json,
    every_error_is_an_operation_outcome,
    the_policy_governs_by_profile_by_source_and_by_client,
    an_ordinary_practitioner_and_an_account_never_meet,
    the_class_of_a_resource_is_fixed,
    sas_sees_accounts_only_and_nothing_of_patients,
    sas_may_not_delete_an_ehr_may,
    shape_faults_are_all_named_with_their_places,
    a_second_identifier_of_either_system_is_refused,
    either_spelling_of_the_type_system_and_extra_codings_are_fine,
    other_identifier_systems_are_allowed,
    empty_strings_and_lists_are_malformed,
    formats_are_warned_about_and_never_refused,
    an_email_may_be_shared,
    a_second_post_of_an_active_account_is_refused_with_its_location,
    a_disabled_account_never_clashes,
    a_put_reaches_the_active_holder_before_disabled_ones,
    without_an_active_holder_the_latest_disabled_one_is_updated,
    an_identical_put_changes_nothing,
    an_id_change_can_be_replayed,
    the_old_identifier_alone_finds_the_same_person,
    another_person_may_be_given_an_old_number,
    a_withdrawal_by_an_old_identifier_reaches_the_person,
    a_first_put_by_an_identifier_that_the_body_lacks_can_be_replayed,
    a_put_may_not_take_an_identifier_of_another_active_account,
    an_account_cannot_come_back_when_its_identifier_was_taken,
    a_withdrawal_succeeds_whatever_identifiers_it_brings,
    a_withdrawal_must_still_be_valid,
    the_body_id_means_nothing,
    past_identifiers_are_not_found_by_search,
    what_was_sent_comes_back_verbatim,
    a_refused_put_leaves_the_account_and_its_keys_untouched,
    one_persons_puts_replayed_in_any_order_leave_one_account,
    the_shapes_of_the_official_examples_pass_in_order,
    the_shapes_of_the_older_examples_pass,
];

const T: (&str, &str) = (INTRN, "6f1c1f0e-2d9a-4f0c-9a51-3f2f6c1f0a01");
const N: (&str, &str) = (IDNPS, "3456780581/20304050");
const OTHER: (&str, &str) = (IDNPS, "810009998887");

fn a_created_account_is_located(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let answer = sas
        .post("/Practitioner")
        .json(&account(MORVAN, &[N], true))
        .send()
        .expect(201);
    let prefix = format!("{}/fhir/Practitioner/", server.base());
    assert!(answer.location().starts_with(&prefix), "{}", answer.location());
    assert!(
        answer.location().ends_with("/_history/1"),
        "{}",
        answer.location()
    );
    assert_eq!(answer.header("ETag"), Some("W/\"1\""));
    assert!(answer.header("Last-Modified").is_some());
    let read = sas.get(path_of(answer.location())).send().expect(200).json();
    assert_eq!(read["identifier"][0]["value"], N.1);
}

fn an_updated_account_is_located_too(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let first = put_account(&sas, N, &account(MORVAN, &[N], true)).expect(201);
    let second = put_account(&sas, N, &account(MORVAN, &[N], false)).expect(200);
    assert_eq!(id_of(first.location()), id_of(second.location()));
    assert!(second.location().ends_with("/_history/2"));
    assert_eq!(second.json()["active"], false);
}

fn a_put_that_matches_nobody_creates(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    put_account(&sas, N, &account(MORVAN, &[N], true))
        .expect(201)
        .location();
    put_account(&sas, T, &account(PELTIER, &[T], false)).expect(201);
    assert_eq!(found(&sas, "Practitioner", T).len(), 1);
}

fn criteria_come_raw_or_encoded_and_in_any_company(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let body = account(MORVAN, &[N], true);
    put_account(&sas, N, &body).expect(201);
    let (system, value) = N;
    let encoded_value = value.replace('/', "%2F");
    let encoded_system = system.replace(':', "%3A");
    let targets = [
        format!("/Practitioner?identifier={system}|{value}"),
        format!("/Practitioner?identifier={system}%7C{value}"),
        format!("/Practitioner?identifier={system}%7c{encoded_value}"),
        format!("/Practitioner?identifier={encoded_system}|{encoded_value}"),
        format!("/Practitioner?identifier={encoded_system}%7C{encoded_value}&_format=json"),
        format!("/Practitioner?_format=application/fhir+json&identifier={system}|{value}"),
        format!("/Practitioner?_format=application%2Fjson%2Bfhir&identifier={system}|{value}"),
        format!("/Practitioner?Identifier={system}|{value}"),
        format!("/Practitioner?IDENTIFIER={encoded_system}%7C{value}&_format=application/json+fhir"),
    ];
    for target in targets {
        let answer = sas.put(&target).json(&body).send();
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(answer.header("ETag"), Some("W/\"1\""), "{target}");
    }
    assert_eq!(found(&sas, "Practitioner", N).len(), 1);
}

fn the_accept_of_sas_is_understood(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    for accept in [
        "application/json+fhir",
        "application/json+fhir;charset=utf-8",
        "application/json+fhir; charset=UTF-8",
    ] {
        let answer = sas
            .put(format!("/Practitioner?identifier={}|{}", N.0, N.1))
            .header("Accept", accept)
            .header("Content-Type", "application/json")
            .body(account(MORVAN, &[N], true).to_string())
            .send();
        assert!(matches!(answer.status, 200 | 201), "{accept}: {answer:?}");
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/fhir+json; charset=utf-8"),
            "{accept}"
        );
    }
}

fn a_body_without_content_type_is_read_as_json(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let body = account(MORVAN, &[N], true).to_string();
    sas.post("/Practitioner")
        .body(format!(" \n{body}"))
        .send()
        .expect(201);
    sas.put(format!("/Practitioner?identifier={}|{}", N.0, N.1))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .expect(200);
}

fn every_error_is_an_operation_outcome(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    refused(
        sas.post("/Practitioner")
            .header("Content-Type", "application/json")
            .body("{\"resourceType\":")
            .send(),
        400,
        "invalid",
    );
    refused(
        sas.post("/Practitioner")
            .json(&json!({ "resourceType": "Practitioner", "nome": 1 }))
            .send(),
        400,
        "structure",
    );
    refused(
        sas.post("/Practitioner").json(&account(MORVAN, &[], true)).send(),
        400,
        "structure",
    );
    refused(
        sas.put("/Practitioner").json(&account(MORVAN, &[N], true)).send(),
        400,
        "invalid",
    );
    refused(
        server
            .anonymous()
            .with_prefix("/fhir")
            .post("/Practitioner")
            .json(&account(MORVAN, &[N], true))
            .send(),
        401,
        "login",
    );
}

fn the_policy_governs_by_profile_by_source_and_by_client(context: &Context) {
    let server = context.server();
    let (sas, ehr) = (server.client("sas"), server.client("fhir"));
    let mut bare = account(MORVAN, &[N], true);
    bare["name"][0]["given"] = json!(["Enora", "Marie"]);
    let with_meta = |meta: Value| {
        let mut body = bare.clone();
        body["meta"] = meta;
        body
    };
    let profile = with_meta(json!({ "profile": [PROFILE] }));
    let versioned = with_meta(json!({ "profile": [format!("{PROFILE}|1.2.0")] }));
    let source = with_meta(json!({ "source": INTRN }));
    let neither = with_meta(json!({ "tag": [{ "code": "x" }] }));
    for body in [&profile, &versioned, &source] {
        let answer = refused(ehr.post("/Practitioner").json(body).send(), 422, "invariant");
        points_at(&answer, "Practitioner.name[0].given");
    }
    refused(sas.post("/Practitioner").json(&neither).send(), 422, "invariant");
    ehr.post("/Practitioner").json(&neither).send().expect(201);
}

fn an_ordinary_practitioner_and_an_account_never_meet(context: &Context) {
    let server = context.server();
    let (sas, ehr) = (server.client("sas"), server.client("fhir"));
    let mut ordinary = resource("Practitioner", N.0, N.1);
    ordinary["active"] = json!(true);
    let plain = put_by(&ehr, "Practitioner", N, &ordinary).expect(201);
    let pushed = put_account(&sas, N, &account(MORVAN, &[N], true)).expect(201);
    assert_ne!(id_of(plain.location()), id_of(pushed.location()));
    put_by(&ehr, "Practitioner", N, &ordinary).expect(200);
    put_account(&sas, N, &account(MORVAN, &[N], true)).expect(200);
    ehr.post("/Practitioner").json(&ordinary).send().expect(201);
    assert_eq!(found(&ehr, "Practitioner", N).len(), 3);
    // Two ordinary ones share the number now; the account still has one owner and the ordinary ones answer 412.
    put_account(&sas, N, &account(MORVAN, &[N], false)).expect(200);
    refused(
        put_by(&ehr, "Practitioner", N, &ordinary),
        412,
        "multiple-matches",
    );
}

fn the_class_of_a_resource_is_fixed(context: &Context) {
    let server = context.server();
    let (sas, ehr) = (server.client("sas"), server.client("fhir"));
    let pushed = put_account(&sas, N, &account(MORVAN, &[N], true)).expect(201);
    let id = id_of(pushed.location());
    let mut body = ehr.get(format!("/Practitioner/{id}")).send().expect(200).json();
    body["name"][0]["family"] = json!("Morvan-Le Bris");
    ehr.put(format!("/Practitioner/{id}"))
        .json(&body)
        .send()
        .expect(200);
    body["name"][0]["given"] = json!(["Enora", "Marie"]);
    refused(
        ehr.put(format!("/Practitioner/{id}")).json(&body).send(),
        422,
        "invariant",
    );
    body["name"][0]["given"] = json!(["Enora"]);
    body.as_object_mut().unwrap().remove("meta");
    refused(
        ehr.put(format!("/Practitioner/{id}")).json(&body).send(),
        422,
        "business-rule",
    );

    let plain = ehr
        .post("/Practitioner")
        .json(&resource("Practitioner", N.0, N.1))
        .send()
        .expect(201);
    let id = id_of(plain.location());
    let mut marked = account(MORVAN, &[OTHER], true);
    marked["id"] = json!(id);
    refused(
        ehr.put(format!("/Practitioner/{id}")).json(&marked).send(),
        422,
        "business-rule",
    );
}

fn sas_sees_accounts_only_and_nothing_of_patients(context: &Context) {
    let server = context.server();
    let (sas, ehr) = (server.client("sas"), server.client("fhir"));
    let plain = ehr
        .post("/Practitioner")
        .json(&resource("Practitioner", N.0, N.1))
        .send()
        .expect(201);
    let id = id_of(plain.location());
    let hidden = refused(sas.get(format!("/Practitioner/{id}")).send(), 404, "not-found");
    let missing = refused(sas.get("/Practitioner/no-such-id").send(), 404, "not-found");
    assert_eq!(
        hidden.text().replace(&id, "ID"),
        missing.text().replace("no-such-id", "ID")
    );
    assert!(found(&sas, "Practitioner", N).is_empty());
    refused(sas.get("/Patient").send(), 403, "forbidden");
    refused(
        sas.post("/Patient")
            .json(&resource("Patient", "urn:x", "1"))
            .send(),
        403,
        "forbidden",
    );
}

fn sas_may_not_delete_an_ehr_may(context: &Context) {
    let server = context.server();
    let (sas, ehr) = (server.client("sas"), server.client("fhir"));
    let pushed = put_account(&sas, N, &account(MORVAN, &[N], true)).expect(201);
    let path = format!("/Practitioner/{}", id_of(pushed.location()));
    refused(sas.delete(&path).send(), 403, "forbidden");
    sas.get(&path).send().expect(200);
    ehr.delete(&path).send().expect(204);
    refused(sas.get(&path).send(), 410, "deleted");
    // The identifier is free again.
    let again = put_account(&sas, N, &account(MORVAN, &[N], true)).expect(201);
    assert_ne!(path, format!("/Practitioner/{}", id_of(again.location())));
}

fn shape_faults_are_all_named_with_their_places(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let faulty = json!({
        "resourceType": "Practitioner",
        "meta": { "source": "urn:oid:1.2.3", "profile": [PROFILE] },
        "identifier": [
            { "system": N.0, "value": N.1 },
            { "type": { "coding": [{ "system": FR_TYPES, "code": "INTRN" }] }, "value": "x" },
            { "type": { "coding": [{ "system": FR_TYPES, "code": "IDNPS" }] }, "system": INTRN, "value": "y" }
        ],
        "name": [{ "given": ["A", "B"] }],
        "telecom": [{ "system": "phone", "value": "0102030405" }]
    });
    let answer = sas.post("/Practitioner").json(&faulty).send().expect(422);
    for place in [
        "Practitioner.meta.source",
        "Practitioner.identifier[0].type",
        "Practitioner.identifier[1].system",
        "Practitioner.identifier[2].type",
        "Practitioner.active",
        "Practitioner.name[0].family",
        "Practitioner.name[0].given",
        "Practitioner.telecom[0].system",
    ] {
        points_at(&answer, place);
    }
    let bare = json!({ "resourceType": "Practitioner", "meta": { "source": INTRN }, "active": true });
    let answer = sas.post("/Practitioner").json(&bare).send().expect(422);
    for place in [
        "Practitioner.identifier",
        "Practitioner.name",
        "Practitioner.telecom",
    ] {
        points_at(&answer, place);
    }
}

fn a_second_identifier_of_either_system_is_refused(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    for (first, second) in [(N, OTHER), (T, (INTRN, "another"))] {
        let answer = sas
            .post("/Practitioner")
            .json(&account(MORVAN, &[first, second], true))
            .send()
            .expect(422);
        points_at(&answer, "Practitioner.identifier[1]");
    }
    sas.post("/Practitioner")
        .json(&account(MORVAN, &[N, T], true))
        .send()
        .expect(201);
}

fn either_spelling_of_the_type_system_and_extra_codings_are_fine(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let mut body = account(MORVAN, &[N], true);
    body["identifier"][0]["type"] = json!({
        "coding": [
            { "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PRN" },
            { "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "IDNPS", "display": "Identifiant" }
        ],
        "text": "Identifiant national"
    });
    let answer = sas.post("/Practitioner").json(&body).send().expect(201);
    assert_eq!(answer.json()["identifier"], body["identifier"]);
}

fn other_identifier_systems_are_allowed(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let mut body = account(MORVAN, &[N], true);
    let local =
        json!({ "type": { "text": "local" }, "system": "urn:oid:1.2.250.1.71.4.2.2", "value": "L-1" });
    body["identifier"].as_array_mut().unwrap().push(local);
    sas.post("/Practitioner").json(&body).send().expect(201);
}

fn empty_strings_and_lists_are_malformed(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let whole = account(MORVAN, &[N], true);
    for (pointer, empty) in [
        ("/name/0/family", json!("")),
        ("/name", json!([])),
        ("/telecom/0/value", json!("")),
        ("/identifier/0/type", json!({})),
    ] {
        let mut body = whole.clone();
        *body.pointer_mut(pointer).unwrap() = empty;
        let answer = sas.post("/Practitioner").json(&body).send();
        assert_eq!(answer.status, 400, "{pointer}: {answer:?}");
        assert!(!answer.issues().is_empty());
    }
}

fn formats_are_warned_about_and_never_refused(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let odd = [
        (INTRN, "1ee7fa50-8d7c-6a51-b0f5-1e0f5a0c9d11"),
        (INTRN, "not a uuid at all"),
        (IDNPS, "3456780581/11249999"),
        (IDNPS, "810001234561"),
        (IDNPS, "??"),
    ];
    for by in odd {
        let mut body = account(MORVAN, &[by], true);
        body["telecom"][0]["value"] = json!("no at sign");
        let answer = sas
            .put(format!(
                "/Practitioner?identifier={}",
                testkit::http::percent_encode(&format!("{}|{}", by.0, by.1))
            ))
            .header("Prefer", "return=OperationOutcome")
            .json(&body)
            .send()
            .expect(201);
        let issues = answer.issues();
        assert!(issues.iter().all(|issue| issue.severity != "error"), "{issues:?}");
        assert!(
            issues.iter().any(|issue| issue.severity == "warning"),
            "{issues:?}"
        );
    }
}

fn an_email_may_be_shared(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    put_account(&sas, N, &account(MORVAN, &[N], true)).expect(201);
    put_account(&sas, OTHER, &account(MORVAN, &[OTHER], true)).expect(201);
}

fn a_second_post_of_an_active_account_is_refused_with_its_location(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let body = account(MORVAN, &[N], true);
    let first = sas.post("/Practitioner").json(&body).send().expect(201);
    let second = refused(sas.post("/Practitioner").json(&body).send(), 422, "duplicate");
    assert_eq!(second.location(), first.location());
    let other_way = refused(
        sas.post("/Practitioner")
            .json(&account(PELTIER, &[T, N], true))
            .send(),
        422,
        "duplicate",
    );
    assert_eq!(other_way.location(), first.location());
    assert_eq!(found(&sas, "Practitioner", N).len(), 1);
    assert!(found(&sas, "Practitioner", T).is_empty());
}

fn a_disabled_account_never_clashes(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    sas.post("/Practitioner")
        .json(&account(MORVAN, &[N], true))
        .send()
        .expect(201);
    sas.post("/Practitioner")
        .json(&account(PELTIER, &[N], false))
        .send()
        .expect(201);
    put_account(&sas, N, &account(MORVAN, &[N], false)).expect(200);
    sas.post("/Practitioner")
        .json(&account(PELTIER, &[N], true))
        .send()
        .expect(201);
}

fn a_put_reaches_the_active_holder_before_disabled_ones(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let active = sas
        .post("/Practitioner")
        .json(&account(MORVAN, &[N], true))
        .send()
        .expect(201);
    sas.post("/Practitioner")
        .json(&account(PELTIER, &[N], false))
        .send()
        .expect(201);
    let updated = put_account(&sas, N, &account(MORVAN, &[N, T], true)).expect(200);
    assert_eq!(id_of(updated.location()), id_of(active.location()));
}

fn without_an_active_holder_the_latest_disabled_one_is_updated(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let older = sas
        .post("/Practitioner")
        .json(&account(MORVAN, &[N], false))
        .send()
        .expect(201);
    let newer = sas
        .post("/Practitioner")
        .json(&account(PELTIER, &[N], false))
        .send()
        .expect(201);
    let updated = put_account(&sas, N, &account(PELTIER, &[N], true)).expect(200);
    assert_eq!(id_of(updated.location()), id_of(newer.location()));
    assert_ne!(id_of(updated.location()), id_of(older.location()));
}

fn an_identical_put_changes_nothing(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let body = account(MORVAN, &[N], true);
    put_account(&sas, N, &body).expect(201);
    for _ in 0..3 {
        let again = put_account(&sas, N, &body).expect(200);
        assert_eq!(again.header("ETag"), Some("W/\"1\""));
        assert!(again.location().ends_with("/_history/1"));
    }
}

/// The technical id is replaced by the national one; returns the account's id.
fn change_id(sas: &Client) -> String {
    let created = put_account(sas, T, &account(MORVAN, &[T], true)).expect(201);
    let changed = put_account(sas, T, &account(MORVAN, &[N], true)).expect(200);
    assert_eq!(id_of(created.location()), id_of(changed.location()));
    id_of(created.location())
}

fn an_id_change_can_be_replayed(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let id = change_id(&sas);
    let replayed = put_account(&sas, T, &account(MORVAN, &[N], true)).expect(200);
    assert_eq!(id_of(replayed.location()), id);
    assert_eq!(replayed.header("ETag"), Some("W/\"2\""));
    let by_new = put_account(&sas, N, &account(MORVAN, &[N], true)).expect(200);
    assert_eq!(id_of(by_new.location()), id);
    let changed_too = put_account(&sas, T, &account(PELTIER, &[N], true)).expect(200);
    assert_eq!(id_of(changed_too.location()), id);
}

fn the_old_identifier_alone_finds_the_same_person(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let id = change_id(&sas);
    let replayed = put_account(&sas, T, &account(MORVAN, &[T], true)).expect(200);
    assert_eq!(id_of(replayed.location()), id);
    assert_eq!(found(&sas, "Practitioner", T), std::slice::from_ref(&id));
    // And on by the other one, which is a past identifier by now.
    let by_national = put_account(&sas, N, &account(MORVAN, &[N], true)).expect(200);
    assert_eq!(id_of(by_national.location()), id);
}

fn another_person_may_be_given_an_old_number(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let id = change_id(&sas);
    let other = put_account(&sas, T, &account(PELTIER, &[T], true)).expect(201);
    assert_ne!(id_of(other.location()), id);
}

fn a_withdrawal_by_an_old_identifier_reaches_the_person(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let id = change_id(&sas);
    let withdrawn = put_account(&sas, T, &account(MORVAN, &[T], false)).expect(200);
    assert_eq!(id_of(withdrawn.location()), id);
    let body = withdrawn.json();
    assert_eq!(body["active"], false);
    assert_eq!(body["identifier"].as_array().unwrap().len(), 1);
    assert_eq!(body["identifier"][0]["value"], N.1);
    // Even under another name: nobody else can be meant.
    let server = context.server();
    let sas = server.client("sas");
    let id = change_id(&sas);
    let withdrawn = put_account(&sas, T, &account(PELTIER, &[T], false)).expect(200);
    assert_eq!(
        (id_of(withdrawn.location()), &withdrawn.json()["active"]),
        (id, &json!(false))
    );
}

fn a_first_put_by_an_identifier_that_the_body_lacks_can_be_replayed(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let body = account(MORVAN, &[N], true);
    let first = put_account(&sas, T, &body).expect(201);
    let again = put_account(&sas, T, &body).expect(200);
    assert_eq!(again.location(), first.location());
    assert!(found(&sas, "Practitioner", T).is_empty());
}

fn a_put_may_not_take_an_identifier_of_another_active_account(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let mine = put_account(&sas, T, &account(MORVAN, &[T], true)).expect(201);
    let theirs = put_account(&sas, N, &account(PELTIER, &[N], true)).expect(201);
    let answer = refused(
        put_account(&sas, T, &account(MORVAN, &[T, N], true)),
        422,
        "duplicate",
    );
    assert_eq!(answer.location(), theirs.location());
    let unchanged = sas
        .get(format!("/Practitioner/{}", id_of(mine.location())))
        .send()
        .expect(200);
    assert_eq!(unchanged.header("ETag"), Some("W/\"1\""));
}

fn an_account_cannot_come_back_when_its_identifier_was_taken(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    put_account(&sas, T, &account(MORVAN, &[T, N], true)).expect(201);
    put_account(&sas, T, &account(MORVAN, &[T, N], false)).expect(200);
    let taker = sas
        .post("/Practitioner")
        .json(&account(PELTIER, &[N], true))
        .send()
        .expect(201);
    let by_number = put_account(&sas, N, &account(PELTIER, &[N], true)).expect(200);
    assert_eq!(id_of(by_number.location()), id_of(taker.location()));
    refused(
        put_account(&sas, T, &account(MORVAN, &[T, N], true)),
        422,
        "duplicate",
    );
    put_account(&sas, T, &account(MORVAN, &[T], true)).expect(200);
}

fn a_withdrawal_succeeds_whatever_identifiers_it_brings(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let mine = put_account(&sas, T, &account(MORVAN, &[T], true)).expect(201);
    put_account(&sas, N, &account(PELTIER, &[N], true)).expect(201);
    let withdrawn = put_account(&sas, T, &account(MORVAN, &[N], false)).expect(200);
    assert_eq!(id_of(withdrawn.location()), id_of(mine.location()));
    assert_eq!(withdrawn.json()["active"], false);
}

fn a_withdrawal_must_still_be_valid(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    put_account(&sas, N, &account(MORVAN, &[N], true)).expect(201);
    let mut body = account(MORVAN, &[N], false);
    body.as_object_mut().unwrap().remove("telecom");
    let answer = put_account(&sas, N, &body).expect(422);
    points_at(&answer, "Practitioner.telecom");
}

fn the_body_id_means_nothing(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let first = put_account(&sas, N, &account(MORVAN, &[N], true)).expect(201);
    let mut other = account(PELTIER, &[OTHER], true);
    other["id"] = json!(id_of(first.location()));
    let second = put_account(&sas, OTHER, &other).expect(201);
    assert_ne!(id_of(first.location()), id_of(second.location()));
    let third = put_account(&sas, OTHER, &other).expect(200);
    assert_eq!(id_of(second.location()), id_of(third.location()));
    let posted = sas.post("/Practitioner").json(&{
        let mut body = account(PELTIER, &[T], true);
        body["id"] = json!(id_of(first.location()));
        body
    });
    assert_ne!(
        id_of(posted.send().expect(201).location()),
        id_of(first.location())
    );
}

fn past_identifiers_are_not_found_by_search(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let id = change_id(&sas);
    assert!(found(&sas, "Practitioner", T).is_empty());
    assert_eq!(found(&sas, "Practitioner", N), [id]);
}

fn what_was_sent_comes_back_verbatim(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let body = format!(
        r#"{{"resourceType":"Practitioner","telecom":[{{"value":"a@b.example","system":"email"}}],"meta":{{"profile":["{PROFILE}|1.2.0"],"source":"{INTRN}"}},"extension":[{{"url":"http://unknown.example/rank","valueDecimal":1.50}}],"name":[{{"given":["Ève"],"family":"O'Bryan"}}],"identifier":[{{"value":"3456780581/11242343","system":"{IDNPS}","type":{{"coding":[{{"code":"IDNPS","system":"{FR_TYPES}"}}]}}}}],"active":true}}"#
    );
    let criteria = format!("/Practitioner?identifier={IDNPS}|3456780581/11242343");
    let answer = sas
        .put(criteria)
        .header("Content-Type", "application/fhir+json")
        .body(body.clone())
        .send()
        .expect(201);
    let text = answer.text();
    let (_, sent_tail) = body.split_once(r#""telecom""#).unwrap();
    let without_meta = sent_tail.replace(
        &format!(r#""meta":{{"profile":["{PROFILE}|1.2.0"],"source":"{INTRN}"}},"#),
        "",
    );
    assert!(text.ends_with(&without_meta), "{text}");
    assert!(
        text.contains(&format!(r#""profile":["{PROFILE}|1.2.0"],"source":"{INTRN}"}}"#)),
        "{text}"
    );
    let read = sas.get(path_of(answer.location())).send().expect(200);
    assert_eq!(read.text(), text);
}

fn a_refused_put_leaves_the_account_and_its_keys_untouched(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let first = put_account(&sas, T, &account(MORVAN, &[T], true)).expect(201);
    let mut broken = account(MORVAN, &[N], true);
    broken["name"][0].as_object_mut().unwrap().remove("family");
    put_account(&sas, T, &broken).expect(422);
    assert_eq!(found(&sas, "Practitioner", T), [id_of(first.location())]);
    assert!(found(&sas, "Practitioner", N).is_empty());
    sas.post("/Practitioner")
        .json(&account(PELTIER, &[N], true))
        .send()
        .expect(201);
    refused(
        sas.post("/Practitioner")
            .json(&account(PELTIER, &[T], true))
            .send(),
        422,
        "duplicate",
    );
}

/// Every sequence of one person's requests, then all of them again in every rotation and backwards.
fn one_persons_puts_replayed_in_any_order_leave_one_account(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let mut random = context.random();
    for round in 0..12 {
        let t = (INTRN, &*format!("t-{round}"));
        let n = (IDNPS, &*format!("n-{round}"));
        // In the order in which SAS sends them: technical id, both, national id, an e-mail is not changed.
        let story = [
            (t, account(MORVAN, &[t], true)),
            (t, account(MORVAN, &[t, n], true)),
            (n, account(MORVAN, &[n], true)),
            (n, account(MORVAN, &[n], false)),
            (n, account(MORVAN, &[n], true)),
        ];
        for (by, body) in &story {
            let answer = put_account(&sas, *by, body);
            assert!(matches!(answer.status, 200 | 201), "round {round}: {answer:?}");
        }
        let id = put_account(&sas, n, &story[4].1).expect(200).id();
        let mut replay: Vec<usize> = (0..story.len()).chain(0..story.len()).collect();
        random.shuffle(&mut replay);
        for step in &replay {
            let (by, body) = &story[*step];
            let answer = put_account(&sas, *by, body);
            assert_eq!(
                (answer.status, answer.id()),
                (200, id.clone()),
                "round {round} {replay:?}: {answer:?}"
            );
        }
        for by in [t, n] {
            let last = put_account(&sas, by, &account(MORVAN, &[by], false)).expect(200);
            assert_eq!(last.id(), id, "round {round} {replay:?}");
        }
        let all = sas
            .get(format!(
                "/Practitioner?identifier=t-{round},n-{round}&active=true"
            ))
            .send()
            .expect(200)
            .json();
        assert_eq!(all["total"], 0, "round {round} {replay:?}: {all}");
    }
}

fn the_shapes_of_the_official_examples_pass_in_order(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let prefixed = (IDNPS, "3456780581/10203040");
    let rpps = (IDNPS, "810004455667");
    let technical = (INTRN, "1ec9414c-232a-6b00-b3c8-9e6bdeced846");
    let first = put_account(&sas, prefixed, &account(MORVAN, &[prefixed], true)).expect(201);
    let second = put_account(&sas, rpps, &account(PELTIER, &[rpps], true)).expect(201);
    let third = put_account(&sas, rpps, &account(PELTIER, &[rpps], false)).expect(200);
    let fourth = put_account(&sas, technical, &account(MORVAN, &[technical], true)).expect(201);
    assert_eq!(id_of(second.location()), id_of(third.location()));
    assert_ne!(id_of(first.location()), id_of(fourth.location()));
    assert!(third.location().ends_with("/_history/2"));
}

fn the_shapes_of_the_older_examples_pass(context: &Context) {
    let server = context.server();
    let sas = server.client("sas");
    let without_source = |person: Person, by: (&str, &str), code: &str, active: bool| {
        let mut body = account(person, &[by], active);
        body["meta"] = json!({ "profile": [PROFILE] });
        body["identifier"][0]["type"]["coding"][0]["code"] = json!(code);
        body
    };
    let other_system = ("urn:oid:1.2.250.1.71.4.2.2", "3456780581/10203040");
    let rpps = (IDNPS, "810004455667");
    put_account(
        &sas,
        other_system,
        &without_source(MORVAN, other_system, "IDNPS", true),
    )
    .expect(201);
    put_account(&sas, rpps, &without_source(PELTIER, rpps, "IDNPS", true)).expect(201);
    put_account(&sas, rpps, &without_source(PELTIER, rpps, "IDNPS", false)).expect(200);
}
