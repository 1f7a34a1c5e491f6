//! The bearer token: an API key, or an access token of an authorization server.

use std::time::Duration;

use engine::{LogLevel, Refusal, Scopes};
use fhir::{Issue, IssueCode};

use super::directory::{Directory, KnownClient};
use super::token::{Issuers, Rejected};
use super::{Denial, Denied};

/// When to ask again while the keys of an issuer have not been fetched.
const KEYS_SOON: Duration = Duration::from_secs(5);

/// Whose credential was sent.
pub struct Holder<'d> {
    /// The client.
    pub client: &'d KnownClient,
    /// Whether it sees sandboxes, or live spaces.
    pub sandbox: bool,
    /// What the credential lets the client do.
    pub scopes: Scopes,
}

/// The token of an `Authorization` header.
///
/// # Errors
/// 401 of one that has none.
pub fn token(authorization: &[u8]) -> Result<&str, Denied> {
    let missing = || not_valid(Denial::TokenMissing);
    let text = std::str::from_utf8(authorization).map_err(|_| missing())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    let token = token.trim();
    match scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        true => Ok(token),
        false => Err(missing()),
    }
}

/// Whose token this is.
///
/// # Errors
/// 401 of one that is nobody's, whatever is wrong with it; 503 while that cannot be told.
pub fn holder<'d>(
    directory: &'d Directory,
    issuers: &Issuers,
    token: &str,
    now: i64,
) -> Result<Holder<'d>, Denied> {
    if Issuers::is_jwt(token) {
        return of_token(directory, issuers, token, now).map_err(rejected);
    }
    let known = directory.client_of(token, now);
    let (client, sandbox) = known.ok_or_else(|| not_valid(Denial::TokenInvalid))?;
    Ok(Holder {
        client,
        sandbox,
        scopes: client.scopes.clone(),
    })
}

/// The client of an access token. It may do what both the operator and the token let it do, in spaces of the kind of
/// its default one.
fn of_token<'d>(
    directory: &'d Directory,
    issuers: &Issuers,
    token: &str,
    now: i64,
) -> Result<Holder<'d>, Rejected> {
    let grant = issuers.check(token, now)?;
    let client = directory
        .client_at_issuer(grant.issuer, grant.client, now)
        .ok_or(Rejected::Client)?;
    Ok(Holder {
        client,
        sandbox: client.is_sandbox(),
        scopes: client.scopes.narrowed_to(&grant.scopes),
    })
}

/// The sender is told nothing of why; the log is.
pub fn rejected(reason: Rejected) -> Denied {
    let mut denied = match reason {
        Rejected::NoKeys => Denied {
            refusal: Box::new(Refusal {
                retry_after: Some(KEYS_SOON),
                log: LogLevel::Warn,
                ..Refusal::new(
                    503,
                    Issue::error(
                        IssueCode::Transient,
                        "The server cannot check access tokens yet: it has not been able to fetch the keys that they are \
                         signed with. Nothing was written. Send the same request again.",
                    ),
                )
            }),
            denial: None,
            who: None,
        },
        _ => not_valid(Denial::TokenInvalid),
    };
    denied.refusal.internal = Some(format!("an access token was refused: {reason}"));
    denied
}

/// One text, whatever is wrong with the token.
fn not_valid(denial: Denial) -> Denied {
    let text = "The credential in Authorization is not valid. Check the API key or get a new access token, or ask the \
                operator for a new key.";
    Denied::login(denial, text)
}
