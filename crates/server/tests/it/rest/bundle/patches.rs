//! Entries that patch, and entries that delete by criteria.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    every_kind_of_patch_is_taken_in_a_batch_and_in_a_transaction,
    a_conditional_patch_changes_the_one_match,
    if_match_and_prefer_count_for_a_patch,
    a_patch_in_xml_is_taken,
    links_that_a_patch_brings_are_rewritten,
    a_conditional_reference_in_a_patch_is_refused_by_name,
    a_conditional_delete_removes_the_one_match_or_nothing,
    deletes_come_first_and_patches_last,
    p07_a_patch_and_another_entry_of_one_resource_are_both_named,
    p07_a_patch_that_brings_what_another_entry_looks_for_is_refused_with_it,
    a_patch_that_cannot_be_read_is_refused_at_its_entry,
    what_a_patch_breaks_is_told_without_a_place_in_the_binary,
    p07_patches_in_transactions_at_once_all_survive,
];

const DOCTOR: &str = "urn:uuid:4b3b1a52-0f3c-4f2a-9d64-7a2b1f1d0001";

fn both(each: impl Fn(&str)) {
    ["batch", "transaction"].into_iter().for_each(each);
}

fn stored(fhir: &Client) -> (String, String) {
    let number = unique();
    let created = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    (format!("Patient/{}", created.id()), number)
}

fn now(fhir: &Client, url: &str) -> Value {
    fhir.get(format!("/{url}")).send().expect(200).json()
}

fn fhirpath(operation: &[(&str, Value)]) -> Value {
    let parts: Vec<Value> = operation
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) if *name != "value" => json!({ "name": name, "valueString": text }),
            value => {
                let mut part = value.clone();
                part["name"] = json!(name);
                part
            }
        })
        .collect();
    json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": parts }] })
}

fn every_kind_of_patch_is_taken_in_a_batch_and_in_a_transaction(context: &Context) {
    let fhir = shared_fhir(context);
    let replace = fhirpath(&[
        ("type", json!("add")),
        ("path", json!("Patient")),
        ("name", json!("gender")),
        ("value", json!({ "valueCode": "female" })),
    ]);
    let kinds = [
        json_patch(&json!([{ "op": "add", "path": "/gender", "value": "female" }])),
        binary(
            "application/merge-patch+json",
            &json!({ "gender": "female" }).to_string(),
        ),
        binary("application/fhir+json", &replace.to_string()),
        replace,
    ];
    both(|kind| {
        for patch in &kinds {
            let (url, _) = stored(&fhir);
            let answered = answers(send(&fhir, kind, &[entry_with("PATCH", &url, patch)]));
            assert_eq!(statuses(&answered), [200], "{kind} {patch}: {answered:?}");
            assert_eq!(answered[0]["resource"]["gender"], "female");
            assert_eq!(answered[0]["response"]["etag"], "W/\"2\"");
            assert_eq!(now(&fhir, &url), answered[0]["resource"]);
            if patch == &kinds[2] || patch == &kinds[3] {
                // An add of what is there already fails.
                continue;
            }
            // Again, it changes nothing.
            let again = answers(send(&fhir, kind, &[entry_with("PATCH", &url, patch)]));
            assert_eq!(again[0]["response"]["etag"], "W/\"2\"", "{kind} {patch}");
        }
    });
}

fn a_conditional_patch_changes_the_one_match(context: &Context) {
    let fhir = shared_fhir(context);
    let patch = json_patch(&json!([{ "op": "add", "path": "/active", "value": true }]));
    both(|kind| {
        let (url, number) = stored(&fhir);
        let asked = entry_with("PATCH", &format!("Patient?{}", by_local(&number)), &patch);
        let answered = answers(send(&fhir, kind, &[asked]));
        assert_eq!(statuses(&answered), [200], "{kind}: {answered:?}");
        assert_eq!(format!("Patient/{}", id(&answered[0])), url);
        assert_eq!(now(&fhir, &url)["active"], true);
    });
}

