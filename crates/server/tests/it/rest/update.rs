//! update by id: client ids, body rules, revival, no-op writes.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    an_update_replaces_and_counts_on,
    an_update_of_an_unknown_id_creates_it,
    an_id_of_the_client_may_be_anything_the_specification_allows,
    an_id_outside_the_specification_is_refused,
    the_body_must_carry_the_id_of_the_url,
    a_subsetted_body_is_refused,
    a_deleted_resource_is_revived_by_an_update,
    a_write_that_changes_nothing_makes_no_version,
    a_write_that_changes_anything_makes_one,
    versions_count_from_one_without_gaps_and_times_never_fall,
    a_refused_update_changes_nothing,
    p32_the_same_update_again_and_again_is_fine,
    what_an_update_leaves_out_is_gone,
];

fn an_update_replaces_and_counts_on(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let created = fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let path = format!("/Patient/{}", created.id());
    let updated = fhir
        .put(&path)
        .json(&with(created.json(), "gender", json!("female")))
        .send()
        .expect(200);
    assert_eq!(updated.header("ETag"), Some("W/\"2\""));
    assert_eq!(updated.json()["gender"], "female");
    assert_eq!(updated.json()["meta"]["versionId"], "2");
    assert!(updated.header("Last-Modified").is_some());
    assert_eq!(fhir.get(&path).send().expect(200).text(), updated.text());
    if let Some(location) = updated.header("Content-Location") {
        assert_eq!(location, format!("{}/fhir{path}/_history/2", server.base()));
    }
}

fn an_update_of_an_unknown_id_creates_it(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let own = unique();
    let body = with(patient(&own), "id", json!(own));
    let created = fhir.put(format!("/Patient/{own}")).json(&body).send().expect(201);
    assert_eq!(
        created.location(),
        format!("{}/fhir/Patient/{own}/_history/1", server.base())
    );
    assert_eq!(created.header("ETag"), Some("W/\"1\""));
    // The same id under the other type is another resource.
    let other = with(resource("Practitioner", LOCAL, &own), "id", json!(own));
    fhir.put(format!("/Practitioner/{own}"))
        .json(&other)
        .send()
        .expect(201);
    assert_eq!(
        fhir.get(format!("/Patient/{own}")).send().expect(200).json()["resourceType"],
        "Patient"
    );
}

fn an_id_of_the_client_may_be_anything_the_specification_allows(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let allowed = [
        format!("{own}-A.z"),
        format!("-{own}"),
        format!("{own}."),
        format!("Patient{own}"),
        format!("{own}{}", "9".repeat(64 - own.len())),
        own.to_uppercase(),
        own.clone(),
    ];
    for id in allowed {
        let body = with(patient(&id), "id", json!(id));
        let created = fhir.put(format!("/Patient/{id}")).json(&body).send().expect(201);
        assert!(
            created
                .location()
                .ends_with(&format!("/fhir/Patient/{id}/_history/1")),
            "{created:?}"
        );
        assert_eq!(fhir.get(created.location()).send().expect(200).json()["id"], *id);
    }
}

fn an_id_outside_the_specification_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    for id in [
        &"a".repeat(65),
        "a_b",
        "a b",
        "é",
        "a/b",
        "a\u{0}",
        "a\r\nX-Injected: 1",
        "a%",
    ] {
        let body = with(patient("1"), "id", json!(id));
        let target = format!("/Patient/{}", testkit::http::percent_encode(id));
        let answer = fhir.put(target).json(&body).send();
        assert!(matches!(answer.status, 400 | 404), "{id:?}: {answer:?}");
        assert!(!answer.issues().is_empty(), "{answer:?}");
        assert!(answer.header("X-Injected").is_none() && answer.header("Location").is_none());
    }
}

fn the_body_must_carry_the_id_of_the_url(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    refused(fhir.put(&path).json(&patient(&own)).send(), 400, "invalid");
    refused(
        fhir.put(&path)
            .json(&with(patient(&own), "id", json!("another")))
            .send(),
        400,
        "invalid",
    );
    refused(fhir.get(&path).send(), 404, "not-found");
    let body = with(patient(&own), "id", json!(own));
    fhir.put(&path).json(&body).send().expect(201);
    refused(fhir.put(&path).json(&patient(&own)).send(), 400, "invalid");
    refused(
        fhir.put(&path)
            .json(&with(body.clone(), "id", json!(own.to_uppercase())))
            .send(),
        400,
        "invalid",
    );
    let other_type = with(resource("Practitioner", LOCAL, &own), "id", json!(own));
    refused(fhir.put(&path).json(&other_type).send(), 400, "structure");
    assert_eq!(fhir.get(&path).send().expect(200).version(), 1);
}

fn a_subsetted_body_is_refused(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let tag = json!({ "tag": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED" }] });
    let body = with(with(patient(&own), "id", json!(own)), "meta", tag);
    let path = format!("/Patient/{own}");
    assert_eq!(fhir.put(&path).json(&body).send().status, 422);
    let whole = with(patient(&own), "id", json!(own));
    fhir.put(&path).json(&whole).send().expect(201);
    let answer = fhir.put(&path).json(&body).send().expect(422);
    assert!(!answer.issues().is_empty(), "{answer:?}");
    assert_eq!(put_by(&fhir, "Patient", (LOCAL, &own), &body).status, 422);
    assert_eq!(fhir.get(&path).send().expect(200).version(), 1);
    // Another tag of that system says nothing of the kind.
    let harmless = json!({ "tag": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "PSEUDED" }] });
    fhir.put(&path)
        .json(&with(body, "meta", harmless))
        .send()
        .expect(200);
}

