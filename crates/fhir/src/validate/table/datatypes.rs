//! General-purpose datatypes — <https://hl7.org/fhir/R4/datatypes.html>

use super::short::*;
use super::timing::{DOSAGE, TIMING};
use super::{Element, Type, choice, element_type, metadata, optional, repeated, required, some};
use crate::validate::bindings::*;

/// `Element.id`
pub(super) const ID: Element = optional("id", ELEMENT_ID).attribute();

/// `Element.extension`. A function, since a constant that leads back to itself cannot be evaluated.
pub(super) const fn extensions() -> Element {
    repeated("extension", Type::Complex(&EXTENSION))
}

/// `BackboneElement.modifierExtension`
pub(super) const fn modifier_extensions() -> Element {
    repeated("modifierExtension", Type::Complex(&EXTENSION))
}

/// The types of `Extension.value[x]` — <https://hl7.org/fhir/R4/datatypes.html#open>
pub(super) static ANY: [Type; 50] = [
    BASE64,
    BOOLEAN,
    CANONICAL,
    CODE,
    DATE,
    DATE_TIME,
    DECIMAL,
    ID_TYPE,
    INSTANT,
    INTEGER,
    MARKDOWN,
    OID,
    POSITIVE_INT,
    STRING,
    TIME,
    UNSIGNED_INT,
    URI,
    URL,
    UUID,
    Type::Complex(&ADDRESS),
    Type::Complex(&AGE),
    Type::Complex(&ANNOTATION),
    Type::Complex(&ATTACHMENT),
    Type::Complex(&CODEABLE_CONCEPT),
    Type::Complex(&CODING),
    Type::Complex(&CONTACT_POINT),
    Type::Complex(&COUNT),
    Type::Complex(&DISTANCE),
    Type::Complex(&DURATION),
    Type::Complex(&HUMAN_NAME),
    Type::Complex(&IDENTIFIER),
    Type::Complex(&MONEY),
    Type::Complex(&PERIOD),
    Type::Complex(&QUANTITY),
    Type::Complex(&RANGE),
    Type::Complex(&RATIO),
    Type::Complex(&REFERENCE),
    Type::Complex(&SAMPLED_DATA),
    Type::Complex(&SIGNATURE),
    Type::Complex(&TIMING),
    Type::Complex(&metadata::CONTACT_DETAIL),
    Type::Complex(&metadata::CONTRIBUTOR),
    Type::Complex(&metadata::DATA_REQUIREMENT),
    Type::Complex(&metadata::EXPRESSION),
    Type::Complex(&metadata::PARAMETER_DEFINITION),
    Type::Complex(&metadata::RELATED_ARTIFACT),
    Type::Complex(&metadata::TRIGGER_DEFINITION),
    Type::Complex(&metadata::USAGE_CONTEXT),
    Type::Complex(&DOSAGE),
    Type::Complex(&META),
];

element_type! {
    /// The `_` sibling of a primitive: only an id and extensions.
    PRIMITIVE_SIBLING "Element" [ID, extensions()] []
}

element_type! { EXTENSION "Extension" [
    ID,
    extensions(),
    required("url", URI).attribute(),
    choice("value", &ANY),
] [Ext1] }

element_type! { NARRATIVE "Narrative" [
    ID,
    extensions(),
    required("status", CODE).bound(&NARRATIVE_STATUS),
    required("div", XHTML).attribute(),
] [] }

element_type! { META "Meta" [
    ID,
    extensions(),
    optional("versionId", ID_TYPE),
    optional("lastUpdated", INSTANT),
    optional("source", URI),
    repeated("profile", CANONICAL),
    repeated("security", Type::Complex(&CODING)),
    repeated("tag", Type::Complex(&CODING)),
] [] }

element_type! { ADDRESS "Address" [
    ID,
    extensions(),
    optional("use", CODE).bound(&ADDRESS_USE),
    optional("type", CODE).bound(&ADDRESS_TYPE),
    optional("text", STRING),
    repeated("line", STRING),
    optional("city", STRING),
    optional("district", STRING),
    optional("state", STRING),
    optional("postalCode", STRING),
    optional("country", STRING),
    optional("period", Type::Complex(&PERIOD)),
] [] }

/// The elements of Quantity, which its specialisations share.
macro_rules! quantity {
    ($name:ident $fhir:literal [$($rule:ident),*]) => {
        element_type! { $name $fhir [
            ID,
            extensions(),
            optional("value", DECIMAL),
            optional("comparator", CODE).bound(&QUANTITY_COMPARATOR),
            optional("unit", STRING),
            optional("system", URI),
            optional("code", CODE),
        ] [$($rule),*] }
    };
}
quantity! { QUANTITY "Quantity" [Qty3] }
quantity! { SIMPLE_QUANTITY "Quantity" [Qty3, Sqty1] }
quantity! { AGE "Age" [Qty3, Age1] }
quantity! { COUNT "Count" [Qty3, Cnt3] }
quantity! { DISTANCE "Distance" [Qty3, Dis1] }
quantity! { DURATION "Duration" [Qty3, Drt1] }

