//! The lines of a ledger: fields between tabs, the last one a checksum of what stands before it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Take};
use std::path::PathBuf;

use fhir::time::TimeRange;
use fhir::{Id, ResourceType, Target, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{Erasure, LedgerError, MAX_LINE_BYTES};

/// Hexadecimal digits of SHA-256 that a line carries.
const CHECKSUM_DIGITS: usize = 16;

/// A line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An erasure.
    Erasure(Erasure),
    /// A line, counted from 1, that is not as it was written.
    Damaged(u64),
    /// The end of the file is half a line: its writer was killed before anybody was answered.
    Torn,
}

/// The lines of a ledger behind its first, one at a time.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<Take<File>>,
    path: PathBuf,
    /// Bytes that have been read.
    at: u64,
    number: u64,
}

impl Lines {
    pub(super) fn new(file: File, length: u64, path: PathBuf) -> Lines {
        Lines {
            reader: BufReader::new(file.take(length)),
            path,
            at: 0,
            number: 0,
        }
    }

    /// Where the next line begins, bytes from the beginning of the file.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// One line, without its end; longer ones are cut, and are then no line of ours. `None`: there are no more.
    fn read(&mut self) -> std::io::Result<Option<(Vec<u8>, bool)>> {
        let mut line = Vec::new();
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok((!line.is_empty()).then_some((line, false)));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            let room = MAX_LINE_BYTES.saturating_sub(line.len());
            let taken = end.unwrap_or(buffer.len()).min(room);
            line.extend_from_slice(buffer.get(..taken).unwrap_or_default());
            self.reader.consume(length);
            self.at += length as u64;
            if end.is_some() {
                return Ok(Some((line, true)));
            }
        }
    }

    fn advance(&mut self) -> std::io::Result<Option<Line>> {
        loop {
            let Some((bytes, whole)) = self.read()? else {
                return Ok(None);
            };
            self.number += 1;
            let fields = opened(&bytes);
            // The first line is the ledger's title.
            if self.number == 1 {
                continue;
            }
            return Ok(Some(match fields.and_then(|fields| erasure(&fields)) {
                Some(erasure) => Line::Erasure(erasure),
                None if whole => Line::Damaged(self.number),
                None => Line::Torn,
            }));
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Line, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance()
            .map_err(|error| LedgerError::Io(self.path.clone(), error))
            .transpose()
    }
}

/// The line of an erasure, its end included.
pub(super) fn line(erasure: &Erasure) -> String {
    let (kind, time) = (erasure.target.kind.to_string(), erasure.time.to_instant());
    sealed(&[
        &erasure.space,
        &kind,
        erasure.target.id.as_str(),
        &time,
        &erasure.actor,
    ])
}

fn erasure(fields: &[String]) -> Option<Erasure> {
    let [space, kind, id, time, actor] = fields else {
        return None;
    };
    Some(Erasure {
        space: space.clone(),
        target: Target {
            kind: ResourceType::parse(kind)?,
            id: Id::parse(id)?,
        },
        time: Timestamp::from_micros(TimeRange::parse(time)?.low),
        actor: actor.clone(),
    })
}

/// A line of these fields with its checksum and its end. What would break the line becomes a space.
pub(super) fn sealed(fields: &[&str]) -> String {
    let mut line = String::new();
    for field in fields {
        line.extend(
            field
                .chars()
                .map(|sign| if sign.is_control() { ' ' } else { sign }),
        );
        line.push('\t');
    }
    let checksum = checksum(&line);
    line.push_str(&checksum);
    line.push('\n');
    line
}

/// The fields of a line without its end; `None` when it is not as it was written.
pub(super) fn opened(line: &[u8]) -> Option<Vec<String>> {
    let line = std::str::from_utf8(line).ok()?;
    let (text, given) = line.split_at_checked(line.rfind('\t')? + 1)?;
    if checksum(text) != given {
        return None;
    }
    let text = text.strip_suffix('\t')?;
    Some(text.split('\t').map(str::to_owned).collect())
}

fn checksum(text: &str) -> String {
    let mut digits = String::with_capacity(2 * CHECKSUM_DIGITS);
    for byte in Sha256::digest(text.as_bytes()).iter().take(CHECKSUM_DIGITS / 2) {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
