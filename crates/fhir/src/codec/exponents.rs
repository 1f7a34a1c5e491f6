//! The written form of numbers that have an exponent: serde_json turns `1E3` into `1e+3`, whereas a decimal
//! is to come back as it was sent — <https://hl7.org/fhir/R4/datatypes.html#decimal>
//!
//! Such numbers are as good as never there, so they are set right afterwards: the numbers of a tree stand
//! in the order of its source.

use serde_json::{Map, Number, Value};

/// Gives the numbers of a tree their written form back. `written` are the numbers with an exponent in the
/// order of the source; it is not asked for before the first such number is met.
pub(crate) fn restore<'s>(tree: &mut Map<String, Value>, written: impl Iterator<Item = &'s str>) {
    let mut written = written;
    tree.values_mut().for_each(|value| visit(value, &mut written));
}

// Nested no deeper than the guard lets pass.
fn visit<'s>(value: &mut Value, written: &mut impl Iterator<Item = &'s str>) {
    match value {
        Value::Number(number) if number.as_str().contains('e') => {
            if let Some(text) = written.next()
                && is_same(text, number.as_str())
            {
                // Hidden in serde_json's documentation, as the only way around its own spelling.
                *number = Number::from_string_unchecked(text.to_owned());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, written)),
        Value::Object(map) => map.values_mut().for_each(|value| visit(value, written)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether serde_json spells the written number so. A mistake in the order must never change a value.
fn is_same(written: &str, spelled: &str) -> bool {
    let Some((digits, exponent)) = written.split_once(['e', 'E']) else {
        return false;
    };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    spelled
        .strip_prefix(digits)
        .and_then(|rest| rest.strip_prefix('e'))
        .and_then(|rest| rest.strip_prefix(sign))
        == Some(exponent)
}

/// The numbers with an exponent in a well-formed JSON text, in order.
pub(crate) fn of_json(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| matches!(c, '"' | '-' | '0'..='9'))?;
            let (_, from) = rest.split_at_checked(start)?;
            if let Some(string) = from.strip_prefix('"') {
                rest = behind_string(string)?;
                continue;
            }
            let end = from
                .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
                .unwrap_or(from.len());
            let (number, after) = from.split_at_checked(end)?;
            rest = after;
            if number.contains(['e', 'E']) {
                return Some(number);
            }
        }
    })
}

/// What follows a string whose opening quote has been taken.
fn behind_string(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let place = rest.find(['"', '\\'])?;
        let (_, from) = rest.split_at_checked(place)?;
        match from.strip_prefix('\\') {
            None => return from.strip_prefix('"'),
            Some(escape) => {
                let mut characters = escape.chars();
                characters.next()?;
                rest = characters.as_str();
            }
        }
    }
}

#[cfg(test)]
mod tests;
