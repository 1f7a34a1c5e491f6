//! XML to a tree: our own strict reading fills fhirbolt's element model, fhirbolt makes JSON of it.
//!
//! fhirbolt's own XML reader is not used: it recurses without bound, panics on bad UTF-8, compares
//! attributes quadratically, knows no prefixes and accepts unclosed documents.

mod element;

use fhirbolt::FhirReleases;
use fhirbolt::element::{Element as GenericElement, Value as GenericValue};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};
use std::borrow::Cow;

use self::element::{Kind, scalar};
use crate::codec::exponents;
use crate::codec::r4::{Cardinality, Child, Model, Scalar, Shape};
use crate::guard::place::{Place, shown_name};
use crate::guard::xml::{self, FHIR_NAMESPACE, Namespaces, Tag, XHTML_NAMESPACE, XSI_NAMESPACE};
use crate::guard::{Fault, Findings, Malformed, check_string, deepest, forbidden_character, narrative, text};
use crate::limits::MAX_DEPTH;
use crate::outcome::{Issue, IssueCode};

type Element = GenericElement<{ FhirReleases::R4 }>;
type ElementValue = GenericValue<{ FhirReleases::R4 }>;

/// Reads a resource of the expected type.
///
/// # Errors
/// Every fault of structure, each with its place, and what could be read; a fault of syntax ends the pass.
pub(in crate::codec) fn read(bytes: &[u8], expected: &str) -> Result<Map<String, Value>, Malformed> {
    let text = text(bytes, expected)?;
    if let Some(character) = forbidden_character(text) {
        let fault = format!(
            "The body holds the character U+{:04X}, which XML does not allow: remove it.",
            u32::from(character)
        );
        let offset = text.find(character).unwrap_or_default();
        return Err(Malformed::from(at_offset(
            Fault::new(IssueCode::Invalid, fault),
            text,
            offset,
        )));
    }
    let mut walk = Walk::over(text, expected);
    if let Err(fault) = walk.run() {
        let issue = at_offset(fault, text, walk.offset).at(walk.place.expression());
        walk.findings.add(issue);
        return Err(walk.findings.into_malformed(None));
    }
    let tree = match walk.root.map(|root| fhirbolt::json::to_json_value(root, None)) {
        Some(Ok(Value::Object(tree))) => Some(tree),
        _ => None,
    };
    match tree {
        Some(mut tree) if walk.findings.is_empty() => {
            if !walk.exponents.is_empty() {
                exponents::restore(&mut tree, walk.exponents.iter().map(|number| number.as_ref()));
            }
            Ok(tree)
        }
        None if walk.findings.is_empty() => {
            // Nothing that passed the checks above is known to end here.
            Err(Malformed::from(Issue::error(
                IssueCode::Structure,
                format!("The body cannot be read as a {expected} of FHIR R4."),
            )))
        }
        tree => Err(walk.findings.into_malformed(tree)),
    }
}

fn at_offset(fault: Fault, text: &str, offset: usize) -> Issue {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Issue::error(
        fault.code,
        format!("{} It is at line {line}, column {column}.", fault.text),
    )
    .with_diagnostics(format!("line {line}, column {column}"))
}

/// An element that is open.
struct Frame<'a> {
    name: &'a str,
    kind: Kind,
    cardinality: Cardinality,
    /// What has been read of it.
    element: Element,
    level: usize,
    /// The child that came last, and where R4 has it among its siblings.
    last: (usize, &'a str),
}

struct Walk<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    expected: &'a str,
    namespaces: Namespaces<'a>,
    model: Model,
    place: Place<'a>,
    findings: Findings,
    frames: Vec<Frame<'a>>,
    /// Open tags below one that is not understood; what is in them is not looked at.
    skipped: usize,
    /// Where the present token begins, in bytes.
    offset: usize,
    root: Option<Element>,
    seen_root: Root,
    /// The numbers with an exponent, as they were written.
    exponents: Vec<Cow<'a, str>>,
}

#[derive(PartialEq)]
enum Root {
    Awaited,
    Seen,
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault::new(IssueCode::Invalid, text)
}

fn too_deep() -> Fault {
    Fault::new(
        IssueCode::Structure,
        format!("The nesting is deeper than {MAX_DEPTH} levels of elements: flatten it."),
    )
}

