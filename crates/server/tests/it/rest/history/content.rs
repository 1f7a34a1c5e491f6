//! What a history holds, for whom, and in which form.

use fhir::codec::{Format, decode_tree};
use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::{bundle, entries, numbered, told, versions, with_versions};
use crate::access::client_key;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    a_history_tells_every_version_and_what_made_it,
    p38_a_history_shows_the_deletion_and_the_revival,
    a_history_of_nobody_is_not_found,
    an_erased_persons_history_is_deletions_without_content,
    type_and_system_history_hold_what_their_names_say,
    a_history_in_xml_holds_the_same,
    p51_a_damaged_version_never_fails_a_history,
    each_history_needs_its_scope,
    sas_sees_the_histories_of_accounts_only,
    what_is_published_has_no_history,
];

fn a_history_tells_every_version_and_what_made_it(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let path = with_versions(&fhir, 3);
    let history = bundle(&fhir, format!("{path}/_history"));
    assert_eq!(history["total"], 3);
    let reference = path.trim_start_matches('/');
    assert_eq!(
        told(&history),
        [
            format!("PUT {reference} W/\"3\""),
            format!("PUT {reference} W/\"2\""),
            "POST Patient W/\"1\"".to_owned(),
        ]
    );
    for (entry, (version, status)) in entries(&history).iter().zip([(3, "200"), (2, "200"), (1, "201")]) {
        let read = fhir
            .get(format!("{path}/_history/{version}"))
            .send()
            .expect(200)
            .json();
        assert_eq!(entry["resource"], read, "what vread answers");
        assert_eq!(entry["fullUrl"], format!("{}/fhir{path}", server.base()));
        assert_eq!(entry["response"]["status"], status);
        assert_eq!(entry["response"]["lastModified"], read["meta"]["lastUpdated"]);
    }
    assert_eq!(
        link(&history, "self"),
        Some(format!("{}/fhir{path}/_history", server.base()))
    );
    let head = fhir.head(format!("{path}/_history")).send().expect(200);
    assert!(head.body.is_empty());
    // A write that changes nothing is no part of it.
    let current = fhir.get(&path).send().expect(200).json();
    fhir.put(&path).json(&current).send().expect(200);
    assert_eq!(bundle(&fhir, format!("{path}/_history"))["total"], 3);
}

fn p38_a_history_shows_the_deletion_and_the_revival(context: &Context) {
    let fhir = shared_fhir(context);
    let path = with_versions(&fhir, 1);
    fhir.delete(&path).send().expect(204);
    let own = path.rsplit('/').next().expect("an id");
    let reference = format!("Patient/{own}");
    let history = bundle(&fhir, format!("{path}/_history"));
    assert_eq!(
        told(&history),
        [
            format!("DELETE {reference} W/\"2\""),
            "POST Patient W/\"1\"".to_owned()
        ]
    );
    let deletion = &entries(&history)[0];
    assert_eq!(
        (deletion.get("resource"), &deletion["response"]["status"]),
        (None, &json!("204"))
    );
    fhir.put(&path).json(&numbered(own, 7)).send().expect(201);
    let history = bundle(&fhir, format!("{path}/_history"));
    assert_eq!(told(&history)[0], format!("PUT {reference} W/\"3\""));
    assert_eq!(entries(&history)[0]["response"]["status"], "201");
    assert_eq!(entries(&history)[1].get("resource"), None);
}

fn a_history_of_nobody_is_not_found(context: &Context) {
    let fhir = shared_fhir(context);
    refused(fhir.get("/Patient/nobody/_history").send(), 404, "not-found");
    refused(fhir.get("/Patient/a_b/_history").send(), 404, "not-found");
    refused(fhir.get("/Observation/a/_history").send(), 404, "not-supported");
    refused(fhir.get("/Observation/_history").send(), 404, "not-supported");
    // Of a type that has none, a history is empty.
    let (_server, fhir) = context.fhir();
    for target in ["/_history", "/Practitioner/_history"] {
        let history = bundle(&fhir, target);
        assert_eq!((&history["total"], history.get("entry")), (&json!(0), None));
    }
    let answer = fhir.post("/Patient/_history").json(&json!({})).send();
    let answer = refused(answer, 405, "not-supported");
    assert_eq!(answer.header("Allow"), Some("GET, HEAD"));
}

