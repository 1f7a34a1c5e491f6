//! Mutants of what partners send at each of their doors.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Failure, Response};
use testkit::{mutate, tests};

use super::{GROWTH_KIB, memory_kib};

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    t12_mutated_bodies_at_the_patient_graph_door_are_answered,
    t12_mutated_bodies_at_the_ehealth_door_are_answered,
    t12_mutated_bodies_at_the_cloud_door_are_answered,
    t12_mutated_bodies_at_the_connect_door_are_answered,
];

/// Mutants per door and database: ten thousand of each door on two databases.
const ROUNDS: u64 = 5_000;

/// What is wrong with an answer.
fn fault(answer: &Result<Response, Failure>, has_shape: fn(&Value) -> bool) -> Option<String> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return Some(format!("no answer: {failure}")),
    };
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let is_good = match answer.status {
        200 | 201 => body.is_some_and(|body| body.get("error").is_none()),
        400..500 => body.is_some_and(|body| has_shape(&body)),
        _ => false,
    };
    (!is_good).then(|| format!("{answer:?}"))
}

fn bombard(
    context: &Context,
    corpus: &[Value],
    door: fn(&testkit::server::Server) -> Client,
    call: fn(&Client, u64) -> testkit::http::Request<'_>,
    has_shape: fn(&Value) -> bool,
) {
    let mut server = context.server();
    let client = door(&server);
    let corpus: Vec<Vec<u8>> = corpus.iter().map(|body| body.to_string().into_bytes()).collect();
    let send = |seed: u64| {
        let mutant = mutate::json(seed, &corpus[seed as usize % corpus.len()]);
        let request = call(&client, seed).header("Content-Type", "application/json");
        (request.body(mutant.clone()).try_send(), mutant)
    };
    // The first requests make caches and pools: they are no growth.
    for seed in 0..50 {
        let _ = send(1_000_000 + seed);
    }
    let before = memory_kib(&server, "VmRSS");
    let (mut wrong, mut refused, mut taken) = (Vec::new(), 0, 0);
    for seed in 0..ROUNDS {
        let (answer, mutant) = send(seed);
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        refused += u64::from(status >= 400);
        taken += u64::from(status == 200 || status == 201);
        if let Some(fault) = fault(&answer, has_shape) {
            wrong.push(format!(
                "seed {seed}: {}\n{fault}",
                String::from_utf8_lossy(&mutant)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} mutants, such as {}", wrong.len(), wrong[0]);
    // Most are refused and some are taken, or they would show nothing.
    assert!(
        refused * 10 > ROUNDS && taken * 100 > ROUNDS,
        "{refused} refused, {taken} taken"
    );
    assert!(server.is_running());
    let growth = memory_kib(&server, "VmRSS").saturating_sub(before);
    assert!(growth < GROWTH_KIB, "grown by {growth} KiB");
    // Whatever was taken can be read by everybody.
    let fhir = server.client("fhir");
    fhir.get("/Patient?_count=100&_total=accurate").send().expect(200);
    let graph = server.client("patient-graph");
    graph
        .get("/patients?brand_id=demo-brand&limit=100")
        .send()
        .expect(200);
    server
        .client("medicapp-connect")
        .get("/patients?per_page=100")
        .send()
        .expect(200);
}

fn t12_mutated_bodies_at_the_patient_graph_door_are_answered(context: &Context) {
    let corpus = [
        json!({ "brand_id": "demo-brand", "first_name": "A", "last_name": "B" }),
        json!({
            "brand_id": "demo-brand", "first_name": "Ада", "last_name": "Lovelace", "date_of_birth": "1988-02-29",
            "gender": "Non-Binary", "email": "ada@example.org", "phone": "+33612345678",
            "external_ids": { "shop": "1", "a/b c": "", "ключ": "3" },
            "metadata": { "a": 1.50, "b": [null, true, { "c": "\u{1F984}" }], "": -0.0 }
        }),
        json!({
            "brand_id": "demo-brand", "first_name": "e\u{301}", "last_name": "\u{200f}\u{5d0}", "gender": "",
            "phone": "", "external_ids": {}, "metadata": {}
        }),
    ];
    bombard(
        context,
        &corpus,
        |server| server.client("patient-graph"),
        |client, _| client.post("/patients"),
        |body| body.as_object().is_some_and(|body| body.len() == 2) && body["message"].is_string(),
    );
}

/// The envelope of both Medicapp doors.
fn has_medicapp_shape(body: &Value) -> bool {
    let error = &body["error"];
    error.as_object().is_some_and(|error| error.len() == 4)
        && error["code"].is_string()
        && error["status"].is_u64()
}

/// What a cloud or connect partner sends, with and without what is optional.
fn medicapp_corpus() -> [Value; 3] {
    [
        json!({
            "trustSpaceUuid": "ts_demo00000001", "firstName": "Sophie", "lastName": "Bernard",
            "birthDate": "1988-11-03", "gender": "F", "phone": "+33612345678", "email": "s@example.org",
            "externalId": "EMP-4821", "identificationKey": { "nir": "1881103750016", "rang": "01" },
            "address": { "street": "12 rue X\nBât B", "city": "Paris", "postalCode": "75002", "country": "FR" }
        }),
        json!({
            "trustSpaceUuid": "ts_demo00000001", "firstName": "e\u{301}", "lastName": "\u{200f}\u{5d0}",
            "birthDate": "2000-02-29", "gender": "M", "identificationKey": { "nir": "185052A00412356" }
        }),
        json!({
            "trustSpaceUuid": "ts_demo00000001", "firstName": "A", "lastName": "B", "birthDate": "1980-01-01",
            "gender": "M", "email": null, "phone": null, "externalId": null, "address": null
        }),
    ]
}

/// Somebody to change at either Medicapp door.
const MEDICAPP_TARGET: &str = "pat_0123456789abcdef";

fn medicapp_door(server: &testkit::server::Server, door: &str) -> Client {
    let body = json!({
        "resourceType": "Patient", "name": [{ "use": "official", "family": "Bernard", "given": ["Sophie", "Anne"] }],
        "gender": "female", "birthDate": "1988-11-03",
        "identifier": [{ "system": "https://fhir-facade.example/ns/medicapp/patient-id", "value": MEDICAPP_TARGET }]
    });
    server
        .client("fhir")
        .post("/Patient")
        .json(&body)
        .send()
        .expect(201);
    server.client(door)
}

fn medicapp_call(client: &Client, seed: u64) -> testkit::http::Request<'_> {
    match seed % 8 {
        0..4 => client.post("/patients"),
        _ => client.put(format!("/patients/{MEDICAPP_TARGET}")),
    }
}

fn t12_mutated_bodies_at_the_cloud_door_are_answered(context: &Context) {
    bombard(
        context,
        &medicapp_corpus(),
        |server| medicapp_door(server, "medicapp-cloud"),
        medicapp_call,
        has_medicapp_shape,
    );
}

fn t12_mutated_bodies_at_the_connect_door_are_answered(context: &Context) {
    bombard(
        context,
        &medicapp_corpus(),
        |server| medicapp_door(server, "medicapp-connect"),
        medicapp_call,
        has_medicapp_shape,
    );
}

fn t12_mutated_bodies_at_the_ehealth_door_are_answered(context: &Context) {
    const TARGET: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    let contact = json!({ "first_name": "Петро", "last_name": "Іванов", "second_name": "М", "phones": [
        { "type": "MOBILE", "number": "+380503410870" }, { "type": "LAND_LINE", "number": "+380442000000" }
    ] });
    let corpus = [
        json!({ "external_id": "1", "gender": "MALE" }),
        json!({
            "external_id": "#1234-FDS-ab", "first_name": "Петро", "last_name": "О'Ніл-Гнатюк", "second_name": "М",
            "gender": "FEMALE", "birth_date": "1980-02-29", "emergency_contact": contact, "note": "Tall.\nThin."
        }),
        json!({ "external_id": "2", "gender": "MALE", "death_date": "2018-11-11", "birth_date": "1980-01-01" }),
        json!({ "emergency_contact": contact, "second_name": "Миколайович" }),
    ];
    bombard(
        context,
        &corpus,
        |server| {
            // Somebody to change, who takes the form that the changes of earlier mutants gave.
            let body = json!({
                "resourceType": "Patient", "id": TARGET, "gender": "male",
                "extension": [{
                    "url": "https://fhir-facade.example/ns/StructureDefinition/patient-identification-status",
                    "valueCode": "unidentified"
                }]
            });
            let path = format!("/Patient/{TARGET}");
            server.client("fhir").put(path).json(&body).send().expect(201);
            crate::partner::ehealth::door(server)
        },
        |client, seed| match seed % 8 {
            0..4 => client.post("/prepersons"),
            _ => client.patch(format!("/prepersons/{TARGET}")),
        },
        |body| {
            let meta = &body["meta"];
            meta["code"].is_u64() && meta["request_id"].is_string() && body["error"]["type"].is_string()
        },
    );
}
