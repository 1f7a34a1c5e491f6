//! What the server publishes of itself: `profiles/`, read and searched under `/fhir`.

use std::fs;
use std::path::Path;

use fhir::codec::{Format, decode_tree};
use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::percent_encode;
use testkit::tests;

use crate::support::*;

/// All tests of this file.
pub const TESTS: &[Test] = tests![
    every_published_resource_is_read_by_its_id,
    every_published_resource_is_found_by_its_url,
    a_search_without_a_parameter_finds_the_whole_type,
    a_search_by_name_or_id_finds_what_is_meant,
    a_posted_search_finds_the_same,
    everything_published_is_told_in_xml_as_well,
    what_is_known_by_its_tag_is_not_sent_again,
    head_of_what_is_published_is_get_without_the_body,
    another_naming_base_stands_in_what_is_published,
    nobody_writes_what_is_published,
    a_parameter_that_is_not_known_is_refused_by_name_when_that_is_wanted,
    a_modifier_or_an_empty_value_is_refused_by_name,
    what_is_not_published_is_not_found,
    without_a_credential_nothing_is_told,
    no_scope_is_needed_but_the_door_is,
    the_capability_statement_lists_what_is_published,
];

const BASE: &str = "https://fhir-facade.example/ns";
/// The types that have files.
const KINDS: [&str; 6] = [
    "StructureDefinition",
    "NamingSystem",
    "ConceptMap",
    "CodeSystem",
    "ValueSet",
    "OperationDefinition",
];

/// The files of `profiles/`.
fn files() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    let mut files = Vec::new();
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.is_dir() {
            for file in fs::read_dir(folder).unwrap() {
                files.push(serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap());
            }
        }
    }
    files
}

fn text<'v>(resource: &'v Value, property: &str) -> &'v str {
    resource[property].as_str().unwrap()
}

/// The path of a published resource below `/fhir`.
fn path(resource: &Value) -> String {
    format!("/{}/{}", text(resource, "resourceType"), text(resource, "id"))
}

/// What a published resource is known by in the world.
fn url(resource: &Value) -> &str {
    let unique = || resource["uniqueId"][0]["value"].as_str().unwrap();
    resource["url"].as_str().unwrap_or_else(unique)
}

fn every_published_resource_is_read_by_its_id(context: &Context) {
    let fhir = shared_fhir(context);
    let files = files();
    assert!(files.len() > 40, "{} files", files.len());
    for file in files {
        let answer = fhir.get(path(&file)).send().expect(200);
        assert_eq!(answer.json(), file);
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/fhir+json; charset=utf-8")
        );
        let tag = answer.header("ETag").unwrap();
        assert!(tag.starts_with("W/\"") && tag.len() > 8, "{tag}");
    }
}

fn every_published_resource_is_found_by_its_url(context: &Context) {
    let server = shared(context);
    let fhir = server.client("fhir");
    for file in files() {
        let kind = text(&file, "resourceType");
        let query = format!("/{kind}?url={}", percent_encode(url(&file)));
        let bundle = fhir.get(query).send().expect(200).json();
        assert_eq!(bundle["type"], "searchset");
        assert_eq!(bundle["total"], 1, "{bundle}");
        assert_eq!(bundle["entry"][0]["resource"], file);
        assert_eq!(
            bundle["entry"][0]["fullUrl"],
            format!("{}/fhir{}", server.base(), path(&file))
        );
        assert_eq!(ids(&bundle), [text(&file, "id")]);
        // The link leads to the same answer.
        let own = link(&bundle, "self").unwrap();
        assert_eq!(fhir.get(path_of(&own)).send().expect(200).json(), bundle);
    }
}

fn a_search_without_a_parameter_finds_the_whole_type(context: &Context) {
    let fhir = shared_fhir(context);
    let files = files();
    for kind in KINDS {
        let bundle = fhir.get(format!("/{kind}")).send().expect(200).json();
        let mut found = ids(&bundle);
        found.sort();
        let of_kind = files.iter().filter(|file| file["resourceType"] == kind);
        let mut wanted: Vec<String> = of_kind.map(|file| text(file, "id").to_owned()).collect();
        wanted.sort();
        assert_eq!(found, wanted);
        assert_eq!(bundle["total"], found.len());
    }
}

