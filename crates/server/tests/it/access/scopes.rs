//! Scopes, by interaction and type.

use testkit::harness::{Context, Test};
use testkit::http::{Client, Request};
use testkit::tests;

use serde_json::json;

use super::client_key;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    another_doors_key_is_forbidden,
    scopes_are_enforced_by_interaction_and_type,
    who_may_create_only_is_shown_nothing_of_a_match,
];

fn another_doors_key_is_forbidden(context: &Context) {
    let server = shared(context);
    for door in ["medicapp-cloud", "medicapp-connect", "patient-graph", "ehealth"] {
        let key = &server.credential(door).bearer;
        let client = server.anonymous().with_prefix("/fhir").with_bearer(key);
        refused(client.get("/Patient").send(), 403, "forbidden");
        refused(
            client.post("/Patient").json(&patient("1")).send(),
            403,
            "forbidden",
        );
        refused(client.get("/Practitioner/nobody").send(), 403, "forbidden");
    }
}

/// Each interaction on a type, with the letter it needs.
fn interactions<'c>(client: &'c Client, kind: &str, stored: &str) -> Vec<(char, &'static str, Request<'c>)> {
    let number = unique();
    let body = resource(kind, LOCAL, &number);
    let known = with(resource(kind, LOCAL, stored), "id", json!(stored));
    let criteria = by_local(&number);
    vec![
        ('r', "read", client.get(format!("/{kind}/{stored}"))),
        ('r', "read of nobody", client.get(format!("/{kind}/nobody"))),
        ('r', "head", client.head(format!("/{kind}/{stored}"))),
        ('r', "vread", client.get(format!("/{kind}/{stored}/_history/1"))),
        ('r', "history", client.get(format!("/{kind}/{stored}/_history"))),
        (
            's',
            "history of the type",
            client.get(format!("/{kind}/_history")),
        ),
        ('s', "search", client.get(format!("/{kind}?_id={stored}"))),
        (
            's',
            "posted search",
            client.post(format!("/{kind}/_search")).form("_count=1"),
        ),
        ('c', "create", client.post(format!("/{kind}")).json(&body)),
        (
            'c',
            "conditional create",
            client
                .post(format!("/{kind}"))
                .header("If-None-Exist", &criteria)
                .json(&body),
        ),
        (
            'u',
            "update",
            client.put(format!("/{kind}/{stored}")).json(&known),
        ),
        (
            'u',
            "conditional update",
            client.put(format!("/{kind}?{criteria}")).json(&body),
        ),
        ('d', "delete", client.delete(format!("/{kind}/{}", unique()))),
        (
            'd',
            "conditional delete",
            client.delete(format!("/{kind}?{criteria}")),
        ),
    ]
}

fn scopes_are_enforced_by_interaction_and_type(context: &Context) {
    let (server, fhir) = context.fhir();
    let grants: [(&str, &str, &str); 9] = [
        ("c", "c", ""),
        ("r", "r", ""),
        ("u", "u", ""),
        ("d", "d", ""),
        ("s", "s", ""),
        ("rs", "rs", "cruds"),
        ("cruds", "cruds", ""),
        ("none", "", "cruds"),
        ("crud", "crud", "s"),
    ];
    let mut clients = Vec::new();
    for (name, patient, practitioner) in grants {
        let mut scopes = Vec::new();
        if !patient.is_empty() {
            scopes.push(format!("system/Patient.{patient}"));
        }
        if !practitioner.is_empty() {
            scopes.push(format!("system/Practitioner.{practitioner}"));
        }
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        clients.push((
            client_key(context, &server, &format!("grant-{name}"), &["demo"], &scopes),
            patient,
            practitioner,
        ));
    }
    // `*` is both types.
    clients.push((
        client_key(context, &server, "grant-all", &["demo"], &["system/*.rs"]),
        "rs",
        "rs",
    ));
    let mut stored = Vec::new();
    for kind in ["Patient", "Practitioner"] {
        let id = unique();
        let body = with(resource(kind, LOCAL, &id), "id", json!(id));
        fhir.put(format!("/{kind}/{id}")).json(&body).send().expect(201);
        stored.push((kind, id));
    }
    for (key, patient, practitioner) in &clients {
        let client = fhir_with_key(&server, key);
        for (kind, id) in &stored {
            let granted = if *kind == "Patient" { patient } else { practitioner };
            for (letter, name, request) in interactions(&client, kind, id) {
                let answer = request.send();
                let about = format!("{name} of {kind} with '{granted}': {answer:?}");
                if granted.contains(letter) {
                    assert!(matches!(answer.status, 200 | 201 | 204 | 404), "{about}");
                } else {
                    assert_eq!(answer.status, 403, "{about}");
                    assert!(
                        name == "head" || answer.issues().iter().any(|issue| issue.code == "forbidden"),
                        "{about}"
                    );
                }
            }
        }
    }
}

fn who_may_create_only_is_shown_nothing_of_a_match(context: &Context) {
    let (server, fhir) = context.fhir();
    let number = unique();
    let body = patient(&number);
    let there = fhir.post("/Patient").json(&body).send().expect(201);
    let version = path_of(there.header("Location").expect("a place"));
    let entry = || {
        let request = json!({ "method": "POST", "url": "Patient", "ifNoneExist": by_local(&number) });
        json!({ "resource": body.clone(), "request": request })
    };
    for (scope, is_shown) in [("system/Patient.c", false), ("system/Patient.cr", true)] {
        let id = format!("creator-{}", scope.len());
        let client = fhir_with_key(&server, &client_key(context, &server, &id, &["demo"], &[scope]));
        for prefer in [
            "return=representation",
            "return=minimal",
            "return=OperationOutcome",
            "",
        ] {
            let request = client.post("/Patient").header("If-None-Exist", by_local(&number));
            let answer = request.header("Prefer", prefer).json(&body).send().expect(200);
            assert_eq!(
                answer.header("Location").map(path_of).as_deref(),
                Some(version.as_str())
            );
            assert_eq!(answer.header("ETag"), Some("W/\"1\""), "{answer:?}");
            let holds = answer.text().contains(&number);
            let wants = matches!(prefer, "return=representation" | "");
            assert_eq!(holds, is_shown && wants, "{scope} {prefer}: {answer:?}");
        }
        for kind in ["batch", "transaction"] {
            let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": [entry(), entry()] });
            let request = client.post("").header("Prefer", "return=representation");
            let answer = request.json(&bundle).send().expect(200);
            assert_eq!(
                answer.text().contains(&number),
                is_shown,
                "{scope} {kind}: {answer:?}"
            );
            for entry in answer.json()["entry"].as_array().expect("entries") {
                assert_eq!(entry["response"]["status"], "200 OK", "{answer:?}");
                assert_eq!(entry.get("resource").is_some(), is_shown, "{answer:?}");
            }
        }
    }
}
