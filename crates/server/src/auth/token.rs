//! Access tokens of authorization servers (`access.md` 2): JWTs as bearer tokens, by the rules of
//! <https://hl7.org/fhir/smart-app-launch/backend-services.html> for the one who is shown them, and of RFC 9068.
//!
//! A token is used many times within its life, by nature: `jti` is not looked at. (That one must not come twice is a
//! rule for the assertions by which a client gets its token, at the authorization server.)

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use engine::Scopes;
use serde_json::{Map, Value};

mod jwks;
mod jws;
mod source;
#[cfg(test)]
mod tests;
mod verified;

use jws::Jws;
use source::KeySource;
use verified::Verified;

pub use jwks::KeySet;
pub use jws::Algorithm;
pub use source::Place;

/// How far the clocks of an issuer and of this server may be apart, in seconds.
pub const LEEWAY_SECONDS: i64 = 30;
/// How long a token may live unless the issuer's settings say otherwise. SMART recommends five minutes.
pub const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// By which claims a client is told, in this order, unless the issuer's settings say otherwise.
pub const CLIENT_CLAIMS: [&str; 3] = ["client_id", "azp", "sub"];

/// An authorization server whose access tokens are taken.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// `iss` of its tokens.
    pub name: String,
    /// `aud` of tokens that are meant for this server: one of these.
    pub audiences: Vec<String>,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The claims that may name the client; the first that a token has counts.
    pub client_claims: Vec<String>,
    /// How long its tokens may live.
    pub max_lifetime: Duration,
    /// Where clients get its tokens.
    pub token_endpoint: Option<String>,
    /// Where its keys are.
    pub keys: Place,
}

/// Why a token is refused: for the log alone. Holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Not three parts of base64url, or JSON that cannot be read.
    Malformed,
    /// The header demands what is never done.
    Header(&'static str),
    /// The algorithm is none that the issuer may use.
    Algorithm,
    /// Nobody configured it.
    Issuer,
    /// No key of the issuer has this id and fits the algorithm.
    Key,
    /// The signature is not that of the key.
    Signature,
    /// It is meant for another server.
    Audience,
    /// `exp` is past.
    Expired,
    /// `nbf` or `iat` is still to come.
    NotYet,
    /// It lives longer than tokens of the issuer may.
    Lifetime,
    /// It is bound to a key of the sender's, of which this server cannot tell.
    Bound,
    /// A claim that is needed is not there, or of the wrong kind.
    Claim(&'static str),
    /// No client that is switched on has this name at this issuer.
    Client,
    /// The keys of the issuer were never fetched: nothing can be said of the token.
    NoKeys,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Rejected::Malformed => "it is no JWT",
            Rejected::Header(member) => return write!(f, "its header has {member}"),
            Rejected::Algorithm => "its alg is not one of the issuer's algorithms",
            Rejected::Issuer => "its iss is not configured",
            Rejected::Key => "no key of the issuer has its kid and fits its alg",
            Rejected::Signature => "its signature is wrong",
            Rejected::Audience => "its aud is not that of this server",
            Rejected::Expired => "its exp is past",
            Rejected::NotYet => "its nbf or iat is still to come",
            Rejected::Lifetime => "it lives longer than the issuer's max-lifetime",
            Rejected::Bound => "it is bound to a key of its sender (cnf)",
            Rejected::Claim(name) => return write!(f, "its claim {name} is missing or of the wrong kind"),
            Rejected::Client => "no enabled client has this name at this issuer (client add --token-issuer)",
            Rejected::NoKeys => "the keys of its issuer could not be fetched yet",
        };
        f.write_str(text)
    }
}

/// What a good token says.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who issued it.
    pub issuer: String,
    /// The client's name there.
    pub client: String,
    /// What was granted.
    pub scopes: Scopes,
}

/// The authorization servers whose tokens are taken, with their keys. Cheap to clone.
#[derive(Clone, Default)]
pub struct Issuers {
    known: Arc<[(Issuer, Arc<KeySource>)]>,
    verified: Arc<Verified>,
}

