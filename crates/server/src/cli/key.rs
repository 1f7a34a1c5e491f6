//! `passerelle key`: the credentials of clients. A secret is shown once, and never asked for on the command line.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use fhir::Timestamp;
use store::Store;

use super::{Database, say};
use crate::auth::attributes::{API_KEY_SHA256, ApiKeyDigest, new_api_key};
use crate::auth::new_key;

/// `passerelle key …`
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Issue a key and show it, this once
    Issue {
        /// The client's id
        client: String,
        /// Days until it expires [default: never]
        #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=MAX_DAYS))]
        days: Option<i64>,
        /// A key for its live spaces [default: of the kind of its first space]
        #[arg(long, conflicts_with_all = ["sandbox", "ehealth_api_key"])]
        live: bool,
        /// A key for its sandboxes
        #[arg(long, conflicts_with = "ehealth_api_key")]
        sandbox: bool,
        /// Issue a value for the API-key header of the eHealth door instead; the older one ends within a second
        #[arg(long, conflicts_with = "days")]
        ehealth_api_key: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Replace a key by a new one; both work during an overlap
    Rotate {
        /// The older key's prefix, as `key list` shows it
        prefix: String,
        /// Hours for which the older key still works, unless it ends before
        #[arg(long, default_value_t = 24, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=MAX_DAYS * 24))]
        overlap_hours: i64,
        /// Days until the new key expires [default: as many as the older one had when it was issued]
        #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=MAX_DAYS))]
        days: Option<i64>,
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

const HOUR_MICROS: i64 = 3_600_000_000;
/// The longest life of a key that ends, a hundred years.
const MAX_DAYS: i64 = 36_525;

impl KeyCommand {
    /// What it works on.
    pub fn database(&self) -> Database {
        match self {
            KeyCommand::Issue { database, .. }
            | KeyCommand::Rotate { database, .. }
            | KeyCommand::Revoke { database, .. }
            | KeyCommand::List { database } => database.clone(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(store: Store, command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Issue {
            client,
            ehealth_api_key: true,
            ..
        } => {
            let key = new_api_key();
            let digest = ApiKeyDigest::of(key.as_bytes()).to_string();
            let access = store.access();
            access.put_attribute(&client, API_KEY_SHA256, &digest).await?;
            say(&format!(
                "{key}\nThis API-key is shown only now. Send it with every request, as: API-key: …, beside the \
                 token of {client}."
            ))
        }
        KeyCommand::Issue {
            client,
            days,
            live,
            sandbox,
            ..
        } => {
            let expires = days.map(|days| hours_from_now(&store, days.saturating_mul(24)));
            let kind = match (live, sandbox) {
                (true, _) => Kind::Live,
                (_, true) => Kind::Sandbox,
                (false, false) => Kind::OfDefaultSpace,
            };
            let key = issue_key(&store, &client, kind, expires).await?;
            say(&format!(
                "{key}\nThis key is shown only now. Keep it in a secret store."
            ))
        }
        KeyCommand::Rotate {
            prefix,
            overlap_hours,
            days,
            ..
        } => {
            let old = store.access().key(&prefix).await?;
            let now = store.now().micros();
            let expires = match days {
                Some(days) => Some(hours_from_now(&store, days.saturating_mul(24))),
                None => old
                    .expires
                    .map(|end| now.saturating_add(end.saturating_sub(old.created))),
            };
            let is_sandbox = old.prefix.starts_with("sk_test_");
            let (key, row) = new_key(&old.client, is_sandbox, now, expires);
            let overlap = hours_from_now(&store, overlap_hours);
            let (_, ends) = store.access().rotate_key(&prefix, overlap, row).await?;
            let instant = |micros| Timestamp::from_micros(micros).to_instant();
            let life = expires.map_or_else(
                || "never expires".to_owned(),
                |end| format!("expires {}", instant(end)),
            );
            say(&format!(
                "{key}\nThis key is shown only now. It {life}. {prefix} works until {}.",
                instant(ends)
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

/// The spaces that a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those of the kind of the client's first one.
    OfDefaultSpace,
    /// Live ones.
    Live,
    /// Sandboxes.
    Sandbox,
}

/// Issues a key for a client.
pub(crate) async fn issue_key(
    store: &Store,
    client: &str,
    kind: Kind,
    expires: Option<i64>,
) -> anyhow::Result<String> {
    let snapshot = store.access().snapshot().await?;
    let found = snapshot.clients.iter().find(|known| known.id == client);
    let found = found
        .with_context(|| format!("there is no client '{client}'; `passerelle client list` shows them"))?;
    let spaces = found.spaces.iter();
    let mut kinds = spaces
        .filter_map(|name| snapshot.spaces.iter().find(|space| space.id == *name))
        .map(|space| space.sandbox);
    let sandbox = match kind {
        Kind::OfDefaultSpace => kinds
            .next()
            .with_context(|| format!("client '{client}' has no space; add one with `client add`"))?,
        Kind::Live | Kind::Sandbox => {
            let (wanted, word) = match kind {
                Kind::Sandbox => (true, "sandbox"),
                _ => (false, "live space"),
            };
            if !kinds.any(|sandbox| sandbox == wanted) {
                bail!(
                    "client '{client}' has no {word}, so such a key would open nothing; add one with `client add`"
                );
            }
            wanted
        }
    };
    let (key, row) = new_key(client, sandbox, store.now().micros(), expires);
    store.access().issue_key(row).await?;
    Ok(key)
}
