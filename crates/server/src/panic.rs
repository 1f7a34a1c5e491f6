//! What a panic leaves in the log: where, never what. A panic's text may quote the value at fault, and that
//! may be a person's.

use std::panic::PanicHookInfo;

/// From now on a panic is one log line with its place.
pub fn log_places_only() {
    std::panic::set_hook(Box::new(log_place));
}

fn log_place(panic: &PanicHookInfo<'_>) {
    let (file, line) = panic
        .location()
        .map_or(("?", 0), |place| (place.file(), place.line()));
    tracing::error!(file, line, "panic");
}
