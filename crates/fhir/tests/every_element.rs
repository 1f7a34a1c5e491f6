//! `fixtures/fhir/every-element`: resources that together use every element and every datatype of Patient and
//! Practitioner. They are made from the element table, so that none is missing.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p fhir --test every_element` writes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use fhir::codec::{Format, Layout, decode, decode_tree, encode_xml_with};
use fhir::validate::invariants::Invariant;
use fhir::validate::primitives::Primitive;
use fhir::validate::table::{ComplexType, Element, Max, Type, Types, property_of, resource};
use fhir::validate::{bindings::Codes, validate};
use fhir::{Issue, ResourceType};
use serde_json::{Map, Value, json};

/// So many resources of each type: each has another type of every choice.
const VARIANTS: usize = 5;
/// The one in which a trigger has data; in the others it has a time.
const DATA_TRIGGER: usize = 4;
const UCUM: &str = "http://unitsofmeasure.org";
/// What excludes something else, by the variants that have it (odd or even).
const EXCLUSIVE: [(&str, &str, usize); 7] = [
    ("DataRequirement.codeFilter", "path", 0),
    ("DataRequirement.codeFilter", "searchParam", 1),
    ("DataRequirement.dateFilter", "path", 0),
    ("DataRequirement.dateFilter", "searchParam", 1),
    ("Timing.repeat", "when", 0),
    ("Timing.repeat", "offset", 0),
    ("Timing.repeat", "timeOfDay", 1),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fhir/every-element")
}

fn name(kind: ResourceType, variant: usize) -> String {
    format!("{}-{variant}.json", kind.as_str().to_lowercase())
}

/// Makes one resource out of the table.
struct Making {
    variant: usize,
    /// The types around: none stands in itself.
    around: Vec<&'static str>,
}

impl Making {
    fn resource(variant: usize, kind: ResourceType) -> Value {
        let around = Vec::new();
        let mut made = Making { variant, around }.object(resource(kind), &[]);
        let all = made.as_object_mut().unwrap();
        all.shift_insert(0, "resourceType".to_owned(), json!(kind.as_str()));
        made
    }

    fn object(&mut self, table: &'static ComplexType, targets: &[&str]) -> Value {
        self.around.push(table.name);
        let mut object = Map::new();
        for element in table.elements {
            if self.has(table, element) {
                self.put(&mut object, table, element, targets);
            }
        }
        self.around.pop();
        Value::Object(object)
    }

    fn has(&self, table: &ComplexType, element: &Element) -> bool {
        let rule = EXCLUSIVE
            .iter()
            .find(|(of, name, _)| *of == table.name && *name == element.name);
        if rule.is_some_and(|(_, _, parity)| self.variant % 2 != *parity) {
            return false;
        }
        let is_simple = || {
            table
                .invariants
                .iter()
                .any(|rule| matches!(rule, Invariant::Sqty1))
        };
        match (table.name, element.name) {
            ("TriggerDefinition", "timing") if self.variant == DATA_TRIGGER => return false,
            ("TriggerDefinition", "data" | "condition") if self.variant != DATA_TRIGGER => return false,
            ("Quantity", "comparator") if is_simple() => return false,
            _ => {}
        }
        let is_extension = ["extension", "modifierExtension"].contains(&element.name);
        match element.types {
            // Only the odd ones have ids and extensions everywhere, or nobody could read the others.
            _ if is_extension && self.around.len() > 1 => self.variant == 1,
            _ if element.name == "id" && self.around.len() > 1 => self.variant == 1,
            Types::One(Type::Complex(inner)) => !self.around.contains(&inner.name),
            Types::One(_) | Types::Choice(_) => true,
        }
    }

