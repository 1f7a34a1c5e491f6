//! Mutants of what partners send, at their doors. A door is a row of [`DOORS`].

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::server::{Backend, Server};
use testkit::{mutate, tests};

use super::mutations::bombard_with;
use super::{connection, may_be_no_http};

pub const TESTS: &[Test] = tests![
    t12_mutated_bodies_at_the_cloud_door_are_answered,
    t12_mutated_bodies_at_the_connect_door_are_answered,
    t12_mutated_bodies_at_the_patient_graph_door_are_answered,
    t12_mutated_bodies_at_the_ehealth_door_are_answered,
    t12_mutated_queries_at_the_partner_doors_are_answered,
];

/// Mutated bodies per door: ten thousand on both databases together.
fn bodies(context: &Context) -> u64 {
    match context.backend() {
        Backend::Sqlite => 7000,
        Backend::Postgres => 3000,
    }
}

/// Where mutants are sent and what they are made of.
struct Door {
    name: &'static str,
    /// What makes a resource, and where the answer says its id.
    create: (&'static str, &'static str),
    bodies: fn() -> Vec<Value>,
    /// Verb, and path with `{id}` for a resource that there is.
    writes: &'static [(&'static str, &'static str)],
    queries: &'static [&'static str],
    is_refusal: fn(&Response) -> bool,
}

const CLOUD: Door = Door {
    name: "medicapp-cloud",
    create: ("/patients", "/patientUuid"),
    bodies: || {
        vec![
            json!({
                "trustSpaceUuid": "ts_demo00000001", "firstName": "Sophie", "lastName": "Bernard",
                "birthDate": "1988-11-03", "gender": "F", "phone": "+33612345678", "email": "s@example.org",
                "externalId": "EMP-4821", "identificationKey": { "nir": "1881103750016", "rang": "01" }
            }),
            json!({
                "phone": null, "email": "né@exämple.org", "externalId": "\u{1f469}\u{200d}\u{1f467}",
                "identificationKey": { "nir": "285052B03300755" }, "lastName": "Bernard"
            }),
            json!({
                "trustSpaceUuid": "ts_demo00000001", "firstName": "E\u{301}lodie", "lastName": "d'Or",
                "birthDate": "2000-02-29", "gender": "U"
            }),
        ]
    },
    writes: &[("POST", "/patients"), ("PUT", "/patients/{id}")],
    queries: &[
        "trustSpaceUuid=ts_demo00000001&externalId=EMP-4821",
        "trustSpaceUuid=ts_demo00000001&nir=188110375001686&rang=01",
    ],
    is_refusal: is_medicapp_refusal,
};

const CONNECT: Door = Door {
    name: "medicapp-connect",
    create: ("/patients", "/id"),
    bodies: || {
        vec![
            json!({
                "firstName": "Marie", "lastName": "Martin", "birthDate": "1990-07-22", "gender": "F",
                "email": "marie.martin@email.fr", "phone": "+33698765432", "externalId": "IPP-2025-0108",
                "address": { "street": "12 rue X\nBât B", "city": "Paris", "postalCode": "75002", "country": "FR" }
            }),
            json!({ "address": { "street": null, "city": "" }, "email": null, "gender": "O", "firstName": "Zoé" }),
            json!({ "firstName": "A", "lastName": "B", "birthDate": "1990-07-22", "address": null }),
        ]
    },
    writes: &[("POST", "/patients"), ("PUT", "/patients/{id}")],
    queries: &[
        "page=1&per_page=20&template=FHIR",
        "created_after=2024-01-15T09:30:00%2B01:00&modified_after=2024-01-15&page=2&per_page=1",
    ],
    is_refusal: is_medicapp_refusal,
};

const PATIENT_GRAPH: Door = Door {
    name: "patient-graph",
    create: ("/patients", "/id"),
    bodies: || {
        vec![
            json!({
                "brand_id": "demo-brand", "first_name": "Ada", "last_name": "Graph", "date_of_birth": "1990-07-22",
                "gender": "Non-Binary", "phone": "call me", "external_ids": { "shop": "1", "a/b c": "ключ" },
                "metadata": { "a": 1.5, "b": [null, { "c": "é" }], "__proto__": {} }
            }),
            json!({ "brand_id": "demo-brand", "first_name": "A", "last_name": "B", "email": "a@example.org" }),
        ]
    },
    writes: &[("POST", "/patients")],
    queries: &["brand_id=demo-brand&limit=20&offset=1"],
    is_refusal: |answer| {
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let keys = body
            .as_object()
            .map(|body| body.keys().cloned().collect::<Vec<_>>());
        keys.is_some_and(|keys| keys == ["error", "message"])
    },
};

