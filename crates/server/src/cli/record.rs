//! `passerelle record`: what the Medicapp connect door shows as a patient's records. There is no call that writes them:
//! they come from the platform that keeps them.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use fhir::query::Criteria;
use fhir::{Identifier, ResourceType, Timestamp};
use store::audit::AuditEntry;
use store::{ClassFilter, LockSet, Record, Store, StoreError, Stored};

use super::{Database, say};
use crate::start;

/// `passerelle record …`
#[derive(Subcommand)]
pub enum RecordCommand {
    /// Attach a record to a patient, or change the status of one that is attached; the patient gets no new version
    Add {
        /// The patient's id at the Medicapp doors, such as pat_06h17q1x0nfkg6mj
        #[arg(long)]
        patient: String,
        /// The record's id, such as rec_8f3a2b1c
        #[arg(long)]
        id: String,
        /// Its status, in the platform's word
        #[arg(long, default_value = "completed")]
        status: String,
        /// When it was attached, such as 2025-03-20T14:00:00Z [default: now]
        #[arg(long, value_name = "TIME")]
        created: Option<String>,
        /// The space's id
        #[arg(long)]
        space: String,
        #[command(flatten)]
        database: Database,
    },
}

impl RecordCommand {
    /// What it works on.
    pub fn database(&self) -> Database {
        let RecordCommand::Add { database, .. } = self;
        database.clone()
    }
}

/// Runs the command.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(store: Store, command: RecordCommand) -> anyhow::Result<()> {
    let RecordCommand::Add {
        patient,
        id,
        status,
        created,
        space,
        ..
    } = command;
    if id.trim().is_empty() || status.trim().is_empty() {
        bail!("a record needs an id and a status: --id rec_8f3a2b1c --status completed");
    }
    let created = match created {
        None => store.now(),
        Some(text) => fhir::time::TimeRange::parse(&text)
            .map(|range| Timestamp::from_micros(range.low))
            .with_context(|| format!("'{text}' is no time: write it like 2025-03-20T14:00:00Z"))?,
    };
    let base = store.access().setting(start::NAMING_BASE).await?;
    let base = base.context("no server has ever started on this database: there are no patients")?;
    let spaces = store.access().snapshot().await?.spaces;
    let known = spaces.into_iter().find(|known| known.id == space);
    let known =
        known.with_context(|| format!("there is no space '{space}'; passerelle space list names them"))?;
    let system = adapters::naming::Naming::new(&base).medicapp_patient_id();
    let value = patient.clone();
    let criteria = Criteria::by_identifier(ResourceType::Patient, &Identifier { system, value });
    let (record, row_id) = (id.clone(), patient.clone());
    let found: Result<Option<Stored>, StoreError> = store
        .for_space(known.key)
        .write(LockSet::default(), move |tx| {
            let found = tx.matches(&criteria, ClassFilter::Any, 1)?.into_iter().next();
            let Some(stored) = found else { return Ok(None) };
            tx.put_record(&Record {
                row: stored.row,
                id: id.clone(),
                status: status.clone(),
                created,
            })?;
            tx.audit(&AuditEntry {
                time: created,
                request_id: "command".to_owned(),
                client: "operator".to_owned(),
                space: Some(known.key),
                door: "cli",
                interaction: "record-add",
                kind: Some(stored.target.kind),
                id: Some(stored.target.id.clone()),
                version: Some(stored.version),
                outcome: "ok",
            })?;
            Ok(Some(stored))
        })
        .await;
    match found? {
        Some(_) => say(&format!("record {record} of {row_id}")),
        None => bail!("there is no patient {patient} in the space {space}"),
    }
}