    fn put(
        &mut self,
        object: &mut Map<String, Value>,
        table: &'static ComplexType,
        element: &'static Element,
        targets: &[&str],
    ) {
        let kind = match element.types {
            Types::One(kind) => kind,
            Types::Choice(kinds) => {
                let free: Vec<Type> = kinds
                    .iter()
                    .copied()
                    .filter(|kind| !self.around.contains(&kind.name()))
                    .collect();
                free[self.variant % free.len()]
            }
        };
        let property = match element.types {
            Types::One(_) => element.name.to_owned(),
            Types::Choice(_) => property_of(element.name, kind),
        };
        let value = match kind {
            Type::Resource => self.contained(),
            Type::Complex(inner) if inner.name == "Extension" => {
                object.insert(property, self.extensions(element.name));
                return;
            }
            Type::Complex(inner) => self.object(inner, element.targets),
            Type::Primitive(primitive) => self.primitive(table.name, element, primitive, targets),
        };
        let sibling = json!({ "id": "s", "extension": [{ "url": "urn:s", "valueCode": "x" }] });
        let bare = matches!(kind, Type::Primitive(_)) && !element.attribute;
        let beside = self.variant == 1 && bare;
        match element.max {
            Max::One => {
                object.insert(property.clone(), value);
                if beside {
                    object.insert(format!("_{property}"), sibling);
                }
            }
            Max::Many if beside => {
                // One without, one beside, one that is nothing but its extensions.
                let absent = json!({ "extension": [{ "url": "urn:why", "valueCode": "masked" }] });
                object.insert(property.clone(), json!([value.clone(), value, null]));
                object.insert(format!("_{property}"), json!([null, sibling, absent]));
            }
            Max::Many => {
                object.insert(property, json!([value]));
            }
        }
    }

    /// At the top one of every type there is, and one that holds others; elsewhere a plain one.
    fn extensions(&mut self, name: &str) -> Value {
        let plain = json!({ "url": format!("urn:{name}"), "valueString": "plain" });
        if self.around.len() > 1 || name == "modifierExtension" {
            return json!([plain]);
        }
        let Some(value) = self.types_of_extensions() else {
            return json!([plain]);
        };
        let mut all: Vec<Value> = value
            .iter()
            .map(|kind| {
                let value = match kind {
                    Type::Complex(inner) => self.object(inner, &[]),
                    Type::Primitive(primitive) => Making::plain(*primitive),
                    Type::Resource => panic!("no resource is the value of an extension"),
                };
                json!({ "url": format!("urn:{}", kind.name()), property_of("value", *kind): value })
            })
            .collect();
        all.push(json!({ "id": "x1", "url": "urn:nested", "extension": [plain] }));
        Value::Array(all)
    }

    fn types_of_extensions(&self) -> Option<&'static [Type]> {
        let patient = resource(ResourceType::Patient);
        let Type::Complex(extension) = patient.element("extension")?.kind else {
            return None;
        };
        let value = extension
            .elements
            .iter()
            .find(|element| element.name == "value")?;
        match value.types {
            Types::Choice(kinds) => Some(kinds),
            Types::One(_) => None,
        }
    }

    fn contained(&self) -> Value {
        json!({ "resourceType": "Organization", "id": "org", "name": "Clinique", "telecom": [{ "system": "fax", "value": "1" }] })
    }

    fn primitive(&self, table: &str, element: &Element, primitive: Primitive, targets: &[&str]) -> Value {
        let target = targets.first().unwrap_or(&"Organization");
        match (table, element.name) {
            ("Age" | "Count" | "Distance" | "Duration", "system") => return json!(UCUM),
            ("Count", "code") => return json!("1"),
            ("Count", "value") => return json!(12),
            ("Reference", "reference") if *target == "Organization" => return json!("#org"),
            ("Reference", "reference") => return json!(format!("{target}/x")),
            ("Reference", "type") => return json!(target),
            ("TriggerDefinition", "type") if self.variant == DATA_TRIGGER => return json!("data-added"),
            ("TriggerDefinition", "type") => return json!("periodic"),
            _ => {}
        }
        match element.binding.map(|binding| &binding.codes) {
            Some(Codes::List(codes)) => json!(codes[self.variant % codes.len()]),
            Some(Codes::MediaType) => json!("image/png"),
            Some(Codes::Currency) => json!("EUR"),
            Some(Codes::TypeName) => json!("Observation"),
            None => Making::plain(primitive),
        }
    }

    fn plain(primitive: Primitive) -> Value {
        let number = |text: &str| serde_json::from_str(text).unwrap();
        match primitive {
            Primitive::Base64Binary => json!("iVBORw0KGgo="),
            Primitive::Boolean => json!(false),
            Primitive::Canonical => json!("http://example.org/a|1.0"),
            Primitive::Code => json!("a code"),
            Primitive::Date => json!("2020-02"),
            Primitive::DateTime => json!("2020-02-29T23:59:59.120+02:00"),
            Primitive::Decimal => number("1.500"),
            Primitive::ElementId => json!("e1"),
            Primitive::Id => json!("an.id-1"),
            Primitive::Instant => json!("2020-02-29T23:59:59.123456Z"),
            Primitive::Integer => number("-7"),
            Primitive::Markdown => json!("*one*\n\n- two"),
            Primitive::Oid => json!("urn:oid:1.2.250.1"),
            Primitive::PositiveInt => number("3"),
            Primitive::String => json!("Łódź & <b> \"q\"\n\tnext"),
            Primitive::Time => json!("23:59:59"),
            Primitive::UnsignedInt => number("0"),
            Primitive::Uri | Primitive::Url => json!("http://example.org/a?b=c&d=é"),
            Primitive::Uuid => json!("urn:uuid:5f0c2f5e-8a53-4f0b-9d4c-2d2c1d1a0f11"),
            Primitive::Xhtml => {
                json!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>é &amp; <b>b</b><br/></p></div>")
            }
        }
    }
}

