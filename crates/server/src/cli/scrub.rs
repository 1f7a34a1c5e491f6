//! `passerelle scrub`: the last bytes of erased persons, out of PostgreSQL's files.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use store::{ScrubStep, Scrubbed};

use super::translate::tell;
use super::{Database, administer, say};

/// How long to wait, and where.
#[derive(Args)]
pub(super) struct Options {
    /// Seconds to wait for transactions that could still see what was erased
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
    #[command(flatten)]
    database: Database,
}

/// Scrubs, and says what was done.
///
/// # Errors
/// A sentence for each thing that is left, or what the store says.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let patience = Duration::from_secs(options.patience);
    administer(options.database.clone(), |store| async move {
        match store.scrub(patience, &mut |step| tell(&line(&step)))? {
            Scrubbed::NothingToDo => say(
                "Nothing to do: on SQLite nothing of an erased person is left once the erasure is answered.",
            ),
            Scrubbed::Done {
                erasures,
                since,
                left,
            } if left.is_empty() => {
                let since = since
                    .map(|time| format!(" since {}", time.to_instant()))
                    .unwrap_or_default();
                say(&format!(
                    "{erasures} erasures{since}: nothing of them is left in the files of this database."
                ))
            }
            Scrubbed::Done { left, .. } => {
                bail!("something of erased persons may be left:\n{}", left.join("\n"))
            }
        }
    })
}

fn line(step: &ScrubStep) -> String {
    match step {
        ScrubStep::Waiting(whom) => format!("waiting for what could still see erased rows: {whom}"),
        ScrubStep::Rewritten { table, position, of } => format!("rewritten: {table} ({position} of {of})"),
        ScrubStep::Overwriting { done, of } => {
            format!("overwriting the write-ahead log: file {done} of {of}")
        }
    }
}
