//! Bodies with faults of form and of content at once: one answer tells them all, those of form first, each
//! place once.

use testkit::harness::{Context, Test};
use testkit::http::Response;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    faults_of_form_do_not_hide_those_of_content_in_json,
    faults_of_form_do_not_hide_those_of_content_in_xml,
    what_cannot_be_read_on_is_told_alone,
    an_accounts_shape_is_told_beside_faults_of_form,
    many_faults_of_both_kinds_stay_within_the_limit,
];

/// A body, and the code and place of every issue, in order.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

const JSON: &[Case] = &[
    (
        r#"{"resourceType":"Patient","name":[],"gender":"x","communication":[{"preferred":true}],"contact":[{"gender":"male"}]}"#,
        &[
            ("structure", "Patient.name"),
            ("code-invalid", "Patient.gender"),
            ("required", "Patient.communication[0].language"),
            ("invariant", "Patient.contact[0]"),
        ],
    ),
    (
        r#"{"resourceType":"Patient","active":true,"nom":1,"birthDate":"1980-02-30","active":"no"}"#,
        &[
            ("structure", "Patient.active"),
            ("structure", "Patient.nom"),
            ("value", "Patient.birthDate"),
        ],
    ),
    // Nothing is missing in what is to be left out.
    (
        r#"{"resourceType":"Patient","link":[{"type":"seealso"}],"communication":[{}],"contact":[{"name":{}}]}"#,
        &[
            ("structure", "Patient.communication[0]"),
            ("structure", "Patient.contact[0].name"),
            ("required", "Patient.link[0].other"),
        ],
    ),
    (
        r#"{"resourceType":"Patient","maritalStatus":null,"name":[{"family":7,"given":[null,null]},{"given":["a",null,8]}],"_gender":null,"gender":"male"}"#,
        &[
            ("structure", "Patient.maritalStatus"),
            ("structure", "Patient.name[0].given"),
            ("structure", "Patient.name[1].given[1]"),
            ("structure", "Patient.gender"),
            ("structure", "Patient.name[0].family"),
            ("structure", "Patient.name[1].given[2]"),
        ],
    ),
    // A choice is one place, with and without its type; what an empty value lacks is not told.
    (
        r#"{"resourceType":"Patient","deceasedBoolean":"","extension":[{"url":"urn:x","valueAnnotation":{}}],"gender":"F"}"#,
        &[
            ("structure", "Patient.deceasedBoolean"),
            ("structure", "Patient.extension[0].valueAnnotation"),
            ("code-invalid", "Patient.gender"),
        ],
    ),
    // A list in a list is skipped, what follows it is not.
    (
        r#"{"resourceType":"Patient","name":[[{"family":""},[[]]],{"family":""}],"gender":"F"}"#,
        &[
            ("structure", "Patient.name[0]"),
            ("structure", "Patient.name[1].family"),
            ("code-invalid", "Patient.gender"),
        ],
    ),
    (
        r#"{"resourceType":"Patient","a b":{"x":""},"extension":[{"url":"urn:x","valueDecimal":1e10000}],"active":"yes"}"#,
        &[
            ("structure", "Patient.`a b`"),
            ("structure", "Patient.`a b`.x"),
            ("value", "Patient.extension[0].valueDecimal"),
            ("structure", "Patient.active"),
        ],
    ),
    (
        r#"{"gender":"F","birthDate":"1980-1-1"}"#,
        &[
            ("structure", "Patient.resourceType"),
            ("code-invalid", "Patient.gender"),
            ("value", "Patient.birthDate"),
        ],
    ),
    (
        r#"{"resourceType":"Patient","contained":[{"id":"x"},{},null],"gender":"F"}"#,
        &[
            ("structure", "Patient.contained[0].resourceType"),
            ("structure", "Patient.contained[1]"),
            ("structure", "Patient.contained[2]"),
            ("code-invalid", "Patient.gender"),
            ("invariant", "Patient.contained[0]"),
        ],
    ),
    // The id of a body that is posted means nothing, with or without other faults.
    (
        r#"{"resourceType":"Patient","id":"a_b","name":[]}"#,
        &[("structure", "Patient.name")],
    ),
];

const XML: &[Case] = &[
    (
        r#"<gender value="F"/><nom value="x"/><communication><preferred value="yes"/></communication>"#,
        &[
            ("structure", "Patient.nom"),
            ("value", "Patient.communication[0].preferred"),
            ("code-invalid", "Patient.gender"),
            ("required", "Patient.communication[0].language"),
        ],
    ),
    // What is misplaced is there all the same: the contact has a name, and the name is looked into.
    (
        r#"<contact><gender value="x"/><name><use value="main"/></name></contact>"#,
        &[
            ("structure", "Patient.contact[0].name"),
            ("code-invalid", "Patient.contact[0].name.use"),
            ("code-invalid", "Patient.contact[0].gender"),
        ],
    ),
    (
        r#"<gender/><birthDate value="1980-02-30"/><communication/><link><other/></link>"#,
        &[
            ("structure", "Patient.gender"),
            ("structure", "Patient.communication[0]"),
            ("structure", "Patient.link[0].other"),
            ("value", "Patient.birthDate"),
            ("required", "Patient.link[0].type"),
        ],
    ),
    (
        r#"<contained><Mystery/></contained><name><family value=" "/></name><gender value="F"/><gender value="male"/>"#,
        &[
            ("structure", "Patient.contained[0]"),
            ("structure", "Patient.name[0].family"),
            ("structure", "Patient.gender"),
        ],
    ),
];

