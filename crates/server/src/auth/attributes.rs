//! What a door knows of a client beside what it may do, by the names under which the store keeps it.

use std::fmt;

use sha2::{Digest as _, Sha256};
use store::access::Client;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// eHealth: UUID of the legal entity.
pub const LEGAL_ENTITY_ID: &str = "legal-entity-id";
/// eHealth: `OUTPATIENT`, `EMERGENCY`, …
pub const LEGAL_ENTITY_TYPE: &str = "legal-entity-type";
/// eHealth: `ACTIVE`, `SUSPENDED`, …
pub const LEGAL_ENTITY_STATUS: &str = "legal-entity-status";
/// UUID of the user for whom the client writes.
pub const USER_ID: &str = "user-id";
/// eHealth: SHA-256 of the value of `API-key`, in hexadecimal.
pub const API_KEY_SHA256: &str = "api-key-sha256";
/// The authorization server whose access tokens are taken for it: `iss` of them.
pub const TOKEN_ISSUER: &str = "token-issuer";
/// What that calls it; its own id when this is not there.
pub const TOKEN_CLIENT: &str = "token-client";
/// How often it may ask, as [`crate::rate::Allowance`] writes it.
pub const RATE_LIMIT: &str = "rate-limit";

/// The value of a client's attribute.
pub fn attribute<'c>(client: &'c Client, name: &str) -> Option<&'c str> {
    let (_, value) = client.attributes.iter().find(|(known, _)| known == name)?;
    Some(value)
}

/// By what issuer's which name access tokens are taken for a client; `None`: by none.
pub fn name_at_issuer(client: &Client) -> Option<(String, String)> {
    let issuer = attribute(client, TOKEN_ISSUER)?;
    let name = attribute(client, TOKEN_CLIENT).unwrap_or(&client.id);
    Some((issuer.to_owned(), name.to_owned()))
}

/// SHA-256 of an API-key: all that is kept of it.
#[derive(Clone, Copy)]
pub struct ApiKeyDigest([u8; 32]);

impl ApiKeyDigest {
    /// Of this key.
    pub fn of(key: &[u8]) -> ApiKeyDigest {
        ApiKeyDigest(Sha256::digest(key).into())
    }

    /// As [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<ApiKeyDigest> {
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(ApiKeyDigest(bytes))
    }

    /// Whether this is the key. A client that has none is compared as well: the time taken tells nothing.
    pub fn is_of(known: Option<&ApiKeyDigest>, key: &[u8]) -> bool {
        let expected = known.map_or([0; 32], |digest| digest.0);
        let equal = ApiKeyDigest::of(key).is_same(&ApiKeyDigest(expected));
        known.is_some() && equal
    }

    /// Whether both are of one key; the time taken tells nothing.
    pub fn is_same(&self, other: &ApiKeyDigest) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A new value for `API-key`: 244 random bits.
pub fn new_api_key() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// Under which UUIDs are derived for clients that have none: version 5 of the host in the naming base. A base
/// without a host is taken whole.
pub fn author_namespace(naming_base: &str) -> Uuid {
    let host = host_of(naming_base).unwrap_or(naming_base);
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, host.to_ascii_lowercase().as_bytes())
}

fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = match host.split_once(']') {
        Some((address, _)) => address.strip_prefix('[')?,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// Whom a client writes for: the user it names, else a UUID derived from its id.
pub fn author(client: &str, user: Option<&str>, namespace: &Uuid) -> String {
    match user {
        Some(user) if !user.is_empty() => user.to_owned(),
        _ => Uuid::new_v5(namespace, client.as_bytes()).to_string(),
    }
}