impl<'a> Walk<'a> {
    fn over(text: &'a str, expected: &'a str) -> Walk<'a> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        Walk {
            text,
            reader,
            expected,
            namespaces: Namespaces::default(),
            model: Model::new(),
            place: Place::root(expected),
            findings: Findings::default(),
            frames: Vec::with_capacity(16),
            skipped: 0,
            offset: 0,
            root: None,
            seen_root: Root::Awaited,
            exponents: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<(), Fault> {
        loop {
            if self.findings.is_full() {
                return Ok(());
            }
            let (event, source) = self.next()?;
            match event {
                Event::Start(_) => self.start(source, Content::Follows)?,
                Event::Empty(_) => self.start(source, Content::None)?,
                Event::End(_) => self.end(),
                Event::Text(_) if source.chars().all(xml::is_space) => {}
                Event::Text(_) | Event::GeneralRef(_) if self.skipped > 0 => {}
                Event::Text(_) | Event::GeneralRef(_) => {
                    return Err(invalid(
                        "Text stands between the tags: FHIR puts values into the value attribute.",
                    ));
                }
                Event::Comment(_) => {}
                Event::Decl(_) if self.offset == 0 => xml::check_declaration(source)?,
                Event::Decl(_) => {
                    return Err(invalid(
                        "The XML declaration may only stand at the very beginning: move it there, or remove it.",
                    ));
                }
                Event::CData(_) => {
                    return Err(invalid(
                        "CDATA sections are not allowed in FHIR: escape the text instead.",
                    ));
                }
                Event::PI(_) => {
                    return Err(invalid(
                        "Processing instructions are not allowed in FHIR: remove it.",
                    ));
                }
                Event::DocType(_) => {
                    return Err(invalid(
                        "A DOCTYPE is not allowed in FHIR: remove it, entities included.",
                    ));
                }
                Event::Eof => break,
            }
        }
        if !self.frames.is_empty() || self.skipped > 0 {
            return Err(invalid(
                "The XML ends before every element is closed: send it whole.",
            ));
        }
        if self.seen_root == Root::Awaited {
            return Err(Fault::new(
                IssueCode::Structure,
                format!("The body holds no element: a {} is expected.", self.expected),
            ));
        }
        Ok(())
    }

    /// The next token, and its source.
    fn next(&mut self) -> Result<(Event<'a>, &'a str), Fault> {
        let position =
            |reader: &Reader<&[u8]>| usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        self.offset = position(&self.reader);
        let event = self
            .reader
            .read_event()
            .map_err(|error| xml::syntax_fault(&error))?;
        let source = self
            .text
            .get(self.offset..position(&self.reader))
            .unwrap_or_default();
        Ok((event, source))
    }

    fn start(&mut self, source: &'a str, content: Content) -> Result<(), Fault> {
        let tag = xml::tag(source)?;
        if self.skipped > 0 {
            return self.skip(content);
        }
        self.namespaces.open(&tag, self.frames.len() + 1)?;
        let opened = match self.frames.last() {
            None => self.open_root(&tag)?,
            Some(parent) if parent.kind == Kind::Holder => self.open_resource(&tag),
            Some(_) => self.open_child(&tag, content)?,
        };
        match (opened, content) {
            (Opened::Frame, Content::Follows) => {}
            (Opened::Frame, Content::None) => self.end(),
            (Opened::Whole, _) => self.namespaces.close(self.frames.len() + 1),
            (Opened::Nothing, content) => {
                self.namespaces.close(self.frames.len() + 1);
                self.skip(content)?;
            }
        }
        Ok(())
    }

    fn skip(&mut self, content: Content) -> Result<(), Fault> {
        self.skipped += usize::from(content == Content::Follows);
        if self.skipped > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(())
    }

    fn open_root(&mut self, tag: &Tag<'a>) -> Result<Opened, Fault> {
        if self.seen_root == Root::Seen {
            return Err(invalid(
                "A second element follows the resource: send one at a time.",
            ));
        }
        self.seen_root = Root::Seen;
        if self.namespaces.resolve(tag.name.prefix) != Some(FHIR_NAMESPACE) {
            return Err(Fault::new(
                IssueCode::Structure,
                format!("The root element is not in the namespace {FHIR_NAMESPACE}: declare it with xmlns."),
            ));
        }
        if tag.name.local != self.expected {
            return Err(Fault::new(
                IssueCode::Structure,
                format!(
                    "The body is a {}, but a {} is expected here. Correct the URL or the body.",
                    shown_name(tag.name.local),
                    self.expected
                ),
            ));
        }
        Ok(self.open_resource(tag))
    }

