//! Formats: `Accept`, `_format`, `_pretty`, `Content-Type` — <https://hl7.org/fhir/R4/http.html#mime-type>

use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use engine::Refusal;
use fhir::codec::{Format, Layout};

use crate::error;

#[cfg(test)]
mod tests;

/// What is sent with a JSON answer.
pub const JSON: HeaderValue = HeaderValue::from_static("application/fhir+json; charset=utf-8");
/// What is sent with an XML answer.
pub const XML: HeaderValue = HeaderValue::from_static("application/fhir+xml; charset=utf-8");
/// The formats of `/metadata`.
pub const MIME_TYPES: [&str; 2] = ["application/fhir+json", "application/fhir+xml"];

/// The formats of patches — <https://hl7.org/fhir/R4/http.html#patch>
pub const PATCH_TYPES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/fhir+json",
    "application/fhir+xml",
];

/// What kind of patch a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchFormat {
    /// RFC 6902
    Json,
    /// RFC 7396
    Merge,
    /// <https://hl7.org/fhir/R4/fhirpatch.html>
    FhirPath(Format),
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// JSON or XML.
    pub format: Format,
    /// Compact or indented.
    pub layout: Layout,
}

impl Default for Answer {
    /// What is sent to who asks for nothing, or for something that is not to be had.
    fn default() -> Answer {
        Answer {
            format: Format::Json,
            layout: Layout::Compact,
        }
    }
}

/// How the answer to these headers and this raw query string is to be written. `_format` beats `Accept`.
///
/// # Errors
/// 406 when nothing that is asked for can be sent.
pub fn answer(headers: &HeaderMap, query: &str) -> Result<Answer, Refusal> {
    let layout = layout(query);
    let format = match parameter(query, "_format") {
        Some(wanted) if !wanted.trim().is_empty() => of_parameter(&wanted),
        _ => of_accept(headers),
    };
    format
        .map(|format| Answer { format, layout })
        .ok_or_else(error::not_acceptable)
}

/// How the answer is to be laid out.
pub fn layout(query: &str) -> Layout {
    match parameter(query, "_pretty").as_deref() {
        Some("true") => Layout::Indented,
        _ => Layout::Compact,
    }
}

/// The format of a body, by its `Content-Type` and, for senders that name none, its first character.
///
/// # Errors
/// 415 when it is none that is read here.
pub fn of_body(headers: &HeaderMap, body: &[u8]) -> Result<Format, Refusal> {
    let mut lines = headers.get_all(CONTENT_TYPE);
    let (line, more) = (lines.next(), lines.next());
    if more.is_some() {
        return Err(error::unsupported_media("several Content-Type headers"));
    }
    let Some(line) = line else {
        return guess(body).ok_or_else(|| error::unsupported_media("no Content-Type header"));
    };
    let text = line
        .to_str()
        .map_err(|_| error::unsupported_media("a Content-Type that is no text"))?;
    let media = Media::parse(text);
    if media.as_ref().is_some_and(Media::is_form)
        && let Some(format) = guess(body)
    {
        return Ok(format);
    }
    media
        .filter(|media| media.is_utf8() && media.is_r4())
        .and_then(|media| media.format())
        .ok_or_else(|| error::unsupported_media(text))
}

/// The kind of patch that a body is, by its `Content-Type` alone: the same JSON may be one kind or another, so plain
/// `application/json` says too little.
///
/// # Errors
/// 415 when it says none.
pub fn of_patch(headers: &HeaderMap) -> Result<PatchFormat, Refusal> {
    let mut lines = headers.get_all(CONTENT_TYPE);
    match (lines.next().map(HeaderValue::to_str), lines.next()) {
        (Some(Ok(text)), None) => patch_named(text),
        (Some(Err(_)), None) => Err(error::unsupported_patch("a Content-Type that is no text")),
        (Some(_), Some(_)) => Err(error::unsupported_patch("several Content-Type headers")),
        (None, _) => Err(error::unsupported_patch("no Content-Type header")),
    }
}

