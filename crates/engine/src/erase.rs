//! Erasure: a person goes from every version, key, index and record; links to it go too (`access.md` 4,
//! `adapters.md` 8.1).

use std::sync::Arc;

use fhir::query::{Clause, Criteria, ReferenceTest, SearchParam, Test, TokenTest};
use fhir::{Identifier, Resource, Target, identifier};
use serde_json::Value;
use store::{ClassFilter, LockSet, Stored, Trace, Writer};

use crate::error::Error;
use crate::prepare::{parse_stored, prepare_as};
use crate::scope::Permission;
use crate::session::{Session, WriteContext};
use crate::update::put;

/// So many resources that link to an erased one are looked at.
const LINKED: usize = 1_000;

/// What an erasure of an id comes to of which there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    /// Nothing.
    IsNothing,
    /// A tombstone: it was erased before this database was restored, and its id stays used.
    IsBuried,
}

/// Erases, also what was deleted before; `None` when there is nothing of this id, or it was erased already.
pub(crate) async fn erase(session: &Session, target: Target) -> Result<Option<Stored>, Error> {
    run(session, target, Unknown::IsNothing).await
}

/// The same of who was erased already, before this database was restored.
pub(crate) async fn erase_again(session: &Session, target: Target) -> Result<Option<Stored>, Error> {
    run(session, target, Unknown::IsBuried).await
}

async fn run(session: &Session, target: Target, unknown: Unknown) -> Result<Option<Stored>, Error> {
    session.refuse_to_policy("erase", "an update with \"active\": false")?;
    session.allow(target.kind, Permission::Delete)?;
    let locks = LockSet {
        targets: vec![target.clone()],
        shared: Some(target.kind),
        ..LockSet::default()
    };
    let context = session.write_context(match unknown {
        Unknown::IsNothing => "erase",
        Unknown::IsBuried => "erase-again",
    });
    session
        .write(locks, move |tx| match tx.get_for_update(&target)? {
            Some(current) => apply(tx, &context, &current),
            None if unknown == Unknown::IsBuried => {
                let buried = tx.bury(&target, &trace(&context))?;
                if let Some(buried) = &buried {
                    tx.audit(&context.audit(buried))?;
                }
                Ok(buried)
            }
            None => Ok(None),
        })
        .await
}

/// Erases in a transaction, and takes the links of others to it out. Audits. `None`: it was erased already.
pub(crate) fn apply(
    tx: &mut dyn Writer,
    context: &WriteContext,
    current: &Stored,
) -> Result<Option<Stored>, Error> {
    let target = &current.target;
    if current.deleted && tx.is_erased(target)? {
        return Ok(None);
    }
    // What is damaged can be erased all the same.
    let identifiers: Vec<Identifier> = match parse_stored(current) {
        Ok(resource) if !current.deleted => identifier::of(&resource).map(|held| held.identifier).collect(),
        _ => Vec::new(),
    };
    let linked = linked_to(tx, target, &identifiers)?;
    let erased = tx.erase(current, &trace(context))?;
    tx.audit(&context.audit(&erased))?;
    for stored in linked {
        unlink(tx, context, stored, target, &identifiers)?;
    }
    Ok(Some(erased))
}

fn trace(context: &WriteContext) -> Trace<'_> {
    Trace {
        author: &context.caller.author,
        client: &context.caller.client,
        request_id: &context.caller.request_id,
    }
}

/// Who has a link to it, by reference or by one of its identifiers.
pub(crate) fn linked_to(
    tx: &mut dyn Writer,
    target: &Target,
    identifiers: &[Identifier],
) -> Result<Vec<Stored>, Error> {
    let by_identifier = identifiers.iter().map(|identifier| {
        ReferenceTest::Identifier(TokenTest::SystemCode {
            system: identifier.system.clone(),
            code: identifier.value.clone(),
        })
    });
    let by_reference = ReferenceTest::Typed {
        kind: target.kind.to_string(),
        id: target.id.to_string(),
    };
    let mut linked: Vec<Stored> = Vec::new();
    for test in std::iter::once(by_reference).chain(by_identifier) {
        let criteria = Criteria {
            kind: target.kind,
            clauses: vec![Clause {
                param: SearchParam::Link,
                test: Test::Reference(vec![test]),
            }],
        };
        for stored in tx.matches(&criteria, ClassFilter::Any, LINKED)? {
            if stored.target != *target && linked.iter().all(|other| other.row != stored.row) {
                linked.push(stored);
            }
        }
    }
    Ok(linked)
}

fn unlink(
    tx: &mut dyn Writer,
    context: &WriteContext,
    stored: Stored,
    target: &Target,
    identifiers: &[Identifier],
) -> Result<(), Error> {
    let Some(current) = tx
        .get_for_update(&stored.target)?
        .filter(|current| !current.deleted)
    else {
        return Ok(());
    };
    let without = without_links(parse_stored(&current)?, target, identifiers);
    // Who is erased goes, whatever the profiles of those who stay say by now.
    let prepared = prepare_as(without, current.class, &context.keys, &Arc::default())?;
    put(tx, context, &current, &prepared).map(|_| ())
}

fn without_links(mut resource: Resource, target: &Target, identifiers: &[Identifier]) -> Resource {
    let reference = target.to_string();
    let is_meant = |link: &Value| {
        let Some(other) = link.get("other") else {
            return false;
        };
        let by_reference = other
            .get("reference")
            .and_then(Value::as_str)
            .is_some_and(|text| {
                text == reference
                    || text
                        .strip_prefix(&reference)
                        .is_some_and(|rest| rest.starts_with('/'))
            });
        let text = |name: &str| {
            other
                .pointer(&format!("/identifier/{name}"))
                .and_then(Value::as_str)
        };
        let by_identifier = identifiers
            .iter()
            .any(|held| text("system") == Some(&held.system) && text("value") == Some(&held.value));
        by_reference || by_identifier
    };
    let tree = resource.tree_mut();
    if let Some(Value::Array(links)) = tree.get_mut("link") {
        links.retain(|link| !is_meant(link));
        if links.is_empty() {
            tree.shift_remove("link");
        }
    }
    resource
}
