//! The search parameters of Patient and Practitioner: one table that the parser, the index, the SQL and
//! `/metadata` all read — <https://hl7.org/fhir/R4/searchparameter-registry.html>

use crate::resource::ResourceType;

pub use super::fold::{bounded, fold_string, fold_token, of_type_code};

/// What an index row is about. The number is stored in the database: never reuse or change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
#[allow(missing_docs)] // named for the element they index
pub enum IndexParam {
    Identifier = 1,
    Active = 2,
    Gender = 3,
    Language = 4,
    Communication = 5,
    Deceased = 6,
    AddressUse = 7,
    Phone = 8,
    Email = 9,
    /// ContactPoints that are neither phone nor e-mail (fax, url, sms, pager, other, none).
    OtherTelecom = 10,
    Profile = 11,
    Source = 12,
    Tag = 13,
    Security = 14,
    Family = 15,
    Given = 16,
    /// `HumanName.prefix`
    NamePrefix = 17,
    /// `HumanName.suffix`
    NameSuffix = 18,
    /// `HumanName.text`
    NameText = 19,
    /// `Address.line`
    AddressLine = 20,
    AddressCity = 21,
    /// `Address.district`
    AddressDistrict = 22,
    AddressState = 23,
    AddressPostalCode = 24,
    AddressCountry = 25,
    /// `Address.text`
    AddressText = 26,
    Birthdate = 27,
    DeathDate = 28,
    GeneralPractitioner = 29,
    Link = 30,
    Organization = 31,
    /// The `patient-mothersMaidenName` extension.
    MothersMaidenName = 32,
    /// `identifier.type` with the value, for `identifier:of-type`: the system is that of the type, the code
    /// is [`of_type_code`].
    IdentifierOfType = 33,
    /// An identifier that was given to the resource and stands beside it, not in it: found by its value, and no
    /// identifier of the resource otherwise.
    AllocatedIdentifier = 34,
    /// Text and displays of `Patient.communication.language`, for `language:text`.
    LanguageText = 35,
    /// The same of `Practitioner.communication`.
    CommunicationText = 36,
    /// `Identifier.type.text`
    IdentifierTypeText = 37,
    /// `Reference.display` of the general practitioner.
    GeneralPractitionerText = 38,
    /// The same of a link.
    LinkText = 39,
    /// The same of the organization.
    OrganizationText = 40,
}

impl IndexParam {
    /// The number stored in the database.
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The system of an element whose type leaves no room for one: its rows carry it.
    pub const fn implied_system(self) -> Option<&'static str> {
        match self {
            IndexParam::Active | IndexParam::Deceased => Some(SPECIAL_VALUES),
            IndexParam::Gender => Some("http://hl7.org/fhir/administrative-gender"),
            IndexParam::AddressUse => Some("http://hl7.org/fhir/address-use"),
            _ => None,
        }
    }
}

/// The system of `true` and `false` — <https://hl7.org/fhir/R4/codesystem-special-values.html>
pub const SPECIAL_VALUES: &str = "http://hl7.org/fhir/special-values";

/// The type of a search parameter — <https://hl7.org/fhir/R4/search.html#ptypes>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ParamType {
    Token,
    String,
    Date,
    Reference,
    Uri,
}

impl ParamType {
    /// FHIR's code — <https://hl7.org/fhir/R4/valueset-search-param-type.html>
    pub const fn as_str(self) -> &'static str {
        match self {
            ParamType::Token => "token",
            ParamType::String => "string",
            ParamType::Date => "date",
            ParamType::Reference => "reference",
            ParamType::Uri => "uri",
        }
    }
}

/// A search parameter of the two types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // FHIR's names
pub enum SearchParam {
    Id,
    LastUpdated,
    Profile,
    Source,
    Tag,
    Security,
    Active,
    Address,
    AddressCity,
    AddressCountry,
    AddressPostalCode,
    AddressState,
    AddressUse,
    Birthdate,
    DeathDate,
    Deceased,
    Email,
    Family,
    Gender,
    GeneralPractitioner,
    Given,
    Identifier,
    Language,
    Link,
    Name,
    Organization,
    Phone,
    Telecom,
    MothersMaidenName,
    Communication,
}

/// A row of the table.
pub struct Definition {
    /// The parameter.
    pub param: SearchParam,
    /// Its name in a query string.
    pub name: &'static str,
    /// Its type.
    pub kind: ParamType,
    /// On which resource types it exists.
    pub on: &'static [ResourceType],
    /// The index rows it looks at. Empty for `_id` and `_lastUpdated`, which are columns of the resource.
    pub index: &'static [IndexParam],
    /// Canonical URL of the defining SearchParameter.
    pub definition: &'static str,
}

