//! Finds out what a type reads, by letting it read: a deserializer that notes the names it is asked for.

use std::cell::RefCell;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

/// The paths of all fields that `T` reads, tables of tables by dots.
pub fn of<T: DeserializeOwned>() -> Vec<String> {
    let found = RefCell::default();
    let noting = Noting {
        path: String::new(),
        found: &found,
    };
    if let Err(error) = T::deserialize(noting) {
        panic!("after {:?}: {error}", found.borrow());
    }
    found.into_inner()
}

/// Gives every value that is wanted, and notes what has no fields of its own.
struct Noting<'f> {
    path: String,
    found: &'f RefCell<Vec<String>>,
}

impl Noting<'_> {
    fn note(&self) {
        let mut found = self.found.borrow_mut();
        if !self.path.is_empty() && !found.contains(&self.path) {
            found.push(self.path.clone());
        }
    }
}

macro_rules! plain {
    ($($method:ident: $visit:ident($($value:expr)?)),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.note();
            visitor.$visit($($value)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Noting<'_> {
    type Error = Error;

    plain! {
        deserialize_any: visit_bool(true), deserialize_bool: visit_bool(true), deserialize_ignored_any: visit_bool(true),
        deserialize_i8: visit_i8(1), deserialize_i16: visit_i16(1), deserialize_i32: visit_i32(1),
        deserialize_i64: visit_i64(1), deserialize_u8: visit_u8(1), deserialize_u16: visit_u16(1),
        deserialize_u32: visit_u32(1), deserialize_u64: visit_u64(1), deserialize_f32: visit_f32(1.0),
        deserialize_f64: visit_f64(1.0), deserialize_char: visit_char('x'), deserialize_str: visit_str("x"),
        deserialize_string: visit_str("x"), deserialize_identifier: visit_str("x"), deserialize_bytes: visit_bytes(b"x"),
        deserialize_byte_buf: visit_bytes(b"x"), deserialize_unit: visit_unit(),
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.note();
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Once(Some(self)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note();
        visitor.visit_map(Fields {
            above: self,
            rest: [].iter(),
            current: "",
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields {
            above: self,
            rest: fields.iter(),
            current: "",
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.note();
        let first: StrDeserializer<'_, Error> =
            variants.first().copied().unwrap_or_default().into_deserializer();
        visitor.visit_enum(first)
    }
}

/// All fields of a struct, each once.
struct Fields<'f> {
    above: Noting<'f>,
    rest: std::slice::Iter<'static, &'static str>,
    current: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.rest.next() else {
            return Ok(None);
        };
        self.current = field;
        let name: StrDeserializer<'_, Error> = self.current.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let above = &self.above.path;
        let path = match above.as_str() {
            "" => self.current.to_owned(),
            above => format!("{above}.{}", self.current),
        };
        seed.deserialize(Noting {
            path,
            found: self.above.found,
        })
    }
}

/// A list of one.
struct Once<'f>(Option<Noting<'f>>);

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|value| seed.deserialize(value)).transpose()
    }
}
