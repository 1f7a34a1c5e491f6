//! What no patch may do: cut partners off, take what others own, change what an account is, go where its sender may not.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, percent_encode};
use testkit::tests;

use super::patch::{FHIR_JSON, JSON_PATCH, MERGE_PATCH, deletion, json_patch, now, patch, stored};
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    r2_a_patch_does_not_cut_partners_off,
    r2_a_patch_takes_what_a_partner_wrote_beside_the_ids,
    r2_an_id_of_the_server_is_not_invented,
    x12_an_oid_spelling_in_a_patch_is_stored_canonically,
    an_owned_identifier_is_refused_to_a_patch,
    an_account_keeps_its_shape_and_class,
    a_regulators_client_does_not_patch,
    who_may_not_read_does_not_patch,
];

/// A patient that the Medicapp cloud door knows by NIR, rank and external id: its path at the FHIR door.
fn known_to_partners(context: &Context, fhir: &Client) -> String {
    let cloud = shared(context).client("medicapp-cloud");
    // Thirteen digits that no other test uses: sex, year, month, department, commune and order.
    let digits: String = unique().chars().filter(char::is_ascii_digit).collect();
    let nir = format!("18811037{digits:0>5}");
    let external = unique();
    let body = json!({
        "trustSpaceUuid": "ts_demo00000001", "firstName": "Sophie", "lastName": "Partner",
        "birthDate": "1988-11-03", "gender": "F", "externalId": external,
        "identificationKey": { "nir": nir, "rang": "01" }
    });
    cloud
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(body.to_string())
        .send()
        .expect(201);
    let system = "https://fhir-facade.example/ns/medicapp/trust-space/ts_demo00000001/external-id";
    let ids = found(fhir, "Patient", (system, &external));
    format!("/Patient/{}", ids[0])
}

/// The position of the identifier of a system that ends so.
#[track_caller]
fn position_of(resource: &Value, ending: &str) -> usize {
    let identifiers = resource["identifier"].as_array().unwrap();
    identifiers
        .iter()
        .position(|identifier| identifier["system"].as_str().unwrap().ends_with(ending))
        .unwrap_or_else(|| panic!("no {ending} in {resource}"))
}

fn r2_a_patch_does_not_cut_partners_off(context: &Context) {
    let fhir = shared_fhir(context);
    let path = known_to_partners(context, &fhir);
    let before = now(&fhir, &path);
    let place = position_of(&before, "/medicapp/nir-rang");
    let system = "https://fhir-facade.example/ns/medicapp/nir-rang";
    for (kind, body) in [
        (
            JSON_PATCH,
            json!([{ "op": "remove", "path": format!("/identifier/{place}") }]),
        ),
        (JSON_PATCH, json!([{ "op": "remove", "path": "/identifier" }])),
        (
            JSON_PATCH,
            json!([{ "op": "replace", "path": format!("/identifier/{place}/system"), "value": "urn:x" }]),
        ),
        (MERGE_PATCH, json!({ "identifier": null })),
        (
            MERGE_PATCH,
            json!({ "identifier": [{ "system": "urn:x", "value": "1" }] }),
        ),
        (
            FHIR_JSON,
            deletion(&format!("Patient.identifier.where(system='{system}')")),
        ),
        (
            FHIR_JSON,
            deletion(&format!("Patient.identifier.where(system='{system}').value")),
        ),
    ] {
        let answer = refused(patch(&fhir, &path, kind, &body).send(), 422, "business-rule");
        points_at(&answer, &format!("Patient.identifier[{place}]"));
        assert!(
            answer.issues().iter().any(|issue| issue.diagnostics == system),
            "{answer:?}"
        );
    }
    let by_number = before["identifier"][place]["value"].as_str().unwrap();
    let criteria = percent_encode(&format!("{system}|{by_number}"));
    let target = format!("/Patient?identifier={criteria}");
    refused(
        patch(&fhir, &target, MERGE_PATCH, json!({ "identifier": null })).send(),
        422,
        "business-rule",
    );
    assert_eq!(now(&fhir, &path), before);
    patch(&fhir, &target, MERGE_PATCH, json!({ "gender": "other" }))
        .send()
        .expect(200);

    // The same of the id that the patient-graph door gave.
    let graph = shared(context).client("patient-graph");
    let person = json!({ "brand_id": "demo-brand", "first_name": unique(), "last_name": "Graph" });
    let made = graph
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(person.to_string())
        .send()
        .expect(201)
        .json();
    let path = format!("/Patient/{}", made["id"].as_str().unwrap());
    let place = position_of(&now(&fhir, &path), "/patient-graph/patient-id");
    let removal = json!([{ "op": "remove", "path": format!("/identifier/{place}") }]);
    refused(json_patch(&fhir, &path, removal).send(), 422, "business-rule");
    let other = json!([{ "op": "replace", "path": format!("/identifier/{place}/value"), "value": "mine" }]);
    let answer = refused(json_patch(&fhir, &path, other).send(), 422, "business-rule");
    assert_eq!(
        answer.issues().len(),
        2,
        "one is gone and one is invented: {answer:?}"
    );
}

