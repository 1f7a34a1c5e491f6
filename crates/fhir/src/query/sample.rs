//! Resources and query strings made from a seed, for tests that compare the SQL with [`super::matcher`].
//!
//! Both draw from one small vocabulary, so that matches are frequent, and the vocabulary is made of what
//! breaks SQL and parsers: wildcards, quotes, separators, accents. The same seed makes the same sample.

#![allow(
    clippy::indexing_slicing,
    reason = "only properties of JSON objects made here are assigned by index: that cannot panic"
)]

mod searching;
mod words;

use serde_json::{Map, Value, json};

use super::encoding::encode;
use super::param::{DEFINITIONS, Definition, ParamType, SearchParam};
use super::value::escape;
use crate::id::Id;
use crate::resource::{Resource, ResourceType};
use crate::time::{MICROS_PER_DAY, Timestamp};

use words::*;

pub use searching::{search_string, system_string};

/// The generator splitmix64: tiny, and the same on every machine.
struct Dice(u64);

impl Dice {
    /// The seed of a purpose: resources and queries of the same seed must not go together.
    fn new(seed: u64, purpose: u64) -> Dice {
        let mut dice = Dice(seed ^ purpose.wrapping_mul(0xA076_1D64_78BD_642F));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words.get(self.below(words.len())).copied().unwrap_or("x")
    }

    /// Up to `most` items.
    fn some(&mut self, most: usize, mut item: impl FnMut(&mut Dice) -> Value) -> Vec<Value> {
        (0..self.below(most + 1)).map(|_| item(self)).collect()
    }
}

/// A point in time that the samples are about.
pub fn now() -> Timestamp {
    // 2026-11-21T03:34:00Z
    Timestamp::from_micros(1_795_232_040_000_000)
}

/// An id of the vocabulary; few, so several seeds share one.
#[allow(
    clippy::expect_used,
    reason = "the vocabulary is constant, and a test reads it whole"
)]
pub fn id(seed: u64) -> Id {
    Id::parse(Dice::new(seed, 1).pick(IDS)).expect("IDS holds ids")
}

/// A time of last change: within a few days before [`now`], to the microsecond.
pub fn updated(seed: u64) -> Timestamp {
    let mut dice = Dice::new(seed, 2);
    let days = dice.below(4) as i64;
    let micros = if dice.chance(50) {
        0
    } else {
        dice.below(86_400_000_000) as i64
    };
    Timestamp::from_micros(now().micros() - days * MICROS_PER_DAY - micros)
}

/// A Patient or Practitioner without `id`. Well-formed, not always valid.
pub fn resource(seed: u64) -> Resource {
    let mut dice = Dice::new(seed, 3);
    let kind = if dice.chance(60) {
        ResourceType::Patient
    } else {
        ResourceType::Practitioner
    };
    let mut tree = Map::new();
    let mut put = |property: &str, items: Vec<Value>| {
        if !items.is_empty() {
            tree.insert(property.to_owned(), Value::Array(items));
        }
    };
    put("identifier", dice.some(3, identifier));
    put("name", dice.some(2, name));
    put("telecom", dice.some(2, contact));
    put("address", dice.some(2, address));
    match kind {
        ResourceType::Patient => {
            put(
                "communication",
                dice.some(2, |dice| json!({ "language": language(dice) })),
            );
            put("generalPractitioner", dice.some(2, reference));
            put(
                "link",
                dice.some(1, |dice| json!({ "other": reference(dice), "type": "seealso" })),
            );
            put("extension", dice.some(1, maiden_name));
        }
        ResourceType::Practitioner => put("communication", dice.some(2, language)),
    }
    scalars(&mut dice, kind, &mut tree);
    Resource::from_guarded(kind, tree)
}

fn scalars(dice: &mut Dice, kind: ResourceType, tree: &mut Map<String, Value>) {
    let mut put = |property: &str, value: Value| drop(tree.insert(property.to_owned(), value));
    if dice.chance(70) {
        put("active", dice.chance(50).into());
    }
    if dice.chance(70) {
        put("gender", dice.pick(GENDERS).into());
    }
    if dice.chance(50) {
        put("meta", meta(dice));
    }
    if dice.chance(70) {
        put("birthDate", dice.pick(DATES).into());
    }
    if kind == ResourceType::Practitioner {
        return;
    }
    match dice.below(5) {
        0 => put("deceasedBoolean", true.into()),
        1 => put("deceasedBoolean", false.into()),
        2 => put("deceasedDateTime", dice.pick(DATES).into()),
        3 => put("deceasedDateTime", dice.pick(TIMES).into()),
        _ => {}
    }
    if dice.chance(40) {
        put("managingOrganization", reference(dice));
    }
}