const BOTH: &[ResourceType] = &[ResourceType::Patient, ResourceType::Practitioner];
const PATIENT: &[ResourceType] = &[ResourceType::Patient];
const PRACTITIONER: &[ResourceType] = &[ResourceType::Practitioner];

const fn row(
    param: SearchParam,
    name: &'static str,
    kind: ParamType,
    on: &'static [ResourceType],
    index: &'static [IndexParam],
    definition: &'static str,
) -> Definition {
    Definition {
        param,
        name,
        kind,
        on,
        index,
        definition,
    }
}

const NAME_PARTS: &[IndexParam] = &[
    IndexParam::Family,
    IndexParam::Given,
    IndexParam::NamePrefix,
    IndexParam::NameSuffix,
    IndexParam::NameText,
];
const ADDRESS_PARTS: &[IndexParam] = &[
    IndexParam::AddressLine,
    IndexParam::AddressCity,
    IndexParam::AddressDistrict,
    IndexParam::AddressState,
    IndexParam::AddressPostalCode,
    IndexParam::AddressCountry,
    IndexParam::AddressText,
];
const TELECOM_PARTS: &[IndexParam] = &[IndexParam::Phone, IndexParam::Email, IndexParam::OtherTelecom];

/// Every search parameter, in the order of `/metadata`.
#[rustfmt::skip]
pub const DEFINITIONS: &[Definition] = &[
    row(SearchParam::Id, "_id", ParamType::Token, BOTH, &[], "http://hl7.org/fhir/SearchParameter/Resource-id"),
    row(SearchParam::LastUpdated, "_lastUpdated", ParamType::Date, BOTH, &[], "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated"),
    row(SearchParam::Profile, "_profile", ParamType::Uri, BOTH, &[IndexParam::Profile], "http://hl7.org/fhir/SearchParameter/Resource-profile"),
    row(SearchParam::Source, "_source", ParamType::Uri, BOTH, &[IndexParam::Source], "http://hl7.org/fhir/SearchParameter/Resource-source"),
    row(SearchParam::Tag, "_tag", ParamType::Token, BOTH, &[IndexParam::Tag], "http://hl7.org/fhir/SearchParameter/Resource-tag"),
    row(SearchParam::Security, "_security", ParamType::Token, BOTH, &[IndexParam::Security], "http://hl7.org/fhir/SearchParameter/Resource-security"),
    row(SearchParam::Active, "active", ParamType::Token, BOTH, &[IndexParam::Active], "http://hl7.org/fhir/SearchParameter/Patient-active"),
    row(SearchParam::Address, "address", ParamType::String, BOTH, ADDRESS_PARTS, "http://hl7.org/fhir/SearchParameter/individual-address"),
    row(SearchParam::AddressCity, "address-city", ParamType::String, BOTH, &[IndexParam::AddressCity], "http://hl7.org/fhir/SearchParameter/individual-address-city"),
    row(SearchParam::AddressCountry, "address-country", ParamType::String, BOTH, &[IndexParam::AddressCountry], "http://hl7.org/fhir/SearchParameter/individual-address-country"),
    row(SearchParam::AddressPostalCode, "address-postalcode", ParamType::String, BOTH, &[IndexParam::AddressPostalCode], "http://hl7.org/fhir/SearchParameter/individual-address-postalcode"),
    row(SearchParam::AddressState, "address-state", ParamType::String, BOTH, &[IndexParam::AddressState], "http://hl7.org/fhir/SearchParameter/individual-address-state"),
    row(SearchParam::AddressUse, "address-use", ParamType::Token, BOTH, &[IndexParam::AddressUse], "http://hl7.org/fhir/SearchParameter/individual-address-use"),
    row(SearchParam::Birthdate, "birthdate", ParamType::Date, PATIENT, &[IndexParam::Birthdate], "http://hl7.org/fhir/SearchParameter/individual-birthdate"),
    row(SearchParam::DeathDate, "death-date", ParamType::Date, PATIENT, &[IndexParam::DeathDate], "http://hl7.org/fhir/SearchParameter/Patient-death-date"),
    row(SearchParam::Deceased, "deceased", ParamType::Token, PATIENT, &[IndexParam::Deceased], "http://hl7.org/fhir/SearchParameter/Patient-deceased"),
    row(SearchParam::Email, "email", ParamType::Token, BOTH, &[IndexParam::Email], "http://hl7.org/fhir/SearchParameter/individual-email"),
    row(SearchParam::Family, "family", ParamType::String, BOTH, &[IndexParam::Family], "http://hl7.org/fhir/SearchParameter/individual-family"),
    row(SearchParam::Gender, "gender", ParamType::Token, BOTH, &[IndexParam::Gender], "http://hl7.org/fhir/SearchParameter/individual-gender"),
    row(SearchParam::GeneralPractitioner, "general-practitioner", ParamType::Reference, PATIENT, &[IndexParam::GeneralPractitioner], "http://hl7.org/fhir/SearchParameter/Patient-general-practitioner"),
    row(SearchParam::Given, "given", ParamType::String, BOTH, &[IndexParam::Given], "http://hl7.org/fhir/SearchParameter/individual-given"),
    row(SearchParam::Identifier, "identifier", ParamType::Token, BOTH, &[IndexParam::Identifier], "http://hl7.org/fhir/SearchParameter/Patient-identifier"),
    row(SearchParam::Language, "language", ParamType::Token, PATIENT, &[IndexParam::Language], "http://hl7.org/fhir/SearchParameter/Patient-language"),
    row(SearchParam::Link, "link", ParamType::Reference, PATIENT, &[IndexParam::Link], "http://hl7.org/fhir/SearchParameter/Patient-link"),
    row(SearchParam::Name, "name", ParamType::String, BOTH, NAME_PARTS, "http://hl7.org/fhir/SearchParameter/Patient-name"),
    row(SearchParam::Organization, "organization", ParamType::Reference, PATIENT, &[IndexParam::Organization], "http://hl7.org/fhir/SearchParameter/Patient-organization"),
    row(SearchParam::Phone, "phone", ParamType::Token, BOTH, &[IndexParam::Phone], "http://hl7.org/fhir/SearchParameter/individual-phone"),
    row(SearchParam::Telecom, "telecom", ParamType::Token, BOTH, TELECOM_PARTS, "http://hl7.org/fhir/SearchParameter/individual-telecom"),
    row(SearchParam::MothersMaidenName, "mothersMaidenName", ParamType::String, PATIENT, &[IndexParam::MothersMaidenName], "http://hl7.org/fhir/SearchParameter/patient-extensions-Patient-mothersMaidenName"),
    row(SearchParam::Communication, "communication", ParamType::Token, PRACTITIONER, &[IndexParam::Communication], "http://hl7.org/fhir/SearchParameter/Practitioner-communication"),
];

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const FIRST: &Definition = &DEFINITIONS[0];

