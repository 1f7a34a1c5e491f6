//! Read, version read, search — <https://hl7.org/fhir/R4/http.html#read>, <https://hl7.org/fhir/R4/search.html>

use fhir::query::Query;
use fhir::{Target, VersionId};
use store::{Page, Stored};

use crate::conditional::{sees, visible_classes};
use crate::error::Error;
use crate::scope::Permission;
use crate::session::Session;

/// The current version.
pub(crate) async fn read(session: &Session, target: Target) -> Result<Stored, Error> {
    session.allow(target.kind, Permission::Read)?;
    let stored = session.space.get(target.clone()).await?;
    live(session, target, stored)
}

/// One version.
pub(crate) async fn version_read(
    session: &Session,
    target: Target,
    version: VersionId,
) -> Result<Stored, Error> {
    session.allow(target.kind, Permission::Read)?;
    let wanted = target.clone();
    let found: Option<Stored> = session
        .space
        .read(move |reader| reader.version(&wanted, version).map_err(Error::from))
        .await?;
    match found.filter(|stored| sees(&session.caller, stored)) {
        None => Err(Error::NoVersion { target, version }),
        Some(stored) if stored.deleted => Err(Error::Gone { target, version }),
        Some(stored) => Ok(stored),
    }
}

/// A page of a search.
pub(crate) async fn search(session: &Session, query: Query) -> Result<Page, Error> {
    // What stands at the other end of a chain, or beside the matches, is told as well.
    for kind in query.looks_into() {
        session.allow(kind, Permission::Search)?;
    }
    let classes = visible_classes(&session.caller);
    Ok(session.space.search(query, classes).await?)
}

fn live(session: &Session, target: Target, stored: Option<Stored>) -> Result<Stored, Error> {
    match stored.filter(|stored| sees(&session.caller, stored)) {
        None => Err(Error::NotFound(target)),
        Some(stored) if stored.deleted => Err(Error::Gone {
            version: stored.version,
            target,
        }),
        Some(stored) => Ok(stored),
    }
}
