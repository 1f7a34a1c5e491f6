//! String and URI parameters — <https://hl7.org/fhir/R4/search.html#string>,
//! <https://hl7.org/fhir/R4/search.html#uri>

use super::fold::{bounded, fold_string};
use super::value::{Fault, each, unescape};
use super::{StringTest, Test};
use crate::limits::MAX_INDEXED_CHARS;

/// A string parameter with its modifier (`:missing` aside).
pub(super) fn parse(modifier: Option<&str>, text: &str) -> Result<Test, Fault> {
    let tests = match modifier {
        None => each(text, |piece| folded(piece).map(StringTest::StartsWith)),
        Some("contains") => each(text, |piece| folded(piece).map(StringTest::Contains)),
        Some("exact") => each(text, |piece| Ok(StringTest::Exact(bounded(&unescape(piece))))),
        Some(_) => Err(Fault::unsupported(
            "this modifier is not supported; a string takes `:exact`, `:contains` and `:missing`.",
        )),
    };
    tests.map(Test::String)
}

/// The texts of a `:text`: each is the beginning of what is looked for.
pub(super) fn texts(text: &str) -> Result<Test, Fault> {
    each(text, |piece| folded(piece).map(StringTest::StartsWith)).map(Test::Text)
}

fn folded(piece: &str) -> Result<String, Fault> {
    let folded = fold_string(&unescape(piece));
    // The empty text begins every string: a lone accent or space must not find everybody.
    if folded.is_empty() {
        return Err(Fault::value(
            "nothing is left of the value without accents and spaces.",
        ));
    }
    if folded.chars().nth(MAX_INDEXED_CHARS).is_some() {
        let text =
            format!("the value is longer than {MAX_INDEXED_CHARS} characters; shorten it or use `:exact`.");
        return Err(Fault::too_long(text));
    }
    Ok(folded)
}

/// A URI parameter with its modifier (`:missing` aside).
pub(super) fn uri(modifier: Option<&str>, text: &str) -> Result<Test, Fault> {
    if modifier.is_some() {
        return Err(Fault::unsupported(
            "this modifier is not supported; a URI takes `:missing`.",
        ));
    }
    each(text, |piece| Ok(bounded(&unescape(piece)))).map(Test::Uri)
}
