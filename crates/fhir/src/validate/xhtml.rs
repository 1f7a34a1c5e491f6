//! The narrative's `div` — <https://hl7.org/fhir/R4/narrative.html#xhtml>

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::limits::{MAX_DEPTH, MAX_XML_ATTRIBUTES};
use crate::outcome::IssueCode;

/// The namespace of the root `div`.
const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
/// Most faults reported of one narrative.
const MAX_FAULTS: usize = 8;

/// The elements of HTML 4 that format text (`txt-1`), sorted.
#[rustfmt::skip] // words, not code
pub(super) const ELEMENTS: [&str; 56] = [
    "a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption", "cite", "code",
    "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i",
    "img", "ins", "kbd", "li", "map", "ol", "p", "pre", "q", "samp", "small", "span", "strong", "sub", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
];

/// Their attributes (`txt-1`), sorted.
#[rustfmt::skip] // words, not code
pub(super) const ATTRIBUTES: [&str; 56] = [
    "abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign", "cellpadding", "cellspacing",
    "cellvalign", "char", "charoff", "charset", "cite", "class", "clear", "colspan", "compact", "coords", "datetime", "dir",
    "frame", "headers", "height", "href", "hreflang", "hspace", "id", "lang", "longdesc", "name", "nohref", "nowrap", "rel",
    "rev", "rowspan", "rules", "scope", "shape", "span", "src", "start", "style", "summary", "tabindex", "title",
    "type", "usemap", "valign", "value", "vspace", "width", "xml:id", "xml:lang", "xml:space",
];

/// What is wrong with a narrative: the issue's code and its text.
pub(super) struct Fault {
    pub(super) code: IssueCode,
    pub(super) text: String,
}

/// Everything that is wrong with the text of a `div`. Linear in its length, without recursion.
pub(super) fn faults(div: &str) -> Vec<Fault> {
    let mut scan = Scan {
        faults: Vec::new(),
        depth: 0,
        roots: 0,
        content: false,
    };
    let mut reader = Reader::from_str(div);
    loop {
        if scan.faults.len() >= MAX_FAULTS {
            return scan.faults;
        }
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => {
                if scan.event(&event).is_none() {
                    return scan.faults;
                }
            }
            Err(_) => {
                scan.malformed("Close every tag, quote every attribute and write & as &amp;.");
                return scan.faults;
            }
        }
    }
    if scan.depth > 0 || scan.roots != 1 {
        scan.malformed("Write one div element and close it.");
    } else if !scan.content {
        scan.fault(
            IssueCode::Invariant,
            "txt-2: the narrative has no content: write text or an image into the div, or leave text out.",
        );
    }
    scan.faults
}

struct Scan {
    faults: Vec<Fault>,
    depth: usize,
    roots: usize,
    content: bool,
}

impl Scan {
    fn fault(&mut self, code: IssueCode, text: impl Into<String>) {
        self.faults.push(Fault {
            code,
            text: text.into(),
        });
    }

    /// Reports text that is no XHTML; nothing after it can be judged.
    fn malformed(&mut self, advice: &str) {
        self.fault(
            IssueCode::Value,
            format!("The narrative is not well-formed XHTML. {advice}"),
        );
    }

    fn forbidden(&mut self, problem: String, advice: &str) {
        self.fault(IssueCode::Invariant, format!("txt-1: {problem} {advice}"));
    }

