//! XML tags, references and namespaces, strictly — <https://www.w3.org/TR/xml/>, <https://www.w3.org/TR/xml-names/>
//!
//! quick-xml finds the tags; what is inside one is read here, so that the number of attributes is bounded
//! before anything compares them with each other.

use std::borrow::Cow;

use super::{Fault, is_allowed_character};
use crate::guard::place::shown_name;
use crate::limits::MAX_XML_ATTRIBUTES;
use crate::outcome::IssueCode;

/// The namespace of FHIR's elements.
pub const FHIR_NAMESPACE: &str = "http://hl7.org/fhir";
/// The namespace of a narrative's elements.
pub const XHTML_NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
/// The namespace of `xsi:schemaLocation`.
pub const XSI_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// Most namespace declarations in force at one place: looking a prefix up walks through them.
const MAX_NAMESPACES: usize = 64;

/// A name with its prefix, empty when it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Name<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) local: &'a str,
}

/// An attribute, its value as it lies in the source between the quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) raw: &'a str,
}

impl<'a> Attribute<'a> {
    /// The prefix that the attribute declares: empty for the default namespace.
    pub(crate) fn declares(&self) -> Option<&'a str> {
        match (self.name.prefix, self.name.local) {
            ("", "xmlns") => Some(""),
            ("xmlns", prefix) => Some(prefix),
            _ => None,
        }
    }
}

/// A start tag or an empty-element tag.
#[derive(Debug)]
pub(crate) struct Tag<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) attributes: Vec<Attribute<'a>>,
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault::new(IssueCode::Invalid, text)
}

/// Reads a tag from its source, angle brackets included.
pub(crate) fn tag(source: &str) -> Result<Tag<'_>, Fault> {
    let inner = source.strip_prefix('<').unwrap_or(source);
    let inner = inner.strip_suffix('>').unwrap_or(inner);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let end = inner.find(is_space).unwrap_or(inner.len());
    let (name, rest) = inner.split_at_checked(end).unwrap_or((inner, ""));
    Ok(Tag {
        name: self::name(name)?,
        attributes: attributes(rest)?,
    })
}

/// Reads attributes, each with white space before it: `version="1.0" encoding='utf-8'`.
pub(crate) fn attributes(source: &str) -> Result<Vec<Attribute<'_>>, Fault> {
    let mut attributes: Vec<Attribute<'_>> = Vec::new();
    let mut rest = source;
    loop {
        let trimmed = rest.trim_start_matches(is_space);
        if trimmed.is_empty() {
            return Ok(attributes);
        }
        if trimmed.len() == rest.len() {
            return Err(invalid(
                "White space is missing before an attribute: put a space there.",
            ));
        }
        let (attribute, after) = attribute(trimmed)?;
        // Counted before anything is compared: the check for duplicates is quadratic.
        if attributes.len() == MAX_XML_ATTRIBUTES {
            return Err(Fault::new(
                IssueCode::Structure,
                format!("A tag has more than {MAX_XML_ATTRIBUTES} attributes: FHIR knows no such element."),
            ));
        }
        if attributes.iter().any(|other| other.name == attribute.name) {
            return Err(invalid(format!(
                "The attribute {} stands twice on the same tag: keep one.",
                shown_name(attribute.name.local)
            )));
        }
        attributes.push(attribute);
        rest = after;
    }
}

fn attribute(source: &str) -> Result<(Attribute<'_>, &str), Fault> {
    let no_value = || invalid("An attribute has no value in quotes: write name=\"value\".");
    let (name, rest) = source.split_once('=').ok_or_else(no_value)?;
    let name = self::name(name.trim_end_matches(is_space))?;
    let rest = rest.trim_start_matches(is_space);
    let quote = rest
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''))
        .ok_or_else(no_value)?;
    let (raw, after) = rest
        .strip_prefix(quote)
        .and_then(|rest| rest.split_once(quote))
        .ok_or_else(no_value)?;
    if raw.contains('<') {
        return Err(invalid(
            "An attribute's value holds a bare '<': write &lt; instead.",
        ));
    }
    Ok((Attribute { name, raw }, after))
}

fn name(source: &str) -> Result<Name<'_>, Fault> {
    let (prefix, local) = source.split_once(':').unwrap_or(("", source));
    let whole = !source.starts_with(':') && is_name(local) && (prefix.is_empty() || is_name(prefix));
    if whole {
        Ok(Name { prefix, local })
    } else {
        Err(invalid(format!(
            "{} is no name of an element or attribute that FHIR knows: correct it.",
            shown_name(source)
        )))
    }
}

/// FHIR and XHTML use ASCII alone; XML would allow more.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// White space as XML has it.
pub(crate) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// The value of an attribute: references replaced, literal white space turned to spaces, as every XML
/// parser does — <https://www.w3.org/TR/xml/#AVNormalize>
pub(crate) fn attribute_value(raw: &str) -> Result<Cow<'_, str>, Fault> {
    if !raw.contains(['&', '\t', '\n', '\r']) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        push_with_spaces(&mut value, before);
        let (reference, after) = after
            .split_once(';')
            .ok_or_else(|| invalid("A bare '&' stands in a value: write &amp; instead."))?;
        value.push(self::reference(reference)?);
        rest = after;
    }
    push_with_spaces(&mut value, rest);
    Ok(Cow::Owned(value))
}

