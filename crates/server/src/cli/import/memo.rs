//! How far an import has come, in a file: after a kill the same command goes on there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// Between two writings, in seconds.
const EVERY: Duration = Duration::from_secs(1);

/// What is imported where: a progress file of another import is not gone on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Identity {
    /// Which database.
    pub database: String,
    /// The id of the space.
    pub space: String,
    /// The dialect.
    pub from: String,
    /// Bytes of the input; none for standard input.
    pub size: Option<u64>,
    /// SHA-256 of its first 64 KiB.
    pub beginning: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Content {
    input: Identity,
    /// So many records from the start are in the database, or were refused.
    done: u64,
    refused: u64,
    /// Entries among them that hold no Patient.
    passed_over: u64,
}

/// The file, or nothing when none is wanted.
pub(super) struct Memo(Option<Kept>);

struct Kept {
    path: PathBuf,
    content: Content,
    written: Instant,
}

impl Memo {
    /// Keeps nothing.
    pub(super) fn none() -> Memo {
        Memo(None)
    }

    /// The file at a path; one that is not there begins an import.
    ///
    /// # Errors
    /// A sentence when the file is of another import, or makes no sense.
    pub(super) fn open(path: &Path, input: Identity) -> anyhow::Result<Memo> {
        let remedy = "name another one, or remove it to begin from the start (which adds nobody twice)";
        let content = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Content {
                input,
                done: 0,
                refused: 0,
                passed_over: 0,
            },
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read the progress file {}", path.display()));
            }
            Ok(text) => {
                let known: Content = serde_json::from_slice(&text)
                    .with_context(|| format!("{} is no progress file; {remedy}", path.display()))?;
                if known.input != input {
                    bail!(
                        "the progress file {} is that of another import (another input, space, dialect or database); \
                         {remedy}",
                        path.display()
                    );
                }
                known
            }
        };
        let mut memo = Memo(Some(Kept {
            path: path.to_owned(),
            content,
            written: Instant::now(),
        }));
        // A file that cannot be written is known before hours of work.
        memo.write()?;
        Ok(memo)
    }

    /// Items of the input from its start that need no look.
    pub(super) fn done(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.content.done)
    }

    /// Those among them that were refused.
    pub(super) fn refused(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.content.refused)
    }

    /// Those among them that are no records.
    pub(super) fn passed_over(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.content.passed_over)
    }

    /// The next item is done.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn one_done(&mut self, fate: Fate) -> anyhow::Result<()> {
        let Some(kept) = &mut self.0 else { return Ok(()) };
        kept.content.done += 1;
        match fate {
            Fate::Kept => {}
            Fate::Refused => kept.content.refused += 1,
            Fate::PassedOver => kept.content.passed_over += 1,
        }
        if kept.written.elapsed() < EVERY {
            return Ok(());
        }
        self.write()
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(&mut self) -> anyhow::Result<()> {
        let Some(kept) = &mut self.0 else { return Ok(()) };
        let mut beside = kept.path.clone().into_os_string();
        beside.push(".new");
        let text = serde_json::to_vec(&kept.content)?;
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&text)?;
            // Without it a power cut could leave the name with nothing behind it.
            file.sync_data()?;
            fs::rename(&beside, &kept.path)
        };
        write().with_context(|| format!("cannot write the progress file {}", kept.path.display()))?;
        kept.written = Instant::now();
        Ok(())
    }

    /// All is done: the next import begins from the start.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        let Some(kept) = self.0 else { return Ok(()) };
        fs::remove_file(&kept.path)
            .with_context(|| format!("cannot remove the progress file {}", kept.path.display()))
    }
}

/// What became of an item, as far as the file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is in the database.
    Kept,
    /// It was refused.
    Refused,
    /// It is no record.
    PassedOver,
}
