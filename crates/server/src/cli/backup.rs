//! `passerelle backup` and `passerelle verify`: a copy of a SQLite database, made while servers run, and known to be
//! whole by its manifest.

mod manifest;
mod restore;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use store::backup::{self, Archive};
use store::{Clock as _, SystemClock};

use manifest::{Manifest, claim, fingerprint};
pub(super) use restore::{Options as RestoreOptions, run as run_restore};

use super::translate::tell;
use super::{Database, say};
use crate::config::Settings;

/// Where to.
#[derive(Args)]
pub(super) struct BackupOptions {
    /// The new file; its manifest comes beside it as FILE.manifest
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    database: Database,
}

/// What to look at.
#[derive(Args)]
pub(super) struct VerifyOptions {
    /// The backup; its manifest lies beside it
    file: PathBuf,
}

/// Backs up, and says what is in it.
///
/// # Errors
/// A sentence for the operator; nothing is left of a backup that failed.
pub(super) fn run(options: &BackupOptions) -> anyhow::Result<()> {
    options.database.refuse_missing()?;
    let settings = Settings {
        database: options.database.database.clone(),
        ..Settings::default()
    };
    let settings = settings.with_file(options.database.config.as_ref())?;
    let Some(database) = settings.database().strip_prefix("sqlite:") else {
        return explain_postgres(settings.database(), &options.to);
    };
    let database = Path::new(database);
    for file in [options.to.clone(), Manifest::beside(&options.to)] {
        if file.exists() {
            bail!(
                "{} exists; choose another name, or remove it first",
                file.display()
            );
        }
    }
    let part = with_suffix(&options.to, ".part");
    // Held until the end: two backups to one file do not mix.
    let file = claim(&part)?;
    let made = copy(database, &options.to, &part);
    if made.is_err() {
        for left in [part.clone(), with_suffix(&part, ".manifest")] {
            // It may not have come so far.
            let _ = fs::remove_file(left);
        }
    }
    let (manifest, broken) = made?;
    drop(file);
    for fault in &broken {
        tell(fault);
    }
    say(&format!(
        "backed up {} to {}: {} bytes, resources {}, superseded versions {}, erasures {}, sha256 {}",
        database.display(),
        options.to.display(),
        manifest.bytes,
        rows(&manifest, "resource"),
        rows(&manifest, "resource_version"),
        rows(&manifest, "erasure"),
        manifest.sha256
    ))?;
    if broken.is_empty() {
        return Ok(());
    }
    bail!("the backup was made, and is what the database is: that has faults. Look with `passerelle check`")
}

fn rows(manifest: &Manifest, table: &str) -> u64 {
    manifest.rows.get(table).copied().unwrap_or_default()
}

/// Makes the copy and its manifest; what breaks our own rules in the database comes back with it.
fn copy(database: &Path, to: &Path, part: &Path) -> anyhow::Result<(Manifest, Vec<String>)> {
    let begun = SystemClock.now();
    if let Ok(size) = fs::metadata(database) {
        tell(&format!("copying {} bytes of {}", size.len(), database.display()));
    }
    backup::copy(database, part).context("the database could not be copied")?;
    tell("looking through the copy");
    let mut archive = Archive::open(part)?;
    let found = faults(&mut archive);
    if !found.damage.is_empty() {
        bail!(
            "the copy is damaged, as the database itself is: restore an older backup. Nothing was kept:\n{}",
            found.damage.join("\n")
        );
    }
    let rows = archive.counts()?.into_iter();
    let rows = rows.map(|(table, rows)| (table.to_owned(), rows)).collect();
    let (schema, mark) = (archive.schema()?, archive.mark()?);
    drop(archive);
    sync(part)?;
    let (bytes, sha256) = fingerprint(part, |_| Ok(()))?;
    let manifest = Manifest {
        form: Manifest::FORM,
        begun: begun.to_instant(),
        passerelle: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        erasure_ledger: mark.map(|mark| mark.ledger),
        bytes,
        sha256,
        rows,
    };
    let half = with_suffix(part, ".manifest");
    manifest.write(&half)?;
    // The manifest comes last: a backup that has one is whole.
    put(part, to)?;
    if let Err(error) = put(&half, &Manifest::beside(to)) {
        // A backup without a manifest is none.
        let _ = fs::remove_file(to);
        return Err(error);
    }
    sync_folder(to)?;
    Ok((manifest, found.broken))
}

/// Gives a file its name, unless somebody else has it by now.
fn put(from: &Path, to: &Path) -> anyhow::Result<()> {
    let linked = match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system without links.
        Err(_) if !to.exists() => fs::rename(from, to),
        Err(error) => Err(error),
    };
    linked.with_context(|| format!("cannot write {}", to.display()))
}

fn sync(path: &Path) -> anyhow::Result<()> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("cannot flush {}", path.display()))
}

fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    sync(folder)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// Looks a backup through.
///
/// # Errors
/// How many faults were found, or why nobody could look.
pub(super) fn run_verify(options: &VerifyOptions) -> anyhow::Result<()> {
    let manifest = Manifest::of(&options.file)?;
    let found = verify(&options.file, &manifest)?;
    for fault in found.damage.iter().chain(&found.broken) {
        say(&format!("{}: {fault}", options.file.display()))?;
    }
    match (found.damage.len(), found.broken.len()) {
        (0, 0) => say(&format!(
            "{} is whole: begun {}, {} bytes, resources {}, superseded versions {}, erasures {}",
            options.file.display(),
            manifest.begun,
            manifest.bytes,
            rows(&manifest, "resource"),
            rows(&manifest, "resource_version"),
            rows(&manifest, "erasure")
        )),
        (0, broken) => bail!(
            "{broken} faults, which the database had when it was backed up: restore it, then look with `passerelle check`"
        ),
        (damage, _) => bail!("{damage} faults: do not restore this backup; use another, and make a new one"),
    }
}

/// What is wrong with a backup.
#[derive(Default)]
struct Found {
    /// The file is not what was written.
    damage: Vec<String>,
    /// What breaks our own rules: it was so in the database.
    broken: Vec<String>,
}

/// What is wrong with a backup.
fn verify(file: &Path, manifest: &Manifest) -> anyhow::Result<Found> {
    tell("reading the file");
    let (bytes, sha256) = fingerprint(file, |_| Ok(()))?;
    if bytes != manifest.bytes {
        return Ok(Found {
            damage: vec![format!("it has {bytes} bytes, and had {}", manifest.bytes)],
            ..Found::default()
        });
    }
    tell("looking through the database in it");
    let mut archive = Archive::open(file)?;
    let mut found = faults(&mut archive);
    let damage = &mut found.damage;
    if sha256 != manifest.sha256 {
        damage.push(format!("its SHA-256 is {sha256}, and was {}", manifest.sha256));
    }
    match archive.counts() {
        Err(error) => damage.push(error.to_string()),
        Ok(counts) => {
            let other = counts
                .into_iter()
                .filter(|(table, count)| rows(manifest, table) != *count);
            damage.extend(other.map(|(table, count)| {
                format!("{table} has {count} rows, and had {}", rows(manifest, table))
            }));
        }
    }
    match archive.schema() {
        Ok(schema) if schema != manifest.schema => {
            damage.push(format!("its schema is {schema}, and was {}", manifest.schema));
        }
        Ok(_) => {}
        Err(error) => damage.push(error.to_string()),
    }
    match archive.mark() {
        Ok(mark) if mark.as_ref().map(|mark| &mark.ledger) != manifest.erasure_ledger.as_ref() => {
            damage.push("its erasure ledger is another than that of its manifest".to_owned());
        }
        Ok(_) => {}
        Err(error) => damage.push(error.to_string()),
    }
    Ok(found)
}

/// What is wrong with the database in a file.
fn faults(archive: &mut Archive) -> Found {
    let mut found = Found {
        damage: archive.faults().unwrap_or_else(|error| vec![error.to_string()]),
        ..Found::default()
    };
    if found.damage.is_empty() {
        match archive.broken() {
            Ok(broken) => {
                let broken = broken.into_iter();
                found
                    .broken
                    .extend(broken.map(|(what, count)| format!("{what}: {count}")));
            }
            Err(error) => found.damage.push(error.to_string()),
        }
    }
    found
}

/// What to do instead, on PostgreSQL.
fn explain_postgres(url: &str, to: &Path) -> anyhow::Result<()> {
    say(&format!(
        "A copy of one database (the password comes from PGPASSWORD or ~/.pgpass):\n  \
         pg_dump --format=custom --file='{to}' '{url}'\n\
         To restore it into an empty database:\n  \
         pg_restore --exit-on-error --dbname=URL '{to}'\n\
         For a copy of every moment (base backup and write-ahead log), see docs/backup.md. Keep the erasure ledger \
         apart from both: a restored database is erased again from it at start.",
        to = to.display(),
        url = without_password(url)
    ))?;
    bail!("PostgreSQL is backed up by its own tools: nothing was written");
}

/// A database's URL without what is secret in it.
fn without_password(url: &str) -> String {
    let (address, parameters) = match url.split_once('?') {
        Some((address, parameters)) => (address, parameters),
        None => (url, ""),
    };
    let kept: Vec<&str> = parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty() && !parameter.to_ascii_lowercase().contains("pass"))
        .collect();
    let address = match address.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((who, place)) => {
                let user = who.split_once(':').map_or(who, |(user, _)| user);
                format!("{scheme}://{user}@{place}")
            }
            None => address.to_owned(),
        },
        None => address.to_owned(),
    };
    match kept.is_empty() {
        true => address,
        false => format!("{address}?{}", kept.join("&")),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn no_password_stands_in_the_advice() {
        for (url, told) in [
            ("postgres://a:secret@host/db", "postgres://a@host/db"),
            (
                "postgresql://a:se@cret@host:5432/db",
                "postgresql://a@host:5432/db",
            ),
            (
                "postgres://host/db?password=secret&sslmode=require",
                "postgres://host/db?sslmode=require",
            ),
            (
                "postgres:///db?host=/run&PASSWORD=secret",
                "postgres:///db?host=/run",
            ),
            ("postgres://a@host/db?sslpassword=secret", "postgres://a@host/db"),
        ] {
            assert_eq!(without_password(url), told);
        }
    }
}
