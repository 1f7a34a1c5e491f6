//! The rules of a body (`adapters.md` 2.3, 2.6). All that are broken are collected, in the order of the schema;
//! properties that the schema does not know come last, as they were sent.

use serde_json::Value;

use super::date;
use super::error::{Fault, Rule, Violation};
use super::wire::Fields;
use super::{ArrayPath, Body, Names, PatchNote, Pattern, Switches};
use crate::tree::Object;

/// Characters (Unicode code points) of a name or an external id.
pub const MAX_NAME: usize = 255;
/// Characters (Unicode code points) of a note.
pub const MAX_NOTE: usize = 4000;
/// Broken rules that one refusal lists; the rest shows when these are mended.
pub const MAX_VIOLATIONS: usize = 100;

const PHONE: &str = r"^\+38[0-9]{10}$";
const EXTERNAL_ID: &str = r"^[0-9]{8,10}\.[0-9]{8,10}\.[0-9]{1,10}$";
const UKRAINIAN: &str = r"^[А-ЩЬЮЯҐЄІЇа-щьюяґєії'’ʼ\- ]+$";
const NOT_BLANK: &str = r"\S";
const GENDER: &[&str] = &["MALE", "FEMALE"];
const PHONE_TYPE: &[&str] = &["MOBILE", "LAND_LINE"];

const CREATE: &[&str] = &[
    "external_id",
    "first_name",
    "last_name",
    "second_name",
    "gender",
    "birth_date",
    "emergency_contact",
    "note",
];
const UPDATE: &[&str] = &[
    "external_id",
    "first_name",
    "last_name",
    "second_name",
    "gender",
    "birth_date",
    "death_date",
    "emergency_contact",
    "note",
];
const CONTACT: &[&str] = &["first_name", "last_name", "second_name", "phones"];

/// The body of a POST.
pub(super) fn create(body: &Body, switches: &Switches) -> Result<Fields, Fault> {
    let object = body.object()?;
    let mut collector = Collector::new(switches);
    for property in CREATE {
        match (object.get(*property), *property) {
            (None, "external_id" | "gender") => collector.required("$", property),
            (None, _) => {}
            (Some(value), _) => collector.property(property, value),
        }
    }
    collector.additional("$", object, CREATE);
    collector.end().map(|()| Fields::of(object))
}

/// The body of a PATCH. `shown` is what is read of the stored person now: what equals it is not judged again,
/// so that whatever stands in the registry can be sent back.
pub(super) fn update(body: &Body, shown: &Object, switches: &Switches) -> Result<Fields, Fault> {
    let object = body.object()?;
    let mut collector = Collector::new(switches);
    if object.is_empty() {
        collector.add("$".to_owned(), Rule::TooShort { min: 1, actual: 0 });
    }
    for property in UPDATE {
        let Some(value) = object.get(*property) else {
            continue;
        };
        if !value.is_null() && shown.get(*property) == Some(value) {
            continue;
        }
        let before = collector.violations.len();
        collector.property(property, value);
        let is_sound = collector.violations.len() == before;
        if is_sound && *property == "note" && switches.patch_note == PatchNote::SameOr422 {
            let description = "Note can not be updated";
            collector.add("$.note".to_owned(), Rule::Invalid { description });
        }
    }
    collector.additional("$", object, UPDATE);
    collector.end()?;
    let mut fields = Fields::of(object);
    if switches.patch_note != PatchNote::Allow {
        fields.note = None;
    }
    Ok(fields)
}

/// The JSON type of a value, in the words of JSON Schema.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.to_string().contains(['.', 'e', 'E']) => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

struct Collector<'s> {
    switches: &'s Switches,
    violations: Vec<Violation>,
}