fn made() -> Vec<(ResourceType, String, String)> {
    let mut all = Vec::new();
    for kind in ResourceType::ALL {
        for variant in 0..VARIANTS {
            let text = serde_json::to_string(&Making::resource(variant, kind)).unwrap();
            all.push((kind, name(kind, variant), format!("{text}\n")));
        }
    }
    all
}

#[test]
fn the_fixtures_are_made_from_the_table() {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    for (_, name, text) in made() {
        let path = folder().join(&name);
        if update {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{name} is old: UPDATE_SNAPSHOTS=1");
    }
    assert_eq!(fs::read_dir(folder()).unwrap().count(), made().len());
}

#[test]
fn no_element_and_no_type_of_a_choice_is_missing() {
    let (mut wanted, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for kind in ResourceType::ALL {
        want(resource(kind), &mut wanted);
    }
    for (kind, _, text) in made() {
        let tree: Map<String, Value> = serde_json::from_str(&text).unwrap();
        see(resource(kind), &tree, &mut seen);
    }
    let missing: Vec<&String> = wanted.difference(&seen).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen.len() > 400, "{} properties", seen.len());
}

/// Every property of every type that this one leads to; of a primitive the sibling too.
fn want(table: &'static ComplexType, wanted: &mut BTreeSet<String>) {
    for element in table.elements {
        let kinds: &[Type] = match &element.types {
            Types::One(kind) => std::slice::from_ref(kind),
            Types::Choice(kinds) => kinds,
        };
        for (kind, property) in kinds.iter().zip(element.properties()) {
            // Of what is in an extension no sibling is asked for: it is the same type that stands elsewhere.
            let is_new = wanted.insert(format!("{}.{property}", table.name));
            if let (Type::Complex(inner), true) = (kind, is_new) {
                want(inner, wanted);
            }
        }
    }
}

fn see(table: &'static ComplexType, tree: &Map<String, Value>, seen: &mut BTreeSet<String>) {
    for (property, value) in tree {
        let Some(found) = table.element(property) else {
            continue;
        };
        seen.insert(format!("{}.{property}", table.name));
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        if let Type::Complex(inner) = found.kind {
            for item in items {
                see(inner, item.as_object().unwrap(), seen);
            }
        }
    }
}

#[test]
fn each_is_valid_and_goes_through_xml_unchanged() {
    for (kind, name, text) in made() {
        let decoded = decode(text.as_bytes(), Format::Json, kind);
        let decoded = decoded.unwrap_or_else(|malformed| panic!("{name}: {:#?}", malformed.into_issues()));
        let faults: Vec<Issue> = validate(&decoded).into_iter().filter(Issue::is_error).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
        for layout in [Layout::Compact, Layout::Indented] {
            let xml = encode_xml_with(decoded.tree(), layout).unwrap();
            let back = decode_tree(xml.as_bytes(), Format::Xml, kind.as_str());
            let back = back.unwrap_or_else(|issues| panic!("{name}: {issues:#?}"));
            // As text: the order and the digits count too.
            let (back, sent) = (Value::Object(back).to_string(), text.trim_end());
            let same = back
                .bytes()
                .zip(sent.bytes())
                .take_while(|(one, other)| one == other)
                .count();
            let around = |text: &str| {
                text.chars()
                    .skip(same.saturating_sub(80))
                    .take(200)
                    .collect::<String>()
            };
            assert!(
                back == sent,
                "{name}: {} instead of {}",
                around(&back),
                around(sent)
            );
        }
    }
}
