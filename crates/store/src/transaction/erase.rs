//! Erasure: what a person left behind goes, that there was somebody stays (`access.md` 4).

use fhir::canonical::Digest;
use fhir::{Target, VersionId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Transaction;
use crate::api::{Class, Occasion, Stored, Trace};
use crate::codes;
use crate::entries;
use crate::error::StoreError;
use crate::settings;
use crate::sql::Dialect;
use crate::statement::Statement;

impl Transaction<'_> {
    pub(super) fn erase_all(&mut self, current: &Stored, trace: &Trace<'_>) -> Result<Stored, StoreError> {
        self.context.needs_ledger(self.group)?;
        self.begin_change()?;
        let digest = self.keyed_digest(current)?;
        self.blank(current)?;
        let next = Stored {
            medicapp_id: None,
            ..self.deletion(current, trace.author)?
        };
        self.supersede(current)?;
        self.overwrite(current, &next, false)?;
        let owner = self.owner(current.target.kind, current.row);
        entries::clear(self.sql, owner).map_err(|error| self.fail("clearing the index", &error))?;
        let versions = Statement::new("UPDATE resource_version SET deleted = ")
            .bind(true)
            .sql(", body = '', digest = ")
            .bind(&next.digest)
            .sql(" WHERE space = ")
            .bind(self.space)
            .sql(" AND row = ")
            .bind(current.row);
        self.run("erasing versions", &versions)?;
        let records = Statement::new("DELETE FROM medicapp_record WHERE space = ")
            .bind(self.space)
            .sql(" AND row = ")
            .bind(current.row);
        self.run("erasing records", &records)?;
        self.note(&next, current.medicapp_id.as_deref(), &digest, trace)?;
        self.group.scrub = true;
        Ok(next)
    }

    /// Overwrites the bodies where they lie. SQLite does not always clear what is left behind in a page when rows that
    /// become shorter make it move others between pages: they must not hold the person any more by then. A text of the
    /// same length is written in its place.
    fn blank(&mut self, current: &Stored) -> Result<(), StoreError> {
        if self.sql.dialect() != Dialect::Sqlite {
            return Ok(());
        }
        for update in [
            "UPDATE resource SET body = CAST(zeroblob(length(CAST(body AS BLOB))) AS TEXT) WHERE space = ",
            "UPDATE resource_version SET body = CAST(zeroblob(length(CAST(body AS BLOB))) AS TEXT) WHERE space = ",
        ] {
            let statement = Statement::new(update)
                .bind(self.space)
                .sql(" AND row = ")
                .bind(current.row);
            self.run("overwriting bodies", &statement)?;
        }
        Ok(())
    }

    /// Leaves the tombstone of somebody who was erased elsewhere, and was never here: the id stays used.
    pub(super) fn bury_unknown(
        &mut self,
        target: &Target,
        trace: &Trace<'_>,
    ) -> Result<Option<Stored>, StoreError> {
        self.context.needs_ledger(self.group)?;
        self.begin_change()?;
        let time = self.time_after(None)?;
        let tombstone = Stored {
            row: 0,
            target: target.clone(),
            version: VersionId::FIRST,
            updated: time,
            deleted: true,
            class: Class::Ordinary,
            digest: Digest::default(),
            body: String::new(),
            created: time,
            created_by: trace.author.to_owned(),
            updated_by: trace.author.to_owned(),
            medicapp_id: None,
        };
        let Some(row) = self.insert_tombstone(&tombstone)? else {
            return Ok(None);
        };
        let tombstone = Stored { row, ..tombstone };
        self.note(&tombstone, None, &[0; 32], trace)?;
        Ok(Some(tombstone))
    }

    /// What stays of an erasure in the database, and its line for the ledger.
    fn note(
        &mut self,
        erased: &Stored,
        medicapp_id: Option<&str>,
        digest: &[u8; 32],
        trace: &Trace<'_>,
    ) -> Result<(), StoreError> {
        let statement = Statement::new(
            "INSERT INTO erasure (space, kind, id, time, client, request_id, medicapp_id, digest) VALUES (",
        )
        .bind(self.space)
        .sql(", ")
        .bind(codes::kind(erased.target.kind))
        .sql(", ")
        .bind(erased.target.id.as_str())
        .sql(", ")
        .bind(erased.updated.micros())
        .sql(", ")
        .bind(trace.client)
        .sql(", ")
        .bind(trace.request_id)
        .sql(", ")
        .bind(medicapp_id)
        .sql(", ")
        .bind(&digest[..])
        .sql(") ON CONFLICT (space, kind, id) DO NOTHING");
        self.run("recording an erasure", &statement)?;
        match trace.occasion {
            Occasion::Asked => self.record_erasure(&erased.target, erased.updated, trace.client),
            Occasion::Ledger => Ok(()),
        }
    }

    /// HMAC-SHA-256 of the last content: proves later what was erased to who has it, and tells nobody else.
    fn keyed_digest(&mut self, current: &Stored) -> Result<[u8; 32], StoreError> {
        if current.deleted {
            return Ok([0; 32]);
        }
        let key = settings::erasure_key(self)?;
        let mut mac = <Hmac<Sha256>>::new_from_slice(key.as_bytes())
            .map_err(|_| StoreError::Internal("the erasure secret is no key".to_owned()))?;
        mac.update(current.body.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }
}
