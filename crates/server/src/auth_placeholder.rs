//! Stands in for `auth.rs` until the store it rests on is there.
use engine::{Caller, Door, Refusal};
use fhir::{Issue, IssueCode};
use std::net::IpAddr;

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

/// Recognises callers.
#[derive(Clone, Default)]
pub struct Authenticator;

impl Authenticator {
    /// Who asks at this door.
    ///
    /// # Errors
    /// 401
    pub fn authenticate(&self, door: Door, headers: &CallerHeaders<'_>) -> Result<Caller, Refusal> {
        let _ = (door, headers.space, headers.peer);
        if headers.authorization.is_none() {
            return Err(Refusal::new(
                401,
                Issue::error(IssueCode::Login, "No credential was sent."),
            ));
        }
        Ok(Caller {
            client: "someone".to_owned(),
            space: store::SpaceKey(1),
            door,
            scopes: engine::Scopes::parse(&["system/*.cruds"]).unwrap_or_default(),
            policy: engine::ClientPolicy::None,
            request_id: headers.request_id.to_owned(),
        })
    }
}
