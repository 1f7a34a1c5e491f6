//! References followed: `_include`, `_revinclude`, chains, `_has`.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::tests;

use super::tokens::Corner;
use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    what_matches_refer_to_is_included_once_and_not_counted,
    what_refers_to_matches_is_included,
    what_is_included_is_followed_when_that_is_wanted,
    what_cannot_be_included_is_refused_by_name,
    the_included_follow_each_page,
    chains_ask_the_resource_at_the_other_end,
    has_asks_who_refers_here,
    a_chain_that_leads_nowhere_is_refused_by_name,
    more_than_can_be_included_is_told,
    a_reference_is_followed_with_the_scopes_of_both_ends,
];

/// Two practitioners and three patients; one more refers to somebody who was deleted.
fn clinic(context: &Context) -> Corner {
    furnished(Corner::new(context))
}

fn furnished(corner: Corner) -> Corner {
    let tag = corner.tag.clone();
    let to = |kind: &str, name: &str| json!({ "reference": format!("{kind}/{tag}-{name}") });
    let practitioner = |value: &str, family: &str| {
        json!({
            "resourceType": "Practitioner",
            "identifier": [{ "system": "urn:clinic", "value": format!("{value}-{tag}") }],
            "name": [{ "family": family }],
        })
    };
    corner.put("house", practitioner("1", "House"));
    corner.put("grey", practitioner("2", "Grey"));
    corner.put("gone", practitioner("3", "Gone"));
    corner.put(
        "ann",
        json!({
            "name": [{ "family": "Ann" }], "gender": "female",
            "identifier": [{ "system": "urn:clinic", "value": format!("ann-{tag}") }],
            "generalPractitioner": [to("Practitioner", "house"), to("Practitioner", "grey")],
        }),
    );
    corner.put(
        "bob",
        json!({
            "name": [{ "family": "Bob" }], "birthDate": "1980-01-01",
            "generalPractitioner": [to("Practitioner", "house")],
            "link": [{ "other": to("Patient", "ann"), "type": "seealso" }],
        }),
    );
    corner.put(
        "cid",
        json!({ "name": [{ "family": "Cid" }], "generalPractitioner": [to("Practitioner", "gone")] }),
    );
    corner
        .fhir
        .delete(format!("/Practitioner/{tag}-gone"))
        .send()
        .expect(204);
    corner
}

/// `name:mode` of every entry, sorted.
#[track_caller]
fn entries(corner: &Corner, kind: &str, query: &str) -> String {
    let answer = corner
        .fhir
        .get(format!("/{kind}?_tag={}&{query}", corner.tag))
        .send();
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    shown(corner, &answer.json())
}

fn shown(corner: &Corner, bundle: &Value) -> String {
    let prefix = format!("{}-", corner.tag);
    let mut entries: Vec<String> = bundle["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| {
            let id = entry["resource"]["id"].as_str().unwrap();
            let kind = entry["resource"]["resourceType"].as_str().unwrap();
            assert!(
                entry["fullUrl"]
                    .as_str()
                    .unwrap()
                    .ends_with(&format!("/fhir/{kind}/{id}")),
                "{entry}"
            );
            format!(
                "{}:{}",
                id.strip_prefix(&prefix).unwrap_or(id),
                entry["search"]["mode"].as_str().unwrap()
            )
        })
        .collect();
    entries.sort();
    entries.join(" ")
}

fn what_matches_refer_to_is_included_once_and_not_counted(context: &Context) {
    let corner = clinic(context);
    let everybody = "ann:match bob:match cid:match";
    for (query, included) in [
        (
            "_include=Patient:general-practitioner",
            " grey:include house:include",
        ),
        (
            "_include=Patient:general-practitioner:Practitioner",
            " grey:include house:include",
        ),
        ("_include=*", " grey:include house:include"),
        // A match is no second time among the included.
        ("_include=Patient:link", ""),
    ] {
        assert_eq!(
            entries(&corner, "Patient", query),
            format!("{everybody}{included}"),
            "{query}"
        );
    }
    assert_eq!(
        entries(
            &corner,
            "Patient",
            "family=bob&_include=Patient:link&_include=Patient:general-practitioner"
        ),
        "ann:include bob:match house:include"
    );
    let bundle = corner
        .fhir
        .get(format!("/Patient?_tag={}&_include=*", corner.tag))
        .send()
        .expect(200)
        .json();
    assert_eq!(bundle["total"], 3);
    assert!(link(&bundle, "self").unwrap().contains("_include="));
    let xml = corner
        .fhir
        .get(format!("/Patient?_tag={}&_include=*&_format=xml", corner.tag))
        .send()
        .expect(200);
    assert_eq!(xml.text().matches("<mode value=\"include\"/>").count(), 2);
}

