//! Key identifier systems: a value has one owner, on every write path.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::Client;
use testkit::samples::{INS_NIR_SYSTEM, Patient};
use testkit::server::Server;
use testkit::tests;
use testkit::wait::wait_for;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p13_an_owned_identifier_is_refused_on_every_write_path,
    the_same_number_untyped_or_shared_is_no_key,
    either_spelling_of_the_type_system_makes_the_key,
    a_deleted_owner_frees_its_identifier,
    a_revival_whose_identifier_was_taken_is_refused,
    an_owner_may_keep_change_and_drop_its_identifier,
    another_key_of_the_body_decides_as_well,
    a_declared_key_system_is_enforced,
    a_key_system_whose_identifiers_were_stored_unchecked_is_refused,
    an_inactive_resource_owns_no_active_key,
    the_owner_is_not_told_to_who_may_not_see_it,
    p10_everything_else_is_never_unique,
];

/// A NIR that no other test uses, with its right key.
fn nir() -> String {
    let number: String = unique().chars().filter(char::is_ascii_digit).collect();
    Patient::new(1_000_000 + number.parse::<u64>().unwrap()).nir
}

fn typed(number: &str, type_system: &str, code: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{
            "type": { "coding": [{ "system": type_system, "code": code }] },
            "system": INS_NIR_SYSTEM,
            "value": number
        }],
        "name": [{ "family": "Ordinaire" }]
    })
}

fn ins(number: &str) -> Value {
    typed(
        number,
        "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203",
        "INS-NIR",
    )
}

#[track_caller]
fn taken(answer: testkit::http::Response, owner: &str) {
    let answer = refused(answer, 409, "duplicate");
    assert_eq!(id_of(answer.location()), owner, "{answer:?}");
}

fn p13_an_owned_identifier_is_refused_on_every_write_path(context: &Context) {
    let fhir = shared_fhir(context);
    let number = nir();
    let owner = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    let other = fhir
        .post("/Patient")
        .json(&patient(&unique()))
        .send()
        .expect(201)
        .id();
    let own = unique();
    taken(fhir.post("/Patient").json(&ins(&number)).send(), &owner);
    let unrelated = fhir.post("/Patient").header("If-None-Exist", by_local(&unique()));
    taken(unrelated.json(&ins(&number)).send(), &owner);
    taken(
        fhir.put(format!("/Patient/{own}"))
            .json(&with(ins(&number), "id", json!(own)))
            .send(),
        &owner,
    );
    taken(
        fhir.put(format!("/Patient/{other}"))
            .json(&with(ins(&number), "id", json!(other)))
            .send(),
        &owner,
    );
    taken(
        fhir.put(format!("/Patient?{}", by_local(&unique())))
            .json(&ins(&number))
            .send(),
        &owner,
    );
    assert_eq!(found(&fhir, "Patient", (INS_NIR_SYSTEM, &number)), [owner]);
    assert_eq!(
        fhir.get(format!("/Patient/{other}")).send().expect(200).version(),
        1
    );
    refused(fhir.get(format!("/Patient/{own}")).send(), 404, "not-found");
    // The conditional forms on the number itself find their owner instead.
    put_by(&fhir, "Patient", (INS_NIR_SYSTEM, &number), &ins(&number)).expect(200);
}

fn the_same_number_untyped_or_shared_is_no_key(context: &Context) {
    let fhir = shared_fhir(context);
    let number = nir();
    let v2 = "http://terminology.hl7.org/CodeSystem/v2-0203";
    fhir.post("/Patient").json(&ins(&number)).send().expect(201);
    let relatives = [
        resource("Patient", INS_NIR_SYSTEM, &number),
        typed(&number, v2, "NH"),
        typed(&number, "urn:oid:1.2.3", "INS-NIR"),
        typed(
            &number,
            "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203",
            "INS-NIA",
        ),
    ];
    for relative in &relatives {
        fhir.post("/Patient").json(relative).send().expect(201);
    }
    assert_eq!(found(&fhir, "Patient", (INS_NIR_SYSTEM, &number)).len(), 5);
    refused(
        put_by(&fhir, "Patient", (INS_NIR_SYSTEM, &number), &relatives[0]),
        412,
        "multiple-matches",
    );
}

