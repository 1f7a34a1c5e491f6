//! What of a Patient tells people apart.

use std::fmt;

use serde_json::Value;

use super::Agreement;
use super::name::is_one_slip;
use crate::identifier::{self, Held, Identifier};
use crate::query::param::fold_string;
use crate::resource::Resource;
use crate::validate::regulator::TYPE_SYSTEMS;

/// The national identities, each with the code that makes an identifier of its system one (`patient-identity.md` 1).
const NATIONAL: [(&str, &[&str]); 4] = [
    ("urn:oid:1.2.250.1.213.1.4.8", &["INS-NIR"]),
    ("urn:oid:1.2.250.1.213.1.4.9", &["INS-NIA"]),
    ("urn:oid:1.2.250.1.213.1.4.10", &["INS-NIR-TEST", "INS-NIR"]),
    ("urn:oid:1.2.250.1.213.1.4.11", &["INS-NIR-DEMO", "INS-NIR"]),
];
/// The number under which a household is insured, and its type.
const SOCIAL_SECURITY: &str = "urn:oid:1.2.250.1.213.1.4.13";
const SHARED_CODE: &str = "NH";
const V2_TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
/// A patient number that a hospital gives: one person's, but a person may have two before they are merged.
const LOCAL_CODE: &str = "PI";
/// The digits of a telephone number that count: the rest is how the country is written.
const PHONE_DIGITS: usize = 9;

/// What of a Patient tells people apart, in a form that can be compared.
#[derive(Clone, Default)]
pub struct Traits {
    pub(super) families: Vec<String>,
    pub(super) givens: Vec<Vec<String>>,
    birth_date: Option<String>,
    gender: Option<String>,
    national: Vec<Identifier>,
    local: Vec<Identifier>,
    /// Other identifiers, of which nobody says that they are one person's alone.
    others: Vec<Identifier>,
    phones: Vec<String>,
    emails: Vec<String>,
    addresses: Vec<String>,
    birth_order: Option<i64>,
}

// It is a person: nothing of it reaches a log by `{:?}`.
impl fmt::Debug for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traits(…)")
    }
}

impl Traits {
    /// Those of a Patient.
    pub fn of(patient: &Resource) -> Traits {
        let mut traits = Traits {
            birth_date: text(patient.get("birthDate")),
            gender: text(patient.get("gender")).filter(|gender| gender != "unknown"),
            birth_order: patient.get("multipleBirthInteger").and_then(Value::as_i64),
            ..Traits::default()
        };
        for name in patient.list("name") {
            traits.add_name(name);
        }
        for held in identifier::of(patient) {
            if is_shared(&held) {
                continue;
            }
            let list = match (is_national(&held), held.has_type(&[V2_TYPES], LOCAL_CODE)) {
                (true, _) => &mut traits.national,
                (false, true) => &mut traits.local,
                (false, false) => &mut traits.others,
            };
            list.push(held.identifier);
        }
        for point in patient.list("telecom") {
            traits.add_point(point);
        }
        traits.addresses = patient.list("address").iter().filter_map(household).collect();
        traits
    }

    /// Whether there is anything to look for: a national or local number, or two of family, given, birth date, phone and
    /// e-mail address.
    pub fn is_enough(&self) -> bool {
        let known = [
            !self.families.is_empty(),
            !self.givens.is_empty(),
            self.birth_date.is_some(),
            !self.phones.is_empty(),
            !self.emails.is_empty(),
        ];
        !self.national.is_empty()
            || !self.local.is_empty()
            || !self.others.is_empty()
            || known.into_iter().filter(|known| *known).count() >= 2
    }

    /// All identifiers, the national ones first.
    pub fn identifiers(&self) -> impl Iterator<Item = &Identifier> {
        self.national.iter().chain(&self.local).chain(&self.others)
    }

    /// The family names, folded.
    pub fn families(&self) -> &[String] {
        &self.families
    }

    /// The usual given names, folded.
    pub fn usual_givens(&self) -> Vec<&str> {
        self.givens
            .iter()
            .filter_map(|list| list.first())
            .map(String::as_str)
            .collect()
    }

    /// The birth date, as it is written.
    pub fn birth_date(&self) -> Option<&str> {
        self.birth_date.as_deref()
    }

    /// E-mail addresses, folded, and the digits of phone numbers that count.
    pub fn points(&self) -> (&[String], &[String]) {
        (&self.emails, &self.phones)
    }

    /// Given names one by one, to be compared with family names.
    pub(super) fn given_words(&self) -> Vec<String> {
        self.givens.iter().map(|list| list.join(" ")).collect()
    }

