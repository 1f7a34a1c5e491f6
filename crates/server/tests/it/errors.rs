//! What an error says: every issue with its place, and a page of all common ones to be read aloud.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p server --test it errors` writes the page anew.

use std::path::Path;

use serde_json::{Value, json};
use testkit::fixtures::snapshot;
use testkit::harness::{Context, Test};
use testkit::http::{Client, Request, Response};
use testkit::tests;

use crate::access::client_key;
use crate::support::*;
use crate::tls::proxy::Certified;

mod files;
mod rare;
mod texts;

use rare::Held;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p59_every_validation_issue_points_at_its_place,
    p60_a_missing_element_is_named_once_with_its_path,
    p61_every_issue_has_severity_and_code,
    p62_every_issue_says_what_to_do_and_what_was_found,
    an_outcome_is_itself_valid_and_alike_in_both_formats,
    the_errors_read_as_in_the_snapshot,
    every_kind_of_error_is_held_by_a_case_or_a_test,
    every_text_of_an_error_stands_on_a_page,
];

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/fhir/errors.snap.md");

fn post(fhir: &Client, body: &Value) -> Response {
    fhir.post("/Patient").json(body).send()
}

fn faulty() -> Vec<(Value, Vec<&'static str>)> {
    vec![
        (
            json!({ "resourceType": "Patient", "birthDate": "1980-02-30" }),
            vec!["Patient.birthDate"],
        ),
        (
            json!({ "resourceType": "Patient", "gender": "x" }),
            vec!["Patient.gender"],
        ),
        (
            json!({ "resourceType": "Patient", "nom": "x", "prenom": "y" }),
            vec!["Patient.nom", "Patient.prenom"],
        ),
        (
            json!({ "resourceType": "Patient", "name": [{ "family": "a" }, { "given": ["b", 7] }] }),
            vec!["Patient.name[1].given[1]"],
        ),
        (
            json!({ "resourceType": "Patient", "contact": [{ "gender": "male" }] }),
            vec!["Patient.contact[0]"],
        ),
        (
            json!({ "resourceType": "Patient", "link": [{ "type": "refer", "other": { "display": "x" } }, { "type": "refer" }] }),
            vec!["Patient.link[1].other"],
        ),
        (
            json!({ "resourceType": "Patient", "extension": [{ "url": "urn:a", "extension": [{ "url": "b", "valueDate": "x" }] }] }),
            vec!["Patient.extension[0].extension[0]"],
        ),
        (
            json!({ "resourceType": "Patient", "identifier": [{ "period": { "start": "2020-13" } }] }),
            vec!["Patient.identifier[0].period.start"],
        ),
    ]
}

fn p59_every_validation_issue_points_at_its_place(context: &Context) {
    let fhir = shared_fhir(context);
    for (body, places) in faulty() {
        let answer = post(&fhir, &body);
        assert!(matches!(answer.status, 400 | 422), "{body}: {answer:?}");
        let found: Vec<String> = answer
            .issues()
            .iter()
            .flat_map(|issue| issue.expression.clone())
            .collect();
        for place in places {
            assert!(
                found.iter().any(|path| path.starts_with(place)),
                "{place} for {body}: {answer:?}"
            );
        }
        assert!(
            answer.issues().iter().all(|issue| !issue.expression.is_empty()),
            "{answer:?}"
        );
        assert!(!answer.text().contains("\"location\""), "{answer:?}");
    }
}

fn p60_a_missing_element_is_named_once_with_its_path(context: &Context) {
    let fhir = shared_fhir(context);
    let body = json!({ "resourceType": "Patient", "communication": [{ "preferred": true }] });
    let answer = refused(post(&fhir, &body), 400, "required");
    let issues = answer.issues();
    assert_eq!(issues.len(), 1, "{answer:?}");
    assert!(issues[0].text.contains("language"), "{answer:?}");
    assert!(
        issues[0].expression[0].starts_with("Patient.communication[0]"),
        "{answer:?}"
    );
}

