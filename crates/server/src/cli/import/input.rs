//! The records of an import, read and translated beside the database's work.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use adapters::translate::{self as translation, Entry, Import, Problem, Translated};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use store::Store;

use super::Options;
use super::desk::{Desk, Words};
use super::memo::{Identity, Memo};
use crate::cli::translate::records::{Found, Place, Records};

/// Items that are read at once.
const BATCH: usize = 64;
/// Bytes from the start by which an input is known again.
const BEGINNING: u64 = 64 * 1024;

/// What was read, and the rest of the input; without one it was the last.
pub(super) struct Batch {
    pub items: Vec<Item>,
    pub input: Option<Input>,
}

/// A record or entry of the input.
pub(super) struct Item {
    /// Where it stands.
    pub place: Place,
    /// By what its Patient is recognised.
    pub names: Vec<String>,
    /// What it is.
    pub what: What,
}

/// What an item is.
pub(super) enum What {
    /// An entry of a Bundle that holds no Patient.
    PassedOver,
    /// A record that nobody could store.
    Refused(Vec<Problem>),
    /// A Patient.
    Record(Box<Translated<Import>>),
}

/// The input of an import.
pub(super) struct Input {
    records: Records<Box<dyn Read + Send>>,
    words: Arc<Words>,
    /// Items that need no look.
    skip: u64,
    size: Option<u64>,
    read: Arc<AtomicU64>,
}

impl Input {
    /// Opens the input, and looks how far an earlier import of it came.
    ///
    /// # Errors
    /// A sentence when the input or the progress file cannot be read.
    pub(super) async fn open(options: &Options, desk: &Desk, store: &Store) -> anyhow::Result<(Input, Memo)> {
        let (mut source, size): (Box<dyn Read + Send>, Option<u64>) = if options.file == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let open = || format!("cannot read {}", options.file.display());
            let file = File::open(&options.file).with_context(open)?;
            let about = file.metadata().with_context(open)?;
            (Box::new(file), about.is_file().then_some(about.len()))
        };
        let mut memo = Memo::none();
        if let Some(path) = &options.progress_file {
            let mut beginning = Vec::new();
            source
                .by_ref()
                .take(BEGINNING)
                .read_to_end(&mut beginning)
                .context("the input cannot be read")?;
            let identity = Identity {
                database: desk.database(store).await?,
                space: options.space.clone(),
                from: options.from.to_string(),
                size,
                beginning: Sha256::digest(&beginning)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
            };
            source = Box::new(Cursor::new(beginning).chain(source));
            memo = Memo::open(path, identity)?;
        }
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            source,
            read: Arc::clone(&read),
        };
        let input = Input {
            records: Records::new(Box::new(counted), translation::list_key(options.from)),
            words: desk.words(),
            skip: memo.done(),
            size,
            read,
        };
        Ok((input, memo))
    }

    /// How large it is, when it is a file.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// How much of it has been read.
    pub(super) fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// The next items, and whether they were the last.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub(super) fn batch(&mut self) -> anyhow::Result<(Vec<Item>, bool)> {
        let mut items = Vec::with_capacity(BATCH);
        while items.len() < BATCH {
            let Some((place, found)) = self.records.next().context("the input cannot be read")? else {
                return Ok((items, true));
            };
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            items.push(self.item(place, found));
        }
        Ok((items, false))
    }

    fn item(&self, place: Place, found: Found) -> Item {
        let read = match found {
            Found::Broken(what) => Err(vec![Problem::new("$", what)]),
            Found::Record(text) => self.one(&text, place.entry.is_some()),
        };
        let (names, what) = match read {
            Err(problems) => (Vec::new(), What::Refused(problems)),
            Ok(None) => (Vec::new(), What::PassedOver),
            Ok(Some(translated)) => (
                self.words.names(&translated.content),
                What::Record(Box::new(translated)),
            ),
        };
        Item { place, names, what }
    }

    /// One record, or an entry of a Bundle; `None` for an entry that is to be passed over.
    fn one(&self, item: &[u8], is_entry: bool) -> Result<Option<Translated<Import>>, Vec<Problem>> {
        let mut record = item;
        if is_entry {
            match translation::entry(self.words.from(), item).map_err(|problem| vec![problem])? {
                Entry::Record(inner) => record = inner,
                Entry::Other => return Ok(None),
            }
        }
        self.words.translate(record).map(Some)
    }
}

/// Counts what is read.
struct Counted {
    source: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
