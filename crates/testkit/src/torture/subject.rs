//! What the clients of a race write: three kinds of resource, known by an identifier.

use serde_json::{Value, json};

use super::Named;
use crate::samples::{Account, INS_NIR_SYSTEM, LOCAL_SYSTEM, NATIONAL_SYSTEM, Patient};

/// A kind of resource, with who writes it and what it is known by. The same number is the same person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A regulator's account, known by its national identifier, written by the `sas` client.
    Account,
    /// An ordinary practitioner, known by an identifier that is no key.
    Practitioner,
    /// A patient, known by a hospital number that is no key.
    Patient,
    /// A patient, known by an identifier that one resource owns.
    Keyed(Key),
}

/// Why an identifier is a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Its system is built in for a partner's door.
    BuiltIn,
    /// It is a national health identity (INS-NIR).
    National,
    /// An operator has declared its system, see [`Key::DECLARED`].
    Declared,
}

/// The identifier system of ordinary practitioners in these rounds.
const DIRECTORY_SYSTEM: &str = "https://annuaire-des-tilleuls.example/praticien";
const BUILT_IN_SYSTEM: &str = "https://fhir-facade.example/ns/medicapp/nir-rang";
const IDENTIFIER_TYPES: &str = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203";

impl Key {
    /// Every kind of key.
    pub const ALL: [Key; 3] = [Key::BuiltIn, Key::National, Key::Declared];
    /// The system of [`Key::Declared`]: to be declared with `passerelle key-system add`.
    pub const DECLARED: &str = "https://hopital-des-tilleuls.example/numero-unique";
}

impl Subject {
    /// The kinds without a key of the FHIR door.
    pub const PLAIN: [Subject; 3] = [Subject::Account, Subject::Practitioner, Subject::Patient];

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Account => "account",
            Subject::Practitioner => "practitioner",
            Subject::Patient => "patient",
            Subject::Keyed(Key::BuiltIn) => "patient with a built-in key",
            Subject::Keyed(Key::National) => "patient with a national identity",
            Subject::Keyed(Key::Declared) => "patient with a declared key",
        }
    }

    /// The door whose client writes it.
    pub fn door(self) -> &'static str {
        match self {
            Subject::Account => "sas",
            Subject::Practitioner | Subject::Patient | Subject::Keyed(_) => "fhir",
        }
    }

    /// Its resource type.
    pub fn kind(self) -> &'static str {
        match self {
            Subject::Account | Subject::Practitioner => "Practitioner",
            Subject::Patient | Subject::Keyed(_) => "Patient",
        }
    }

    /// What number `number` is known by.
    pub fn named(self, number: u64) -> Named {
        let (system, value) = match self {
            Subject::Account => (NATIONAL_SYSTEM, Account::new(number).national_id),
            Subject::Practitioner => (DIRECTORY_SYSTEM, format!("P{number:08}")),
            Subject::Patient => (LOCAL_SYSTEM, Patient::new(number).local_id),
            Subject::Keyed(Key::BuiltIn) => (BUILT_IN_SYSTEM, format!("{}-1", Patient::new(number).nir)),
            Subject::Keyed(Key::National) => (INS_NIR_SYSTEM, Patient::new(number).nir),
            Subject::Keyed(Key::Declared) => (Key::DECLARED, format!("U{number:08}")),
        };
        Named {
            system: system.to_owned(),
            value,
        }
    }

    /// The resource of number `number`.
    pub fn body(self, number: u64) -> Value {
        let named = self.named(number);
        match self {
            Subject::Account => Account::new(number).json(),
            Subject::Practitioner => json!({
                "resourceType": "Practitioner",
                "identifier": [{ "system": named.system, "value": named.value }],
                "active": true,
                "name": [{ "family": Account::new(number).family, "given": ["Camille", "Dominique"] }],
                "telecom": [{ "system": "phone", "value": "+33102030405" }],
            }),
            Subject::Patient => Patient::new(number).json(),
            Subject::Keyed(Key::National) => Patient::new(number).with_national_identity(),
            Subject::Keyed(Key::BuiltIn | Key::Declared) => {
                let mut body = Patient::new(number).json();
                body["identifier"] = json!([{
                    "type": { "coding": [{ "system": IDENTIFIER_TYPES, "code": "PI" }] },
                    "system": named.system,
                    "value": named.value,
                }]);
                body
            }
        }
    }

    /// The same person under this family name: another content for the same identifier.
    pub fn body_called(self, number: u64, family: &str) -> Value {
        let mut body = self.body(number);
        body["name"][0]["family"] = json!(family);
        body
    }
}
