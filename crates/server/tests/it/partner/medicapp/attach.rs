//! The operator's command that attaches records (`adapters.md` 5.4).

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::wire::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![n31_attaching_is_repeatable_audited_and_says_what_is_wrong,];

fn arguments<'a>(patient: &'a str, id: &'a str, status: &'a str, created: Option<&'a str>) -> Vec<&'a str> {
    let mut arguments = vec![
        "record",
        "add",
        "--space",
        "demo",
        "--patient",
        patient,
        "--id",
        id,
        "--status",
        status,
    ];
    arguments.extend(created.into_iter().flat_map(|created| ["--created", created]));
    arguments
}

/// Attaches a record on the shared server.
#[track_caller]
pub fn attach(context: &Context, patient: &str, id: &str, status: &str, created: Option<&str>) {
    succeeds(context, shared(context), &arguments(patient, id, status, created));
}

fn record_id() -> String {
    format!("rec_{}", unique())
}

fn n31_attaching_is_repeatable_audited_and_says_what_is_wrong(context: &Context) {
    let client = connect(context);
    let (patient, other, id) = (made(&client, json!({})), made(&client, json!({})), record_id());
    let created = Some("2025-03-20T14:00:00Z");
    for status in ["pending", "completed", "completed"] {
        attach(context, &patient, &id, status, created);
    }
    let read = shown(get(&client, &patient), 200);
    assert_eq!(
        read["records"],
        json!([{ "id": id, "status": "completed", "createdAt": "2025-03-20T14:00:00Z" }])
    );
    let resource = text(&fhir_of(&shared_fhir(context), &patient), "id");
    let rows = format!(
        "SELECT outcome FROM audit WHERE interaction = 'record-add' AND id = '{resource}' ORDER BY seq"
    );
    let outcomes = execute(shared(context), &rows);
    assert_eq!(
        outcomes.split_whitespace().collect::<Vec<_>>(),
        ["ok", "ok", "unchanged"]
    );
    let wrong = |arguments: &[&str], word: &str| {
        let output = passerelle(context, shared(context), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(word), "{output:?}");
    };
    wrong(&arguments("pat_nobody", &record_id(), "x", None), "pat_nobody");
    wrong(&arguments(&other, &id, "stolen", None), "another patient");
    wrong(
        &arguments(&patient, &record_id(), "x", Some("yesterday")),
        "2025-03-20T14:00:00Z",
    );
    wrong(&arguments(&patient, &record_id(), " ", None), "status");
    let nowhere = [
        "record",
        "add",
        "--space",
        "nowhere",
        "--patient",
        &patient,
        "--id",
        "r",
        "--status",
        "x",
    ];
    wrong(&nowhere, "nowhere");
    assert_eq!(shown(get(&client, &patient), 200), read);
    assert_eq!(shown(get(&client, &other), 200)["recordsCount"], 0);
}
