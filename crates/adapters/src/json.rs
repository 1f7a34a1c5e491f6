//! A partner's body to a tree, strictly: what two parsers could understand differently is refused.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::tree::Object;

#[cfg(test)]
mod tests;

/// Levels of objects and lists that a body may have.
pub const MAX_DEPTH: usize = 64;

/// Why a body is no JSON that a door takes. Paths are written `a.b[0]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was sent.
    Empty,
    /// Not UTF-8, or with a byte order mark.
    NotUtf8,
    /// Broken JSON: an unclosed bracket, a lone surrogate, bytes behind the end.
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
    /// A key stands twice in one object.
    Duplicate {
        /// Which.
        path: String,
    },
    /// A text holds a control character that FHIR forbids (only TAB, LF and CR are allowed).
    Control {
        /// Which.
        path: String,
    },
    /// Well-formed, but not an object.
    NotAnObject,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("The body is empty: send a JSON object"),
            Fault::NotUtf8 => f.write_str("The body is not UTF-8 text without a byte order mark"),
            Fault::Syntax { line, column } => {
                write!(f, "The body is not valid JSON: line {line}, column {column}")
            }
            Fault::TooDeep => write!(f, "The body is nested deeper than {MAX_DEPTH} levels"),
            Fault::Duplicate { path } => write!(f, "{path}: stands twice in its object; send it once"),
            Fault::Control { path } => {
                write!(
                    f,
                    "{path}: holds a control character; only tab and line breaks are allowed"
                )
            }
            Fault::NotAnObject => f.write_str("The body must be a JSON object"),
        }
    }
}

/// Reads an object. Numbers keep their digits.
///
/// # Errors
/// The first fault; see [`Fault`].
pub fn object(bytes: &[u8]) -> Result<Object, Fault> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::Empty);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotUtf8)?;
    if text.starts_with('\u{feff}') {
        return Err(Fault::NotUtf8);
    }
    let mut reader = Reader {
        path: String::new(),
        depth: 0,
        fault: None,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    let read = Node(&mut reader)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match (read, reader.fault) {
        (_, Some(fault)) => Err(fault),
        (Ok(Value::Object(object)), None) => Ok(object),
        (Ok(_), None) => Err(Fault::NotAnObject),
        (Err(error), None) => Err(Fault::Syntax {
            line: error.line(),
            column: error.column(),
        }),
    }
}

struct Reader {
    path: String,
    depth: usize,
    fault: Option<Fault>,
}

impl Reader {
    /// Ends the pass.
    fn stop<E: serde::de::Error>(&mut self, fault: Fault) -> E {
        self.fault = Some(fault);
        E::custom("stopped")
    }

    fn check<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        let forbidden = |character: char| character < ' ' && !matches!(character, '\t' | '\n' | '\r');
        if text.contains(forbidden) {
            let path = self.path.clone();
            return Err(self.stop(Fault::Control { path }));
        }
        Ok(())
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.stop(Fault::TooDeep));
        }
        Ok(())
    }
}

/// The value at the reader's path.
struct Node<'r>(&'r mut Reader);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The key under which serde_json hands over a number's digits (its `arbitrary_precision`).
const NUMBER_KEY: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.0.check(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.0.enter()?;
        let length = self.0.path.len();
        let mut list = Vec::new();
        loop {
            self.0.path.truncate(length);
            self.0.path.push_str(&format!("[{}]", list.len()));
            match items.next_element_seed(Node(&mut *self.0))? {
                Some(item) => list.push(item),
                None => break,
            }
        }
        self.0.path.truncate(length);
        self.0.depth -= 1;
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.0.enter()?;
        let length = self.0.path.len();
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key == NUMBER_KEY && object.is_empty() {
                self.0.depth -= 1;
                let digits: String = entries.next_value()?;
                return digits
                    .parse()
                    .map(Value::Number)
                    .map_err(serde::de::Error::custom);
            }
            self.0.path.truncate(length);
            if length > 0 {
                self.0.path.push('.');
            }
            self.0.path.push_str(&key);
            self.0.check(&key)?;
            if object.contains_key(&key) {
                let path = self.0.path.clone();
                return Err(self.0.stop(Fault::Duplicate { path }));
            }
            let value = entries.next_value_seed(Node(&mut *self.0))?;
            object.insert(key, value);
        }
        self.0.path.truncate(length);
        self.0.depth -= 1;
        Ok(Value::Object(object))
    }
}
