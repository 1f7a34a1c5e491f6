//! The formats of the primitive types — <https://hl7.org/fhir/R4/datatypes.html#primitive>
//!
//! Matchers by hand: one pass, no allocation. The shape of a date is checked before its calendar, since
//! calendar libraries take more than FHIR does.

mod temporal;

use serde_json::Value;

use crate::id::Id;
use crate::limits::MIB;
use crate::outcome::IssueCode;

pub(super) use temporal::span;

/// Longest string, in bytes (FHIR: "strings SHALL NOT exceed 1 MB").
pub const MAX_STRING_BYTES: usize = MIB;

/// A primitive type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // FHIR's names, each documented by the page above
pub enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    /// `Element.id`: a string without spaces.
    ElementId,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

/// Why a value does not fit its primitive type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `structure` for the wrong kind of JSON value, `value` for everything else.
    pub code: IssueCode,
    /// Says what is wrong: "is not a calendar day".
    pub problem: &'static str,
    /// Says what to write instead.
    pub advice: &'static str,
}

const fn fault(problem: &'static str, advice: &'static str) -> Fault {
    Fault {
        code: IssueCode::Value,
        problem,
        advice,
    }
}

const fn wrong_kind(problem: &'static str, advice: &'static str) -> Fault {
    Fault {
        code: IssueCode::Structure,
        problem,
        advice,
    }
}

impl Primitive {
    /// The FHIR name.
    pub const fn name(self) -> &'static str {
        match self {
            Primitive::Base64Binary => "base64Binary",
            Primitive::Boolean => "boolean",
            Primitive::Canonical => "canonical",
            Primitive::Code => "code",
            Primitive::Date => "date",
            Primitive::DateTime => "dateTime",
            Primitive::Decimal => "decimal",
            Primitive::Id => "id",
            Primitive::Instant => "instant",
            Primitive::Integer => "integer",
            Primitive::Markdown => "markdown",
            Primitive::Oid => "oid",
            Primitive::PositiveInt => "positiveInt",
            Primitive::String | Primitive::ElementId => "string",
            Primitive::Time => "time",
            Primitive::UnsignedInt => "unsignedInt",
            Primitive::Uri => "uri",
            Primitive::Url => "url",
            Primitive::Uuid => "uuid",
            Primitive::Xhtml => "xhtml",
        }
    }

    /// Checks a JSON value against the type: its kind, then its format.
    pub fn check(self, value: &Value) -> Result<(), Fault> {
        match (self, value) {
            (Primitive::Boolean, Value::Bool(_)) => Ok(()),
            (Primitive::Boolean, _) => Err(wrong_kind(
                "is not a boolean",
                "Write true or false without quotes.",
            )),
            (
                Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt | Primitive::Decimal,
                Value::Number(number),
            ) => self.check_text(number.as_str()),
            (
                Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt | Primitive::Decimal,
                _,
            ) => Err(wrong_kind(
                "is not a number",
                "Write a JSON number without quotes.",
            )),
            (_, Value::String(text)) => self.check_text(text),
            (_, _) => Err(wrong_kind("is not a string", "Write a JSON string, in quotes.")),
        }
    }

    /// Checks the written form of a value: what stands in an XML `value` attribute or between JSON quotes.
    pub fn check_text(self, text: &str) -> Result<(), Fault> {
        if text.is_empty() {
            return Err(wrong_kind(
                "is empty",
                "Leave the element out when there is no value.",
            ));
        }
        match self {
            Primitive::Boolean => expect(
                matches!(text, "true" | "false"),
                "is not a boolean",
                "Write true or false.",
            ),
            Primitive::Integer => integer(text, i64::from(i32::MIN)),
            Primitive::UnsignedInt => integer(text, 0),
            Primitive::PositiveInt => integer(text, 1),
            Primitive::Decimal => expect(
                is_decimal(text),
                "is not a decimal number",
                "Write digits with a point, such as 12.50.",
            ),
            Primitive::String | Primitive::Markdown | Primitive::Xhtml => string(text),
            Primitive::ElementId => expect(
                !has_space(text),
                "has white space",
                "An element's id has none: take it out.",
            ),
            Primitive::Code => code(text),
            Primitive::Id => expect(
                Id::parse(text).is_some(),
                "is not an id",
                "Use 1 to 64 of the characters A-Z, a-z, 0-9, - and point.",
            ),
            Primitive::Uri | Primitive::Url => uri(text),
            Primitive::Canonical => canonical(text),
            Primitive::Oid => expect(
                is_oid(text),
                "is not an OID",
                "Write urn:oid: and dotted numbers without leading zeros, such as urn:oid:1.2.250.1.",
            ),
            Primitive::Uuid => expect(
                text.strip_prefix("urn:uuid:").is_some_and(is_uuid),
                "is not a UUID",
                "Write urn:uuid: and 8-4-4-4-12 lower-case hexadecimal digits.",
            ),
            Primitive::Base64Binary => expect(
                is_base64(text),
                "is not base64",
                "Encode the bytes with A-Z, a-z, 0-9, + and /, padded with = to a multiple of four.",
            ),
            Primitive::Date => temporal::date(text),
            Primitive::DateTime => temporal::date_time(text),
            Primitive::Instant => temporal::instant(text),
            Primitive::Time => temporal::time(text),
        }
    }
}

