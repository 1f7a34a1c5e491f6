//! Patient, Practitioner, Organization (as contained) and what all resources share —
//! <https://hl7.org/fhir/R4/domainresource.html>

use super::datatypes::*;
use super::short::*;
use super::{ComplexType, Element, Kind, Type, choice, element_type, optional, repeated, required};
use crate::validate::bindings::*;
use crate::validate::invariants::Invariant;

const RESOURCE_ID: Element = optional("id", ID_TYPE).attribute();
const METADATA: Element = optional("meta", Type::Complex(&META));
const IMPLICIT_RULES: Element = optional("implicitRules", URI);
const LANGUAGE: Element = optional("language", CODE);
const TEXT: Element = optional("text", Type::Complex(&NARRATIVE));
const CONTAINED: Element = repeated("contained", Type::Resource);

/// `NAME "FhirName" [elements] [invariants]` as a static DomainResource, inherited elements first.
macro_rules! domain_resource {
    ($(#[$doc:meta])* $visibility:vis $name:ident $fhir:literal [$($element:expr),* $(,)?] [$($rule:ident),*]) => {
        $(#[$doc])*
        $visibility static $name: ComplexType = ComplexType {
            name: $fhir,
            kind: Kind::DomainResource,
            elements: &[
                RESOURCE_ID, METADATA, IMPLICIT_RULES, LANGUAGE, TEXT, CONTAINED, extensions(), modifier_extensions(),
                $($element),*
            ],
            invariants: &[$(Invariant::$rule),*],
        };
    };
}

domain_resource! {
    /// What every resource with a narrative has: all that is checked of a contained resource whose own
    /// elements are not in the table.
    pub DOMAIN_RESOURCE "DomainResource" [] []
}

/// What Bundle, Binary and Parameters share.
pub static PLAIN_RESOURCE: ComplexType = ComplexType {
    name: "Resource",
    kind: Kind::Resource,
    elements: &[RESOURCE_ID, METADATA, IMPLICIT_RULES, LANGUAGE],
    invariants: &[],
};

domain_resource! { pub(super) PATIENT "Patient" [
    repeated("identifier", Type::Complex(&IDENTIFIER)),
    optional("active", BOOLEAN),
    repeated("name", Type::Complex(&HUMAN_NAME)),
    repeated("telecom", Type::Complex(&CONTACT_POINT)),
    optional("gender", CODE).bound(&ADMINISTRATIVE_GENDER),
    optional("birthDate", DATE),
    choice("deceased", &[BOOLEAN, DATE_TIME]),
    repeated("address", Type::Complex(&ADDRESS)),
    optional("maritalStatus", Type::Complex(&CODEABLE_CONCEPT)),
    choice("multipleBirth", &[BOOLEAN, INTEGER]),
    repeated("photo", Type::Complex(&ATTACHMENT)),
    repeated("contact", Type::Complex(&PATIENT_CONTACT)),
    repeated("communication", Type::Complex(&PATIENT_COMMUNICATION)),
    repeated("generalPractitioner", Type::Complex(&REFERENCE))
        .to(&["Organization", "Practitioner", "PractitionerRole"]),
    optional("managingOrganization", Type::Complex(&REFERENCE)).to(&["Organization"]),
    repeated("link", Type::Complex(&PATIENT_LINK)),
] [] }

element_type! { PATIENT_CONTACT "Patient.contact" [
    ID,
    extensions(),
    modifier_extensions(),
    repeated("relationship", Type::Complex(&CODEABLE_CONCEPT)),
    optional("name", Type::Complex(&HUMAN_NAME)),
    repeated("telecom", Type::Complex(&CONTACT_POINT)),
    optional("address", Type::Complex(&ADDRESS)),
    optional("gender", CODE).bound(&ADMINISTRATIVE_GENDER),
    optional("organization", Type::Complex(&REFERENCE)).to(&["Organization"]),
    optional("period", Type::Complex(&PERIOD)),
] [Pat1] }

element_type! { PATIENT_COMMUNICATION "Patient.communication" [
    ID,
    extensions(),
    modifier_extensions(),
    required("language", Type::Complex(&CODEABLE_CONCEPT)),
    optional("preferred", BOOLEAN),
] [] }

element_type! { PATIENT_LINK "Patient.link" [
    ID,
    extensions(),
    modifier_extensions(),
    required("other", Type::Complex(&REFERENCE)).to(&["Patient", "RelatedPerson"]),
    required("type", CODE).bound(&LINK_TYPE),
] [] }

domain_resource! { pub(super) PRACTITIONER "Practitioner" [
    repeated("identifier", Type::Complex(&IDENTIFIER)),
    optional("active", BOOLEAN),
    repeated("name", Type::Complex(&HUMAN_NAME)),
    repeated("telecom", Type::Complex(&CONTACT_POINT)),
    repeated("address", Type::Complex(&ADDRESS)),
    optional("gender", CODE).bound(&ADMINISTRATIVE_GENDER),
    optional("birthDate", DATE),
    repeated("photo", Type::Complex(&ATTACHMENT)),
    repeated("qualification", Type::Complex(&PRACTITIONER_QUALIFICATION)),
    repeated("communication", Type::Complex(&CODEABLE_CONCEPT)),
] [] }

element_type! { PRACTITIONER_QUALIFICATION "Practitioner.qualification" [
    ID,
    extensions(),
    modifier_extensions(),
    repeated("identifier", Type::Complex(&IDENTIFIER)),
    required("code", Type::Complex(&CODEABLE_CONCEPT)),
    optional("period", Type::Complex(&PERIOD)),
    optional("issuer", Type::Complex(&REFERENCE)).to(&["Organization"]),
] [] }

domain_resource! { pub(super) ORGANIZATION "Organization" [
    repeated("identifier", Type::Complex(&IDENTIFIER)),
    optional("active", BOOLEAN),
    repeated("type", Type::Complex(&CODEABLE_CONCEPT)),
    optional("name", STRING),
    repeated("alias", STRING),
    repeated("telecom", Type::Complex(&CONTACT_POINT)),
    repeated("address", Type::Complex(&ADDRESS)),
    optional("partOf", Type::Complex(&REFERENCE)).to(&["Organization"]),
    repeated("contact", Type::Complex(&ORGANIZATION_CONTACT)),
    repeated("endpoint", Type::Complex(&REFERENCE)).to(&["Endpoint"]),
] [Org1, Org2, Org3] }

element_type! { ORGANIZATION_CONTACT "Organization.contact" [
    ID,
    extensions(),
    modifier_extensions(),
    optional("purpose", Type::Complex(&CODEABLE_CONCEPT)),
    optional("name", Type::Complex(&HUMAN_NAME)),
    repeated("telecom", Type::Complex(&CONTACT_POINT)),
    optional("address", Type::Complex(&ADDRESS)),
] [] }
