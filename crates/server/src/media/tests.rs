use actix_web::http::header::HeaderName;

use super::*;
use crate::mutants;

fn headers(lines: &[(HeaderName, &[u8])]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(
            name.clone(),
            HeaderValue::from_bytes(value).expect("a header value"),
        );
    }
    map
}

/// What `Accept` asks for: a format, or the status of the refusal.
fn accepted(lines: &[&str]) -> Result<Format, u16> {
    let lines: Vec<(HeaderName, &[u8])> = lines.iter().map(|line| (ACCEPT, line.as_bytes())).collect();
    answer(&headers(&lines), "")
        .map(|answer| answer.format)
        .map_err(|refusal| refusal.status)
}

fn by_query(query: &str) -> Result<Format, u16> {
    let accept_xml = headers(&[(ACCEPT, b"application/fhir+xml")]);
    answer(&accept_xml, query)
        .map(|answer| answer.format)
        .map_err(|refusal| refusal.status)
}

fn sent_as(content_type: Option<&str>, body: &[u8]) -> Result<Format, u16> {
    let lines: Vec<(HeaderName, &[u8])> = content_type
        .iter()
        .map(|value| (CONTENT_TYPE, value.as_bytes()))
        .collect();
    of_body(&headers(&lines), body).map_err(|refusal| refusal.status)
}

#[test]
fn p54_every_usable_accept_gets_the_format_it_asks_for() {
    let cases: &[(&[&str], Format)] = &[
        (&[], Format::Json),
        (&[""], Format::Json),
        (&["*/*"], Format::Json),
        (&["application/*"], Format::Json),
        (&["application/fhir+json"], Format::Json),
        (&["application/json+fhir"], Format::Json),
        (&["application/json+fhir;charset=utf-8"], Format::Json),
        (&["application/json"], Format::Json),
        (&["text/json"], Format::Json),
        (&["APPLICATION/FHIR+JSON; FHIRVERSION=4.0"], Format::Json),
        (&["application/fhir+xml"], Format::Xml),
        (&["application/xml+fhir"], Format::Xml),
        (&["application/xml;charset=utf-8"], Format::Xml),
        (&["text/xml"], Format::Xml),
        // Quality decides, then closeness, then the order.
        (
            &["application/fhir+xml;q=0.5, application/fhir+json;q=0.4"],
            Format::Xml,
        ),
        (
            &["application/fhir+json;q=0.1, application/fhir+xml"],
            Format::Xml,
        ),
        (&["application/fhir+xml, application/fhir+json"], Format::Xml),
        (&["application/fhir+json, application/fhir+xml"], Format::Json),
        (&["*/*, application/fhir+xml"], Format::Xml),
        (&["*/*, application/fhir+json;q=0"], Format::Xml),
        (
            &["application/json;q=0.2, application/fhir+json;q=0.9, text/xml;q=0.8"],
            Format::Json,
        ),
        (
            &["text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8"],
            Format::Xml,
        ),
        // An unknown or unreadable item is passed over.
        (&["text/html, application/fhir+json"], Format::Json),
        (
            &["nonsense, application/fhir+xml;q=abc, application/json;q=0.3"],
            Format::Json,
        ),
        (
            &["application/fhir+json;fhirVersion=5.0, application/fhir+xml;fhirVersion=4.0"],
            Format::Xml,
        ),
        (
            &["text/plain; x=\"a,application/fhir+xml\", application/json"],
            Format::Json,
        ),
        // Several lines are one list.
        (&["text/html", "application/fhir+xml"], Format::Xml),
    ];
    for (lines, format) in cases {
        assert_eq!(accepted(lines), Ok(*format), "{lines:?}");
    }
}

#[test]
fn p55_an_accept_of_nothing_that_can_be_sent_is_406() {
    for lines in [
        &["text/html"][..],
        &["application/fhir+json;fhirVersion=5.0"],
        &["application/fhir+json;q=0"],
        &["*/*;q=0"],
        &["application/fhir+turtle, image/png"],
        &["nonsense"],
    ] {
        assert_eq!(accepted(lines), Err(406), "{lines:?}");
    }
    let not_text = headers(&[(ACCEPT, b"\xff\xfe")]);
    assert_eq!(answer(&not_text, "").map_err(|refusal| refusal.status), Err(406));
}

#[test]
fn the_format_parameter_beats_accept() {
    for (query, format) in [
        ("_format=json", Format::Json),
        ("a=b&_format=xml&c=d", Format::Xml),
        ("_format=application/fhir%2Bjson", Format::Json),
        // Unescaped, the plus arrives as a space.
        ("_format=application/fhir+json", Format::Json),
        ("_format=application/fhir%20json", Format::Json),
        ("_format=application/json+fhir", Format::Json),
        ("_format=application/xml+fhir", Format::Xml),
        ("_format=text/xml", Format::Xml),
        ("%5Fformat=JSON", Format::Json),
        ("_format=application/json%3BfhirVersion%3D4.0", Format::Json),
        // Empty says nothing: Accept counts.
        ("_format=", Format::Xml),
        ("name=_format", Format::Xml),
    ] {
        assert_eq!(by_query(query), Ok(format), "{query}");
    }
    for query in [
        "_format=html",
        "_format=ttl",
        "_format=%ff",
        "_format=application/json;fhirVersion=5.0",
    ] {
        assert_eq!(by_query(query), Err(406), "{query}");
    }
}

