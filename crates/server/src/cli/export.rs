//! `passerelle export`: the resources of a space as NDJSON, page by page.

use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;

use adapters::naming::Naming;
use adapters::translate::with_medicapp_id;
use anyhow::bail;
use clap::Args;
use engine::{Door, Engine, KeySystems, RandomIds, Reply, Session};
use fhir::canonical::{self, write_value};
use fhir::query::{Criteria, Query, Total};
use fhir::{Interaction, Resource, ResourceType};
use serde_json::Value;
use store::{Store, Stored};

use super::progress::Bar;
use super::translate::{is_closed_pipe, tell};
use super::{Database, administer, import};
use crate::config::DEFAULT_NAMING_BASE;
use crate::start;

/// Resources of one page.
const PAGE: u32 = 500;

/// What to export.
#[derive(Args)]
pub(super) struct Options {
    /// The space's id
    #[arg(long, value_name = "ID")]
    space: String,
    /// Patient or Practitioner
    #[arg(long, value_name = "TYPE", default_value = "Patient", value_parser = resource_type)]
    resource: ResourceType,
    #[command(flatten)]
    database: Database,
}

fn resource_type(name: &str) -> Result<ResourceType, String> {
    ResourceType::parse(name).ok_or_else(|| "write Patient or Practitioner".to_owned())
}

/// Writes the resources, and says on standard error how many they were.
///
/// # Errors
/// A sentence when there is no such space, or the database or standard output fails.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    administer(options.database.clone(), |store| async move {
        match export(&store, options).await {
            // Nobody reads on.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            done => done,
        }
    })
}

async fn export(store: &Store, options: &Options) -> anyhow::Result<()> {
    let snapshot = store.access().snapshot().await?;
    let space = import::space_of(&snapshot, &options.space)?;
    let base = store.access().setting(start::NAMING_BASE).await?;
    let naming = Naming::new(base.as_deref().unwrap_or(DEFAULT_NAMING_BASE));
    let engine = Engine::new(
        store.clone(),
        Arc::new(RandomIds),
        KeySystems::new(naming.base(), &snapshot.key_systems),
    );
    let scope = format!("system/{}.rs", options.resource);
    let caller = import::caller("export", (space, Door::Fhir), &scope, &snapshot, &naming)?;
    let session = engine.for_caller(Arc::new(caller));
    let mut output = BufWriter::new(io::stdout().lock());
    let (mut bar, mut cursor) = (Bar::new(), None);
    let (mut written, mut damaged) = (0, 0);
    loop {
        let page = page(&session, options.resource, cursor).await?;
        for stored in &page.matches {
            let Some(line) = line(stored, &naming) else {
                bar.clear();
                tell(&format!("{}: is damaged in the database", stored.target));
                damaged += 1;
                continue;
            };
            writeln!(output, "{line}")?;
            written += 1;
            bar.step(written);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    output.flush()?;
    bar.clear();
    tell(&format!("exported {written}"));
    if damaged > 0 {
        bail!("{damaged} resources cannot be read; each is named above");
    }
    Ok(())
}

/// The live resources of a type in order of creation: those behind a cursor.
async fn page(session: &Session, kind: ResourceType, cursor: Option<String>) -> anyhow::Result<store::Page> {
    let clauses = Vec::new();
    let query = Query {
        count: PAGE,
        total: Total::None,
        cursor,
        ..Query::of(Criteria { kind, clauses })
    };
    match session.run(Interaction::Search(query)).await {
        Ok(Reply::Page(page)) => Ok(page),
        Ok(_) => bail!("a search has no page"),
        Err(error) => Err(import::explained(&error)),
    }
}

/// The resource as it is stored, with the id that the Medicapp doors show; `None` when it is no JSON any more.
fn line(stored: &Stored, naming: &Naming) -> Option<String> {
    let tree = canonical::read(&stored.body).ok()?;
    let patient = Resource::from_guarded(stored.target.kind, tree);
    let shown = stored.medicapp_id.as_deref();
    let Some(patient) = shown.and_then(|id| with_medicapp_id(&patient, id, naming)) else {
        return Some(stored.body.clone());
    };
    let mut line = String::with_capacity(stored.body.len() + 160);
    write_value(&mut line, &Value::Object(patient.into_tree()));
    Some(line)
}
