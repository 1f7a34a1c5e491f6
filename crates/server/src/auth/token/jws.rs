//! The compact form of a signed token — RFC 7515 (JWS), RFC 7518 (algorithms), RFC 8725 (how not to be fooled).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, VerificationAlgorithm,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Rejected;

/// The longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// `typ` of a token that may be an access token (RFC 9068, 2.1); the case of its letters does not matter.
const TYPES: [&str; 4] = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

/// How a token is signed. Those that need a shared secret (`HS256` …) and `none` are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: none of SMART's, but what many servers begin with.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 4] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Es256,
        Algorithm::Es384,
    ];
    /// Those that SMART demands.
    pub const SMART: [Algorithm; 2] = [Algorithm::Rs384, Algorithm::Es384];

    /// The name in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
        }
    }

    /// The one of this name, whose letters' case matters.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }
}

/// What can be checked with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Modulus and exponent, without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// An uncompressed point of P-256.
    P256(Vec<u8>),
    /// An uncompressed point of P-384.
    P384(Vec<u8>),
}

impl PublicKey {
    /// Whether the algorithm works with keys of this kind: a key is never used for another one.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (PublicKey::Rsa { .. }, Algorithm::Rs256 | Algorithm::Rs384)
                | (PublicKey::P256(_), Algorithm::Es256)
                | (PublicKey::P384(_), Algorithm::Es384)
        )
    }

    /// Whether this is the key's signature of these bytes. Never by an algorithm that does not fit.
    pub fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let on_curve = |way: &'static dyn VerificationAlgorithm, point: &[u8]| {
            signature::UnparsedPublicKey::new(way, point)
                .verify(signed, signature)
                .is_ok()
        };
        match (self, algorithm) {
            (PublicKey::Rsa { n, e }, Algorithm::Rs256 | Algorithm::Rs384) => {
                let way = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA384,
                };
                let key = signature::RsaPublicKeyComponents { n, e };
                key.verify(way, signed, signature).is_ok()
            }
            (PublicKey::P256(point), Algorithm::Es256) => on_curve(&ECDSA_P256_SHA256_FIXED, point),
            (PublicKey::P384(point), Algorithm::Es384) => on_curve(&ECDSA_P384_SHA384_FIXED, point),
            _ => false,
        }
    }
}

/// A token taken apart; nothing of it has been checked.
pub struct Jws<'t> {
    /// `alg`, as written.
    pub algorithm: String,
    /// `kid`
    pub key: Option<String>,
    /// What stands in it.
    pub claims: Map<String, Value>,
    /// The bytes that are signed.
    pub signed: &'t [u8],
    /// The signature.
    pub signature: Vec<u8>,
}

/// The members of a header that are looked at. One that is there twice is refused by serde.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
    // Where the sender would like the key to be taken from.
    jku: Option<Value>,
    jwk: Option<Value>,
    x5u: Option<Value>,
    x5c: Option<Value>,
}

impl Jws<'_> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Rejected::Malformed`], or [`Rejected::Header`] of one that demands to be read in a way that is never done.
    pub fn read(token: &str) -> Result<Jws<'_>, Rejected> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejected::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
        // A part too many ends up among the claims, and has a dot in it: no base64.
        let (header, claims) = signed.split_once('.').ok_or(Rejected::Malformed)?;
        let header: Header = json(header)?;
        let demanded = [
            ("crit", header.crit),
            ("jku", header.jku),
            ("jwk", header.jwk),
            ("x5u", header.x5u),
            ("x5c", header.x5c),
        ];
        if let Some((name, _)) = demanded.into_iter().find(|(_, value)| value.is_some()) {
            return Err(Rejected::Header(name));
        }
        let is_known = |typ: &str| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ));
        if header.typ.is_some_and(|typ| !is_known(&typ)) {
            return Err(Rejected::Header("a typ of something else"));
        }
        Ok(Jws {
            algorithm: header.alg,
            key: header.kid,
            claims: json(claims)?,
            signed: signed.as_bytes(),
            signature: bytes(signature)?,
        })
    }
}

fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, Rejected> {
    serde_json::from_slice(&bytes(part)?).map_err(|_| Rejected::Malformed)
}

/// base64url without padding; the bits left over must be zero, so that no token is written in two ways.
fn bytes(part: &str) -> Result<Vec<u8>, Rejected> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejected::Malformed)
}