fn either_spelling_of_the_type_system_makes_the_key(context: &Context) {
    let fhir = shared_fhir(context);
    let number = nir();
    let owner = fhir
        .post("/Patient")
        .json(&typed(&number, FR_TYPES, "INS-NIR"))
        .send()
        .expect(201)
        .id();
    taken(fhir.post("/Patient").json(&ins(&number)).send(), &owner);
    let mut several = ins(&number);
    several["identifier"][0]["type"]["coding"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({ "code": "first" }));
    taken(fhir.post("/Patient").json(&several).send(), &owner);
}

fn a_deleted_owner_frees_its_identifier(context: &Context) {
    let fhir = shared_fhir(context);
    let number = nir();
    let owner = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    fhir.delete(format!("/Patient/{owner}")).send().expect(204);
    let next = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    taken(fhir.post("/Patient").json(&ins(&number)).send(), &next);
}

fn a_revival_whose_identifier_was_taken_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let number = nir();
    let first = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    let path = format!("/Patient/{first}");
    fhir.delete(&path).send().expect(204);
    let second = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    taken(
        fhir.put(&path)
            .json(&with(ins(&number), "id", json!(first)))
            .send(),
        &second,
    );
    refused(fhir.get(&path).send(), 410, "deleted");
    fhir.delete(format!("/Patient/{second}")).send().expect(204);
    fhir.put(&path)
        .json(&with(ins(&number), "id", json!(first)))
        .send()
        .expect(201);
}

fn an_owner_may_keep_change_and_drop_its_identifier(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, other) = (nir(), nir());
    let owner = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    let put = |body: Value| {
        fhir.put(format!("/Patient/{owner}"))
            .json(&with(body, "id", json!(owner)))
            .send()
    };
    put(with(ins(&number), "active", json!(true))).expect(200);
    put(ins(&other)).expect(200);
    // Free again, and the new one is owned.
    let next = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    taken(fhir.post("/Patient").json(&ins(&other)).send(), &owner);
    taken(put(ins(&number)), &next);
    put(patient(&unique())).expect(200);
    fhir.post("/Patient").json(&ins(&other)).send().expect(201);
}

fn another_key_of_the_body_decides_as_well(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, other) = (nir(), nir());
    let owner = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    let mut both = ins(&other);
    both["identifier"]
        .as_array_mut()
        .unwrap()
        .push(ins(&number)["identifier"][0].clone());
    taken(fhir.post("/Patient").json(&both).send(), &owner);
    taken(put_by(&fhir, "Patient", (INS_NIR_SYSTEM, &other), &both), &owner);
    assert!(found(&fhir, "Patient", (INS_NIR_SYSTEM, &other)).is_empty());
}

/// A server on which `system` has been declared; waits until it is in force.
fn declared(context: &Context, system: &str, unique_among: &str) -> (Server, Client) {
    let (server, fhir) = context.fhir();
    let arguments = [
        "key-system",
        "add",
        system,
        "--resource",
        "Patient",
        "--unique",
        unique_among,
    ];
    succeeds(context, &server, &arguments);
    let mut attempt = 0;
    wait_for(Duration::from_secs(10), "the key system to be in force", || {
        attempt += 1;
        let probe = resource("Patient", system, &format!("probe-{attempt}"));
        let first = fhir.post("/Patient").json(&probe).send().expect(201);
        let second = fhir.post("/Patient").json(&probe).send();
        fhir.delete(format!("/Patient/{}", first.id())).send().expect(204);
        (second.status == 409).then_some(())
    });
    (server, fhir)
}

fn a_key_system_whose_identifiers_were_stored_unchecked_is_refused(context: &Context) {
    let (server, fhir) = context.fhir();
    let stored = "https://hospital.example/unit/9/ipp";
    for _ in 0..2 {
        let body = resource("Patient", stored, "7");
        fhir.post("/Patient").json(&body).send().expect(201);
    }
    for system in [stored, "https://hospital.example/unit/*/ipp"] {
        let output = passerelle(
            context,
            &server,
            &["key-system", "add", system, "--resource", "Patient"],
        );
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{system}: {output:?}");
        assert!(
            text.contains(stored) && text.contains("before the first"),
            "{text}"
        );
    }
    // Another type carries none of them.
    succeeds(
        context,
        &server,
        &["key-system", "add", stored, "--resource", "Practitioner"],
    );
}