fn meta(dice: &mut Dice) -> Value {
    let mut meta = json!({ "source": dice.pick(SYSTEMS) });
    if dice.chance(50) {
        meta["profile"] = json!([dice.pick(PROFILES)]);
    }
    if dice.chance(50) {
        meta["tag"] = json!([{ "system": dice.pick(SYSTEMS), "code": dice.pick(VALUES) }]);
    }
    if dice.chance(50) {
        meta["security"] = json!([{ "code": dice.pick(VALUES) }]);
    }
    meta
}

fn identifier(dice: &mut Dice) -> Value {
    let mut identifier = json!({ "value": dice.pick(VALUES) });
    if dice.chance(85) {
        identifier["system"] = dice.pick(SYSTEMS).into();
    }
    if dice.chance(50) {
        identifier["type"] = json!({ "coding": [{ "system": TYPE_SYSTEM, "code": dice.pick(TYPES) }] });
    }
    if dice.chance(20) {
        identifier["type"] = json!({ "text": dice.pick(CITIES) });
    }
    identifier
}

fn name(dice: &mut Dice) -> Value {
    let mut name = json!({ "family": dice.pick(FAMILIES), "given": [dice.pick(GIVENS)] });
    if dice.chance(30) {
        name["given"] = json!([dice.pick(GIVENS), null, dice.pick(GIVENS)]);
    }
    if dice.chance(20) {
        name["prefix"] = json!(["Dr"]);
    }
    if dice.chance(20) {
        name["text"] = dice.pick(FAMILIES).into();
    }
    name
}

fn contact(dice: &mut Dice) -> Value {
    match dice.below(3) {
        0 => json!({ "system": "phone", "value": dice.pick(PHONES) }),
        1 => json!({ "system": "email", "value": dice.pick(EMAILS) }),
        _ => json!({ "system": "fax", "value": dice.pick(PHONES) }),
    }
}

fn address(dice: &mut Dice) -> Value {
    let mut address = json!({ "city": dice.pick(CITIES), "country": dice.pick(&["FR", "BE", "UA"]) });
    if dice.chance(50) {
        address["use"] = dice.pick(&["home", "work"]).into();
    }
    if dice.chance(30) {
        address["line"] = json!(["1 rue de Paris"]);
        address["postalCode"] = dice.pick(&["69003", "75001", "2A004"]).into();
        address["state"] = dice.pick(CITIES).into();
    }
    address
}

fn language(dice: &mut Dice) -> Value {
    let mut language = json!({ "coding": [{ "system": LANGUAGE_SYSTEM, "code": dice.pick(LANGUAGES) }] });
    if dice.chance(30) {
        language["text"] = dice.pick(CITIES).into();
    }
    if dice.chance(30) {
        language["coding"] =
            json!([{ "display": dice.pick(CITIES) }, { "code": "fr", "display": dice.pick(CITIES) }]);
    }
    language
}

fn maiden_name(dice: &mut Dice) -> Value {
    json!({
        "url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName",
        "valueString": dice.pick(FAMILIES),
    })
}

fn reference(dice: &mut Dice) -> Value {
    let identifier = |dice: &mut Dice| json!({ "system": dice.pick(SYSTEMS), "value": dice.pick(VALUES) });
    match dice.below(5) {
        4 => json!({ "reference": dice.pick(REFERENCES), "display": dice.pick(CITIES) }),
        0 => json!({ "identifier": identifier(dice) }),
        1 => json!({ "reference": dice.pick(REFERENCES), "identifier": identifier(dice) }),
        _ => json!({ "reference": dice.pick(REFERENCES) }),
    }
}

/// A query string of one to three parameters that [`super::parse::search`] accepts under strict handling.
pub fn query_string(seed: u64, kind: ResourceType) -> String {
    let mut dice = Dice::new(seed, 4);
    let rows: Vec<&Definition> = DEFINITIONS.iter().filter(|row| row.on.contains(&kind)).collect();
    let parameters: Vec<String> = (0..1 + dice.below(3))
        .filter_map(|_| {
            rows.get(dice.below(rows.len()))
                .map(|row| parameter(&mut dice, row))
        })
        .collect();
    parameters.join("&")
}

fn parameter(dice: &mut Dice, row: &Definition) -> String {
    if !row.index.is_empty() && dice.chance(10) {
        return format!("{}:missing={}", row.name, dice.pick(&["true", "false"]));
    }
    let modifier = modifier(dice, row);
    let alternatives: Vec<String> = (0..1 + dice.below(2))
        .map(|_| alternative(dice, row, modifier))
        .collect();
    format!("{}{modifier}={}", row.name, encode(&alternatives.join(",")))
}