fn a_search_by_name_or_id_finds_what_is_meant(context: &Context) {
    let fhir = shared_fhir(context);
    for (query, wanted) in [
        (
            "/CodeSystem?name=ehealth",
            &["ehealth-gender", "ehealth-status"][..],
        ),
        ("/CodeSystem?name=ehealth&_id=ehealth-status", &["ehealth-status"]),
        (
            "/CodeSystem?_id=adapter,ehealth-status",
            &["adapter", "ehealth-status"],
        ),
        ("/CodeSystem?_id=Adapter", &[]),
        ("/ValueSet?url=urn:of-somebody-else", &[]),
        (
            "/NamingSystem?value=https://fhir-facade.example/ns/ehealth/preperson-id",
            &["ehealth-preperson-id"],
        ),
    ] {
        let bundle = fhir.get(query).send().expect(200).json();
        assert_eq!(ids(&bundle), wanted, "{query}");
        // FHIR knows no empty list.
        assert_eq!(bundle.get("entry").is_some(), !wanted.is_empty(), "{query}");
    }
}

fn a_posted_search_finds_the_same(context: &Context) {
    let fhir = shared_fhir(context);
    let posted = fhir
        .post("/ConceptMap/_search")
        .form("name=Ehealth")
        .send()
        .expect(200)
        .json();
    let plain = fhir.get("/ConceptMap?name=Ehealth").send().expect(200).json();
    assert_eq!(posted, plain);
    assert_eq!(ids(&posted), ["ehealth-gender", "ehealth-status"]);
    let both = fhir
        .post("/ConceptMap/_search?name=Ehealth")
        .form("_id=ehealth-status&_format=xml")
        .send()
        .expect(200);
    assert!(xml_root(&both).starts_with("<Bundle"), "{both:?}");
    assert!(both.text().contains("<total value=\"1\"/>"), "{both:?}");
    refused(
        fhir.post("/ConceptMap/_search").json(&json!({})).send(),
        415,
        "not-supported",
    );
}

fn everything_published_is_told_in_xml_as_well(context: &Context) {
    let fhir = shared_fhir(context);
    for file in files() {
        let kind = text(&file, "resourceType");
        let answer = fhir
            .get(path(&file))
            .header("Accept", "application/fhir+xml")
            .send()
            .expect(200);
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/fhir+xml; charset=utf-8")
        );
        let read = decode_tree(&answer.body, Format::Xml, kind)
            .unwrap_or_else(|issues| panic!("{}: {issues:?}", path(&file)));
        assert_eq!(Value::Object(read), file);
    }
    for kind in KINDS {
        let answer = fhir
            .get(format!("/{kind}?_format=xml&_pretty=true"))
            .send()
            .expect(200);
        let bundle = decode_tree(&answer.body, Format::Xml, "Bundle").unwrap();
        let json = fhir.get(format!("/{kind}")).send().expect(200).json();
        assert_eq!(bundle["entry"], json["entry"]);
        assert!(
            answer.text().contains("\n  <type value=\"searchset\"/>"),
            "{answer:?}"
        );
    }
    refused(
        fhir.get("/ValueSet/adapter?_format=text/turtle").send(),
        406,
        "not-supported",
    );
    let pretty = fhir.get("/ValueSet/adapter?_pretty=true").send().expect(200);
    assert!(
        pretty.text().starts_with("{\n  \"resourceType\": \"ValueSet\""),
        "{pretty:?}"
    );
}

