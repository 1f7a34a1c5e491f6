//! French patients.

use serde_json::{Value, json};

use super::{names, permute};
use crate::random::{Random, mix};

/// The system of a local patient number (IPP) of an invented hospital.
pub const LOCAL_SYSTEM: &str = "https://hopital-des-tilleuls.example/ipp";
/// The system of the national health identity INS-NIR.
pub const INS_NIR_SYSTEM: &str = "urn:oid:1.2.250.1.213.1.4.8";

const TYPE_SYSTEM: &str = "http://interopsante.org/fhir/CodeSystem/fr-v2-0203";
const V2_TYPE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";

/// One patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    /// The local number, system [`LOCAL_SYSTEM`].
    pub local_id: String,
    /// The 15 characters of the NIR, key included; sex, year and month agree with the rest.
    pub nir: String,
    /// The family name.
    pub family: String,
    /// The given names.
    pub given: Vec<String>,
    /// `female` or `male`.
    pub gender: &'static str,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    /// The mobile number.
    pub phone: String,
    /// The street line of the address.
    pub line: String,
    /// The postcode of the address.
    pub postcode: &'static str,
    /// The town of the address.
    pub town: &'static str,
    /// The person to be told in an emergency.
    pub contact: String,
}

/// Sexes × years × months × departments × communes × order numbers: without a factor 3, see `permute`.
const NIR_RADICES: [u64; 6] = [2, 100, 10, 95, 500, 950];

impl Patient {
    /// The patient of this number. Numbers below 9 × 10¹⁰ have local numbers and NIRs of their own.
    pub fn new(number: u64) -> Patient {
        let random = &mut Random::new(mix(number ^ 0x9a71));
        let mut rest = permute(number, NIR_RADICES.iter().product());
        let [sex, year, month, department, commune, order] = NIR_RADICES.map(|radix| {
            let digit = rest % radix;
            rest /= radix;
            digit
        });
        let female = sex == 1;
        // 1 to 10: every birth date of these samples lies in January to October.
        let (month, department) = (month + 1, if department + 1 == 20 { 96 } else { department + 1 });
        let first = format!(
            "{}{year:02}{month:02}{department:02}{:03}{:03}",
            if female { 2 } else { 1 },
            commune + 1,
            order + 1
        );
        let century = if year > 26 { 1900 } else { 2000 };
        let name = |random: &mut Random| {
            if female {
                names::female(random)
            } else {
                names::male(random)
            }
        };
        let given = (0..=random.below(2)).map(|_| name(random).to_owned()).collect();
        let (line, postcode, town) = names::address(random);
        Patient {
            local_id: format!("IPP{number:010}"),
            nir: format!("{first}{:02}", nir_key(&first)),
            family: names::family_of(number, random),
            given,
            gender: if female { "female" } else { "male" },
            birth_date: format!("{}-{month:02}-{:02}", century + year, random.between(1, 28)),
            phone: format!("+336{:08}", random.below(100_000_000)),
            line,
            postcode,
            town,
            contact: format!("{} {}", names::male(random), names::family(random)),
        }
    }

    /// The resource with the local number alone, about 1.9 KB.
    pub fn json(&self) -> Value {
        self.with_identifiers(json!([self.local_identifier()]))
    }

    /// The resource with the local number and a qualified national identity.
    pub fn with_national_identity(&self) -> Value {
        let national = json!({
            "use": "official",
            "type": { "coding": [{ "system": TYPE_SYSTEM, "code": "INS-NIR", "display": "NIR définitif" }] },
            "system": INS_NIR_SYSTEM,
            "value": self.nir,
        });
        self.with_identifiers(json!([self.local_identifier(), national]))
    }

    /// `identifier=<system>|<value>` of the local number, `|` unencoded.
    pub fn local_criterion(&self) -> String {
        format!("identifier={LOCAL_SYSTEM}|{}", self.local_id)
    }

    fn local_identifier(&self) -> Value {
        json!({
            "use": "usual",
            "type": {
                "coding": [{ "system": V2_TYPE_SYSTEM, "code": "PI", "display": "Patient internal identifier" }],
                "text": "IPP",
            },
            "system": LOCAL_SYSTEM,
            "value": self.local_id,
            "assigner": { "display": "Hôpital des Tilleuls" },
        })
    }

    fn with_identifiers(&self, identifiers: Value) -> Value {
        json!({
            "resourceType": "Patient",
            "language": "fr-FR",
            "extension": [{
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                "valueAddress": { "city": self.town, "postalCode": self.postcode, "country": "FRA" },
            }],
            "identifier": identifiers,
            "active": true,
            "name": [
                { "use": "official", "text": format!("{} {}", self.given.join(" "), self.family),
                  "family": self.family, "given": self.given },
                { "use": "usual", "family": self.family, "given": [self.given[0]] },
            ],
            "telecom": [
                { "system": "phone", "value": self.phone, "use": "mobile", "rank": 1 },
                { "system": "email", "use": "home",
                  "value": format!("{}.{}@courriel.example", names::plain(&self.given[0]), names::plain(&self.family)) },
            ],
            "gender": self.gender,
            "birthDate": self.birth_date,
            "deceasedBoolean": false,
            "address": [{
                "use": "home", "type": "both",
                "text": format!("{}, {} {}", self.line, self.postcode, self.town),
                "line": [self.line], "city": self.town, "postalCode": self.postcode, "country": "FRA",
                "period": { "start": "2019-09-01" },
            }],
            "maritalStatus": {
                "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M", "display": "Married" }],
            },
            "contact": [{
                "relationship": [{
                    "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "C", "display": "Emergency Contact" }],
                    "text": "Personne à prévenir",
                }],
                "name": { "text": self.contact },
                "telecom": [{ "system": "phone", "value": self.phone, "use": "home" }],
                "address": { "line": [self.line], "city": self.town, "postalCode": self.postcode },
            }],
            "communication": [{
                "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "fr-FR", "display": "French (France)" }] },
                "preferred": true,
            }],
            "managingOrganization": { "display": "Hôpital des Tilleuls", "type": "Organization" },
        })
    }
}

/// The key of the first 13 characters of a NIR, 1 to 97.
///
/// # Panics
/// When they are no NIR.
pub fn nir_key(first: &str) -> u64 {
    let digits = first.replacen("2A", "19", 1).replacen("2B", "18", 1);
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("{first} is no NIR"));
    97 - number % 97
}
