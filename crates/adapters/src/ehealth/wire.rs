//! The registry's words: what prepersons look like in requests and answers. Key order is the wire's.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::tree::{Object, objects, text};

/// A preperson as it is answered (`adapters.md` 2.3).
#[derive(Clone, PartialEq, Serialize)]
pub struct Preperson {
    /// Lower-case UUID.
    pub id: String,
    /// What the creator's legal entity calls the person; none for a person born through FHIR.
    pub external_id: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Patronymic.
    pub second_name: Option<String>,
    /// `MALE` or `FEMALE`.
    pub gender: Option<String>,
    /// `YYYY-MM-DD`; none when only a part of the date is known.
    pub birth_date: Option<String>,
    /// Whom to call.
    pub emergency_contact: Option<EmergencyContact>,
    /// Free text.
    pub note: Option<String>,
    /// `ACTIVE` or `INACTIVE`.
    pub status: Status,
    /// `YYYY-MM-DD`; none when only the fact or a part of the date is known.
    pub death_date: Option<String>,
    /// UTC, whole seconds.
    pub inserted_at: String,
    /// UUID of a user.
    pub inserted_by: String,
    /// UTC, whole seconds.
    pub updated_at: String,
    /// UUID of a user.
    pub updated_by: String,
}

/// Whether a preperson may still be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It may.
    Active,
    /// It has been merged or deactivated, for good.
    Inactive,
}

impl Status {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Active => "ACTIVE",
            Status::Inactive => "INACTIVE",
        }
    }

    /// The status of a word.
    pub fn parse(word: &str) -> Option<Status> {
        [Status::Active, Status::Inactive]
            .into_iter()
            .find(|status| status.word() == word)
    }
}

/// `emergency_contact`. The names of a contact that was born through FHIR may be missing.
#[derive(Clone, PartialEq, Serialize)]
pub struct EmergencyContact {
    /// First name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Patronymic. Left out when there is none, so that what is read may be sent back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_name: Option<String>,
    /// Telephones.
    pub phones: Vec<Phone>,
}

/// A telephone of an emergency contact.
#[derive(Clone, PartialEq, Serialize)]
pub struct Phone {
    /// Dictionary `PHONE_TYPE`.
    #[serde(rename = "type")]
    pub kind: PhoneType,
    /// `+380503410870`
    pub number: String,
}

/// Dictionary `PHONE_TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PhoneType {
    /// `MOBILE`
    Mobile,
    /// `LAND_LINE`
    LandLine,
}

impl PhoneType {
    /// The dictionary.
    pub const ALL: [PhoneType; 2] = [PhoneType::Mobile, PhoneType::LandLine];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            PhoneType::Mobile => "MOBILE",
            PhoneType::LandLine => "LAND_LINE",
        }
    }

    /// The type of a word.
    pub fn parse(word: &str) -> Option<PhoneType> {
        PhoneType::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// `ContactPoint.use` — <https://hl7.org/fhir/R4/valueset-contact-point-use.html>
    pub const fn contact_point_use(self) -> &'static str {
        match self {
            PhoneType::Mobile => "mobile",
            PhoneType::LandLine => "home",
        }
    }
}

/// What a request may say of a person. Every value has passed the schema, or equals what is stored.
#[derive(Clone, Default, PartialEq)]
pub struct Fields {
    /// See [`Preperson::external_id`].
    pub external_id: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Patronymic.
    pub second_name: Option<String>,
    /// `MALE` or `FEMALE`.
    pub gender: Option<String>,
    /// `YYYY-MM-DD`
    pub birth_date: Option<String>,
    /// `YYYY-MM-DD`
    pub death_date: Option<String>,
    /// Replaces the stored one whole.
    pub emergency_contact: Option<EmergencyContact>,
    /// Free text.
    pub note: Option<String>,
}

impl Fields {
    /// The fields of a body that has passed the schema.
    pub(super) fn of(body: &Object) -> Fields {
        let take = |property: &str| text(body, property).map(str::to_owned);
        Fields {
            external_id: take("external_id"),
            first_name: take("first_name"),
            last_name: take("last_name"),
            second_name: take("second_name"),
            gender: take("gender"),
            birth_date: take("birth_date"),
            death_date: take("death_date"),
            emergency_contact: body
                .get("emergency_contact")
                .and_then(Value::as_object)
                .map(EmergencyContact::of),
            note: take("note"),
        }
    }
}

impl EmergencyContact {
    fn of(contact: &Object) -> EmergencyContact {
        let take = |property: &str| text(contact, property).map(str::to_owned);
        EmergencyContact {
            first_name: take("first_name"),
            last_name: take("last_name"),
            second_name: take("second_name"),
            phones: objects(contact, "phones")
                .filter_map(|phone| {
                    Some(Phone {
                        kind: PhoneType::parse(text(phone, "type")?)?,
                        number: text(phone, "number")?.to_owned(),
                    })
                })
                .collect(),
        }
    }
}

// Persons do not print.
impl fmt::Debug for Preperson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Preperson({})", self.id)
    }
}

impl fmt::Debug for EmergencyContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmergencyContact({} phones)", self.phones.len())
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.kind.word())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields(…)")
    }
}
