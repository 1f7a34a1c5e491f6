//! Lists in order of creation, and the records beside a resource, as the partner doors show them.

use fhir::Target;
use fhir::interaction::Listing;
use store::{ListPage, Record};

use crate::error::Error;
use crate::scope::Permission;
use crate::session::Session;

/// A page, its total and its records, from one snapshot.
pub(crate) async fn list(session: &Session, listing: Listing) -> Result<ListPage, Error> {
    session.refuse_to_policy("list", "a search")?;
    session.allow(listing.kind, Permission::Search)?;
    session
        .space
        .read(move |reader| reader.list(&listing).map_err(Error::from))
        .await
}

/// The records of a resource, oldest first.
pub(crate) async fn records(session: &Session, target: Target) -> Result<Vec<Record>, Error> {
    let stored = crate::read::read(session, target).await?;
    session
        .space
        .read(move |reader| reader.records(&stored).map_err(Error::from))
        .await
}
