//! `passerelle check`: whether what lies in the database is whole, resource by resource.

use std::sync::Arc;

use adapters::naming::Naming;
use anyhow::bail;
use clap::Args;
use engine::check::{self, Event, Fault, Remedy, Repair};
use store::Store;
use store::access::Space;

use super::progress::Bar;
use super::translate::tell;
use super::{Database, administer, import, say};
use crate::config::DEFAULT_NAMING_BASE;
use crate::{auth, start};

/// What to look at.
#[derive(Args)]
pub(super) struct Options {
    /// Write index and key rows anew where they do not follow from the bodies
    #[arg(long)]
    repair: bool,
    /// Look at this space alone
    #[arg(long, value_name = "ID")]
    space: Option<String>,
    #[command(flatten)]
    database: Database,
}

/// Checks, and tells each fault in a line.
///
/// # Errors
/// How many faults are left, or what the store says.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    options.database.refuse_missing()?;
    administer(options.database.clone(), |store| async move {
        check(&store, options).await
    })
}

async fn check(store: &Store, options: &Options) -> anyhow::Result<()> {
    let snapshot = store.access().snapshot().await?;
    let spaces: Vec<&Space> = match &options.space {
        Some(id) => vec![import::space_of(&snapshot, id)?],
        None => snapshot.spaces.iter().collect(),
    };
    let base = store.access().setting(start::NAMING_BASE).await?;
    let naming = Naming::new(base.as_deref().unwrap_or(DEFAULT_NAMING_BASE));
    let keys = Arc::new(auth::key_systems(naming.base(), &snapshot));
    let repair = if options.repair {
        Repair::Rows
    } else {
        Repair::Nothing
    };
    let mut tally = Tally::new();
    tell("looking through the file");
    for fault in store.faults_of_file()? {
        tally.fault("database", &of_database(fault));
    }
    // The chain of the audit trail has a command of its own; it would be looked at here.
    for (what, count) in store.broken_across().await? {
        tally.fault("database", &of_database(format!("{what}: {count}")));
    }
    let mut versions = 0;
    for space in spaces {
        let before = versions;
        let mut hear = |event| match event {
            Event::Progress(looked_at) => tally.bar.step(before + looked_at),
            Event::Fault(fault) => tally.fault(&space.id, &fault),
        };
        versions += check::space(store, Arc::clone(&keys), space.key, repair, &mut hear).await?;
    }
    tally.bar.clear();
    if let Some(error) = tally.unheard {
        return Err(error);
    }
    tell(&format!(
        "looked at {versions} versions: {} faults, {} of them repaired",
        tally.found, tally.repaired
    ));
    match tally.found - tally.repaired {
        0 => Ok(()),
        left => bail!("{left} faults are left; each is named above"),
    }
}

fn of_database(what: String) -> Fault {
    Fault {
        about: "database".to_owned(),
        what,
        remedy: Remedy::Restore,
    }
}

struct Tally {
    bar: Bar,
    found: u64,
    repaired: u64,
    /// Why a fault could not be told.
    unheard: Option<anyhow::Error>,
}

impl Tally {
    fn new() -> Tally {
        Tally {
            bar: Bar::new(),
            found: 0,
            repaired: 0,
            unheard: None,
        }
    }

    fn fault(&mut self, space: &str, fault: &Fault) {
        self.found += 1;
        self.repaired += u64::from(fault.remedy == Remedy::Repaired);
        self.bar.clear();
        let line = format!(
            "{space} {}: {}; remedy: {}",
            fault.about,
            fault.what,
            fault.remedy.as_str()
        );
        if let Err(error) = say(&line) {
            self.unheard.get_or_insert(error);
        }
    }
}