fn p61_every_issue_has_severity_and_code(context: &Context) {
    let fhir = shared_fhir(context);
    let mut answers: Vec<Response> = faulty().iter().map(|(body, _)| post(&fhir, body)).collect();
    answers.extend([
        fhir.get("/Patient/nobody").send(),
        fhir.get("/Mystery").send(),
        fhir.put("/Patient").json(&patient("1")).send(),
        fhir.get("/Patient?birthdate=x&gender:in=y").send(),
        fhir.post("/Patient")
            .header("Content-Type", "x/y")
            .body("z")
            .send(),
    ]);
    for answer in answers {
        let outcome = answer.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        for issue in outcome["issue"].as_array().unwrap() {
            assert!(
                ["fatal", "error", "warning", "information"].contains(&issue["severity"].as_str().unwrap()),
                "{outcome}"
            );
            assert!(
                issue["code"]
                    .as_str()
                    .unwrap()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
                "{outcome}"
            );
        }
    }
}

fn p62_every_issue_says_what_to_do_and_what_was_found(context: &Context) {
    let fhir = shared_fhir(context);
    for (body, _) in faulty() {
        for issue in post(&fhir, &body).issues() {
            assert!(
                issue.text.len() > 15 && issue.text.ends_with(['.', '?', ')']),
                "{issue:?}"
            );
            assert!(!issue.diagnostics.is_empty(), "{issue:?}");
        }
    }
}

fn an_outcome_is_itself_valid_and_alike_in_both_formats(context: &Context) {
    let fhir = shared_fhir(context);
    let body = json!({ "resourceType": "Patient", "nom": "<&\"'>\u{e9}", "gender": "\u{1f600}" });
    let in_json = post(&fhir, &body);
    let in_xml = fhir.post("/Patient?_format=xml").json(&body).send();
    assert_eq!(in_json.status, in_xml.status);
    let xml = in_xml.text();
    for issue in in_json.issues() {
        let escaped = issue
            .text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        let alternatives = [
            escaped.clone(),
            escaped.replace("&gt;", ">"),
            escaped.replace('\'', "&apos;"),
        ];
        assert!(
            alternatives.iter().any(|text| xml.contains(text.as_str())),
            "{} is not in {xml}",
            issue.text
        );
        assert!(
            xml.contains(&format!("<code value=\"{}\"/>", issue.code)),
            "{xml}"
        );
    }
    let known = [
        "resourceType",
        "issue",
        "severity",
        "code",
        "details",
        "text",
        "diagnostics",
        "expression",
        "id",
        "meta",
    ];
    for issue in in_json.json()["issue"].as_array().unwrap() {
        assert!(
            issue
                .as_object()
                .unwrap()
                .keys()
                .all(|key| known.contains(&key.as_str())),
            "{issue}"
        );
    }
}

/// A request of the page: what the reader did.
type Case<'c> = (&'c str, Request<'c>);

