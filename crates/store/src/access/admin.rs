//! Reads and changes of access. Every change is idempotent, audited and counted: servers that poll
//! [`Access::generation`] see it within their interval.

use fhir::{Id, ResourceType};

use super::certificates::certificates;
use super::clients::{clients, unknown};
use super::{AccessSnapshot, Binding, ClientKey, FhirDelete, KeySystem, Space};
use crate::api::{LockSet, SpaceKey};
use crate::audit::AuditEntry;
use crate::error::StoreError;
use crate::statement::Statement;
use crate::store::Store;
use crate::transaction::Transaction;
use crate::{codes, settings};

/// What the operator sets.
#[derive(Clone)]
pub struct Access {
    store: Store,
}

/// The same for who watches it for changes, on a connection that no request has: however many requests wait for one, a
/// change is seen in its time.
pub struct AccessWatch {
    store: Store,
}

impl AccessWatch {
    /// As [`Access::generation`].
    ///
    /// # Errors
    /// What the database says. The connection is made anew the next time.
    pub async fn generation(&mut self) -> Result<i64, StoreError> {
        self.store.read_aside(settings::generation).await
    }

    /// As [`Access::snapshot`].
    ///
    /// # Errors
    /// What the database says. The connection is made anew the next time.
    pub async fn snapshot(&mut self) -> Result<AccessSnapshot, StoreError> {
        self.store.read_aside(snapshot).await
    }
}

/// Whether a change found anything to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It did.
    Made,
    /// Everything was so already.
    None,
}

impl Access {
    pub(crate) fn new(store: Store) -> Access {
        Access { store }
    }

    /// For who watches it.
    pub fn watch(self) -> AccessWatch {
        AccessWatch { store: self.store }
    }

    /// Rises with every change of access, by whatever process.
    pub async fn generation(&self) -> Result<i64, StoreError> {
        self.store.read_all(settings::generation).await
    }

    /// Everything, at one moment.
    pub async fn snapshot(&self) -> Result<AccessSnapshot, StoreError> {
        self.store.read_all(snapshot).await
    }

    /// The keys of a client, revoked ones too.
    pub async fn client_keys(&self, client: &str) -> Result<Vec<ClientKey>, StoreError> {
        let client = client.to_owned();
        self.store
            .read_all(move |tx| {
                let statement = Statement::new(KEYS).sql(" AND client = ").bind(client.as_str());
                client_keys(tx, &statement.sql(" ORDER BY created, prefix"))
            })
            .await
    }

