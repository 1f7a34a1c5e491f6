//! `$ihe-pix` (PIXm ITI-83).

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::percent_encode;
use testkit::tests;

use super::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    a_patient_known_in_three_domains_answers_with_the_other_two,
    wanted_systems_limit_the_answer,
    each_of_the_four_errors_has_its_status_and_code,
    an_identifier_that_several_share_says_of_none_who_it_is,
    nobody_is_found_by_a_number_that_a_family_may_share,
    parameters_may_be_posted_and_the_answer_may_be_xml,
    pix_sees_its_own_space_only_and_needs_the_scope_to_search,
];

fn ask(client: &Client, system: &str, value: &str, rest: &str) -> Response {
    let source = percent_encode(&format!("{system}|{value}"));
    client
        .get(format!("/Patient/$ihe-pix?sourceIdentifier={source}{rest}"))
        .send()
}

/// The identifiers of an answer, `system|value`, and the references.
fn told(response: Response) -> (Vec<String>, Vec<String>) {
    let answer = response.expect(200).json();
    assert_eq!(answer["resourceType"], "Parameters");
    let parts = answer["parameter"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let identifiers = parts
        .iter()
        .filter(|part| part["name"] == "targetIdentifier")
        .map(|part| {
            let identifier = &part["valueIdentifier"];
            format!("{}|{}", text(&identifier["system"]), text(&identifier["value"]))
        });
    let ids = parts.iter().filter(|part| part["name"] == "targetId");
    (
        identifiers.collect(),
        ids.map(|part| text(&part["valueReference"]["reference"]))
            .collect(),
    )
}

fn a_patient_known_in_three_domains_answers_with_the_other_two(context: &Context) {
    let (_server, fhir) = apart(context);
    let created = feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    let own = created.location().split("/_history").next().unwrap().to_owned();
    let green_and_red = [format!("{GREEN}|IHEGREEN-994"), format!("{RED}|IHERED-994")];
    let (identifiers, ids) = told(ask(&fhir, BLUE, "IHEBLUE-994", ""));
    assert_eq!((identifiers.as_slice(), ids), (&green_and_red[..], vec![own]));
    let (identifiers, _) = told(ask(&fhir, RED, "IHERED-994", ""));
    assert_eq!(
        identifiers,
        [format!("{BLUE}|IHEBLUE-994"), format!("{GREEN}|IHEGREEN-994")]
    );
    // The element comes whole.
    let whole = ask(&fhir, BLUE, "IHEBLUE-994", "").json();
    assert_eq!(whole["parameter"][0]["valueIdentifier"]["use"], "usual");
}

fn wanted_systems_limit_the_answer(context: &Context) {
    let (_server, fhir) = apart(context);
    feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    let red = format!("&targetSystem={RED}");
    let (identifiers, ids) = told(ask(&fhir, BLUE, "IHEBLUE-994", &red));
    assert_eq!(identifiers, [format!("{RED}|IHERED-994")]);
    assert_eq!(ids.len(), 1);
    let both = format!("{red}&targetSystem={GREEN}");
    assert_eq!(told(ask(&fhir, BLUE, "IHEBLUE-994", &both)).0.len(), 2);
    // Known to the server, and not to this patient: nothing, which is no error.
    fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let other = format!("&targetSystem={LOCAL}");
    assert_eq!(told(ask(&fhir, BLUE, "IHEBLUE-994", &other)), (vec![], vec![]));
    // A configured system is known although nobody has one.
    let ins = "&targetSystem=urn:oid:1.2.250.1.213.1.4.8";
    assert_eq!(told(ask(&fhir, BLUE, "IHEBLUE-994", ins)), (vec![], vec![]));
}

fn each_of_the_four_errors_has_its_status_and_code(context: &Context) {
    let (_server, fhir) = apart(context);
    feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    refused(ask(&fhir, BLUE, "IHEBLUE-995", ""), 404, "not-found");
    refused(
        ask(&fhir, "urn:oid:1.2.3.4", "IHEBLUE-994", ""),
        400,
        "code-invalid",
    );
    refused(
        ask(&fhir, BLUE, "IHEBLUE-994", "&targetSystem=urn:oid:1.2.3.4"),
        403,
        "code-invalid",
    );
    refused(fhir.get("/Patient/$ihe-pix").send(), 400, "required");
    for source in ["IHEBLUE-994", "%7CIHEBLUE-994", "urn:oid:1.2.3.4%7C", ""] {
        let target = format!("/Patient/$ihe-pix?sourceIdentifier={source}");
        refused(fhir.get(target).send(), 400, "value");
    }
    let misspelt = format!("&targetsystem={RED}");
    refused(ask(&fhir, BLUE, "IHEBLUE-994", &misspelt), 400, "not-supported");
}

fn an_identifier_that_several_share_says_of_none_who_it_is(context: &Context) {
    let (_server, fhir) = apart(context);
    let shared = unique();
    for _ in 0..2 {
        fhir.post("/Patient").json(&patient(&shared)).send().expect(201);
    }
    refused(ask(&fhir, LOCAL, &shared, ""), 412, "multiple-matches");
}

fn nobody_is_found_by_a_number_that_a_family_may_share(context: &Context) {
    let (_server, fhir) = apart(context);
    let nh =
        json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NH" }] });
    let ins = json!({ "coding": [{ "system": "http://interopsante.org/fhir/CodeSystem/fr-v2-0203", "code": "INS-NIR" }] });
    let (social, national) = ("urn:oid:1.2.250.1.213.1.4.13", "urn:oid:1.2.250.1.213.1.4.8");
    let family = json!([
        { "system": social, "value": "188110375001686" },
        { "system": national, "value": "188110375001686", "type": nh },
        { "system": national, "value": "288110375001686", "type": ins },
        { "system": national, "value": "300000000000000" }
    ]);
    let own = fhir
        .post("/Patient")
        .json(&with(patient(&unique()), "identifier", family))
        .send()
        .expect(201);
    for (system, value) in [
        (social, "188110375001686"),
        (national, "188110375001686"),
        (national, "300000000000000"),
    ] {
        refused(ask(&fhir, system, value, ""), 404, "not-found");
    }
    told(ask(&fhir, national, "288110375001686", ""));
    // Nor is the survivor of a merge.
    let link = |value: &str| json!([{ "other": { "identifier": { "system": national, "value": value } }, "type": "replaced-by" }]);
    let merged = |value: &str| {
        fhir.post("/Patient")
            .json(&with(patient(&unique()), "link", link(value)))
            .send()
    };
    refused(merged("188110375001686"), 422, "business-rule");
    merged("288110375001686").expect(201);
    let survivor = fhir
        .get(path_of(own.location()).split("/_history").next().unwrap())
        .send()
        .json();
    assert_eq!(survivor["link"].as_array().map(Vec::len), Some(1));
}

fn parameters_may_be_posted_and_the_answer_may_be_xml(context: &Context) {
    let (_server, fhir) = apart(context);
    feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    let body = json!({
        "resourceType": "Parameters",
        "parameter": [
            { "name": "sourceIdentifier", "valueString": format!("{BLUE}|IHEBLUE-994") },
            { "name": "targetSystem", "valueUri": RED }
        ]
    });
    let posted = fhir.post("/Patient/$ihe-pix").json(&body).send();
    assert_eq!(told(posted).0, [format!("{RED}|IHERED-994")]);
    let xml = ask(&fhir, BLUE, "IHEBLUE-994", "&_format=xml").expect(200);
    assert!(
        xml.text().contains("<name value=\"targetIdentifier\"/>") && xml.text().contains("IHERED-994"),
        "{}",
        xml.text()
    );
}

fn pix_sees_its_own_space_only_and_needs_the_scope_to_search(context: &Context) {
    let (server, fhir) = apart(context);
    feed(&fhir, BLUE, "IHEBLUE-994", &example("alice")).expect(201);
    succeeds(context, &server, &["space", "add", "other", "--sandbox"]);
    let client = |name: &str, space: &str, scope: &str| {
        fhir_with_key(
            &server,
            &crate::access::client_key(context, &server, name, &[space], &[scope]),
        )
    };
    refused(
        ask(
            &client("stranger", "other", "system/*.cruds"),
            BLUE,
            "IHEBLUE-994",
            "",
        ),
        400,
        "code-invalid",
    );
    refused(
        ask(
            &client("reader", "demo", "system/Patient.r"),
            BLUE,
            "IHEBLUE-994",
            "",
        ),
        403,
        "forbidden",
    );
    told(ask(
        &client("searcher", "demo", "system/Patient.s"),
        BLUE,
        "IHEBLUE-994",
        "",
    ));
}
