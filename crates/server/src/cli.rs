//! The command line: what an operator can do without a running server. Every command is idempotent.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use engine::{ClientPolicy, Door, Scopes};
use fhir::ResourceType;
use store::Store;
use store::access::{Binding, Client, KeySystem, Space};

use crate::auth::new_key;
use crate::config::Settings;
use crate::{demo, start};

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
#[derive(Args)]
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
    /// Issue a new key and let the client's older ones expire after an overlap
    Rotate {
        /// The client's id
        client: String,
        /// Hours for which the older keys still work
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

/// Runs the command of this process.
///
/// # Errors
/// A sentence for the operator.
pub fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(with_file) => start::serve(&with_file.settings.with_file(with_file.config.as_ref())?),
        Command::Migrate(with_file) => migrate(&with_file.settings.with_file(with_file.config.as_ref())?),
        Command::Demo(options) => demo::run(&options),
        Command::Space(command) => space(command),
        Command::Binding(command) => binding(command),
        Command::KeySystem(command) => key_system(command),
        Command::Client(command) => client(command),
        Command::Key(command) => key(command),
    }
}

fn open(database: &Database) -> anyhow::Result<Store> {
    let settings = Settings {
        database: database.database.clone(),
        ..Settings::default()
    };
    start::open_migrated(&settings.with_file(database.config.as_ref())?)
}

fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let applied = start::migrate(settings)?;
    if applied.is_empty() {
        return say("The schema is up to date.");
    }
    for name in applied {
        say(&format!("applied {name}"))?;
    }
    Ok(())
}

fn space(command: SpaceCommand) -> anyhow::Result<()> {
    match command {
        SpaceCommand::Add {
            id,
            sandbox,
            database,
        } => {
            if fhir::Id::parse(&id).is_none() {
                bail!("'{id}' cannot be a space's id: use 1 to 64 letters, digits, dots and dashes");
            }
            let space = open(&database)?.access().add_space(&id, sandbox)?;
            if space.sandbox != sandbox {
                bail!(
                    "space {id} exists already and is {}; its kind is fixed",
                    kind_of(&space)
                );
            }
            say(&format!("space {id} ({})", kind_of(&space)))
        }
        SpaceCommand::List { database } => {
            for space in open(&database)?.access().snapshot()?.spaces {
                say(&format!("{}\t{}", space.id, kind_of(&space)))?;
            }
            Ok(())
        }
    }
}

fn kind_of(space: &Space) -> &'static str {
    if space.sandbox { "sandbox" } else { "live" }
}

fn binding(command: BindingCommand) -> anyhow::Result<()> {
    match command {
        BindingCommand::Add {
            door,
            word,
            space,
            database,
        } => {
            check_door(&door)?;
            let store = open(&database)?;
            check_space(&store, &space)?;
            let binding = Binding { door, word, space };
            store.access().add_binding(&binding)?;
            say(&format!(
                "{} '{}' means space {}",
                binding.door, binding.word, binding.space
            ))
        }
        BindingCommand::List { database } => {
            for binding in open(&database)?.access().snapshot()?.bindings {
                say(&format!("{}\t{}\t{}", binding.door, binding.word, binding.space))?;
            }
            Ok(())
        }
    }
}

fn key_system(command: KeySystemCommand) -> anyhow::Result<()> {
    match command {
        KeySystemCommand::Add {
            system,
            resource,
            unique,
            database,
        } => {
            let kind = ResourceType::parse(&resource)
                .with_context(|| format!("'{resource}' is not stored here: write Patient or Practitioner"))?;
            let key = KeySystem {
                system,
                kind,
                active_only: unique == "active",
                type_code: None,
            };
            let store = open(&database)?;
            store.access().add_key_system(&key).with_context(|| {
                format!(
                    "the key system was not declared. It must be declared before resources carry {} identifiers \
                     of it, so that none of them is unchecked",
                    key.system
                )
            })?;
            say(&describe(&key))
        }
        KeySystemCommand::List { database } => {
            let store = open(&database)?;
            let base = store.access().setting("naming-base")?;
            let base = base.as_deref().unwrap_or(crate::config::DEFAULT_NAMING_BASE);
            for key in engine::KeySystems::new(base, &store.access().snapshot()?.key_systems).all() {
                say(&describe(key))?;
            }
            Ok(())
        }
    }
}

fn describe(key: &KeySystem) -> String {
    let unique = if key.active_only { "active" } else { "live" };
    let code = key
        .type_code
        .as_deref()
        .map(|code| format!("\ttype {code}"))
        .unwrap_or_default();
    format!("{}\t{}\tunique {unique}{code}", key.system, key.kind)
}

