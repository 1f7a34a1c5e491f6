//! Clients: who may call, and what a door knows of them.

use super::Client;
use super::admin::{Access, Change, audit, known_space, plain, refused};
use crate::error::StoreError;
use crate::sql::ClientRow;
use crate::statement::Statement;
use crate::transaction::Transaction;

/// Whether a client's credentials are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// They are.
    On,
    /// Every one is refused.
    Off,
}

impl Access {
    /// Adds a client, or changes it to this.
    pub async fn put_client(&self, client: Client) -> Result<Change, StoreError> {
        self.put_client_keeping(client, &[]).await
    }

    /// Adds a client, or changes it to this; of the attributes it has, those of these names stay unless the
    /// new ones say otherwise. One that is switched off stays so: [`Access::switch_client`] alone brings it back.
    pub async fn put_client_keeping(
        &self,
        client: Client,
        kept: &'static [&'static str],
    ) -> Result<Change, StoreError> {
        plain("client", &client.id)?;
        check(&client)?;
        self.write(move |tx| {
            for space in &client.spaces {
                known_space(tx, space)?;
            }
            let known = clients(tx)?.into_iter().find(|known| known.id == client.id);
            let mut wanted = client.clone();
            wanted.enabled &= known.as_ref().is_none_or(|known| known.enabled);
            for (name, value) in known.iter().flat_map(|known| &known.attributes) {
                let is_said = wanted.attributes.iter().any(|(said, _)| said == name);
                if kept.contains(&name.as_str()) && !is_said {
                    wanted.attributes.push((name.clone(), value.clone()));
                }
            }
            put(tx, "client-put", known.as_ref(), &wanted)
        })
        .await
    }

    /// Switches a client on or off, and leaves everything else of it alone. Refused when there is no such client.
    pub async fn switch_client(&self, client: &str, to: Switch) -> Result<Change, StoreError> {
        let client = client.to_owned();
        self.write(move |tx| {
            let known = clients(tx)?.into_iter().find(|known| known.id == client);
            let mut wanted = known.clone().ok_or_else(|| unknown(&client))?;
            wanted.enabled = to == Switch::On;
            let interaction = match to {
                Switch::On => "client-enable",
                Switch::Off => "client-disable",
            };
            put(tx, interaction, known.as_ref(), &wanted)
        })
        .await
    }

    /// Gives an attribute of a client this value, and leaves everything else of it alone. Refused when there
    /// is no such client.
    pub async fn put_attribute(&self, client: &str, name: &str, value: &str) -> Result<Change, StoreError> {
        let (client, name, value) = (client.to_owned(), name.to_owned(), value.to_owned());
        self.write(move |tx| {
            let known = clients(tx)?.into_iter().find(|known| known.id == client);
            let mut wanted = known.clone().ok_or_else(|| unknown(&client))?;
            match wanted.attributes.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => known.clone_from(&value),
                None => wanted.attributes.push((name.clone(), value.clone())),
            }
            check(&wanted)?;
            put(tx, "attribute-put", known.as_ref(), &wanted)
        })
        .await
    }
}

/// That a client can be written as lines of text.
fn check(client: &Client) -> Result<(), StoreError> {
    let lists = [&client.spaces, &client.doors, &client.scopes];
    let texts = lists.into_iter().flatten();
    let attributes = client.attributes.iter().flat_map(|(name, value)| [name, value]);
    for text in texts.chain(attributes).chain([&client.name]) {
        if text.contains(['\n', '\0']) {
            return Err(refused("A client's attributes are single lines.".to_owned()));
        }
    }
    if client.attributes.iter().any(|(name, _)| name.contains('=')) {
        return Err(refused(
            "The name of a client's attribute has no equals sign.".to_owned(),
        ));
    }
    Ok(())
}

fn put(
    tx: &mut Transaction<'_>,
    interaction: &'static str,
    known: Option<&Client>,
    wanted: &Client,
) -> Result<Change, StoreError> {
    if known == Some(wanted) {
        return audit(tx, interaction, &wanted.id, Change::None);
    }
    tx.begin_change()?;
    tx.run("changing a client", &client_upsert(wanted))?;
    audit(tx, interaction, &wanted.id, Change::Made)
}

pub(super) fn unknown(client: &str) -> StoreError {
    refused(format!(
        "There is no client {client}; `passerelle client list` shows those there are."
    ))
}

pub(super) fn clients(tx: &mut Transaction<'_>) -> Result<Vec<Client>, StoreError> {
    let statement = Statement::new(
        "SELECT id, name, spaces, doors, scopes, policy, attributes, enabled, expires FROM client WHERE space = 0 ORDER BY id",
    );
    let rows = tx
        .sql
        .clients(&statement)
        .map_err(|error| tx.fail("reading clients", &error))?;
    Ok(rows.into_iter().map(client).collect())
}

fn client(row: ClientRow) -> Client {
    let (id, name, spaces, doors, scopes, policy, attributes, enabled, expires) = row;
    Client {
        id,
        name,
        spaces: lines(&spaces),
        doors: lines(&doors),
        scopes: lines(&scopes),
        policy,
        attributes: attributes
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        enabled,
        expires,
    }
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n')
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn client_upsert(client: &Client) -> Statement<'_> {
    let attributes: Vec<String> = client
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    Statement::new(
        "INSERT INTO client (space, id, name, spaces, doors, scopes, policy, attributes, enabled, expires) VALUES (0, ",
    )
    .bind(client.id.as_str())
    .sql(", ")
    .bind(client.name.as_str())
    .sql(", ")
    .bind(client.spaces.join("\n"))
    .sql(", ")
    .bind(client.doors.join("\n"))
    .sql(", ")
    .bind(client.scopes.join("\n"))
    .sql(", ")
    .bind(client.policy.as_deref())
    .sql(", ")
    .bind(attributes.join("\n"))
    .sql(", ")
    .bind(client.enabled)
    .sql(", ")
    .bind(client.expires)
    .sql(
        ") ON CONFLICT (space, id) DO UPDATE SET name = excluded.name, spaces = excluded.spaces, \
         doors = excluded.doors, scopes = excluded.scopes, policy = excluded.policy, \
         attributes = excluded.attributes, enabled = excluded.enabled, expires = excluded.expires",
    )
}
