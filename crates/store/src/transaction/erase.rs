//! Erasure: what a person left behind goes, that there was somebody stays (`access.md` 4).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Transaction;
use crate::api::{Stored, Trace};
use crate::codes;
use crate::entries;
use crate::error::StoreError;
use crate::settings;
use crate::statement::Statement;

impl Transaction<'_> {
    pub(super) fn erase_all(&mut self, current: &Stored, trace: &Trace<'_>) -> Result<Stored, StoreError> {
        self.begin_change()?;
        let digest = self.keyed_digest(current)?;
        self.supersede(current)?;
        let next = Stored {
            medicapp_id: None,
            ..self.deletion(current, trace.author)?
        };
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
        let traces = Statement::new(
            "INSERT INTO erasure (space, kind, id, time, client, request_id, medicapp_id, digest) VALUES (",
        )
        .bind(self.space)
        .sql(", ")
        .bind(codes::kind(current.target.kind))
        .sql(", ")
        .bind(current.target.id.as_str())
        .sql(", ")
        .bind(next.updated.micros())
        .sql(", ")
        .bind(trace.client)
        .sql(", ")
        .bind(trace.request_id)
        .sql(", ")
        .bind(current.medicapp_id.as_deref())
        .sql(", ")
        .bind(&digest[..])
        .sql(") ON CONFLICT (space, kind, id) DO NOTHING");
        self.run("recording an erasure", &traces)?;
        self.group.scrub = true;
        Ok(next)
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