    /// Looks at one piece; `None` when the rest cannot be judged.
    fn event(&mut self, event: &Event<'_>) -> Option<()> {
        match event {
            Event::Start(tag) => {
                self.tag(tag)?;
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    self.malformed(&format!("Nest its elements at most {MAX_DEPTH} deep."));
                    return None;
                }
            }
            Event::Empty(tag) => self.tag(tag)?,
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::Text(text) => {
                if text.chars().any(|c| !c.is_whitespace()) {
                    self.text()?;
                }
            }
            Event::GeneralRef(reference) => {
                if !is_known(reference) {
                    self.malformed("Write characters themselves or as &#160; instead of named entities.");
                    return None;
                }
                self.text()?;
            }
            Event::Comment(_) => {}
            Event::CData(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                self.malformed("Take out CDATA sections, declarations and processing instructions.");
                return None;
            }
            Event::Eof => {}
        }
        Some(())
    }

    fn text(&mut self) -> Option<()> {
        if self.depth == 0 {
            self.malformed("Put all text inside one div element.");
            return None;
        }
        self.content = true;
        Some(())
    }

    fn tag(&mut self, tag: &BytesStart<'_>) -> Option<()> {
        let name = tag.name();
        let name = name.as_ref();
        let root = self.depth == 0;
        if root {
            self.roots += 1;
            if self.roots > 1 {
                self.malformed("Write one div element and nothing behind it.");
                return None;
            }
            if name != "div" {
                self.forbidden(
                    format!("the narrative starts with <{}>.", cut(name)),
                    "Wrap it in <div xmlns=\"http://www.w3.org/1999/xhtml\">.",
                );
            }
        }
        if ELEMENTS.binary_search(&name).is_err() {
            self.forbidden(
                format!("the narrative may not hold the element <{}>.", cut(name)),
                "Use the elements of HTML 4 that format text; no script, form, frame or object.",
            );
        }
        self.content |= name == "img";
        let namespaced = self.attributes(tag)?;
        if root && !namespaced {
            self.forbidden(
                "the div is not in the XHTML namespace.".to_owned(),
                "Write <div xmlns=\"http://www.w3.org/1999/xhtml\">.",
            );
        }
        Some(())
    }

    /// Looks at the attributes; says whether the XHTML namespace is declared.
    fn attributes(&mut self, tag: &BytesStart<'_>) -> Option<bool> {
        let mut namespaced = false;
        for (count, attribute) in tag.attributes().enumerate() {
            let value = attribute.as_ref().ok().map(|a| a.value.as_ref());
            let (Ok(attribute), Some(value)) = (&attribute, value) else {
                self.malformed("Quote every attribute and write it once.");
                return None;
            };
            if count >= MAX_XML_ATTRIBUTES || value.contains('<') {
                self.malformed("Write at most 32 attributes on a tag, and < in a value as &lt;.");
                return None;
            }
            let Ok(plain) = quick_xml::escape::unescape(value) else {
                self.malformed("Write & in an attribute as &amp;, other characters as they are.");
                return None;
            };
            let name = attribute.key.as_ref();
            if name == "xmlns" && plain == NAMESPACE {
                namespaced = true;
            } else if ATTRIBUTES.binary_search(&name).is_err() {
                self.forbidden(
                    format!("the narrative may not hold the attribute {}.", cut(name)),
                    "Use the attributes of HTML 4 that format text; no event handlers.",
                );
            } else if matches!(name, "href" | "src" | "cite" | "longdesc") && is_active(&plain) {
                self.forbidden(
                    format!("the attribute {name} holds a script."),
                    "Link to a page or an image.",
                );
            }
        }
        Some(namespaced)
    }
}

/// One of XML's five entities, or a character by its number.
fn is_known(reference: &BytesRef<'_>) -> bool {
    match reference.resolve_char_ref() {
        Ok(Some(_)) => true,
        Ok(None) => matches!(&**reference, "amp" | "lt" | "gt" | "quot" | "apos"),
        Err(_) => false,
    }
}

/// A link that runs as a program. Browsers skip white space and control characters in the scheme.
fn is_active(link: &str) -> bool {
    let start: String = link
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .take("javascript:".len())
        .collect::<String>()
        .to_ascii_lowercase();
    start.starts_with("javascript:") || start.starts_with("vbscript:") || start.starts_with("data:text/")
}

fn cut(name: &str) -> String {
    name.chars().take(40).collect()
}