impl Issuers {
    /// Reads key files, and begins to fetch keys from URLs and to watch both.
    ///
    /// # Errors
    /// A sentence that names the file that cannot be used.
    pub fn start(issuers: Vec<Issuer>) -> anyhow::Result<Issuers> {
        let known: Vec<(Issuer, Arc<KeySource>)> = issuers
            .into_iter()
            .map(|issuer| {
                let source = KeySource::start(&issuer.name, issuer.keys.clone())?;
                Ok((issuer, source))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Issuers {
            known: known.into(),
            ..Issuers::default()
        })
    }

    /// Those with these keys, which nobody renews.
    #[cfg(test)]
    pub fn fixed(issuers: Vec<(Issuer, KeySet)>) -> Issuers {
        let known = issuers
            .into_iter()
            .map(|(issuer, keys)| (issuer, KeySource::fixed(keys)));
        Issuers {
            known: known.collect(),
            ..Issuers::default()
        }
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Issuer> {
        self.known.iter().map(|(issuer, _)| issuer)
    }

    /// Ends the threads that look for new keys.
    pub fn stop(&self) {
        self.known.iter().for_each(|(_, source)| source.stop());
    }

    /// Whether a bearer token looks like a JWT: an API key has no dots.
    pub fn is_jwt(token: &str) -> bool {
        token.bytes().filter(|byte| *byte == b'.').count() >= 2
    }

    /// Checks a token at this time, in microseconds since the epoch. Nothing of it is believed before its signature,
    /// but who it says has signed.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(&self, token: &str, now: i64) -> Result<Grant, Rejected> {
        let jws = Jws::read(token)?;
        let claimed = text(&jws.claims, "iss")?;
        let mut known = self.known.iter();
        let (issuer, source) = known
            .find(|(issuer, _)| issuer.name == claimed)
            .ok_or(Rejected::Issuer)?;
        let algorithm = Algorithm::parse(&jws.algorithm)
            .filter(|algorithm| issuer.algorithms.contains(algorithm))
            .ok_or(Rejected::Algorithm)?;
        let keys = source.keys().ok_or(Rejected::NoKeys)?;
        let digest = Verified::digest(token);
        if !self.verified.knows(&digest, &keys) {
            let fitting = keys.set.fitting(jws.key.as_deref(), algorithm);
            if fitting.is_empty() {
                source.look_again();
                return Err(Rejected::Key);
            }
            if !fitting
                .iter()
                .any(|key| key.verifies(algorithm, jws.signed, &jws.signature))
            {
                return Err(Rejected::Signature);
            }
            self.verified.remember(digest, &keys);
        }
        issuer.accept(&jws.claims, now)
    }
}

impl Issuer {
    /// Checks the claims of a token whose signature is right.
    fn accept(&self, claims: &Map<String, Value>, now: i64) -> Result<Grant, Rejected> {
        let now = now.div_euclid(1_000_000);
        let limit = i64::try_from(self.max_lifetime.as_secs()).unwrap_or(i64::MAX);
        let expires = seconds(claims, "exp")?.ok_or(Rejected::Claim("exp"))?;
        if expires.saturating_add(LEEWAY_SECONDS) <= now {
            return Err(Rejected::Expired);
        }
        let issued = seconds(claims, "iat")?;
        let starts = [seconds(claims, "nbf")?, issued];
        if starts
            .into_iter()
            .flatten()
            .any(|start| start > now.saturating_add(LEEWAY_SECONDS))
        {
            return Err(Rejected::NotYet);
        }
        // Also of one that is almost over: an issuer whose tokens live too long is not right by the hour.
        let begins = issued.unwrap_or(now).min(now);
        if expires.saturating_sub(begins) > limit.saturating_add(LEEWAY_SECONDS) {
            return Err(Rejected::Lifetime);
        }
        let audiences = texts(claims, "aud")?.ok_or(Rejected::Claim("aud"))?;
        if !audiences
            .iter()
            .any(|given| self.audiences.iter().any(|own| own == given))
        {
            return Err(Rejected::Audience);
        }
        // RFC 9449, 7.2, and RFC 8705, 3: such a token alone proves nothing.
        if claims.get("cnf").is_some_and(|bound| !bound.is_null()) {
            return Err(Rejected::Bound);
        }
        let named = self.client_claims.iter().find(|name| claims.contains_key(*name));
        let named = named.ok_or(Rejected::Claim("of the client"))?;
        let client = claims.get(named).and_then(Value::as_str);
        let client = client
            .filter(|name| !name.is_empty())
            .ok_or(Rejected::Claim("of the client"))?;
        Ok(Grant {
            issuer: self.name.clone(),
            client: client.to_owned(),
            scopes: granted(claims)?,
        })
    }
}

/// `scope`, a text of words (RFC 9068) or a list, or `scp`, as some servers call it. A token without either is granted
/// nothing.
fn granted(claims: &Map<String, Value>) -> Result<Scopes, Rejected> {
    let written = match texts(claims, "scope")? {
        None => texts(claims, "scp")?,
        found => found,
    };
    let written = written.unwrap_or_default();
    Ok(Scopes::of_token(
        written.into_iter().flat_map(str::split_ascii_whitespace),
    ))
}

fn text<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<&'c str, Rejected> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .ok_or(Rejected::Claim(name))
}

/// A text, or a list of texts.
fn texts<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<Option<Vec<&'c str>>, Rejected> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one.as_str()])),
        Some(Value::Array(several)) => {
            let all: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
            all.map(Some).ok_or(Rejected::Claim(name))
        }
        Some(_) => Err(Rejected::Claim(name)),
    }
}

/// A NumericDate (RFC 7519, 2), in whole seconds since the epoch.
fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, Rejected> {
    let number = match claims.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(Rejected::Claim(name)),
    };
    if let Some(whole) = number.as_i64() {
        return Ok(Some(whole));
    }
    // What is no i64 is a fraction, or so large that its meaning is lost.
    let fraction = number.as_f64().filter(|value| value.abs() < 1e12);
    let fraction = fraction.ok_or(Rejected::Claim(name))?;
    Ok(Some(fraction.floor() as i64))
}