fn a_deleted_resource_is_revived_by_an_update(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let own = unique();
    let body = with(patient(&own), "id", json!(own));
    let path = format!("/Patient/{own}");
    fhir.put(&path).json(&body).send().expect(201);
    fhir.delete(&path).send().expect(204);
    let revived = fhir.put(&path).json(&body).send().expect(201);
    assert_eq!(
        revived.location(),
        format!("{}/fhir{path}/_history/3", server.base())
    );
    assert_eq!(revived.version(), 3);
    assert_eq!(fhir.get(&path).send().expect(200).text(), revived.text());
    assert_eq!(count_local(&fhir, &own), 1);
    refused(fhir.get(format!("{path}/_history/2")).send(), 410, "deleted");
    fhir.get(format!("{path}/_history/1")).send().expect(200);
}

fn a_write_that_changes_nothing_makes_no_version(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let body = with(patient(&own), "id", json!(own));
    let path = format!("/Patient/{own}");
    let created = fhir.put(&path).json(&body).send().expect(201);
    let stale_meta = json!({ "versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z" });
    let variants: [Value; 4] = [
        body.clone(),
        created.json(),
        with(body.clone(), "meta", stale_meta),
        // The order of properties is no content.
        json!({ "name": body["name"], "identifier": body["identifier"], "id": own, "resourceType": "Patient" }),
    ];
    for variant in variants {
        let again = fhir.put(&path).json(&variant).send().expect(200);
        assert_eq!(again.header("ETag"), Some("W/\"1\""), "{variant}");
        assert_eq!(again.json()["meta"], created.json()["meta"]);
        assert_eq!(again.header("Last-Modified"), created.header("Last-Modified"));
    }
    refused(fhir.get(format!("{path}/_history/2")).send(), 404, "not-found");
}

fn a_write_that_changes_anything_makes_one(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    let name = |given: Value| json!([{ "family": "Ordinaire", "given": given }]);
    let body = with(patient(&own), "id", json!(own));
    let steps = [
        body.clone(),
        with(body.clone(), "name", name(json!(["Camille", "Noor"]))),
        // The order of a list is content.
        with(body.clone(), "name", name(json!(["Noor", "Camille"]))),
        with(body.clone(), "meta", json!({ "tag": [{ "code": "a" }] })),
        with(
            body.clone(),
            "_birthDate",
            json!({ "extension": [{ "url": "urn:x", "valueString": "unknown" }] }),
        ),
        // Decimals keep their written precision, so this one differs from the next.
        with(
            body.clone(),
            "extension",
            json!([{ "url": "urn:d", "valueDecimal": 1 }]),
        ),
    ];
    for (number, step) in steps.iter().enumerate() {
        let answer = fhir.put(&path).json(step).send();
        assert_eq!(
            (answer.status, answer.version()),
            (if number == 0 { 201 } else { 200 }, number as u64 + 1)
        );
    }
    let precise = serde_json::to_string(&steps[5])
        .unwrap()
        .replace("\"valueDecimal\":1", "\"valueDecimal\":1.00");
    let answer = fhir
        .put(&path)
        .header("Content-Type", "application/fhir+json")
        .body(precise)
        .send()
        .expect(200);
    assert_eq!(answer.version(), 7);
    assert!(answer.text().contains("\"valueDecimal\":1.00"), "{answer:?}");
}

fn versions_count_from_one_without_gaps_and_times_never_fall(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    let mut last = String::new();
    for number in 1..=12_u64 {
        let body = with(
            with(patient(&own), "id", json!(own)),
            "multipleBirthInteger",
            json!(number),
        );
        let answer = fhir.put(&path).json(&body).send();
        assert_eq!(answer.version(), number);
        let updated = answer.json()["meta"]["lastUpdated"].as_str().unwrap().to_owned();
        assert!(updated >= last, "{updated} after {last}");
        last = updated;
    }
}

fn a_refused_update_changes_nothing(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    let body = with(patient(&own), "id", json!(own));
    let created = fhir.put(&path).json(&body).send().expect(201);
    refused(
        fhir.put(&path)
            .json(&with(body.clone(), "birthDate", json!("1980-13-01")))
            .send(),
        400,
        "value",
    );
    refused(
        fhir.put(&path)
            .json(&with(body.clone(), "gender", json!("f")))
            .send(),
        422,
        "code-invalid",
    );
    refused(
        fhir.put(&path).json(&with(body, "sex", json!("f"))).send(),
        400,
        "structure",
    );
    assert_eq!(fhir.get(&path).send().expect(200).text(), created.text());
}

fn p32_the_same_update_again_and_again_is_fine(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let body = patient(&own);
    put_by(&fhir, "Patient", (LOCAL, &own), &body).expect(201);
    for _ in 0..3 {
        let again = put_by(&fhir, "Patient", (LOCAL, &own), &body).expect(200);
        assert_eq!(again.version(), 1);
        assert!(again.location().ends_with("/_history/1"));
    }
}

fn what_an_update_leaves_out_is_gone(context: &Context) {
    let fhir = shared_fhir(context);
    let own = unique();
    let path = format!("/Patient/{own}");
    let full = with(with(patient(&own), "id", json!(own)), "gender", json!("male"));
    fhir.put(&path).json(&full).send().expect(201);
    let bare = json!({ "resourceType": "Patient", "id": own, "active": true });
    let replaced = fhir.put(&path).json(&bare).send().expect(200).json();
    assert_eq!(
        (&replaced["gender"], &replaced["name"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(count_local(&fhir, &own), 0);
}
