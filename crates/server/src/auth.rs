//! Credentials → [`Caller`] (`access.md` 2).
//!
//! What the operator set is held in memory as one [`Directory`], read again within [`REFRESH`] of every
//! change, so that a revocation is in force in every process in less than a second.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use adapters::ehealth;
use engine::{Caller, Door, Engine, KeySystems, Refusal};
use fhir::query::Criteria;
use fhir::{Issue, IssueCode, Resource};
use sha2::{Digest as _, Sha256};
use store::access::{AccessSnapshot, ClientKey, FhirDelete};
use store::{SpaceKey, Store, StoreError};

use crate::rate::Rate;
use crate::tls::Presented;

pub mod attributes;
mod bearer;
mod certificate;
mod directory;
mod keys;
mod record;
#[cfg(test)]
mod tests;
pub mod token;
mod wrong;

use attributes::ApiKeyDigest;
use bearer::Holder;
use directory::{Directory, KnownClient};
use token::Issuers;
use wrong::WrongCredentials;
pub use wrong::{WRONG_LIMIT, WRONG_WINDOW};

/// How often the directory is compared with the database, in milliseconds. The promise is one second.
pub const REFRESH: Duration = Duration::from_millis(300);
/// What of a request tells who asks.
pub struct CallerHeaders<'r> {
    /// `Authorization`
    pub authorization: Option<&'r [u8]>,
    /// `API-key`: what the eHealth door wants beside a token.
    pub api_key: Option<&'r [u8]>,
    /// The client's certificate.
    pub certificate: Presented,
    /// `X-Space`
    pub space: Option<&'r [u8]>,
    /// The address of the peer.
    pub peer: Option<IpAddr>,
    /// The request's id.
    pub request_id: &'r str,
}

/// Which credential was wrong, for the doors that say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The eHealth door was asked without `API-key`.
    ApiKeyMissing,
    /// `Authorization` is not there or holds no bearer token.
    TokenMissing,
    /// The token is nobody's, or works no more.
    TokenInvalid,
    /// `API-key` is not that of the token's client.
    ApiKeyInvalid,
    /// The client certificate is not in force, is nobody's, or is not that of the token's client.
    CertificateInvalid,
}

/// Why nobody was recognised, or somebody who may not come in here.
#[derive(Debug)]
pub struct Denied {
    /// As every door refuses it.
    pub refusal: Box<Refusal>,
    /// Which credential was wrong, behind every 401.
    pub denial: Option<Denial>,
    /// Who came in at the wrong door, or asked for a space that is not its own.
    pub who: Option<Known>,
}

/// A client that was recognised and may not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub client: String,
    /// Its default space.
    pub space: Option<SpaceKey>,
}

impl Denied {
    fn forbidden(text: impl Into<String>) -> Denied {
        Denied {
            refusal: Box::new(Refusal::new(403, Issue::error(IssueCode::Forbidden, text))),
            denial: None,
            who: None,
        }
    }

    fn login(denial: Denial, text: &str) -> Denied {
        Denied {
            refusal: Box::new(Refusal::new(401, Issue::error(IssueCode::Login, text))),
            denial: Some(denial),
            who: None,
        }
    }
}

/// Recognises callers. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    shared: Arc<Shared>,
    issuers: Issuers,
}

struct Shared {
    store: Store,
    naming_base: String,
    /// OIDs of the deployment's own for our identifier systems, by path below the base.
    oids: BTreeMap<String, String>,
    directory: RwLock<Arc<Directory>>,
    wrong: WrongCredentials,
    /// Certificates refused in the handshake, by themselves: a connection is closed for those alone.
    handshakes: WrongCredentials,
    stopped: AtomicBool,
}

impl Shared {
    fn put(&self, snapshot: &AccessSnapshot, engine: &Engine) {
        let fresh = Arc::new(Directory::new(snapshot, &self.naming_base, &self.oids));
        let mut slot = self.directory.write().unwrap_or_else(PoisonError::into_inner);
        // Who read it later may come first: what was taken back stays so.
        if fresh.generation >= slot.generation {
            engine.set_key_systems(key_systems(&self.naming_base, snapshot));
            *slot = fresh;
        }
    }
}

