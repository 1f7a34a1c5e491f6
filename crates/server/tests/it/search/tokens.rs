//! Token, reference and URI parameters.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, percent_encode};
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    p44_an_identifier_is_found_in_all_four_forms,
    p42_a_pipe_may_be_raw_or_encoded,
    p43_separators_inside_values_are_escaped,
    an_identifier_without_a_system_is_told_apart,
    p45_of_type_looks_at_the_type_and_nothing_else,
    text_looks_at_what_is_written_for_people,
    not_means_no_value_at_all_passes,
    missing_means_no_value,
    booleans_and_codes_are_tokens,
    contact_points_are_found_however_they_are_written,
    tags_security_profiles_and_sources_are_found,
    references_are_found_by_id_type_url_and_identifier,
    ids_are_tokens_without_system,
    commas_are_or_and_repetition_is_and,
    unsupported_modifiers_and_bad_values_are_refused,
];

/// A corner of the shared database that one test has for itself: everything in it carries one tag.
pub struct Corner {
    /// The client.
    pub fhir: Client,
    /// The tag's code.
    pub tag: String,
}

impl Corner {
    /// A new one.
    pub fn new(context: &Context) -> Corner {
        Corner {
            fhir: shared_fhir(context),
            tag: unique(),
        }
    }

    /// Stores a resource under an id of its own; `name` is how the test calls it.
    #[track_caller]
    pub fn put(&self, name: &str, mut body: Value) {
        let kind = body["resourceType"].as_str().unwrap_or("Patient").to_owned();
        body["resourceType"] = json!(kind);
        let id = format!("{}-{name}", self.tag);
        body["id"] = json!(id);
        let tag = json!({ "system": "urn:corner", "code": self.tag });
        match body["meta"]["tag"].as_array_mut() {
            Some(tags) => tags.push(tag),
            None => body["meta"]["tag"] = json!([tag]),
        }
        self.fhir
            .put(format!("/{kind}/{id}"))
            .json(&body)
            .send()
            .expect(201);
    }

    /// The names of what a search finds, sorted and joined.
    #[track_caller]
    pub fn find(&self, query: &str) -> String {
        self.find_kind("Patient", query)
    }

    /// The same for a type.
    #[track_caller]
    pub fn find_kind(&self, kind: &str, query: &str) -> String {
        let answer = self
            .fhir
            .get(format!(
                "/{kind}?_tag=urn:corner|{}&_count=1000&{query}",
                self.tag
            ))
            .send();
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let bundle = answer.json();
        let found = ids(&bundle);
        assert_eq!(bundle["total"].as_u64(), Some(found.len() as u64), "{query}");
        let strip = |id: &String| {
            id.strip_prefix(&format!("{}-", self.tag))
                .unwrap_or(id)
                .to_owned()
        };
        let mut names: Vec<String> = found.iter().map(strip).collect();
        names.sort();
        names.join(" ")
    }

    /// The status of a search.
    pub fn status(&self, query: &str) -> u16 {
        self.fhir.get(format!("/Patient?{query}")).send().status
    }
}

fn identified(identifiers: Value) -> Value {
    json!({ "identifier": identifiers })
}

fn p44_an_identifier_is_found_in_all_four_forms(context: &Context) {
    let corner = Corner::new(context);
    corner.put("a", identified(json!([{ "system": "urn:s1", "value": "v1" }])));
    corner.put("b", identified(json!([{ "system": "urn:s2", "value": "v1" }])));
    corner.put("c", identified(json!([{ "value": "v1" }])));
    corner.put("d", identified(json!([{ "system": "urn:s1" }])));
    corner.put(
        "e",
        identified(json!([{ "system": "urn:s1", "value": "v2" }, { "system": "urn:s2", "value": "v3" }])),
    );
    for (query, expected) in [
        ("identifier=v1", "a b c"),
        ("identifier=urn:s1|v1", "a"),
        ("identifier=|v1", "c"),
        ("identifier=urn:s1|", "a d e"),
        ("identifier=urn:s1|v3", ""),
        ("identifier=V1", ""),
        ("identifier=v", ""),
        ("identifier=urn:s", ""),
        ("identifier=urn:s1|v1,urn:s2|v1", "a b"),
        ("identifier=urn:s1|v2&identifier=urn:s2|v3", "e"),
    ] {
        assert_eq!(corner.find(query), expected, "{query}");
    }
    for malformed in [
        "identifier=|",
        "identifier=a|b|c",
        "identifier=",
        "identifier",
        "identifier=a,,b",
        "identifier=,",
    ] {
        assert_eq!(corner.status(malformed), 400, "{malformed}");
    }
}

