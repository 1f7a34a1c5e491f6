//! History of a resource, a type, everything — <https://hl7.org/fhir/R4/http.html#history>

use std::sync::Arc;

use fhir::ResourceType;
use fhir::query::history::{History, Scope};
use store::{HistoryPage, Reader, Whose};

use crate::conditional::{sees, visible_classes};
use crate::context::Caller;
use crate::error::Error;
use crate::scope::Permission;
use crate::session::Session;

/// A page of a history. That of a deleted resource is there, that of an unknown one is not.
pub(crate) async fn history(session: &Session, history: History) -> Result<HistoryPage, Error> {
    let kinds = check(session, &history)?;
    let caller = Arc::clone(&session.caller);
    session
        .space
        .read(move |reader| page(reader, &caller, &history, &kinds))
        .await
}

/// The types that the caller's history of this scope is made of.
pub(crate) fn check(session: &Session, history: &History) -> Result<Vec<ResourceType>, Error> {
    match &history.scope {
        Scope::Resource(target) => {
            session.allow(target.kind, Permission::Read)?;
            Ok(vec![target.kind])
        }
        Scope::Type(kind) => {
            session.allow(*kind, Permission::Search)?;
            Ok(vec![*kind])
        }
        Scope::System => searchable(session),
    }
}

/// The page, by one snapshot.
pub(crate) fn page(
    reader: &mut dyn Reader,
    caller: &Caller,
    history: &History,
    kinds: &[ResourceType],
) -> Result<HistoryPage, Error> {
    let classes = visible_classes(caller);
    let Scope::Resource(target) = &history.scope else {
        return Ok(reader.history(history, Whose::All(kinds), classes)?);
    };
    let current = reader.get(target)?.filter(|stored| sees(caller, stored));
    let current = current.ok_or_else(|| Error::NotFound(target.clone()))?;
    Ok(reader.history(history, Whose::One(&current), classes)?)
}

/// The types of which the caller may see everything: the others are no part of its system.
fn searchable(session: &Session) -> Result<Vec<ResourceType>, Error> {
    let mut kinds = Vec::new();
    let mut refusal = None;
    for kind in ResourceType::ALL {
        match session.allow(kind, Permission::Search) {
            Ok(()) => kinds.push(kind),
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        Some(refusal) if kinds.is_empty() => Err(refusal),
        _ => Ok(kinds),
    }
}
