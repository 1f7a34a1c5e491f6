//! Every file of `profiles/`, by its type: what is published is in the binary.

use super::Kind;

macro_rules! file {
    ($path:literal) => {
        include_str!(concat!("../../../../profiles/", $path, ".json"))
    };
}

/// The files. Their order is that of a search's answer.
#[rustfmt::skip]
pub static FILES: &[(Kind, &str)] = &[
    (Kind::StructureDefinition, file!("structure-definitions/age-verified-at")),
    (Kind::StructureDefinition, file!("structure-definitions/gender-as-received")),
    (Kind::StructureDefinition, file!("structure-definitions/metadata")),
    (Kind::StructureDefinition, file!("structure-definitions/name-part-kind")),
    (Kind::StructureDefinition, file!("structure-definitions/partner-representation")),
    (Kind::StructureDefinition, file!("structure-definitions/partner-status")),
    (Kind::StructureDefinition, file!("structure-definitions/patient-identification-status")),
    (Kind::StructureDefinition, file!("structure-definitions/phone-type")),
    (Kind::StructureDefinition, file!("structure-definitions/preperson-note")),
    (Kind::StructureDefinition, file!("structure-definitions/prescription-consult-completed-at")),
    (Kind::StructureDefinition, file!("structure-definitions/prescription-status")),
    (Kind::StructureDefinition, file!("structure-definitions/researcher-acknowledgement-id")),
    (Kind::StructureDefinition, file!("structure-definitions/ruo-pathway-acknowledged-at")),
    (Kind::StructureDefinition, file!("structure-definitions/fr-core-patient")),
    (Kind::StructureDefinition, file!("structure-definitions/fr-core-patient-ins")),
    (Kind::StructureDefinition, file!("structure-definitions/fr-core-practitioner")),
    (Kind::StructureDefinition, file!("structure-definitions/FrPractitionerRegul")),
    (Kind::NamingSystem, file!("naming-systems/client-id")),
    (Kind::NamingSystem, file!("naming-systems/ehealth-preperson-external-id")),
    (Kind::NamingSystem, file!("naming-systems/ehealth-preperson-id")),
    (Kind::NamingSystem, file!("naming-systems/medicapp-nir-rang")),
    (Kind::NamingSystem, file!("naming-systems/medicapp-patient-id")),
    (Kind::NamingSystem, file!("naming-systems/medicapp-space-external-id")),
    (Kind::NamingSystem, file!("naming-systems/medicapp-space")),
    (Kind::NamingSystem, file!("naming-systems/medicapp-trust-space-external-id")),
    (Kind::NamingSystem, file!("naming-systems/medicapp-trust-space")),
    (Kind::NamingSystem, file!("naming-systems/patient-graph-brand")),
    (Kind::NamingSystem, file!("naming-systems/patient-graph-external-id")),
    (Kind::NamingSystem, file!("naming-systems/patient-graph-patient-id")),
    (Kind::ConceptMap, file!("concept-maps/ehealth-gender")),
    (Kind::ConceptMap, file!("concept-maps/ehealth-status")),
    (Kind::ConceptMap, file!("concept-maps/medicapp-cloud-gender")),
    (Kind::ConceptMap, file!("concept-maps/medicapp-connect-gender")),
    (Kind::ConceptMap, file!("concept-maps/patient-graph-gender")),
    (Kind::ConceptMap, file!("concept-maps/patient-graph-status")),
    (Kind::CodeSystem, file!("code-systems/adapter")),
    (Kind::CodeSystem, file!("code-systems/audit-interaction")),
    (Kind::CodeSystem, file!("code-systems/ehealth-gender")),
    (Kind::CodeSystem, file!("code-systems/ehealth-status")),
    (Kind::CodeSystem, file!("code-systems/medicapp-cloud-gender")),
    (Kind::CodeSystem, file!("code-systems/medicapp-connect-gender")),
    (Kind::CodeSystem, file!("code-systems/name-part-kind")),
    (Kind::CodeSystem, file!("code-systems/patient-graph-gender")),
    (Kind::CodeSystem, file!("code-systems/patient-graph-status")),
    (Kind::CodeSystem, file!("code-systems/patient-identification-status")),
    (Kind::CodeSystem, file!("code-systems/patient-tags")),
    (Kind::CodeSystem, file!("code-systems/phone-type")),
    (Kind::ValueSet, file!("value-sets/adapter")),
    (Kind::ValueSet, file!("value-sets/fr-core-vs-patient-gender-INS")),
    (Kind::ValueSet, file!("value-sets/name-part-kind")),
    (Kind::ValueSet, file!("value-sets/patient-identification-status")),
    (Kind::ValueSet, file!("value-sets/phone-type")),
    (Kind::OperationDefinition, file!("operation-definitions/patient-everything")),
    (Kind::OperationDefinition, file!("operation-definitions/patient-ihe-pix")),
    (Kind::OperationDefinition, file!("operation-definitions/patient-match")),
    (Kind::OperationDefinition, file!("operation-definitions/validate")),
];
