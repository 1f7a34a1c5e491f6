//! The element table: what R4 says of every type that a Patient or Practitioner can reach, as constant data
//! in the specification's order — <https://hl7.org/fhir/R4/datatypes.html>,
//! <https://hl7.org/fhir/R4/patient.html>, <https://hl7.org/fhir/R4/practitioner.html>
//!
//! One table for every reader: validation, the writing of XML (which needs the order), search, profiles.

mod datatypes;
mod metadata;
mod resources;
mod timing;

use super::bindings::Binding;
use super::invariants::Invariant;
use super::primitives::Primitive;
use crate::resource::ResourceType;

pub use resources::{DOMAIN_RESOURCE, PLAIN_RESOURCE};

/// The type of an element.
#[derive(Clone, Copy)]
pub enum Type {
    /// A primitive: a JSON scalar, with a `_` sibling for its id and extensions.
    Primitive(Primitive),
    /// A datatype or a backbone element: a JSON object.
    Complex(&'static ComplexType),
    /// Any resource (`contained`).
    Resource,
}

impl Type {
    /// The FHIR name: `string`, `HumanName`, `Patient.contact`, `Resource`.
    pub fn name(self) -> &'static str {
        match self {
            Type::Primitive(primitive) => primitive.name(),
            Type::Complex(complex) => complex.name,
            Type::Resource => "Resource",
        }
    }
}

/// The type or types of an element.
#[derive(Clone, Copy)]
pub enum Types {
    /// One type; the JSON property is the element's name.
    One(Type),
    /// A choice (`value[x]`); the JSON property is the element's name and the capitalised type name.
    Choice(&'static [Type]),
}

/// How often an element may occur. R4 knows no other bound in these types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Max {
    /// At most once: no list in JSON.
    One,
    /// Any number: always a list in JSON.
    Many,
}

/// One element of a type.
#[derive(Clone, Copy)]
pub struct Element {
    /// The name without `[x]`.
    pub name: &'static str,
    /// What it may hold.
    pub types: Types,
    /// 0 or 1.
    pub min: u8,
    /// One or many.
    pub max: Max,
    /// The value set that its code must come from, when the binding is required.
    pub binding: Option<&'static Binding>,
    /// The resource types a Reference may point to; empty when any will do or it is no Reference.
    pub targets: &'static [&'static str],
    /// An XML attribute (`id`, `Extension.url`) or the narrative's `div`: such a primitive has no `_` sibling.
    pub attribute: bool,
}

/// What a complex type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A datatype or a backbone element: never empty (`ele-1`).
    Element,
    /// A resource with narrative, extensions and contained resources.
    DomainResource,
    /// A resource without them (Bundle, Binary, Parameters).
    Resource,
}

/// A resource, datatype or backbone element.
pub struct ComplexType {
    /// `HumanName`, `Patient`; a backbone element by its path: `Patient.contact`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// In the order of the specification, inherited ones included. At most 64.
    pub elements: &'static [Element],
    /// The rules that go beyond single elements.
    pub invariants: &'static [Invariant],
}

/// An element found by a JSON property name.
#[derive(Clone, Copy)]
pub struct Found {
    /// Its place in [`ComplexType::elements`].
    pub position: usize,
    /// The element.
    pub element: &'static Element,
    /// The one type that the property name stands for.
    pub kind: Type,
}

impl ComplexType {
    /// The element of a JSON property (without the `_` of a sibling): `birthDate`, `deceasedBoolean`.
    pub fn element(&'static self, property: &str) -> Option<Found> {
        self.element_from(property, 0)
    }

    /// Like [`ComplexType::element`], looking from `start` on first: properties mostly come in order.
    pub fn element_from(&'static self, property: &str, start: usize) -> Option<Found> {
        let (before, after) = self
            .elements
            .split_at_checked(start)
            .unwrap_or((&[], self.elements));
        let start = before.len();
        let ahead = after.iter().enumerate().map(|(i, element)| (start + i, element));
        let around = before.iter().enumerate();
        ahead.chain(around).find_map(|(position, element)| {
            let kind = element.type_of(property)?;
            Some(Found {
                position,
                element,
                kind,
            })
        })
    }
}

impl Element {
    /// The type that a JSON property name stands for, when it is this element's.
    pub fn type_of(&self, property: &str) -> Option<Type> {
        match self.types {
            Types::One(kind) => (property == self.name).then_some(kind),
            Types::Choice(kinds) => {
                let suffix = property.as_bytes().strip_prefix(self.name.as_bytes())?;
                let (first, rest) = suffix.split_first()?;
                kinds.iter().copied().find(|kind| {
                    kind.name()
                        .as_bytes()
                        .split_first()
                        .is_some_and(|(letter, tail)| letter.to_ascii_uppercase() == *first && tail == rest)
                })
            }
        }
    }

