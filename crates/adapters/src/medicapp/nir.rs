//! The identificationKey of SESAM-Vitale: a NIR and the rank of the beneficiary (`adapters.md` 3.5). From rank
//! 02 on the NIR is the insured person's, not the patient's.

use std::fmt;

use fhir::validate::nir::{self, Verdict};
use serde_json::Value;

use super::fields::{Checked, Faults, optional};

/// Characters of a NIR without its key.
const BODY: usize = 13;

/// A NIR of 13 characters, or of 15 with the right key; in upper case, else as sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Nir(String);

// A NIR never reaches a log by `{:?}`.
impl fmt::Debug for Nir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nir(…)")
    }
}

impl Nir {
    /// Reads a NIR.
    ///
    /// # Errors
    /// What is wrong with it, without the number.
    pub fn parse(text: &str) -> Result<Nir, &'static str> {
        let upper = text.to_ascii_uppercase();
        match nir::check(&upper) {
            Verdict::Right | Verdict::WithoutKey => Ok(Nir(upper)),
            Verdict::WrongKey { .. } => Err("has a wrong control key (its last two digits)"),
            Verdict::NoNir => Err("must be a NIR of 13 characters, or of 15 with its control key"),
        }
    }

    /// As it was sent, in upper case.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The 13 characters that say who is meant.
    pub fn body(&self) -> &str {
        self.0.get(..BODY).unwrap_or(&self.0)
    }

    /// The 15 characters.
    pub fn with_key(&self) -> String {
        match nir::key(self.body()) {
            Some(key) => format!("{}{key:02}", self.body()),
            None => self.0.clone(),
        }
    }
}

/// The rank of a beneficiary, 1 to 99, written with two digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rang(u8);

impl Rang {
    /// The insured person.
    pub const INSURED: Rang = Rang(1);

    /// Reads one or two digits.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Rang, &'static str> {
        let plain = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = plain.then(|| text.parse().ok()).flatten();
        number
            .filter(|number| *number > 0)
            .map(Rang)
            .ok_or("must be a string of two digits, 01 to 99")
    }
}

impl fmt::Display for Rang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// NIR and rank as a partner sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The NIR.
    pub nir: Nir,
    /// The rank; without it the key finds nobody.
    pub rang: Option<Rang>,
}

impl Key {
    /// The value of the nir-rang identifier: `1881103750016-01`. `None` without rank.
    pub fn composite(&self) -> Option<String> {
        let rang = self.rang?;
        Some(format!("{}-{rang}", self.nir.body()))
    }

    /// Reads `identificationKey`; `null`, `{}` and one of nothing but `null`s are none.
    pub(super) fn read(value: &Value, faults: &mut Faults) -> Option<Key> {
        let object = match value {
            Value::Null => return None,
            Value::Object(object) => object,
            _ => {
                faults.add("identificationKey", "must be an object of nir and rang");
                return None;
            }
        };
        let part = |name: &str| object.get(name).unwrap_or(&Value::Null);
        Key::of_parts(
            ("identificationKey.nir", optional(part("nir"))),
            ("identificationKey.rang", optional(part("rang"))),
            faults,
        )
    }

    /// Reads the two parts, each with the name of its field.
    pub(super) fn of_parts(
        (nir_field, nir): (&str, Checked<Option<&str>>),
        (rang_field, rang): (&str, Checked<Option<&str>>),
        faults: &mut Faults,
    ) -> Option<Key> {
        let is_alone = matches!((&nir, &rang), (Ok(None), Ok(Some(_))));
        if is_alone {
            faults.add(nir_field, "is required with a rang");
        }
        let nir = faults.take(nir_field, nir.and_then(|text| text.map(Nir::parse).transpose()));
        let rang = faults.take(
            rang_field,
            rang.and_then(|text| text.map(Rang::parse).transpose()),
        );
        Some(Key {
            nir: nir??,
            rang: rang?,
        })
    }
}