fn if_match_and_prefer_count_for_a_patch(context: &Context) {
    let fhir = shared_fhir(context);
    let patch = json_patch(&json!([{ "op": "add", "path": "/active", "value": true }]));
    both(|kind| {
        let (url, number) = stored(&fhir);
        for target in [url.clone(), format!("Patient?{}", by_local(&number))] {
            let guarded = |tag: &str| asking(entry_with("PATCH", &target, &patch), "ifMatch", tag);
            let late = send(&fhir, kind, &[guarded("W/\"9\"")]);
            match kind {
                "batch" => assert_eq!(statuses(&answers(late)), [412]),
                _ => points_at(&refused(late, 412, "conflict"), "Bundle.entry[0]"),
            }
        }
        let sent = bundle(
            kind,
            &[asking(entry_with("PATCH", &url, &patch), "ifMatch", "W/\"1\"")],
        );
        let minimal = fhir
            .post("")
            .header("Prefer", "return=minimal")
            .json(&sent)
            .send();
        let answered = answers(minimal);
        assert_eq!(statuses(&answered), [200]);
        assert!(answered[0].get("resource").is_none(), "{answered:?}");
        assert_eq!(now(&fhir, &url)["meta"]["versionId"], "2");
    });
}

fn a_patch_in_xml_is_taken(context: &Context) {
    let fhir = shared_fhir(context);
    both(|kind| {
        let ((one, _), (two, _)) = (stored(&fhir), stored(&fhir));
        let data = base64(br#"[{ "op": "add", "path": "/active", "value": true }]"#);
        let body = format!(
            r#"<Bundle xmlns="http://hl7.org/fhir"><type value="{kind}"/>
            <entry><resource><Binary><contentType value="application/json-patch+json"/><data value="{data}"/></Binary></resource>
            <request><method value="PATCH"/><url value="{one}"/></request></entry>
            <entry><resource><Parameters><parameter><name value="operation"/>
            <part><name value="type"/><valueCode value="add"/></part><part><name value="path"/><valueString value="Patient"/></part>
            <part><name value="name"/><valueString value="active"/></part><part><name value="value"/><valueBoolean value="true"/></part>
            </parameter></Parameters></resource><request><method value="PATCH"/><url value="{two}"/></request></entry></Bundle>"#,
        );
        let answered = answers(
            fhir.post("")
                .xml(&body)
                .header("Accept", "application/fhir+json")
                .send(),
        );
        assert_eq!(statuses(&answered), [200, 200], "{answered:?}");
        for url in [one, two] {
            assert_eq!(now(&fhir, &url)["active"], true, "{kind}");
        }
    });
}

fn links_that_a_patch_brings_are_rewritten(context: &Context) {
    let fhir = shared_fhir(context);
    let reference = json!([{ "reference": DOCTOR }]);
    let part = json!({ "valueReference": { "reference": DOCTOR } });
    let operation = fhirpath(&[
        ("type", json!("add")),
        ("path", json!("Patient")),
        ("name", json!("generalPractitioner")),
        ("value", part),
    ]);
    for patch in [
        json_patch(&json!([{ "op": "add", "path": "/generalPractitioner", "value": reference }])),
        binary(
            "application/merge-patch+json",
            &json!({ "generalPractitioner": reference }).to_string(),
        ),
        operation,
    ] {
        let (url, number) = stored(&fhir);
        let doctor = resource("Practitioner", LOCAL, &number);
        let entries = [
            entry_with("PATCH", &url, &patch),
            named(entry_with("POST", "Practitioner", &doctor), DOCTOR),
        ];
        let answered = answers(transact(&fhir, &entries));
        assert_eq!(statuses(&answered), [200, 201], "{answered:?}");
        let expected = format!("Practitioner/{}", id(&answered[1]));
        assert_eq!(now(&fhir, &url)["generalPractitioner"][0]["reference"], *expected);
        let found = fhir
            .get(format!("/Patient?general-practitioner={expected}"))
            .send();
        assert_eq!(
            ids(&found.expect(200).json()).len(),
            1,
            "the index follows the link"
        );
    }
}

fn a_conditional_reference_in_a_patch_is_refused_by_name(context: &Context) {
    let fhir = shared_fhir(context);
    let (url, number) = stored(&fhir);
    let searched = format!("Practitioner?{}", by_local(&number));
    let patch = json!({ "generalPractitioner": [{ "reference": searched }] });
    let asked = entry_with(
        "PATCH",
        &url,
        &binary("application/merge-patch+json", &patch.to_string()),
    );
    let answer = refused(transact(&fhir, &[asked]), 400, "not-supported");
    points_at(&answer, "Bundle.entry[0]");
    assert!(answer.issues()[0].diagnostics.contains(&searched), "{answer:?}");
    assert_eq!(now(&fhir, &url)["meta"]["versionId"], "1");
}

fn a_conditional_delete_removes_the_one_match_or_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    both(|kind| {
        let (url, number) = stored(&fhir);
        let (_, kept) = stored(&fhir);
        let by = |number: &str| entry("DELETE", &format!("Patient?{}", by_local(number)));
        let late = asking(by(&kept), "ifMatch", "W/\"9\"");
        match kind {
            "batch" => assert_eq!(statuses(&answers(send(&fhir, kind, &[late]))), [412]),
            _ => drop(refused(send(&fhir, kind, &[late]), 412, "conflict")),
        }
        let answered = answers(send(&fhir, kind, &[by(&number), by(&unique())]));
        assert_eq!(statuses(&answered), [204, 204], "{kind}: {answered:?}");
        assert_eq!(answered[0]["response"]["etag"], "W/\"2\"");
        assert!(answered[1]["response"].get("etag").is_none());
        refused(fhir.get(format!("/{url}")).send(), 410, "deleted");
        assert_eq!(count_local(&fhir, &kept), 1);
        // Nobody is there any more.
        assert_eq!(statuses(&answers(send(&fhir, kind, &[by(&number)]))), [204]);
    });
}

