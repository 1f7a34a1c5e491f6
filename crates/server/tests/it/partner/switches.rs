//! The switches of `adapters.md` 10 as an operator writes them. What each means to a translation has tests in
//! `adapters`.

use std::fs;
use std::time::Duration;

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::server::Server;
use testkit::sweep::TemporaryFolder;
use testkit::tests;
use testkit::wait::wait_for;

use super::patient_graph::{person, post, two_keys};
use crate::support::*;

pub const TESTS: &[Test] = tests![
    patient_graph_answers_by_id_and_compares_addresses_unless_told_otherwise,
    patient_graph_demands_the_scopes_that_the_operator_named,
    a_wrong_word_stops_the_start_and_is_named,
];

/// A server with this configuration file.
pub fn with_file(context: &Context, text: &str) -> Server {
    let folder = TemporaryFolder::new("switches");
    let file = folder.path().join("passerelle.toml");
    fs::write(&file, text).expect("a file");
    // It is read at the start alone.
    let settings = context.settings().argument("--config");
    settings.argument(&file.display().to_string()).start()
}

fn patient_graph_answers_by_id_and_compares_addresses_unless_told_otherwise(context: &Context) {
    let server = with_file(
        context,
        "[patient-graph]\nget-by-id = false\nduplicate-email = false\n",
    );
    let client = server.client("patient-graph");
    let body = person("Ida", json!({ "email": "ida@example.org" }));
    let made = post(&client, &body).expect(201).json();
    post(&client, &body).expect(201);
    let id = made["id"].as_str().expect("an id");
    let by_id = client.get(format!("/patients/{id}")).send();
    assert_eq!(two_keys(&by_id, 404), "not_found");
    client.get(format!("/patients/{id}/safe")).send().expect(200);
}

fn patient_graph_demands_the_scopes_that_the_operator_named(context: &Context) {
    let server = with_file(
        context,
        "[patient-graph]\nrequired-scopes = ['patient-graph:all', 'patient-graph:test']\n",
    );
    let client = server.client("patient-graph");
    let list = || client.get("/patients?brand_id=demo-brand").send();
    assert_eq!(two_keys(&list(), 403), "insufficient_scope");
    let unread = client.post("/patients").body("{").send();
    assert_eq!(two_keys(&unread, 403), "insufficient_scope");
    for path in ["/patients/x", "/patients/x/safe"] {
        assert_eq!(two_keys(&client.get(path).send(), 403), "insufficient_scope");
    }
    // Other doors do not mind.
    server.client("fhir").get("/Patient").send().expect(200);
    succeeds(
        context,
        &server,
        &[
            "client",
            "add",
            "demo-patient-graph",
            "--space",
            "demo",
            "--door",
            "patient-graph",
            "--scope",
            "patient-graph:all",
            "--scope",
            "patient-graph:test",
        ],
    );
    wait_for(Duration::from_secs(10), "the scope to be known", || {
        (list().status == 200).then_some(())
    });
}

fn a_wrong_word_stops_the_start_and_is_named(context: &Context) {
    let folder = TemporaryFolder::new("switches");
    let (file, database) = (
        folder.path().join("passerelle.toml"),
        folder.path().join("new.db"),
    );
    for (text, words) in [
        (
            "[ehealth]\npatch-note = 'perhaps'",
            "ehealth.patch-note is \"perhaps\": write \"same-or-422\" or \"allow\" or \"ignore\"",
        ),
        (
            "[medicapp]\nfind-status = 202",
            "medicapp.find-status is 202: write 200 or 201",
        ),
        ("[medicapp]\nfind-state = 201", "find-state"),
    ] {
        fs::write(&file, text).expect("a file");
        let output = command(context)
            .args(["serve", "--config"])
            .arg(&file)
            .env("PASSERELLE_DATABASE", format!("sqlite:{}", database.display()))
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{output:?}");
    }
    assert!(
        !database.exists(),
        "a database was made before the settings were read"
    );
}
