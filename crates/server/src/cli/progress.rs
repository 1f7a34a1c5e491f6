//! How far a long command has come, for whoever watches standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Between two drawings on a terminal, in milliseconds.
const REDRAW: Duration = Duration::from_millis(200);
/// Records between two lines where no terminal is.
const LOGGED: u64 = 10_000;
/// Characters of the bar.
const WIDTH: u64 = 24;

/// The bar on a terminal, or a line now and then.
pub(super) struct Bar {
    started: Instant,
    drawn: Option<Instant>,
    is_terminal: bool,
    /// Whether the bar stands on the line of the cursor.
    is_shown: bool,
    input: Option<Share>,
}

/// How much of a file has been read.
struct Share {
    size: u64,
    read: Arc<AtomicU64>,
}

impl Bar {
    /// Of a command without a known end.
    pub(super) fn new() -> Bar {
        Bar {
            started: Instant::now(),
            drawn: None,
            is_terminal: io::stderr().is_terminal(),
            is_shown: false,
            input: None,
        }
    }

    /// Of a command that reads a file of this size; `read` is how much of it has been.
    pub(super) fn of_file(size: u64, read: Arc<AtomicU64>) -> Bar {
        Bar {
            input: Some(Share { size, read }),
            ..Bar::new()
        }
    }

    /// One more record is done.
    pub(super) fn step(&mut self, records: u64) {
        if !self.is_terminal {
            if records.is_multiple_of(LOGGED) {
                self.write(&format!("{}\n", self.line(records)));
            }
            return;
        }
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        self.is_shown = true;
        self.write(&format!("\r{}\u{1b}[K", self.line(records)));
    }

    /// Makes room for other text.
    pub(super) fn clear(&mut self) {
        if self.is_shown {
            self.is_shown = false;
            self.drawn = None;
            self.write("\r\u{1b}[K");
        }
    }

    fn line(&self, records: u64) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        // A rate for people: what the fraction loses does not matter.
        let rate = (records as f64 / seconds).round();
        let done = format!("{records} records, {rate}/s");
        let Some(share) = &self.input else { return done };
        let read = share.read.load(Ordering::Relaxed).min(share.size);
        let of = |whole: u64| (read * whole).checked_div(share.size).unwrap_or(whole);
        if !self.is_terminal {
            return format!("{done}, {} %", of(100));
        }
        let bar: String = (0..WIDTH)
            .map(|place| if place < of(WIDTH) { '#' } else { '.' })
            .collect();
        format!("[{bar}] {:3} %  {done}", of(100))
    }

    /// Progress is for a person: a closed standard error is no reason to stop.
    fn write(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}