fn client(command: ClientCommand) -> anyhow::Result<()> {
    match command {
        ClientCommand::Add(new) => {
            new.doors.iter().try_for_each(|door| check_door(door))?;
            Scopes::parse(&new.scopes).map_err(anyhow::Error::msg)?;
            let store = open(&new.database)?;
            new.spaces
                .iter()
                .try_for_each(|space| check_space(&store, space))?;
            let client = new.into_client();
            store.access().put_client(&client)?;
            say(&format!(
                "client {}. Give it a key: passerelle key issue {}",
                client.id, client.id
            ))
        }
        ClientCommand::List { database } => {
            for client in open(&database)?.access().snapshot()?.clients {
                let state = if client.enabled { "enabled" } else { "disabled" };
                say(&format!(
                    "{}\t{}\t{}\t{}\t{}\t{state}",
                    client.id,
                    client.spaces.join(","),
                    client.doors.join(","),
                    client.scopes.join(","),
                    client.policy.as_deref().unwrap_or(ClientPolicy::None.as_str()),
                ))?;
            }
            Ok(())
        }
    }
}

impl NewClient {
    fn into_client(self) -> Client {
        let attributes = [
            ("legal-entity-id", self.legal_entity_id),
            ("legal-entity-type", self.legal_entity_type),
            ("legal-entity-status", self.legal_entity_status),
            ("user-id", self.user_id),
        ];
        Client {
            name: self.name.unwrap_or_else(|| self.id.clone()),
            id: self.id,
            spaces: self.spaces,
            doors: self.doors,
            scopes: self.scopes,
            policy: self.policy,
            attributes: attributes
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect(),
            enabled: !self.disabled,
        }
    }
}

const HOUR_MICROS: i64 = 3_600_000_000;

fn key(command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Issue {
            client,
            days,
            database,
        } => {
            let store = open(&database)?;
            let expires = days.map(|days| {
                store
                    .now()
                    .micros()
                    .saturating_add(days.saturating_mul(24 * HOUR_MICROS))
            });
            let key = issue_key(&store, &client, expires)?;
            say(&format!(
                "{key}\nThis key is shown only now. Keep it in a secret store."
            ))
        }
        KeyCommand::Rotate {
            client,
            overlap_hours,
            database,
        } => {
            let store = open(&database)?;
            let end = store
                .now()
                .micros()
                .saturating_add(overlap_hours.max(0).saturating_mul(HOUR_MICROS));
            let older = store
                .access()
                .snapshot()?
                .keys
                .into_iter()
                .filter(|key| key.client == client);
            let older: Vec<_> = older
                .filter(|key| key.expires.is_none_or(|expires| expires > end))
                .collect();
            let key = issue_key(&store, &client, None)?;
            for row in &older {
                store.access().expire_key(&row.prefix, end)?;
            }
            say(&format!(
                "{key}\nThis key is shown only now. {} older ones work for {overlap_hours} more hours.",
                older.len()
            ))
        }
        KeyCommand::Revoke { prefix, database } => {
            if !open(&database)?.access().revoke_key(&prefix)? {
                bail!("no key has the prefix '{prefix}'; `passerelle key list` shows them");
            }
            say(&format!("{prefix} is revoked"))
        }
        KeyCommand::List { database } => {
            for key in open(&database)?.access().snapshot()?.keys {
                let expires = key
                    .expires
                    .map(|micros| fhir::Timestamp::from_micros(micros).to_instant());
                say(&format!(
                    "{}\t{}\t{}",
                    key.prefix,
                    key.client,
                    expires.as_deref().unwrap_or("never expires")
                ))?;
            }
            Ok(())
        }
    }
}

/// Issues a key for a client of the kind of its default space.
pub(crate) fn issue_key(store: &Store, client: &str, expires: Option<i64>) -> anyhow::Result<String> {
    let snapshot = store.access().snapshot()?;
    let found = snapshot.clients.iter().find(|known| known.id == client);
    let found = found
        .with_context(|| format!("there is no client '{client}'; `passerelle client list` shows them"))?;
    let default = found
        .spaces
        .first()
        .and_then(|name| snapshot.spaces.iter().find(|space| space.id == *name));
    let default =
        default.with_context(|| format!("client '{client}' has no space; add one with `client add`"))?;
    let (key, row) = new_key(client, default.sandbox, store.now().micros(), expires);
    store.access().add_key(&row)?;
    Ok(key)
}

fn check_door(name: &str) -> anyhow::Result<()> {
    if Door::parse(name).is_none() {
        let known: Vec<&str> = Door::ALL.iter().map(|door| door.as_str()).collect();
        bail!("'{name}' is not a door: write one of {}", known.join(", "));
    }
    Ok(())
}

fn check_space(store: &Store, id: &str) -> anyhow::Result<()> {
    if !store
        .access()
        .snapshot()?
        .spaces
        .iter()
        .any(|space| space.id == id)
    {
        bail!("there is no space '{id}'; add it first: passerelle space add {id}");
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
