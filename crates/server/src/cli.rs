//! The command line: what an operator can do without a running server. Every command is idempotent.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use engine::{ClientPolicy, Door, Scopes};
use fhir::{ResourceType, Timestamp};
use store::Store;
use store::access::{Binding, Client, ClientKey, KeySystem, Space};

use crate::auth::new_key;
use crate::config::Settings;
use crate::{demo, start};

mod translate;

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
    Migrate(WithFile),
    /// Start a sandbox with sample data and print curl lines that work
    Demo(demo::Options),
    /// Show records of a partner as FHIR, or FHIR as a partner would see it; stores nothing
    ///
    /// Reads NDJSON, one JSON list, a Bundle or a page of a door, and takes what a door is sent as well as what
    /// it answers. Writes one line per record to standard output; what is refused, with its place, and what
    /// became of each field go to standard error, and one refused record makes the command fail at its end.
    /// Ids that a record carries are kept; where it carries none, none is made up: no Patient.id and no id of
    /// the partner's, whose text is then empty.
    Translate(Box<translate::Options>),
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
    /// API keys of clients
    #[command(subcommand)]
    Key(KeyCommand),
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

#[derive(Subcommand)]
enum ClientCommand {
    /// Add a client, or change the one of this id to what is said here
    Add(Box<NewClient>),
    /// List the clients
    List {
        #[command(flatten)]
        database: Database,
    },
}

#[derive(Args)]
struct NewClient {
    /// Its id
    id: String,
    /// Its name, for people [default: the id]
    #[arg(long)]
    name: Option<String>,
    /// A space it may use; the first is its default one
    #[arg(long = "space", required = true)]
    spaces: Vec<String>,
    /// A door it may use: fhir, medicapp-cloud, medicapp-connect, patient-graph, ehealth
    #[arg(long = "door", required = true)]
    doors: Vec<String>,
    /// A scope, such as system/Patient.cruds, partner:administrative, preperson:read
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
    /// sas-regulator: this client pushes regulators' accounts
    #[arg(long, value_parser = ["sas-regulator"])]
    policy: Option<String>,
    /// eHealth: UUID of the legal entity
    #[arg(long)]
    legal_entity_id: Option<String>,
    /// eHealth: OUTPATIENT, EMERGENCY, …
    #[arg(long)]
    legal_entity_type: Option<String>,
    /// eHealth: ACTIVE, SUSPENDED, CLOSED
    #[arg(long)]
    legal_entity_status: Option<String>,
    /// eHealth: UUID of the user
    #[arg(long)]
    user_id: Option<String>,
    /// Refuse every credential of it
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    database: Database,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Issue a key and show it, this once
    Issue {
        /// The client's id
        client: String,
        /// Days until it expires [default: never]
        #[arg(long)]
        days: Option<i64>,
        #[command(flatten)]
        database: Database,
    },
    /// Replace a key by a new one; both work during an overlap
    Rotate {
        /// The older key's prefix, as `key list` shows it
        prefix: String,
        /// Hours for which the older key still works
        #[arg(long, default_value_t = 24)]
        overlap_hours: i64,
        #[command(flatten)]
        database: Database,
    },
    /// Revoke a key: every server refuses it within a second
    Revoke {
        /// The key's prefix, as `key list` shows it
        prefix: String,
        #[command(flatten)]
        database: Database,
    },
    /// List the keys (never the secrets)
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
    SpaceCommand: Add, List;
    BindingCommand: Add, List;
    KeySystemCommand: Add, List;
    KeyCommand: Issue, Rotate, Revoke, List;
}

impl ClientCommand {
    fn database(&self) -> Database {
        match self {
            ClientCommand::Add(new) => new.database.clone(),
            ClientCommand::List { database } => database.clone(),
        }
    }
}

/// Runs the command of this process.
///
/// # Errors
/// A sentence for the operator.
pub fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(with_file) => start::serve(&with_file.settings.with_file(with_file.config.as_ref())?),
        Command::Migrate(with_file) => migrate(&with_file.settings.with_file(with_file.config.as_ref())?),
        Command::Demo(options) => demo::run(&options),
        Command::Translate(options) => translate::run(&options),
        Command::Space(command) => administer(command.database(), |store| space(store, command)),
        Command::Binding(command) => administer(command.database(), |store| binding(store, command)),
        Command::KeySystem(command) => administer(command.database(), |store| key_system(store, command)),
        Command::Client(command) => administer(command.database(), |store| client(store, command)),
        Command::Key(command) => administer(command.database(), |store| key(store, command)),
    }
}

