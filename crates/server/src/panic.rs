//! What a panic leaves in the log: where, never what. A panic's text may quote the value at fault, and that
//! may be a person's.

use std::io::Write as _;
use std::panic::PanicHookInfo;

use measure::Counter;

#[cfg(test)]
mod tests;

/// Panics of this process.
pub static PANICS: Counter = Counter::new();

/// From now on a panic is counted, and is one line with its place: in the log, or on standard error when there is none.
pub fn log_places_only() {
    std::panic::set_hook(Box::new(log_place));
}

fn log_place(panic: &PanicHookInfo<'_>) {
    let (file, line) = panic
        .location()
        .map_or(("?", 0), |place| (place.file(), place.line()));
    PANICS.add();
    if tracing::dispatcher::has_been_set() {
        tracing::error!(file, line, "panic");
    } else {
        // Nobody may be there to read it, and a panic in a panic would end the process.
        let _ = writeln!(std::io::stderr(), "a fault of the program at {file}:{line}");
    }
}
