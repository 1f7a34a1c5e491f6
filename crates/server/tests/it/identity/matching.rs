//! `$match` (PDQm ITI-119). How good the grades are is held by `cargo test -p fhir identity`.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    the_likeliest_comes_first_with_score_and_grade,
    a_personal_identifier_is_certain_and_a_shared_one_is_not,
    only_certain_matches_are_one_or_none,
    slips_exchanges_and_other_names_are_found,
    count_limits_what_is_shown_and_not_the_total,
    nobody_is_an_empty_bundle,
    a_bare_patient_parameters_and_xml_ask_alike,
    who_was_merged_answers_for_the_survivor_and_who_was_deleted_is_not_found,
    what_cannot_be_matched_is_refused_and_says_what_is_needed,
    a_match_sees_its_own_space_only_and_needs_the_scope_to_search,
];

fn camille(more: Value) -> Value {
    let mut patient = json!({
        "resourceType": "Patient",
        "name": [{ "family": "Lefèvre-Moreau", "given": ["Camille"] }],
        "gender": "female", "birthDate": "1988-11-03",
        "telecom": [{ "system": "phone", "value": "+33 6 12 34 56 78" }]
    });
    for (name, value) in more.as_object().expect("properties") {
        patient[name] = value.clone();
        // An empty list stands for the absence of the element.
        if value.as_array().is_some_and(Vec::is_empty) {
            patient.as_object_mut().expect("a Patient").shift_remove(name);
        }
    }
    patient
}

fn store(fhir: &Client, patient: &Value) -> String {
    id_of(fhir.post("/Patient").json(patient).send().expect(201).location())
}

fn asked(patient: &Value, more: &[Value]) -> Value {
    let mut parameters = vec![json!({ "name": "resource", "resource": patient })];
    parameters.extend_from_slice(more);
    json!({ "resourceType": "Parameters", "parameter": parameters })
}

fn ask(fhir: &Client, body: &Value) -> Value {
    fhir.post("/Patient/$match").json(body).send().expect(200).json()
}

/// Ids and grades of an answer, in its order.
fn told(bundle: &Value) -> Vec<(String, String)> {
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"]),
        (&json!("Bundle"), &json!("searchset"))
    );
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = |entry: &Value| {
        assert_eq!(entry["search"]["mode"], "match");
        let grade = &entry["search"]["extension"][0];
        assert_eq!(
            grade["url"],
            "http://hl7.org/fhir/StructureDefinition/match-grade"
        );
        (text(&entry["resource"]["id"]), text(&grade["valueCode"]))
    };
    entries.iter().map(told).collect()
}

fn pair(id: &str, grade: &str) -> (String, String) {
    (id.to_owned(), grade.to_owned())
}

fn the_likeliest_comes_first_with_score_and_grade(context: &Context) {
    let (_server, fhir) = apart(context);
    let father = store(&fhir, &camille(json!({ "birthDate": "1958-02-01" })));
    let moved = store(
        &fhir,
        &camille(json!({ "birthDate": "1988-03-11", "telecom": [] })),
    );
    let own = store(&fhir, &camille(json!({})));
    store(
        &fhir,
        &camille(
            json!({ "name": [{ "family": "Autre", "given": ["Hugo"] }], "birthDate": "1950-01-01", "telecom": [] }),
        ),
    );
    let bundle = ask(&fhir, &camille(json!({})));
    assert_eq!(
        told(&bundle),
        [
            pair(&own, "certain"),
            pair(&moved, "probable"),
            pair(&father, "possible")
        ]
    );
    assert_eq!(bundle["total"], 3);
    let scores: Vec<f64> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["search"]["score"].as_f64().unwrap())
        .collect();
    assert!(
        scores.is_sorted_by(|one, next| one > next) && scores[0] <= 1.0,
        "{scores:?}"
    );
    assert!(
        bundle["entry"][0]["fullUrl"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/Patient/{own}"))
    );
}

fn identified(system: &str, types: &str, code: &str, value: &str) -> Value {
    json!([{ "system": system, "value": value, "type": { "coding": [{ "system": types, "code": code }] } }])
}