/// Runs one administrative command on an open store, and closes it: what was done is then on disk.
fn administer<F>(database: Database, command: impl FnOnce(Store) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let settings = Settings {
        database: database.database,
        ..Settings::default()
    };
    let store = start::open_migrated(&settings.with_file(database.config.as_ref())?)?;
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
        SpaceCommand::List { .. } => {
            let spaces = store.access().snapshot().await?.spaces;
            spaces
                .iter()
                .try_for_each(|space| say(&format!("{}\t{}", space.id, kind_of(space))))
        }
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
            store.access().add_binding(binding.clone()).await?;
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

async fn client(store: Store, command: ClientCommand) -> anyhow::Result<()> {
    match command {
        ClientCommand::Add(new) => {
            new.doors.iter().try_for_each(|door| check_door(door))?;
            Scopes::parse(&new.scopes).map_err(anyhow::Error::msg)?;
            let client = new.into_client();
            store.access().put_client(client.clone()).await?;
            say(&format!(
                "client {}. Give it a key: passerelle key issue {}",
                client.id, client.id
            ))
        }
        ClientCommand::List { .. } => {
            let clients = store.access().snapshot().await?.clients;
            clients.iter().try_for_each(|client| say(&line_of(client)))
        }
    }
}

fn line_of(client: &Client) -> String {
    let state = if client.enabled { "enabled" } else { "disabled" };
    format!(
        "{}\t{}\t{}\t{}\t{}\t{state}",
        client.id,
        client.spaces.join(","),
        client.doors.join(","),
        client.scopes.join(","),
        client.policy.as_deref().unwrap_or(ClientPolicy::None.as_str()),
    )
}

impl NewClient {
    fn into_client(self) -> Client {
        let attributes = [
            ("legal-entity-id", self.legal_entity_id),
            ("legal-entity-type", self.legal_entity_type),
            ("legal-entity-status", self.legal_entity_status),
            ("user-id", self.user_id),
        ];
        let attributes = attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Client {
            name: self.name.unwrap_or_else(|| self.id.clone()),
            id: self.id,
            spaces: self.spaces,
            doors: self.doors,
            scopes: self.scopes,
            policy: self.policy,
            attributes: attributes.collect(),
            enabled: !self.disabled,
        }
    }
}

const HOUR_MICROS: i64 = 3_600_000_000;

async fn key(store: Store, command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Issue { client, days, .. } => {
            let expires = days.map(|days| hours_from_now(&store, days.saturating_mul(24)));
            let key = issue_key(&store, &client, expires).await?;
            say(&format!(
                "{key}\nThis key is shown only now. Keep it in a secret store."
            ))
        }
        KeyCommand::Rotate {
            prefix,
            overlap_hours,
            ..
        } => {
            let known = store.access().snapshot().await?.keys;
            let old = known.into_iter().find(|key| key.prefix == prefix);
            let old = old.with_context(|| {
                format!("no key of prefix '{prefix}' is in force; `passerelle key list` shows them")
            })?;
            let (key, row) = fresh_key(&store, &old.client, None).await?;
            let end = hours_from_now(&store, overlap_hours.max(0));
            store.access().rotate_key(&prefix, end, row).await?;
            say(&format!(
                "{key}\nThis key is shown only now. {prefix} works for {overlap_hours} more hours."
            ))
        }
        KeyCommand::Revoke { prefix, .. } => {
            store.access().revoke_key(&prefix).await?;
            say(&format!("{prefix} is revoked"))
        }
        KeyCommand::List { .. } => {
            let keys = store.access().snapshot().await?.keys;
            keys.iter().try_for_each(|key| {
                let expires = key
                    .expires
                    .map(|micros| Timestamp::from_micros(micros).to_instant());
                let expires = expires.as_deref().unwrap_or("never expires");
                say(&format!("{}\t{}\t{expires}", key.prefix, key.client))
            })
        }
    }
}

fn hours_from_now(store: &Store, hours: i64) -> i64 {
    store
        .now()
        .micros()
        .saturating_add(hours.saturating_mul(HOUR_MICROS))
}

/// Issues a key for a client, of the kind of its default space.
pub(crate) async fn issue_key(store: &Store, client: &str, expires: Option<i64>) -> anyhow::Result<String> {
    let (key, row) = fresh_key(store, client, expires).await?;
    store.access().issue_key(row).await?;
    Ok(key)
}

async fn fresh_key(store: &Store, client: &str, expires: Option<i64>) -> anyhow::Result<(String, ClientKey)> {
    let snapshot = store.access().snapshot().await?;
    let found = snapshot.clients.iter().find(|known| known.id == client);
    let found = found
        .with_context(|| format!("there is no client '{client}'; `passerelle client list` shows them"))?;
    let default = found
        .spaces
        .first()
        .and_then(|name| snapshot.spaces.iter().find(|space| space.id == *name));
    let default =
        default.with_context(|| format!("client '{client}' has no space; add one with `client add`"))?;
    Ok(new_key(client, default.sandbox, store.now().micros(), expires))
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
