//! `passerelle export`, and the way from one server to another.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::Stdio;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::server::{Content, Server};
use testkit::tests;

use super::import::imported;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    an_export_is_what_is_stored_in_order_of_creation,
    a_closed_pipe_ends_an_export_quietly,
    a_merged_pair_is_carried_over_whoever_comes_first,
    x13_after_export_and_import_every_door_answers_the_same,
];

const PATIENT_ID: &str = "https://fhir-facade.example/ns/medicapp/patient-id";

/// What is exported of the space of a server.
#[track_caller]
pub fn exported(context: &Context, server: &Server, arguments: &[&str]) -> String {
    let arguments = [&["export", "--space", "demo"][..], arguments].concat();
    succeeds(context, server, &arguments)
}

fn parsed(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("one resource a line"))
        .collect()
}

fn an_export_is_what_is_stored_in_order_of_creation(context: &Context) {
    const PEOPLE: usize = 1_100;
    let (server, fhir) = context.fhir();
    let born: String = (0..PEOPLE)
        .map(|number| format!("{}\n", patient(&number.to_string())))
        .collect();
    imported(context, &server, &["--from", "fhir", "--at-once", "1"], &born);
    let first = found(&fhir, "Patient", (LOCAL, "0")).remove(0);
    let gone = found(&fhir, "Patient", (LOCAL, "7")).remove(0);
    fhir.delete(format!("/Patient/{gone}")).send();
    let mut edited = fhir.get(format!("/Patient/{first}")).send().expect(200).json();
    edited["gender"] = json!("female");
    let stored = fhir
        .put(format!("/Patient/{first}"))
        .json(&edited)
        .send()
        .expect(200)
        .json();
    fhir.post("/Practitioner")
        .json(&json!({ "resourceType": "Practitioner", "active": true }))
        .send()
        .expect(201);

    let everybody = parsed(&exported(context, &server, &[]));
    assert_eq!(everybody.len(), PEOPLE - 1);
    let order: Vec<&str> = everybody
        .iter()
        .map(|one| one["identifier"][0]["value"].as_str().expect("a number"))
        .collect();
    let expected: Vec<String> = (0..PEOPLE)
        .filter(|number| *number != 7)
        .map(|number| number.to_string())
        .collect();
    assert_eq!(order, expected);
    // The id for the Medicapp doors stands beside the resource; in an export it stands in it.
    let listed = server
        .client("medicapp-connect")
        .get("/patients?per_page=1")
        .send()
        .expect(200)
        .json();
    let mut shown = everybody[0].clone();
    let id = shown["identifier"].as_array_mut().expect("a list").pop();
    assert_eq!(
        id,
        Some(json!({ "use": "usual", "system": PATIENT_ID, "value": listed["data"][0]["id"] }))
    );
    assert_eq!(shown, stored);
    let practitioners = parsed(&exported(context, &server, &["--resource", "Practitioner"]));
    assert_eq!(practitioners.len(), 1);
    assert_eq!(practitioners[0]["resourceType"], "Practitioner");
}

fn a_closed_pipe_ends_an_export_quietly(context: &Context) {
    let server = context.server();
    let born: String = (0..1_000)
        .map(|number| format!("{}\n", patient(&number.to_string())))
        .collect();
    imported(context, &server, &["--from", "fhir"], &born);
    let mut child = command(context)
        .args(["export", "--space", "demo"])
        .env("PASSERELLE_DATABASE", database_of(&server))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let mut told = String::new();
    let mut stderr = child.stderr.take().expect("piped");
    stderr.read_to_string(&mut told).expect("UTF-8");
    assert!(child.wait().expect("it ends").success(), "{told}");
    assert_eq!(told, "");
}

/// The doors of a server.
struct Doors {
    fhir: Client,
    cloud: Client,
    connect: Client,
    graph: Client,
    ehealth: Client,
}

impl Doors {
    fn of(server: &Server) -> Doors {
        let key = server.credential("ehealth").entry["api_key"]
            .as_str()
            .expect("a key")
            .to_owned();
        Doors {
            fhir: server.client("fhir"),
            cloud: server.client("medicapp-cloud"),
            connect: server.client("medicapp-connect"),
            graph: server.client("patient-graph"),
            ehealth: server.client("ehealth").with_header("API-key", key),
        }
    }

