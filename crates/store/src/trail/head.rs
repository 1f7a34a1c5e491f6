//! What is signed: how many rows a space has, and the hash that covers them. Kept beside the rows, and as a line in a
//! file outside the database.

use std::fmt::Write as _;
use std::io::{BufRead as _, Write as _};
use std::path::Path;

use fhir::Timestamp;

use super::key::Keys;
use super::row::Hash;

/// What a signature of a head begins with, so that it is good for nothing else.
const LABEL: &[u8] = b"passerelle audit head 1\n";
/// The same of a cut by retention.
const CUT_LABEL: &[u8] = b"passerelle audit cut 1\n";

/// A head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the space.
    pub space: i64,
    /// Its last block.
    pub(super) block: i64,
    /// How many rows have been sealed in all.
    pub count: i64,
    /// The hash of the last one.
    pub(super) hash: Hash,
    /// The digest of the block's lists.
    pub(super) digest: Hash,
    /// When it was sealed.
    pub time: Timestamp,
    /// Whose signature it is; empty when it is not signed.
    pub(super) key_id: String,
    pub(super) signature: Vec<u8>,
}

impl Head {
    /// What is signed.
    pub(super) fn message(&self) -> Vec<u8> {
        self.labelled(LABEL)
    }

    /// What is signed when everything up to here is removed.
    pub(super) fn cut_message(&self) -> Vec<u8> {
        self.labelled(CUT_LABEL)
    }

    fn labelled(&self, label: &[u8]) -> Vec<u8> {
        let mut message = label.to_vec();
        for number in [self.space, self.block, self.count, self.time.micros()] {
            message.extend(number.to_le_bytes());
        }
        message.extend(self.hash);
        message.extend(self.digest);
        message
    }

    pub(super) fn is_signed_by(&self, keys: &Keys) -> bool {
        keys.accept(&self.key_id, &self.message(), &self.signature)
    }

    /// The line of the file, with its end.
    pub(super) fn line(&self) -> String {
        format!(
            "space={} block={} count={} time={} hash={} lists={} key={} signature={}\n",
            self.space,
            self.block,
            self.count,
            self.time.to_instant(),
            hex(&self.hash),
            hex(&self.digest),
            self.key_id,
            hex(&self.signature)
        )
    }

    /// `None` of what is no such line.
    pub(super) fn of_line(line: &str) -> Option<Head> {
        let mut words = line.split(' ');
        let mut field = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let head = Head {
            space: field("space")?.parse().ok()?,
            block: field("block")?.parse().ok()?,
            count: field("count")?.parse().ok()?,
            time: instant(field("time")?)?,
            hash: unhex(field("hash")?)?.try_into().ok()?,
            digest: unhex(field("lists")?)?.try_into().ok()?,
            key_id: field("key")?.to_owned(),
            signature: unhex(field("signature")?)?,
        };
        words.next().is_none().then_some(head)
    }
}

/// Appends heads to the file.
pub(super) fn append(path: &Path, heads: &[Head]) -> std::io::Result<()> {
    // One write: the lines of several processes do not mix.
    let lines: String = heads.iter().map(Head::line).collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(lines.as_bytes())
}

/// The heads in a file, as they were written.
///
/// # Errors
/// A sentence for the operator: the file cannot be read, or the number of a line that is no head. The last line may be
/// half written.
pub fn read_heads(path: &Path) -> Result<Vec<Head>, String> {
    let failed = |error: std::io::Error| format!("cannot read the heads {}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut reader = std::io::BufReader::new(file);
    let (mut heads, mut line, mut number) = (Vec::new(), String::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        if reader.read_line(&mut line).map_err(failed)? == 0 {
            return Ok(heads);
        }
        let whole = line.strip_suffix('\n');
        // A server was killed in the middle of a line, and another went on behind it.
        let start = line.rfind("space=").unwrap_or_default();
        match (
            whole,
            line.get(start..).map(str::trim_end).and_then(Head::of_line),
        ) {
            (Some(_), Some(head)) => heads.push(head),
            // The server was writing it, or was killed there.
            (None, _) => return Ok(heads),
            (Some(_), None) => {
                return Err(format!(
                    "line {number} of {} is no head of an audit trail",
                    path.display()
                ));
            }
        }
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    fhir::time::TimeRange::parse(text).map(|range| Timestamp::from_micros(range.low))
}

pub(super) fn hex<'b>(bytes: impl IntoIterator<Item = &'b u8>) -> String {
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| {
        let byte = digit(*high)? * 16 + digit(*low)?;
        u8::try_from(byte).ok()
    });
    rest.is_empty().then(|| bytes.collect()).flatten()
}
