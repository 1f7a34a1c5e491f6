//! Credentials → [`Caller`] (`access.md` 2).
//!
//! What the operator set is held in memory as one [`Directory`], read again within [`REFRESH`] of every
//! change, so that a revocation is in force in every process in less than a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use engine::{Caller, ClientPolicy, Door, Engine, KeySystems, Refusal, Scopes};
use fhir::{Issue, IssueCode};
use sha2::{Digest as _, Sha256};
use store::access::{AccessSnapshot, Client, ClientKey};
use store::audit::AuditEntry;
use store::{SpaceKey, Store, StoreError};
use subtle::ConstantTimeEq as _;

#[cfg(test)]
mod tests;

/// How often the directory is compared with the database, in milliseconds. The promise is one second.
pub const REFRESH: Duration = Duration::from_millis(300);
/// Wrong credentials that one address may send within [`WRONG_WINDOW`] before it is answered 429.
pub const WRONG_LIMIT: u32 = 100;
/// The window of [`WRONG_LIMIT`], in seconds.
pub const WRONG_WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at most; past that the oldest windows are dropped.
const ADDRESSES_REMEMBERED: usize = 10_000;

/// What of a request tells who asks.
pub struct CallerHeaders<'r> {
    /// `Authorization`
    pub authorization: Option<&'r [u8]>,
    /// `X-Space`
    pub space: Option<&'r [u8]>,
    /// The address of the peer.
    pub peer: Option<IpAddr>,
    /// The request's id.
    pub request_id: &'r str,
}

/// Recognises callers. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    naming_base: String,
    directory: RwLock<Arc<Directory>>,
    wrong: Mutex<HashMap<IpAddr, Wrong>>,
    stopped: AtomicBool,
}