/// The key systems in force, with the spaces whose patients the Medicapp doors show, and those that erase on a DELETE.
pub fn key_systems(naming_base: &str, snapshot: &AccessSnapshot) -> KeySystems {
    let spaces = snapshot.spaces.iter();
    let erasing = spaces.filter(|space| space.fhir_delete == FhirDelete::Erase);
    KeySystems::new(naming_base, &snapshot.key_systems)
        .with_medicapp_spaces(medicapp_spaces(snapshot))
        .with_erasing_spaces(erasing.map(|space| space.key))
}

/// The spaces whose patients a Medicapp door shows: those that one of its words means, and those of the clients of the
/// connect door, whose word is the key.
pub fn medicapp_spaces(snapshot: &AccessSnapshot) -> Vec<SpaceKey> {
    let cloud = [Door::MedicappCloud.as_str(), Door::MedicappConnect.as_str()];
    let bound = snapshot
        .bindings
        .iter()
        .filter(|binding| cloud.contains(&binding.door.as_str()))
        .map(|binding| &binding.space);
    let of_clients = snapshot
        .clients
        .iter()
        .filter(|client| {
            client
                .doors
                .iter()
                .any(|door| door == Door::MedicappConnect.as_str())
        })
        .flat_map(|client| &client.spaces);
    let names: BTreeSet<&String> = bound.chain(of_clients).collect();
    let spaces = snapshot.spaces.iter();
    spaces
        .filter(|space| names.contains(&space.id))
        .map(|space| space.key)
        .collect()
}

impl Authenticator {
    /// Reads the directory and keeps it fresh in a task of this thread's runtime, until
    /// [`Authenticator::stop`]. The engine gets the configured key systems with it.
    ///
    /// # Errors
    /// What the store says when the directory cannot be read.
    pub async fn start(
        store: Store,
        engine: &Engine,
        naming_base: &str,
        oids: BTreeMap<String, String>,
    ) -> Result<Authenticator, StoreError> {
        let snapshot = store.access().snapshot().await?;
        engine.set_key_systems(key_systems(naming_base, &snapshot));
        let shared = Arc::new(Shared {
            store,
            naming_base: naming_base.to_owned(),
            directory: RwLock::new(Arc::new(Directory::new(&snapshot, naming_base, &oids))),
            oids,
            wrong: WrongCredentials::default(),
            handshakes: WrongCredentials::default(),
            stopped: AtomicBool::new(false),
        });
        let (watched, engine) = (Arc::clone(&shared), engine.clone());
        actix_web::rt::spawn(async move { watch(&watched, &engine).await });
        Ok(Authenticator {
            shared,
            issuers: Issuers::default(),
        })
    }

    /// The same, which takes access tokens of these authorization servers too.
    #[must_use]
    pub fn with_issuers(self, issuers: Issuers) -> Authenticator {
        Authenticator { issuers, ..self }
    }

    /// The authorization servers whose access tokens are taken.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Reads the directory again at once.
    ///
    /// # Errors
    /// What the store says when the directory cannot be read.
    pub async fn refresh(&self, engine: &Engine) -> Result<(), StoreError> {
        let snapshot = self.shared.store.access().snapshot().await?;
        self.shared.put(&snapshot, engine);
        Ok(())
    }

    /// The words that a door has for the spaces of its caller, with these spaces (`access.md` 1): live ones to who came
    /// with a live key, sandboxes to who came with one of a sandbox.
    pub fn words(&self, caller: &Caller) -> Vec<(String, SpaceKey)> {
        self.directory().words_of(caller)
    }

    /// The name of the space that a caller asks about.
    pub fn space_name(&self, caller: &Caller) -> Option<String> {
        self.directory().space_name(caller)
    }

    /// Whom a client writes for: the user it names, else a UUID derived from its id.
    pub fn author_of(&self, client: &str) -> String {
        self.directory().author_of(client)
    }

    /// Who a caller is at the eHealth door, with the scopes that it came with. `None`: it was switched off a moment ago.
    pub fn registry_of(&self, caller: &Caller) -> Option<ehealth::Caller> {
        let mut registry = self.directory().registry_of(&caller.client)?;
        registry.scopes.retain(|scope| caller.scopes.has(scope));
        Some(registry)
    }

    /// How often a client may ask at a door; `None`: as often as it likes.
    pub(crate) fn rate_of(&self, door: Door, client: &str) -> Option<Rate> {
        self.directory().rate_of(door, client)
    }