impl SearchParam {
    /// The row of this parameter.
    pub fn definition(self) -> &'static Definition {
        // Rows stand in the order of the variants: `every_parameter_has_its_row_at_its_place` holds it.
        DEFINITIONS.get(self as usize).unwrap_or(FIRST)
    }

    /// The index rows it looks at.
    pub fn index(self) -> &'static [IndexParam] {
        self.definition().index
    }

    /// The index rows that `:text` looks at; empty where it makes no sense.
    pub const fn text_index(self) -> &'static [IndexParam] {
        match self {
            SearchParam::Language => &[IndexParam::LanguageText],
            SearchParam::Communication => &[IndexParam::CommunicationText],
            SearchParam::Identifier => &[IndexParam::IdentifierTypeText],
            SearchParam::GeneralPractitioner => &[IndexParam::GeneralPractitionerText],
            SearchParam::Link => &[IndexParam::LinkText],
            SearchParam::Organization => &[IndexParam::OrganizationText],
            _ => &[],
        }
    }

    /// The resource types it may refer to; empty when it is no reference.
    pub const fn targets(self) -> &'static [&'static str] {
        match self {
            SearchParam::GeneralPractitioner => &["Organization", "Practitioner", "PractitionerRole"],
            SearchParam::Link => &["Patient", "RelatedPerson"],
            SearchParam::Organization => &["Organization"],
            _ => &[],
        }
    }

    /// The stored type that it refers to; `None` when it is no reference, or one to types that are not stored.
    pub const fn refers_to(self) -> Option<ResourceType> {
        match self {
            SearchParam::GeneralPractitioner => Some(ResourceType::Practitioner),
            SearchParam::Link => Some(ResourceType::Patient),
            _ => None,
        }
    }

    /// Whether matches can be sorted by it: a reference has no order that would mean something.
    pub fn has_order(self) -> bool {
        self.definition().kind != ParamType::Reference
    }
}