impl Shared {
    fn put(&self, snapshot: &AccessSnapshot, engine: &Engine) {
        engine.set_key_systems(KeySystems::new(&self.naming_base, &snapshot.key_systems));
        let fresh = Arc::new(Directory::new(snapshot));
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

/// Wrong credentials of one address.
struct Wrong {
    since: Instant,
    count: u32,
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
    ) -> Result<Authenticator, StoreError> {
        let snapshot = store.access().snapshot().await?;
        engine.set_key_systems(KeySystems::new(naming_base, &snapshot.key_systems));
        let shared = Arc::new(Shared {
            store,
            naming_base: naming_base.to_owned(),
            directory: RwLock::new(Arc::new(Directory::new(&snapshot))),
            wrong: Mutex::new(HashMap::new()),
            stopped: AtomicBool::new(false),
        });
        let (watched, engine) = (Arc::clone(&shared), engine.clone());
        actix_web::rt::spawn(async move { watch(&watched, &engine).await });
        Ok(Authenticator { shared })
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

    /// The words that a door has for the spaces of a client, with these spaces (`access.md` 1).
    pub fn words(&self, door: Door, client: &str) -> Vec<(String, SpaceKey)> {
        let slot = self
            .shared
            .directory
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        slot.words_of(door, client)
    }

    /// The base of our own identifier systems and profiles.
    pub fn naming_base(&self) -> &str {
        &self.shared.naming_base
    }

    /// Ends the refreshing task.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }

    /// Who asks at this door.
    ///
    /// # Errors
    /// 401 without a valid credential (one text, whatever was wrong with it), 403 when the client may not use
    /// the door or the space, 429 after too many wrong credentials from one address. Each is audited.
    pub fn authenticate(&self, door: Door, headers: &CallerHeaders<'_>) -> Result<Caller, Refusal> {
        let directory = {
            let slot = self
                .shared
                .directory
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&slot)
        };
        let result = self.recognise(&directory, door, headers);
        if let Err(refusal) = &result {
            self.record(AuditEntry {
                time: self.shared.store.now(),
                request_id: headers.request_id.to_owned(),
                client: String::new(),
                space: None,
                door: door.as_str(),
                interaction: "authenticate",
                kind: None,
                id: None,
                version: None,
                outcome: refusal.code().as_str(),
            });
        }
        result
    }

    /// Audits that a known caller was refused before any interaction began.
    pub fn record_denial(&self, caller: &Caller, refusal: &Refusal) {
        self.record(AuditEntry {
            time: self.shared.store.now(),
            request_id: caller.request_id.clone(),
            client: caller.client.clone(),
            space: Some(caller.space),
            door: caller.door.as_str(),
            interaction: "admit",
            kind: None,
            id: None,
            version: None,
            outcome: refusal.code().as_str(),
        });
    }

    fn record(&self, entry: AuditEntry) {
        // Refused it is either way; what cannot be recorded is at least logged.
        if let Err(error) = self.shared.store.audit_later(entry) {
            tracing::error!(%error, "a denial could not be audited");
        }
    }

    fn recognise(
        &self,
        directory: &Directory,
        door: Door,
        headers: &CallerHeaders<'_>,
    ) -> Result<Caller, Refusal> {
        let Some(authorization) = headers.authorization else {
            return Err(Refusal::new(
                401,
                Issue::error(
                    IssueCode::Login,
                    "No credential was sent. Send your API key as: Authorization: Bearer sk_…",
                ),
            ));
        };
        let now = self.shared.store.now().micros();
        let Some((client, sandbox_key)) = directory.holder_of(authorization, now) else {
            return Err(self.wrong_credential(headers.peer));
        };
        if !client.doors.contains(&door) {
            let text = format!("This client may not use the {door} door. Ask the operator to grant it.");
            return Err(Refusal::new(403, Issue::error(IssueCode::Forbidden, text)));
        }
        let space = client.space(headers.space, sandbox_key).ok_or_else(|| {
            let text = "There is no such space for this client. Leave X-Space out for its default one.";
            Refusal::new(403, Issue::error(IssueCode::Forbidden, text))
        })?;
        Ok(Caller {
            client: client.id.clone(),
            space,
            door,
            scopes: client.scopes.clone(),
            policy: client.policy,
            request_id: headers.request_id.to_owned(),
        })
    }

    fn wrong_credential(&self, peer: Option<IpAddr>) -> Refusal {
        let refusal = not_valid();
        let Some(peer) = peer else { return refusal };
        let now = Instant::now();
        let mut wrong = self.shared.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= ADDRESSES_REMEMBERED {
            wrong.retain(|_, entry| now.duration_since(entry.since) < WRONG_WINDOW);
        }
        if wrong.len() >= ADDRESSES_REMEMBERED {
            wrong.clear();
        }
        let entry = wrong.entry(peer).or_insert(Wrong { since: now, count: 0 });
        if now.duration_since(entry.since) >= WRONG_WINDOW {
            *entry = Wrong { since: now, count: 0 };
        }
        entry.count = entry.count.saturating_add(1);
        if entry.count <= WRONG_LIMIT {
            return refusal;
        }
        let wait = WRONG_WINDOW.saturating_sub(now.duration_since(entry.since));
        let text = "Too many wrong credentials came from this address. Wait, then send a valid one.";
        Refusal {
            retry_after: Some(Duration::from_secs(wait.as_secs().max(1))),
            ..Refusal::new(429, Issue::error(IssueCode::Throttled, text))
        }
    }
}

async fn watch(shared: &Shared, engine: &Engine) {
    let mut known = {
        let slot = shared.directory.read().unwrap_or_else(PoisonError::into_inner);
        slot.generation
    };
    while !shared.stopped.load(Ordering::Relaxed) {
        actix_web::rt::time::sleep(REFRESH).await;
        let access = shared.store.access();
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

/// Spaces, clients and keys at one moment, ready to be looked up.
struct Directory {
    generation: i64,
    keys: HashMap<String, (ClientKey, Arc<KnownClient>)>,
    /// By client: door, the door's word, the space it means.
    words: HashMap<String, Vec<(Door, String, SpaceKey)>>,
}

struct KnownClient {
    id: String,
    doors: Vec<Door>,
    scopes: Scopes,
    policy: ClientPolicy,
    /// Name, number and kind of its spaces, the default one first.
    spaces: Vec<(String, SpaceKey, bool)>,
}

impl KnownClient {
    /// `None` when the client is switched off or its row makes no sense: it is then unknown.
    fn new(client: &Client, snapshot: &AccessSnapshot) -> Option<KnownClient> {
        if !client.enabled {
            return None;
        }
        let scopes = Scopes::parse(&client.scopes)
            .inspect_err(|text| tracing::error!(client = client.id, text, "a client's scopes are malformed"))
            .ok()?;
        let policy = match client.policy.as_deref() {
            None => ClientPolicy::None,
            Some(name) if name == ClientPolicy::SasRegulator.as_str() => ClientPolicy::SasRegulator,
            Some(name) => {
                tracing::error!(client = client.id, policy = name, "a client's policy is unknown");
                return None;
            }
        };
        let spaces = client.spaces.iter().filter_map(|name| {
            let space = snapshot.spaces.iter().find(|space| space.id == *name)?;
            Some((space.id.clone(), space.key, space.sandbox))
        });
        Some(KnownClient {
            id: client.id.clone(),
            doors: client.doors.iter().filter_map(|name| Door::parse(name)).collect(),
            scopes,
            policy,
            spaces: spaces.collect(),
        })
    }

    /// The space asked for, or the default one; a key of the other kind sees neither.
    fn space(&self, wanted: Option<&[u8]>, sandbox_key: bool) -> Option<SpaceKey> {
        let (_, key, _) = match wanted {
            None => self.spaces.first(),
            Some(name) => self.spaces.iter().find(|(id, _, _)| id.as_bytes() == name),
        }
        .filter(|(_, _, sandbox)| *sandbox == sandbox_key)?;
        Some(*key)
    }
}

impl Directory {
    fn new(snapshot: &AccessSnapshot) -> Directory {
        let clients: HashMap<&str, Arc<KnownClient>> = snapshot
            .clients
            .iter()
            .filter_map(|client| Some((client.id.as_str(), Arc::new(KnownClient::new(client, snapshot)?))))
            .collect();
        let keys = snapshot.keys.iter().filter(|key| !key.revoked).filter_map(|key| {
            let client = clients.get(key.client.as_str())?;
            Some((key.prefix.clone(), (key.clone(), Arc::clone(client))))
        });
        let words = clients.values().map(|client| {
            let bound = snapshot.bindings.iter().filter_map(|binding| {
                let door = Door::parse(&binding.door)?;
                let (_, key, _) = client.spaces.iter().find(|(id, _, _)| *id == binding.space)?;
                Some((door, binding.word.clone(), *key))
            });
            (client.id.clone(), bound.collect())
        });
        Directory {
            generation: snapshot.generation,
            keys: keys.collect(),
            words: words.collect(),
        }
    }

    fn words_of(&self, door: Door, client: &str) -> Vec<(String, SpaceKey)> {
        let bound = self.words.get(client).into_iter().flatten();
        bound
            .filter(|(of, _, _)| *of == door)
            .map(|(_, word, space)| (word.clone(), *space))
            .collect()
    }

    /// The client that an `Authorization` header is the credential of, and whether that is a sandbox one.
    fn holder_of(&self, authorization: &[u8], now: i64) -> Option<(&KnownClient, bool)> {
        bearer(authorization).and_then(|token| self.client_of(token, now))
    }

    /// The client of an API key, and whether the key is a sandbox one.
    fn client_of(&self, token: &str, now: i64) -> Option<(&KnownClient, bool)> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (kind, prefix) = split_key(token)?;
        let known = self.keys.get(prefix);
        // An unknown prefix is compared as well: the time taken tells nothing.
        let expected = known.map_or([0; 32], |(key, _)| key.hash);
        let equal = bool::from(hash.ct_eq(&expected));
        let (key, client) = known?;
        let live = key.expires.is_none_or(|end| now < end);
        (equal && live).then_some((client.as_ref(), kind == "test"))
    }
}

/// One text, whatever is wrong with the credential.
fn not_valid() -> Refusal {
    let text =
        "The credential in Authorization is not valid. Check the API key, or ask the operator for a new one.";
    Refusal::new(401, Issue::error(IssueCode::Login, text))
}

fn bearer(authorization: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(authorization).ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// `sk_test_<prefix>_<secret>` → `test` and `sk_test_<prefix>`.
fn split_key(token: &str) -> Option<(&str, &str)> {
    let (prefix, _secret) = token.rsplit_once('_')?;
    let kind = prefix.strip_prefix("sk_")?.split('_').next()?;
    matches!(kind, "live" | "test").then_some((kind, prefix))
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