    /// What every door says of everybody, in lists and one by one, without what an import does not carry.
    fn everything(&self, patients: &[Value]) -> BTreeMap<String, (u16, Value)> {
        let mut said = BTreeMap::new();
        let mut note = |door: &str, client: &Client, target: String| {
            let answer = client.get(&target).send();
            let body = if answer.body.is_empty() {
                Value::Null
            } else {
                answer.json()
            };
            said.insert(format!("{door} {target}"), (answer.status, carried(body)));
        };
        for patient in patients {
            let id = patient["id"].as_str().expect("an id");
            let identifiers = patient["identifier"].as_array().expect("identifiers");
            let medicapp = identifiers.iter().find(|one| one["system"] == PATIENT_ID);
            let medicapp = medicapp.expect("an id for Medicapp")["value"]
                .as_str()
                .expect("a text");
            note("fhir", &self.fhir, format!("/Patient/{id}"));
            note("cloud", &self.cloud, format!("/patients/{medicapp}"));
            note("connect", &self.connect, format!("/patients/{medicapp}"));
            note("graph", &self.graph, format!("/patients/{id}"));
            note("graph", &self.graph, format!("/patients/{id}/safe"));
            note("ehealth", &self.ehealth, format!("/prepersons/{id}"));
        }
        for page in 1..=patients.len().div_ceil(10) {
            note(
                "connect",
                &self.connect,
                format!("/patients?per_page=10&page={page}"),
            );
            let offset = (page - 1) * 10;
            let list = format!("/patients?brand_id=demo-brand&limit=10&offset={offset}");
            note("graph", &self.graph, list);
        }
        note(
            "cloud",
            &self.cloud,
            "/patients?trustSpaceUuid=ts_demo00000001&externalId=SAL-1".to_owned(),
        );
        said
    }
}

/// An answer without times, records, authors and what is said of the request; of FHIR, without the id that was beside the
/// resource and is in it now.
fn a_merged_pair_is_carried_over_whoever_comes_first(context: &Context) {
    let (old, fhir) = context.fhir();
    let post = |number: &str| {
        id_of(
            fhir.post("/Patient")
                .json(&patient(number))
                .send()
                .expect(201)
                .location(),
        )
    };
    // Who is replaced is older, and names the survivor by an identifier.
    let (subsumed, survivor) = (post("old"), post("new"));
    let mut body = fhir.get(format!("/Patient/{subsumed}")).send().expect(200).json();
    body["active"] = json!(false);
    body["link"] =
        json!([{ "other": { "identifier": { "system": LOCAL, "value": "new" } }, "type": "replaced-by" }]);
    fhir.put(format!("/Patient/{subsumed}"))
        .json(&body)
        .send()
        .expect(200);
    let lines = exported(context, &old, &[]);
    let (new, moved) = context.fhir();
    imported(context, &new, &["--from", "fhir", "--at-once", "1"], &lines);
    for id in [&subsumed, &survivor] {
        let link =
            |client: &Client| client.get(format!("/Patient/{id}")).send().expect(200).json()["link"].clone();
        assert_eq!(link(&moved), link(&fhir), "{id}");
        assert!(link(&moved).is_array());
    }
}

fn carried(mut value: Value) -> Value {
    const NOT_CARRIED: [&str; 14] = [
        "createdAt",
        "modifiedAt",
        "recordsCount",
        "records",
        "created_at",
        "updated_at",
        "inserted_at",
        "inserted_by",
        "updated_by",
        "lastUpdated",
        "versionId",
        "url",
        "request_id",
        "message",
    ];
    match &mut value {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = carried(item.take())),
        Value::Object(object) => {
            object.retain(|name, _| !NOT_CARRIED.contains(&name.as_str()));
            for (name, item) in object.iter_mut() {
                // An extension's URL says what it is: only that of an envelope names the server.
                *item = if name == "extension" {
                    item.take()
                } else {
                    carried(item.take())
                };
            }
            if object.get("resourceType") == Some(&json!("Patient")) {
                if let Some(Value::Array(identifiers)) = object.get_mut("identifier") {
                    identifiers.retain(|one| one["system"] != PATIENT_ID);
                }
                if object.get("identifier") == Some(&json!([])) {
                    object.remove("identifier");
                }
            }
        }
        _ => {}
    }
    value
}

