//! What a database knows of its ledger and of its own erasures.

use fhir::{Id, Target, Timestamp};

use super::{Erasure, Ledger};
use crate::api::{LockSet, SpaceKey};
use crate::error::StoreError;
use crate::statement::Statement;
use crate::store::Store;
use crate::transaction::Transaction;
use crate::{codes, settings};

/// The setting that names the ledger, and how far it is known to be done in this database.
const MARK: &str = "erasure-ledger";
/// How the space of a line is called that the database has no name for.
const NUMBERED: char = '#';

/// Which ledger a database belongs to, and how far it is known to be done there. It is part of every backup, so a
/// restored database says from where on the ledger has to be done again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The ledger's id.
    pub ledger: String,
    /// Bytes from the beginning of the ledger, all of whose erasures this database has.
    pub offset: u64,
}

impl Mark {
    /// Reads what [`Erasures::put_mark`] wrote.
    pub(crate) fn parse(text: &str) -> Result<Mark, StoreError> {
        let parts = text.split_once(' ');
        let mark = parts.and_then(|(ledger, offset)| {
            Some(Mark {
                ledger: ledger.to_owned(),
                offset: offset.parse().ok()?,
            })
        });
        mark.ok_or_else(|| StoreError::Internal("the mark of the erasure ledger makes no sense".to_owned()))
    }
}

/// The erasures of a database, and its ledger.
#[derive(Clone)]
pub struct Erasures {
    store: Store,
}

impl Erasures {
    pub(crate) fn new(store: Store) -> Erasures {
        Erasures { store }
    }

    /// From now on erasures are written to this ledger. Once for a store; a second call changes nothing.
    pub fn record_in(&self, ledger: Ledger) {
        self.store.context().ledger.get_or_init(|| ledger);
    }

    /// Which ledger the database belongs to.
    ///
    /// # Errors
    /// What the store says.
    pub async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let text = self.store.read_all(|tx| settings::get(tx, MARK)).await?;
        text.as_deref().map(Mark::parse).transpose()
    }

    /// Notes which ledger the database belongs to, and how far it is done.
    ///
    /// # Errors
    /// What the store says.
    pub async fn put_mark(&self, mark: Mark) -> Result<(), StoreError> {
        let text = format!("{} {}", mark.ledger, mark.offset);
        let locks = LockSet {
            values: vec![MARK.to_owned()],
            ..LockSet::default()
        };
        self.store
            .write_in(SpaceKey(0), locks, move |tx| settings::put(tx, MARK, &text))
            .await
    }

    /// How many erasures the database knows of.
    ///
    /// # Errors
    /// What the store says.
    pub async fn count(&self) -> Result<u64, StoreError> {
        let counted = self.store.read_all(|tx| {
            let counted = tx.sql.longs(&Statement::new("SELECT count(*) FROM erasure"));
            counted.map_err(|error| tx.fail("counting erasures", &error))
        });
        let number = counted.await?.first().copied().unwrap_or_default();
        Ok(u64::try_from(number).unwrap_or_default())
    }

    /// Writes what the database knows to its ledger, `batch` erasures at a time; how many those were. What is there
    /// already comes a second time, and means the same.
    ///
    /// # Errors
    /// What the store says; [`StoreError::Unavailable`] when there is no ledger.
    pub async fn copy_to_ledger(&self, batch: usize) -> Result<u64, StoreError> {
        let mut after = (i64::MIN, 0, String::new());
        let mut copied = 0;
        loop {
            let from = after.clone();
            let page = self.store.read_all(move |tx| page(tx, &from, batch)).await?;
            let Some((last, _)) = page.last() else {
                return Ok(copied);
            };
            after = last.clone();
            let erasures: Vec<Erasure> = page.into_iter().map(|(_, erasure)| erasure).collect();
            copied += erasures.len() as u64;
            self.store.context().ledger()?.append(&erasures)?;
        }
    }

    /// Those of these erasures that the database does not have, each with its space. Erasures of spaces that it does not
    /// have either are left out.
    ///
    /// # Errors
    /// What the store says.
    pub async fn missing(&self, erasures: Vec<Erasure>) -> Result<Vec<(SpaceKey, Target)>, StoreError> {
        self.store.read_all(move |tx| missing(tx, &erasures)).await
    }
}