fn deletes_come_first_and_patches_last(context: &Context) {
    let fhir = shared_fhir(context);
    both(|kind| {
        let ((url, _), (gone, old)) = (stored(&fhir), stored(&fhir));
        let patch = json_patch(&json!([{ "op": "add", "path": "/active", "value": true }]));
        let entries = [
            entry("GET", &url),
            entry_with("PATCH", &url, &patch),
            entry("GET", &format!("{gone}/_history")),
            entry("DELETE", &format!("Patient?{}", by_local(&old))),
        ];
        let answered = answers(send(&fhir, kind, &entries));
        assert_eq!(statuses(&answered), [200, 200, 200, 204], "{kind}: {answered:?}");
        assert_eq!(answered[0]["resource"]["active"], true, "{kind}");
        assert_eq!(answered[2]["resource"]["entry"][0]["request"]["method"], "DELETE");
    });
}

fn p07_a_patch_and_another_entry_of_one_resource_are_both_named(context: &Context) {
    let fhir = shared_fhir(context);
    let (url, number) = stored(&fhir);
    let criteria = format!("Patient?{}", by_local(&number));
    let patch = json_patch(&json!([{ "op": "add", "path": "/active", "value": true }]));
    let own = with(
        patient(&number),
        "id",
        json!(url.strip_prefix("Patient/").unwrap()),
    );
    let meaning = [
        entry_with("PATCH", &url, &patch),
        entry_with("PATCH", &criteria, &patch),
        entry("DELETE", &criteria),
        entry("DELETE", &url),
        entry_with("PUT", &url, &own),
        entry_with("PUT", &criteria, &patient(&number)),
        asking(
            entry_with("POST", "Patient", &patient(&number)),
            "ifNoneExist",
            &by_local(&number),
        ),
    ];
    for (position, one) in meaning.iter().take(3).enumerate() {
        for (other_position, other) in meaning.iter().enumerate() {
            let between = entry_with("POST", "Patient", &patient(&unique()));
            let answer = transact(&fhir, &[one.clone(), between, other.clone()]);
            let answer = refused(answer, 400, "invalid");
            points_at(&answer, "Bundle.entry[0]");
            points_at(&answer, "Bundle.entry[2]");
            assert_eq!(answer.issues().len(), 2, "{position} and {other_position}");
        }
    }
    assert_eq!(now(&fhir, &url)["meta"]["versionId"], "1");
}

