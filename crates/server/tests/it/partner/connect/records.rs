//! Records: counted and shown beside a patient, attached by the operator (`adapters.md` 5.4).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::server::Server;
use testkit::tests;

use super::{list, made};
use crate::partner::medicapp::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    n31_an_attached_record_is_counted_and_modifies_its_patient,
    n31_attaching_is_repeatable_audited_and_says_what_is_wrong,
];

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
    attach_at(context, shared(context), &arguments(patient, id, status, created));
}

#[track_caller]
fn attach_at(context: &Context, server: &Server, arguments: &[&str]) {
    succeeds(context, server, arguments);
}

fn record_id() -> String {
    format!("rec_{}", unique())
}

fn n31_an_attached_record_is_counted_and_modifies_its_patient(context: &Context) {
    let (client, fhir) = (connect(context), shared_fhir(context));
    let id = made(&client, json!({}));
    let before = fhir_of(&fhir, &id);
    let last = text(&before["meta"], "lastUpdated");
    let is_listed = |query: &str| list::find(&client, query, &id).is_some();
    assert!(!is_listed(&format!("modified_after={last}")));
    let (first, second) = (record_id(), record_id());
    attach(context, &id, &first, "completed", None);
    let read = shown(get(&client, &id), 200);
    assert_eq!(read["recordsCount"], 1);
    let records = read["records"].as_array().expect("records");
    assert_eq!(keys(&records[0]), ["id", "status", "createdAt"]);
    assert_eq!(
        (&records[0]["id"], &records[0]["status"]),
        (&json!(first), &json!("completed"))
    );
    assert_eq!(read["modifiedAt"], records[0]["createdAt"]);
    assert!(is_listed(&format!("modified_after={last}")));
    assert!(!is_listed(&format!("created_after={last}")));
    assert_eq!(fhir_of(&fhir, &id), before);
    // One that is announced for later.
    attach(context, &id, &second, "pending", Some("2099-01-01T00:00:00Z"));
    let item: Value = list::item(&client, &id).expect("it is listed");
    assert_eq!(item["recordsCount"], 2);
    assert_eq!(item["modifiedAt"], "2099-01-01T00:00:00Z");
    assert!(item.get("records").is_none());
    assert!(is_listed("modified_after=2098-12-31"));
    let changed = shown(put(&client, &id, &json!({ "email": "a@example.org" })), 200);
    assert_eq!(changed["recordsCount"], 2);
    assert_eq!(fhir_of(&fhir, &id)["meta"]["versionId"], "2");
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
