//! T13, T14, T15: hostile bodies are refused with an issue that says what and where, quickly, on a small stack.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it counted"
)]

use fhir::codec::{Format, decode_tree};
use fhir::limits::{MAX_DEPTH, MAX_ISSUES, MAX_XML_ATTRIBUTES, MIB};
use fhir::outcome::Issue;
use serde_json::{Map, Value};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

type Outcome = Result<Map<String, Value>, Vec<Issue>>;

/// Generous: these are debug builds. For every 8 MiB begun; bodies are smaller than that, but for
/// the millions of levels.
const LIMIT: Duration = Duration::from_millis(500);

/// What fits here is safe on the two megabytes of a worker.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap()
}

/// What this thread has used of a processor: waiting behind other tests does not count.
fn processor_time() -> Duration {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = statistics.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

fn timed(name: &str, body: Vec<u8>, format: Format, expected: &str) -> Outcome {
    let expected = expected.to_owned();
    let limit = LIMIT * (1 + u32::try_from(body.len() / (8 * MIB)).unwrap());
    let (outcome, took) = on_a_small_stack(move || {
        let begun = processor_time();
        let outcome = decode_tree(&body, format, &expected);
        (outcome, processor_time() - begun)
    });
    assert!(took < limit, "{name} took {took:?}");
    if let Err(issues) = &outcome {
        assert!(!issues.is_empty(), "{name}: refused without an issue");
        assert!(issues.len() <= MAX_ISSUES, "{name}: too many issues");
        for issue in issues {
            assert!(issue.text.len() > 10, "{name}: {issue:?}");
            assert!(issue.text.len() < 400, "{name}: {issue:?}");
        }
    }
    outcome
}

fn run_cases(folder: &str, format: Format) -> usize {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/hostile")
        .join(folder);
    let cases = fs::read_to_string(folder.join("cases.txt")).unwrap();
    let rows: Vec<Vec<&str>> = cases
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(" | ").collect())
        .collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let [file, expected, verdict, code, place] = row.as_slice() else {
            panic!("not a case: {row:?}");
        };
        let outcome = timed(file, fs::read(folder.join(file)).unwrap(), format, expected);
        let right = match (&outcome, *verdict) {
            (Ok(_), "accepted") => true,
            (Err(issues), "refused") => issues.iter().any(|issue| {
                issue.code.as_str() == *code && (*place == "-" || issue.expression.as_deref() == Some(place))
            }),
            _ => false,
        };
        if !right {
            wrong.push(format!("{row:?}: {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    rows.len()
}

#[test]
fn t15_every_json_case_ends_as_its_manifest_says() {
    assert!(run_cases("json", Format::Json) >= 60);
}

#[test]
fn t14_every_xml_case_ends_as_its_manifest_says() {
    assert!(run_cases("xml", Format::Xml) >= 40);
}

fn patient(content: &str) -> Vec<u8> {
    format!("<Patient xmlns=\"http://hl7.org/fhir\">{content}</Patient>").into_bytes()
}

#[test]
fn t14_floods_of_attributes_and_namespaces_are_refused_quickly() {
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let attributes = many(800_000, &|n| format!(" a{n}=\"\""));
    let namespaces = many(100_000, &|n| format!(" xmlns:n{n}=\"urn:{n}\""));
    let nested = many(60, &|n| {
        let declared = many(30, &|k| format!(" xmlns:n{n}k{k}=\"urn:x\""));
        format!("<extension url=\"a\"{declared}>")
    });
    let div = "http://www.w3.org/1999/xhtml";
    let cases = [
        ("800,000 attributes", patient(&format!("<active{attributes}/>"))),
        (
            "800,000 attributes on the root",
            format!("<Patient xmlns=\"http://hl7.org/fhir\"{attributes}/>").into_bytes(),
        ),
        (
            "800,000 attributes in an end tag",
            patient(&format!("<active value=\"true\"></active{attributes}>")),
        ),
        (
            "800,000 attributes in the narrative",
            patient(&format!(
                "<text><status value=\"empty\"/><div xmlns=\"{div}\"><p{attributes}/></div></text>"
            )),
        ),
        (
            "100,000 namespaces",
            patient(&format!("<active{namespaces} value=\"true\"/>")),
        ),
        (
            "100,000 namespaces in the declaration",
            format!("<?xml version=\"1.0\"{namespaces}?><Patient xmlns=\"http://hl7.org/fhir\"/>")
                .into_bytes(),
        ),
        ("namespaces on every level", patient(&nested)),
        (
            "100,000 attributes of one name",
            patient(&format!("<active{}/>", " value=\"true\"".repeat(100_000))),
        ),
        ("500,000 unknown elements", patient(&"<q/>".repeat(500_000))),
        ("200,000 empty elements", patient(&"<name/>".repeat(200_000))),
        ("a long name", patient(&format!("<{}/>", "a".repeat(1_000_000)))),
        (
            "a million references",
            patient(&format!("<gender value=\"{}", "&amp;".repeat(400_000))),
        ),
        ("a million end tags", "</a>".repeat(500_000).into_bytes()),
        (
            "a million comments left open",
            "<!-- ".repeat(400_000).into_bytes(),
        ),
        ("a million angle brackets", "<".repeat(2_000_000).into_bytes()),
        (
            "a million quotes",
            format!("<a {}", "\"'".repeat(1_000_000)).into_bytes(),
        ),
    ];
    for (name, body) in cases {
        assert!(
            timed(name, body, Format::Xml, "Patient").is_err(),
            "{name} was accepted"
        );
    }
}

#[test]
fn t14_the_limit_of_attributes_is_exact() {
    let with = |count: usize| {
        let declared: String = (1..count).map(|n| format!(" xmlns:n{n}=\"urn:x\"")).collect();
        format!("<Patient xmlns=\"http://hl7.org/fhir\"{declared}/>").into_bytes()
    };
    assert!(decode_tree(&with(MAX_XML_ATTRIBUTES), Format::Xml, "Patient").is_ok());
    assert!(decode_tree(&with(MAX_XML_ATTRIBUTES + 1), Format::Xml, "Patient").is_err());
}

#[test]
fn t14_a_bad_byte_is_refused_at_every_position() {
    let whole = patient("<name><family value=\"é\"/></name>");
    for position in 0..=whole.len() {
        for bad in [
            &b"\xFF"[..],
            b"\xC3",
            b"\xED\xA0\x80",
            b"\xF8\x88\x80\x80\x80",
            b"\0",
        ] {
            let mut body = whole.clone();
            body.splice(position..position, bad.iter().copied());
            let issues = decode_tree(&body, Format::Xml, "Patient").unwrap_err();
            assert!(!issues.is_empty(), "position {position}");
        }
        let cut = decode_tree(&whole[..position], Format::Xml, "Patient");
        assert_eq!(cut.is_ok(), position == whole.len(), "cut at {position}");
    }
}

#[test]
fn t15_floods_of_json_faults_are_bounded_and_quick() {
    let cases = [
        format!(
            "{{\"resourceType\":\"Patient\",\"name\":[{}{{}}]}}",
            "{},".repeat(300_000)
        ),
        format!("{{\"resourceType\":\"Patient\"{}}}", ",\"a\":1".repeat(200_000)),
        format!(
            "{{\"resourceType\":\"Patient\",\"name\":[{}null]}}",
            "null,".repeat(300_000)
        ),
        format!("{{\"resourceType\":\"Patient\",\"{}\":1}}", "k ".repeat(500_000)),
        format!("{{\"resourceType\":\"Patient\",\"a\":{}}}", "9".repeat(2_000_000)),
        format!(
            "{{\"resourceType\":\"Patient\",\"a\":\"{}\"}}",
            "\\u0000".repeat(300_000)
        ),
        "{\"a\":".repeat(300_000),
        "[".repeat(2_000_000),
        (0..100_000).map(|n| format!("{{\"k{n}\":")).collect(),
    ];
    for body in cases {
        let name: String = body.chars().take(60).collect();
        assert!(
            timed(&name, body.into_bytes(), Format::Json, "Patient").is_err(),
            "{name} was accepted"
        );
    }
}

fn nested(part: &str, format: Format, levels: usize) -> Vec<u8> {
    let around = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    let tags = format!(
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">{}x{}</div>",
        "<b>".repeat(levels - 1),
        "</b>".repeat(levels - 1)
    );
    match (part, format) {
        ("extension", Format::Json) => format!(
            "{{\"resourceType\":\"Patient\",{}}}",
            around("\"extension\":[{\"url\":\"u\",", "\"valueBoolean\":true", "}]")
        ),
        ("extension", Format::Xml) => {
            let inner = around("<extension url=\"u\">", "<valueBoolean value=\"true\"/>", "</extension>");
            format!("<Patient xmlns=\"http://hl7.org/fhir\">{inner}</Patient>")
        }
        ("contained", Format::Json) => around(
            "{\"resourceType\":\"Patient\",\"contained\":[",
            "{\"resourceType\":\"Patient\",\"active\":true}",
            "]}",
        ),
        ("contained", Format::Xml) => {
            let inner = around("<contained><Patient>", "<active value=\"true\"/>", "</Patient></contained>");
            format!("<Patient xmlns=\"http://hl7.org/fhir\">{inner}</Patient>")
        }
        ("narrative", Format::Json) => {
            let div = Value::String(tags);
            format!("{{\"resourceType\":\"Patient\",\"text\":{{\"status\":\"generated\",\"div\":{div}}}}}")
        }
        ("primitive", Format::Json) => {
            let inner = around("\"_active\":{\"extension\":[{\"url\":\"u\",", "\"valueBoolean\":true", "}]}");
            format!("{{\"resourceType\":\"Patient\",{inner}}}")
                .replace("\"u\",\"_active\"", "\"u\",\"_valueBoolean\"")
        }
        ("primitive", Format::Xml) => {
            let name = |level: usize| if level == 0 { "active" } else { "valueBoolean" };
            let open = (0..levels).map(|level| format!("<{}><extension url=\"u\">", name(level)));
            let close = (0..levels).rev().map(|level| format!("</extension></{}>", name(level)));
            let (open, close): (String, String) = (open.collect(), close.collect());
            format!(
                "<Patient xmlns=\"http://hl7.org/fhir\">{open}<valueBoolean value=\"true\"/>{close}</Patient>"
            )
        }
        _ => format!(
            "<Patient xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/>{tags}</text></Patient>"
        ),
    }
    .into_bytes()
}

#[test]
fn t13_nesting_is_accepted_to_the_limit_and_refused_past_it_in_both_formats() {
    let levels = [1, 32, 63, 64, 65, 128, 1_300, 2_000, 20_000, 1_000_000];
    for part in ["extension", "contained", "narrative"] {
        for format in [Format::Json, Format::Xml] {
            for level in levels {
                let name = format!("{level} levels of {part} in {format:?}");
                let outcome = timed(&name, nested(part, format, level), format, "Patient");
                assert_eq!(outcome.is_ok(), level <= MAX_DEPTH, "{name}: {outcome:?}");
            }
        }
    }
}

#[test]
fn t13_a_primitive_with_extensions_counts_as_a_level_in_both_formats() {
    // Two levels each: the primitive, and the extension on it.
    for format in [Format::Json, Format::Xml] {
        for (pairs, accepted) in [(1, true), (32, true), (33, false)] {
            let body = nested("primitive", format, pairs);
            let outcome = timed("primitive", body, format, "Patient");
            assert_eq!(outcome.is_ok(), accepted, "{pairs} in {format:?}: {outcome:?}");
        }
    }
}
