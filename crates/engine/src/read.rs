//! Read, version read, search — <https://hl7.org/fhir/R4/http.html#read>, <https://hl7.org/fhir/R4/search.html>

use std::sync::Arc;

use fhir::query::Query;
use fhir::{Target, VersionId};
use store::{Page, Reader, Stored};

use crate::conditional::{sees, visible_classes};
use crate::context::Caller;
use crate::error::{CrossReference, Error};
use crate::keys::KeySystems;
use crate::pix::is_domain;
use crate::scope::Permission;
use crate::session::Session;

/// The current version.
pub(crate) async fn read(session: &Session, target: Target) -> Result<Stored, Error> {
    session.allow(target.kind, Permission::Read)?;
    let stored = session.space.get(target.clone()).await?;
    live(&session.caller, target, stored)
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
    live_version(&session.caller, target, version, found)
}

/// The version that was asked for, when it is there to be seen.
pub(crate) fn live_version(
    caller: &Caller,
    target: Target,
    version: VersionId,
    found: Option<Stored>,
) -> Result<Stored, Error> {
    match found.filter(|stored| sees(caller, stored)) {
        None => Err(Error::NoVersion { target, version }),
        Some(stored) if stored.deleted => Err(Error::Gone { target, version }),
        Some(stored) => Ok(stored),
    }
}

/// A page of a search.
pub(crate) async fn search(session: &Session, query: Query) -> Result<Page, Error> {
    check_search(session, &query)?;
    if query.domains().is_empty() {
        let classes = visible_classes(&session.caller);
        return Ok(session.space.search(query, classes).await?);
    }
    let (caller, keys) = (Arc::clone(&session.caller), session.keys());
    let found = move |reader: &mut dyn Reader| page(reader, &caller, &keys, &query);
    session.space.read(found).await
}

/// A page of a search in a snapshot. When it is restricted to domains, they must be known.
pub(crate) fn page(
    reader: &mut dyn Reader,
    caller: &Caller,
    keys: &Arc<KeySystems>,
    query: &Query,
) -> Result<Page, Error> {
    for domain in query.domains() {
        if !is_domain(reader, keys, domain)? {
            return Err(Error::CrossReference(CrossReference::Domain(domain.to_owned())));
        }
    }
    Ok(reader.search(query, visible_classes(caller))?)
}

/// Whether the caller may search all that the query looks into. What stands at the other end of a chain, or beside the
/// matches, is told as well.
pub(crate) fn check_search(session: &Session, query: &Query) -> Result<(), Error> {
    query
        .looks_into()
        .into_iter()
        .try_for_each(|kind| session.allow(kind, Permission::Search))
}

/// The current version, when it is there to be seen.
pub(crate) fn live(caller: &Caller, target: Target, stored: Option<Stored>) -> Result<Stored, Error> {
    match stored.filter(|stored| sees(caller, stored)) {
        None => Err(Error::NotFound(target)),
        Some(stored) if stored.deleted => Err(Error::Gone {
            version: stored.version,
            target,
        }),
        Some(stored) => Ok(stored),
    }
}
