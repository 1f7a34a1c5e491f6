//! DELETE: an erasure (`adapters.md` 8.1, `access.md` 4).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::race::tally;
use testkit::server::Backend;
use testkit::tests;
use testkit::wait::wait_for;

use super::{list, made, records};
use crate::partner::medicapp::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    n06_an_erased_patients_external_id_is_free,
    n22_an_erased_patient_is_gone_from_every_door_and_version,
    n22_an_erasure_leaves_an_audit_row_and_no_person,
    n22_links_to_an_erased_patient_go_with_it,
    n22_one_of_several_deletes_at_once_erases,
    x15_a_put_beside_a_delete_resurrects_nobody,
];

fn n06_an_erased_patients_external_id_is_free(context: &Context) {
    let client = connect(context);
    let body = json!({ "externalId": unique() });
    let id = made(&client, body.clone());
    let deleted = client.delete(format!("/patients/{id}")).send().expect(200);
    assert_eq!(deleted.text(), format!("{{\"deleted\":true,\"id\":\"{id}\"}}"));
    let again = made(&client, body.clone());
    assert_ne!(again, id);
    faulty(&post(&client, &connect_person(body)), 409, "EXTERNAL_ID_CONFLICT");
    faulty(&get(&client, &id), 404, "PATIENT_NOT_FOUND");
}

fn n22_an_erased_patient_is_gone_from_every_door_and_version(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let (family, external, local) = (unique(), unique(), unique());
    let id = made(&client, json!({ "lastName": family, "externalId": external }));
    let resource = edit(&fhir, &id, |patient| {
        let identifiers = patient["identifier"].as_array_mut().expect("identifiers");
        identifiers.push(json!({ "system": LOCAL, "value": local }));
    });
    let path = format!("/Patient/{}", text(&resource, "id"));
    shown(put(&client, &id, &json!({ "email": "a@example.org" })), 200);
    let record = format!("rec_{}", unique());
    records::attach(context, &id, &record, "completed", None);
    let deleted = client.delete(format!("/patients/{id}")).send();
    assert_eq!(deleted.text(), format!("{{\"deleted\":true,\"id\":\"{id}\"}}"));
    shown(deleted, 200);
    for request in [
        client.delete(format!("/patients/{id}")),
        client.get(format!("/patients/{id}")),
    ] {
        faulty(&request.send(), 404, "PATIENT_NOT_FOUND");
    }
    faulty(
        &put(&client, &id, &json!({ "email": null })),
        404,
        "PATIENT_NOT_FOUND",
    );
    faulty(&get(&cloud(context), &id), 404, "PATIENT_NOT_FOUND");
    assert!(list::item(&client, &id).is_none());
    refused(fhir.get(&path).send(), 410, "deleted");
    for version in 1..=3 {
        let old = fhir.get(format!("{path}/_history/{version}")).send();
        assert!(!refused(old, 410, "deleted").text().contains(&family));
    }
    // Nobody comes back under that id.
    let back = fhir.put(&path).json(&resource).send();
    assert!(matches!(back.status, 409 | 410 | 422), "{back:?}");
    assert!(!back.issues().is_empty(), "{back:?}");
    for query in [
        format!("family={family}"),
        by_local(&local),
        format!("identifier={external}"),
        format!("identifier={id}"),
        format!("_id={}", text(&resource, "id")),
    ] {
        let found = fhir.get(format!("/Patient?{query}")).send().expect(200).json();
        assert_eq!(found["total"], 0, "{query}");
    }
    let rows = format!("SELECT count(*) FROM medicapp_record WHERE id = '{record}'");
    assert_eq!(execute(shared(context), &rows), "0");
}