    /// Writes the canonical systems in the place of their OID spellings into criteria.
    pub fn rewrite_criteria(&self, criteria: &mut Criteria) {
        self.directory().aliases.rewrite(criteria);
    }

    /// The system under which identifiers of this one are stored.
    pub fn canonical_system(&self, system: &str) -> String {
        let directory = self.directory();
        directory.aliases.canonical(system).unwrap_or(system).to_owned()
    }

    /// The same in the identifiers of a resource.
    pub fn rewrite_resource(&self, resource: &mut Resource) {
        self.directory().aliases.rewrite_resource(resource);
    }

    fn directory(&self) -> Arc<Directory> {
        let slot = self
            .shared
            .directory
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&slot)
    }

    /// The base of our own identifier systems and profiles.
    pub fn naming_base(&self) -> &str {
        &self.shared.naming_base
    }

    /// Ends the refreshing task, and the threads that look for keys of issuers.
    pub fn stop(&self) {
        self.issuers.stop();
        self.shared.stopped.store(true, Ordering::Relaxed);
    }

    /// Who asks at this door.
    ///
    /// # Errors
    /// 401 without a valid credential (one text, whatever was wrong with it), 403 when the client may not use
    /// the door or the space, 429 after too many wrong credentials from one address. Each is audited.
    pub fn authenticate(&self, door: Door, headers: &CallerHeaders<'_>) -> Result<Caller, Denied> {
        let result = self.recognise(&self.directory(), door, headers);
        if let Err(denied) = &result {
            self.record_denied(door, headers.request_id, denied);
        }
        result
    }

    /// Whether so many certificates of this address were refused that it gets no handshake for the rest of the window.
    pub fn closes_to(&self, peer: IpAddr) -> bool {
        self.shared.handshakes.is_over(peer, Instant::now())
    }

    fn recognise(
        &self,
        directory: &Directory,
        door: Door,
        headers: &CallerHeaders<'_>,
    ) -> Result<Caller, Denied> {
        let now = self.shared.store.now().micros();
        let Holder {
            client,
            sandbox: sandbox_key,
            scopes,
        } = holder(directory, &self.issuers, door, headers, now)
            .map_err(|denied| self.count(denied, headers))?;
        let space = place(client, sandbox_key, door, headers).map_err(|denied| Denied {
            who: Some(Known {
                client: client.id.clone(),
                space: client.space(None, sandbox_key),
            }),
            ..denied
        })?;
        Ok(Caller {
            client: client.id.clone(),
            space,
            door,
            scopes,
            policy: client.policy,
            request_id: headers.request_id.to_owned(),
            author: client.author().to_owned(),
            witness: engine::Witness::default(),
        })
    }

    /// Counts a wrong credential, but not that none was sent. One too many of one address is answered 429.
    fn count(&self, denied: Denied, headers: &CallerHeaders<'_>) -> Denied {
        let was_sent = match (denied.denial, &headers.certificate) {
            // An API-key is looked at before anything else is, and guessed as well as a token.
            (Some(Denial::ApiKeyInvalid), _) => true,
            (Some(Denial::ApiKeyMissing), _) => false,
            (_, Presented::Certificate(_) | Presented::Faulty(_)) => true,
            (_, Presented::Unasked | Presented::None) => headers.authorization.is_some(),
        };
        let peer = headers.peer.filter(|_| was_sent && denied.refusal.status == 401);
        let Some(wait) = peer.and_then(|peer| self.shared.wrong.count(peer, Instant::now())) else {
            return denied;
        };
        let text = "Too many wrong credentials came from this address. Wait, then send a valid one.";
        Denied {
            refusal: Box::new(Refusal {
                retry_after: Some(wait),
                ..Refusal::new(429, Issue::error(IssueCode::Throttled, text))
            }),
            denial: None,
            who: None,
        }
    }
}