element_type! { MONEY "Money" [
    ID,
    extensions(),
    optional("value", DECIMAL),
    optional("currency", CODE).bound(&CURRENCY),
] [] }

element_type! { ANNOTATION "Annotation" [
    ID,
    extensions(),
    choice("author", &[Type::Complex(&REFERENCE), STRING])
        .to(&["Practitioner", "Patient", "RelatedPerson", "Organization"]),
    optional("time", DATE_TIME),
    required("text", MARKDOWN),
] [] }

element_type! { ATTACHMENT "Attachment" [
    ID,
    extensions(),
    optional("contentType", CODE).bound(&MIME_TYPE),
    optional("language", CODE),
    optional("data", BASE64),
    optional("url", URL),
    optional("size", UNSIGNED_INT),
    optional("hash", BASE64),
    optional("title", STRING),
    optional("creation", DATE_TIME),
] [Att1] }

element_type! { CODEABLE_CONCEPT "CodeableConcept" [
    ID,
    extensions(),
    repeated("coding", Type::Complex(&CODING)),
    optional("text", STRING),
] [] }

element_type! { CODING "Coding" [
    ID,
    extensions(),
    optional("system", URI),
    optional("version", STRING),
    optional("code", CODE),
    optional("display", STRING),
    optional("userSelected", BOOLEAN),
] [] }

element_type! { CONTACT_POINT "ContactPoint" [
    ID,
    extensions(),
    optional("system", CODE).bound(&CONTACT_POINT_SYSTEM),
    optional("value", STRING),
    optional("use", CODE).bound(&CONTACT_POINT_USE),
    optional("rank", POSITIVE_INT),
    optional("period", Type::Complex(&PERIOD)),
] [Cpt2] }

element_type! { HUMAN_NAME "HumanName" [
    ID,
    extensions(),
    optional("use", CODE).bound(&NAME_USE),
    optional("text", STRING),
    optional("family", STRING),
    repeated("given", STRING),
    repeated("prefix", STRING),
    repeated("suffix", STRING),
    optional("period", Type::Complex(&PERIOD)),
] [] }

element_type! { IDENTIFIER "Identifier" [
    ID,
    extensions(),
    optional("use", CODE).bound(&IDENTIFIER_USE),
    optional("type", Type::Complex(&CODEABLE_CONCEPT)),
    optional("system", URI),
    optional("value", STRING),
    optional("period", Type::Complex(&PERIOD)),
    optional("assigner", Type::Complex(&REFERENCE)).to(&["Organization"]),
] [] }

element_type! { PERIOD "Period" [
    ID,
    extensions(),
    optional("start", DATE_TIME),
    optional("end", DATE_TIME),
] [Per1] }

element_type! { RANGE "Range" [
    ID,
    extensions(),
    optional("low", Type::Complex(&SIMPLE_QUANTITY)),
    optional("high", Type::Complex(&SIMPLE_QUANTITY)),
] [Rng2] }

element_type! { RATIO "Ratio" [
    ID,
    extensions(),
    optional("numerator", Type::Complex(&QUANTITY)),
    optional("denominator", Type::Complex(&QUANTITY)),
] [Rat1] }

element_type! { REFERENCE "Reference" [
    ID,
    extensions(),
    optional("reference", STRING),
    optional("type", URI),
    optional("identifier", Type::Complex(&IDENTIFIER)),
    optional("display", STRING),
] [Ref1] }

element_type! { SAMPLED_DATA "SampledData" [
    ID,
    extensions(),
    required("origin", Type::Complex(&SIMPLE_QUANTITY)),
    required("period", DECIMAL),
    optional("factor", DECIMAL),
    optional("lowerLimit", DECIMAL),
    optional("upperLimit", DECIMAL),
    required("dimensions", POSITIVE_INT),
    optional("data", STRING),
] [] }

element_type! { SIGNATURE "Signature" [
    ID,
    extensions(),
    some("type", Type::Complex(&CODING)),
    required("when", INSTANT),
    required("who", Type::Complex(&REFERENCE)).to(SIGNERS),
    optional("onBehalfOf", Type::Complex(&REFERENCE)).to(SIGNERS),
    optional("targetFormat", CODE).bound(&MIME_TYPE),
    optional("sigFormat", CODE).bound(&MIME_TYPE),
    optional("data", BASE64),
] [] }

const SIGNERS: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "RelatedPerson",
    "Patient",
    "Device",
    "Organization",
];
