use serde_json::json;

use super::*;
use crate::codec::{self, Format};
use crate::outcome::IssueCode;
use crate::resource::{Resource, ResourceType};
use crate::time::Timestamp;

fn bundle(text: &Value) -> Result<Bundle, Vec<Issue>> {
    let (tree, malformed) = match codec::decode_bundle(text.to_string().as_bytes(), Format::Json) {
        Ok(tree) => (tree, Default::default()),
        Err(malformed) => malformed.by_entry()?,
    };
    read(tree, malformed)
}

fn places(issues: &[Issue]) -> Vec<&str> {
    issues
        .iter()
        .filter_map(|issue| issue.expression.as_deref())
        .collect()
}

fn patient(value: Value) -> Resource {
    let Value::Object(tree) = value else {
        unreachable!("an object")
    };
    Resource::from_guarded(ResourceType::Patient, tree)
}

#[test]
fn an_entry_keeps_its_request_word_for_word() {
    let read = bundle(&json!({ "resourceType": "Bundle", "type": "batch", "entry": [{
        "fullUrl": "urn:uuid:1",
        "resource": { "resourceType": "Patient" },
        "request": { "method": "POST", "url": "Patient", "ifNoneExist": "a=b" }
    }]}));
    let read = read.expect("a batch");
    assert_eq!(read.mode, Mode::Batch);
    let entry = read.entries.into_iter().next().expect("an entry");
    assert_eq!(entry.full_url.as_deref(), Some("urn:uuid:1"));
    let request = entry.request.expect("a request");
    assert_eq!((request.method, request.url.as_str()), (Method::Post, "Patient"));
    assert_eq!(request.if_none_exist.as_deref(), Some("a=b"));
    assert_eq!(request.resource.expect("a resource").kind, "Patient");
}

#[test]
fn faults_of_an_entry_stay_in_it_and_name_their_places() {
    let read = bundle(&json!({ "resourceType": "Bundle", "type": "batch", "entry": [
        { "request": { "method": "post", "url": "Patient", "ifmatch": "1" }, "extra": 1 },
        { "resource": { "resourceType": "Patient", "name": [{ "family": "" }] },
          "request": { "method": "POST", "url": "Patient" } },
        { "fullUrl": "urn:uuid:1" },
    ]}))
    .expect("a batch");
    let mut entries = read.entries.into_iter();
    let issues = entries
        .next()
        .and_then(|entry| entry.request.err())
        .expect("faults");
    assert_eq!(
        places(&issues),
        [
            "Bundle.entry[0].extra",
            "Bundle.entry[0].request.ifmatch",
            "Bundle.entry[0].request.method"
        ]
    );
    let second = entries
        .next()
        .and_then(|entry| entry.request.ok())
        .expect("a request");
    let malformed = second
        .resource
        .and_then(|body| body.content.err())
        .expect("malformed");
    assert_eq!(places(&malformed.into_issues()), ["Patient.name[0].family"]);
    let third = entries
        .next()
        .and_then(|entry| entry.request.err())
        .expect("faults");
    assert_eq!(places(&third), ["Bundle.entry[2].request"]);
}

#[test]
fn a_bundle_that_cannot_be_processed_says_why() {
    for (kind, code) in [
        (json!("searchset"), IssueCode::Invalid),
        (json!("transactions"), IssueCode::CodeInvalid),
        (json!(7), IssueCode::Structure),
    ] {
        let issues = bundle(&json!({ "resourceType": "Bundle", "type": kind }))
            .err()
            .expect("faults");
        assert_eq!(issues.first().map(|issue| issue.code), Some(code), "{kind}");
        assert_eq!(places(&issues), ["Bundle.type"]);
    }
    let missing = bundle(&json!({ "resourceType": "Bundle" }))
        .err()
        .expect("faults");
    assert_eq!(missing.first().map(|issue| issue.code), Some(IssueCode::Required));
}

#[test]
fn as_many_entries_as_the_limit_are_read_and_one_more_is_refused() {
    use crate::limits::MAX_BUNDLE_ENTRIES;
    let entry = json!({ "request": { "method": "GET", "url": "Patient/1" } });
    let of = |count| {
        bundle(&json!({ "resourceType": "Bundle", "type": "batch", "entry": vec![entry.clone(); count] }))
    };
    assert!(of(MAX_BUNDLE_ENTRIES).is_ok());
    let issues = of(MAX_BUNDLE_ENTRIES + 1).err().expect("faults");
    assert_eq!(issues.first().map(|issue| issue.code), Some(IssueCode::TooLong));
}

#[test]
fn places_are_told_in_the_bundle() {
    let told = |place: Option<&str>| {
        let issue = Issue::error(IssueCode::Value, "x");
        let issue = match place {
            Some(place) => issue.at(place),
            None => issue,
        };
        at_entry(issue, 3).expression.unwrap_or_default()
    };
    assert_eq!(told(Some("Patient.name[0]")), "Bundle.entry[3].resource.name[0]");
    assert_eq!(told(Some("Patient")), "Bundle.entry[3].resource");
    assert_eq!(
        told(Some("Bundle.entry[3].request.url")),
        "Bundle.entry[3].request.url"
    );
    assert_eq!(told(None), "Bundle.entry[3]");
}

#[test]
fn links_are_rewritten_everywhere_but_in_the_narrative_and_identifiers() {
    let mut resource = patient(json!({
        "text": { "status": "generated", "div": "<div>urn:uuid:1</div>" },
        "identifier": [{ "system": "urn:ietf:rfc:3986", "value": "urn:uuid:1" }],
        "extension": [{ "url": "http://e", "valueReference": { "reference": "urn:uuid:1" } },
                      { "url": "http://e", "valueUri": "urn:uuid:1" }],
        "contained": [{ "resourceType": "Patient", "generalPractitioner": [{ "reference": "urn:uuid:1" }] }],
        "generalPractitioner": [{ "reference": "urn:uuid:1" }, { "reference": "urn:uuid:2" }],
    }));
    let link = |text: &str| (text == "urn:uuid:1").then(|| "Practitioner/9".to_owned());
    assert!(references::rewrite(resource.tree_mut(), &link));
    let text = Value::Object(resource.tree().clone()).to_string();
    assert_eq!(text.matches("Practitioner/9").count(), 4, "{text}");
    assert_eq!(text.matches("urn:uuid:1").count(), 2, "{text}");
    assert!(text.contains("urn:uuid:2"));
}

#[test]
fn conditional_references_are_found_with_their_places_and_bad_ones_refused() {
    let now = Timestamp::from_micros(0);
    let resource = patient(json!({
        "generalPractitioner": [{ "reference": "Practitioner/1" }, { "reference": "Practitioner?identifier=s|v" }],
    }));
    let found = references::conditional(&resource, now).expect("understood");
    let places: Vec<&str> = found.iter().map(|reference| reference.place.as_str()).collect();
    assert_eq!(places, ["Patient.generalPractitioner[1].reference"]);
    let bad = patient(json!({ "generalPractitioner": [{ "reference": "Practitioner?identifer=s|v" }] }));
    let issues = references::conditional(&bad, now).expect_err("misspelt");
    assert_eq!(
        super::tests::places(&issues),
        ["Patient.generalPractitioner[0].reference"]
    );
}
