//! Accept, _format, _pretty, Content-Type.

use testkit::harness::{Context, Test};
use testkit::http::{Client, Response};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p54_accept_decides_the_format,
    p55_what_cannot_be_sent_is_406,
    format_beats_accept,
    p54_an_unescaped_plus_in_format_still_works,
    p55_content_type_decides_how_a_body_is_read,
    p55_what_cannot_be_read_is_415,
    the_answers_format_does_not_change_how_the_body_is_read,
    a_body_without_a_type_is_json_when_it_looks_like_it,
    an_outcome_comes_in_the_format_asked_for,
    every_route_answers_in_xml,
    pretty_is_indented_and_means_the_same,
];

const JSON: &str = "application/fhir+json; charset=utf-8";
const XML: &str = "application/fhir+xml; charset=utf-8";

#[track_caller]
fn in_format(answer: &Response, format: &str, about: &str) {
    assert_eq!(answer.header("Content-Type"), Some(format), "{about}: {answer:?}");
    let first = if format == XML { b'<' } else { b'{' };
    assert_eq!(answer.body.first(), Some(&first), "{about}: {answer:?}");
}

/// A stored patient's path.
fn stored(fhir: &Client) -> String {
    format!(
        "/Patient/{}",
        fhir.post("/Patient")
            .json(&patient(&unique()))
            .send()
            .expect(201)
            .id()
    )
}

fn p54_accept_decides_the_format(context: &Context) {
    let fhir = shared_fhir(context);
    let path = stored(&fhir);
    let matrix = [
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/fhir+json", JSON),
        ("application/fhir+json; charset=utf-8", JSON),
        ("application/fhir+json;fhirVersion=4.0", JSON),
        (
            "application/fhir+json; fhirVersion=\"4.0\"; charset=\"UTF-8\"",
            JSON,
        ),
        ("APPLICATION/FHIR+JSON", JSON),
        ("application/json", JSON),
        ("text/json", JSON),
        ("application/json+fhir", JSON),
        ("application/json+fhir;charset=utf-8", JSON),
        ("application/fhir+xml", XML),
        ("application/xml", XML),
        ("text/xml", XML),
        ("application/xml+fhir", XML),
        ("application/fhir+xml; fhirVersion=4.0", XML),
        ("application/fhir+xml, application/fhir+json", XML),
        ("application/fhir+json, application/fhir+xml", JSON),
        ("application/fhir+json;q=0.1, application/fhir+xml", XML),
        ("application/fhir+xml;q=0.5, application/fhir+json;q=0.9", JSON),
        ("application/fhir+json;q=0, */*", XML),
        ("application/fhir+xml;q=0.001, */*;q=0", XML),
        ("image/png, application/fhir+xml", XML),
        (
            "application/fhir+turtle, text/html;q=0.9, application/json;q=0.1",
            JSON,
        ),
        (
            "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
            XML,
        ),
        (
            "application/fhir+json; fhirVersion=5.0, application/fhir+xml; fhirVersion=4.0",
            XML,
        ),
        (
            "application/vnd.unknown+thing;x=\"a,b\", application/fhir+xml",
            XML,
        ),
        (" application/fhir+xml ", XML),
        (",,application/fhir+xml,", XML),
        ("", JSON),
    ];
    for (accept, format) in matrix {
        let answer = fhir.get(&path).header("Accept", accept).send();
        assert_eq!(answer.status, 200, "{accept:?}: {answer:?}");
        in_format(&answer, format, accept);
    }
    in_format(&fhir.get(&path).send(), JSON, "no Accept");
    let lines = fhir
        .get(&path)
        .header("Accept", "image/png")
        .header("Accept", "application/fhir+xml")
        .send();
    in_format(&lines, XML, "two lines");
}

fn p55_what_cannot_be_sent_is_406(context: &Context) {
    let fhir = shared_fhir(context);
    let path = stored(&fhir);
    let unusable: [&[u8]; 11] = [
        b"text/html",
        b"image/png, text/plain",
        b"application/fhir+turtle",
        b"application/fhir+json; fhirVersion=5.0",
        b"application/fhir+json; fhirVersion=3.0, application/fhir+xml; fhirVersion=5.0",
        b"application/fhir+json;q=0",
        b"*/*;q=0",
        b"json",
        b"\xff\xfe",
        b"application/ fhir+json",
        b"*/fhir+json",
    ];
    for accept in unusable {
        let answer = fhir.get(&path).header("Accept", accept).send();
        assert_eq!(
            answer.status,
            406,
            "{:?}: {answer:?}",
            String::from_utf8_lossy(accept)
        );
        let answer = refused(answer, 406, "not-supported");
        assert!(
            answer.text().contains("application/fhir+json") && answer.text().contains("application/fhir+xml")
        );
    }
    for format in [
        "html",
        "ttl",
        "application/pdf",
        "application/fhir+json;fhirVersion=5.0",
        "x",
    ] {
        refused(
            fhir.get(format!("{path}?_format={format}")).send(),
            406,
            "not-supported",
        );
    }
    // Nothing is written for somebody who could not read the answer.
    let number = unique();
    let create = fhir
        .post("/Patient")
        .header("Accept", "text/html")
        .json(&patient(&number))
        .send();
    refused(create, 406, "not-supported");
    assert_eq!(count_local(&fhir, &number), 0);
}

