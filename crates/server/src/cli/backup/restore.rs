//! `passerelle restore`: a backup becomes a database, erased again from the ledger before it has its name.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adapters::naming::Naming;
use anyhow::{Context as _, bail};
use clap::Args;
use engine::{Engine, RandomIds};
use store::{StoreError, backup};

use super::manifest::{Manifest, claim, fingerprint};
use super::{sync, sync_folder, verify, with_suffix};
use crate::cli::say;
use crate::cli::translate::tell;
use crate::config::{DEFAULT_NAMING_BASE, Settings};
use crate::{auth, erasures, start};

/// How long to wait for somebody who is about to end.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_millis(500);
/// How long to wait for the threads of the store that was just closed.
const PATIENCE_WITH_OURSELVES: Duration = Duration::from_secs(10);

/// What SQLite puts beside a database.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What, and where to.
#[derive(Args)]
pub(in crate::cli) struct Options {
    /// The backup; its manifest lies beside it
    file: PathBuf,
    /// The database: sqlite:PATH, or PATH
    #[arg(long, value_name = "DATABASE")]
    to: String,
    /// Put the backup in the place of the database that is there; what it holds is gone then
    #[arg(long)]
    force: bool,
    /// File that keeps who was erased [default: the database file's name and .erasures]
    #[arg(long, env = "PASSERELLE_ERASURE_LEDGER", value_name = "FILE")]
    erasure_ledger: Option<PathBuf>,
    /// Restore although the erasure ledger is missing, damaged or shorter than it was: who was erased after the backup
    /// is back then
    #[arg(long, env = "PASSERELLE_WITHOUT_ERASURE_LEDGER")]
    without_erasure_ledger: bool,
}

/// Restores, and says how many were erased again.
///
/// # Errors
/// A sentence for the operator; the database is then as it was.
pub(in crate::cli) fn run(options: &Options) -> anyhow::Result<()> {
    if options.to.starts_with("postgres://") || options.to.starts_with("postgresql://") {
        bail!("PostgreSQL is restored by its own tools, see docs/backup.md; --to takes a SQLite database");
    }
    let to = Path::new(options.to.strip_prefix("sqlite:").unwrap_or(&options.to));
    if to.exists() && !options.force {
        bail!(
            "{} exists; restore to another name, or say --force to put the backup in its place",
            to.display()
        );
    }
    if to.exists() {
        refuse_in_use(to)?;
    }
    let manifest = Manifest::of(&options.file)?;
    let found = verify(&options.file, &manifest)?;
    if !found.damage.is_empty() {
        bail!(
            "{} is not whole; nothing was restored:\n{}",
            options.file.display(),
            found.damage.join("\n")
        );
    }
    for fault in &found.broken {
        tell(&format!(
            "{fault}; it was so when the backup was made: look with `passerelle check`"
        ));
    }
    let part = with_suffix(to, ".restoring");
    // Held until the end: two restores to one database do not mix.
    let file = claim(&part)?;
    for suffix in SIDES {
        // What a restore that was killed left would be taken for the log of this one.
        let _ = fs::remove_file(with_suffix(&part, suffix));
    }
    let restored = prepare(options, &manifest, (to, &part), &file).and_then(|again| {
        put(to, &part)?;
        Ok(again)
    });
    if restored.is_err() {
        let _ = fs::remove_file(&part);
        for suffix in SIDES {
            // It may not have come so far.
            let _ = fs::remove_file(with_suffix(&part, suffix));
        }
    }
    drop(file);
    let again = restored?;
    say(&format!(
        "restored {} to {}, as it was at {}; erased again: {again}",
        options.file.display(),
        to.display(),
        manifest.begun
    ))
}

fn refuse_in_use(database: &Path) -> anyhow::Result<()> {
    match backup::settle(database, PATIENCE_WITH_OTHERS) {
        Err(StoreError::Contention(_)) => bail!(
            "{} is in use; stop the servers and commands that have it open, then restore",
            database.display()
        ),
        // What is damaged is to be replaced all the same.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Copies the backup beside the database, and erases again who has to be; how many those were.
fn prepare(
    options: &Options,
    manifest: &Manifest,
    (to, part): (&Path, &Path),
    mut file: &File,
) -> anyhow::Result<u64> {
    tell(&format!("copying {} bytes", manifest.bytes));
    let (bytes, sha256) = fingerprint(&options.file, |piece| file.write_all(piece))?;
    if (bytes, sha256.as_str()) != (manifest.bytes, manifest.sha256.as_str()) {
        bail!(
            "{} changed while it was copied; try again",
            options.file.display()
        );
    }
    let beside = with_suffix(to, ".erasures");
    let settings = Settings {
        database: Some(format!("sqlite:{}", part.display())),
        erasure_ledger: Some(options.erasure_ledger.clone().unwrap_or(beside)),
        without_erasure_ledger: Some(options.without_erasure_ledger),
        ..Settings::default()
    };
    tell("erasing again what the ledger names");
    let again = erase_again(&settings)?;
    backup::settle(part, PATIENCE_WITH_OURSELVES).context("the restored database could not be closed")?;
    sync(part)?;
    Ok(again)
}

fn erase_again(settings: &Settings) -> anyhow::Result<u64> {
    let store = start::open_migrated(settings)?;
    actix_web::rt::System::new().block_on(async move {
        let done = async {
            let snapshot = store.access().snapshot().await?;
            let base = store.access().setting(start::NAMING_BASE).await?;
            let naming = Naming::new(base.as_deref().unwrap_or(DEFAULT_NAMING_BASE));
            let keys = auth::key_systems(naming.base(), &snapshot);
            let engine = Engine::new(store.clone(), Arc::new(RandomIds), keys);
            erasures::keep(settings, &engine, &naming).await
        }
        .await;
        let closed = store.close().await.context("the database could not be closed");
        let done = done?;
        closed?;
        Ok(done.again)
    })
}

/// Gives the restored database its name.
fn put(to: &Path, part: &Path) -> anyhow::Result<()> {
    if to.exists() {
        // A server may have started meanwhile.
        refuse_in_use(to)?;
    }
    for suffix in ["-wal", "-shm"] {
        // The log of the old database must not be taken for the new one's.
        match fs::remove_file(with_suffix(to, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove the log of {}", to.display()));
            }
            _ => {}
        }
    }
    fs::rename(part, to).with_context(|| format!("cannot write {}", to.display()))?;
    sync_folder(to)
}
