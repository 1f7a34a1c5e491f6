//! Whether what lies in the store is whole: bodies, versions, index and key rows, tombstones. What follows from the
//! bodies can be written anew. No interaction: an operator looks beneath them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fhir::canonical::{Canonical, Digest};
use fhir::{ResourceType, Target};
use store::inspect::{Difference, Inspector, OWNED_TABLES, Orphan, Seen, Versions, is_content};
use store::{NewResource, SpaceKey, SpaceStore, Store, StoreError, Stored};

use crate::keys::KeySystems;
use crate::patient_id;
use crate::prepare::{derive, parse_stored};

/// Resources of one snapshot. The longest are two mebibytes long.
const PAGE: usize = 25;
/// Rows without a resource that are looked for at once.
const ORPHANS: usize = 100;

/// What is to be done about rows that do not follow from the bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// They are told.
    Nothing,
    /// They are written anew.
    Rows,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Type and id, or what else it is about.
    pub about: String,
    /// What is wrong.
    pub what: String,
    /// What an operator can do.
    pub remedy: Remedy,
}

/// What an operator can do about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// `check --repair` writes the rows anew.
    Repair,
    /// It has been done.
    Repaired,
    /// It is erased once more.
    Erase,
    /// Nothing in the database says what was there.
    Restore,
}

impl Remedy {
    /// For a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Remedy::Repair => "passerelle check --repair",
            Remedy::Repaired => "none needed, it was repaired",
            Remedy::Erase => "passerelle erase",
            Remedy::Restore => "restore a backup, or write the resource anew",
        }
    }
}

/// How far a check has come, and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many versions have been looked at.
    Progress(u64),
    /// A fault.
    Fault(Fault),
}

/// Looks through a space, beside whoever works in it; how many versions were looked at.
///
/// # Errors
/// [`StoreError`] when the database cannot be read, or what was to be repaired not be written.
pub async fn space(
    store: &Store,
    keys: Arc<KeySystems>,
    space: SpaceKey,
    repair: Repair,
    tell: &mut dyn FnMut(Event),
) -> Result<u64, StoreError> {
    let mut check = Check {
        store: store.for_space(space),
        keys,
        repair,
        looked_at: 0,
        tell,
    };
    // First: rows of another type hide those that are missing.
    check.orphans().await?;
    for kind in ResourceType::ALL {
        check.current(kind).await?;
    }
    check.superseded().await?;
    check.unerased().await?;
    Ok(check.looked_at)
}

struct Check<'t> {
    store: SpaceStore,
    keys: Arc<KeySystems>,
    repair: Repair,
    looked_at: u64,
    tell: &'t mut dyn FnMut(Event),
}

/// What a repair came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mended {
    /// The rows were written anew.
    Rows,
    /// Nothing was done.
    Nothing,
}

/// A current version, and what is wrong with it.
struct Judged {
    row: i64,
    target: Option<Target>,
    faults: Vec<Fault>,
    /// Whether its rows are to be written anew.
    rows: bool,
}