fn expect(fits: bool, problem: &'static str, advice: &'static str) -> Result<(), Fault> {
    if fits { Ok(()) } else { Err(fault(problem, advice)) }
}

fn has_space(text: &str) -> bool {
    text.chars().any(char::is_whitespace)
}

fn integer(text: &str, least: i64) -> Result<(), Fault> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // No leading zero and no minus zero; eleven digits always leave 32 bits.
    let plain = digits.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !digits.starts_with('0'))
        && (1..=10).contains(&digits.len());
    let number = if plain { text.parse::<i64>().ok() } else { None };
    let fits = number.is_some_and(|number| (least..=i64::from(i32::MAX)).contains(&number));
    match least {
        1 => expect(
            fits,
            "is not a positive integer",
            "Write a whole number from 1 to 2147483647.",
        ),
        0 => expect(
            fits,
            "is not an unsigned integer",
            "Write a whole number from 0 to 2147483647.",
        ),
        _ => expect(
            fits,
            "is not an integer of 32 bits",
            "Write a whole number from -2147483648 to 2147483647.",
        ),
    }
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

fn string(text: &str) -> Result<(), Fault> {
    if text.len() > MAX_STRING_BYTES {
        return Err(fault(
            "is longer than 1 MiB",
            "Shorten it, or send it as an attachment.",
        ));
    }
    // XML cannot carry these characters, so a resource with one could not be served to everybody.
    if text
        .bytes()
        .any(|b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'))
    {
        return Err(fault(
            "has a control character",
            "Take out the characters below U+0020 other than tab, carriage return and line feed.",
        ));
    }
    expect(
        !text.trim().is_empty(),
        "is blank",
        "Leave the element out when there is no value.",
    )
}

/// `[^\s]+(\s[^\s]+)*`
fn code(text: &str) -> Result<(), Fault> {
    let mut space = true;
    for character in text.chars() {
        let now = character.is_whitespace();
        if (now && space) || character.is_control() {
            space = true;
            break;
        }
        space = now;
    }
    expect(
        !space,
        "is not a code",
        "Write it without spaces at the ends, doubled spaces or control characters.",
    )
}

fn uri(text: &str) -> Result<(), Fault> {
    expect(
        !has_space(text) && !text.chars().any(char::is_control),
        "is not a URI",
        "Write it without white space (a space in a URL is %20).",
    )
}

fn canonical(text: &str) -> Result<(), Fault> {
    uri(text)?;
    // https://hl7.org/fhir/R4/references.html#canonical: absolute, or a fragment of the same resource.
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    expect(
        scheme || text.starts_with('#'),
        "is not a canonical URL",
        "Write the whole URL, starting with http:// or urn:, perhaps with |version behind it.",
    )
}

/// `urn:oid:[0-2](\.(0|[1-9][0-9]*))+`
fn is_oid(text: &str) -> bool {
    let Some(oid) = text.strip_prefix("urn:oid:") else {
        return false;
    };
    let mut arcs = oid.split('.');
    let first = arcs.next().is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let mut more = 0_usize;
    let rest = arcs.all(|arc| {
        more += 1;
        !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'))
    });
    first && rest && more > 0
}

/// 8-4-4-4-12 lower-case hexadecimal digits.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(position, b)| match position {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

fn is_base64(text: &str) -> bool {
    let (mut count, mut padding) = (0_usize, 0_usize);
    for b in text.bytes().filter(|b| !b.is_ascii_whitespace()) {
        count += 1;
        match b {
            b'=' => padding += 1,
            _ if padding > 0 => return false,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {}
            _ => return false,
        }
    }
    count > 0 && count.is_multiple_of(4) && padding <= 2
}