#[test]
fn only_pretty_true_is_indented() {
    assert_eq!(layout("_pretty=true"), Layout::Indented);
    assert_eq!(layout("x=1&_pretty=true"), Layout::Indented);
    for query in ["", "_pretty=false", "_pretty", "_pretty=1", "x_pretty=true"] {
        assert_eq!(layout(query), Layout::Compact, "{query}");
    }
}

#[test]
fn p55_a_body_is_read_as_what_its_content_type_says() {
    for (content_type, format) in [
        ("application/fhir+json", Format::Json),
        ("application/fhir+json; charset=UTF-8", Format::Json),
        ("application/json;fhirVersion=4.0.1", Format::Json),
        ("text/json", Format::Json),
        ("application/json+fhir;charset=\"utf-8\"", Format::Json),
        ("application/fhir+xml", Format::Xml),
        ("text/xml", Format::Xml),
        ("Application/XML", Format::Xml),
        ("application/xml+fhir", Format::Xml),
    ] {
        assert_eq!(sent_as(Some(content_type), b"?"), Ok(format), "{content_type}");
    }
    for content_type in [
        "text/plain",
        "application/fhir+json;fhirVersion=5.0",
        "application/fhir+json;charset=iso-8859-1",
        "application/*",
        "json",
        "",
        "multipart/form-data",
    ] {
        assert_eq!(sent_as(Some(content_type), b"{}"), Err(415), "{content_type}");
    }
}

#[test]
fn a_json_body_without_a_type_or_with_curls_default_is_json() {
    for content_type in [None, Some("application/x-www-form-urlencoded")] {
        for body in [&b"{}"[..], b"  \r\n\t{", b"\xef\xbb\xbf {}"] {
            assert_eq!(sent_as(content_type, body), Ok(Format::Json), "{content_type:?}");
        }
        for body in [&b"<Patient/>"[..], b"a=b", b"", b"[]"] {
            assert_eq!(sent_as(content_type, body), Err(415), "{content_type:?}");
        }
    }
}

#[test]
fn two_content_types_are_none() {
    let two = headers(&[
        (CONTENT_TYPE, b"application/json"),
        (CONTENT_TYPE, b"application/xml"),
    ]);
    assert_eq!(of_body(&two, b"{}").map_err(|refusal| refusal.status), Err(415));
}

#[test]
fn a_posted_search_is_a_form() {
    let form = headers(&[(CONTENT_TYPE, b"application/x-www-form-urlencoded; charset=utf-8")]);
    assert!(check_form(&form).is_ok());
    assert!(check_form(&HeaderMap::new()).is_ok());
    let json = headers(&[(CONTENT_TYPE, b"application/json")]);
    assert_eq!(check_form(&json).map_err(|refusal| refusal.status), Err(415));
}

#[test]
fn quality_values_are_exact() {
    for (text, value) in [
        ("1", 1000),
        ("0", 0),
        ("0.5", 500),
        ("0.333", 333),
        ("1.000", 1000),
        ("0.", 0),
    ] {
        assert_eq!(thousandths(text), Some(value), "{text}");
    }
    for text in ["", "2", "1.001", "-1", "0.3333", "0,5", ".5", "1e0"] {
        assert_eq!(thousandths(text), None, "{text}");
    }
}

#[test]
fn t12_a_mutated_accept_gets_a_format_or_406() {
    let corpus = &[
        "application/fhir+json;q=0.9, application/fhir+xml; fhirVersion=4.0, */*;q=0.1",
        "application/fhir+xml",
        "text/html",
        "*/*",
    ];
    let count = mutants::each("Accept", corpus, |headers| {
        answer(headers, "")
            .map(drop)
            .inspect_err(|refusal| assert_eq!(refusal.status, 406))
    });
    assert!(count.taken > 1_000 && count.refused > 1_000, "{count:?}");
}

#[test]
fn t12_a_mutated_content_type_is_read_or_415() {
    let corpus = &[
        "application/fhir+json; charset=utf-8; fhirVersion=4.0",
        "application/fhir+xml",
        "text/plain",
        "application/x-www-form-urlencoded",
    ];
    let of_bodies = mutants::each("Content-Type", corpus, |headers| {
        let json = of_body(headers, b"{}").map(drop);
        json.inspect_err(|refusal| assert_eq!(refusal.status, 415))
    });
    assert!(
        of_bodies.taken > 100 && of_bodies.refused > 1_000,
        "{of_bodies:?}"
    );
    let of_forms = mutants::each("Content-Type", corpus, |headers| {
        check_form(headers).inspect_err(|refusal| assert_eq!(refusal.status, 415))
    });
    assert!(of_forms.taken > 10 && of_forms.refused > 1_000, "{of_forms:?}");
}