/// The kind of patch that a media type means, of a header or of a Binary.
///
/// # Errors
/// 415 when it means none.
pub fn patch_named(text: &str) -> Result<PatchFormat, Refusal> {
    Media::parse(text)
        .filter(|media| media.is_utf8() && media.is_r4())
        .and_then(|media| media.patch())
        .ok_or_else(|| error::unsupported_patch(text))
}

/// Whether a body is the form of a `_search`. A missing `Content-Type` stands for one.
///
/// # Errors
/// 415 when it is declared to be something else.
pub fn check_form(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(line) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let is_form = line
        .to_str()
        .ok()
        .and_then(Media::parse)
        .is_some_and(|media| media.is_form());
    if is_form { Ok(()) } else { Err(error::not_a_form()) }
}

// A sender that leaves the type out, or curl's default in its place, sends JSON: only that starts with `{`.
fn guess(body: &[u8]) -> Option<Format> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    (first == Some(&b'{')).then_some(Format::Json)
}

fn of_parameter(wanted: &str) -> Option<Format> {
    match wanted.trim() {
        word if word.eq_ignore_ascii_case("json") => Some(Format::Json),
        word if word.eq_ignore_ascii_case("xml") => Some(Format::Xml),
        // The `+` of `fhir+json`, unescaped, is a space by now.
        mime => Media::parse(
            &mime
                .replace("/fhir ", "/fhir+")
                .replace("/json ", "/json+")
                .replace("/xml ", "/xml+"),
        )
        .filter(Media::is_r4)
        .and_then(|media| media.format()),
    }
}

/// How closely an item of `Accept` names a format, and so which one decides when several match.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Anything,
    Family,
    Exact,
}

/// What `Accept` says of one format: closeness, quality in thousandths, and the place in the list.
#[derive(Clone, Copy)]
struct Wish {
    closeness: Closeness,
    quality: u16,
    place: usize,
}

fn of_accept(headers: &HeaderMap) -> Option<Format> {
    let mut json: Option<Wish> = None;
    let mut xml: Option<Wish> = None;
    let (mut place, mut asked) = (0, false);
    for line in headers.get_all(ACCEPT) {
        // Bytes that are no text ask for something, but for nothing that can be sent.
        let Ok(line) = line.to_str() else {
            asked = true;
            continue;
        };
        for item in split_unquoted(line, b',').filter(|item| !item.trim().is_empty()) {
            asked = true;
            place += 1;
            let Some((media, quality)) = Media::parse(item)
                .filter(Media::is_r4)
                .and_then(Media::with_quality)
            else {
                continue;
            };
            for (format, wish) in [(Format::Json, &mut json), (Format::Xml, &mut xml)] {
                if let Some(closeness) = media.closeness(format) {
                    keep_closest(
                        wish,
                        Wish {
                            closeness,
                            quality,
                            place,
                        },
                    );
                }
            }
        }
    }
    if !asked {
        return Some(Format::Json);
    }
    let wanted = |wish: Option<Wish>| wish.filter(|wish| wish.quality > 0);
    match (wanted(json), wanted(xml)) {
        (None, None) => None,
        (Some(_), None) => Some(Format::Json),
        (None, Some(_)) => Some(Format::Xml),
        (Some(json), Some(xml)) => Some(preferred(json, xml)),
    }
}

fn keep_closest(kept: &mut Option<Wish>, new: Wish) {
    let better = kept.is_none_or(|old| (new.closeness, new.quality) > (old.closeness, old.quality));
    if better {
        *kept = Some(new);
    }
}

fn preferred(json: Wish, xml: Wish) -> Format {
    let by_quality = json.quality.cmp(&xml.quality);
    let by_closeness = by_quality.then(json.closeness.cmp(&xml.closeness));
    match by_closeness.then(xml.place.cmp(&json.place)) {
        std::cmp::Ordering::Less => Format::Xml,
        std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => Format::Json,
    }
}

