//! What serde_json hands over besides values: names, and the digits of numbers.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

/// Reads a property's name, without copying it where it lies in the body.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Cow<'de, str>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property name")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// The value under serde_json's key for numbers: digits it made itself come as an owned text, whereas an
/// object in the body that bears this key gives anything else.
pub(super) enum Digits {
    Number(String),
    Foreign,
}

pub(super) struct DigitsSeed;

impl<'de> DeserializeSeed<'de> for DigitsSeed {
    type Value = Digits;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Digits, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DigitsSeed {
    type Value = Digits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the digits of a number")
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Digits, E> {
        Ok(Digits::Number(text))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Digits, E> {
        Ok(Digits::Foreign)
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Digits, E> {
        Ok(Digits::Foreign)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Digits, E> {
        Ok(Digits::Foreign)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Digits, A::Error> {
        Err(A::Error::custom("no digits"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Digits, A::Error> {
        Err(A::Error::custom("no digits"))
    }
}