fn a_personal_identifier_is_certain_and_a_shared_one_is_not(context: &Context) {
    let (_server, fhir) = apart(context);
    let core = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203";
    let ins = identified("urn:oid:1.2.250.1.213.1.4.8", core, "INS-NIR", "288110375001686");
    let shared = identified(
        "urn:oid:1.2.250.1.213.1.4.13",
        "http://terminology.hl7.org/CodeSystem/v2-0203",
        "NH",
        "188110375001686",
    );
    let married =
        json!({ "identifier": ins, "name": [{ "family": "Petit", "given": ["Camille"] }], "telecom": [] });
    let own = store(&fhir, &camille(married));
    let sister = json!({ "identifier": shared, "name": [{ "family": "Lefèvre-Moreau", "given": ["Léa"] }], "birthDate": "1991-01-05" });
    let sister = store(&fhir, &camille(sister));
    assert_eq!(
        told(&ask(&fhir, &camille(json!({ "identifier": ins, "telecom": [] })))),
        [pair(&own, "certain")]
    );
    let family = told(&ask(&fhir, &camille(json!({ "identifier": shared }))));
    // Nobody is found by it.
    assert!(family.iter().all(|(id, _)| *id != sister), "{family:?}");
    assert!(family.iter().all(|(_, grade)| grade != "certain"), "{family:?}");
}

fn only_certain_matches_are_one_or_none(context: &Context) {
    let (_server, fhir) = apart(context);
    let only = json!({ "name": "onlyCertainMatches", "valueBoolean": true });
    let certain = |patient: &Value| told(&ask(&fhir, &asked(patient, std::slice::from_ref(&only))));
    let own = store(&fhir, &camille(json!({})));
    assert_eq!(certain(&camille(json!({}))), [pair(&own, "certain")]);
    // Nothing but the four: probable at best.
    assert_eq!(certain(&camille(json!({ "telecom": [] }))), []);
    // A second record that is as certain makes neither so.
    store(&fhir, &camille(json!({})));
    assert_eq!(certain(&camille(json!({}))), []);
    let all = told(&ask(&fhir, &camille(json!({}))));
    assert!(
        all.len() == 2 && all.iter().all(|(_, grade)| grade == "probable"),
        "{all:?}"
    );
}

fn slips_exchanges_and_other_names_are_found(context: &Context) {
    let (_server, fhir) = apart(context);
    let own = store(&fhir, &camille(json!({ "telecom": [] })));
    for (what, expected) in [
        (
            json!({ "name": [{ "family": "LEFEVRE MOREAU", "given": ["CAMILLE"] }] }),
            "probable",
        ),
        (
            json!({ "name": [{ "family": "Lefèvre-Morreau", "given": ["Camille"] }] }),
            "probable",
        ),
        (
            json!({ "name": [{ "family": "Lefèvre-Moreau", "given": ["Camile"] }] }),
            "probable",
        ),
        (
            json!({ "name": [{ "family": "Camille", "given": ["Lefèvre-Moreau"] }] }),
            "probable",
        ),
        (
            json!({ "name": [{ "family": "Lefèvre", "given": ["Camille"] }] }),
            "probable",
        ),
        (json!({ "birthDate": "1988-03-11" }), "probable"),
        (json!({ "birthDate": "1988-11-04" }), "probable"),
        (json!({ "birthDate": "1988" }), "probable"),
        (
            json!({ "name": [{ "family": "Lefèvre-Morreau", "given": ["Camile"] }] }),
            "possible",
        ),
        (json!({ "gender": "male" }), "possible"),
    ] {
        let found = told(&ask(&fhir, &camille(what.clone())));
        assert_eq!(found, [pair(&own, expected)], "{what}");
    }
}

fn count_limits_what_is_shown_and_not_the_total(context: &Context) {
    let (_server, fhir) = apart(context);
    for _ in 0..3 {
        store(&fhir, &camille(json!({})));
    }
    let two = json!({ "name": "count", "valueInteger": 2 });
    let bundle = ask(&fhir, &asked(&camille(json!({})), &[two]));
    assert_eq!((told(&bundle).len(), &bundle["total"]), (2, &json!(3)));
}

fn nobody_is_an_empty_bundle(context: &Context) {
    let (_server, fhir) = apart(context);
    let bundle = ask(&fhir, &camille(json!({})));
    assert_eq!((&bundle["total"], bundle.get("entry")), (&json!(0), None));
}

