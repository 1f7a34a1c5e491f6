//! The value of an operation: `value[x]` of a datatype, or nested parts for what has no datatype of its own and for
//! anybody who prefers them.

use serde_json::{Map, Value};

use super::evaluate::{element_named, no_element, present};
use super::place::{self, Parts};
use crate::patch::tidy::sibling;
use crate::validate::primitives::Primitive;
use crate::validate::table::{ComplexType, Element, Max, Type, Types, property_of};

/// A part of a Parameters resource.
#[derive(Clone, Copy)]
pub(super) struct Part<'p>(&'p Map<String, Value>);

/// A value, ready to be put in under a property.
pub(super) struct Given {
    /// The property, which of a choice depends on the type of the value.
    pub(super) property: String,
    /// The value.
    pub(super) parts: Parts,
}

impl<'p> Part<'p> {
    pub(super) fn new(object: &'p Map<String, Value>) -> Part<'p> {
        Part(object)
    }

    /// The value as an element.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    // Nested no deeper than the guard lets a Parameters resource be.
    pub(super) fn given(self, element: &'static Element) -> Result<Given, String> {
        let mut values: Vec<&str> = self
            .0
            .keys()
            .map(|key| key.strip_prefix('_').unwrap_or(key))
            .filter(|key| key.starts_with("value"))
            .collect();
        values.dedup();
        match (values.as_slice(), self.0.get("part")) {
            ([property], None) => self.value(element, property),
            ([], Some(Value::Array(parts))) => composed(element, parts),
            ([], None) if matches!(element.types, Types::One(Type::Resource)) => self.resource(element),
            ([], _) => Err(format!(
                "a value for {} is missing: send it as value[x], or as parts.",
                element.name
            )),
            _ => Err(format!(
                "there are several values for {}: send one.",
                element.name
            )),
        }
    }

    /// A resource that is to be contained.
    fn resource(self, element: &'static Element) -> Result<Given, String> {
        let resource = self.0.get("resource").cloned();
        Ok(Given {
            property: element.name.to_owned(),
            parts: Parts {
                value: Some(resource.ok_or("a resource is missing: send it as resource.")?),
                extra: None,
            },
        })
    }

    fn value(self, element: &'static Element, sent: &str) -> Result<Given, String> {
        let kind = match element.types {
            Types::One(kind) => Some(kind).filter(|kind| fits(sent, *kind)),
            Types::Choice(kinds) => kinds
                .iter()
                .copied()
                .find(|kind| property_of("value", *kind) == sent),
        };
        let Some(kind) = kind else {
            return Err(wrong_type(element, sent));
        };
        let property = match element.types {
            Types::One(_) => element.name.to_owned(),
            Types::Choice(_) => property_of(element.name, kind),
        };
        let is_primitive = matches!(kind, Type::Primitive(_)) && !element.attribute;
        Ok(Given {
            property,
            parts: Parts {
                value: self.0.get(sent).cloned(),
                extra: self.0.get(&sibling(sent)).filter(|_| is_primitive).cloned(),
            },
        })
    }
}

fn wrong_type(element: &'static Element, sent: &str) -> String {
    let shown: String = sent.chars().take(64).collect();
    let wanted: Vec<String> = match element.types {
        Types::One(Type::Complex(table)) if table.name.contains('.') || table.name == "Extension" => {
            vec!["parts".to_owned()]
        }
        Types::One(Type::Resource) => vec!["resource".to_owned()],
        Types::One(kind) => vec![property_of("value", kind)],
        Types::Choice(kinds) => kinds.iter().map(|kind| property_of("value", *kind)).collect(),
    };
    format!(
        "{shown} is not of the type of {}: send {}.",
        element.name,
        wanted.join(" or ")
    )
}

/// Types whose values are written alike stand for each other: what they may hold is checked in the result.
fn fits(sent: &str, kind: Type) -> bool {
    if property_of("value", kind) == sent {
        return true;
    }
    let Type::Primitive(primitive) = kind else {
        return false;
    };
    let alike: &[&str] = match primitive {
        Primitive::String
        | Primitive::Code
        | Primitive::Id
        | Primitive::Markdown
        | Primitive::ElementId
        | Primitive::Xhtml => &["valueString", "valueCode", "valueId", "valueMarkdown"],
        Primitive::Uri | Primitive::Url | Primitive::Canonical | Primitive::Oid | Primitive::Uuid => {
            &["valueUri", "valueUrl", "valueCanonical", "valueOid", "valueUuid"]
        }
        Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => {
            &["valueInteger", "valuePositiveInt", "valueUnsignedInt"]
        }
        _ => &[],
    };
    alike.contains(&sent)
}

fn composed(element: &'static Element, parts: &[Value]) -> Result<Given, String> {
    let Types::One(Type::Complex(table)) = element.types else {
        return Err(format!(
            "{} has no parts of its own: send its value as value[x].",
            element.name
        ));
    };
    let object = object_of(table, parts)?;
    Ok(Given {
        property: element.name.to_owned(),
        parts: Parts {
            value: Some(Value::Object(object)),
            extra: None,
        },
    })
}

fn object_of(table: &'static ComplexType, parts: &[Value]) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    for part in parts {
        let part = part.as_object().ok_or("a part of the value is no object.")?;
        let name = match part.get("name") {
            Some(Value::String(name)) => name,
            _ => return Err(format!("a part of the {} has no name.", table.name)),
        };
        let element = element_named(table, name).ok_or_else(|| no_element(table, name).text)?;
        let given = Part(part).given(element)?;
        match element.max {
            Max::Many => {
                let end = place::length(&object, &given.property);
                place::insert(&mut object, &given.property, end, given.parts);
            }
            Max::One if present(&object, element).is_some() => {
                return Err(format!(
                    "the part {name} stands twice in a {}, which has it once.",
                    table.name
                ));
            }
            Max::One => place::put(&mut object, &given.property, given.parts),
        }
    }
    Ok(object)
}
