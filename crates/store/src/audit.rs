//! The audit trail. No names, identifiers, bodies: who did what to which resource, and how it ended.

use fhir::{Id, ResourceType, Timestamp, VersionId};

use crate::api::SpaceKey;
use crate::codes;
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;
use crate::transaction::{Transaction, number};

/// Rows of one INSERT. Few, so that there are few texts of statements.
const ROWS_PER_INSERT: usize = 16;

/// One audit row.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// When, by the server's clock. Rows of a change get the time of the change.
    pub time: Timestamp,
    /// The request's id.
    pub request_id: String,
    /// The client's id; empty when nobody was recognised.
    pub client: String,
    /// The space; `None` when the request was refused before one was known.
    pub space: Option<SpaceKey>,
    /// The door's name.
    pub door: &'static str,
    /// The interaction's name.
    pub interaction: &'static str,
    /// The type, when there is one.
    pub kind: Option<ResourceType>,
    /// The id, when one is known.
    pub id: Option<Id>,
    /// The version read or written.
    pub version: Option<VersionId>,
    /// `ok`, `unchanged`, or the issue code of the refusal.
    pub outcome: &'static str,
}

/// Longest text of a row, characters.
const MAX_TEXT_CHARS: usize = 256;

/// A text that every database takes: one row that cannot be written would hold all others up.
fn clean(text: &str) -> String {
    let kept = text.chars().filter(|character| *character != '\0');
    kept.take(MAX_TEXT_CHARS).collect()
}

/// Writes rows. On SQLite they are numbered here, under the one writer's lock; PostgreSQL numbers them.
pub(crate) fn write(tx: &mut Transaction<'_>, entries: &[AuditEntry]) -> Result<(), StoreError> {
    for entries in entries.chunks(ROWS_PER_INSERT) {
        let numbered = tx.sql.dialect() == Dialect::Sqlite;
        let mut statement = Statement::new(if numbered {
            "INSERT INTO audit (time, request_id, client, door, interaction, kind, id, version, outcome, space, seq) VALUES "
        } else {
            "INSERT INTO audit (time, request_id, client, door, interaction, kind, id, version, outcome, space) VALUES "
        });
        for (position, entry) in entries.iter().enumerate() {
            let space = entry.space.map_or(0, |space| space.0);
            statement.push(if position == 0 { "(" } else { "), (" });
            statement = statement
                .bind(entry.time.micros())
                .sql(", ")
                .bind(clean(&entry.request_id))
                .sql(", ")
                .bind(clean(&entry.client))
                .sql(", ")
                .bind(entry.door)
                .sql(", ")
                .bind(entry.interaction)
                .sql(", ")
                .bind(entry.kind.map(codes::kind))
                .sql(", ")
                .bind(entry.id.as_ref().map(Id::as_str))
                .sql(", ")
                .bind(entry.version.map(number))
                .sql(", ")
                .bind(entry.outcome)
                .sql(", ")
                .bind(space);
            if numbered {
                statement = statement.sql(", ").bind(tx.next_audit(space)?);
            }
        }
        tx.run("writing the audit trail", &statement.sql(")"))?;
    }
    Ok(())
}
