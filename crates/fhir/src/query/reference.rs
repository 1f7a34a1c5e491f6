//! Reference parameters — <https://hl7.org/fhir/R4/search.html#reference>

use super::fold::bounded;
use super::param::Definition;
use super::value::{Fault, each, unescape};
use super::{ReferenceTest, Test};
use super::{string, token};
use crate::id::Id;

/// A reference parameter with its modifier (`:missing` aside).
pub(super) fn parse(definition: &Definition, modifier: Option<&str>, text: &str) -> Result<Test, Fault> {
    let targets = definition.param.targets();
    if modifier == Some("text") {
        return string::texts(text);
    }
    let tests = match modifier {
        None => each(text, |piece| untyped(&unescape(piece))),
        Some("identifier") => each(text, |piece| token::forms(piece).map(ReferenceTest::Identifier)),
        Some(kind) if targets.contains(&kind) => each(text, |piece| typed(kind, &unescape(piece))),
        Some(_) => Err(Fault::unsupported(format!(
            "this modifier is not supported; a reference takes `:identifier`, `:text`, `:missing` and its types ({}).",
            targets.join(", ")
        ))),
    };
    tests.map(Test::Reference)
}

fn untyped(text: &str) -> Result<ReferenceTest, Fault> {
    if is_absolute(text) {
        return Ok(ReferenceTest::Url(bounded(text)));
    }
    match text.split_once('/') {
        None => id(text).map(|id| ReferenceTest::Id(id.to_string())),
        Some((kind, rest)) if is_type_name(kind) => id(rest).map(|id| ReferenceTest::Typed {
            kind: kind.to_owned(),
            id: id.to_string(),
        }),
        Some(_) => Err(not_a_reference()),
    }
}

fn typed(kind: &str, text: &str) -> Result<ReferenceTest, Fault> {
    let own = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
    id(own.unwrap_or(text)).map(|id| ReferenceTest::Typed {
        kind: kind.to_owned(),
        id: id.to_string(),
    })
}

fn id(text: &str) -> Result<Id, Fault> {
    Id::parse(text).ok_or_else(not_a_reference)
}

fn not_a_reference() -> Fault {
    Fault::value("the value is no reference; write an id, `Type/id` or an absolute URL.")
}

/// Whether it is a URL or URN rather than a place on this server.
fn is_absolute(text: &str) -> bool {
    text.contains("://") || text.starts_with("urn:")
}

/// Whether it has the form of a resource type's name.
pub(crate) fn is_type_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(|b| b.is_ascii_alphabetic())
}
