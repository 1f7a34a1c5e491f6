//! The audit trail. No names, identifiers, bodies: who did what to which resource, and how it ended.

use std::borrow::Cow;

use diesel::result::QueryResult;
use fhir::{Id, ResourceType, Timestamp, VersionId};

use crate::api::SpaceKey;
use crate::error::StoreError;
use crate::sql::{Dialect, Sql};
use crate::statement::Statement;
use crate::transaction::{Transaction, number};

/// Rows of one INSERT. Few, so that there are few texts of statements.
const ROWS_PER_INSERT: usize = 16;

/// The type that an interaction is about: one that is stored, or one that the server tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audited {
    /// A stored one.
    Stored(ResourceType),
    /// The audit trail itself.
    AuditEvent,
    /// A type of what the server publishes: its place in [`Audited::PUBLISHED`].
    Published(u8),
}

impl Audited {
    /// The types that the server publishes. Their places lie in the database: add at the end.
    pub const PUBLISHED: [&'static str; 7] = [
        "StructureDefinition",
        "NamingSystem",
        "ConceptMap",
        "CodeSystem",
        "ValueSet",
        "SearchParameter",
        "OperationDefinition",
    ];
    const AUDIT_EVENT: i16 = 3;
    const FIRST_PUBLISHED: i16 = 16;

    /// The type of this name.
    pub fn parse(name: &str) -> Option<Audited> {
        if name == "AuditEvent" {
            return Some(Audited::AuditEvent);
        }
        let published = Audited::PUBLISHED.iter().position(|known| *known == name);
        match published {
            Some(place) => u8::try_from(place).ok().map(Audited::Published),
            None => ResourceType::parse(name).map(Audited::Stored),
        }
    }

    /// FHIR's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Audited::Stored(kind) => kind.as_str(),
            Audited::AuditEvent => "AuditEvent",
            Audited::Published(place) => Audited::PUBLISHED
                .get(usize::from(place))
                .copied()
                .unwrap_or("Basic"),
        }
    }

    /// The number that stands for it in the database.
    pub(crate) fn code(self) -> i16 {
        match self {
            Audited::Stored(kind) => crate::codes::kind(kind),
            Audited::AuditEvent => Audited::AUDIT_EVENT,
            Audited::Published(place) => Audited::FIRST_PUBLISHED + i16::from(place),
        }
    }

    pub(crate) fn of_code(code: i16) -> Option<Audited> {
        match code {
            Audited::AUDIT_EVENT => Some(Audited::AuditEvent),
            stored if stored < Audited::AUDIT_EVENT => crate::codes::kind_of(stored).map(Audited::Stored),
            other => {
                let place = u8::try_from(other.checked_sub(Audited::FIRST_PUBLISHED)?).ok()?;
                (usize::from(place) < Audited::PUBLISHED.len()).then_some(Audited::Published(place))
            }
        }
    }
}

impl From<ResourceType> for Audited {
    fn from(kind: ResourceType) -> Audited {
        Audited::Stored(kind)
    }
}

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
    pub kind: Option<Audited>,
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
fn clean(text: &str) -> Cow<'_, str> {
    // A text of few bytes has few characters.
    if text.len() <= MAX_TEXT_CHARS && !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().filter(|character| *character != '\0');
    Cow::Owned(kept.take(MAX_TEXT_CHARS).collect())
}

/// Whether there is a row of this, of a number from `from` on.
pub(crate) fn is_written(sql: &mut dyn Sql, entry: &AuditEntry, from: i64) -> QueryResult<bool> {
    let statement = Statement::new("SELECT count(*) FROM audit WHERE space = ")
        .bind(entry.space.map_or(0, |space| space.0))
        .sql(" AND seq >= ")
        .bind(from)
        .sql(" AND time = ")
        .bind(entry.time.micros())
        .sql(" AND request_id = ")
        .bind(clean(&entry.request_id))
        .sql(" AND interaction = ")
        .bind(entry.interaction)
        .sql(" AND outcome = ")
        .bind(entry.outcome);
    Ok(sql.longs(&statement)?.first().is_some_and(|count| *count > 0))
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
                .bind(entry.kind.map(Audited::code))
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
