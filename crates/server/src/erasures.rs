//! The ledger of erasures at start: found or begun, looked through, and done again in a database that was restored
//! from an older backup (`access.md` 4). Nothing is served before.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use adapters::naming::Naming;
use anyhow::{Context as _, bail};
use engine::{Caller, ClientPolicy, Door, Engine, Reply, Scopes};
use fhir::{Interaction, Target};
use store::ledger::{Erasure, Erasures, Ledger, LedgerError, Line, Mark};
use store::{SpaceKey, Store};
use uuid::Uuid;

use crate::auth::attributes;
use crate::config::Settings;

/// Erasures that are looked for in the database, or copied from it, at once.
const BATCH: usize = 500;
/// In whose name erasures are done again.
const CLIENT: &str = "erasure-ledger";
/// Damaged lines that are told one by one.
const TOLD: usize = 20;

/// What was done at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Erasures that the database lacked, done again.
    pub again: u64,
}

/// Finds or begins the ledger, has erasures recorded there from now on, and does again what the database lacks.
///
/// # Errors
/// A sentence for the operator: the ledger is missing, another database's, damaged or shorter than it was.
pub async fn keep(settings: &Settings, engine: &Engine, naming: &Naming) -> anyhow::Result<Done> {
    let erasures = engine.store().erasures();
    let mark = erasures.mark().await?;
    let Some(path) = settings.erasure_ledger() else {
        return without(settings, mark.as_ref());
    };
    let ledger = open(&path, settings, mark.as_ref(), engine.store())?;
    erasures.record_in(ledger.clone());
    let same = mark.filter(|mark| mark.ledger == ledger.id());
    if same.is_none() {
        // A ledger that is new to the database holds what the database knows, before anything relies on it.
        erasures.copy_to_ledger(BATCH).await?;
        let beginning = Mark {
            ledger: ledger.id().to_owned(),
            offset: 0,
        };
        erasures.put_mark(beginning).await?;
    }
    let from = same.map_or(0, |mark| mark.offset);
    let known = erasures.count().await?;
    let seen = look_through(&ledger, from)?;
    judge(settings, &ledger, &seen, (from, known))?;
    if seen.erasures < known {
        erasures.copy_to_ledger(BATCH).await?;
    }
    let again = do_again(engine, naming, &ledger, from).await?;
    let done = Mark {
        ledger: ledger.id().to_owned(),
        offset: seen.end,
    };
    if from != seen.end {
        erasures.put_mark(done).await?;
    }
    if again > 0 {
        tracing::warn!(again, ledger = %ledger.path().display(), "erased again what this database had lost of its erasures");
    }
    Ok(Done { again })
}

fn without(settings: &Settings, mark: Option<&Mark>) -> anyhow::Result<Done> {
    if mark.is_some() && !settings.without_erasure_ledger() {
        bail!(
            "this database keeps who was erased in a ledger, and none is named: who was erased after a backup would come \
             back with it. Name the file with --erasure-ledger, or say --without-erasure-ledger"
        );
    }
    tracing::warn!("no --erasure-ledger is named: erasures are refused until one is");
    Ok(Done::default())
}

/// The ledger in this file, begun where that hides nothing.
fn open(path: &Path, settings: &Settings, mark: Option<&Mark>, store: &Store) -> anyhow::Result<Ledger> {
    let ledger = match Ledger::open(path) {
        Err(LedgerError::Missing(_)) if mark.is_none() || settings.without_erasure_ledger() => {
            if mark.is_some() {
                tracing::error!(path = %path.display(), "the erasure ledger is missing; a new one is begun, as told");
            }
            return Ledger::open_or_begin(path, store.now()).context("the erasure ledger cannot be begun");
        }
        Err(LedgerError::Missing(_)) => bail!(
            "the erasure ledger of this database is missing: {}. Without it, who was erased after a backup comes back \
             with that backup. Put the file there, name where it is with --erasure-ledger, or, when it is lost, begin a \
             new one with --without-erasure-ledger",
            path.display()
        ),
        found => found?,
    };
    match mark {
        Some(mark) if mark.ledger != ledger.id() => bail!(
            "{} is the erasure ledger of another database, or was begun anew ({}, and this database's is {}). Name its \
             own with --erasure-ledger; when that is lost, name a file that does not exist yet, with \
             --without-erasure-ledger",
            path.display(),
            ledger.id(),
            mark.ledger
        ),
        _ => Ok(ledger),
    }
}