type Place = (i64, i16, String);

/// The erasures behind `after`, in order of space, type and id.
fn page(tx: &mut Transaction<'_>, after: &Place, limit: usize) -> Result<Vec<(Place, Erasure)>, StoreError> {
    let statement = Statement::new("SELECT e.space, e.kind, e.id, e.time, e.client, coalesce(s.name, '') FROM erasure AS e LEFT JOIN space AS s ON s.space = 0 AND s.number = e.space WHERE (e.space, e.kind, e.id) > (")
        .bind(after.0)
        .sql(", ")
        .bind(after.1)
        .sql(", ")
        .bind(after.2.as_str())
        .sql(") ORDER BY e.space, e.kind, e.id LIMIT 0 + ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = tx.sql.erasures(&statement);
    let rows = rows.map_err(|error| tx.fail("reading erasures", &error))?;
    rows.into_iter()
        .map(|(space, kind, id, time, actor, name)| {
            let target = codes::kind_of(kind).zip(Id::parse(&id));
            let (kind_of, parsed) = target.ok_or_else(|| {
                StoreError::Internal("an erasure in the database makes no sense".to_owned())
            })?;
            let erasure = Erasure {
                space: space_name(space, Some(name)),
                target: Target {
                    kind: kind_of,
                    id: parsed,
                },
                time: Timestamp::from_micros(time),
                actor,
            };
            Ok(((space, kind, id), erasure))
        })
        .collect()
}

fn missing(tx: &mut Transaction<'_>, erasures: &[Erasure]) -> Result<Vec<(SpaceKey, Target)>, StoreError> {
    let names = Statement::new("SELECT number, name, sandbox, fhir_delete FROM space WHERE space = 0");
    let spaces = tx.sql.spaces(&names);
    let spaces = spaces.map_err(|error| tx.fail("reading spaces", &error))?;
    let mut missing = Vec::new();
    for erasure in erasures {
        let numbered = || erasure.space.strip_prefix(NUMBERED)?.parse().ok();
        let named = spaces.iter().find(|(_, name, ..)| *name == erasure.space);
        let Some(space) = named.map(|(number, ..)| *number).or_else(numbered) else {
            continue;
        };
        let statement = Statement::new("SELECT count(*) FROM erasure WHERE space = ")
            .bind(space)
            .sql(" AND kind = ")
            .bind(codes::kind(erasure.target.kind))
            .sql(" AND id = ")
            .bind(erasure.target.id.as_str());
        let known = tx.sql.longs(&statement);
        let known = known.map_err(|error| tx.fail("looking for an erasure", &error))?;
        if known.first().copied().unwrap_or_default() == 0 {
            missing.push((SpaceKey(space), erasure.target.clone()));
        }
    }
    Ok(missing)
}

/// How the ledger calls a space.
fn space_name(number: i64, name: Option<String>) -> String {
    let name = name.filter(|name| !name.is_empty());
    name.unwrap_or_else(|| format!("{NUMBERED}{number}"))
}

impl Transaction<'_> {
    /// Keeps the line of an erasure for the ledger, which gets it before the commit.
    pub(crate) fn record_erasure(
        &mut self,
        target: &Target,
        time: Timestamp,
        actor: &str,
    ) -> Result<(), StoreError> {
        let statement =
            Statement::new("SELECT name FROM space WHERE space = 0 AND number = ").bind(self.space());
        let names = self.sql.texts(&statement);
        let names = names.map_err(|error| self.fail("reading a space", &error))?;
        let space = space_name(self.space(), names.into_iter().next());
        self.group().erasures.push(Erasure {
            space,
            target: target.clone(),
            time,
            actor: actor.to_owned(),
        });
        Ok(())
    }
}