fn everyday<'c>(fhir: &'c Client) -> Vec<Case<'c>> {
    let ada = with(patient("ada"), "id", json!("ada"));
    let json = |body: &str| {
        fhir.post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .body(body)
    };
    vec![
        ("read an id that nobody has", fhir.get("/Patient/nobody")),
        ("read what was deleted", fhir.get("/Patient/gone")),
        (
            "read a version that never was",
            fhir.get("/Patient/ada/_history/9"),
        ),
        ("read an id that nobody can have", fhir.get("/Patient/a_b")),
        ("ask for a type that is not served", fhir.get("/Observation/1")),
        ("misspell a type's case", fhir.get("/patient/ada")),
        ("ask for a path that is nothing", fhir.get("/Patient/ada/extra")),
        (
            "ask for the history of nobody",
            fhir.get("/Patient/nobody/_history"),
        ),
        (
            "ask for a history of an unreadable time",
            fhir.get("/Patient/ada/_history?_since=yesterday"),
        ),
        ("call an operation", fhir.get("/Patient/$everything")),
        ("use a wrong method", fhir.post("/Patient/ada").json(&ada)),
        (
            "accept nothing that can be sent",
            fhir.get("/Patient/ada").header("Accept", "text/html"),
        ),
        (
            "send a type of body that is not read",
            fhir.post("/Patient")
                .header("Content-Type", "text/plain")
                .body("x"),
        ),
        (
            "send a body of another FHIR version",
            fhir.post("/Patient")
                .header("Content-Type", "application/fhir+json; fhirVersion=5.0")
                .body("{}"),
        ),
        (
            "compress with something else",
            fhir.post("/Patient")
                .header("Content-Type", "application/json")
                .header("Content-Encoding", "br")
                .body("x"),
        ),
        ("send nothing", json("")),
        ("send broken JSON", json("{\"resourceType\":\"Patient\",}")),
        ("send JSON that ends early", json("{\"resourceType\":\"Patient\"")),
        (
            "send a property twice",
            json("{\"resourceType\":\"Patient\",\"active\":true,\"active\":false}"),
        ),
        ("send no resourceType", json("{\"active\":true}")),
        ("send another type", json("{\"resourceType\":\"Practitioner\"}")),
        (
            "send broken XML",
            fhir.post("/Patient")
                .xml("<Patient xmlns=\"http://hl7.org/fhir\"><active></Patient>"),
        ),
        (
            "send XML without the namespace",
            fhir.post("/Patient")
                .xml("<Patient><active value=\"true\"/></Patient>"),
        ),
        (
            "send XML with a DOCTYPE",
            fhir.post("/Patient")
                .xml("<!DOCTYPE x><Patient xmlns=\"http://hl7.org/fhir\"/>"),
        ),
        (
            "misspell a property",
            json("{\"resourceType\":\"Patient\",\"birthdate\":\"1980-01-01\"}"),
        ),
        (
            "send several faults at once",
            json(
                "{\"resourceType\":\"Patient\",\"active\":\"yes\",\"birthDate\":\"1980-02-30\",\"name\":[{\"family\":\"\"}]}",
            ),
        ),
        (
            "use a code that does not exist",
            json("{\"resourceType\":\"Patient\",\"gender\":\"F\"}"),
        ),
        (
            "leave out what is required",
            json("{\"resourceType\":\"Patient\",\"communication\":[{\"preferred\":true}]}"),
        ),
        (
            "break an invariant",
            json("{\"resourceType\":\"Patient\",\"contact\":[{\"gender\":\"male\"}]}"),
        ),
    ]
}