fn modifier(dice: &mut Dice, row: &Definition) -> &'static str {
    match (row.kind, row.param) {
        (_, SearchParam::Id) => "",
        (ParamType::Token, SearchParam::Identifier) => dice.pick(&["", "", ":not", ":of-type", ":text"]),
        (ParamType::Token, SearchParam::Language | SearchParam::Communication) => {
            dice.pick(&["", ":not", ":text"])
        }
        (ParamType::Token, _) => dice.pick(&["", "", ":not"]),
        (ParamType::String, _) => dice.pick(&["", "", ":contains", ":exact"]),
        (ParamType::Reference, SearchParam::GeneralPractitioner) => {
            dice.pick(&["", ":identifier", ":Practitioner", ":text"])
        }
        (ParamType::Reference, _) => dice.pick(&["", ":identifier", ":text"]),
        (ParamType::Date | ParamType::Uri, _) => "",
    }
}

fn alternative(dice: &mut Dice, row: &Definition, modifier: &str) -> String {
    match (row.kind, modifier) {
        (_, ":of-type") => format!(
            "{TYPE_SYSTEM}|{}|{}",
            escape(dice.pick(TYPES)),
            escape(dice.pick(VALUES))
        ),
        (_, ":text") => escape(&beginning(dice, CITIES)),
        (_, ":identifier") => token(dice, SYSTEMS, VALUES),
        (_, ":Practitioner") => dice.pick(IDS).to_owned(),
        (ParamType::Token, _) => token_of(dice, row.param),
        (ParamType::String, _) => escape(&part_of(dice, row.param)),
        (ParamType::Date, _) => {
            let prefix = dice.pick(&["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]);
            format!("{prefix}{}", date(dice, row.param))
        }
        (ParamType::Reference, _) => dice
            .pick(&[
                "p1",
                "p2",
                "Practitioner/p1",
                "Organization/p1",
                "https://example.org/fhir/Practitioner/p1",
            ])
            .to_owned(),
        (ParamType::Uri, _) if row.param == SearchParam::Profile => escape(dice.pick(PROFILES)),
        (ParamType::Uri, _) => escape(dice.pick(SYSTEMS)),
    }
}

/// One of the four forms.
fn token(dice: &mut Dice, systems: &[&'static str], codes: &[&'static str]) -> String {
    let (system, code) = (escape(dice.pick(systems)), escape(dice.pick(codes)));
    match dice.below(5) {
        0 => code,
        1 => format!("|{code}"),
        2 => format!("{system}|"),
        _ => format!("{system}|{code}"),
    }
}

fn token_of(dice: &mut Dice, param: SearchParam) -> String {
    match param {
        SearchParam::Id => dice.pick(IDS).to_owned(),
        SearchParam::Active | SearchParam::Deceased => dice.pick(&["true", "false"]).to_owned(),
        SearchParam::Gender => token(dice, &["http://hl7.org/fhir/administrative-gender"], GENDERS),
        SearchParam::AddressUse => token(
            dice,
            &["http://hl7.org/fhir/address-use"],
            &["home", "work", "temp"],
        ),
        SearchParam::Phone => dice.pick(PHONES).to_owned(),
        SearchParam::Email => dice.pick(EMAILS).to_owned(),
        SearchParam::Telecom if dice.chance(50) => dice.pick(PHONES).to_owned(),
        SearchParam::Telecom => dice.pick(EMAILS).to_owned(),
        SearchParam::Language | SearchParam::Communication => token(dice, &[LANGUAGE_SYSTEM], LANGUAGES),
        _ => token(dice, SYSTEMS, VALUES),
    }
}

/// A word of the vocabulary, or its beginning.
fn part_of(dice: &mut Dice, param: SearchParam) -> String {
    let word = match param {
        SearchParam::Given => dice.pick(GIVENS),
        SearchParam::Name if dice.chance(50) => dice.pick(GIVENS),
        SearchParam::Family | SearchParam::Name | SearchParam::MothersMaidenName => dice.pick(FAMILIES),
        SearchParam::AddressCountry => dice.pick(&["FR", "be", "U"]),
        SearchParam::AddressPostalCode => dice.pick(&["69003", "75", "2a"]),
        _ => dice.pick(CITIES),
    };
    cut(dice, word)
}

fn beginning(dice: &mut Dice, words: &[&'static str]) -> String {
    let word = dice.pick(words);
    cut(dice, word)
}

/// A word, or its beginning.
fn cut(dice: &mut Dice, word: &str) -> String {
    let length = if dice.chance(50) {
        word.chars().count()
    } else {
        1 + dice.below(4)
    };
    word.chars().take(length).collect::<String>().trim().to_owned()
}

fn date(dice: &mut Dice, param: SearchParam) -> String {
    match param {
        SearchParam::LastUpdated => {
            let at = updated(dice.next()).to_instant();
            let length = if dice.chance(50) { 10 } else { at.len() };
            let text: String = at.chars().take(length).collect();
            text
        }
        SearchParam::DeathDate if dice.chance(40) => dice.pick(TIMES).to_owned(),
        _ => dice.pick(DATES).to_owned(),
    }
}
