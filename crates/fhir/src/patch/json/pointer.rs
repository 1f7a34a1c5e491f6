//! JSON Pointer — RFC 6901

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::guard::place::Place;
use crate::limits::MAX_PATCH_PATH_CHARS;
use crate::resource::ResourceType;

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// Unescaped, from the root down.
    tokens: Vec<String>,
}

/// Why a list has no such item.
pub(super) enum NoIndex {
    /// It is no index at all.
    NotANumber,
    /// It lies behind the end.
    TooLarge,
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Pointer, String> {
        if text.chars().count() > MAX_PATCH_PATH_CHARS {
            return Err(format!("is longer than {MAX_PATCH_PATH_CHARS} characters"));
        }
        if text.is_empty() {
            return Ok(Pointer { tokens: Vec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err("does not begin with '/' (a JSON Pointer does, a FHIRPath does not)".to_owned());
        };
        let tokens: Option<Vec<String>> = rest.split('/').map(unescape).collect();
        match tokens {
            Some(tokens) => Ok(Pointer { tokens }),
            None => Err("has a '~' that is neither ~0 (for '~') nor ~1 (for '/')".to_owned()),
        }
    }

    /// The steps from the root.
    pub(super) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The place above, and the last step; `None` for the root.
    pub(super) fn split_last(&self) -> Option<(&[String], &str)> {
        let (last, above) = self.tokens.split_last()?;
        Some((above, last))
    }

    /// The place in a resource as FHIRPath.
    pub(super) fn expression(&self, kind: ResourceType) -> String {
        let mut place = Place::root(kind.as_str());
        for token in &self.tokens {
            match token.parse() {
                Ok(position) => place.push_index(position),
                Err(_) if token == "-" => {}
                Err(_) => place.push_name(Cow::Borrowed(token)),
            }
        }
        place.expression()
    }

    /// Whether the other place lies below this one.
    pub(super) fn is_above(&self, other: &Pointer) -> bool {
        other.tokens.len() > self.tokens.len() && other.tokens.starts_with(&self.tokens)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_tokens(f, &self.tokens)
    }
}

/// Steps as a pointer.
pub(super) struct Shown<'t>(pub(super) &'t [String]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the root");
        }
        write_tokens(f, self.0)
    }
}

fn write_tokens(f: &mut fmt::Formatter<'_>, tokens: &[String]) -> fmt::Result {
    tokens
        .iter()
        .try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
}

fn unescape(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        match character {
            '~' => out.push(match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
            other => out.push(other),
        }
    }
    Some(out)
}

/// The position that a step names in a list: `0`, or digits that do not begin with a zero.
pub(super) fn index(token: &str, length: usize) -> Result<usize, NoIndex> {
    let is_number = token == "0"
        || (token.starts_with(|first: char| matches!(first, '1'..='9'))
            && token.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_number {
        return Err(NoIndex::NotANumber);
    }
    match token.parse::<usize>() {
        Ok(position) if position < length => Ok(position),
        Ok(_) | Err(_) => Err(NoIndex::TooLarge),
    }
}

/// What stands at a place; otherwise how many of its steps there are.
pub(super) fn get<'v>(root: &'v Value, tokens: &[String]) -> Result<&'v Value, usize> {
    let mut value = root;
    for (walked, token) in tokens.iter().enumerate() {
        let next = match value {
            Value::Object(map) => map.get(token),
            Value::Array(items) => index(token, items.len())
                .ok()
                .and_then(|position| items.get(position)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        value = next.ok_or(walked)?;
    }
    Ok(value)
}

/// The same, to be changed.
pub(super) fn get_mut<'v>(root: &'v mut Value, tokens: &[String]) -> Option<&'v mut Value> {
    tokens.iter().try_fold(root, |value, token| match value {
        Value::Object(map) => map.get_mut(token),
        Value::Array(items) => {
            let position = index(token, items.len()).ok()?;
            items.get_mut(position)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}