/// What a ledger was like.
#[derive(Debug, Default)]
struct Seen {
    /// Erasures, each once, and damaged lines.
    erasures: u64,
    /// The numbers of the first damaged lines.
    damaged: Vec<u64>,
    /// Whether one of them stands where the database has not been.
    unknown: bool,
    /// Where the last whole line ends, bytes.
    end: u64,
}

fn look_through(ledger: &Ledger, from: u64) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let mut lines = ledger.lines()?;
    // Some have several lines: a second one must not stand for one that is lost.
    let mut known = HashSet::new();
    while let Some(line) = lines.next() {
        match line? {
            Line::Torn => {
                tracing::warn!("the erasure ledger ends in half a line, of an erasure that was not answered");
                break;
            }
            Line::Erasure(erasure) => {
                seen.erasures += u64::from(known.insert((erasure.space, erasure.target)));
            }
            Line::Damaged(number) => {
                // A line that ends where the database has been was read whole then.
                seen.unknown |= lines.at() > from;
                seen.erasures += 1;
                if seen.damaged.len() < TOLD {
                    seen.damaged.push(number);
                }
            }
        }
        seen.end = lines.at();
    }
    Ok(seen)
}

/// Tells what is wrong with a ledger, and refuses to rely on one that cannot say who has to be erased.
fn judge(settings: &Settings, ledger: &Ledger, seen: &Seen, (from, known): (u64, u64)) -> anyhow::Result<()> {
    let path = ledger.path().display();
    for line in &seen.damaged {
        tracing::error!(%path, line, "a line of the erasure ledger is damaged; restore the file from its copy");
    }
    let shorter = seen.end < from || seen.erasures < known;
    let fault = if seen.unknown {
        let lines: Vec<String> = seen.damaged.iter().map(u64::to_string).collect();
        format!(
            "the erasure ledger {path} is damaged in line {}, which this database may still need",
            lines.join(", ")
        )
    } else if shorter {
        format!(
            "the erasure ledger {path} has lost its end: it has {} erasures, and this database knows {known} and has \
             read it up to byte {from}",
            seen.erasures
        )
    } else {
        return Ok(());
    };
    if settings.without_erasure_ledger() {
        tracing::error!("{fault}; started all the same, as told");
        return Ok(());
    }
    bail!("{fault}. Restore the file from its copy, or say --without-erasure-ledger")
}

/// Erases whom the ledger names behind a place and the database still has; how many those were.
async fn do_again(engine: &Engine, naming: &Naming, ledger: &Ledger, from: u64) -> anyhow::Result<u64> {
    let erasures = engine.store().erasures();
    let mut lines = ledger.lines()?;
    let (mut batch, mut again) = (Vec::with_capacity(BATCH), 0);
    while let Some(line) = lines.next() {
        if let Line::Erasure(erasure) = line?
            && lines.at() > from
        {
            batch.push(erasure);
        }
        if batch.len() == BATCH {
            again += erase_missing(engine, &erasures, naming, std::mem::take(&mut batch)).await?;
        }
    }
    Ok(again + erase_missing(engine, &erasures, naming, batch).await?)
}

async fn erase_missing(
    engine: &Engine,
    erasures: &Erasures,
    naming: &Naming,
    batch: Vec<Erasure>,
) -> anyhow::Result<u64> {
    let mut again = 0;
    for (space, target) in erasures.missing(batch).await? {
        again += erase_again(engine, naming, space, target).await?;
    }
    Ok(again)
}

async fn erase_again(
    engine: &Engine,
    naming: &Naming,
    space: SpaceKey,
    target: Target,
) -> anyhow::Result<u64> {
    let namespace = attributes::author_namespace(naming.base());
    let caller = Caller {
        client: CLIENT.to_owned(),
        space,
        door: Door::Fhir,
        scopes: Scopes::parse(&["system/*.d"]).map_err(anyhow::Error::msg)?,
        policy: ClientPolicy::None,
        request_id: format!("{CLIENT}-{}", Uuid::new_v4()),
        author: attributes::author(CLIENT, None, &namespace),
        witness: engine::Witness::default(),
    };
    let session = engine.for_caller(Arc::new(caller));
    let named = target.to_string();
    match session.run(Interaction::EraseAgain(target)).await {
        Ok(Reply::Deleted(Some(_))) => Ok(1),
        Ok(_) => Ok(0),
        Err(error) => {
            let internal = error.refusal().internal.unwrap_or_default();
            bail!("{named}, which the erasure ledger names, could not be erased again: {internal}")
        }
    }
}
