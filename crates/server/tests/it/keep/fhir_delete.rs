//! A space in which a DELETE at the FHIR door erases (`access.md` 4).

use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;

pub const TESTS: &[Test] = tests![
    a_fhir_delete_keeps_the_history_unless_the_space_erases,
    a_conditional_delete_erases_in_such_a_space,
    a_delete_in_a_bundle_erases_in_such_a_space,
];

fn erasing(context: &Context) -> Server {
    let server = context.server();
    let set = succeeds(
        context,
        &server,
        &["space", "set", "demo", "--fhir-delete", "erase"],
    );
    assert_eq!(set, "space demo: a DELETE at the FHIR door erases\n");
    server
}

/// A new patient with two versions.
#[track_caller]
fn two_versions(fhir: &Client, value: &str) -> String {
    let id = fhir
        .post("/Patient")
        .json(&patient(value))
        .send()
        .expect(201)
        .id();
    let changed = with(with(patient(value), "id", json!(id)), "gender", json!("other"));
    fhir.put(format!("/Patient/{id}"))
        .json(&changed)
        .send()
        .expect(200);
    id
}

/// Nothing of the content is left, and nobody comes back.
#[track_caller]
fn assert_erased(server: &Server, id: &str) {
    let fhir = server.client("fhir");
    refused(fhir.get(format!("/Patient/{id}")).send(), 410, "deleted");
    for version in 1..=2 {
        fhir.get(format!("/Patient/{id}/_history/{version}"))
            .send()
            .expect(410);
    }
    let versions = history(&fhir, "Patient", id);
    assert!(
        versions.len() >= 3 && versions.iter().all(|(method, body)| method == "DELETE" && !body),
        "{versions:?}"
    );
    let body = with(patient(&unique()), "id", json!(id));
    refused(
        fhir.put(format!("/Patient/{id}")).json(&body).send(),
        409,
        "conflict",
    );
    assert!(ledger_of(server).contains(id));
}

fn a_fhir_delete_keeps_the_history_unless_the_space_erases(context: &Context) {
    let server = context.server();
    let fhir = server.client("fhir");
    let (kept, erased, revived) = (unique(), unique(), unique());
    let [kept, erased, revived] = [kept, erased, revived].map(|value| two_versions(&fhir, &value));
    for id in [&kept, &revived] {
        fhir.delete(format!("/Patient/{id}")).send().expect(204);
        fhir.get(format!("/Patient/{id}/_history/1")).send().expect(200);
    }
    let body = with(patient(&unique()), "id", json!(revived));
    fhir.put(format!("/Patient/{revived}"))
        .json(&body)
        .send()
        .expect(201);
    assert_eq!(
        succeeds(
            context,
            &server,
            &["space", "set", "demo", "--fhir-delete", "erase"]
        ),
        "space demo: a DELETE at the FHIR door erases\n"
    );
    assert!(succeeds(context, &server, &["space", "list"]).contains("demo\tsandbox\tfhir-delete erase\n"));
    fhir.delete(format!("/Patient/{erased}")).send().expect(204);
    assert_erased(&server, &erased);
    // Twice is once; and what had been deleted before is erased now.
    fhir.delete(format!("/Patient/{erased}")).send().expect(204);
    fhir.delete(format!("/Patient/{kept}")).send().expect(204);
    assert_erased(&server, &kept);
    assert_eq!(history(&fhir, "Patient", &erased).len(), 3);
    fhir.delete("/Patient/nobody").send().expect(204);
    // And back.
    succeeds(
        context,
        &server,
        &["space", "set", "demo", "--fhir-delete", "keep"],
    );
    fhir.delete(format!("/Patient/{revived}")).send().expect(204);
    fhir.get(format!("/Patient/{revived}/_history/1"))
        .send()
        .expect(200);
    let sentence = fails(
        context,
        &server,
        &["space", "set", "nowhere", "--fhir-delete", "keep"],
    );
    assert!(sentence.contains("There is no space nowhere"), "{sentence}");
}

fn a_conditional_delete_erases_in_such_a_space(context: &Context) {
    let server = erasing(context);
    let fhir = server.client("fhir");
    let value = unique();
    let id = two_versions(&fhir, &value);
    fhir.delete(format!("/Patient?{}", by_local(&value)))
        .send()
        .expect(204);
    assert_erased(&server, &id);
    fhir.delete(format!("/Patient?{}", by_local(&value)))
        .send()
        .expect(204);
}

fn a_delete_in_a_bundle_erases_in_such_a_space(context: &Context) {
    let server = erasing(context);
    let fhir = server.client("fhir");
    let entry = |method: &str, url: &str| json!({ "request": { "method": method, "url": url } });
    for kind in ["batch", "transaction"] {
        let (by_id, by_value) = (unique(), unique());
        let (first, second) = (two_versions(&fhir, &by_id), two_versions(&fhir, &by_value));
        let link = json!([{ "other": { "reference": format!("Patient/{first}") }, "type": "seealso" }]);
        let linked = with(patient(&unique()), "link", link);
        let linked_id = fhir.post("/Patient").json(&linked).send().expect(201).id();
        let changed = with(
            with(patient(&unique()), "id", json!(linked_id)),
            "gender",
            json!("male"),
        );
        let mut put = entry("PUT", &format!("Patient/{linked_id}"));
        put["resource"] = changed;
        let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": [
            entry("DELETE", &format!("Patient/{first}")),
            entry("DELETE", &format!("Patient?{}", by_local(&by_value))),
            put
        ] });
        let answer = fhir.post("/").json(&bundle).send().expect(200).json();
        let statuses: Vec<&str> = answer["entry"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|entry| entry["response"]["status"].as_str())
            .collect();
        assert!(
            statuses[0].starts_with("204")
                && statuses[1].starts_with("204")
                && statuses[2].starts_with("200"),
            "{kind}: {answer}"
        );
        assert_erased(&server, &first);
        assert_erased(&server, &second);
        let linked = fhir
            .get(format!("/Patient/{linked_id}"))
            .send()
            .expect(200)
            .json();
        assert_eq!(linked["gender"], "male");
        assert!(linked.get("link").is_none(), "{linked}");
    }
    // A transaction that fails erases nobody, and leaves no line.
    let value = unique();
    let id = two_versions(&fhir, &value);
    let before = ledger_of(&server);
    let mut bad = entry("PUT", "Patient/other");
    bad["resource"] = json!({ "resourceType": "Patient", "id": "other", "gender": "nonsense" });
    let mut late = entry("PUT", &format!("Patient/{id}x"));
    late["request"]["ifMatch"] = json!("W/\"7\"");
    late["resource"] = with(patient(&unique()), "id", json!(format!("{id}x")));
    for spoiler in [bad, late] {
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
            entry("DELETE", &format!("Patient/{id}")), spoiler
        ] });
        let answer = fhir.post("/").json(&bundle).send();
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    assert_eq!(read(&fhir, &id), 200);
    assert_eq!(ledger_of(&server), before);
}
