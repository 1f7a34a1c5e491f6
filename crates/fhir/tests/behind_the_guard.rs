//! Validation trusts nothing of the guard: what the guard refuses before, it would refuse too. Its words for that stand on a page.

use std::path::Path;

use fhir::validate::validate;
use fhir::{Resource, ResourceType};
use serde_json::{Value, json};

const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../fixtures/fhir/behind-the-guard.snap.md"
);

fn narrative(div: &str) -> Value {
    json!({ "text": { "status": "generated", "div": div } })
}

fn open_div(inside: &str) -> String {
    format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inside}</div>")
}

fn trees() -> Vec<(&'static str, Value)> {
    let attributes: String = (0..40).map(|number| format!(" a{number}=\"\"")).collect();
    let deep = (0..80).fold(
        json!({ "url": "urn:a", "valueBoolean": true }),
        |inner, _| json!({ "url": "urn:a", "extension": [inner] }),
    );
    vec![
        (
            "a contained resource that is none",
            json!({ "contained": ["Organization"] }),
        ),
        (
            "a contained resource without type",
            json!({ "contained": [{ "id": "a" }] }),
        ),
        (
            "a contained resource of an unknown type",
            json!({ "contained": [{ "resourceType": "Organisation" }] }),
        ),
        ("an empty text", json!({ "name": [{ "family": "" }] })),
        ("a blank text", json!({ "name": [{ "family": "  " }] })),
        ("a control character", json!({ "name": [{ "family": "a\u{7}" }] })),
        (
            "an id of an element with a space",
            json!({ "name": [{ "id": "a b", "family": "a" }] }),
        ),
        (
            "an element's id with extensions",
            json!({ "name": [{ "_id": { "id": "a" }, "family": "a" }] }),
        ),
        ("an empty list", json!({ "name": [] })),
        (
            "lists that do not fit",
            json!({ "name": [{ "given": ["a", "b"], "_given": [{ "id": "a" }] }] }),
        ),
        ("what is nested too deep", json!({ "extension": [deep] })),
        (
            "a narrative that closes wrongly",
            narrative(&open_div("<p>a</i>")),
        ),
        (
            "a narrative that is open",
            narrative("<div xmlns=\"http://www.w3.org/1999/xhtml\">a"),
        ),
        (
            "a narrative that is nested too deep",
            narrative(&open_div(&format!("{}a{}", "<b>".repeat(80), "</b>".repeat(80)))),
        ),
        (
            "a narrative with a named entity",
            narrative(&open_div("a&nbsp;b")),
        ),
        (
            "a narrative with a CDATA section",
            narrative(&open_div("<![CDATA[a]]>")),
        ),
        ("a narrative of text", narrative("Ada")),
        ("a narrative of two divs", narrative(&open_div("a").repeat(2))),
        ("a narrative of another element", narrative("<p>a</p>")),
        (
            "a narrative without its namespace",
            narrative("<div xmlns=\"urn:a\">a</div>"),
        ),
        (
            "a narrative with an attribute twice",
            narrative(&open_div("<p id=\"a\" id=\"b\">a</p>")),
        ),
        (
            "a narrative with far too many attributes",
            narrative(&open_div(&format!("<p{attributes}>a</p>"))),
        ),
        (
            "a narrative with a named entity in an attribute",
            narrative(&open_div("<a href=\"a&nbsp;b\">a</a>")),
        ),
    ]
}

#[test]
fn what_the_guard_never_lets_through_is_refused_by_validation_too() {
    let mut page = String::from(
        "# What validation says of what the guard never lets through\n\nWritten and checked by `crates/fhir/tests/behind_the_guard.rs`.\n",
    );
    for (name, more) in trees() {
        let mut tree = json!({ "resourceType": "Patient" });
        for (property, value) in more.as_object().expect("properties") {
            tree[property] = value.clone();
        }
        let Value::Object(tree) = tree else {
            unreachable!("it is an object")
        };
        let issues = validate(&Resource::from_guarded(ResourceType::Patient, tree));
        assert!(issues.iter().any(fhir::Issue::is_error), "{name} passes");
        page.push_str(&format!("\n## {name}\n"));
        for issue in issues {
            let place: String = issue.expression.unwrap_or_default().chars().take(80).collect();
            page.push_str(&format!(
                "- **{}** at `{place}`: {}\n",
                issue.code.as_str(),
                issue.text
            ));
        }
    }
    testkit::fixtures::snapshot(Path::new(PAGE), &page);
}