    /// A setting, such as the naming base.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.store.read_all(move |tx| settings::get(tx, &name)).await
    }

    /// Writes a setting unless it is there; the value that is there afterwards, for the caller to compare.
    pub async fn put_setting_once(&self, name: &str, value: &str) -> Result<String, StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |tx| settings::put_once(tx, &name, &value)).await
    }

    /// Adds a space. Refused when it exists as the other kind.
    pub async fn add_space(&self, id: &str, sandbox: bool) -> Result<(Space, Change), StoreError> {
        plain("space", id)?;
        let id = id.to_owned();
        self.write(move |tx| {
            if let Some(space) = spaces(tx)?.into_iter().find(|space| space.id == id) {
                let unchanged = audit(tx, "space-add", &id, Change::None)?;
                return if space.sandbox == sandbox {
                    Ok((space, unchanged))
                } else {
                    let is = if space.sandbox { "a sandbox" } else { "live" };
                    Err(refused(format!(
                        "The space {id} exists and is {is}; that cannot be changed. Choose another name."
                    )))
                };
            }
            tx.begin_change()?;
            let statement = Statement::new(
                "INSERT INTO space (space, number, name, sandbox) \
                 SELECT 0, coalesce(max(number), 0) + 1, ",
            )
            .bind(id.as_str())
            .sql(", ")
            .bind(sandbox)
            .sql(" FROM space WHERE space = 0");
            tx.run("adding a space", &statement)?;
            let made = audit(tx, "space-add", &id, Change::Made)?;
            let space = spaces(tx)?.into_iter().find(|space| space.id == id);
            let space = space.ok_or_else(|| StoreError::Internal("a space does not stay".to_owned()))?;
            Ok((space, made))
        })
        .await
    }

    /// Says what a DELETE at the FHIR door does in a space. Refused when there is no such space.
    pub async fn set_fhir_delete(&self, id: &str, choice: FhirDelete) -> Result<Change, StoreError> {
        let id = id.to_owned();
        self.write(move |tx| {
            known_space(tx, &id)?;
            let is_so = spaces(tx)?
                .iter()
                .any(|space| space.id == id && space.fhir_delete == choice);
            if is_so {
                return audit(tx, "space-set", &id, Change::None);
            }
            tx.begin_change()?;
            let statement = Statement::new("UPDATE space SET fhir_delete = ")
                .bind(choice.as_str())
                .sql(" WHERE space = 0 AND name = ")
                .bind(id.as_str());
            tx.run("setting a space up", &statement)?;
            audit(tx, "space-set", &id, Change::Made)
        })
        .await
    }

    /// Binds a door's word to a space. Refused when the word means another space.
    pub async fn add_binding(&self, binding: Binding) -> Result<Change, StoreError> {
        self.write(move |tx| {
            known_space(tx, &binding.space)?;
            let bound = bindings(tx)?
                .into_iter()
                .find(|other| other.door == binding.door && other.word == binding.word);
            if let Some(bound) = bound {
                return if bound.space == binding.space {
                    audit(tx, "binding-add", &binding.space, Change::None)
                } else {
                    Err(refused(format!(
                        "{} {} is bound to the space {} already. Its patients would change hands.",
                        binding.door, binding.word, bound.space
                    )))
                };
            }
            tx.begin_change()?;
            let statement = Statement::new("INSERT INTO binding (space, door, word, target) VALUES (0, ")
                .bind(binding.door.as_str())
                .sql(", ")
                .bind(binding.word.as_str())
                .sql(", ")
                .bind(binding.space.as_str())
                .sql(")");
            tx.run("adding a binding", &statement)?;
            audit(tx, "binding-add", &binding.space, Change::Made)
        })
        .await
    }

    /// Adds a key. Refused when its prefix is another key's or its client is unknown.
    pub async fn issue_key(&self, key: ClientKey) -> Result<Change, StoreError> {
        self.write(move |tx| issue(tx, &key)).await
    }

    /// A key, also one that is revoked or has ended. Refused when there is none of this prefix.
    pub async fn key(&self, prefix: &str) -> Result<ClientKey, StoreError> {
        let prefix = prefix.to_owned();
        self.store.read_all(move |tx| known_key(tx, &prefix)).await
    }

    /// Adds a key and lets another one end at a time, microseconds since the epoch, unless it ends before that. The
    /// time is that at which it ends. Refused when it has ended: nothing brings a key back.
    pub async fn rotate_key(
        &self,
        old: &str,
        ends: i64,
        new: ClientKey,
    ) -> Result<(Change, i64), StoreError> {
        let old = old.to_owned();
        self.write(move |tx| {
            let known = known_key(tx, &old)?;
            let ends = known.expires.map_or(ends, |end| end.min(ends));
            let change = issue(tx, &new)?;
            if change == Change::Made {
                in_force(tx, &known)?;
                let statement = Statement::new("UPDATE client_key SET expires = ")
                    .bind(ends)
                    .sql(" WHERE space = 0 AND prefix = ")
                    .bind(old.as_str());
                tx.run("rotating a key", &statement)?;
            }
            Ok((change, ends))
        })
        .await
    }

    /// Revokes a key. Refused when there is none of this prefix.
    pub async fn revoke_key(&self, prefix: &str) -> Result<Change, StoreError> {
        let prefix = prefix.to_owned();
        self.write(move |tx| {
            let key = known_key(tx, &prefix)?;
            if key.revoked {
                return audit(tx, "key-revoke", &key.client, Change::None);
            }
            tx.begin_change()?;
            let statement = Statement::new("UPDATE client_key SET revoked = ")
                .bind(true)
                .sql(" WHERE space = 0 AND prefix = ")
                .bind(prefix.as_str());
            tx.run("revoking a key", &statement)?;
            audit(tx, "key-revoke", &key.client, Change::Made)
        })
        .await
    }

    /// Adds a key identifier system. Refused when it exists with another rule, and when identifiers of it
    /// are stored already: those were written unchecked, and no rule could be promised for them.
    pub async fn add_key_system(&self, system: KeySystem) -> Result<Change, StoreError> {
        self.write(move |tx| {
            let known = key_systems(tx)?.into_iter().find(|other| {
                other.kind == system.kind
                    && other.system == system.system
                    && other.type_code == system.type_code
            });
            if let Some(known) = known {
                return if known == system {
                    audit(tx, "key-system-add", "", Change::None)
                } else {
                    Err(refused(format!(
                        "{} is a key system already, with the other rule. Resources were written under it.",
                        system.system
                    )))
                };
            }
            if let Some(stored) = systems_stored(tx, system.kind)?.iter().find(|stored| system.covers(stored)) {
                return Err(refused(format!(
                    "{} resources carry identifiers of {stored} already, and nobody checked that they are unique. \
                     Declare a key system before the first of its identifiers is stored.",
                    system.kind
                )));
            }
            tx.begin_change()?;
            let statement = Statement::new(
                "INSERT INTO key_system (space, kind, system, active_only, type_code) VALUES (0, ",
            )
            .bind(codes::kind(system.kind))
            .sql(", ")
            .bind(system.system.as_str())
            .sql(", ")
            .bind(system.active_only)
            .sql(", ")
            .bind(system.type_code.as_deref().unwrap_or_default())
            .sql(")");
            tx.run("adding a key system", &statement)?;
            audit(tx, "key-system-add", "", Change::Made)
        })
        .await
    }

    /// A change, excluding every other change of access.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let locks = LockSet {
            values: vec!["access".to_owned()],
            ..LockSet::default()
        };
        self.store.write_in(SpaceKey(0), locks, write).await
    }
}

