//! `passerelle audit`: whether the trail is what was written, and the trail itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use store::Store;
use store::trail::{Keys, Report, Seals, SpaceReport, read_heads};

use super::progress::Bar;
use super::translate::tell;
use super::{Database, administer, say};
use crate::config::Settings;

mod export;

/// `passerelle audit …`
#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Compare the audit trail with its seals and the heads outside the database, and name the first bad row
    ///
    /// Each row's hash covers the row and the one before it; a running server signs the last hash of each space every
    /// second, and appends it to a file outside the database. A row that was changed, dropped, swapped or inserted is
    /// named by its position in the trail of its space, which is the id of its AuditEvent; so is the first row behind a
    /// cut end. It may run beside a server. The public key (beside the key, .pub) is enough.
    Verify(Verify),
    /// Write the audit trail to standard output as FHIR AuditEvents, one line each, oldest first
    ///
    /// What is not sealed yet, a second's worth beside a running server, is left out.
    Export(export::Options),
}

/// `passerelle audit verify`
#[derive(Args)]
pub(super) struct Verify {
    /// File of the key that signed the trail, private or public; several keys one after the other when it was changed
    /// [default: beside the SQLite file]
    #[arg(long, env = "PASSERELLE_AUDIT_KEY", value_name = "FILE")]
    audit_key: Option<PathBuf>,
    /// File with the heads that were kept outside the database [default: beside the SQLite file]
    #[arg(long, env = "PASSERELLE_AUDIT_HEADS", value_name = "FILE")]
    audit_heads: Option<PathBuf>,
    /// Check no signatures, though the key is not there
    #[arg(long, conflicts_with = "audit_key")]
    without_key: bool,
    /// Compare no heads, though their file is not there
    #[arg(long, conflicts_with = "audit_heads")]
    without_heads: bool,
    #[command(flatten)]
    database: Database,
}

/// Runs the command.
///
/// # Errors
/// A sentence for the operator.
pub(super) fn run(command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(options) => verify(&options),
        AuditCommand::Export(options) => export::run(&options),
    }
}

fn verify(options: &Verify) -> anyhow::Result<()> {
    options.database.refuse_missing()?;
    let settings = Settings {
        database: options.database.database.clone(),
        audit_key: options.audit_key.clone(),
        audit_heads: options.audit_heads.clone(),
        ..Settings::default()
    };
    let settings = settings.with_file(options.database.config.as_ref())?;
    let key = settings.audit_key().filter(|_| !options.without_key);
    let heads = settings.audit_heads().filter(|_| !options.without_heads);
    // The public half will do, where the private one is kept from who verifies.
    let key = key.map(|path| match (settings.audit_key.is_some(), public_half(&path)) {
        (false, Some(public)) if !path.exists() => public,
        _ => path,
    });
    administer(options.database.clone(), |store| async move {
        // Before the first seal there is neither.
        let may_be_missing = store.seals().await? == Seals::None;
        let is_wanted = |named: bool, path: &PathBuf| named || path.exists() || !may_be_missing;
        let key = key.filter(|path| is_wanted(settings.audit_key.is_some(), path));
        let heads = heads.filter(|path| is_wanted(settings.audit_heads.is_some(), path));
        let keys = match &key {
            Some(path) => Keys::load(path)
                .map_err(anyhow::Error::msg)
                .context("name the key with --audit-key, or say --without-key")?,
            None => {
                tell("No key: signatures are not checked. Name it with --audit-key.");
                Keys::default()
            }
        };
        let heads = match &heads {
            Some(path) => read_heads(path)
                .map_err(anyhow::Error::msg)
                .context("name the heads with --audit-heads, or say --without-heads")?,
            None => {
                tell(
                    "No heads from outside the database: a cut of the end cannot be seen. Name them with --audit-heads.",
                );
                Vec::new()
            }
        };
        let mut bar = Bar::new();
        let mut shown = 0;
        let report = store
            .verify_trail(&keys, heads, |rows| {
                // The bar counts in thousands where nobody watches.
                while shown < rows {
                    shown += 1;
                    bar.step(shown);
                }
            })
            .await?;
        bar.clear();
        tell_report(&store, &report).await
    })
}

/// The public key beside a private one, if it is there.
fn public_half(path: &Path) -> Option<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    Some(PathBuf::from(name)).filter(|path| path.exists())
}

async fn tell_report(store: &Store, report: &Report) -> anyhow::Result<()> {
    let names = space_names(store).await?;
    let mut bad = 0;
    for space in &report.spaces {
        let name = names
            .get(&space.space)
            .map_or_else(|| format!("number {}", space.space), Clone::clone);
        say(&line(&name, space))?;
        if let Some(finding) = &space.finding {
            bad += 1;
            let position = finding.position.map(|position| format!("row {position}"));
            let number = finding.number.map(|number| format!("number {number}"));
            let row = match (position, number) {
                (Some(position), Some(number)) => format!("{position} ({number} in the table)"),
                (Some(one), None) => one,
                (None, Some(number)) => format!("the row with {number} in the table"),
                (None, None) => "a row".to_owned(),
            };
            say(&format!("space {name}: BAD: {row} {}", finding.what))?;
        }
    }
    if bad > 0 {
        bail!(
            "the audit trail is not what was sealed: the first bad row of each of {bad} spaces is named above"
        );
    }
    Ok(())
}

fn line(name: &str, space: &SpaceReport) -> String {
    let mut line = format!("space {name}: {} rows fit", space.rows);
    if space.cut > 0 {
        line.push_str(&format!(", {} before them were removed by retention", space.cut));
    }
    if let Some(time) = space.sealed {
        line.push_str(&format!(", sealed until {}", time.to_instant()));
    }
    line.push_str(&format!(", {} heads from outside compared", space.heads));
    if space.unsealed > 0 {
        line.push_str(&format!(", {} at the end not sealed yet", space.unsealed));
    }
    line
}

/// The names of the spaces; what was refused before a space was known has a name too.
async fn space_names(store: &Store) -> anyhow::Result<BTreeMap<i64, String>> {
    let spaces = store.access().snapshot().await?.spaces;
    let names = spaces.into_iter().map(|space| (space.key.0, space.id));
    Ok(names.chain([(0, "(none)".to_owned())]).collect())
}