fn r2_a_patch_takes_what_a_partner_wrote_beside_the_ids(context: &Context) {
    let fhir = shared_fhir(context);
    let path = known_to_partners(context, &fhir);
    let place = position_of(&now(&fhir, &path), "/external-id");
    let removal = json!([{ "op": "remove", "path": format!("/identifier/{place}") }]);
    let after = json_patch(&fhir, &path, removal).send().expect(200).json();
    assert!(!after.to_string().contains("/external-id"), "{after}");

    let graph = shared(context).client("patient-graph");
    let person = json!({
        "brand_id": "demo-brand", "first_name": unique(), "last_name": "Graph",
        "metadata": { "a": 1 }, "external_ids": { "shop": unique() }
    });
    let made = graph
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(person.to_string())
        .send()
        .expect(201)
        .json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/Patient/{id}");
    let verified = json!([{ "op": "add", "path": "/extension/-", "value": {
        "url": "https://fhir-facade.example/ns/StructureDefinition/age-verified-at",
        "valueDateTime": "2026-01-01T00:00:00Z"
    } }]);
    json_patch(&fhir, &path, verified).send().expect(200);
    let seen = graph.get(format!("/patients/{id}")).send().expect(200).json();
    assert!(seen["age_verified_at"].is_string(), "{seen}");
    for name in ["metadata", "age-verified-at"] {
        let extension =
            format!("Patient.extension('https://fhir-facade.example/ns/StructureDefinition/{name}')");
        let before = now(&fhir, &path);
        assert!(
            before
                .to_string()
                .contains(&format!("StructureDefinition/{name}")),
            "{before}"
        );
        let after = patch(&fhir, &path, FHIR_JSON, deletion(&extension))
            .send()
            .expect(200)
            .json();
        assert!(
            !after.to_string().contains(&format!("StructureDefinition/{name}")),
            "{after}"
        );
    }
    let seen = graph.get(format!("/patients/{id}")).send().expect(200).json();
    assert_eq!(seen["age_verified_at"], Value::Null, "{seen}");
    assert_eq!(seen["external_ids"], made["external_ids"]);
}

fn r2_an_id_of_the_server_is_not_invented(context: &Context) {
    let fhir = shared_fhir(context);
    let (path, created) = stored(&fhir);
    for system in [
        "medicapp/patient-id",
        "patient-graph/patient-id",
        "ehealth/preperson-id",
    ] {
        let operations = json!([{ "op": "add", "path": "/identifier/-", "value": {
            "system": format!("https://fhir-facade.example/ns/{system}"), "value": unique()
        } }]);
        let answer = refused(json_patch(&fhir, &path, operations).send(), 422, "business-rule");
        points_at(&answer, "Patient.identifier[1]");
    }
    assert_eq!(now(&fhir, &path), created.json());
}

fn x12_an_oid_spelling_in_a_patch_is_stored_canonically(context: &Context) {
    const CANONICAL: &str = "https://fhir-facade.example/ns/medicapp/space/demo/external-id";
    const ALIAS: &str = "urn:oid:2.25.15322114546409131452816675141220187733";
    let fhir = shared_fhir(context);
    let (path, _) = stored(&fhir);
    let value = unique();
    let operations =
        json!([{ "op": "add", "path": "/identifier/-", "value": { "system": ALIAS, "value": value } }]);
    let after = json_patch(&fhir, &path, operations).send().expect(200).json();
    assert_eq!(after["identifier"][1]["system"], CANONICAL);
    let criteria = percent_encode(&format!("{ALIAS}|{value}"));
    let found = patch(
        &fhir,
        format!("/Patient?identifier={criteria}"),
        MERGE_PATCH,
        json!({ "active": true }),
    );
    assert_eq!(found.send().expect(200).version(), 3);
}

fn an_owned_identifier_is_refused_to_a_patch(context: &Context) {
    const OWNED: &str = "https://fhir-facade.example/ns/medicapp/space/demo/external-id";
    let fhir = shared_fhir(context);
    let value = unique();
    let owner = fhir
        .post("/Patient")
        .json(&resource("Patient", OWNED, &value))
        .send()
        .expect(201);
    let (path, created) = stored(&fhir);
    let operations =
        json!([{ "op": "add", "path": "/identifier/-", "value": { "system": OWNED, "value": value } }]);
    let answer = refused(json_patch(&fhir, &path, operations).send(), 409, "duplicate");
    assert_eq!(id_of(answer.location()), owner.id());
    assert_eq!(now(&fhir, &path), created.json());
}

