//! The public keys of an issuer — RFC 7517 (JWK Set), RFC 7518, 6.

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::jws::{Algorithm, PublicKey};

/// The largest set that is read, in bytes.
pub const MAX_SET_BYTES: u64 = 256 * 1024;
/// The most keys of a set.
const MAX_KEYS: usize = 100;
/// The shortest RSA key, in bytes: 2048 bits.
const MIN_RSA_BYTES: usize = 2048 / 8;
/// The members that only a private key has.
const PRIVATE: [&str; 6] = ["d", "p", "q", "dp", "dq", "qi"];

/// The keys that tokens of an issuer may be signed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    /// `kid`
    id: Option<String>,
    /// `alg`: when it is there, the only one that the key is for.
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

impl KeySet {
    /// Reads a JWK Set. Keys that nothing here is signed with (other kinds and curves, `use` of encryption, RSA below
    /// 2048 bits) are passed over.
    ///
    /// # Errors
    /// What is wrong with it: no JSON, no keys that can be used, or a private key, which whoever could read it has had.
    pub fn read(bytes: &[u8]) -> anyhow::Result<KeySet> {
        let set: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| anyhow::anyhow!("it is no JSON object ({error}): expected {{\"keys\": […]}}"))?;
        let Some(list) = set.get("keys").and_then(Value::as_array) else {
            bail!("it has no list named keys: expected {{\"keys\": […]}}");
        };
        if list.len() > MAX_KEYS {
            bail!("it has {} keys; {MAX_KEYS} are read at most", list.len());
        }
        if list.iter().any(is_private) {
            bail!(
                "it holds a private key: whoever could read it can sign tokens. Make new keys, and publish the public \
                 ones alone"
            );
        }
        let keys: Vec<Key> = list.iter().filter_map(key).collect();
        if keys.is_empty() {
            bail!(
                "it has no key that can be used: RSA of 2048 bits or more, or EC on P-384 or P-256, for signatures"
            );
        }
        Ok(KeySet { keys })
    }

    /// The keys of this id that the algorithm works with. Without an id, the one key of the set that it works with.
    pub fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<&PublicKey> {
        let is_for =
            |key: &&Key| key.algorithm.is_none_or(|own| own == algorithm) && key.public.fits(algorithm);
        let fitting = self.keys.iter().filter(is_for);
        match id {
            Some(id) => fitting
                .filter(|key| key.id.as_deref() == Some(id))
                .map(|key| &key.public)
                .collect(),
            None => {
                let all: Vec<&PublicKey> = fitting.map(|key| &key.public).collect();
                if all.len() == 1 { all } else { Vec::new() }
            }
        }
    }

    /// How many there are, never none.
    pub fn count(&self) -> usize {
        self.keys.len()
    }
}

fn is_private(key: &Value) -> bool {
    PRIVATE.iter().any(|member| key.get(member).is_some())
}

/// `None`: not one that signatures are checked with here.
fn key(key: &Value) -> Option<Key> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let operations = key.get("key_ops").and_then(Value::as_array);
    if operations.is_some_and(|list| !list.iter().any(|one| one.as_str() == Some("verify"))) {
        return None;
    }
    let algorithm = match text("alg") {
        None => None,
        Some(name) => Some(Algorithm::parse(name)?),
    };
    let public = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let (n, e) = (unsigned(text("n")?)?, unsigned(text("e")?)?);
            (n.len() >= MIN_RSA_BYTES).then_some(PublicKey::Rsa { n, e })?
        }
        ("EC", Some("P-256")) => PublicKey::P256(point(text("x")?, text("y")?, 32)?),
        ("EC", Some("P-384")) => PublicKey::P384(point(text("x")?, text("y")?, 48)?),
        _ => return None,
    };
    Some(Key {
        id: text("kid").map(str::to_owned),
        algorithm,
        public,
    })
}

/// An unsigned integer. Some servers write zeros in front, against the rules.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let significant = bytes.get(zeros..)?;
    (!significant.is_empty()).then(|| significant.to_vec())
}

/// An uncompressed point (SEC 1, 2.3.3).
fn point(x: &str, y: &str, bytes: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for coordinate in [x, y] {
        let decoded = URL_SAFE_NO_PAD.decode(coordinate).ok()?;
        if decoded.len() != bytes {
            return None;
        }
        point.extend(decoded);
    }
    Some(point)
}
