//! `passerelle client`: who may call.

use clap::{Args, Subcommand};
use engine::{ClientPolicy, Door, Scopes};
use fhir::Timestamp;
use fhir::time::TimeRange;
use store::access::{Client, Switch};
use store::{Change, Store};

use super::certificate::{self, CertificateCommand};
use super::{Database, check_door, fill_in_patient_ids, say, servers_know};
use crate::auth::attributes::{self, attribute};
use crate::rate::Allowance;

/// `passerelle client …`
#[derive(Subcommand)]
pub enum ClientCommand {
    /// Add a client, or change the one of this id to what is said here; one that is switched off stays so
    Add(Box<NewClient>),
    /// Refuse every credential of a client, in every server within a second
    Disable {
        /// Its id
        id: String,
        #[command(flatten)]
        database: Database,
    },
    /// Take the credentials of a client again
    Enable {
        /// Its id
        id: String,
        #[command(flatten)]
        database: Database,
    },
    /// Certificates by which clients are known
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// List the clients
    List {
        #[command(flatten)]
        database: Database,
    },
}

/// `passerelle client add …`
#[derive(Args)]
pub struct NewClient {
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
    /// UUID of the user for whom it writes [default: one made from the client's id]
    #[arg(long)]
    user_id: Option<String>,
    /// Requests per second and at once that it may send to each of its doors, such as 50/100, or none for no limit
    /// [default: 100/200 at the partner doors, none at fhir]
    #[arg(long, value_name = "RATE/BURST")]
    rate_limit: Option<Allowance>,
    /// Take access tokens of this authorization server for it: their iss, as in [[issuers]] of the configuration file
    #[arg(long, value_name = "ISSUER")]
    token_issuer: Option<String>,
    /// What that authorization server calls it [default: the id]
    #[arg(long, value_name = "NAME", requires = "token_issuer")]
    token_client: Option<String>,
    /// The last day on which it is let in (UTC), such as 2027-06-30; from then on it is as one that is switched off
    /// [default: none]
    #[arg(long, value_name = "DAY", value_parser = end_of_day)]
    expires: Option<i64>,
    /// Refuse every credential of it, until `client enable`
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    database: Database,
}

impl ClientCommand {
    /// What it works on.
    pub fn database(&self) -> Database {
        match self {
            ClientCommand::Add(new) => new.database.clone(),
            ClientCommand::Certificate(command) => command.database(),
            ClientCommand::Disable { database, .. }
            | ClientCommand::Enable { database, .. }
            | ClientCommand::List { database } => database.clone(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(store: Store, command: ClientCommand) -> anyhow::Result<()> {
    match command {
        ClientCommand::Add(new) => {
            new.doors.iter().try_for_each(|door| check_door(door))?;
            Scopes::parse(&new.scopes).map_err(anyhow::Error::msg)?;
            let client = new.into_client();
            nobody_else_has_its_name(&store, &client).await?;
            // What `key issue` gave it is no matter of this command.
            let access = store.access();
            let change = access
                .put_client_keeping(client.clone(), &[attributes::API_KEY_SHA256])
                .await?;
            // Its key is the word for its spaces: their patients are shown there.
            if client
                .doors
                .iter()
                .any(|door| door == Door::MedicappConnect.as_str())
            {
                if change == Change::Made {
                    servers_know().await;
                }
                fill_in_patient_ids(&store).await?;
            }
            let known = access.snapshot().await?.clients;
            let is_off = |known: &Client| known.id == client.id && !known.enabled;
            if known.iter().any(is_off) {
                return say(&format!(
                    "client {}. It is switched off: passerelle client enable {}",
                    client.id, client.id
                ));
            }
            say(&format!(
                "client {}. Give it a key: passerelle key issue {}, or a certificate: passerelle client certificate add {} …",
                client.id, client.id, client.id
            ))
        }
        ClientCommand::Disable { id, .. } => {
            store.access().switch_client(&id, Switch::Off).await?;
            say(&format!(
                "client {id} is switched off: every credential of it is refused. Its keys and certificates are kept; revoke \
                 those that leaked before it is switched on again"
            ))
        }
        ClientCommand::Enable { id, .. } => {
            store.access().switch_client(&id, Switch::On).await?;
            say(&format!("client {id} is switched on"))
        }
        ClientCommand::Certificate(command) => certificate::run(store, command).await,
        ClientCommand::List { .. } => {
            let clients = store.access().snapshot().await?.clients;
            let now = store.now().micros();
            clients.iter().try_for_each(|client| say(&line_of(client, now)))
        }
    }
}

/// Of two clients with one name at an issuer nobody could say whose a token is.
async fn nobody_else_has_its_name(store: &Store, client: &Client) -> anyhow::Result<()> {
    let Some(name) = attributes::name_at_issuer(client) else {
        return Ok(());
    };
    let clients = store.access().snapshot().await?.clients;
    let taken = clients
        .iter()
        .find(|other| other.id != client.id && attributes::name_at_issuer(other).as_ref() == Some(&name));
    match taken {
        None => Ok(()),
        Some(other) => anyhow::bail!(
            "the client {} is the one whom {} calls {}. Give this one the name that it has there, with --token-client",
            other.id,
            name.0,
            name.1
        ),
    }
}

/// The end of a day in UTC, microseconds since the epoch.
fn end_of_day(text: &str) -> Result<i64, String> {
    let is_day = text.len() == "YYYY-MM-DD".len();
    let range = TimeRange::parse(text).filter(|_| is_day);
    range
        .map(|range| range.high)
        .ok_or_else(|| "write the day as 2027-06-30".to_owned())
}

/// The last day before an end.
fn last_day(end: i64) -> String {
    let instant = Timestamp::from_micros(end.saturating_sub(1)).to_instant();
    instant.chars().take("YYYY-MM-DD".len()).collect()
}

fn line_of(client: &Client, now: i64) -> String {
    let state = if client.enabled { "enabled" } else { "disabled" };
    let rate = attribute(client, attributes::RATE_LIMIT).map(|rate| format!("\trate {rate}"));
    let tokens =
        attributes::name_at_issuer(client).map(|(issuer, name)| format!("\ttokens {name} of {issuer}"));
    let expiry = client.expires.map(|end| {
        let word = if now < end { "expires" } else { "expired" };
        format!("\t{word} {}", last_day(end))
    });
    format!(
        "{}\t{}\t{}\t{}\t{}\t{state}{}{}{}",
        client.id,
        client.spaces.join(","),
        client.doors.join(","),
        client.scopes.join(","),
        client.policy.as_deref().unwrap_or(ClientPolicy::None.as_str()),
        rate.unwrap_or_default(),
        tokens.unwrap_or_default(),
        expiry.unwrap_or_default(),
    )
}

impl NewClient {
    fn into_client(self) -> Client {
        let attributes = [
            (attributes::LEGAL_ENTITY_ID, self.legal_entity_id),
            (attributes::LEGAL_ENTITY_TYPE, self.legal_entity_type),
            (attributes::LEGAL_ENTITY_STATUS, self.legal_entity_status),
            (attributes::USER_ID, self.user_id),
            (attributes::TOKEN_ISSUER, self.token_issuer),
            (attributes::TOKEN_CLIENT, self.token_client),
            (
                attributes::RATE_LIMIT,
                self.rate_limit.map(|allowance| allowance.to_string()),
            ),
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
            expires: self.expires,
        }
    }
}