/// A media type with its parameters, borrowed from a header.
struct Media<'h> {
    kind: &'h str,
    subtype: &'h str,
    parameters: &'h str,
}

impl<'h> Media<'h> {
    fn parse(text: &'h str) -> Option<Media<'h>> {
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let (kind, subtype) = essence.trim().split_once('/')?;
        (!kind.is_empty() && !subtype.is_empty()).then_some(Media {
            kind,
            subtype,
            parameters,
        })
    }

    fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    fn is_form(&self) -> bool {
        self.is("application", "x-www-form-urlencoded")
    }

    fn format(&self) -> Option<Format> {
        const TABLE: [(&str, &str, Format); 8] = [
            ("application", "fhir+json", Format::Json),
            ("application", "json", Format::Json),
            ("text", "json", Format::Json),
            ("application", "json+fhir", Format::Json),
            ("application", "fhir+xml", Format::Xml),
            ("application", "xml", Format::Xml),
            ("text", "xml", Format::Xml),
            ("application", "xml+fhir", Format::Xml),
        ];
        TABLE
            .iter()
            .find(|(kind, subtype, _)| self.is(kind, subtype))
            .map(|(_, _, format)| *format)
    }

    fn patch(&self) -> Option<PatchFormat> {
        if self.is("application", "json-patch+json") {
            return Some(PatchFormat::Json);
        }
        if self.is("application", "merge-patch+json") {
            return Some(PatchFormat::Merge);
        }
        let is_plain_json = self.subtype.eq_ignore_ascii_case("json");
        self.format()
            .filter(|_| !is_plain_json)
            .map(PatchFormat::FhirPath)
    }

    fn closeness(&self, format: Format) -> Option<Closeness> {
        let family = self.subtype == "*"
            && (self.kind.eq_ignore_ascii_case("application") || self.kind.eq_ignore_ascii_case("text"));
        if self.kind == "*" && self.subtype == "*" {
            Some(Closeness::Anything)
        } else if family {
            Some(Closeness::Family)
        } else {
            (self.format() == Some(format)).then_some(Closeness::Exact)
        }
    }

    fn parameter(&self, name: &str) -> Option<&'h str> {
        split_unquoted(self.parameters, b';').find_map(|parameter| {
            let (found, value) = parameter.split_once('=')?;
            found
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().trim_matches('"'))
        })
    }

    /// R4, or no version at all.
    fn is_r4(&self) -> bool {
        self.parameter("fhirVersion")
            .is_none_or(|version| matches!(version, "4.0" | "4.0.0" | "4.0.1"))
    }

    fn is_utf8(&self) -> bool {
        self.parameter("charset").is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii"]
                .iter()
                .any(|known| charset.eq_ignore_ascii_case(known))
        })
    }

    /// With its `q`; an unreadable one is no wish at all.
    fn with_quality(self) -> Option<(Media<'h>, u16)> {
        let quality = self.parameter("q").map_or(Some(1000), thousandths)?;
        Some((self, quality))
    }
}

/// A quality value, `0`, `1`, `0.5`, `0.333`, in thousandths — RFC 9110, 12.4.2
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || !matches!(whole, "0" | "1") {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    let value = whole.parse::<u16>().ok()? * 1000 + fraction;
    (value <= 1000).then_some(value)
}

/// The pieces between separators that do not stand in a quoted string.
fn split_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character: char| {
        if character == '"' {
            quoted = !quoted;
        }
        !quoted && character == char::from(separator)
    })
}

/// The first value of a parameter of a raw query string, decoded. Cheap when it is not there: most requests
/// have neither `_format` nor `_pretty`.
fn parameter(query: &str, name: &str) -> Option<String> {
    if query.is_empty() {
        return None;
    }
    query.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        decode(found).eq_ignore_ascii_case(name).then(|| decode(value))
    })
}

fn decode(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digits = rest.clone();
                match (digits.next().and_then(hex), digits.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        bytes.push(high * 16 + low);
                        rest = digits;
                    }
                    _ => bytes.push(b'%'),
                }
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