fn what_refers_to_matches_is_included(context: &Context) {
    let corner = clinic(context);
    for query in ["_revinclude=Patient:general-practitioner", "_revinclude=*"] {
        assert_eq!(
            entries(&corner, "Practitioner", &format!("family=house&{query}")),
            "ann:include bob:include house:match",
            "{query}"
        );
    }
    assert_eq!(
        entries(
            &corner,
            "Patient",
            "family=ann&_revinclude=Patient:link&_include=*"
        ),
        "ann:match bob:include grey:include house:include"
    );
    assert_eq!(
        entries(&corner, "Practitioner", "_include=*"),
        "grey:match house:match"
    );
}

fn what_is_included_is_followed_when_that_is_wanted(context: &Context) {
    let corner = clinic(context);
    let of = |query: &str| entries(&corner, "Patient", query);
    assert_eq!(of("family=bob&_include=Patient:link"), "ann:include bob:match");
    // Ann's practitioners come by Ann alone, and Bob's by Bob.
    assert_eq!(
        of("family=bob&_include=Patient:link&_include:iterate=Patient:general-practitioner"),
        "ann:include bob:match grey:include house:include"
    );
    assert_eq!(
        of("family=bob&_include:iterate=*"),
        "ann:include bob:match grey:include house:include"
    );
    // Back and forth, each once: it ends.
    assert_eq!(
        of("family=ann&_revinclude:iterate=*&_include:iterate=*"),
        "ann:match bob:include grey:include house:include"
    );
    assert_eq!(
        entries(
            &corner,
            "Practitioner",
            "family=grey&_revinclude=Patient:general-practitioner&_include:iterate=Patient:general-practitioner"
        ),
        "ann:include grey:match house:include"
    );
    let page = corner.fhir.get(format!(
        "/Patient?_tag={}&_include:iterate=*&_count=1",
        corner.tag
    ));
    let bundle = page.send().expect(200).json();
    assert!(
        link(&bundle, "self").unwrap().contains("_include:iterate="),
        "{bundle}"
    );
    assert!(
        link(&bundle, "next").unwrap().contains("_include:iterate="),
        "{bundle}"
    );
}

