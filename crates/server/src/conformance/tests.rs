use std::collections::BTreeSet;
use std::path::Path;

use fhir::codec::Layout;
use fhir::query::param::DEFINITIONS;

use super::*;
use crate::media::Answer;

const BASE: &str = Naming::DEFAULT_BASE;

fn ids(catalogue: &Catalogue, kind: Kind, query: &str) -> Vec<String> {
    let pairs = parse::pairs(query).expect("pairs");
    let search = Search::parse(kind, &pairs, parse::Handling::Strict).expect("a search");
    let matches = catalogue.of(kind).filter(|published| search.matches(published));
    matches.map(|published| published.id().to_owned()).collect()
}

#[test]
fn every_file_of_profiles_is_published_under_its_type_and_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles");
    let mut files = BTreeSet::new();
    let entries = |folder: &Path| std::fs::read_dir(folder).expect("a folder");
    for folder in entries(&root).map(|entry| entry.expect("an entry").path()) {
        if folder.is_dir() {
            files.extend(entries(&folder).map(|entry| {
                let file = std::fs::read_to_string(entry.expect("an entry").path()).expect("text");
                let file: Value = serde_json::from_str(&file).expect("JSON");
                format!("{}/{}", file["resourceType"], file["id"])
            }));
        }
    }
    let catalogue = Catalogue::new(BASE);
    let published: BTreeSet<String> = catalogue
        .all
        .iter()
        .filter(|published| published.kind != Kind::SearchParameter)
        .map(|published| {
            assert_eq!(published.tree["resourceType"], published.kind.as_str());
            format!("{}/{}", published.tree["resourceType"], published.tree["id"])
        })
        .collect();
    assert_eq!(published, files);
    let made = catalogue.of(Kind::SearchParameter).count();
    assert_eq!(catalogue.all.len(), files.len() + made);
}

#[test]
fn the_paths_name_every_type() {
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(TYPE_PATH, format!("/fhir/{{type:{}}}", names.join("|")));
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(Kind::parse("codesystem"), None);
}

#[test]
fn another_base_stands_wherever_the_default_stood() {
    let (usual, other) = (Catalogue::new(BASE), Catalogue::new("urn:of \"us\""));
    // The search parameters are FHIR's.
    let own = |published: &&Published| published.kind != Kind::SearchParameter;
    for (usual, other) in usual.all.iter().filter(own).zip(other.all.iter().filter(own)) {
        let other_text = other.tree.to_string();
        assert!(!other_text.contains(BASE), "{other_text}");
        let replaced = usual.tree.to_string().replace(BASE, "urn:of \\\"us\\\"");
        assert_eq!(replaced, other_text);
        // The profiles of others name nothing of ours.
        let names_us = usual.tree.to_string().contains(BASE);
        assert_eq!(usual.tag != other.tag, names_us, "{}", usual.id());
    }
}

#[test]
fn every_resource_has_an_xml_form() {
    let xml = Answer {
        format: fhir::codec::Format::Xml,
        layout: Layout::Compact,
    };
    for published in &Catalogue::new(BASE).all {
        let rendered = respond::render(&published.tree, xml).map_err(|failure| failure.refusal);
        let (_, text) = rendered.expect("XML");
        let root = format!("<{} xmlns=\"http://hl7.org/fhir\">", published.kind.as_str());
        assert!(text.contains(&root), "{text}");
    }
}

#[test]
fn a_search_means_all_its_parameters_and_some_of_their_values() {
    let catalogue = Catalogue::new(BASE);
    let of = |kind, query: &str| ids(&catalogue, kind, query);
    assert_eq!(of(Kind::ValueSet, "").len(), catalogue.of(Kind::ValueSet).count());
    let url = format!("url={BASE}/CodeSystem/adapter");
    assert_eq!(of(Kind::CodeSystem, &url), ["adapter"]);
    assert_eq!(of(Kind::CodeSystem, &format!("{url}&_id=adapter")), ["adapter"]);
    assert!(of(Kind::CodeSystem, &format!("{url}&_id=phone-type")).is_empty());
    assert!(of(Kind::ValueSet, &url).is_empty());
    assert_eq!(
        of(Kind::CodeSystem, "_id=phone-type,nothing,adapter"),
        ["adapter", "phone-type"]
    );
    // A URL counts whole, a name by its beginning, whatever the case.
    assert!(of(Kind::CodeSystem, &format!("url={BASE}/CodeSystem/adap")).is_empty());
    assert_eq!(
        of(Kind::CodeSystem, "name=EHEALTH"),
        ["ehealth-gender", "ehealth-status"]
    );
    assert!(of(Kind::CodeSystem, "name=gender").is_empty());
    // An escaped comma is one of the value.
    assert!(of(Kind::CodeSystem, "_id=adapter%5C,phone-type").is_empty());
}