    /// Opens a resource: the root, or the one inside the element on top.
    fn open_resource(&mut self, tag: &Tag<'a>) -> Opened {
        let name = tag.name.local;
        if self.namespaces.resolve(tag.name.prefix) != Some(FHIR_NAMESPACE) {
            return self.foreign(tag);
        }
        let filled = self
            .frames
            .last()
            .is_some_and(|holder| !holder.element.is_empty());
        if filled {
            self.add("Only one resource may stand here: repeat the element around it.");
            return Opened::Nothing;
        }
        if !self.model.enter_resource(name) {
            let text = format!(
                "FHIR R4 has no resource type {}: correct it, such as Organization.",
                shown_name(name)
            );
            let issue = Issue::error(IssueCode::Structure, text).at(self.place.expression());
            self.findings.add_hollow(issue);
            return Opened::Nothing;
        }
        let level = self.frames.last().map_or(0, |holder| holder.level);
        let mut frame = Frame::new(name, Kind::Resource, Cardinality::Single, level);
        frame
            .element
            .insert("resourceType".to_owned(), element::text(name));
        self.take_attributes(tag, &mut frame);
        self.frames.push(frame);
        Opened::Frame
    }

    fn open_child(&mut self, tag: &Tag<'a>, content: Content) -> Result<Opened, Fault> {
        let name = tag.name.local;
        let namespace = self.namespaces.resolve(tag.name.prefix);
        let (is_fhir, is_xhtml) = (
            namespace == Some(FHIR_NAMESPACE),
            namespace == Some(XHTML_NAMESPACE),
        );
        let Some(child) = self.enter(name) else {
            if !is_fhir {
                return Ok(self.foreign(tag));
            }
            self.add_at_child(
                name,
                format!("The element {} is not known here: remove it.", shown_name(name)),
            );
            return Ok(Opened::Nothing);
        };
        let right_namespace = if child.shape == Shape::Narrative {
            is_xhtml
        } else {
            is_fhir
        };
        if !right_namespace {
            self.model.leave();
            return Ok(self.foreign(tag));
        }
        if !self.check_order(name, child) {
            self.model.leave();
            return Ok(Opened::Nothing);
        }
        self.go_down(name, child.cardinality);
        let level = self.frames.last().map_or(0, |parent| parent.level) + 1;
        let mut frame = Frame::new(name, Kind::of(child.shape), child.cardinality, level);
        if child.shape == Shape::Narrative {
            let div = self.narrative(content)?;
            frame.element.insert("value".to_owned(), element::text(&div));
            self.finish(frame);
            return Ok(Opened::Whole);
        }
        let is_plain = matches!(frame.kind, Kind::Primitive(_))
            && !tag
                .attributes
                .iter()
                .any(|attribute| attribute.name.local == "id");
        if level > deepest(self.expected) && !is_plain {
            return Err(too_deep());
        }
        self.take_attributes(tag, &mut frame);
        self.frames.push(frame);
        Ok(Opened::Frame)
    }

    /// Enters a child in the model, unless XML has it as an attribute.
    fn enter(&mut self, name: &str) -> Option<Child> {
        let kind = self.frames.last()?.kind;
        let is_attribute = match name {
            "id" => kind != Kind::Resource,
            "url" => kind == Kind::Extension,
            _ => false,
        };
        (!is_attribute).then(|| self.model.enter(name)).flatten()
    }

    /// Whether the child is to be read; what is wrong with its standing here is noted.
    fn check_order(&mut self, name: &'a str, child: Child) -> bool {
        let Some(parent) = self.frames.last_mut() else {
            return false;
        };
        let (last_order, last_name) = parent.last;
        parent.last = (child.order, name);
        if child.cardinality == Cardinality::Single && parent.element.contains_key(name) {
            self.add_at_child(name, format!("The element {name} may stand only once: keep one."));
            return false;
        }
        if child.order < last_order {
            self.add_at_child(
                name,
                format!("The element {name} must stand before {last_name}: FHIR's XML has a fixed order."),
            );
        }
        // Read all the same: it is there, only misplaced.
        true
    }

    fn go_down(&mut self, name: &'a str, cardinality: Cardinality) {
        self.place.push_name(Cow::Borrowed(name));
        if cardinality == Cardinality::Many {
            let siblings = match self.frames.last().and_then(|parent| parent.element.get(name)) {
                Some(ElementValue::Sequence(items)) => items.len(),
                _ => 0,
            };
            self.place.push_index(siblings);
        }
    }

    /// Reads to the end of the `div` whose start tag was just read.
    fn narrative(&mut self, content: Content) -> Result<String, Fault> {
        let start = self.offset;
        let mut level = usize::from(content == Content::Follows);
        while level > 0 {
            match self.next()?.0 {
                Event::Start(_) => level += 1,
                Event::End(_) => level -= 1,
                Event::Eof => return Err(invalid("The XML ends inside the narrative: send it whole.")),
                _ => {}
            }
            if level > MAX_DEPTH {
                return Err(Fault::new(
                    IssueCode::Structure,
                    format!("The narrative is nested deeper than {MAX_DEPTH} tags: flatten it."),
                ));
            }
        }
        let end = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        let source = self.text.get(start..end).unwrap_or_default();
        narrative::normal_within(source, &self.namespaces).map(Cow::into_owned)
    }

