//! The identity of regulator accounts (`regulator-accounts.md` 5): who is meant by an identifier, in the
//! presence of disabled accounts, past identifiers and replays.

use std::sync::Arc;

use fhir::query::Criteria;
use fhir::{Identifier, Resource, VersionId, identifier};
use serde_json::Value;
use store::{Class, ClassFilter, KeyRow, KeyState, NewResource, Policy, Reader, Stored};

use crate::error::Error;
use crate::keys::KeySystems;
use crate::prepare::{Prepared, is_active, parse_stored, prepare_as};

/// Whom an identifier means.
pub(crate) enum Found {
    /// This account is updated.
    Account(Stored),
    /// This account is disabled and keeps its identifiers.
    Withdraw(Stored),
    /// Nobody: an account is created.
    Nobody,
}

/// How many earlier versions are compared with a replayed body.
const VERSIONS_COMPARED: u64 = 50;

/// Finds the account that a conditional update by this identifier means.
pub(crate) fn resolve(
    reader: &mut dyn Reader,
    criterion: &Identifier,
    body: &Resource,
    identifiers: &[Identifier],
) -> Result<Found, Error> {
    let holders = reader.holders(body.kind(), Policy::Account, criterion)?;
    let mut past = Vec::new();
    for holder in holders {
        match holder.state {
            // Owning sorts before held, the latest change first: the first of either is the one.
            KeyState::Owning | KeyState::Held => return Ok(Found::Account(holder.stored)),
            KeyState::Retired => past.push(holder.stored),
        }
    }
    by_past_identifier(reader, past, body, identifiers)
}

/// Nobody holds the identifier now; these accounts held it once, latest change first.
fn by_past_identifier(
    reader: &mut dyn Reader,
    past: Vec<Stored>,
    body: &Resource,
    identifiers: &[Identifier],
) -> Result<Found, Error> {
    let mut others = Vec::new();
    for stored in past {
        let resource = parse_stored(&stored)?;
        let shares = identifier::of(&resource).any(|held| identifiers.contains(&held.identifier));
        if shares {
            return Ok(Found::Account(stored));
        }
        others.push((stored, resource));
    }
    let mut same_person = None;
    for (stored, resource) in &others {
        if same_person.is_none() && was_this_person(reader, stored, resource, body)? {
            same_person = Some(stored.clone());
        }
    }
    if is_active(body) {
        return Ok(same_person.map_or(Found::Nobody, Found::Account));
    }
    // A withdrawal must reach the person, whatever else has changed.
    let withdrawn = same_person.or_else(|| others.into_iter().next().map(|(stored, _)| stored));
    Ok(withdrawn.map_or(Found::Nobody, Found::Withdraw))
}

/// Whether family, given and e-mail of the body are the account's, now or in an earlier version: a replay
/// repeats what was true once.
fn was_this_person(
    reader: &mut dyn Reader,
    stored: &Stored,
    current: &Resource,
    body: &Resource,
) -> Result<bool, Error> {
    let wanted = Traits::of(body);
    if Traits::of(current) == wanted {
        return Ok(true);
    }
    let newest = stored.version.number().saturating_sub(1);
    let oldest = newest.saturating_sub(VERSIONS_COMPARED).max(1);
    for number in (oldest..=newest).rev() {
        let Some(version) = VersionId::new(number) else {
            continue;
        };
        let earlier = reader
            .version(&stored.target, version)?
            .filter(|earlier| !earlier.deleted);
        if let Some(earlier) = earlier
            && Traits::of(&parse_stored(&earlier)?) == wanted
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What tells one regulator from another when no identifier does.
#[derive(PartialEq)]
struct Traits {
    names: Vec<(String, String)>,
    emails: Vec<String>,
}

impl Traits {
    fn of(resource: &Resource) -> Traits {
        let text = |node: &Value, property: &str| {
            node.get(property)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_lowercase()
        };
        let given = |node: &Value| {
            let given = node
                .get("given")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            given
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(" ")
                .to_lowercase()
        };
        let mut names: Vec<_> = resource
            .list("name")
            .iter()
            .map(|name| (text(name, "family"), given(name)))
            .collect();
        let mut emails: Vec<_> = resource
            .list("telecom")
            .iter()
            .map(|point| text(point, "value"))
            .collect();
        names.sort();
        emails.sort();
        Traits { names, emails }
    }
}

/// The account that criteria other than one identifier mean: the only match, or the only active one of
/// several.
pub(crate) fn find_by_criteria(
    reader: &mut dyn Reader,
    criteria: &Criteria,
) -> Result<Option<Stored>, Error> {
    let mut found = reader.matches(criteria, ClassFilter::Only(Class::Account), 64)?;
    if found.len() < 2 {
        return Ok(found.pop());
    }
    let mut active = Vec::new();
    for stored in found {
        if is_active(&parse_stored(&stored)?) {
            active.push(stored);
        }
    }
    match active.pop() {
        Some(only) if active.is_empty() => Ok(Some(only)),
        _ => Err(Error::ManyMatches {
            interaction: "conditional update",
        }),
    }
}

/// The body of a withdrawal that brings none of the account's identifiers: the account keeps its own.
pub(crate) fn withdrawal(current: &Stored, body: &Prepared, keys: &KeySystems) -> Result<Prepared, Error> {
    let kept = parse_stored(current)?;
    let mut resource = body.resource.clone();
    if let Some(identifiers) = kept.get("identifier") {
        resource
            .tree_mut()
            .insert("identifier".to_owned(), identifiers.clone());
    }
    // The body was checked against its profiles; identifiers that are stored block no withdrawal.
    prepare_as(resource, Class::Account, keys, &Arc::default())
}

/// A new account remembers the identifier it was asked for by when its body lacks it: the same request
/// again must find it.
pub(crate) fn with_alias(criterion: Identifier, new: &NewResource) -> NewResource {
    let mut new = new.clone();
    new.keys.push(KeyRow {
        policy: Policy::Account,
        identifier: criterion,
        state: KeyState::Retired,
    });
    new.keys.sort();
    new
}