fn format_beats_accept(context: &Context) {
    let fhir = shared_fhir(context);
    let path = stored(&fhir);
    for (format, expected) in [
        ("json", JSON),
        ("xml", XML),
        ("JSON", JSON),
        ("application/json", JSON),
        ("text/json", JSON),
        ("text/xml", XML),
        ("application/xml", XML),
        ("application%2Ffhir%2Bxml", XML),
        ("application%2Fjson%2Bfhir", JSON),
        ("application/fhir%2Bxml;charset=utf-8", XML),
        ("application/fhir%2Bxml;fhirVersion=4.0", XML),
    ] {
        let other = if expected == JSON {
            "application/fhir+xml"
        } else {
            "application/fhir+json"
        };
        for accept in [other, "text/html", "*/*"] {
            let answer = fhir
                .get(format!("{path}?_format={format}"))
                .header("Accept", accept)
                .send();
            assert_eq!(answer.status, 200, "{format} {accept}: {answer:?}");
            in_format(&answer, expected, format);
        }
    }
}

fn p54_an_unescaped_plus_in_format_still_works(context: &Context) {
    let fhir = shared_fhir(context);
    let path = stored(&fhir);
    for (format, expected) in [
        ("application/fhir+xml", XML),
        ("application/fhir+json", JSON),
        ("application/xml+fhir", XML),
        ("application/json+fhir", JSON),
        ("application/fhir%20xml", XML),
    ] {
        in_format(
            &fhir.get(format!("{path}?_format={format}")).send().expect(200),
            expected,
            format,
        );
    }
    let search = fhir
        .get("/Patient?_id=nobody&_format=application/fhir+xml")
        .send()
        .expect(200);
    in_format(&search, XML, "search");
}

/// One patient in each format.
fn bodies() -> (String, String, String) {
    let number = unique();
    let json = patient(&number).to_string();
    let xml = format!(
        r#"<Patient xmlns="http://hl7.org/fhir"><identifier><system value="{LOCAL}"/><value value="{number}"/></identifier></Patient>"#
    );
    (number, json, xml)
}

fn p55_content_type_decides_how_a_body_is_read(context: &Context) {
    let fhir = shared_fhir(context);
    let (_, json, xml) = bodies();
    let table = [
        ("application/fhir+json", &json),
        ("application/fhir+json; charset=utf-8", &json),
        ("application/fhir+json;charset=\"UTF-8\";fhirVersion=4.0", &json),
        ("Application/FHIR+Json", &json),
        ("application/json", &json),
        ("text/json", &json),
        ("application/json+fhir", &json),
        ("application/fhir+xml", &xml),
        ("application/fhir+xml; fhirVersion=4.0", &xml),
        ("application/xml; charset=utf-8", &xml),
        ("text/xml", &xml),
        ("application/xml+fhir", &xml),
    ];
    for (kind, body) in table {
        let answer = fhir
            .post("/Patient")
            .header("Content-Type", kind)
            .body(body.clone())
            .send();
        assert_eq!(answer.status, 201, "{kind}: {answer:?}");
    }
    // A body in the other format is malformed, not guessed at.
    let answer = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+xml")
        .body(json)
        .send();
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json")
        .body(xml)
        .send();
    assert_eq!(answer.status, 400, "{answer:?}");
}

fn p55_what_cannot_be_read_is_415(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, json, xml) = bodies();
    let unreadable: [(&[u8], &str); 12] = [
        (b"text/plain", &json),
        (b"application/fhir+turtle", &json),
        (b"application/fhir+json; fhirVersion=5.0", &json),
        (b"application/fhir+xml; fhirVersion=3.0", &xml),
        (b"application/fhir+json; charset=iso-8859-1", &json),
        (b"application/json; charset=utf-16", &json),
        (b"application/json-patch+json", &json),
        (b"multipart/form-data; boundary=x", &json),
        (b"application/x-www-form-urlencoded", &xml),
        (b"json", &json),
        (b"*/*", &json),
        (b"\xff/\xfe", &json),
    ];
    for (kind, body) in unreadable {
        let name = String::from_utf8_lossy(kind);
        for request in [
            fhir.post("/Patient"),
            fhir.put(format!("/Patient?{}", by_local(&number))),
        ] {
            let answer = request.header("Content-Type", kind).body(body).send();
            assert_eq!(answer.status, 415, "{name}: {answer:?}");
            let answer = refused(answer, 415, "not-supported");
            assert!(
                answer.text().contains("application/fhir+json")
                    && answer.text().contains("application/fhir+xml")
            );
        }
    }
    assert_eq!(count_local(&fhir, &number), 0);
}