#[track_caller]
fn post(client: &Client, path: &str, body: &Value) -> Response {
    let request = client.post(path).header("Content-Type", "application/json");
    request.body(body.to_string()).send().expect(201)
}

/// People of every door, as partners make them.
fn populate(doors: &Doors) {
    post(
        &doors.cloud,
        "/patients",
        &json!({
            "trustSpaceUuid": "ts_demo00000001", "firstName": "Élodie", "lastName": "Marchand", "birthDate": "1991-04-17",
            "gender": "F", "phone": "+33698111213", "externalId": "SAL-1",
            "identificationKey": { "nir": "2910475056018", "rang": "1" },
        }),
    );
    post(
        &doors.connect,
        "/patients",
        &json!({
            "firstName": "Luc", "lastName": "Besnard", "birthDate": "1979-12-05", "gender": "O", "externalId": "IPP-1",
            "address": { "street": "3 quai Sud\nBât. C", "city": "Lyon", "postalCode": "69002", "country": "FR" },
        }),
    );
    post(
        &doors.connect,
        "/patients",
        &json!({ "firstName": "Zoé", "lastName": "Roux", "birthDate": "2001-01-31" }),
    );
    post(
        &doors.graph,
        "/patients",
        &json!({
            "brand_id": "demo-brand", "first_name": "Noor", "last_name": "Haddad", "gender": "Non-Binary", "phone": "",
            "email": "noor@example.org", "external_ids": { "shop/eu": "771", "crm": "" },
            "metadata": { "score": 1.50, "nested": { "list": [null, "é"] } },
        }),
    );
    let made = post(
        &doors.ehealth,
        "/prepersons",
        &json!({
            "external_id": "#77-ABC", "first_name": "Оксана", "second_name": "Петрівна", "gender": "FEMALE",
            "birth_date": "1975-06-30", "note": "Привезена швидкою",
            "emergency_contact": {
                "first_name": "Іван", "last_name": "Коваль", "phones": [{ "type": "MOBILE", "number": "+380671112233" }],
            },
        }),
    );
    let path = format!(
        "/prepersons/{}",
        made.json()["data"]["id"].as_str().expect("an id")
    );
    let request = doors
        .ehealth
        .patch(path)
        .header("Content-Type", "application/json");
    request
        .body(json!({ "death_date": "2024-02-29" }).to_string())
        .send()
        .expect(200);
    post(
        &doors.ehealth,
        "/prepersons",
        &json!({ "external_id": "#78", "gender": "MALE" }),
    );
    let rich = json!({
        "resourceType": "Patient", "active": false, "birthDate": "1950", "deceasedBoolean": true, "gender": "unknown",
        "name": [{ "use": "old", "family": "Before" }, { "use": "official", "family": "After", "given": ["A", "B"] }],
        "telecom": [{ "system": "phone", "value": "01 02" }, { "system": "email", "value": "a@b.example", "use": "work" }],
        "multipleBirthInteger": 2,
    });
    for born in [json!({ "resourceType": "Patient" }), rich, patient("x13")] {
        doors.fhir.post("/Patient").json(&born).send().expect(201);
    }
}

fn x13_after_export_and_import_every_door_answers_the_same(context: &Context) {
    let server = context.settings().content(Content::Samples).start();
    let here = Doors::of(&server);
    populate(&here);
    let known = exported(context, &server, &[]);
    let patients = parsed(&known);
    assert!(patients.len() > 20, "{}", patients.len());

    let elsewhere = context.server();
    // One at a time: the lists of the doors have the order of creation.
    imported(context, &elsewhere, &["--from", "fhir", "--at-once", "1"], &known);
    let there = Doors::of(&elsewhere);
    let (expected, is) = (here.everything(&patients), there.everything(&patients));
    for door in ["fhir", "cloud", "connect", "graph", "ehealth"] {
        let answered =
            |(target, (status, _)): (&String, &(u16, Value))| target.starts_with(door) && *status == 200;
        assert!(expected.iter().any(answered), "nobody is seen at {door}");
    }
    for (target, answer) in &expected {
        assert_eq!(is.get(target), Some(answer), "{target}");
    }
    // What was exported there is the same again, versions and times aside.
    let again = parsed(&exported(context, &elsewhere, &[]));
    let without_meta = |patients: Vec<Value>| -> Vec<Value> { patients.into_iter().map(carried).collect() };
    assert_eq!(without_meta(again), without_meta(patients));
}