fn what_is_known_by_its_tag_is_not_sent_again(context: &Context) {
    let fhir = shared_fhir(context);
    let first = fhir.get("/ValueSet/adapter").send().expect(200);
    let tag = first.header("ETag").unwrap();
    let strong = tag.trim_start_matches("W/");
    for known in [tag, strong, "*", &format!("W/\"1\", {tag}")] {
        let answer = fhir
            .get("/ValueSet/adapter")
            .header("If-None-Match", known)
            .send();
        assert_eq!(
            (answer.status, answer.body.len()),
            (304, 0),
            "{known}: {answer:?}"
        );
        assert_eq!(answer.header("ETag"), Some(tag));
    }
    for other in ["W/\"1\"", "nonsense"] {
        fhir.get("/ValueSet/adapter")
            .header("If-None-Match", other)
            .send()
            .expect(200);
    }
    let another = fhir.get("/ValueSet/phone-type").send().expect(200);
    assert_ne!(another.header("ETag"), Some(tag));
}

fn head_of_what_is_published_is_get_without_the_body(context: &Context) {
    let fhir = shared_fhir(context);
    for target in ["/CodeSystem/adapter", "/CodeSystem?name=adapter", "/CodeSystem/"] {
        let get = fhir.get(target).send().expect(200);
        let head = fhir.head(target).send().expect(200);
        assert!(head.body.is_empty());
        for name in ["Content-Type", "Content-Length", "ETag"] {
            assert_eq!(get.header(name), head.header(name), "{target} {name}");
        }
    }
    assert_eq!(fhir.head("/CodeSystem/nothing").send().status, 404);
}

fn another_naming_base_stands_in_what_is_published(context: &Context) {
    const OTHER: &str = "https://names.hospital.example/fhir";
    let server = context
        .settings()
        .argument("--naming-base")
        .argument(&format!("{OTHER}/"))
        .start();
    let fhir = server.client("fhir");
    for file in files() {
        let moved: Value = serde_json::from_str(&file.to_string().replace(BASE, OTHER)).unwrap();
        // The profiles of others keep their names.
        let names_us = file.to_string().contains(BASE);
        assert_eq!(moved != file, names_us);
        assert_eq!(fhir.get(path(&file)).send().expect(200).json(), moved);
        let kind = text(&file, "resourceType");
        let found = |url: &str| {
            let query = format!("/{kind}?url={}", percent_encode(url));
            ids(&fhir.get(query).send().expect(200).json())
        };
        assert_eq!(found(url(&moved)), [text(&file, "id")]);
        assert_eq!(found(url(&file)).is_empty(), names_us);
    }
}

fn nobody_writes_what_is_published(context: &Context) {
    let fhir = shared_fhir(context);
    for kind in KINDS {
        let body = json!({ "resourceType": kind, "id": "mine", "status": "active" });
        for (method, target, allowed) in [
            ("POST", format!("/{kind}"), "GET, HEAD"),
            ("PUT", format!("/{kind}?url=urn:mine"), "GET, HEAD"),
            ("PUT", format!("/{kind}/mine"), "GET, HEAD"),
            ("PATCH", format!("/{kind}/mine"), "GET, HEAD"),
            ("DELETE", format!("/{kind}/mine"), "GET, HEAD"),
            ("GET", format!("/{kind}/_search"), "POST"),
        ] {
            let answer = fhir.request(method, &target).json(&body).send();
            let answer = refused(answer, 405, "not-supported");
            assert_eq!(answer.header("Allow"), Some(allowed), "{method} {target}");
        }
        refused(fhir.get(format!("/{kind}/mine")).send(), 404, "not-found");
    }
}

fn a_parameter_that_is_not_known_is_refused_by_name_when_that_is_wanted(context: &Context) {
    let fhir = shared_fhir(context);
    for (target, name) in [
        ("/CodeSystem?uri=urn:a", "uri"),
        ("/CodeSystem?value=urn:a", "value"),
        ("/NamingSystem?url=urn:a&identifier=a", "identifier"),
        ("/ValueSet?_count=1", "_count"),
    ] {
        let strict = fhir.get(target).header("Prefer", "handling=strict").send();
        let strict = refused(strict, 400, "not-supported");
        let issue = &strict.issues()[0];
        assert_eq!(issue.diagnostics, name);
        assert!(issue.text.contains("_id, name, url"), "{issue:?}");
        // As in every search of this server: else it is ignored, and the link does not say that it was applied.
        let bundle = fhir.get(target).send().expect(200).json();
        assert!(!link(&bundle, "self").unwrap().contains(name), "{bundle}");
    }
}

