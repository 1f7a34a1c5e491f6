//! The XHTML of a narrative: well-formed, bounded, one `div` — <https://hl7.org/fhir/R4/narrative.html>
//!
//! In JSON it is a text, in XML a part of the document: both pass here, so that what one format accepts the
//! other can carry. Which tags and attributes are allowed is for validation to say.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::Fault;
use super::xml::{self, Namespaces, Tag, XHTML_NAMESPACE};
use crate::limits::MAX_DEPTH;
use crate::outcome::IssueCode;

/// The narrative in the form in which both formats carry it, which is the given text itself unless there
/// was reason to touch it: white space around the `div` is taken off, line ends become line feeds, prefixed
/// tags lose their prefix, a missing namespace declaration is added.
///
/// # Errors
/// What makes it no narrative.
pub fn normal(div: &str) -> Result<Cow<'_, str>, Fault> {
    normal_within(div, &Namespaces::default())
}

/// As [`normal`], for a part of a document with namespaces of its own.
pub(crate) fn normal_within<'a>(div: &'a str, outer: &Namespaces<'_>) -> Result<Cow<'a, str>, Fault> {
    let trimmed = div.trim_matches(xml::is_space);
    if trimmed.contains('\r') {
        let text = trimmed.replace("\r\n", "\n").replace('\r', "\n");
        let normal = Walk::over(&text, outer)?.into_owned();
        return Ok(Cow::Owned(normal));
    }
    match Walk::over(trimmed, outer)? {
        Cow::Borrowed(text) if text.len() == div.len() => Ok(Cow::Borrowed(text)),
        other => Ok(Cow::Owned(other.into_owned())),
    }
}

/// Whether the text can stay as it lies.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Verbatim,
    Rewritten,
}

struct Walk<'a> {
    namespaces: Namespaces<'a>,
    /// Open tags.
    level: usize,
    form: Form,
    /// The text with plain tags, should it be needed.
    rewritten: String,
    roots: usize,
}

impl<'a> Walk<'a> {
    fn over(text: &'a str, outer: &Namespaces<'_>) -> Result<Cow<'a, str>, Fault> {
        let mut walk = Walk {
            namespaces: Namespaces::default(),
            level: 0,
            form: Form::Verbatim,
            rewritten: String::with_capacity(text.len() + 48),
            roots: 0,
        };
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            let start = position(&reader);
            let event = reader.read_event().map_err(|error| xml::syntax_fault(&error))?;
            let source = text.get(start..position(&reader)).unwrap_or_default();
            match event {
                Event::Start(_) => walk.start(source, outer)?,
                Event::Empty(_) => {
                    walk.start(source, outer)?;
                    walk.leave();
                }
                Event::End(end) => {
                    walk.leave();
                    walk.rewritten.push_str("</");
                    walk.rewritten.push_str(end.local_name().as_ref());
                    walk.rewritten.push('>');
                }
                Event::GeneralRef(name) => {
                    xml::reference(&name)?;
                    walk.content(source)?;
                }
                Event::Text(_) if source.contains("]]>") => {
                    return Err(fault(
                        "The narrative holds ']]>', which XML forbids in a text: write ]]&gt;.",
                    ));
                }
                Event::Text(_) | Event::Comment(_) => walk.content(source)?,
                Event::Eof => break,
                Event::CData(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                    return Err(fault(
                        "The narrative holds a CDATA section, a declaration or a processing instruction: only tags, text and comments are allowed. Remove it.",
                    ));
                }
            }
        }
        if walk.level > 0 || walk.roots != 1 {
            return Err(fault("The narrative must be one div, closed at the end."));
        }
        Ok(match walk.form {
            Form::Verbatim => Cow::Borrowed(text),
            Form::Rewritten => Cow::Owned(walk.rewritten),
        })
    }

    fn start(&mut self, source: &'a str, outer: &Namespaces<'_>) -> Result<(), Fault> {
        if self.level >= MAX_DEPTH {
            return Err(Fault::new(
                IssueCode::Structure,
                format!("The narrative is nested deeper than {MAX_DEPTH} tags: flatten it."),
            ));
        }
        let tag = xml::tag(source)?;
        let is_root = self.level == 0;
        self.level += 1;
        self.namespaces.open(&tag, self.level)?;
        if is_root {
            self.roots += 1;
            if tag.name.local != "div" || self.roots > 1 {
                return Err(fault("The narrative must be one div element and nothing else."));
            }
        }
        self.check_namespace(&tag, is_root, outer)?;
        for attribute in &tag.attributes {
            xml::attribute_value(attribute.raw)?;
            let foreign = !matches!(attribute.name.prefix, "" | "xml" | "xmlns");
            if foreign {
                return Err(fault(
                    "The narrative has an attribute of a foreign namespace: remove it.",
                ));
            }
        }
        self.rewrite(&tag, source, is_root);
        Ok(())
    }

    fn check_namespace(&mut self, tag: &Tag<'_>, is_root: bool, outer: &Namespaces<'_>) -> Result<(), Fault> {
        let inner = self.namespaces.resolve(tag.name.prefix);
        let declares = tag
            .attributes
            .iter()
            .any(|attribute| attribute.declares() == Some(""));
        if !tag.name.prefix.is_empty() || (is_root && !declares) {
            self.form = Form::Rewritten;
        }
        let found = inner.or_else(|| outer.resolve(tag.name.prefix));
        // In JSON many leave the declaration away; there is nothing else that they could mean.
        let undeclared = found.is_none() && tag.name.prefix.is_empty() && !declares;
        if found == Some(XHTML_NAMESPACE) || undeclared {
            Ok(())
        } else {
            Err(fault(format!(
                "The narrative's elements must be in the namespace {XHTML_NAMESPACE}: declare it on the div."
            )))
        }
    }

    fn rewrite(&mut self, tag: &Tag<'_>, source: &str, is_root: bool) {
        self.rewritten.push('<');
        self.rewritten.push_str(tag.name.local);
        if is_root {
            self.rewritten.push_str(" xmlns=\"");
            self.rewritten.push_str(XHTML_NAMESPACE);
            self.rewritten.push('"');
        }
        for attribute in tag
            .attributes
            .iter()
            .filter(|attribute| attribute.declares().is_none())
        {
            let quote = if attribute.raw.contains('"') { '\'' } else { '"' };
            self.rewritten.push(' ');
            if !attribute.name.prefix.is_empty() {
                self.rewritten.push_str(attribute.name.prefix);
                self.rewritten.push(':');
            }
            self.rewritten.push_str(attribute.name.local);
            self.rewritten.push('=');
            self.rewritten.push(quote);
            self.rewritten.push_str(attribute.raw);
            self.rewritten.push(quote);
        }
        self.rewritten
            .push_str(if source.ends_with("/>") { "/>" } else { ">" });
    }

    fn leave(&mut self) {
        self.namespaces.close(self.level);
        self.level = self.level.saturating_sub(1);
    }

    fn content(&mut self, source: &str) -> Result<(), Fault> {
        if self.level == 0 {
            return Err(fault("The narrative must be one div element and nothing else."));
        }
        self.rewritten.push_str(source);
        Ok(())
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn fault(text: impl Into<String>) -> Fault {
    Fault::new(IssueCode::Invalid, text)
}