const EHEALTH: Door = Door {
    name: "ehealth",
    create: ("/prepersons", "/data/id"),
    bodies: || {
        vec![
            json!({
                "external_id": "#1234-FDS-ab", "first_name": "Петро", "last_name": "Іванов", "second_name": "Миколайович",
                "gender": "MALE", "birth_date": "1980-01-01", "note": "знайдено",
                "emergency_contact": {
                    "first_name": "Ніна", "last_name": "Іванова",
                    "phones": [{ "type": "MOBILE", "number": "+380503410870" }]
                }
            }),
            json!({ "external_id": "1", "gender": "FEMALE", "birth_date": "1980-01-01" }),
        ]
    },
    writes: &[("POST", "/prepersons"), ("PATCH", "/prepersons/{id}")],
    queries: &[],
    is_refusal: |answer| {
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        body["meta"]["code"] == answer.status && body["error"]["type"].is_string()
    },
};

fn is_medicapp_refusal(answer: &Response) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return false;
    };
    let error = &body["error"];
    error["status"] == answer.status
        && error["code"].is_string()
        && error["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
        && error["requestId"].as_str() == answer.header("X-Request-Id")
}

impl Door {
    /// A resource that writes can mean.
    fn made(&self, client: &Client, server: &Server) -> String {
        let (path, id) = self.create;
        let body = (self.bodies)().swap_remove(0);
        let request = client.post(path).header("Content-Type", "application/json");
        let made = request.body(body.to_string()).send().expect(201).json();
        made.pointer(id)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{} gave no id: {made}", server.base()))
            .to_owned()
    }

    fn client(&self, server: &Server) -> Client {
        let client = server.client(self.name);
        match server.credential(self.name).entry["api_key"].as_str() {
            Some(key) => client.with_header("API-key", key),
            None => client,
        }
    }

    fn send_bodies(&self, context: &Context) {
        let mut server = context.server();
        let client = self.client(&server);
        let id = self.made(&client, &server);
        let corpus: Vec<Vec<u8>> = (self.bodies)()
            .iter()
            .map(|body| body.to_string().into_bytes())
            .collect();
        bombard_with(bodies(context), self.is_refusal, &mut server, |seed| {
            let place = seed as usize;
            let mutant = mutate::json(seed, &corpus[place % corpus.len()]);
            let (verb, path) = self.writes[place / corpus.len() % self.writes.len()];
            let request = client
                .request(verb, path.replace("{id}", &id))
                .header("Content-Type", "application/json");
            (request.body(mutant.clone()).try_send(), mutant, false)
        });
    }

    fn send_queries(&self, context: &Context, server: &mut Server) {
        let client = self.client(server);
        self.made(&client, server);
        bombard_with(bodies(context) / 7, self.is_refusal, server, |seed| {
            let mutant = mutate::query(seed, self.queries[seed as usize % self.queries.len()]);
            let bare = may_be_no_http(&mutant);
            let client = connection(&client, bare);
            let target = [self.create.0.as_bytes(), b"?", &mutant].concat();
            (client.get(target).try_send(), mutant, bare)
        });
    }
}

fn t12_mutated_bodies_at_the_cloud_door_are_answered(context: &Context) {
    CLOUD.send_bodies(context);
}

fn t12_mutated_bodies_at_the_connect_door_are_answered(context: &Context) {
    CONNECT.send_bodies(context);
}

fn t12_mutated_bodies_at_the_patient_graph_door_are_answered(context: &Context) {
    PATIENT_GRAPH.send_bodies(context);
}

fn t12_mutated_bodies_at_the_ehealth_door_are_answered(context: &Context) {
    EHEALTH.send_bodies(context);
}

fn t12_mutated_queries_at_the_partner_doors_are_answered(context: &Context) {
    let mut server = context.server();
    for door in [CLOUD, CONNECT, PATIENT_GRAPH] {
        door.send_queries(context, &mut server);
    }
}