fn a_bare_patient_parameters_and_xml_ask_alike(context: &Context) {
    let (_server, fhir) = apart(context);
    let own = store(&fhir, &camille(json!({})));
    let bare = ask(&fhir, &camille(json!({})));
    assert_eq!(ask(&fhir, &asked(&camille(json!({})), &[])), bare);
    let xml = "<Patient xmlns=\"http://hl7.org/fhir\"><name><family value=\"Lefèvre-Moreau\"/><given value=\"Camille\"/></name>\
               <telecom><system value=\"phone\"/><value value=\"0612345678\"/></telecom>\
               <gender value=\"female\"/><birthDate value=\"1988-11-03\"/></Patient>";
    let answer = fhir
        .post("/Patient/$match")
        .xml(xml)
        .header("Accept", "application/fhir+xml")
        .send()
        .expect(200);
    let text = answer.text();
    assert!(
        text.contains(&own) && text.contains("<valueCode value=\"certain\"/>"),
        "{text}"
    );
}

fn who_was_merged_answers_for_the_survivor_and_who_was_deleted_is_not_found(context: &Context) {
    let (_server, fhir) = apart(context);
    let married = json!({ "name": [{ "family": "Petit", "given": ["Camille"] }], "telecom": [] });
    let survivor = store(&fhir, &camille(married));
    let link = json!([{ "other": { "reference": format!("Patient/{survivor}") }, "type": "replaced-by" }]);
    store(&fhir, &camille(json!({ "active": false, "link": link })));
    assert_eq!(
        told(&ask(&fhir, &camille(json!({})))),
        [pair(&survivor, "certain")]
    );
    fhir.delete(format!("/Patient/{survivor}")).send().expect(204);
    let deleted = store(&fhir, &camille(json!({ "birthDate": "1977-01-02" })));
    fhir.delete(format!("/Patient/{deleted}")).send().expect(204);
    assert_eq!(
        told(&ask(&fhir, &camille(json!({ "birthDate": "1977-01-02" }))))
            .iter()
            .filter(|(id, _)| *id == deleted)
            .count(),
        0
    );
}

fn what_cannot_be_matched_is_refused_and_says_what_is_needed(context: &Context) {
    let fhir = shared_fhir(context);
    let refused_of = |body: &Value, status: u16, code: &str| {
        refused(fhir.post("/Patient/$match").json(body).send(), status, code);
    };
    refused_of(
        &json!({ "resourceType": "Patient", "gender": "female" }),
        422,
        "business-rule",
    );
    refused_of(
        &json!({ "resourceType": "Parameters", "parameter": [{ "name": "count", "valueInteger": 1 }] }),
        400,
        "required",
    );
    refused_of(&asked(&resource("Practitioner", LOCAL, "1"), &[]), 400, "invalid");
    refused_of(&camille(json!({ "birthDate": "1988-13-03" })), 400, "value");
    refused_of(&camille(json!({ "gender": "femal" })), 422, "code-invalid");
    refused_of(
        &asked(
            &camille(json!({})),
            &[json!({ "name": "count", "valueInteger": 0 })],
        ),
        400,
        "value",
    );
    refused_of(
        &asked(
            &camille(json!({})),
            &[json!({ "name": "onlyCertain", "valueBoolean": true })],
        ),
        400,
        "not-supported",
    );
    refused(fhir.post("/Patient/$match").send(), 400, "required");
    refused(
        fhir.post("/Practitioner/$match").json(&camille(json!({}))).send(),
        404,
        "not-supported",
    );
    assert_eq!(fhir.get("/Patient/$match").send().status, 405);
}

fn a_match_sees_its_own_space_only_and_needs_the_scope_to_search(context: &Context) {
    let (server, fhir) = apart(context);
    store(&fhir, &camille(json!({})));
    succeeds(context, &server, &["space", "add", "other", "--sandbox"]);
    let client = |name: &str, space: &str, scope: &str| {
        fhir_with_key(
            &server,
            &crate::access::client_key(context, &server, name, &[space], &[scope]),
        )
    };
    assert_eq!(
        ask(
            &client("stranger", "other", "system/*.cruds"),
            &camille(json!({}))
        )["total"],
        0
    );
    let reader = client("reader", "demo", "system/Patient.cru");
    refused(
        reader.post("/Patient/$match").json(&camille(json!({}))).send(),
        403,
        "forbidden",
    );
    let body = camille(json!({}));
    refused(
        server.client("sas").post("/Patient/$match").json(&body).send(),
        403,
        "forbidden",
    );
}
