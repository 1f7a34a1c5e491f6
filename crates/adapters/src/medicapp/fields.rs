//! What a field of the doors may look like. Every check takes the JSON value (`null` for an absent one) and
//! says what is wrong with it; [`Faults`] collects that, so that one answer names all.

use std::fmt;

use fhir::time::TimeRange;
use serde_json::Value;

use super::{FutureBirth, Rules};
use crate::gender::Words;

/// Characters of a name, an externalId or a part of an address.
pub(super) const MAX_TEXT: usize = 255;
/// Characters of an e-mail address (RFC 5321 4.5.3.1.3, without the brackets).
const MAX_EMAIL: usize = 254;
/// Digits of an E.164 number behind its plus sign.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 2..=15;
/// Characters of the name of a trust space.
const MAX_SPACE: usize = 64;

/// One faulty field or parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its path in the body, or the parameter's name: `identificationKey.nir`.
    pub field: String,
    /// What is wrong and what to send; never the value.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

/// What a check says.
pub(super) type Checked<T> = Result<T, &'static str>;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults(Vec<Violation>);

impl Faults {
    /// The value, or a fault of this field.
    pub(super) fn take<T>(&mut self, field: &str, checked: Checked<T>) -> Option<T> {
        checked.map_err(|problem| self.add(field, problem)).ok()
    }

    /// One more fault.
    pub(super) fn add(&mut self, field: &str, problem: &str) {
        self.0.push(Violation {
            field: field.to_owned(),
            problem: problem.to_owned(),
        });
    }

    /// All of them, if there are any.
    pub(super) fn into_list(self) -> Option<Vec<Violation>> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

const REQUIRED: &str = "is required";
const NO_TEXT: &str = "must be a string";
const TOO_LONG: &str = "is longer than 255 characters";

/// A text that must be there.
fn required(value: &Value) -> Checked<&str> {
    optional(value)?.ok_or(REQUIRED)
}

/// A text or `null`.
pub(super) fn optional(value: &Value) -> Checked<Option<&str>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(NO_TEXT),
    }
}

fn is_longer(text: &str, limit: usize) -> bool {
    text.chars().nth(limit).is_some()
}

/// A first or last name: not blank, at most [`MAX_TEXT`] characters, kept as sent.
pub(super) fn name(value: &Value) -> Checked<&str> {
    let text = required(value)?;
    match text {
        _ if text.trim().is_empty() => Err("must not be blank"),
        _ if is_longer(text, MAX_TEXT) => Err(TOO_LONG),
        _ => Ok(text),
    }
}

/// A full date that exists and, unless the switch says otherwise, is not after today.
pub(super) fn birth_date<'v>(value: &'v Value, rules: &Rules<'_>) -> Checked<&'v str> {
    let text = required(value)?;
    if !is_full_date(text) {
        return Err("must be an existing date written YYYY-MM-DD");
    }
    if rules.switches.future_birth == FutureBirth::Refuse && text > rules.today {
        return Err("must not be after today");
    }
    Ok(text)
}

/// Whether it is `YYYY-MM-DD` and exists.
pub(super) fn is_full_date(text: &str) -> bool {
    text.len() == "YYYY-MM-DD".len() && TimeRange::parse(text).is_some()
}

/// The FHIR code of the cloud's gender, which is required.
pub(super) fn cloud_gender(value: &Value) -> Checked<&'static str> {
    let word = required(value)?;
    Words::MedicappCloud.to_fhir(word).ok_or("must be M, F or U")
}

/// The FHIR code of connect's gender.
pub(super) fn connect_gender(value: &Value) -> Checked<Option<&'static str>> {
    let Some(word) = optional(value)? else {
        return Ok(None);
    };
    let code = Words::MedicappConnect.to_fhir(word);
    code.map(Some).ok_or("must be M, F or O")
}

/// An e-mail address: one `@` between two texts, no blanks, at most [`MAX_EMAIL`] characters.
pub(super) fn email(value: &Value) -> Checked<Option<&str>> {
    let Some(text) = optional(value)? else {
        return Ok(None);
    };
    if is_longer(text, MAX_EMAIL) {
        return Err("is longer than 254 characters");
    }
    let fits = match text.split_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !text.contains(char::is_whitespace)
        }
        None => false,
    };
    if fits {
        Ok(Some(text))
    } else {
        Err("must be an e-mail address")
    }
}

/// A telephone number in E.164, never reformatted.
pub(super) fn phone(value: &Value) -> Checked<Option<&str>> {
    let Some(text) = optional(value)? else {
        return Ok(None);
    };
    let fits = text.strip_prefix('+').is_some_and(|digits| {
        PHONE_DIGITS.contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if fits {
        Ok(Some(text))
    } else {
        Err("must be a telephone number in E.164, such as +33612345678")
    }
}

/// An id of the partner's own: 1 to [`MAX_TEXT`] characters, byte for byte.
pub(super) fn external_id(value: &Value) -> Checked<Option<&str>> {
    match optional(value)? {
        Some(text) if text.trim().is_empty() => Err("must not be blank"),
        Some(text) if is_longer(text, MAX_TEXT) => Err(TOO_LONG),
        other => Ok(other),
    }
}

/// A part of an address; the empty text is one.
pub(super) fn address_part(value: &Value) -> Checked<Option<&str>> {
    match optional(value)? {
        Some(text) if !text.is_empty() && text.trim().is_empty() => Err("must not be blank"),
        Some(text) if is_longer(text, MAX_TEXT) => Err(TOO_LONG),
        other => Ok(other),
    }
}

/// The name of a trust space.
pub(super) fn trust_space(value: &Value) -> Checked<&str> {
    let text = required(value)?;
    let fits = (1..=MAX_SPACE).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fits {
        Ok(text)
    } else {
        Err("must be 1 to 64 letters, digits, _ or -")
    }
}