fn the_answers_format_does_not_change_how_the_body_is_read(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, json, xml) = bodies();
    let create = fhir
        .post("/Patient?_format=xml")
        .header("Content-Type", "application/fhir+json")
        .body(json);
    in_format(&create.send().expect(201), XML, "JSON in, XML out");
    let target = format!("/Patient?{}&_format=json", by_local(&number));
    let update = fhir
        .put(target)
        .header("Accept", "application/fhir+xml")
        .xml(&xml);
    in_format(&update.send().expect(200), JSON, "XML in, JSON out");
}

fn a_body_without_a_type_is_json_when_it_looks_like_it(context: &Context) {
    let fhir = shared_fhir(context);
    let (number, json, xml) = bodies();
    fhir.post("/Patient")
        .body(format!("\r\n\t {json}"))
        .send()
        .expect(201);
    let curls = fhir.put(format!("/Patient?{}", by_local(&number)));
    curls
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(json)
        .send()
        .expect(200);
    for other in [xml.as_str(), "[1]", "resourceType=Patient", "\"x\""] {
        assert_eq!(fhir.post("/Patient").body(other).send().status, 415, "{other}");
    }
}

fn an_outcome_comes_in_the_format_asked_for(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    let targets = [
        (fhir.get("/Patient/nobody-of-this-id"), 404),
        (fhir.get("/Mystery/1"), 404),
        (fhir.request("BREW", "/Patient"), 405),
        (fhir.get("/Patient?birthdate=x"), 400),
        (
            fhir.post("/Patient")
                .header("Content-Type", "application/fhir+json")
                .body("{"),
            400,
        ),
        (
            fhir.post("/Patient")
                .header("Content-Type", "text/plain")
                .body("{"),
            415,
        ),
        (fhir.get("/Patient/x").without("Authorization"), 401),
    ];
    for (request, status) in targets {
        let answer = request.clone().header("Accept", "application/fhir+xml").send();
        assert_eq!(answer.status, status, "{answer:?}");
        in_format(&answer, XML, "Accept");
        let text = xml_root(&answer);
        assert!(
            text.starts_with("<OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue><severity value="),
            "{text}"
        );
        in_format(
            &request.header("Accept", "application/json+fhir").send(),
            JSON,
            "Accept",
        );
    }
}

fn every_route_answers_in_xml(context: &Context) {
    let fhir = shared_fhir(context);
    let path = stored(&fhir);
    let id = &path["/Patient/".len()..];
    let number = unique();
    let fresh = unique();
    let body = with(patient(&fresh), "id", serde_json::json!(fresh));
    let requests = [
        fhir.get(&path),
        fhir.get(format!("{path}/_history/1")),
        fhir.get(format!("/Patient?_id={id}")),
        fhir.post("/Patient/_search").form(&format!("_id={id}")),
        fhir.get("/metadata"),
        fhir.post("/Patient").json(&patient(&number)),
        fhir.put(format!("/Patient/{fresh}")).json(&body),
        fhir.put(format!("/Patient?{}", by_local(&number)))
            .json(&patient(&number)),
    ];
    for request in requests {
        let answer = request.header("Accept", "application/fhir+xml").send();
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        in_format(&answer, XML, "XML");
        assert!(
            answer.text().contains("xmlns=\"http://hl7.org/fhir\""),
            "{answer:?}"
        );
    }
}

fn pretty_is_indented_and_means_the_same(context: &Context) {
    let fhir = shared_fhir(context);
    let path = stored(&fhir);
    let plain = fhir.get(&path).send().expect(200);
    let pretty = fhir.get(format!("{path}?_pretty=true")).send().expect(200);
    assert_eq!(plain.json(), pretty.json());
    assert!(
        pretty.text().contains("\n  \"resourceType\": \"Patient\"") && !plain.text().contains('\n'),
        "{pretty:?}"
    );
    let xml = fhir
        .get(format!("{path}?_pretty=true&_format=xml"))
        .send()
        .expect(200);
    assert!(xml.text().contains("\n  <id value="), "{xml:?}");
    assert_eq!(
        fhir.get(format!("{path}?_pretty=false"))
            .send()
            .expect(200)
            .text(),
        plain.text()
    );
    let bundle = fhir.get("/Patient?_count=1&_pretty=true").send().expect(200);
    assert!(bundle.text().lines().count() > 5, "{bundle:?}");
    let outcome = fhir
        .get("/Patient/nobody-of-this-id?_pretty=true")
        .send()
        .expect(404);
    assert!(outcome.text().lines().count() > 3, "{outcome:?}");
}