fn a_modifier_or_an_empty_value_is_refused_by_name(context: &Context) {
    let fhir = shared_fhir(context);
    for (target, code, name) in [
        ("/ValueSet?url:below=urn:a", "not-supported", "url:below"),
        ("/ValueSet?name:exact=Adapter", "not-supported", "name:exact"),
        ("/ValueSet?url=", "value", "url"),
        ("/ValueSet?_id", "value", "_id"),
        ("/ValueSet?url=%FF", "value", "url=%FF"),
    ] {
        let answer = refused(fhir.get(target).send(), 400, code);
        assert_eq!(answer.issues()[0].diagnostics, name, "{target}");
    }
}

fn what_is_not_published_is_not_found(context: &Context) {
    let fhir = shared_fhir(context);
    refused(fhir.get("/CodeSystem/nothing").send(), 404, "not-found");
    // An id belongs to one type.
    fhir.get("/CodeSystem/patient-tags").send().expect(200);
    refused(fhir.get("/ValueSet/patient-tags").send(), 404, "not-found");
    refused(fhir.get("/CodeSystem/a%20b").send(), 404, "not-found");
    refused(fhir.get("/CodeSystem/$lookup").send(), 404, "not-supported");
    refused(
        fhir.get("/CodeSystem/adapter/_history/1").send(),
        404,
        "not-supported",
    );
    for other in [
        "/codesystem/adapter",
        "/CodeSystems",
        "/StructureMap",
        "/ValueSetx/adapter",
    ] {
        refused(fhir.get(other).send(), 404, "not-supported");
    }
}

fn without_a_credential_nothing_is_told(context: &Context) {
    let nobody = shared(context).anonymous().with_prefix("/fhir");
    for target in ["/CodeSystem/adapter", "/CodeSystem/nothing", "/CodeSystem"] {
        let answer = refused(nobody.get(target).send(), 401, "login");
        assert!(answer.header("WWW-Authenticate").is_some(), "{answer:?}");
    }
    refused(
        nobody.post("/CodeSystem/_search").form("name=a").send(),
        401,
        "login",
    );
}

fn no_scope_is_needed_but_the_door_is(context: &Context) {
    let server = context.server();
    // A client has some scope; this one has nothing to do with what is published.
    let add = [
        "client",
        "add",
        "reader",
        "--door",
        "fhir",
        "--space",
        "demo",
        "--scope",
        "system/Practitioner.u",
    ];
    succeeds(context, &server, &add);
    let reader = fhir_with_key(&server, &issue_key(context, &server, "reader"));
    refused(reader.get("/Patient").send(), 403, "forbidden");
    reader.get("/CodeSystem/adapter").send().expect(200);
    reader.get("/CodeSystem?name=adapter").send().expect(200);
    let bearer = &server.credential("patient-graph").bearer;
    let partner = server.anonymous().with_prefix("/fhir").with_bearer(bearer);
    refused(partner.get("/CodeSystem/adapter").send(), 403, "forbidden");
}

fn the_capability_statement_lists_what_is_published(context: &Context) {
    let fhir = shared_fhir(context);
    let statement = fhir.get("/metadata").send().expect(200).json();
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    for kind in KINDS {
        let row = resources.iter().find(|row| row["type"] == kind).unwrap();
        assert_eq!(
            row["interaction"],
            json!([{ "code": "read" }, { "code": "search-type" }])
        );
        for parameter in row["searchParam"].as_array().unwrap() {
            let name = text(parameter, "name");
            let target = format!("/{kind}?{name}=nothing-of-this-name");
            let strict = fhir
                .get(target)
                .header("Prefer", "handling=strict")
                .send()
                .expect(200);
            assert_eq!(strict.json()["total"], 0, "{kind}.{name}");
        }
    }
}