fn what_cannot_be_included_is_refused_by_name(context: &Context) {
    let fhir = shared_fhir(context);
    for query in [
        "_include=Patient:organization",
        "_include=Practitioner:name",
        "_include=nonsense",
        "_include:recurse=Patient:link",
        "_include:iterate=Practitioner:name",
        "_revinclude=Patient:general-practitioner",
        "_revinclude:iterate=Patient:organization",
        "_summary=text&_include=*",
    ] {
        let answer = fhir.get(format!("/Patient?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        let issue = &answer.issues()[0];
        assert!(issue.text.contains("include"), "{query}: {issue:?}");
    }
}

fn the_included_follow_each_page(context: &Context) {
    let corner = clinic(context);
    let target = format!("/Patient?_tag={}&_sort=family&_include=*&_count=1", corner.tag);
    let mut bundle = corner.fhir.get(target).send().expect(200).json();
    let mut pages = vec![shown(&corner, &bundle)];
    while let Some(next) = link(&bundle, "next") {
        bundle = corner.fhir.get(next).send().expect(200).json();
        pages.push(shown(&corner, &bundle));
    }
    assert_eq!(
        pages,
        [
            "ann:match grey:include house:include",
            "ann:include bob:match house:include",
            "cid:match"
        ]
    );
    let counted = corner
        .fhir
        .get(format!("/Patient?_tag={}&_include=*&_count=0", corner.tag))
        .send()
        .expect(200)
        .json();
    assert_eq!((&counted["total"], counted.get("entry")), (&json!(3), None));
}

fn chains_ask_the_resource_at_the_other_end(context: &Context) {
    let corner = clinic(context);
    let tag = &corner.tag;
    for (query, expected) in [
        (
            format!("general-practitioner.identifier=urn:clinic|1-{tag}"),
            "ann bob",
        ),
        (format!("general-practitioner.identifier=2-{tag}"), "ann"),
        ("general-practitioner:Practitioner.name=gre".to_owned(), "ann"),
        ("general-practitioner.name:exact=House".to_owned(), "ann bob"),
        (
            "general-practitioner:Practitioner.name:contains=ous".to_owned(),
            "ann bob",
        ),
        (format!("general-practitioner._id={tag}-grey"), "ann"),
        (
            "general-practitioner.family=house&gender=female".to_owned(),
            "ann",
        ),
        ("general-practitioner.gender:missing=true".to_owned(), "ann bob"),
        ("general-practitioner.family=gone".to_owned(), ""),
        ("general-practitioner.family=nobody".to_owned(), ""),
        ("link.family=ann".to_owned(), "bob"),
        ("link:Patient.gender=female".to_owned(), "bob"),
        ("link.gender=male".to_owned(), ""),
        ("link.general-practitioner.family=grey".to_owned(), "bob"),
        ("link.general-practitioner.family=gone".to_owned(), ""),
        (
            "link:Patient.link.general-practitioner.family=house".to_owned(),
            "",
        ),
        (
            "general-practitioner._has:Patient:general-practitioner:family=bob".to_owned(),
            "ann bob",
        ),
        (
            "_has:Patient:link:general-practitioner.family=house".to_owned(),
            "ann",
        ),
        (
            "general-practitioner.family=house&general-practitioner.family=grey".to_owned(),
            "ann",
        ),
    ] {
        assert_eq!(corner.find(&query), expected, "{query}");
    }
    // A change at the other end is seen at once.
    corner
        .fhir
        .delete(format!("/Practitioner/{tag}-house"))
        .send()
        .expect(204);
    assert_eq!(corner.find("general-practitioner.family=house"), "");
}

fn has_asks_who_refers_here(context: &Context) {
    let corner = clinic(context);
    let tag = &corner.tag;
    let of = |query: &str| corner.find_kind("Practitioner", query);
    assert_eq!(
        of(&format!(
            "_has:Patient:general-practitioner:identifier=urn:clinic|ann-{tag}"
        )),
        "grey house"
    );
    assert_eq!(of("_has:Patient:general-practitioner:family=bob"), "house");
    assert_eq!(
        of("_has:Patient:general-practitioner:birthdate=1980&family=house"),
        "house"
    );
    assert_eq!(of("_has:Patient:general-practitioner:family:exact=bob"), "");
    assert_eq!(
        of(&format!("_has:Patient:general-practitioner:_id={tag}-cid")),
        ""
    );
    assert_eq!(corner.find("_has:Patient:link:family=bob"), "ann");
    assert_eq!(corner.find("_has:Patient:link:family=ann"), "");
    let own = corner
        .fhir
        .get(format!(
            "/Practitioner?_has:Patient:general-practitioner:family=bob&_tag={tag}"
        ))
        .send()
        .expect(200)
        .json();
    let own = link(&own, "self").unwrap();
    assert!(
        own.contains("_has:Patient:general-practitioner:family=bob"),
        "{own}"
    );
}

fn a_chain_that_leads_nowhere_is_refused_by_name(context: &Context) {
    let fhir = shared_fhir(context);
    for query in [
        "organization.name=x",
        "link:RelatedPerson.name=x",
        "link.link.link.link.family=x",
        "link.link.nonsense=x",
        "link.nonsense=x",
        "link.birthdate=x",
        "_has:Patient:general-practitioner:family=x",
        "_has:Observation:patient:code=x",
        "_has:Patient:link:nonsense=x",
        "_has=x",
    ] {
        let answer = fhir.get(format!("/Patient?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        let named = query.split('=').next().unwrap();
        assert!(answer.issues()[0].text.contains(named), "{query}: {answer:?}");
    }
    // What a conditional interaction matches must not depend on other resources.
    for query in ["link.family=x", "_has:Patient:link:family=x"] {
        let answer = fhir
            .put(format!("/Patient?{query}"))
            .json(&json!({ "resourceType": "Patient" }))
            .send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.issues()[0].text.contains("conditional"), "{answer:?}");
    }
}

fn more_than_can_be_included_is_told(context: &Context) {
    const MOST: usize = 1000;
    // So many would be in the way of others.
    let (_server, fhir) = context.fhir();
    let tag = unique();
    let corner = furnished(Corner { fhir, tag });
    let house = format!("Practitioner/{}-house", corner.tag);
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (corner, house) = (&corner, &house);
            scope.spawn(move || {
                for number in 0..MOST / 4 {
                    let body = json!({ "generalPractitioner": [{ "reference": house }] });
                    corner.put(&format!("n{part}x{number}"), body);
                }
            });
        }
    });
    // From grey, the patients come by ann and house.
    for query in [
        format!("_id={}-house&_revinclude=*", corner.tag),
        format!("_id={}-grey&_revinclude:iterate=*&_include:iterate=*", corner.tag),
    ] {
        let answer = corner.fhir.get(format!("/Practitioner?{query}")).send();
        let bundle = answer.expect(200).json();
        let entries = bundle["entry"].as_array().unwrap();
        let of_mode = |mode: &str| {
            entries
                .iter()
                .filter(|entry| entry["search"]["mode"] == mode)
                .count()
        };
        assert_eq!(
            (of_mode("match"), of_mode("include"), of_mode("outcome")),
            (1, MOST, 1),
            "{query}"
        );
        assert_eq!(
            entries.last().unwrap()["resource"]["issue"][0]["severity"],
            "warning"
        );
    }
}

