//! `passerelle audit export`: the trail as NDJSON of AuditEvents.

use std::io::{self, BufWriter, Write as _};

use adapters::naming::Naming;
use anyhow::Context as _;
use clap::Args;
use fhir::canonical::write_value;
use fhir::time::TimeRange;
use store::trail::TrailSlice;
use store::{SpaceKey, Store};

use super::super::progress::Bar;
use super::super::translate::{is_closed_pipe, tell};
use super::super::{Database, administer};
use super::space_names;
use crate::audit::event;
use crate::config::DEFAULT_NAMING_BASE;
use crate::start;

/// What to export.
#[derive(Args)]
pub(in crate::cli) struct Options {
    /// The space's id, or (none) for what was refused before a space was known and what the operator did [default: all]
    #[arg(long, value_name = "ID")]
    space: Option<String>,
    /// Only what was recorded at this time or later, such as 2026-11-01 or 2026-11-21T03:34:00Z
    #[arg(long, value_name = "TIME", value_parser = start_of)]
    since: Option<i64>,
    /// Only what was recorded before this time
    #[arg(long, value_name = "TIME", value_parser = start_of)]
    until: Option<i64>,
    #[command(flatten)]
    database: Database,
}

/// The beginning of what a text names, microseconds since the epoch.
fn start_of(text: &str) -> Result<i64, String> {
    let range = TimeRange::parse(text);
    range
        .map(|range| range.low)
        .ok_or_else(|| "write a date or a time, such as 2026-11-21T03:34:00Z".to_owned())
}

/// Writes the events, and says on standard error how many they were.
///
/// # Errors
/// A sentence when there is no such space, or the database or standard output fails.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    options.database.refuse_missing()?;
    administer(options.database.clone(), |store| async move {
        match export(&store, options).await {
            // Nobody reads on.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            done => done,
        }
    })
}

async fn export(store: &Store, options: &Options) -> anyhow::Result<()> {
    let names = space_names(store).await?;
    let spaces: Vec<i64> = match &options.space {
        None => names.keys().copied().collect(),
        Some(wanted) => {
            let found = names.iter().find(|(_, name)| *name == wanted);
            let (space, _) = found.with_context(|| {
                format!("there is no space '{wanted}'; `passerelle space list` shows them")
            })?;
            vec![*space]
        }
    };
    let base = store.access().setting(start::NAMING_BASE).await?;
    let naming = Naming::new(base.as_deref().unwrap_or(DEFAULT_NAMING_BASE));
    let mut output = BufWriter::new(io::stdout().lock());
    let (mut bar, mut written) = (Bar::new(), 0);
    for space in spaces {
        let mut slice = TrailSlice {
            since: options.since.unwrap_or(i64::MIN),
            until: options.until.unwrap_or(i64::MAX),
            block: 0,
        };
        while let Some(rows) = store.for_space(SpaceKey(space)).audit_slice(&mut slice).await? {
            for recorded in rows {
                let mut line = String::with_capacity(1_024);
                write_value(&mut line, &event::resource(&recorded, &naming));
                writeln!(output, "{line}")?;
                written += 1;
                bar.step(written);
            }
        }
    }
    output.flush()?;
    bar.clear();
    tell(&format!("exported {written}"));
    Ok(())
}