fn p07_a_patch_that_brings_what_another_entry_looks_for_is_refused_with_it(context: &Context) {
    let fhir = shared_fhir(context);
    let (url, _) = stored(&fhir);
    let wanted = unique();
    let brought = json!({ "system": LOCAL, "value": wanted });
    let patch = json_patch(&json!([{ "op": "add", "path": "/identifier/-", "value": brought }]));
    let entries = [
        entry_with("PATCH", &url, &patch),
        asking(
            entry_with("POST", "Patient", &patient(&wanted)),
            "ifNoneExist",
            &by_local(&wanted),
        ),
    ];
    let answer = refused(transact(&fhir, &entries), 400, "invalid");
    points_at(&answer, "Bundle.entry[0]");
    points_at(&answer, "Bundle.entry[1]");
    assert_eq!(count_local(&fhir, &wanted), 0);
}

fn a_patch_that_cannot_be_read_is_refused_at_its_entry(context: &Context) {
    let fhir = shared_fhir(context);
    let (url, _) = stored(&fhir);
    let whole = binary("application/json-patch+json", "[]");
    let cases = [
        (400, "structure", entry("PATCH", &url)),
        (400, "structure", entry_with("PATCH", &url, &patient("x"))),
        (
            400,
            "required",
            entry_with("PATCH", &url, &json!({ "resourceType": "Binary" })),
        ),
        (
            400,
            "structure",
            entry_with("PATCH", &url, &with(whole.clone(), "content", json!("x"))),
        ),
        (
            400,
            "value",
            entry_with("PATCH", &url, &with(whole.clone(), "data", json!("???"))),
        ),
        (
            415,
            "not-supported",
            entry_with(
                "PATCH",
                &url,
                &with(whole, "contentType", json!("application/json")),
            ),
        ),
        (
            400,
            "structure",
            entry_with("PATCH", &url, &binary("application/json-patch+json", "[{}]")),
        ),
        (
            400,
            "structure",
            entry_with("PATCH", &url, &fhirpath(&[("type", json!("none"))])),
        ),
    ];
    for (status, code, asked) in cases {
        let batch = answers(send(&fhir, "batch", std::slice::from_ref(&asked)));
        assert_eq!(statuses(&batch), [status], "{asked}: {batch:?}");
        let answer = refused(transact(&fhir, &[asked]), status, code);
        let issue = &answer.issues()[0];
        assert!(issue.expression[0].starts_with("Bundle.entry[0]"), "{answer:?}");
    }
    assert_eq!(now(&fhir, &url)["meta"]["versionId"], "1");
}

fn what_a_patch_breaks_is_told_without_a_place_in_the_binary(context: &Context) {
    let fhir = shared_fhir(context);
    let (url, _) = stored(&fhir);
    let patch = json_patch(&json!([{ "op": "add", "path": "/birthDate", "value": "2020-02-31" }]));
    let asked = entry_with("PATCH", &url, &patch);
    let answer = refused(transact(&fhir, std::slice::from_ref(&asked)), 400, "value");
    points_at(&answer, "Bundle.entry[0]");
    assert_eq!(answer.issues()[0].diagnostics, "2020-02-31");
    let batch = answers(send(&fhir, "batch", &[asked]));
    let issue = &batch[0]["response"]["outcome"]["issue"][0];
    assert_eq!(issue["expression"], json!(["Bundle.entry[0]"]), "{batch:?}");
}

fn p07_patches_in_transactions_at_once_all_survive(context: &Context) {
    const CLIENTS: usize = 16;
    let fhir = shared_fhir(context);
    let (url, number) = stored(&fhir);
    let answers_of_all = race_of(&fhir, CLIENTS, |client, runner| {
        let brought = json!({ "system": LOCAL, "value": format!("{number}-{runner}") });
        let patch = json_patch(&json!([{ "op": "add", "path": "/identifier/-", "value": brought }]));
        let target = match runner % 2 {
            0 => url.clone(),
            _ => format!("Patient?{}", by_local(&number)),
        };
        answers(transact(client, &[entry_with("PATCH", &target, &patch)]))
    });
    for answered in &answers_of_all {
        assert_eq!(statuses(answered), [200], "{answered:?}");
    }
    let after = now(&fhir, &url);
    assert_eq!(
        after["identifier"].as_array().map(Vec::len),
        Some(CLIENTS + 1),
        "{after}"
    );
    assert_eq!(after["meta"]["versionId"], (CLIENTS + 1).to_string());
}
