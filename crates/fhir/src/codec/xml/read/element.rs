//! The values of fhirbolt's elements.

use fhirbolt::element::Primitive;
use serde_json::Number;

use super::ElementValue;
use crate::codec::r4::{Scalar, Shape};
use crate::guard::{Fault, check_number};
use crate::outcome::IssueCode;

/// What an open element is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Resource,
    Holder,
    Complex,
    Extension,
    Primitive(Scalar),
}

impl Kind {
    pub(super) fn of(shape: Shape) -> Kind {
        match shape {
            Shape::Primitive(scalar) => Kind::Primitive(scalar),
            Shape::Narrative => Kind::Primitive(Scalar::Text),
            Shape::Complex => Kind::Complex,
            Shape::Extension => Kind::Extension,
            Shape::Holder => Kind::Holder,
        }
    }

    /// Which attributes FHIR gives it.
    pub(super) fn has_attribute(self, name: &str) -> bool {
        match self {
            Kind::Resource | Kind::Holder => false,
            Kind::Complex => name == "id",
            Kind::Extension => matches!(name, "id" | "url"),
            Kind::Primitive(_) => matches!(name, "id" | "value"),
        }
    }
}

/// A text.
pub(super) fn text(value: &str) -> ElementValue {
    ElementValue::Primitive(Primitive::String(value.to_owned()))
}

/// The value of a primitive. Numbers stay text: fhirbolt's `Decimal` keeps every digit.
pub(super) fn scalar(value: &str, kind: Scalar) -> Result<ElementValue, Fault> {
    let wrong = |what| Fault::new(IssueCode::Value, format!("The value is no {what}: correct it."));
    match kind {
        Scalar::Text => Ok(text(value)),
        Scalar::Boolean => match value {
            "true" => Ok(ElementValue::Primitive(Primitive::Bool(true))),
            "false" => Ok(ElementValue::Primitive(Primitive::Bool(false))),
            _ => Err(wrong("boolean, which is true or false")),
        },
        Scalar::Integer | Scalar::Decimal => {
            check_number(value)?;
            if kind == Scalar::Integer && value.contains(['.', 'e', 'E']) {
                return Err(wrong("integer"));
            }
            if value.parse::<Number>().is_err() {
                return Err(wrong("number as JSON writes it"));
            }
            Ok(ElementValue::Primitive(Primitive::Decimal(value.to_owned())))
        }
    }
}