/// The identifier systems that live resources of a type carry, in any space.
fn systems_stored(tx: &mut Transaction<'_>, kind: ResourceType) -> Result<Vec<String>, StoreError> {
    let mut systems = Vec::new();
    for space in spaces(tx)? {
        let statement = Statement::new("SELECT DISTINCT system FROM index_token WHERE space = ")
            .bind(space.key.0)
            .sql(" AND kind = ")
            .bind(codes::kind(kind))
            .sql(" AND param = 1");
        let found = tx.sql.texts(&statement);
        systems.extend(found.map_err(|error| tx.fail("reading the identifier systems", &error))?);
    }
    Ok(systems)
}

const KEYS: &str = "SELECT prefix, client, hash, created, expires, revoked FROM client_key WHERE space = 0";

fn snapshot(tx: &mut Transaction<'_>) -> Result<AccessSnapshot, StoreError> {
    Ok(AccessSnapshot {
        generation: settings::generation(tx)?,
        spaces: spaces(tx)?,
        bindings: bindings(tx)?,
        clients: clients(tx)?,
        keys: {
            let statement = Statement::new(KEYS).sql(" AND NOT revoked ORDER BY prefix");
            client_keys(tx, &statement)?
        },
        certificates: certificates(tx)?,
        key_systems: key_systems(tx)?,
    })
}

fn spaces(tx: &mut Transaction<'_>) -> Result<Vec<Space>, StoreError> {
    let statement = Statement::new(
        "SELECT number, name, sandbox, fhir_delete FROM space WHERE space = 0 ORDER BY number",
    );
    let rows = tx
        .sql
        .spaces(&statement)
        .map_err(|error| tx.fail("reading spaces", &error))?;
    rows.into_iter()
        .map(|(key, id, sandbox, fhir_delete)| {
            Ok(Space {
                key: SpaceKey(key),
                id,
                sandbox,
                fhir_delete: FhirDelete::parse(&fhir_delete).ok_or_else(|| {
                    StoreError::Internal("what a space does on a DELETE makes no sense".to_owned())
                })?,
            })
        })
        .collect()
}

fn bindings(tx: &mut Transaction<'_>) -> Result<Vec<Binding>, StoreError> {
    let statement =
        Statement::new("SELECT door, word, target FROM binding WHERE space = 0 ORDER BY door, word");
    let rows = tx
        .sql
        .bindings(&statement)
        .map_err(|error| tx.fail("reading bindings", &error))?;
    Ok(rows
        .into_iter()
        .map(|(door, word, space)| Binding { door, word, space })
        .collect())
}

fn client_keys(tx: &mut Transaction<'_>, statement: &Statement<'_>) -> Result<Vec<ClientKey>, StoreError> {
    let rows = tx
        .sql
        .client_keys(statement)
        .map_err(|error| tx.fail("reading keys", &error))?;
    rows.into_iter()
        .map(|(prefix, client, hash, created, expires, revoked)| {
            let hash = <[u8; 32]>::try_from(hash.as_slice()).map_err(|_| {
                StoreError::Internal("a key's hash in the database makes no sense".to_owned())
            })?;
            Ok(ClientKey {
                prefix,
                client,
                hash,
                created,
                expires,
                revoked,
            })
        })
        .collect()
}