    fn take_attributes(&mut self, tag: &Tag<'a>, frame: &mut Frame<'a>) {
        for attribute in tag
            .attributes
            .iter()
            .filter(|attribute| attribute.declares().is_none())
        {
            let name = attribute.name.local;
            if !attribute.name.prefix.is_empty() {
                let is_hint = self.namespaces.resolve(attribute.name.prefix) == Some(XSI_NAMESPACE)
                    && matches!(name, "schemaLocation" | "noNamespaceSchemaLocation");
                if !is_hint {
                    self.unknown_attribute(name);
                }
                continue;
            }
            if !frame.kind.has_attribute(name) {
                self.unknown_attribute(name);
                continue;
            }
            let read = xml::attribute_value(attribute.raw).and_then(|value| {
                check_string(&value)?;
                match (name, frame.kind) {
                    ("value", Kind::Primitive(kind)) => {
                        let read = scalar(&value, kind)?;
                        if kind == Scalar::Decimal && value.contains(['e', 'E']) {
                            self.exponents.push(value);
                        }
                        Ok(read)
                    }
                    _ => Ok(element::text(&value)),
                }
            });
            match read {
                Ok(value) => {
                    frame.element.insert(name.to_owned(), value);
                }
                Err(fault) => {
                    // Not to be reported as empty as well.
                    frame.element.insert(name.to_owned(), element::text(""));
                    let place = match name {
                        "value" => self.place.expression(),
                        _ => self.place.child(name),
                    };
                    self.findings.add(fault.at(place));
                }
            }
        }
    }

    fn unknown_attribute(&mut self, name: &str) {
        self.add(format!(
            "The attribute {} is not known here: remove it.",
            shown_name(name)
        ));
    }

    fn foreign(&mut self, tag: &Tag<'a>) -> Opened {
        self.add_at_child(
            tag.name.local,
            format!(
                "The element {} is in a namespace that FHIR does not use here: remove it.",
                shown_name(tag.name.local)
            ),
        );
        Opened::Nothing
    }

    fn end(&mut self) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        let Some(frame) = self.frames.pop() else {
            return; // quick-xml refuses an end tag without its start.
        };
        self.namespaces.close(self.frames.len() + 1);
        self.finish(frame);
    }

    /// Hands a read element to its parent.
    fn finish(&mut self, frame: Frame<'a>) {
        let said = usize::from(frame.kind == Kind::Resource); // its type
        if frame.element.len() <= said && frame.kind != Kind::Resource {
            let place = self.place.expression();
            // What was refused in it has been spoken of, and left it empty.
            if !self.findings.is_hollow(&place) {
                let text = "The element is empty: leave it out instead.";
                let issue = Issue::error(IssueCode::Structure, text).at(place);
                self.findings.add_hollow(issue);
            }
        }
        self.model.leave();
        if frame.kind == Kind::Resource {
            match self.frames.last_mut() {
                Some(holder) => holder.element = frame.element,
                None => self.root = Some(frame.element),
            }
            return;
        }
        self.place.pop();
        let Some(parent) = self.frames.last_mut() else {
            return;
        };
        match frame.cardinality {
            Cardinality::Single => {
                parent
                    .element
                    .insert(frame.name.to_owned(), ElementValue::Element(frame.element));
            }
            Cardinality::Many => {
                self.place.pop();
                match parent.element.get_mut(frame.name) {
                    Some(ElementValue::Sequence(items)) => items.push(frame.element),
                    _ => {
                        let items = ElementValue::Sequence(vec![frame.element]);
                        parent.element.insert(frame.name.to_owned(), items);
                    }
                }
            }
        }
    }

    fn add(&mut self, text: impl Into<String>) {
        let issue = Issue::error(IssueCode::Structure, text).at(self.place.expression());
        self.findings.add(issue);
    }

    fn add_at_child(&mut self, name: &str, text: impl Into<String>) {
        let issue = Issue::error(IssueCode::Structure, text).at(self.place.child(name));
        self.findings.add(issue);
    }
}

/// Whether anything stands between a start tag and its end tag.
#[derive(Clone, Copy, PartialEq)]
enum Content {
    Follows,
    None,
}

/// What a start tag did.
enum Opened {
    /// An element is open.
    Frame,
    /// An element was read to its end.
    Whole,
    /// It is not understood, and to be passed over.
    Nothing,
}

impl<'a> Frame<'a> {
    fn new(name: &'a str, kind: Kind, cardinality: Cardinality, level: usize) -> Frame<'a> {
        Frame {
            name,
            kind,
            cardinality,
            element: Element::new(),
            level,
            last: (0, ""),
        }
    }
}