#[test]
fn a_naming_system_is_found_by_what_it_names() {
    let catalogue = Catalogue::new(BASE);
    let of = |query: &str| ids(&catalogue, Kind::NamingSystem, query);
    let url = format!("{BASE}/ehealth/preperson-id");
    assert_eq!(of(&format!("url={url}")), ["ehealth-preperson-id"]);
    assert_eq!(of(&format!("value={url}")), ["ehealth-preperson-id"]);
    assert_eq!(of(&format!("value={BASE}/ehealth/")).len(), 2);
}

#[test]
fn every_fault_of_a_search_is_told_with_its_parameter() {
    let pairs = parse::pairs("url:below=a&name=&uri=b&value=c&_id=,&_format=json").expect("pairs");
    let issues = Search::parse(Kind::CodeSystem, &pairs, parse::Handling::Strict)
        .err()
        .expect("a refusal");
    let told: Vec<&str> = issues
        .iter()
        .filter_map(|issue| issue.diagnostics.as_deref())
        .collect();
    assert_eq!(told, ["url:below", "name", "uri", "value", "_id"]);
    assert!(issues[2].text.contains("_id, name, url"), "{}", issues[2].text);
}

#[test]
fn a_parameter_that_is_not_known_is_ignored_and_not_said_to_be_applied() {
    let pairs = parse::pairs("uri=b&_count=1&url=a|b&_pretty=true").expect("pairs");
    let search = Search::parse(Kind::CodeSystem, &pairs, parse::Handling::Lenient).expect("a search");
    assert_eq!(search.link(), "url=a%7Cb&_pretty=true");
}

#[test]
fn every_search_parameter_of_the_table_is_published_and_no_other() {
    let catalogue = Catalogue::new(BASE);
    let published: BTreeSet<(&str, &str)> = catalogue
        .of(Kind::SearchParameter)
        .map(|published| (published.text("url"), published.text("code")))
        .collect();
    let of_audit = fhir::query::audit::PARAMETERS.iter();
    let of_audit = of_audit
        .filter(|(name, ..)| *name != "_id")
        .map(|(name, _, url)| (*url, *name));
    let table = DEFINITIONS
        .iter()
        .map(|row| (row.definition, row.name))
        .chain(of_audit);
    assert_eq!(published, table.clone().collect());
    assert_eq!(published.len(), table.count(), "two rows have one url");
}

#[test]
fn every_modifier_that_is_told_is_taken_and_no_other() {
    const MODIFIERS: [(&str, &str); 12] = [
        ("missing", "missing"),
        ("exact", "exact"),
        ("contains", "contains"),
        ("not", "not"),
        ("text", "text"),
        ("in", "in"),
        ("not-in", "notIn"),
        ("below", "below"),
        ("above", "above"),
        ("Practitioner", "type"),
        ("identifier", "identifier"),
        ("of-type", "ofType"),
    ];
    for row in DEFINITIONS {
        let told = parameters::modifiers(row);
        for (written, code) in MODIFIERS {
            let kind = row.on.first().copied().expect("a type");
            // What a value has to be depends on the modifier: some of these fits it.
            let values = ["true", "a", "a|b", "a|b|c", "2020", "x1"];
            let target = row.param.targets().first().copied().unwrap_or("Practitioner");
            let written = if code == "type" { target } else { written };
            let taken = values.iter().any(|value| {
                let query = format!("{}:{written}={value}", row.name);
                let pairs = parse::pairs(&query).expect("pairs");
                parse::search(
                    kind,
                    &pairs,
                    parse::Handling::Strict,
                    fhir::Timestamp::from_micros(0),
                )
                .is_ok()
            });
            assert_eq!(taken, told.contains(&code), "{}:{written}", row.name);
        }
    }
}

#[test]
fn every_operation_of_the_routes_has_its_definition() {
    let catalogue = Catalogue::new(BASE);
    let defined: BTreeSet<&str> = catalogue
        .of(Kind::OperationDefinition)
        .map(|published| published.text("code"))
        .collect();
    assert!(
        defined.contains("validate") && defined.contains("everything"),
        "{defined:?}"
    );
    for operation in crate::routes::ROUTES.iter().filter_map(|row| row.operation) {
        assert!(
            defined.contains(operation.name),
            "${} has no OperationDefinition",
            operation.name
        );
    }
}
