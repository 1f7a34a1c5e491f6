//! `$ihe-pix`: the other identifiers of a patient (PIXm ITI-83, `patient-identity.md` 2).

use std::sync::Arc;

use fhir::identifier;
use fhir::identity::is_shared;
use fhir::query::{Clause, Criteria, SearchParam, Test, TokenTest};
use fhir::{Id, Identifier, Resource, ResourceType, Target};
use serde_json::Value;
use store::{ClassFilter, Reader, Stored};

use crate::error::{CrossReference, Error};
use crate::keys::KeySystems;
use crate::prepare::parse_stored;
use crate::reply::CrossReferenced;
use crate::scope::Permission;
use crate::session::Session;

/// Patients with one identifier that are looked at; more of them are several persons anyway.
const MOST_HOLDERS: usize = 32;
/// Merges that are followed from one patient to the next.
const MOST_MERGES: usize = 32;

/// The identifiers of the patient that this one means: of the survivor, when it was merged.
pub(crate) async fn run(
    session: &Session,
    source: Identifier,
    targets: Vec<String>,
) -> Result<CrossReferenced, Error> {
    session.allow(ResourceType::Patient, Permission::Search)?;
    let keys = session.keys();
    let look = move |reader: &mut dyn Reader| {
        if !is_domain(reader, &keys, &source.system)? {
            return Err(Error::CrossReference(CrossReference::SourceDomain(
                source.system.clone(),
            )));
        }
        for target in &targets {
            if !is_domain(reader, &keys, target)? {
                return Err(Error::CrossReference(CrossReference::TargetDomain(
                    target.clone(),
                )));
            }
        }
        let mut persons: Vec<(Stored, Resource)> = Vec::new();
        for stored in holders(reader, &source)? {
            let (stored, patient) = survivor(reader, stored)?;
            if persons.iter().all(|(known, _)| known.row != stored.row) {
                persons.push((stored, patient));
            }
        }
        match (persons.pop(), persons.pop()) {
            (None, _) => Err(Error::CrossReference(CrossReference::Identifier)),
            (Some(_), Some(_)) => Err(Error::CrossReference(CrossReference::Several)),
            (Some((stored, patient)), None) => Ok(CrossReferenced {
                identifiers: others(&patient, &source, &targets),
                is_limited: !targets.is_empty(),
                target: stored.target,
            }),
        }
    };
    session.space.read(look).await
}

/// The live patients of whom this identifier is their own: not a number that a family may share.
fn holders(reader: &mut dyn Reader, identifier: &Identifier) -> Result<Vec<Stored>, Error> {
    let by = Criteria::by_identifier(ResourceType::Patient, identifier);
    let mut found = Vec::new();
    for stored in reader.matches(&by, ClassFilter::Any, MOST_HOLDERS)? {
        let patient = parse_stored(&stored)?;
        let is_own = |held: identifier::Held<'_>| held.identifier == *identifier && !is_shared(&held);
        if identifier::of(&patient).any(is_own) {
            found.push(stored);
        }
    }
    Ok(found)
}

/// Whether identifiers of this system are known here: it is configured, or some patient of the space has one.
pub(crate) fn is_domain(
    reader: &mut dyn Reader,
    keys: &Arc<KeySystems>,
    system: &str,
) -> Result<bool, Error> {
    let is_configured =
        |key: &store::access::KeySystem| key.kind == ResourceType::Patient && key.covers(system);
    if keys.all().iter().any(is_configured) {
        return Ok(true);
    }
    let any = Criteria {
        kind: ResourceType::Patient,
        clauses: vec![Clause {
            param: SearchParam::Identifier,
            test: Test::Token(vec![TokenTest::System(system.to_owned())]),
        }],
    };
    Ok(!reader.matches(&any, ClassFilter::Any, 1)?.is_empty())
}

/// Who took a patient's place, over all merges; the patient itself when nobody did, or nobody who is there.
pub(crate) fn survivor(reader: &mut dyn Reader, stored: Stored) -> Result<(Stored, Resource), Error> {
    let mut patient = parse_stored(&stored)?;
    let mut way = vec![stored.row];
    let mut at = stored;
    while way.len() < MOST_MERGES {
        // What was written before merges were checked may go in a circle.
        let Some(next) = replacement(reader, &patient)?.filter(|next| !way.contains(&next.row)) else {
            break;
        };
        patient = parse_stored(&next)?;
        way.push(next.row);
        at = next;
    }
    Ok((at, patient))
}

/// The live patient that a `replaced-by` link names, by reference or by identifier.
pub(crate) fn replacement(reader: &mut dyn Reader, patient: &Resource) -> Result<Option<Stored>, Error> {
    let link = patient
        .list("link")
        .iter()
        .find(|link| link.get("type").and_then(Value::as_str) == Some("replaced-by"));
    let Some(other) = link.and_then(|link| link.get("other")) else {
        return Ok(None);
    };
    named(reader, other)
}

/// The live patient that a reference names.
pub(crate) fn named(reader: &mut dyn Reader, other: &Value) -> Result<Option<Stored>, Error> {
    if let Some(id) = other.get("reference").and_then(Value::as_str).and_then(literal) {
        let target = Target {
            kind: ResourceType::Patient,
            id,
        };
        return Ok(reader.get(&target)?.filter(|stored| !stored.deleted));
    }
    let text = |name: &str| other.get("identifier")?.get(name)?.as_str().map(str::to_owned);
    let (Some(system), Some(value)) = (text("system"), text("value")) else {
        return Ok(None);
    };
    let mut found = holders(reader, &Identifier { system, value })?.into_iter();
    match (found.next(), found.next()) {
        (Some(stored), None) => Ok(Some(stored)),
        // Nobody, or who cannot be told.
        _ => Ok(None),
    }
}

fn literal(reference: &str) -> Option<Id> {
    Id::parse(reference.strip_prefix("Patient/")?)
}

fn others(patient: &Resource, source: &Identifier, targets: &[String]) -> Vec<Value> {
    identifier::of(patient)
        .filter(|held| held.identifier != *source)
        .filter(|held| targets.is_empty() || targets.contains(&held.identifier.system))
        .map(|held| held.node.clone())
        .collect()
}
