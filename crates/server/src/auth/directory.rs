//! What the operator set, at one moment, ready to be looked up.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use adapters::ehealth;
use engine::{Caller, ClientPolicy, Door, Scopes};
use sha2::{Digest as _, Sha256};
use store::SpaceKey;
use store::access::{AccessSnapshot, Client, ClientCertificate};
use uuid::Uuid;

use crate::alias::Aliases;

use super::attributes::{self, ApiKeyDigest, attribute};
use super::keys::KeyTable;
use crate::rate::{self, Allowance, Rate};
use crate::tls::Identity;
use crate::tls::certificate::{distinguished_name, is_same_name};

/// Spaces, clients and keys at one moment, ready to be looked up.
pub struct Directory {
    /// Of the snapshot it was made from.
    pub generation: i64,
    /// Our identifier systems by their OID spelling.
    pub aliases: Aliases,
    /// Under which authors are derived.
    namespace: Uuid,
    keys: KeyTable,
    certificates: Vec<KnownCertificate>,
    clients: HashMap<String, Arc<KnownClient>>,
    /// Clients by the name that an issuer has for them; `None` where it would be that of several.
    tokens: HashMap<(String, String), Option<Arc<KnownClient>>>,
}

/// Whose certificates of this kind are.
struct KnownCertificate {
    expected: ClientCertificate,
    /// The parts of the issuer's name; `None`: whoever issued it.
    issuer: Option<Vec<String>>,
    client: Arc<KnownClient>,
}

impl KnownCertificate {
    /// `None` when the client is switched off or the row makes no sense: nobody is then known by it.
    fn new(row: &ClientCertificate, clients: &HashMap<String, Arc<KnownClient>>) -> Option<KnownCertificate> {
        let client = Arc::clone(clients.get(&row.client)?);
        let issuer = row.issuer.as_deref().map(distinguished_name).transpose();
        let issuer = issuer
            .inspect_err(|part| {
                tracing::error!(
                    client = row.client,
                    part,
                    "the issuer of a client's certificate is malformed"
                );
            })
            .ok()?;
        Some(KnownCertificate {
            expected: row.clone(),
            issuer,
            client,
        })
    }

    /// How far a certificate is like this.
    fn compare(&self, shown: &Identity) -> Result<&KnownClient, Mismatch> {
        let expected = &self.expected;
        if shown.common_name.as_ref() != Some(&expected.common_name) {
            return Err(Mismatch::CommonName);
        }
        if !shown.units.contains(&expected.unit) {
            return Err(Mismatch::Unit);
        }
        let has = |name: &String| shown.alternatives.contains(name);
        let is_issued = |issuer: &Vec<String>| is_same_name(issuer, &shown.issuer);
        match expected.alternative.as_ref().is_none_or(has) && self.issuer.as_ref().is_none_or(is_issued) {
            true => Ok(&self.client),
            false => Err(Mismatch::Rest),
        }
    }
}

/// What of a certificate is nobody's. The later, the nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mismatch {
    /// The CN.
    CommonName,
    /// The OU.
    Unit,
    /// Issuer or alternative name.
    Rest,
    /// Nothing: it is that of several clients.
    Several,
}

/// A client that is switched on.
pub struct KnownClient {
    /// Its id.
    pub id: String,
    /// The doors it may use.
    pub doors: Vec<Door>,
    /// What it may do.
    pub scopes: Scopes,
    /// Its policy.
    pub policy: ClientPolicy,
    /// When it ends, microseconds since the epoch; `None`: never.
    expires: Option<i64>,
    /// What it is held against at the eHealth door beside its token.
    pub api_key: Option<ApiKeyDigest>,
    /// How often it may ask, unless the door says.
    allowance: Option<Allowance>,
    /// Who it is at the eHealth door; the user is its author.
    registry: ehealth::Caller,
    /// Name, number and kind of its spaces, the default one first.
    spaces: Vec<(String, SpaceKey, bool)>,
    /// Door, the door's word, the space of its own that it means.
    words: Vec<(Door, String, SpaceKey)>,
}

impl KnownClient {
    /// `None` when the client is switched off or its row makes no sense: it is then unknown.
    fn new(client: &Client, snapshot: &AccessSnapshot, namespace: &Uuid) -> Option<KnownClient> {
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
        let spaces: Vec<_> = client
            .spaces
            .iter()
            .filter_map(|name| {
                let space = snapshot.spaces.iter().find(|space| space.id == *name)?;
                Some((space.id.clone(), space.key, space.sandbox))
            })
            .collect();
        let words = snapshot.bindings.iter().filter_map(|binding| {
            let door = Door::parse(&binding.door)?;
            let (_, key, _) = spaces.iter().find(|(id, _, _)| *id == binding.space)?;
            Some((door, binding.word.clone(), *key))
        });
        Some(KnownClient {
            id: client.id.clone(),
            doors: client.doors.iter().filter_map(|name| Door::parse(name)).collect(),
            scopes,
            policy,
            expires: client.expires,
            api_key: api_key(client),
            allowance: allowance(client),
            registry: registry(client, namespace),
            words: words.collect(),
            spaces,
        })
    }

