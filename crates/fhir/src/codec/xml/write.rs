//! A tree to XML. fhirbolt knows the order of the elements and what each is; the text is written here,
//! because fhirbolt's writer re-indents the narrative and loses line ends in values.

use serde_json::{Map, Value};

use crate::codec::r4::{Cardinality, Child, Model, Scalar, Shape};
use crate::codec::{EncodeError, Layout};
use crate::guard::place::Place;
use crate::guard::xml::FHIR_NAMESPACE;
use crate::guard::{is_allowed_character, narrative};
use crate::limits::MAX_DEPTH;
use std::borrow::Cow;

/// A Bundle puts three levels around a resource, and may itself be a parameter.
const MAX_LEVELS: usize = MAX_DEPTH + 8;

/// Writes a resource of any R4 type.
///
/// # Errors
/// Where the tree is not what R4 has there.
pub(in crate::codec) fn write(tree: &Map<String, Value>, layout: Layout) -> Result<String, EncodeError> {
    let name = type_name(tree).unwrap_or("Resource");
    let mut writer = Writer {
        out: String::with_capacity(2048),
        model: Model::new(),
        place: Place::root(name),
        level: 0,
        layout,
    };
    writer.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    writer.resource(tree)?;
    Ok(writer.out)
}

fn type_name(tree: &Map<String, Value>) -> Option<&str> {
    tree.get("resourceType").and_then(Value::as_str)
}

struct Writer<'a> {
    out: String,
    model: Model,
    place: Place<'a>,
    /// Open tags.
    level: usize,
    layout: Layout,
}

/// One element of the tree with what stands beside it in JSON.
struct Property<'a> {
    name: &'a str,
    child: Child,
    value: Option<&'a Value>,
    /// The `_` sibling: `id` and extensions of a primitive.
    sibling: Option<&'a Value>,
}

impl<'a> Writer<'a> {
    fn resource(&mut self, tree: &'a Map<String, Value>) -> Result<(), EncodeError> {
        let Some(name) = type_name(tree) else {
            return Err(EncodeError::Mistyped(self.place.child("resourceType")));
        };
        if !self.model.enter_resource(name) {
            return Err(EncodeError::UnknownType(self.place.expression()));
        }
        self.open(name)?;
        if self.level == 1 {
            self.attribute("xmlns", FHIR_NAMESPACE);
        }
        let properties = self.properties(tree, &["resourceType"])?;
        self.content(name, &properties)?;
        self.model.leave();
        Ok(())
    }