    /// The JSON property names: one, or one for each type of a choice.
    pub fn properties(&self) -> Vec<String> {
        match self.types {
            Types::One(_) => vec![self.name.to_owned()],
            Types::Choice(kinds) => kinds.iter().map(|kind| property_of(self.name, *kind)).collect(),
        }
    }

    const fn bound(mut self, binding: &'static Binding) -> Element {
        self.binding = Some(binding);
        self
    }

    const fn to(mut self, targets: &'static [&'static str]) -> Element {
        self.targets = targets;
        self
    }

    const fn attribute(mut self) -> Element {
        self.attribute = true;
        self
    }
}

/// The JSON property of a choice element with a value of this type: `value`, `string` → `valueString`.
pub fn property_of(name: &str, kind: Type) -> String {
    let mut letters = kind.name().chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    name.chars().chain(first).chain(letters).collect()
}

/// The table of a stored resource type.
pub fn resource(kind: ResourceType) -> &'static ComplexType {
    match kind {
        ResourceType::Patient => &resources::PATIENT,
        ResourceType::Practitioner => &resources::PRACTITIONER,
    }
}

/// The table of a contained resource of this type, when its elements are in the table.
pub fn contained(name: &str) -> Option<&'static ComplexType> {
    [
        &resources::PATIENT,
        &resources::PRACTITIONER,
        &resources::ORGANIZATION,
    ]
    .into_iter()
    .find(|table| table.name == name)
}

/// The table of a datatype by its FHIR name (`HumanName`): every type an extension can carry, and those
/// they are made of.
pub fn datatype(name: &str) -> Option<&'static ComplexType> {
    let open = datatypes::ANY.iter().filter_map(|kind| match kind {
        Type::Complex(complex) => Some(*complex),
        Type::Primitive(_) | Type::Resource => None,
    });
    open.chain([&datatypes::EXTENSION, &datatypes::NARRATIVE])
        .find(|table| table.name == name)
}

/// What the `_` sibling of a primitive holds: id and extensions.
pub fn primitive_sibling() -> &'static ComplexType {
    &datatypes::PRIMITIVE_SIBLING
}

const fn element(name: &'static str, types: Types, min: u8, max: Max) -> Element {
    Element {
        name,
        types,
        min,
        max,
        binding: None,
        targets: &[],
        attribute: false,
    }
}

/// 0..1
const fn optional(name: &'static str, kind: Type) -> Element {
    element(name, Types::One(kind), 0, Max::One)
}

/// 1..1
const fn required(name: &'static str, kind: Type) -> Element {
    element(name, Types::One(kind), 1, Max::One)
}

/// 0..*
const fn repeated(name: &'static str, kind: Type) -> Element {
    element(name, Types::One(kind), 0, Max::Many)
}

/// 1..*
const fn some(name: &'static str, kind: Type) -> Element {
    element(name, Types::One(kind), 1, Max::Many)
}

/// 0..1 of several types
const fn choice(name: &'static str, kinds: &'static [Type]) -> Element {
    element(name, Types::Choice(kinds), 0, Max::One)
}

/// 1..1 of several types
const fn required_choice(name: &'static str, kinds: &'static [Type]) -> Element {
    element(name, Types::Choice(kinds), 1, Max::One)
}

/// `NAME "FhirName" [elements] [invariants]` as a static [`ComplexType`] of kind Element.
macro_rules! element_type {
    ($(#[$doc:meta])* $name:ident $fhir:literal [$($element:expr),* $(,)?] [$($rule:ident),*]) => {
        $(#[$doc])*
        pub(super) static $name: $crate::validate::table::ComplexType = $crate::validate::table::ComplexType {
            name: $fhir,
            kind: $crate::validate::table::Kind::Element,
            elements: &[$($element),*],
            invariants: &[$($crate::validate::invariants::Invariant::$rule),*],
        };
    };
}
use element_type;

/// The primitive types under short names, for the tables.
mod short {
    use super::{Primitive, Type};

    macro_rules! primitives {
        ($($name:ident = $kind:ident),* $(,)?) => {
            $(pub(super) const $name: Type = Type::Primitive(Primitive::$kind);)*
        };
    }
    primitives! {
        BASE64 = Base64Binary, BOOLEAN = Boolean, CANONICAL = Canonical, CODE = Code, DATE = Date,
        DATE_TIME = DateTime, DECIMAL = Decimal, ELEMENT_ID = ElementId, ID_TYPE = Id, INSTANT = Instant,
        INTEGER = Integer, MARKDOWN = Markdown, OID = Oid, POSITIVE_INT = PositiveInt, STRING = String,
        TIME = Time, UNSIGNED_INT = UnsignedInt, URI = Uri, URL = Url, UUID = Uuid, XHTML = Xhtml,
    }
}
