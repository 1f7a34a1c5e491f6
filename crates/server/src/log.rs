//! Where log lines go: to standard error, whatever becomes of them there. A log that cannot be written (its disk is
//! full, its reader is gone) costs nobody an answer.

use std::env::VarError;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, dynamic_filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Whether the last line may have been cut off.
static CUT_OFF: AtomicBool = AtomicBool::new(false);

/// The variable that chooses what is logged.
const CHOICE: &str = "RUST_LOG";
/// Set once the server itself has shut its door.
static DOOR_SHUT: AtomicBool = AtomicBool::new(false);

/// Starts logging to standard error, as text or (`json`) as JSON. `RUST_LOG` chooses what; `info` when it is not set or
/// empty.
///
/// # Errors
/// A sentence for the operator: `RUST_LOG` cannot be understood.
pub fn start(format: Option<&str>) -> anyhow::Result<()> {
    let chosen = match std::env::var(CHOICE) {
        Ok(text) if !text.trim().is_empty() => text,
        Ok(_) | Err(VarError::NotPresent) => "info".to_owned(),
        Err(VarError::NotUnicode(_)) => bail!("the variable {CHOICE} is no text"),
    };
    let filter = EnvFilter::try_new(&chosen).with_context(|| {
        format!("the variable {CHOICE} is '{chosen}': write a level (error, warn, info, debug, trace), or such as info,access=warn")
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        // It would be told on standard error, where the line itself could not be written: with a panic.
        .log_internal_errors(false);
    let lines = match format {
        Some("json") => lines.json().flatten_event(true).boxed(),
        _ => lines.with_ansi(false).boxed(),
    };
    let lines = lines.with_filter(dynamic_filter_fn(|metadata, _| !is_of_a_shut_door(metadata)));
    // A second start in one process keeps the first log.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    Ok(())
}

/// From now on nothing can be accepted, on purpose: actix says so once at each end, as an error.
pub(crate) fn door_is_shut() {
    DOOR_SHUT.store(true, Ordering::Relaxed);
}

fn is_of_a_shut_door(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "actix_server::accept"
        && *metadata.level() == Level::ERROR
        && DOOR_SHUT.load(Ordering::Relaxed)
}

/// An error that stands in the log already.
#[derive(Debug, thiserror::Error)]
#[error("the log says why")]
pub struct Told;

/// Logs why a server ends, unless the log leaves that out.
pub fn fatal(error: anyhow::Error) -> anyhow::Error {
    if !tracing::enabled!(Level::ERROR) {
        return error;
    }
    tracing::error!(error = %format!("{error:#}"), "the server ends");
    Told.into()
}

/// Standard error that takes everything. What it cannot write is lost; the next line that it can write begins on
/// a line of its own.
pub fn writer() -> Lossy<io::Stderr> {
    Lossy {
        inner: io::stderr(),
        cut_off: &CUT_OFF,
    }
}

/// A writer that never fails.
pub struct Lossy<W> {
    inner: W,
    cut_off: &'static AtomicBool,
}

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let ended = !self.cut_off.load(Ordering::Relaxed) || self.inner.write_all(b"\n").is_ok();
        let written = ended && self.inner.write_all(line).is_ok();
        self.cut_off.store(!written, Ordering::Relaxed);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // As for what is lost.
        let _ = self.inner.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::{Lossy, Write, io};

    /// Takes so many bytes and then no more, like a disk.
    struct Disk {
        room: usize,
        bytes: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fitting = bytes.len().min(self.room);
            if fitting == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.room -= fitting;
            self.bytes.extend_from_slice(&bytes[..fitting]);
            Ok(fitting)
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
    }

    #[test]
    #[allow(clippy::unwrap_used, reason = "test code")]
    fn a_line_that_finds_no_room_is_lost_and_the_next_one_is_whole() {
        static CUT_OFF: AtomicBool = AtomicBool::new(false);
        let mut log = Lossy {
            inner: Disk {
                room: 9,
                bytes: Vec::new(),
            },
            cut_off: &CUT_OFF,
        };
        log.write_all(b"first\n").unwrap();
        log.write_all(b"second\n").unwrap();
        log.write_all(b"third\n").unwrap();
        log.flush().unwrap();
        log.inner.room = 100;
        log.write_all(b"fourth\n").unwrap();
        assert_eq!(String::from_utf8_lossy(&log.inner.bytes), "first\nsec\nfourth\n");
    }
}
