//! What R4 knows of an element — its children and their order, whether it repeats, what its value is — as
//! fhirbolt has it.

use fhirbolt::FhirReleases;
use fhirbolt_shared::path::ElementPath;

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A value in an attribute.
    Primitive(Scalar),
    /// Children.
    Complex,
    /// An [`Shape::Complex`] with its `url` in an attribute.
    Extension,
    /// The narrative's XHTML.
    Narrative,
    /// A whole resource inside.
    Holder,
}

/// What a primitive's value is in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    /// `true` or `false`.
    Boolean,
    /// A number without fraction.
    Integer,
    /// A number.
    Decimal,
    /// A text.
    Text,
}

/// How often an element may stand in its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cardinality {
    /// Once: no list in JSON.
    Single,
    /// Several times: a list in JSON.
    Many,
}

/// What R4 says of one child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child {
    /// Its place among its siblings.
    pub(super) order: usize,
    pub(super) shape: Shape,
    pub(super) cardinality: Cardinality,
}

/// A place in the model of R4. Every successful `enter` wants its `leave`.
pub(super) struct Model(ElementPath);

impl Model {
    pub(super) fn new() -> Model {
        Model(ElementPath::new(FhirReleases::R4))
    }

    /// Enters a resource of this type; nothing changes when R4 has no such type.
    pub(super) fn enter_resource(&mut self, name: &str) -> bool {
        // An empty path segment or a dotted one would lead the path astray.
        if !is_plain(name) {
            return false;
        }
        self.0.push(name);
        // Data types have children too, but only resources have implicit rules.
        let known = self
            .0
            .children()
            .is_some_and(|children| children.contains("implicitRules"));
        if !known {
            self.0.pop();
        }
        known
    }

    /// Enters a child of the present element; nothing changes when it has no such child.
    pub(super) fn enter(&mut self, name: &str) -> Option<Child> {
        if !is_plain(name) {
            return None;
        }
        let order = if self.0.current_element_is_primitive() {
            (name == "extension").then_some(0)?
        } else {
            self.0.children()?.get_index(name)?
        };
        self.0.push(name);
        let cardinality = if self.0.current_element_is_sequence() {
            Cardinality::Many
        } else {
            Cardinality::Single
        };
        Some(Child {
            order,
            shape: self.shape(name),
            cardinality,
        })
    }

    /// Goes back to where the last `enter` came from.
    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    fn shape(&self, name: &str) -> Shape {
        let path = &self.0;
        if path.current_element_is_extension() {
            Shape::Extension
        } else if path.current_element_is_resource() {
            Shape::Holder
        } else if !path.current_element_is_primitive() {
            Shape::Complex
        } else if name == "div" {
            Shape::Narrative
        } else if path.current_element_is_boolean() {
            Shape::Primitive(Scalar::Boolean)
        } else if path.current_element_is_decimal() {
            Shape::Primitive(Scalar::Decimal)
        } else if path.current_element_is_integer()
            || path.current_element_is_unsigned_integer()
            || path.current_element_is_positive_integer()
        {
            Shape::Primitive(Scalar::Integer)
        } else {
            Shape::Primitive(Scalar::Text)
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