/// The space that a client means at a door, when it may use both.
fn place(
    client: &KnownClient,
    sandbox_key: bool,
    door: Door,
    headers: &CallerHeaders<'_>,
) -> Result<SpaceKey, Denied> {
    if !client.doors.contains(&door) {
        let text = format!("This client may not use the {door} door. Ask the operator to grant it.");
        return Err(Denied::forbidden(text));
    }
    match door {
        // Its requests have no word for a space: the realm is in the credential.
        Door::Ehealth => client.realm(sandbox_key).ok_or_else(|| {
            Denied::forbidden("No realm means a space of this client. Ask the operator to bind one.")
        }),
        // A partner's own word says which space is meant, or its key does; a header of ours does not.
        _ => client
            .space(headers.space.filter(|_| door == Door::Fhir), sandbox_key)
            .ok_or_else(|| {
                Denied::forbidden(
                    "There is no such space for this client. Leave X-Space out for its default one.",
                )
            }),
    }
}

/// The client whose credentials these are. At the eHealth door the `API-key` is looked at first (`adapters.md` 2.5);
/// whether it is the one of the token's client can only be said last.
fn holder<'d>(
    directory: &'d Directory,
    issuers: &Issuers,
    door: Door,
    headers: &CallerHeaders<'_>,
    now: i64,
) -> Result<Holder<'d>, Denied> {
    let api_key = match (door, headers.api_key) {
        (Door::Ehealth, None) => {
            let text = "No API-key was sent. Send it beside the token, as: API-key: …";
            return Err(Denied::login(Denial::ApiKeyMissing, text));
        }
        (Door::Ehealth, sent) => sent,
        _ => None,
    };
    // Nobody's: that is said before anything of the token.
    if api_key.is_some_and(|key| !directory.knows_api_key(key, now)) {
        let text = "The API-key is not valid. Check it, or ask the operator for a new one.";
        return Err(Denied::login(Denial::ApiKeyInvalid, text));
    }
    let by_certificate = certificate::holder(directory, &headers.certificate, now)?;
    let by_token = match headers.authorization {
        Some(authorization) => {
            let token = bearer::token(authorization)?;
            Some(bearer::holder(directory, issuers, token, now)?)
        }
        None => None,
    };
    let holder = match (by_token, by_certificate) {
        (Some(holder), Some(certified)) if holder.client.id != certified.id => {
            return Err(certificate::not_of_token());
        }
        (Some(holder), _) => holder,
        (None, Some(client)) => Holder {
            client,
            sandbox: client.is_sandbox(),
            scopes: client.scopes.clone(),
        },
        (None, None) => return Err(certificate::nothing_sent(&headers.certificate)),
    };
    if api_key.is_some_and(|key| !ApiKeyDigest::is_of(holder.client.api_key.as_ref(), key)) {
        let text =
            "The API-key is not that of the token's client. Check both, or ask the operator for new ones.";
        return Err(Denied::login(Denial::ApiKeyInvalid, text));
    }
    Ok(holder)
}

async fn watch(shared: &Shared, engine: &Engine) {
    let mut known = {
        let slot = shared.directory.read().unwrap_or_else(PoisonError::into_inner);
        slot.generation
    };
    let mut access = shared.store.access().watch();
    while !shared.stopped.load(Ordering::Relaxed) {
        actix_web::rt::time::sleep(REFRESH).await;
        match access.generation().await {
            Ok(generation) if generation == known => continue,
            Ok(_) => {}
            // Requests say 503 for themselves while the database is away.
            Err(error) => {
                tracing::warn!(%error, "the directory of clients could not be compared");
                continue;
            }
        }
        match access.snapshot().await {
            Ok(snapshot) => {
                known = snapshot.generation;
                shared.put(&snapshot, engine);
            }
            Err(error) => tracing::warn!(%error, "the directory of clients could not be read"),
        }
    }
}

/// A new API key: what is shown once, and the row that is stored.
pub fn new_key(client: &str, sandbox: bool, created: i64, expires: Option<i64>) -> (String, ClientKey) {
    let kind = if sandbox { "test" } else { "live" };
    let random = || uuid::Uuid::new_v4().simple().to_string();
    // Two random UUIDs: 244 bits of secret. The prefix is only a name.
    let prefix = format!("sk_{kind}_{}", random().chars().take(12).collect::<String>());
    let key = format!("{prefix}_{}{}", random(), random());
    let row = ClientKey {
        prefix,
        client: client.to_owned(),
        hash: Sha256::digest(key.as_bytes()).into(),
        created,
        expires,
        revoked: false,
    };
    (key, row)
}