fn n22_an_erasure_leaves_an_audit_row_and_no_person(context: &Context) {
    let (mut server, fhir) = context.fhir();
    let client = server.client("medicapp-connect");
    let person = json!({
        "firstName": "Xaviera", "lastName": "Zwyndrecht", "email": "xz@zwyn.example", "phone": "+33699887766",
        "externalId": "IPP-ZWYN-1", "address": { "street": "7 rue Zwynstraat" }
    });
    let id = made(&client, person);
    let resource = text(&fhir_of(&fhir, &id), "id");
    shown(put(&client, &id, &json!({ "firstName": "Yolanda" })), 200);
    let deleted = client.delete(format!("/patients/{id}")).send().expect(200);
    let request = deleted.header("X-Request-Id").expect("an id");
    let row = execute(
        &server,
        &format!(
            "SELECT client, door, interaction, id, version, outcome FROM audit \
             WHERE request_id = '{request}' AND interaction = 'erase'"
        ),
    );
    assert_eq!(
        row,
        format!("demo-medicapp-connect|medicapp-connect|erase|{resource}|3|ok")
    );
    let kept = execute(
        &server,
        &format!("SELECT medicapp_id, request_id FROM erasure WHERE id = '{resource}'"),
    );
    assert_eq!(kept, format!("{id}|{request}"));
    // Not in any table, and on SQLite not in any byte: what is closed has no journal left.
    let words = [
        "Xaviera",
        "Yolanda",
        "Zwyndrecht",
        "zwyn.example",
        "33699887766",
        "IPP-ZWYN-1",
        "Zwynstraat",
    ];
    let tables = tables(context, &server);
    assert!(tables.len() > 5, "{tables:?}");
    for table in tables {
        let rows = execute(&server, &format!("SELECT * FROM {table}"));
        for word in words {
            assert!(
                !rows.to_lowercase().contains(&word.to_lowercase()),
                "{word} in {table}"
            );
        }
    }
    if context.backend() == Backend::Sqlite {
        server.terminate();
        for entry in std::fs::read_dir(server.data_folder())
            .expect("a folder")
            .flatten()
        {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            for word in words {
                let is_there = bytes.windows(word.len()).any(|part| part == word.as_bytes());
                assert!(!is_there, "{word} in {:?}", entry.file_name());
            }
        }
    }
}

fn tables(context: &Context, server: &testkit::server::Server) -> Vec<String> {
    let names = match context.backend() {
        Backend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        Backend::Postgres => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    };
    let names = execute(server, names);
    names.split_whitespace().map(str::to_owned).collect()
}

fn n22_links_to_an_erased_patient_go_with_it(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let (target, linked) = (made(&client, json!({})), made(&client, json!({})));
    let reference = format!("Patient/{}", text(&fhir_of(&fhir, &target), "id"));
    edit(&fhir, &linked, |patient| {
        patient["link"] = json!([{ "other": { "reference": reference }, "type": "seealso" }]);
    });
    shown(client.delete(format!("/patients/{target}")).send(), 200);
    let now = fhir_of(&fhir, &linked);
    assert_eq!(
        (&now["link"], &now["meta"]["versionId"]),
        (&Value::Null, &json!("3"))
    );
}

fn n22_one_of_several_deletes_at_once_erases(context: &Context) {
    let client = connect(context);
    for _ in 0..5 {
        let path = format!("/patients/{}", made(&client, json!({})));
        let answers = race_of(&client, 6, |client, _| client.delete(&path).send().status);
        assert_eq!(tally(answers), [(200, 1), (404, 5)]);
    }
}

fn x15_a_put_beside_a_delete_resurrects_nobody(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    const WRITERS: usize = 4;
    let mut refused_after = 0;
    for _ in 0..6 {
        let id = made(&client, json!({}));
        let resource = text(&fhir_of(&fhir, &id), "id");
        let (gone, wrote) = (AtomicBool::new(false), AtomicBool::new(false));
        let answers = race_of(&client, WRITERS + 1, |client, number| {
            if number == WRITERS {
                wait_for(Duration::from_secs(10), "a write", || {
                    wrote.load(Ordering::SeqCst).then_some(())
                });
                shown(client.delete(format!("/patients/{id}")).send(), 200);
                gone.store(true, Ordering::SeqCst);
                return 0;
            }
            // Until one after the erasure was refused.
            let mut turn = 0;
            loop {
                let was_gone = gone.load(Ordering::SeqCst);
                turn += 1;
                let answer = put(
                    client,
                    &id,
                    &json!({ "email": format!("w{number}t{turn}@example.org") }),
                );
                wrote.store(true, Ordering::SeqCst);
                match answer.status {
                    200 => assert!(!was_gone, "{answer:?}"),
                    _ => {
                        faulty(&answer, 404, "PATIENT_NOT_FOUND");
                        return 1;
                    }
                }
            }
        });
        refused_after += answers.iter().sum::<usize>();
        faulty(&get(&client, &id), 404, "PATIENT_NOT_FOUND");
        refused(fhir.get(format!("/Patient/{resource}")).send(), 410, "deleted");
        let bodies = format!("SELECT count(*) FROM resource_version WHERE id = '{resource}' AND body <> ''");
        assert_eq!(execute(shared(context), &bodies), "0");
    }
    assert_eq!(refused_after, 6 * WRITERS);
}
