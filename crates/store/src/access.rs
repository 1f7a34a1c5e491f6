//! Spaces, bindings, clients, credentials, key systems: what the operator sets, and every process reads.

mod admin;
mod certificates;
mod clients;

use fhir::ResourceType;

use crate::api::SpaceKey;

pub use admin::{Access, AccessWatch, Change};
pub use clients::Switch;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Its number in every table.
    pub key: SpaceKey,
    /// Its name in configuration, `X-Space` and the CLI.
    pub id: String,
    /// A sandbox is reached by `sk_test_…` keys, a live space by `sk_live_…` keys.
    pub sandbox: bool,
    /// What a DELETE at the FHIR door does.
    pub fhir_delete: FhirDelete,
}

/// What a DELETE at the FHIR door does in a space (`access.md` 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FhirDelete {
    /// The history stays, and a PUT revives.
    #[default]
    Keep,
    /// It erases.
    Erase,
}

impl FhirDelete {
    /// The word in the database and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            FhirDelete::Keep => "keep",
            FhirDelete::Erase => "erase",
        }
    }

    /// What this word means.
    pub fn parse(word: &str) -> Option<FhirDelete> {
        [FhirDelete::Keep, FhirDelete::Erase]
            .into_iter()
            .find(|choice| choice.as_str() == word)
    }
}

/// What a door's own word for a tenant means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The door's name.
    pub door: String,
    /// The door's word: `trustSpaceUuid`, `brand_id`, realm; empty where the door has none.
    pub word: String,
    /// The space's id.
    pub space: String,
}

/// A client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// The ids of its spaces; the first is its default.
    pub spaces: Vec<String>,
    /// The doors it may use.
    pub doors: Vec<String>,
    /// Its scopes, as written (`system/Patient.cruds`).
    pub scopes: Vec<String>,
    /// `sas-regulator` or none.
    pub policy: Option<String>,
    /// eHealth attributes and whatever a door needs, by name (`legal-entity-id`, …).
    pub attributes: Vec<(String, String)>,
    /// False: every credential of it is refused.
    pub enabled: bool,
    /// From when on every credential of it is refused, microseconds since the epoch; `None`: never.
    pub expires: Option<i64>,
}

/// An API key as stored: never the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// The part by which it is found, `sk_test_<prefix>`: unique.
    pub prefix: String,
    /// Whose.
    pub client: String,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// When it was issued, microseconds since the epoch.
    pub created: i64,
    /// When it stops working, microseconds since the epoch; `None`: never.
    pub expires: Option<i64>,
    /// Revoked ones stay listed.
    pub revoked: bool,
}

/// By which certificates a client is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whose.
    pub client: String,
    /// The CN of the subject.
    pub common_name: String,
    /// An OU of the subject.
    pub unit: String,
    /// A DNS name or URI among the subject's alternative names; `None`: whichever it has.
    pub alternative: Option<String>,
    /// The issuer's distinguished name (RFC 4514); `None`: whichever of the trusted CAs.
    pub issuer: Option<String>,
}

/// A key identifier system (`fhir-rest` 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySystem {
    /// The system, a URI; `*` stands for one path segment.
    pub system: String,
    /// The type it is a key of.
    pub kind: ResourceType,
    /// Unique among active resources only (`active` is not false).
    pub active_only: bool,
    /// It counts only when `identifier.type` has this code (one of FR Core's two code systems).
    pub type_code: Option<String>,
}

impl KeySystem {
    /// Whether an identifier's system is this one: equal, `*` standing for one path segment that is not empty.
    pub fn covers(&self, system: &str) -> bool {
        if !self.system.contains('*') {
            return self.system == system;
        }
        let mut wanted = self.system.split('/');
        let mut given = system.split('/');
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some("*"), Some(segment)) if !segment.is_empty() => {}
                (Some(part), Some(segment)) if part == segment => {}
                _ => return false,
            }
        }
    }
}

/// Everything of the above at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessSnapshot {
    /// Rises with every change.
    pub generation: i64,
    /// All spaces.
    pub spaces: Vec<Space>,
    /// All bindings.
    pub bindings: Vec<Binding>,
    /// All clients.
    pub clients: Vec<Client>,
    /// All keys that are not revoked.
    pub keys: Vec<ClientKey>,
    /// The certificates of all clients.
    pub certificates: Vec<ClientCertificate>,
    /// The configured key systems (the built-in ones are code).
    pub key_systems: Vec<KeySystem>,
}
