//! Entries that read: histories, searches by POST, and what the server publishes of itself.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    an_entry_reads_what_the_same_request_reads_alone,
    reads_are_in_the_bundle_in_xml_as_well,
    a_posted_search_sees_what_the_bundle_wrote,
    a_search_whose_parameters_are_in_a_body_is_refused,
    a_tag_of_what_is_published_is_known,
    nothing_else_is_read_or_written_of_what_is_published,
];

/// Paths that are read, with the id of a Patient in them.
fn paths(id: &str, number: &str) -> Vec<String> {
    [
        "metadata",
        "StructureDefinition/patient-identification-status",
        "StructureDefinition?name=PatientIdentificationStatus",
        "NamingSystem",
        "Patient/$id",
        "Patient/$id?_summary=true",
        "Patient/$id/_history",
        "Patient/$id/_history?_count=1",
        "Patient/$id/_history/1",
        "Patient?identifier=$n",
        "Patient?_id=$id&_elements=name",
        "?_type=Patient&_id=$id",
        "Patient/_history?_count=1&_since=2999-01-01T00:00:00Z",
        "_history?_count=1&_since=2999-01-01T00:00:00Z",
    ]
    .iter()
    .map(|path| path.replace("$id", id).replace("$n", number))
    .collect()
}

fn an_entry_reads_what_the_same_request_reads_alone(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let created = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let paths = paths(&created.id(), &number);
    let entries: Vec<Value> = paths.iter().map(|path| entry("GET", path)).collect();
    for kind in ["batch", "transaction"] {
        let answered = answers(send(&fhir, kind, &entries));
        for (path, answer) in paths.iter().zip(&answered) {
            assert_eq!(answer["response"]["status"], "200 OK", "{kind} {path}: {answer}");
            let alone = fhir.get(format!("/{path}")).send().expect(200);
            assert_eq!(answer["resource"], alone.json(), "{kind} {path}");
            if alone.json()["resourceType"] != "Bundle" {
                let tag = alone.header("etag").map(str::to_owned);
                assert_eq!(
                    answer["response"]["etag"].as_str(),
                    tag.as_deref(),
                    "{kind} {path}"
                );
            }
        }
    }
}

fn reads_are_in_the_bundle_in_xml_as_well(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let created = fhir.post("/Patient").json(&patient(&number)).send().expect(201);
    let entries: Vec<Value> = paths(&created.id(), &number)
        .iter()
        .map(|path| entry("GET", path))
        .collect();
    let sent = bundle("transaction", &entries);
    let answer = fhir
        .post("")
        .header("Accept", "application/fhir+xml")
        .json(&sent)
        .send();
    let text = xml_root(&answer.expect(200));
    assert_eq!(
        text.matches("<status value=\"200 OK\"/>").count(),
        entries.len(),
        "{text}"
    );
    for root in [
        "<CapabilityStatement",
        "<StructureDefinition",
        "<NamingSystem",
        "<type value=\"history\"/>",
    ] {
        assert!(text.contains(root), "{root} in {text}");
    }
}

fn a_posted_search_sees_what_the_bundle_wrote(context: &Context) {
    let fhir = shared_fhir(context);
    for kind in ["batch", "transaction"] {
        let number = unique();
        let by = by_local(&number);
        let entries = [
            entry("POST", &format!("Patient/_search?{by}")),
            entry("POST", &format!("_search?_type=Patient&_tag=urn:x|{number}")),
            entry("POST", "NamingSystem/_search?name=x"),
            entry_with(
                "POST",
                "Patient",
                &with(
                    patient(&number),
                    "meta",
                    json!({ "tag": [{ "system": "urn:x", "code": number }] }),
                ),
            ),
        ];
        let answered = answers(send(&fhir, kind, &entries));
        assert_eq!(statuses(&answered), [200, 200, 200, 201], "{kind}: {answered:?}");
        assert_eq!(ids(&answered[0]["resource"]), [id(&answered[3])], "{kind}");
        assert_eq!(ids(&answered[1]["resource"]), [id(&answered[3])], "{kind}");
        assert_eq!(answered[2]["resource"]["total"], 0);
    }
}

fn a_search_whose_parameters_are_in_a_body_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let parameters =
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "family", "valueString": "x" }] });
    for url in ["Patient/_search", "_search", "NamingSystem/_search"] {
        let asked = entry_with("POST", url, &parameters);
        let batch = answers(send(&fhir, "batch", std::slice::from_ref(&asked)));
        assert_eq!(statuses(&batch), [400], "{batch:?}");
        points_at(
            &refused(transact(&fhir, &[asked]), 400, "structure"),
            "Bundle.entry[0]",
        );
    }
}

fn a_tag_of_what_is_published_is_known(context: &Context) {
    let fhir = shared_fhir(context);
    let url = "StructureDefinition/patient-identification-status";
    let tag = fhir
        .get(format!("/{url}"))
        .send()
        .expect(200)
        .header("etag")
        .unwrap()
        .to_owned();
    let answered = answers(transact(&fhir, &[asking(entry("GET", url), "ifNoneMatch", &tag)]));
    assert_eq!(statuses(&answered), [304]);
    assert!(answered[0].get("resource").is_none(), "{answered:?}");
}

fn nothing_else_is_read_or_written_of_what_is_published(context: &Context) {
    let fhir = shared_fhir(context);
    let url = "StructureDefinition/patient-identification-status";
    let asked = [
        (404, entry("GET", "StructureDefinition/no-such")),
        (404, entry("GET", &format!("{url}/_history"))),
        (404, entry("GET", "StructureDefinition/_history")),
        (400, entry("GET", "StructureDefinition?url:below=x")),
        (405, entry("DELETE", url)),
        (405, entry("PUT", url)),
        (405, entry("POST", "StructureDefinition")),
        (405, entry("POST", "metadata")),
        (404, entry("GET", "Patient/$nothing")),
        (404, entry("POST", "Patient/$nothing")),
    ];
    for (status, asked) in asked {
        let method = asked["request"]["method"].as_str().unwrap();
        let alone = fhir.request(method, format!("/{}", asked["request"]["url"].as_str().unwrap()));
        assert_eq!(alone.send().status, status, "alone: {asked}");
        assert_eq!(
            statuses(&answers(send(&fhir, "batch", std::slice::from_ref(&asked)))),
            [status],
            "{asked}"
        );
        assert_eq!(
            transact(&fhir, std::slice::from_ref(&asked)).status,
            status,
            "{asked}"
        );
    }
}