fn push_with_spaces(value: &mut String, text: &str) {
    let mut previous = ' ';
    for character in text.chars() {
        match character {
            // A line end of two characters is one space.
            '\n' if previous == '\r' => {}
            '\t' | '\n' | '\r' => value.push(' '),
            other => value.push(other),
        }
        previous = character;
    }
}

/// What stands between `&` and `;`: one of the five predefined entities, or a character by number.
pub(crate) fn reference(name: &str) -> Result<char, Fault> {
    let number = |digits: &str, radix: u32| {
        let plain = !digits.is_empty() && digits.len() <= 7 && digits.chars().all(|d| d.is_digit(radix));
        plain
            .then(|| u32::from_str_radix(digits, radix).ok())
            .flatten()
            .and_then(char::from_u32)
            .filter(|character| is_allowed_character(*character))
            .ok_or_else(|| {
                invalid("A character reference names a character that XML does not allow: remove it.")
            })
    };
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => match name.strip_prefix('#') {
            Some(digits) => match digits.strip_prefix('x') {
                Some(digits) => number(digits, 16),
                None => number(digits, 10),
            },
            None => Err(invalid(format!(
                "The entity {} is not allowed: only amp, lt, gt, quot, apos and numbered characters are. Write &#160; for nbsp.",
                shown_name(name)
            ))),
        },
    }
}

/// The namespaces in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespaces<'a> {
    bindings: Vec<Binding<'a>>,
}

#[derive(Clone, Debug)]
struct Binding<'a> {
    depth: usize,
    prefix: &'a str,
    uri: Cow<'a, str>,
}

impl<'a> Namespaces<'a> {
    /// Takes in what a tag at this depth declares.
    pub(crate) fn open(&mut self, tag: &Tag<'a>, depth: usize) -> Result<(), Fault> {
        for attribute in &tag.attributes {
            let Some(prefix) = attribute.declares() else {
                continue;
            };
            if self.bindings.len() == MAX_NAMESPACES {
                return Err(Fault::new(
                    IssueCode::Structure,
                    format!(
                        "More than {MAX_NAMESPACES} namespace declarations are in force at once: declare fewer."
                    ),
                ));
            }
            let uri = attribute_value(attribute.raw)?;
            if matches!(prefix, "xml" | "xmlns") || (uri.is_empty() && !prefix.is_empty()) {
                return Err(invalid(format!(
                    "The namespace prefix {} is declared in a way that XML forbids: remove the declaration.",
                    shown_name(prefix)
                )));
            }
            self.bindings.push(Binding { depth, prefix, uri });
        }
        Ok(())
    }

    /// Forgets what was declared at this depth or deeper.
    pub(crate) fn close(&mut self, depth: usize) {
        while self.bindings.last().is_some_and(|last| last.depth >= depth) {
            self.bindings.pop();
        }
    }

    /// The namespace of a prefix; none when nothing declares it, or the default namespace is unset.
    pub(crate) fn resolve(&self, prefix: &str) -> Option<&str> {
        if prefix == "xml" {
            return Some(XML_NAMESPACE);
        }
        self.bindings
            .iter()
            .rev()
            .find(|binding| binding.prefix == prefix)
            .map(|binding| binding.uri.as_ref())
            .filter(|uri| !uri.is_empty())
    }
}

/// Checks what an XML declaration says: `<?xml version="1.0" encoding="utf-8" standalone="yes"?>`.
pub(crate) fn check_declaration(source: &str) -> Result<(), Fault> {
    let inner = source
        .strip_prefix("<?xml")
        .and_then(|rest| rest.strip_suffix("?>"));
    let attributes = attributes(inner.unwrap_or_default())?;
    let mut expected = ["version", "encoding", "standalone"].into_iter();
    for attribute in &attributes {
        let in_order =
            attribute.name.prefix.is_empty() && expected.by_ref().any(|name| name == attribute.name.local);
        let understood = match attribute.name.local {
            "version" => attribute.raw == "1.0",
            "encoding" => attribute.raw.eq_ignore_ascii_case("utf-8"),
            _ => matches!(attribute.raw, "yes" | "no"),
        };
        if !in_order || !understood {
            return Err(invalid(
                "The XML declaration must read version=\"1.0\", then if need be encoding=\"UTF-8\" and standalone.",
            ));
        }
    }
    if attributes
        .first()
        .is_none_or(|first| first.name.local != "version")
    {
        return Err(invalid(
            "The XML declaration names no version: write version=\"1.0\".",
        ));
    }
    Ok(())
}

/// Why quick-xml could not go on, in words of our own.
pub(crate) fn syntax_fault(error: &quick_xml::Error) -> Fault {
    use quick_xml::errors::{Error, IllFormedError, SyntaxError};
    let text = match error {
        Error::Syntax(SyntaxError::InvalidBangMarkup) => "An unknown '<!' construct stands here: remove it.",
        Error::Syntax(_) => "The XML ends inside a tag, a comment or a declaration: send it whole.",
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
            "An end tag does not match the start tag: close what was opened last."
        }
        Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => {
            "An end tag closes something that was never opened: remove it."
        }
        Error::IllFormed(IllFormedError::DoubleHyphenInComment) => {
            "A comment holds two hyphens, which XML forbids: write one."
        }
        Error::IllFormed(IllFormedError::UnclosedReference) => {
            "A bare '&' stands in the text: write &amp; instead."
        }
        _ => "The XML is not well-formed: correct it.",
    };
    invalid(text)
}
