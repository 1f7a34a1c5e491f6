//! The command line: what an operator can do without a running server. Every command is idempotent.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Arg, Args, Parser, Subcommand};
use engine::{Door, KeySystems, RandomIds};
use fhir::ResourceType;
use store::access::{Binding, FhirDelete, KeySystem, Space};
use store::{Change, Store};

use crate::auth::{REFRESH, medicapp_spaces};
use crate::config::Settings;
use crate::{demo, panic, start};

mod audit;
mod backup;
mod certificate;
mod check;
mod client;
mod conceal;
mod erase;
mod export;
mod health;
mod import;
mod key;
mod progress;
mod record;
mod scrub;
#[cfg(test)]
mod tests;
mod translate;

use audit::AuditCommand;
use client::ClientCommand;
use key::KeyCommand;
pub(crate) use key::{Kind, issue_key};
use record::RecordCommand;

/// FHIR R4 server for Patient and Practitioner, with an upsert by identifier that never duplicates.
#[derive(Parser)]
#[command(name = "passerelle", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve requests until SIGTERM or Ctrl-C
    Serve(WithFile),
    /// Create or upgrade the database schema, and say what was done
    #[command(mut_args(|argument| only(argument, &["config", "database", "connections", "unsafe_durability"])))]
    Migrate(WithFile),
    /// Ask a running server whether it is ready; fails when it is not
    ///
    /// Takes the settings that the server was started with, and asks its admin address, or where there is none the
    /// address that it listens on.
    #[command(mut_args(|argument| only(argument, &["config", "listen", "admin_listen"])))]
    Health(WithFile),
    /// Start a sandbox with sample data and print curl lines that work
    #[command(mut_arg("database", |argument| {
        argument.help("Database: sqlite:PATH, or postgres://user:password@host/name [default: passerelle.db in DIR]")
    }))]
    Demo(demo::Options),
    /// Show records of a partner as FHIR, or FHIR as a partner would see it; stores nothing
    ///
    /// Reads NDJSON, one JSON list, a Bundle or a page of a door, and takes what a door is sent as well as what
    /// it answers. Writes one line per record to standard output; what is refused, with its place, and what
    /// became of each field go to standard error, and one refused record makes the command fail at its end.
    /// Ids that a record carries are kept; where it carries none, none is made up: no Patient.id and no id of
    /// the partner's, whose text is then empty.
    Translate(Box<translate::Options>),
    /// Store records of a partner, or FHIR Patients, in a space
    ///
    /// Reads what translate reads. A record that is there already, by its identifier or, without one, by equal
    /// content, is left alone, so that the same file may be imported again at any time: nobody is added twice. Ids
    /// that a record carries are kept. What is refused is named on standard error with its place, and makes the
    /// command fail at its end. Ctrl-C finishes what has begun.
    Import(Box<import::Options>),
    /// Write the live resources of a space to standard output, one line each
    ///
    /// In order of creation, as they are stored; a Patient with the id that the Medicapp doors show as one of its
    /// identifiers. What is written while the export runs may be in it or not.
    Export(Box<export::Options>),
    /// Copy a SQLite database into a file, while servers run
    ///
    /// Everything that was answered before is in the copy. It is looked through, flushed to disk, and gets a manifest
    /// beside it (SHA-256, rows, time, schema). Nothing is overwritten. Keep the erasure ledger apart from backups:
    /// restore needs it. On PostgreSQL this says what to do instead, and fails.
    Backup(backup::BackupOptions),
    /// Look a backup through: its manifest, the file, and what holds of every database of this server
    Verify(backup::VerifyOptions),
    /// Make a database of a backup, erased again from the ledger before it has its name
    ///
    /// A backup that is not whole is refused, and so are a database that exists (unless --force is given) and one that
    /// is in use.
    Restore(backup::RestoreOptions),
    /// Look at everything in the database: bodies, versions, index and key rows, tombstones
    ///
    /// One line a fault, with space, type, id, what is wrong and what helps; progress goes to standard error. Fails
    /// when a fault is left. A running server need not be stopped. With --repair, index and key rows are written anew
    /// where they do not follow from the bodies: after a fault, or after an upgrade that indexes more than before.
    Check(check::Options),
    /// Remove a person for good: every version, key, index row and record, and the links of others to it
    ///
    /// What stays is that there was somebody, when it was written and by whom, and a line in the erasure ledger. The
    /// id is never used again, and a DELETE that is sent twice does no harm. A running server need not be stopped.
    Erase(Box<erase::Options>),
    /// Take the last bytes of erased persons out of PostgreSQL's files
    ///
    /// Who is erased is gone from every answer at once, and on SQLite from the files too. PostgreSQL keeps the bytes of
    /// deleted rows, samples of them in its statistics, and its write-ahead log, until something else overwrites
    /// them. This rewrites the tables of persons one after the other and overwrites the log. A table is locked while it is
    /// rewritten: requests that need it wait, and some are answered 503, so choose a quiet hour. It takes as much
    /// free disk as the largest table. Standbys follow by themselves; backups and archived log are yours to age
    /// out. What could not be done is named with what to do, and makes the command fail.
    Scrub(scrub::Options),
    /// Who did what: check the trail, or write it out
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Tenants
    #[command(subcommand)]
    Space(SpaceCommand),
    /// Which space a door's own word (trustSpaceUuid, brand_id, realm) means
    #[command(subcommand)]
    Binding(BindingCommand),
    /// Identifier systems that at most one resource of a space may own a value of
    #[command(subcommand)]
    KeySystem(KeySystemCommand),
    /// Callers
    #[command(subcommand)]
    Client(ClientCommand),
    /// Records of patients that the Medicapp connect door shows
    #[command(subcommand)]
    Record(RecordCommand),
    /// API keys of clients
    #[command(subcommand)]
    Key(KeyCommand),
}

