//! Records out of a stream: NDJSON, one JSON list, JSON documents one after the other, and the records of a
//! Bundle or a page. No more than one record is held.
//!
//! What is found are the bounds of a record. What is inside is for its dialect to read, strictly, so that a
//! record that is broken costs no other, as far as its bounds can be told.

use std::fmt;
use std::io::{self, Read};

use fhir::limits::MAX_BODY_BYTES;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line that it begins in, from 1.
    pub line: u64,
    /// Its position in the list that the input is, from 0.
    pub item: Option<u64>,
    /// Its position in a Bundle or page, from 0, and the property that holds it.
    pub entry: Option<(&'static str, u64)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(item) = self.item {
            write!(f, ", [{item}]")?;
        }
        match self.entry {
            Some((key, position)) => write!(f, ", {key}[{position}]"),
            None => Ok(()),
        }
    }
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A record, or an item of a Bundle or page.
    Record(Vec<u8>),
    /// Something else than a record; what is wrong.
    Broken(String),
}

/// What the input is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Nothing is known yet.
    Unknown,
    /// The first record is being read: lines, unless it goes on behind the first one.
    First,
    /// One record a line.
    Lines,
    /// Records of several lines each.
    Documents,
    /// One list.
    List,
    /// The list has been closed.
    Closed,
}

/// Where the text of a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// With its line.
    Line,
    /// With its last bracket.
    Bracket,
    /// Before the comma or bracket behind it.
    Separator,
}

/// Why the text of a record ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As it should, with more to come.
    Complete,
    /// With the bracket that closes its list.
    Closed,
    /// The list of a Bundle or page begins.
    List,
    /// With the input.
    Input,
}

/// The records of an input.
pub struct Records<R> {
    input: R,
    chunk: Box<[u8]>,
    at: usize,
    end: usize,
    line: u64,
    /// The property whose list holds records.
    list_key: Option<&'static str>,
    shape: Shape,
    /// Records of the outermost list so far.
    items: u64,
    /// Inside the list of a Bundle or page: where that one begins, and how many records it had.
    inside: Option<(Place, u64)>,
}

