//! Regulator accounts as the national access-to-care platform sends them.

use serde_json::{Value, json};

use super::{names, permute};
use crate::random::{Random, mix};

/// The system of the national identifier (type code `IDNPS`).
pub const NATIONAL_SYSTEM: &str = "urn:oid:1.2.250.1.71.4.2.1";
/// The system of the platform's technical identifier (type code `INTRN`).
pub const INTERNAL_SYSTEM: &str = "urn:oid:1.2.250.1.213.3.6";
/// The `meta.source` of an account.
pub const REGULATOR_SOURCE: &str = "urn:oid:1.2.250.1.213.3.6";
/// The profile of an account.
pub const REGULATOR_PROFILE: &str =
    "https://interop.esante.gouv.fr/ig/fhir/sas/StructureDefinition/FrPractitionerRegul";

const TYPE_SYSTEM: &str = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203";

/// Which of its identifiers a body carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrying {
    /// The technical and the national one.
    Both,
    /// The national one alone.
    National,
    /// The technical one alone.
    Technical,
}

/// One regulator's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The national identifier.
    pub national_id: String,
    /// The technical identifier, shaped like a UUID.
    pub technical_id: String,
    /// The family name.
    pub family: String,
    /// The given name.
    pub given: String,
    /// The e-mail address.
    pub email: String,
    /// False once the right is withdrawn.
    pub active: bool,
}

impl Account {
    /// The account of this number. Numbers below 10⁹ have national identifiers of their own.
    pub fn new(number: u64) -> Account {
        let random = &mut Random::new(mix(number ^ 0xacc0));
        let family = names::family(random);
        let given = if random.percent(50) {
            names::female(random)
        } else {
            names::male(random)
        };
        let spread = mix(number);
        let rest = random.bits();
        let technical_id = format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            spread >> 32,
            (spread >> 16) & 0xffff,
            rest & 0xfff,
            0x8000 | ((rest >> 12) & 0x3fff),
            ((spread & 0xffff) << 32) | (rest >> 32),
        );
        Account {
            national_id: format!("810{:09}", permute(number, 1_000_000_000)),
            technical_id,
            email: format!(
                "{}.{}{number}@regulation.example",
                names::plain(given),
                names::plain(&family)
            ),
            family,
            given: given.to_owned(),
            active: true,
        }
    }

    /// The resource with both identifiers, about 1.1 KB.
    pub fn json(&self) -> Value {
        self.carrying(Carrying::Both)
    }

    /// The resource with these identifiers.
    pub fn carrying(&self, carrying: Carrying) -> Value {
        let national = identifier(
            "IDNPS",
            "Identifiant national de professionnel",
            NATIONAL_SYSTEM,
            &self.national_id,
        );
        let technical = identifier(
            "INTRN",
            "Identifiant interne",
            INTERNAL_SYSTEM,
            &self.technical_id,
        );
        let identifiers = match carrying {
            Carrying::Both => vec![technical, national],
            Carrying::National => vec![national],
            Carrying::Technical => vec![technical],
        };
        json!({
            "resourceType": "Practitioner",
            "meta": { "source": REGULATOR_SOURCE, "profile": [REGULATOR_PROFILE] },
            "identifier": identifiers,
            "active": self.active,
            "name": [{
                "use": "official",
                "text": format!("{} {}", self.given, self.family),
                "family": self.family,
                "given": [self.given],
            }],
            "telecom": [{ "system": "email", "value": self.email, "use": "work" }],
        })
    }

    /// `identifier=<system>|<value>` of the national identifier, `|` unencoded.
    pub fn national_criterion(&self) -> String {
        format!("identifier={NATIONAL_SYSTEM}|{}", self.national_id)
    }

    /// `identifier=<system>|<value>` of the technical identifier, `|` unencoded.
    pub fn technical_criterion(&self) -> String {
        format!("identifier={INTERNAL_SYSTEM}|{}", self.technical_id)
    }

    /// With the right withdrawn.
    #[must_use]
    pub fn disabled(mut self) -> Account {
        self.active = false;
        self
    }
}

fn identifier(code: &str, display: &str, system: &str, value: &str) -> Value {
    json!({
        "use": "official",
        "type": {
            "coding": [{ "system": TYPE_SYSTEM, "code": code, "display": display }],
            "text": display,
        },
        "system": system,
        "value": value,
    })
}