fn told(answer: &Response) -> Vec<(String, String)> {
    let issues = answer.issues().into_iter();
    issues
        .map(|issue| (issue.code, issue.expression.join(", ")))
        .collect()
}

fn check(answer: &Response, body: &str, expected: &[(&str, &str)], wrong: &mut Vec<String>) {
    let told = told(answer);
    let same = told
        .iter()
        .map(|(code, place)| (code.as_str(), place.as_str()))
        .eq(expected.iter().copied());
    if answer.status != 400 || !same {
        wrong.push(format!(
            "{body}\n  expected {expected:?}\n  got {} {told:?}",
            answer.status
        ));
    }
}

fn faults_of_form_do_not_hide_those_of_content_in_json(context: &Context) {
    let fhir = shared_fhir(context);
    let mut wrong = Vec::new();
    for (body, expected) in JSON {
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json");
        check(&post.body(*body).send(), body, expected, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn faults_of_form_do_not_hide_those_of_content_in_xml(context: &Context) {
    let fhir = shared_fhir(context);
    let mut wrong = Vec::new();
    for (content, expected) in XML {
        let body = format!("<Patient xmlns=\"http://hl7.org/fhir\">{content}</Patient>");
        check(
            &fhir.post("/Patient").xml(&body).send(),
            &body,
            expected,
            &mut wrong,
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn what_cannot_be_read_on_is_told_alone(context: &Context) {
    let fhir = shared_fhir(context);
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(70), close.repeat(70));
    let nested = deep(r#"{"url":"u","extension":["#, "]}");
    for (body, place) in [
        (
            r#"{"resourceType":"Practitioner","gender":"F","name":[]}"#.to_owned(),
            "Patient.resourceType",
        ),
        (
            r#"{"resourceType":"Patient","gender":"F","active":}"#.to_owned(),
            "Patient.active",
        ),
        (
            format!(r#"{{"resourceType":"Patient","gender":"F","extension":[{nested}]}}"#),
            "Patient.extension[0].extension[0]",
        ),
    ] {
        let post = fhir
            .post("/Patient")
            .header("Content-Type", "application/fhir+json");
        let answer = post.body(body.clone()).send().expect(400);
        let told = told(&answer);
        assert!(told[told.len() - 1].1.starts_with(place), "{body}: {answer:?}");
        assert!(
            told.iter().all(|(_, told)| told != "Patient.gender"),
            "{body}: {answer:?}"
        );
    }
    let body = "<Patient xmlns=\"http://hl7.org/fhir\"><nom/><gender value=\"F\"/><birthDate></Patient>";
    let answer = fhir.post("/Patient").xml(body).send().expect(400);
    assert_eq!(told(&answer).len(), 2, "{answer:?}");
}

fn an_accounts_shape_is_told_beside_faults_of_form(context: &Context) {
    let fhir = shared_fhir(context);
    let body = r#"{"resourceType":"Practitioner","meta":{"source":"urn:oid:1.2.250.1.213.3.6"},
        "identifier":[{}],"name":[{"given":["A"]}],"gender":"F"}"#;
    let post = fhir
        .post("/Practitioner")
        .header("Content-Type", "application/fhir+json");
    let answer = post.body(body).send().expect(400);
    let told = told(&answer);
    let place = |place: &str| told.iter().filter(|(_, told)| told.starts_with(place)).count();
    assert_eq!(told[0].1, "Practitioner.identifier[0]", "{answer:?}");
    assert_eq!(place("Practitioner.identifier[0]"), 1, "{answer:?}");
    for missed in [
        "Practitioner.gender",
        "Practitioner.active",
        "Practitioner.name[0].family",
    ] {
        assert_eq!(place(missed), 1, "{missed}: {answer:?}");
    }
}

fn many_faults_of_both_kinds_stay_within_the_limit(context: &Context) {
    let fhir = shared_fhir(context);
    let names = [r#"{"family":"","use":"main"}"#; 80].join(",");
    let body = format!(r#"{{"resourceType":"Patient","name":[{names}]}}"#);
    let post = fhir
        .post("/Patient")
        .header("Content-Type", "application/fhir+json");
    let answer = post.body(body).send().expect(400);
    let told = told(&answer);
    assert_eq!(told.len(), 100, "{answer:?}");
    assert_eq!(told[79].1, "Patient.name[79].family");
    assert_eq!(
        told[80],
        ("code-invalid".to_owned(), "Patient.name[0].use".to_owned())
    );
    assert_eq!(told[99].0, "informational");
}