    /// The properties of an object in the order of R4, those left out that are attributes.
    fn properties(
        &mut self,
        object: &'a Map<String, Value>,
        attributes: &[&str],
    ) -> Result<Vec<Property<'a>>, EncodeError> {
        let mut properties: Vec<Property<'a>> = Vec::with_capacity(object.len());
        for (key, value) in object {
            if attributes.contains(&key.as_str()) {
                continue;
            }
            let name = key.strip_prefix('_').unwrap_or(key);
            let is_sibling = name.len() < key.len();
            if is_sibling && attributes.contains(&name) {
                // An attribute has neither id nor extensions.
                return Err(EncodeError::UnknownElement(self.place.child(key)));
            }
            if is_sibling && object.contains_key(name) {
                continue; // Taken along with its value.
            }
            let Some(child) = self.model.enter(name) else {
                return Err(EncodeError::UnknownElement(self.place.child(key)));
            };
            self.model.leave();
            properties.push(Property {
                name,
                child,
                value: (!is_sibling).then_some(value),
                sibling: if is_sibling {
                    Some(value)
                } else {
                    sibling_of(object, name)
                },
            });
        }
        properties.sort_by_key(|property| property.child.order);
        Ok(properties)
    }

    /// Closes the start tag that was begun, writes what is inside and the end tag.
    fn content(&mut self, tag: &str, properties: &[Property<'a>]) -> Result<(), EncodeError> {
        if properties.is_empty() {
            self.out.push_str("/>");
            self.level -= 1;
            return Ok(());
        }
        self.out.push('>');
        for property in properties {
            self.property(property)?;
        }
        self.level -= 1;
        self.line();
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
        Ok(())
    }

    fn property(&mut self, property: &Property<'a>) -> Result<(), EncodeError> {
        self.place.push_name(Cow::Borrowed(property.name));
        // Known to succeed: `properties` tried it.
        self.model.enter(property.name);
        let outcome = match property.child.cardinality {
            Cardinality::Single => self.item(property, property.value, property.sibling),
            Cardinality::Many => self.items(property),
        };
        outcome?;
        self.model.leave();
        self.place.pop();
        Ok(())
    }

    fn items(&mut self, property: &Property<'a>) -> Result<(), EncodeError> {
        let list = |value: Option<&'a Value>| match value {
            None => Some(&[][..]),
            Some(value) => value.as_array().map(Vec::as_slice),
        };
        let (Some(values), Some(siblings)) = (list(property.value), list(property.sibling)) else {
            return Err(self.mistyped());
        };
        for position in 0..values.len().max(siblings.len()) {
            self.place.push_index(position);
            let not_a_hole = |value: &&Value| !value.is_null();
            self.item(
                property,
                values.get(position).filter(not_a_hole),
                siblings.get(position).filter(not_a_hole),
            )?;
            self.place.pop();
        }
        Ok(())
    }

    fn item(
        &mut self,
        property: &Property<'a>,
        value: Option<&'a Value>,
        sibling: Option<&'a Value>,
    ) -> Result<(), EncodeError> {
        let name = property.name;
        match (property.child.shape, value, sibling) {
            (Shape::Primitive(kind), value, sibling) if value.or(sibling).is_some() => {
                self.primitive(name, kind, value, sibling)
            }
            (Shape::Narrative, Some(Value::String(div)), None) => self.narrative(div),
            (Shape::Complex, Some(Value::Object(object)), None) => self.complex(name, object, &["id"]),
            (Shape::Extension, Some(Value::Object(object)), None) => {
                self.complex(name, object, &["id", "url"])
            }
            (Shape::Holder, Some(Value::Object(tree)), None) => {
                self.open(name)?;
                self.out.push('>');
                self.resource(tree)?;
                self.level -= 1;
                self.line();
                self.out.push_str("</");
                self.out.push_str(name);
                self.out.push('>');
                Ok(())
            }
            _ => Err(self.mistyped()),
        }
    }

    fn primitive(
        &mut self,
        name: &str,
        kind: Scalar,
        value: Option<&'a Value>,
        sibling: Option<&'a Value>,
    ) -> Result<(), EncodeError> {
        self.open(name)?;
        let extras = match sibling {
            None => None,
            Some(Value::Object(extras)) => Some(extras),
            Some(_) => return Err(self.mistyped()),
        };
        if let Some(extras) = extras {
            self.text_attribute(extras, "id")?;
        }
        match (value, kind) {
            (None, _) => {}
            (Some(Value::Bool(value)), Scalar::Boolean) => {
                self.attribute("value", if *value { "true" } else { "false" });
            }
            (Some(Value::Number(number)), Scalar::Decimal) => self.attribute("value", number.as_str()),
            (Some(Value::Number(number)), Scalar::Integer) if !number.as_str().contains(['.', 'e', 'E']) => {
                self.attribute("value", number.as_str());
            }
            (Some(Value::String(text)), Scalar::Text) => self.attribute("value", text),
            (Some(_), _) => return Err(self.mistyped()),
        }
        let properties = match extras {
            Some(extras) => self.properties(extras, &["id"])?,
            None => Vec::new(),
        };
        self.content(name, &properties)
    }

    fn complex(
        &mut self,
        name: &str,
        object: &'a Map<String, Value>,
        attributes: &[&str],
    ) -> Result<(), EncodeError> {
        self.open(name)?;
        for attribute in attributes {
            self.text_attribute(object, attribute)?;
        }
        let properties = self.properties(object, attributes)?;
        self.content(name, &properties)
    }

    fn narrative(&mut self, div: &str) -> Result<(), EncodeError> {
        let normal = narrative::normal(div).map_err(|_| EncodeError::Narrative(self.place.expression()))?;
        self.line();
        self.out.push_str(&normal);
        Ok(())
    }

    fn open(&mut self, name: &str) -> Result<(), EncodeError> {
        if self.level >= MAX_LEVELS * 2 {
            return Err(EncodeError::TooDeep(self.place.expression()));
        }
        self.line();
        self.level += 1;
        self.out.push('<');
        self.out.push_str(name);
        Ok(())
    }

    fn line(&mut self) {
        if self.layout == Layout::Indented {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.level));
        }
    }

    fn text_attribute(&mut self, object: &Map<String, Value>, name: &str) -> Result<(), EncodeError> {
        match object.get(name) {
            None => Ok(()),
            Some(Value::String(text)) => {
                self.attribute(name, text);
                Ok(())
            }
            Some(_) => Err(EncodeError::Mistyped(self.place.child(name))),
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        for character in value.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                // Written bare, every reader would turn them into spaces.
                '\n' => self.out.push_str("&#10;"),
                '\r' => self.out.push_str("&#13;"),
                '\t' => self.out.push_str("&#9;"),
                // Only our own messages could hold one; the guard lets none in.
                other if !is_allowed_character(other) => self.out.push('\u{FFFD}'),
                other => self.out.push(other),
            }
        }
        self.out.push('"');
    }

    fn mistyped(&self) -> EncodeError {
        EncodeError::Mistyped(self.place.expression())
    }
}

fn sibling_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object
        .iter()
        .find(|(key, _)| key.strip_prefix('_') == Some(name))
        .map(|(_, value)| value)
}
