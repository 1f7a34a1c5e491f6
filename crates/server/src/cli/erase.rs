//! `passerelle erase`: a person is removed for good, as a DELETE at the Medicapp connect door does (`access.md` 4).

use std::sync::Arc;

use adapters::naming::Naming;
use anyhow::{Context as _, bail};
use clap::Args;
use engine::{Caller, Door, Engine, RandomIds, Reply, Session};
use fhir::query::{Clause, Criteria, Query, ReferenceTest, SearchParam, Test, Total};
use fhir::{Id, Identifier, Interaction, ResourceType, Target};
use store::{SpaceStore, Store, StoreError};

use super::{DatabaseWithLedger, import, say};
use crate::config::DEFAULT_NAMING_BASE;
use crate::{auth, erasures, start};

/// Whom to erase.
#[derive(Args)]
pub(super) struct Options {
    /// Patient/ID or Practitioner/ID; with --identifier the type alone will do
    #[arg(value_name = "TYPE/ID", default_value = "Patient")]
    who: String,
    /// The space's id
    #[arg(long, value_name = "ID")]
    space: String,
    /// Whoever carries this identifier, when that is one alone; with TYPE/ID it has to be that one. `-` reads it from
    /// standard input: what is on a command line others on the machine can read, and the shell keeps it
    #[arg(long, value_name = "SYSTEM|VALUE or -")]
    identifier: Option<String>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    database: DatabaseWithLedger,
}

/// The identifier that was given, on the command line or on standard input.
fn given(text: &str) -> anyhow::Result<Identifier> {
    let mut line = String::new();
    let text = if text == "-" {
        let read = std::io::stdin().read_line(&mut line);
        read.context("the identifier cannot be read from standard input")?;
        line.trim()
    } else {
        text
    };
    identifier(text).map_err(anyhow::Error::msg)
}

