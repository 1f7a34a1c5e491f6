//! What the audit trail holds of requests of which no interaction writes.

use std::net::IpAddr;
use std::time::Instant;

use engine::{Caller, Door, Refusal};
use fhir::{Id, IssueCode};
use store::audit::{AuditEntry, Audited};

use super::{Authenticator, Denied};

impl Authenticator {
    /// Audits what became of a known caller's request when nothing that ran has: what it was called, what it was about.
    pub fn record_request(
        &self,
        caller: &Caller,
        interaction: &'static str,
        (kind, id): (Option<Audited>, Option<Id>),
        refusal: Option<&Refusal>,
    ) {
        match refusal {
            Some(_) => caller.witness.refused(),
            None => caller.witness.done(),
        }
        let outcome = refusal.map_or("ok", |refusal| refusal.code().as_str());
        self.record(AuditEntry {
            client: caller.client.clone(),
            space: Some(caller.space),
            kind,
            id,
            ..self.entry(caller.door.as_str(), &caller.request_id, interaction, outcome)
        });
    }

    /// Audits that a request was refused before anybody looked who sent it.
    pub fn record_unknown(&self, door: Door, request_id: &str, interaction: &'static str, refusal: &Refusal) {
        self.record(self.entry(door.as_str(), request_id, interaction, refusal.code().as_str()));
    }

    /// Audits that a request was refused for what its credentials are, or are not good for.
    pub(super) fn record_denied(&self, door: Door, request_id: &str, denied: &Denied) {
        let outcome = denied.refusal.code().as_str();
        let who = denied.who.as_ref();
        self.record(AuditEntry {
            client: who.map(|known| known.client.clone()).unwrap_or_default(),
            space: who.and_then(|known| known.space),
            ..self.entry(door.as_str(), request_id, "authenticate", outcome)
        });
    }

    /// Audits that a certificate was refused before any request was made, and counts it against this address.
    pub fn record_handshake(&self, peer: Option<IpAddr>) {
        if let Some(peer) = peer {
            let _ = self.shared.handshakes.count(peer, Instant::now());
        }
        let request_id = uuid::Uuid::new_v4().to_string();
        self.record(self.entry("tls", &request_id, "handshake", IssueCode::Login.as_str()));
    }

    /// A row of nobody, about nothing.
    fn entry(
        &self,
        door: &'static str,
        request_id: &str,
        interaction: &'static str,
        outcome: &'static str,
    ) -> AuditEntry {
        AuditEntry {
            time: self.shared.store.now(),
            request_id: request_id.to_owned(),
            client: String::new(),
            space: None,
            door,
            interaction,
            kind: None,
            id: None,
            version: None,
            outcome,
        }
    }

    fn record(&self, entry: AuditEntry) {
        // Refused it is either way; what cannot be recorded is at least logged.
        if let Err(error) = self.shared.store.audit_later(entry) {
            tracing::error!(%error, "a denial could not be audited");
        }
    }
}
