//! `passerelle record`: the dossiers that the Medicapp doors count and show beside a patient (`adapters.md` 5.4). The
//! doors only read them: this is how they get there.

use adapters::naming::Naming;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use fhir::query::Criteria;
use fhir::time::TimeRange;
use fhir::{Identifier, ResourceType, Timestamp};
use store::audit::AuditEntry;
use store::{ClassFilter, LockSet, Record, SpaceKey, Store, StoreError, Writer};

use super::{Database, say};
use crate::start;

/// Longest id or status of a record, characters.
const MAX_TEXT_CHARS: usize = 64;

/// `passerelle record …`
#[derive(Subcommand)]
pub enum RecordCommand {
    /// Attach a record to a patient; one that is attached already gets the status that is said here
    Add(NewRecord),
}

/// `passerelle record add …`
#[derive(Args)]
pub struct NewRecord {
    /// The space's id
    #[arg(long)]
    space: String,
    /// The patient's Medicapp id, such as pat_d4e5f6a7
    #[arg(long)]
    patient: String,
    /// The record's id, such as rec_8f3a2b1c
    #[arg(long)]
    id: String,
    /// Its status, in the platform's word
    #[arg(long, default_value = "completed")]
    status: String,
    /// When it was attached, such as 2025-03-20T14:00:00Z; said once, it stays [default: now]
    #[arg(long, value_name = "TIME")]
    created: Option<String>,
    #[command(flatten)]
    database: Database,
}

impl RecordCommand {
    /// What it works on.
    pub fn database(&self) -> Database {
        let RecordCommand::Add(new) = self;
        new.database.clone()
    }
}

/// Runs the command.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(store: Store, command: RecordCommand) -> anyhow::Result<()> {
    let RecordCommand::Add(new) = command;
    check("record's id", &new.id)?;
    check("record's status", &new.status)?;
    let created = new.created.as_deref().map(point).transpose()?;
    let spaces = store.access().snapshot().await?.spaces;
    let space = spaces.into_iter().find(|space| space.id == new.space);
    let space = space.with_context(|| {
        format!(
            "there is no space '{}'; `passerelle space list` shows them",
            new.space
        )
    })?;
    let base = store.access().setting(start::NAMING_BASE).await?;
    let naming = Naming::new(base.as_deref().unwrap_or(crate::config::DEFAULT_NAMING_BASE));
    let patient = Identifier {
        system: naming.medicapp_patient_id(),
        value: new.patient.clone(),
    };
    let said = (new.id.clone(), new.status.clone());
    let attached = attach(&store, space.key, patient, said, created).await?;
    match attached {
        Attached::Yes => say(&format!(
            "record {} ({}) of patient {}",
            new.id, new.status, new.patient
        )),
        Attached::NobodyThere => bail!(
            "there is no patient '{}' in the space '{}'; the id is the one that the Medicapp doors show",
            new.patient,
            new.space
        ),
        Attached::Elsewhere => bail!(
            "record '{}' belongs to another patient of space '{}'; give this one another id",
            new.id,
            new.space
        ),
    }
}

enum Attached {
    Yes,
    NobodyThere,
    Elsewhere,
}

/// What the closure of the write is undone with.
enum Undone {
    Store(StoreError),
    Elsewhere,
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Undone {
        Undone::Store(error)
    }
}

async fn attach(
    store: &Store,
    space: SpaceKey,
    patient: Identifier,
    (id, status): (String, String),
    created: Option<Timestamp>,
) -> Result<Attached, StoreError> {
    // Two operators, or one and an erasure, take turns over the patient.
    let locks = LockSet {
        whole: Some(ResourceType::Patient),
        in_order: true,
        ..LockSet::default()
    };
    let clock = store.clone();
    let handle = store.for_space(space);
    let written = handle.write(locks, move |tx: &mut dyn Writer| {
        let now = clock.now();
        let criteria = Criteria::by_identifier(ResourceType::Patient, &patient);
        let Some(stored) = tx.matches(&criteria, ClassFilter::Any, 1)?.into_iter().next() else {
            return Ok(Attached::NobodyThere);
        };
        let held = |records: Vec<Record>| records.into_iter().find(|record| record.id == id);
        let before = held(tx.records(&stored)?);
        let record = Record {
            row: stored.row,
            id: id.clone(),
            status: status.clone(),
            created: created.unwrap_or(now),
        };
        let is_same = before.is_some_and(|before| before.status == status);
        if !is_same {
            tx.put_record(&record)?;
            // An id has one patient in a space: was it this one's?
            if held(tx.records(&stored)?).is_none() {
                return Err(Undone::Elsewhere);
            }
        }
        tx.audit(&AuditEntry {
            time: now,
            request_id: uuid::Uuid::new_v4().to_string(),
            client: "operator".to_owned(),
            space: Some(space),
            door: "cli",
            interaction: "record-add",
            kind: Some(ResourceType::Patient.into()),
            id: Some(stored.target.id.clone()),
            version: None,
            outcome: if is_same { "unchanged" } else { "ok" },
        })?;
        Ok(Attached::Yes)
    });
    match written.await {
        Ok(attached) => Ok(attached),
        Err(Undone::Elsewhere) => Ok(Attached::Elsewhere),
        Err(Undone::Store(error)) => Err(error),
    }
}

fn check(what: &str, text: &str) -> anyhow::Result<()> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > MAX_TEXT_CHARS || text.chars().any(char::is_control) {
        bail!("'{text}' cannot be a {what}: use 1 to {MAX_TEXT_CHARS} characters");
    }
    Ok(())
}

/// The beginning of a full date or date-time; without an offset it is UTC.
fn point(text: &str) -> anyhow::Result<Timestamp> {
    let is_full = text.len() >= "YYYY-MM-DD".len();
    let range = is_full.then(|| TimeRange::parse(text)).flatten();
    let range = range
        .with_context(|| format!("'{text}' is not a point in time: write it as 2025-03-20T14:00:00Z"))?;
    Ok(Timestamp::from_micros(range.low))
}