fn identifier(text: &str) -> Result<Identifier, String> {
    match text.split_once('|') {
        Some((system, value)) if !system.is_empty() && !value.is_empty() => Ok(Identifier {
            system: system.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("write SYSTEM|VALUE, such as 'urn:oid:1.2.250.1.213.1.4.8|190027512345678'".to_owned()),
    }
}

/// Erases, and says what was removed.
///
/// # Errors
/// A sentence when there is nobody or more than one, or what the store says.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    options.database.database.refuse_missing()?;
    let identifier = options.identifier.as_deref().map(given).transpose()?;
    let settings = options.database.settings()?;
    let store = start::open_migrated(&settings)?;
    actix_web::rt::System::new().block_on(async {
        let result = async {
            let desk = Desk::open(&store, options).await?;
            erasures::keep(&settings, &desk.engine, &desk.naming).await?;
            desk.erase(options, identifier.as_ref()).await
        }
        .await;
        let closed = store.close().await.context("the database could not be closed");
        result.and(closed)
    })
}

struct Desk {
    engine: Engine,
    naming: Naming,
    session: Session,
    space: SpaceStore,
}

/// What there is of somebody.
struct Extent {
    versions: u64,
    records: usize,
    links: u64,
    erased: bool,
}

impl Desk {
    async fn open(store: &Store, options: &Options) -> anyhow::Result<Desk> {
        let snapshot = store.access().snapshot().await?;
        let space = import::space_of(&snapshot, &options.space)?;
        let base = store.access().setting(start::NAMING_BASE).await?;
        let naming = Naming::new(base.as_deref().unwrap_or(DEFAULT_NAMING_BASE));
        let engine = Engine::new(
            store.clone(),
            Arc::new(RandomIds),
            auth::key_systems(naming.base(), &snapshot),
        );
        let caller: Caller =
            import::caller("erase", (space, Door::Fhir), "system/*.rsd", &snapshot, &naming)?;
        Ok(Desk {
            session: engine.for_caller(Arc::new(caller)),
            space: store.for_space(space.key),
            engine,
            naming,
        })
    }

    async fn erase(&self, options: &Options, identifier: Option<&Identifier>) -> anyhow::Result<()> {
        let target = self.whom(options, identifier).await?;
        let place = format!("{target} in the space {}", options.space);
        let Some(extent) = self.extent(&target).await? else {
            bail!("there is no {place}");
        };
        if extent.erased {
            return say(&format!("{place} was erased before: nothing to do"));
        }
        if options.dry_run {
            return say(&format!("would erase {place}: {extent}"));
        }
        match self.session.run(Interaction::Erase(target)).await {
            Ok(Reply::Deleted(Some(_))) => say(&format!("erased {place}: {extent}")),
            // Somebody was faster.
            Ok(_) => say(&format!("{place} was erased before: nothing to do")),
            Err(error) => Err(import::explained(&error)),
        }
    }

    async fn whom(&self, options: &Options, identifier: Option<&Identifier>) -> anyhow::Result<Target> {
        let (kind, id) = match options.who.split_once('/') {
            Some((kind, id)) => (kind, Some(id)),
            None => (options.who.as_str(), None),
        };
        let kind = ResourceType::parse(kind)
            .with_context(|| format!("'{kind}' is not stored here: write Patient/ID or Practitioner/ID"))?;
        let named = id
            .map(|id| Id::parse(id).with_context(|| format!("'{id}' cannot be an id")))
            .transpose()?
            .map(|id| Target { kind, id });
        match (named, identifier) {
            (Some(named), None) => Ok(named),
            (None, None) => {
                bail!("say whom: {kind}/ID, or --identifier - and SYSTEM|VALUE on standard input")
            }
            (named, Some(identifier)) => {
                let found = self.carrying(kind, identifier).await?;
                match (named, found.as_slice()) {
                    (Some(named), found) if !found.contains(&named) => {
                        bail!("{named} does not carry that identifier; nothing was erased")
                    }
                    (Some(named), _) => Ok(named),
                    (None, [only]) => Ok(only.clone()),
                    (None, []) => bail!("no {kind} in the space {} carries that identifier", options.space),
                    (None, several) => {
                        let several: Vec<String> = several.iter().map(ToString::to_string).collect();
                        bail!(
                            "several carry that identifier: {}. Nothing was erased; name one of them",
                            several.join(", ")
                        )
                    }
                }
            }
        }
    }

    async fn carrying(&self, kind: ResourceType, identifier: &Identifier) -> anyhow::Result<Vec<Target>> {
        let criteria = Criteria::by_identifier(kind, identifier);
        let page = self.search(Query::of(criteria)).await?;
        Ok(page.matches.into_iter().map(|stored| stored.target).collect())
    }

    async fn search(&self, query: Query) -> anyhow::Result<store::Page> {
        match self.session.run(Interaction::Search(query)).await {
            Ok(Reply::Page(page)) => Ok(page),
            Ok(_) => bail!("a search has no page"),
            Err(error) => Err(import::explained(&error)),
        }
    }

    async fn extent(&self, target: &Target) -> anyhow::Result<Option<Extent>> {
        let wanted = target.clone();
        let seen: Result<_, StoreError> = self
            .space
            .read(move |reader| {
                let Some(current) = reader.get(&wanted)? else {
                    return Ok(None);
                };
                let records = reader.records(&current)?.len();
                let erased = reader.is_erased(&wanted)? && reader.is_empty(&current)?;
                Ok(Some((current.version.number(), records, erased)))
            })
            .await;
        let Some((versions, records, erased)) = seen? else {
            return Ok(None);
        };
        let link = ReferenceTest::Typed {
            kind: target.kind.to_string(),
            id: target.id.to_string(),
        };
        let param = match target.kind {
            ResourceType::Patient => SearchParam::Link,
            ResourceType::Practitioner => SearchParam::GeneralPractitioner,
        };
        let clauses = vec![Clause {
            param,
            test: Test::Reference(vec![link]),
        }];
        let linked = Query {
            total: Total::Accurate,
            count: 0,
            ..Query::of(Criteria {
                // Patients alone refer to others, in what can be searched.
                kind: ResourceType::Patient,
                clauses,
            })
        };
        let links = self.search(linked).await?.total.unwrap_or_default();
        Ok(Some(Extent {
            versions,
            records,
            links,
            erased,
        }))
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Extent {
            versions,
            records,
            links,
            ..
        } = self;
        write!(
            f,
            "versions {versions}, records {records}, others that linked to it {links}"
        )
    }
}