fn writing<'c>(fhir: &'c Client) -> Vec<Case<'c>> {
    let ada = with(patient("ada"), "id", json!("ada"));
    let ins = json!({
        "resourceType": "Patient",
        "identifier": [{
            "type": { "coding": [{ "system": FR_TYPES, "code": "INS-NIR" }] },
            "system": "urn:oid:1.2.250.1.213.1.4.8", "value": "277077700077785"
        }]
    });
    let patch = |kind: &str, body: &str| fhir.patch("/Patient/ada").header("Content-Type", kind).body(body);
    let fhirpath = |path: &str| {
        let parts = json!([
            { "name": "type", "valueCode": "delete" },
            { "name": "path", "valueString": path },
        ]);
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": parts }] })
            .to_string()
    };
    let subsetted = json!({ "tag": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED" }] });
    vec![
        (
            "update without the id in the body",
            fhir.put("/Patient/ada").json(&patient("ada")),
        ),
        (
            "update with another id in the body",
            fhir.put("/Patient/ada")
                .json(&with(ada.clone(), "id", json!("eve"))),
        ),
        (
            "update with a stale version",
            fhir.put("/Patient/ada").header("If-Match", "W/\"7\"").json(&ada),
        ),
        (
            "update with a malformed If-Match",
            fhir.put("/Patient/ada").header("If-Match", "7").json(&ada),
        ),
        (
            "create what exists, by If-None-Match",
            fhir.put("/Patient/ada").header("If-None-Match", "*").json(&ada),
        ),
        (
            "update with what was only a part",
            fhir.put("/Patient/ada")
                .json(&with(ada.clone(), "meta", subsetted)),
        ),
        (
            "update an id that nobody can have",
            fhir.put("/Patient/a_b")
                .json(&with(ada.clone(), "id", json!("a_b"))),
        ),
        (
            "update conditionally without criteria",
            fhir.put("/Patient").json(&patient("ada")),
        ),
        (
            "update conditionally by a misspelt criterion",
            fhir.put("/Patient?identifer=urn:x|1").json(&patient("ada")),
        ),
        (
            "update conditionally by an empty criterion",
            fhir.put("/Patient?identifier=").json(&patient("ada")),
        ),
        (
            "update conditionally where several match",
            fhir.put(format!("/Patient?identifier={LOCAL}|twin"))
                .json(&patient("twin")),
        ),
        (
            "update conditionally with an id in use",
            fhir.put(format!("/Patient?identifier={LOCAL}|new")).json(&ada),
        ),
        (
            "update conditionally with another id",
            fhir.put(format!("/Patient?identifier={LOCAL}|ada"))
                .json(&with(ada.clone(), "id", json!("eve"))),
        ),
        (
            "update conditionally with If-Match where nothing matches",
            fhir.put(format!("/Patient?identifier={LOCAL}|new"))
                .header("If-Match", "W/\"1\"")
                .json(&patient("new")),
        ),
        (
            "create conditionally with an empty header",
            fhir.post("/Patient")
                .header("If-None-Exist", "")
                .json(&patient("ada")),
        ),
        (
            "create conditionally where several match",
            fhir.post("/Patient")
                .header("If-None-Exist", format!("identifier={LOCAL}|twin"))
                .json(&patient("twin")),
        ),
        (
            "create with an identifier that is owned",
            fhir.post("/Patient").json(&ins),
        ),
        (
            "patch with a test that fails",
            patch(
                "application/json-patch+json",
                r#"[{"op":"test","path":"/name/0/family","value":"Nobody"}]"#,
            ),
        ),
        (
            "patch with a pointer to nothing",
            patch(
                "application/json-patch+json",
                r#"[{"op":"remove","path":"/telecom/0"}]"#,
            ),
        ),
        (
            "patch with operations that are none",
            patch(
                "application/json-patch+json",
                r#"[{"op":"delete","path":"/gender"},{"op":"add","path":"gender"}]"#,
            ),
        ),
        (
            "patch with a FHIRPath that is none",
            patch(
                "application/fhir+json",
                &fhirpath("Patient.name.where(use='official'"),
            ),
        ),
        (
            "patch with a FHIRPath to an element that does not exist",
            patch("application/fhir+json", &fhirpath("Patient.nom")),
        ),
        (
            "patch the id",
            patch("application/merge-patch+json", r#"{"id":"eve"}"#),
        ),
        (
            "patch to what is not valid",
            patch("application/merge-patch+json", r#"{"gender":"F"}"#),
        ),
        (
            "patch without saying how",
            patch("application/json", r#"{"gender":"female"}"#),
        ),
        (
            "patch conditionally where nothing matches",
            fhir.patch(format!("/Patient?identifier={LOCAL}|new"))
                .header("Content-Type", "application/merge-patch+json")
                .body("{}"),
        ),
        (
            "delete with a stale version",
            fhir.delete("/Patient/ada").header("If-Match", "W/\"7\""),
        ),
        ("delete without criteria", fhir.delete("/Patient")),
        (
            "delete conditionally where several match",
            fhir.delete(format!("/Patient?{}", by_local("twin"))),
        ),
        (
            "search by a parameter that does not exist, strictly",
            fhir.get("/Patient?familly=x").header("Prefer", "handling=strict"),
        ),
        (
            "search with a modifier that does not exist",
            fhir.get("/Patient?family:starts=x"),
        ),
        (
            "search by an impossible date",
            fhir.get("/Patient?birthdate=1980-02-30"),
        ),
        ("search by a broken token", fhir.get("/Patient?identifier=a|b|c")),
        ("search with a bad page size", fhir.get("/Patient?_count=ten")),
        (
            "search with a tampered cursor",
            fhir.get("/Patient?_cursor=tampered"),
        ),
        (
            "search by a chain that leads nowhere",
            fhir.get("/Patient?organization.name=x"),
        ),
    ]
}

/// A patient with something in it that a patch can meet.
fn boxed() -> Value {
    json!({
        "resourceType": "Patient", "id": "box", "birthDate": "1980-01-01", "gender": "female",
        "contained": [
            { "resourceType": "Organization", "id": "o", "name": "Clinique" },
            { "resourceType": "Basic", "id": "b", "code": { "text": "a" } },
        ],
        "managingOrganization": { "reference": "#o" },
        "extension": [{ "url": "urn:a", "valueReference": { "reference": "#b" } }],
        "name": [{ "family": "Box" }, { "family": "Boxe" }],
    })
}

/// A text of so many characters at most.
fn clipped(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A short body, as it is shown.
fn sent_body(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    match text.split_once("\r\n\r\n") {
        Some((_, body)) if (1..=160).contains(&body.len()) => {
            let shown = body.replace(
                |character: char| character.is_control() && character != '\n',
                "\u{fffd}",
            );
            format!(" `{shown}`")
        }
        _ => String::new(),
    }
}

fn every_kind_of_error_is_held_by_a_case_or_a_test(_: &Context) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let named = std::fs::read_to_string(format!("{root}/docs/CONFORMANCE.md")).unwrap();
    let page = std::fs::read_to_string(SNAPSHOT).unwrap();
    for held in [rare::OF_ERRORS, rare::OF_STORE_ERRORS, rare::OF_CODES].concat() {
        match held {
            Held::Case(heading) => {
                assert!(
                    page.lines().any(|line| line.strip_prefix("## ") == Some(heading)),
                    "no case is called '{heading}'"
                );
            }
            Held::Test(test) => {
                assert!(
                    named.contains(&format!("`{test}`")),
                    "{test} is not in docs/CONFORMANCE.md"
                );
            }
        }
    }
}

/// The pages that show what callers are told, each made by a test from what the server says.
const PAGES: [&str; 5] = [
    "fixtures/fhir/errors.snap.md",
    "fixtures/fhir/errors-without-a-request.snap.md",
    "fixtures/fhir/errors-of-certificates.snap.md",
    "fixtures/fhir/profile.snap.md",
    "fixtures/fhir/behind-the-guard.snap.md",
];

fn every_text_of_an_error_stands_on_a_page(_: &Context) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let pages = PAGES.map(|page| std::fs::read_to_string(format!("{root}/{page}")).unwrap_or_default());
    let said = texts::folded(&pages.join(" "));
    let found = texts::all();
    assert!(found.len() > 400, "the sources hold few texts: {}", found.len());
    let missing: Vec<&str> = found
        .iter()
        .filter(|text| !text.stands_on(&said))
        .map(|text| text.place.as_str())
        .collect();
    assert!(
        missing.is_empty(),
        "{} texts of {} stand on no page; write a case in fixtures/fhir/errors:\n{}",
        missing.len(),
        found.len(),
        missing.join("\n")
    );
    assert!(
        texts::unneeded().is_empty(),
        "nothing is there: {:?}",
        texts::unneeded()
    );
}

/// How often one text is shown of one answer.
const SHOWN: usize = 3;

/// The issues of an answer, as the page shows them.
fn tell(page: &mut String, answer: &Response) {
    let issues = answer.issues();
    let mut hidden = 0;
    for (position, issue) in issues.iter().enumerate() {
        let alike = issues
            .iter()
            .take(position)
            .filter(|other| other.text == issue.text);
        if alike.count() >= SHOWN {
            hidden += 1;
            continue;
        }
        let place = if issue.expression.is_empty() {
            String::new()
        } else {
            format!(" at `{}`", clipped(&issue.expression.join(", "), 160))
        };
        let severity = if issue.severity == "error" {
            ""
        } else {
            &*format!(" ({})", issue.severity)
        };
        page.push_str(&format!(
            "- **{}**{severity}{place}: {}\n",
            issue.code, issue.text
        ));
        if !issue.diagnostics.is_empty() && issue.diagnostics != issue.text {
            page.push_str(&format!("  `{}`\n", clipped(&issue.diagnostics, 160)));
        }
    }
    if hidden > 0 {
        page.push_str(&format!("- … and {hidden} more of these\n"));
    }
}

fn the_errors_read_as_in_the_snapshot(context: &Context) {
    let (server, fhir) = context.fhir();
    let ada = with(patient("ada"), "id", json!("ada"));
    fhir.put("/Patient/ada").json(&ada).send().expect(201);
    fhir.put("/Patient/gone")
        .json(&with(patient("gone"), "id", json!("gone")))
        .send()
        .expect(201);
    fhir.delete("/Patient/gone").send().expect(204);
    for _ in 0..2 {
        fhir.post("/Patient").json(&patient("twin")).send().expect(201);
    }
    fhir.put("/Patient/box").json(&boxed()).send().expect(201);
    let doctor = json!({ "resourceType": "Practitioner", "id": "doc", "name": [{ "family": "Morvan" }] });
    fhir.put("/Practitioner/doc").json(&doctor).send().expect(201);
    let regulator = with(
        account(MORVAN, &[(INTRN, "0b8f6a52-6a0e-4f5e-9f6c-2f1f2d1c7a13")], true),
        "id",
        json!("account"),
    );
    fhir.put("/Practitioner/account")
        .json(&regulator)
        .send()
        .expect(201);
    let creator = client_key(context, &server, "creator", &["demo"], &["system/Patient.c"]);
    let creator = fhir_with_key(&server, &creator);
    let mut cases = everyday(&fhir);
    cases.extend(writing(&fhir));
    cases.extend(rare::around(&fhir));
    cases.extend(rare::bundles(&fhir));
    cases.extend(rare::operations(&fhir));
    let owned = &cases
        .iter()
        .find(|(name, _)| *name == "create with an identifier that is owned")
        .unwrap()
        .1;
    owned.clone().send().expect(201);
    let (nobody, partner, sas) = (
        server.anonymous().with_prefix("/fhir"),
        server.client("ehealth").with_prefix("/fhir"),
        server.client("sas"),
    );
    let key = client_key(context, &server, "reader", &["demo"], &["system/Patient.rs"]);
    let reader = fhir_with_key(&server, &key);
    cases.extend([
        ("send no credential", nobody.get("/Patient/ada")),
        (
            "send a wrong credential",
            nobody
                .get("/Patient/ada")
                .header("Authorization", "Bearer sk_test_x_y"),
        ),
        ("use another door's credential", partner.get("/Patient/ada")),
        ("ask for what the scopes do not allow", sas.get("/Patient/ada")),
        (
            "write with a scope to read",
            reader.post("/Patient").json(&patient("1")),
        ),
        (
            "ask for a space of somebody else",
            fhir.get("/Patient/ada").header("X-Space", "other"),
        ),
        (
            "push an account without a name",
            sas.post("/Practitioner").json(&with(
                account(MORVAN, &[(IDNPS, "1")], true),
                "name",
                json!([{ "given": ["A", "B"] }]),
            )),
        ),
    ]);
    let certified = Certified::start(context);
    cases.extend(certified.cases());
    let written = files::all();
    cases.extend(written.iter().map(|case| {
        let client = match case.client.as_deref() {
            None => &fhir,
            Some("sas") => &sas,
            Some("creator") => &creator,
            Some(other) => panic!("no client of the page is called {other}"),
        };
        (case.heading.as_str(), case.request(client))
    }));
    // Last, as it shuts the address of this test out for who has no right credential.
    let wrong = || nobody.get("/Patient/ada").header("Authorization", "Bearer wrong");
    cases.push(("send wrong credentials for a minute", wrong()));
    let mut page = String::from(
        "# What the errors say\n\nWritten and checked by `crates/server/tests/it/errors.rs`. Read it aloud before you change it.\n",
    );
    let mut served = Vec::new();
    for (name, request) in cases {
        let head = String::from_utf8_lossy(&request.head_bytes()).into_owned();
        let line = head
            .lines()
            .next()
            .unwrap_or_default()
            .trim_end_matches(" HTTP/1.1");
        let line = clipped(line, 160);
        let sent = sent_body(&request.to_bytes());
        if name == "send wrong credentials for a minute" {
            (0..100).for_each(|_| drop(wrong().send()));
        }
        let answer = request.send();
        page.push_str(&format!("\n## {name}\n`{line}`{sent} → {}\n", answer.status));
        for header in ["Allow", "Retry-After", "WWW-Authenticate"] {
            if let Some(value) = answer.header(header).filter(|_| answer.status != 429) {
                page.push_str(&format!("{header}: {value}\n"));
            }
        }
        if answer.status < 300 {
            let is_told = answer.json()["resourceType"] == "OperationOutcome";
            if !is_told {
                served.push(name);
            }
        }
        tell(&mut page, &answer);
    }
    let page = page.replace(server.base(), "{base}");
    snapshot(Path::new(SNAPSHOT), &page);
    assert!(served.is_empty(), "these are no errors: {served:?}");
}