fn an_account_keeps_its_shape_and_class(context: &Context) {
    let server = shared(context);
    let (sas, fhir) = (server.client("sas"), server.client("fhir"));
    let (first, second) = (unique(), unique());
    let made = sas
        .post("/Practitioner")
        .json(&account(MORVAN, &[(INTRN, &first)], true))
        .send()
        .expect(201);
    let path = format!("/Practitioner/{}", made.id());
    for (change, code, place) in [
        (json!({ "telecom": null }), "required", "Practitioner.telecom"),
        (json!({ "active": null }), "required", "Practitioner.active"),
        (
            json!({ "meta": { "profile": null, "source": null } }),
            "business-rule",
            "Practitioner.meta",
        ),
    ] {
        let answer = patch(&fhir, &path, MERGE_PATCH, &change).send();
        points_at(&refused(answer, 422, code), place);
    }
    assert_eq!(now(&fhir, &path), made.json());
    let renamed = patch(
        &fhir,
        &path,
        MERGE_PATCH,
        json!({ "telecom": [{ "system": "email", "value": "a@b.example" }] }),
    );
    assert_eq!(renamed.send().expect(200).version(), 2);
    // An identifier is held by one active account.
    let other = sas
        .post("/Practitioner")
        .json(&account(PELTIER, &[(INTRN, &second)], true))
        .send()
        .expect(201);
    let operations = json!([{ "op": "replace", "path": "/identifier/0/value", "value": second }]);
    let answer = refused(json_patch(&fhir, &path, operations).send(), 422, "duplicate");
    assert_eq!(id_of(answer.location()), other.id());
    // An ordinary one does not become an account, nor is it one that the identifier means when both bear it.
    let ordinary = fhir
        .post("/Practitioner")
        .json(&resource("Practitioner", INTRN, &first))
        .send()
        .expect(201);
    let target = format!("/Practitioner/{}", ordinary.id());
    let answer = patch(
        &fhir,
        &target,
        MERGE_PATCH,
        json!({ "meta": { "profile": [PROFILE] } }),
    )
    .send();
    assert_eq!(answer.status, 422, "{answer:?}");
    let criteria = percent_encode(&format!("{INTRN}|{first}"));
    let both = patch(
        &fhir,
        format!("/Practitioner?identifier={criteria}"),
        MERGE_PATCH,
        json!({ "gender": "male" }),
    );
    refused(both.send(), 412, "multiple-matches");
    // A withdrawal by an EHR frees the identifier, as one by SAS does.
    patch(&fhir, &path, MERGE_PATCH, json!({ "active": false }))
        .send()
        .expect(200);
    sas.post("/Practitioner")
        .json(&account(PELTIER, &[(INTRN, &first)], true))
        .send()
        .expect(201);
    let reactivated = patch(&fhir, &path, MERGE_PATCH, json!({ "active": true })).send();
    refused(reactivated, 422, "duplicate");
}

fn a_regulators_client_does_not_patch(context: &Context) {
    let sas = shared(context).client("sas");
    let number = unique();
    let made = sas
        .post("/Practitioner")
        .json(&account(MORVAN, &[(INTRN, &number)], true))
        .send()
        .expect(201);
    let criteria = percent_encode(&format!("{INTRN}|{number}"));
    for target in [
        format!("/Practitioner/{}", made.id()),
        format!("/Practitioner?identifier={criteria}"),
    ] {
        let answer = patch(&sas, target, MERGE_PATCH, json!({ "active": false })).send();
        let answer = refused(answer, 403, "forbidden");
        assert!(
            answer.issues()[0]
                .text
                .contains("PUT [base]/Practitioner?identifier"),
            "{answer:?}"
        );
    }
    refused(
        patch(&sas, "/Patient/x", MERGE_PATCH, json!({})).send(),
        403,
        "forbidden",
    );
}

fn who_may_not_read_does_not_patch(context: &Context) {
    let (server, fhir) = context.fhir();
    let (path, created) = stored(&fhir);
    for (letters, lacks) in [
        ("u", "system/Patient.r"),
        ("r", "system/Patient.u"),
        ("cds", "system/Patient.u"),
    ] {
        let id = format!("patcher-{letters}");
        let scope = format!("system/Patient.{letters}");
        let arguments = [
            "client", "add", &id, "--door", "fhir", "--space", "demo", "--scope", &scope,
        ];
        succeeds(context, &server, &arguments);
        let client = fhir_with_key(&server, &issue_key(context, &server, &id));
        let answer = refused(
            patch(&client, &path, MERGE_PATCH, json!({ "gender": "male" })).send(),
            403,
            "forbidden",
        );
        assert!(answer.issues()[0].text.contains(lacks), "{answer:?}");
    }
    assert_eq!(now(&fhir, &path), created.json());
}