impl Collector<'_> {
    fn new(switches: &Switches) -> Collector<'_> {
        Collector {
            switches,
            violations: Vec::new(),
        }
    }

    fn end(self) -> Result<(), Fault> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(Fault::Invalid(self.violations))
        }
    }

    fn add(&mut self, entry: String, rule: Rule) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation { entry, rule });
        }
    }

    fn required(&mut self, parent: &str, property: &'static str) {
        self.add(format!("{parent}.{property}"), Rule::Required { property });
    }

    fn additional(&mut self, parent: &str, object: &Object, known: &[&str]) {
        for (property, value) in object {
            if !known.contains(&property.as_str()) {
                let rule = Rule::Schema {
                    property: property.clone(),
                    actual: type_of(value),
                };
                self.add(format!("{parent}.{property}"), rule);
            }
        }
    }

    fn property(&mut self, property: &str, value: &Value) {
        let entry = format!("$.{property}");
        match property {
            "external_id" => self.external_id(entry, value),
            "gender" => self.word(entry, value, GENDER),
            "birth_date" | "death_date" => self.day(entry, value),
            "emergency_contact" => self.contact(&entry, value),
            "note" => self.text(entry, value, MAX_NOTE),
            _ => self.name(entry, value),
        }
    }

    fn external_id(&mut self, entry: String, value: &Value) {
        self.text(entry.clone(), value, MAX_NAME);
        let Some(text) = value.as_str() else { return };
        if self.switches.external_id_pattern == Pattern::Enforced && !is_edrpou_form(text) {
            let pattern = EXTERNAL_ID;
            self.add(entry, Rule::Format { pattern });
        }
    }

    fn name(&mut self, entry: String, value: &Value) {
        self.text(entry.clone(), value, MAX_NAME);
        let Some(text) = value.as_str() else { return };
        let is_foreign = text.chars().any(|character| !is_ukrainian(character));
        if self.switches.strict_names == Names::Ukrainian && is_foreign {
            self.add(entry, Rule::Format { pattern: UKRAINIAN });
        }
    }

    /// A text of 1 to `max` characters that is not blank.
    fn text(&mut self, entry: String, value: &Value, max: usize) {
        let Some(text) = self.string(&entry, value) else {
            return;
        };
        let actual = text.chars().count();
        if actual == 0 {
            self.add(entry, Rule::TooShort { min: 1, actual });
        } else if actual > max {
            self.add(entry, Rule::TooLong { max, actual });
        } else if text.chars().all(char::is_whitespace) {
            self.add(entry, Rule::Format { pattern: NOT_BLANK });
        }
    }

    fn word(&mut self, entry: String, value: &Value, values: &'static [&'static str]) {
        let Some(text) = self.string(&entry, value) else {
            return;
        };
        if !values.contains(&text) {
            self.add(entry, Rule::Inclusion { values });
        }
    }

    fn day(&mut self, entry: String, value: &Value) {
        let Some(text) = self.string(&entry, value) else {
            return;
        };
        if let Err(rule) = date::check(text) {
            self.add(entry, rule);
        }
    }

    fn contact(&mut self, entry: &str, value: &Value) {
        let Some(contact) = value.as_object() else {
            return self.cast(entry, value, "object");
        };
        for property in CONTACT {
            let place = format!("{entry}.{property}");
            match (contact.get(*property), *property) {
                (None, "second_name") => {}
                (None, _) => self.required(entry, property),
                (Some(value), "phones") => self.phones(&place, value),
                (Some(value), _) => self.name(place, value),
            }
        }
        self.additional(entry, contact, CONTACT);
    }

    fn phones(&mut self, entry: &str, value: &Value) {
        let Some(phones) = value.as_array() else {
            return self.cast(entry, value, "array");
        };
        if phones.is_empty() {
            self.add(entry.to_owned(), Rule::TooShort { min: 1, actual: 0 });
        }
        let mut seen = Vec::new();
        for (position, phone) in phones.iter().enumerate() {
            if self.violations.len() >= MAX_VIOLATIONS {
                return;
            }
            let place = match self.switches.array_path {
                ArrayPath::Dotted => format!("{entry}.[{position}]"),
                ArrayPath::Bracket => format!("{entry}[{position}]"),
            };
            self.phone(&place, phone, &mut seen);
        }
    }

    fn phone<'v>(&mut self, entry: &str, value: &'v Value, seen: &mut Vec<&'v str>) {
        let Some(phone) = value.as_object() else {
            return self.cast(entry, value, "object");
        };
        match phone.get("type") {
            None => self.required(entry, "type"),
            Some(value) => {
                let place = format!("{entry}.type");
                self.word(place.clone(), value, PHONE_TYPE);
                let word = value.as_str().filter(|word| PHONE_TYPE.contains(word));
                match word {
                    Some(word) if seen.contains(&word) => {
                        let description = "No duplicate values.";
                        self.add(place, Rule::Invalid { description });
                    }
                    Some(word) => seen.push(word),
                    None => {}
                }
            }
        }
        match phone.get("number") {
            None => self.required(entry, "number"),
            Some(value) => {
                let place = format!("{entry}.number");
                if let Some(text) = self.string(&place, value)
                    && !is_phone(text)
                {
                    self.add(place, Rule::Format { pattern: PHONE });
                }
            }
        }
        self.additional(entry, phone, &["type", "number"]);
    }

    fn string<'v>(&mut self, entry: &str, value: &'v Value) -> Option<&'v str> {
        let text = value.as_str();
        if text.is_none() {
            self.cast(entry, value, "string");
        }
        text
    }

    fn cast(&mut self, entry: &str, value: &Value, expected: &'static str) {
        let actual = type_of(value);
        self.add(entry.to_owned(), Rule::Cast { expected, actual });
    }
}

/// [`PHONE`]
fn is_phone(text: &str) -> bool {
    text.strip_prefix("+38")
        .is_some_and(|digits| is_digits(digits, 10, 10))
}

/// [`EXTERNAL_ID`]
fn is_edrpou_form(text: &str) -> bool {
    let groups: Vec<&str> = text.split('.').collect();
    match groups.as_slice() {
        [system, entity, id] => is_digits(system, 8, 10) && is_digits(entity, 8, 10) && is_digits(id, 1, 10),
        _ => false,
    }
}

fn is_digits(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// One character of [`UKRAINIAN`].
fn is_ukrainian(character: char) -> bool {
    match character {
        'Ъ' | 'Ы' | 'Э' | 'ъ' | 'ы' | 'э' => false,
        'А'..='Я' | 'а'..='я' => true,
        'Ґ' | 'Є' | 'І' | 'Ї' | 'ґ' | 'є' | 'і' | 'ї' => true,
        '\'' | '’' | 'ʼ' | '-' | ' ' => true,
        _ => false,
    }
}