fn a_declared_key_system_is_enforced(context: &Context) {
    let system = "https://hospital.example/ipp";
    let (server, fhir) = declared(context, system, "live");
    let first = fhir
        .post("/Patient")
        .json(&resource("Patient", system, "7"))
        .send()
        .expect(201);
    taken(
        fhir.post("/Patient")
            .json(&resource("Patient", system, "7"))
            .send(),
        &first.id(),
    );
    let inactive = with(resource("Patient", system, "7"), "active", json!(false));
    taken(fhir.post("/Patient").json(&inactive).send(), &first.id());
    // Another type, another value, another system: nobody's.
    fhir.post("/Practitioner")
        .json(&resource("Practitioner", system, "7"))
        .send()
        .expect(201);
    fhir.post("/Patient")
        .json(&resource("Patient", system, "07"))
        .send()
        .expect(201);
    fhir.post("/Patient")
        .json(&resource("Patient", "https://hospital.example/ipp/", "7"))
        .send()
        .expect(201);
    let listed = succeeds(context, &server, &["key-system", "list"]);
    assert!(
        listed.contains(system) && listed.contains(INS_NIR_SYSTEM),
        "{listed}"
    );
}

fn an_inactive_resource_owns_no_active_key(context: &Context) {
    let system = "https://hospital.example/badge";
    let (_server, fhir) = declared(context, system, "active");
    let body = |active: bool| with(resource("Patient", system, "7"), "active", json!(active));
    let first = fhir.post("/Patient").json(&body(true)).send().expect(201).id();
    let path = format!("/Patient/{first}");
    let inactive = fhir.post("/Patient").json(&body(false)).send().expect(201).id();
    taken(fhir.post("/Patient").json(&body(true)).send(), &first);
    // No `active` counts as active.
    taken(
        fhir.post("/Patient")
            .json(&resource("Patient", system, "7"))
            .send(),
        &first,
    );
    fhir.put(&path)
        .json(&with(body(false), "id", json!(first)))
        .send()
        .expect(200);
    let second = fhir.post("/Patient").json(&body(true)).send().expect(201).id();
    taken(
        fhir.put(&path).json(&with(body(true), "id", json!(first))).send(),
        &second,
    );
    taken(
        fhir.put(format!("/Patient/{inactive}"))
            .json(&with(body(true), "id", json!(inactive)))
            .send(),
        &second,
    );
}

fn the_owner_is_not_told_to_who_may_not_see_it(context: &Context) {
    let (server, fhir) = context.fhir();
    let number = nir();
    let owner = fhir.post("/Patient").json(&ins(&number)).send().expect(201).id();
    let arguments = [
        "client",
        "add",
        "writer",
        "--space",
        "demo",
        "--door",
        "fhir",
        "--scope",
        "system/Patient.c",
    ];
    succeeds(context, &server, &arguments);
    let key = issue_key(context, &server, "writer");
    let writer = fhir_with_key(&server, &key);
    let answer = refused(
        writer.post("/Patient").json(&ins(&number)).send(),
        409,
        "duplicate",
    );
    assert!(answer.header("Location").is_none(), "{answer:?}");
    assert!(!answer.text().contains(&owner), "{answer:?}");
}

fn p10_everything_else_is_never_unique(context: &Context) {
    let fhir = shared_fhir(context);
    let rpps = "https://rpps.esante.gouv.fr";
    for (kind, system) in [
        ("Practitioner", IDNPS),
        ("Practitioner", rpps),
        ("Patient", "urn:oid:1.2.250.1.213.1.4.13"),
    ] {
        let number = nir();
        for _ in 0..2 {
            fhir.post(format!("/{kind}"))
                .json(&resource(kind, system, &number))
                .send()
                .expect(201);
        }
        assert_eq!(found(&fhir, kind, (system, &number)).len(), 2);
        refused(
            put_by(&fhir, kind, (system, &number), &resource(kind, system, &number)),
            412,
            "multiple-matches",
        );
    }
}