fn p42_a_pipe_may_be_raw_or_encoded(context: &Context) {
    let corner = Corner::new(context);
    corner.put(
        "a",
        identified(json!([{ "system": "urn:oid:1.2", "value": "3456780581/11242343" }])),
    );
    for query in [
        "identifier=urn:oid:1.2|3456780581/11242343",
        "identifier=urn:oid:1.2%7C3456780581/11242343",
        "identifier=urn%3Aoid%3A1.2%7c3456780581%2F11242343",
        "identifier=urn:oid:1.2|3456780581%2f11242343",
    ] {
        assert_eq!(corner.find(query), "a", "{query}");
        let form = format!("_tag=urn:corner|{}&{query}", corner.tag);
        let posted = corner
            .fhir
            .post("/Patient/_search")
            .form(&form)
            .send()
            .expect(200)
            .json();
        assert_eq!(ids(&posted).len(), 1, "{query}");
    }
}

fn p43_separators_inside_values_are_escaped(context: &Context) {
    let corner = Corner::new(context);
    let nasty = [
        "a,b", "a|b", "a\\b", "a$b", "a/b", "a\\,b", "a\\\\|b", ",", "\\", "a&b=c", "a+b", "a b", "é%41",
        "a\"b'c", "*",
    ];
    for (number, text) in nasty.iter().enumerate() {
        corner.put(
            &format!("v{number}"),
            identified(json!([{ "system": "urn:s", "value": text }])),
        );
        corner.put(
            &format!("s{number}"),
            identified(json!([{ "system": format!("urn:{}", text.replace(' ', "_")), "value": "x" }])),
        );
    }
    let escape = |text: &str| {
        let mut escaped = String::new();
        for character in text.chars() {
            if ['\\', ',', '|', '$'].contains(&character) {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        percent_encode(&escaped)
    };
    for (number, text) in nasty.iter().enumerate() {
        assert_eq!(
            corner.find(&format!("identifier={}", escape(text))),
            format!("v{number}"),
            "{text:?}"
        );
        assert_eq!(
            corner.find(&format!("identifier=urn:s|{}", escape(text))),
            format!("v{number}"),
            "{text:?}"
        );
        let system = format!("urn:{}", text.replace(' ', "_"));
        assert_eq!(
            corner.find(&format!("identifier={}|x", escape(&system))),
            format!("s{number}"),
            "{system:?}"
        );
        // A conditional write means the same by it.
        let body = identified(json!([{ "system": "urn:s", "value": text }]));
        let body = with(
            with(body, "resourceType", json!("Patient")),
            "active",
            json!(true),
        );
        let target = format!(
            "/Patient?_tag=urn:corner|{}&identifier=urn:s|{}",
            corner.tag,
            escape(text)
        );
        let body = with(
            body,
            "meta",
            json!({ "tag": [{ "system": "urn:corner", "code": corner.tag }] }),
        );
        let updated = corner.fhir.put(target).json(&body).send();
        assert_eq!(updated.status, 200, "{text:?}: {updated:?}");
    }
    assert_eq!(corner.find("identifier=a,b"), "");
}

fn an_identifier_without_a_system_is_told_apart(context: &Context) {
    let corner = Corner::new(context);
    corner.put("with", identified(json!([{ "system": "urn:s", "value": "v" }])));
    corner.put("without", identified(json!([{ "value": "v" }])));
    corner.put(
        "both",
        identified(json!([{ "system": "urn:s", "value": "w" }, { "value": "v" }])),
    );
    assert_eq!(corner.find("identifier=|v"), "both without");
    assert_eq!(corner.find("identifier=urn:s|v"), "with");
    assert_eq!(corner.find("identifier=v"), "both with without");
}

fn p45_of_type_looks_at_the_type_and_nothing_else(context: &Context) {
    let corner = Corner::new(context);
    let typed = |system: &str, code: &str, value: &str| {
        identified(
            json!([{ "type": { "coding": [{ "system": system, "code": code }] }, "system": "urn:other", "value": value }]),
        )
    };
    corner.put("mr", typed("http://t", "MR", "1"));
    corner.put("ss", typed("http://t", "SS", "1"));
    corner.put("mr2", typed("http://t", "MR", "2"));
    corner.put(
        "plain",
        identified(json!([{ "system": "http://t", "value": "1" }])),
    );
    assert_eq!(corner.find("identifier:of-type=http://t|MR|1"), "mr");
    assert_eq!(
        corner.find("identifier:of-type=http://t|MR|1,http://t|SS|1"),
        "mr ss"
    );
    assert_eq!(corner.find("identifier:of-type=urn:other|MR|1"), "");
    for malformed in [
        "identifier:of-type=http://t|1",
        "identifier:of-type=1",
        "identifier:of-type=|MR|1",
        "identifier:of-type=http://t||1",
        "identifier:of-type=http://t|MR|",
    ] {
        assert_eq!(corner.status(malformed), 400, "{malformed}");
    }
    assert_eq!(corner.status("gender:of-type=a|b|c"), 400);
}

fn not_means_no_value_at_all_passes(context: &Context) {
    let corner = Corner::new(context);
    corner.put("f", json!({ "gender": "female" }));
    corner.put("m", json!({ "gender": "male" }));
    corner.put("none", json!({ "active": true }));
    assert_eq!(corner.find("gender:not=male"), "f none");
    assert_eq!(corner.find("gender:not=male,female"), "none");
    assert_eq!(corner.find("gender:not=male&gender:not=female"), "none");
    corner.put(
        "two",
        identified(json!([{ "system": "urn:s", "value": "1" }, { "system": "urn:s", "value": "2" }])),
    );
    assert_eq!(corner.find("identifier:not=urn:s|1"), "f m none");
}

fn missing_means_no_value(context: &Context) {
    let corner = Corner::new(context);
    corner.put("all", json!({
        "gender": "male", "active": false, "birthDate": "1980", "name": [{ "family": "A", "given": ["B"] }],
        "identifier": [{ "value": "1" }], "telecom": [{ "system": "email", "value": "a@b.example" }],
        "generalPractitioner": [{ "reference": "Practitioner/1" }], "address": [{ "city": "Paris" }]
    }));
    corner.put("bare", json!({}));
    for name in [
        "gender",
        "active",
        "birthdate",
        "family",
        "given",
        "name",
        "identifier",
        "telecom",
        "email",
        "general-practitioner",
        "address",
        "address-city",
    ] {
        assert_eq!(corner.find(&format!("{name}:missing=true")), "bare", "{name}");
        assert_eq!(corner.find(&format!("{name}:missing=false")), "all", "{name}");
        assert_eq!(corner.status(&format!("{name}:missing=yes")), 400, "{name}");
    }
    assert_eq!(corner.find("phone:missing=true"), "all bare");
}

fn booleans_and_codes_are_tokens(context: &Context) {
    let corner = Corner::new(context);
    corner.put(
        "on",
        json!({ "active": true, "gender": "other", "deceasedBoolean": false }),
    );
    corner.put(
        "off",
        json!({ "active": false, "gender": "unknown", "deceasedDateTime": "2020-01-01" }),
    );
    corner.put("unsaid", json!({ "communication": [{ "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "fr" }] } }] }));
    for (query, expected) in [
        ("active=true", "on"),
        ("active=false", "off"),
        ("active=true,false", "off on"),
        ("active:not=true", "off unsaid"),
        ("gender=other", "on"),
        ("gender=http://hl7.org/fhir/administrative-gender|other", "on"),
        ("gender=urn:wrong|other", ""),
        ("deceased=true", "off"),
        ("deceased=false", "on unsaid"),
        ("language=fr", "unsaid"),
        ("language=urn:ietf:bcp:47|fr", "unsaid"),
        ("death-date=2020", "off"),
    ] {
        assert_eq!(corner.find(query), expected, "{query}");
    }
    for bad in ["active=yes", "active=1", "active=TRUE", "deceased=2020"] {
        assert_eq!(corner.status(bad), 400, "{bad}");
    }
    corner.put("dr", json!({ "resourceType": "Practitioner", "active": true, "communication": [{ "coding": [{ "code": "fr" }] }] }));
    assert_eq!(
        corner.find_kind("Practitioner", "communication=fr&active=true"),
        "dr"
    );
}

fn contact_points_are_found_however_they_are_written(context: &Context) {
    let corner = Corner::new(context);
    corner.put(
        "phone",
        json!({ "telecom": [{ "system": "phone", "value": "+33 1 23 45 67 89" }] }),
    );
    corner.put(
        "mail",
        json!({ "telecom": [{ "system": "email", "value": "Jean.Dupont@Example.org" }] }),
    );
    corner.put(
        "fax",
        json!({ "telecom": [{ "system": "fax", "value": "0102030405" }] }),
    );
    corner.put(
        "any",
        json!({ "telecom": [{ "value": "pigeon" , "system": "other" }] }),
    );
    for (query, expected) in [
        ("email=jean.dupont@example.org", "mail"),
        ("telecom=JEAN.DUPONT@EXAMPLE.ORG", "mail"),
        ("phone=jean.dupont@example.org", ""),
        ("phone=%2B33123456789", "phone"),
        ("phone=+33123456789", "phone"),
        ("telecom=%2B33%201%2023%2045%2067%2089", "phone"),
        ("phone=0102030405", ""),
        ("telecom=0102030405", "fax"),
        ("telecom=pigeon", "any"),
        ("email=jean", ""),
    ] {
        assert_eq!(corner.find(query), expected, "{query}");
    }
    assert_eq!(corner.status("telecom=phone|0102030405"), 400);
}

fn tags_security_profiles_and_sources_are_found(context: &Context) {
    let corner = Corner::new(context);
    corner.put(
        "a",
        json!({ "meta": {
        "tag": [{ "system": "urn:t", "code": "x" }], "security": [{ "system": "urn:s", "code": "R" }],
        "profile": ["http://p.example/one|1.0"], "source": "urn:source:one"
    } }),
    );
    corner.put(
        "b",
        json!({ "meta": { "profile": ["http://p.example/one"], "source": "urn:source:two" } }),
    );
    for (query, expected) in [
        ("_tag=x", "a"),
        ("_tag=urn:t|x", "a"),
        ("_tag=urn:t|y", ""),
        ("_security=urn:s|R", "a"),
        ("_source=urn:source:one", "a"),
        ("_source=urn:source", ""),
        ("_profile=http://p.example/one|1.0", "a"),
        // Without a version every version is found, and what names none.
        ("_profile=http://p.example/one", "a b"),
        ("_profile=http://p.example/one|2.0", ""),
        ("_profile=http://p.example/two", ""),
        ("_profile:missing=true", ""),
    ] {
        assert_eq!(corner.find(query), expected, "{query}");
    }
}

fn references_are_found_by_id_type_url_and_identifier(context: &Context) {
    let corner = Corner::new(context);
    let own = unique();
    corner.put(
        "relative",
        json!({ "generalPractitioner": [{ "reference": format!("Practitioner/{own}") }] }),
    );
    corner.put(
        "versioned",
        json!({ "generalPractitioner": [{ "reference": format!("Practitioner/{own}/_history/2") }] }),
    );
    corner.put(
        "role",
        json!({ "generalPractitioner": [{ "reference": format!("PractitionerRole/{own}") }] }),
    );
    corner.put("absolute", json!({ "generalPractitioner": [{ "reference": format!("http://other.example/fhir/Practitioner/{own}") }] }));
    corner.put(
        "logical",
        json!({ "generalPractitioner": [{ "identifier": { "system": "urn:s", "value": own } }] }),
    );
    corner.put(
        "org",
        json!({ "managingOrganization": { "reference": format!("Organization/{own}") } }),
    );
    corner.put(
        "link",
        json!({ "link": [{ "other": { "reference": format!("Patient/{own}") }, "type": "seealso" }] }),
    );
    for (query, expected) in [
        (
            format!("general-practitioner=Practitioner/{own}"),
            "relative versioned",
        ),
        (format!("general-practitioner={own}"), "relative role versioned"),
        (
            format!("general-practitioner:Practitioner={own}"),
            "relative versioned",
        ),
        (
            format!("general-practitioner=http://other.example/fhir/Practitioner/{own}"),
            "absolute",
        ),
        (format!("general-practitioner:identifier=urn:s|{own}"), "logical"),
        (format!("general-practitioner:identifier={own}"), "logical"),
        (format!("organization=Organization/{own}"), "org"),
        (format!("organization={own}"), "org"),
        (format!("link=Patient/{own}"), "link"),
        ("general-practitioner=Practitioner/nobody".to_owned(), ""),
    ] {
        assert_eq!(corner.find(&query), expected, "{query}");
    }
}

fn ids_are_tokens_without_system(context: &Context) {
    let corner = Corner::new(context);
    corner.put("a", json!({}));
    corner.put("b", json!({}));
    let tag = &corner.tag;
    assert_eq!(corner.find(&format!("_id={tag}-a")), "a");
    assert_eq!(corner.find(&format!("_id={tag}-a,{tag}-b,nobody")), "a b");
    assert_eq!(corner.find(&format!("_id={tag}-a&_id={tag}-b")), "");
    assert_eq!(corner.find(&format!("_id={}-A", tag)), "");
    assert_eq!(corner.find_kind("Practitioner", &format!("_id={tag}-a")), "");
    for bad in ["_id=", "_id=a_b", "_id=urn:s|a", "_id:not=a", "_id:missing=true"] {
        assert_eq!(corner.status(bad), 400, "{bad}");
    }
}

fn commas_are_or_and_repetition_is_and(context: &Context) {
    let corner = Corner::new(context);
    corner.put(
        "ab",
        json!({ "name": [{ "given": ["Anna", "Berthe"] }], "gender": "female" }),
    );
    corner.put("a", json!({ "name": [{ "given": ["Anna"] }], "gender": "male" }));
    corner.put("b", json!({ "name": [{ "given": ["Berthe"] }] }));
    assert_eq!(corner.find("given=anna,berthe"), "a ab b");
    assert_eq!(corner.find("given=anna&given=berthe"), "ab");
    assert_eq!(corner.find("given=anna,berthe&gender=male,female"), "a ab");
    assert_eq!(
        corner.find("given=anna&gender:missing=false&gender:not=male"),
        "ab"
    );
}

fn text_looks_at_what_is_written_for_people(context: &Context) {
    let corner = Corner::new(context);
    let french = json!({ "coding": [{ "code": "fr", "display": "Français (France)" }] });
    corner.put("display", json!({ "communication": [{ "language": french }] }));
    corner.put(
        "text",
        json!({ "communication": [{ "language": { "text": "français d'Acadie" } }] }),
    );
    corner.put(
        "typed",
        json!({ "identifier": [{ "value": "1", "type": { "text": "Carte Vitale" } }] }),
    );
    corner.put(
        "referring",
        json!({
            "generalPractitioner": [{ "display": "Dr Éva House" }], "managingOrganization": { "display": "Clinique" },
            "link": [{ "type": "seealso", "other": { "display": "Sa jumelle" } }]
        }),
    );
    for (query, expected) in [
        ("language:text=francais", "display text"),
        ("language:text=fran%C3%A7ais d", "text"),
        ("language:text=acadie", ""),
        ("language:text=acadie,francais%20(", "display"),
        ("language=francais", ""),
        ("identifier:text=carte", "typed"),
        ("identifier:text=1", ""),
        ("general-practitioner:text=dr eva", "referring"),
        ("organization:text=clin", "referring"),
        ("link:text=sa jumelle", "referring"),
        ("link:text=jumelle", ""),
    ] {
        let query = query.replace(' ', "%20");
        assert_eq!(corner.find(&query), expected, "{query}");
    }
    let speaks = json!({ "resourceType": "Practitioner", "communication": [french] });
    corner.put("doctor", speaks);
    assert_eq!(
        corner.find_kind("Practitioner", "communication:text=fran"),
        "doctor"
    );
    for query in ["gender:text=x", "active:text=true", "family:text=x"] {
        corner.fhir.get(format!("/Patient?{query}")).send().expect(400);
    }
}

fn unsupported_modifiers_and_bad_values_are_refused(context: &Context) {
    let corner = Corner::new(context);
    for (query, name) in [
        ("identifier:exact=x", "identifier:exact"),
        ("gender:contains=x", "gender:contains"),
        ("gender:in=http://vs", "gender:in"),
        ("family:not=x", "family:not"),
        ("family:of-type=x", "family:of-type"),
        ("birthdate:exact=1980", "birthdate:exact"),
        ("active:=true", "active:"),
        ("_lastUpdated:missing=true", "_lastUpdated:missing"),
        ("_count=-1", "_count"),
        ("_count=ten", "_count"),
        ("_count=5&_count=6", "_count"),
        ("_summary=maybe", "_summary"),
        ("_total=some", "_total"),
        ("family=", "family"),
        ("general-practitioner.nom=x", "general-practitioner.nom"),
    ] {
        let answer = corner.fhir.get(format!("/Patient?{query}")).send();
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        let issue = &answer.issues()[0];
        assert!(
            issue.text.contains(name) || issue.diagnostics.contains(name),
            "{query}: {issue:?}"
        );
    }
}