/// Takes every setting, so that a command can be given those of the server, and shows those alone that it heeds.
fn only(argument: Arg, heeded: &[&str]) -> Arg {
    let is_heeded = heeded.contains(&argument.get_id().as_str());
    argument.hide(!is_heeded)
}

/// Settings, and the file that completes them.
#[derive(Args)]
struct WithFile {
    /// TOML file with the same settings (names as the flags, without the dashes in front)
    #[arg(long, env = "PASSERELLE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// The database that an administrative command works on.
#[derive(Args, Clone)]
struct Database {
    /// TOML file that names the database
    #[arg(long, env = "PASSERELLE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database: sqlite:PATH, or postgres://user:password@host/name [default: sqlite:passerelle.db]
    #[arg(long, env = "PASSERELLE_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
}

/// The same, with where its erasures are kept.
#[derive(Args, Clone)]
struct DatabaseWithLedger {
    #[command(flatten)]
    database: Database,
    /// File that keeps who was erased [default with SQLite: the database file's name and .erasures]
    #[arg(long, env = "PASSERELLE_ERASURE_LEDGER", value_name = "FILE")]
    erasure_ledger: Option<PathBuf>,
    /// Go on although the erasure ledger of this database is missing, damaged or shorter than it was
    #[arg(long, env = "PASSERELLE_WITHOUT_ERASURE_LEDGER")]
    without_erasure_ledger: bool,
}

impl DatabaseWithLedger {
    /// As the settings of a server.
    fn settings(&self) -> anyhow::Result<Settings> {
        let settings = Settings {
            database: self.database.database.clone(),
            erasure_ledger: self.erasure_ledger.clone(),
            without_erasure_ledger: self.without_erasure_ledger.then_some(true),
            ..Settings::default()
        };
        settings.with_file(self.database.config.as_ref())
    }
}

impl Database {
    /// Refuses a SQLite database that is not there: opening would make an empty one.
    fn refuse_missing(&self) -> anyhow::Result<()> {
        let settings = Settings {
            database: self.database.clone(),
            ..Settings::default()
        };
        let settings = settings.with_file(self.config.as_ref())?;
        match settings.database().strip_prefix("sqlite:") {
            Some(file) if !std::path::Path::new(file).exists() => bail!(
                "there is no database at {file}: name the one that is meant with --database or --config; `passerelle migrate` \
                 makes a new one"
            ),
            _ => Ok(()),
        }
    }
}

#[derive(Subcommand)]
enum SpaceCommand {
    /// Add a space; one that is there already is left as it is
    Add {
        /// Its id: letters, digits, dots and dashes
        id: String,
        /// A sandbox is reached by sk_test_ keys only, a live space by sk_live_ keys only
        #[arg(long)]
        sandbox: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Change how a space behaves; every server follows within a second
    Set {
        /// Its id
        id: String,
        /// What a DELETE at the FHIR door does, alone, by criteria or in a Bundle: keep leaves the history (and a PUT
        /// revives), erase removes the person for good
        #[arg(long, value_name = "CHOICE", value_parser = ["keep", "erase"])]
        fhir_delete: String,
        #[command(flatten)]
        database: Database,
    },
    /// List the spaces
    List {
        #[command(flatten)]
        database: Database,
    },
}

#[derive(Subcommand)]
enum BindingCommand {
    /// Bind a door's word to a space
    Add {
        /// medicapp-cloud, medicapp-connect, patient-graph or ehealth
        #[arg(long)]
        door: String,
        /// trustSpaceUuid, brand_id or realm; nothing for medicapp-connect
        #[arg(long, default_value = "")]
        word: String,
        /// The space's id
        #[arg(long)]
        space: String,
        #[command(flatten)]
        database: Database,
    },
    /// List the bindings
    List {
        #[command(flatten)]
        database: Database,
    },
}

#[derive(Subcommand)]
enum KeySystemCommand {
    /// Declare a key system
    Add {
        /// The system, a URI; * stands for one path segment
        system: String,
        /// Patient or Practitioner
        #[arg(long)]
        resource: String,
        /// live: one live resource owns a value; active: one resource whose `active` is not false
        #[arg(long, default_value = "live", value_parser = ["live", "active"])]
        unique: String,
        #[command(flatten)]
        database: Database,
    },
    /// List the key systems, the built-in ones included
    List {
        #[command(flatten)]
        database: Database,
    },
}

macro_rules! database_of {
    ($($command:ident: $($variant:ident),*;)*) => {
        $(impl $command {
            fn database(&self) -> Database {
                match self {
                    $($command::$variant { database, .. })|* => database.clone(),
                }
            }
        })*
    };
}

database_of! {
    SpaceCommand: Add, Set, List;
    BindingCommand: Add, List;
    KeySystemCommand: Add, List;
}

/// Runs the command of this process.
///
/// # Errors
/// A sentence for the operator.
pub fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    conceal::passwords()?;
    panic::log_places_only();
    execute(cli)
}

fn execute(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(with_file) => start::serve(&with_file.settings.with_file(with_file.config.as_ref())?),
        Command::Migrate(with_file) => migrate(&with_file.settings.with_file(with_file.config.as_ref())?),
        Command::Health(with_file) => health::run(&with_file.settings.with_file(with_file.config.as_ref())?),
        Command::Demo(options) => demo::run(&options),
        Command::Translate(options) => translate::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Backup(options) => backup::run(&options),
        Command::Verify(options) => backup::run_verify(&options),
        Command::Restore(options) => backup::run_restore(&options),
        Command::Check(options) => check::run(&options),
        Command::Erase(options) => erase::run(&options),
        Command::Scrub(options) => scrub::run(&options),
        Command::Audit(command) => audit::run(command),
        Command::Space(command @ SpaceCommand::Add { .. }) => {
            administer_new(command.database(), |store| space(store, command))
        }
        Command::Space(command) => administer(command.database(), |store| space(store, command)),
        Command::Binding(command) => administer(command.database(), |store| binding(store, command)),
        Command::KeySystem(command) => administer(command.database(), |store| key_system(store, command)),
        Command::Client(command) => administer(command.database(), |store| client::run(store, command)),
        Command::Record(command) => administer(command.database(), |store| record::run(store, command)),
        Command::Key(command) => administer(command.database(), |store| key::run(store, command)),
    }
}

