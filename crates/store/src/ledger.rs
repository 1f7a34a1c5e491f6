//! The ledger of erasures: a file outside the database and its backups, so that who was erased stays erased in a
//! database that was restored from an older backup (`access.md` 4).
//!
//! One line an erasure, written and flushed before the transaction commits, so that none that was answered is missing.
//! What a line says is a pseudonym: space, type, id, time, client. Each carries a checksum. Several processes append to
//! one file: under a lock of the file, each with one write, and none keeps it open, so that it may be moved or copied
//! at any time.

mod lines;
mod state;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use fhir::{Target, Timestamp};

use crate::error::StoreError;

pub use lines::{Line, Lines};
pub use state::{Erasures, Mark};

/// The longest line, bytes: a space's name, a type, an id, a time and a client's id have 64 at most.
const MAX_LINE_BYTES: usize = 1024;
/// How the first line begins.
const TITLE: &str = "passerelle-erasures";
/// Of which form the file is.
const FORM: &str = "1";

/// An erasure, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The space's id.
    pub space: String,
    /// Who was erased.
    pub target: Target,
    /// When.
    pub time: Timestamp,
    /// The client that asked for it.
    pub actor: String,
}

/// Why a ledger cannot be used. The texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is no such file.
    #[error("there is no erasure ledger at {0}")]
    Missing(PathBuf),
    /// It is not a ledger, or its first line is damaged.
    #[error("{0} is not an erasure ledger, or its first line is damaged; restore it from its copy")]
    Foreign(PathBuf),
    /// The file cannot be read or written.
    #[error("the erasure ledger {0}: {1}")]
    Io(PathBuf, std::io::Error),
}

/// A ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    path: PathBuf,
    id: String,
}

impl Ledger {
    /// The ledger in this file.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(path: &Path) -> Result<Ledger, LedgerError> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(LedgerError::Missing(path.to_owned()));
            }
            Err(error) => return Err(LedgerError::Io(path.to_owned(), error)),
        };
        // Somebody may be writing the first line.
        let locked = file.lock_shared().and_then(|()| head(&mut file));
        match locked.map_err(|error| LedgerError::Io(path.to_owned(), error))? {
            Head::Of(id) => Ok(Ledger {
                path: path.to_owned(),
                id,
            }),
            // Its maker did not get as far as one line: nothing was ever in it.
            Head::Begun => Err(LedgerError::Missing(path.to_owned())),
            Head::Damaged => Err(LedgerError::Foreign(path.to_owned())),
        }
    }

    /// The ledger in this file, begun when there is none. Of several that begin it at once, one does.
    ///
    /// # Errors
    /// [`LedgerError`]; never [`LedgerError::Missing`].
    pub fn open_or_begin(path: &Path, now: Timestamp) -> Result<Ledger, LedgerError> {
        let io = |error| LedgerError::Io(path.to_owned(), error);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        file.lock().map_err(io)?;
        let id = match head(&mut file).map_err(io)? {
            Head::Of(id) => id,
            Head::Damaged => return Err(LedgerError::Foreign(path.to_owned())),
            Head::Begun => {
                let id = uuid::Uuid::new_v4().to_string();
                let line = lines::sealed(&[TITLE, FORM, &id, &now.to_instant()]);
                file.set_len(0)
                    .and_then(|()| file.write_all(line.as_bytes()))
                    .and_then(|()| file.sync_all())
                    .and_then(|()| sync_folder(path))
                    .map_err(io)?;
                id
            }
        };
        Ok(Ledger {
            path: path.to_owned(),
            id,
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which one it is: a random UUID that its first line holds.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Everything that was in it when it was asked.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn lines(&self) -> Result<Lines, LedgerError> {
        let io = |error| LedgerError::Io(self.path.clone(), error);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(LedgerError::Missing(self.path.clone()));
            }
            Err(error) => return Err(io(error)),
        };
        // Nobody is in the middle of a line now; what is appended later is not looked at.
        file.lock_shared().map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        file.unlock().map_err(io)?;
        Ok(Lines::new(file, length, self.path.clone()))
    }

    /// Appends erasures and flushes them to disk, all or none.
    pub(crate) fn append(&self, erasures: &[Erasure]) -> Result<(), StoreError> {
        let text: String = erasures.iter().map(lines::line).collect();
        self.try_append(text.as_bytes()).map_err(|error| {
            let text = format!("appending to the erasure ledger {}: {error}", self.path.display());
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(text),
                _ => StoreError::Unavailable(text),
            }
        })
    }

    fn try_append(&self, text: &[u8]) -> std::io::Result<()> {
        // Not made when it is missing: a new file would hide that the old one is gone.
        let mut file = OpenOptions::new().read(true).append(true).open(&self.path)?;
        file.lock()?;
        if !matches!(head(&mut file)?, Head::Of(id) if id == self.id) {
            return Err(std::io::Error::other("another file has taken its place"));
        }
        let end = mend(&mut file)?;
        let written = file.write_all(text).and_then(|()| file.sync_data());
        if written.is_err() {
            // What was not answered must not stay half; should this fail too, the next one mends it.
            let _ = file.set_len(end);
        }
        written
    }
}

/// What the first line of a file says.
enum Head {
    /// A ledger of this id.
    Of(String),
    /// Nothing, or the beginning of a line.
    Begun,
    /// Something else.
    Damaged,
}

fn head(file: &mut File) -> std::io::Result<Head> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::with_capacity(MAX_LINE_BYTES);
    file.take(MAX_LINE_BYTES as u64).read_to_end(&mut bytes)?;
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        let begins = bytes.starts_with(TITLE.as_bytes()) || TITLE.as_bytes().starts_with(&bytes);
        return Ok(if begins && bytes.len() < MAX_LINE_BYTES {
            Head::Begun
        } else {
            Head::Damaged
        });
    };
    let fields = bytes.get(..end).and_then(lines::opened);
    Ok(match fields.as_deref() {
        Some([title, form, id, _]) if title == TITLE && form == FORM => Head::Of(id.clone()),
        _ => Head::Damaged,
    })
}

/// Takes away what a writer that was killed left of a line: nobody was answered for that. A line that lacks nothing but
/// its end gets that. Where the file then ends.
fn mend(file: &mut File) -> std::io::Result<u64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(2 * MAX_LINE_BYTES as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(2 * MAX_LINE_BYTES as u64).read_to_end(&mut tail)?;
    let torn = match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => tail.get(last + 1..).unwrap_or_default(),
        None => {
            return Err(std::io::Error::other(
                "its end is damaged: restore it from its copy",
            ));
        }
    };
    if torn.is_empty() {
        return Ok(length);
    }
    if lines::opened(torn).is_some() {
        file.write_all(b"\n")?;
        return Ok(length + 1);
    }
    let whole = length - torn.len() as u64;
    tracing::warn!(
        bytes = torn.len(),
        "the erasure ledger ended in half a line, of an erasure that was not answered"
    );
    file.set_len(whole)?;
    Ok(whole)
}

/// Flushes the folder of a file: that there is such a file is then on disk.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