    /// The space asked for, or the first of the key's kind; a key of the other kind sees none.
    pub fn space(&self, wanted: Option<&[u8]>, sandbox_key: bool) -> Option<SpaceKey> {
        let (_, key, _) = match wanted {
            None => self.spaces.iter().find(|(_, _, sandbox)| *sandbox == sandbox_key),
            Some(name) => self.spaces.iter().find(|(id, _, _)| id.as_bytes() == name),
        }
        .filter(|(_, _, sandbox)| *sandbox == sandbox_key)?;
        Some(*key)
    }

    /// Whether it is let in at this time; who is not is as one that is switched off.
    fn is_let_in(&self, now: i64) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    /// From when on it is not let in.
    pub(super) fn end(&self) -> Option<i64> {
        self.expires
    }

    /// In whose name it writes.
    pub fn author(&self) -> &str {
        &self.registry.user
    }

    /// Whether the first of its spaces is a sandbox: the kind of spaces that it sees when no key tells.
    pub fn is_sandbox(&self) -> bool {
        self.spaces.first().is_some_and(|(_, _, sandbox)| *sandbox)
    }

    /// The first of its spaces, of the key's kind, that a realm is bound to.
    pub fn realm(&self, sandbox_key: bool) -> Option<SpaceKey> {
        let of_kind = self
            .spaces
            .iter()
            .filter(|(_, _, sandbox)| *sandbox == sandbox_key);
        of_kind.map(|(_, key, _)| *key).find(|key| {
            let mut words = self.words.iter();
            words.any(|(door, _, space)| *door == Door::Ehealth && space == key)
        })
    }
}

/// The digest of its API-key. One that makes no sense opens nothing.
fn api_key(client: &Client) -> Option<ApiKeyDigest> {
    let text = attribute(client, attributes::API_KEY_SHA256)?;
    let digest = ApiKeyDigest::parse(text);
    if digest.is_none() {
        tracing::error!(client = client.id, "a client's API-key is malformed");
    }
    digest
}

/// Its own allowance. One that makes no sense is none: the door's then holds.
fn allowance(client: &Client) -> Option<Allowance> {
    let text = attribute(client, attributes::RATE_LIMIT)?;
    text.parse()
        .inspect_err(|error| tracing::error!(client = client.id, error, "a client's rate limit is malformed"))
        .ok()
}

/// A client that names no legal entity has none, of no type: it is granted nothing at that door.
fn registry(client: &Client, namespace: &Uuid) -> ehealth::Caller {
    let text = |name| attribute(client, name).unwrap_or_default().to_owned();
    let entity = text(attributes::LEGAL_ENTITY_ID);
    ehealth::Caller {
        user: attributes::author(&client.id, attribute(client, attributes::USER_ID), namespace),
        legal_entity_type: match entity.is_empty() {
            true => String::new(),
            false => text(attributes::LEGAL_ENTITY_TYPE),
        },
        legal_entity: entity,
        legal_entity_status: text(attributes::LEGAL_ENTITY_STATUS),
        scopes: client.scopes.clone(),
    }
}

impl Directory {
    /// `naming_base` names the authors of clients without a user.
    pub fn new(snapshot: &AccessSnapshot, naming_base: &str, oids: &BTreeMap<String, String>) -> Directory {
        let namespace = attributes::author_namespace(naming_base);
        let clients: HashMap<String, Arc<KnownClient>> = snapshot
            .clients
            .iter()
            .filter_map(|client| KnownClient::new(client, snapshot, &namespace))
            .map(|client| (client.id.clone(), Arc::new(client)))
            .collect();
        let keys = snapshot.keys.iter().filter(|key| !key.revoked);
        let keys = keys.filter_map(|key| Some((key, clients.get(key.client.as_str())?)));
        let keys = KeyTable::new(&keys.collect::<Vec<_>>());
        let certificates = snapshot.certificates.iter();
        Directory {
            certificates: certificates
                .filter_map(|row| KnownCertificate::new(row, &clients))
                .collect(),
            generation: snapshot.generation,
            aliases: Aliases::new(naming_base, snapshot, oids),
            namespace,
            keys,
            tokens: names_at_issuers(snapshot, &clients),
            clients,
        }
    }

