//! A row of the trail as it lies in the database, and its hash.

use fhir::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::audit::Audited;
use crate::error::StoreError;
use crate::statement::Statement;
use crate::transaction::Transaction;

/// A hash of the chain.
pub(super) type Hash = [u8; 32];

/// What the chain of a space begins with.
pub(super) const START: Hash = [0; 32];

/// A row as diesel gives it: number, time, request id, client, door, interaction; kind, id, version, outcome.
pub(crate) type RawRow = (RawHead, RawTail);
type RawHead = (i64, i64, String, String, String, String);
type RawTail = (Option<i16>, Option<String>, Option<i64>, String);

/// A row of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number: rises in the order of writing, on PostgreSQL with gaps. Not to be shown: there it counts the rows of
    /// all spaces.
    pub number: i64,
    /// When, by the server's clock.
    pub time: Timestamp,
    /// The request's id.
    pub request_id: String,
    /// The client's id; empty when nobody was recognised.
    pub client: String,
    /// The door's name, or `cli`.
    pub door: String,
    /// The interaction's name.
    pub interaction: String,
    /// The type, when there is one.
    pub kind: Option<Audited>,
    /// The id, when one is known.
    pub id: Option<String>,
    /// The version read or written.
    pub version: Option<i64>,
    /// `ok`, `unchanged`, or the issue code of the refusal.
    pub outcome: String,
    /// The type as it lies there.
    code: Option<i16>,
}

impl AuditRow {
    pub(super) fn of(raw: RawRow) -> AuditRow {
        let ((number, time, request_id, client, door, interaction), (code, id, version, outcome)) = raw;
        AuditRow {
            number,
            time: Timestamp::from_micros(time),
            request_id,
            client,
            door,
            interaction,
            kind: code.and_then(Audited::of_code),
            id,
            version,
            outcome,
            code,
        }
    }

    /// The hash of this row in the chain of a space, behind another hash. Every field counts, with its length.
    pub(super) fn link(&self, space: i64, previous: &Hash) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(previous);
        // One piece: the hasher takes few long ones faster than many short ones.
        let mut bytes = Vec::with_capacity(256);
        bytes.push(1);
        for number in [space, self.number, self.time.micros()] {
            bytes.extend(number.to_le_bytes());
        }
        let texts = [
            &self.request_id,
            &self.client,
            &self.door,
            &self.interaction,
            &self.outcome,
        ];
        for text in texts {
            push_text(&mut bytes, text);
        }
        push_number(&mut bytes, self.code.map(i64::from));
        push_number(&mut bytes, self.version);
        bytes.push(u8::from(self.id.is_some()));
        push_text(&mut bytes, self.id.as_deref().unwrap_or_default());
        hasher.update(&bytes);
        hasher.finalize().into()
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn push_number(bytes: &mut Vec<u8>, number: Option<i64>) {
    bytes.push(u8::from(number.is_some()));
    bytes.extend(number.unwrap_or_default().to_le_bytes());
}

/// By which a search passes over blocks without an id or client: 4 bytes of FNV-1a. Others may share them.
pub(super) fn short_hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The rows of a space behind one number and up to another, in order of numbers.
pub(super) fn between(
    tx: &mut Transaction<'_>,
    space: i64,
    (behind, up_to): (i64, i64),
    limit: i64,
) -> Result<Vec<AuditRow>, StoreError> {
    let statement = Statement::new(
        "SELECT seq, time, request_id, client, door, interaction, kind, id, version, outcome FROM audit WHERE space = ",
    )
    .bind(space)
    .sql(" AND seq > ")
    .bind(behind)
    .sql(" AND seq <= ")
    .bind(up_to)
    .sql(" ORDER BY seq LIMIT ")
    .bind(limit);
    let rows = tx
        .sql
        .audit_rows(&statement)
        .map_err(|error| tx.fail("reading the audit trail", &error))?;
    Ok(rows.into_iter().map(AuditRow::of).collect())
}
