//! Who speaks of a person that is erased: links and references in the versions of others, superseded ones too, by type
//! and id or by an identifier. What stands beside such a reference, a display above all, is about the person and goes.

use fhir::canonical::Canonical;
use fhir::{Identifier, Resource, Target, Timestamp, identifier};
use serde_json::{Map, Value};
use store::{Among, Reader, StoreError, Stored, Writer};

use crate::error::Error;
use crate::prepare::parse_stored;
use crate::session::Session;

/// Versions of one resource that are read at once. The longest are two mebibytes long.
const VERSIONS_AT_ONCE: usize = 25;
/// Rows that are looked through at once inside a transaction.
const ROWS_AT_ONCE: i64 = 16_384;
/// By how much the time of a version may lie before its commit, microseconds: longer than any transaction lasts.
const SLACK_MICROS: i64 = 120_000_000;
/// What is nothing without the reference in it: a link of a Patient, an extension.
const BEARERS: [&str; 2] = ["other", "valueReference"];

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sought {
    target: Target,
    /// Those of all its versions.
    identifiers: Vec<Identifier>,
}

/// Who was found to speak of a person, before anything was locked.
pub(crate) struct Seen {
    sought: Sought,
    /// What was written since has not been looked at.
    since: Timestamp,
    targets: Vec<Target>,
}

/// Looks through the space. `None`: there is nothing that could be erased.
///
/// # Errors
/// What the store says.
pub(crate) async fn look(session: &Session, target: &Target) -> Result<Option<Seen>, Error> {
    let since = Timestamp::from_micros(session.now().micros() - SLACK_MICROS);
    let own = target.clone();
    let sought: Result<Option<Sought>, StoreError> = session
        .space
        .read(move |reader| match reader.get(&own)? {
            Some(current) if reader.is_erased(&own)? && reader.is_empty(&current)? => Ok(None),
            Some(current) => Sought::of(reader, &current).map(Some),
            None => Ok(None),
        })
        .await;
    let Some(sought) = sought? else { return Ok(None) };
    let meant = sought.clone();
    let targets = session
        .space
        .mentioning(sought.texts(), move |stored| meant.is_in(stored))
        .await?;
    Ok(Some(Seen {
        sought,
        since,
        targets,
    }))
}

impl Sought {
    /// What others may call this resource by. What is damaged has no identifiers.
    pub(crate) fn of<R: Reader + ?Sized>(reader: &mut R, current: &Stored) -> Result<Sought, StoreError> {
        let mut identifiers = Vec::new();
        let mut learn = |stored: &Stored| {
            let resource = Some(stored).filter(|stored| !stored.deleted).map(parse_stored);
            if let Some(Ok(resource)) = resource {
                identifiers.extend(identifier::of(&resource).map(|held| held.identifier));
            }
        };
        learn(current);
        let mut after = None;
        loop {
            let page = reader.past(current, after, VERSIONS_AT_ONCE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.version);
            page.iter().for_each(&mut learn);
        }
        identifiers.sort_unstable();
        identifiers.dedup();
        Ok(Sought {
            target: current.target.clone(),
            identifiers,
        })
    }

    /// Texts of which a body has one when it speaks of the person. It may have one and not do so.
    fn texts(&self) -> Vec<String> {
        let by_identifier = self.identifiers.iter().map(|held| {
            // Stored bodies have nothing between a name and its value.
            format!("\"value\":{}", Value::from(held.value.as_str()))
        });
        std::iter::once(format!("\"{}", self.target))
            .chain(by_identifier)
            .collect()
    }

    /// Whether a version of another resource speaks of the person.
    fn is_in(&self, stored: &Stored) -> bool {
        if stored.deleted || stored.target == self.target {
            return false;
        }
        match parse_stored(stored) {
            Ok(resource) => self.taken_from(resource).is_some(),
            // Its check tells that; nobody can take anything out of it.
            Err(_) => false,
        }
    }

    /// Everybody who speaks of the person: who was seen, and who has been written since.
    pub(crate) fn everybody(
        &self,
        tx: &mut dyn Writer,
        seen: Option<&Seen>,
    ) -> Result<Vec<Target>, StoreError> {
        let texts = self.texts();
        let mut targets = Vec::new();
        let mut add = |found: Vec<Stored>| {
            let meant = found.into_iter().filter(|stored| self.is_in(stored));
            targets.extend(meant.map(|stored| stored.target));
        };
        let seen = seen.filter(|seen| seen.sought == *self);
        if let Some(seen) = seen {
            add(tx.mentioning(&texts, Among::Since(seen.since))?);
        } else {
            let (mut behind, last) = (0, tx.last_row()?);
            while behind < last {
                let rows = Among::Rows(behind, behind + ROWS_AT_ONCE);
                add(tx.mentioning(&texts, rows)?);
                behind += ROWS_AT_ONCE;
            }
        }
        targets.extend(seen.into_iter().flat_map(|seen| seen.targets.iter().cloned()));
        targets.sort_unstable();
        targets.dedup();
        Ok(targets)
    }

    /// The resource without what it says of the person; `None`: it says nothing.
    pub(crate) fn taken_from(&self, mut resource: Resource) -> Option<Resource> {
        let tree = resource.tree_mut();
        let mut found = false;
        let names: Vec<String> = tree.keys().cloned().collect();
        for name in names {
            let stays = tree
                .get_mut(&name)
                .is_none_or(|value| self.prune(value, &mut found));
            if !stays {
                tree.shift_remove(&name);
            }
        }
        found.then_some(resource)
    }

    /// Takes references out of a value; whether anything is left of it.
    fn prune(&self, value: &mut Value, found: &mut bool) -> bool {
        match value {
            Value::Object(object) if self.is_meant(object) => {
                *found = true;
                false
            }
            Value::Object(object) => {
                let names: Vec<String> = object.keys().cloned().collect();
                for name in names {
                    let stays = object.get_mut(&name).is_none_or(|value| self.prune(value, found));
                    if !stays && BEARERS.contains(&name.as_str()) {
                        return false;
                    }
                    if !stays {
                        object.shift_remove(&name);
                    }
                }
                !object.is_empty()
            }
            Value::Array(items) => {
                items.retain_mut(|item| self.prune(item, found));
                !items.is_empty()
            }
            _ => true,
        }
    }

    /// Whether this is a reference to the person.
    fn is_meant(&self, object: &Map<String, Value>) -> bool {
        let reference = self.target.to_string();
        let named = object.get("reference").and_then(Value::as_str);
        let by_reference = named
            .and_then(|text| text.strip_prefix(&reference))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let part = |name: &str| object.get("identifier")?.get(name)?.as_str();
        let by_identifier = || {
            let held = self.identifiers.iter();
            held.clone()
                .any(|held| part("system") == Some(&held.system) && part("value") == Some(&held.value))
        };
        by_reference || by_identifier()
    }

    /// Takes what is said of the person out of the superseded versions of a resource; whether there was anything.
    pub(crate) fn clear_past(&self, tx: &mut dyn Writer, current: &Stored) -> Result<bool, StoreError> {
        let (mut after, mut cleared) = (None, false);
        loop {
            let page = tx.past(current, after, VERSIONS_AT_ONCE)?;
            let Some(last) = page.last() else {
                return Ok(cleared);
            };
            after = Some(last.version);
            for version in page.iter().filter(|version| !version.deleted) {
                let without = parse_stored(version)
                    .ok()
                    .and_then(|resource| self.taken_from(resource));
                if let Some(without) = without {
                    tx.rewrite_past(version, &Canonical::of(&without))?;
                    cleared = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