impl Check<'_> {
    fn step(&mut self, versions: usize) {
        self.looked_at += versions as u64;
        (self.tell)(Event::Progress(self.looked_at));
    }

    fn fault(&mut self, fault: Fault) {
        (self.tell)(Event::Fault(fault));
    }

    /// What can be done about rows, before it is done.
    fn remedy_of_rows(&self) -> Remedy {
        match self.repair {
            Repair::Nothing => Remedy::Repair,
            Repair::Rows => Remedy::Repaired,
        }
    }

    async fn orphans(&mut self) -> Result<(), StoreError> {
        for table in OWNED_TABLES {
            let mut after = i64::MIN;
            loop {
                let page: Result<Vec<Orphan>, StoreError> = self
                    .store
                    .inspect(move |inspector| inspector.orphans(table, after, ORPHANS))
                    .await;
                let page = page?;
                let Some(last) = page.last() else { break };
                after = last.row;
                for orphan in page {
                    self.orphan(orphan).await?;
                }
            }
        }
        Ok(())
    }

    async fn orphan(&mut self, orphan: Orphan) -> Result<(), StoreError> {
        let content = is_content(orphan.table);
        let remedy = if content {
            Remedy::Restore
        } else {
            self.remedy_of_rows()
        };
        if self.repair == Repair::Rows && !content {
            let mended: Result<(), StoreError> = self
                .store
                .mend(None, move |mender, _| mender.remove_orphan(orphan))
                .await;
            mended?;
        }
        self.fault(Fault {
            about: format!("row {}", orphan.row),
            what: format!("rows of {} belong to no resource of their type", orphan.table),
            remedy,
        });
        Ok(())
    }

    async fn current(&mut self, kind: ResourceType) -> Result<(), StoreError> {
        let mut after = i64::MIN;
        loop {
            let keys = Arc::clone(&self.keys);
            let page: Result<Vec<Judged>, StoreError> = self
                .store
                .inspect(move |inspector| judge_page(inspector, &keys, kind, after))
                .await;
            let page = page?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.row;
            self.step(page.len());
            for judged in page {
                let mended = match judged.target {
                    Some(target) if judged.rows && self.repair == Repair::Rows => self.mend(target).await,
                    _ => Ok(Mended::Nothing),
                };
                for mut fault in judged.faults {
                    if fault.remedy == Remedy::Repair {
                        fault.remedy = match (&mended, self.repair) {
                            (Ok(Mended::Rows), _) => Remedy::Repaired,
                            (Ok(Mended::Nothing), Repair::Nothing) => Remedy::Repair,
                            (Ok(Mended::Nothing), Repair::Rows) | (Err(_), _) => Remedy::Restore,
                        };
                    }
                    self.fault(fault);
                }
                if let Err(error) = mended
                    && !matches!(error, StoreError::Contention(_) | StoreError::Internal(_))
                {
                    return Err(error);
                }
            }
        }
    }

    /// Writes the rows of a resource anew, from what it is by then.
    async fn mend(&self, target: Target) -> Result<Mended, StoreError> {
        let keys = Arc::clone(&self.keys);
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        let mended: Result<(), StoreError> = self
            .store
            .mend(Some(target), move |mender, current| {
                done.store(false, Ordering::Relaxed);
                // It is gone, or its body is damaged by now.
                let Some(current) = current else { return Ok(()) };
                let Ok(wanted) = wanted(&current, &keys) else {
                    return Ok(());
                };
                mender.rewrite(&current, wanted.as_ref())?;
                done.store(true, Ordering::Relaxed);
                Ok(())
            })
            .await;
        mended.map(|()| match is_done.load(Ordering::Relaxed) {
            true => Mended::Rows,
            false => Mended::Nothing,
        })
    }

    async fn superseded(&mut self) -> Result<(), StoreError> {
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let page: Result<_, StoreError> = self
                .store
                .inspect(move |inspector| inspector.superseded(after, PAGE))
                .await;
            let (seen, last) = page?;
            let Some(last) = last else { return Ok(()) };
            after = last;
            self.step(seen.len());
            for seen in seen {
                let faults = match seen {
                    Seen::Stored(stored) => content_faults(&stored),
                    Seen::Senseless(_, id, error) => vec![senseless(&id, &error)],
                };
                for fault in faults {
                    self.fault(fault);
                }
            }
        }
    }

    async fn unerased(&mut self) -> Result<(), StoreError> {
        let mut after: Option<Target> = None;
        loop {
            let from = after.clone();
            let page: Result<Vec<Target>, StoreError> = self
                .store
                .inspect(move |inspector| inspector.unerased(from.as_ref(), PAGE))
                .await;
            let page = page?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for target in page {
                self.fault(Fault {
                    about: target.to_string(),
                    what: "was erased, and is not gone".to_owned(),
                    remedy: Remedy::Erase,
                });
            }
        }
    }
}