fn an_erased_persons_history_is_deletions_without_content(context: &Context) {
    let server = context.server();
    let (fhir, connect) = (server.client("fhir"), server.client("medicapp-connect"));
    let person = json!({
        "firstName": "Maud", "lastName": "Effacee", "birthDate": "1990-01-01", "externalId": unique()
    });
    let made = connect
        .post("/patients")
        .header("Content-Type", "application/json")
        .body(person.to_string());
    let made = made.send().expect(201).json();
    let id = made["id"].as_str().expect("an id").to_owned();
    let path = versions(&bundle(&fhir, "/Patient/_history"))[0].clone();
    let path = path.split(' ').next().expect("a path");
    let gone = connect.delete(format!("/patients/{id}")).send();
    assert!(matches!(gone.status, 200 | 204), "{gone:?}");
    for target in [
        format!("{path}/_history"),
        "/_history".to_owned(),
        "/Patient/_history".to_owned(),
    ] {
        let history = bundle(&fhir, &target);
        assert!(!history.to_string().contains("Effacee"), "{target}");
        assert!(history["total"].as_u64() >= Some(2), "{target}");
        for entry in entries(&history) {
            assert_eq!(entry["request"]["method"], "DELETE", "{entry}");
            assert_eq!(entry.get("resource"), None);
        }
    }
}

fn type_and_system_history_hold_what_their_names_say(context: &Context) {
    let (_server, fhir) = context.fhir();
    fhir.put("/Patient/a").json(&numbered("a", 0)).send().expect(201);
    let doctor = with(resource("Practitioner", LOCAL, "d"), "id", json!("d"));
    fhir.put("/Practitioner/d").json(&doctor).send().expect(201);
    fhir.put("/Patient/a").json(&numbered("a", 1)).send().expect(200);
    fhir.delete("/Practitioner/d").send().expect(204);
    fhir.put("/Patient/b").json(&numbered("b", 0)).send().expect(201);
    let all = [
        "/Patient/b W/\"1\"",
        "/Practitioner/d W/\"2\"",
        "/Patient/a W/\"2\"",
        "/Practitioner/d W/\"1\"",
        "/Patient/a W/\"1\"",
    ];
    let history = bundle(&fhir, "/_history");
    assert_eq!(
        (versions(&history), &history["total"]),
        (all.map(str::to_owned).to_vec(), &json!(5))
    );
    for kind in ["Patient", "Practitioner"] {
        let history = bundle(&fhir, format!("/{kind}/_history"));
        let of_kind: Vec<&str> = all
            .into_iter()
            .filter(|name| name.starts_with(&format!("/{kind}/")))
            .collect();
        assert_eq!(versions(&history), of_kind);
        assert_eq!(history["total"], json!(of_kind.len()));
    }
    // Times never rise on the way.
    let times: Vec<String> = entries(&history)
        .iter()
        .map(|entry| entry["response"]["lastModified"].to_string())
        .collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
}

fn a_history_in_xml_holds_the_same(context: &Context) {
    let fhir = shared_fhir(context);
    let path = with_versions(&fhir, 3);
    fhir.delete(&path).send().expect(204);
    let plain = bundle(&fhir, format!("{path}/_history?_count=3"));
    let mut others = Vec::new();
    for format in ["&_format=xml", "&_format=xml&_pretty=true"] {
        let answer = fhir
            .get(format!("{path}/_history?_count=3{format}"))
            .send()
            .expect(200);
        assert!(
            answer
                .header("Content-Type")
                .is_some_and(|mime| mime.contains("fhir+xml"))
        );
        let tree = decode_tree(&answer.body, Format::Xml, "Bundle").expect("XML");
        others.push(Value::Object(tree));
    }
    let pretty = fhir
        .get(format!("{path}/_history?_count=3&_pretty=true"))
        .send()
        .expect(200);
    assert!(pretty.text().contains("\n  "));
    others.push(pretty.json());
    for other in &others {
        // Their links name the format, that is all.
        assert_eq!(other["entry"], plain["entry"]);
        assert_eq!(other["total"], plain["total"]);
        assert!(link(other, "next").is_some());
    }
    let next = link(&others[0], "next").expect("a link");
    let answer = fhir.get(next).send().expect(200);
    assert!(xml_root(&answer).starts_with("<Bundle xmlns=\"http://hl7.org/fhir\">"));
}