fn key_systems(tx: &mut Transaction<'_>) -> Result<Vec<KeySystem>, StoreError> {
    let statement = Statement::new(
        "SELECT kind, system, active_only, type_code FROM key_system WHERE space = 0 ORDER BY kind, system, type_code",
    );
    let rows = tx
        .sql
        .key_systems(&statement)
        .map_err(|error| tx.fail("reading key systems", &error))?;
    rows.into_iter()
        .map(|(kind, system, active_only, type_code)| {
            Ok(KeySystem {
                system,
                kind: codes::kind_of(kind)
                    .ok_or_else(|| StoreError::Internal("a key system's type makes no sense".to_owned()))?,
                active_only,
                type_code: Some(type_code).filter(|code| !code.is_empty()),
            })
        })
        .collect()
}

fn find_key(tx: &mut Transaction<'_>, prefix: &str) -> Result<Option<ClientKey>, StoreError> {
    let statement = Statement::new(KEYS).sql(" AND prefix = ").bind(prefix);
    Ok(client_keys(tx, &statement)?.pop())
}

fn known_key(tx: &mut Transaction<'_>, prefix: &str) -> Result<ClientKey, StoreError> {
    find_key(tx, prefix)?.ok_or_else(|| {
        refused(format!(
            "There is no key {prefix}; `passerelle key list` shows those there are."
        ))
    })
}

fn in_force(tx: &Transaction<'_>, key: &ClientKey) -> Result<(), StoreError> {
    let now = tx.now().micros();
    let end = match (key.revoked, key.expires) {
        (true, _) => "is revoked",
        (false, Some(end)) if end <= now => "has ended",
        (false, _) => return Ok(()),
    };
    Err(refused(format!(
        "The key {} {end}. Issue another: passerelle key issue {}",
        key.prefix, key.client
    )))
}

pub(super) fn known_space(tx: &mut Transaction<'_>, id: &str) -> Result<(), StoreError> {
    match spaces(tx)?.iter().any(|space| space.id == id) {
        true => Ok(()),
        false => Err(refused(format!(
            "There is no space {id}. Add it first: passerelle space add {id}"
        ))),
    }
}

fn issue(tx: &mut Transaction<'_>, key: &ClientKey) -> Result<Change, StoreError> {
    if !clients(tx)?.iter().any(|client| client.id == key.client) {
        return Err(unknown(&key.client));
    }
    match find_key(tx, &key.prefix)? {
        Some(known) if known.hash == key.hash && known.client == key.client => {
            return audit(tx, "key-issue", &key.client, Change::None);
        }
        Some(_) => {
            return Err(refused(format!(
                "The prefix {} is taken. Issue another key.",
                key.prefix
            )));
        }
        None => {}
    }
    tx.begin_change()?;
    let statement = Statement::new(
        "INSERT INTO client_key (space, prefix, client, hash, created, expires, revoked) VALUES (0, ",
    )
    .bind(key.prefix.as_str())
    .sql(", ")
    .bind(key.client.as_str())
    .sql(", ")
    .bind(key.hash.as_slice())
    .sql(", ")
    .bind(key.created)
    .sql(", ")
    .bind(key.expires)
    .sql(", ")
    .bind(key.revoked)
    .sql(")");
    tx.run("issuing a key", &statement)?;
    audit(tx, "key-issue", &key.client, Change::Made)
}

/// The audit row of a change, and its count.
pub(super) fn audit(
    tx: &mut Transaction<'_>,
    interaction: &'static str,
    about: &str,
    change: Change,
) -> Result<Change, StoreError> {
    if change == Change::Made {
        settings::bump_generation(tx)?;
    }
    tx.begin_change()?;
    tx.write_audit(&[AuditEntry {
        time: tx.now(),
        request_id: uuid::Uuid::new_v4().to_string(),
        client: "operator".to_owned(),
        space: None,
        door: "cli",
        interaction,
        kind: None,
        id: Id::parse(about),
        version: None,
        outcome: match change {
            Change::Made => "ok",
            Change::None => "unchanged",
        },
    }])?;
    Ok(change)
}

/// Names that stand in URLs, headers and lists.
pub(super) fn plain(what: &str, name: &str) -> Result<(), StoreError> {
    let fits = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    match fits {
        true => Ok(()),
        false => Err(refused(format!(
            "The name of a {what} is 1 to 64 letters, digits, dots, hyphens and underscores."
        ))),
    }
}

pub(super) fn refused(why: String) -> StoreError {
    StoreError::Refused(why)
}