fn judge_page(
    inspector: &mut dyn Inspector,
    keys: &KeySystems,
    kind: ResourceType,
    after: i64,
) -> Result<Vec<Judged>, StoreError> {
    let page = inspector.current(kind, after, PAGE)?;
    let row_of = |seen: &Seen| match seen {
        Seen::Stored(stored) => stored.row,
        Seen::Senseless(row, ..) => *row,
    };
    let (Some(first), Some(last)) = (page.first().map(row_of), page.last().map(row_of)) else {
        return Ok(Vec::new());
    };
    let versions: BTreeMap<i64, Versions> = inspector
        .versions(first, last)?
        .into_iter()
        .map(|versions| (versions.row, versions))
        .collect();
    let replaced = inspector.replaced(first, last)?;
    page.into_iter()
        .map(|seen| match seen {
            Seen::Stored(stored) => {
                let marked = replaced.contains(&stored.row);
                judge(inspector, keys, &stored, versions.get(&stored.row), marked)
            }
            Seen::Senseless(row, id, error) => Ok(Judged {
                row,
                target: None,
                faults: vec![senseless(&id, &error)],
                rows: false,
            }),
        })
        .collect()
}

fn judge(
    inspector: &mut dyn Inspector,
    keys: &KeySystems,
    stored: &Stored,
    versions: Option<&Versions>,
    marked: bool,
) -> Result<Judged, StoreError> {
    let mut faults = content_faults(stored);
    let expected = i64::try_from(stored.version.number()).unwrap_or(i64::MAX) - 1;
    let consecutive = match versions {
        None => expected == 0,
        Some(found) => found.count == expected && found.bounds == (1, expected),
    };
    if !consecutive {
        faults.push(fault_of(
            stored,
            "its versions are not consecutive from 1",
            Remedy::Restore,
        ));
    }
    let mut rows = false;
    // Rows that should follow from a damaged body say nothing.
    if let Ok(wanted) = wanted(stored, keys) {
        for difference in inspector.differences(stored, wanted.as_ref())? {
            faults.push(fault_of(stored, &differing(difference), Remedy::Repair));
            rows = true;
        }
        if wanted.is_some_and(|wanted| wanted.replaced) != marked {
            faults.push(fault_of(
                stored,
                "the mark that it was replaced is not what its links say",
                Remedy::Repair,
            ));
            rows = true;
        }
    }
    Ok(Judged {
        row: stored.row,
        target: Some(stored.target.clone()),
        faults,
        rows,
    })
}

fn differing(difference: Difference) -> String {
    let Difference {
        table,
        missing,
        surplus,
    } = difference;
    format!("rows of {table} are not those of its body: {missing} missing, {surplus} too many")
}

/// What follows from a current version: nothing from a deletion.
fn wanted(stored: &Stored, keys: &KeySystems) -> Result<Option<NewResource>, crate::error::Error> {
    if stored.deleted {
        return Ok(None);
    }
    let new = derive(parse_stored(stored)?, stored.class, keys);
    let kept = patient_id::keep(keys, stored.medicapp_id.as_deref(), &new);
    Ok(Some(kept.unwrap_or(new)))
}

/// What is wrong with the content of a version.
fn content_faults(stored: &Stored) -> Vec<Fault> {
    let fault = |what: &str| vec![fault_of(stored, what, Remedy::Restore)];
    if stored.deleted {
        return match stored.body.is_empty() && stored.digest == Digest::default() {
            true => Vec::new(),
            false => fault("is a deletion, and has content"),
        };
    }
    let Ok(resource) = parse_stored(stored) else {
        return fault("its body is no JSON");
    };
    let canonical = Canonical::of(&resource);
    let mut faults = Vec::new();
    if canonical.body(&stored.target.id, stored.version, stored.updated) != stored.body {
        faults.extend(fault(
            "its body is not in canonical form, or says another type, id, version or time",
        ));
    }
    if *canonical.digest() != stored.digest {
        faults.extend(fault("its digest is not that of its body"));
    }
    faults
}

fn fault_of(stored: &Stored, what: &str, remedy: Remedy) -> Fault {
    Fault {
        about: format!("{} version {}", stored.target, stored.version),
        what: what.to_owned(),
        remedy,
    }
}

fn senseless(id: &str, error: &StoreError) -> Fault {
    Fault {
        about: format!("id '{id}'"),
        what: error.to_string(),
        remedy: Remedy::Restore,
    }
}
