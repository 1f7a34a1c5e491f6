//! What stands beside a backup: by what it is known to be whole, and what is in it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The form of the manifests that this server writes and reads.
const FORM: u32 = 1;
/// Bytes that are read at once.
const CHUNK: usize = 1024 * 1024;
/// A manifest is never so long, bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The manifest of a backup.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) struct Manifest {
    /// The form of this file.
    pub form: u32,
    /// When the backup was begun: everything that was answered before is in it.
    pub begun: String,
    /// The version of the server that made it.
    pub passerelle: String,
    /// The version of the schema.
    pub schema: String,
    /// The id of the erasure ledger that has to be there when it is restored.
    pub erasure_ledger: Option<String>,
    /// The length of the backup, bytes.
    pub bytes: u64,
    /// SHA-256 of the backup, hexadecimal.
    pub sha256: String,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
}

impl Manifest {
    /// The form that this server writes.
    pub(super) const FORM: u32 = FORM;

    /// Where the manifest of a backup lies.
    pub(super) fn beside(backup: &Path) -> PathBuf {
        let mut name = OsString::from(backup.as_os_str());
        name.push(".manifest");
        PathBuf::from(name)
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// A sentence: it is missing, or makes no sense.
    pub(super) fn of(backup: &Path) -> anyhow::Result<Manifest> {
        let path = Manifest::beside(backup);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "{} is missing: a backup is the two files together, and without it nobody knows whether the other is whole",
                path.display()
            ),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let manifest: Manifest =
            serde_json::from_str(&text).with_context(|| format!("{} is no manifest", path.display()))?;
        if manifest.form != FORM {
            bail!("{} was written by a newer server: use that one", path.display());
        }
        Ok(manifest)
    }

    /// Writes it to a new file and flushes that.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        let written = new_file(path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A file that nobody else reads, empty.
fn new_file(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    file.set_len(0)?;
    Ok(file)
}

/// An empty file that is this process's until the handle is dropped; what another one left of it is gone.
///
/// # Errors
/// A sentence: another process has it, or it cannot be written.
pub(super) fn claim(path: &Path) -> anyhow::Result<File> {
    let file = open(path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!("another backup or restore is being written to {}", path.display());
    }
    file.set_len(0)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    // Not cut here: it may be another process's.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Length and SHA-256 of a file; each piece that is read goes to `also` as well.
pub(super) fn fingerprint(
    path: &Path,
    mut also: impl FnMut(&[u8]) -> io::Result<()>,
) -> anyhow::Result<(u64, String)> {
    let mut read = || -> io::Result<(u64, String)> {
        let mut file = File::open(path)?;
        let (mut hasher, mut length, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
        loop {
            let count = file.read(&mut buffer)?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            hasher.update(piece);
            also(piece)?;
            length += piece.len() as u64;
        }
        let mut text = String::with_capacity(64);
        for byte in hasher.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok((length, text))
    };
    read().with_context(|| format!("cannot copy or read {}", path.display()))
}
