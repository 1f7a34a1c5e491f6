//! The `passerelle` binary.

/// Requests allocate on one thread and free on another all day long; the system allocator takes a tenth of the
/// processor time for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    server::cli::run()
}
