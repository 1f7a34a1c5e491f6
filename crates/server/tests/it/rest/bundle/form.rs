//! The form of Bundles: JSON and XML, their own faults, their limits.

use serde_json::json;
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_transaction_is_taken_and_answered_in_xml,
    a_batch_in_xml_keeps_the_faults_of_an_entry_in_it,
    a_bundle_that_is_none_to_be_processed_is_refused,
    the_base_is_taken_with_and_without_a_slash,
    urls_are_taken_relative_and_absolute,
    a_url_of_another_server_is_refused,
    a_resource_may_be_as_deep_in_a_bundle_as_alone,
    a_bundle_may_be_larger_than_a_resource_and_its_resources_may_not,
];

fn a_transaction_is_taken_and_answered_in_xml(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let body = format!(
        r#"<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/>
        <entry><fullUrl value="urn:uuid:1"/><resource><Practitioner><identifier><system value="{LOCAL}"/><value value="{number}"/></identifier></Practitioner></resource>
        <request><method value="POST"/><url value="Practitioner"/><ifNoneExist value="{by}"/></request></entry>
        <entry><resource><Patient><generalPractitioner><reference value="urn:uuid:1"/></generalPractitioner></Patient></resource>
        <request><method value="POST"/><url value="Patient"/></request></entry>
        <entry><request><method value="GET"/><url value="Practitioner?{by}"/></request></entry></Bundle>"#,
        by = by_local(&number),
    );
    let answer = fhir
        .post("/")
        .header("Content-Type", "application/fhir+xml")
        .header("Accept", "application/fhir+xml")
        .body(body)
        .send()
        .expect(200);
    let text = xml_root(&answer);
    assert!(text.contains("<type value=\"transaction-response\"/>"), "{text}");
    assert_eq!(
        text.matches("<status value=\"201 Created\"/>").count(),
        2,
        "{text}"
    );
    assert!(
        text.contains("<type value=\"searchset\"/>") && !text.contains("urn:uuid:1"),
        "{text}"
    );
    assert_eq!(found(&fhir, "Practitioner", (LOCAL, &number)).len(), 1);
}

fn a_batch_in_xml_keeps_the_faults_of_an_entry_in_it(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let body = format!(
        r#"<Bundle xmlns="http://hl7.org/fhir"><type value="batch"/>
        <entry><resource><Patient><nickname value="x"/></Patient></resource><request><method value="POST"/><url value="Patient"/></request></entry>
        <entry><resource><Patient><identifier><system value="{LOCAL}"/><value value="{number}"/></identifier></Patient></resource>
        <request><method value="POST"/><url value="Patient"/></request></entry></Bundle>"#,
    );
    let answer = fhir
        .post("")
        .header("Content-Type", "application/fhir+xml")
        .body(body)
        .send();
    let answered = answers(answer);
    assert_eq!(statuses(&answered), [400, 201], "{answered:?}");
    let place = &answered[0]["response"]["outcome"]["issue"][0]["expression"][0];
    assert!(
        place.as_str().unwrap().starts_with("Bundle.entry[0].resource"),
        "{place}"
    );
}

fn a_bundle_that_is_none_to_be_processed_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let post = |body: &Value| fhir.post("").json(body).send();
    points_at(
        &refused(post(&bundle("searchset", &[])), 400, "invalid"),
        "Bundle.type",
    );
    points_at(
        &refused(post(&bundle("transactions", &[])), 422, "code-invalid"),
        "Bundle.type",
    );
    points_at(
        &refused(post(&json!({ "resourceType": "Bundle" })), 400, "required"),
        "Bundle.type",
    );
    refused(post(&patient(&unique())), 400, "structure");
    points_at(
        &refused(
            post(&json!({ "resourceType": "Bundle", "type": "batch", "entries": [] })),
            400,
            "structure",
        ),
        "Bundle.entries",
    );
    refused(
        fhir.post("")
            .header("Content-Type", "application/fhir+json")
            .body("")
            .send(),
        400,
        "structure",
    );
    refused(
        fhir.post("").header("Content-Type", "text/csv").body("x").send(),
        415,
        "not-supported",
    );
    let put = refused(
        fhir.put("").json(&bundle("batch", &[])).send(),
        405,
        "not-supported",
    );
    assert!(put.header("allow").unwrap().contains("POST"));
}

