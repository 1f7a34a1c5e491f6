//! Metadata datatypes, reachable as the value of an extension — <https://hl7.org/fhir/R4/metadatatypes.html>

use super::datatypes::*;
use super::short::*;
use super::timing::TIMING;
use super::{Type, choice, element_type, optional, repeated, required, required_choice};
use crate::validate::bindings::*;

element_type! { CONTACT_DETAIL "ContactDetail" [
    ID,
    extensions(),
    optional("name", STRING),
    repeated("telecom", Type::Complex(&CONTACT_POINT)),
] [] }

element_type! { CONTRIBUTOR "Contributor" [
    ID,
    extensions(),
    required("type", CODE).bound(&CONTRIBUTOR_TYPE),
    required("name", STRING),
    repeated("contact", Type::Complex(&CONTACT_DETAIL)),
] [] }

element_type! { DATA_REQUIREMENT "DataRequirement" [
    ID,
    extensions(),
    required("type", CODE).bound(&ALL_TYPES),
    repeated("profile", CANONICAL),
    choice("subject", &[Type::Complex(&CODEABLE_CONCEPT), Type::Complex(&REFERENCE)]).to(&["Group"]),
    repeated("mustSupport", STRING),
    repeated("codeFilter", Type::Complex(&CODE_FILTER)),
    repeated("dateFilter", Type::Complex(&DATE_FILTER)),
    optional("limit", POSITIVE_INT),
    repeated("sort", Type::Complex(&SORT)),
] [] }

element_type! { CODE_FILTER "DataRequirement.codeFilter" [
    ID,
    extensions(),
    optional("path", STRING),
    optional("searchParam", STRING),
    optional("valueSet", CANONICAL),
    repeated("code", Type::Complex(&CODING)),
] [Drq1] }

element_type! { DATE_FILTER "DataRequirement.dateFilter" [
    ID,
    extensions(),
    optional("path", STRING),
    optional("searchParam", STRING),
    choice("value", &[DATE_TIME, Type::Complex(&PERIOD), Type::Complex(&DURATION)]),
] [Drq2] }

element_type! { SORT "DataRequirement.sort" [
    ID,
    extensions(),
    required("path", STRING),
    required("direction", CODE).bound(&SORT_DIRECTION),
] [] }

element_type! { EXPRESSION "Expression" [
    ID,
    extensions(),
    optional("description", STRING),
    optional("name", ID_TYPE),
    required("language", CODE),
    optional("expression", STRING),
    optional("reference", URI),
] [Exp1] }

element_type! { PARAMETER_DEFINITION "ParameterDefinition" [
    ID,
    extensions(),
    optional("name", CODE),
    required("use", CODE).bound(&PARAMETER_USE),
    optional("min", INTEGER),
    optional("max", STRING),
    optional("documentation", STRING),
    required("type", CODE).bound(&ALL_TYPES),
    optional("profile", CANONICAL),
] [] }

element_type! { RELATED_ARTIFACT "RelatedArtifact" [
    ID,
    extensions(),
    required("type", CODE).bound(&RELATED_ARTIFACT_TYPE),
    optional("label", STRING),
    optional("display", STRING),
    optional("citation", MARKDOWN),
    optional("url", URL),
    optional("document", Type::Complex(&ATTACHMENT)),
    optional("resource", CANONICAL),
] [] }

element_type! { TRIGGER_DEFINITION "TriggerDefinition" [
    ID,
    extensions(),
    required("type", CODE).bound(&TRIGGER_TYPE),
    optional("name", STRING),
    choice("timing", &[Type::Complex(&TIMING), Type::Complex(&REFERENCE), DATE, DATE_TIME]).to(&["Schedule"]),
    repeated("data", Type::Complex(&DATA_REQUIREMENT)),
    optional("condition", Type::Complex(&EXPRESSION)),
] [Trd1, Trd2, Trd3] }

element_type! { USAGE_CONTEXT "UsageContext" [
    ID,
    extensions(),
    required("code", Type::Complex(&CODING)),
    required_choice("value", &[
        Type::Complex(&CODEABLE_CONCEPT),
        Type::Complex(&QUANTITY),
        Type::Complex(&RANGE),
        Type::Complex(&REFERENCE),
    ])
    .to(&[
        "PlanDefinition", "ResearchStudy", "InsurancePlan", "HealthcareService", "Group", "Location", "Organization",
    ]),
] [] }