fn a_reference_is_followed_with_the_scopes_of_both_ends(context: &Context) {
    let (server, _) = context.fhir();
    let arguments = ["client", "add", "half", "--door", "fhir", "--space", "demo"];
    let scope = ["--scope", "system/Patient.rs"];
    succeeds(context, &server, &[&arguments[..], &scope[..]].concat());
    let key = issue_key(context, &server, "half");
    let half = fhir_with_key(&server, &key);
    for query in [
        "/Patient?general-practitioner.family=x",
        "/Patient?link.general-practitioner.family=x",
        "/Patient?_has:Patient:link:general-practitioner.family=x",
        "/Patient?_include=*",
        "/Patient?_include=Patient:general-practitioner",
        "/Patient?_include:iterate=Patient:general-practitioner",
        "/?_type=Patient,Practitioner",
        "/",
    ] {
        let answer = half.get(query).send();
        assert_eq!(answer.status, 403, "{query}: {answer:?}");
        assert!(
            answer.issues()[0].text.contains("system/Practitioner.s"),
            "{answer:?}"
        );
    }
    // Nor as the entry of a Bundle.
    for query in [
        "Patient?general-practitioner.family=x",
        "Patient?_include=Patient:general-practitioner",
    ] {
        let entry = json!({ "request": { "method": "GET", "url": query } });
        let bundle = |kind: &str| json!({ "resourceType": "Bundle", "type": kind, "entry": [entry] });
        let answer = half.post("/").json(&bundle("batch")).send().expect(200);
        assert_eq!(
            answer.json()["entry"][0]["response"]["status"],
            "403 Forbidden",
            "{query}"
        );
        half.post("/").json(&bundle("transaction")).send().expect(403);
    }
    for query in [
        "/Patient?link.family=x",
        "/Patient?_has:Patient:link:family=x",
        "/Patient?_include=Patient:link&_revinclude=Patient:link",
        "/?_type=Patient",
    ] {
        half.get(query).send().expect(200);
    }
}