fn the_base_is_taken_with_and_without_a_slash(context: &Context) {
    let fhir = shared_fhir(context);
    for path in ["", "/"] {
        let sent = bundle("batch", &[entry("GET", "Patient/never-there")]);
        assert_eq!(statuses(&answers(fhir.post(path).json(&sent).send())), [404]);
    }
}

fn urls_are_taken_relative_and_absolute(context: &Context) {
    let fhir = shared_fhir(context);
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let (base, _) = created.location().split_once("/Patient/").unwrap();
    let relative = format!("Patient/{}", created.id());
    for kind in ["batch", "transaction"] {
        let entries = [
            entry("GET", &relative),
            entry("GET", &format!("/{relative}")),
            entry("GET", &format!("{base}/{relative}")),
        ];
        assert_eq!(statuses(&answers(send(&fhir, kind, &entries))), [200, 200, 200]);
    }
}

fn a_url_of_another_server_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    for url in [
        "http://elsewhere.example/fhir/Patient/1",
        "urn:uuid:1",
        "//elsewhere/Patient",
    ] {
        assert_eq!(
            statuses(&answers(send(&fhir, "batch", &[entry("GET", url)]))),
            [400],
            "{url}"
        );
        points_at(
            &refused(transact(&fhir, &[entry("GET", url)]), 400, "value"),
            "Bundle.entry[0]",
        );
    }
}

fn a_bundle_may_be_larger_than_a_resource_and_its_resources_may_not(context: &Context) {
    let fhir = shared_fhir(context);
    let long = |number: &str, size: usize| {
        let piece = json!({ "url": "http://example.org/long", "valueString": "x".repeat(512 * 1024) });
        with(
            patient(number),
            "extension",
            Value::Array(vec![piece; size / (512 * 1024)]),
        )
    };
    let (number, mib) = (unique(), 1024 * 1024);
    let post = |size: usize| entry_with("POST", "Patient", &long(&number, size));
    let answered = answers(send(
        &fhir,
        "batch",
        &[post(mib), post(mib), post(mib), post(2 * mib)],
    ));
    assert_eq!(statuses(&answered), [201, 201, 201, 413]);
    refused(
        fhir.post("/Patient").json(&long(&number, 2 * mib)).send(),
        413,
        "too-long",
    );
    let too_large = bundle("batch", &vec![post(mib); 16]);
    refused(fhir.post("").json(&too_large).send(), 413, "too-long");
}

fn a_resource_may_be_as_deep_in_a_bundle_as_alone(context: &Context) {
    let fhir = shared_fhir(context);
    let deep = |levels: usize| {
        let innermost = json!({ "url": "urn:x", "valueString": "x" });
        let nested = (1..levels).fold(
            innermost,
            |inner, _| json!({ "url": "urn:x", "extension": [inner] }),
        );
        with(patient(&unique()), "extension", json!([nested]))
    };
    for (levels, status) in [(63, 201), (64, 400)] {
        assert_eq!(fhir.post("/Patient").json(&deep(levels)).send().status, status);
        for kind in ["batch", "transaction"] {
            let sent = bundle(kind, &[entry_with("POST", "Patient", &deep(levels))]);
            let minimal = fhir.post("").header("Prefer", "return=minimal");
            let answer = minimal.json(&sent).send();
            let done = answer.text().contains("\"201 Created\"");
            assert_eq!(done, status == 201, "{kind} of {levels}: {answer:?}");
        }
    }
}