impl<R: Read> Records<R> {
    /// The records of an input. A list under `list_key` in an outermost object is a list of records.
    pub fn new(input: R, list_key: Option<&'static str>) -> Records<R> {
        Records {
            input,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            at: 0,
            end: 0,
            line: 1,
            list_key,
            shape: Shape::Unknown,
            items: 0,
            inside: None,
        }
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn next(&mut self) -> io::Result<Option<(Place, Found)>> {
        loop {
            if let Some((place, position)) = self.inside {
                if let Some(found) = self.next_inside(place, position)? {
                    return Ok(Some(found));
                }
                continue;
            }
            match self.shape {
                Shape::Unknown => self.begin()?,
                Shape::Closed => return self.behind(),
                _ => {}
            }
            let Some(first) = self.skip_blanks()? else {
                return Ok(self.unclosed());
            };
            let place = self.place();
            let ends = match self.shape {
                Shape::List if first == b']' && self.items == 0 => {
                    self.advance()?;
                    self.shape = Shape::Closed;
                    continue;
                }
                Shape::List => Ends::Separator,
                Shape::Documents => Ends::Bracket,
                _ => Ends::Line,
            };
            self.items += 1;
            let mut text = Vec::new();
            match self.scan(ends, 0, &mut text)? {
                End::List => {
                    self.inside = Some((place, 0));
                    continue;
                }
                End::Closed => self.shape = Shape::Closed,
                End::Complete | End::Input => {}
            }
            self.settle();
            return Ok(Some((place, found(text))));
        }
    }

    /// Finds out what the input is from its first byte.
    fn begin(&mut self) -> io::Result<()> {
        for byte in "\u{feff}".bytes() {
            if self.peek()? != Some(byte) {
                break;
            }
            self.advance()?;
        }
        self.shape = match self.skip_blanks()? {
            Some(b'[') => {
                self.advance()?;
                Shape::List
            }
            _ => Shape::First,
        };
        Ok(())
    }

    fn place(&self) -> Place {
        Place {
            line: self.line,
            item: (self.shape == Shape::List).then_some(self.items),
            entry: None,
        }
    }

    /// A first record that did not turn out to be longer than its line.
    fn settle(&mut self) {
        if self.shape == Shape::First {
            self.shape = Shape::Lines;
        }
    }

    fn next_inside(&mut self, outer: Place, position: u64) -> io::Result<Option<(Place, Found)>> {
        let place = Place {
            line: self.line,
            entry: self.list_key.map(|key| (key, position)),
            ..outer
        };
        match self.skip_blanks_inside()? {
            None | Some(b'\n') => {
                self.inside = None;
                self.settle();
                let what = "the list ends with the input before it is closed: something is missing";
                return Ok(Some((outer, Found::Broken(what.to_owned()))));
            }
            Some(b']') if position == 0 => {
                self.advance()?;
                self.leave(outer)?;
                return Ok(None);
            }
            _ => {}
        }
        let place = Place {
            line: self.line,
            ..place
        };
        self.inside = Some((outer, position + 1));
        let mut text = Vec::new();
        let end = self.scan(Ends::Separator, 0, &mut text)?;
        if end == End::Closed {
            self.leave(outer)?;
        }
        Ok(Some((place, found(text))))
    }

    /// Passes over what stands behind the list of a Bundle or page.
    fn leave(&mut self, outer: Place) -> io::Result<()> {
        self.inside = None;
        if self.shape == Shape::First {
            self.shape = if self.line > outer.line {
                Shape::Documents
            } else {
                Shape::Lines
            };
        }
        let ends = match self.shape {
            Shape::List => Ends::Separator,
            Shape::Documents => Ends::Bracket,
            _ => Ends::Line,
        };
        let mut rest = Vec::new();
        if self.scan(ends, 1, &mut rest)? == End::Closed {
            self.shape = Shape::Closed;
        }
        Ok(())
    }

    /// What is wrong at the end of the input, once.
    fn unclosed(&mut self) -> Option<(Place, Found)> {
        if self.shape != Shape::List {
            return None;
        }
        self.shape = Shape::Lines;
        let place = Place {
            item: None,
            ..self.place()
        };
        let what = "the input ends before its list is closed: something is missing";
        Some((place, Found::Broken(what.to_owned())))
    }

    /// What stands behind the list that the input is: nothing, or something that should not.
    fn behind(&mut self) -> io::Result<Option<(Place, Found)>> {
        if self.skip_blanks()?.is_none() {
            return Ok(None);
        }
        let place = self.place();
        while self.advance()?.is_some() {}
        let what = "something stands behind the list; the input must be one list, or one record a line";
        Ok(Some((place, Found::Broken(what.to_owned()))))
    }

    /// Reads the text of a record into `text`, from this many open brackets on. Of a record that is too large
    /// no more is kept than shows that.
    fn scan(&mut self, ends: Ends, mut depth: usize, text: &mut Vec<u8>) -> io::Result<End> {
        let (mut in_string, mut is_escaped) = (false, false);
        let mut ends = ends;
        let is_outermost = self.inside.is_none() && depth == 0;
        let mut was_closed = false;
        while let Some(byte) = self.peek()? {
            if byte == b'\n' {
                let goes_on = goes_on(depth, in_string, text);
                if ends == Ends::Line && self.shape == Shape::First && goes_on && !was_closed {
                    self.shape = Shape::Documents;
                    ends = Ends::Bracket;
                }
                let is_inside_a_line = self.inside.is_some() && self.shape == Shape::Lines;
                let is_end = ends == Ends::Line || (ends == Ends::Bracket && depth == 0);
                if is_inside_a_line {
                    return Ok(End::Complete);
                }
                self.advance()?;
                if is_end {
                    return Ok(End::Complete);
                }
                // No text of JSON holds a line break: an unclosed one shall not swallow the next record.
                (in_string, is_escaped) = (false, false);
                keep(text, byte);
                continue;
            }
            if in_string {
                in_string = is_escaped || byte != b'"';
                is_escaped = byte == b'\\' && !is_escaped;
            } else {
                match byte {
                    b'"' => in_string = true,
                    b'[' if depth == 1 && is_outermost && self.is_list(text) => {
                        self.advance()?;
                        return Ok(End::List);
                    }
                    b'{' | b'[' => depth += 1,
                    b',' | b']' if ends == Ends::Separator && depth == 0 => {
                        self.advance()?;
                        return Ok(if byte == b']' { End::Closed } else { End::Complete });
                    }
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        was_closed |= depth == 0;
                    }
                    _ => {}
                }
            }
            self.advance()?;
            keep(text, byte);
            if ends == Ends::Bracket && depth == 0 && matches!(byte, b'}' | b']') && !in_string {
                return Ok(End::Complete);
            }
        }
        Ok(End::Input)
    }

    /// Whether the bracket behind this text opens the list of a Bundle or page.
    fn is_list(&self, text: &[u8]) -> bool {
        let Some(key) = self.list_key else { return false };
        let before = text
            .trim_ascii_end()
            .strip_suffix(b":")
            .and_then(|text| text.trim_ascii_end().strip_suffix(b"\""))
            .and_then(|text| text.strip_suffix(key.as_bytes()))
            .and_then(|text| text.strip_suffix(b"\""));
        before.is_some_and(|before| matches!(before.trim_ascii_end().last(), Some(b'{' | b',')))
    }

    /// The next byte that is no blank.
    fn skip_blanks(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.advance()?;
        }
        Ok(None)
    }

    /// The next byte that is no blank; the end of its line when the list stands in one.
    fn skip_blanks_inside(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() || (byte == b'\n' && self.shape == Shape::Lines) {
                return Ok(Some(byte));
            }
            self.advance()?;
        }
        Ok(None)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.at == self.end {
            self.end = loop {
                match self.input.read(&mut self.chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            self.at = 0;
        }
        Ok(self.chunk.get(self.at..self.end).and_then(<[u8]>::first).copied())
    }

    fn advance(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.at += 1;
        }
        self.line += u64::from(byte == Some(b'\n'));
        Ok(byte)
    }
}

/// Whether a first line that has not closed its brackets is the beginning of a document, and not a record that
/// was cut off.
fn goes_on(depth: usize, in_string: bool, text: &[u8]) -> bool {
    depth > 0 && !in_string && matches!(text.trim_ascii_end().last(), Some(b'{' | b'[' | b','))
}

fn keep(text: &mut Vec<u8>, byte: u8) {
    if text.len() <= MAX_BODY_BYTES {
        text.push(byte);
    }
}

fn found(text: Vec<u8>) -> Found {
    if text.len() > MAX_BODY_BYTES {
        let what = format!("the record is larger than {MAX_BODY_BYTES} bytes, which no door takes");
        return Found::Broken(what);
    }
    Found::Record(text)
}

#[cfg(test)]
mod tests;