/// Runs one administrative command on a database that is there; see [`administer_new`].
fn administer<F>(database: Database, command: impl FnOnce(Store) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    database.refuse_missing()?;
    administer_new(database, command)
}

/// Runs one administrative command on an open store, and closes it: what was done is then on disk. A database that is not
/// there yet is made.
fn administer_new<F>(database: Database, command: impl FnOnce(Store) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let settings = Settings {
        database: database.database,
        ..Settings::default()
    };
    let store = start::open_current(&settings.with_file(database.config.as_ref())?)?;
    actix_web::rt::System::new().block_on(async move {
        let result = command(store.clone()).await;
        let closed = store.close().await.context("the database could not be closed");
        result.and(closed)
    })
}

fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let applied = start::migrate(settings)?;
    if applied.is_empty() {
        return say("The schema is up to date.");
    }
    applied
        .iter()
        .try_for_each(|name| say(&format!("applied {name}")))
}

async fn space(store: Store, command: SpaceCommand) -> anyhow::Result<()> {
    match command {
        SpaceCommand::Add { id, sandbox, .. } => {
            if fhir::Id::parse(&id).is_none() {
                bail!("'{id}' cannot be a space's id: use 1 to 64 letters, digits, dots and dashes");
            }
            let (space, _) = store.access().add_space(&id, sandbox).await?;
            say(&format!("space {id} ({})", kind_of(&space)))
        }
        SpaceCommand::Set { id, fhir_delete, .. } => {
            let choice = FhirDelete::parse(&fhir_delete)
                .with_context(|| format!("'{fhir_delete}' is not one of keep, erase"))?;
            if store.access().set_fhir_delete(&id, choice).await? == Change::Made {
                servers_know().await;
            }
            say(&format!(
                "space {id}: a DELETE at the FHIR door {}",
                deletes(choice)
            ))
        }
        SpaceCommand::List { .. } => {
            let spaces = store.access().snapshot().await?.spaces;
            spaces.iter().try_for_each(|space| {
                let erases = match space.fhir_delete {
                    FhirDelete::Keep => "",
                    FhirDelete::Erase => "\tfhir-delete erase",
                };
                say(&format!("{}\t{}{erases}", space.id, kind_of(space)))
            })
        }
    }
}

