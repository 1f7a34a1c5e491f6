//! The audit trail of the caller's space: read — <https://hl7.org/fhir/R4/http.html#read> — and search —
//! <https://hl7.org/fhir/R4/search.html>. Nobody writes it.

use fhir::query::audit::AuditQuery;
use store::trail::{AuditPage, Recorded};

use crate::context::ClientPolicy;
use crate::error::Error;
use crate::scope::{Lacking, Permission};
use crate::session::Session;

pub(crate) async fn read(session: &Session, position: i64) -> Result<Recorded, Error> {
    allow(session, Permission::Read)?;
    let found = session.space.audit_row(position).await?;
    found.ok_or(Error::NoAuditEvent(position))
}

pub(crate) async fn search(session: &Session, query: AuditQuery) -> Result<AuditPage, Error> {
    allow(session, Permission::Search)?;
    Ok(session.space.audit_page(query).await?)
}

fn allow(session: &Session, permission: Permission) -> Result<(), Error> {
    if session.caller.policy == ClientPolicy::SasRegulator {
        return Err(Error::Forbidden(
            "This client manages regulators' accounts: it may use Practitioner, not AuditEvent.".to_owned(),
        ));
    }
    if session.caller.scopes.allow_audit(permission) {
        return Ok(());
    }
    Err(Error::Scope(Lacking::OfTrail(permission)))
}