fn p51_a_damaged_version_never_fails_a_history(context: &Context) {
    let (server, fhir) = context.fhir();
    let path = with_versions(&fhir, 4);
    let id = path.rsplit('/').next().expect("an id");
    for (version, becomes) in [(2, "substr(body, 1, 60)"), (3, "'nothing of it'")] {
        let set =
            format!("UPDATE resource_version SET body = {becomes} WHERE id = '{id}' AND version = {version}");
        execute(&server, &set);
    }
    let shown = |history: &Value| -> Vec<(bool, bool)> {
        entries(history)
            .iter()
            .map(|entry| {
                let outcome = entry.pointer("/response/outcome/issue/0/severity");
                (
                    entry.get("resource").is_some(),
                    outcome == Some(&json!("warning")),
                )
            })
            .collect()
    };
    let expected = [(true, false), (false, true), (false, true), (true, false)];
    for also in ["", "?_pretty=true"] {
        let history = bundle(&fhir, format!("{path}/_history{also}"));
        assert_eq!(shown(&history), expected, "{history}");
    }
    let xml = fhir
        .get(format!("{path}/_history?_format=xml"))
        .send()
        .expect(200);
    let tree = decode_tree(&xml.body, Format::Xml, "Bundle").expect("XML");
    assert_eq!(shown(&Value::Object(tree)), expected);
}

fn each_history_needs_its_scope(context: &Context) {
    let (server, fhir) = context.fhir();
    fhir.put("/Patient/a").json(&numbered("a", 0)).send().expect(201);
    let doctor = with(resource("Practitioner", LOCAL, "d"), "id", json!("d"));
    fhir.put("/Practitioner/d").json(&doctor).send().expect(201);
    let targets = ["/Patient/a/_history", "/Patient/_history", "/_history"];
    for (name, scopes, statuses) in [
        ("reads", &["system/Patient.r"][..], [200, 403, 403]),
        ("searches", &["system/Patient.s"], [403, 200, 200]),
        ("writes", &["system/*.cud"], [403, 403, 403]),
        ("other", &["system/Practitioner.rs"], [403, 403, 200]),
        ("both", &["system/*.rs"], [200, 200, 200]),
    ] {
        let key = client_key(context, &server, name, &["demo"], scopes);
        let client = fhir_with_key(&server, &key);
        let answers = targets.map(|target| client.get(target).send());
        assert_eq!(answers.each_ref().map(|answer| answer.status), statuses, "{name}");
        for answer in answers.iter().filter(|answer| answer.status == 403) {
            assert_eq!(answer.issues()[0].code, "forbidden");
        }
        // Of the system a client sees the types that it may search.
        if answers[2].status == 200 {
            let text = answers[2].text();
            assert_eq!(text.contains("Patient/a"), name != "other", "{name}: {text}");
            assert_eq!(
                text.contains("Practitioner/d"),
                name != "searches",
                "{name}: {text}"
            );
            let expected = if name == "both" { 2 } else { 1 };
            assert_eq!(answers[2].json()["total"], expected, "{name}");
        }
    }
    // A history is audited with its name.
    for name in ["history-instance", "history-type", "history-system"] {
        let rows = format!("SELECT count(*) FROM audit WHERE interaction = '{name}' AND outcome = 'ok'");
        testkit::wait::wait_for(std::time::Duration::from_secs(10), "the audit rows", || {
            (execute(&server, &rows) != "0").then_some(())
        });
    }
}

fn sas_sees_the_histories_of_accounts_only(context: &Context) {
    let server = context.server();
    let (sas, ehr) = (server.client("sas"), server.client("fhir"));
    let doctor = with(resource("Practitioner", LOCAL, "d"), "id", json!("d"));
    ehr.put("/Practitioner/d").json(&doctor).send().expect(201);
    ehr.put("/Patient/a").json(&numbered("a", 0)).send().expect(201);
    let by = (INTRN, "4711");
    let pushed = put_account(&sas, by, &account(MORVAN, &[by], true)).expect(201);
    put_account(&sas, by, &account(MORVAN, &[by], false)).expect(200);
    let path = format!("/Practitioner/{}", id_of(pushed.location()));
    for target in [
        "/_history".to_owned(),
        "/Practitioner/_history".to_owned(),
        format!("{path}/_history"),
    ] {
        let history = bundle(&sas, &target);
        assert_eq!(
            (versions(&history), &history["total"]),
            (
                vec![format!("{path} W/\"2\""), format!("{path} W/\"1\"")],
                &json!(2)
            ),
            "{target}"
        );
    }
    refused(sas.get("/Practitioner/d/_history").send(), 404, "not-found");
    refused(sas.get("/Patient/a/_history").send(), 403, "forbidden");
    refused(sas.get("/Patient/_history").send(), 403, "forbidden");
    assert_eq!(bundle(&ehr, "/_history")["total"], 4);
}

fn what_is_published_has_no_history(context: &Context) {
    let fhir = shared_fhir(context);
    for target in ["/CodeSystem/_history", "/CodeSystem/adapter/_history"] {
        refused(fhir.get(target).send(), 404, "not-supported");
    }
}
