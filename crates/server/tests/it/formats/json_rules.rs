//! What a JSON body may hold: a table of bodies, their status, and where their issue points.

use testkit::harness::{Context, Test};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    malformed_json_is_refused_with_its_place,
    every_fault_is_reported_with_its_place,
    the_type_may_stand_anywhere,
    decimals_keep_their_written_precision,
    primitive_siblings_survive,
    text_survives_character_by_character,
    extreme_numbers_are_answered,
];

/// Body, status, code, and what some issue's expression, text or diagnostics must hold.
const REFUSED: &[(&str, u16, &str, &str)] = &[
    ("{", 400, "", ""),
    ("", 400, "", ""),
    ("null", 400, "", ""),
    ("[]", 400, "", ""),
    ("\"Patient\"", 400, "", ""),
    (r#"{"resourceType":"Patient"}}"#, 400, "", ""),
    (
        r#"{"resourceType":"Patient"} {"resourceType":"Patient"}"#,
        400,
        "",
        "",
    ),
    (r#"{"resourceType":"Patient",}"#, 400, "", ""),
    (r#"{'resourceType':'Patient'}"#, 400, "", ""),
    (r#"{"resourceType":"Patient" /* c */}"#, 400, "", ""),
    (
        r#"{"resourceType":"Patient","active":true,"active":true}"#,
        400,
        "",
        "active",
    ),
    (
        r#"{"resourceType":"Patient","name":[{"family":"a","family":"b"}]}"#,
        400,
        "",
        "family",
    ),
    (
        r#"{"resourceType":"Patient","resourceType":"Patient"}"#,
        400,
        "",
        "resourceType",
    ),
    (
        r#"{"resourceType":"Patient","name":[{"family":"a\u0000b"}]}"#,
        400,
        "",
        "family",
    ),
    (
        r#"{"resourceType":"Patient","name":[{"family":"\ud800"}]}"#,
        400,
        "",
        "",
    ),
    (
        r#"{"resourceType":"Patient","name":[{"family":"\udc00\ud800"}]}"#,
        400,
        "",
        "",
    ),
    (
        r#"{"resourceType":"Patient","name":[{"family":""}]}"#,
        400,
        "",
        "family",
    ),
    (r#"{"resourceType":"Patient","name":[]}"#, 400, "", "name"),
    (r#"{"resourceType":"Patient","name":[{}]}"#, 400, "", "name"),
    (r#"{"resourceType":"Patient","name":[null]}"#, 400, "", "name"),
    (r#"{"resourceType":"Patient","name":{}}"#, 400, "", "name"),
    (
        r#"{"resourceType":"Patient","name":{"family":"a"}}"#,
        400,
        "",
        "name",
    ),
    (r#"{"resourceType":"Patient","name":"a"}"#, 400, "", "name"),
    (
        r#"{"resourceType":"Patient","birthDate":["1980-01-01"]}"#,
        400,
        "",
        "birthDate",
    ),
    (
        r#"{"resourceType":"Patient","birthDate":null}"#,
        400,
        "",
        "birthDate",
    ),
    (
        r#"{"resourceType":"Patient","birthDate":"1980-1-1"}"#,
        400,
        "value",
        "birthDate",
    ),
    (
        r#"{"resourceType":"Patient","birthDate":"1980-02-30"}"#,
        400,
        "value",
        "birthDate",
    ),
    (
        r#"{"resourceType":"Patient","birthDate":"+1980-01-01"}"#,
        400,
        "value",
        "birthDate",
    ),
    (
        r#"{"resourceType":"Patient","birthDate":19800101}"#,
        400,
        "",
        "birthDate",
    ),
    (r#"{"resourceType":"Patient","active":"true"}"#, 400, "", "active"),
    (r#"{"resourceType":"Patient","active":1}"#, 400, "", "active"),
    (r#"{"resourceType":"Patient","active":TRUE}"#, 400, "", ""),
    (
        r#"{"resourceType":"Patient","multipleBirthInteger":1.5}"#,
        400,
        "",
        "multipleBirth",
    ),
    (
        r#"{"resourceType":"Patient","multipleBirthInteger":"1"}"#,
        400,
        "",
        "multipleBirth",
    ),
    (
        r#"{"resourceType":"Patient","multipleBirthInteger":2147483648}"#,
        400,
        "",
        "multipleBirth",
    ),
    (
        r#"{"resourceType":"Patient","extension":[{"url":"urn:x","valueDecimal":NaN}]}"#,
        400,
        "",
        "",
    ),
    (
        r#"{"resourceType":"Patient","extension":[{"url":"urn:x","valueDecimal":01}]}"#,
        400,
        "",
        "",
    ),
    (
        r#"{"resourceType":"Patient","extension":[{"url":"urn:x","valueDecimal":"1"}]}"#,
        400,
        "",
        "extension[0].value",
    ),
    (
        r#"{"resourceType":"Patient","extension":[{"valueString":"no url"}]}"#,
        400,
        "",
        "extension",
    ),
    (r#"{"resourceType":"Patient","nom":"x"}"#, 400, "structure", "nom"),
    (
        r#"{"resourceType":"Patient","name":[{"fammily":"x"}]}"#,
        400,
        "structure",
        "fammily",
    ),
    (
        r#"{"resourceType":"Patient","Name":[{"family":"x"}]}"#,
        400,
        "structure",
        "Name",
    ),
    (
        r#"{"resourceType":"Patient","fhir_comments":["x"]}"#,
        400,
        "structure",
        "fhir_comments",
    ),
    (
        r#"{"resourceType":"Patient","birthdate":"1980-01-01"}"#,
        400,
        "structure",
        "birthdate",
    ),
    (
        r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}"#,
        400,
        "",
        "deceased",
    ),
    (
        r#"{"resourceType":"Patient","gender":"F"}"#,
        422,
        "code-invalid",
        "gender",
    ),
    (
        r#"{"resourceType":"Patient","identifier":[{"use":"main","value":"1"}]}"#,
        422,
        "code-invalid",
        "identifier",
    ),
    (
        r#"{"resourceType":"Patient","link":[{"type":"seealso"}]}"#,
        400,
        "required",
        "link",
    ),
    (
        r#"{"resourceType":"Patient","communication":[{"preferred":true}]}"#,
        400,
        "required",
        "communication",
    ),
    (
        r#"{"resourceType":"Patient","contact":[{"gender":"male"}]}"#,
        422,
        "invariant",
        "contact",
    ),
    (
        r#"{"resourceType":"Patient","telecom":[{"value":"0102030405"}]}"#,
        422,
        "invariant",
        "telecom",
    ),
    (
        r#"{"resourceType":"Patient","name":[{"given":["a",null]}]}"#,
        400,
        "",
        "given",
    ),
    (
        r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"urn:x","valueCode":"y"}],"value":"z"}}"#,
        400,
        "",
        "birthDate",
    ),
    (
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<p>no div</p>"}}"#,
        400,
        "",
        "text",
    ),
    (
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"}}"#,
        422,
        "invariant",
        "text",
    ),
    (r#"{"resourceType":"Practitioner"}"#, 400, "", "resourceType"),
    (r#"{"resourceType":"patient"}"#, 400, "", "resourceType"),
    (r#"{"resourceType":7}"#, 400, "", "resourceType"),
    (r#"{"active":true}"#, 400, "", "resourceType"),
    (
        r#"{"resourceType":"Patient","contained":[{"id":"x"}]}"#,
        400,
        "",
        "contained",
    ),
];

fn malformed_json_is_refused_with_its_place(context: &Context) {
    let fhir = shared_fhir(context);
    let mut wrong = Vec::new();
    for (body, status, code, place) in REFUSED {
        let answer = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .body(*body)
            .send();
        let issues = answer.issues();
        let said = issues.iter().any(|issue| {
            let everything = format!("{:?} {} {}", issue.expression, issue.text, issue.diagnostics);
            everything.contains(place) && (code.is_empty() || issue.code == *code) && !issue.text.is_empty()
        });
        if answer.status != *status || !said {
            wrong.push(format!(
                "{body}\n  expected {status} {code} at {place}, got {} {issues:?}",
                answer.status
            ));
        }
    }
    for bytes in [
        &b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}"[..],
        b"\xff\xfe{\x00}\x00",
        b"{\"resourceType\":\"Patient\"}\0",
    ] {
        let answer = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .body(bytes)
            .send();
        if answer.status != 400 || answer.issues().is_empty() {
            wrong.push(format!("{bytes:?}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn every_fault_is_reported_with_its_place(context: &Context) {
    let fhir = shared_fhir(context);
    let body = r#"{"resourceType":"Patient","active":"yes","birthDate":"1980-13-01","gender":"x","nom":1,
        "name":[{"family":"a","given":["b"]},{"fammily":"c"}]}"#;
    let answer = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json")
        .body(body)
        .send()
        .expect(400);
    for place in [
        "Patient.active",
        "Patient.birthDate",
        "Patient.nom",
        "Patient.name[1].fammily",
    ] {
        points_at(&answer, place);
    }
    for issue in answer.issues() {
        assert!(
            !issue.text.is_empty() && !issue.diagnostics.is_empty(),
            "{issue:?}"
        );
        assert_eq!(issue.severity, "error");
    }
}

fn the_type_may_stand_anywhere(context: &Context) {
    let fhir = shared_fhir(context);
    let number = unique();
    let identifier = format!(r#""identifier":[{{"system":"{LOCAL}","value":"{number}"}}]"#);
    let bodies = [
        format!(r#"{{{identifier},"resourceType":"Patient"}}"#),
        format!(r#"{{"active":true,"resourceType":"Patient",{identifier}}}"#),
        format!(
            r##"{{{identifier},"contained":[{{"id":"gp","name":[{{"family":"x"}}],"resourceType":"Practitioner"}}],
               "generalPractitioner":[{{"reference":"#gp"}}],"resourceType":"Patient"}}"##
        ),
    ];
    for body in bodies {
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .body(body.clone());
        let created = post.send();
        assert_eq!(created.status, 201, "{body}: {created:?}");
        assert!(
            created.text().starts_with(r#"{"resourceType":"Patient""#),
            "{created:?}"
        );
        // And it can be shown in the other format.
        fhir.get(format!("{}?_format=xml", path_of(created.location())))
            .send()
            .expect(200);
    }
    assert_eq!(count_local(&fhir, &number), 3);
}

fn decimals_keep_their_written_precision(context: &Context) {
    let fhir = shared_fhir(context);
    for decimal in [
        "1.50",
        "0.0",
        "-0.10",
        "100",
        "1e3",
        "1.0E-2",
        "1E+2",
        "3.14159265358979323846264338327950288",
        "12345678901234567890.5",
    ] {
        let body = format!(
            r#"{{"resourceType":"Patient","extension":[{{"url":"urn:x","valueDecimal":{decimal}}}]}}"#
        );
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .body(body);
        let created = post.send();
        assert_eq!(created.status, 201, "{decimal}: {created:?}");
        assert!(
            created.text().contains(&format!("\"valueDecimal\":{decimal}}}")),
            "{decimal}: {created:?}"
        );
        let xml = fhir
            .get(format!("{}?_format=xml", path_of(created.location())))
            .send()
            .expect(200);
        assert!(
            xml.text()
                .contains(&format!("<valueDecimal value=\"{decimal}\"/>")),
            "{decimal}: {xml:?}"
        );
        let pretty = fhir
            .get(format!("{}?_pretty=true", path_of(created.location())))
            .send()
            .expect(200);
        assert!(
            pretty.text().contains(&format!("\"valueDecimal\": {decimal}\n")),
            "{decimal}: {pretty:?}"
        );
        // And the other way round.
        let from_xml = fhir.post("/Patient").xml(&xml.text()).send().expect(201);
        let back = fhir.get(path_of(from_xml.location())).send().expect(200);
        assert!(
            back.text().contains(&format!("\"valueDecimal\":{decimal}}}")),
            "{decimal}: {back:?}"
        );
    }
}

fn primitive_siblings_survive(context: &Context) {
    let fhir = shared_fhir(context);
    let body = serde_json::json!({
        "resourceType": "Patient",
        "_birthDate": { "extension": [{ "url": "urn:why", "valueCode": "unknown" }] },
        "name": [{
            "family": "Ordinaire",
            "_family": { "id": "f1" },
            "given": ["Camille", "Noor", "Sacha"],
            "_given": [null, { "extension": [{ "url": "urn:call", "valueBoolean": true }] }, null]
        }, {
            "given": ["Zoé", null],
            "_given": [null, { "extension": [{ "url": "urn:why", "valueCode": "masked" }] }]
        }],
        "multipleBirthBoolean": true,
        "_multipleBirthBoolean": { "id": "m" }
    });
    let created = fhir.post("/Patient").json(&body).send().expect(201).json();
    for name in [
        "_birthDate",
        "name",
        "multipleBirthBoolean",
        "_multipleBirthBoolean",
    ] {
        assert_eq!(created[name], body[name], "{name}");
    }
    let xml = fhir
        .get(format!(
            "/Patient/{}?_format=xml",
            created["id"].as_str().unwrap()
        ))
        .send()
        .expect(200);
    for part in [
        "<birthDate><extension url=\"urn:why\">",
        "<family id=\"f1\" value=\"Ordinaire\"/>",
        "<given value=\"Noor\"><extension",
    ] {
        assert!(xml.text().contains(part), "{part}: {xml:?}");
    }
}

fn text_survives_character_by_character(context: &Context) {
    let fhir = shared_fhir(context);
    for text in [
        "Ünïcödé Ñandú Łódź",
        "Кириллица 漢字 العربية",
        "👨‍👩‍👧 e\u{301}",
        "\"quoted\" \\ / & < > ' `",
        "tab\tand\nnewline\r\nend",
        "a\u{a0}b\u{200b}c\u{2028}d",
        "\u{fffd}",
        "$|,\\,%20+",
    ] {
        let body = with(patient(&unique()), "name", serde_json::json!([{ "text": text }]));
        let created = fhir.post("/Patient").json(&body).send();
        assert_eq!(created.status, 201, "{text:?}: {created:?}");
        assert_eq!(created.json()["name"][0]["text"], text);
        let xml = fhir
            .get(format!("{}?_format=xml", path_of(created.location())))
            .send()
            .expect(200)
            .text();
        let id = created.id();
        fhir.put(format!("/Patient/{id}")).xml(&xml).send().expect(200);
        let read = fhir.get(format!("/Patient/{id}")).send().expect(200);
        assert_eq!(read.json()["name"][0]["text"], text, "through XML");
        assert_eq!(read.version(), 1, "{text:?} changed on its way through XML");
    }
}

fn extreme_numbers_are_answered(context: &Context) {
    let fhir = shared_fhir(context);
    let digits = "9".repeat(10_000);
    for decimal in [
        "1e999999999",
        "-1e-999999999",
        &digits,
        &format!("0.{digits}"),
        "1e+9999999999999999999999",
    ] {
        let body = format!(
            r#"{{"resourceType":"Patient","extension":[{{"url":"urn:x","valueDecimal":{decimal}}}]}}"#
        );
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json")
            .body(body);
        let answer = post.send();
        let shown = &decimal[..decimal.len().min(30)];
        assert!(matches!(answer.status, 201 | 400), "{shown}: {answer:?}");
        assert!(
            answer.status == 201 || !answer.issues().is_empty(),
            "{shown}: {answer:?}"
        );
    }
}