    /// The words that a door has for the spaces of a caller, of the kind of the one that it asks about.
    pub fn words_of(&self, caller: &Caller) -> Vec<(String, SpaceKey)> {
        let Some(client) = self.clients.get(&caller.client) else {
            return Vec::new();
        };
        let kind_of = |key: SpaceKey| {
            let space = client.spaces.iter().find(|(_, space, _)| *space == key);
            space.map(|(_, _, sandbox)| *sandbox)
        };
        let of_door = client.words.iter().filter(|(of, _, _)| *of == caller.door);
        of_door
            .filter(|(_, _, space)| kind_of(*space) == kind_of(caller.space))
            .map(|(_, word, space)| (word.clone(), *space))
            .collect()
    }

    /// The name of the space that a caller asks about.
    pub fn space_name(&self, caller: &Caller) -> Option<String> {
        let client = self.clients.get(&caller.client)?;
        let space = client.spaces.iter().find(|(_, key, _)| *key == caller.space);
        space.map(|(id, _, _)| id.clone())
    }

    /// How often a client may ask at a door; `None`: as often as it likes.
    pub fn rate_of(&self, door: Door, client: &str) -> Option<Rate> {
        let own = self.clients.get(client).and_then(|client| client.allowance);
        rate::rate_at(door, own)
    }

    /// Whom a client writes for; also of one that is switched off.
    pub fn author_of(&self, client: &str) -> String {
        match self.clients.get(client) {
            Some(known) => known.registry.user.clone(),
            None => attributes::author(client, None, &self.namespace),
        }
    }

    /// Who a client is at the eHealth door; `None` when it is switched off.
    pub fn registry_of(&self, client: &str) -> Option<ehealth::Caller> {
        Some(self.clients.get(client)?.registry.clone())
    }

    /// Whether this is the eHealth door's API-key of some client. All are compared: the time taken tells nothing of which.
    pub fn knows_api_key(&self, key: &[u8], now: i64) -> bool {
        let sent = ApiKeyDigest::of(key);
        let clients = self.clients.values().filter(|client| client.is_let_in(now));
        let known = clients.filter_map(|client| client.api_key.as_ref());
        known.fold(false, |found, digest| found | digest.is_same(&sent))
    }

    /// The client whose certificate this is. One that could be that of several is nobody's: a certificate with several
    /// OUs may be described twice.
    ///
    /// # Errors
    /// The nearest miss.
    pub fn client_of_certificate(&self, shown: &Identity, now: i64) -> Result<&KnownClient, Mismatch> {
        let (mut nearest, mut found) = (Mismatch::CommonName, None::<&KnownClient>);
        let of_those_let_in = self
            .certificates
            .iter()
            .filter(|known| known.client.is_let_in(now));
        for known in of_those_let_in {
            match known.compare(shown) {
                Ok(client) if found.is_some_and(|found| found.id != client.id) => {
                    return Err(Mismatch::Several);
                }
                Ok(client) => found = Some(client),
                Err(mismatch) => nearest = nearest.max(mismatch),
            }
        }
        found.ok_or(nearest)
    }

    /// The client of this name at an issuer.
    pub fn client_at_issuer(&self, issuer: String, name: String, now: i64) -> Option<&KnownClient> {
        let client = self.tokens.get(&(issuer, name))?.as_deref();
        client.filter(|client| client.is_let_in(now))
    }

    /// The client of an API key, and whether the key is a sandbox one.
    pub fn client_of(&self, token: &str, now: i64) -> Option<(&KnownClient, bool)> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (kind, prefix) = split_key(token)?;
        let client = self.keys.client_of(prefix, &hash, now)?;
        Some((client, kind == "test"))
    }
}

/// The names that issuers have for clients. One that would be that of several clients is nobody's.
fn names_at_issuers(
    snapshot: &AccessSnapshot,
    clients: &HashMap<String, Arc<KnownClient>>,
) -> HashMap<(String, String), Option<Arc<KnownClient>>> {
    let mut names: HashMap<_, Option<Arc<KnownClient>>> = HashMap::new();
    for client in &snapshot.clients {
        let Some(name) = attributes::name_at_issuer(client) else {
            continue;
        };
        match names.entry(name) {
            // One that is switched off has its name still: nobody takes its place.
            Entry::Vacant(free) => {
                free.insert(clients.get(&client.id).cloned());
            }
            Entry::Occupied(mut taken) => {
                let text =
                    "another client has this one's name at the same issuer: tokens of neither are taken";
                tracing::error!(client = client.id, text);
                taken.insert(None);
            }
        }
    }
    names
}

/// `sk_test_<prefix>_<secret>` → `test` and `sk_test_<prefix>`.
fn split_key(token: &str) -> Option<(&str, &str)> {
    let (prefix, _secret) = token.rsplit_once('_')?;
    let kind = prefix.strip_prefix("sk_")?.split('_').next()?;
    matches!(kind, "live" | "test").then_some((kind, prefix))
}
