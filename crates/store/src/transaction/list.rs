//! Lists in order of creation, and the records beside the resources.

use std::collections::BTreeSet;

use fhir::Timestamp;
use fhir::interaction::{Listing, Replaced};

use super::{CURRENT, Transaction, stored};
use crate::api::{ListPage, Record, Stored};
use crate::codes;
use crate::error::StoreError;
use crate::sql::Dialect;
use crate::statement::Statement;

impl Transaction<'_> {
    pub(super) fn page_of_list(&mut self, listing: &Listing) -> Result<ListPage, StoreError> {
        let total = self.count_list(listing)?;
        let resources = match total {
            0 => Vec::new(),
            _ => self.resources_of_list(listing)?,
        };
        let rows: BTreeSet<i64> = resources.iter().map(|stored| stored.row).collect();
        let records = self.records_of(&Vec::from_iter(rows))?;
        Ok(ListPage {
            resources,
            total,
            records,
        })
    }

    fn count_list(&mut self, listing: &Listing) -> Result<u64, StoreError> {
        let statement = Statement::new("SELECT count(*) FROM ").then(self.listed(listing));
        let counts = self.sql.longs(&statement);
        let counts = counts.map_err(|error| self.fail("counting a list", &error))?;
        let count = counts.first().copied().unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }

    fn resources_of_list(&mut self, listing: &Listing) -> Result<Vec<Stored>, StoreError> {
        let offset = i64::try_from(listing.offset).unwrap_or(i64::MAX);
        // The page is found in the index alone; then come the bodies. CROSS JOIN: SQLite keeps this order.
        let statement = Statement::new("SELECT ")
            .sql(CURRENT)
            .sql(" FROM (SELECT r.row, r.created, r.id FROM ")
            .then(self.listed(listing))
            .sql(" ORDER BY r.created, r.id LIMIT 0 + ")
            .bind(i64::from(listing.count))
            .sql(" OFFSET 0 + ")
            .bind(offset)
            .sql(") AS page CROSS JOIN resource AS r WHERE r.space = ")
            .bind(self.space)
            .sql(" AND r.row = page.row ORDER BY page.created, page.id");
        let rows = self.sql.resources(&statement);
        let rows = rows.map_err(|error| self.fail("listing", &error))?;
        rows.into_iter().map(stored).collect()
    }

    /// `resource AS r WHERE …`: all that the filters leave.
    fn listed(&self, listing: &Listing) -> Statement<'static> {
        // A poller's change is found by its time, everything else in order of creation; without statistics a planner
        // would choose by chance.
        let index = match (self.sql.dialect(), listing.modified_after) {
            (Dialect::Sqlite, None) => " INDEXED BY resource_by_creation",
            (Dialect::Sqlite, Some(_)) | (Dialect::Postgres, _) => "",
        };
        let mut statement = Statement::new("resource AS r")
            .sql(index)
            .sql(" WHERE r.space = ")
            .bind(self.space)
            .sql(" AND r.kind = ")
            .bind(codes::kind(listing.kind))
            .sql(" AND NOT r.deleted");
        if listing.replaced == Replaced::Hidden {
            statement = statement.sql(" AND NOT r.replaced");
        }
        if let Some(after) = listing.created_after {
            statement = statement.sql(" AND r.created > ").bind(after.micros());
        }
        if let Some(after) = listing.modified_after {
            statement = statement
                .sql(" AND r.row IN (SELECT row FROM resource WHERE space = ")
                .bind(self.space)
                .sql(" AND kind = ")
                .bind(codes::kind(listing.kind))
                .sql(" AND updated > ")
                .bind(after.micros())
                .sql(" UNION SELECT row FROM medicapp_record WHERE space = ")
                .bind(self.space)
                .sql(" AND created > ")
                .bind(after.micros())
                .sql(")");
        }
        statement
    }

    /// The records of these resources, of each the oldest first.
    pub(super) fn records_of(&mut self, rows: &[i64]) -> Result<Vec<Record>, StoreError> {
        /// Rows of one statement. Always so many, the last repeated: one text serves.
        const ROWS_PER_LOOK: usize = 16;
        let mut records = Vec::new();
        for chunk in rows.chunks(ROWS_PER_LOOK) {
            let Some(last) = chunk.last() else { continue };
            let mut statement =
                Statement::new("SELECT row, id, status, created FROM medicapp_record WHERE space = ")
                    .bind(self.space)
                    .sql(" AND row IN (");
            for position in 0..ROWS_PER_LOOK {
                if position > 0 {
                    statement.push(", ");
                }
                statement.push_bind(*chunk.get(position).unwrap_or(last));
            }
            let statement = statement.sql(") ORDER BY row, created, id");
            let found = self.sql.records(&statement);
            let found = found.map_err(|error| self.fail("reading records", &error))?;
            records.extend(found.into_iter().map(|(row, id, status, created)| Record {
                row,
                id,
                status,
                created: Timestamp::from_micros(created),
            }));
        }
        Ok(records)
    }
}
