//! The `passerelle` binary.

fn main() -> anyhow::Result<()> {
    server::cli::run()
}
