//! Token parameters — <https://hl7.org/fhir/R4/search.html#token>

use super::fold::fold_token;
use super::param::{Definition, IndexParam, SearchParam};
use super::string;
use super::value::{self, Fault, each, unescape};
use super::{OfTypeTest, Test, TokenTest};
use crate::id::Id;

/// A token parameter with its modifier (`:missing` aside).
pub(super) fn parse(definition: &Definition, modifier: Option<&str>, text: &str) -> Result<Test, Fault> {
    match modifier {
        None => each(text, |piece| one(definition, piece)).map(Test::Token),
        Some("not") => each(text, |piece| one(definition, piece)).map(Test::NotToken),
        Some("of-type") if definition.param == SearchParam::Identifier => {
            each(text, of_type).map(Test::OfType)
        }
        Some("text") if !definition.param.text_index().is_empty() => string::texts(text),
        Some(_) if definition.param == SearchParam::Identifier => Err(Fault::unsupported(
            "this modifier is not supported; a token takes `:not` and `:missing`, `identifier` also `:of-type` and `:text`.",
        )),
        Some(_) if !definition.param.text_index().is_empty() => Err(Fault::unsupported(
            "this modifier is not supported; this token takes `:not`, `:missing` and `:text`.",
        )),
        Some(_) => Err(Fault::unsupported(
            "this modifier is not supported; a token takes `:not` and `:missing`.",
        )),
    }
}

/// `_id`: logical ids, without modifier.
pub(super) fn ids(modifier: Option<&str>, text: &str) -> Result<Test, Fault> {
    if modifier.is_some() {
        return Err(Fault::unsupported("`_id` takes no modifier."));
    }
    let id = |piece: &str| {
        Id::parse(&unescape(piece)).ok_or_else(|| {
            Fault::value(
                "the value is no logical id (1 to 64 of `A-Z`, `a-z`, `0-9`, `-`, `.`, without type).",
            )
        })
    };
    each(text, id).map(Test::Id)
}

/// The four forms of a token, as they stand: `v`, `s|v`, `|v`, `s|`.
pub(super) fn forms(piece: &str) -> Result<TokenTest, Fault> {
    match value::split(piece, '|').as_slice() {
        [code] => Ok(TokenTest::Code(unescape(code).into_owned())),
        ["", ""] => Err(Fault::value("`|` names neither a system nor a code.")),
        ["", code] => Ok(TokenTest::CodeWithoutSystem(unescape(code).into_owned())),
        [system, ""] => Ok(TokenTest::System(unescape(system).into_owned())),
        [system, code] => Ok(TokenTest::SystemCode {
            system: unescape(system).into_owned(),
            code: unescape(code).into_owned(),
        }),
        _ => Err(Fault::value(
            "the value has more than one `|`; write `\\|` when it belongs to the system or the code.",
        )),
    }
}

fn one(definition: &Definition, piece: &str) -> Result<TokenTest, Fault> {
    let test = forms(piece)?;
    match definition.param {
        SearchParam::Active | SearchParam::Deceased => boolean(implied(definition, test)),
        SearchParam::Gender | SearchParam::AddressUse => Ok(implied(definition, test)),
        SearchParam::Phone | SearchParam::Email | SearchParam::Telecom => contact(test),
        _ => Ok(test),
    }
}

/// A `code` or `boolean` element states no system, so `|v` asks for what the bare code asks for.
fn implied(definition: &Definition, test: TokenTest) -> TokenTest {
    let system_of_rows = definition.index.iter().find_map(|index| index.implied_system());
    match test {
        TokenTest::CodeWithoutSystem(code) => TokenTest::Code(code),
        TokenTest::SystemCode { system, code } if Some(system.as_str()) == system_of_rows => {
            TokenTest::Code(code)
        }
        other => other,
    }
}

fn boolean(test: TokenTest) -> Result<TokenTest, Fault> {
    match &test {
        TokenTest::Code(code) => value::boolean(code).map(|_| test),
        _ => Err(Fault::value("the value is neither `true` nor `false`.")),
    }
}

/// A contact point has no system that a search could name, and its value is folded.
fn contact(test: TokenTest) -> Result<TokenTest, Fault> {
    match test {
        TokenTest::Code(code) | TokenTest::CodeWithoutSystem(code) => Ok(TokenTest::Code(fold_token(
            IndexParam::Phone,
            &restore_plus(code),
        ))),
        TokenTest::SystemCode { .. } | TokenTest::System(_) => Err(Fault::value(
            "a contact point is searched by its value alone; leave out what stands before the `|`.",
        )),
    }
}

/// `phone=+33…` in a URL arrives as a space and digits: no number begins with a space.
fn restore_plus(code: String) -> String {
    match code.strip_prefix(' ') {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => format!("+{number}"),
        _ => code,
    }
}

fn of_type(piece: &str) -> Result<OfTypeTest, Fault> {
    match value::split(piece, '|').as_slice() {
        [system, code, value] if ![system, code, value].iter().any(|part| part.is_empty()) => {
            Ok(OfTypeTest {
                system: unescape(system).into_owned(),
                code: unescape(code).into_owned(),
                value: unescape(value).into_owned(),
            })
        }
        _ => Err(Fault::value(
            "the value must be `system|code|value`: system and code of the identifier's type, and its value.",
        )),
    }
}
