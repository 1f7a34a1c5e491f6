//! Credential → caller. A placeholder of the final shape.

use std::net::IpAddr;

use engine::{Caller, Door, Refusal};
use fhir::{Issue, IssueCode};

/// What of a request tells who asks.
pub struct CallerHeaders<'r> {
    /// The `Authorization` header, as bytes.
    pub authorization: Option<&'r [u8]>,
    /// The `X-Space` header, as bytes.
    pub space: Option<&'r [u8]>,
    /// The address of the client (behind a trusted proxy: the one the proxy names).
    pub peer: Option<IpAddr>,
    /// The request's id, for the caller's audit rows.
    pub request_id: &'r str,
}

/// Tells callers by their credentials.
#[derive(Clone, Default)]
pub struct Authenticator;

impl Authenticator {
    /// The caller that these headers prove.
    ///
    /// # Errors
    /// 401 without a good credential, 403 when it is not for this door or space, 429 after too many bad ones.
    pub fn authenticate(&self, door: Door, headers: &CallerHeaders<'_>) -> Result<Caller, Refusal> {
        let _ = (door, headers.authorization, headers.space, headers.peer, headers.request_id);
        Err(Refusal::new(
            401,
            Issue::error(IssueCode::Login, "Send a credential as 'Authorization: Bearer <key>'."),
        ))
    }
}
