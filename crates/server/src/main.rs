//! The `passerelle` binary.

use std::io::Write as _;
use std::process::ExitCode;

/// Requests allocate on one thread and free on another all day long; the system allocator takes a tenth of the
/// processor time for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Err(error) = server::cli::run() else {
        return ExitCode::SUCCESS;
    };
    if !error.is::<server::log::Told>() {
        // Whoever closed standard error does not want to know.
        let _ = writeln!(std::io::stderr(), "Error: {error:?}");
    }
    ExitCode::FAILURE
}