    fn add_name(&mut self, name: &Value) {
        let family = text(name.get("family")).map(|family| fold_string(&family));
        if let Some(family) = family.filter(|family| !family.is_empty() && !self.families.contains(family)) {
            self.families.push(family);
        }
        let given: Vec<String> = name
            .get("given")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            // Several names in one text are several names.
            .flat_map(|text| {
                fold_string(text)
                    .split(' ')
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .filter(|given| !given.is_empty())
            .collect();
        if !given.is_empty() && !self.givens.contains(&given) {
            self.givens.push(given);
        }
    }

    fn add_point(&mut self, point: &Value) {
        let Some(value) = text(point.get("value")) else {
            return;
        };
        match point.get("system").and_then(Value::as_str) {
            Some("phone" | "sms") => {
                let digits: String = value.chars().filter(char::is_ascii_digit).collect();
                let start = digits.len().saturating_sub(PHONE_DIGITS);
                if let Some(counted) = digits
                    .get(start..)
                    .filter(|counted| counted.len() == PHONE_DIGITS)
                {
                    self.phones.push(counted.to_owned());
                }
            }
            Some("email") => self.emails.push(fold_string(&value)),
            _ => {}
        }
    }

    /// Whether both have one personal identifier.
    pub(super) fn shares_personal_identifier(&self, other: &Traits) -> bool {
        shares(&self.national, &other.national) || shares(&self.local, &other.local)
    }

    /// Whether something says that these are two people.
    pub(super) fn contradicts(&self, other: &Traits) -> bool {
        let other_order = self
            .birth_order
            .zip(other.birth_order)
            .is_some_and(|(one, other)| one != other);
        other_order
            || self.national.iter().any(|own| {
                let theirs = || other.national.iter().filter(|theirs| theirs.system == own.system);
                theirs().next().is_some() && theirs().all(|theirs| theirs.value != own.value)
            })
    }

    /// How many further traits agree: each kind counts once.
    pub(super) fn agreeing_traits(&self, other: &Traits) -> usize {
        [
            shares(&self.others, &other.others),
            shares(&self.phones, &other.phones),
            shares(&self.emails, &other.emails),
            shares(&self.addresses, &other.addresses),
        ]
        .into_iter()
        .filter(|agrees| *agrees)
        .count()
    }

    pub(super) fn gender_agreement(&self, other: &Traits) -> Agreement {
        match (&self.gender, &other.gender) {
            (Some(one), Some(other)) if one == other => Agreement::Same,
            (Some(_), Some(_)) => Agreement::Different,
            _ => Agreement::Unknown,
        }
    }

    pub(super) fn birth_agreement(&self, other: &Traits) -> Agreement {
        match (&self.birth_date, &other.birth_date) {
            (Some(one), Some(other)) => dates(one, other),
            _ => Agreement::Unknown,
        }
    }
}

/// Birth dates: equal, one less exact than the other, day and month exchanged, or one digit off.
fn dates(one: &str, other: &str) -> Agreement {
    if one == other {
        return Agreement::Same;
    }
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    if short.len() < long.len() {
        return if long.starts_with(short) {
            Agreement::Close
        } else {
            Agreement::Different
        };
    }
    let exchanged = |date: &str| {
        let mut parts = date.splitn(3, '-');
        Some(format!(
            "{}-{day}-{month}",
            parts.next()?,
            month = parts.next()?,
            day = parts.next()?
        ))
    };
    if exchanged(one).as_deref() == Some(other) || is_one_slip(one, other) {
        Agreement::Close
    } else {
        Agreement::Different
    }
}

/// Where somebody lives, exactly enough to be a household: postal code and the first line.
fn household(address: &Value) -> Option<String> {
    let line = address.get("line")?.as_array()?.first()?.as_str()?;
    let postal_code = address.get("postalCode")?.as_str()?;
    let letters = |text: &str| -> String {
        fold_string(text)
            .chars()
            .filter(|letter| letter.is_alphanumeric())
            .collect()
    };
    let line = letters(line);
    (!line.is_empty()).then(|| format!("{}|{line}", letters(postal_code)))
}

/// Whether the number may be a family's: nobody is found by it (`patient-identity.md` 1). The social-security number, and one
/// under the system of a national identity that is not typed as one.
pub fn is_shared(held: &Held<'_>) -> bool {
    let is_under = |(system, _): &(&str, &[&str])| held.identifier.system == *system;
    held.identifier.system == SOCIAL_SECURITY
        || held.has_type(&[V2_TYPES], SHARED_CODE)
        || held.has_type(&TYPE_SYSTEMS, SHARED_CODE)
        || (NATIONAL.iter().any(is_under) && !is_national(held))
}

fn is_national(held: &Held<'_>) -> bool {
    NATIONAL.iter().any(|(system, codes)| {
        held.identifier.system == *system && codes.iter().any(|code| held.has_type(&TYPE_SYSTEMS, code))
    })
}

fn shares<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.iter().any(|item| other.contains(item))
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().map(str::to_owned).filter(|text| !text.is_empty())
}