fn deletes(choice: FhirDelete) -> &'static str {
    match choice {
        FhirDelete::Keep => "keeps the history",
        FhirDelete::Erase => "erases",
    }
}

fn kind_of(space: &Space) -> &'static str {
    if space.sandbox { "sandbox" } else { "live" }
}

async fn binding(store: Store, command: BindingCommand) -> anyhow::Result<()> {
    match command {
        BindingCommand::Add {
            door, word, space, ..
        } => {
            check_door(&door)?;
            let binding = Binding { door, word, space };
            let change = store.access().add_binding(binding.clone()).await?;
            if change == Change::Made {
                servers_know().await;
            }
            fill_in_patient_ids(&store).await?;
            say(&format!(
                "{} '{}' means space {}",
                binding.door, binding.word, binding.space
            ))
        }
        BindingCommand::List { .. } => {
            let bindings = store.access().snapshot().await?.bindings;
            bindings
                .iter()
                .try_for_each(|row| say(&format!("{}\t{}\t{}", row.door, row.word, row.space)))
        }
    }
}

/// Waits until every server has read what was changed: from then on it gives new patients their ids itself.
async fn servers_know() {
    actix_web::rt::time::sleep(3 * REFRESH).await;
}

/// Gives the patients of all spaces that a Medicapp door shows their ids for it, where they have none.
///
/// # Errors
/// What the store says.
pub async fn fill_in_patient_ids(store: &Store) -> anyhow::Result<()> {
    let Some(base) = store.access().setting(start::NAMING_BASE).await? else {
        // No server has ever started here: there are no patients.
        return Ok(());
    };
    let keys = Arc::new(KeySystems::new(&base, &[]));
    for space in medicapp_spaces(&store.access().snapshot().await?) {
        let progress = |given| {
            // Progress is for a person; a closed standard error is no reason to stop.
            let _ = write!(
                std::io::stderr(),
                "\rpatients that got an id for the Medicapp doors: {given}"
            );
        };
        let ids = Arc::new(RandomIds);
        let given = engine::patient_id::fill_in(store, ids, Arc::clone(&keys), space, progress).await?;
        if given > 0 {
            let _ = writeln!(std::io::stderr());
        }
    }
    Ok(())
}

async fn key_system(store: Store, command: KeySystemCommand) -> anyhow::Result<()> {
    match command {
        KeySystemCommand::Add {
            system,
            resource,
            unique,
            ..
        } => {
            let kind = ResourceType::parse(&resource)
                .with_context(|| format!("'{resource}' is not stored here: write Patient or Practitioner"))?;
            let key = KeySystem {
                system,
                kind,
                active_only: unique == "active",
                type_code: None,
            };
            store.access().add_key_system(key.clone()).await?;
            say(&describe(&key))
        }
        KeySystemCommand::List { .. } => {
            let base = store.access().setting(start::NAMING_BASE).await?;
            let base = base.as_deref().unwrap_or(crate::config::DEFAULT_NAMING_BASE);
            let configured = store.access().snapshot().await?.key_systems;
            let all = engine::KeySystems::new(base, &configured);
            all.all().iter().try_for_each(|key| say(&describe(key)))
        }
    }
}

fn describe(key: &KeySystem) -> String {
    let unique = if key.active_only { "active" } else { "live" };
    let code = key.type_code.as_deref().map(|code| format!("\ttype {code}"));
    format!(
        "{}\t{}\tunique {unique}{}",
        key.system,
        key.kind,
        code.unwrap_or_default()
    )
}

fn check_door(name: &str) -> anyhow::Result<()> {
    if Door::parse(name).is_none() {
        let known: Vec<&str> = Door::ALL.iter().map(|door| door.as_str()).collect();
        bail!("'{name}' is not a door: write one of {}", known.join(", "));
    }
    Ok(())
}

/// Writes a line to standard output.
///
/// # Errors
/// When nobody reads it.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output is closed")
}
